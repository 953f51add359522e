"""Estimate round-trip time under load, apart from the time that the server takes for a request.

The tend loop's probe measures an idle path. Under load there are queues on the path as well, in proxies, kernels and
network cards, and a pool that took those for the server's work would open a connection for each request. Requests that
are sent alone and requests that are sent in bursts tell the two apart: what four in a burst take longer than one alone
is service time, and the rest of what one alone takes is the round trip.
"""

from __future__ import annotations

from collections.abc import Callable

#: The weight of a new sample.
WEIGHT = 0.25
#: How fast the estimate falls back to the probe, with each burst that tells nothing new: where the server is slow no
#: requests come back together, and nothing would show that the queues have gone.
LEAK = 1 / 256


class RttEstimate:
    """Learn the round-trip time to a node from bursts of replies.

    Args:
        probed: returns the seconds that the tend loop's last probes took; 0 while there was none.
    """

    __slots__ = ("_alone", "_learnt", "_probed")

    def __init__(self, probed: Callable[[], float]) -> None:
        self._probed = probed
        # How long a request takes that is sent alone: a read, and a write, which may wait for its replica.
        self._alone = [0.0, 0.0]
        self._learnt = 0.0

    @property
    def unloaded(self) -> float:
        """The round trip on an idle path, in seconds; 0 while it is not known."""
        return self._probed()

    @property
    def loaded(self) -> float:
        """The round trip under the present load, in seconds."""
        return max(self._probed(), self._learnt)

    def refute(self, age: float) -> None:
        """Lower the estimate: a reply came this many seconds after its request, on a connection that was not idle.

        The server may have worked for most of that time, so only half of it is left to the round trip. Service time
        that is taken for the round trip would not be noticed any more, and queues would grow without end.
        """
        if self._learnt > age / 2:
            self._learnt = age / 2
        self._leak()

    def _leak(self) -> None:
        probed = self._probed()
        if self._learnt > probed:
            self._learnt += LEAK * (probed - self._learnt)

    def learn(self, count: int, elapsed: float, write: bool) -> None:
        """Learn from the first replies on a connection that was idle before.

        Args:
            count: how many came at once.
            elapsed: seconds since their requests left.
            write: whether there were writes among them.
        """
        alone = self._alone[write]
        if count == 1 or elapsed < alone:
            # Never more than this: those of a burst had the same path before them.
            self._alone[write] = alone = alone + WEIGHT * (elapsed - alone) if alone else elapsed
        if count > 1 and alone:
            work = max(0.0, elapsed - alone) / (count - 1)
            self._learnt += WEIGHT * (max(0.0, alone - work) - self._learnt)
        self._learnt = min(self._learnt, elapsed)
        if count == 1:
            self._leak()
