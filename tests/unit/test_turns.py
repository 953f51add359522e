"""Time slices: which tasks and threads run during long work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from trio_aerospike import _fairness, fairness


class Clock:
    """Stands in for the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_fairness, "time", clock)
    return clock


@pytest.fixture
def yields() -> Iterator[list[float]]:
    yield []


async def test_a_run_beside_another_thread_yields_once_in_a_millisecond(clock: Clock, yields: list[float]) -> None:
    fairness.yield_thread_with(lambda: yields.append(clock.now))
    time_slice = fairness.TimeSlice()
    for _ in range(100):
        clock.now += 0.0003
        time_slice.pause()
    assert len(yields) == 25  # of 30 ms, in steps of 0.3


async def test_a_restarted_slice_begins_anew(clock: Clock, yields: list[float]) -> None:
    fairness.yield_thread_with(lambda: yields.append(clock.now))
    time_slice = fairness.TimeSlice()
    for _ in range(10):
        clock.now += 0.0009
        time_slice.pause()
        time_slice.restart()
    assert not yields


async def test_a_run_that_says_nothing_yields_to_no_thread(clock: Clock) -> None:
    before = clock.now
    time_slice = fairness.TimeSlice()
    clock.now += 1
    time_slice.pause()
    assert clock.now == before + 1


def test_what_one_run_says_holds_for_that_run_only(clock: Clock, yields: list[float]) -> None:
    async def beside() -> None:
        fairness.yield_thread_with(lambda: yields.append(clock.now))

    async def alone() -> None:
        time_slice = fairness.TimeSlice()
        clock.now += 1
        time_slice.pause()

    trio.run(beside)
    trio.run(alone)
    assert not yields


@pytest.mark.parametrize("beside", [False, True])
async def test_other_tasks_run_once_the_slice_is_over(clock: Clock, yields: list[float], beside: bool) -> None:
    if beside:
        fairness.yield_thread_with(lambda: yields.append(clock.now))
    seen = []

    async def other() -> None:
        for number in range(3):
            seen.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        time_slice = fairness.TimeSlice()
        await time_slice.give_way()
        assert not seen, "not yet"
        for _ in range(10):  # which of the runnable tasks is first is Trio's choice
            clock.now += 1.0
            await time_slice.give_way()
        assert seen
        nursery.cancel_scope.cancel()
        clock.now += 1.0
        with pytest.raises(trio.Cancelled):
            await time_slice.give_way()
    assert len(yields) == (11 if beside else 0)
