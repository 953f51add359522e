"""One slow command does not delay its neighbours: the connections of a burst, fresh and warm, under the mock clock."""

import contextlib
import itertools

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_aerospike import AerospikeError, AerospikeTimeoutError, ReadPolicy, WritePolicy, open_client
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


@pytest.mark.parametrize("held", [0.02, 0.5])
async def test_reads_behind_a_request_that_timed_out_are_sent_again(autojump_clock, held):
    """However short the time of the request that is held, those behind it keep their own."""
    async with open_embedded_cluster(memory=True) as cluster:
        node = cluster.nodes[0]
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            for number in range(6):
                await client.put(("test", "neighbours", number), {"a": number})
            seen = itertools.count()

            async def hold_first(kind, request):
                if not next(seen):
                    await trio.sleep(3)

            node.on_request = hold_first
            took = []

            async def read(number, timeout):
                began = trio.current_time()
                policy = ReadPolicy(total_timeout=timeout, socket_timeout=timeout, max_retries=0)
                with pytest.raises(AerospikeTimeoutError) if not number else contextlib.nullcontext():
                    await client.get(("test", "neighbours", number), policy=policy)
                took.append(trio.current_time() - began)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, 0, held)
                await wait_all_tasks_blocked()
                for number in range(1, 6):
                    nursery.start_soon(read, number, 1.0)
            assert max(took) < max(held, 0.1) + 0.05


async def test_a_connector_that_fails_unexpectedly_costs_a_command_and_not_the_client(autojump_clock, caplog):
    broken = False

    async with open_embedded_cluster(memory=True) as cluster:

        async def connect(*place):
            if broken:
                raise RuntimeError("the proxy is confused")
            return await cluster.connector(*place)

        policy = ReadPolicy(total_timeout=1.0)
        async with open_client(cluster.hosts, connector=connect) as client:
            await client.put(("test", "neighbours", 1), {"a": 1})
            broken = True
            for active in client._cluster.active_nodes():
                for pool in active.pools:
                    for connection in list(pool.connections):
                        connection.close(None)
            with pytest.raises(AerospikeError):
                await client.get(("test", "neighbours", 1), policy=policy)
            assert "failed unexpectedly" in caplog.text
            broken = False
            with trio.fail_after(30):
                while True:
                    try:
                        assert (await client.get(("test", "neighbours", 1), policy=policy))["a"] == 1
                        break
                    except AerospikeError:
                        await trio.sleep(0.1)
