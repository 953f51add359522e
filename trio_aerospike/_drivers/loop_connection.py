"""Pipelined connection of an asyncio loop: a leased socket that the loop watches, and its queue of requests."""

from __future__ import annotations

import asyncio
import math
import socket
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .._cluster.connections.connection import ABANDONED_SECONDS, SEND_SIZE, UNSENT_LIMIT, restamped
from .._cluster.connections.leases import Link
from .._cluster.connections.slot_leases import Slot
from .._cluster.tend.node import Node
from .._wire.constants import MESSAGE_HEADER_SIZE, PROTO_MESSAGE
from .._wire.frames import FrameReader
from ..errors import ProtocolError
from ..validation import Uncopyable
from .attempt import RESULT_CODE
from .loop_request import LoopRequest, Unsent
from .loop_stalls import StallClock

_RECEIVE_SIZE = 64 * 1024
#: Seconds after which a flush that has not run is scheduled again.
_FLUSH_AGAIN = 0.001


class SlotRelease(Protocol):
    """Where the slot of an answered command goes."""

    def release(self, slot: Slot, /) -> None: ...


class ConnectionOwner(Protocol):
    """What a connection reports to: the loop's connections to its node, with the requests that wait for admission."""

    clock: StallClock
    max_depth: int

    @property
    def slots(self) -> SlotRelease | None: ...

    @property
    def has_waiters(self) -> bool: ...

    @property
    def queued(self) -> int: ...

    def serve(self) -> None: ...

    def refill(self, connection: LoopConnection, /) -> None: ...

    def replied(self, count: int, elapsed: float, first: bool, /) -> None: ...

    def timed_out(self) -> None: ...

    def connection_closed(self, connection: LoopConnection, /) -> None: ...


class LoopLeaseOwner:
    """Forwards calls from Trio's thread to a connection, in the loop of the connection. Keeps neither alive."""

    def __init__(self, connection: LoopConnection, link: Link, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = weakref.ref(connection, self._collected)
        self._link = link
        self._node = node
        self._loop = weakref.ref(loop)

    def close_if_idle_since(self, oldest: float) -> None:
        """As in :class:`Holder`."""
        connection, loop = self._connection(), self._loop()
        if connection is None or loop is None or loop.is_closed():
            self._discard()  # whatever is in flight
        elif not connection.depth and self._link.rested_since <= oldest:
            self._call_in_loop(LoopConnection.close_idle)

    def give_back(self) -> None:
        """As in :class:`Holder`."""
        self._call_in_loop(LoopConnection.retire)

    def close(self) -> None:
        """As in :class:`Holder`."""
        self._call_in_loop(LoopConnection.close, ConnectionResetError("the client closed the connection"))

    @property
    def awaited(self) -> bool:
        """As in :class:`Holder`."""
        connection, loop = self._connection(), self._loop()
        return connection is not None and loop is not None and not loop.is_closed() and connection.has_waiters

    def _call_in_loop(self, what: Callable[..., None], *args: object) -> None:
        connection, loop = self._connection(), self._loop()
        if connection is None or loop is None:
            self._discard()
            return
        try:
            loop.call_soon_threadsafe(what, connection, *args)
        except RuntimeError:
            self._discard()  # the loop is closed: no task waits for anything

    def _discard(self) -> None:
        self._node.lender.discard(self._link)

    def _collected(self, _: object) -> None:
        """Discard the lease of a connection that was collected along with its loop."""
        self._discard()


class LoopConnection(Uncopyable):
    """A leased connection and its queue of requests, run by callbacks of the loop.

    Only the loop, which watches the socket, keeps it alive. A KeyboardInterrupt may be raised anywhere in a callback
    and leave a request half moved from one queue to the next: the connection is closed then.

    Args:
        link: the leased connection.
        node: the node.
        loop: the loop.
        owner: what the connection reports to.

    Attributes:
        depth: queue depth: requests that have not been answered.
    """

    def __init__(self, link: Link, node: Node, loop: asyncio.AbstractEventLoop, owner: ConnectionOwner) -> None:
        self._link = link
        self._node = node
        self._owner = owner
        self._clock = owner.clock
        self._sock: socket.socket = link.for_loop()
        # A loop that is given the socket itself may keep it open beyond its own end.
        self._fileno = self._sock.fileno()
        self._frames = FrameReader()
        #: Requests that were sent and not answered, in order.
        self._sent: deque[LoopRequest] = deque()
        self._unsent: deque[LoopRequest] = deque()
        self._unsent_bytes = 0
        self._outgoing = b""
        self._flushing = False
        self._flush_at = 0.0
        self._blocked = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._alive = True
        self._suspended = False
        self._retired = False
        #: When the queue was last empty, or the last burst of answers arrived.
        self._began = 0.0
        #: Whether nothing has been answered since the queue was last empty.
        self._fresh = True
        self.depth = 0
        try:
            loop.add_reader(self._fileno, self._readable)
            node.lender.hold(link, LoopLeaseOwner(self, link, node, loop))
        except BaseException as error:
            if not isinstance(error, NotImplementedError):
                loop.remove_reader(self._fileno)
            raise

    @property
    def has_room(self) -> bool:
        """Whether the connection takes one more request now."""
        return self.accepts_requests and self.depth < self._owner.max_depth and self._unsent_bytes < UNSENT_LIMIT

    @property
    def accepts_requests(self) -> bool:
        """Whether the connection takes requests now, or when some have been answered."""
        return self._alive and not self._suspended and not self._retired

    @property
    def has_waiters(self) -> bool:
        """Whether a task waits for an answer; may be read in any thread."""
        if self._owner.has_waiters:
            return True
        depth = self.depth
        answers = [request.answer for request in (*self._unsent.copy(), *self._sent.copy())]
        return len(answers) < depth or not all(answer.done() for answer in answers)

    def append(self, request: LoopRequest, now: float) -> None:
        """Append a request to the queue. Its time runs from ``now`` on the stall clock."""
        request.admit(now)
        request.connection = self
        self._unsent.append(request)
        self._unsent_bytes += len(request.frame)
        self.depth += 1
        if request.deadline < self._due or self._due < now:
            self._set_timer(request.deadline)

    def submit(self, request: LoopRequest, began: float) -> None:
        """Append a request to the queue; those that gather until the loop's tasks have run leave in one send.

        asyncio loses a callback that a KeyboardInterrupt ends before its first statement. A flush that is overdue is
        therefore scheduled again.
        """
        self.append(request, began)
        self.flush_again()

    def flush_again(self) -> None:
        """Schedule a flush, unless one is scheduled already or the socket is blocked."""
        now = time.monotonic()
        if not self._unsent:
            return
        if not self._flushing or now - self._flush_at > _FLUSH_AGAIN:
            asyncio.get_running_loop().call_soon(self._flush)
            self._flush_at = now
            self._flushing = True

    def abandoned(self, request: LoopRequest) -> None:
        """Note that the task of a request has ended: it is not sent any more, or its answer is dropped."""
        if not self._alive:
            return
        if request.deadline == math.inf:
            # It had no time limit, but those behind it may have one: they are moved if its answer does not come.
            request.deadline = self._clock.now() + ABANDONED_SECONDS
            if request.deadline < self._due:
                self._set_timer(request.deadline)
        elif self._suspended:
            self._close_unless_waited_for()

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
        now = self._clock.now()
        if not self._sent:
            if not self._link.fresh():
                self.close(ConnectionResetError("the server closed the connection, or sent a reply without a request"))
                return
            self._began = now
            self._fresh = True
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
            self._became_idle()  # all were withdrawn

    def _gather(self, now: float, restamp: bool) -> list[bytes]:
        """Return the frames of the requests to send next, which count as sent from now on."""
        unsent = self._unsent
        sent = self._sent
        frames: list[bytes] = []
        size = 0
        while unsent and size < SEND_SIZE:
            request = unsent[0]
            frame = request.frame
            self._unsent_bytes -= len(frame)
            if request.answer.done():
                unsent.popleft()
                self.depth -= 1  # withdrawn
                continue
            if restamp:
                frame = request.frame = restamped(frame, request.limit, now)
            frames.append(frame)
            size += len(frame)
            # Appended first, then removed: wherever this is interrupted, the request is in a queue.
            request.in_flight = True
            sent.append(request)
            unsent.popleft()
        return frames

    def _send(self, data: bytes, frames: list[bytes]) -> None:
        """Send bytes. If the socket takes none of them, the requests of ``frames`` are unsent again."""
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
        self._flushing = self._blocked = True  # new requests gather until the socket takes more
        asyncio.get_running_loop().add_writer(self._fileno, self._writable)

    def _put_back(self, frames: list[bytes]) -> None:
        for frame in reversed(frames):
            request = self._sent[-1]
            self._unsent.appendleft(request)
            request.in_flight = False
            self._sent.pop()
            self._unsent_bytes += len(frame)

    def _writable(self) -> None:
        try:
            asyncio.get_running_loop().remove_writer(self._fileno)
            self._send_waiting()
            if self._owner.queued:
                self._owner.serve()
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
        """Read answers that have arrived, and settle their requests.

        Raises:
            OSError: the connection broke.
            ProtocolError: the server sent anything but the answers owed.
        """
        try:
            data = self._sock.recv(_RECEIVE_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise ConnectionResetError("the server closed the connection")
        sent = self._sent
        owner = self._owner
        frames = self._frames.feed(data)
        if frames:
            if len(frames) > len(sent):
                # It cannot be told which of them are the answers, so none of them is used.
                raise self._unsolicited(f"{len(frames)} answers to {len(sent)} requests")
            for kind, body in frames:
                if kind != PROTO_MESSAGE or len(body) < MESSAGE_HEADER_SIZE:
                    raise self._unsolicited(f"a frame of type {kind} with {len(body)} bytes")
                request = sent[0]
                if request.answer.done():
                    request.finish()
                else:
                    request.in_flight = False
                    request.answer.set_result(body)
                    slot = request.slot
                    if slot is not None and not body[RESULT_CODE] and owner.slots is not None:
                        request.slot = None
                        owner.slots.release(slot)  # the next request starts at once
                sent.popleft()
                self.depth -= 1
            self._suspended = False
            now = self._clock.now()
            self._owner.replied(len(frames), now - self._began, self._fresh)
            self._began = now
            self._fresh = False
        if self._frames.error is not None:
            raise self._frames.error
        if not sent and self._frames.pending:
            raise self._unsolicited(f"{self._frames.pending} bytes after its last answer")
        if frames and owner.queued:
            owner.refill(self)
        if self._unsent and not self._blocked:
            # At once, so that the server works while the tasks run whose answers have arrived.
            self._send_waiting()
            if self._alive and owner.queued and not self.has_room:
                owner.serve()
        if not self.depth and self._alive:
            self._became_idle()

    def read(self) -> None:
        """Read what has arrived."""
        if self._alive:
            self._readable()

    def _unsolicited(self, what: str) -> ProtocolError:
        return ProtocolError(f"node {self._node.name} sent a reply without a request: {what}")

    def _became_idle(self) -> None:
        self._link.rested_since = time.monotonic()
        if self._retired:
            self.close(None)

    # -- time --------------------------------------------------------------------------------------------------------

    def _set_timer(self, due: float) -> None:
        timer = None
        if due < math.inf:
            delay = max(0.0, due - self._clock.now())
            timer = asyncio.get_running_loop().call_later(delay, self._expire)
        # Only after setting it: an interrupt between the two leaves one timer too many.
        before, self._timer = self._timer, timer
        self._due = due
        if before is not None:
            before.cancel()

    def _expire(self) -> None:
        try:
            if self._alive:
                self._fail_overdue()
        except BaseException:
            self.interrupted()
            raise

    def _fail_overdue(self) -> None:
        """Fail what is overdue. An overdue head suspends the connection, and closes it when no task waits."""
        self._timer = None
        self._due = math.inf
        if self._sent and self._sent[0].deadline <= self._clock.now():
            self._readable()  # the answer may have arrived while the loop was blocked
            if not self._alive:
                return
        now = self._clock.now()
        due = math.inf
        for request in self._sent:
            if request.deadline > now:
                due = min(due, request.deadline)
            elif request.answer.done():
                request.finish()
            else:
                request.answer.set_exception(TimeoutError())
        for request in self._unsent:
            if request.deadline > now:
                due = min(due, request.deadline)
            elif not request.answer.done():
                request.answer.set_exception(Unsent())
        if self._sent and self._sent[0].deadline <= now:
            self._suspended = True
            self._owner.timed_out()
            self._return_unsent()
            if self._close_unless_waited_for():
                return
        self._set_timer(due)

    def _close_unless_waited_for(self) -> bool:
        if any(not request.answer.done() for request in self._sent):
            return False
        self.close(None)
        return True

    # -- the end -----------------------------------------------------------------------------------------------------

    def close_idle(self) -> None:
        """Close the connection unless it has requests by now."""
        if not self.depth:
            self.close(None)

    def retire(self) -> None:
        """Take no more requests, and close when everything is answered."""
        self._retired = True
        if not self.depth:
            self.close(None)

    def interrupted(self) -> None:
        """Close the connection, since a KeyboardInterrupt may have left its queues in any state."""
        self.close(ConnectionAbortedError("interrupted while requests were sent or answers read"))

    def close(self, error: Exception | None) -> None:
        """Close the connection: requests that were sent fail, those that were not are executed by Trio."""
        if not self._alive:
            return
        self._alive = False
        self._owner.connection_closed(self)
        self._set_timer(math.inf)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fileno)
        loop.remove_writer(self._fileno)
        if isinstance(error, TimeoutError):
            # From the kernel (ETIMEDOUT): the peer does not respond, however much time the requests have left.
            error = ConnectionAbortedError(*error.args)
        for request in self._sent:
            if request.answer.done():
                request.finish()
            else:
                request.in_flight = False
                request.answer.set_exception(error or TimeoutError())
        self._sent.clear()
        self._return_unsent()
        self.depth = 0
        self._node.lender.discard(self._link)

    def _return_unsent(self) -> None:
        """Have requests that were not sent executed elsewhere."""
        self.depth -= len(self._unsent)
        for request in self._unsent:
            if not request.answer.done():
                request.answer.set_exception(Unsent())
        self._unsent.clear()
        self._unsent_bytes = 0
