"""Time slices: who runs in between during long work."""

from __future__ import annotations

import threading

import pytest
import trio

from trio_aerospike import fairness
from trio_aerospike.fairness import TimeSlice, yield_thread_with


class Clock:
    """Stands in for the module ``time``; counts how often the interpreter was released."""

    def __init__(self) -> None:
        self.now = 100.0
        self.released = 0

    def perf_counter(self) -> float:
        return self.now

    def release(self) -> None:
        self.released += 1
        self.now += 50e-6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(fairness, "time", clock)
    return clock


def work(clock: Clock) -> None:
    """30 ms of work, in steps of 0.3 ms."""
    time_slice = TimeSlice()
    for _ in range(100):
        clock.now += 0.0003
        time_slice.pause()


async def test_a_run_that_shares_the_interpreter_releases_it_once_a_slice(clock: Clock) -> None:
    yield_thread_with(clock.release)
    work(clock)
    assert clock.released == 25


async def test_a_restarted_slice_is_a_whole_one(clock: Clock) -> None:
    yield_thread_with(clock.release)
    time_slice = TimeSlice()
    for _ in range(10):
        clock.now += 0.0009
        time_slice.restart()
        time_slice.pause()
    assert not clock.released


async def test_a_run_by_itself_releases_nothing(clock: Clock) -> None:
    work(clock)
    time_slice = TimeSlice()
    clock.now += 1.0
    await time_slice.give_way()
    assert not clock.released


def test_outside_of_trio_nothing_is_released(clock: Clock) -> None:
    work(clock)
    assert not clock.released


def test_each_trio_run_decides_for_itself(clock: Clock) -> None:
    async def share() -> None:
        yield_thread_with(clock.release)
        work(clock)

    async def alone() -> None:
        work(clock)

    trio.run(share)
    released = clock.released
    assert released
    thread = threading.Thread(target=trio.run, args=(alone,))
    thread.start()
    thread.join()
    trio.run(alone)
    assert clock.released == released


@pytest.mark.parametrize("shared", [False, True])
def test_other_tasks_run_at_the_end_of_a_slice(clock: Clock, shared: bool) -> None:
    async def main() -> None:
        seen = []

        async def other() -> None:
            for number in range(3):
                seen.append(number)
                await trio.lowlevel.checkpoint()

        if shared:
            yield_thread_with(clock.release)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            time_slice = TimeSlice()
            await time_slice.give_way()
            assert not seen, "not yet"
            for _ in range(10):  # Trio decides which task that can run is first
                clock.now += 1.0
                await time_slice.give_way()
            assert seen
            nursery.cancel_scope.cancel()
            clock.now += 1.0
            with pytest.raises(trio.Cancelled):
                await time_slice.give_way()

    trio.run(main)
    assert bool(clock.released) is shared
