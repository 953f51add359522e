"""Time slices for long work, so that other tasks and other threads of the program run meanwhile.

Python runs one thread at a time. A thread that works without a pause is made to release the interpreter lock only after
5 ms, and an event loop in another thread waits as long for each of its iterations. A program that runs the client in a
thread of its own therefore says how that thread lets the others run (:func:`yield_thread_with`). By default nothing is
done for other threads: where Trio runs in the main thread, none waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import trio

STRETCH: Final = 2e-3
"""Seconds of work at a time: a program that answers requests does not notice it."""

#: The same where another thread may be waiting: its event loop takes the interpreter lock twice in an iteration.
_STRETCH_BESIDE: Final = 1e-3
#: Called between the time slices of one Trio run, to let other threads run.
_yield_thread: Final[trio.lowlevel.RunVar[Callable[[], object] | None]] = trio.lowlevel.RunVar(
    "trio_aerospike.yield_thread", default=None
)


def yield_thread_with(function: Callable[[], object] | None) -> None:
    """Call ``function`` between the time slices of the current Trio run, so that other threads run; None: do not.

    Args:
        function: Releases the interpreter lock for long enough that another thread wakes up and takes it.

    Raises:
        RuntimeError: The caller is not in a Trio run.
    """
    _yield_thread.set(function)


class Turn:
    """A time slice of some work in a Trio run: how long it has taken since others could run."""

    __slots__ = ("_since", "_stretch", "_yield_thread")

    def __init__(self) -> None:
        self._yield_thread = _yield_thread.get()
        self._stretch = STRETCH if self._yield_thread is None else _STRETCH_BESIDE
        self._since = time.perf_counter()

    def restart(self) -> None:
        """Begin a new slice: others have just run."""
        self._since = time.perf_counter()

    def pause(self) -> None:
        """Let other threads run if the slice is over; to be called after some tenths of a millisecond's work."""
        if self._yield_thread is not None and time.perf_counter() - self._since >= self._stretch:
            self._yield_thread()
            self._since = time.perf_counter()

    async def give_way(self) -> None:
        """Let other threads and tasks run if the slice is over; to be called as :meth:`pause`.

        Raises:
            Cancelled: The slice is over, and the task is cancelled.
        """
        if time.perf_counter() - self._since >= self._stretch:
            self.pause()
            await trio.lowlevel.checkpoint()
            self._since = time.perf_counter()
