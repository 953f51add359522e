"""Queries on a mock clock: pauses of an hour; nodes that die, stall and lose partitions; what is left after all."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import AerospikeError, AerospikeTimeoutError, BackpressureError, Key, ProtocolError, predicates
from trio_aerospike._cluster.execution import frame_buffer
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.commands import encode_particle_op
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.query_answers import encode_query_end, encode_record, record_fields
from trio_aerospike.indexes import IndexType
from trio_aerospike.query import Cursor, QueryDuration, QueryPolicy
from trio_aerospike.server import Fault
from trio_aerospike.server.faults import Reply, Request
from trio_aerospike.server.record import StoredRecord

from .scene import Scene, busy_slots, open_scene

SET = "scanned"
#: Records; with a long value each they are several times what fits into the buffers between server and reader.
COUNT = 3000
LONG = b"x" * 2000


def fill(scene: Scene, count: int = COUNT, data: bytes = LONG) -> set[bytes]:
    """Put records into all copies, without a client; returns their digests."""
    digests = set()
    clock = scene.cluster.clock
    for number in range(count):
        digest = Key("test", SET, number).digest
        bins = {
            "n": (wire.PARTICLE_INTEGER, number.to_bytes(8, "big")),
            "data": (wire.PARTICLE_BLOB, data),
        }
        record = StoredRecord(SET, bins, 1, 0, clock.milliseconds())
        scene.cluster.replicate("test", (digest[0] | digest[1] << 8) & 4095, digest, record)
        digests.add(digest)
    return digests


@asynccontextmanager
async def filled(nodes: int = 3, count: int = COUNT, data: bytes = LONG, **config: Any) -> AsyncIterator[Scene]:
    async with open_scene(nodes, **config) as scene:
        fill(scene, count, data)
        yield scene


async def left_over(scene: Scene, seconds: float = 20.0) -> None:
    """Wait until no server works on a query any more and no slot is taken."""
    limit = trio.current_time() + seconds
    while True:
        found = busy_slots(scene.client)
        found += [
            f"{node.name} works on {job.trid}" for node in scene.cluster.nodes for job in node.queries.active.values()
        ]
        if not found:
            return
        assert trio.current_time() < limit, "\n".join(found)
        await trio.sleep(0.1)


def check_all(found: Counter[int], count: int = COUNT) -> None:
    assert set(found.values()) <= {1}, "a record came twice"
    assert set(found) == set(range(count)), f"{count - len(found)} records are missing"


# -- slow readers ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pause", [15.0, 3600.0])
async def test_a_reader_that_pauses_loses_nothing(autojump_clock: MockClock, pause: float) -> None:
    # The clock jumps from one look of the client at the cluster to the next.
    async with filled(tend_interval=pause / 5) as scene:
        found: Counter[int] = Counter()
        async with scene.client.query("test", SET) as records:
            async for record in records:
                found[record["n"]] += 1
                if len(found) in (1, COUNT // 2):
                    await trio.sleep(pause)
        check_all(found)
        await left_over(scene)


async def test_what_waits_for_a_slow_reader_is_bounded_and_stops_the_servers(autojump_clock: MockClock) -> None:
    async with filled() as scene:
        async with scene.client.query("test", SET) as records:
            await anext(records)
            await trio.sleep(60)
            stream = records._stream
            assert stream is not None
            # The frame that goes over the limit is taken whole, on each of the connections.
            assert stream._buffer.size < frame_buffer.BUFFER_SIZE + 3 * 256 * 1024
            jobs = [job for node in scene.cluster.nodes for job in node.queries.active.values()]
            assert jobs and sum(job.succeeded for job in jobs) < COUNT
        await left_over(scene)


async def test_leaving_early_ends_the_work_of_the_servers_within_seconds(autojump_clock: MockClock) -> None:
    async with filled() as scene:
        began = trio.current_time()
        async with scene.client.query("test", SET, records_per_second=10) as records:
            with trio.move_on_after(5):
                await anext(records)
        assert not busy_slots(scene.client), "connections and slots are given back at once"
        await left_over(scene, 3.0)
        assert trio.current_time() - began < 9
        ended = [job for node in scene.cluster.nodes for job in node.queries.ended]
        assert len(ended) == 3 and all(job.abandoned for job in ended)


@pytest.mark.parametrize("step", range(0, 40, 3))
async def test_a_reader_that_is_cancelled_at_any_step_leaves_nothing_behind(
    autojump_clock: MockClock, step: int
) -> None:
    async with filled(count=300) as scene:
        with trio.CancelScope() as scope:
            count = 0

            class Canceller(trio.abc.Instrument):
                def before_task_step(self, task: trio.lowlevel.Task) -> None:
                    nonlocal count
                    if task is reader:
                        count += 1
                        if count == step:
                            scope.cancel()

            reader = trio.lowlevel.current_task()
            canceller = Canceller()
            trio.lowlevel.add_instrument(canceller)
            try:
                async with scene.client.query("test", SET) as records:
                    async for _ in records:
                        pass
            finally:
                trio.lowlevel.remove_instrument(canceller)
        await left_over(scene)


# -- nodes -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("through_index", [False, True])
async def test_a_node_that_dies_on_the_way_costs_no_record(
    autojump_clock: MockClock, seed: int, through_index: bool
) -> None:
    rng = random.Random(seed)
    async with filled() as scene:
        where = None
        if through_index:
            job = await scene.client.create_index("test", SET, "n", "by-n", IndexType.NUMERIC)
            await job.wait(60)
            where = predicates.between("n", 0, COUNT)
        found: Counter[int] = Counter()
        victim = rng.choice(scene.cluster.nodes)
        when = rng.randrange(COUNT)
        async with scene.client.query("test", SET, where=where) as records:
            async for record in records:
                if len(found) == when:
                    await scene.cluster.stop_node(victim)
                found[record["n"]] += 1
        check_all(found)
        await scene.cluster.start_node(victim)
        await scene.heal()
        await left_over(scene)


async def test_nodes_that_die_one_after_the_other_while_partitions_move_cost_no_record(
    autojump_clock: MockClock,
) -> None:
    async with filled() as scene:
        found: Counter[int] = Counter()
        async with scene.client.query("test", SET) as records:
            async for record in records:
                found[record["n"]] += 1
                if len(found) in (500, 1500):
                    victim = scene.cluster.nodes[len(found) // 1000]
                    await scene.cluster.stop_node(victim)
                elif len(found) in (1000, 2000):
                    await scene.cluster.start_node(scene.cluster.nodes[len(found) // 1000 - 1])
                    await scene.cluster.wait_stable()
        check_all(found)
        await scene.heal()
        await left_over(scene)


async def test_records_that_cannot_be_had_are_named_by_their_partitions(autojump_clock: MockClock) -> None:
    async with filled(servers={"replication_factor": 1}) as scene:
        found: Counter[int] = Counter()
        victim = scene.cluster.nodes[1]
        table = scene.cluster.tables["test"]
        lost = {pid for pid in range(wire.N_PARTITIONS) if table.master(pid) == victim.name}
        scene.cluster.detection_time = 60.0  # the others take over when the query has long given up
        with pytest.raises(AerospikeError, match="not read to their ends: ") as caught:
            async with scene.client.query("test", SET) as records:
                async for record in records:
                    if not found:
                        await scene.cluster.stop_node(victim)
                    found[record["n"]] += 1
        assert set(found.values()) == {1}
        missing = [n for n in range(COUNT) if n not in found]
        assert missing and {partition_of(n) for n in missing} <= lost
        assert f"{len(lost)} partitions" in str(caught.value)
        cursor = records.cursor
        assert {number for number, _, _ in cursor.places} == lost
        scene.cluster.detection_time = 0.1
        await scene.heal()
        for record in await scene.client.query("test", SET, cursor=cursor).results():
            found[record["n"]] += 1
        check_all(found)
        await left_over(scene)


def partition_of(number: int) -> int:
    digest = Key("test", SET, number).digest
    return (digest[0] | digest[1] << 8) & 4095


async def test_a_node_that_falls_silent_is_given_up_after_its_time_and_others_asked(autojump_clock: MockClock) -> None:
    async with filled() as scene:
        found: Counter[int] = Counter()
        policy = QueryPolicy(socket_timeout=2.0)
        async with scene.client.query("test", SET, policy=policy) as records:
            async for record in records:
                if not found:
                    scene.cluster.pause_node(scene.cluster.nodes[0])
                found[record["n"]] += 1
        check_all(found)
        await scene.heal()
        await left_over(scene)


async def test_silence_counts_while_the_reader_waits_and_not_while_it_pauses(autojump_clock: MockClock) -> None:
    async with filled() as scene:
        found: Counter[int] = Counter()
        policy = QueryPolicy(socket_timeout=0.5, max_retries=0)
        async with scene.client.query("test", SET, policy=policy) as records:
            async for record in records:
                found[record["n"]] += 1
                if len(found) % 500 == 0:
                    await trio.sleep(30)
        check_all(found)


async def test_no_more_retries_are_made_than_the_policy_allows(autojump_clock: MockClock) -> None:
    async with filled(count=50) as scene:
        asked = 0

        async def reset(kind: str, request: Request) -> Fault | None:
            nonlocal asked
            if kind != "message":
                return None
            asked += 1
            return Fault.RESET

        for node in scene.cluster.nodes:
            node.on_request = reset
        with pytest.raises(AerospikeError, match="not read to their ends: 4096 partitions"):
            await scene.client.query("test", SET, policy=QueryPolicy(max_retries=2)).results()
        assert asked == 3 * 3
        for node in scene.cluster.nodes:
            node.on_request = None
        await left_over(scene)


async def test_total_timeout_ends_a_query_wherever_it_is(autojump_clock: MockClock) -> None:
    async with filled() as scene:
        scene.cluster.pause_node(scene.cluster.nodes[0])
        began = trio.current_time()
        with pytest.raises(AerospikeTimeoutError, match=r"total_timeout=3\.0 s"):
            await scene.client.query("test", SET, policy=QueryPolicy(total_timeout=3.0)).results()
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.5)
        await scene.heal()
        await left_over(scene)


async def test_a_partition_that_a_node_does_not_have_is_asked_for_elsewhere(autojump_clock: MockClock) -> None:
    async with filled(count=500) as scene:
        # For the client the map is as it was; the node has to say of each partition that it is not its any more.
        victim = scene.cluster.nodes[0]
        real = scene.cluster.tables["test"].serves_reads

        def serves(name: str, partition: int) -> bool:
            return name != victim.name and real(name, partition)

        scene.cluster.tables["test"].serves_reads = serves  # type: ignore[method-assign, assignment]
        found: Counter[int] = Counter()
        async with scene.client.query("test", SET) as records:
            async for record in records:
                found[record["n"]] += 1
        check_all(found, 500)


async def test_a_cursor_goes_on_where_another_process_stopped_after_a_node_was_lost(autojump_clock: MockClock) -> None:
    async with filled() as scene:
        found: Counter[int] = Counter()
        async with scene.client.query("test", SET) as records:
            async for record in records:
                found[record["n"]] += 1
                if len(found) == COUNT // 3:
                    break
        await scene.cluster.stop_node(scene.cluster.nodes[2])
        cursor = Cursor.from_bytes(records.cursor.to_bytes())
        for record in await scene.client.query("test", SET, cursor=cursor).results():
            found[record["n"]] += 1
        check_all(found)
        await scene.heal()


# -- invalid answers ------------------------------------------------------------------------------------------------


def answered_with(scene: Scene, *bodies: bytes) -> None:
    async def reply(kind: str, request: Request) -> Reply | None:
        if kind != "message":
            return None
        return Reply(b"".join(encode_frame(wire.PROTO_MESSAGE, body) for body in bodies))

    for node in scene.cluster.nodes:
        node.on_request = reply


def made(number: int, value: bytes, particle: int = wire.PARTICLE_STRING) -> bytes:
    op = encode_particle_op(1, "a", particle, value)
    return encode_record(record_fields("test", SET), Key("test", SET, number).digest, None, None, 1, 0, op, 1)


async def test_a_record_that_cannot_be_decoded_fails_itself_and_not_the_query(autojump_clock: MockClock) -> None:
    async with filled(1, count=0) as scene:
        answered_with(scene, made(1, b"one") + made(2, b"\xff\xff") + made(3, b"three"), encode_query_end())
        one, broken, three = await scene.client.query("test", SET).results()
        assert one["a"] == "one" and three["a"] == "three"
        assert broken.key == Key("test", SET, 2) and broken.generation == 1
        with pytest.raises(ProtocolError, match=r"(?i)utf-8"):
            broken["a"]


@pytest.mark.parametrize("body", [b"nonsense", made(1, b"x")[:-1], encode_query_end() + made(1, b"x")])
async def test_an_invalid_answer_ends_the_query(autojump_clock: MockClock, body: bytes) -> None:
    async with filled(1, count=0) as scene:
        answered_with(scene, body)
        with pytest.raises(ProtocolError):
            await scene.client.query("test", SET, policy=QueryPolicy(socket_timeout=1.0)).results()
        for node in scene.cluster.nodes:
            node.on_request = None
        await left_over(scene)


@pytest.mark.parametrize("code", [9, 18])
async def test_a_passing_fault_of_a_node_is_tried_again(autojump_clock: MockClock, code: int) -> None:
    async with filled(count=200) as scene:
        left = 4

        async def refuse(kind: str, request: Request) -> Any:
            nonlocal left
            if kind != "message" or not left:
                return None
            left -= 1
            return Reply(encode_frame(wire.PROTO_MESSAGE, encode_query_end(code)))

        for node in scene.cluster.nodes:
            node.on_request = refuse
        found = await scene.client.query("test", SET).results()
        check_all(Counter(record["n"] for record in found), 200)


# -- slots -----------------------------------------------------------------------------------------------------------


async def test_a_stream_holds_a_slot_while_it_reads_and_not_while_its_reader_works(autojump_clock: MockClock) -> None:
    async with filled(count=600, max_concurrent_operations=1, operation_queue_timeout=1.0) as scene:
        client = scene.client
        limiter = client._executor.limiter
        assert limiter is not None
        async with client.query("test", SET) as records:
            async for record in records:
                assert not limiter.borrowed_tokens
                if record["n"] % 100 == 0:
                    assert (await client.get(("test", SET, record["n"])))["n"] == record["n"]
        for node in scene.cluster.nodes:
            scene.cluster.pause_node(node)
        async with trio.open_nursery() as nursery:
            waiting = client.query("test", SET, policy=QueryPolicy(expected_duration=QueryDuration.SHORT))
            nursery.start_soon(waiting.results)
            await trio.sleep(0.1)
            with pytest.raises(BackpressureError):
                await client.query("test", SET).results()
            nursery.cancel_scope.cancel()
        assert not limiter.borrowed_tokens
        await scene.heal()
        await left_over(scene)
