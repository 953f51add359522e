"""The connections of asyncio loops: how they end, what they leave room for, and what remains of them."""

from __future__ import annotations

import asyncio
import gc
import select
import threading
import weakref
from typing import Any

import pytest

import trio_aerospike as aero
from tests.integration.loop_stage import FOR_EVER, LoopStage, connections_of, fails, in_loop, looped, uvloop_run
from tests.integration.stage import BAD, KEY, Stage, descriptors
from tests.timing import stopwatch
from trio_aerospike import ReadPolicy, WritePolicy
from trio_aerospike._drivers.loop_node import MAX_CONNECTIONS
from trio_aerospike._wire.constants import PROTO_INFO, PROTO_MESSAGE
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.messages import Message, encode_message
from trio_aerospike.errors import ResultCode
from trio_aerospike.loops import LoopCommands
from trio_aerospike.server import Fault, Reply

# -- connections that end ----------------------------------------------------------------------------------------------


def close_all(stage: Stage) -> None:
    for node in stage.cluster.nodes:
        for connection in list(node.connections):
            if connection.is_command:
                connection.stream.abort()


@looped(2)
async def test_connections_that_the_server_closes_while_idle_are_let_go(stage, commands):
    stage.now_in_trio(close_all, stage)
    await stage.loop_until(lambda: not connections_of(commands))
    assert not stage.leases._held
    await commands.put(KEY, {"a": 3})


@looped()
async def test_a_connection_is_looked_at_before_a_write_is_entrusted_to_it(stage, commands):
    """The loop was busy when the server closed the connection, so it has not heard of that yet."""
    (connection,) = connections_of(commands)
    stage.now_in_trio(close_all, stage)
    assert select.select([connection._sock], [], [], 5)[0]  # the end has arrived, and the loop is busy
    await commands.put(KEY, {"a": 5}, policy=WritePolicy(max_retries=0))
    assert stage.crossings == 1
    assert (await commands.get(KEY))["a"] == 5


@looped()
async def test_a_frame_left_over_is_not_handed_out_and_ends_its_connection(stage, commands):
    for _ in range(20):
        await stage.warm(commands)
        [connection] = connections_of(commands)
        assert (await commands.get(KEY))["a"] == 1
        stage.send_unasked()  # the loop is held up meanwhile, and has not read it when the next request comes
        assert (await commands.get(KEY))["a"] == 1
        assert not connection._alive


ANSWER = encode_frame(PROTO_MESSAGE, encode_message(Message(generation=666)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ANSWER + ANSWER, id="two answers"),
        pytest.param(ANSWER + ANSWER[:20], id="an answer and a part of another"),
        pytest.param(ANSWER + ANSWER[:3], id="an answer and a part of a header"),
        pytest.param(encode_frame(PROTO_INFO, b"build\t8.1\n"), id="another type"),
        pytest.param(b"\x03" + ANSWER[1:], id="another version"),
        pytest.param(ANSWER[:2] + (1 << 40).to_bytes(6, "big") + ANSWER[8:], id="oversize"),
        pytest.param(encode_frame(PROTO_MESSAGE, b"short"), id="short"),
    ],
)
def test_anything_but_the_answer_owed_ends_the_connection(stage, data):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        [connection] = connections_of(commands)
        stage.script(Reply(data))
        found = await commands.get(KEY, policy=ReadPolicy(max_retries=1, sleep_between_retries=0.0))
        if data[: len(ANSWER)] == ANSWER and len(data) < 2 * len(ANSWER):
            # The answer may have been read before the rest of it came.
            await stage.loop_until(lambda: not connection._alive)
        else:
            assert found["a"] == 1
        assert not connection._alive
        stage.script()
        assert (await commands.get(KEY))["a"] == 1

    in_loop(body, stage)


@pytest.mark.parametrize("run", [asyncio.run, uvloop_run])
@pytest.mark.parametrize("ends", ["answered", "with requests under way"])
def test_a_closed_loop_is_not_kept_by_commands_or_client(stage, run, ends):
    kept: list[Any] = []

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        if ends != "answered":
            seen = stage.script(then=Fault.SILENCE)
            for _ in range(3):
                kept.append(asyncio.ensure_future(commands.get(KEY)))
            await stage.loop_until(lambda: len(seen) == 2)  # the third is queued behind one of them
            for task in kept:
                task.cancel()
            await asyncio.wait(kept)
            kept.clear()
        kept.append(commands)
        kept.append(weakref.ref(asyncio.get_running_loop()))

    in_loop(body, stage, 2, run=run)
    gc.collect()
    assert kept[-1]() is None
    # Its connections are closed with it, not when the next command of some other loop comes.
    assert connections_of(kept[0]) == [] and not stage.leases._held
    stage.until(lambda: stage.leases.lent == len(stage.leases._resting))
    stage.script()

    async def again(stage: LoopStage, commands: LoopCommands) -> None:
        assert (await commands.get(KEY))["a"] == 1

    in_loop(again, stage)


def test_commands_are_refused_in_another_loop(stage):
    kept: list[LoopCommands] = []

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        kept.append(commands)

    async def other() -> None:
        with pytest.raises(aero.ClientError, match="another event loop"):
            await kept[0].get(KEY)

    with asyncio.Runner() as first, asyncio.Runner() as second:

        async def make() -> None:
            kept.append(stage.commands())

        first.run(make())
        second.run(other())


def test_a_session_that_ended_retires_the_connection(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        connections = connections_of(commands)
        assert (await commands.get(KEY))["a"] == 1 and stage.crossings == 0
        stage.script(ResultCode.EXPIRED_SESSION, ResultCode.EXPIRED_SESSION)
        assert (await commands.get(KEY))["a"] == 1
        stage.script()
        await stage.loop_until(lambda: not any(connection._alive for connection in connections[:1]))
        await stage.warm(commands)
        assert (await commands.get(KEY))["a"] == 1 and stage.crossings == 0

    in_loop(body, stages(users={"ann": "secret"}))


def test_idle_connections_are_closed_and_the_next_command_works(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        await stage.loop_until(lambda: stage.leases.lent == 0 and not connections_of(commands))
        assert (await commands.get(KEY))["a"] == 1

    in_loop(body, stages(idle_timeout=0.15), connections=3)


@looped(2)
async def test_a_retired_connection_whose_requests_are_withdrawn_closes(stage, commands):
    connection = connections_of(commands)[0]
    tasks = [asyncio.ensure_future(commands.get(KEY)) for _ in range(2)]
    await asyncio.sleep(0)
    for one in connections_of(commands):
        one.retire()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stage.loop_until(lambda: not connection._alive and not connections_of(commands))
    assert not stage.leases._held


def test_a_read_goes_to_another_copy_when_the_first_is_silent(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.now_in_trio(stage.cluster.node(stage.node.name).pause)
        policy = ReadPolicy(total_timeout=3.0, socket_timeout=0.1, max_retries=1)
        with stopwatch() as took:
            assert (await commands.get(KEY, policy=policy))["a"] == 1
        assert took.within(0.1, 0.3)

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
        await stage.loop_until(lambda: all(certain) and sum(certain) > 100)
        await stage.from_loop(stage.cluster.stop_node, 0)
        before = certain.copy()
        await stage.loop_until(lambda: all(count > old for count, old in zip(certain, before, strict=True)))
        stop = True
        await asyncio.gather(*tasks)
        for number, key in enumerate(keys):
            found = (await commands.get(key))["n"]
            assert certain[number] <= found <= certain[number] + doubtful[number]
        assert sum(certain) > 100
        executor: Any = commands._runner
        assert all(node.active or not its.count for node, its in executor._nodes.items())

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
        await stage.loop_until(lambda: reads > 100)
        for _ in range(25):
            with stopwatch() as took:
                (result,) = await stage.from_loop(stage.client.batch_read, [KEY])
            assert took.within(0.0, 0.5)
            assert result.record["a"] == 1
            await asyncio.sleep(0.005)
        stop = True
        await asyncio.gather(*tasks)
        assert reads > 100
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
            in_loop(body, stage, connections=0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failures and not wrong
    assert stage.cluster.nodes[0].stats.command_connections_peak <= 6
    stage.until(lambda: not stage.leases._held and stage.leases.lent == len(stage.leases._resting))


def test_a_slow_node_is_left_to_trios_many_connections(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.cluster.nodes[0].delay = 0.002

        async def work() -> None:
            for _ in range(20):
                await commands.get(KEY, policy=ReadPolicy(total_timeout=60.0))

        await asyncio.gather(*(work() for _ in range(64)))
        assert stage.crossings > 64
        assert stage.cluster.nodes[0].stats.commands_peak > 2 * MAX_CONNECTIONS

    in_loop(body, stages())


def test_a_limit_on_operations_holds_for_loops_too(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        stage.cluster.nodes[0].delay = 0.002
        await asyncio.gather(*(commands.put(("test", "threads", number), {"a": 1}) for number in range(40)))
        assert stage.crossings < 40  # slots are leased, and pass from command to command in the loop
        assert stage.cluster.nodes[0].stats.commands_peak <= 2

    in_loop(body, stages(max_concurrent_operations=2), connections=0)


def test_over_a_connector_of_the_users_own_everything_crosses(stages):
    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        for _ in range(3):
            await commands.put(KEY, {"a": 1})
        assert stage.crossings == 3 and stage.leases.lent == 0

    in_loop(body, stages(memory=True), connections=0)


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
        assert stage.crossings == 20 and not connections_of(commands) and not stage.leases.lent

    with asyncio.Runner(loop_factory=Blind) as runner:
        in_loop(body, stage, connections=0, run=runner.run)


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


def test_closing_the_client_while_a_leased_connection_is_opened(stage):
    """Nothing in the loop waits for it, so nothing there fails."""

    async def body(stage: LoopStage, commands: LoopCommands) -> None:
        for node in stage.cluster.nodes:
            stage.now_in_trio(node.pause)
        task = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(**FOR_EVER)))
        await stage.loop_until(lambda: stage.leases.opening or stage.leases.lent)
        stage.now_in_trio(stage.client.close)
        await fails(asyncio.wait_for(task, 5), aero.ClientClosed)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_loop(body, stage, connections=0)


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
            (connection, *_) = connections_of(commands)
            # By hand, since a task that is destroyed while it waits is the program's fault, and asyncio says so.
            executor: Any = commands._runner
            command = executor.run("get", KEY, _frame(stage), ReadPolicy(), False)
            command.send(None)
            await stage.loop_until(lambda: connection._pipeline.sent)
            command.close()

        loop.run_until_complete(main())
        loop.close()
        stage.until(lambda: not stage.leases._held)
        assert stage.leases.lent <= 3
    stage.until(lambda: stage.leases.lent == len(stage.leases._resting))


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

    in_loop(body, stage, connections=4)
    stage.end()
    del stage
    assert descriptors() == before


async def _one_get(stage: LoopStage, commands: LoopCommands) -> None:
    await commands.get(KEY)
