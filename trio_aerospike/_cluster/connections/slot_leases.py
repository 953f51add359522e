"""Lease slots of ``max_concurrent_operations`` to an event loop of another thread, many at a time.

A loop that crossed into Trio for each slot would pay two wake-ups of a thread per command. It leases slots instead,
hands them from command to command, and they return to the limiter when nothing uses them for a while or when other
operations of the client wait for a slot. At every moment the limiter counts a leased slot as taken.

The loop and Trio share deques and integers here, of which each use is one atomic step. A KeyboardInterrupt may be
raised in the loop at any of these steps and lose a slot; so a slot that nobody refers to any more is released as well.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import trio

from ...validation import Uncopyable

#: Seconds after which a leased slot that no command has used returns to the limiter.
IDLE: Final = 0.01


class SlotOwner(Protocol):
    """What leases slots: the executor, which counts the client's operations.

    Attributes:
        limiter: gives the slots; None where nothing limits operations.
        slots_awaited: how many operations wait for a slot.
        leases: the leases that have slots.
        call_soon: calls a function in Trio, from any thread.
    """

    limiter: trio.CapacityLimiter | None
    slots_awaited: int
    leases: set[SlotLease]
    call_soon: Callable[[Callable[[], object]], None]

    @property
    def in_background(self) -> Callable[[Callable[[], Coroutine[Any, Any, None]]], None] | None:
        """Starts a task that runs while the client is open; None once it is closed."""

    def release_slot(self, operation: object) -> None:
        """Give a slot back."""


class Slot:
    """One slot of the limiter, leased to a loop.

    Attributes:
        lease: what it belongs to.
        operation: on whose behalf the limiter has given it.
    """

    __slots__ = ("__weakref__", "lease", "operation")

    def __init__(self, lease: SlotLease, operation: object) -> None:
        self.lease = lease
        self.operation = operation


class SlotLease(Uncopyable):
    """The slots that one event loop has leased.

    Args:
        executor: whose limiter is asked.
        loop: the loop, which the lease does not keep alive.
        notify: called in the loop when slots have arrived, or when none will arrive any more.

    Attributes:
        free: leased slots that no command uses.
        wanted: how many commands wait for a slot in the loop; set there.
        least_free: the fewest slots that were free since Trio last looked; set in the loop.
        acquiring: whether Trio waits for a slot on behalf of the loop.
        closed: whether the client is closed.
    """

    def __init__(self, executor: SlotOwner, loop: asyncio.AbstractEventLoop, notify: Callable[[], None]) -> None:
        self._executor = executor
        self._loop = weakref.ref(loop)
        self._notify = notify
        self.free: deque[Slot] = deque()
        self.wanted = 0
        self.least_free = 0
        self.acquiring = False
        self.closed = False
        self._returned: deque[Slot] = deque()
        #: Every slot that is leased: free, in use, or being returned.
        self._held: dict[object, weakref.ref[Slot]] = {}
        self._scope = trio.CancelScope()
        self._watching = False

    # -- in the loop -------------------------------------------------------------------------------------------------

    @property
    def wanted_elsewhere(self) -> bool:
        """Whether other operations of the client wait for a slot that is not being returned to them already."""
        return self._executor.slots_awaited - self.acquiring > len(self._returned)

    def take(self) -> Slot | None:
        """A free slot, or None."""
        free = self.free
        try:
            slot = free.pop()
        except IndexError:
            return None
        self.least_free = min(self.least_free, len(free))
        return slot

    def ask(self) -> None:
        """Have Trio acquire as many slots as are wanted; a notification follows.

        Raises:
            RunFinishedError: the client's Trio run is over.
        """
        self._executor.call_soon(self._start)

    def give_back(self, slot: Slot) -> None:
        """Return a slot to the limiter."""
        self._returned.append(slot)
        try:
            self._executor.call_soon(self._release_returned)
        except trio.RunFinishedError:
            pass  # the limiter is gone with its run

    # -- in Trio -----------------------------------------------------------------------------------------------------

    def transfer(self, slot: Slot) -> object | None:
        """Trio goes on with the command.

        Returns:
            The operation on whose behalf Trio releases the slot; None where the slot has been released already.
        """
        return None if self._held.pop(slot.operation, None) is None else slot.operation

    def reclaim(self) -> bool:
        """Release one slot that no command uses; returns whether there was one."""
        try:
            slot = self.free.pop()
        except IndexError:
            return False
        self._release(slot.operation)
        return True

    def _release(self, operation: object) -> None:
        if self._held.pop(operation, None) is not None:
            self._executor.release_slot(operation)

    def _release_lost(self, operation: object) -> None:
        """A slot has been collected, in whatever thread."""
        try:
            self._executor.call_soon(functools.partial(self._release, operation))
        except trio.RunFinishedError:
            pass  # the limiter is gone with its run

    def _release_returned(self) -> None:
        while self._returned:
            self._release(self._returned.popleft().operation)

    def _start(self) -> None:
        background = self._executor.in_background
        if self.closed or not background:
            self._close()
            return
        if not self.acquiring:
            self.acquiring = True
            background(self._acquire)
        if not self._watching:
            self._watching = True
            background(self._watch)

    def _close(self) -> None:
        self.closed = True
        self._tell_loop()

    def _tell_loop(self) -> None:
        loop = self._loop()
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._notify)
            except RuntimeError:
                pass  # the loop is closed; what it holds is released below

    async def _acquire(self) -> None:
        executor = self._executor
        limiter = executor.limiter
        assert limiter is not None
        ended = False
        self._scope = trio.CancelScope()
        executor.slots_awaited += 1
        try:
            with self._scope:
                while self.wanted > len(self.free):
                    operation = object()
                    await limiter.acquire_on_behalf_of(operation)
                    self._add(operation)
                    while self.wanted > len(self.free):
                        operation = object()
                        try:
                            limiter.acquire_on_behalf_of_nowait(operation)
                        except trio.WouldBlock:
                            break
                        self._add(operation)
                    self._tell_loop()
            ended = True
        finally:
            executor.slots_awaited -= 1
            self.acquiring = False
            self.closed = self.closed or not ended  # the client closes
            self._tell_loop()

    def _add(self, operation: object) -> None:
        slot = Slot(self, operation)
        self._held[operation] = weakref.ref(slot, lambda _: self._release_lost(operation))
        self.free.append(slot)

    async def _watch(self) -> None:
        """Release what is idle, and everything once the loop is closed."""
        self._executor.leases.add(self)
        try:
            while self._held or self.acquiring:
                self.least_free = len(self.free)
                await trio.sleep(IDLE)
                loop = self._loop()
                if loop is None or loop.is_closed():
                    self.free.clear()
                    self.wanted = 0
                    self._scope.cancel()
                    for operation in list(self._held):
                        self._release(operation)
                    continue
                if self.wanted <= len(self.free):
                    self._scope.cancel()
                    for _ in range(min(self.least_free, len(self.free))):
                        self.reclaim()
        finally:
            self._executor.leases.discard(self)
            self._watching = False
