"""One node of an embedded cluster: what it stores, what it answers, and who is connected to it."""

from __future__ import annotations

import socket
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import trio

from .._wire import admin, admin_messages, constants as wire, info
from .._wire.digests import partition_id
from .._wire.frames import encode_frame
from .._wire.messages import Message, Op, decode_message
from ..errors import ResultCode
from . import commands
from .batch import Batch, batch_error
from .connection import Connection, Unreachable, logger
from .faults import NodeStats, RequestHook
from .info import (  # each registers its commands
    cluster as cluster,
    config as config,
    diagnostics as diagnostics,
    indexes as indexes,
    udf as udf,
)
from .info.handlers import SUMMARY, answer_info, info_lines, is_long
from .info.latencies import Latencies, histogram_name
from .memory import MemoryStream
from .query.answer import Streamed, answer_query
from .query.jobs import QueryJob, QueryJobs, QueryLimits
from .query.request import QueryRequest
from .requests import Answer, Call, Request, refusal, request_from_message
from .results import Refused
from .settings import Settings
from .settings_tables import NETWORK, SERVICE
from .sindex.registry import NodeIndexes
from .slices import in_slices
from .store import NamespaceStore, StoredRecord, Tree
from .streams import ServerStream, accepted_stream
from .udf.call import call_function

if TYPE_CHECKING:
    from .cluster import EmbeddedCluster

Address = tuple[str, int]

#: Connections accepted in one go.
ACCEPT_BURST = 64

ROWS_AT_ONCE = 100
"""Rows of a batch up to which it is carried out at one go."""

_COUNTED_FAILURES = {
    ResultCode.RECORD_GENERATION: "fail_generation",
    ResultCode.RECORD_TOO_BIG: "fail_record_too_big",
}


class EmbeddedNode:
    """A node of an embedded cluster; the cluster makes, starts and stops it.

    Attributes:
        name: as the info command `node` tells it.
        delay: seconds that each message takes to serve, one at a time on a connection; others go on meanwhile.
        on_request: an async function `(kind, request)` that gets every request before it is served and may fail it;
            `kind` is "info", "admin" or "message" (`RequestKind`). See `trio_aerospike.server.faults`.
        stats: counters.
        running: it listens.
        joined: it has a part in the cluster's partition map.
        settings: of the context `service`, as `set-config` changes them; those of namespaces are in their stores.
        network_settings: of the context `network`.
    """

    def __init__(self, cluster: EmbeddedCluster, name: str, listen: Address) -> None:
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
        self.indexes: NodeIndexes = NodeIndexes(self)
        self.running: bool = False
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
        """Whether requests need more than to be answered at once: a delay, a hook, a pause."""

    def __repr__(self) -> str:
        state = "paused" if self.paused else "running" if self.running else "stopped"
        return (
            f"<EmbeddedNode {self.name} {self.host}:{self.port} {state}, "
            f"{self.stats.connections_open} connections, {self.stats.commands_in_flight} in flight>"
        )

    @property
    def host(self) -> str:
        """The host that it listens on."""
        return self.listen_address[0]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.listen_address[1]

    # What tests turn ------------------------------------------------------------------------------------------

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
        """The hook that sees every request first."""
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
        """Answer again, first what has gathered."""
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

    def answer(self, connection: Connection, kind: int, body: bytes) -> bytes:
        """The frames that answer a request.

        Raises:
            Unreachable: the node that has to serve it is gone and the map does not show it yet; nothing was done.
            ProtocolError: it cannot be read; the connection has to be closed.
        """
        if kind == wire.PROTO_MESSAGE:
            return self._answer_message(connection, body)
        if kind == wire.PROTO_INFO:
            return self._answer_info(connection, body)
        if kind == wire.PROTO_COMPRESSED:
            # An Enterprise Edition would have it unpacked by the connection (server: as/src/base/proto_ce.c).
            self.demarshal_errors += 1
            return Answer(ResultCode.ENTERPRISE_ONLY).frame()
        return self._answer_admin(connection, body)

    def _answer_message(self, connection: Connection, body: bytes) -> bytes:
        message, _ = decode_message(body)
        is_batch = bool(message.info1 & wire.INFO1_BATCH)
        if not connection.authenticated:
            if is_batch:
                return batch_error(ResultCode.NOT_AUTHENTICATED)
            return Answer(ResultCode.NOT_AUTHENTICATED).frame()
        if is_batch:
            self.batches += 1
            answer = self._answer_batch(connection, message)
            connection.began = self._count_latency("batch-index", connection)
            return answer
        if message.field(wire.FIELD_DIGEST) is None:
            return answer_query(self, connection, message)
        try:
            request = request_from_message(message)
            return self._execute(connection, request).frame()
        except Refused as refused:
            return refusal(refused).frame()

    def _answer_batch(self, connection: Connection, message: Message) -> bytes:
        try:
            batch = Batch(message, self.stores, self.settings.number("batch-max-requests"))
        except Refused as refused:
            return batch_error(refused.result)
        if batch.count > ROWS_AT_ONCE:
            ttl = (message.transaction_ttl or self.settings.number("transaction-max-ms")) / 1000
            raise Streamed(lambda: self._serve_batch(connection, batch, trio.current_time() + ttl))
        execute = batch.execute(lambda row: self._execute_row(connection, row))
        for _ in chain(batch.read(), self._reachable(batch.requests), execute):
            pass
        return batch.frames()

    async def _serve_batch(self, connection: Connection, batch: Batch, deadline: float) -> None:
        """Carry out a batch of many rows in slices."""
        try:
            frames = await self._carried_out(connection, batch, deadline)
        except Exception:
            logger.exception("%s: a batch from %s failed", self.name, connection.peer)
            frames = batch_error(ResultCode.SERVER)
        await connection.stream.send_all(frames)
        self._count_latency("batch-index", connection)

    async def _carried_out(self, connection: Connection, batch: Batch, deadline: float) -> bytes:
        await in_slices(batch.read())
        while True:
            changed = self.cluster.changed
            try:
                await in_slices(self._reachable(batch.requests))
                break
            except Unreachable:
                with trio.move_on_at(deadline) as scope:
                    await changed.wait()
                if scope.cancelled_caught:
                    return batch_error(ResultCode.TIMEOUT)
        await in_slices(batch.execute(lambda row: self._execute_row(connection, row)))
        return batch.frames()

    def _execute_row(self, connection: Connection, request: Request) -> Answer:
        try:
            return self._execute(connection, request, "batch_sub")
        except Refused as refused:
            return refusal(refused)
        except Unreachable:
            # Its node has gone since the rows were looked at.
            return Answer(ResultCode.TIMEOUT)

    def _reachable(self, requests: list[Request]) -> Iterator[None]:
        """Check for each row that its node is running; raise `Unreachable` if one is not."""
        for request in requests:
            if self.joined:
                self._owner(request, partition_id(request.digest))
            yield

    def _execute(self, connection: Connection, request: Request, origin: str = "client") -> Answer:
        """Check, find the node that serves the request, have it carried out, and write its change to all copies."""
        store = self.stores.get(request.namespace)
        if store is None:
            raise Refused(ResultCode.INVALID_NAMESPACE)
        if not self.joined:
            raise Refused(ResultCode.PARTITION_UNAVAILABLE)
        if len(request.digest) != wire.DIGEST_SIZE:
            raise Refused(ResultCode.PARAM)
        is_write = request.is_write
        if not is_write and not request.is_read:
            raise Refused(ResultCode.PARAM)
        if connection.session is not None:
            self._check_rights(connection, request)
        try:
            return self._carry_out(request, origin)
        finally:
            if not request.is_delete or request.call is not None:
                kind = "udf" if request.call is not None else "write" if is_write else "read"
                now = self._count_latency(histogram_name(request.namespace, origin, kind), connection)
                if origin == "client":
                    connection.began = now

    def _count_latency(self, name: str, connection: Connection) -> float:
        """Count the current request of a connection, and return the time."""
        now = trio.current_time()
        self.latencies.count(name, now - connection.began, now)
        return now

    def execute_internal(
        self,
        namespace: str,
        digest: bytes,
        record: StoredRecord,
        *,
        info2: int,
        info3: int,
        record_ttl: int,
        origin: str,
        ops: Sequence[Op] = (),
        call: Call | None = None,
    ) -> Answer:
        """Write to a record for a job of this node's own, by operations or by a function.

        Raises:
            Refused: nothing was changed.
        """
        request = Request(namespace, record.set_name, digest, None, 0, info2, info3, 0, record_ttl, ops, call=call)
        return self._carry_out(request, origin)

    def _carry_out(self, request: Request, origin: str) -> Answer:
        is_write = request.is_write
        partition = partition_id(request.digest)
        owner = self._owner(request, partition)
        store = owner.stores[request.namespace]
        tree = store.trees[partition]
        command: Callable[[NamespaceStore, Tree, Request], commands.Outcome]
        if request.call is not None:
            command, counter = self._call_function, "udf"
        elif not is_write:
            command, counter = commands.read, "read"
        elif request.is_delete:
            command, counter = commands.delete, "delete"
        else:
            command, counter = commands.write, "write"
        try:
            outcome = command(store, tree, request)
        except Refused as refused:
            end = "error"
            if refused.result == ResultCode.FILTERED_OUT:
                end = "filtered_out"
            elif refused.result == ResultCode.RECORD_NOT_FOUND and counter != "write":
                end = "not_found"
            self.counters[f"{origin}_{counter}_{end}"] += 1
            if refused.result in _COUNTED_FAILURES:
                self.counters[_COUNTED_FAILURES[refused.result]] += 1
            raise
        if counter == "udf":
            self._count_function(origin, outcome)
        end = "complete" if counter == "udf" else "success"
        self.counters[f"{origin}_{counter}_{end if outcome.answer.result == ResultCode.OK else 'error'}"] += 1
        if outcome.change is not None:
            self.cluster.replicate(request.namespace, partition, request.digest, outcome.change.record)
        return outcome.answer

    def _count_function(self, origin: str, outcome: commands.Outcome) -> None:
        """Count a function by what it did to its record, or as failed in Lua (server: update_lua_success_stats)."""
        if outcome.answer.result == ResultCode.UDF:
            self.counters[f"{origin}_lang_error"] += 1
        elif outcome.answer.result == ResultCode.OK:
            change = outcome.change
            done = "read" if change is None else "delete" if change.record is None else "write"
            self.counters[f"{origin}_lang_{done}_success"] += 1

    def _call_function(self, store: NamespaceStore, tree: Tree, request: Request) -> commands.Outcome:
        return call_function(store, tree, request, self.cluster.modules)

    def _owner(self, request: Request, partition: int) -> EmbeddedNode:
        table = self.cluster.tables[request.namespace]
        if not request.is_write and table.serves_reads(self.name, partition):
            return self
        master = table.master(partition)
        if master == self.name:
            return self
        owner = self.cluster.node(master)
        if not owner.running or owner.paused:
            raise Unreachable
        return owner

    def _check_rights(self, connection: Connection, request: Request) -> None:
        if request.call is not None:
            wanted = ["execute-udf"]
        else:
            wanted = [right for right, asked in (("write", request.is_write), ("read", request.is_read)) if asked]
        for right in wanted:
            if not connection.may(right, request.namespace, request.set_name):
                raise Refused(ResultCode.ROLE_VIOLATION)
            if not connection.within_quota("write" if request.is_write else "read"):
                raise Refused(ResultCode.QUOTA_EXCEEDED)

    def _answer_info(self, connection: Connection, body: bytes) -> bytes:
        if not connection.authenticated:
            error = info.format_error(ResultCode.NOT_AUTHENTICATED, "not authenticated")
            return encode_frame(wire.PROTO_INFO, error.encode() + b"\n")
        names = info.decode_info_request(body) or SUMMARY
        if any(map(is_long, names)):
            raise Streamed(lambda: self._serve_info(connection, names))
        return info.encode_info_response([(name, answer_info(self, connection, name)) for name in names])

    async def _serve_info(self, connection: Connection, names: Sequence[str]) -> None:
        """Answer commands of which some take long, in slices."""
        answers: list[tuple[str, str]] = []
        for name in names:
            lines: list[str] = []
            await in_slices(map(lines.append, info_lines(self, connection, name)))
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

    def start_query(self, kind: str, request: QueryRequest, client: str) -> QueryJob:
        """Register a query that begins to run.

        Raises:
            Refused: FAIL_FORBIDDEN, there are no query threads left; PARAM, its number is in use.
        """
        settings = self.stores[request.namespace].settings
        is_inline = request.short and settings.flag("inline-short-queries")
        one_query = 0 if is_inline else settings.number("single-query-threads")
        return self.queries.start(
            kind, request, client, QueryLimits(self.settings.number("query-threads-limit"), one_query)
        )

    def start_task(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run something for as long as the node does; if it fails, that is logged, and the node goes on."""
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
                    # Nobody waits for this: it is a small part of each iteration of the loop.
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
        """The claims of the node, per namespace a bitmap per replica column, as of its partition generation."""
        if not self.joined:
            return {name: [bytes(wire.N_PARTITIONS // 8)] for name in self.stores}
        version = (self.rebalance_generation, self.partition_generation)
        if self._bitmaps is None or self._bitmaps[0] != version:
            tables = self.cluster.tables
            self._bitmaps = version, {name: tables[name].bitmaps(self.name) for name in self.stores}
        return self._bitmaps[1]

    def take_part(self, peers: list[EmbeddedNode], changes: int) -> None:
        """A rebalance is done: note the peers and how many partitions changed."""
        known, now = set(self.peers), set(peers)
        self.peers_generation += 2 * len(now - known) + len(known - now)
        self.peers = peers
        self.alumni += [peer for peer in peers if peer not in self.alumni]
        self.rebalance_generation += 1
        self.rebalanced_at = self.cluster.clock.unix()
        self.partition_generation = max(self.partition_generation, 0) + changes
        self.joined = True

    # Listening ------------------------------------------------------------------------------------------------

    async def bind(self) -> None:
        """Take the node's addresses, without listening yet; a port of 0 becomes a free one.

        Raises:
            OSError: an address is taken or not this machine's.
        """
        if self.cluster.network is not None or self._sockets:
            return
        sock, self.listen_address = await _bound(self.listen_address)
        self._sockets.append(sock)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until stopped."""
        await self.bind()
        network = self.cluster.network
        if network is None:
            for address in self.extra_listen_addresses:
                self._sockets.append((await _bound(address))[0])
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
            # Once stopped, the node may run anew before this task gets here: then nothing of it is this task's.
            if self._scope is scope:
                self.stop()

    def stop(self) -> None:
        """Die at once: connections are reset, addresses refuse."""
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
        # What a process knows of its queries, and was told to do otherwise than its configuration says, ends with it.
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
        """Reset every connection, as a network that fails for a moment does; the node goes on."""
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
                # Out of file descriptors, or the client left before it was taken in.
                await trio.sleep(0.01)
                continue
            # A busy loop comes here seldom: all that wait are accepted, as by a server with a thread for it.
            for one in (stream, *_accept_waiting(sock)):
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
    """Takes in connections to one address in memory."""

    def __init__(self, node: EmbeddedNode, nursery: trio.Nursery, address: Address) -> None:
        self._node = node
        self._nursery = nursery
        self._address = address

    def __call__(self, stream: MemoryStream) -> None:
        self._nursery.start_soon(self._node.serve_connection, stream, self._address)


def _accept_waiting(sock: trio.socket.SocketType) -> list[trio.SocketStream]:
    """Accept the connections that wait on a listening socket, :data:`ACCEPT_BURST` at most, but wait for no more."""
    streams: list[trio.SocketStream] = []
    listener = socket.socket(fileno=sock.fileno())
    try:
        listener.setblocking(False)
        for _ in range(ACCEPT_BURST):
            streams.append(trio.SocketStream(trio.socket.from_stdlib_socket(listener.accept()[0])))
    except OSError:
        pass  # no more, or what the next call of Trio's own accept reports
    finally:
        listener.detach()
    return streams


async def _bound(address: Address) -> tuple[trio.socket.SocketType, Address]:
    host, port = address
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, target = found[0]
    sock = trio.socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # where it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        await sock.bind(target)
    except BaseException:
        sock.close()
        raise
    return sock, (host, sock.getsockname()[1])


def check_server_context(context: ssl.SSLContext | None) -> None:
    """Refuse a context that cannot serve.

    Raises:
        ValueError: it was made for clients.
    """
    if context is not None and context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError("tls needs an SSLContext for servers: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)")
