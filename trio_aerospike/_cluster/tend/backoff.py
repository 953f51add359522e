"""Back off early rounds of the tend loop, exponentially and per cause.

A command that finds its node dead asks for an early round, so that the client soon learns which node took over. A node
that fails repeatedly must not make every client ask all other nodes 20 times a second, so each cause (a node, or "" for
the partition map) has a back-off of its own: 50 ms, doubled with each early round up to ``tend_interval``. A success
resets it. Plain state, no clock: times are passed in.
"""

from __future__ import annotations

import math
from typing import Final

#: Seconds between the first two early rounds of one cause.
FIRST_DELAY: Final = 0.05


class _Cause:
    """One reason for early rounds.

    Attributes:
        delay: seconds between its last early round and the next one, at the least.
        not_before: when the next one may begin.
        asked_at: when a round was last asked for, or served.
        asks: whether a round is wanted now.
    """

    __slots__ = ("asked_at", "asks", "delay", "not_before")

    def __init__(self) -> None:
        self.delay = 0.0
        self.not_before = self.asked_at = -math.inf
        self.asks = False


class TendBackoff:
    """Decide when an early round of the tend loop may begin.

    Args:
        interval: seconds between two regular rounds; the longest back-off.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._causes: dict[str, _Cause] = {}

    def __repr__(self) -> str:
        waits = ", ".join(f"{name or 'map'} {cause.delay:.2f} s" for name, cause in self._causes.items())
        return f"<TendBackoff: {waits or 'nothing to hurry for'}>"

    @property
    def first_delay(self) -> float:
        """Least seconds between two rounds."""
        return min(FIRST_DELAY, self._interval)

    @property
    def due(self) -> float:
        """Return when the next early round may begin; infinity if none is wanted."""
        return min((cause.not_before for cause in self._causes.values() if cause.asks), default=math.inf)

    def ask(self, name: str, now: float) -> None:
        """Ask for an early round.

        Args:
            name: the node that failed; "" for a stale partition map.
            now: the current time.
        """
        cause = self._causes.get(name)
        if cause is None:
            cause = self._causes[name] = _Cause()
        cause.asks = True
        cause.asked_at = now

    def round_began(self, now: float) -> None:
        """Note that a round begins: it serves all causes that want one, and doubles their back-off."""
        self.answered("", now)
        for cause in self._causes.values():
            if cause.asks:
                cause.asks = False
                cause.asked_at = now
                cause.delay = min(max(2 * cause.delay, self.first_delay), self._interval)
                cause.not_before = now + cause.delay

    def answered(self, name: str, now: float) -> None:
        """Note that a node answered the tend loop: a success, unless commands failed there meanwhile."""
        cause = self._causes.get(name)
        if cause is not None and not cause.asks and now - cause.asked_at >= cause.delay:
            del self._causes[name]

    def changed(self, name: str) -> None:
        """Reset a cause after a change of the cluster: a new partition map (""), or a node that joined or left."""
        self._causes.pop(name, None)
