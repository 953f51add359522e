"""One node of an embedded cluster: stores, settings, connections, and the dispatch of requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from .._wire import admin, admin_messages, constants as wire, info
from .._wire.frames import encode_frame
from .._wire.messages import decode_message
from ..errors import ResultCode
from .batch import batch_error
from .command_executor import CommandExecutor, RecordCluster
from .connection import Connection, ConnectionCluster, logger
from .exceptions import Refused
from .faults import NodeStats, RequestHook
from .info import SUMMARY, answer_info, info_lines, is_streaming
from .info.protocols import ClusterView
from .latencies import Latencies
from .listener import Address, accept_waiting, bind_socket
from .memory_network import MemoryStream
from .query.dispatch import answer_query
from .query.jobs import QueryJobs
from .record_requests import Response, StreamingResponse, refusal, request_from_message
from .settings import Settings
from .settings_tables import NETWORK, SERVICE
from .sindex.node_indexes import NodeIndexes
from .store import NamespaceStore
from .time_slices import run_in_time_slices
from .transport import ServerStream, accepted_stream


class NodeCluster(ClusterView, ConnectionCluster, RecordCluster, Protocol):
    """The cluster as its nodes use it."""

    def announce_change(self) -> None:
        """Let requests that wait for a node look for it again."""


class EmbeddedNode:
    """A node of an embedded cluster; the cluster makes, starts and stops it.

    Attributes:
        name: its name for the info command `node`.
        delay: seconds that each message takes to serve, one at a time on a connection.
        on_request: an async function `(kind, request)` that gets every request before it is served and may fail it;
            `kind` is "info", "admin" or "message" (`RequestKind`). See `trio_aerospike.server.faults`.
        stats: counters.
        running: it listens.
        joined: it is in the cluster's partition map.
        settings: those of the context `service`; those of namespaces are in their stores.
        network_settings: those of the context `network`.
    """

    def __init__(self, cluster: NodeCluster, name: str, listen: Address) -> None:
        self.cluster = cluster
        self.name = name
        self.listen_address: Address = listen
        self.addresses: list[Address] = [listen]
        self.alternate_addresses: list[Address] = []
        self.extra_listen_addresses: list[Address] = []
        self.stats: NodeStats = NodeStats()
        self.counters: Counter[str] = Counter()
        self.connections: set[Connection] = set()
        self.stores: dict[str, NamespaceStore] = {
            config.name: NamespaceStore(config, cluster.clock) for config in cluster.namespaces.values()
        }
        self.settings: Settings = Settings(SERVICE)
        self.network_settings: Settings = Settings(NETWORK)
        self.queries: QueryJobs = QueryJobs()
        self.running: bool = False
        self.indexes: NodeIndexes = NodeIndexes(self, cluster.indexes, cluster.clock)
        self.joined: bool = False
        self.peers: list[EmbeddedNode] = []
        self.alumni: list[EmbeddedNode] = []
        self.peers_generation: int = 0
        self.partition_generation: int = -1
        self.rebalance_generation: int = 0
        self.started_at: float = cluster.clock.unix()
        self.rebalanced_at: float = self.started_at
        self.batches: int = 0
        self.demarshal_errors: int = 0
        self.latencies: Latencies = Latencies()
        self.executor: CommandExecutor = CommandExecutor(self)
        self.log_levels: dict[str, str] = {}
        self.tips: set[Address] = set()
        self._delay = 0.0
        self._on_request: RequestHook | None = None
        self._resumed: trio.Event | None = None
        self._bitmaps: tuple[tuple[int, int], dict[str, list[bytes]]] | None = None
        self._swept: set[NamespaceStore] = set()
        self._scope: trio.CancelScope | None = None
        self._nursery: trio.Nursery | None = None
        self._sockets: list[trio.socket.SocketType] = []
        self.attentive: bool = False
        """Whether requests cannot be answered at once, because of a delay, a hook or a pause."""

    def __repr__(self) -> str:
        state = "paused" if self.paused else "running" if self.running else "stopped"
        return (
            f"<EmbeddedNode {self.name} {self.host}:{self.port} {state}, "
            f"{self.stats.connections_open} connections, {self.stats.commands_in_flight} in flight>"
        )

    @property
    def host(self) -> str:
        """The host of its listen address."""
        return self.listen_address[0]

    @property
    def port(self) -> int:
        """The port of its listen address."""
        return self.listen_address[1]

    # Faults for tests -----------------------------------------------------------------------------------------

    @property
    def delay(self) -> float:
        """Seconds that each message takes to serve."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._delay = seconds
        self._watch()

    @property
    def on_request(self) -> RequestHook | None:
        """The hook that gets every request first."""
        return self._on_request

    @on_request.setter
    def on_request(self, hook: RequestHook | None) -> None:
        self._on_request = hook
        self._watch()

    @property
    def paused(self) -> bool:
        """Whether it accepts connections and requests but answers none."""
        return self._resumed is not None

    def pause(self) -> None:
        """Answer nothing until `resume`."""
        if self._resumed is None:
            self._resumed = trio.Event()
            self._watch()

    def resume(self) -> None:
        """Answer again, first the requests that have gathered."""
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None
            self._watch()
            self.cluster.announce_change()

    async def wait_resumed(self) -> None:
        """Wait while it is paused."""
        while self._resumed is not None:
            await self._resumed.wait()

    def _watch(self) -> None:
        self.attentive = bool(self._delay or self._on_request) or self.paused

    # Requests -------------------------------------------------------------------------------------------------

    def answer(self, connection: Connection, kind: int, body: bytes) -> bytes | StreamingResponse:
        """Execute a request; returns the frames of its response.

        Raises:
            Unreachable: the node that has to serve it is down and the map does not show it yet; nothing was done.
            ProtocolError: it is malformed; the connection has to be closed.
        """
        if kind == wire.PROTO_MESSAGE:
            return self._answer_message(connection, body)
        if kind == wire.PROTO_INFO:
            return self._answer_info(connection, body)
        if kind == wire.PROTO_COMPRESSED:
            # The connection of an Enterprise Edition would have decompressed it (server: as/src/base/proto_ce.c).
            self.demarshal_errors += 1
            return Response(ResultCode.ENTERPRISE_ONLY).frame()
        return self._answer_admin(connection, body)

    def _answer_message(self, connection: Connection, body: bytes) -> bytes | StreamingResponse:
        message, _ = decode_message(body)
        is_batch = bool(message.info1 & wire.INFO1_BATCH)
        if not connection.authenticated:
            if is_batch:
                return batch_error(ResultCode.NOT_AUTHENTICATED)
            return Response(ResultCode.NOT_AUTHENTICATED).frame()
        if is_batch:
            return self.executor.execute_batch(connection, message)
        if message.field(wire.FIELD_DIGEST) is None:
            return answer_query(self, connection, message)
        try:
            return self.executor.execute(connection, request_from_message(message)).frame()
        except Refused as refused:
            return refusal(refused).frame()

    def _answer_info(self, connection: Connection, body: bytes) -> bytes | StreamingResponse:
        if not connection.authenticated:
            error = info.format_error(ResultCode.NOT_AUTHENTICATED, "not authenticated")
            return encode_frame(wire.PROTO_INFO, error.encode() + b"\n")
        names = info.decode_info_request(body) or SUMMARY
        if any(map(is_streaming, names)):
            return StreamingResponse(lambda: self._serve_info(connection, names))
        return info.encode_info_response([(name, answer_info(self, connection, name)) for name in names])

    async def _serve_info(self, connection: Connection, names: Sequence[str]) -> None:
        """Answer info commands, some of which take long, in time slices."""
        answers: list[tuple[str, str]] = []
        for name in names:
            lines: list[str] = []
            await run_in_time_slices(map(lines.append, info_lines(self, connection, name)))
            answers.append((name, ";".join(lines)))
        await connection.stream.send_all(info.encode_info_response(answers))

    def _answer_admin(self, connection: Connection, body: bytes) -> bytes:
        security = self.cluster.security
        if security is None:
            return admin.encode_result(ResultCode.SECURITY_NOT_SUPPORTED)
        message = admin_messages.decode_admin_message(body)
        frame, connection.session = security.answer(message, connection.caller, self._connections_of)
        return frame

    def _connections_of(self, user: str) -> int:
        sessions = [connection.session for connection in self.connections]
        return sum(1 for session in sessions if session is not None and session.user == user)

    def start_task(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run a task for as long as the node runs; an exception is logged."""
        if self._nursery is not None:
            self._nursery.start_soon(self._run_task, function, *args)

    def sweep(self, store: NamespaceStore) -> None:
        """Remove expired and truncated records in the background, if there are any."""
        store.all_counts()
        if store.needs_sweep and store not in self._swept:
            self.start_task(self._sweep, store)

    async def _sweep(self, store: NamespaceStore) -> None:
        if store in self._swept:
            return
        self._swept.add(store)
        try:
            while store.needs_sweep:
                for _ in store.sweep():
                    # One partition per iteration of the event loop, as no request waits for it.
                    await trio.lowlevel.checkpoint()
        finally:
            self._swept.discard(store)

    async def _run_task(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        try:
            await function(*args)
        except Exception:
            logger.exception("%s: a task of its own failed", self.name)

    # The partition map ----------------------------------------------------------------------------------------

    def bitmaps(self) -> dict[str, list[bytes]]:
        """The partitions that the node claims, per namespace a bitmap per replica, as of its partition generation."""
        if not self.joined:
            return {name: [bytes(wire.N_PARTITIONS // 8)] for name in self.stores}
        version = (self.rebalance_generation, self.partition_generation)
        if self._bitmaps is None or self._bitmaps[0] != version:
            tables = self.cluster.tables
            self._bitmaps = version, {name: tables[name].bitmaps(self.name) for name in self.stores}
        return self._bitmaps[1]

    def take_part(self, peers: list[EmbeddedNode], changes: int) -> None:
        """Join the cluster after a rebalance: set the peers and count the changed partitions."""
        known, now = set(self.peers), set(peers)
        self.peers_generation += 2 * len(now - known) + len(known - now)
        self.peers = peers
        self.alumni += [peer for peer in peers if peer not in self.alumni]
        self.rebalance_generation += 1
        self.rebalanced_at = self.cluster.clock.unix()
        self.partition_generation = max(self.partition_generation, 0) + changes
        self.joined = True

    def forget_alumni(self) -> None:
        """Keep only those former peers that are peers now."""
        self.alumni = [peer for peer in self.alumni if peer in self.peers]

    # Listening ------------------------------------------------------------------------------------------------

    async def bind(self) -> None:
        """Bind the node's addresses, without listening yet; a port of 0 becomes a free one.

        Raises:
            OSError: an address is in use, or not this machine's.
        """
        if self.cluster.network is not None or self._sockets:
            return
        sock, self.listen_address = await bind_socket(self.listen_address)
        self._sockets.append(sock)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until stopped."""
        await self.bind()
        network = self.cluster.network
        if network is None:
            for address in self.extra_listen_addresses:
                self._sockets.append((await bind_socket(address))[0])
        self.started_at = self.cluster.clock.unix()
        scope = None
        try:
            async with trio.open_nursery() as nursery:
                self._scope = scope = nursery.cancel_scope
                self._nursery = nursery
                if network is not None:
                    for address in self._listen_addresses:
                        network.listen(address, _Acceptor(self, nursery, address))
                for sock in self._sockets:
                    sock.listen(1024)
                    nursery.start_soon(self._accept, sock, nursery)
                self.running = True
                self.indexes.resume()
                task_status.started()
                await trio.sleep_forever()
        finally:
            # The node may have been stopped and started again before this task gets here: then leave it alone.
            if self._scope is scope:
                self.stop()

    def stop(self) -> None:
        """Stop at once, as a killed process: connections are reset, addresses refuse."""
        self.running = self.joined = False
        self.resume()
        if self.cluster.network is not None:
            for address in self._listen_addresses:
                self.cluster.network.unlisten(address)
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        for connection in list(self.connections):
            connection.stream.abort()
        if self._scope is not None:
            self._scope.cancel()
            self._scope = self._nursery = None
        # The state of a process ends with it: queries, histograms, changed settings.
        self.queries, self.latencies = QueryJobs(), Latencies()
        self.settings, self.network_settings = Settings(SERVICE), Settings(NETWORK)
        self.log_levels, self.tips = {}, set()
        for store in self.stores.values():
            store.restart()
        self.peers = []
        self.alumni = []
        self.peers_generation = self.rebalance_generation = 0
        self.partition_generation = -1

    @property
    def _listen_addresses(self) -> list[Address]:
        return [self.listen_address, *self.extra_listen_addresses]

    def drop_connections(self) -> None:
        """Reset all connections, as a network failure; the node goes on."""
        for connection in list(self.connections):
            connection.stream.abort()

    async def _accept(self, sock: trio.socket.SocketType, nursery: trio.Nursery) -> None:
        listener = trio.SocketListener(sock)
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError:
                # Out of file descriptors, or the client closed the connection before it was accepted.
                await trio.sleep(0.01)
                continue
            # A busy loop comes here seldom: accept all that wait, as a server with a thread for it does.
            for one in (stream, *accept_waiting(sock)):
                nursery.start_soon(self._greet, one, one.socket.getsockname()[:2])

    async def _greet(self, stream: trio.SocketStream, address: Address) -> None:
        await self.serve_connection(await accepted_stream(stream, self.cluster.tls), address)

    async def serve_connection(self, stream: ServerStream, address: Address) -> None:
        """Serve one connection until its end."""
        connection = Connection(self, stream, address)
        stats = self.stats
        stats.connections_total += 1
        stats.connections_open += 1
        stats.connections_peak = max(stats.connections_peak, stats.connections_open)
        stats.dialled[address] += 1
        self.connections.add(connection)
        try:
            await connection.serve()
        finally:
            self.connections.discard(connection)
            stats.connections_open -= 1
            if connection.is_command:
                stats.command_connections_open -= 1

    def connection_became_command(self) -> None:
        """Count a connection that sent its first message."""
        stats = self.stats
        stats.command_connections_total += 1
        stats.command_connections_open += 1
        stats.command_connections_peak = max(stats.command_connections_peak, stats.command_connections_open)


class _Acceptor:
    """Accepts connections to one in-memory address."""

    def __init__(self, node: EmbeddedNode, nursery: trio.Nursery, address: Address) -> None:
        self._node = node
        self._nursery = nursery
        self._address = address

    def __call__(self, stream: MemoryStream) -> None:
        self._nursery.start_soon(self._node.serve_connection, stream, self._address)
