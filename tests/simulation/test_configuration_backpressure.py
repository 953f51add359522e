"""The fields `max_concurrent_operations` and `operation_queue_timeout`."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import BatchPolicy, ReadPolicy, WritePolicy
from trio_aerospike._cluster.connections.connection import MAX_OWED
from trio_aerospike._wire.pipeline import ABANDONED_SECONDS
from trio_aerospike.server import Fault, open_embedded_cluster

from .configuration import KEY, all_at_once, keys, one_node, open_on
from .scene import busy_slots

LONG = ReadPolicy(total_timeout=None, socket_timeout=None)


@pytest.mark.parametrize("most", [1, 2, 64])
async def test_the_server_never_sees_more_commands_in_flight(autojump_clock: Any, most: int) -> None:
    async with one_node(max_concurrent_operations=most) as (node, client):
        node.delay = 0.005
        outcomes = await all_at_once(
            lambda key: client.put(key, {"a": 1}, policy=WritePolicy(total_timeout=None)), keys(500)
        )
        assert outcomes == [None] * 500
        assert (most + 1) // 2 <= node.stats.commands_peak <= most, "a node reads what comes while it is busy later"
        assert node.stats.requests["message"] == 500


async def test_the_most_counts_for_all_nodes_together(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        peak = 0
        async with open_on(cluster, max_concurrent_operations=6) as client:
            for node in cluster.nodes:
                node.delay = 0.01

            async def watch() -> None:
                nonlocal peak
                while True:
                    peak = max(peak, sum(node.stats.commands_in_flight for node in cluster.nodes))
                    await trio.sleep(0.001)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                outcomes = await all_at_once(
                    lambda key: client.put(key, {"a": 1}, policy=WritePolicy(total_timeout=None)), keys(300)
                )
                nursery.cancel_scope.cancel()
        assert outcomes == [None] * 300
        assert 3 <= peak <= 6


async def test_zero_is_no_limit_and_costs_nothing(autojump_clock: Any) -> None:
    async with one_node(max_concurrent_operations=0) as (node, client):
        await client.put(KEY, {"a": 1})
        node.pause()
        outcomes = await all_at_once(lambda key: client.get(key, policy=ReadPolicy(total_timeout=0.1)), keys(100))
        for error in outcomes:
            assert isinstance(error, aero.AerospikeTimeoutError)
            assert error.attempts == 1, "sent at once, none waited for another"
        assert client._executor.limiter is None, "there is nothing to acquire"


async def test_a_batch_counts_once(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster, max_concurrent_operations=2) as client:
            for key in keys(60):
                await client.put(key, {"a": 1})
            for node in cluster.nodes:
                node.pause()
            async with trio.open_nursery() as nursery:
                policy = BatchPolicy(total_timeout=None, socket_timeout=None)
                nursery.start_soon(lambda: client.batch_read(keys(60), policy=policy))
                await trio.testing.wait_all_tasks_blocked()
                assert [node.stats.commands_in_flight for node in cluster.nodes] == [1, 1, 1]
                nursery.start_soon(lambda: client.get(KEY, policy=LONG))
                await trio.testing.wait_all_tasks_blocked()
                assert sum(node.stats.commands_in_flight for node in cluster.nodes) == 4, "one place was left"
                nursery.start_soon(lambda: client.get(KEY, policy=LONG))
                nursery.start_soon(lambda: client.batch_read(keys(60), policy=policy))
                await trio.testing.wait_all_tasks_blocked()
                assert sum(node.stats.commands_in_flight for node in cluster.nodes) == 4, "and now there is none"
                for node in cluster.nodes:
                    node.resume()


async def test_an_operation_that_fails_gives_its_place_back(autojump_clock: Any) -> None:
    async with one_node(max_concurrent_operations=1, operation_queue_timeout=0.1) as (node, client):
        for _ in range(3):
            with pytest.raises(aero.RecordNotFound):
                await client.get(KEY)
            with pytest.raises(aero.InvalidArgError):
                await client.put(KEY, {"a": 2**64})
            with pytest.raises(aero.ServerError):
                await client.batch_read([("nowhere", "set", 1)])
        node.pause()
        with pytest.raises(aero.AerospikeTimeoutError):
            await client.get(KEY, policy=ReadPolicy(total_timeout=0.5))
        node.resume()
        await client.put(KEY, {"a": 1})


async def test_backpressure_error_at_the_expiry_of_the_queue_timeout(autojump_clock: Any) -> None:
    fields = {"max_concurrent_operations": 2, "operation_queue_timeout": 0.25, "min_conns_per_node": 4}
    async with one_node(**fields) as (node, client):
        await client.put(KEY, {"a": 1})
        node.pause()
        node.stats.reset()
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(lambda: client.get(KEY, policy=LONG))
            await trio.testing.wait_all_tasks_blocked()
            began = trio.current_time()
            with pytest.raises(aero.BackpressureError) as info:
                await client.put(KEY, {"a": 2}, policy=WritePolicy(total_timeout=None))
            assert trio.current_time() - began == pytest.approx(0.25, abs=1e-3)
            assert "max_concurrent_operations" in str(info.value)
            assert "operation_queue_timeout=0.25" in str(info.value)
            assert not info.value.in_doubt
            assert info.value.attempts == 0
            with pytest.raises(aero.BackpressureError):
                await client.batch_read([KEY])
            assert trio.current_time() - began == pytest.approx(0.5, abs=1e-3)
            node.resume()
        assert node.stats.requests["message"] == 2, "the others were never sent"
        assert (await client.get(KEY)).bins == {"a": 1}


async def test_a_place_that_comes_free_in_time_is_taken(autojump_clock: Any) -> None:
    async with one_node(max_concurrent_operations=1, operation_queue_timeout=0.25) as (node, client):
        node.delay = 0.2
        outcomes = await all_at_once(client.exists, keys(2))
        assert outcomes == [None, None]
        assert trio.current_time() == pytest.approx(0.4, abs=0.01)
        refused = [error for error in await all_at_once(client.exists, keys(4)) if error is not None]
        assert [type(error) for error in refused] == [aero.BackpressureError] * 2


async def test_without_a_queue_timeout_an_operation_waits_for_ever(autojump_clock: Any) -> None:
    async with one_node(max_concurrent_operations=1, operation_queue_timeout=None) as (node, client):
        node.delay = 500.0
        outcomes = await all_at_once(lambda key: client.exists(key, policy=LONG), keys(3))
        assert outcomes == [None] * 3
        assert trio.current_time() == pytest.approx(1500.0, abs=0.1)
        assert node.stats.commands_peak == 1


async def test_a_waiter_that_is_cancelled_gives_its_place_up(autojump_clock: Any) -> None:
    async with one_node(max_concurrent_operations=1) as (node, client):
        await client.put(KEY, {"a": 1})
        node.pause()
        node.stats.reset()
        order: list[str] = []

        async def read(name: str, scope: trio.CancelScope) -> None:
            with scope:
                await client.get(KEY, policy=LONG)
                order.append(name)

        scopes = [trio.CancelScope() for _ in range(4)]
        async with trio.open_nursery() as nursery:
            for name, scope in zip("abcd", scopes, strict=True):
                nursery.start_soon(read, name, scope)
                await trio.testing.wait_all_tasks_blocked()
            scopes[1].cancel()
            scopes[2].cancel()
            await trio.testing.wait_all_tasks_blocked()
            node.resume()
        assert order == ["a", "d"]
        assert node.stats.requests["message"] == 2, "who was cancelled in the queue sent nothing"


async def test_what_was_sent_and_cancelled_keeps_its_place_until_it_is_answered(autojump_clock: Any) -> None:
    """The server is still busy with it: the limit is on what the server has to do."""
    async with one_node(max_concurrent_operations=1, min_conns_per_node=2) as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 1.0
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.get(KEY, policy=LONG))
            await trio.sleep(0.2)
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(0.2, abs=1e-3)
        assert (await client.get(KEY, policy=LONG)).bins == {"a": 1}
        assert trio.current_time() - began == pytest.approx(2.0, abs=1e-3), "one after the other"
        assert node.stats.commands_peak == 1


async def test_what_was_cancelled_and_is_never_answered_gives_its_place_back_when_it_expires(
    autojump_clock: Any,
) -> None:
    async with one_node(max_concurrent_operations=1, min_conns_per_node=2) as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 1000.0
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            policy = ReadPolicy(total_timeout=3.0, socket_timeout=2.0, max_retries=0)
            nursery.start_soon(lambda: client.get(KEY, policy=policy))
            await trio.sleep(0.2)
            nursery.cancel_scope.cancel()
        node.delay = 0.0
        assert (await client.get(KEY, policy=LONG)).bins == {"a": 1}
        assert trio.current_time() - began == pytest.approx(0.2 + ABANDONED_SECONDS, abs=0.1)


@pytest.mark.parametrize("total", [5.0, 3600.0, None])
@pytest.mark.parametrize("socket", [5.0, 3600.0, None])
@pytest.mark.parametrize("most", [0, 2])
async def test_cancelled_commands_that_are_never_answered_keep_neither_slot_nor_connection(
    autojump_clock: Any, most: int, socket: float | None, total: float | None
) -> None:
    """However long their policy would have let them wait."""
    options = {"max_concurrent_operations": most, "max_conns_per_node": 2, "operation_queue_timeout": None}
    async with one_node(**options) as (node, client):
        await client.put(KEY, {"a": 1})
        silent = True

        async def hook(kind: str, request: Any) -> Any:
            return Fault.SILENCE if silent and kind == "message" else None

        node.on_request = hook
        policy = ReadPolicy(total_timeout=total, socket_timeout=socket)
        rows = BatchPolicy(total_timeout=total, socket_timeout=socket)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(lambda: client.get(KEY, policy=policy))
            nursery.start_soon(lambda: client.batch_read([KEY], policy=rows))
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        silent = False
        cancelled = trio.current_time()
        outcomes = await all_at_once(lambda key: client.get(KEY, policy=ReadPolicy(total_timeout=2.0)), keys(10))
        assert outcomes == [None] * 10
        assert trio.current_time() - cancelled < 1.5
        await trio.sleep(MAX_OWED + 1)
        assert not busy_slots(client)
