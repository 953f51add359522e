"""Statistics of nodes, namespaces, sets and secondary indexes.

Returned by ``client.statistics()``, ``namespace_info``, ``sets``, ``set_info`` and ``index_statistics``. Each is a
total over the nodes, with the statistics of every node in ``by_node``. The common ones are fields; all that a node
reported, under the server's own names, is in ``values``::

    info = await client.namespace_info("test")
    print(info.objects, info.stop_writes, info.total("client_read_success"))
    for name, node in info.by_node.items():
        print(name, node.master_objects, node.values["data_used_pct"])
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import attrs

from trio_aerospike._wire.statistics import Value as Value
from trio_aerospike.validation import refused

__all__ = [
    "ClusterStatistics",
    "IndexOnNode",
    "IndexStatistics",
    "NamespaceInfo",
    "NamespaceOnNode",
    "NodeStatistics",
    "SetInfo",
    "SetOnNode",
    "Value",
]


def _mapping() -> Any:
    """A field for a mapping, which is not hashed and not part of the repr."""
    return attrs.field(repr=False, hash=False)


class _OfNode(Protocol):
    @property
    def values(self) -> Mapping[str, Value]: ...


class _Merged:
    """Statistics of several nodes."""

    __slots__ = ()

    def total(self, name: str) -> int | float:
        """Return the sum over the nodes of a statistic, by the server's name.

        Raises:
            InvalidArgError: no node reports it, or it is not a number.
        """
        by_node: Mapping[str, _OfNode] = self.by_node  # type: ignore[attr-defined]
        found = [node.values[name] for node in by_node.values() if name in node.values]
        numbers = [value for value in found if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if not numbers or len(numbers) < len(found):
            raise refused(f"{type(self).__name__}.total.name", name, "the name of a statistic that is a number")
        return sum(numbers)


# -- nodes -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class NodeStatistics:
    """Statistics of one node."""

    node: str
    """Its name."""
    build: str
    """The server's version, e.g. ``"8.1.2.0"``."""
    edition: str
    """E.g. ``"Aerospike Community Edition"``."""
    cluster_size: int
    """Nodes in the cluster, as this node sees it."""
    cluster_key: str
    """The same on all nodes that see the same cluster; it changes with every change of the cluster."""
    uptime: int
    """Seconds since the node was started."""
    objects: int
    """Records in all of its namespaces, replicas included."""
    tombstones: int
    client_connections: int
    migrations: int
    """Partitions that it still has to send or receive."""
    values: Mapping[str, Value] = _mapping()
    """All statistics (server: info command ``statistics``)."""


@attrs.frozen
class ClusterStatistics(_Merged):
    """Statistics of all nodes of the cluster."""

    cluster_size: int
    """Nodes in the cluster: the largest number that a node sees."""
    agreed: bool
    """Whether all nodes see the same cluster."""
    copies: int
    """Records in all namespaces, replicas included. ``NamespaceInfo.objects`` counts each record once."""
    client_connections: int
    """The sum over all nodes."""
    migrations: int
    """Partitions that the nodes still have to send or receive."""
    by_node: Mapping[str, NodeStatistics] = _mapping()


# -- namespaces ------------------------------------------------------------------------------------------------------


@attrs.frozen
class NamespaceOnNode:
    """Statistics of a namespace on one node."""

    name: str
    node: str
    master_objects: int
    """Records in partitions that this node is the master of."""
    prole_objects: int
    """Records in partitions of which it holds a replica."""
    objects: int
    """All records that it holds, also those of partitions that it still has to hand over."""
    master_tombstones: int
    tombstones: int
    replication_factor: int
    """Copies of each record: the configured number, at most one for each node."""
    data_used_bytes: int | None
    """Of all records that it holds; None from servers before 7.0, which count differently."""
    stop_writes: bool
    """Whether it refuses writes, because it is full or its clock is wrong."""
    dead_partitions: int
    unavailable_partitions: int
    migrations: int
    """Partitions that it still has to send or receive."""
    truncated_before: datetime | None
    """Records last updated before this time are truncated; None if nothing was truncated."""
    default_ttl: int
    """Seconds; 0 for records that never expire."""
    strong_consistency: bool
    storage: str
    """E.g. ``"memory"`` or ``"device"``."""
    values: Mapping[str, Value] = _mapping()
    """All values (server: info command ``namespace/<name>``): statistics and, with hyphens, configuration."""


@attrs.frozen
class NamespaceInfo(_Merged):
    """Statistics of a namespace on all nodes."""

    name: str
    objects: int
    """Records, each counted once: the sum over the masters of partitions. Exact while there are no migrations."""
    tombstones: int
    """Tombstones, each counted once."""
    copies: int
    """Records, replicas included."""
    replication_factor: int
    """Copies of each record: the configured number, at most one for each node."""
    data_used_bytes: int | None
    """Of all copies on all nodes; None from servers before 7.0, which count differently."""
    stop_writes: bool
    """Whether a node refuses writes."""
    dead_partitions: int
    unavailable_partitions: int
    migrations: int
    """Partitions that the nodes still have to send or receive."""
    truncated_before: datetime | None
    """Records last updated before this time are truncated; None if nothing was truncated."""
    default_ttl: int
    """Seconds; 0 for records that never expire. The longest if nodes differ."""
    strong_consistency: bool
    storage: str
    """E.g. ``"memory"`` or ``"device"``."""
    by_node: Mapping[str, NamespaceOnNode] = _mapping()


# -- sets ------------------------------------------------------------------------------------------------------------


@attrs.frozen
class SetOnNode:
    """Statistics of a set on one node."""

    namespace: str
    name: str
    node: str
    objects: int
    """Records of the set that it holds, replicas included."""
    tombstones: int
    data_used_bytes: int | None
    """Of these records; None from servers before 7.0, which count differently."""
    truncated_before: datetime | None
    """Records last updated before this time are truncated; None if nothing was truncated."""
    values: Mapping[str, Value] = _mapping()
    """All values (server: info command ``sets``): statistics and, with hyphens, configuration."""


@attrs.frozen
class SetInfo(_Merged):
    """Statistics of a set on all nodes."""

    namespace: str
    name: str
    objects: int
    """Records, each counted once. Servers count all copies of a set's records: this is that number divided by the
    copies of each record, rounded up. Exact while there are no migrations and no writes in flight."""
    copies: int
    """Records, replicas included."""
    tombstones: int
    """Replicas included."""
    data_used_bytes: int | None
    """Of all copies on all nodes; None from servers before 7.0, which count differently."""
    truncated_before: datetime | None
    """Records last updated before this time are truncated; None if nothing was truncated."""
    by_node: Mapping[str, SetOnNode] = _mapping()


# -- indexes ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class IndexOnNode:
    """Statistics of a secondary index on one node."""

    namespace: str
    name: str
    node: str
    entries: int
    """Of all records that it holds, replicas included."""
    used_bytes: int
    loaded_percent: int
    """Percent of the index that is built; queries can use it at 100."""
    values: Mapping[str, Value] = _mapping()
    """All statistics (server: info command ``sindex-stat``)."""


@attrs.frozen
class IndexStatistics(_Merged):
    """Statistics of a secondary index on all nodes."""

    namespace: str
    name: str
    entries: int
    """Entries, those of replicas included."""
    used_bytes: int
    """On all nodes."""
    loaded_percent: int
    """Percent of the index that is built on the slowest node; queries can use it at 100."""
    by_node: Mapping[str, IndexOnNode] = _mapping()
