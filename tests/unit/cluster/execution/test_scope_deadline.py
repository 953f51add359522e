"""The deadline that a command reads is the one that Trio tells."""

from __future__ import annotations

import contextlib
import math

import pytest
import trio
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from trio_aerospike._cluster.execution import scope_deadline as deadlines

scopes = st.lists(
    st.tuples(st.one_of(st.just(math.inf), st.floats(-5, 500)), st.booleans(), st.integers(0, 9).map(lambda n: n == 0)),
    max_size=6,
)


@settings(max_examples=examples(100))
@given(outside=scopes, inside=scopes, shield_nursery=st.booleans())
def test_of_any_scopes_around_a_task_the_same_is_read_as_trio_tells(outside, inside, shield_nursery) -> None:
    async def look(stack: contextlib.ExitStack, layers) -> None:
        for seconds, shield, cancelled in layers:
            scope = stack.enter_context(trio.CancelScope(deadline=trio.current_time() + seconds, shield=shield))
            if cancelled:
                scope.cancel()
            assert deadlines.read_deadline(trio.lowlevel.current_task()) == trio.current_effective_deadline()

    async def child() -> None:
        with contextlib.ExitStack() as stack:
            await look(stack, inside)

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            await look(stack, outside)
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.shield = shield_nursery
                nursery.start_soon(child)

    trio.run(main, clock=trio.testing.MockClock())


async def test_a_deadline_that_is_moved_is_seen() -> None:
    task = trio.lowlevel.current_task()
    outer, scope = trio.CancelScope(), trio.CancelScope(relative_deadline=50)
    with contextlib.ExitStack() as stack:
        stack.enter_context(outer)
        stack.enter_context(scope)
        before = deadlines.read_deadline(task)
        assert before == scope.deadline
        outer.deadline = before - 10
        assert deadlines.read_deadline(task) == before - 10
        scope.shield = True
        assert deadlines.read_deadline(task) == before


async def test_this_trio_is_read_rather_than_asked() -> None:
    assert deadlines.deadline_reader() is deadlines.read_deadline


@pytest.mark.parametrize("wrong", [lambda task: math.inf, lambda task: task.no_such_field])
async def test_a_trio_that_keeps_its_scopes_in_another_way_is_asked(wrong, monkeypatch) -> None:
    monkeypatch.setattr(deadlines, "read_deadline", wrong)
    reader = deadlines.deadline_reader.__wrapped__()
    scope = trio.CancelScope(deadline=trio.current_time() + 7)
    with contextlib.ExitStack() as stack:
        stack.enter_context(scope)
        assert reader(trio.lowlevel.current_task()) == scope.deadline
