"""One connection of a client: frames in, answers out, in order."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from .._wire import admin, admin_messages, constants as wire, info, messages
from .._wire.frames import FrameReader, decompress_body
from ..errors import ProtocolError, ResultCode
from ..fairness import TimeSlice
from .batch import batch_error
from .faults import Fault, Reply, Request, RequestKind
from .query.answer import Streamed
from .requests import Answer
from .security import Caller, Session
from .streams import ServerStream

if TYPE_CHECKING:
    from .node import EmbeddedNode

logger: logging.Logger = logging.getLogger("trio_aerospike.server")

_RECEIVE_SIZE = 256 * 1024
_SEND_SIZE = 1024 * 1024
"""Answers are sent once they have so many bytes, even if more requests are at hand."""

_KINDS: dict[int, RequestKind] = {
    wire.PROTO_INFO: "info",
    wire.PROTO_ADMIN: "admin",
    wire.PROTO_MESSAGE: "message",
    wire.PROTO_COMPRESSED: "message",
}


class Unreachable(Exception):
    """The node that has to serve the request cannot be reached; the cluster may soon know better."""


class _Closing(Exception):
    """The connection ends here."""


class Connection:
    """Reads requests of one client and answers them one after the other.

    What has come with one read is answered with one send. As soon as a request takes time (a node's `delay`, a hook,
    a partition whose owner is lost) the ones behind it wait, as with the real server, while other connections go on.

    What goes wrong unexpectedly in a request is logged and ends that request, or its connection where no answer to it
    can be made, but never the server. (What a hook of a test raises does end it: that is the test's.)
    """

    def __init__(self, node: EmbeddedNode, stream: ServerStream, address: tuple[str, int]) -> None:
        self.node = node
        self.stream = stream
        self.address = address
        self.session: Session | None = None
        self.user_agent = ""
        self.is_command: bool = False
        self.began: float = 0.0
        """When the current request was taken up, in seconds of Trio's clock: read, or the one before it answered."""
        self._in_flight = 0

    def __repr__(self) -> str:
        kind = "commands" if self.is_command else "info only"
        return f"<Connection to {self.node.name}, {kind}, {self._in_flight} in flight>"

    @property
    def client_host(self) -> str:
        """The address of the client: this machine's; for a client in memory, loopback."""
        return self.address[0] if self.node.cluster.network is None else "127.0.0.1"

    @property
    def peer(self) -> str:
        """Who is at the other end, as `query-show` tells it."""
        return f"{self.client_host}:{self.address[1]}"

    @property
    def authenticated(self) -> bool:
        """Whether the client may ask for anything at all."""
        return self.session is not None or self.node.cluster.security is None

    def may(self, permission: str, namespace: str = "", set_name: str = "") -> bool:
        """Whether the client has a right."""
        security = self.node.cluster.security
        if security is None:
            return True
        return self.session is not None and security.allows(self.session, permission, namespace, set_name)

    def within_quota(self, permission: str) -> bool:
        """Count a record that the client reads or writes; False where its user's quota is used up."""
        security = self.node.cluster.security
        return security is None or self.session is None or security.within_quota(self.session, permission)

    @property
    def caller(self) -> Caller:
        """Whom the connection speaks for, and where it comes from."""
        return Caller(self.session, self.client_host, self.stream.certificate_name())

    async def serve(self) -> None:
        """Serve until the client leaves or the connection breaks; closes the stream."""
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
        answers: list[bytes] = []
        size = 0
        time_slice = TimeSlice()
        try:
            for kind, body in frames:
                answers.append(await self._serve_one(kind, body, answers))
                if kind >= wire.PROTO_MESSAGE:
                    self._in_flight -= 1
                    self.node.stats.commands_in_flight -= 1
                size += len(answers[-1])
                if size > _SEND_SIZE:
                    await self._send(answers)
                    size = 0
                await time_slice.give_way()
        except ProtocolError as error:
            # What came before the bad request has been done: its client hears of it.
            await self._send(answers)
            raise _Closing from error
        await self._send(answers)

    async def _serve_one(self, kind: int, body: bytes, held_back: list[bytes]) -> bytes:
        """The answer to one request; if that takes time, the answers held back so far are sent first."""
        try:
            return await self._answer(kind, body, held_back)
        except Streamed as streamed:
            try:
                await self._send(held_back)
            except BaseException:
                streamed.abandon()
                raise
            await self._stream(streamed.serve)
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

    async def _answer(self, kind: int, body: bytes, held_back: list[bytes]) -> bytes:
        node = self.node
        if kind == wire.PROTO_COMPRESSED and node.cluster.is_enterprise:
            kind, body = decompress_body(body)
            if kind != wire.PROTO_MESSAGE:
                raise ProtocolError(f"a compressed frame holds a frame of type {kind}: only messages are compressed")
        if node.attentive:
            await self._send(held_back)
            return await self._serve_with_attention(kind, body)
        try:
            return self._served(kind, body)
        except Unreachable:
            await self._send(held_back)
            return await self._serve_when_reachable(kind, body, trio.current_time() + self._ttl(kind, body))

    def _served(self, kind: int, body: bytes) -> bytes:
        """The node's answer; that something failed inside the server, where it did."""
        try:
            return self.node.answer(self, kind, body)
        except (Unreachable, Streamed, ProtocolError):
            raise
        except Exception as error:
            logger.exception("%s: a request (%s) from %s failed", self.node.name, _KINDS[kind], self.peer)
            if kind == wire.PROTO_MESSAGE:
                return _refusal(body, ResultCode.SERVER)
            if kind == wire.PROTO_ADMIN:
                return admin.encode_result(ResultCode.SERVER)
            raise _Closing from error

    async def _send(self, answers: list[bytes]) -> None:
        if answers:
            data = answers[0] if len(answers) == 1 else b"".join(answers)
            answers.clear()
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

    async def _serve_with_attention(self, kind: int, body: bytes) -> bytes:
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

    async def _serve_when_reachable(self, kind: int, body: bytes, deadline: float) -> bytes:
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
        """Seconds that the request may take, by itself or by the node's settings."""
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
    """The answer to a message that is not carried out; to a batch, the one that ends it."""
    if len(body) > 1 and body[1] & wire.INFO1_BATCH:
        return batch_error(result)
    return Answer(result).frame()


def _decoded(kind: int, body: bytes) -> Request:
    if kind == wire.PROTO_COMPRESSED:
        kind, body = decompress_body(body)
    if kind == wire.PROTO_MESSAGE:
        return messages.decode_message(body)[0]
    if kind == wire.PROTO_ADMIN:
        return admin_messages.decode_admin_message(body)
    return info.decode_info_request(body)
