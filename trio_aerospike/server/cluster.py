"""A cluster of embedded nodes: membership, partition map, replication and migrations."""

from __future__ import annotations

import secrets
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import trio

from .clock import ServerClock
from .listener import Address, check_server_context
from .memory_network import MemoryNetwork, MemoryStream
from .node import EmbeddedNode
from .partitions import Move, MoveKind, PartitionTable
from .record import StoredRecord
from .security import Security, UserSpec
from .sindex.registry import IndexRegistry
from .store import NamespaceConfig
from .time_slices import run_in_time_slices
from .udf.modules import Modules

MEMORY_HOST = "in-memory.invalid"
"""The host name of nodes in memory: no resolver answers for the top-level domain `invalid` (RFC 6761)."""
FIRST_MEMORY_PORT = 3000
_MIGRATION_STEPS = 10

AddressLike = str | tuple[str, int] | None


class EmbeddedCluster:
    """Several nodes in one process, each with its own address; made by `open_embedded_cluster`.

    Attributes:
        nodes: all nodes, stopped ones included, in the order in which they were added.
        cluster_name: the name that clients get.
        security: users and sessions; None without access control.
    """

    def __init__(
        self,
        *,
        host: str | None,
        cluster_name: str,
        namespaces: Sequence[NamespaceConfig],
        users: Mapping[str, str | UserSpec] | None,
        session_ttl: float,
        quotas: bool,
        tls: ssl.SSLContext | None,
        tls_name: str,
        memory: bool,
        clock: Callable[[], float] | None,
        detection_time: float,
        migration_time: float,
    ) -> None:
        check_server_context(tls)
        if memory and tls is not None:
            raise ValueError("tls needs sockets: it cannot be had together with memory=True")
        self.cluster_name = cluster_name
        self.clock: ServerClock = ServerClock(clock)
        self.namespaces: dict[str, NamespaceConfig] = {config.name: config for config in namespaces}
        self.tables: dict[str, PartitionTable] = {
            name: PartitionTable(config.replication_factor) for name, config in self.namespaces.items()
        }
        self.nodes: list[EmbeddedNode] = []
        self.indexes: IndexRegistry = IndexRegistry()
        self.tls = tls
        self.tls_name = tls_name
        self.network: MemoryNetwork | None = MemoryNetwork() if memory else None
        self.modules: Modules = Modules()
        self.security: Security | None = None
        self.first_user: tuple[str, str] | None = None
        """Name and password of the first user that the cluster was made with."""
        if users:
            name, given = next(iter(users.items()))
            self.first_user = name, given if isinstance(given, str) else given.password
        if users is not None:
            self.security = Security(users, session_ttl=session_ttl, now=trio.current_time, quotas=quotas)
        self.detection_time = detection_time
        self.migration_time = migration_time
        self.members: list[str] = []
        self.cluster_key: str = "0"
        self.cluster_generation: int = 0
        self.evictions: dict[str, int] = {}
        """Per namespace, the void-time before which records are evicted, until it is reset."""
        self.truncations: dict[str, int] = {}
        """Thresholds that clients have set, by namespace or "namespace|set": milliseconds since the Citrusleaf epoch.

        Nodes exchange all of them; those of namespaces and sets that do not exist have no effect.
        """
        self.changed: trio.Event = trio.Event()
        """Set and replaced when a waiting request may find its node."""
        self._host = host or (MEMORY_HOST if memory else "127.0.0.1")
        self._by_name: dict[str, EmbeddedNode] = {}
        self._nursery: trio.Nursery | None = None
        self._membership_changed = False
        self._rebalancing = False
        self._tables_lock = trio.Lock()
        """Held by a task that changes the partition tables, in time slices between which requests are served."""
        self._poked = trio.Event()

    def __repr__(self) -> str:
        states = ", ".join(f"{node.name} {'up' if node.running else 'down'}" for node in self.nodes)
        return f"<EmbeddedCluster {self.cluster_name}: {states}{', migrating' if self.migrating else ''}>"

    # Access ---------------------------------------------------------------------------------------------------

    @property
    def hosts(self) -> list[Address]:
        """The addresses of the running nodes: seeds for a client.

        Those of a cluster in memory cannot be resolved or dialled: its clients need `connector`, too.
        """
        return [node.listen_address for node in self.nodes if node.running]

    @property
    def is_enterprise(self) -> bool:
        """Whether it acts as an Enterprise Edition: with users or TLS. Then it accepts compressed requests, too."""
        return self.security is not None or self.tls is not None

    async def connector(self, host: str, port: int, tls_name: str | None = None) -> MemoryStream:
        """Connect in memory: pass this to `open_client` as its connector.

        Raises:
            ConnectionRefusedError: no node of the cluster listens there.
            RuntimeError: the cluster listens on sockets.
        """
        if self.network is None:
            raise RuntimeError("this cluster listens on sockets: only one made with memory=True has a connector")
        return await self.network.connect(host, port, tls_name)

    # Nodes ----------------------------------------------------------------------------------------------------

    def node(self, which: int | str | EmbeddedNode) -> EmbeddedNode:
        """A node by its index in `nodes` or by its name.

        Raises:
            LookupError: it does not exist.
        """
        if isinstance(which, EmbeddedNode):
            return which
        return self.nodes[which] if isinstance(which, int) else self._by_name[which]

    async def stop_node(self, which: int | str | EmbeddedNode, *, lose_data: bool = False) -> None:
        """Kill a node: its connections are reset, its address refuses; the others notice after `detection_time`.

        Its records are kept for its restart, as on a disk.

        Args:
            which: the node.
            lose_data: it restarts empty, as a node with storage in memory.
        """
        node = self.node(which)
        # Shielded: the tables must be updated even if the caller is cancelled.
        with trio.CancelScope(shield=True):
            if node.running:
                node.stop()
                async with self._tables_lock:
                    for table in self.tables.values():
                        await run_in_time_slices(table.depart_steps(node.name))
                self._note_membership()
            if lose_data:
                async with self._tables_lock:
                    for name, store in node.stores.items():
                        await run_in_time_slices(self.tables[name].forget_steps(node.name))
                        await run_in_time_slices(store.clear())
        await trio.lowlevel.checkpoint()

    async def start_node(self, which: int | str | EmbeddedNode) -> EmbeddedNode:
        """Restart a stopped node at its old address; it joins the others after `detection_time`.

        Raises:
            OSError: its address is in use.
        """
        node = self.node(which)
        if node.running:
            await trio.lowlevel.checkpoint()
            return node
        await self._run(node)
        return node

    async def add_node(
        self,
        *,
        port: int = 0,
        alternate_address: AddressLike = None,
        advertised_address: AddressLike = None,
    ) -> EmbeddedNode:
        """Start one more node; it joins the others after `detection_time`.

        Raises:
            OSError: its address is in use.
        """
        node = self._make_node(port)
        await node.bind()
        self._set_addresses(node, alternate_address, advertised_address, bind_alternate=True)
        await self._run(node)
        return node

    def pause_node(self, which: int | str | EmbeddedNode) -> None:
        """Pause a node: it accepts connections and requests, but answers none."""
        self.node(which).pause()

    def resume_node(self, which: int | str | EmbeddedNode) -> None:
        """Resume a paused node."""
        self.node(which).resume()

    async def wait_stable(self) -> None:
        """Wait until all running nodes have joined and all migrations are done."""
        while self.losing or self.migrating:
            await self.changed.wait()
        await trio.lowlevel.checkpoint()

    @property
    def migrating(self) -> bool:
        """Whether migrations remain."""
        return any(table.is_migrating for table in self.tables.values())

    @property
    def losing(self) -> bool:
        """Whether nodes have joined or left and the partition map does not show it yet."""
        return self._membership_changed or self._rebalancing

    # Records --------------------------------------------------------------------------------------------------

    def replicate(self, namespace: str, partition: int, digest: bytes, record: StoredRecord | None) -> None:
        """Put a new version of a record, or None to remove it, into all its copies."""
        for name in self.tables[namespace].takers(partition):
            node = self._by_name[name]
            if not node.running:
                continue
            store = node.stores[namespace]
            tree = store.trees[partition]
            if record is None:
                if digest in tree:
                    del tree[digest]
                continue
            tree[digest] = record
            if record.set_name and record.set_name not in store.sets:
                store.sets[record.set_name] = None

    def knows_set(self, namespace: str, set_name: str) -> bool:
        """Whether the set has or had records, or is named by an index or a setting."""
        if self.indexes.names_set(namespace, set_name):
            return True
        return any(set_name in node.stores[namespace].sets for node in self.nodes if node.running)

    def truncate(self, namespace: str, set_name: str | None, threshold: int) -> None:
        """Truncate a set or a whole namespace. Readers see it at once; memory is freed in the background.

        Args:
            namespace: an unknown one is ignored (server: as_truncate_cmd).
            set_name: the set; None for the whole namespace.
            threshold: records updated before it are removed, in milliseconds since the Citrusleaf epoch.
        """
        config = self.namespaces.get(namespace)
        if config is None:
            return
        truncation = config.truncation
        if set_name is None:
            truncation.namespace = max(truncation.namespace, threshold)
        else:
            truncation.sets[set_name] = max(truncation.sets.get(set_name, 0), threshold)
        for node in self.nodes:
            if node.running:
                node.sweep(node.stores[namespace])

    def evict(self, namespace: str, void_time: int) -> None:
        """Remove the records that expire before a time, in seconds since the Citrusleaf epoch."""
        self.evictions[namespace] = void_time
        for node in self.nodes:
            if namespace in node.stores and self._nursery is not None:
                self._nursery.start_soon(run_in_time_slices, node.stores[namespace].evict(void_time))

    def recluster(self) -> None:
        """Form the cluster anew, with the current nodes and settings."""
        if self.losing:
            return  # a rebalance is due anyway
        for namespace, table in self.tables.items():
            settings = self.node(max(self.members)).stores[namespace].settings
            table.replication_factor = settings.number("replication-factor")
        self._form(self.members)
        self._rebalancing = True
        if self._nursery is not None:
            self._nursery.start_soon(self._recluster)

    # Life cycle -----------------------------------------------------------------------------------------------

    def announce_change(self) -> None:
        """Let requests that wait for a node look for it again."""
        self.changed.set()
        self.changed = trio.Event()

    async def start(
        self,
        nursery: trio.Nursery,
        ports: Sequence[int],
        alternate_addresses: Sequence[AddressLike],
        advertised_addresses: Sequence[AddressLike],
        bind_alternates: bool,
    ) -> None:
        """Start all nodes; the first one listens last, when the cluster is formed."""
        self._nursery = nursery
        for port in ports:
            await self._make_node(port).bind()
        for node, alternate, advertised in zip(self.nodes, alternate_addresses, advertised_addresses, strict=True):
            self._set_addresses(node, alternate, advertised, bind_alternate=bind_alternates)
        for node in self.nodes:
            node.running = True
        await self._rebalance()
        for node in reversed(self.nodes):
            await nursery.start(node.run)
        nursery.start_soon(self._manage)

    def stop(self) -> None:
        """Stop every node at once."""
        for node in self.nodes:
            node.stop()

    def _make_node(self, port: int) -> EmbeddedNode:
        number = len(self.nodes) + 1
        if self.network is not None and port == 0:
            port = FIRST_MEMORY_PORT + 10 * (number - 1)
        node = EmbeddedNode(self, f"A{number:X}", (self._host, port))
        for namespace in self.namespaces:
            for definition, _ in self.indexes.of(namespace):
                node.indexes.create(definition)
        self.nodes.append(node)
        self._by_name[node.name] = node
        return node

    def _set_addresses(
        self, node: EmbeddedNode, alternate: AddressLike, advertised: AddressLike, *, bind_alternate: bool
    ) -> None:
        advertised_address = _address(advertised, node.port)
        node.addresses = [advertised_address or node.listen_address]
        alternate_address = _address(alternate, node.port)
        if alternate_address is not None:
            node.alternate_addresses = [alternate_address]
            if bind_alternate:
                node.extra_listen_addresses = [alternate_address]

    async def _run(self, node: EmbeddedNode) -> None:
        assert self._nursery is not None
        await self._nursery.start(node.run)
        self._note_membership()

    def _note_membership(self) -> None:
        self._membership_changed = True
        self._poked.set()

    async def _manage(self) -> None:
        """Detect nodes that join or leave after `detection_time`, and migrate step by step."""
        while True:
            self._poked = trio.Event()
            if self._membership_changed:
                await trio.sleep(self.detection_time)
                await self._rebalance()
            elif self.migrating:
                with trio.move_on_after(self.migration_time / _MIGRATION_STEPS):
                    await self._poked.wait()
                if not self._membership_changed:
                    async with self._tables_lock:
                        await self._migrate()
            else:
                await self._poked.wait()

    async def _recluster(self) -> None:
        async with self._tables_lock:
            await self._rebalance_to(self.members)
            self._rebalancing = False
            await self._note_migrations()
        self._poked.set()

    async def _rebalance(self) -> None:
        async with self._tables_lock:
            self._membership_changed, self._rebalancing = False, True
            survivors = [node.name for node in self.nodes if node.running and node.joined]
            live = [node.name for node in self.nodes if node.running]
            for members, known in ((survivors, self.members), (live, survivors)):
                if members and members != known:
                    self._form(members)
                    await self._rebalance_to(members)
            self._rebalancing = False
            await self._note_migrations()

    async def _note_migrations(self) -> None:
        self._migration_batch = -(-sum(len(table.pending()) for table in self.tables.values()) // _MIGRATION_STEPS)
        if not self.migration_time:
            await self._migrate()
        self.announce_change()

    def _form(self, members: list[str]) -> None:
        self.members = members
        self.cluster_key = secrets.token_hex(6).upper()
        self.cluster_generation += 1

    async def _rebalance_to(self, members: list[str]) -> None:
        changes = Counter[str]()
        is_first = self.cluster_generation == 1
        for namespace, table in self.tables.items():
            await run_in_time_slices(self._rebalanced(namespace, table, members, changes))
        for name in members:
            node = self._by_name[name]
            peers = [self._by_name[other] for other in members if other != name]
            if node.running:
                # A cluster that has just formed has no changes yet.
                node.take_part(peers, 0 if is_first else changes[name])

    def _rebalanced(
        self, namespace: str, table: PartitionTable, members: list[str], changes: Counter[str]
    ) -> Iterator[None]:
        for moves, changed in table.rebalance_steps(members):
            self._move_records(namespace, moves)
            changes.update(changed)
            yield

    async def _migrate(self) -> None:
        """Migrate the records of some partitions; the caller holds the lock of the tables."""
        left = self._migration_batch if self.migration_time else -1
        for namespace, table in self.tables.items():
            pending = table.pending()
            moves = pending if left < 0 else pending[:left]
            left -= len(moves)
            await run_in_time_slices(self._migrated(namespace, table, moves))
        self.announce_change()

    def _migrated(self, namespace: str, table: PartitionTable, partitions: list[int]) -> Iterator[None]:
        for partition in partitions:
            moves, changes = table.migrate(partition)
            self._move_records(namespace, moves)
            for name, count in changes.items():
                self._by_name[name].partition_generation += count
            yield

    def _move_records(self, namespace: str, moves: list[Move]) -> None:
        for move in moves:
            store = self._by_name[move.target].stores[namespace]
            if move.kind is MoveKind.DISCARD:
                store.copy_partition(move.partition, {})
                continue
            source = self._by_name[move.source].stores[namespace].trees[move.partition]
            if move.kind is MoveKind.COPY:
                store.copy_partition(move.partition, source)
            else:
                store.merge_partition(move.partition, source)


def _address(given: AddressLike, port: int) -> Address | None:
    """An address from a (host, port), a host alone (the port is the node's own), or "host:port"."""
    if given is None or isinstance(given, tuple):
        return given
    host, separator, number = given.rpartition(":")
    if separator and number.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(number)
    return given.strip("[]"), port
