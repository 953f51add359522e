"""Single-record commands for asyncio loops, on a client that runs in Trio elsewhere.

A program whose client lives in a Trio thread, as the asyncio half of the ``aerospike_py`` package has it, pays two
crossings between threads for each record. Here the loop borrows connections from the client and reads and writes them
by itself, pipelined; whatever needs more (no connection to be had, another attempt, a limit on concurrent operations)
crosses into Trio as before.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from ._borrowed import LOGGED_OUT, RESULT_CODE, Attempt, BorrowingExecutor, Policy
from ._client import Client
from ._cluster.connection import ABANDONED_SECONDS, SEND_SIZE, UNSENT_LIMIT, restamped
from ._cluster.lending import Link
from ._cluster.node import Node
from ._record_commands import RecordCommands
from ._wire.constants import MESSAGE_HEADER_SIZE, PROTO_MESSAGE
from ._wire.frames import FrameReader
from .errors import AerospikeError, ClientClosed, ProtocolError
from .keys import Key

__all__ = ["LoopCommands"]

#: Connections that one loop borrows of one node at the most.
MAX_LINES = 8
#: Requests in a line past which another connection is borrowed, and at the most.
LONG_LINE = 16
MAX_LINE = 256
#: Seconds that a request may stand in a line before Trio, with its many connections, is the better way.
PATIENCE = 0.01
#: Seconds that a request is taken to cost before anything has been measured.
PRIOR_SERVICE_TIME = 0.00002
#: The quickest burst of answers counts for less with each one after it.
FORGET = 1.05
_RECEIVE = 64 * 1024
#: Seconds after which another connection is asked for where the last request for one has come to nothing.
_ASK_AGAIN = 0.02


class Cross(Protocol):
    """Runs an async function in the client's Trio while the calling loop goes on."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]: ...


class LoopCommands(RecordCommands):
    """The single-record commands of a client, for the tasks of one asyncio loop.

    The methods are those of the client. A task that is cancelled withdraws its request, or leaves its answer to be
    dropped.

    Args:
        client: a connected client of another thread's Trio run.
        cross: how to get there.
        loop: the loop whose tasks use this object.
    """

    def __init__(self, client: Client, cross: Cross, loop: asyncio.AbstractEventLoop) -> None:
        self._cluster = client._cluster
        self._executor = _LoopExecutor(client, cross, loop)  # type: ignore[assignment]
        self._setup_records(client.config.read_policy, client.config.write_policy)


class _LoopExecutor(BorrowingExecutor):
    def __init__(self, client: Client, cross: Cross, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self._cross = cross
        self._loop = loop
        self._lines: dict[Node, _Lines] = {}

    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes:
        digest = key.digest
        table = self._cluster.partitions.tables.get(key.namespace)
        node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
        line = None if node is None or self._inner.limiter is not None else self._line(node)
        if node is None or line is None:
            return await self._in_trio(self._inner.plain_run, what, key, frame, policy, write)
        attempt = Attempt(what, key, policy, write, node, time.monotonic())
        answer = self._loop.create_future()
        line.submit(frame, answer, attempt)
        try:
            body: bytes = await answer
        except asyncio.CancelledError:
            line.abandoned(attempt)
            raise
        except _Unsent:
            policy = attempt.unsent()
            return await self._in_trio(self._inner.plain_run, what, key, attempt.stamped(frame), policy, write)
        except (OSError, ProtocolError) as error:
            if self._cluster.closed:
                raise ClientClosed(f"{what} {key!r}: the client is closed", in_doubt=write, attempts=1) from error
            if not isinstance(error, TimeoutError):
                node.lent_connection_broke()
            policy = attempt.broken(error)
        else:
            code = body[RESULT_CODE]
            if not code:
                return body
            if code in LOGGED_OUT:
                line.retire()  # a new session is for new connections
            policy = attempt.refused(code, frame)
        if attempt.pause:
            await asyncio.sleep(attempt.pause)
        try:
            return await self._in_trio(
                self._inner.go_on, what, key, attempt.stamped(frame), policy, write, attempt.sequence
            )
        except AerospikeError as error:
            raise attempt.also(error) from error.__cause__

    async def _in_trio(self, function: Callable[..., Any], *args: Any) -> bytes:
        try:
            body: bytes = await self._cross(function, *args)
        except trio.RunFinishedError as error:
            raise ClientClosed("the client is closed: the Trio run that it was part of is over") from error
        return body

    def _line(self, node: Node) -> _Line | None:
        lines = self._lines.get(node)
        if lines is None:
            if not node.may_lend:
                return None
            self._lines = {known: lines for known, lines in self._lines.items() if known.active or lines}
            lines = self._lines[node] = _Lines(node, self._loop)
        return lines.choose()


class _Unsent(Exception):
    """The connection was given up before the request left."""


class _Lines:
    """The lines of one loop to one node."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self._node = node
        self._loop = loop
        self._lines: list[_Line] = []
        self._ask_at = 0.0
        self._watches = True
        #: Seconds that the node takes for a request, at the best.
        self.service_time = PRIOR_SERVICE_TIME

    def __len__(self) -> int:
        return len(self._lines)

    def choose(self) -> _Line | None:
        """The shortest line, unless that is too long; borrows another connection when it becomes long."""
        best = None
        for line in self._lines:
            if line.usable and (best is None or line.depth < best.depth):
                best = line
                if not line.depth:
                    return best
        if (best is None or best.depth >= LONG_LINE) and len(self._lines) < MAX_LINES and self._watches:
            best = self._borrow() or best
        if best is not None and best.depth * self.service_time > PATIENCE:
            return None
        return best

    def _borrow(self) -> _Line | None:
        """Another line, if a connection rests; otherwise one may rest there later."""
        link = self._node.lender.borrow()
        if link is not None:
            return self._add(link)
        # No task of the loop waits for it: that one would be in the way when the loop ends.
        now = time.monotonic()
        if now >= self._ask_at and self._node.may_lend:
            self._ask_at = now + _ASK_AGAIN
            self._node.ask_to_lend()
        return None

    def _add(self, link: Link) -> _Line | None:
        self._ask_at = 0.0
        try:
            line = _Line(link, self._node, self._loop, self)
        except NotImplementedError:
            # A loop that cannot watch sockets, such as the proactor of Windows: everything goes the long way.
            self._watches = False
            self._node.lender.discard(link)
            return None
        self._lines.append(line)
        return line

    def replied(self, count: int, elapsed: float) -> None:
        """A burst of answers came in, so long after the one before or after the line began.

        Much of that may be what our own loop was busy with, so the quickest burst tells best what the node takes; it
        counts for a while.
        """
        self.service_time = min(elapsed / count, self.service_time * FORGET)

    def gone(self, line: _Line) -> None:
        """A line has ended."""
        self._lines.remove(line)


class _Telling:
    """What Trio's thread tells a line, said in the line's own loop."""

    def __init__(self, line: _Line, link: Link, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self._line = line
        self._link = link
        self._node = node
        self._loop = loop

    def close_if_idle_since(self, oldest: float) -> None:
        """As :class:`Holder` has it."""
        if self._loop.is_closed():
            self._node.lender.discard(self._link)  # whatever was under way
        elif not self._line.depth and self._link.rested_since <= oldest:
            self._say(self._line.close_idle)

    def give_back(self) -> None:
        """As :class:`Holder` has it."""
        self._say(self._line.retire)

    def close(self) -> None:
        """As :class:`Holder` has it."""
        self._say(self._line.close, ConnectionResetError("the client closed the connection"))

    @property
    def awaited(self) -> bool:
        """As :class:`Holder` has it."""
        return not self._loop.is_closed() and self._line.awaited

    def _say(self, what: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            self._node.lender.discard(self._link)  # the loop is gone, and nobody waits for anything


class _Line:
    """A borrowed connection with its line of requests, carried by the loop's callbacks."""

    def __init__(self, link: Link, node: Node, loop: asyncio.AbstractEventLoop, lines: _Lines) -> None:
        self._link = link
        self._node = node
        self._loop = loop
        self._lines = lines
        self._sock: socket.socket = link.for_loop()
        # A loop that is given the socket itself may keep it open beyond its own end.
        self._number = self._sock.fileno()
        self._frames = FrameReader()
        #: Answers owed, in order.
        self._sent: deque[tuple[asyncio.Future[bytes], Attempt]] = deque()
        self._unsent: deque[tuple[asyncio.Future[bytes], Attempt, bytes]] = deque()
        self._unsent_bytes = 0
        self._outgoing = b""
        self._flushing = False
        self._blocked = False
        self._sweep: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._alive = True
        self._suspended = False
        self._retired = False
        #: When the line began, or the last burst of answers came in.
        self._began = 0.0
        self.depth = 0
        loop.add_reader(self._number, self._readable)
        node.lender.hold(link, _Telling(self, link, node, loop))

    @property
    def usable(self) -> bool:
        """Whether the line takes one more request."""
        open_for_more = self._alive and not self._suspended and not self._retired
        return open_for_more and self.depth < MAX_LINE and self._unsent_bytes < UNSENT_LIMIT

    @property
    def awaited(self) -> bool:
        """Whether a task waits for an answer; may be asked in any thread."""
        depth = self.depth
        answers = [item[0] for item in self._unsent.copy()] + [item[0] for item in self._sent.copy()]
        return len(answers) < depth or not all(answer.done() for answer in answers)

    def submit(self, frame: bytes, answer: asyncio.Future[bytes], attempt: Attempt) -> None:
        """Put a request at the end of the line; what gathers until the loop's tasks have run goes out in one send."""
        self._unsent.append((answer, attempt, frame))
        self._unsent_bytes += len(frame)
        self.depth += 1
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        if attempt.deadline < self._due:
            self._look_at(attempt.deadline)

    def abandoned(self, attempt: Attempt) -> None:
        """The task that waited has gone: what has not been sent never is, an answer is dropped when it comes."""
        if not self._alive:
            return
        if attempt.deadline == math.inf:
            # It had all the time in the world, but those behind it have not: when it stays silent they go elsewhere.
            attempt.deadline = time.monotonic() + ABANDONED_SECONDS
            if attempt.deadline < self._due:
                self._look_at(attempt.deadline)
        elif self._suspended:
            self._close_unless_awaited()

    # -- sending -----------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        now = time.monotonic()
        if not self._sent:
            if not self._link.fresh(now):
                self.close(ConnectionResetError("the server closed the connection"))
                return
            self._began = now
        restamp = self._blocked
        self._flushing = self._blocked = False
        while self._alive and not self._blocked:
            if self._outgoing:
                data, self._outgoing = self._outgoing, b""
                self._send(data, [])
            elif self._unsent:
                frames = self._gather(now, restamp)
                if frames:
                    self._send(frames[0] if len(frames) == 1 else b"".join(frames), frames)
            else:
                break
        if not self.depth:
            self._rest()  # all have been withdrawn

    def _gather(self, now: float, restamp: bool) -> list[bytes]:
        """The requests to go out next, which count as sent."""
        unsent = self._unsent
        sent = self._sent
        frames: list[bytes] = []
        size = 0
        while unsent and size < SEND_SIZE:
            answer, attempt, frame = unsent.popleft()
            self._unsent_bytes -= len(frame)
            if answer.done():
                self.depth -= 1  # withdrawn
                continue
            if restamp:
                frame = restamped(frame, attempt.limit, now)
            frames.append(frame)
            size += len(frame)
            sent.append((answer, attempt))
        return frames

    def _send(self, data: bytes, frames: list[bytes]) -> None:
        """Send bytes, of which those of ``frames`` are still in nobody's hands if none of them is taken."""
        try:
            taken = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError as error:
            self._put_back(frames)
            self.close(error)
            return
        if taken == len(data):
            return
        if taken or not frames:
            self._outgoing = data[taken:]
        else:
            self._put_back(frames)
        self._flushing = self._blocked = True  # what comes now gathers until the socket takes more
        self._loop.add_writer(self._number, self._writable)

    def _put_back(self, frames: list[bytes]) -> None:
        for frame in reversed(frames):
            answer, attempt = self._sent.pop()
            self._unsent.appendleft((answer, attempt, frame))
            self._unsent_bytes += len(frame)

    def _writable(self) -> None:
        self._loop.remove_writer(self._number)
        self._flush()

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(error)
            return
        if not data:
            self.close(ConnectionResetError("the server closed the connection"))
            return
        try:
            frames = self._frames.feed(data)
            for kind, body in frames:
                if kind != PROTO_MESSAGE or len(body) < MESSAGE_HEADER_SIZE or not self._sent:
                    raise ProtocolError(f"node {self._node.name} sent a reply without a request: type {kind}")
                answer, _ = self._sent.popleft()
                self.depth -= 1
                if not answer.done():
                    answer.set_result(body)
            if frames:
                self._suspended = False
                now = time.monotonic()
                self._lines.replied(len(frames), now - self._began)
                self._began = now
            if self._frames.error is not None:
                raise self._frames.error
        except ProtocolError as error:
            self.close(error)
            return
        if not self.depth:
            self._rest()

    def _rest(self) -> None:
        self._link.rested_since = time.monotonic()
        if self._retired:
            self.close(None)

    # -- time --------------------------------------------------------------------------------------------------------

    def _look_at(self, due: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._due = due
        self._sweep = None
        if due < math.inf:
            self._sweep = self._loop.call_later(max(0.0, due - time.monotonic()), self._expire)

    def _expire(self) -> None:
        """Give up what is overdue; a head that is takes the line out of use, and the connection when nobody waits."""
        self._sweep = None
        self._due = math.inf
        if self._sent and self._sent[0][1].deadline <= time.monotonic():
            self._readable()  # a loop that was busy may have let an answer lie
            if not self._alive:
                return
        now = time.monotonic()
        due = math.inf
        for answer, attempt in self._sent:
            if attempt.deadline > now:
                due = min(due, attempt.deadline)
            elif not answer.done():
                answer.set_exception(TimeoutError())
        for answer, attempt, _ in self._unsent:
            if attempt.deadline > now:
                due = min(due, attempt.deadline)
            elif not answer.done():
                answer.set_exception(_Unsent())
        if self._sent and self._sent[0][1].deadline <= now:
            self._suspended = True
            self._return_unsent()
            if self._close_unless_awaited():
                return
        self._look_at(due)

    def _close_unless_awaited(self) -> bool:
        if any(not answer.done() for answer, _ in self._sent):
            return False
        self.close(None)
        return True

    # -- the end -----------------------------------------------------------------------------------------------------

    def close_idle(self) -> None:
        """Give the connection up unless it has found work meanwhile."""
        if not self.depth:
            self.close(None)

    def retire(self) -> None:
        """Take nothing more, and give the connection up when everything is answered."""
        self._retired = True
        if not self.depth:
            self.close(None)

    def close(self, error: Exception | None) -> None:
        """Give the connection up: what was sent fails, what was not goes the long way."""
        if not self._alive:
            return
        self._alive = False
        self._lines.gone(self)
        self._look_at(math.inf)
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)
        if isinstance(error, TimeoutError):
            # The kernel's own (ETIMEDOUT): the peer's machine has vanished, whatever time the requests still had.
            error = ConnectionAbortedError(*error.args)
        for answer, _ in self._sent:
            if not answer.done():
                answer.set_exception(error or TimeoutError())
        self._sent.clear()
        self._return_unsent()
        self.depth = 0
        self._node.lender.discard(self._link)

    def _return_unsent(self) -> None:
        """What has not been sent goes elsewhere."""
        self.depth -= len(self._unsent)
        for answer, _, _ in self._unsent:
            if not answer.done():
                answer.set_exception(_Unsent())
        self._unsent.clear()
        self._unsent_bytes = 0
