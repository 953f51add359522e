"""Second attempts at reads behind a slow request, and tasks that are cancelled at the worst moment."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable

import pytest

from tests.integration.loop_stage import LoopStage, connections_of, in_loop, looped
from tests.integration.stage import KEY
from trio_aerospike.loops import LoopCommands
from trio_aerospike.server import Fault


@looped(1)
async def test_a_read_that_expires_when_it_is_to_be_sent_again_is_not_logged_later(stage, commands):
    stage.script(Fault.SILENCE)
    gets = [asyncio.ensure_future(commands.get(KEY)) for _ in range(2)]
    connection = connections_of(commands)[0]
    sent = connection._pipeline.sent
    await stage.loop_until(lambda: len(sent) == 2)
    read = sent[1]
    assert connection.relieve(0.0) and read.rerouted
    read.deadline = 0.0
    connection._expire()
    assert read.ended
    assert (await gets[1])["a"] == 1
    connection._expire()  # it is still owed an answer, and overdue
    gets[0].cancel()
    await asyncio.wait(gets[:1])


def test_a_read_that_is_cancelled_when_it_is_to_be_sent_again_keeps_its_slot(
    stages: Callable[..., LoopStage],
) -> None:
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.cluster.nodes[0].delay = 0.1
        gets = [asyncio.ensure_future(commands.get(KEY)) for _ in range(2)]
        connection = connections_of(commands)[0]
        sent = connection._pipeline.sent
        await stage.loop_until(lambda: len(sent) == 2)
        read = sent[1]
        assert connection.relieve(0.0) and read.rerouted
        gets[1].cancel()
        await asyncio.wait(gets[1:])
        executor = stage.client._executor
        limiter = executor.limiter
        assert limiter is not None
        assert read.in_flight
        assert limiter.borrowed_tokens - sum(len(lease.free) for lease in executor.leases) == 2
        await gets[0]
        await stage.loop_until(lambda: not limiter.borrowed_tokens)

    in_loop(body, stages(max_concurrent_operations=2))


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_may_be_closed_while_a_read_is_sent_again(
    stages: Callable[..., LoopStage], caplog: pytest.LogCaptureFixture
) -> None:
    stage = stages(max_concurrent_operations=4)
    caplog.set_level(logging.CRITICAL, "asyncio")  # it says that tasks were left pending, which they were
    loop = asyncio.new_event_loop()
    gets: list[asyncio.Future[object]] = []

    async def body() -> None:
        commands = stage.commands()
        await stage.warm(commands)
        stage.script(then=Fault.SILENCE)
        gets.extend(asyncio.ensure_future(commands.get(KEY)) for _ in range(2))
        sent = connections_of(commands)[0]._pipeline.sent
        await stage.loop_until(lambda: len(sent) == 2 and sent[1].rerouted and not sent[1].answer.done())

    loop.run_until_complete(body())
    loop.close()
    gets.clear()
    gc.collect()
    limiter = stage.client._executor.limiter
    assert limiter is not None
    stage.script()
    stage.until(lambda: not limiter.borrowed_tokens)
