"""Fan-out in an asyncio loop of more commands than a node takes at once: waiting times and order."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

import trio_aerospike as aero
from tests.integration.loop_stage import ONCE, LoopStage, connections_of, fails, in_loop, looped
from tests.integration.stage import KEY
from tests.timing import stopwatch
from trio_aerospike import ReadPolicy, WritePolicy
from trio_aerospike._drivers.loop_node import PROBES, WINDOW
from trio_aerospike._wire.constants import FIELD_DIGEST
from trio_aerospike.loops import LoopCommands
from trio_aerospike.server import Fault

KEYS = [aero.Key("test", "threads", number) for number in range(1_000)]


def borrowed(stage: LoopStage) -> int:
    limiter = stage.client._executor.limiter
    assert limiter is not None
    return limiter.borrowed_tokens


def connections_to_node(stage: LoopStage, commands: LoopCommands) -> Any:
    executor: Any = commands._runner
    return executor._connections_to(stage.node)


async def learn(commands: LoopCommands) -> None:
    """Have the loop learn how quick the node is."""
    await asyncio.gather(*(commands.get(KEY) for _ in range(64)))


# -- the window --------------------------------------------------------------------------------------------------------


def test_what_is_past_the_window_waits_in_order_of_arrival(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        await learn(commands)
        seen = stage.script()
        puts = [asyncio.ensure_future(commands.put(key, {"n": key.user_key})) for key in KEYS]
        await asyncio.sleep(0)
        connections = connections_to_node(stage, commands)
        assert sum(connection.depth for connection in connections_of(commands)) == WINDOW
        assert connections.waiting.count == len(KEYS) - WINDOW
        await asyncio.gather(*puts)
        assert [message.field(FIELD_DIGEST) for message in seen] == [key.digest for key in KEYS]
        assert stage.crossings == 0 and not connections.waiting.count

    in_loop(body, stages(max_conns_per_node=2))


@looped(0)
async def test_a_first_burst_crosses_into_trio_only_until_a_connection_is_borrowed(stage, commands):
    await asyncio.gather(*(commands.put(key, {"n": key.user_key}) for key in KEYS))
    assert 0 < stage.crossings < 200
    assert [(await commands.get(key))["n"] for key in KEYS[:10]] == list(range(10))


@looped(1)
async def test_those_who_have_gone_while_they_waited_are_never_sent(stage, commands):
    await learn(commands)
    seen = stage.script()
    gets = [asyncio.ensure_future(commands.get(KEY)) for _ in range(WINDOW + 100)]
    await asyncio.sleep(0)
    for get in gets[WINDOW:]:
        get.cancel()
    assert all(record["a"] == 1 for record in await asyncio.gather(*gets[:WINDOW]))
    await asyncio.wait(gets)
    assert len(seen) == WINDOW and not connections_to_node(stage, commands).waiting.count


# -- time --------------------------------------------------------------------------------------------------------------


@looped(2)
async def test_a_blocked_loop_costs_no_command_its_time(stage, commands):
    async def block() -> None:
        for _ in range(3):
            await asyncio.sleep(0.005)
            time.sleep(0.3)  # noqa: ASYNC251 - this is what it is about

    policy = WritePolicy(total_timeout=0.2, max_retries=0)
    blocker = asyncio.ensure_future(block())
    await asyncio.gather(*(commands.put(key, {"n": key.user_key}, policy=policy) for key in KEYS))
    await blocker


@looped(2)
async def test_a_silent_node_ends_what_waits_within_the_timeout_and_says_so(stage, commands):
    await learn(commands)
    stage.script(then=Fault.SILENCE)
    policy = ReadPolicy(total_timeout=0.5, max_retries=0)
    gets = [commands.get(KEY, policy=policy) for _ in KEYS]
    with stopwatch() as took:
        found: list[Any] = await asyncio.gather(*gets, return_exceptions=True)
    assert took.within(0.5, 1.0)
    assert {type(error) for error in found} == {aero.AerospikeTimeoutError}
    sent = [error for error in found if "did not answer within total_timeout=0.5 s" in str(error)]
    waited = [error for error in found if "took no request within total_timeout=0.5 s" in str(error)]
    assert len(sent) + len(waited) == len(KEYS)
    assert WINDOW <= len(sent) <= WINDOW + 2 * PROBES
    assert all(re.search(r"for 0\.[5-9]\d* s, and \d+ more requests wait for it", str(error)) for error in waited)
    assert any(re.search(r"7[0-4]\d more", str(error)) for error in waited)
    for error in waited:
        text = str(error)
        assert stage.node.name in text and "wait" in text
        assert "max_concurrent_operations" in text and "put_many" in text
        assert error.attempts == 0 and not error.in_doubt
    stage.script()
    assert (await commands.get(KEY))["a"] == 1


def test_what_waits_goes_on_waiting_while_the_node_answers(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        # What is in flight, at most a window on one connection, takes 0.5 s; all of it takes 2.5 s on two.
        stage.cluster.nodes[0].delay = 0.002
        policy = ReadPolicy(total_timeout=1.5, max_retries=0)
        began = time.monotonic()
        found = await asyncio.gather(*(commands.get(KEY, policy=policy) for _ in range(2500)))
        assert len(found) == 2500 and time.monotonic() - began > 1.5

    in_loop(body, stages(max_conns_per_node=2))


@looped(1)
async def test_the_callers_own_timeout_is_on_the_wall_clock(stage, commands):
    stage.script(then=Fault.SILENCE)
    gets = [asyncio.ensure_future(commands.get(KEY, policy=ONCE)) for _ in range(2 * WINDOW)]
    with stopwatch() as took, pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.2):
            await asyncio.sleep(0.01)
            time.sleep(0.15)  # noqa: ASYNC251 - this is what it is about
            await commands.get(KEY, policy=ONCE)
    assert not isinstance(caught.value, aero.AerospikeError)
    assert took.within(0.2, 0.3)
    for get in gets:
        get.cancel()
    await asyncio.wait(gets)


# -- max_concurrent_operations -----------------------------------------------------------------------------------------


def test_slots_pass_from_command_to_command_in_order_and_all_come_back(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        seen = stage.script()
        await asyncio.gather(*(commands.put(key, {"n": key.user_key}) for key in KEYS))
        assert [message.field(FIELD_DIGEST) for message in seen] == [key.digest for key in KEYS]
        assert stage.cluster.nodes[0].stats.commands_peak == 1
        assert stage.crossings <= 64
        await stage.loop_until(lambda: borrowed(stage) == 0)

    in_loop(body, stages(max_concurrent_operations=1), connections=0)


def test_a_cancelled_command_keeps_its_slot_until_its_answer_is_in(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.cluster.nodes[0].delay = 0.2
        seen = stage.script()
        first = asyncio.ensure_future(commands.get(KEY))
        await stage.loop_until(lambda: seen)
        first.cancel()
        began = time.monotonic()
        assert (await commands.get(KEY))["a"] == 1
        assert time.monotonic() - began > 0.3
        assert stage.crossings == 0 and stage.cluster.nodes[0].stats.commands_peak == 1
        await stage.loop_until(lambda: borrowed(stage) == 0)

    in_loop(body, stages(max_concurrent_operations=1))


def test_all_slots_come_back_however_commands_end(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        policy = ReadPolicy(total_timeout=0.1, max_retries=0)
        for fault in (Fault.SILENCE, Fault.RESET, Fault.CLOSE):
            seen = stage.script(then=fault)
            gets = [asyncio.ensure_future(commands.get(KEY, policy=policy)) for _ in range(40)]
            await stage.loop_until(lambda: len(seen) >= 4)  # noqa: B023 - it is called at once
            for get in gets[::3]:
                get.cancel()
            await asyncio.gather(*gets, return_exceptions=True)
            stage.script()
            assert (await commands.get(KEY))["a"] == 1
        await stage.loop_until(lambda: borrowed(stage) == 0)

    in_loop(body, stages(max_concurrent_operations=4))


def test_backpressure_comes_after_the_queue_timeout_which_a_blocked_loop_does_not_use_up(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        seen = stage.script(then=Fault.SILENCE)
        first = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(total_timeout=5.0)))
        await stage.loop_until(lambda: seen)
        with stopwatch() as took:
            second = asyncio.ensure_future(commands.get(KEY))
            await asyncio.sleep(0.05)
            time.sleep(0.4)  # noqa: ASYNC251 - this is what it is about
            _, error = await fails(second, aero.BackpressureError)
        assert took.within(0.6, 0.9)
        assert "all 1 slots" in str(error) and "operation_queue_timeout=0.3 s" in str(error)
        first.cancel()
        await asyncio.wait([first])
        stage.script()

    in_loop(body, stages(max_concurrent_operations=1, operation_queue_timeout=0.3))


def test_others_get_slots_beside_a_loop_that_always_needs_them(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stop = False

        async def read() -> None:
            while not stop:
                await commands.get(KEY)

        reads = [asyncio.ensure_future(read()) for _ in range(20)]
        await stage.loop_until(lambda: borrowed(stage) == 2)
        for _ in range(20):
            async with asyncio.timeout(1):
                await stage.from_loop(stage.client.batch_read, [KEY])
        stop = True
        await asyncio.gather(*reads)
        # A slot that rests in the loop is there for others at once.
        assert (await commands.get(KEY))["a"] == 1
        await stage.from_loop(stage.client.get, KEY)
        await stage.loop_until(lambda: borrowed(stage) == 0)

    in_loop(body, stages(max_concurrent_operations=2))


def test_slots_of_a_loop_that_was_closed_come_back(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        seen = stage.script(then=Fault.SILENCE)
        gets = [asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(total_timeout=60.0))) for _ in range(2)]
        await stage.loop_until(lambda: seen)
        assert borrowed(stage) == 2 and len(gets) == 2

    stage = stages(max_concurrent_operations=2)
    in_loop(body, stage)
    stage.script()
    stage.until(lambda: borrowed(stage) == 0)


def test_closing_the_client_ends_those_who_wait_for_a_slot(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        seen = stage.script(then=Fault.SILENCE)
        gets = [asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(total_timeout=60.0))) for _ in range(5)]
        await stage.loop_until(lambda: seen)
        stage._token.run_sync_soon(stage._stop.set)
        done, _ = await asyncio.wait(gets, timeout=5)
        assert len(done) == 5
        assert {type(get.exception()) for get in gets} == {aero.errors.ClientClosed}

    in_loop(body, stages(max_concurrent_operations=1))
