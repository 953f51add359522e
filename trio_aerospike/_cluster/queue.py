"""Requests that wait for room, in their order; those of a cancelled nursery leave from anywhere in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from .pending import Pending


class WaitingQueue:
    """A queue of requests that are in no line. What leaves it from the middle costs no search: it is passed over later.

    A request is in the queue while its ``holder`` is the queue's owner.

    Attributes:
        count: how many requests wait; the same as ``len()``, for those who ask with every command.
    """

    __slots__ = ("_items", "_owner", "count")

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._items: deque[Pending] = deque()
        self.count: int = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Pending]:
        owner = self._owner
        return (pending for pending in self._items if pending.holder is owner)

    def append(self, pending: Pending) -> None:
        """Put a request, whose holder is the owner now, at the end."""
        self._items.append(pending)
        self.count += 1

    def prepend(self, pendings: Iterable[Pending]) -> None:
        """Put requests, whose holder is the owner now, before all others, in their order."""
        first = list(pendings)
        self._items.extendleft(reversed(first))
        self.count += len(first)

    def head(self) -> Pending:
        """The first request; the queue must not be empty."""
        items = self._items
        while items[0].holder is not self._owner:
            items.popleft()
        return items[0]

    def remove(self, pending: Pending) -> None:
        """Take a request out of the queue, wherever it stands, for good unless it is the first."""
        assert pending.holder is self._owner
        if self._items[0] is pending:
            self._items.popleft()
        pending.holder = None
        self.count -= 1
        if not self.count:
            self._items.clear()

    def clear(self) -> list[Pending]:
        """Empty the queue; returns what was in it."""
        left = list(self)
        for pending in left:
            pending.holder = None
        self._items.clear()
        self.count = 0
        return left
