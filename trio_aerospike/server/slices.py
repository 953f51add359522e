"""Long work in slices, so that a node serves its connections meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from ..fairness import TimeSlice


async def in_slices(steps: Iterable[object]) -> None:
    """Do all steps of some work; other tasks run after each two milliseconds of it, and at the end.

    Args:
        steps: does a step, of some tenths of a millisecond at most, whenever it is asked for the next item.
    """
    time_slice = TimeSlice()
    for _ in steps:
        await time_slice.give_way()
    await trio.lowlevel.checkpoint()
