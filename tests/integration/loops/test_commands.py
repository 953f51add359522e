"""Commands of asyncio loops on borrowed connections, over TCP: what they give, and how they fail."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

import trio_aerospike as aero
from tests.integration.loop_stage import FOR_EVER, ONCE, LoopStage, connections_of, fails, in_loop, looped, uvloop_run
from tests.integration.stage import BAD, KEY, SCENARIOS, outcome
from tests.timing import stopwatch
from trio_aerospike import ReadPolicy, WritePolicy, operations as op
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.messages import Message, encode_message
from trio_aerospike.errors import ResultCode
from trio_aerospike.loops import LoopCommands
from trio_aerospike.server import Fault, Reply

# -- what they give ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [asyncio.run, uvloop_run])
def test_every_command_does_what_the_clients_does_without_a_crossing(stage, run):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        await commands.put(KEY, {"a": 1, "s": "mid", "l": [1, {"x": b"y"}]}, ttl=100)
        record = await commands.get(KEY)
        assert dict(record) == {"a": 1, "s": "mid", "l": [1, {"x": b"y"}]}
        assert dict(await commands.select(KEY, ["a"])) == {"a": 1}
        found = await commands.exists(KEY)
        assert found is not None and found.generation == record.generation
        assert await commands.exists(("test", "threads", "none")) is None
        await commands.append(KEY, "s", ">")
        await commands.prepend(KEY, "s", "<")
        await commands.increment(KEY, "a", 41)
        await commands.touch(KEY, ttl=200)
        assert (await commands.operate(KEY, [op.read("s"), op.increment("a", 1), op.read("a")]))["a"] == 43
        ordered = await commands.operate_ordered(KEY, [op.read("s"), op.read("a")])
        assert ordered.ordered == [("s", "<mid>"), ("a", 43)]
        await commands.remove_bin(KEY, ["l"])
        await commands.remove(KEY)
        for command in (commands.get, commands.remove, commands.touch):
            _, error = await fails(command(KEY), aero.RecordNotFound)
            assert (error.node, error.attempts, error.in_doubt) == (stage.node.name, 1, False)
        await fails(commands.put(KEY, {"a": object()}), aero.InvalidArgError)
        assert stage.crossings == 0

    in_loop(body, stage, run=run)


@looped(0)
async def test_the_first_commands_go_through_trio_and_the_next_ones_do_not(stage, commands):
    await commands.put(KEY, {"a": 1})
    assert stage.crossings == 1
    await stage.loop_until(lambda: stage.leases._resting)
    for _ in range(20):
        await commands.get(KEY)
    assert stage.crossings == 1 and stage.leases.lent == 1


@looped()
async def test_records_of_a_megabyte_both_ways_and_packed_answers(stage, commands):
    blobs = [os.urandom(1_000_000) for _ in range(6)]
    keys = [aero.Key("test", "threads", number) for number in range(6)]
    await asyncio.gather(*(commands.put(key, {"b": blob}) for key, blob in zip(keys, blobs, strict=True)))
    records = await asyncio.gather(*(commands.get(key) for key in keys))
    assert [record["b"] for record in records] == blobs
    packed = compress_frame(encode_frame(PROTO_MESSAGE, encode_message(Message(generation=77))))
    stage.script(Reply(packed))
    assert (await commands.get(KEY)).generation == 77


@looped()
async def test_an_answer_may_come_in_any_pieces(stage, commands):
    """One byte at a time, and with the next answer glued to every part of it."""
    (connection,) = connections_of(commands)
    replies = [encode_frame(PROTO_MESSAGE, encode_message(Message(generation=number))) for number in (5, 6)]
    data = b"".join(replies)

    class Pieces:
        def __init__(self, pieces: list[bytes]) -> None:
            self.pieces = pieces

        def recv(self, size: int) -> bytes:
            return self.pieces.pop(0)

        def send(self, data: bytes) -> int:
            return len(data)

    real: Any = connection._sock
    for pieces in [
        [data[i : i + 1] for i in range(len(data))],
        *([data[:cut], data[cut:]] for cut in range(1, len(data))),
    ]:
        fake: Any = Pieces(pieces)
        connection._sock = fake
        reads = [asyncio.ensure_future(commands.get(KEY)) for _ in replies]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while fake.pieces:
            connection._readable()
        assert [(await read).generation for read in reads] == [5, 6]
    connection._sock = real
    assert (await commands.get(KEY))["a"] == 1
    assert stage.crossings == 0


@pytest.mark.parametrize("run", [asyncio.run, uvloop_run])
def test_nobody_gets_anothers_answer_whoever_is_cancelled_or_late(stages, run):
    stage = stages(max_conns_per_node=8)

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        chance = random.Random(7)
        keys = [aero.Key("test", "threads", f"key {number}") for number in range(50)]
        patient = WritePolicy(**FOR_EVER)
        await asyncio.gather(*(commands.put(key, {"n": number}, policy=patient) for number, key in enumerate(keys)))
        ends = {"answered": 0, "cancelled": 0, "late": 0}

        async def read(number: int) -> None:
            seconds = chance.choice((60.0, 60.0, 0.001, 0.01))
            policy = ReadPolicy(total_timeout=seconds, max_retries=chance.randrange(2))
            try:
                assert (await commands.get(keys[number], policy=policy))["n"] == number
                ends["answered"] += 1
            except (aero.AerospikeTimeoutError, aero.NoMoreConnections):  # the latter: late before there was room
                ends["late"] += 1

        async def one() -> None:
            task = asyncio.ensure_future(read(chance.randrange(50)))
            if chance.random() < 0.4:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                if chance.random() < 0.5:
                    await asyncio.sleep(chance.random() * 0.004)
                task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                ends["cancelled"] += 1

        async def many() -> None:
            for _ in range(30):
                await one()

        await asyncio.gather(*(many() for _ in range(100)))
        assert sum(ends.values()) == 3000 and min(ends.values()) > 20, ends
        assert stage.cluster.nodes[0].stats.command_connections_peak <= 8
        # The last tombstones are answered, sooner or later.
        await stage.loop_until(
            lambda: all(
                not connection.depth and not connection._pipeline.sent and not connection._pipeline.unsent_bytes
                for connection in connections_of(commands)
            )
        )

    in_loop(body, stage, run=run)


# -- how they fail -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[LoopStage]:
    stage = LoopStage(timeout=5.0, tend_interval=0.05)
    try:
        yield stage
    finally:
        stage.end()


@pytest.mark.parametrize("retries", [0, 1, 2])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failure_ends_as_it_does_in_trio(shared, scenario, retries):
    """The same error, doubt, attempts and requests, whether a loop sends a command or Trio does."""
    times: dict[str, Any] = {"total_timeout": 2.0, "socket_timeout": 0.06, "max_retries": retries}

    async def tried(command: Coroutine[Any, Any, Any]) -> tuple[object, ...]:
        try:
            await command
        except aero.AerospikeError as error:
            return outcome(functools.partial(_raise, error))
        return ("done",)

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        for command, policy in (("get", ReadPolicy(**times)), ("put", WritePolicy(**times))):
            args = (KEY,) if command == "get" else (KEY, {"a": 2})
            stage.script()
            await stage.warm(commands)
            seen = stage.script(*SCENARIOS[scenario])
            in_loop = await tried(getattr(commands, command)(*args, policy=policy))
            sent = len(seen)
            assert stage.crossings <= 1
            stage.script()
            await stage.from_loop(stage.client.get, KEY)
            seen = stage.script(*SCENARIOS[scenario])
            method = functools.partial(getattr(stage.client, command), *args, policy=policy)
            in_trio = await tried(stage.from_loop(method))
            assert (in_loop, sent) == (in_trio, len(seen))
        stage.script()

    in_loop(body, shared, connections=0)


def _raise(error: BaseException) -> None:
    raise error


@looped()
async def test_rubbish_and_what_nobody_asked_for_end_the_connection(stage, commands):
    stage.script(Reply(BAD))
    _, error = await fails(commands.get(KEY, policy=ONCE), aero.ProtocolError)
    assert error.attempts == 1
    stage.script()
    await stage.warm(commands)
    (connection,) = connections_of(commands)
    answer = encode_frame(PROTO_MESSAGE, encode_message(Message()))
    stage.script(Reply(answer + answer))
    await fails(commands.get(KEY, policy=ONCE), aero.ProtocolError)  # which of the two is meant cannot be told
    assert not connection._alive
    stage.script()
    await stage.warm(commands)
    stage.script(Reply(encode_frame(PROTO_MESSAGE, b"short")))
    await fails(commands.get(KEY, policy=ONCE), aero.ProtocolError)


@looped()
async def test_a_connection_that_the_kernel_gave_up_is_no_timeout_of_ours(stage, commands):
    stage.script(then=Fault.SILENCE)
    (connection,) = connections_of(commands)
    read = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(max_retries=0)))
    await stage.loop_until(lambda: connection._pipeline.sent)
    connection.close(TimeoutError(110, "Connection timed out"))
    await fails(read, aero.ConnectionFailed)


@pytest.mark.parametrize("run", [asyncio.run, uvloop_run])
@pytest.mark.parametrize("field", ["total_timeout", "socket_timeout"])
def test_timeouts_are_kept(stage, field, run):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        times: dict[str, Any] = FOR_EVER | {"max_retries": 0, field: 0.3}
        for command, policy in (("get", ReadPolicy(**times)), ("put", WritePolicy(**times))):
            stage.script()
            await stage.warm(commands)
            stage.script(then=Fault.SILENCE)
            args = (KEY,) if command == "get" else (KEY, {"a": 2})
            took, error = await fails(getattr(commands, command)(*args, policy=policy), aero.AerospikeTimeoutError)
            assert took.within(0.3, 0.4)
            assert f"{field}=0.3 s" in str(error) and error.in_doubt == (command == "put")
            assert stage.crossings == 0

    in_loop(body, stage, run=run)


@looped()
async def test_the_total_timeout_covers_all_attempts(stage, commands):
    stage.script(then=Fault.SILENCE)
    policy = ReadPolicy(total_timeout=0.3, socket_timeout=0.12, max_retries=9)
    took, error = await fails(commands.get(KEY, policy=policy), aero.AerospikeTimeoutError)
    assert took.within(0.3, 0.4) and error.attempts == 3


@pytest.mark.usefixtures("mean_delays")
@looped()
async def test_the_server_is_told_what_time_is_left(stage, commands):
    seen = stage.script(ResultCode.TIMEOUT)
    await commands.get(KEY, policy=ReadPolicy(total_timeout=0.8, sleep_between_retries=0.1))
    assert seen[0].transaction_ttl in (799, 800) and 500 < seen[1].transaction_ttl <= 700
    await commands.get(KEY, policy=ReadPolicy(total_timeout=None))
    assert seen[2].transaction_ttl == 0x7FFFFFFF


@looped()
async def test_an_answer_that_lay_while_the_loop_was_busy_is_not_late(stage, commands):
    (connection,) = connections_of(commands)
    stage.cluster.nodes[0].delay = 0.02
    policy = ReadPolicy(total_timeout=0.05, max_retries=0)
    read = asyncio.ensure_future(commands.get(KEY, policy=policy))
    await stage.loop_until(lambda: connection._pipeline.sent)
    time.sleep(0.1)  # noqa: ASYNC251 - this is what it is about
    connection._expire()
    assert (await read)["a"] == 1


# -- who has gone ------------------------------------------------------------------------------------------------------


@looped()
async def test_what_is_cancelled_before_it_left_is_never_sent(stage, commands):
    seen = stage.script()
    tasks = [asyncio.ensure_future(commands.put(KEY, {"n": number})) for number in range(5)]
    await asyncio.sleep(0)  # all are in the connection, and nothing has left
    assert not seen and connections_of(commands)[0].depth == 5
    for number in (0, 2, 4):
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [True, False, True, False, True]
    assert len(seen) == 2 and connections_of(commands)[0].depth == 0 and stage.crossings == 0


@looped()
async def test_the_answer_of_one_who_has_gone_is_dropped(stage, commands):
    stage.cluster.nodes[0].delay = 0.05
    (connection,) = connections_of(commands)
    others = [aero.Key("test", "threads", number) for number in range(3)]
    for number, key in enumerate(others):
        await stage.from_loop(stage.client.put, key, {"n": number})
    seen = stage.script()
    # Writes, as reads behind one that takes so long would be sent once more elsewhere.
    tasks = [asyncio.ensure_future(commands.put(key, {"n": 7})) for key in others]
    await stage.loop_until(lambda: seen)
    tasks[0].cancel()
    tasks[1].cancel()
    await tasks[2]
    assert len(seen) == 3 and connection._alive and not connection.depth and stage.crossings == 0


@looped()
async def test_one_who_had_all_the_time_and_has_gone_does_not_hold_up_the_others_for_ever(stage, commands):
    (connection,) = connections_of(commands)
    seen = stage.script(Fault.SILENCE)
    task = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(**FOR_EVER)))
    await stage.loop_until(lambda: seen)
    task.cancel()
    await fails(task, asyncio.CancelledError)
    with stopwatch() as took:
        await stage.loop_until(lambda: not connection._alive)
    assert took.within(0.8, 1.3)
    assert (await commands.get(KEY))["a"] == 1
