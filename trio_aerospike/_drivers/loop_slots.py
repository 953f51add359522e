"""Queue of the commands of one asyncio loop that wait for a slot of ``max_concurrent_operations``."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections import deque

import trio

from .._cluster.connections.slot_leases import Slot, SlotLease
from .._cluster.execution.single import Executor
from .loop_request import LoopRequest
from .stall_clock import StallClock

#: Seconds after which slots are asked for again where no reply has come.
_ASK_AGAIN = 0.02


class SlotQueue:
    """The slots that one loop has leased, and the commands that wait for one, in order of arrival.

    Args:
        executor: the client's executor, in Trio.
        clock: the loop's stall clock, for ``operation_queue_timeout``.
        loop: the loop.
    """

    def __init__(self, executor: Executor, clock: StallClock, loop: asyncio.AbstractEventLoop) -> None:
        self._executor = executor
        self._clock = clock
        self._loop = weakref.ref(loop)
        self._lease = SlotLease(executor, loop, self._arrived)
        #: All have the same timeout, so they expire in order.
        self._waiting: deque[LoopRequest] = deque()
        self._asked_at = -math.inf
        # Whether a timer is set. The timer itself is not kept: it refers to the loop.
        self._timer_set = False

    @property
    def has_waiters(self) -> bool:
        """Whether a command waits for a slot; may be read in any thread."""
        return bool(self._waiting)

    def submit(self, request: LoopRequest, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Submit a request to the connections of its node as soon as it has a slot, in order of arrival.

        Without one it fails with BackpressureError after ``operation_queue_timeout``, or with ClientClosed.
        """
        lease = self._lease
        slot = None if self._waiting else lease.take()
        if slot is not None:
            self._start(request, slot, now, loop)
            return
        self._waiting.append(request)
        lease.wanted = len(self._waiting)
        if self._asked_at <= time.monotonic() - _ASK_AGAIN:
            # Commands that have slots may wait for a callback that a KeyboardInterrupt ended.
            request.admission.reschedule()
        self._ask()
        if not self._timer_set and self._executor.queue_timeout < math.inf:
            loop.call_later(self._executor.queue_timeout, self._expire)
            self._timer_set = True

    def _start(self, request: LoopRequest, slot: Slot, now: float, loop: asyncio.AbstractEventLoop) -> None:
        request.slot = slot
        request.arrived = now  # the wait for a slot does not count against the command's time
        request.admission.submit(request, now, loop)

    def release(self, slot: Slot) -> None:
        """Pass the slot of a command that has ended to the next one, here or in Trio."""
        lease = self._lease
        if lease.wanted_elsewhere:
            lease.give_back(slot)
            if self._waiting:
                self._ask()
        elif not self._waiting:
            lease.free.append(slot)
        else:
            lease.free.append(slot)
            self._serve()

    def _ask(self) -> None:
        now = time.monotonic()
        if self._asked_at > now - _ASK_AGAIN:
            return  # Trio notifies the loop; a notification lost to a KeyboardInterrupt is asked for again
        try:
            self._lease.ask()
        except trio.RunFinishedError:
            self._lease.closed = True
            self._serve()
            return
        self._asked_at = now  # only after asking: an interrupt between the two asks once too often

    def _arrived(self) -> None:
        self._asked_at = -math.inf
        self._serve()
        if self._waiting:
            self._ask()

    def _serve(self) -> None:
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
                # Submitted first, then removed here: wherever this is interrupted, the request is in a queue.
                try:
                    self._start(request, slot, self._clock.now(), loop)
                except BaseException:
                    request.admission.interrupted(request)
                    raise
                waiting.popleft()
            elif lease.closed:
                waiting.popleft()
                request.answer.set_exception(request.closed(sent=False))
            else:
                break
        lease.wanted = len(waiting)

    def _expire(self) -> None:
        self._timer_set = False
        self._clock.start()
        self._serve()
        waiting = self._waiting
        while waiting:
            request = waiting[0]
            left = request.arrived + self._executor.queue_timeout - self._clock.now()
            if left > 0:
                loop = self._loop()
                if loop is not None:
                    loop.call_later(left, self._expire)
                    self._timer_set = True
                break
            waiting.popleft()
            if not request.answer.done():
                request.answer.set_exception(self._executor.no_slot_came_free(len(waiting)))
        self._lease.wanted = len(waiting)
