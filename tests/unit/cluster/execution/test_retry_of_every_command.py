"""Every kind of command meets the same scripted failures and does the same: attempts, waits and doubt.

On the mock clock. Threads, asyncio loops and compat are compared with Trio over real sockets, in ``tests/integration``
and ``tests/compat``.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from tests.unit.cluster.scripted import Reaction, Request, answer, drop, scripted_client, stall
from trio_aerospike import (
    BatchPolicy,
    BatchWrite,
    Client,
    QueryPolicy,
    ReadPolicy,
    WritePolicy,
    errors,
    operations as op,
)
from trio_aerospike._cluster.execution.aggregate import ValueStream
from trio_aerospike._wire.query import QueryHead, encode_aggregation

pytestmark = pytest.mark.usefixtures("mean_delays")

KEY = ("test", "s", 1)

Call = Callable[[Client, dict[str, Any]], Awaitable[Any]]


async def get(client: Client, fields: dict[str, Any]) -> Any:
    return await client.get(KEY, policy=ReadPolicy(**fields))


async def exists(client: Client, fields: dict[str, Any]) -> Any:
    return await client.exists(KEY, policy=ReadPolicy(**fields))


async def batch_read(client: Client, fields: dict[str, Any]) -> Any:
    return (await client.batch_read([KEY], policy=BatchPolicy(**fields)))[0].unwrap()


async def query(client: Client, fields: dict[str, Any]) -> Any:
    return await client.query("test", "s", policy=QueryPolicy(**fields)).results()


async def aggregate(client: Client, fields: dict[str, Any]) -> Any:
    """What ``Client.aggregate`` does in Trio; its thread for Lua would have the mock clock jump."""

    def make_frame(trid: int) -> bytes:
        return encode_aggregation(QueryHead(namespace="test", set_name="s", trid=trid), ("m", "f", b"\x90"))

    policy = QueryPolicy(**fields)
    stream = ValueStream(client._cluster, client._executor, "aggregate", "test", make_frame, policy)
    while True:
        try:
            return await stream.next_values()
        except errors.AerospikeError:
            stream.close()
            if not await stream.restart():
                raise


async def put(client: Client, fields: dict[str, Any]) -> Any:
    return await client.put(KEY, {"a": 1}, policy=WritePolicy(**fields))


async def operate(client: Client, fields: dict[str, Any]) -> Any:
    return await client.operate(KEY, [op.increment("a", 1)], policy=WritePolicy(**fields))


async def apply(client: Client, fields: dict[str, Any]) -> Any:
    return await client.apply(KEY, "m", "f", policy=WritePolicy(**fields))


async def batch_write(client: Client, fields: dict[str, Any]) -> Any:
    return (await client.batch([BatchWrite(KEY, {"a": 1})], policy=BatchPolicy(**fields)))[0].unwrap()


async def background(client: Client, fields: dict[str, Any]) -> Any:
    return await client.query_operate("test", "s", [op.write("a", 1)], policy=WritePolicy(**fields))


READS: list[Call] = [get, exists, batch_read, query, aggregate]
WRITES: list[Call] = [put, operate, apply, batch_write, background]
#: Writes of unknown outcome that are never repeated, whatever the policy says.
ONCE: list[Call] = [batch_write, background]


def ends_with(code: int) -> Reaction:
    async def react(request: Request) -> bytes:
        return answer(code, info3=1)

    return react


FAILURES: dict[str, Reaction] = {
    "reset": drop,
    "silence": stall,
    "timeout": ends_with(9),
    "overload": ends_with(18),
    "hot key": ends_with(14),
    "a transaction": ends_with(120),
    "refused": ends_with(4),
}
UNKNOWN = ("reset", "silence", "timeout")
OVERLOAD = ("overload", "hot key", "a transaction")


def expected_gaps(failure: str, retries: int, sleep: float) -> list[float]:
    """Seconds between the attempts, jitter at its mean."""
    floor = 0.01 if failure in OVERLOAD else 0.0
    silence = 0.1 if failure == "silence" else 0.0
    return [silence + floor + min(max(sleep, floor) * 2**retry, 0.5) for retry in range(retries)]


async def fail(call: Call, failure: str, retries: int, sleep: float) -> tuple[errors.AerospikeError, list[float]]:
    """Have a command fail, and return its error and the seconds between its attempts."""
    async with scripted_client() as (client, cluster):
        await client.put(KEY, {"a": 1})
        await trio.sleep(5)
        before = len(cluster.requests)
        cluster.node.default = FAILURES[failure]
        fields = {"socket_timeout": 0.1, "total_timeout": 60.0, "max_retries": retries}
        with pytest.raises(errors.AerospikeError) as caught:
            await call(client, {**fields, "sleep_between_retries": sleep})
        at = [request.at for request in cluster.requests[before:]]
        return caught.value, [later - earlier for earlier, later in itertools.pairwise(at)]


@pytest.mark.parametrize("sleep", [0.0, 0.05])
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", READS + WRITES)
async def test_every_command_retries_alike(autojump_clock: Any, call: Call, failure: str, sleep: float) -> None:
    error, gaps = await fail(call, failure, 3, sleep)
    write = call in WRITES
    retries = 0 if failure == "refused" or (call in ONCE and failure in UNKNOWN) else 3
    # An aggregation waits until every node answers again, which the tend loop finds out after 0.05 and 0.1 s.
    late = 0.11 if call is aggregate and failure == "reset" else 0.001
    assert gaps == pytest.approx(expected_gaps(failure, retries, sleep), abs=late)
    # Of a batch that was refused as a whole it is not known how far the server has come.
    assert error.in_doubt == (write and (failure in UNKNOWN or (failure == "refused" and call is batch_write)))
    assert error.retryable == (failure != "refused")
    assert error.attempts == retries + 1
    assert [attempt.node for attempt in error.history] == ["A1"] * (retries + 1)


@pytest.mark.parametrize("call", [get, batch_read, query, aggregate])
async def test_default_retries_on_overload_take_a_while(autojump_clock: Any, call: Call) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = FAILURES["overload"]
        began = trio.current_time()
        with pytest.raises(errors.DeviceOverload):
            await call(client, {})
        assert len(cluster.requests) >= 3
        assert trio.current_time() - began >= 0.04


@pytest.mark.parametrize("call", READS)
async def test_a_read_that_is_retried_goes_to_the_other_replica(autojump_clock: Any, call: Call) -> None:
    if call is aggregate:
        pytest.skip("an aggregation asks masters only")
    async with scripted_client(2) as (client, cluster):
        cluster.node.default = ends_with(9)
        cluster.nodes[1].default = drop
        with pytest.raises(errors.AerospikeError) as caught:
            await call(client, {"max_retries": 2, "total_timeout": 60.0})
        assert [attempt.node for attempt in caught.value.history] == ["A1", "A2", "A1"]


@pytest.mark.parametrize("call", READS + WRITES)
async def test_a_session_that_has_ended_costs_no_retry(autojump_clock: Any, call: Call) -> None:
    async with scripted_client() as (client, cluster):
        await client.put(KEY, {"a": 1})
        cluster.node.script.append(ends_with(66))
        cluster.node.default = FAILURES["refused"]
        before, began = len(cluster.requests), trio.current_time()
        with pytest.raises(aero.ServerError) as caught:
            await call(client, {"max_retries": 0, "total_timeout": 60.0})
        assert caught.value.result_code == 4
        assert len(cluster.requests) - before == 2
        assert trio.current_time() - began < 0.06


@pytest.mark.parametrize("call", READS + WRITES)
async def test_an_unavailable_partition_is_waited_for_without_a_retry(autojump_clock: Any, call: Call) -> None:
    async with scripted_client() as (client, cluster):
        await client.put(KEY, {"a": 1})
        cluster.node.script.extend([ends_with(11)] * 3)
        cluster.node.default = FAILURES["refused"]
        before = len(cluster.requests)
        with pytest.raises(aero.ServerError) as caught:
            await call(client, {"max_retries": 0, "total_timeout": 60.0})
        assert caught.value.result_code == 4
        assert len(cluster.requests) - before == 4


@pytest.mark.parametrize("call", READS + WRITES)
async def test_a_node_that_cannot_be_reached_is_tried_until_the_time_is_over(autojump_clock: Any, call: Call) -> None:
    async with scripted_client() as (client, cluster):

        async def refuse() -> None:
            raise ConnectionRefusedError("refused by the test")

        cluster.node.on_connect = refuse
        began = trio.current_time()
        with pytest.raises(errors.ClusterError) as caught:
            await call(client, {"max_retries": 0, "total_timeout": 3.0})
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.01)
        assert (caught.value.attempts, caught.value.in_doubt, cluster.requests) == (0, False, [])
        assert caught.value.history[0].cause == "connection failed, not sent"
        cluster.node.on_connect = None
        cluster.node.default = FAILURES["refused"]
        with pytest.raises(aero.ServerError):
            await call(client, {"max_retries": 0, "total_timeout": 3.0})
