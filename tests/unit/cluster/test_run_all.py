"""Concurrent calls: which errors their caller gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from trio_aerospike._cluster.run_all import run_all
from trio_aerospike.errors import RecordNotFound, ServerError


def raises(*errors: BaseException) -> list[Callable[[], Awaitable[None]]]:
    """Calls that fail with these errors, all in the same step."""

    def call(error: BaseException) -> Callable[[], Awaitable[None]]:
        async def fail() -> None:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            raise error

        return fail

    return [call(error) for error in errors]


async def test_of_several_errors_of_ours_one_is_raised_and_lists_the_others() -> None:
    with pytest.raises((ServerError, RecordNotFound)) as info:
        await run_all(raises(ServerError("node A1"), RecordNotFound("node A2", in_doubt=True), ServerError("node A3")))
    told = " ".join([str(info.value), *info.value.__notes__])
    assert all(f"node A{number}" in told for number in (1, 2, 3))
    assert info.value.in_doubt


async def test_an_error_that_is_not_ours_is_never_hidden() -> None:
    with pytest.raises(BaseExceptionGroup) as info:
        await run_all(raises(ServerError("node A1"), ZeroDivisionError()))
    assert info.group_contains(ZeroDivisionError)


async def test_one_error_comes_by_itself() -> None:
    error = ServerError("node A1")
    with pytest.raises(ServerError) as info:
        await run_all(raises(error))
    assert info.value is error and not hasattr(error, "__notes__")
