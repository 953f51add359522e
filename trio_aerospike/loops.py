"""Single-record commands for asyncio loops, on a client that runs in Trio elsewhere.

A program whose client lives in a Trio thread, as the asyncio half of the ``aerospike_py`` package has it, pays two
crossings between threads for each record. Here the loop borrows connections from the client and reads and writes them
by itself, pipelined. What a connection cannot do (no connection to be had, another attempt, a server so slow that it
takes many connections) crosses into Trio.

How many commands are in flight is limited by an admission window, as in the client's own pools; commands past it wait
in order of arrival. A command's time runs from its admission, and not while the loop is blocked by its own tasks.
"""

from __future__ import annotations

import asyncio
import functools
import math
import socket
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from ._client import Client
from ._cluster.connections.connection import ABANDONED_SECONDS, SEND_SIZE, UNSENT_LIMIT, restamped
from ._cluster.connections.leases import Link
from ._cluster.connections.pool import TARGET_DELAY
from ._cluster.connections.slot_leases import Slot, SlotLease
from ._cluster.connections.waiting import WaitingQueue
from ._cluster.execution.single import Executor
from ._cluster.tend.node import Node
from ._commands.records import RecordCommands
from ._drivers.attempt import LOGGED_OUT, RESULT_CODE, BorrowingExecutor, FirstAttempt, Policy
from ._drivers.loop_stalls import PERIOD, StallClock
from ._wire.constants import MESSAGE_HEADER_SIZE, PROTO_MESSAGE
from ._wire.frames import FrameReader
from .errors import ClientClosed, ClientError, ProtocolError
from .keys import Key
from .validation import Uncopyable

__all__ = ["LoopCommands"]

#: Connections that one loop borrows of one node at the most.
MAX_LINES = 8
#: Requests in a line past which another connection is borrowed.
LONG_LINE = 16
#: Requests of a loop in flight to a node at the most. Python is what limits the rate, and more in flight do not raise
#: it; those that wait in the loop cost nothing, and a pause of the node fails none of them.
WINDOW = 256
#: Commands of a loop that may be on their way through Trio, for a node, before a connection is borrowed. Afterwards as
#: many as are admitted here.
MAX_CROSSING = 64
#: Commands that are sent to a node after one has timed out and before it answers again; the others wait.
PROBES = 4
#: Answers in a burst from which on the first burst of a line tells the node's time apart from the network's.
BURST = 4
#: Seconds between two looks whether there is a connection to borrow.
POLL = 0.002
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
        super().__init__(
            client.config, client._cluster, client._executor, runner=_LoopExecutor(client, cross, loop)
        )


class _LoopExecutor(BorrowingExecutor):
    def __init__(self, client: Client, cross: Cross, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self._cross = cross
        # Weak, so that a closed loop is collected: it owns the lines, which watch their sockets in it, and everything
        # else here refers to both weakly.
        self._loop = weakref.ref(loop)
        self._lines: dict[Node, _Lines] = {}
        self._clock = StallClock(loop, self._is_busy)
        self._now = self._clock.now
        self._slots = None if self._inner.limiter is None else _SlotQueue(self._inner, self._clock, loop)

    def _is_busy(self) -> bool:
        slots = self._slots
        return (slots is not None and slots.awaited) or any(lines.busy for lines in self._lines.values())

    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes:
        loop = asyncio.get_running_loop()
        if loop is not self._loop():
            text = f"{what} {key!r}: these commands belong to another event loop; make LoopCommands for this one"
            raise ClientError(text)
        digest = key.digest
        table = self._cluster.partitions.tables.get(key.namespace)
        node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
        if node is None:
            return await self._in_trio(self._inner.plain_run, what, key, frame, policy, write)
        now = self._clock.start()
        request = _Request(what, key, policy, write, node, now, self._cluster.patience, self._now)
        request.frame = frame
        request.answer = loop.create_future()
        request.lines = lines = self._lines_to(node)
        slots = self._slots
        try:
            try:
                if slots is None:
                    lines.submit(request, now, loop)
                else:
                    slots.submit(request, now, loop)
            except BaseException:
                request.answer.cancel()
                lines.interrupted()
                raise
            try:
                body: bytes = await request.answer
            except (asyncio.CancelledError, KeyboardInterrupt):
                if request.slot is not None and request.in_flight and request.answer.cancelled():
                    # The server may be at work on it: the slot stays taken until the answer is in.
                    assert slots is not None
                    request.on_done = functools.partial(slots.release, request.slot)
                    request.slot = None
                lines.abandoned(request)
                raise
            except _Crosses:
                return await self._hand_over(request, what, key, frame, policy, write)
            except _NoProgress as waited:
                request.waited_in_vain(waited.silence, waited.waiting, waited.full)
            except _Unsent:
                request.unsent()
            except (OSError, ProtocolError) as error:
                if self._cluster.closed:
                    raise request.closed(sent=True) from error
                if not isinstance(error, TimeoutError):
                    lines.node.lent_connection_broke()
                request.broken(error)
            else:
                code = body[RESULT_CODE]
                if not code:
                    return body
                if code in LOGGED_OUT and request.line is not None:
                    request.line.retire()  # a new session is for new connections
                request.refused(code, frame)
            return await self._go_on_in_trio(request, what, key, frame, policy, write)
        finally:
            if request.slot is not None:
                assert slots is not None
                slots.release(request.slot)

    async def _hand_over(
        self, request: _Request, what: str, key: Key, frame: bytes, policy: Policy, write: bool
    ) -> bytes:
        """Have Trio run a command that has not been sent."""
        answered = False
        try:
            if request.limit < math.inf:
                if request.limit <= self._now():
                    request.waited_in_vain(*request.lines.wait_of(request))
                body = await self._go_on_in_trio(request, what, key, frame, policy, write)
            elif request.slot is None:
                # No limit, or an interrupt before the slot was noted: Trio acquires one where that is needed.
                body = await self._in_trio(self._inner.plain_run, what, key, frame, policy, write)
            else:
                body = await self._with_slot(request, self._inner.run_leased, what, key, frame, policy, write)
            answered = True
            return body
        finally:
            request.lines.crossed(answered)

    async def _go_on_in_trio(
        self, request: _Request, what: str, key: Key, frame: bytes, policy: Policy, write: bool
    ) -> bytes:
        state = request.state
        state.shift(time.monotonic() - self._clock.now())
        return await self._with_slot(
            request, self._inner.go_on, what, key, frame, policy, write, state, request.decision, request.error
        )

    async def _with_slot(self, request: _Request, function: Callable[..., Any], *args: Any) -> bytes:
        """Run a command in Trio, which takes its slot over, unless the task is cancelled before."""
        if self._slots is None:
            return await self._in_trio(function, *args, None)
        leased: list[Slot] = []
        if request.slot is not None:
            leased.append(request.slot)
            request.slot = None
        try:
            return await self._in_trio(function, *args, leased)
        finally:
            try:
                request.slot = leased.pop()
            except IndexError:
                pass  # Trio has it, and releases it

    async def _in_trio(self, function: Callable[..., Any], *args: Any) -> bytes:
        try:
            body: bytes = await self._cross(function, *args)
        except trio.RunFinishedError as error:
            raise ClientClosed("the client is closed: the Trio run that it was part of is over") from error
        return body

    def _lines_to(self, node: Node) -> _Lines:
        lines = self._lines.get(node)
        if lines is not None:
            return lines
        self._lines = {known: lines for known, lines in self._lines.items() if known.active or lines.busy or len(lines)}
        lines = self._lines[node] = _Lines(node, self._clock, self._slots, self._loop)
        return lines


class _Unsent(Exception):
    """The connection was given up before the request left."""


class _Crosses(Exception):
    """No connection here takes the request: Trio runs it."""


class _NoProgress(Exception):
    """The node answered nothing for as long as the request may wait."""

    def __init__(self, silence: float, waiting: int, full: bool) -> None:
        super().__init__(silence, waiting, full)
        self.silence = silence
        self.waiting = waiting
        self.full = full


class _Request(FirstAttempt):
    """A first attempt with its place in the loop.

    Attributes:
        frame: the bytes of the request.
        answer: settled with the body of the answer, or with what became of the request.
        lines: the lines to its node.
        slot: its slot of ``max_concurrent_operations``, while it has one.
        holder: the lines while it waits in their queue.
        line: the line that has taken it.
        in_flight: it may be with the server, whose answer is still owed.
        on_done: called once the answer of a request whose task has gone is in, or is given up.
    """

    __slots__ = ("answer", "frame", "holder", "in_flight", "line", "lines", "on_done", "slot")

    frame: bytes
    answer: asyncio.Future[bytes]
    lines: _Lines
    slot: Slot | None
    holder: Any
    line: _Line | None
    in_flight: bool
    on_done: Callable[[], None] | None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.slot = self.holder = self.line = self.on_done = None
        self.in_flight = False

    def finish(self) -> None:
        """The server owes no answer any more."""
        self.in_flight = False
        if self.on_done is not None:
            done, self.on_done = self.on_done, None
            done()


class _SlotQueue:
    """The slots of ``max_concurrent_operations`` in the hands of one loop, and the commands that wait for one.

    Args:
        executor: the client's, in Trio.
        clock: the loop's stall clock, for ``operation_queue_timeout``.
        loop: the loop.
    """

    def __init__(self, executor: Executor, clock: StallClock, loop: asyncio.AbstractEventLoop) -> None:
        self._executor = executor
        self._clock = clock
        self._loop = weakref.ref(loop)
        self._lease = SlotLease(executor, loop, self._arrived)
        #: All wait equally long, so that they end in their order.
        self._waiting: deque[_Request] = deque()
        self._asked_at = -math.inf
        # No timer is kept, for it would keep the loop.
        self._timed = False

    @property
    def awaited(self) -> bool:
        """Whether a command waits for a slot; may be asked in any thread."""
        return bool(self._waiting)

    def submit(self, request: _Request, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Submit a request to its lines as soon as there is a slot for it, in order of arrival.

        A request that gets none fails with BackpressureError after ``operation_queue_timeout``, or with ClientClosed.
        """
        lease = self._lease
        slot = None if self._waiting else lease.take()
        if slot is not None:
            self._start(request, slot, now, loop)
            return
        self._waiting.append(request)
        lease.wanted = len(self._waiting)
        if self._asked_at <= time.monotonic() - _ASK_AGAIN:
            # Those who have the slots may wait for a callback that a KeyboardInterrupt hit.
            request.lines.flush_again()
        self._ask()
        if not self._timed and self._executor.queue_timeout < math.inf:
            loop.call_later(self._executor.queue_timeout, self._expire)
            self._timed = True

    def _start(self, request: _Request, slot: Slot, now: float, loop: asyncio.AbstractEventLoop) -> None:
        request.slot = slot
        request.arrived = now  # the wait for a slot does not count against the command's time
        request.lines.submit(request, now, loop)

    def release(self, slot: Slot) -> None:
        """A command has ended: its slot goes to the next one, here or in Trio."""
        lease = self._lease
        if lease.wanted_elsewhere:
            lease.give_back(slot)
            if self._waiting:
                self._ask()
        elif not self._waiting:
            lease.free.append(slot)
        else:
            lease.free.append(slot)
            self._hand_out()

    def _ask(self) -> None:
        now = time.monotonic()
        if self._asked_at > now - _ASK_AGAIN:
            return  # Trio notifies the loop; a notification that a KeyboardInterrupt hit is asked for again
        try:
            self._lease.ask()
        except trio.RunFinishedError:
            self._lease.closed = True
            self._hand_out()
            return
        self._asked_at = now  # noted only now that the request is out: an interrupt before costs one too many

    def _arrived(self) -> None:
        self._asked_at = -math.inf
        self._hand_out()
        if self._waiting:
            self._ask()

    def _hand_out(self) -> None:
        waiting, lease, loop = self._waiting, self._lease, self._loop()
        if loop is None:
            return
        while waiting:
            request = waiting[0]
            if request.answer.done() or request.slot is not None:
                waiting.popleft()
                continue
            slot = lease.take()
            if slot is not None:
                # First into the one queue, then out of the other: whatever interrupts this, the request has its end.
                try:
                    self._start(request, slot, self._clock.now(), loop)
                except BaseException:
                    request.lines.interrupted(request)
                    raise
                waiting.popleft()
            elif lease.closed:
                waiting.popleft()
                request.answer.set_exception(request.closed(sent=False))
            else:
                break
        lease.wanted = len(waiting)

    def _expire(self) -> None:
        self._timed = False
        self._hand_out()
        waiting = self._waiting
        while waiting:
            request = waiting[0]
            left = request.arrived + self._executor.queue_timeout - self._clock.now()
            if left > 0:
                loop = self._loop()
                if loop is not None:
                    loop.call_later(left, self._expire)
                    self._timed = True
                break
            waiting.popleft()
            if not request.answer.done():
                request.answer.set_exception(self._executor.no_slot_came_free(len(waiting)))
        self._lease.wanted = len(waiting)


class _Lines:
    """The lines of one loop to one node, and the commands that wait for admission to one.

    Args:
        node: the node.
        clock: the loop's stall clock.
        slots: the loop's slots of ``max_concurrent_operations``, if there is such a limit.
        loop: the loop.

    Attributes:
        max_depth: requests in a line at the most.
        service_time: seconds that the node takes for a request, at the best.
        waiting: the requests that are past the window, or wait for the first connection.
    """

    def __init__(
        self,
        node: Node,
        clock: StallClock,
        slots: _SlotQueue | None,
        loop: weakref.ref[asyncio.AbstractEventLoop],
    ) -> None:
        self.node = node
        self.clock = clock
        self.slots = slots
        self._loop = loop
        self._lines: list[weakref.ref[_Line]] = []
        self._ask_at = 0.0
        self._watches = True
        self.max_depth = LONG_LINE
        self.service_time = PRIOR_SERVICE_TIME
        #: Nothing has been measured yet: the prior is no reason to line up many.
        self._cold = True
        self.waiting: WaitingQueue[_Request] = WaitingQueue(self)
        self._crossing = 0
        #: Commands that Trio runs at the same time because the node is slow: two for each connection.
        self._most_crossing = min(WINDOW, 2 * sum(pool.limit for pool in node.pools))
        #: When the node last answered, on the stall clock.
        self._progress_at = -math.inf
        #: A request has timed out since.
        self._silent = False
        #: The shortest patience of those that wait.
        self._patience = math.inf
        #: When the timer fires that counts. The others do nothing; none is kept, for it would keep the loop.
        self._look_at = math.inf

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def busy(self) -> bool:
        """Whether anybody waits for an answer or for admission."""
        return self.waiting.count > 0 or any(line.depth for line in self._alive())

    @property
    def awaited(self) -> bool:
        """Whether a command waits here, or for a slot; may be asked in any thread."""
        return self.waiting.count > 0 or (self.slots is not None and self.slots.awaited)

    def _alive(self) -> list[_Line]:
        return [line for ref in self._lines if (line := ref()) is not None]

    # -- admission ---------------------------------------------------------------------------------------------------

    def submit(self, request: _Request, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Give a request to a line, or to Trio, or let it wait here."""
        if not self.waiting.count:
            if self._admit(request, now, loop):
                return
            self._patience = math.inf
        self._patience = min(self._patience, request.patience)
        request.holder = self
        self.waiting.add(request)
        self._look_by(now, loop)

    def serve(self) -> None:
        """Admit those that wait, in their order, as far as there is room."""
        loop = self._loop()
        if loop is None:
            return
        waiting = self.waiting
        while waiting.count:
            request = waiting.head()
            if not request.answer.done():
                now = self.clock.now()
                began = max(request.arrived, self._progress_at) if self._silent else now
                if not self._admit(request, began, loop):
                    self._look_by(now, loop)
                    return
            waiting.remove(request)

    def _admit(self, request: _Request, began: float, loop: asyncio.AbstractEventLoop) -> bool:
        line = self.choose(loop)
        if line is not None:
            line.submit(request, began)
            return True
        if self._may_cross():
            if self._silent:
                request.admit(began)
            self._crossing += 1
            request.answer.set_exception(_Crosses())
            return True
        return False

    def choose(self, loop: asyncio.AbstractEventLoop) -> _Line | None:
        """The shortest line with room; borrows another connection when it becomes long."""
        best = None
        in_flight = 0
        for ref in self._lines:
            line = ref()
            if line is not None:
                in_flight += line.depth
                if line.usable and (best is None or line.depth < best.depth):
                    best = line
        if best is not None and not best.depth and in_flight < WINDOW:
            return best
        if in_flight >= WINDOW:
            return None  # connections that are new share the window with those that are full
        wanted = (best is None or best.depth >= LONG_LINE) and not self._silent
        if wanted and len(self._lines) < MAX_LINES and self._watches:
            best = self._borrow(loop) or best
        if best is not None and self._is_slow(best.depth) and self._may_cross():
            return None
        return best

    def _is_slow(self, depth: int) -> bool:
        """Whether a request takes so long that many connections are better than lines on a few."""
        return depth * self.service_time > PATIENCE and LONG_LINE * self.service_time > PATIENCE

    def _may_cross(self) -> bool:
        """Whether Trio is to run the next command: where no connection is borrowed, or where they are too few."""
        if self._silent:
            return self._crossing < PROBES
        depths = [line.depth for line in self._alive() if line.open_for_more]
        if depths:
            return self._crossing < self._most_crossing and self._is_slow(min(depths))
        return self._crossing < (MAX_CROSSING if self.node.may_lend and self._watches else WINDOW)

    def refill(self, line: _Line) -> None:
        """Admit those that wait, in their order, to a line that has answered."""
        waiting = self.waiting
        while waiting.count and line.usable:
            request = waiting.head()
            if not request.answer.done():
                line.put(request, self.clock.now())
            waiting.remove(request)

    def crossed(self, answered: bool) -> None:
        """Trio has run a command that was handed over."""
        self._crossing -= 1
        if answered:
            self._progress_at = self.clock.now()
            self._silent = False
        if self.waiting.count:
            self.serve()

    def flush_again(self) -> None:
        """Schedule again what was to be done by now and has not been."""
        for line in self._alive():
            line.flush_again()

    def abandoned(self, request: _Request) -> None:
        """The task that waited for a request has gone."""
        if request.holder is self:
            self.waiting.remove(request)
        elif request.line is not None:
            request.line.abandoned(request)
        elif request.answer.done() and not request.answer.cancelled():
            self.crossed(False)  # it had been handed over, and the task never learned of it

    # -- time --------------------------------------------------------------------------------------------------------

    def _look_by(self, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Look at those that wait when the first of them may be overdue; before, while no line takes them."""
        due = now + POLL
        if any(line.open_for_more for line in self._alive()):
            due = now + self._patience  # those that have answers to come serve them sooner
        # A timer that is long due and has not come was lost in a KeyboardInterrupt.
        if due < self._look_at or self._look_at < now - PERIOD:
            self._look_after(due - now, due, loop)

    def _look_after(self, delay: float, due: float, loop: asyncio.AbstractEventLoop) -> None:
        if delay < math.inf:
            loop.call_later(max(0.0, delay), self._look, due)
            self._look_at = due

    def _look(self, due: float) -> None:
        try:
            if due == self._look_at:
                self._look_at = math.inf
                if self.waiting.count:
                    self._expire_waiting()
                    self.serve()
        except BaseException:
            self.interrupted()
            raise

    def _expire_waiting(self) -> None:
        """Give up those that have waited without progress of the node for as long as their commands may take."""
        if self.clock.now() < self._progress_at + self._patience:
            return
        for line in self._alive():
            line.read()  # a loop that was busy may have let answers lie
        now = self.clock.now()
        self._patience = math.inf
        overdue: list[_Request] = []
        for request in self.waiting:
            since = max(request.arrived, self._progress_at)
            if since + request.patience > now:
                self._patience = min(self._patience, request.patience)
            elif not request.answer.done():
                overdue.append(request)
        waits = [self.wait_of(request) for request in overdue]
        for request, wait in zip(overdue, waits, strict=True):
            self.waiting.remove(request)
            # What is left of its time may be enough for a replica.
            request.admit(max(request.arrived, self._progress_at))
            request.answer.set_exception(_NoProgress(*wait))

    def wait_of(self, request: _Request) -> tuple[float, int, bool]:
        """For how long the node has been silent, how many more requests wait, and whether all connections are used."""
        silence = self.clock.now() - max(request.arrived, self._progress_at)
        full = all(pool.total >= pool.limit for pool in self.node.pools)
        return silence, max(0, self.waiting.count - 1), full

    def fell_silent(self) -> None:
        """A request has timed out: until the node answers, the time of those that wait runs."""
        self._silent = True

    # -- connections -------------------------------------------------------------------------------------------------

    def _borrow(self, loop: asyncio.AbstractEventLoop) -> _Line | None:
        """Another line, if a connection rests; otherwise one may rest there later."""
        link = self.node.lender.borrow()
        if link is not None:
            return self._add(link, loop)
        # No task of the loop waits for it: that one would be in the way when the loop ends.
        now = time.monotonic()
        if now >= self._ask_at and self.node.may_lend:
            self._ask_at = now + _ASK_AGAIN
            self.node.ask_to_lend()
        return None

    def _add(self, link: Link, loop: asyncio.AbstractEventLoop) -> _Line | None:
        self._ask_at = 0.0
        try:
            line = _Line(link, self.node, loop, self)
        except NotImplementedError:
            # A loop that cannot watch sockets, such as the proactor of Windows: all commands are run by Trio.
            self._watches = False
            self.node.lender.discard(link)
            return None
        except BaseException:
            self.node.lender.discard(link)
            raise
        self._lines.append(weakref.ref(line))
        self._limit_depth()
        return line

    def _limit_depth(self) -> None:
        """Divide the window among the lines, and let no request stand in one for long."""
        if self._cold:
            return
        share = math.ceil(WINDOW / max(1, len(self._lines)))
        self.max_depth = min(share, max(1, int(TARGET_DELAY / max(self.service_time, 1e-6))))

    def replied(self, count: int, elapsed: float, began: bool) -> None:
        """A burst of answers came in.

        Much of the time may be what our own loop was busy with, so the quickest burst tells best what the node takes;
        it counts for a while.

        Args:
            count: how many answers.
            elapsed: seconds since the burst before, or since the line began.
            began: whether the line began with these: then the time holds that of the network.
        """
        if self._cold and (count >= BURST or not began):
            self._cold = False
            self.service_time = elapsed / count
        else:
            self.service_time = min(elapsed / count, self.service_time * FORGET)
        self._limit_depth()
        self._progress_at = self.clock.now()
        self._silent = False

    def gone(self, line: _Line) -> None:
        """A line has ended."""
        self._lines = [ref for ref in self._lines if ref() is not line]
        self._limit_depth()
        loop = self._loop()
        if self.waiting.count and loop is not None:
            self._look_after(0.0, self.clock.now(), loop)

    def interrupted(self, *others: _Request) -> None:
        """A KeyboardInterrupt may have left the queues in any state: end the lines, and have Trio run what waits.

        Args:
            others: requests that may be in none of the queues.
        """
        waiting, self.waiting = self.waiting, WaitingQueue(self)
        for line in self._alive():
            line.interrupted()
        for request in (*waiting, *others):
            request.holder = None
            if not request.answer.done():
                self._crossing += 1
                request.answer.set_exception(_Crosses())


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
        self._clock = lines.clock
        self._sock: socket.socket = link.for_loop()
        # A loop that is given the socket itself may keep it open beyond its own end.
        self._number = self._sock.fileno()
        self._frames = FrameReader()
        #: Answers owed, in order.
        self._sent: deque[_Request] = deque()
        self._unsent: deque[_Request] = deque()
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
        #: Nothing has been answered since the line began.
        self._fresh = True
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
        return self.open_for_more and self.depth < self._lines.max_depth and self._unsent_bytes < UNSENT_LIMIT

    @property
    def open_for_more(self) -> bool:
        """Whether the line takes requests, if not now then when some have been answered."""
        return self._alive and not self._suspended and not self._retired

    @property
    def awaited(self) -> bool:
        """Whether a task waits for an answer; may be asked in any thread."""
        if self._lines.awaited:
            return True
        depth = self.depth
        answers = [request.answer for request in (*self._unsent.copy(), *self._sent.copy())]
        return len(answers) < depth or not all(answer.done() for answer in answers)

    def put(self, request: _Request, now: float) -> None:
        """Put a request at the end of the line. Its time runs from ``now`` on the stall clock."""
        request.admit(now)
        request.line = self
        self._unsent.append(request)
        self._unsent_bytes += len(request.frame)
        self.depth += 1
        if request.deadline < self._due or self._due < now:
            self._look_at(request.deadline)

    def submit(self, request: _Request, began: float) -> None:
        """Put a request at the end of the line; what gathers until the loop's tasks have run goes out in one send.

        A callback that a KeyboardInterrupt hit before its first statement is lost, as all of asyncio's are. What was to
        be done by now and has not been is therefore scheduled again.
        """
        self.put(request, began)
        self.flush_again()

    def flush_again(self) -> None:
        """Schedule the flush, unless one is to come or the socket takes nothing."""
        now = time.monotonic()
        if not self._unsent:
            return
        if not self._flushing or now - self._flush_at > _FLUSH_AGAIN:
            asyncio.get_running_loop().call_soon(self._flush)
            self._flush_at = now
            self._flushing = True

    def abandoned(self, attempt: _Request) -> None:
        """The task that waited has gone: what has not been sent never is, an answer is dropped when it comes."""
        if not self._alive:
            return
        if attempt.deadline == math.inf:
            # It had all the time in the world, but those behind it have not: when it stays silent they go elsewhere.
            attempt.deadline = self._clock.now() + ABANDONED_SECONDS
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
            self._rest()  # all have been withdrawn

    def _gather(self, now: float, restamp: bool) -> list[bytes]:
        """The requests to go out next, which count as sent."""
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
            # First into the one queue, then out of the other: whatever interrupts this, somebody hears of its end.
            request.in_flight = True
            sent.append(request)
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
            request = self._sent[-1]
            self._unsent.appendleft(request)
            request.in_flight = False
            self._sent.pop()
            self._unsent_bytes += len(frame)

    def _writable(self) -> None:
        try:
            asyncio.get_running_loop().remove_writer(self._number)
            self._send_waiting()
            if self._lines.waiting.count:
                self._lines.serve()
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
        lines = self._lines
        frames = self._frames.feed(data)
        if frames:
            if len(frames) > len(sent):
                # Which of them are answers cannot be told, so none of them is handed out.
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
                    if slot is not None and not body[RESULT_CODE] and lines.slots is not None:
                        request.slot = None
                        lines.slots.release(slot)  # the next request is on its way at once
                sent.popleft()
                self.depth -= 1
            self._suspended = False
            now = self._clock.now()
            self._lines.replied(len(frames), now - self._began, self._fresh)
            self._began = now
            self._fresh = False
        if self._frames.error is not None:
            raise self._frames.error
        if not sent and self._frames.pending:
            raise self._unsolicited(f"{self._frames.pending} bytes after its last answer")
        if frames and lines.waiting.count:
            lines.refill(self)
        if self._unsent and not self._blocked:
            # At once, so that the server is at work while the tasks go on whose answers have come.
            self._send_waiting()
            if self._alive and lines.waiting.count and not self.usable:
                lines.serve()
        if not self.depth and self._alive:
            self._rest()

    def read(self) -> None:
        """Take what has arrived."""
        if self._alive:
            self._readable()

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
            delay = max(0.0, due - self._clock.now())
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
        if self._sent and self._sent[0].deadline <= self._clock.now():
            self._readable()  # a loop that was busy may have let an answer lie
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
                request.answer.set_exception(_Unsent())
        if self._sent and self._sent[0].deadline <= now:
            self._suspended = True
            self._lines.fell_silent()
            self._return_unsent()
            if self._close_unless_awaited():
                return
        self._look_at(due)

    def _close_unless_awaited(self) -> bool:
        if any(not request.answer.done() for request in self._sent):
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
        """What has not been sent goes elsewhere."""
        self.depth -= len(self._unsent)
        for request in self._unsent:
            if not request.answer.done():
                request.answer.set_exception(_Unsent())
        self._unsent.clear()
        self._unsent_bytes = 0
