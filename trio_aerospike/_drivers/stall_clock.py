"""Stall clock of an asyncio loop: the time that counts against timeouts, without that in which it was blocked.

The same rule as for Trio's loop (:mod:`trio_aerospike._cluster.connections.loop_clock`), which has hooks where
asyncio has only timers: a timer that is due every :data:`PERIOD` seconds shows by its lateness for how long the loop
read no answer.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Final

from .._cluster.connections.loop_clock import GRACE

#: Seconds between two looks at the time while commands are under way.
PERIOD: Final = 0.02


class StallClock:
    """The monotonic clock without the time in which an asyncio loop was blocked.

    Args:
        loop: the loop, which the clock does not keep alive.
        needed: called in the loop every :data:`PERIOD` seconds while it returns that commands are under way. No timer
            runs otherwise.

    Attributes:
        stalled: seconds for which the loop was blocked while it was watched.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, needed: Callable[[], bool]) -> None:
        self._loop = weakref.ref(loop)
        self._needed = needed
        self._stop = math.inf
        # Timers are numbered rather than kept, for they refer to the loop: the latest one counts.
        self._timers = 0
        #: When the clock was last started again, since its timer was late.
        self._restarted_at = -math.inf
        self.stalled: float = 0.0

    def now(self) -> float:
        """The time that counts against timeouts, in seconds; it never goes back."""
        now = monotonic()
        return (now if now < self._stop else self._stop) - self.stalled

    def start(self) -> float:
        """Watch the loop while commands are under way; return the time.

        To be called where a command begins and where a timer may expire one: it also starts the clock again whose own
        timer was lost to a KeyboardInterrupt.
        """
        now = monotonic()
        if now < self._stop < math.inf:
            return now - self.stalled
        if self._stop == math.inf:
            self._wait(now)
        elif now - self._restarted_at > PERIOD:
            # The loop is late, or a KeyboardInterrupt has ended the timer's callback before its first statement.
            loop = self._loop()
            if loop is not None:
                self._timers += 1
                loop.call_soon(self._tick, self._timers)
                self._restarted_at = now
        return min(now, self._stop) - self.stalled

    def _wait(self, now: float) -> None:
        loop = self._loop()
        if loop is not None:
            self._timers += 1
            loop.call_later(PERIOD, self._tick, self._timers)
            self._stop = now + PERIOD + GRACE

    def _tick(self, number: int) -> None:
        if number != self._timers:
            return
        now = monotonic()
        if now > self._stop:
            self.stalled += now - self._stop
        self._stop = math.inf
        if self._needed():
            self._wait(now)
