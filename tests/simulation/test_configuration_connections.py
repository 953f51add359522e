"""The fields that say how many connections a client has, and for how long: seen by the server that they are made to."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import BatchPolicy, ReadPolicy, ResultCode, WritePolicy
from trio_aerospike._cluster.connections.pool import MAX_DEPTH
from trio_aerospike._cluster.connections.transport import Transport
from trio_aerospike.server import open_embedded_cluster

from .configuration import KEY, all_at_once, keys, one_node, open_on

PATIENT = ReadPolicy(total_timeout=60.0, socket_timeout=None, max_retries=0)


# timeout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0.25, 1.0, 7.5])
async def test_a_peer_that_accepts_and_never_answers_fails_the_connect_at_the_timeout(
    autojump_clock: Any, timeout: float
) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        for place in range(3):
            cluster.pause_node(place)
        began = trio.current_time()
        with pytest.raises(aero.ClusterError, match=f"no answer within {timeout} s"):
            async with open_on(cluster, timeout=timeout):
                pytest.fail("nobody has answered")
        assert trio.current_time() - began == pytest.approx(timeout, abs=1e-3)


async def test_a_peer_that_never_accepts_fails_the_connect_at_the_timeout(autojump_clock: Any) -> None:
    async def swallowed(host: str, port: int, tls_name: str | None) -> Transport:
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(aero.ClusterError, match=r"no answer within 0\.4 s"):
        async with aero.open_client([("192.0.2.1", 3000), ("192.0.2.2", 3000)], connector=swallowed, timeout=0.4):
            pytest.fail("nobody has answered")
    assert trio.current_time() == pytest.approx(0.4, abs=1e-3)


async def test_without_a_timeout_the_connect_waits_for_an_answer(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        cluster.pause_node(0)
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def resume() -> None:
                await trio.sleep(500)
                cluster.resume_node(0)

            async with open_on(cluster, timeout=None) as client:
                assert trio.current_time() >= 500
                await client.put(KEY, {"a": 1})


async def test_a_question_of_the_tend_loop_is_given_up_at_the_timeout(autojump_clock: Any) -> None:
    async with one_node(timeout=0.5, tend_interval=1.0) as (node, client):
        node.pause()
        await trio.sleep(1.0 + 0.5 + 0.1)
        assert not client.is_connected()
        node.resume()
        await trio.sleep(2.0)
        assert client.is_connected()


# idle_timeout ---------------------------------------------------------------------------------------------------


async def fan_out(client: aero.Client, waves: int = 6, count: int = 100) -> None:
    """Waves of reads: the first teach the client how slow the server is, the later ones are worth connections."""
    for _ in range(waves):
        for error in await all_at_once(lambda key: client.get(key, policy=PATIENT), keys(count)):
            assert isinstance(error, aero.RecordNotFound)


@pytest.mark.parametrize("idle_timeout", [5.0, 55.0])
async def test_connections_that_nobody_uses_are_closed_by_the_client_after_the_idle_timeout(
    autojump_clock: Any, idle_timeout: float
) -> None:
    async with one_node(idle_timeout=idle_timeout, max_conns_per_node=20) as (node, client):
        node.delay = 0.01
        await fan_out(client)
        opened = node.stats.command_connections_open
        assert opened > 5
        await trio.sleep(idle_timeout * 0.9)
        assert node.stats.command_connections_open == opened, "not earlier"
        await trio.sleep(idle_timeout * 0.1 + max(1.0, idle_timeout / 4))
        assert node.stats.command_connections_open == 0
        node.delay = 0.0
        assert await client.exists(KEY) is None


async def test_a_connection_in_use_is_not_closed(autojump_clock: Any) -> None:
    async with one_node(idle_timeout=5.0) as (node, client):
        for _ in range(100):
            assert await client.exists(KEY) is None
            await trio.sleep(4.0)
        assert node.stats.command_connections_total == 1


async def test_a_connection_that_waits_for_its_answer_is_in_use(autojump_clock: Any) -> None:
    async with one_node(idle_timeout=5.0) as (node, client):
        node.delay = 50.0
        policy = ReadPolicy(total_timeout=None, socket_timeout=None)
        assert await client.exists(KEY, policy=policy) is None
        assert trio.current_time() >= 50.0
        assert node.stats.command_connections_total == 1


async def test_without_an_idle_timeout_connections_stay(autojump_clock: Any) -> None:
    async with one_node(idle_timeout=None, max_conns_per_node=10) as (node, client):
        node.delay = 0.01
        await fan_out(client)
        opened = node.stats.command_connections_open
        await trio.sleep(1000)
        assert node.stats.command_connections_open == opened > 1


# max_conns_per_node ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2, 7, 64])
async def test_the_server_never_sees_more_connections_for_commands(autojump_clock: Any, most: int) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        for node in cluster.nodes:
            node.delay = 0.002
        async with open_on(cluster, max_conns_per_node=most) as client:
            await fan_out(client)
            outcomes = await all_at_once(
                lambda key: client.put(key, {"a": 1}, policy=WritePolicy(total_timeout=60.0)), keys(1000)
            )
            assert outcomes == [None] * 1000
            for node in cluster.nodes:
                assert node.stats.command_connections_peak <= most
                assert node.stats.command_connections_peak >= min(most, 7), "work that waits makes use of them"
                assert node.stats.connections_peak <= most + 2, "and the tend loop has its own"


async def test_the_most_is_shared_by_reads_writes_and_batches(autojump_clock: Any) -> None:
    async with one_node(max_conns_per_node=5) as (node, client):
        node.delay = 0.002
        write = WritePolicy(total_timeout=60.0)
        async with trio.open_nursery() as nursery:
            for index, key in enumerate(keys(300)):
                if index % 30 == 0:
                    nursery.start_soon(lambda: client.batch_read(keys(50), policy=BatchPolicy(total_timeout=60.0)))
                nursery.start_soon(functools.partial(client.put, key, {"a": 1}, policy=write))
        assert node.stats.command_connections_peak == 5


async def test_when_every_in_flight_queue_is_full_commands_wait_within_their_deadline(autojump_clock: Any) -> None:
    """Two connections hold two lines; what does not fit in waits, and is never sent when its time is over."""
    room = 2 * MAX_DEPTH
    async with one_node(max_conns_per_node=2) as (node, client):
        await client.put(KEY, {"a": 1})
        node.pause()
        node.stats.reset()
        policy = WritePolicy(total_timeout=0.5)
        began = trio.current_time()
        outcomes = await all_at_once(lambda key: client.put(key, {"a": 2}, policy=policy), keys(room + 100))
        assert trio.current_time() - began == pytest.approx(0.5, abs=0.01)
        no_room = [error for error in outcomes if isinstance(error, aero.NoMoreConnections)]
        assert len(no_room) == 100, "both lines are full to the last place"
        for error in no_room:
            assert error.result_code == ResultCode.NO_MORE_CONNECTIONS
            assert int(error.result_code) == -7
            assert isinstance(error, aero.ClusterError)
            assert not error.in_doubt
            assert error.attempts == 0
            assert "max_conns_per_node" in str(error)
        late = [error for error in outcomes if isinstance(error, aero.AerospikeTimeoutError)]
        assert len(late) + len(no_room) == room + 100
        assert all(error.in_doubt for error in late), "sent, and not answered"
        node.resume()
        await trio.testing.wait_all_tasks_blocked()
        assert node.stats.requests["message"] == len(late), "what had no room was never sent"
        await client.put(KEY, {"a": 3})
        assert (await client.get(KEY))["a"] == 3


async def test_room_that_comes_up_in_time_is_used(autojump_clock: Any) -> None:
    async with one_node(max_conns_per_node=1) as (node, client):
        await client.put(KEY, {"a": 1})
        node.pause()
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def resume() -> None:
                await trio.sleep(0.4)
                node.resume()

            policy = WritePolicy(total_timeout=0.5)
            outcomes = await all_at_once(lambda key: client.put(key, {"a": 2}, policy=policy), keys(3 * MAX_DEPTH))
        assert outcomes == [None] * (3 * MAX_DEPTH)


async def test_when_batches_hold_every_connection_commands_wait_and_then_there_are_no_more(
    autojump_clock: Any,
) -> None:
    async with one_node(max_conns_per_node=3) as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 1.0
        long = BatchPolicy(total_timeout=10.0)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(lambda: client.batch_read([KEY], policy=long))
            await trio.sleep(0.1)
            with pytest.raises(aero.NoMoreConnections) as info:
                await client.get(KEY, policy=ReadPolicy(total_timeout=0.5))
            assert trio.current_time() == pytest.approx(0.6, abs=0.05)
            assert info.value.result_code == -7
            [row] = await client.batch_read([KEY], policy=BatchPolicy(total_timeout=5.0))
            assert row.ok, "who waits longer gets its turn"
        assert node.stats.command_connections_peak == 3


async def test_with_one_connection_a_read_waits_for_the_batch_that_has_it(autojump_clock: Any) -> None:
    async with one_node(max_conns_per_node=1) as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 1.0
        done: list[str] = []
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def batch() -> None:
                [row] = await client.batch_read([KEY], policy=BatchPolicy(total_timeout=10.0))
                assert row.ok
                done.append("batch")

            await trio.sleep(0.1)
            record = await client.get(KEY, policy=ReadPolicy(total_timeout=10.0))
            done.append("get")
            assert record.bins == {"a": 1}
        assert done == ["batch", "get"]
        assert node.stats.command_connections_peak == 1


async def test_with_one_connection_a_batch_is_served_among_endless_reads(autojump_clock: Any) -> None:
    """A batch needs the connection for itself, which a stream of reads would never leave empty."""
    async with one_node(max_conns_per_node=1) as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 0.01
        async with trio.open_nursery() as nursery:

            async def reads() -> None:
                while True:
                    await client.get(KEY, policy=PATIENT)

            for _ in range(10):
                nursery.start_soon(reads)
            await trio.sleep(0.5)
            [row] = await client.batch_read([KEY], policy=BatchPolicy(total_timeout=5.0))
            assert row.ok
            nursery.cancel_scope.cancel()
        assert node.stats.command_connections_peak == 1


# min_conns_per_node, conn_pools_per_node ------------------------------------------------------------------------


def connections(client: aero.Client) -> list[int]:
    return [node.connections for node in client.nodes()]


@pytest.mark.parametrize("pools", [1, 3])
async def test_the_minimum_is_there_right_after_the_connect_and_again_after_idling(
    autojump_clock: Any, pools: int
) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        fields = {"min_conns_per_node": 10, "conn_pools_per_node": pools, "idle_timeout": 5.0}
        async with open_on(cluster, **fields) as client:
            assert connections(client) == [10, 10, 10]
            for node in cluster.nodes:
                assert node.stats.connections_open in (11, 12), "and the tend loop's own"
            await trio.sleep(60.5)
            assert connections(client) == [10, 10, 10]
            for node in cluster.nodes:
                assert node.stats.connections_open in (11, 12)
            for key in keys(60):
                await client.put(key, {"a": 1})
            assert connections(client) == [10, 10, 10], "what is there is used"


async def test_the_connect_waits_for_the_minimum(autojump_clock: Any) -> None:
    """On a network where a connection takes its time; one that cannot be had holds nobody up beyond `timeout`."""
    async with open_embedded_cluster(1, memory=True) as cluster:
        hangs = False

        async def slowly(host: str, port: int, tls_name: str | None) -> Transport:
            await trio.sleep(0.05)
            if hangs and cluster.nodes[0].stats.connections_open >= 2:
                await trio.sleep_forever()
            return await cluster.connector(host, port, tls_name)

        async with aero.open_client(cluster.hosts, connector=slowly, min_conns_per_node=10) as client:
            assert connections(client) == [10]
            assert cluster.nodes[0].stats.connections_open >= 11
        await trio.sleep(1)
        hangs = True
        began = trio.current_time()
        async with aero.open_client(cluster.hosts, connector=slowly, min_conns_per_node=10, timeout=0.5) as client:
            assert trio.current_time() - began <= 1.1
            await client.put(KEY, {"a": 1})


async def test_each_client_has_its_own_minimum(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with open_on(cluster, min_conns_per_node=4), open_on(cluster, min_conns_per_node=4):
            assert cluster.nodes[0].stats.connections_open in (10, 12)


async def test_connections_above_the_minimum_go_when_they_are_idle(autojump_clock: Any) -> None:
    async with one_node(min_conns_per_node=3, max_conns_per_node=30, idle_timeout=5.0) as (node, client):
        node.delay = 0.01
        await fan_out(client)
        assert connections(client)[0] > 10
        await trio.sleep(20)
        assert connections(client) == [3]


async def test_a_node_that_joins_gets_its_minimum(autojump_clock: Any) -> None:
    async with open_embedded_cluster(2, memory=True) as cluster:
        async with open_on(cluster, min_conns_per_node=5) as client:
            await cluster.add_node()
            await cluster.wait_stable()
            await trio.sleep(3)
            assert connections(client) == [5, 5, 5]


async def test_a_minimum_that_was_lost_is_made_up_for(autojump_clock: Any) -> None:
    async with one_node(min_conns_per_node=5) as (node, client):
        node.drop_connections()
        await trio.sleep(3)
        assert connections(client) == [5]
        assert client.is_connected()
        await client.put(KEY, {"a": 1})


@pytest.mark.parametrize(("pools", "spread"), [(1, 1), (4, 4), (8, 8)])
async def test_connections_are_spread_over_the_pools(autojump_clock: Any, pools: int, spread: int) -> None:
    """One command at a time needs one connection; with several pools, commands rotate over them."""
    async with one_node(conn_pools_per_node=pools, max_conns_per_node=8) as (node, client):
        for key in keys(64):
            await client.put(key, {"a": 1})
        assert node.stats.command_connections_open == spread


@pytest.mark.parametrize("pools", [1, 3, 8])
async def test_the_maximum_holds_for_the_sum_of_the_pools(autojump_clock: Any, pools: int) -> None:
    async with one_node(conn_pools_per_node=pools, max_conns_per_node=8) as (node, client):
        node.delay = 0.002
        outcomes = await all_at_once(
            lambda key: client.put(key, {"a": 1}, policy=WritePolicy(total_timeout=60.0)), keys(1000)
        )
        assert outcomes == [None] * 1000
        assert node.stats.command_connections_peak == 8
