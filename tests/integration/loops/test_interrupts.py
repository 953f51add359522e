"""KeyboardInterrupt anywhere in a loop's commands: no other command hangs or gets a wrong answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import trio_aerospike as aero
from tests.integration.loop_stage import LoopStage
from tests.integration.stage import KEY
from tests.interrupting import Interrupter
from trio_aerospike import ReadPolicy, _drivers
from trio_aerospike.server import Fault

#: The modules that run in the loop.
FILES = [f"trio_aerospike/_drivers/{path.name}" for path in Path(_drivers.__path__[0]).glob("loop_*.py")]
FILES.append("trio_aerospike/_wire/pipeline.py")


@pytest.mark.parametrize("limit", [0, 8])
def test_commands_interrupted_at_any_line_leave_commands_that_work(
    stages: Callable[..., LoopStage], limit: int
) -> None:
    stage = stages(max_concurrent_operations=limit)
    loop = asyncio.new_event_loop()
    keys = [aero.Key("test", "threads", number) for number in range(4)]

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 10))

    async def made() -> Any:
        return stage.commands()

    commands = run(made())
    try:
        for key in keys:
            run(commands.put(key, {"n": key.user_key}))
        for step in itertools.count():
            run(stage.warm(commands))
            reads = [loop.create_task(commands.get(key)) for key in keys]
            with Interrupter(step, *FILES, opcodes=False) as interrupter:
                try:
                    run(asyncio.wait(reads))
                except KeyboardInterrupt:
                    pass
            # However it left the connection: each read ends with its own record, or with an error that says why not. A
            # callback of asyncio's that was interrupted before its first statement is made up for by the next command.
            run(asyncio.sleep(0.002))
            assert run(commands.get(keys[0]))["n"] == 0, interrupter.place
            run(asyncio.wait(reads))
            for key, read in zip(keys, reads, strict=True):
                error = read.exception()
                if error is None:
                    assert read.result()["n"] == key.user_key, interrupter.place
                else:
                    assert isinstance(error, (aero.ConnectionFailed, KeyboardInterrupt)), interrupter.place
            for key in keys:
                assert run(commands.get(key))["n"] == key.user_key, interrupter.place
            # A slot that an interrupted frame holds comes back when its traceback is dropped.
            reads.clear()
            del read, error
            gc.collect()
            limiter = stage.client._executor.limiter
            if limiter is not None:
                stage.until(lambda limiter=limiter: limiter.borrowed_tokens <= 4)  # type: ignore[misc]
            if interrupter.place is None:
                assert step > 50
                break
    finally:
        loop.close()


@pytest.mark.parametrize("scenario", ["reset", "overdue", "cancelled"])
def test_commands_whose_connection_ends_while_they_are_interrupted_end_too(
    stages: Callable[..., LoopStage], scenario: str
) -> None:
    stage = stages()
    loop = asyncio.new_event_loop()
    total = {"reset": 5.0, "overdue": 1.0, "cancelled": 0.05}[scenario]
    policy = ReadPolicy(max_retries=0, total_timeout=total, socket_timeout=0.005 if scenario == "overdue" else 5.0)
    again = ReadPolicy(socket_timeout=0.05, total_timeout=5.0)  # it may stand behind a request without an answer
    kinds = (aero.ConnectionFailed, aero.AerospikeTimeoutError, KeyboardInterrupt, asyncio.CancelledError)

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 10))

    async def made() -> Any:
        return stage.commands()

    async def ended(reads: list[asyncio.Task[Any]]) -> None:
        if scenario == "cancelled":
            with contextlib.suppress(TimeoutError):  # a callback that was interrupted may have been the one that sends
                async with asyncio.timeout(0.05):
                    await stage.loop_until(lambda: seen)
            for read in reads:
                read.cancel()
        await asyncio.wait(reads)

    commands = run(made())
    try:
        for step in itertools.count():
            stage.script()
            run(stage.warm(commands))
            then = {"reset": None, "overdue": Fault.SILENCE, "cancelled": Fault.SILENCE}[scenario]
            seen = stage.script(*[Fault.RESET] * (scenario == "reset"), then=then)
            reads = [loop.create_task(commands.get(KEY, policy=policy)) for _ in range(4)]
            with Interrupter(step, *FILES, opcodes=False) as interrupter:
                try:
                    run(ended(list(reads)))
                except KeyboardInterrupt:
                    pass
            stage.script()
            run(asyncio.sleep(0.002))
            assert run(commands.get(KEY, policy=again))["a"] == 1, interrupter.place
            if scenario == "cancelled":
                for read in reads:
                    read.cancel()
            run(asyncio.wait(reads))
            for read in reads:
                error = KeyboardInterrupt() if read.cancelled() else read.exception()
                assert error is None or isinstance(error, kinds), interrupter.place
            reads.clear()
            if interrupter.place is None:
                assert step > 50
                break
    finally:
        loop.close()
