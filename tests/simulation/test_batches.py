"""Batches and streams while nodes stop, return and connections break: every record once, or named as failed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import BatchPolicy, BatchWritePolicy, Client, Key, increment, open_client, read
from trio_aerospike._wire.batch_messages import decode_batch_request
from trio_aerospike._wire.constants import FIELD_BATCH_INDEX
from trio_aerospike._wire.particles import decode_value
from trio_aerospike.server import EmbeddedCluster, open_embedded_cluster

from .scene import busy_slots, open_scene

MANY = 50_000
RECORDS = 1000
LONG = BatchPolicy(total_timeout=120.0, socket_timeout=2.0)


def key(number: int) -> Key:
    return Key("test", "batch", number % RECORDS)


async def fill(client: Client) -> None:
    results = await client.batch_write([(key(number), {"n": number}) for number in range(RECORDS)], policy=LONG)
    assert results.ok


async def stop_in_the_middle(
    cluster: EmbeddedCluster, node: int, after: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Stop a node once so many of its requests have been answered; to be started before the first is sent."""
    victim = cluster.nodes[node]
    seen = 0

    async def count(kind: str, request: Any) -> None:
        nonlocal seen
        seen += kind == "message"
        if seen == after:
            victim.on_request = None
            stop.set()
            await trio.sleep_forever()

    stop = trio.Event()
    victim.on_request = count
    task_status.started()
    await stop.wait()
    await cluster.stop_node(node)


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2, 4])
async def test_with_replicas_none_of_a_batch_is_missing_when_a_node_stops_in_the_middle(
    autojump_clock: MockClock, after: int
) -> None:
    async with open_embedded_cluster(3, memory=True, detection_time=0.5) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, tend_interval=0.25) as client:
            await fill(client)
            async with trio.open_nursery() as nursery:
                await nursery.start(stop_in_the_middle, cluster, 1, after)
                results = await client.batch_read([key(number) for number in range(MANY)], policy=LONG)
            assert len(results) == MANY
            wrong = [result for number, result in enumerate(results) if result.unwrap()["n"] != number % RECORDS]
            assert not wrong
            await trio.sleep(10)
            assert not busy_slots(client)


@pytest.mark.slow
async def test_of_a_stream_each_key_comes_once_when_a_node_stops_and_returns(autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(3, memory=True, detection_time=0.5) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, tend_interval=0.25) as client:
            await fill(client)
            seen: Counter[int] = Counter()
            async with trio.open_nursery() as nursery:
                await nursery.start(stop_in_the_middle, cluster, 2, 5)
                keys = (key(number) for number in range(20_000))
                async with client.get_many(keys, in_flight=512, policy=LONG) as stream:
                    async for result in stream:
                        seen[result.unwrap()["n"]] += 1
                        if stream.delivered == 15_000:
                            await cluster.start_node(2)
            assert seen == Counter(number % RECORDS for number in range(20_000))
            await trio.sleep(10)
            assert not busy_slots(client)


async def test_writes_that_met_a_stopping_node_were_done_once_or_are_in_doubt(autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(3, memory=True, detection_time=0.5) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, tend_interval=0.25) as client:
            await fill(client)
            async with trio.open_nursery() as nursery:
                await nursery.start(stop_in_the_middle, cluster, 0, 1)
                results = await client.batch_operate(
                    [key(number) for number in range(RECORDS)], [increment("c", 1), read("c")], policy=LONG
                )
            await cluster.start_node(0)
            await cluster.wait_stable()
            counts = [result.unwrap().bins.get("c", 0) for result in await client.batch_read(map(key, range(RECORDS)))]
            doubtful = set(map(id, results.in_doubt))
            assert doubtful and len(doubtful) < RECORDS
            for result, count in zip(results, counts, strict=True):
                if result.ok:
                    assert count == 1
                else:
                    assert id(result) in doubtful and count <= 1


@pytest.mark.parametrize("seed", range(4))
async def test_under_resets_writes_are_never_done_twice_and_what_is_acknowledged_is_there(
    autojump_clock: MockClock, seed: int
) -> None:
    async with open_scene(3, seed=seed) as scene:
        stopped = trio.Event()
        for node in scene.cluster.nodes:
            node.delay = 0.01  # so that most batches are in flight at a reset

        async def reset() -> None:
            while not stopped.is_set():
                await trio.sleep(scene.rng.uniform(0.02, 0.07))
                scene.rng.choice(scene.cluster.nodes).drop_connections()

        acknowledged: Counter[int] = Counter()
        doubtful: Counter[int] = Counter()
        read_failures = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reset)
            for _ in range(30):
                await trio.sleep(scene.rng.uniform(0, 0.05))
                numbers = scene.rng.sample(range(60), 20)
                try:
                    results = await scene.client.batch_operate(
                        map(key, numbers), [increment("c", 1)], write_policy=BatchWritePolicy(send_key=True)
                    )
                except Exception as error:
                    assert getattr(error, "in_doubt", False), error
                    doubtful.update(numbers)
                else:
                    for number, result in zip(numbers, results, strict=True):
                        assert result.ok or result.in_doubt, result
                        (acknowledged if result.ok else doubtful)[number] += 1
                rows = await scene.client.batch_read(map(key, numbers))
                read_failures += sum(result.result_code not in (0, 2) for result in rows)
            stopped.set()
        assert doubtful and acknowledged
        assert read_failures == 0, "the default number of retries is enough for reads"
        await scene.heal()
        for number in range(60):
            found = [node.stores["test"] for node in scene.cluster.nodes]
            copies = [
                tree[key(number).digest]
                for store in found
                for tree in [store.trees[(key(number).digest[0] | key(number).digest[1] << 8) & 4095]]
                if tree.get(key(number).digest) is not None
            ]
            value = max((int(decode_value(*copy.bins["c"])) for copy in copies), default=0)
            assert acknowledged[number] <= value <= acknowledged[number] + doubtful[number]


@pytest.mark.parametrize("most", [1, 8])
async def test_rows_of_one_key_that_write_are_never_in_flight_together(autojump_clock: MockClock, most: int) -> None:
    """A real node with replicas does not keep the order of writes of one record that it has at the same time."""
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, max_conns_per_node=most) as client:
            in_flight: Counter[bytes] = Counter()
            repeated = 0

            async def hook(kind: str, request: Any) -> None:
                nonlocal repeated
                if kind == "message" and any(field.kind == FIELD_BATCH_INDEX for field in request.fields):
                    digests = [row.digest for row in decode_batch_request(request)[1]]
                    in_flight.update(digests)
                    repeated += max(in_flight.values()) > 1
                    await trio.sleep(0.01)
                    in_flight.subtract(digests)

            for node in cluster.nodes:
                node.on_request = hook
            rows = [(key(number % 50 if number % 3 else number % 900), {"n": number}) for number in range(3000)]
            results = await client.batch_write(rows, policy=LONG)
            assert results.ok and not repeated
            last = {wanted: bins["n"] for wanted, bins in rows}
            for node in cluster.nodes:
                node.on_request = None
            for result in await client.batch_read(list(last), policy=LONG):
                assert result.unwrap()["n"] == last[result.key]
