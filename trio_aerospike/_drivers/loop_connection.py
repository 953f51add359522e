"""Pipelined connection of an asyncio loop: drive the request pipeline over a leased socket that the loop watches."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from .._cluster.connections.blocking_connection import BlockingConnection
from .._cluster.connections.slot_leases import Slot
from .._cluster.tend.node import Node
from .._wire.pipeline import UNSENT_LIMIT, RequestPipeline
from ..errors import ProtocolError
from ..validation import Uncopyable
from .first_attempt import RESULT_CODE
from .loop_request import LoopRequest, Unsent
from .stall_clock import PERIOD, StallClock

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

    def replied(self, count: int, elapsed: float, first: bool, age: float, /) -> None: ...

    def timed_out(self) -> None: ...

    def connection_closed(self, connection: LoopConnection, /) -> None: ...


class LoopLeaseOwner:
    """Forwards calls from Trio's thread to a connection, in the loop of the connection. Keeps neither alive."""

    def __init__(
        self, connection: LoopConnection, leased: BlockingConnection, node: Node, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connection = weakref.ref(connection, self._collected)
        self._leased = leased
        self._node = node
        self._loop = weakref.ref(loop)

    def close_if_idle_since(self, oldest: float) -> None:
        """As in :class:`LeaseOwner`."""
        connection, loop = self._connection(), self._loop()
        if connection is None or loop is None or loop.is_closed():
            self._discard()  # whatever is in flight
        elif not connection.depth and self._leased.rested_since <= oldest:
            self._call_in_loop(LoopConnection.close_idle)

    def give_back(self) -> None:
        """As in :class:`LeaseOwner`."""
        self._call_in_loop(LoopConnection.retire)

    def close(self) -> None:
        """As in :class:`LeaseOwner`."""
        self._call_in_loop(LoopConnection.close, ConnectionResetError("the client closed the connection"))

    @property
    def awaited(self) -> bool:
        """As in :class:`LeaseOwner`."""
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
        self._node.leases.discard(self._leased)

    def _collected(self, _: object) -> None:
        """Discard the lease of a connection that was collected along with its loop."""
        self._discard()


class LoopConnection(Uncopyable):
    """A leased connection, run by callbacks of the loop, and its request pipeline.

    Only the loop, which watches the socket, keeps it alive. A KeyboardInterrupt may be raised anywhere in a callback:
    the connection is closed then, and each request ends.

    Args:
        leased: the leased connection.
        node: the node.
        loop: the loop.
        owner: what the connection reports to.
    """

    def __init__(
        self, leased: BlockingConnection, node: Node, loop: asyncio.AbstractEventLoop, owner: ConnectionOwner
    ) -> None:
        self._leased = leased
        self._node = node
        self._owner = owner
        self._clock = owner.clock
        self._pipeline: RequestPipeline[LoopRequest] = RequestPipeline(f"node {node.name}")
        self._sock: socket.socket = leased.for_loop()
        # A loop that is given the socket itself may keep it open beyond its own end.
        self._fileno = self._sock.fileno()
        #: A flush is scheduled.
        self._flushing = False
        self._flush_at = 0.0
        #: The loop waits until the socket takes more.
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
        self._replied_at = -math.inf
        try:
            loop.add_reader(self._fileno, self._readable)
            node.leases.hold(leased, LoopLeaseOwner(self, leased, node, loop))
        except BaseException as error:
            if not isinstance(error, NotImplementedError):
                loop.remove_reader(self._fileno)
            raise

    @property
    def depth(self) -> int:
        """Queue depth: requests that have not been answered."""
        pipeline = self._pipeline
        return len(pipeline.sent) + len(pipeline.unsent)

    @property
    def has_room(self) -> bool:
        """Whether the connection takes one more request now."""
        return (
            self.accepts_requests and self.depth < self._owner.max_depth and self._pipeline.unsent_bytes < UNSENT_LIMIT
        )

    @property
    def accepts_requests(self) -> bool:
        """Whether the connection takes requests now, or when some have been answered."""
        return self._alive and not self._suspended and not self._retired

    @property
    def has_waiters(self) -> bool:
        """Whether a task waits for an answer; may be read in any thread."""
        if self._owner.has_waiters:
            return True
        pipeline = self._pipeline
        # A request that moves between the two meanwhile is in one of the three copies.
        requests = (*pipeline.sent.copy(), *pipeline.unsent.copy(), *pipeline.sent.copy())
        return not all(request.answer.done() for request in requests)

    def append(self, request: LoopRequest, now: float) -> None:
        """Append a request to the queue. Its time runs from ``now`` on the stall clock."""
        request.admit(now)
        request.connection = self
        self._pipeline.submit(request)
        if request.deadline < self._due:
            self._set_timer(request.deadline)

    def submit(self, request: LoopRequest, began: float) -> None:
        """Append a request to the queue; those that gather until the loop's tasks have run leave in one send.

        asyncio loses a callback that a KeyboardInterrupt ends before its first statement: see :meth:`reschedule`.
        """
        self.append(request, began)
        self._schedule_flush()

    def reschedule(self, now: float) -> None:
        """Schedule a flush or a timer once more that is overdue: a KeyboardInterrupt may have lost it."""
        self._schedule_flush()
        if self._due < now - PERIOD:
            self._set_timer(now)

    def _schedule_flush(self) -> None:
        """Schedule a flush, unless one is scheduled already or the socket is blocked."""
        now = time.monotonic()
        if self._blocked or not self._pipeline.unsent:
            return
        if not self._flushing or now - self._flush_at > _FLUSH_AGAIN:
            asyncio.get_running_loop().call_soon(self._flush)
            self._flush_at = now
            self._flushing = True

    def abandoned(self, request: LoopRequest) -> None:
        """Note that the task of a request has ended: it is not sent any more, or its answer is dropped."""
        if not self._alive or not request.in_flight:
            return  # an unsent request is withdrawn before the next send
        # Requests behind it may have less time than it had.
        self._pipeline.abandon(request, self._clock.now())
        if request.deadline < self._due:
            self._set_timer(request.deadline)
        if self._suspended:
            self._close_unless_waited_for()

    # -- sending -----------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        try:
            self._flushing = False
            self._send()
        except BaseException:
            self.interrupted()
            raise

    def _send(self) -> None:
        """Send what is unsent, as far as the socket takes it."""
        if not self._alive or self._blocked:
            return
        pipeline = self._pipeline
        now = self._clock.now()
        self._withdraw_cancelled()
        if not pipeline.sent:
            if not self._leased.fresh():
                self.close(ConnectionResetError("the server closed the connection, or sent a reply without a request"))
                return
            self._began = now
            self._fresh = True
        while data := pipeline.data_to_send(now):
            try:
                count = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                count = 0
            except OSError as error:
                pipeline.bytes_sent(0)
                self.close(error)
                return
            pipeline.bytes_sent(count)
            if count < len(data):
                self._blocked = pipeline.blocked = True
                asyncio.get_running_loop().add_writer(self._fileno, self._writable)
                break
        if not self.depth:
            self._became_idle()  # all were withdrawn

    def _withdraw_cancelled(self) -> None:
        """Withdraw unsent requests whose tasks have ended."""
        pipeline = self._pipeline
        for request in [request for request in pipeline.unsent if request.answer.done()]:
            pipeline.withdraw(request)

    def _writable(self) -> None:
        try:
            self._blocked = False
            asyncio.get_running_loop().remove_writer(self._fileno)
            self._send()
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
        pipeline = self._pipeline
        owner = self._owner
        completed = pipeline.receive_data(data)
        slots = owner.slots
        if pipeline.error is not None:
            self._retired = True
        for request, body in completed:
            request.settle(body)
            slot = request.slot
            if slot is not None and slots is not None and body and not body[RESULT_CODE]:
                request.slot = None
                slots.release(slot)  # the next request starts at once
        if completed:
            self._suspended = False
            now = self._clock.now()
            owner.replied(len(completed), now - self._began, self._fresh, now - completed[0][0].sent_at)
            self._began = self._replied_at = now
            self._fresh = False
        if pipeline.error is not None:
            raise pipeline.error
        if completed and owner.queued:
            owner.refill(self)
        if pipeline.unsent:
            # At once, so that the server works while the tasks run whose answers have arrived.
            self._send()
            if self._alive and owner.queued and not self.has_room:
                owner.serve()
        if not self.depth and self._alive:
            self._became_idle()
        completed.clear()

    def read(self) -> None:
        """Read what has arrived."""
        if self._alive:
            self._readable()

    def relieve(self, threshold: float) -> bool:
        """Have what is queued behind a request that takes longer than ``threshold`` seconds executed elsewhere.

        Returns:
            Whether there is such a request; the connection takes no more until it is answered.
        """
        if self._is_stalled(threshold):
            self._readable()  # answers may have arrived while the loop was blocked
        if not self._is_stalled(threshold):
            return False
        try:
            self._suspended = True
            for request in itertools.islice(self._pipeline.sent, 1, None):
                request.reroute()
            self._move_unsent()
        except BaseException:
            self.interrupted()
            raise
        return True

    def _is_stalled(self, threshold: float) -> bool:
        if self.depth < 2 or not self._pipeline.sent or not self.accepts_requests:
            return False
        return self._clock.now() - max(self._pipeline.sent[0].sent_at, self._replied_at) >= threshold

    def _became_idle(self) -> None:
        self._leased.rested_since = time.monotonic()
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
        pipeline = self._pipeline
        sent = pipeline.sent
        self._timer = None
        self._due = math.inf
        now = self._clock.start()
        if sent and sent[0].deadline <= now:
            self._readable()  # the answer may have arrived while the loop was blocked
            if not self._alive:
                return
        now = self._clock.now()
        overdue, due = pipeline.expire(now)
        for request in overdue:
            request.fail(TimeoutError() if request.sent else Unsent())
        overdue.clear()
        if sent and sent[0].deadline <= now:
            self._suspended = True
            self._owner.timed_out()
            for request in itertools.islice(sent, 1, None):
                request.reroute()
            self._move_unsent()
            if self._close_unless_waited_for():
                return
        self._set_timer(due)

    def _close_unless_waited_for(self) -> bool:
        if any(not request.answer.done() for request in self._pipeline.sent):
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
        """Close the connection, since a KeyboardInterrupt may have left any state."""
        self.close(ConnectionAbortedError("interrupted while requests were sent or answers read"))

    def close(self, error: Exception | None) -> None:
        """Close the connection: requests that were sent fail, those that were not are executed by Trio."""
        if not self._alive:
            return
        try:
            self._close(error)
        except BaseException:
            self._close(error)  # all of it may be done twice: whatever was interrupted, each request ends
            raise

    def _close(self, error: Exception | None) -> None:
        self._retired = True
        self._owner.connection_closed(self)
        self._set_timer(math.inf)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fileno)
        loop.remove_writer(self._fileno)
        if error is None:
            error = TimeoutError()
        elif isinstance(error, TimeoutError):
            # From the kernel (ETIMEDOUT): the peer does not respond, however much time the requests have left.
            error = ConnectionAbortedError(*error.args)
        pipeline = self._pipeline
        # An interrupted call may have left requests between its result and the pipeline's queues.
        for request, body in pipeline.completed:
            request.settle(body)
        for request in (*pipeline.expired, *pipeline.sent):
            request.fail(error if request.sent else Unsent())
        self._move_unsent()
        pipeline.close()
        self._alive = False
        self._node.leases.discard(self._leased)

    def _move_unsent(self) -> None:
        """Have requests that were not sent executed elsewhere."""
        for request in self._pipeline.unsent:
            request.fail(Unsent())
        self._pipeline.take_unsent()
