"""Connections of one asyncio loop to one node, and the admission window for the commands that share them."""

from __future__ import annotations

import asyncio
import math
import time
import weakref

from .._cluster.connections.admission_window import TARGET_DELAY, WEIGHT
from .._cluster.connections.blocking_connection import BlockingConnection
from .._cluster.connections.rerouting import STALL
from .._cluster.connections.service_time import PRIOR_SERVICE_TIME
from .._cluster.connections.waiting_queue import WaitingQueue
from .._cluster.tend.node import Node
from .loop_connection import LoopConnection
from .loop_request import Delegated, LoopRequest, NoProgress
from .loop_slots import SlotQueue
from .stall_clock import PERIOD, StallClock

#: Maximum connections that one loop leases from one node.
MAX_CONNECTIONS = 8
#: Queue depth of a connection from which on another connection is leased.
LEASE_DEPTH = 16
#: Maximum requests of a loop in flight to a node. Python limits the rate, and more in flight do not raise it; requests
#: that wait in the loop cost nothing, and a pause of the node fails none of them.
WINDOW = 256
#: Maximum commands of a loop that Trio executes for a node before a connection has been leased.
MAX_DELEGATED = 64
#: Maximum commands that are sent to a node after one has timed out and before it answers again; the others wait.
PROBES = 4
#: Minimum answers in the first burst of a connection that tell the node's service time apart from the round trip.
MIN_BURST = 4
#: Seconds between two attempts to lease a connection.
LEASE_POLL = 0.002
#: Seconds in the queue of a connection past which Trio, with its many connections, is faster.
MAX_QUEUE_TIME = 0.01
#: Growth of the service time estimate per burst that was slower than it.
SERVICE_TIME_GROWTH = 1.05
#: Seconds after which another connection is asked for where the last request for one has had no effect.
_ASK_AGAIN = 0.02


class NodeConnections:
    """The connections of one loop to one node, and the commands that wait for admission to one.

    Args:
        node: the node.
        clock: the loop's stall clock.
        slots: the queue for slots of ``max_concurrent_operations``, if there is such a limit.
        loop: the loop.

    Attributes:
        max_depth: maximum queue depth of a connection.
        service_time: estimate of the seconds that the node takes for a request when it is fast.
        waiting: requests past the window, and those that wait for the first connection.
    """

    def __init__(
        self,
        node: Node,
        clock: StallClock,
        slots: SlotQueue | None,
        loop: weakref.ref[asyncio.AbstractEventLoop],
    ) -> None:
        self.node = node
        self.clock = clock
        self.slots = slots
        self._loop = loop
        self._connections: list[weakref.ref[LoopConnection]] = []
        self._ask_at = 0.0
        self._can_watch_sockets = True
        self.max_depth = LEASE_DEPTH
        self.service_time = PRIOR_SERVICE_TIME
        #: Seconds from a request to its answer, the average of late.
        self._delay = 0.0
        #: Nothing has been measured yet: the prior is no reason for deep queues.
        self._unmeasured = True
        self.waiting: WaitingQueue[LoopRequest] = WaitingQueue(self)
        self._delegated = 0
        #: Maximum commands that Trio executes because the node is slow: two for each connection.
        self._max_delegated = min(WINDOW, 2 * sum(pool.limit for pool in node.pools))
        #: When the node last answered, on the stall clock.
        self._progress_at = -math.inf
        #: Whether a request has timed out since.
        self._unresponsive = False
        #: When the timer that counts is due; others do nothing. None is kept: a timer refers to the loop.
        self._check_at = math.inf

    @property
    def count(self) -> int:
        """Number of connections."""
        return len(self._connections)

    @property
    def has_requests(self) -> bool:
        """Whether requests are queued on a connection or wait for admission."""
        return self.waiting.count > 0 or any(connection.depth for connection in self._alive())

    @property
    def has_waiters(self) -> bool:
        """Whether a command waits for admission, or for a slot; may be read in any thread."""
        return self.waiting.count > 0 or (self.slots is not None and self.slots.has_waiters)

    def _alive(self) -> list[LoopConnection]:
        return [connection for ref in self._connections if (connection := ref()) is not None]

    @property
    def queued(self) -> int:
        """Number of requests that wait for admission."""
        return self.waiting.count

    # -- admission ---------------------------------------------------------------------------------------------------

    def submit(self, request: LoopRequest, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Give a request to a connection or to Trio; queue it where neither has room."""
        if not self.waiting.count and self._admit(request, now, loop):
            return
        request.holder = self
        self.waiting.add(request)
        self._schedule_check(now, loop)

    def serve(self) -> None:
        """Admit requests that wait, in order, as far as there is room."""
        loop = self._loop()
        if loop is None:
            return
        waiting = self.waiting
        while waiting.count:
            request = waiting.head()
            if not request.answer.done():
                now = self.clock.now()
                began = max(request.arrived, self._progress_at) if self._unresponsive else now
                if not self._admit(request, began, loop):
                    self._schedule_check(now, loop)
                    return
            waiting.remove(request)

    def _admit(self, request: LoopRequest, began: float, loop: asyncio.AbstractEventLoop) -> bool:
        connection = self._choose(loop)
        if connection is not None:
            connection.submit(request, began)
            return True
        if self._may_delegate():
            if self._unresponsive:
                request.admit(began)
            self._delegated += 1
            request.answer.set_exception(Delegated())
            return True
        return False

    def _choose(self, loop: asyncio.AbstractEventLoop) -> LoopConnection | None:
        """Return the connection with the shortest queue that has room; lease another when that queue is long."""
        best = None
        in_flight = 0
        for ref in self._connections:
            connection = ref()
            if connection is not None:
                in_flight += connection.depth
                if connection.has_room and (best is None or connection.depth < best.depth):
                    best = connection
        if best is not None and not best.depth and in_flight < WINDOW:
            return best
        if in_flight >= WINDOW:
            return None  # new connections share the window with those that are full
        wanted = (best is None or best.depth >= LEASE_DEPTH) and not self._unresponsive
        if wanted and len(self._connections) < MAX_CONNECTIONS and self._can_watch_sockets:
            best = self._lease(loop) or best
        if best is not None and self._is_slow(best.depth) and self._may_delegate():
            return None
        return best

    def _is_slow(self, depth: int) -> bool:
        """Whether requests take so long that the many connections of Trio are faster than deep queues on a few."""
        return depth * self.service_time > MAX_QUEUE_TIME and LEASE_DEPTH * self.service_time > MAX_QUEUE_TIME

    def _may_delegate(self) -> bool:
        """Whether Trio executes the next command: where no connection is leased, or where they are too few."""
        if self._unresponsive:
            return self._delegated < PROBES
        connections = self._alive()
        depths = [connection.depth for connection in connections if connection.accepts_requests]
        if depths:
            return self._delegated < self._max_delegated and self._is_slow(min(depths))
        # What is in flight behind a slow request counts as well: the node may have fallen silent.
        free = WINDOW - sum(connection.depth for connection in connections)
        return self._delegated < min(MAX_DELEGATED if self.node.may_lend and self._can_watch_sockets else WINDOW, free)

    def refill(self, connection: LoopConnection) -> None:
        """Admit requests that wait, in order, to a connection that has answered."""
        waiting = self.waiting
        while waiting.count and connection.has_room:
            request = waiting.head()
            if not request.answer.done():
                connection.append(request, self.clock.now())
            waiting.remove(request)

    def delegation_ended(self, answered: bool) -> None:
        """Note that Trio has executed a command that was delegated to it."""
        self._delegated -= 1
        if answered:
            self._progress_at = self.clock.now()
            self._unresponsive = False
        if self.waiting.count:
            self.serve()

    def reschedule(self) -> None:
        """Schedule callbacks once more that are overdue: a KeyboardInterrupt may have lost them."""
        now = self.clock.now()
        for connection in self._alive():
            connection.reschedule(now)
        loop = self._loop()
        if self.waiting.count and loop is not None and self._check_at < now - PERIOD:
            self._check_after(0.0, now, loop)

    def relieve(self) -> None:
        """Have what is queued behind slow requests executed elsewhere."""
        # A busy node answers everything late, which makes none of it slow.
        threshold = STALL + 2 * self._delay
        relieved = [connection.relieve(threshold) for connection in self._alive()]
        if self.waiting.count and any(relieved):
            self.serve()  # no answer of that connection will admit what waits, and another may be leased

    def abandoned(self, request: LoopRequest) -> None:
        """Note that the task that waited for a request has ended."""
        if request.holder is self:
            self.waiting.remove(request)
        elif request.connection is not None:
            request.connection.abandoned(request)
        elif request.answer.done() and not request.answer.cancelled():
            self.delegation_ended(False)  # it was delegated, and the task was cancelled before it ran again

    # -- time --------------------------------------------------------------------------------------------------------

    def _schedule_check(self, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Set a timer for when the first request that waits may be overdue, or a connection may be leased."""
        due = now + LEASE_POLL
        if any(connection.accepts_requests for connection in self._alive()):
            due = self.waiting.due(now)  # connections that receive answers serve them sooner
        # A timer that is long overdue was lost to a KeyboardInterrupt.
        if due < self._check_at or self._check_at < now - PERIOD:
            self._check_after(due - now, due, loop)

    def _check_after(self, delay: float, due: float, loop: asyncio.AbstractEventLoop) -> None:
        if delay < math.inf:
            loop.call_later(max(0.0, delay), self._check, due)
            self._check_at = due

    def _check(self, due: float) -> None:
        try:
            if due == self._check_at:
                self._check_at = math.inf
                if self.waiting.count:
                    self._expire_waiting()
                    self.serve()
        except BaseException:
            self.interrupted()
            raise

    def _expire_waiting(self) -> None:
        """Fail requests that have waited for as long as their commands may take while the node made no progress."""
        if self.clock.start() < self.waiting.due(self._progress_at):
            return
        for connection in self._alive():
            connection.read()  # answers may have arrived while the loop was blocked
        late = self.waiting.overdue(self.clock.now(), self._progress_at)
        overdue = [request for request in late if not request.answer.done()]
        waits = [self.wait_of(request) for request in overdue]
        for request, wait in zip(overdue, waits, strict=True):
            self.waiting.remove(request)
            # What is left of its time may be enough for a replica.
            request.admit(max(request.arrived, self._progress_at))
            request.answer.set_exception(NoProgress(*wait))

    def wait_of(self, request: LoopRequest) -> tuple[float, int, bool]:
        """Return the seconds of silence, how many more requests wait, and whether no connection is left."""
        silence = self.clock.now() - max(request.arrived, self._progress_at)
        # Where the node has fallen silent, that is the cause, however many connections were opened since.
        full = not self._unresponsive and all(pool.total >= pool.limit for pool in self.node.pools)
        return silence, max(0, self.waiting.count - 1), full

    def timed_out(self) -> None:
        """Note that a request has timed out: until the node answers, the time of requests that wait runs."""
        self._unresponsive = True

    # -- connections -------------------------------------------------------------------------------------------------

    def _lease(self, loop: asyncio.AbstractEventLoop) -> LoopConnection | None:
        """Lease another connection, if one is idle; otherwise ask the node to open one."""
        leased = self.node.leases.borrow()
        if leased is not None:
            return self._add(leased, loop)
        # No task of the loop waits for it: such a task would hold up the end of the loop.
        now = time.monotonic()
        if now >= self._ask_at and self.node.may_lend:
            self._ask_at = now + _ASK_AGAIN
            self.node.ask_to_lend()
        return None

    def _add(self, leased: BlockingConnection, loop: asyncio.AbstractEventLoop) -> LoopConnection | None:
        self._ask_at = 0.0
        try:
            connection = LoopConnection(leased, self.node, loop, self)
        except NotImplementedError:
            # A loop that cannot watch sockets, such as the proactor of Windows: Trio executes all commands.
            self._can_watch_sockets = False
            self.node.leases.discard(leased)
            return None
        except BaseException:
            self.node.leases.discard(leased)
            raise
        self._connections.append(weakref.ref(connection))
        self._limit_depth()
        return connection

    def _limit_depth(self) -> None:
        """Divide the window among the connections, and bound the time that a request is queued on one."""
        if self._unmeasured:
            return
        share = math.ceil(WINDOW / max(1, len(self._connections)))
        self.max_depth = min(share, max(1, int(TARGET_DELAY / max(self.service_time, 1e-6))))

    def replied(self, count: int, elapsed: float, first: bool, age: float) -> None:
        """Update the service time estimate after a burst of answers.

        Much of the elapsed time may be our own loop's, so the fastest burst is the best estimate, for a while.

        Args:
            count: how many answers.
            elapsed: seconds since the burst before, or since the connection's queue was empty.
            first: whether this is the first burst since then: the elapsed time includes the round trip.
            age: seconds since the first of their requests was sent.
        """
        self._delay += WEIGHT * (min(age, 1.0) - self._delay)
        if self._unmeasured and (count >= MIN_BURST or not first):
            self._unmeasured = False
            self.service_time = elapsed / count
        else:
            self.service_time = min(elapsed / count, self.service_time * SERVICE_TIME_GROWTH)
        self._limit_depth()
        self._progress_at = self.clock.now()
        self._unresponsive = False

    def connection_closed(self, connection: LoopConnection) -> None:
        """Forget a connection that has ended."""
        self._connections = [ref for ref in self._connections if ref() is not connection]
        self._limit_depth()
        loop = self._loop()
        if self.waiting.count and loop is not None:
            self._check_after(0.0, self.clock.now(), loop)

    def interrupted(self, *others: LoopRequest) -> None:
        """Close the connections and have Trio execute what waits: a KeyboardInterrupt may have left any state.

        Args:
            others: requests that may be in no queue.
        """
        waiting, self.waiting = self.waiting, WaitingQueue(self)
        for connection in self._alive():
            connection.interrupted()
        for request in (*waiting, *others):
            request.holder = None
            if not request.answer.done():
                self._delegated += 1
                request.answer.set_exception(Delegated())
