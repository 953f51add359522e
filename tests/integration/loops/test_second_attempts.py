"""Second attempts at reads behind a slow request, and tasks that are cancelled at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
        assert executor.limiter is not None
        assert read.in_flight
        assert executor.limiter.borrowed_tokens - sum(len(lease.free) for lease in executor.leases) == 2
        await gets[0]
        await stage.loop_until(lambda: not stage.now_in_trio(lambda: executor.limiter.borrowed_tokens))

    in_loop(body, stages(max_concurrent_operations=2))
