"""Run several calls at once, and raise the error of one that failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import trio

from ..errors import AerospikeError


async def run_all(calls: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Run all calls at once, the first of them right here, and wait for them.

    A nursery puts what its tasks raise into a group, Cancelled too. Who calls a command of the client has not opened
    one and gets the error itself. Where several calls fail with errors of ours, the first is raised, the others are
    notes on it, and it is in doubt if any of them is.

    Args:
        calls: functions without arguments.

    Raises:
        BaseExceptionGroup: several calls failed, one of them with an error that is not ours.
    """
    problem: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            others = iter(calls)
            first = next(others, None)
            for call in others:
                nursery.start_soon(call)
            if first is not None:
                await first()
    except BaseExceptionGroup as group:
        rest = group.split(trio.Cancelled)[1]
        ours = [error for error in (rest or group).exceptions if isinstance(error, AerospikeError)]
        if rest is not None and len(rest.exceptions) > max(len(ours), 1):
            raise
        for other in ours[1:]:
            ours[0].add_note(f"also: {other}")
            ours[0].in_doubt = ours[0].in_doubt or other.in_doubt
        problem = group.exceptions[0] if rest is None else rest.exceptions[0]
    if problem is not None:
        raise problem
