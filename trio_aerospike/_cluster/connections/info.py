"""Info connection of a node: opened when there is something to ask, and not part of any pool."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator

import trio

from ..._wire.constants import PROTO_INFO
from ..._wire.info import decode_info_answers, encode_info_request, refusal_of_all
from ...errors import AerospikeError, AerospikeTimeoutError, ConnectionFailed, ProtocolError, error_from_code
from ...validation import Uncopyable
from .connection import Connection
from .loop_clock import latency_of, loop_clock
from .pool import MAX_DEPTH
from .request import Failure, Request
from .transport import Transport

#: The quickest answers of the node are forgotten slowly, so that a changed route is learnt.
_LATENCY_DECAY = 1.02


class InfoConnection(Uncopyable):
    """Send info commands to one node, over one connection at a time.

    Args:
        label: the node in words, for messages.
        name: the node's name, for errors.
        open_transport: opens and authenticates a transport.
        start: runs a connection in the node's task group; raises OSError where the node has been removed.
        hurry: tells the node's sweeper of a deadline.
        on_break: told when the connection breaks.
        pipelined: whether a second command may follow before the first is answered; over TLS it may not.
        transport: one that is open already, for the first connection.

    Attributes:
        connection: the present connection, if there is one.
        connections: how many there have been, the present one included.
        latency: round-trip time to the node in seconds, as far as is known.
    """

    def __init__(
        self,
        label: str,
        name: str,
        *,
        open_transport: Callable[[], Awaitable[Transport]],
        start: Callable[[Connection], None],
        hurry: Callable[[float], None],
        on_break: Callable[[], None],
        pipelined: bool,
        transport: Transport | None = None,
    ) -> None:
        self.in_flight = 0
        self._label = label
        self._name = name
        self._open_transport = open_transport
        self._start = start
        self._hurry = hurry
        self._on_break = on_break
        self._pipelined = pipelined
        self._transport = transport
        self._opening = trio.Lock()
        #: As many commands as a connection takes may be in flight; the others wait within their own time.
        self._asking = trio.Semaphore(MAX_DEPTH if pipelined else 1)
        self.connection: Connection | None = None
        self.connections = 0
        self.latency = 0.0

    async def ask(self, names: tuple[str, ...], limit: float, probe: bool) -> dict[str, str]:
        """Ask commands in one request; see :meth:`Node.info`."""
        clock = loop_clock()
        deadline = clock.now() + limit
        request = Request(encode_info_request(*names), PROTO_INFO, deadline, deadline, 0.0, False)
        request.cost = float(probe)
        async with contextlib.AsyncExitStack() as stack:
            with self._refused_as_ours(limit):
                with clock.fail_after(limit):
                    await stack.enter_async_context(self._asking)
                    connection = await self._connected()
            connection.submit(request)
            self._hurry(deadline)
            await request.wait()
        if request.reply is not None:
            return self._answers(connection, request.reply, names)
        if request.failure is Failure.EXPIRED:
            raise AerospikeTimeoutError(
                f"{self._label} did not answer {', '.join(names)} within {limit} s",
                node=self._name,
                attempts=int(request.sent),
            )
        if isinstance(request.error, AerospikeError):
            raise request.error
        raise ConnectionFailed(
            f"{self._label} closed the connection: {request.error}", node=self._name, attempts=int(request.sent)
        ) from request.error

    def _answers(self, connection: Connection, body: bytes, names: tuple[str, ...]) -> dict[str, str]:
        refused = refusal_of_all(body)
        if refused is not None:
            connection.close(None)  # another one logs in anew
            text = f"{self._label} answered {', '.join(names)[:80]}: {refused.message or 'an error'}"
            raise error_from_code(refused.code, text, node=self._name, attempts=1)
        try:
            return decode_info_answers(body, names)
        except ProtocolError as error:
            connection.close(None)  # what comes next on it may be the answer to something else, too
            raise ProtocolError(f"{self._label}: {error.message}", node=self._name, attempts=1) from None

    @contextlib.contextmanager
    def _refused_as_ours(self, limit: float) -> Iterator[None]:
        try:
            yield
        except trio.TooSlowError:
            text = f"{self._label} did not accept a connection within {limit} s"
            raise AerospikeTimeoutError(text, node=self._name) from None
        except OSError as error:
            raise ConnectionFailed(f"{self._label}: {error}", node=self._name) from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionFailed(f"{self._label} closed the connection", node=self._name) from error

    async def _connected(self) -> Connection:
        async with self._opening:
            connection = self.connection
            if connection is not None and (connection.suspended or (connection.depth and not self._pipelined)):
                # It owes the answer to somebody who has gone: nothing may be sent behind that, or would be answered.
                connection.close(None)
                connection = None
            if connection is None or not connection.alive:
                transport, self._transport = self._transport, None
                if transport is None:
                    transport = await self._open_transport()
                connection = Connection(transport, self, max_depth=MAX_DEPTH, label=f"{self._label} (info)")
                self.connection = connection
                self.connections += 1
                try:
                    self._start(connection)
                except OSError:
                    transport.close_now()  # nobody runs the connection, so nobody else closes it
                    raise
            return connection

    def replied(
        self, connection: Connection, count: int, elapsed: float, fresh: bool, age: float, cost: float, writes: int
    ) -> None:
        """Learn the round-trip time from the reply to a probe that was sent alone."""
        if count == 1 and fresh and cost:
            latency = latency_of(age, elapsed)
            if latency:
                self.latency = latency if not self.latency else min(latency, self.latency * _LATENCY_DECAY)

    def due(self, deadline: float) -> None:
        """Have the connection looked at sooner than was known."""
        self._hurry(deadline)

    def closed(self, connection: Connection, unsent: list[Request], error: BaseException | None) -> None:
        """Forget a connection that has ended."""
        if self.connection is connection:
            self.connection = None
        for request in unsent:
            request.fail(Failure.BROKEN, error)
        if error is not None:
            self._on_break()

    def expire(self, now: float) -> float:
        """Give up what is overdue; returns when the next is due."""
        return float("inf") if self.connection is None else self.connection.expire(now)

    def reap(self, now: float, idle_timeout: float) -> None:
        """Close the connection when nothing has been asked for ``idle_timeout`` seconds."""
        connection = self.connection
        if connection is not None and not connection.depth and now - connection.idle_since >= idle_timeout:
            connection.close(None)

    def close(self, error: BaseException | None) -> None:
        """Close the connection and fail what is asked on it."""
        if self.connection is not None:
            self.connection.close(error)
        if self._transport is not None:
            self._transport.close_now()
            self._transport = None

    def close_inherited(self) -> None:
        """In a forked child: release the descriptor without a word to the server."""
        if self.connection is not None:
            self.connection.close_inherited()
        elif self._transport is not None:
            self._transport.close_now()
