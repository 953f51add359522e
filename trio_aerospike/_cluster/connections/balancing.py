"""Choose the connection that takes the next request.

No I/O and no clock. Requests gather on one connection while the wait in its queue is within a small budget: many on one
connection save system calls on both sides. Past it an idle connection is taken, else the one with the shortest wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection

# Figures after a colon: rate and p99 of a real server without the rule, as parts of those with it; at the number of
# gets or puts in flight that is named, on one node or, with replicas, on three.

#: Seconds that a request may wait in the queue of a connection before another connection is preferred. In them the
#: server answers some 25 reads from memory, which one receive brings in.
WAIT_BUDGET = 0.0005
#: Queue depth past which a write goes to another connection, however quick the server seems: it may wait for a replica
#: while everything behind it waits too, so that deep queues beside shallow ones make for a long tail.
#: Puts at 256 on three nodes: 0.93, 1.16.
FAIR_DEPTH = 24
#: Busy connections that are compared when none is idle: the best of eight is nearly as good as the best of all.
SAMPLE = 8


class ConnectionChooser:
    """The open connections of a pool, and which of them takes the next request.

    Args:
        round_trip: returns the round-trip time to the node on an idle path, in seconds.

    Attributes:
        connections: all of them.
        current: the one on which requests gather.
        budget: seconds in the queue of a connection that justify no other connection. Where the round trip is long,
            most requests in flight are on the network.
    """

    def __init__(self, round_trip: Callable[[], float]) -> None:
        self._round_trip = round_trip
        self.connections: list[Connection] = []
        self.budget: float = max(WAIT_BUDGET, round_trip())
        self._idle: list[Connection] = []
        self.current: Connection | None = None
        self._next = 0

    @property
    def load(self) -> float:
        """Seconds that the node is expected to take for all that is in flight."""
        return sum(connection.load for connection in self.connections)

    def choose(self) -> Connection | None:
        """Choose another connection on which requests gather; None where no connection is usable."""
        connection = self.take_idle()
        if connection is None:
            connection = self._least_loaded()
        if connection is not None:
            self.current = connection
        return connection

    def take_idle(self) -> Connection | None:
        """Return an idle connection, the one that was used last."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            connection.on_idle_stack = False
            if not connection.depth and connection.usable:
                return connection
        return None

    def _least_loaded(self) -> Connection | None:
        best: Connection | None = None
        connections = self.connections
        count = len(connections)
        looked = 0
        for step in range(count):
            candidate = connections[(self._next + step) % count]
            if candidate.usable:
                if best is None or candidate.load < best.load:
                    best = candidate
                looked += 1
                if looked == SAMPLE:
                    break
        self._next += 1
        return best

    def first(self, accepted: Callable[[Connection], bool]) -> Connection | None:
        """Return the first usable connection that is accepted, beginning with the one that was found last."""
        connections = self.connections
        count = len(connections)
        for step in range(count):
            candidate = connections[(self._next + step) % count]
            if candidate.usable and accepted(candidate):
                self._next += step
                return candidate
        return None

    def rest_if_idle(self, connection: Connection) -> None:
        """Note that a connection may have become idle."""
        if not connection.depth and not connection.on_idle_stack and connection.alive:
            connection.on_idle_stack = True
            self._idle.append(connection)

    def add(self, connection: Connection) -> None:
        """Add a connection that has been opened."""
        self.connections.append(connection)
        self.rest_if_idle(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        if connection in self.connections:
            self.connections.remove(connection)
        if connection.on_idle_stack:
            connection.on_idle_stack = False
            self._idle.remove(connection)
        if self.current is connection:
            self.current = None

    def update_budget(self) -> None:
        """Adapt the budget to the round-trip time as it is now."""
        self.budget = max(WAIT_BUDGET, self._round_trip())
