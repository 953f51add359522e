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
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from ._borrowed import LOGGED_OUT, RESULT_CODE, BorrowingExecutor, FirstAttempt, Policy
from ._client import Client
from ._cluster.connection import ABANDONED_SECONDS, SEND_SIZE, UNSENT_LIMIT, restamped
from ._cluster.lending import Link
from ._cluster.node import Node
from ._record_commands import RecordCommands
from ._wire.constants import MESSAGE_HEADER_SIZE, PROTO_MESSAGE
from ._wire.frames import FrameReader
from .errors import ClientClosed, ClientError, ProtocolError
from .keys import Key
from .validation import Uncopyable

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
#: Seconds after which a flush that has not come is scheduled again.
_FLUSH_AGAIN = 0.001


class Cross(Protocol):
    """Runs an async function in the client's Trio while the calling loop goes on."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]: ...


class LoopCommands(RecordCommands, Uncopyable):
    """The single-record commands of a client, for the tasks of one asyncio loop.

    The methods are those of the client. A task that is cancelled withdraws its request, or leaves its answer to be
    dropped.

    Args:
        client: a connected client of another thread's Trio run.
        cross: how to get there.
        loop: the loop whose tasks use this object, which does not keep the loop alive.
    """

    _instead_of_copy = "make another from the client"

    def __init__(self, client: Client, cross: Cross, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: weakref.ref[asyncio.AbstractEventLoop] = weakref.ref(loop)
        self._cluster = client._cluster
        self._executor = _LoopExecutor(client, cross, loop)  # type: ignore[assignment]
        self._setup_records(client.config.read_policy, client.config.write_policy)


class _LoopExecutor(BorrowingExecutor):
    def __init__(self, client: Client, cross: Cross, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self._cross = cross
        # Weak, so that a closed loop is collected: it owns the lines, which watch their sockets in it, and everything
        # else here refers to both weakly.
        self._loop = weakref.ref(loop)
        self._lines: dict[Node, _Lines] = {}

    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes:
        loop = asyncio.get_running_loop()
        if loop is not self._loop():
            text = f"{what} {key!r}: these commands belong to another event loop; make LoopCommands for this one"
            raise ClientError(text)
        digest = key.digest
        table = self._cluster.partitions.tables.get(key.namespace)
        node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
        line = None if node is None or self._inner.limiter is not None else self._line(node, loop)
        if node is None or line is None:
            return await self._in_trio(self._inner.plain_run, what, key, frame, policy, write)
        now = time.monotonic()
        attempt = self._first_attempt(what, key, policy, write, node, now)
        answer = loop.create_future()
        try:
            line.submit(frame, answer, attempt, now)
        except BaseException:
            line.interrupted()
            raise
        try:
            body: bytes = await answer
        except (asyncio.CancelledError, KeyboardInterrupt):
            line.abandoned(attempt)
            raise
        except _Unsent:
            attempt.unsent()
        except (OSError, ProtocolError) as error:
            if self._cluster.closed:
                raise attempt.closed(sent=True) from error
            if not isinstance(error, TimeoutError):
                node.lent_connection_broke()
            attempt.broken(error)
        else:
            code = body[RESULT_CODE]
            if not code:
                return body
            if code in LOGGED_OUT:
                line.retire()  # a new session is for new connections
            attempt.refused(code, frame)
        return await self._in_trio(
            self._inner.go_on, what, key, frame, policy, write, attempt.state, attempt.decision, attempt.error
        )

    async def _in_trio(self, function: Callable[..., Any], *args: Any) -> bytes:
        try:
            body: bytes = await self._cross(function, *args)
        except trio.RunFinishedError as error:
            raise ClientClosed("the client is closed: the Trio run that it was part of is over") from error
        return body

    def _line(self, node: Node, loop: asyncio.AbstractEventLoop) -> _Line | None:
        lines = self._lines.get(node)
        if lines is None:
            if not node.may_lend:
                return None
            self._lines = {known: lines for known, lines in self._lines.items() if known.active or lines}
            lines = self._lines[node] = _Lines(node)
        return lines.choose(loop)


class _Unsent(Exception):
    """The connection was given up before the request left."""


class _Lines:
    """The lines of one loop to one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lines: list[weakref.ref[_Line]] = []
        self._ask_at = 0.0
        self._watches = True
        #: Seconds that the node takes for a request, at the best.
        self.service_time = PRIOR_SERVICE_TIME

    def __len__(self) -> int:
        return len(self._lines)

    def choose(self, loop: asyncio.AbstractEventLoop) -> _Line | None:
        """The shortest line, unless that is too long; borrows another connection when it becomes long."""
        best = None
        for ref in self._lines:
            line = ref()
            if line is not None and line.usable and (best is None or line.depth < best.depth):
                best = line
                if not line.depth:
                    return best
        if (best is None or best.depth >= LONG_LINE) and len(self._lines) < MAX_LINES and self._watches:
            best = self._borrow(loop) or best
        if best is not None and best.depth * self.service_time > PATIENCE:
            return None
        return best

    def _borrow(self, loop: asyncio.AbstractEventLoop) -> _Line | None:
        """Another line, if a connection rests; otherwise one may rest there later."""
        link = self._node.lender.borrow()
        if link is not None:
            return self._add(link, loop)
        # No task of the loop waits for it: that one would be in the way when the loop ends.
        now = time.monotonic()
        if now >= self._ask_at and self._node.may_lend:
            self._ask_at = now + _ASK_AGAIN
            self._node.ask_to_lend()
        return None

    def _add(self, link: Link, loop: asyncio.AbstractEventLoop) -> _Line | None:
        self._ask_at = 0.0
        try:
            line = _Line(link, self._node, loop, self)
        except NotImplementedError:
            # A loop that cannot watch sockets, such as the proactor of Windows: all commands are run by Trio.
            self._watches = False
            self._node.lender.discard(link)
            return None
        except BaseException:
            self._node.lender.discard(link)
            raise
        self._lines.append(weakref.ref(line))
        return line

    def replied(self, count: int, elapsed: float) -> None:
        """A burst of answers came in, so long after the one before or after the line began.

        Much of that may be what our own loop was busy with, so the quickest burst tells best what the node takes; it
        counts for a while.
        """
        self.service_time = min(elapsed / count, self.service_time * FORGET)

    def gone(self, line: _Line) -> None:
        """A line has ended."""
        self._lines = [ref for ref in self._lines if ref() is not line]


class _Telling:
    """Passes on what Trio's thread has to say to a line, in the line's own loop. Keeps neither of the two alive."""

    def __init__(self, line: _Line, link: Link, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self._line = weakref.ref(line, self._collected)
        self._link = link
        self._node = node
        self._loop = weakref.ref(loop)

    def close_if_idle_since(self, oldest: float) -> None:
        """As :class:`Holder` has it."""
        line, loop = self._line(), self._loop()
        if line is None or loop is None or loop.is_closed():
            self._discard()  # whatever was under way
        elif not line.depth and self._link.rested_since <= oldest:
            self._say(_Line.close_idle)

    def give_back(self) -> None:
        """As :class:`Holder` has it."""
        self._say(_Line.retire)

    def close(self) -> None:
        """As :class:`Holder` has it."""
        self._say(_Line.close, ConnectionResetError("the client closed the connection"))

    @property
    def awaited(self) -> bool:
        """As :class:`Holder` has it."""
        line, loop = self._line(), self._loop()
        return line is not None and loop is not None and not loop.is_closed() and line.awaited

    def _say(self, what: Callable[..., None], *args: object) -> None:
        line, loop = self._line(), self._loop()
        if line is None or loop is None:
            self._discard()
            return
        try:
            loop.call_soon_threadsafe(what, line, *args)
        except RuntimeError:
            self._discard()  # the loop is closed, and nobody waits for anything

    def _discard(self) -> None:
        self._node.lender.discard(self._link)

    def _collected(self, _: object) -> None:
        """The line has been collected along with its loop."""
        self._discard()


class _Line(Uncopyable):
    """A borrowed connection with its line of requests, carried by the loop's callbacks.

    The loop, which watches its socket, is all that keeps it alive. A KeyboardInterrupt may be raised anywhere in a
    callback and leave a request half moved from one queue to the next; after one the line is closed.
    """

    def __init__(self, link: Link, node: Node, loop: asyncio.AbstractEventLoop, lines: _Lines) -> None:
        self._link = link
        self._node = node
        self._lines = lines
        self._sock: socket.socket = link.for_loop()
        # A loop that is given the socket itself may keep it open beyond its own end.
        self._number = self._sock.fileno()
        self._frames = FrameReader()
        #: Answers owed, in order.
        self._sent: deque[tuple[asyncio.Future[bytes], FirstAttempt]] = deque()
        self._unsent: deque[tuple[asyncio.Future[bytes], FirstAttempt, bytes]] = deque()
        self._unsent_bytes = 0
        self._outgoing = b""
        self._flushing = False
        self._flush_at = 0.0
        self._blocked = False
        self._sweep: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._alive = True
        self._suspended = False
        self._retired = False
        #: When the line began, or the last burst of answers came in.
        self._began = 0.0
        self.depth = 0
        try:
            loop.add_reader(self._number, self._readable)
            node.lender.hold(link, _Telling(self, link, node, loop))
        except BaseException as error:
            if not isinstance(error, NotImplementedError):
                loop.remove_reader(self._number)
            raise

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

    def submit(self, frame: bytes, answer: asyncio.Future[bytes], attempt: FirstAttempt, now: float) -> None:
        """Put a request at the end of the line; what gathers until the loop's tasks have run goes out in one send.

        A callback that a KeyboardInterrupt hit before its first statement is lost, as all of asyncio's are. What was to
        be done by now and has not been is therefore scheduled again.
        """
        self._unsent.append((answer, attempt, frame))
        self._unsent_bytes += len(frame)
        self.depth += 1
        if not self._flushing or now - self._flush_at > _FLUSH_AGAIN:
            asyncio.get_running_loop().call_soon(self._flush)
            self._flush_at = now
            self._flushing = True
        if attempt.deadline < self._due or self._due < now:
            self._look_at(attempt.deadline)

    def abandoned(self, attempt: FirstAttempt) -> None:
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
        try:
            self._send_waiting()
        except BaseException:
            self.interrupted()
            raise

    def _send_waiting(self) -> None:
        if not self._alive:
            return
        now = time.monotonic()
        if not self._sent:
            if not self._link.fresh():
                self.close(ConnectionResetError("the server closed the connection, or sent a reply without a request"))
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
            answer, attempt, frame = unsent[0]
            self._unsent_bytes -= len(frame)
            if answer.done():
                unsent.popleft()
                self.depth -= 1  # withdrawn
                continue
            if restamp:
                frame = restamped(frame, attempt.limit, now)
            frames.append(frame)
            size += len(frame)
            # First into the one queue, then out of the other: whatever interrupts this, somebody hears of its end.
            sent.append((answer, attempt))
            unsent.popleft()
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
        asyncio.get_running_loop().add_writer(self._number, self._writable)

    def _put_back(self, frames: list[bytes]) -> None:
        for frame in reversed(frames):
            answer, attempt = self._sent[-1]
            self._unsent.appendleft((answer, attempt, frame))
            self._sent.pop()
            self._unsent_bytes += len(frame)

    def _writable(self) -> None:
        try:
            asyncio.get_running_loop().remove_writer(self._number)
            self._send_waiting()
        except BaseException:
            self.interrupted()
            raise

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            self._receive()
        except (OSError, ProtocolError) as error:
            self.close(error)
        except BaseException:
            self.interrupted()
            raise

    def _receive(self) -> None:
        """Hand out the answers that have arrived.

        Raises:
            OSError: the connection broke.
            ProtocolError: the server sent anything but the answers that it owes.
        """
        try:
            data = self._sock.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise ConnectionResetError("the server closed the connection")
        sent = self._sent
        frames = self._frames.feed(data)
        if frames:
            if len(frames) > len(sent):
                # Which of them are answers cannot be told, so none of them is handed out.
                raise self._unsolicited(f"{len(frames)} answers to {len(sent)} requests")
            for kind, body in frames:
                if kind != PROTO_MESSAGE or len(body) < MESSAGE_HEADER_SIZE:
                    raise self._unsolicited(f"a frame of type {kind} with {len(body)} bytes")
                answer = sent[0][0]
                if not answer.done():
                    answer.set_result(body)
                sent.popleft()
                self.depth -= 1
            self._suspended = False
            now = time.monotonic()
            self._lines.replied(len(frames), now - self._began)
            self._began = now
        if self._frames.error is not None:
            raise self._frames.error
        if not sent and self._frames.pending:
            raise self._unsolicited(f"{self._frames.pending} bytes after its last answer")
        if not self.depth:
            self._rest()

    def _unsolicited(self, what: str) -> ProtocolError:
        return ProtocolError(f"node {self._node.name} sent a reply without a request: {what}")

    def _rest(self) -> None:
        self._link.rested_since = time.monotonic()
        if self._retired:
            self.close(None)

    # -- time --------------------------------------------------------------------------------------------------------

    def _look_at(self, due: float) -> None:
        sweep = None
        if due < math.inf:
            delay = max(0.0, due - time.monotonic())
            sweep = asyncio.get_running_loop().call_later(delay, self._expire)
        # Noted only now that it is certain to come: an interrupt before costs a sweep too many.
        before, self._sweep = self._sweep, sweep
        self._due = due
        if before is not None:
            before.cancel()

    def _expire(self) -> None:
        try:
            if self._alive:
                self._give_up_overdue()
        except BaseException:
            self.interrupted()
            raise

    def _give_up_overdue(self) -> None:
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

    def interrupted(self) -> None:
        """Close the line, as a KeyboardInterrupt may have left its queues in any state."""
        self.close(ConnectionAbortedError("interrupted while requests were sent or answers read"))

    def close(self, error: Exception | None) -> None:
        """Give the connection up: what was sent fails, what was not is run by Trio."""
        if not self._alive:
            return
        self._alive = False
        self._lines.gone(self)
        self._look_at(math.inf)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._number)
        loop.remove_writer(self._number)
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
