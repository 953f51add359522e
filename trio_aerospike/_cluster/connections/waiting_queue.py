"""Queue of requests that wait for a connection: in order of arrival, with removal from any position."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar


class Queued(Protocol):
    """What can wait.

    Attributes:
        arrived: when its command began.
        patience: seconds without progress of the node for which it waits.
        deadline: when it is given up, once its time runs.
        time_runs: whether its time runs: whatever the node does, it waits until ``deadline``.
        holder: what has it.
    """

    @property
    def arrived(self) -> float: ...

    @property
    def patience(self) -> float: ...

    @property
    def deadline(self) -> float: ...

    @property
    def time_runs(self) -> bool: ...

    def waits_until(self, progress_at: float, /) -> float:
        """When it is given up, if the node makes no more progress than it made at ``progress_at``."""

    holder: Any


Q = TypeVar("Q", bound=Queued)

#: Requests that have left and may be kept in the queue, besides as many as wait.
_KEPT = 64


class WaitingQueue(Generic[Q]):
    """A queue of requests that no connection has taken. One that leaves from the middle is skipped later, not searched.

    A request is in the queue while its ``holder`` is the queue's owner. New requests arrive in order. A request that
    comes back, because its connection broke or its attempt failed, gets the place of its command's arrival.

    Attributes:
        count: how many requests wait; the same as ``len()``, without a call.
    """

    __slots__ = (
        "_items",
        "_not_before",
        "_numbers",
        "_owner",
        "_returned",
        "_shortest_patience",
        "_soonest_deadline",
        "count",
    )

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._items: deque[Q] = deque()
        self._returned: list[tuple[float, int, Q]] = []
        self._numbers = itertools.count()
        self.count: int = 0
        # Of those that wait, and when the first of them would be given up, had the node made no progress since they
        # were looked at: until then nobody has to be looked at again.
        self._shortest_patience = self._soonest_deadline = self._not_before = math.inf

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Q]:
        owner = self._owner
        returned = [(arrived, 0, number, pending) for arrived, number, pending in sorted(self._returned)]
        queued = [(pending.arrived, 1, number, pending) for number, pending in enumerate(self._items)]
        for *_, pending in heapq.merge(returned, queued):
            if pending.holder is owner:
                yield pending

    def add(self, pending: Q) -> None:
        """Put a request, whose holder is the owner now, in its place."""
        items = self._items
        if items and pending.arrived < items[-1].arrived:
            heapq.heappush(self._returned, (pending.arrived, next(self._numbers), pending))
        else:
            items.append(pending)
        self._note(pending)

    def _note(self, pending: Q) -> None:
        if not self.count:
            self._shortest_patience = self._soonest_deadline = self._not_before = math.inf
        self.count += 1
        self._not_before = min(self._not_before, pending.waits_until(-math.inf))
        if pending.time_runs:
            self._soonest_deadline = min(self._soonest_deadline, pending.deadline)
        else:
            self._shortest_patience = min(self._shortest_patience, pending.patience)

    def put_back(self, pendings: Iterable[Q]) -> None:
        """Put requests, whose holder is the owner now, in their places, before those that arrived with them."""
        for pending in pendings:
            heapq.heappush(self._returned, (pending.arrived, next(self._numbers), pending))
            self._note(pending)

    def due(self, progress_at: float) -> float:
        """When the first request may be overdue, where the node last made progress at ``progress_at``."""
        if not self.count:
            return math.inf
        due = self._soonest_deadline
        if self._shortest_patience < math.inf:
            due = min(due, progress_at + self._shortest_patience)
        return max(due, self._not_before)

    def overdue(self, now: float, progress_at: float) -> list[Q]:
        """The requests that are overdue; they stay in the queue."""
        if now < self.due(progress_at):
            return []
        left: list[Q] = []
        late: list[Q] = []
        for pending in self:
            (left if pending.waits_until(progress_at) > now else late).append(pending)
        self._not_before = min((p.waits_until(progress_at) for p in left), default=math.inf)
        self._soonest_deadline = min((p.deadline for p in left if p.time_runs), default=math.inf)
        self._shortest_patience = min((p.patience for p in left if not p.time_runs), default=math.inf)
        return late

    def head(self) -> Q:
        """The first request; the queue must not be empty."""
        items, returned, owner = self._items, self._returned, self._owner
        while returned and returned[0][2].holder is not owner:
            heapq.heappop(returned)
        while items and items[0].holder is not owner:
            items.popleft()
        if returned and (not items or returned[0][0] <= items[0].arrived):
            return returned[0][2]
        return items[0]

    def remove(self, pending: Q) -> None:
        """Take a request out of the queue, wherever it stands."""
        assert pending.holder is self._owner
        if self._items and self._items[0] is pending:
            self._items.popleft()
        elif self._returned and self._returned[0][2] is pending:
            heapq.heappop(self._returned)
        pending.holder = None
        self.count -= 1
        if not self.count or len(self._items) + len(self._returned) > 2 * self.count + _KEPT:
            # Many have left from behind a head that stays: what they hold is released.
            self._items = deque(item for item in self._items if item.holder is self._owner)
            self._returned = [entry for entry in self._returned if entry[2].holder is self._owner]
            heapq.heapify(self._returned)

    def clear(self) -> list[Q]:
        """Empty the queue; returns what was in it."""
        left = list(self)
        for pending in left:
            pending.holder = None
        self._items.clear()
        self._returned.clear()
        self.count = 0
        return left
