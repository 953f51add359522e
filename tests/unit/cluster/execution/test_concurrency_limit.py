"""max_concurrent_operations and operation_queue_timeout: what the server sees, and whose slot is free when."""

import pytest
import trio
import trio.testing

from tests.unit.cluster.scripted import after, answer, code, drop, pools_of, scripted_client, stall, when
from trio_aerospike import ReadPolicy, errors

KEY = ("test", "s", 1)


def borrowed(client):
    return client._executor.limiter.borrowed_tokens


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_the_server_never_sees_more_in_flight(autojump_clock, limit):
    async with scripted_client(max_concurrent_operations=limit) as (client, cluster):
        seen = 0

        async def look(request):
            nonlocal seen
            seen = max(seen, borrowed(client))
            sent = sum(
                len(c._pipeline.sent)
                for node in client._cluster.active_nodes()
                for p in node.pools
                for c in p.connections
            )
            assert sent <= limit
            return await after(0.1)(request)

        cluster.node.default = look
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(client.get, KEY)
        assert seen == limit
        assert cluster.node.peak <= limit
        assert len(cluster.requests) >= 30  # reads behind slow ones are sent again where a slot is free
        assert trio.current_time() - began >= 30 * 0.1 / limit - 0.001
        assert borrowed(client) == 0


async def test_without_a_limit_there_is_no_limiter_at_all():
    async with scripted_client() as (client, _):
        assert client._executor.limiter is None
        await client.get(KEY)


@pytest.mark.parametrize("timeout", [0.25, 2.0])
async def test_backpressure_is_raised_exactly_at_the_queue_timeout(autojump_clock, timeout):
    async with scripted_client(max_concurrent_operations=1, operation_queue_timeout=timeout) as (client, cluster):
        cluster.node.default = stall
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.get(KEY, policy=ReadPolicy(total_timeout=100.0)))
            await trio.sleep(0.01)
            began = trio.current_time()
            with pytest.raises(errors.BackpressureError, match=f"operation_queue_timeout={timeout}"):
                await client.put(KEY, {"a": 1})
            assert trio.current_time() - began == pytest.approx(timeout, abs=0.001)
            nursery.cancel_scope.cancel()


async def test_no_queue_timeout_waits_for_ever(autojump_clock):
    async with scripted_client(max_concurrent_operations=1, operation_queue_timeout=None, tend_interval=50.0) as (
        client,
        cluster,
    ):
        cluster.node.script.append(after(500.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.get(KEY, policy=ReadPolicy(total_timeout=None, socket_timeout=None)))
            await trio.sleep(0.01)
            await client.get(KEY)
            assert trio.current_time() > 499


async def test_waits_for_a_slot_are_forgotten_once_they_have_ended(autojump_clock):
    async with scripted_client(max_concurrent_operations=1, operation_queue_timeout=100.0) as (client, cluster):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(client.get, KEY)
            await trio.testing.wait_all_tasks_blocked()
        assert not client._executor._queued
        cluster.node.default = stall
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.get(KEY, policy=ReadPolicy(total_timeout=None, socket_timeout=None)))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(errors.BackpressureError):
                await client.get(KEY)
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(100.0, abs=0.001)
        assert not client._executor._queued


async def test_a_cancelled_waiter_gives_its_place_up(autojump_clock):
    async with scripted_client(max_concurrent_operations=1) as (client, cluster):
        go = trio.Event()
        cluster.node.script.append(when(go))
        served = []

        async def get(name, scope):
            with scope:
                await client.get(KEY, policy=ReadPolicy(total_timeout=100.0))
                served.append(name)

        scopes = {name: trio.CancelScope() for name in "abcd"}
        async with trio.open_nursery() as nursery:
            for name, scope in scopes.items():
                nursery.start_soon(get, name, scope)
                await trio.testing.wait_all_tasks_blocked()
            scopes["b"].cancel()
            await trio.testing.wait_all_tasks_blocked()
            go.set()
        assert served == ["a", "c", "d"]
        assert len(cluster.requests) == 3
        assert borrowed(client) == 0


async def test_a_tombstone_keeps_its_slot_until_it_is_answered(autojump_clock):
    async with scripted_client(max_concurrent_operations=1) as (client, cluster):
        cluster.node.default = after(0.5)
        with trio.move_on_after(0.1):
            await client.get(KEY)
        assert borrowed(client) == 1
        began = trio.current_time()
        await client.get(KEY)
        assert cluster.requests[1].at - began == pytest.approx(0.4, abs=0.001)
        assert cluster.node.peak == 1
        assert borrowed(client) == 0


async def test_a_tombstone_keeps_its_slot_for_a_second_at_the_most(autojump_clock):
    async with scripted_client(max_concurrent_operations=1) as (client, cluster):
        cluster.node.script.append(stall)
        with trio.move_on_after(0.1):
            await client.get(KEY, policy=ReadPolicy(total_timeout=2.0))
        began = trio.current_time()
        await client.get(KEY)
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.01)
        assert borrowed(client) == 0


@pytest.mark.parametrize("how", ["answered", "broken", "expired"])
async def test_a_slot_is_not_lost_when_the_end_comes_in_the_moment_of_the_cancellation(autojump_clock, how):
    for _ in range(10):  # Trio runs tasks that are ready at once in any order
        async with scripted_client(max_concurrent_operations=1) as (client, cluster):
            cluster.node.script.append(stall)
            scope = trio.CancelScope()

            async def get(client=client, scope=scope):
                with scope:
                    await client.get(KEY)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(get)
                await trio.sleep(0.01)
                [pool] = client._cluster.active_nodes()[0].pools
                [connection] = pool.connections
                scope.cancel()  # aborts the wait; the task itself runs later
                if how == "answered":
                    connection._hand_out(connection._pipeline.receive_data(answer()))
                elif how == "broken":
                    connection.close(ConnectionResetError())
                else:
                    pool.expire(trio.current_time() + 10)
            assert borrowed(client) == 0


@pytest.mark.parametrize("reaction", [drop, code(18), code(11), stall])
async def test_a_command_that_fails_gives_its_slot_back(autojump_clock, reaction):
    async with scripted_client(max_concurrent_operations=1) as (client, cluster):
        cluster.node.script.append(reaction)
        try:
            await client.put(KEY, {"a": 1})
        except errors.AerospikeError:
            pass
        assert borrowed(client) == 0
        await client.put(KEY, {"a": 1})


async def test_a_batch_counts_once_and_a_cancelled_one_keeps_its_slot_until_it_is_answered(autojump_clock):
    async with scripted_client(nodes=2, max_concurrent_operations=1) as (client, cluster):
        await client.batch_read([("test", "s", number) for number in range(20)])
        cluster.node.script.append(after(0.5))
        with trio.move_on_after(0.1):
            await client.batch_read([KEY])
        assert borrowed(client) == 1
        await trio.sleep(0.5)
        assert borrowed(client) == 0


async def test_nothing_is_taken_for_a_caller_that_is_cancelled_already():
    async with scripted_client(max_concurrent_operations=1) as (client, cluster):
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.get(KEY)
        assert scope.cancelled_caught
        assert borrowed(client) == 0
        assert not cluster.requests


# -- second attempts at reads ------------------------------------------------------------------------------------------


def unanswered(client):
    return sum(len(connection._pipeline.sent) for pool in pools_of(client) for connection in pool.connections)


async def test_a_second_attempt_that_waits_for_a_connection_takes_no_slot(autojump_clock):
    async with scripted_client(max_concurrent_operations=10, max_conns_per_node=1) as (client, cluster):
        await client.get(KEY)
        cluster.node.script.append(after(0.5))
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(client.get, KEY)
            await trio.sleep(0.2)
            assert client._cluster.active_nodes()[0].pools[0].rerouter
            assert borrowed(client) == 5
        assert borrowed(client) == 0


async def test_a_read_that_its_second_attempt_answered_keeps_a_slot_until_it_is_answered_too(autojump_clock):
    async with scripted_client(max_concurrent_operations=3) as (client, cluster):
        await client.get(KEY)
        go = trio.Event()
        cluster.node.script.append(when(go))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, KEY)
            nursery.start_soon(client.get, KEY)
            await trio.sleep(0.2)
            assert len(cluster.requests) == 3  # the second read over another connection
            assert borrowed(client) == unanswered(client) == 2
            go.set()
        await trio.testing.wait_all_tasks_blocked()
        assert borrowed(client) == unanswered(client) == 0


async def test_second_attempts_are_given_up_where_other_commands_have_taken_the_slots_meanwhile(autojump_clock):
    async with scripted_client(max_concurrent_operations=4) as (client, cluster):
        await client.get(KEY)
        opened = trio.Event()
        cluster.node.on_connect = opened.wait
        cluster.node.script.append(after(0.5))
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(client.get, KEY)
            await trio.sleep(0.1)
            for _ in range(2):
                nursery.start_soon(client.get, KEY)
            await trio.testing.wait_all_tasks_blocked()
            opened.set()
            await trio.sleep(0.1)
            assert len(cluster.requests) == 4  # the other commands and no second attempt
            assert borrowed(client) == 2
        await trio.testing.wait_all_tasks_blocked()
        assert borrowed(client) == unanswered(client) == 0
        assert not any(pool.rerouter for pool in pools_of(client))
        await client.get(KEY)
