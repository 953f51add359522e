"""Serve one connection of a client: read requests, send their responses in order."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from .._wire import admin, admin_messages, constants as wire, info, messages
from .._wire.frames import FrameReader, decompress_body
from ..errors import ProtocolError, ResultCode
from ..fairness import TimeSlice
from .batch import batch_error
from .exceptions import Unreachable
from .faults import Fault, NodeStats, Reply, Request, RequestHook, RequestKind
from .memory_network import MemoryNetwork
from .record_requests import Response, StreamingResponse
from .security import Caller, Security, Session
from .settings import Settings
from .transport import ServerStream

logger: logging.Logger = logging.getLogger("trio_aerospike.server")

_RECEIVE_SIZE = 256 * 1024
_SEND_SIZE = 1024 * 1024
"""Responses are sent once they have this many bytes, even if more requests have arrived."""

_KINDS: dict[int, RequestKind] = {
    wire.PROTO_INFO: "info",
    wire.PROTO_ADMIN: "admin",
    wire.PROTO_MESSAGE: "message",
    wire.PROTO_COMPRESSED: "message",
}


class ConnectionCluster(Protocol):
    """What a connection needs of the cluster."""

    security: Security | None
    network: MemoryNetwork | None
    changed: trio.Event

    @property
    def is_enterprise(self) -> bool: ...


class ConnectionHost(Protocol):
    """What a connection needs of its node."""

    name: str
    stats: NodeStats
    settings: Settings
    attentive: bool

    @property
    def cluster(self) -> ConnectionCluster: ...

    @property
    def delay(self) -> float: ...

    @property
    def on_request(self) -> RequestHook | None: ...

    def answer(self, connection: Connection, kind: int, body: bytes) -> bytes | StreamingResponse:
        """The response to a request; raises `Unreachable` or `ProtocolError`."""

    async def wait_resumed(self) -> None:
        """Wait while the node is paused."""

    def connection_became_command(self) -> None:
        """Count a connection that sent its first message."""


class _Closing(Exception):
    """Ends the connection."""


class Connection:
    """Reads the requests of one client and answers them one after the other.

    The requests of one read are answered with one send. While a request takes time (a node's `delay`, a hook, a
    partition whose owner is lost) those behind it wait, as with the real server, and other connections go on.

    An unexpected error in a request is logged and ends that request, or its connection where no response can be made,
    but never the server. (An exception of a test's hook does end it: that is the test's.)
    """

    def __init__(self, node: ConnectionHost, stream: ServerStream, address: tuple[str, int]) -> None:
        self.node = node
        self.stream = stream
        self.address = address
        self.session: Session | None = None
        self.user_agent = ""
        self.is_command: bool = False
        self.began: float = 0.0
        """When the current request was read, or the one before it answered, in seconds of Trio's clock."""
        self._in_flight = 0

    def __repr__(self) -> str:
        kind = "commands" if self.is_command else "info only"
        return f"<Connection to {self.node.name}, {kind}, {self._in_flight} in flight>"

    @property
    def client_host(self) -> str:
        """The IP address of the client; loopback for a client in memory."""
        return self.address[0] if self.node.cluster.network is None else "127.0.0.1"

    @property
    def peer(self) -> str:
        """The address of the client in `query-show`."""
        return f"{self.client_host}:{self.address[1]}"

    @property
    def authenticated(self) -> bool:
        """Whether the client has logged in, if it has to."""
        return self.session is not None or self.node.cluster.security is None

    def may(self, permission: str, namespace: str = "", set_name: str = "") -> bool:
        """Whether the client has a right."""
        security = self.node.cluster.security
        if security is None:
            return True
        return self.session is not None and security.allows(self.session, permission, namespace, set_name)

    def within_quota(self, permission: str) -> bool:
        """Count a record that the client reads or writes; False if its user's quota is exhausted."""
        security = self.node.cluster.security
        return security is None or self.session is None or security.within_quota(self.session, permission)

    @property
    def caller(self) -> Caller:
        """The user of the connection, and its address."""
        return Caller(self.session, self.client_host, self.stream.certificate_name())

    async def serve(self) -> None:
        """Serve until the client closes the connection or it breaks; then close the stream."""
        reader = FrameReader(of_requests=True)
        try:
            while True:
                data = await self.stream.receive_some(_RECEIVE_SIZE)
                if not data:
                    break
                await self._serve_frames(reader.feed(data))
                if reader.error is not None:
                    break
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError, _Closing, ProtocolError):
            pass
        finally:
            self.node.stats.commands_in_flight -= self._in_flight
            self._in_flight = 0
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                try:
                    await self.stream.aclose()
                except (OSError, trio.BrokenResourceError):
                    pass

    # Requests -------------------------------------------------------------------------------------------------

    async def _serve_frames(self, frames: list[tuple[int, bytes]]) -> None:
        self._count(frames)
        responses: list[bytes] = []
        size = 0
        time_slice = TimeSlice()
        try:
            for kind, body in frames:
                responses.append(await self._serve_one(kind, body, responses))
                if kind >= wire.PROTO_MESSAGE:
                    self._in_flight -= 1
                    self.node.stats.commands_in_flight -= 1
                size += len(responses[-1])
                if size > _SEND_SIZE:
                    await self._send(responses)
                    size = 0
                await time_slice.give_way()
        except ProtocolError as error:
            # The requests before the invalid one have been executed: send their responses.
            await self._send(responses)
            raise _Closing from error
        await self._send(responses)

    async def _serve_one(self, kind: int, body: bytes, unsent: list[bytes]) -> bytes:
        """The response to one request; if that takes time, the responses before it are sent first."""
        response = await self._answer(kind, body, unsent)
        if isinstance(response, bytes):
            return response
        try:
            await self._send(unsent)
        except BaseException:
            response.abandon()
            raise
        await self._stream(response.serve)
        self.began = trio.current_time()
        return b""

    async def _stream(self, serve: Callable[[], Awaitable[None]]) -> None:
        try:
            await serve()
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError):
            raise
        except Exception as error:
            logger.exception("%s: a query from %s failed", self.node.name, self.peer)
            raise _Closing from error

    async def _answer(self, kind: int, body: bytes, unsent: list[bytes]) -> bytes | StreamingResponse:
        node = self.node
        if kind == wire.PROTO_COMPRESSED and node.cluster.is_enterprise:
            kind, body = decompress_body(body)
            if kind != wire.PROTO_MESSAGE:
                raise ProtocolError(f"a compressed frame holds a frame of type {kind}: only messages are compressed")
        if node.attentive:
            await self._send(unsent)
            return await self._serve_with_attention(kind, body)
        try:
            return self._served(kind, body)
        except Unreachable:
            await self._send(unsent)
            return await self._serve_when_reachable(kind, body, trio.current_time() + self._ttl(kind, body))

    def _served(self, kind: int, body: bytes) -> bytes | StreamingResponse:
        """The node's response; an error response if the server itself failed."""
        try:
            return self.node.answer(self, kind, body)
        except (Unreachable, ProtocolError):
            raise
        except Exception as error:
            logger.exception("%s: a request (%s) from %s failed", self.node.name, _KINDS[kind], self.peer)
            if kind == wire.PROTO_MESSAGE:
                return _refusal(body, ResultCode.SERVER)
            if kind == wire.PROTO_ADMIN:
                return admin.encode_result(ResultCode.SERVER)
            raise _Closing from error

    async def _send(self, responses: list[bytes]) -> None:
        if responses:
            data = responses[0] if len(responses) == 1 else b"".join(responses)
            responses.clear()
            if data:
                await self.stream.send_all(data)

    def _count(self, frames: list[tuple[int, bytes]]) -> None:
        stats = self.node.stats
        arrived = 0
        for kind, _ in frames:
            stats.requests[_KINDS[kind]] += 1
            arrived += kind >= wire.PROTO_MESSAGE
        if not arrived:
            return
        if not self.is_command:
            self.is_command = True
            self.node.connection_became_command()
        self.began = trio.current_time()
        self._in_flight += arrived
        stats.commands_in_flight += arrived
        stats.commands_peak = max(stats.commands_peak, stats.commands_in_flight)

    async def _serve_with_attention(self, kind: int, body: bytes) -> bytes | StreamingResponse:
        node = self.node
        self.began = trio.current_time()
        deadline = self.began + self._ttl(kind, body)
        await node.wait_resumed()
        if node.on_request is not None:
            replacement = await self._ask_hook(kind, body)
            if replacement is not None:
                return replacement
        if kind < wire.PROTO_MESSAGE:
            return self._served(kind, body)
        if node.delay:
            await trio.sleep_until(min(trio.current_time() + node.delay, deadline))
        if trio.current_time() >= deadline:
            return _refusal(body, ResultCode.TIMEOUT)
        return await self._serve_when_reachable(kind, body, deadline)

    async def _serve_when_reachable(self, kind: int, body: bytes, deadline: float) -> bytes | StreamingResponse:
        while True:
            changed = self.node.cluster.changed
            try:
                return self._served(kind, body)
            except Unreachable:
                with trio.move_on_at(deadline) as scope:
                    await changed.wait()
                if scope.cancelled_caught:
                    return _refusal(body, ResultCode.TIMEOUT)

    def _ttl(self, kind: int, body: bytes) -> float:
        """Seconds that the request may take: its own limit, or the node's setting."""
        milliseconds = 0
        if kind == wire.PROTO_MESSAGE and len(body) >= wire.MESSAGE_HEADER_SIZE:
            start = wire.TRANSACTION_TTL_OFFSET - wire.PROTO_HEADER_SIZE
            milliseconds = int.from_bytes(body[start : start + 4], "big")
        return (milliseconds or self.node.settings.number("transaction-max-ms")) / 1000

    async def _ask_hook(self, kind: int, body: bytes) -> bytes | None:
        hook = self.node.on_request
        assert hook is not None
        verdict = await hook(_KINDS[kind], _decoded(kind, body))
        if verdict is None:
            return None
        if isinstance(verdict, Reply):
            if verdict.close:
                await self._send([verdict.data])
                raise _Closing
            return verdict.data
        if verdict is Fault.RESET:
            self.stream.abort()
            raise _Closing
        if verdict is Fault.CLOSE:
            raise _Closing
        if verdict is Fault.SILENCE:
            await trio.sleep_forever()
        return _refusal(body, verdict)


def _refusal(body: bytes, result: ResultCode) -> bytes:
    """The response that refuses a message; for a batch, the one that ends it."""
    if len(body) > 1 and body[1] & wire.INFO1_BATCH:
        return batch_error(result)
    return Response(result).frame()


def _decoded(kind: int, body: bytes) -> Request:
    if kind == wire.PROTO_COMPRESSED:
        kind, body = decompress_body(body)
    if kind == wire.PROTO_MESSAGE:
        return messages.decode_message(body)[0]
    if kind == wire.PROTO_ADMIN:
        return admin_messages.decode_admin_message(body)
    return info.decode_info_request(body)
