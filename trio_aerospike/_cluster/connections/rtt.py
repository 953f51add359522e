"""How long the way to a node and back takes while it is in use: what is no part of the time that a request takes there.

The tend loop's probe tells it of a way that nothing else is on. Under load there are queues on the way as well, in
proxies, kernels and network cards, and a pool that took those for the server's work would open a connection for each
request. Requests that went alone and requests that went in line tell the two apart: what four in line take longer than
one alone is work, and what one alone takes besides is the way.
"""

from __future__ import annotations

from collections.abc import Callable

#: The weight of a new sample.
WEIGHT = 0.25
#: How fast what was learnt gives way to the probe, with each burst that says nothing new: where the server is slow no
#: requests come back together, and nothing would tell that the queues have gone.
LEAK = 1 / 256


class Way:
    """Learns the latency of a node from bursts of replies.

    Args:
        probed: tells the seconds that the tend loop's last probes took; 0 while there was none.
    """

    __slots__ = ("_alone", "_learnt", "_probed")

    def __init__(self, probed: Callable[[], float]) -> None:
        self._probed = probed
        # How long one takes that goes alone: a read, and a write, which may wait for its replica.
        self._alone = [0.0, 0.0]
        self._learnt = 0.0

    @property
    def unloaded(self) -> float:
        """The way there and back with nothing else on it, in seconds; 0 while it is not known."""
        return self._probed()

    @property
    def loaded(self) -> float:
        """The way there and back with what is on it now, in seconds."""
        return max(self._probed(), self._learnt)

    def refute(self, age: float) -> None:
        """A reply came this many seconds after its request had left, from a line that was not empty before.

        So the way is shorter. The server may have worked for most of that time: only half of it is left to the way,
        as what is taken for the way would not be seen as work any more, and lines would grow for ever.
        """
        if self._learnt > age / 2:
            self._learnt = age / 2
        self._leak()

    def _leak(self) -> None:
        probed = self._probed()
        if self._learnt > probed:
            self._learnt += LEAK * (probed - self._learnt)

    def learn(self, count: int, elapsed: float, write: bool) -> None:
        """Learn from the first replies to a line that was empty before.

        Args:
            count: how many came at once.
            elapsed: seconds since their requests left.
            write: whether there were writes among them.
        """
        alone = self._alone[write]
        if count == 1 or elapsed < alone:
            # Never more than this: those in line had the same way before them.
            self._alone[write] = alone = alone + WEIGHT * (elapsed - alone) if alone else elapsed
        if count > 1 and alone:
            work = max(0.0, elapsed - alone) / (count - 1)
            self._learnt += WEIGHT * (max(0.0, alone - work) - self._learnt)
        self._learnt = min(self._learnt, elapsed)
        if count == 1:
            self._leak()
