"""Relieve the neighbours of slow requests: reads that were sent behind one are sent once more on another connection.

A request that takes much longer than others must not take those behind it with it. What has not been sent moves to
other connections; a read that has been sent is sent a second time, and whichever attempt is answered first counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .request import Request

if TYPE_CHECKING:
    from .balancing import ConnectionChooser
    from .connection import Connection

#: Seconds without a reply after which a request is taken for a slow one, besides the round trip. A quick one takes
#: less than 1 ms, and a caller notices 100.
STALL = 0.03
#: Iterations of the event loop without a reply, as well: where they are long, a reply may have come and not been read.
STALL_ITERATIONS = 4


class Relief(NamedTuple):
    """What was found behind slow requests.

    Attributes:
        behind: whether any request is queued behind another: slow ones are to be looked for again soon.
        slow: whether one is slow.
        unsent: the requests behind slow ones that have not been sent.
    """

    behind: bool
    slow: bool
    unsent: list[Request]


class ReadRerouter:
    """The second attempts at reads, while they wait for a connection on which an answer can be expected.

    Args:
        chooser: the connections.
        spare_slot: takes a slot of ``max_concurrent_operations`` that nobody waits for. Returns a callback that
            releases it, or None if no slot is free.
    """

    def __init__(self, chooser: ConnectionChooser, spare_slot: Callable[[], Callable[[], None] | None]) -> None:
        self._chooser = chooser
        self._spare_slot = spare_slot
        self._waiting: deque[Request] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def clear(self) -> None:
        """Give all second attempts up; the first ones go on."""
        self._waiting.clear()

    def put_back(self, attempt: Request) -> None:
        """Take back a second attempt that its connection has not sent."""
        attempt.finish()  # it takes a slot anew when it leaves
        self._waiting.append(attempt)

    def relieve(self, now: float, iteration: int, delay: float) -> Relief:
        """Make second attempts at the reads behind slow requests, and take what was not sent from their connections.

        Args:
            now: the time.
            iteration: of the event loop.
            delay: seconds that requests take at present, the round trip included. A busy node answers everything
                late, which makes none of it slow.
        """
        threshold = STALL + 2 * delay
        behind = slow = False
        unsent: list[Request] = []
        slots: list[Callable[[], None]] = []
        for connection in self._chooser.connections:
            # A connection whose oldest request is overdue is suspended before anybody has looked at the others.
            suspended = connection.suspended and not connection.overdue
            if connection.depth < 2 or connection.exclusive or suspended or connection.relieved:
                continue
            behind = True
            if connection.overdue or connection.is_stalled(now, threshold, iteration - STALL_ITERATIONS):
                slow = True
                # Until it has answered all, it is used only where no other can be had.
                connection.load += threshold * connection.depth
                for read in connection.delayed_reads():
                    release = self._spare_slot()
                    if release is None:
                        break
                    slots.append(release)
                    self._waiting.append(read.reroute())
                unsent += connection.take_unsent()
        for release in slots:
            release()  # there are so many: each second attempt takes one when it leaves, and keeps none while it waits
        return Relief(behind, slow, unsent)

    def next(self, now: float, has_long_wait: Callable[[Connection], bool]) -> tuple[Request, Connection] | None:
        """Return the next second attempt that can be sent now, with its slot, and the connection for it.

        It is sent where an answer can be expected: on an idle connection, or on one that has just replied.
        """
        waiting = self._waiting
        while waiting and waiting[0].superseded:
            waiting.popleft()
        if not waiting:
            return None
        attempt = waiting[0]
        connection = self._chooser.take_idle()
        if connection is None:
            assert attempt.original is not None
            taken = attempt.original.holder  # behind the read itself it could only be answered later
            usable = (
                c for c in self._chooser.connections if c.usable and c.replied_at > now - STALL and c is not taken
            )
            connection = min(usable, key=lambda c: c.load, default=None)
        if connection is None or has_long_wait(connection):
            return None
        release = self._spare_slot()
        if release is None:
            # The slots are wanted for other commands: the first attempts have to do.
            waiting.clear()
            self._chooser.rest_if_idle(connection)
            return None
        attempt.on_done = release
        waiting.popleft()
        return attempt, connection
