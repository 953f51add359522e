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
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import attrs

from trio_aerospike._wire.constants import CITRUSLEAF_EPOCH
from trio_aerospike._wire.statistics import Value as Value, parse_pairs, typed
from trio_aerospike.errors import ProtocolError
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

_EPOCH = datetime.fromtimestamp(CITRUSLEAF_EPOCH, UTC)


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


def node_statistics(node: str, build: str, edition: str, text: str) -> NodeStatistics:
    """Of the answer to ``statistics``.

    Raises:
        ProtocolError: it is of another form, or something is missing.
    """
    told = _Told(f"the statistics of node {node}", parse_pairs(text))
    return NodeStatistics(
        node,
        build,
        edition,
        told.integer("cluster_size"),
        told.text("cluster_key"),
        told.integer("uptime"),
        told.integer("objects"),
        told.integer("tombstones"),
        told.integer("client_connections"),
        told.integer("migrate_partitions_remaining"),
        told.values,
    )


def cluster_statistics(nodes: Mapping[str, NodeStatistics]) -> ClusterStatistics:
    """Of one node or more."""
    found = nodes.values()
    return ClusterStatistics(
        max(node.cluster_size for node in found),
        len({node.cluster_key for node in found}) == 1,
        sum(node.objects for node in found),
        sum(node.client_connections for node in found),
        sum(node.migrations for node in found),
        nodes,
    )


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


def namespace_on_node(name: str, node: str, text: str) -> NamespaceOnNode:
    """Of the answer to ``namespace/<name>``.

    Raises:
        ProtocolError: it is of another form, or something is missing.
    """
    told = _Told(f"what node {node} tells of namespace {name!r}", parse_pairs(text))
    return NamespaceOnNode(
        name,
        node,
        told.integer("master_objects"),
        told.integer("prole_objects"),
        told.integer("objects"),
        told.integer("master_tombstones"),
        told.integer("tombstones"),
        told.integer("effective_replication_factor"),
        told.integer("data_used_bytes") if "data_used_bytes" in told.values else None,
        told.flag("stop_writes"),
        told.integer("dead_partitions"),
        told.integer("unavailable_partitions"),
        told.integer("migrate_tx_partitions_remaining") + told.integer("migrate_rx_partitions_remaining"),
        _moment(told.integer("truncate_lut")),
        told.integer("default-ttl"),
        told.flag("strong-consistency"),
        told.text("storage-engine"),
        told.values,
    )


def namespace_info(name: str, nodes: Mapping[str, NamespaceOnNode]) -> NamespaceInfo:
    """Of one node or more."""
    found = list(nodes.values())
    return NamespaceInfo(
        name,
        sum(node.master_objects for node in found),
        sum(node.master_tombstones for node in found),
        sum(node.objects for node in found),
        max(node.replication_factor for node in found),
        _sum([node.data_used_bytes for node in found]),
        any(node.stop_writes for node in found),
        # Each node counts those of the whole cluster.
        max(node.dead_partitions for node in found),
        max(node.unavailable_partitions for node in found),
        sum(node.migrations for node in found),
        _latest([node.truncated_before for node in found]),
        max([node.default_ttl for node in found], key=lambda ttl: ttl or float("inf")),
        any(node.strong_consistency for node in found),
        found[0].storage,
        nodes,
    )


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


def set_on_node(namespace: str, name: str, node: str, pairs: dict[str, str]) -> SetOnNode:
    """Of an entry in the answer to ``sets/...``.

    Raises:
        ProtocolError: something is missing.
    """
    told = _Told(f"what node {node} tells of set {name!r}", pairs)
    return SetOnNode(
        namespace,
        name,
        node,
        told.integer("objects"),
        told.integer("tombstones"),
        told.integer("data_used_bytes") if "data_used_bytes" in told.values else None,
        _moment(told.integer("truncate_lut")),
        told.values,
    )


def set_info(namespace: str, name: str, replication_factor: int, nodes: Mapping[str, SetOnNode]) -> SetInfo:
    """Of one node or more."""
    found = list(nodes.values())
    copies = sum(node.objects for node in found)
    return SetInfo(
        namespace,
        name,
        -(-copies // max(1, replication_factor)),
        copies,
        sum(node.tombstones for node in found),
        _sum([node.data_used_bytes for node in found]),
        _latest([node.truncated_before for node in found]),
        nodes,
    )


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


def index_on_node(namespace: str, name: str, node: str, text: str) -> IndexOnNode:
    """Of the answer to ``sindex-stat``.

    Raises:
        ProtocolError: it is of another form, or something is missing.
    """
    told = _Told(f"what node {node} tells of index {name!r}", parse_pairs(text))
    return IndexOnNode(
        namespace,
        name,
        node,
        told.integer("entries"),
        told.integer("used_bytes"),
        told.integer("load_pct"),
        told.values,
    )


def index_statistics(namespace: str, name: str, nodes: Mapping[str, IndexOnNode]) -> IndexStatistics:
    """Of one node or more."""
    found = nodes.values()
    return IndexStatistics(
        namespace,
        name,
        sum(node.entries for node in found),
        sum(node.used_bytes for node in found),
        min(node.loaded_percent for node in found),
        nodes,
    )


# -- reading ---------------------------------------------------------------------------------------------------------


class _Told:
    """Names and values of one answer; what it lacks is an error that says what."""

    def __init__(self, what: str, pairs: dict[str, str]) -> None:
        self._what = what
        self._pairs = pairs
        self.values = typed(pairs)

    def integer(self, name: str) -> int:
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self._unknown(name)

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if isinstance(value, bool):
            return value
        raise self._unknown(name)

    def text(self, name: str) -> str:
        if name in self._pairs:
            return self._pairs[name]
        raise self._unknown(name)

    def _unknown(self, name: str) -> ProtocolError:
        if name in self._pairs:
            return ProtocolError(f"{self._what}: {name} of unknown form: {self._pairs[name][:80]!r}")
        return ProtocolError(f"{self._what}: there is no {name}")


def _moment(milliseconds: int) -> datetime | None:
    """A time as the server keeps it, in milliseconds since 2010-01-01 UTC; 0 stands for none."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
    except OverflowError:
        raise ProtocolError(f"a time that no calendar has: {milliseconds} ms since 2010") from None


def _sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _latest(moments: list[datetime | None]) -> datetime | None:
    return max([moment for moment in moments if moment is not None], default=None)
