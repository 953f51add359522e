"""What nodes tell of themselves, their namespaces, sets and indexes: numbers with names.

Made by ``client.statistics()``, ``namespace_info``, ``sets``, ``set_info`` and ``index_statistics``. Each is a sum over
the nodes that says how it counts, with what every node told in ``by_node``. There the common numbers are fields; all
that the node told, under the server's own names, is in ``values``::

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
    """A field for a mapping, which has no hash and is too long to be shown."""
    return attrs.field(repr=False, hash=False)


class _OfNode(Protocol):
    @property
    def values(self) -> Mapping[str, Value]: ...


class _Merged:
    """Something that several nodes told of."""

    __slots__ = ()

    def total(self, name: str) -> int | float:
        """The sum over the nodes of a statistic, by the server's name for it.

        Raises:
            InvalidArgError: no node tells of it, or it is no number.
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
    """What one node tells of itself."""

    node: str
    """Its name."""
    build: str
    """The server's version, e.g. ``"8.1.2.0"``."""
    edition: str
    """E.g. ``"Aerospike Community Edition"``."""
    cluster_size: int
    """Nodes in the cluster, as this one sees it."""
    cluster_key: str
    """The same on all nodes that see the same cluster; another one after each change of it."""
    uptime: int
    """Seconds since the node was started."""
    objects: int
    """Records in all of its namespaces; replicas count like any other."""
    tombstones: int
    client_connections: int
    migrations: int
    """Partitions that it has yet to send or receive."""
    values: Mapping[str, Value] = _mapping()
    """All that it told (server: info command ``statistics``)."""


@attrs.frozen
class ClusterStatistics(_Merged):
    """What the nodes tell of themselves."""

    cluster_size: int
    """Nodes in the cluster, as the one says that sees most."""
    agreed: bool
    """Whether all nodes see the same cluster."""
    copies: int
    """Records in all namespaces, each as often as a node holds it. ``NamespaceInfo.objects`` counts a record once."""
    client_connections: int
    """Of all nodes together."""
    migrations: int
    """Partitions that the nodes have yet to send or receive."""
    by_node: Mapping[str, NodeStatistics] = _mapping()


# -- namespaces ------------------------------------------------------------------------------------------------------


@attrs.frozen
class NamespaceOnNode:
    """What one node tells of a namespace."""

    name: str
    node: str
    master_objects: int
    """Records in partitions that this node is the master of."""
    prole_objects: int
    """Records in partitions of which it holds another copy."""
    objects: int
    """All records that it holds: those of partitions it has yet to give away as well."""
    master_tombstones: int
    tombstones: int
    replication_factor: int
    """Copies of each record, as many as the configuration asks for and the cluster has nodes for."""
    data_used_bytes: int | None
    """Of all records that it holds; None from servers before 7.0, which count otherwise."""
    stop_writes: bool
    """Whether it refuses writes, for want of room or time."""
    dead_partitions: int
    unavailable_partitions: int
    migrations: int
    """Partitions that it has yet to send or receive."""
    truncated_before: datetime | None
    """What was last written before then has been truncated; None where nothing was."""
    default_ttl: int
    """Seconds; 0 for records that never expire."""
    strong_consistency: bool
    storage: str
    """E.g. ``"memory"`` or ``"device"``."""
    values: Mapping[str, Value] = _mapping()
    """All that it told (server: info command ``namespace/<name>``): statistics and, with hyphens, configuration."""


@attrs.frozen
class NamespaceInfo(_Merged):
    """What the nodes tell of a namespace."""

    name: str
    objects: int
    """Records, each counted once: the sum over the masters of partitions. Exact while nothing migrates."""
    tombstones: int
    """Tombstones, each counted once."""
    copies: int
    """Records, each as often as a node holds it."""
    replication_factor: int
    """Copies of each record, as many as the configuration asks for and the cluster has nodes for."""
    data_used_bytes: int | None
    """Of all copies on all nodes; None from servers before 7.0, which count otherwise."""
    stop_writes: bool
    """Whether a node refuses writes."""
    dead_partitions: int
    unavailable_partitions: int
    migrations: int
    """Partitions that the nodes have yet to send or receive."""
    truncated_before: datetime | None
    """What was last written before then has been truncated; None where nothing was."""
    default_ttl: int
    """Seconds; 0 for records that never expire. Of nodes that differ, the longest."""
    strong_consistency: bool
    storage: str
    """E.g. ``"memory"`` or ``"device"``."""
    by_node: Mapping[str, NamespaceOnNode] = _mapping()


# -- sets ------------------------------------------------------------------------------------------------------------


@attrs.frozen
class SetOnNode:
    """What one node tells of a set."""

    namespace: str
    name: str
    node: str
    objects: int
    """Records of the set that it holds; replicas count like any other."""
    tombstones: int
    data_used_bytes: int | None
    """Of these records; None from servers before 7.0, which count otherwise."""
    truncated_before: datetime | None
    """What was last written before then has been truncated; None where nothing was."""
    values: Mapping[str, Value] = _mapping()
    """All that it told (server: info command ``sets``): statistics and, with hyphens, configuration."""


@attrs.frozen
class SetInfo(_Merged):
    """What the nodes tell of a set."""

    namespace: str
    name: str
    objects: int
    """Records, each counted once. Servers count copies of a set's records, whoever is the master: this is their number
    over that of copies of each record, rounded up. Exact while nothing migrates and no write is on its way."""
    copies: int
    """Records, each as often as a node holds it."""
    tombstones: int
    """As often as a node holds it."""
    data_used_bytes: int | None
    """Of all copies on all nodes; None from servers before 7.0, which count otherwise."""
    truncated_before: datetime | None
    """What was last written before then has been truncated; None where nothing was."""
    by_node: Mapping[str, SetOnNode] = _mapping()


# -- indexes ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class IndexOnNode:
    """What one node tells of a secondary index."""

    namespace: str
    name: str
    node: str
    entries: int
    """Of records that it holds; replicas count like any other."""
    used_bytes: int
    loaded_percent: int
    """How far it is filled; queries can use it at 100."""
    values: Mapping[str, Value] = _mapping()
    """All that it told (server: info command ``sindex-stat``)."""


@attrs.frozen
class IndexStatistics(_Merged):
    """What the nodes tell of a secondary index."""

    namespace: str
    name: str
    entries: int
    """As often as a node holds them: those of replicas count like any other."""
    used_bytes: int
    """On all nodes."""
    loaded_percent: int
    """How far it is filled on the node that has come least far; queries can use it at 100."""
    by_node: Mapping[str, IndexOnNode] = _mapping()
