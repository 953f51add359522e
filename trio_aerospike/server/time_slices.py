"""Long work in slices, so that a node serves its connections meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from .._fairness import Turn


async def run_in_time_slices(steps: Iterable[object]) -> None:
    """Do all steps of some work; other tasks run after each two milliseconds of it, and at the end.

    Args:
        steps: does a step, of some tenths of a millisecond at most, whenever it is asked for the next item.
    """
    turn = Turn()
    for _ in steps:
        await turn.give_way()
    await trio.lowlevel.checkpoint()
