"""Who gives way to whom during long work."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import trio

from trio_aerospike import _fairness as turns


class Clock:
    """Stands in for the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


def in_a_thread(work: Callable[[], None]) -> None:
    problems: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not problems, problems


def test_beside_the_main_thread_work_rests_once_in_a_millisecond(clock: Clock) -> None:
    def work() -> None:
        turn = turns.Turn()
        for _ in range(100):
            clock.now += 0.0003
            turn.pause()

    in_a_thread(work)
    assert len(clock.slept) == 25  # of 30 ms, in steps of 0.3


def test_in_the_main_thread_no_time_is_given_away(clock: Clock) -> None:
    turn = turns.Turn()
    clock.now += 1
    turn.pause()
    assert not clock.slept


def test_other_tasks_have_their_turn_in_every_thread(clock: Clock) -> None:
    async def main() -> None:
        seen = []

        async def other() -> None:
            for number in range(3):
                seen.append(number)
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            turn = turns.Turn()
            await turn.give_way()
            assert not seen, "not yet"
            for _ in range(10):  # who of those that can run is first is Trio's to say
                clock.now += 1.0
                await turn.give_way()
            assert seen
            nursery.cancel_scope.cancel()
            clock.now += 1.0
            with pytest.raises(trio.Cancelled):
                await turn.give_way()

    trio.run(main)
    assert not clock.slept
    in_a_thread(lambda: trio.run(main))
    assert clock.slept
