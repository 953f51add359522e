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
# Long enough for another thread to wake up and take over; a sleep of 0 gives way to nobody.
_PAUSE: Final = 50e-6


def in_slices(items: Iterable[A], convert: Callable[[A], B]) -> Iterator[B]:
    """The items, converted one after the other, with pauses for other threads."""
    for number, item in enumerate(items):
        if number % SLICE == SLICE - 1:
            time.sleep(_PAUSE)
        yield convert(item)


async def converted(items: Sequence[A], convert: Callable[[A], B]) -> list[B]:
    """The converted items, with pauses for other threads and for this one's other tasks."""
    result: list[B] = []
    for begin in range(0, len(items), SLICE):
        result += map(convert, items[begin : begin + SLICE])
        await give_way()
    return result


async def give_way() -> None:
    """Let other threads and other tasks have their turn."""
    time.sleep(_PAUSE)  # noqa: ASYNC251 - 50 us, and releasing the interpreter lock is the point
    await trio.lowlevel.checkpoint()
