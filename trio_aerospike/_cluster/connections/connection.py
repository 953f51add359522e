"""Trio connection: carry the bytes of a request pipeline over a transport, and wake the tasks whose answers come.

The queues and their rules are those of :class:`~trio_aerospike._wire.pipeline.RequestPipeline`. Here are the two tasks
that move bytes, the times that the pool learns from, and what a connection tells its owner. Submitting is synchronous;
one writer task sends what has gathered, one reader task hands answers out without decoding them.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable
from typing import Protocol

import trio

from ..._wire.constants import PROTO_MESSAGE
from ..._wire.pipeline import SEND_SIZE, UNSENT_LIMIT, RequestPipeline, restamped
from ...errors import ProtocolError
from ...validation import Uncopyable
from .loop_clock import loop_clock
from .request import Failure, Request
from .transport import Transport
from .woken import shared_outcome

#: Bytes asked of the transport at a time. A larger buffer is mapped and unmapped by the allocator for each receive.
RECEIVE_SIZE = 64 * 1024
#: Requests that are sent without waiting for the writer task: the node works on them while the next gather.
GATHER = 32
#: Seconds for which an answer that nobody waits for may be owed, if ``socket_timeout`` is not less: its default.
MAX_OWED = 30.0
#: Maximum reroutes of a read queued behind slow requests.
MAX_REROUTED = 3

logger = logging.getLogger("trio_aerospike")


class Owner(Protocol):
    """What a connection reports to: its pool, or the info connection of a node.

    Attributes:
        in_flight: requests on all its connections. Each connection counts its own here.
    """

    in_flight: int

    def replied(
        self, connection: Connection, count: int, elapsed: float, fresh: bool, age: float, cost: float, writes: int
    ) -> None: ...

    def due(self, deadline: float) -> None: ...

    def closed(self, connection: Connection, unsent: list[Request], error: BaseException | None) -> None: ...


class Connection(Uncopyable):
    """One transport with its request pipeline. Times are on the loop clock.

    Attributes:
        depth: queue depth: requests that are submitted and not answered, tombstones included.
        load: seconds that the server is expected to take for them.
        max_depth: maximum queue depth.
        suspended: the oldest request is slow, or overdue: takes nothing new until it is answered.
        overdue: the oldest request has not been answered within its deadline.
        relieved: the reads behind its oldest request have been sent elsewhere.
        exclusive: a request has the connection for itself.
        retired: takes nothing new, and closes when its requests are answered.
        idle_since: when the last request was answered.
        replied_at: when a reply last came; minus infinity before the first.
    """

    __slots__ = (
        "_burst_began",
        "_clock",
        "_fresh",
        "_iteration",
        "_now",
        "_owner",
        "_pipeline",
        "_scope",
        "_transport",
        "_unread",
        "_waited",
        "_woken",
        "_writer",
        "alive",
        "depth",
        "exclusive",
        "idle_since",
        "label",
        "load",
        "max_depth",
        "on_idle_stack",
        "overdue",
        "relieved",
        "replied_at",
        "retired",
        "suspended",
    )

    def __init__(self, transport: Transport, owner: Owner, *, max_depth: int, label: str) -> None:
        self._transport = transport
        # Tells whether the peer has sent what is not read yet; over TLS and in memory nobody can.
        self._unread: Callable[[], object] = getattr(transport, "unread", bool)
        self._owner = owner
        self._pipeline: RequestPipeline[Request] = RequestPipeline(label)
        self._clock = clock = loop_clock()
        self._now = clock.now
        self._waited = clock.waited
        self._woken = shared_outcome()
        #: When the last burst of answers came, or the first request was sent; on the clock of :meth:`waited`.
        self._burst_began = 0.0
        #: The iteration of the event loop in which that was.
        self._iteration = 0
        #: Nothing has been answered since the connection was idle.
        self._fresh = True
        #: The writer task while it is parked.
        self._writer: trio.lowlevel.Task | None = None
        self._scope = trio.CancelScope()
        self.alive: bool = True
        self.depth: int = 0
        self.load: float = 0.0
        self.max_depth: int = max_depth
        self.suspended: bool = False
        self.overdue: bool = False
        self.relieved: bool = False
        self.retired: bool = False
        self.exclusive: bool = False
        self.on_idle_stack: bool = False
        self.idle_since: float = self._now()
        self.replied_at: float = -math.inf
        self.label: str = label

    def __repr__(self) -> str:
        state = "open" if self.alive else "closed"
        extras = [word for word in ("suspended", "retired", "exclusive") if getattr(self, word)]
        sent = len(self._pipeline.sent)
        return f"<Connection {self.label} {', '.join([state, *extras])}: {sent} sent, {self.depth - sent} unsent>"

    # -- the caller's side -------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether one more request can be submitted."""
        return (
            self.depth < self.max_depth
            and self.alive
            and not self.suspended
            and not self.exclusive
            and not self.retired
            and self._pipeline.unsent_bytes < UNSENT_LIMIT
        )

    @property
    def shareable(self) -> bool:
        """Whether others can send on it, now or when some of its requests have been answered."""
        return self.alive and not (self.suspended or self.exclusive or self.retired)

    @trio.lowlevel.enable_ki_protection
    def submit(self, request: Request, *, waited: bool = False, alone: bool = True) -> None:
        """Queue a request, to be sent with those that gather until the writer task runs.

        Args:
            request: the request.
            waited: whether it waited for room: its command is admitted now, and its transaction ttl set anew.
            alone: whether nothing is expected to gather: on an idle connection it is sent now.
        """
        request.holder = self
        self._owner.in_flight += 1
        self.depth += 1
        self.load += request.cost
        if request.exclusive:
            self.exclusive = True
        if waited:
            now = self._now()
            request.admit(now)
            request.frame = restamped(request.frame, request.expires_at(now), now)
        pipeline = self._pipeline
        pipeline.submit(request)
        if self.depth == 1:
            if alone and self._writer is not None and pipeline.unsent_bytes <= SEND_SIZE:
                self._send_now()
                return
        elif len(pipeline.unsent) == GATHER:
            self._send_now()
        if self._writer is not None:
            self._wake_writer()

    def _send_now(self) -> None:
        """Send what has gathered in the caller's step; what the socket does not take is left to the writer task."""
        pipeline = self._pipeline
        try:
            if not pipeline.sent:
                self._begin_burst()
            data = pipeline.data_to_send(self._now())
            if not data:
                return  # the writer task is in the middle of a send
            taken = self._transport.try_send(data)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            # Nothing of this went out: its requests move on with the unsent ones.
            pipeline.bytes_sent(0)
            self.close(error)
            return
        except Exception as error:
            self._failed_unexpectedly(error)
            return
        pipeline.bytes_sent(taken)
        if taken < len(data):
            self._wake_writer()
        elif self.exclusive:
            self._release_frame()

    def _begin_burst(self) -> None:
        """Start the clock for the first request on an idle connection.

        Raises:
            ConnectionResetError: the server has sent something by itself, or has hung up: what is left over would be
                taken for the answer.
        """
        if self._unread():
            raise ConnectionResetError("the server closed the connection, or sent a reply without a request")
        self._burst_began = self._waited()
        self._iteration = self._clock.iteration
        self._fresh = True

    def _release_frame(self) -> None:
        """Release the bytes of a large request while its answer is awaited: it is never sent a second time."""
        for request in self._pipeline.sent:
            if request.consume is not None:
                request.frame = b""

    @trio.lowlevel.enable_ki_protection
    def withdraw(self, request: Request) -> None:
        """As :class:`RequestHolder` has it."""
        self._pipeline.withdraw(request)
        self._left(request)
        request.finish()
        self._notify_room()

    @trio.lowlevel.enable_ki_protection
    def abandon(self, request: Request) -> None:
        """As :class:`RequestHolder` has it."""
        deadline = request.deadline
        self._pipeline.abandon(request, self._now())
        if request.deadline < deadline:
            self._owner.due(request.deadline)
        if self.suspended:
            # Perhaps nobody waits here any more, and somebody else needs the room.
            self._owner.replied(self, 0, 0.0, False, 0.0, 0.0, 0)

    @trio.lowlevel.enable_ki_protection
    def prolong(self, request: Request, deadline: float) -> None:
        """As :class:`RequestHolder` has it."""
        request.deadline = deadline
        self._owner.due(deadline)

    @trio.lowlevel.enable_ki_protection
    def complete(self, request: Request, left_over: int) -> None:
        """As :class:`RequestHolder` has it."""
        if not self.alive:
            return
        self._pipeline.complete(request, left_over)
        if self._pipeline.error is not None:
            self.close(self._pipeline.error)
            return
        self.replied_at = self._now()
        self.suspended = self.overdue = self.relieved = False
        self._left(request)
        self._notify_room()

    @trio.lowlevel.enable_ki_protection
    def discard(self, request: Request, error: BaseException | None) -> None:
        """As :class:`RequestHolder` has it."""
        if request.sent:
            self.close(error)
        else:
            self.withdraw(request)

    def take_unsent(self) -> list[Request]:
        """Remove and return the requests that have not been sent, to go elsewhere."""
        moved = self._pipeline.take_unsent()
        for request in moved:
            self._left(request)
            request.holder = None
        return moved

    def expire(self, now: float) -> float:
        """Give up what is overdue.

        Returns:
            The next time at which something here is due; infinity when nothing is.
        """
        pipeline = self._pipeline
        overdue, due = pipeline.expire(now)
        for request in overdue:
            if not request.sent:
                self._left(request)
            request.fail(Failure.EXPIRED)
        head = pipeline.sent[0] if pipeline.sent else None
        if head is not None and head.deadline <= now:
            self.suspended = self.overdue = True
            budget = head.sent_at + min(head.socket_timeout, MAX_OWED)
            if budget > now:
                due = min(due, budget)
            elif not any(request.awaited for request in pipeline.sent):
                self.close(None)
        return due

    @property
    def oldest_sent_at(self) -> float:
        """When the oldest request without a reply was sent; infinity if nothing is in flight."""
        sent = self._pipeline.sent
        return sent[0].sent_at if sent else math.inf

    def is_stalled(self, now: float, threshold: float, iteration: int) -> bool:
        """Whether the request that the server works on takes longer than ``threshold`` seconds.

        Args:
            now: the time.
            threshold: seconds.
            iteration: of the event loop; the last reply, or the first request, must have come before it.
        """
        sent = self._pipeline.sent
        return bool(sent) and self._iteration <= iteration and now - max(sent[0].sent_at, self.replied_at) >= threshold

    def delayed_reads(self) -> list[Request]:
        """Suspend the connection because its oldest request is slow, and return the reads that were sent behind it."""
        self.suspended = self.relieved = True
        reads: list[Request] = []
        for request in itertools.islice(self._pipeline.sent, 1, None):
            original = request.original or request
            if original.task is None or original.write or original.exclusive or original.kind != PROTO_MESSAGE:
                continue
            if original.rerouted < MAX_REROUTED and (request is not original or not original.rerouted):
                reads.append(original)
        return reads

    @property
    def awaited(self) -> bool:
        """Whether a task waits for something that was submitted here."""
        pipeline = self._pipeline
        return any(request.awaited for request in itertools.chain(pipeline.sent, pipeline.unsent))

    @trio.lowlevel.enable_ki_protection
    def close(self, error: BaseException | None) -> None:
        """Take the connection out of service now: what was sent fails, what was not goes back to the owner.

        Args:
            error: what broke it; None when it is closed on purpose.
        """
        if not self.alive:
            return
        self.alive = False
        for request, body in self._pipeline.completed:
            # An unexpected error came up while they were handed out. Those that have been are not changed.
            if body:
                request.answer(body)
            else:
                request.fail(Failure.EXPIRED)
        sent, unsent = self._pipeline.close()
        for request in unsent:
            request.holder = None
        self._owner.in_flight -= self.depth
        self.depth = 0
        self.load = 0.0
        self.exclusive = False
        self.idle_since = self._now()
        for request in sent:
            request.fail(Failure.BROKEN, error)
        self._scope.cancel()
        self._owner.closed(self, unsent, error)

    def close_inherited(self) -> None:
        """In a forked child: release the descriptor without a word to the server, which is the parent's peer."""
        self._transport.close_now()

    def retire(self) -> None:
        """Take nothing new; close once everything that was submitted has been answered or has expired."""
        self.retired = True
        if not self.depth:
            self.close(None)

    def _left(self, request: Request) -> None:
        """Count a request that has left the pipeline otherwise than by an answer of one frame."""
        self._owner.in_flight -= 1
        self.depth -= 1
        self.load -= request.cost
        if request.exclusive:
            self.exclusive = False
        if not self.depth:
            self.load = 0.0
            self.idle_since = self._now()

    def _notify_room(self) -> None:
        """Tell the owner that there is room for another request, or end a retired connection."""
        self._owner.replied(self, 0, 0.0, False, 0.0, 0.0, 0)
        if self.retired and not self.depth:
            self.close(None)

    # -- the tasks ---------------------------------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
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

    async def _read(self) -> BaseException | None:
        """Hand out replies until the connection ends; returns what ended it, None where we did."""
        receive = self._transport.receive_some
        pipeline = self._pipeline
        receive_data = pipeline.receive_data
        try:
            while True:
                data = await receive(RECEIVE_SIZE)
                if not data:
                    return ConnectionResetError("the server closed the connection")
                completed = receive_data(data)
                if completed:
                    self._hand_out(completed)
                    completed.clear()  # the bodies belong to their tasks now
                if pipeline.error is not None:
                    return pipeline.error
                hold = pipeline.sent[0].hold if pipeline.sent else None
                if hold is not None:
                    await hold.wait()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError) as error:
            return error
        except Exception as error:
            # Out of memory, or a fault of ours: it may cost what this connection carries, and not the client.
            if pipeline.sent and pipeline.sent[0].consume is not None:
                # A frame could not be taken. The request has the connection for itself.
                pipeline.sent[0].fail(Failure.UNREADABLE, error)
                return None
            self._failed_unexpectedly(error)
            return error

    def _failed_unexpectedly(self, error: Exception) -> None:
        """End the connection after an error that is no fault of the network: out of memory, or a fault of ours."""
        logger.exception("%s: an unexpected error ends the connection", self.label)
        self.close(error)

    def _hand_out(self, completed: list[tuple[Request, bytes]]) -> None:
        """Wake the tasks of a burst of answers, and tell the owner how long it took."""
        waited = self._waited()
        elapsed = waited - self._burst_began
        fresh = self._fresh
        self._burst_began = waited
        self._fresh = False
        now = self.replied_at = self._now()
        self._iteration = self._clock.iteration
        began = completed[0][0].sent_at
        count = len(completed)
        self._owner.in_flight -= count
        self.depth -= count
        writes = 0
        cost = 0.0
        reschedule, woken = trio.lowlevel.reschedule, self._woken
        for request, body in completed:
            if request.exclusive:
                self.exclusive = False  # how long its answer took says nothing about a single record
                self.load -= request.cost
                count -= 1
            else:
                cost += request.cost
                writes += request.write
            task = request.task
            if task is not None:
                request.task = None
                request.reply = body
                if woken is None:
                    reschedule(task)
                else:
                    reschedule(task, woken)
            elif body:
                request.answer(body)
            else:
                request.fail(Failure.EXPIRED)  # a tombstone
        self.suspended = self.overdue = self.relieved = False
        if self.depth:
            self.load -= cost
        else:
            self.load = 0.0
            self.idle_since = now
        if self._pipeline.error is not None:
            return  # the connection ends: no more is to be sent on it
        self._owner.replied(self, count, elapsed, fresh, now - began, cost, writes)
        if self.retired and not self.depth:
            self.close(None)

    @trio.lowlevel.enable_ki_protection
    async def _write(self) -> None:
        """Send what gathers, and wait for the socket where it is full."""
        transport, pipeline = self._transport, self._pipeline
        try:
            while True:
                if pipeline.unsent and not pipeline.sent:
                    self._begin_burst()
                data = pipeline.data_to_send(self._now())
                if not data:
                    self._writer = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._writer_gone)
                    continue
                try:
                    taken = transport.try_send(data)
                except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    pipeline.bytes_sent(0)
                    raise
                if taken < len(data):
                    pipeline.blocked = True
                    await transport.send_all(data[taken:])
                pipeline.bytes_sent(len(data))
                if self.exclusive:
                    self._release_frame()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.close(error)
        except Exception as error:
            self._failed_unexpectedly(error)

    def _wake_writer(self) -> None:
        writer = self._writer
        if writer is not None:
            self._writer = None
            trio.lowlevel.reschedule(writer)

    def _writer_gone(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._writer = None
        return trio.lowlevel.Abort.SUCCEEDED
