"""Run long work in time slices, so that a node serves its connections meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from ..fairness import TimeSlice


async def run_in_time_slices(steps: Iterable[object]) -> None:
    """Run all steps of an iterator, with a checkpoint after each two milliseconds and at the end.

    Args:
        steps: does one step, of some tenths of a millisecond at most, per item.
    """
    time_slice = TimeSlice()
    for _ in steps:
        await time_slice.give_way()
    await trio.lowlevel.checkpoint()
