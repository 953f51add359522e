"""Stall clock of asyncio loops: time in which the loop is blocked does not count."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from trio_aerospike._cluster.connections.loop_clock import GRACE
from trio_aerospike._drivers.stall_clock import PERIOD, StallClock


def test_a_blocked_loop_is_charged_with_a_moment_and_a_waiting_one_with_all() -> None:
    async def main() -> None:
        clock = StallClock(asyncio.get_running_loop(), lambda: True)
        began = clock.start()
        for _ in range(3):
            time.sleep(0.2)  # noqa: ASYNC251 - this is what it is about
            assert clock.now() - began <= PERIOD + GRACE + 1e-9
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            began = clock.now()
        started = time.monotonic()
        stalled = clock.stalled
        while time.monotonic() - started < 0.3:
            await asyncio.sleep(0.005)
        passed = time.monotonic() - started
        assert abs(clock.now() - began - (passed - (clock.stalled - stalled))) < PERIOD + GRACE

    asyncio.run(main())


def test_a_clock_that_nobody_needs_runs_no_timer() -> None:
    async def main() -> None:
        asked: list[None] = []

        def needed() -> bool:
            asked.append(None)
            return len(asked) < 2

        clock = StallClock(asyncio.get_running_loop(), needed)
        clock.start()
        async with asyncio.timeout(5):
            while len(asked) < 2:
                await asyncio.sleep(0.005)
        before = clock.now()
        time.sleep(0.1)  # noqa: ASYNC251 - this is what it is about
        assert clock.now() - before >= 0.1  # nothing is under way, so the time is the monotonic clock's
        await asyncio.sleep(2 * PERIOD)
        assert len(asked) == 2

    asyncio.run(main())


def test_a_clock_goes_on_whose_timers_are_lost_one_after_the_other() -> None:
    """As by a KeyboardInterrupt before the first statement of a callback: in its timer, and in what replaces it."""

    class Losing(asyncio.SelectorEventLoop):
        lost = 0

        def call_later(  # type: ignore[override]
            self, delay: float, callback: Any, *args: Any, **options: Any
        ) -> Any:
            return super().call_later(delay, self.losing(callback), *args, **options)

        def call_soon(self, callback: Any, *args: Any, **options: Any) -> Any:  # type: ignore[override]
            return super().call_soon(self.losing(callback), *args, **options)

        def losing(self, callback: Any) -> Any:
            if getattr(callback, "__name__", "") != "_tick" or self.lost == 2:
                return callback
            self.lost += 1
            return lambda *_: None

    async def main() -> None:
        loop = asyncio.get_running_loop()
        clock = StallClock(loop, lambda: True)
        began = clock.start()
        async with asyncio.timeout(5):
            while clock.start() < began + 0.2:
                await asyncio.sleep(0.005)
        assert isinstance(loop, Losing) and loop.lost == 2

    with asyncio.Runner(loop_factory=Losing) as runner:
        runner.run(main())
