"""Several things at once, with the errors of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import trio


async def together(calls: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Run all calls at once, the first of them right here, and wait for them.

    A nursery puts what its tasks raise into a group, Cancelled too. Who calls a command of the client has not opened
    one and gets the error itself.

    Args:
        calls: functions without arguments.
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
        if rest is not None and len(rest.exceptions) > 1:
            raise
        problem = group.exceptions[0] if rest is None else rest.exceptions[0]
    if problem is not None:
        raise problem
