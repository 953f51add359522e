"""Bounds on real time that hold on a busy machine, too.

A call that has to end at its deadline ends a little later, and later still where other processes have the processors.
A stopwatch measures the latter beside the call: a thread sleeps in short steps, and what it oversleeps is time that the
machine did not give. On an idle machine there is none, and the bounds are exact.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

STEP = 0.005


@attrs.define
class Stopwatch:
    """How long a block took; to be read after it."""

    wall: float = 0.0
    """Seconds on the wall clock."""
    lost: float = 0.0
    """Seconds of these in which the machine was late."""

    def within(self, low: float, high: float) -> bool:
        """Whether it took at least ``low`` seconds, and less than ``high`` apart from the machine's lateness."""
        return low <= self.wall and self.wall - self.lost < high


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Measure the block."""
    watch = Stopwatch()
    stop = threading.Event()

    def oversleep() -> None:
        while not stop.is_set():
            began = time.monotonic()
            stop.wait(STEP)
            watch.lost += max(0.0, time.monotonic() - began - STEP)

    thread = threading.Thread(target=oversleep, name="stopwatch", daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        yield watch
    finally:
        watch.wall = time.monotonic() - began
        stop.set()
        thread.join()
