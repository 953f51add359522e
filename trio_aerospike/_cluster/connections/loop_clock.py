"""Loop clock: the time that counts against timeouts, and the time that the event loop spent on its own tasks.

A timeout is about the server and the network. While our own tasks run, no answer is read and no request leaves, so one
iteration of the event loop is charged with :data:`GRACE` at the most, however long it takes: starting 100,000 tasks, or
a task that blocks the loop, uses up no command's timeout. A pool that could not tell the two apart would also open
connections because its own process is busy.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Final

import trio

_clock: trio.lowlevel.RunVar[LoopClock] = trio.lowlevel.RunVar("trio_aerospike loop clock")

#: Seconds that one iteration of the event loop is charged with at the most.
GRACE: Final = 0.02


class LoopClock(trio.abc.Instrument):
    """Trio's clock without the time in which the event loop did no I/O. One serves all clients of a Trio run.

    Attributes:
        trio_time: returns the time on Trio's clock.
        iteration: number of the current iteration of the event loop.
        stalled: seconds in which the loop did no I/O, beyond :data:`GRACE` for each iteration.
        users: how many clients need it now: it is an instrument of the run while this is above 0.
    """

    def __init__(self) -> None:
        self.users = 0
        self.trio_time = trio.lowlevel.current_clock().current_time
        self._worked = 0.0
        self._since = perf_counter()
        self.iteration: int = 0
        self.stalled: float = 0.0
        # A mock clock stands still while tasks run, and jumps before the next ones do.
        testing = sys.modules.get("trio.testing")
        self._mocked = testing is not None and isinstance(trio.lowlevel.current_clock(), testing.MockClock)
        #: When the charge for this iteration is used up, on Trio's clock.
        self._stop = math.inf
        self._scopes: set[trio.CancelScope] = set()

    def begin(self) -> None:
        """Note the time from which tasks run."""
        self._since = perf_counter()

    def before_io_wait(self, timeout: float) -> None:
        """Trio's hook: the tasks have all run."""
        worked = perf_counter() - self._since
        self._worked += worked
        if worked > GRACE and not self._mocked:
            self.stalled += worked - GRACE
            for scope in self._scopes:
                scope.deadline += worked - GRACE
        self._stop = math.inf

    def after_io_wait(self, timeout: float) -> None:
        """Trio's hook: the tasks are about to run."""
        self.iteration += 1
        if not self._mocked:
            self._stop = self.trio_time() + GRACE
        self._since = perf_counter()

    def now(self) -> float:
        """The time that counts against timeouts, in seconds; it never goes back."""
        now = self.trio_time()
        return (now if now < self._stop else self._stop) - self.stalled

    def charged(self, trio_time: float) -> float:
        """As :meth:`now`, where the time on Trio's clock is at hand."""
        return (trio_time if trio_time < self._stop else self._stop) - self.stalled

    def to_trio(self, time: float) -> float:
        """The earliest time on Trio's clock at which :meth:`now` can reach a time."""
        return time + self.stalled

    def waited(self) -> float:
        """A clock that stands still while our own tasks run: Trio's, less the time that they took."""
        return self.trio_time() - self._worked - (perf_counter() - self._since)

    @contextlib.contextmanager
    def move_on_after(self, seconds: float) -> Iterator[trio.CancelScope]:
        """As ``trio.move_on_after``, on this clock."""
        with trio.move_on_after(seconds) as scope:
            if seconds < math.inf:
                self._scopes.add(scope)
            try:
                yield scope
            finally:
                self._scopes.discard(scope)

    @contextlib.contextmanager
    def fail_after(self, seconds: float) -> Iterator[trio.CancelScope]:
        """As ``trio.fail_after``, on this clock.

        Raises:
            TooSlowError: the time is over.
        """
        with self.move_on_after(seconds) as scope:
            yield scope
        if scope.cancelled_caught:
            raise trio.TooSlowError


def latency_of(passed: float, waited: float) -> float:
    """Estimate a round-trip time, if the measurement allows it.

    Args:
        passed: seconds that passed by the clock.
        waited: seconds of them in which our own tasks did not run.

    Returns:
        ``passed``; 0 where our tasks were busy for so much of it that the answer may have come long before.
    """
    return passed if 2 * waited >= passed else 0.0


def loop_clock() -> LoopClock:
    """The loop clock of this Trio run. Where no client runs it is Trio's clock, and nothing is installed in the run."""
    try:
        return _clock.get()
    except LookupError:
        clock = LoopClock()
        _clock.set(clock)
        return clock


@contextlib.contextmanager
def running_loop_clock() -> Iterator[LoopClock]:
    """Have the clock installed for as long as the block lasts. The last block to end removes it from the host's run."""
    clock = loop_clock()
    if not clock.users:
        clock.begin()
        trio.lowlevel.add_instrument(clock)
    clock.users += 1
    try:
        yield clock
    finally:
        clock.users -= 1
        if not clock.users:
            # A run that has crashed has no instruments any more.
            with contextlib.suppress(KeyError, RuntimeError):
                trio.lowlevel.remove_instrument(clock)
