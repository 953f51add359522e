"""A pipelined connection: requests go out in order, replies come back in the same order.

The server reads the next request of a connection when the answer to the last one is out (server:
``as/src/base/service.c``), so replies need no correlation id: the head of the line owns the next reply. Submitting is
synchronous; one writer task sends whatever has gathered, one reader task hands the replies out.
"""

from __future__ import annotations

import itertools
import logging
import math
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from ..._wire.commands import TRANSACTION_TTL_OFFSET, transaction_ttl_of
from ..._wire.constants import MESSAGE_HEADER_SIZE
from ..._wire.frames import FrameReader
from ...errors import ProtocolError
from ...validation import Uncopyable
from .loop_clock import loop_clock
from .request import WOKEN, Failure, Pending
from .transport import Transport

#: Bytes asked of the transport at a time. A larger buffer is mapped and unmapped by the allocator for each receive.
RECEIVE_SIZE = 64 * 1024
#: Bytes gathered for one send; what stands behind them can still be withdrawn.
SEND_SIZE = 128 * 1024
#: Requests that go out without waiting for the writer's turn: the node works on them while the next gather.
GATHER = 32
#: A line with more unsent bytes than this takes nothing more.
UNSENT_LIMIT = 1024 * 1024
#: Seconds that an abandoned request without a limit may hold up the line.
ABANDONED_SECONDS = 1.0
#: Maximum reroutes of a read queued behind slow requests.
MAX_REROUTED = 3

logger = logging.getLogger("trio_aerospike")

_MESSAGE = 3
_U32 = struct.Struct(">I")


def ttl_milliseconds(expires: float, now: float) -> int:
    """What is left of a command's time as a transaction ttl: whole milliseconds, at least 1, never 0."""
    return transaction_ttl_of(expires - now)


def restamped(frame: bytes, expires: float, now: float) -> bytes:
    """A request with what is left of its time as its transaction ttl; as it is where time does not matter."""
    if frame[1] != _MESSAGE or expires == math.inf:
        return frame
    ttl = _U32.pack(ttl_milliseconds(expires, now))
    return frame[:TRANSACTION_TTL_OFFSET] + ttl + frame[TRANSACTION_TTL_OFFSET + 4 :]


def stamped(frame: bytes, pending: Pending, now: float) -> bytes:
    """Return the request with its remaining time, or that of its caller's scope, as transaction ttl."""
    expires = pending.expires
    if pending.scope_deadline < math.inf:
        expires = min(expires, now + pending.scope_deadline - trio.current_time())
    return restamped(frame, expires, now)


class Owner(Protocol):
    """What a connection reports to: its pool, or the node for the connection of the tend loop."""

    def replied(
        self, connection: Connection, count: int, elapsed: float, fresh: bool, age: float, cost: float, writes: int
    ) -> None: ...

    def due(self, deadline: float) -> None: ...

    def closed(self, connection: Connection, unsent: list[Pending], error: BaseException | None) -> None: ...


class Connection(Uncopyable):
    """One transport with its line of requests. Times are on the loop clock.

    Attributes:
        depth: requests in the line, tombstones included.
        load: seconds that the line is expected to take.
        max_line: requests in the line at the most, as the pool has set it.
        suspended: the head is slow, or overdue: takes nothing new until it is answered.
        overdue: the head has not been answered within its deadline.
        retired: takes nothing new, and closes when its line is empty.
        idle_since: when the line was last emptied.
        replied_at: when a reply last came; minus infinity before the first.
    """

    __slots__ = (
        "_blocked",
        "_clock",
        "_frames",
        "_fresh",
        "_line_began",
        "_now",
        "_outgoing",
        "_owner",
        "_scope",
        "_sending",
        "_sent",
        "_transport",
        "_turn",
        "_unread",
        "_unsent",
        "_unsent_bytes",
        "_waited",
        "_writer",
        "alive",
        "depth",
        "exclusive",
        "idle_since",
        "label",
        "load",
        "max_line",
        "on_idle_stack",
        "overdue",
        "replied_at",
        "retired",
        "suspended",
    )

    def __init__(self, transport: Transport, owner: Owner, *, max_line: int, label: str) -> None:
        self._transport = transport
        # Tells what the peer has sent that is not read yet; over TLS and in memory nobody can.
        self._unread: Callable[[], object] = getattr(transport, "unread", bool)
        self._owner = owner
        self._frames = FrameReader()
        self._unsent: deque[Pending] = deque()
        self._unsent_bytes = 0
        self._outgoing = b""
        self._sent: deque[Pending] = deque()
        self._clock = clock = loop_clock()
        #: The iteration of the event loop in which the line began or was last answered.
        self._turn = 0
        self._now = clock.now
        self._waited = clock.waited
        self._line_began = 0.0
        self._fresh = True
        self._writer: trio.lowlevel.Task | None = None
        self._blocked = False
        self._sending = False
        self._scope = trio.CancelScope()
        self.alive: bool = True
        self.depth: int = 0
        self.load: float = 0.0
        self.max_line: int = max_line
        self.suspended: bool = False
        self.overdue: bool = False
        self.retired: bool = False
        self.exclusive: bool = False
        self.on_idle_stack: bool = False
        self.idle_since: float = self._now()
        self.replied_at: float = -math.inf
        self.label: str = label

    def __repr__(self) -> str:
        state = "open" if self.alive else "closed"
        extras = [word for word in ("suspended", "retired", "exclusive") if getattr(self, word)]
        return f"<Connection {self.label} {', '.join([state, *extras])}: {len(self._sent)} sent, {self.depth} in line>"

    # -- the caller's side -------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether the line takes one more request."""
        return (
            self.depth < self.max_line
            and self.alive
            and not self.suspended
            and not self.exclusive
            and not self.retired
            and self._unsent_bytes < UNSENT_LIMIT
        )

    def submit(self, pending: Pending, *, waited: bool = False, alone: bool = True) -> None:
        """Put a request at the end of the line, to go out with what gathers there until the writer's turn.

        Args:
            pending: the request.
            waited: whether it waited for room: its command is admitted now, and its transaction ttl set anew.
            alone: whether nothing is expected to gather: where nothing stands before it, it goes out now.
        """
        pending.holder = self
        self.depth += 1
        self.load += pending.cost
        if pending.exclusive:
            self.exclusive = True
        frame = pending.frame
        assert frame is not None
        if waited:
            now = self._now()
            pending.admit(now)
            frame = pending.frame = stamped(frame, pending, now)
        # A parked writer has nothing half sent. An empty line does not say that: a server may answer early.
        if alone and self.depth == 1 and self._writer is not None and len(frame) <= SEND_SIZE:
            try:
                self._check_silence()
                taken = self._transport.try_send(frame)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                # Nothing of this frame went out: it moves on with the unsent ones.
                self._unsent.append(pending)
                self.close(error)
                return
            if taken:
                pending.sent = True
                if pending.write or pending.exclusive:
                    pending.frame = None
                pending.sent_at = self._now()
                self._line_began = self._waited()
                self._turn = self._clock.turn
                self._fresh = True
                self._sent.append(pending)
                if taken < len(frame):
                    self._outgoing = frame[taken:]
                    self._wake_writer()
                return
        self._unsent.append(pending)
        self._unsent_bytes += len(frame)
        self._wake_writer()
        if len(self._unsent) == GATHER and not self._outgoing and not self._sending:
            self._send_gathered()

    def _send_gathered(self) -> None:
        """Send what has gathered, in the caller's turn; what the socket does not take stays, for the writer to send."""
        try:
            frames = self._gather()
        except OSError as error:
            self.close(error)
            return
        chunk = b"".join(frames)
        try:
            taken = self._transport.try_send(chunk)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._put_back(frames)
            self.close(error)
            return
        if not taken:
            self._put_back(frames)
        elif taken < len(chunk):
            self._outgoing = chunk[taken:]

    def withdraw(self, pending: Pending) -> None:
        """Forget an unsent request whose caller has gone."""
        self._unsent.remove(pending)
        self._left(pending)
        if pending.frame is not None:
            self._unsent_bytes -= len(pending.frame)
            pending.frame = None
        pending.finish()
        self._owner.replied(self, 0, 0.0, False, 0.0, 0.0, 0)
        if self.retired and not self.depth:
            self.close(None)

    def abandoned(self, pending: Pending) -> None:
        """The caller of a sent request has gone. Perhaps nobody waits here any more, and somebody else needs room."""
        if pending.deadline == math.inf:
            # It had all the time in the world, but those behind it have not: when it stays silent they go elsewhere.
            pending.deadline = self._now() + ABANDONED_SECONDS
            self._owner.due(pending.deadline)
        if self.suspended:
            self._owner.replied(self, 0, 0.0, False, 0.0, 0.0, 0)

    def prolong(self, pending: Pending, deadline: float) -> None:
        """Give a request more time, or less, than it had."""
        pending.deadline = deadline
        self._owner.due(deadline)

    def take_unsent(self) -> list[Pending]:
        """Take the requests that have not been sent out of the line, to go elsewhere."""
        moved = list(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        for pending in moved:
            self._left(pending)
            pending.holder = None
        return moved

    def expire(self, now: float) -> float:
        """Give up what is overdue.

        Returns:
            The next time at which something in this line is due; infinity when nothing is.
        """
        due = math.inf
        overdue_unsent = False
        for pending in self._sent:
            if pending.deadline > now:
                due = min(due, pending.deadline)
            else:
                pending.fail(Failure.EXPIRED)
        for pending in self._unsent:
            if pending.deadline > now:
                due = min(due, pending.deadline)
            else:
                overdue_unsent = True
        if overdue_unsent:
            self._drop_overdue_unsent(now)
        if self._sent and self._sent[0].deadline <= now:
            self.suspended = self.overdue = True
            head = self._sent[0]
            budget = head.sent_at + head.socket_timeout
            if budget <= now and not any(pending.task is not None for pending in self._sent):
                self.close(None)
            elif budget > now:
                due = min(due, budget)
        return due

    @property
    def oldest_sent_at(self) -> float:
        """When the oldest request without a reply was sent; infinity if nothing is in flight."""
        return self._sent[0].sent_at if self._sent else math.inf

    def is_stalled(self, now: float, threshold: float, turn: int) -> bool:
        """Whether the request that the server works on takes longer than ``threshold`` seconds.

        Args:
            now: the time.
            threshold: seconds.
            turn: an iteration of the event loop; the last reply, or the first request, must have come before it.
        """
        sent = self._sent
        return bool(sent) and self._turn <= turn and now - max(sent[0].sent_at, self.replied_at) >= threshold

    def delayed_reads(self) -> list[Pending]:
        """The reads that were sent behind a slow request; the line takes nothing more until that is answered."""
        self.suspended = True
        reads: list[Pending] = []
        for pending in itertools.islice(self._sent, 1, None):
            original = pending.original or pending
            if original.task is None or original.write or original.exclusive or original.kind != _MESSAGE:
                continue
            if original.rerouted < MAX_REROUTED and (pending is not original or not original.rerouted):
                reads.append(original)
        return reads

    def _drop_overdue_unsent(self, now: float) -> None:
        kept: deque[Pending] = deque()
        for pending in self._unsent:
            if pending.deadline <= now:
                self._left(pending)
                if pending.frame is not None:
                    self._unsent_bytes -= len(pending.frame)
                pending.fail(Failure.EXPIRED)
            else:
                kept.append(pending)
        self._unsent = kept

    @property
    def has_live_requests(self) -> bool:
        """Whether anybody still waits for something in this line."""
        return any(p.task is not None for p in self._sent) or any(p.task is not None for p in self._unsent)

    def close(self, error: BaseException | None) -> None:
        """Take the connection out of service now: what was sent fails, what was not goes back to the owner.

        Args:
            error: what broke it; None when it is closed on purpose.
        """
        if not self.alive:
            return
        self.alive = False
        unsent = self.take_unsent()
        sent, self._sent = self._sent, deque()
        for pending in sent:
            pending.consume = None
            pending.fail(Failure.BROKEN, error)
        self.depth = 0
        self.load = 0.0
        self._scope.cancel()
        self._owner.closed(self, unsent, error)

    def close_inherited(self) -> None:
        """In a forked child: release the descriptor without a word to the server, which is the parent's peer."""
        self._transport.close_now()

    # -- the tasks ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry bytes both ways until the connection breaks or is closed. Never raises anything but Cancelled."""
        error: BaseException | None = None
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    error = await self._read()
                    # At once: what would still be sent here would be in doubt.
                    self.close(error)
                    nursery.cancel_scope.cancel()
        finally:
            self.close(error)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                try:
                    await self._transport.aclose()
                except (OSError, trio.BrokenResourceError):
                    pass  # it is closed, which is all that was asked

    async def _read(self) -> BaseException:
        """Hand out replies until the connection ends; returns what ended it."""
        receive = self._transport.receive_some
        feed = self._frames.feed
        try:
            while True:
                data = await receive(RECEIVE_SIZE)
                if not data:
                    return ConnectionResetError("the server closed the connection")
                frames = feed(data)
                if frames:
                    self._hand_out(frames)
                if self._frames.error is not None:
                    return self._frames.error
                if not self._sent and self._frames.pending:
                    return self._unsolicited(f"{self._frames.pending} bytes after its last answer")
                head = self._sent[0] if self._sent else None
                if head is not None and head.hold is not None:
                    await head.hold.wait()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError) as error:
            return error
        except Exception as error:
            # Out of memory, or a fault of ours: it may cost what this connection carries, and not the client.
            logger.exception("%s: an unexpected error ends the connection", self.label)
            return error

    def _hand_out(self, frames: list[tuple[int, bytes]]) -> None:
        sent = self._sent
        if not sent or (len(frames) > len(sent) and sent[0].consume is None):
            # Which of them are answers cannot be told, so none of them is handed out.
            raise self._unsolicited(f"{len(frames)} answers to {len(sent)} requests")
        waited = self._waited()
        elapsed = waited - self._line_began
        fresh = self._fresh
        self._line_began = waited
        self._fresh = False
        now = self.replied_at = self._now()
        self._turn = self._clock.turn
        began = sent[0].sent_at
        count = writes = 0
        cost = 0.0
        reschedule = trio.lowlevel.reschedule
        for kind, body in frames:
            if not sent:
                raise self._unsolicited("a frame after its last answer")
            pending = sent[0]
            if kind != pending.kind:
                raise ProtocolError(f"{self.label} answered a request of type {pending.kind} with type {kind}")
            if pending.consume is not None:
                try:
                    if not pending.consume(body):
                        continue
                except ProtocolError:
                    raise
                except Exception as error:
                    # The request has the connection for itself, so the rest of the answer can be discarded.
                    pending.fail(Failure.UNREADABLE, error)
                    self.close(None)
                    return
            elif kind == _MESSAGE and len(body) < MESSAGE_HEADER_SIZE:
                raise ProtocolError(f"{self.label} sent a message of {len(body)} bytes, shorter than its header")
            sent.popleft()
            pending.consume = None  # which leads back to the request, in a circle
            self.depth -= 1
            self.load -= pending.cost
            self.suspended = self.overdue = False
            if pending.exclusive:
                self.exclusive = False  # how long its answer took says nothing about a single record
            else:
                count += 1
                cost += pending.cost
                writes += pending.write
            task = pending.task
            if task is not None:
                pending.task = None
                pending.reply = body
                reschedule(task, WOKEN)
            else:
                pending.answer(body)
        if not self.depth:
            self.load = 0.0
            self.idle_since = now
        self._owner.replied(self, count, elapsed, fresh, now - began, cost, writes)
        if self.retired and not self.depth:
            self.close(None)

    def _unsolicited(self, what: str) -> ProtocolError:
        return ProtocolError(f"{self.label} sent a reply without a request: {what}")

    def _check_silence(self) -> None:
        """Look, before a request is sent where none is under way, whether the server has sent anything by itself.

        Raises:
            ConnectionResetError: it has, or has hung up: what is left over would be taken for the answer.
        """
        if self._unread():
            raise ConnectionResetError("the server closed the connection, or sent a reply without a request")

    def retire(self) -> None:
        """Take nothing new; close once everything in the line has been answered or has expired."""
        self.retired = True
        if not self.depth:
            self.close(None)

    async def _write(self) -> None:
        """Send what gathers; a failure here is left for the reader, which sees the end of the connection."""
        transport = self._transport
        try:
            while True:
                chunk = self._outgoing
                self._outgoing = b""
                frames: list[bytes] = []
                if not chunk:
                    frames = self._gather()
                    chunk = frames[0] if len(frames) == 1 else b"".join(frames)
                if not chunk:
                    self._writer = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._writer_gone)
                    continue
                try:
                    taken = transport.try_send(chunk)
                except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    self._put_back(frames)
                    raise
                if taken < len(chunk):
                    self._blocked = True
                    self._sending = True
                    await transport.send_all(chunk[taken:])
                    self._sending = False
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.close(error)

    def _gather(self) -> list[bytes]:
        """The frames to go out next; their requests count as sent."""
        unsent = self._unsent
        if not unsent:
            return []
        now = self._now()
        if not self._sent:
            self._check_silence()
            self._line_began = self._waited()
            self._turn = self._clock.turn
            self._fresh = True
        restamp, self._blocked = self._blocked, False
        frames: list[bytes] = []
        size = 0
        sent = self._sent
        while unsent and size < SEND_SIZE:
            pending = unsent.popleft()
            frame = pending.frame
            assert frame is not None
            if restamp:
                frame = stamped(frame, pending, now)
            if pending.write or pending.exclusive:
                pending.frame = None
            pending.sent = True
            pending.sent_at = now
            sent.append(pending)
            frames.append(frame)
            size += len(frame)
        self._unsent_bytes -= size
        return frames

    def _put_back(self, frames: list[bytes]) -> None:
        """Nothing of what was just gathered went out: its requests are free to go elsewhere, and in no doubt."""
        for frame in reversed(frames):
            pending = self._sent.pop()
            pending.frame = frame
            pending.sent = False
            self._unsent.appendleft(pending)
            self._unsent_bytes += len(frame)

    def _wake_writer(self) -> None:
        writer = self._writer
        if writer is not None:
            self._writer = None
            trio.lowlevel.reschedule(writer)

    def _writer_gone(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _left(self, pending: Pending) -> None:
        self.depth -= 1
        self.load -= pending.cost
        if pending.exclusive:
            self.exclusive = False
        if not self.depth:
            self.load = 0.0
            self.idle_since = self._now()
