"""Long work in a task, done in stretches, so that the other tasks of the program have their turn."""

from __future__ import annotations

import time

import trio

STRETCH = 2e-3
"""Seconds of work at a time: a program that answers requests does not notice it."""


class Turn:
    """How long this task has been at work since others had their turn."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def give_way(self) -> None:
        """Let others have their turn if it is time; to be called after some tenths of a millisecond's work.

        Raises:
            Cancelled: where it is time, and the task is cancelled.
        """
        if time.perf_counter() - self._since >= STRETCH:
            await trio.lowlevel.checkpoint()
            self._since = time.perf_counter()
