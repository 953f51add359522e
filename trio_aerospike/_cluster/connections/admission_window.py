"""Admission window of a node: how many requests may be in flight on its connections, as TCP's congestion window.

No I/O and no clock. The window grows while answers come soon and more requests wait, and shrinks when answers come
late. Requests past it wait in the client, where they cost nothing; in flight they would run into their timeouts.
"""

from __future__ import annotations

import math

#: Requests in flight on a node of which nothing is known, and always at least: or one for each connection that it may
#: have, if that is more.
WINDOW_START = 256
WINDOW_MIN = 64
#: Seconds between a request and its answer, beyond the round trip, at which the window shrinks. It grows up to half of
#: that. This is a small part of the usual timeout of a second.
TARGET_DELAY = 0.04
#: What is left of a window that shrinks.
SHRINK = 0.8
#: The largest window, as a multiple of the first one.
GROWTH = 4
#: The weight of a new sample of the delay.
WEIGHT = 0.25


class AdmissionWindow:
    """The window of one pool.

    Args:
        connections: the most that the pool may have; as many requests are always admitted.

    Attributes:
        size: maximum number of requests in flight.
        delay: seconds from a request to its answer, the average of late.
    """

    __slots__ = ("_max", "_min", "_shrink_at", "delay", "size")

    def __init__(self, connections: int) -> None:
        self.size: float = max(WINDOW_START, connections)
        self.delay: float = 0.0
        self._min = max(WINDOW_MIN, connections)
        self._max = GROWTH * self.size
        self._shrink_at = -math.inf

    def replied(self, count: int, age: float, round_trip: float, now: float, *, wanted: bool) -> None:
        """Adapt the window to a burst of answers.

        Args:
            count: how many.
            age: seconds since the first of their requests left.
            round_trip: seconds that the network takes of it.
            now: the time.
            wanted: whether more requests wait.
        """
        self.delay += WEIGHT * (min(age, 1.0) - self.delay)
        late = age - round_trip
        if late > TARGET_DELAY:
            if now >= self._shrink_at and self.size > self._min:
                # Answers to what was sent before this are no reason to shrink once more.
                self._shrink_at = now + age
                self.size = max(self._min, self.size * SHRINK)
        elif wanted and late < TARGET_DELAY / 2:
            self.size = min(self.size + count, self._max)
