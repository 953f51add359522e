"""Convert many rows in time slices, so that event loops in other threads are not held up.

Python runs one thread at a time. A thread that works without a pause is made to release the interpreter lock only after
5 ms, and an event loop with many short iterations waits as long for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Final, TypeVar

import trio
from trio.abc import Instrument

from trio_aerospike.fairness import TimeSlice

A = TypeVar("A")
B = TypeVar("B")

#: Items between two looks at the clock: some tenths of a millisecond's work.
ITEMS: Final = 256
#: Up to so many items at half a microsecond each need no slices.
_FEW: Final = 2048
#: Seconds: long enough for another thread to wake up and take the interpreter lock.
YIELD: Final = 50e-6


def yield_gil() -> None:
    """Release the interpreter lock for long enough that another thread takes it.

    This is the one ``time.sleep`` of the package. It is called in the thread that runs Trio, never in a caller's.
    Nothing else will do: a system call, or a sleep of 0, releases the lock for less time than a waiting thread takes to
    wake up, and the interval after which Python switches threads by itself (5 ms) is a setting of the whole process.
    """
    time.sleep(YIELD)


class GilYielder(Instrument):
    """Yields the interpreter lock now and then while Trio has tasks to run, for the event loops in other threads.

    Args:
        loops: The event loops that use this Trio run.
    """

    def __init__(self, loops: Sized) -> None:
        self._slice = TimeSlice()
        self._idle_since = 0.0
        self._loops = loops

    def before_io_wait(self, timeout: float) -> None:
        """Note when Trio has nothing to run."""
        self._idle_since = time.perf_counter()

    def after_io_wait(self, timeout: float) -> None:
        """Begin a new slice if Trio has waited for long enough that other threads have run."""
        if time.perf_counter() - self._idle_since >= YIELD:
            self._slice.restart()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Yield if the slice is over."""
        if self._loops:
            self._slice.pause()


def in_slices_if_many(items: Iterable[A]) -> Iterable[A]:
    """Return the items for a caller that works on each for half a microsecond; in time slices where they are many."""
    if isinstance(items, Sequence) and len(items) <= _FEW:
        return items
    return in_slices(items, lambda item: item)


def in_slices(items: Iterable[A], convert: Callable[[A], B]) -> Iterator[B]:
    """Convert the items one after the other, yielding to other threads between time slices."""
    time_slice = TimeSlice()
    for number, item in enumerate(items):
        if number % ITEMS == ITEMS - 1:
            time_slice.pause()
        yield convert(item)


async def convert_in_slices(items: Sequence[A], convert: Callable[[A], B]) -> list[B]:
    """Convert the items, yielding to other threads and tasks between time slices."""
    return await make_in_slices(len(items), lambda begin, end: map(convert, items[begin:end]))


async def make_in_slices(count: int, make: Callable[[int, int], Iterable[B]]) -> list[B]:
    """Make ``count`` items by ranges of their indexes, yielding to other threads and tasks between time slices."""
    time_slice = TimeSlice()
    result: list[B] = []
    for begin in range(0, count, ITEMS):
        result += make(begin, begin + ITEMS)
        await time_slice.give_way()
    return result
