"""Service time of a node: how long it is expected to take for a read or a write, learnt from bursts of answers.

No I/O and no clock. The server works on one request of a connection at a time, so a queue's depth times the service
time is the wait in it.
"""

from __future__ import annotations

#: Seconds that a request is taken to need before anything has been measured: a read from memory.
PRIOR_SERVICE_TIME = 0.00002
#: Seconds that a sample counts for at the most: one stall is not a service time.
MAX_SAMPLE = 0.05
#: The weight of a new sample, and of one that took no longer than the round trip. That may have been measured while the
#: node was slow: taken at its word, it would let 100 requests of 50 ms gather on one connection.
WEIGHT = 0.25
WEIGHT_OF_NOTHING = 1 / 256
#: Seconds that each byte of a request adds to its cost, so that small records do not queue behind large ones.
COST_PER_BYTE = 1e-8


class ServiceTime:
    """The moving averages of a node's service times.

    Attributes:
        read: seconds for a read.
        write: seconds for a write.
        measured: whether anything has been measured; before, the prior does not justify deep queues.
    """

    __slots__ = ("measured", "read", "write")

    def __init__(self) -> None:
        self.read: float = PRIOR_SERVICE_TIME
        self.write: float = PRIOR_SERVICE_TIME
        self.measured: bool = False

    def learn(self, count: int, elapsed: float, cost: float, writes: int) -> None:
        """Move the averages towards what a burst of answers took.

        Args:
            count: how many answers.
            elapsed: seconds that the server worked on them.
            cost: what they were expected to take, in sum.
            writes: how many of them were writes.
        """
        self.measured = True
        weight = WEIGHT if elapsed > 0 else WEIGHT_OF_NOTHING
        sample = min(max(elapsed, 0.0) / count, MAX_SAMPLE)
        if writes == count:
            self.write += weight * (sample - self.write)
        elif not writes:
            self.read += weight * (sample - self.read)
        elif cost > 0:
            ratio = min(max(elapsed, 0.0) / cost, 100.0)
            self.write += weight * (min(self.write * ratio, MAX_SAMPLE) - self.write)
            self.read += weight * (min(self.read * ratio, MAX_SAMPLE) - self.read)
