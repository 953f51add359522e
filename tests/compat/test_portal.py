"""The portal: calls cross and come back, are cancelled, and end with it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from aerospike_py import ClientError
from aerospike_py._runtime.portal import IDLE_WORKERS, Portal


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    portal.start()
    yield portal
    portal.stop(10.0)
    assert portal.closed
    assert not portal._thread.is_alive()


async def echo(value: Any, *, add: int = 0) -> Any:
    return value + add if add else value


async def fail(error: Exception) -> None:
    await trio.lowlevel.checkpoint()
    raise error


class Block:
    """A call that stands still until it is let go or cancelled, seen from other threads."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()
        self.go = trio.Event()

    async def __call__(self) -> str:
        self.started.set()
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled.set()
            raise
        return "went"


def test_a_blocking_call_returns_what_the_function_returns(portal: Portal):
    assert portal.call(echo, 5, add=2) == 7


def test_a_blocking_call_raises_what_the_function_raises(portal: Portal):
    with pytest.raises(KeyError, match="lost"):
        portal.call(fail, KeyError("lost"))
    assert portal.call(echo, 1) == 1


def test_calls_of_many_threads_get_their_own_results(portal: Portal):
    wrong: list[tuple[int, int]] = []

    def work(number: int) -> None:
        for i in range(200):
            if portal.call(echo, (number, i)) != (number, i):
                wrong.append((number, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_asyncio_gets_results_and_errors_of_a_thousand_calls_at_once(portal: Portal):
    async def main() -> None:
        assert await asyncio.gather(*[portal.call_async(echo, i) for i in range(1000)]) == list(range(1000))
        outcomes = await asyncio.gather(
            *[portal.call_async(fail, ValueError(str(i))) for i in range(100)], return_exceptions=True
        )
        assert [str(outcome) for outcome in outcomes] == [str(i) for i in range(100)]

    asyncio.run(main())


def test_replies_that_have_gathered_wake_the_event_loop_once(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    async def main() -> int:
        loop = asyncio.get_running_loop()
        wakes = 0
        wake = loop.call_soon_threadsafe

        def counting(*args: Any, **kwargs: Any) -> Any:
            nonlocal wakes
            wakes += 1
            return wake(*args, **kwargs)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
        gate = Block()
        calls = [asyncio.ensure_future(portal.call_async(gate.go.wait)) for _ in range(500)]
        await portal.call_async(echo, 1)
        wakes = 0

        async def let_go() -> None:
            gate.go.set()

        await portal.call_async(let_go)
        await asyncio.gather(*calls)
        return wakes

    assert asyncio.run(main()) <= 5


def test_two_event_loops_in_two_threads_use_one_portal(portal: Portal):
    results: dict[int, list[int]] = {}

    async def main(number: int) -> None:
        results[number] = await asyncio.gather(*[portal.call_async(echo, number * 1000 + i) for i in range(300)])

    threads = [threading.Thread(target=asyncio.run, args=(main(n),)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [n * 1000 + i for i in range(300)] for n in range(2)}


def test_cancelling_the_asyncio_task_cancels_the_call(portal: Portal):
    block = Block()

    async def main() -> None:
        task = asyncio.ensure_future(portal.call_async(block))
        await asyncio.to_thread(block.started.wait)  # one that has not crossed would not run at all
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await task

    asyncio.run(main())
    assert block.cancelled.wait(30)
    assert portal.call(echo, 1) == 1


def test_a_call_cancelled_before_it_crossed_does_not_run(portal: Portal):
    ran = threading.Event()

    async def run() -> None:
        ran.set()

    async def main() -> None:
        blocker = threading.Event()

        async def hold() -> None:
            blocker.wait()  # holds the portal's thread, so that nothing crosses

        holding = asyncio.ensure_future(portal.call_async(hold))
        await asyncio.sleep(0)
        task = asyncio.ensure_future(portal.call_async(run))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        blocker.set()
        await holding
        await portal.call_async(echo, 1)

    asyncio.run(main())
    assert not ran.is_set()


def test_cancelling_one_call_leaves_its_neighbours_alone(portal: Portal):
    block, neighbour = Block(), Block()

    async def main() -> str:
        other = asyncio.ensure_future(portal.call_async(neighbour))
        task = asyncio.ensure_future(portal.call_async(block))
        await asyncio.to_thread(block.started.wait)
        task.cancel()
        await asyncio.to_thread(block.cancelled.wait)
        assert not other.done()

        async def let_go() -> None:
            neighbour.go.set()

        await portal.call_async(let_go)
        return await other

    assert asyncio.run(main()) == "went"


def test_an_interrupted_wait_cancels_the_call(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    import aerospike_py._runtime.calls as module

    block = Block()

    def interrupted(self: object) -> None:
        block.started.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(module.BlockingCall, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.call(block)
    assert block.cancelled.wait(30)


def test_workers_are_used_again_and_not_kept_without_bound(portal: Portal):
    async def main() -> None:
        await asyncio.gather(*[portal.call_async(trio.sleep, 0.01) for _ in range(IDLE_WORKERS + 500)])

    asyncio.run(main())
    assert len(portal._idle) <= IDLE_WORKERS

    async def tasks() -> int:
        return len(portal.nursery.child_tasks)

    assert portal.call(tasks) <= IDLE_WORKERS + 1


def test_a_closed_event_loop_does_not_disturb_the_portal(portal: Portal):
    block = Block()
    loop = asyncio.new_event_loop()

    async def start() -> None:
        task = asyncio.ensure_future(portal.call_async(block))
        task.add_done_callback(lambda _: None)
        await asyncio.sleep(0)

    loop.run_until_complete(start())
    assert block.started.wait(30)
    loop.close()

    async def let_go() -> None:
        block.go.set()

    portal.call(let_go)
    assert portal.call(echo, 3) == 3


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BaseExceptionGroup("two", [KeyboardInterrupt(), ValueError("lost")]), id="group"),
        pytest.param(SystemExit(3), id="exit"),
        pytest.param(KeyboardInterrupt("raised in the portal"), id="interrupt"),
    ],
)
def test_what_is_no_exception_of_the_usual_kind_is_no_success_and_ends_nobody_elses_calls(
    portal: Portal, error: BaseException
):
    async def fails() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    block = Block()
    other: list[str] = []
    thread = threading.Thread(target=lambda: other.append(portal.call(block)))
    thread.start()
    assert block.started.wait(30)
    with pytest.raises(type(error)) as caught:
        portal.call(fails)
    assert caught.value is error

    async def let_go() -> None:
        block.go.set()

    portal.call(let_go)
    thread.join(30)
    assert other == ["went"]


def test_what_went_wrong_beside_a_cancellation_is_the_callers(portal: Portal):
    async def fails() -> None:
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.shield = True
            with trio.CancelScope() as scope:
                scope.cancel()
                try:
                    await trio.lowlevel.checkpoint()
                except trio.Cancelled as cancelled:
                    raise BaseExceptionGroup("both", [cancelled, ValueError("lost")]) from None

    with pytest.raises(BaseException) as caught:
        portal.call(fails)
    assert isinstance(caught.value, ExceptionGroup)
    assert portal.call(echo, 1) == 1


def test_a_closed_event_loop_is_not_kept(portal: Portal):
    async def main() -> weakref.ref[Any]:
        await asyncio.gather(*[portal.call_async(echo, value) for value in range(100)])
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(main())
    gc.collect()
    assert loop() is None


def test_a_coroutine_that_is_closed_cancels_its_call(portal: Portal):
    block = Block()

    async def main() -> None:
        call = portal.call_async(block)
        call.send(None)
        await asyncio.to_thread(block.started.wait)
        call.close()
        assert await asyncio.to_thread(block.cancelled.wait, 30)

    asyncio.run(main())


def test_stopping_ends_calls_under_way_and_refuses_new_ones():
    portal = Portal()
    portal.start()
    block = Block()
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            portal.call(block)
        except ClientError as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert block.started.wait(30)
    portal.stop(10.0)
    thread.join(30)
    assert len(ended) == 1
    with pytest.raises(ClientError, match="stopped"):
        portal.call(echo, 1)


def test_stopping_before_the_thread_has_begun_ends_it():
    for _ in range(20):
        portal = Portal()
        portal.start()
        portal.stop(10.0)
        assert not portal._thread.is_alive()


def test_a_blocking_call_from_the_portals_own_thread_is_refused(portal: Portal):
    async def inside() -> None:
        portal.call(echo, 1)

    with pytest.raises(ClientError, match="thread that would have to answer"):
        portal.call(inside)


def test_detached_calls_run_and_their_failures_are_nobodys(portal: Portal):
    done = threading.Event()

    async def work() -> None:
        done.set()

    portal.detach(fail, ValueError("unseen"))
    portal.detach(work)
    assert done.wait(30)
