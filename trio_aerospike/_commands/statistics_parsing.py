"""Statistics out of info answers: what one node tells, and the sum over several."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from .._wire.constants import CITRUSLEAF_EPOCH
from .._wire.statistics import parse_pairs, typed
from ..errors import ProtocolError
from ..statistics import (
    ClusterStatistics,
    IndexOnNode,
    IndexStatistics,
    NamespaceInfo,
    NamespaceOnNode,
    NodeStatistics,
    SetInfo,
    SetOnNode,
)

_EPOCH = datetime.fromtimestamp(CITRUSLEAF_EPOCH, UTC)


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


def namespace_on_node(name: str, node: str, text: str) -> NamespaceOnNode:
    """Of the answer to ``namespace/<name>``.

    Raises:
        ProtocolError: it is of another form, or something is missing.
    """
    told = _Told(f"what node {node} reports about namespace {name!r}", parse_pairs(text))
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


def set_on_node(namespace: str, name: str, node: str, pairs: dict[str, str]) -> SetOnNode:
    """Of an entry in the answer to ``sets/...``.

    Raises:
        ProtocolError: something is missing.
    """
    told = _Told(f"what node {node} reports about set {name!r}", pairs)
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


def index_on_node(namespace: str, name: str, node: str, text: str) -> IndexOnNode:
    """Of the answer to ``sindex-stat``.

    Raises:
        ProtocolError: it is of another form, or something is missing.
    """
    told = _Told(f"what node {node} reports about index {name!r}", parse_pairs(text))
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
        return ProtocolError(f"{self._what}: {name} is missing")


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
