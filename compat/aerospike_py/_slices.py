"""Long work in the portal's thread, done in slices, so that event loops in other threads are not held up.

Python runs one thread at a time. A thread that works without a pause is made to give way only after 5 ms, and an event
loop with many short turns waits as long for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import trio

from . import _collector

A = TypeVar("A")
B = TypeVar("B")

#: Items of a slice, behind which it is looked how long it has taken: some tenths of a millisecond's work.
SLICE: Final = 256
#: Objects of a row that the collector counts: its named tuples, or those of a record and its dict of bins.
OBJECTS: Final = 3
#: Items of which nothing but digests is made: half a microsecond each.
_FEW: Final = 2048
#: Seconds after which others have their turn.
_TURN: Final = 1e-3
# Long enough for another thread to wake up and take over; a sleep of 0 gives way to nobody.
PAUSE: Final = 50e-6


class Turn:
    """How long this thread has been at work since others had their turn."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Others have had their turn just now."""
        self._since = time.perf_counter()

    def pause(self) -> bool:
        """Let other threads have their turn if it is time; returns whether it was."""
        if time.perf_counter() - self._since < _TURN:
            return False
        time.sleep(PAUSE)
        self.begin()
        return True

    async def give_way(self) -> None:
        """Let other threads and other tasks of this one have their turn if it is time."""
        if self.pause():
            await trio.lowlevel.checkpoint()


def paused(items: Iterable[A]) -> Iterable[A]:
    """The items as they are, for who works on each for half a microsecond; with pauses where they are many."""
    if isinstance(items, Sequence) and len(items) <= _FEW:
        return items
    return in_slices(items, lambda item: item)


def in_slices(items: Iterable[A], convert: Callable[[A], B]) -> Iterator[B]:
    """The items, converted one after the other, with pauses for other threads."""
    turn = Turn()
    for number, item in enumerate(items):
        if number % SLICE == SLICE - 1:
            turn.pause()
        yield convert(item)


async def converted(items: Sequence[A], convert: Callable[[A], B]) -> list[B]:
    """The converted items, with pauses for other threads and for this one's other tasks."""
    return await sliced(len(items), lambda begin, end: map(convert, items[begin:end]))


async def sliced(count: int, make: Callable[[int, int], Iterable[B]]) -> list[B]:
    """What ``make`` makes of each slice of ``count`` items, from one place to another; with pauses."""
    turn = Turn()
    result: list[B] = []
    if count >= _collector.MANY:
        _collector.begin()
    for begin in range(0, count, SLICE):
        result += make(begin, begin + SLICE)
        if count >= _collector.MANY:
            _collector.promote(OBJECTS * SLICE)
        await turn.give_way()
    return result
