"""Commands of asyncio loops on borrowed connections, over TCP: what they give, how they fail, what they leave."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import trio_aerospike as aero
from tests.integration.loop_stage import LoopStage, fails, in_loop, lines_of, looped, uvloop_run
from tests.integration.stage import BAD, KEY, SCENARIOS, Stage, descriptors, outcome
from trio_aerospike import ReadPolicy, WritePolicy, operations as op
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.messages import Message, encode_message
from trio_aerospike.errors import ResultCode
from trio_aerospike.loops import LoopCommands, _Line
from trio_aerospike.server import Fault, Reply

ONCE = ReadPolicy(max_retries=0)
FOR_EVER: dict[str, Any] = {"total_timeout": None, "socket_timeout": None}


@pytest.fixture
def stages() -> Iterator[Callable[..., LoopStage]]:
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> LoopStage:
            made = LoopStage(**{"timeout": 5.0} | options)
            stack.callback(made.end)
            return made

        yield make


@pytest.fixture
def stage(stages: Callable[..., LoopStage]) -> LoopStage:
    return stages()


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """What there is before the tests is not looked through after each of them."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio has nothing to say about tasks and futures left behind."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


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
    await stage.loop_until(lambda: stage.lender._resting)
    for _ in range(20):
        await commands.get(KEY)
    assert stage.crossings == 1 and stage.lender.lent == 1


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
    (line,) = lines_of(commands)
    replies = [encode_frame(PROTO_MESSAGE, encode_message(Message(generation=number))) for number in (5, 6)]
    data = b"".join(replies)

    class Pieces:
        def __init__(self, pieces: list[bytes]) -> None:
            self.pieces = pieces

        def recv(self, size: int) -> bytes:
            return self.pieces.pop(0)

        def send(self, data: bytes) -> int:
            return len(data)

    real: Any = line._sock
    for pieces in [
        [data[i : i + 1] for i in range(len(data))],
        *([data[:cut], data[cut:]] for cut in range(1, len(data))),
    ]:
        fake: Any = Pieces(pieces)
        line._sock = fake
        reads = [asyncio.ensure_future(commands.get(KEY)) for _ in replies]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while fake.pieces:
            line._readable()
        assert [(await read).generation for read in reads] == [5, 6]
    line._sock = real
    assert (await commands.get(KEY))["a"] == 1
    assert stage.crossings == 0


@pytest.mark.parametrize("run", [asyncio.run, uvloop_run])
def test_nobody_gets_anothers_answer_whoever_is_cancelled_or_late(stages, run):
    stage = stages(max_conns_per_node=8)

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        chance = random.Random(7)
        keys = [aero.Key("test", "threads", f"key {number}") for number in range(50)]
        await asyncio.gather(*(commands.put(key, {"n": number}) for number, key in enumerate(keys)))
        ends = {"answered": 0, "cancelled": 0, "late": 0}

        async def read(number: int) -> None:
            seconds = chance.choice((1.0, 1.0, 0.002, 0.01))
            policy = ReadPolicy(total_timeout=seconds, max_retries=chance.randrange(2))
            try:
                assert (await commands.get(keys[number], policy=policy))["n"] == number
                ends["answered"] += 1
            except aero.AerospikeTimeoutError:
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
        await asyncio.sleep(0.02)  # the last tombstones are answered
        assert all(not line.depth and not line._sent and not line._unsent_bytes for line in lines_of(commands))

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

    in_loop(body, shared, lines=0)


def _raise(error: BaseException) -> None:
    raise error


@looped()
async def test_rubbish_and_what_nobody_asked_for_end_the_line(stage, commands):
    stage.script(Reply(BAD))
    _, error = await fails(commands.get(KEY, policy=ONCE), aero.ProtocolError)
    assert error.attempts == 1
    stage.script()
    await stage.warm(commands)
    (line,) = lines_of(commands)
    answer = encode_frame(PROTO_MESSAGE, encode_message(Message()))
    stage.script(Reply(answer + answer))
    await commands.get(KEY, policy=ONCE)
    await stage.loop_until(lambda: not line._alive)
    stage.script()
    await stage.warm(commands)
    stage.script(Reply(encode_frame(PROTO_MESSAGE, b"short")))
    await fails(commands.get(KEY, policy=ONCE), aero.ProtocolError)


@looped()
async def test_a_connection_that_the_kernel_gave_up_is_no_timeout_of_ours(stage, commands):
    stage.script(then=Fault.SILENCE)
    (line,) = lines_of(commands)
    read = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(max_retries=0)))
    await stage.loop_until(lambda: line._sent)
    line.close(TimeoutError(110, "Connection timed out"))
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
            seconds, error = await fails(getattr(commands, command)(*args, policy=policy), aero.AerospikeTimeoutError)
            assert 0.3 <= seconds < 0.4
            assert f"{field}=0.3 s" in str(error) and error.in_doubt == (command == "put")
            assert stage.crossings == 0

    in_loop(body, stage, run=run)


@looped()
async def test_the_total_timeout_covers_all_attempts(stage, commands):
    stage.script(then=Fault.SILENCE)
    policy = ReadPolicy(total_timeout=0.3, socket_timeout=0.12, max_retries=9)
    seconds, error = await fails(commands.get(KEY, policy=policy), aero.AerospikeTimeoutError)
    assert 0.3 <= seconds < 0.4 and error.attempts == 3


@looped()
async def test_the_server_is_told_what_time_is_left(stage, commands):
    seen = stage.script(ResultCode.TIMEOUT)
    await commands.get(KEY, policy=ReadPolicy(total_timeout=0.8, sleep_between_retries=0.1))
    assert seen[0].transaction_ttl in (799, 800) and 500 < seen[1].transaction_ttl <= 700
    await commands.get(KEY, policy=ReadPolicy(total_timeout=None))
    assert seen[2].transaction_ttl == 0x7FFFFFFF


@looped()
async def test_an_answer_that_lay_while_the_loop_was_busy_is_not_late(stage, commands):
    (line,) = lines_of(commands)
    stage.cluster.nodes[0].delay = 0.02
    policy = ReadPolicy(total_timeout=0.05, max_retries=0)
    read = asyncio.ensure_future(commands.get(KEY, policy=policy))
    await stage.loop_until(lambda: line._sent)
    time.sleep(0.1)  # noqa: ASYNC251 - this is what it is about
    line._expire()
    assert (await read)["a"] == 1


# -- who has gone ------------------------------------------------------------------------------------------------------


@looped()
async def test_what_is_cancelled_before_it_left_is_never_sent(stage, commands):
    seen = stage.script()
    tasks = [asyncio.ensure_future(commands.put(KEY, {"n": number})) for number in range(5)]
    await asyncio.sleep(0)  # all are in the line, and nothing has left
    assert not seen and lines_of(commands)[0].depth == 5
    for number in (0, 2, 4):
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [True, False, True, False, True]
    assert len(seen) == 2 and lines_of(commands)[0].depth == 0 and stage.crossings == 0


@looped()
async def test_the_answer_of_one_who_has_gone_is_dropped(stage, commands):
    stage.cluster.nodes[0].delay = 0.05
    (line,) = lines_of(commands)
    others = [aero.Key("test", "threads", number) for number in range(3)]
    for number, key in enumerate(others):
        await stage.from_loop(stage.client.put, key, {"n": number})
    seen = stage.script()
    tasks = [asyncio.ensure_future(commands.get(key)) for key in others]
    await stage.loop_until(lambda: seen)
    tasks[0].cancel()
    tasks[1].cancel()
    assert (await tasks[2])["n"] == 2
    assert len(seen) == 3 and line._alive and not line.depth and stage.crossings == 0


@looped()
async def test_one_who_had_all_the_time_and_has_gone_does_not_hold_up_the_others_for_ever(stage, commands):
    (line,) = lines_of(commands)
    seen = stage.script(Fault.SILENCE)
    task = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(**FOR_EVER)))
    await stage.loop_until(lambda: seen)
    task.cancel()
    await fails(task, asyncio.CancelledError)
    began = time.monotonic()
    await stage.loop_until(lambda: not line._alive)
    assert 0.8 < time.monotonic() - began < 1.3
    assert (await commands.get(KEY))["a"] == 1


# -- a socket that takes nothing ---------------------------------------------------------------------------------------


class Blocked:
    """Stands in for a line's socket: takes so many bytes, and none after that until it is opened."""

    def __init__(self, line: _Line, takes: int = 0) -> None:
        self.taken = b""
        self.takes = takes
        self.largest = 0
        self.line = line
        self.real = line._sock
        fake: Any = self
        line._sock = fake

    def send(self, data: bytes) -> int:
        self.largest = max(self.largest, len(data))
        taken = min(self.takes, len(data))
        if not taken:
            raise BlockingIOError
        self.takes -= taken
        self.taken += data[:taken]
        return taken

    def recv(self, size: int) -> bytes:
        return self.real.recv(size)

    def watch(self) -> None:
        """Do not let the loop notice that the real socket takes everything."""
        self.line._loop.remove_writer(self.line._number)


@looped()
async def test_what_a_socket_does_not_take_stays_unsent_and_moves_on(stage, commands):
    (line,) = lines_of(commands)
    blocked = Blocked(line)
    tasks = [asyncio.ensure_future(commands.put(KEY, {"n": number})) for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    blocked.watch()
    assert not line._sent and line.depth == 3
    tasks[1].cancel()
    await asyncio.sleep(0)
    seen = stage.script()
    line.close(ConnectionResetError("gone"))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not tasks[0].exception() and not tasks[2].exception() and tasks[1].cancelled()
    assert len(seen) == 2 == stage.crossings  # each once, and without doubt


@looped()
async def test_a_failing_send_leaves_no_doubt(stage, commands):
    (line,) = lines_of(commands)

    class Broken:
        def send(self, data: bytes) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    fake: Any = Broken()
    line._sock = fake
    seen = stage.script()
    await commands.put(KEY, {"n": 1})
    assert len(seen) == 1 == stage.crossings


@looped()
async def test_what_gathers_behind_a_blocked_socket_is_bounded(stage, commands):
    (line,) = lines_of(commands)
    blocked = Blocked(line, takes=50_000)
    tasks = [asyncio.ensure_future(commands.put(KEY, {"b": b"x" * 100_000})) for _ in range(30)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(20):
        blocked.watch()
        assert len(line._outgoing) <= 250_000 and line._unsent_bytes < 1_200_000 and line.depth <= 20
        blocked.takes = 10_000
        line._writable()
        await asyncio.sleep(0)
    assert blocked.largest <= 250_000
    blocked.takes = 1 << 30
    line._writable()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@looped()
async def test_what_was_made_long_ago_is_stamped_with_the_time_left_to_the_command(stage, commands):
    (line,) = lines_of(commands)
    blocked = Blocked(line)
    policy = ReadPolicy(total_timeout=2.0, socket_timeout=0.5)
    read = asyncio.ensure_future(commands.get(KEY, policy=policy))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    blocked.watch()
    await asyncio.sleep(0.1)
    line._sock = blocked.real
    seen = stage.script()
    line._writable()
    assert (await read)["a"] == 1
    assert 1700 <= seen[0].transaction_ttl <= 1900


@looped()
async def test_behind_a_head_that_is_overdue_nothing_unsent_waits(stage, commands):
    (line,) = lines_of(commands)
    stage.script(Fault.SILENCE)
    first = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(total_timeout=0.1, max_retries=0)))
    await stage.loop_until(lambda: line._sent)
    blocked = Blocked(line)
    second = asyncio.ensure_future(commands.put(KEY, {"a": 2}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    blocked.watch()
    began = time.monotonic()
    await second
    assert time.monotonic() - began < 0.5 and stage.crossings == 1
    await fails(first, aero.AerospikeTimeoutError)
    assert not line._alive


# -- connections that end ----------------------------------------------------------------------------------------------


def close_all(stage: Stage) -> None:
    for node in stage.cluster.nodes:
        for connection in list(node.connections):
            if connection.is_command:
                connection.stream.abort()


@looped(2)
async def test_lines_that_the_server_closes_while_idle_are_let_go(stage, commands):
    stage.now_in_trio(close_all, stage)
    await stage.loop_until(lambda: not lines_of(commands))
    assert not stage.lender._held
    await commands.put(KEY, {"a": 3})


@looped()
async def test_a_line_is_looked_at_before_a_write_is_entrusted_to_it(stage, commands):
    """The loop was busy when the server closed the connection, so it has not heard of that yet."""
    await asyncio.sleep(0.02)
    stage.now_in_trio(close_all, stage)
    time.sleep(0.02)  # noqa: ASYNC251 - it is busy
    await commands.put(KEY, {"a": 5}, policy=WritePolicy(max_retries=0))
    assert stage.crossings == 1
    assert (await commands.get(KEY))["a"] == 5


def test_a_session_that_ended_retires_the_line(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        lines = lines_of(commands)
        assert (await commands.get(KEY))["a"] == 1 and stage.crossings == 0
        stage.script(ResultCode.EXPIRED_SESSION, ResultCode.EXPIRED_SESSION)
        assert (await commands.get(KEY))["a"] == 1
        stage.script()
        await stage.loop_until(lambda: not any(line._alive for line in lines[:1]))
        await stage.warm(commands)
        assert (await commands.get(KEY))["a"] == 1 and stage.crossings == 0

    in_loop(body, stages(users={"ann": "secret"}))


def test_idle_lines_are_closed_and_the_next_command_works(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        await stage.loop_until(lambda: stage.lender.lent == 0 and not lines_of(commands))
        assert (await commands.get(KEY))["a"] == 1

    in_loop(body, stages(idle_timeout=0.15), lines=3)


@looped(2)
async def test_a_retired_line_whose_requests_are_withdrawn_closes(stage, commands):
    line = lines_of(commands)[0]
    tasks = [asyncio.ensure_future(commands.get(KEY)) for _ in range(2)]
    await asyncio.sleep(0)
    for one in lines_of(commands):
        one.retire()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stage.loop_until(lambda: not line._alive and not lines_of(commands))
    assert not stage.lender._held


def test_a_read_goes_to_another_copy_when_the_first_is_silent(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.now_in_trio(stage.cluster.node(stage.node.name).pause)
        policy = ReadPolicy(total_timeout=3.0, socket_timeout=0.1, max_retries=1)
        began = time.monotonic()
        assert (await commands.get(KEY, policy=policy))["a"] == 1
        assert 0.1 <= time.monotonic() - began < 0.3

    in_loop(body, stages(nodes=2))


def test_a_node_that_stops_under_load_gets_each_write_once(stages):
    """No write is applied twice, and those that failed without doubt were not applied."""

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        keys = [aero.Key("test", "threads", f"count {number}") for number in range(40)]
        certain = [0] * 40
        doubtful = [0] * 40
        stop = False

        async def count(number: int) -> None:
            while not stop:
                try:
                    await commands.increment(keys[number], "n", 1, policy=WritePolicy(max_retries=0))
                    certain[number] += 1
                except aero.AerospikeError as error:
                    doubtful[number] += error.in_doubt

        tasks = [asyncio.ensure_future(count(number)) for number in range(40)]
        await asyncio.sleep(0.2)
        await stage.from_loop(stage.cluster.stop_node, 0)
        await asyncio.sleep(0.3)
        stop = True
        await asyncio.gather(*tasks)
        for number, key in enumerate(keys):
            found = (await commands.get(key))["n"]
            assert certain[number] <= found <= certain[number] + doubtful[number]
        assert sum(certain) > 100
        executor: Any = commands._executor
        assert all(node.active or not lines for node, lines in executor._lines.items())

    in_loop(body, stages(nodes=3, tend_interval=0.05))


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_batch_gets_room_beside_a_loop_that_is_always_busy(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stop = False
        reads = 0
        peak = 0

        async def read() -> None:
            nonlocal reads, peak
            while not stop:
                assert (await commands.get(KEY))["a"] == 1
                reads += 1
                peak = max(peak, stage.node.pools[0].total)

        tasks = [asyncio.ensure_future(read()) for _ in range(40)]
        await asyncio.sleep(0.05)
        slowest = 0.0
        for _ in range(25):
            began = time.monotonic()
            (result,) = await stage.from_loop(stage.client.batch_read, [KEY])
            slowest = max(slowest, time.monotonic() - began)
            assert result.record["a"] == 1
            await asyncio.sleep(0.005)
        stop = True
        await asyncio.gather(*tasks)
        assert slowest < 0.5 and reads > 500
        assert peak <= 2

    stage = stages(max_conns_per_node=2)
    in_loop(body, stage)


def test_no_more_connections_than_allowed_for_several_loops_at_once(stages):
    stage = stages(max_conns_per_node=6, conn_pools_per_node=2)
    failures: list[BaseException] = []
    wrong = 0

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        nonlocal wrong
        name = threading.get_ident()

        async def work(number: int) -> None:
            nonlocal wrong
            key = aero.Key("test", "threads", f"{name} {number}")
            for turn in range(15):
                await commands.put(key, {"who": name, "turn": turn})
                wrong += dict(await commands.get(key)) != {"who": name, "turn": turn}

        await asyncio.gather(*(work(number) for number in range(30)))

    def thread() -> None:
        try:
            in_loop(body, stage, lines=0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failures and not wrong
    assert stage.cluster.nodes[0].stats.command_connections_peak <= 6
    stage.until(lambda: not stage.lender._held and stage.lender.lent == len(stage.lender._resting))


def test_a_slow_node_is_left_to_trios_many_connections(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.cluster.nodes[0].delay = 0.002
        began = time.monotonic()

        async def work() -> None:
            for _ in range(20):
                await commands.get(KEY, policy=ReadPolicy(total_timeout=5.0))

        await asyncio.gather(*(work() for _ in range(64)))
        assert stage.crossings > 64
        assert time.monotonic() - began < 1.5  # in eight lines it would be at least 0.32 s; in one, 2.56 s

    in_loop(body, stages())


def test_a_limit_on_operations_holds_for_loops_too(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.cluster.nodes[0].delay = 0.002
        await asyncio.gather(*(commands.put(("test", "threads", number), {"a": 1}) for number in range(40)))
        assert stage.crossings == 40 and stage.lender.lent == 0
        assert stage.cluster.nodes[0].stats.commands_peak <= 2

    in_loop(body, stages(max_concurrent_operations=2), lines=0)


def test_over_a_connector_of_the_users_own_everything_crosses(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        for _ in range(3):
            await commands.put(KEY, {"a": 1})
        assert stage.crossings == 3 and stage.lender.lent == 0

    in_loop(body, stages(memory=True), lines=0)


def test_a_loop_that_cannot_watch_sockets_crosses(stage):
    class Blind(asyncio.SelectorEventLoop):
        blind = False

        def add_reader(self, fd, callback, *args):  # type: ignore[override]
            if self.blind:
                raise NotImplementedError
            return super().add_reader(fd, callback, *args)

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        loop: Any = asyncio.get_running_loop()
        loop.blind = True
        for _ in range(20):
            await commands.put(KEY, {"a": 1})
            await asyncio.sleep(0.002)
        assert stage.crossings == 20 and not lines_of(commands) and not stage.lender.lent

    with asyncio.Runner(loop_factory=Blind) as runner:
        in_loop(body, stage, lines=0, run=runner.run)


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["get", "put"])
def test_closing_the_client_ends_commands_under_way_and_refuses_later_ones(stage, command):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        seen = stage.script(then=Fault.SILENCE)
        if command == "put":
            task: Any = asyncio.ensure_future(commands.put(KEY, {"a": 1}, policy=WritePolicy(**FOR_EVER)))
        else:
            task = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(**FOR_EVER)))
        await stage.loop_until(lambda: seen)
        stage.now_in_trio(stage.client.close)
        _, error = await fails(asyncio.wait_for(task, 5), aero.ClientClosed)
        assert error.in_doubt == (command == "put") and error.attempts == 1
        await fails(commands.get(KEY), aero.ClientClosed)
        await asyncio.to_thread(stage.end)
        with pytest.raises(aero.ClientClosed):
            await commands.get(KEY)

    in_loop(body, stage)


def test_closing_the_client_while_a_connection_to_lend_is_on_its_way(stage):
    """Nothing in the loop waits for it, so nothing there fails."""

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        for node in stage.cluster.nodes:
            stage.now_in_trio(node.pause)
        task = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(**FOR_EVER)))
        await stage.loop_until(lambda: stage.lender.opening or stage.lender.lent)
        stage.now_in_trio(stage.client.close)
        await fails(asyncio.wait_for(task, 5), aero.ClientClosed)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_loop(body, stage, lines=0)


def test_a_loop_that_ends_with_requests_under_way_leaves_nothing_behind(stages):
    """Its connections are given up while the client lives on, so that the next loop has room."""
    stage = stages(idle_timeout=1.0)
    for _ in range(4):
        loop = asyncio.new_event_loop()

        async def main() -> None:
            commands = stage.commands()
            stage.script()
            await stage.warm(commands, 3)
            stage.script(then=Fault.SILENCE)
            (line, *_) = lines_of(commands)
            # By hand, since a task that is destroyed while it waits is the program's fault, and asyncio says so.
            executor: Any = commands._executor
            command = executor.run("get", KEY, _frame(stage), ReadPolicy(), False)
            command.send(None)
            await stage.loop_until(lambda: line._sent)
            command.close()

        loop.run_until_complete(main())
        loop.close()
        stage.until(lambda: not stage.lender._held)
        assert stage.lender.lent <= 3
    stage.until(lambda: stage.lender.lent == len(stage.lender._resting))


def _frame(stage: Stage) -> bytes:
    from trio_aerospike._wire.commands import encode_command, key_fields

    fields, count = key_fields(KEY.namespace, KEY.set_name, KEY.digest)
    return encode_command(3, 0, 0, 0, 0, 0, 1000, fields, count, b"", 0)


def test_nothing_is_left_open():
    warm = LoopStage()
    in_loop(_one_get, warm)
    warm.end()
    del warm
    before = descriptors()
    stage = LoopStage(timeout=5.0)

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.script(Fault.RESET, Fault.SILENCE, Reply(BAD), Fault.CLOSE)
        policy = ReadPolicy(max_retries=0, total_timeout=0.05)
        ends = await asyncio.gather(*(commands.get(KEY, policy=policy) for _ in range(4)), return_exceptions=True)
        assert all(isinstance(end, aero.AerospikeError) for end in ends)
        stage.script()
        await stage.warm(commands, 4)
        seen = stage.script(then=Fault.SILENCE)
        for _ in range(8):
            asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(**FOR_EVER)))  # noqa: RUF006 - it ends with the loop
        await stage.loop_until(lambda: len(seen) >= 4)

    in_loop(body, stage, lines=4)
    stage.end()
    del stage
    assert descriptors() == before


async def _one_get(stage: LoopStage, commands: LoopCommands) -> None:
    await commands.get(KEY)
