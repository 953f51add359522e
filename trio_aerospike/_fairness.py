"""Long work, done in stretches, so that other tasks and other threads of the program have their turn.

Python runs one thread at a time. One that works without a pause is made to give way only after 5 ms, and an event loop
with many short turns waits as long for each of them. So a client that runs in a thread of its own, as aerospike_py's
does, rests for a moment now and then while it decodes; where Trio runs in the main thread nobody waits for that.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import trio

STRETCH: Final = 2e-3
"""Seconds of work at a time: a program that answers requests does not notice it."""

#: The same where another thread may be waiting, which takes the interpreter twice for each turn of its event loop.
_STRETCH_BESIDE: Final = 1e-3
#: Seconds: long enough for another thread to wake up and take over. A sleep of 0 gives way to nobody.
_REST: Final = 50e-6


class Turn:
    """How long this thread has been at work since others had their turn."""

    __slots__ = ("_beside", "_since", "_stretch")

    def __init__(self) -> None:
        self._beside = threading.current_thread() is not threading.main_thread()
        self._stretch = _STRETCH_BESIDE if self._beside else STRETCH
        self._since = time.perf_counter()

    def pause(self) -> None:
        """Let other threads have their turn if it is time; to be called after some tenths of a millisecond's work."""
        if self._beside and time.perf_counter() - self._since >= self._stretch:
            time.sleep(_REST)
            self._since = time.perf_counter()

    async def give_way(self) -> None:
        """Let other threads and tasks have their turn if it is time; to be called as :meth:`pause`.

        Raises:
            Cancelled: where it is time, and the task is cancelled.
        """
        if time.perf_counter() - self._since >= self._stretch:
            self.pause()
            await trio.lowlevel.checkpoint()
            self._since = time.perf_counter()
