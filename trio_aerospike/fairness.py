"""Time slices for long work: let other tasks, and other threads, run in between.

A task that decodes 100,000 records would hold up its event loop for as long as that takes. It asks a :class:`TimeSlice`
after every few tenths of a millisecond's work, which gives way once the slice is over::

    time_slice = TimeSlice()
    for number, item in enumerate(items):
        convert(item)
        if number % 256 == 255:
            await time_slice.give_way()

Python runs one thread at a time, and makes a busy thread release the interpreter lock only after 5 ms. Where Trio runs
beside an event loop of the program's, as it does in ``aerospike_py``, its thread calls :func:`yield_thread_with` once:
from then on the end of a time slice releases the lock to other threads as well. Nothing here sleeps by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import trio

__all__ = ["TIME_SLICE", "TIME_SLICE_BESIDE_THREADS", "TimeSlice", "yield_thread_with"]

TIME_SLICE: Final = 2e-3
"""Seconds of work at a time: a program that answers requests does not notice it."""

TIME_SLICE_BESIDE_THREADS: Final = 1e-3
"""The same where another thread waits: its event loop takes the interpreter lock twice in one iteration, to look at its
sockets and to run what is due then."""

#: For each Trio run, what releases the interpreter lock to other threads.
_yield_thread: Final[trio.lowlevel.RunVar[Callable[[], object] | None]] = trio.lowlevel.RunVar(
    "trio_aerospike_yield_thread", default=None
)


def yield_thread_with(function: Callable[[], object] | None) -> None:
    """Release the interpreter lock at the end of each time slice of the current Trio run, so that other threads run.

    Args:
        function: releases the lock for long enough that another thread wakes up and takes it, such as
            ``lambda: time.sleep(50e-6)``; None to release nothing. Time slices that exist already keep theirs.

    Raises:
        RuntimeError: the caller is not in a Trio run.
    """
    _yield_thread.set(function)


class TimeSlice:
    """A time slice of long work: how long it has run since others could.

    Made where the work begins. Outside of Trio it releases nothing.
    """

    __slots__ = ("_began", "_seconds", "_yield_thread")

    def __init__(self) -> None:
        try:
            self._yield_thread = _yield_thread.get()
        except RuntimeError:  # not in a Trio run
            self._yield_thread = None
        self._seconds = TIME_SLICE if self._yield_thread is None else TIME_SLICE_BESIDE_THREADS
        self._began = time.perf_counter()

    def restart(self) -> None:
        """Begin a new slice: others have just run."""
        self._began = time.perf_counter()

    def pause(self) -> None:
        """Let other threads run if the slice is over; call it after every few tenths of a millisecond's work."""
        if self._yield_thread is not None and time.perf_counter() - self._began >= self._seconds:
            self._yield_thread()
            self._began = time.perf_counter()

    async def give_way(self) -> None:
        """Let other tasks and other threads run if the slice is over; call it as often as :meth:`pause`.

        Raises:
            Cancelled: the slice is over, and the task is cancelled.
        """
        if time.perf_counter() - self._began >= self._seconds:
            if self._yield_thread is not None:
                self._yield_thread()
            await trio.lowlevel.checkpoint()
            self._began = time.perf_counter()
