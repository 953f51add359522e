"""How long the event loop was at work: what is left of a wait is what the server and the network took.

A reply that was handed out 1 ms after its request left may have taken the server 15 us and our own tasks the rest. A
pool that cannot tell the two apart would open connections because its own process is busy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from time import perf_counter

import trio

_meter: trio.lowlevel.RunVar[BusyMeter] = trio.lowlevel.RunVar("trio_aerospike busy meter")


class BusyMeter(trio.abc.Instrument):
    """Adds up the time between a look for I/O and the next. One serves all clients of a Trio run.

    Attributes:
        users: how many clients need it now.
        installed: whether it is an instrument of the run.
    """

    def __init__(self) -> None:
        self.users = 0
        self.installed = False
        self._busy = 0.0
        self._since = perf_counter()
        #: Counts the times that the loop has looked for I/O: what happens at one count happens in one go.
        self.turn: int = 0

    def begin(self) -> None:
        """The tasks run from now on."""
        self._since = perf_counter()

    def before_io_wait(self, timeout: float) -> None:
        """Trio's hook: the tasks have all run."""
        self._busy += perf_counter() - self._since

    def after_io_wait(self, timeout: float) -> None:
        """Trio's hook: the tasks are about to run."""
        self.turn += 1
        self._since = perf_counter()

    def waited(self) -> float:
        """A clock that stands still while our own tasks run: Trio's, less the time that they took."""
        return trio.current_time() - self._busy - (perf_counter() - self._since)


def latency_of(passed: float, waited: float) -> float:
    """How long a way took, if that can be told.

    Args:
        passed: seconds that passed by the clock.
        waited: seconds of them in which our own tasks did not run.

    Returns:
        ``passed``; 0 where our tasks were busy for so much of it that the answer may have come long before.
    """
    return passed if 2 * waited >= passed else 0.0


def busy_meter() -> BusyMeter:
    """The meter of this Trio run, which is installed at the first call, and at the first after it was removed."""
    try:
        meter = _meter.get()
    except LookupError:
        meter = BusyMeter()
        _meter.set(meter)
    if not meter.installed:
        meter.begin()
        trio.lowlevel.add_instrument(meter)
        meter.installed = True
    return meter


@contextlib.contextmanager
def metered() -> Iterator[BusyMeter]:
    """Have the meter installed for as long as the block lasts. The last block to end removes it from the host's run."""
    meter = busy_meter()
    meter.users += 1
    try:
        yield meter
    finally:
        meter.users -= 1
        if not meter.users:
            meter.installed = False
            # A run that has crashed has no instruments any more.
            with contextlib.suppress(KeyError, RuntimeError):
                trio.lowlevel.remove_instrument(meter)
