"""Protocols for what info commands need of the node, its cluster and the connection that asks."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ..clock import ServerClock
from ..faults import NodeStats
from ..latencies import Latencies
from ..partitions import PartitionTable
from ..query.jobs import QueryJobs
from ..settings import Settings
from ..sindex.node_indexes import NodeIndexes
from ..sindex.registry import IndexRegistry
from ..store import NamespaceConfig, NamespaceStore
from ..udf.modules import Modules

Address = tuple[str, int]


class ClientView(Protocol):
    """The connection of the client that asks."""

    user_agent: str

    def may(self, permission: str, namespace: str = "", set_name: str = "") -> bool:
        """Whether the client has a right."""


class PeerView(Protocol):
    """The address book entry of a node."""

    name: str
    addresses: list[Address]
    alternate_addresses: list[Address]


class ClusterView(Protocol):
    """The cluster that a node belongs to."""

    cluster_name: str
    cluster_key: str
    cluster_generation: int
    members: list[str]
    tables: dict[str, PartitionTable]
    namespaces: dict[str, NamespaceConfig]
    clock: ServerClock
    indexes: IndexRegistry
    modules: Modules
    tls: ssl.SSLContext | None
    tls_name: str
    evictions: dict[str, int]
    truncations: dict[str, int]

    @property
    def nodes(self) -> Sequence[NodeView]: ...

    @property
    def losing(self) -> bool: ...

    @property
    def migrating(self) -> bool: ...

    def knows_set(self, namespace: str, set_name: str) -> bool:
        """Whether the set has or had records, or is named by an index."""

    def truncate(self, namespace: str, set_name: str | None, threshold: int) -> None:
        """Truncate a set or a whole namespace."""

    def evict(self, namespace: str, void_time: int) -> None:
        """Remove the records that expire before a time."""

    def recluster(self) -> None:
        """Form the cluster anew."""


class NodeView(PeerView, Protocol):
    """The node that answers."""

    listen_address: Address
    stores: dict[str, NamespaceStore]
    settings: Settings
    network_settings: Settings
    stats: NodeStats
    counters: Counter[str]
    queries: QueryJobs
    indexes: NodeIndexes
    latencies: Latencies
    log_levels: dict[str, str]
    tips: set[Address]
    joined: bool
    peers_generation: int
    partition_generation: int
    rebalance_generation: int
    started_at: float
    rebalanced_at: float
    batches: int
    demarshal_errors: int

    @property
    def cluster(self) -> ClusterView: ...

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def peers(self) -> Sequence[PeerView]: ...

    @property
    def alumni(self) -> Sequence[PeerView]: ...

    @property
    def connections(self) -> Collection[ClientView]: ...

    def bitmaps(self) -> Mapping[str, Sequence[bytes]]:
        """The partitions that the node claims, per namespace a bitmap for each replica."""

    def forget_alumni(self) -> None:
        """Keep only those former peers that are peers now."""

    def sweep(self, store: NamespaceStore) -> None:
        """Remove expired and truncated records in the background."""
