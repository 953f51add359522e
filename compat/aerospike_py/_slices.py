"""Long work in the portal's thread, done in slices, so that event loops in other threads are not held up.

Python runs one thread at a time. A thread that works without a pause is made to give way only after 5 ms, and an event
loop with many short turns waits as long for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import trio

A = TypeVar("A")
B = TypeVar("B")

#: Items of a slice: about a millisecond's work.
SLICE: Final = 256
#: The same of keys, of which nothing but digests is made.
LONG_SLICE: Final = 2048
# Long enough for another thread to wake up and take over; a sleep of 0 gives way to nobody.
_PAUSE: Final = 50e-6


def paused(items: Iterable[A]) -> Iterable[A]:
    """The items as they are, for who works on each for half a microsecond; with pauses where they are many."""
    if isinstance(items, Sequence) and len(items) <= LONG_SLICE:
        return items
    return in_slices(items, lambda item: item, LONG_SLICE)


def in_slices(items: Iterable[A], convert: Callable[[A], B], size: int = SLICE) -> Iterator[B]:
    """The items, converted one after the other, with pauses for other threads."""
    for number, item in enumerate(items):
        if number % size == size - 1:
            time.sleep(_PAUSE)
        yield convert(item)


async def converted(items: Sequence[A], convert: Callable[[A], B]) -> list[B]:
    """The converted items, with pauses for other threads and for this one's other tasks."""
    return await sliced(len(items), lambda begin, end: map(convert, items[begin:end]))


async def sliced(count: int, make: Callable[[int, int], Iterable[B]]) -> list[B]:
    """What ``make`` makes of each slice of ``count`` items, from one place to another; with pauses."""
    result: list[B] = []
    for begin in range(0, count, SLICE):
        if begin:
            await give_way()
        result += make(begin, begin + SLICE)
    return result


async def give_way() -> None:
    """Let other threads and other tasks have their turn."""
    time.sleep(_PAUSE)  # noqa: ASYNC251 - 50 us, and releasing the interpreter lock is the point
    await trio.lowlevel.checkpoint()
