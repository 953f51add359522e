"""One slow command does not delay its neighbours: the connections of a burst, fresh and warm, under the mock clock."""

import itertools

import pytest
import trio

from trio_aerospike import ReadPolicy, WritePolicy, open_client
from trio_aerospike.testing import open_embedded_cluster

BURST = 100
PATIENT = ReadPolicy(total_timeout=10.0)


async def burst(client, *, kind="get", policy=PATIENT):
    """Run a burst of gets, or of gets and puts; returns how long each took, in seconds."""
    took = [0.0] * BURST

    async def one(number):
        began = trio.current_time()
        if kind == "mixed" and number % 2:
            await client.put(("test", "neighbours", number), {"a": number}, policy=WritePolicy(total_timeout=10.0))
        else:
            await client.get(("test", "neighbours", number), policy=policy)
        took[number] = trio.current_time() - began

    async with trio.open_nursery() as nursery:
        for number in range(BURST):
            nursery.start_soon(one, number)
    return sorted(took)


@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
@pytest.mark.parametrize("held", [0.3, 1.5])
@pytest.mark.parametrize("position", [0, 1, 37, 99])
async def test_one_slow_get_in_a_burst_of_100_delays_no_other(autojump_clock, warm, held, position):
    async with open_embedded_cluster(memory=True) as cluster:
        node = cluster.nodes[0]
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            async with trio.open_nursery() as nursery:
                for number in range(BURST):
                    nursery.start_soon(client.put, ("test", "neighbours", number), {"a": number})
            if warm:
                for _ in range(5):
                    await burst(client)
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            if warm:
                for _ in range(5):
                    await burst(client)
            seen = itertools.count()

            async def hold_one(kind, request):
                if next(seen) == position:
                    await trio.sleep(held)

            node.on_request = hold_one
            took = await burst(client)
            assert took[-1] >= held
            assert took[-2] < 0.1


async def test_a_burst_of_100_that_take_50_ms_each_is_spread_over_connections(autojump_clock):
    async with open_embedded_cluster(memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, max_conns_per_node=256) as client:
            async with trio.open_nursery() as nursery:
                for number in range(BURST):
                    nursery.start_soon(client.put, ("test", "neighbours", number), {"a": number})
        async with open_client(cluster.hosts, connector=cluster.connector, max_conns_per_node=256) as client:
            cluster.nodes[0].delay = 0.05
            for _ in range(3):
                assert (await burst(client))[-1] <= 0.3


async def test_a_read_that_was_sent_twice_is_answered_once_and_costs_no_slot(autojump_clock):
    async with open_embedded_cluster(memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, max_concurrent_operations=200) as client:
            for number in range(BURST):
                await client.put(("test", "neighbours", number), {"a": number})
            seen = itertools.count()

            async def hold_one(kind, request):
                if next(seen) == 0:
                    await trio.sleep(0.3)

            cluster.nodes[0].on_request = hold_one
            took = await burst(client)
            assert took[-2] < 0.1
            await trio.sleep(1.0)
            assert client._executor.limiter is not None
            assert client._executor.limiter.borrowed_tokens == 0
            assert all(
                not connection.depth
                for node in client._cluster.active_nodes()
                for pool in node.pools
                for connection in pool.connections
            )
