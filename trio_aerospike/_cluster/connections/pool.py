"""Connection pool of a node: admit requests to its connections, and decide when to open more.

No awaits: decisions over plain state. Three parts have modules of their own: which connection takes a request
(:mod:`.balancing`), how many may be in flight (:mod:`.admission_window`), and what happens behind slow ones
(:mod:`.rerouting`).

The server works on one request of a connection at a time. Where a request costs it 15 us, many in flight on one
connection save system calls on both sides; where it costs 500 us, the last of them wait for long. So a pool learns the
service time of a request (sampled per burst of replies, from a prior) and keeps the wait on a connection, which is its
queue depth times that time, within a small budget.

What is past the admission window waits in order of arrival. The time of a command that waits does not run while the
node makes progress, so a fan-out of any size waits, and fails only where the node has stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from ...validation import Uncopyable
from .admission_window import WINDOW_START, AdmissionWindow
from .balancing import FAIR_DEPTH, ConnectionChooser
from .request import Failure, Request
from .rerouting import ReadRerouter
from .rtt import RttEstimate
from .service_time import COST_PER_BYTE, ServiceTime
from .waiting_queue import WaitingQueue

if TYPE_CHECKING:
    from .connection import Connection

#: How many times the budget a request may wait in a queue while a connection is being opened: past that it waits for
#: that one rather than behind others. It takes several round trips to open one; on loopback nothing is gained.
PATIENCE = 4
#: Maximum queue depth of a connection: so many requests are lost at once if it breaks.
MAX_DEPTH = 128
#: Connections that a pool opens at the same time at the most: more would be refused by the server's backlog, and a
#: burst of 100 requests that take 50 ms each is still spread within 0.1 s.
MAX_OPENING = 16
#: Seconds for which no more connections are opened once one could not be had; they double up to the maximum. Where
#: there is no connection at all, each request may still try.
OPEN_BACK_OFF = 0.05
MAX_OPEN_BACK_OFF = 1.0
#: Requests that wait for connections, past which one more is no reason to look for room.
#: Gets at 1,024 on one node: 0.82 of the rate without this, p99 1.09.
FEW_WAITING = 64


class Clock(Protocol):
    """The clock of an event loop; see :class:`~trio_aerospike._cluster.connections.loop_clock.LoopClock`."""

    @property
    def iteration(self) -> int: ...

    def now(self) -> float: ...

    def trio_time(self) -> float: ...


class _StoppedClock:
    iteration = 0

    def now(self) -> float:
        return 0.0

    trio_time = now


def no_slot_to_release() -> None:
    """Give back a slot where slots are not counted."""


class Pool(Uncopyable):
    """The connections of one node (or of one share of it) and the requests that wait for room in them.

    Args:
        limit: connections at the most, those being opened included.
        minimum: connections to keep.
        max_depth: maximum queue depth of a connection (1 over TLS).
        open_one: called when another connection is wanted; answered by :meth:`add` or :meth:`open_failed`.
        latency: returns the round-trip time to the node on an idle path, in seconds.
        reclaim: called when there is no room and connections are leased: idle ones are to be closed.
        hurry: tells the node's sweeper of a deadline.
        watch: called when a request is put behind another: :meth:`relieve` is to be called from time to time, until it
            returns False.
        spare_slot: takes a slot of ``max_concurrent_operations`` for a second attempt at a read. Returns a callback
            that releases it, or None if no slot is free.
        clock: the loop clock. Requests of one iteration of the event loop are gathered.

    Attributes:
        window: how many requests may be in flight.
        service_time: how long the node takes for one.
        in_flight: requests on the connections, counted by them.
        progress_at: when the node last answered a request to its end. An accepted connection is no evidence: the
            kernel accepts it.
        lent: connections of this pool that are leased to threads and event loops.
        connections: those that are open.
        chooser: which of them takes a request.
        rerouter: second attempts at reads behind slow requests.
    """

    def __init__(
        self,
        limit: int,
        minimum: int,
        *,
        open_one: Callable[[Pool], None],
        max_depth: int = MAX_DEPTH,
        latency: Callable[[], float] = lambda: 0.0,
        reclaim: Callable[[], None] = lambda: None,
        hurry: Callable[[float], None] = lambda deadline: None,
        watch: Callable[[], None] = lambda: None,
        spare_slot: Callable[[], Callable[[], None] | None] = lambda: no_slot_to_release,
        clock: Clock | None = None,
    ) -> None:
        #: A pool takes requests for as long as it exists; connections are what retires.
        self.retired = False
        self.limit = limit
        self.minimum = minimum
        self.max_depth = max_depth
        self._open_one = open_one
        self._rtt = RttEstimate(latency)
        self.chooser = ConnectionChooser(latency)
        self.connections: list[Connection] = self.chooser.connections
        self.rerouter = ReadRerouter(self.chooser, spare_slot)
        self._reclaim = reclaim
        self._hurry = hurry
        self._watch = watch
        self._watched = False
        self._clock: Clock = _StoppedClock() if clock is None else clock
        self._now = self._clock.now
        self._last_iteration = -1
        self.lent = 0
        self.in_flight = 0
        self.opening = 0
        self.waiting: WaitingQueue[Request] = WaitingQueue(self)
        self.window = AdmissionWindow(limit)
        self.service_time = ServiceTime()
        self.progress_at = -math.inf
        #: When a request left that was not answered in its time, and whether the node has answered nothing since.
        self._overdue_since = -math.inf
        self._silent = False
        self._stalled = False
        self._serving = False
        self._making_room = False
        self._rescan = False
        self._closing = False
        #: When another connection may be opened, and the last back-off in seconds; 0 once one could be had.
        self._open_after = -math.inf
        self._back_off = 0.0

    def __repr__(self) -> str:
        idle = sum(1 for connection in self.connections if not connection.depth)
        active = len(self.connections) - idle
        return (
            f"<Pool {active} active, {idle} idle, {self.lent} leased, {self.opening} opening of {self.limit} | "
            f"{len(self.waiting)} waiting, window {self.window.size:.0f} | "
            f"read {self.service_time.read * 1e6:.0f} us, write {self.service_time.write * 1e6:.0f} us>"
        )

    @property
    def total(self) -> int:
        """Connections that count against the limit: open, being opened, and leased."""
        return len(self.connections) + self.opening + self.lent

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for an answer, or for room."""
        return bool(self.waiting) or any(connection.awaited for connection in self.connections)

    def room_came_up(self) -> None:
        """Use the room of a leased connection that is closed: another may be opened for those that wait."""
        if self.waiting:
            self._make_room()

    # -- requests ----------------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Give a request to a connection, or let it wait here for room."""
        connection: Connection | None
        if self.waiting.count or (self._silent and not request.exclusive):
            connection = None  # first come, first served; a silent node is probed by one at a time
        elif request.exclusive:
            connection = self.chooser.take_idle()
        elif self.in_flight >= self.window.size:
            connection = None
        else:
            # In place, as every request comes here: those that gather on a connection cost no call.
            chooser = self.chooser
            connection = chooser.current
            if (
                connection is None
                or not connection.usable
                or connection.load > chooser.budget
                or (request.write and connection.depth >= FAIR_DEPTH)
            ):
                connection = chooser.choose()
                if connection is not None and connection.load > chooser.budget:
                    self._grow()
                    if self._has_long_wait(connection):
                        connection = None
        if connection is None:
            request.holder = self
            self.waiting.add(request)
            # With many waiting, one more changes nothing: replies and connections that come up see to them.
            if self._silent:
                self._serve_waiting()
            elif request.exclusive or self.waiting.count <= FEW_WAITING:
                self._make_room()
        else:
            self._give(request, connection)

    def _give(self, request: Request, connection: Connection, waited: bool = False) -> None:
        """Give a request to a connection; one that has waited for it is admitted now."""
        times = self.service_time
        request.cost = (times.write if request.write else times.read) + len(request.frame) * COST_PER_BYTE
        if connection.depth and not self._watched:
            self._watched = True
            self._watch()
        if waited:
            connection.submit(request, waited=True)
            self._hurry(request.deadline)
            return
        # The first request of a loop iteration is sent at once, so that the server is at work while the others gather.
        iteration = self._clock.iteration
        connection.submit(request, alone=iteration != self._last_iteration)
        self._last_iteration = iteration

    def has_room(self, exclusive: bool) -> bool:
        """Whether a connection would take a request at once, or as soon as another one is open."""
        if self.waiting:
            return False
        if self.total < self.limit:
            return True
        return any(c.usable and not (exclusive and c.depth) for c in self.connections)

    @property
    def held(self) -> bool:
        """Whether every connection that it may have is taken by a request that needs it alone, or is slow."""
        if self.total < self.limit or self.opening:
            return False
        return not any(c.shareable for c in self.connections)

    def withdraw(self, request: Request) -> None:
        """Forget a request that waited for room and whose caller has gone."""
        first = self.waiting.head() is request
        self.waiting.remove(request)
        request.finish()
        if first:
            self._serve_waiting()  # what was behind it may need less

    def abandon(self, request: Request) -> None:
        """As :class:`RequestHolder` has it; nothing that waits here has been sent."""
        raise AssertionError(f"{request!r} waits for a connection, and has not been sent")

    def prolong(self, request: Request, deadline: float) -> None:
        """As :class:`RequestHolder` has it."""
        request.deadline = deadline
        self._hurry(deadline)

    def complete(self, request: Request, left_over: int) -> None:
        """As :class:`RequestHolder` has it; nothing that waits here is answered."""
        raise AssertionError(f"{request!r} waits for a connection, and has no answer")

    def discard(self, request: Request, error: BaseException | None) -> None:
        """As :class:`RequestHolder` has it."""
        self.withdraw(request)

    def due(self, deadline: float) -> None:
        """Have a connection looked at sooner than was known."""
        self._hurry(deadline)

    def _has_long_wait(self, connection: Connection) -> bool:
        """Whether the wait is so long that the connection is used only where no other can be had."""
        budget = self.chooser.budget
        if connection.load <= (PATIENCE * budget if self.service_time.measured else budget):
            return False
        return self.opening > 0 or self._may_open

    @property
    def _may_open(self) -> bool:
        if self._closing or self.total >= self.limit:
            return False
        return self._now() >= self._open_after or not (self.connections or self.opening)

    def _grow(self) -> None:
        """Open another connection if there is too much in flight for those that are open or being opened."""
        if self.opening >= MAX_OPENING or not self._may_open:
            return
        if self.chooser.load > self.chooser.budget * (len(self.connections) + self.opening):
            self._open()

    def _open(self) -> None:
        self.opening += 1
        self._open_one(self)

    def _make_room(self) -> None:
        """Something waits: open a connection, or give up suspended ones that nobody waits for."""
        if self._making_room:
            return  # a connection that is given up serves those that wait: the loop below goes on
        self._making_room = True
        try:
            while (self.waiting.count or self.rerouter) and self._make_some_room():
                pass
        finally:
            self._making_room = False

    def _make_some_room(self) -> bool:
        """Open connections or reclaim leased ones; else give up one connection, and return whether one was found."""
        if self._closing:
            return False
        room = self._room_in_window > 0
        count = 0
        if self.rerouter or room or self.waiting.head().exclusive:
            count = min(MAX_OPENING, self._connections_wanted())
            if self.total < self.limit:
                self._open_up_to(count)
                return False
        if self.lent and self.total >= self.limit:
            self._reclaim()
        # For a connection to open; or for the window, where its tombstones count, unless the node is silent.
        if self._stalled and (self.opening < count or not (room or self._silent)):
            for connection in self.connections:
                if connection.overdue and not connection.awaited:
                    connection.close(None)
                    return True
        return False

    def _open_up_to(self, count: int) -> None:
        """Have so many connections being opened, as far as the limit allows; later after one could not be opened."""
        if not self._may_open:
            self._hurry(self._open_after)
            return
        count = min(count, self.limit - self.total + self.opening)
        while self.opening < count:
            self._open()

    @property
    def _room_in_window(self) -> float:
        """How many more requests the window admits; a node that has fallen silent is sent one at a time, as a probe."""
        if not self._silent:
            return self.window.size - self.in_flight
        probes = (c.depth for c in self.connections if not (c.overdue or c.exclusive))
        return 1 - sum(probes)

    def _connections_wanted(self) -> int:
        """How many more connections the waiting requests justify.

        A moderate number in flight keeps the node busy, whatever number waits, and few connections carry long bursts.
        """
        second = len(self.rerouter)
        if not self.waiting:
            return second
        count = len(self.waiting)
        if self.waiting.head().exclusive:
            return count + second
        if self._silent:
            return 1 + second  # for a probe
        wanted = min(count + self.window.size - self._room_in_window, WINDOW_START)
        slower = max(self.service_time.read, self.service_time.write)
        enough = 1 + int(max(wanted * slower / self.chooser.budget, wanted / self.max_depth))
        shared = sum(1 for c in self.connections if c.shareable)
        return min(count, max(0, enough - shared)) + second

    def _serve_waiting(self, freed: Connection | None = None) -> None:
        """Give room that has come up to those that wait, in their order.

        Everything waits behind a request that needs a connection for itself, so that one becomes idle for it.

        Args:
            freed: the only connection where room can have come up; None when that is not known.
        """
        if freed is None:
            self._rescan = True
        if self._serving:
            return  # a connection broke while it was given a request: the loop below goes on with the others
        self._serving = True
        try:
            while (attempt := self.rerouter.next(self._now(), self._has_long_wait)) is not None:
                self._give(*attempt, waited=True)
            self._admit_waiting(freed)
        finally:
            self._serving = self._rescan = False
        if self.waiting.count or self.rerouter:
            self._make_room()

    def _admit_waiting(self, freed: Connection | None) -> None:
        room = self._room_in_window
        while self.waiting.count:
            request = self.waiting.head()
            if room <= 0 and not request.exclusive:
                break
            room -= 1
            connection = self._room_for(request, freed)
            if connection is None:
                break
            if request.exclusive:
                self._rescan = True  # connections with room were not used behind it
            self.waiting.remove(request)
            self._give(request, connection, waited=True)

    def _room_for(self, request: Request, freed: Connection | None) -> Connection | None:
        connection = self.chooser.take_idle()
        if connection is not None or request.exclusive:
            return connection
        if freed is not None and freed.usable and not self._has_long_wait(freed):
            return freed
        if self._rescan:
            connection = self.chooser.first(lambda candidate: not self._has_long_wait(candidate))
            self._rescan = connection is not None
        return connection

    def _wait_again(self, requests: Iterable[Request]) -> None:
        """Put requests that a connection had, and has not sent, where they belong by their arrival."""
        again: list[Request] = []
        for request in requests:
            if request.original is not None:
                self.rerouter.put_back(request)
                continue
            request.holder = self
            again.append(request)
        self.waiting.put_back(again)

    # -- connections -------------------------------------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        """Add a connection that was asked for by ``open_one``."""
        self.opening -= 1
        self._back_off = 0.0
        self._open_after = -math.inf
        self.chooser.add(connection)
        self.fill()
        # With no other being opened, connections with long waits are the best there is now.
        self._serve_waiting(connection if self.opening else None)

    def open_failed(self, failure: Failure, error: BaseException) -> None:
        """Note that a connection could not be opened: where no other can take them, those that wait fail."""
        self.opening -= 1
        self._back_off = min(max(OPEN_BACK_OFF, 2 * self._back_off), MAX_OPEN_BACK_OFF)
        self._open_after = self._now() + self._back_off
        if not self.opening and not any(connection.shareable for connection in self.connections):
            self.fail_waiting(failure, error)
        elif self.waiting and self.connections:
            self._serve_waiting()  # connections with long waits are the best there is now

    def fail_waiting(self, failure: Failure, error: BaseException | None) -> None:
        """Wake everything that waits for room with a failure."""
        self.rerouter.clear()
        for request in self.waiting.clear():
            self._begin_time(request)
            request.fail(failure, error)

    def replied(
        self, connection: Connection, count: int, elapsed: float, fresh: bool, age: float, cost: float, writes: int
    ) -> None:
        """A burst of replies was handed out (or an unsent request withdrawn): learn from it and use the room.

        Args:
            connection: where.
            count: how many replies.
            elapsed: seconds since the burst before, or since the first request on an idle connection was sent, in which
                our own tasks did not run.
            fresh: whether it was idle before these: then ``elapsed`` includes the round trip.
            age: seconds since the first of their requests left.
            cost: what the requests were expected to cost, in sum.
            writes: how many of them were writes.
        """
        if not connection.depth:
            # The answer to an exclusive request counts as well, once it is whole and makes room.
            self.progress_at = max(self.progress_at, connection.replied_at)
            self._silent = self.progress_at < self._overdue_since
        if count:
            rtt = self._rtt
            self.progress_at = self._now()
            self._silent = self.progress_at < self._overdue_since
            self.window.replied(count, age, rtt.unloaded, self.progress_at, wanted=self.waiting.count > 0)
            self.chooser.update_budget()
            if fresh:
                rtt.learn(count, elapsed, writes > 0)
                elapsed -= rtt.loaded
            else:
                rtt.refute(age)
                # With a long round trip there may have been nothing to do since the burst before.
                if age > rtt.loaded:
                    elapsed = min(elapsed, age - rtt.loaded)
            self.service_time.learn(count, elapsed, cost, writes)
        self.chooser.rest_if_idle(connection)
        if self.waiting.count or self.rerouter:
            self._serve_waiting(connection)

    def closed(self, connection: Connection, unsent: list[Request], error: BaseException | None) -> None:
        """Remove a connection that has ended; what it had not sent goes to the others."""
        self.chooser.remove(connection)
        if self._closing or (error is not None and not self.connections):
            for request in unsent:
                request.fail(Failure.BROKEN, error)
            if not self.opening:
                self.fail_waiting(Failure.BROKEN, error)
            return
        self._wait_again(unsent)
        if self.waiting.count or self.rerouter:
            self._serve_waiting()

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> float:
        """Give up what is overdue on the connections and among those that wait for room.

        Returns:
            The next time at which something is due; infinity when nothing is.
        """
        due = math.inf
        for connection in list(self.connections):
            due = min(due, connection.expire(now))
            self.chooser.rest_if_idle(connection)
        self._stalled = False
        for connection in self.connections:
            if connection.suspended:
                if connection.overdue:
                    self._stalled = True
                    self._overdue_since = max(self._overdue_since, connection.oldest_sent_at)
                    self._silent = self.progress_at < self._overdue_since
                moved = connection.take_unsent()
                self._wait_again(moved)
                # Where they go now, their own deadlines count.
                due = min([due, *(request.deadline for request in moved)])
        due = min(due, self._expire_waiting(now))
        if self.waiting.count or self.rerouter:
            self._serve_waiting()
        return due

    def _expire_waiting(self, now: float) -> float:
        """Give up those that have waited without progress of the node for as long as their commands may take.

        Returns:
            When to look again; infinity where nobody waits.
        """
        overdue = self.waiting.overdue(now, self.progress_at)
        failure = Failure.NO_PROGRESS
        if not self.connections:
            failure = Failure.EXPIRED
        elif self.total >= self.limit and not self._silent:
            failure = Failure.NO_ROOM
        for request in overdue:
            self.waiting.remove(request)
            self._begin_time(request)
            request.fail(failure)
        return self.waiting.due(self.progress_at)

    def _begin_time(self, request: Request) -> None:
        """Say when the time of a request ends that waited in vain: it runs since the node last made progress.

        What is left of it may be enough for a replica, or for another connection.
        """
        if request.total is not None:
            request.expires = max(request.expires, self.progress_at + request.total)

    def relieve(self, now: float) -> bool:
        """Reroute requests queued behind slow ones.

        Returns:
            Whether there are requests behind others, so that this is to be called again soon.
        """
        delay = max(self._rtt.loaded, self.window.delay)
        relief = self.rerouter.relieve(now, self._clock.iteration, delay)
        self._watched = relief.behind
        self._wait_again(relief.unsent)
        if relief.slow or self.rerouter:
            self._serve_waiting()
        return self._watched

    def reap(self, now: float, idle_timeout: float) -> None:
        """Close what has been idle for longer than ``idle_timeout`` seconds, and bring the pool back to its minimum."""
        for connection in list(self.connections):
            if not connection.depth and now - connection.idle_since >= idle_timeout:
                connection.close(None)
        self.fill()

    def fill(self) -> None:
        """Open connections up to the minimum, a few at a time."""
        while len(self.connections) + self.opening < self.minimum and self.opening < MAX_OPENING and self._may_open:
            self._open()

    def close(self, error: BaseException | None = None) -> None:
        """Close every connection and fail everything that is still under way."""
        self._closing = True
        for connection in list(self.connections):
            connection.close(error)
        self.fail_waiting(Failure.BROKEN, error)
