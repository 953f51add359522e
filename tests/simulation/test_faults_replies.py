"""What can happen to the bytes of an answer, at every one of them; and to a connection, at every step of its life."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import (
    AerospikeError,
    AerospikeTimeoutError,
    ClusterError,
    ConnectionFailed,
    ProtocolError,
    ReadPolicy,
    WritePolicy,
    open_client,
)
from trio_aerospike._wire.commands import encode_command
from trio_aerospike.server import Fault, open_embedded_cluster

from .ledger import bins_of
from .network import Ending, FaultyNetwork, Script
from .scene import READ_POLICY, WRITE_POLICY, Scene, address_of, open_scene, pendings

ONE_CONNECTION: dict[str, Any] = {"max_conns_per_node": 1}
#: Bytes of the answer to a write: two headers and nothing else.
WRITE_REPLY = 30
BOTH_BREAK = pytest.mark.parametrize("ending", [Ending.RESET, Ending.CLOSE])


async def failure(command: Awaitable[object]) -> AerospikeError:
    """What a command raises, without the frames that it went through: they hold on to its request."""
    with pytest.raises(AerospikeError) as caught:
        await command
    error = caught.value.with_traceback(None)
    error.__cause__ = error.__context__ = None
    return error


async def reply_size(scene: Scene, name: str) -> int:
    """How many bytes answer a read of the record: as many pieces of one byte as it takes."""
    count = 0

    def counted() -> Iterator[int]:
        nonlocal count
        while True:
            count += 1
            yield 1

    scene.network.script = Script(sizes=counted())
    await scene.ledger.read(scene.client, name)
    return count


# -- one answer ------------------------------------------------------------------------------------------------------


async def test_reply_split_at_every_byte(autojump_clock: MockClock) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        await scene.ledger.write(scene.client, "one")
        size = await reply_size(scene, "one")
        assert size > 80
        dials = scene.network.dials.total()
        for cut in range(1, size):
            scene.network.script = Script(sizes=iter([cut]), pause=0.001)
            await scene.ledger.read(scene.client, "one")
            scene.network.script = Script(sizes=itertools.repeat(cut))
            await scene.ledger.read(scene.client, "one")
        assert scene.ledger.read_count == 2 * size - 1
        assert scene.network.dials.total() == dials
        await scene.check()


@BOTH_BREAK
async def test_read_whose_reply_breaks_off_at_any_byte_is_read_again(autojump_clock: MockClock, ending: Ending) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        await scene.ledger.write(scene.client, "one")
        size = await reply_size(scene, "one")
        for cut in range(size):
            scene.network.script = Script(limit=cut, ending=ending)
            await scene.ledger.read(scene.client, "one")
        assert scene.ledger.failed_reads == []
        assert scene.ledger.read_count == size + 1
        await scene.check()


@BOTH_BREAK
async def test_write_whose_reply_breaks_off_at_any_byte_is_in_doubt_and_sent_once(
    autojump_clock: MockClock, ending: Ending
) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        for cut in range(WRITE_REPLY):
            scene.network.script = Script(limit=cut, ending=ending)
            error = await failure(scene.client.put(scene.ledger.key(f"raw-{cut}"), bins_of("raw", cut)))
            assert isinstance(error, ConnectionFailed)
            assert error.in_doubt
            assert error.attempts == 1
            assert error.node == "A1"
            scene.network.script = Script(limit=cut, ending=ending)
            await scene.ledger.write(scene.client, f"name-{cut}")
        assert scene.ledger.doubts == WRITE_REPLY
        scene.network.script = Script(limit=WRITE_REPLY, ending=ending)
        await scene.ledger.write(scene.client, "whole")
        assert scene.ledger.acknowledged == 1
        await scene.check()


async def test_write_with_retries_is_repeated_and_in_doubt_when_all_fail(autojump_clock: MockClock) -> None:
    policy = WRITE_POLICY.replace(max_retries=2)
    async with open_scene(1, **ONE_CONNECTION) as scene:
        key = scene.ledger.key("one")
        scene.network.script = Script(limit=7)
        await scene.client.put(key, bins_of("one", 1), policy=policy)
        assert scene.network.sends["<one:1>"] == 2
        for node in scene.cluster.nodes:
            node.on_request = reset_messages
        error = await failure(scene.client.put(key, bins_of("one", 2), policy=policy))
        assert isinstance(error, ConnectionFailed)
        assert scene.network.sends["<one:2>"] == 3
        assert error.in_doubt
        assert error.attempts == 3
        for node in scene.cluster.nodes:
            node.on_request = None
        assert (await scene.client.get(key)).bins == bins_of("one", 1)
        await scene.settle()


async def reset_messages(kind: str, request: object) -> Fault | None:
    return Fault.RESET if kind == "message" else None


async def test_reply_that_stops_at_any_byte_times_out_and_poisons_nothing(autojump_clock: MockClock) -> None:
    async with open_scene(1, max_conns_per_node=2) as scene:
        await scene.ledger.write(scene.client, "one")
        for cut in range(0, WRITE_REPLY, 3):
            scene.network.script = Script(limit=cut, ending=Ending.STALL)
            began = trio.current_time()
            await scene.ledger.write(scene.client, f"name-{cut}")
            assert trio.current_time() - began == pytest.approx(0.25, abs=0.001)
            scene.network.script = Script(limit=cut, ending=Ending.STALL)
            began = trio.current_time()
            await scene.ledger.read(scene.client, "one")
            assert trio.current_time() - began == pytest.approx(0.25, abs=0.001)
        assert scene.ledger.doubts == WRITE_REPLY // 3
        assert scene.ledger.failed_reads == []
        await scene.check()


async def test_slow_bytes_are_waited_for_within_the_timeout_and_not_beyond(autojump_clock: MockClock) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        patient = WritePolicy(total_timeout=5.0)
        scene.network.script = Script(sizes=itertools.repeat(1), pause=0.1)
        began = trio.current_time()
        await scene.ledger.write(scene.client, "slow", patient)
        assert trio.current_time() - began == pytest.approx(0.1 * WRITE_REPLY, abs=0.01)
        assert scene.ledger.acknowledged == 1
        scene.network.script = Script(sizes=itertools.repeat(1), pause=0.1)
        began = trio.current_time()
        error = await failure(
            scene.client.put(scene.ledger.key("slower"), bins_of("slower", 1), policy=WritePolicy(total_timeout=2.0))
        )
        assert isinstance(error, AerospikeTimeoutError)
        assert trio.current_time() - began == pytest.approx(2.0, abs=0.001)
        assert error.in_doubt
        # The late reply is read and dropped; the next command on this only connection gets its own.
        await scene.ledger.read(scene.client, "slow", ReadPolicy(total_timeout=5.0))
        assert scene.ledger.failed_reads == []
        await scene.check()


# -- invalid answers ------------------------------------------------------------------------------------------------

STRAY = encode_command(0, 0, 0, 0, 0, 0, 0, b"", 0, b"", 0)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00" * 40,
        b"\xff" * 40,
        b"\x02\x03\xff\xff\xff\xff\xff\xff",
        b"\x02\x01\x00\x00\x00\x00\x00\x04abcd",
        b"\x02\x03\x00\x00\x00\x00\x00\x04abcd",
    ],
    ids=["http", "zeroes", "ones", "too large", "another type", "too short"],
)
async def test_garbage_in_place_of_an_answer_is_a_protocol_error_and_ends_the_connection(
    autojump_clock: MockClock, garbage: bytes
) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        await scene.ledger.write(scene.client, "one")
        scene.network.script = Script(insert=garbage)
        error = await failure(scene.client.put(scene.ledger.key("two"), bins_of("two", 1)))
        assert isinstance(error, ProtocolError)
        assert error.in_doubt
        assert scene.network.sends["<two:1>"] == 1
        scene.network.script = Script(insert=garbage)
        await scene.ledger.read(scene.client, "one")  # is retried on a connection that makes sense
        assert scene.ledger.failed_reads == []
        await scene.check()


async def test_stray_answer_on_an_idle_connection_ends_it_before_it_is_taken_for_another_ones(
    autojump_clock: MockClock,
) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        await scene.ledger.write(scene.client, "one")
        size = await reply_size(scene, "one")
        (connection,) = [found for found in scene.network.connections if found.for_commands]
        # The whole answer, and behind it one that nobody asked for.
        connection.interject(STRAY)
        await trio.sleep(0.01)
        assert connection not in scene.network.connections
        for _ in range(3):
            await scene.ledger.read(scene.client, "one")
        assert scene.ledger.read_count == 4
        assert size > 0
        await scene.check()


# -- lines of several ------------------------------------------------------------------------------------------------


@BOTH_BREAK
@pytest.mark.parametrize("kind", ["read", "write"])
async def test_line_that_breaks_off_at_any_byte_answers_those_whose_reply_was_whole(
    autojump_clock: MockClock, ending: Ending, kind: str
) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        line = 4
        for number in range(line):
            await scene.ledger.write(scene.client, f"name-{number}")
        size = WRITE_REPLY if kind == "write" else await reply_size(scene, "name-0")
        step = 1 if kind == "write" else 7
        for cut in range(0, line * size + 1, step):
            acknowledged, doubts, reads = scene.ledger.acknowledged, scene.ledger.doubts, scene.ledger.read_count
            command = scene.ledger.write if kind == "write" else scene.ledger.read
            scene.network.script = Script(limit=cut, ending=ending)
            async with trio.open_nursery() as nursery:
                for number in range(line):
                    nursery.start_soon(
                        command, scene.client, f"{kind}-{cut}-{number}" if kind == "write" else f"name-{number}"
                    )
            if kind == "read":
                assert scene.ledger.read_count == reads + line
                continue
            # What the first send did not carry went over the next connection.
            done = scene.ledger.acknowledged - acknowledged
            assert done + scene.ledger.doubts - doubts == line
            assert done >= cut // size
        assert scene.ledger.failed_reads == []
        assert scene.ledger.failed_writes == []
        assert (scene.ledger.doubts > WRITE_REPLY) == (kind == "write")
        await scene.check()


async def test_writes_that_find_their_connection_broken_are_in_no_doubt_and_go_over_another(
    autojump_clock: MockClock,
) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        node = scene.cluster.nodes[0]
        node.delay = 0.01

        async def drop() -> None:
            node.drop_connections()

        for number in range(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(scene.ledger.write, scene.client, f"sent-{number}")
                await trio.sleep(0.005)
                # Submitted in the step in which the connection breaks: the writer finds out.
                nursery.start_soon(scene.ledger.write, scene.client, f"unsent-{number}")
                nursery.start_soon(scene.ledger.count, scene.client, "counter")
                nursery.start_soon(drop)
        assert scene.ledger.doubts == 20
        assert scene.ledger.acknowledged == 40
        await scene.check()


async def test_commands_behind_a_cancelled_one_get_their_own_replies(autojump_clock: MockClock) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        for number in range(6):
            await scene.ledger.write(scene.client, f"name-{number}")
        scene.cluster.nodes[0].delay = 0.01
        for cancelled in range(6):
            reads = scene.ledger.read_count
            async with trio.open_nursery() as nursery:
                for number in range(6):
                    scope = trio.CancelScope(deadline=trio.current_time() + (0.005 if number == cancelled else 9))
                    nursery.start_soon(_within, scope, scene.ledger.read, scene.client, f"name-{number}")
            assert scene.ledger.read_count == reads + 5
        await scene.check()


async def test_writes_cancelled_or_expired_behind_a_socket_that_takes_nothing_are_never_sent(
    autojump_clock: MockClock,
) -> None:
    async with open_scene(1, **ONE_CONNECTION) as scene:
        await scene.ledger.write(scene.client, "before")
        scene.network.plugged = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.ledger.write, scene.client, "first")
            await trio.sleep(0.01)
            for number in range(10):
                scope = trio.CancelScope(deadline=trio.current_time() + 0.02)
                nursery.start_soon(_within, scope, scene.ledger.write, scene.client, f"cancelled-{number}")
                policy = WRITE_POLICY.replace(total_timeout=0.03)
                nursery.start_soon(scene.ledger.write, scene.client, f"expired-{number}", policy)
                nursery.start_soon(scene.ledger.write, scene.client, f"patient-{number}")
            await trio.sleep(0.1)
            assert len(scene.ledger.failed_writes) == 10
            scene.network.plugged = False
        assert scene.ledger.acknowledged == 12
        assert scene.ledger.doubts == 0
        assert scene.network.sends.total() == 12
        await scene.check()


async def _within(scope: trio.CancelScope, function, *args) -> None:
    with scope:
        await function(*args)


# -- batches ---------------------------------------------------------------------------------------------------------


@BOTH_BREAK
async def test_batch_whose_reply_breaks_off_at_any_byte_is_completed(autojump_clock: MockClock, ending: Ending) -> None:
    async with open_scene(2, max_conns_per_node=1) as scene:
        names = [f"name-{number}" for number in range(6)]
        for name in names:
            await scene.ledger.write(scene.client, name)
        for cut in range(0, 400, 5):
            reads = scene.ledger.read_count
            scene.network.script = Script(limit=cut, ending=ending)
            await scene.ledger.batch_read(scene.client, names)
            assert scene.ledger.read_count == reads + len(names)
            scene.network.script = None
        assert scene.ledger.failed_reads == []
        await scene.check()


# -- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["refuse", "silence"])
async def test_connection_that_cannot_be_had_fails_certainly_and_within_the_time(
    autojump_clock: MockClock, how: str
) -> None:
    async with open_scene(1) as scene:
        address = address_of(scene.cluster.nodes[0])
        (scene.network.refused if how == "refuse" else scene.network.silent).add(address)
        began = trio.current_time()
        error = await failure(scene.client.put(scene.ledger.key("one"), bins_of("one", 1)))
        assert trio.current_time() - began <= 1.001
        assert not error.in_doubt
        assert error.attempts == 0
        assert scene.network.sends["<one:1>"] == 0
        if how == "refuse":
            assert "refuses by script" in str(error)
        await scene.heal()
        await scene.ledger.write(scene.client, "one")
        assert scene.ledger.acknowledged == 1
        await scene.check()


async def test_unsent_commands_outlive_a_connection_that_is_refused_for_a_while(autojump_clock: MockClock) -> None:
    async with open_scene(1) as scene:
        address = address_of(scene.cluster.nodes[0])
        scene.network.refused.add(address)
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(scene.ledger.write, scene.client, f"name-{number}")
            await trio.sleep(0.6)
            scene.network.refused.clear()
        assert scene.ledger.acknowledged == 50
        await scene.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_dropped_connections_under_load_lose_and_repeat_nothing(autojump_clock: MockClock, seed: int) -> None:
    async with open_scene(2, seed=seed, max_conns_per_node=3) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 2.0)
            for number in range(40):
                await trio.sleep(0.045)
                limit = scene.rng.randrange(200)
                ending = (Ending.RESET, Ending.CLOSE)[number % 2]
                sizes = iter([scene.rng.randrange(1, 60) for _ in range(20)])
                scene.network.script = Script(limit=limit, ending=ending, sizes=sizes)
        assert scene.ledger.failed_reads == []
        assert scene.ledger.failed_writes == []
        assert scene.ledger.doubts > 0
        await scene.check()


# -- the client's own life -------------------------------------------------------------------------------------------


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope after so many steps of any task."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope = scope
        self._left = step

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


async def test_open_client_cancelled_at_any_step_leaves_no_task_and_no_connection(autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(2, memory=True) as cluster:
        foreign = pendings()
        before = trio.lowlevel.current_statistics().tasks_living
        for step in itertools.count(1):
            network = FaultyNetwork(cluster.connector)
            entered = False
            with trio.CancelScope() as scope:
                instrument = CancelAtStep(scope, step)
                trio.lowlevel.add_instrument(instrument)
                try:
                    async with open_client(
                        cluster.hosts, connector=network, min_conns_per_node=2, read_policy=READ_POLICY
                    ) as client:
                        trio.lowlevel.remove_instrument(instrument)
                        entered = True
                        # Cancelled in the very step that leads into the block, it finds a client that is ending.
                        assert scope.cancel_called or len(client.nodes()) == 2
                finally:
                    if not entered:
                        trio.lowlevel.remove_instrument(instrument)
            await trio.testing.wait_all_tasks_blocked()
            assert not network.connections, f"step {step} left {network.connections}"
            assert trio.lowlevel.current_statistics().tasks_living == before, f"step {step} left tasks"
            if not scope.cancel_called:
                break
            assert scope.cancelled_caught
        assert entered
        assert step > 20
        assert pendings() - foreign == set()
        assert all(node.stats.connections_open == 0 for node in cluster.nodes)


async def test_leaving_the_block_ends_all_commands_in_flight(autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(2, memory=True) as cluster:
        for node in cluster.nodes:
            node.delay = 0.2
        network = FaultyNetwork(cluster.connector)
        failures: list[AerospikeError] = []

        async def get(client, number: int) -> None:
            try:
                await client.get(("test", "set", number))
            except AerospikeError as error:
                failures.append(error)

        async with trio.open_nursery() as nursery:
            async with open_client(cluster.hosts, connector=network) as client:
                for number in range(40):
                    nursery.start_soon(get, client, number)
                await trio.sleep(0.1)
            assert not network.connections
        assert len(failures) == 40
        assert all(type(error).__name__ == "ClientClosed" for error in failures)


async def test_no_seed_that_answers_is_an_error_that_leaves_nothing(autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(2, memory=True) as cluster:
        network = FaultyNetwork(cluster.connector)
        network.silent.add(cluster.hosts[0])
        network.refused.add(cluster.hosts[1])
        began = trio.current_time()
        before = trio.lowlevel.current_statistics().tasks_living
        with pytest.raises(ClusterError, match="no seed can be used"):
            async with open_client(cluster.hosts, connector=network):
                pytest.fail("nobody answers")
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.01)
        await trio.testing.wait_all_tasks_blocked()
        assert not network.connections
        assert trio.lowlevel.current_statistics().tasks_living == before
