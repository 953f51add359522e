"""A client for the tasks of asyncio loops, and tests that are coroutines of such loops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trio

from tests.integration.stage import KEY, Stage
from tests.timing import Stopwatch, stopwatch
from trio_aerospike import ReadPolicy
from trio_aerospike._drivers.loop_connection import LoopConnection
from trio_aerospike.loops import LoopCommands

ONCE = ReadPolicy(max_retries=0)
FOR_EVER: dict[str, Any] = {"total_timeout": None, "socket_timeout": None}

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


def uvloop_run(main: Coroutine[Any, Any, Any]) -> Any:
    try:
        import uvloop
    except ImportError:
        main.close()
        pytest.skip("uvloop is not installed")
    return uvloop.run(main)


class LoopStage(Stage):
    """With the client's commands for asyncio loops."""

    def commands(self) -> LoopCommands:
        """Those of the running loop."""
        loop = asyncio.get_running_loop()

        async def cross(function: Callable[..., Any], /, *args: Any) -> Any:
            self.crossings += 1
            return await self.from_loop(function, *args)

        return LoopCommands(self.client, cross, loop)

    async def from_loop(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run in Trio; cancelled when the asyncio task is."""
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        scope = trio.CancelScope()

        def settle(value: Any, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(value)
            else:
                answer.set_exception(error)

        async def run() -> None:
            value, error = None, None
            with scope:
                try:
                    value = await function(*args)
                except Exception as caught:
                    error = caught
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, value, error)

        self._token.run_sync_soon(trio.lowlevel.spawn_system_task, run)
        try:
            return await answer
        except asyncio.CancelledError:
            self._token.run_sync_soon(scope.cancel)
            raise

    async def loop_until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)

    async def warm(self, commands: LoopCommands, connections: int = 1) -> None:
        """Have the loop lease connections that work."""
        await self.from_loop(self.client.put, KEY, {"a": 1})
        while len(connections_of(commands)) < connections:
            await self.loop_until(lambda: self.leases._resting or not self.leases.opening)
            if self.leases._resting:
                executor: Any = commands._runner
                executor._connections_to(self.node)._lease(asyncio.get_running_loop())
            else:
                await self.from_loop(self.node.lend)
        await asyncio.gather(*(commands.get(KEY) for _ in range(connections)))
        self.crossings = 0


def connections_of(commands: LoopCommands) -> list[LoopConnection]:
    executor: Any = commands._runner
    return [connection for node in executor._nodes.values() for connection in node._alive()]


def in_loop(
    body: Callable[[LoopStage, LoopCommands], Awaitable[None]],
    stage: LoopStage,
    connections: int = 1,
    run: Runner = asyncio.run,
) -> None:
    async def main() -> None:
        commands = stage.commands()
        if connections:
            await stage.warm(commands, connections)
        await body(stage, commands)

    run(main())


def looped(connections: int = 1) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """The test is a coroutine function of a stage and of the commands of the loop that runs it."""

    def wrap(body: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        def test(stage: LoopStage) -> None:
            in_loop(body, stage, connections)

        test.__name__ = body.__name__
        test.__doc__ = body.__doc__
        return test

    return wrap


async def fails(command: Awaitable[Any], error: type[BaseException]) -> tuple[Stopwatch, Any]:
    with stopwatch() as took, pytest.raises(error) as caught:
        await command
    return took, caught.value
