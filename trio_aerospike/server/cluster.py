"""A cluster of embedded nodes: who is in it, which partitions they have, and how records get to all their copies."""

from __future__ import annotations

import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from .._trio_guard import require_trio
from .clock import ServerClock
from .memory import MemoryNetwork, MemoryStream
from .node import Address, EmbeddedNode, check_server_context
from .partitions import Move, MoveKind, PartitionTable
from .security import Security, UserSpec
from .sindex.registry import IndexRegistry
from .slices import in_slices
from .store import NamespaceConfig, StoredRecord
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
        cluster_name: what clients are told.
        security: users and sessions; None when everybody may do everything.
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
        """The void times up to which records of a namespace are evicted, as long as that is not taken back."""
        self.truncations: dict[str, int] = {}
        """Thresholds that clients have set, by namespace or "namespace|set": milliseconds since the Citrusleaf epoch.

        Nodes exchange all of them; those of namespaces and sets that do not exist have no effect.
        """
        self.changed: trio.Event = trio.Event()
        """Set, and replaced, whenever a request that had to wait may find its node."""
        self._host = host or (MEMORY_HOST if memory else "127.0.0.1")
        self._by_name: dict[str, EmbeddedNode] = {}
        self._nursery: trio.Nursery | None = None
        self._membership_changed = False
        self._rebalancing = False
        self._tables_lock = trio.Lock()
        """Held by a task that changes the partition tables, in slices, between which requests are served."""
        self._poked = trio.Event()

    def __repr__(self) -> str:
        states = ", ".join(f"{node.name} {'up' if node.running else 'down'}" for node in self.nodes)
        return f"<EmbeddedCluster {self.cluster_name}: {states}{', migrating' if self.migrating else ''}>"

    # What clients need ----------------------------------------------------------------------------------------

    @property
    def hosts(self) -> list[Address]:
        """The addresses of the nodes that are running: seeds for a client.

        Those of a cluster in memory cannot be resolved or dialled: its clients need `connector` as well.
        """
        return [node.listen_address for node in self.nodes if node.running]

    @property
    def is_enterprise(self) -> bool:
        """Whether it has what only an Enterprise Edition has: users or TLS. Then it takes compressed requests, too."""
        return self.security is not None or self.tls is not None

    async def connector(self, host: str, port: int, tls_name: str | None = None) -> MemoryStream:
        """Connect in memory: pass this to `open_client` as its connector.

        Raises:
            ConnectionRefusedError: no node of the cluster listens there.
            RuntimeError: the cluster is on the network.
        """
        if self.network is None:
            raise RuntimeError("this cluster listens on sockets: only one made with memory=True has a connector")
        return await self.network.connect(host, port, tls_name)

    # Nodes ----------------------------------------------------------------------------------------------------

    def node(self, which: int | str | EmbeddedNode) -> EmbeddedNode:
        """A node by its place in `nodes` or by its name.

        Raises:
            LookupError: there is none.
        """
        if isinstance(which, EmbeddedNode):
            return which
        return self.nodes[which] if isinstance(which, int) else self._by_name[which]

    async def stop_node(self, which: int | str | EmbeddedNode, *, lose_data: bool = False) -> None:
        """Kill a node: its connections are reset, its address refuses; the others notice after `detection_time`.

        Its records are there again when it comes back, as on a disk.

        Args:
            which: the node.
            lose_data: it comes back empty, as one that had everything in memory.
        """
        node = self.node(which)
        # Shielded: the tables have to be updated even if the caller is cancelled.
        with trio.CancelScope(shield=True):
            if node.running:
                node.stop()
                async with self._tables_lock:
                    for table in self.tables.values():
                        await in_slices(table.depart_steps(node.name))
                self._note_membership()
            if lose_data:
                async with self._tables_lock:
                    for name, store in node.stores.items():
                        await in_slices(self.tables[name].forget_steps(node.name))
                        await in_slices(store.clear())
        await trio.lowlevel.checkpoint()

    async def start_node(self, which: int | str | EmbeddedNode) -> EmbeddedNode:
        """Bring a stopped node back at its old address; it joins the others after `detection_time`.

        Raises:
            OSError: its address is taken.
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
            OSError: its address is taken.
        """
        node = self._make_node(port)
        await node.bind()
        self._set_addresses(node, alternate_address, advertised_address, bind_alternate=True)
        await self._run(node)
        return node

    def pause_node(self, which: int | str | EmbeddedNode) -> None:
        """Let a node accept connections and requests but answer nothing."""
        self.node(which).pause()

    def resume_node(self, which: int | str | EmbeddedNode) -> None:
        """Let a paused node answer again."""
        self.node(which).resume()

    async def wait_stable(self) -> None:
        """Wait until every running node has joined and nothing has to be migrated."""
        while self.losing or self.migrating:
            await self.changed.wait()
        await trio.lowlevel.checkpoint()

    @property
    def migrating(self) -> bool:
        """Whether records are still on their way to where they belong."""
        return any(table.is_migrating for table in self.tables.values())

    @property
    def losing(self) -> bool:
        """Whether nodes have come or gone and the partition map does not show it yet."""
        return self._membership_changed or self._rebalancing

    # Records --------------------------------------------------------------------------------------------------

    def replicate(self, namespace: str, partition: int, digest: bytes, record: StoredRecord | None) -> None:
        """Put a new version of a record, or None for none, into all its copies."""
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
        """Whether there ever was a record in the set, or anything was said of it."""
        if self.indexes.names_set(namespace, set_name):
            return True
        return any(set_name in node.stores[namespace].sets for node in self.nodes if node.running)

    def truncate(self, namespace: str, set_name: str | None, threshold: int) -> None:
        """Truncate a set, or with None the whole namespace. Readers see it at once; memory is freed in the background.

        Args:
            namespace: whose records; an unknown one is ignored (server: as_truncate_cmd).
            set_name: the set.
            threshold: what was updated before it goes, in milliseconds since the Citrusleaf epoch.
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
        """Have records end now that would end before that time, in seconds since the Citrusleaf epoch."""
        self.evictions[namespace] = void_time
        for node in self.nodes:
            if namespace in node.stores and self._nursery is not None:
                self._nursery.start_soon(in_slices, node.stores[namespace].evict(void_time))

    def recluster(self) -> None:
        """Form the cluster anew, with the nodes and the settings that there are now."""
        if self.losing:
            return  # which it will be anyway
        for namespace, table in self.tables.items():
            settings = self.node(max(self.members)).stores[namespace].settings
            table.replication_factor = settings.number("replication-factor")
        self._form(self.members)
        self._rebalancing = True
        if self._nursery is not None:
            self._nursery.start_soon(self._recluster)

    # Inner life -----------------------------------------------------------------------------------------------

    def announce_change(self) -> None:
        """Let requests that wait for a node look again."""
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
        """Start all nodes; the first listens last, when the cluster is formed."""
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
        """Notice nodes that come and go after a while, and migrate bit by bit."""
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
            await in_slices(self._rebalanced(namespace, table, members, changes))
        for name in members:
            node = self._by_name[name]
            peers = [self._by_name[other] for other in members if other != name]
            if node.running:
                # A cluster that has just formed has not changed anything yet.
                node.take_part(peers, 0 if is_first else changes[name])

    def _rebalanced(
        self, namespace: str, table: PartitionTable, members: list[str], changes: Counter[str]
    ) -> Iterator[None]:
        for moves, changed in table.rebalance_steps(members):
            self._carry_out(namespace, moves)
            changes.update(changed)
            yield

    async def _migrate(self) -> None:
        """Move the records of some partitions to where they belong; the tables' lock is held."""
        left = self._migration_batch if self.migration_time else -1
        for namespace, table in self.tables.items():
            pending = table.pending()
            some = pending if left < 0 else pending[:left]
            left -= len(some)
            await in_slices(self._migrated(namespace, table, some))
        self.announce_change()

    def _migrated(self, namespace: str, table: PartitionTable, partitions: list[int]) -> Iterator[None]:
        for partition in partitions:
            moves, changes = table.migrate(partition)
            self._carry_out(namespace, moves)
            for name, count in changes.items():
                self._by_name[name].partition_generation += count
            yield

    def _carry_out(self, namespace: str, moves: list[Move]) -> None:
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


@asynccontextmanager
async def open_embedded_cluster(
    nodes: int = 1,
    *,
    ports: Sequence[int] | None = None,
    host: str | None = None,
    cluster_name: str = "docker",
    namespaces: Sequence[str | NamespaceConfig] = ("test",),
    replication_factor: int = 2,
    default_ttl: int = 0,
    users: Mapping[str, str | UserSpec] | None = None,
    session_ttl: float = 86_400,
    quotas: bool = False,
    tls: ssl.SSLContext | None = None,
    tls_name: str = "",
    alternate_addresses: Sequence[AddressLike] | None = None,
    advertised_addresses: Sequence[AddressLike] | None = None,
    bind_alternates: bool = True,
    memory: bool = False,
    clock: Callable[[], float] | None = None,
    detection_time: float = 0.1,
    migration_time: float = 0.2,
) -> AsyncIterator[EmbeddedCluster]:
    """Run a cluster of the Aerospike protocol in this process for as long as the block lasts.

    Args:
        nodes: how many.
        ports: one for each node, 0 for a free one; all free when left out.
        host: the address to listen on, 127.0.0.1 when left out. In memory it is only a name, by default one that
            cannot be resolved, so that a client without `connector` never reaches a real server by mistake.
        cluster_name: what clients are told.
        namespaces: names, or configurations that then have their own replication factor and default ttl.
        replication_factor: copies of each record, as far as there are nodes.
        default_ttl: seconds that records live when a write does not say, 0 for ever.
        users: switches security on: passwords (with all rights), or `UserSpec`s, by name.
        session_ttl: life of a session token in seconds.
        quotas: whether roles may have quotas (the real server's enable-quotas).
        tls: the server's context; all connections then use TLS, which an Enterprise Edition does.
        tls_name: the name in the certificate of every node, as the nodes tell it to clients; empty where the
            certificate is for the address.
        alternate_addresses: per node what it tells clients that use alternate addresses: a host (with the node's
            own port), "host:port", (host, port), or None.
        advertised_addresses: per node what it tells all other clients, in place of the address it listens on, as a
            node behind NAT does.
        bind_alternates: listen on the alternate addresses, too.
        memory: no sockets: clients connect through `EmbeddedCluster.connector`, under a mock clock if wanted. Without
            that connector, a client given the cluster's `hosts` fails at once.
        clock: returns Unix time in seconds; follows Trio's clock when left out.
        detection_time: seconds after which the others notice a node that came or went.
        migration_time: seconds that the migration of records takes after that.

    Raises:
        OSError: an address is taken.
        ValueError: the arguments contradict each other.
        ClientError: no Trio runs here.
    """
    require_trio("open_embedded_cluster")
    if nodes < 1:
        raise ValueError(f"nodes is {nodes}; a cluster has at least one")
    for name, given in (
        ("ports", ports),
        ("alternate_addresses", alternate_addresses),
        ("advertised_addresses", advertised_addresses),
    ):
        if given is not None and len(given) != nodes:
            raise ValueError(f"{name} has {len(given)} entries; there must be one for each of {nodes} nodes")
    cluster = EmbeddedCluster(
        host=host,
        cluster_name=cluster_name,
        namespaces=[
            NamespaceConfig(given, replication_factor, default_ttl) if isinstance(given, str) else given
            for given in namespaces
        ],
        users=users,
        session_ttl=session_ttl,
        quotas=quotas,
        tls=tls,
        tls_name=tls_name,
        memory=memory,
        clock=clock,
        detection_time=detection_time,
        migration_time=migration_time,
    )
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            await cluster.start(
                nursery,
                ports or [0] * nodes,
                alternate_addresses or [None] * nodes,
                advertised_addresses or [None] * nodes,
                bind_alternates,
            )
            yield cluster
        except BaseException as error:
            # Raised again outside the nursery, which would wrap it into a group.
            failure = error
        cluster.stop()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
