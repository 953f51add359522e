"""The policy of a call: its times on the clock, its retries and its flags as the server sees them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import (
    AdminPolicy,
    BatchPolicy,
    Client,
    CommitLevel,
    Exists,
    GenerationCheck,
    InfoPolicy,
    Key,
    QueryPolicy,
    ReadModeAP,
    ReadModeSC,
    ReadPolicy,
    Replica,
    WritePolicy,
    operations as op,
)
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.constants import TRANSACTION_TTL_NO_LIMIT
from trio_aerospike._wire.messages import Message
from trio_aerospike.server import EmbeddedNode, Fault, open_embedded_cluster
from trio_aerospike.server.faults import Request, Verdict
from trio_aerospike.testing import EmbeddedCluster

from .configuration import KEY, keys, listen_in, one_node, open_on

Call = Callable[[Client, dict[str, Any]], Any]

READS: dict[str, Call] = {
    "get": lambda client, policy: client.get(KEY, policy=ReadPolicy(**policy)),
    "select": lambda client, policy: client.select(KEY, ["a"], policy=ReadPolicy(**policy)),
    "exists": lambda client, policy: client.exists(KEY, policy=ReadPolicy(**policy)),
    "operate": lambda client, policy: client.operate(KEY, [op.read("a")], policy=WritePolicy(**policy)),
}
WRITES: dict[str, Call] = {
    "put": lambda client, policy: client.put(KEY, {"a": 2}, policy=WritePolicy(**policy)),
    "append": lambda client, policy: client.append(KEY, "s", "x", policy=WritePolicy(**policy)),
    "increment": lambda client, policy: client.increment(KEY, "a", 1, policy=WritePolicy(**policy)),
    "touch": lambda client, policy: client.touch(KEY, policy=WritePolicy(**policy)),
    "remove_bin": lambda client, policy: client.remove_bin(KEY, ["a"], policy=WritePolicy(**policy)),
    "remove": lambda client, policy: client.remove(KEY, policy=WritePolicy(**policy)),
    "operate": lambda client, policy: client.operate(KEY, [op.write("a", 2)], policy=WritePolicy(**policy)),
}
CALLS = [
    *(pytest.param(call, False, id=f"read: {name}") for name, call in READS.items()),
    *(pytest.param(call, True, id=f"write: {name}") for name, call in WRITES.items()),
]


async def silence(kind: str, request: Request) -> Verdict:
    """Answers no message, and stays well otherwise."""
    return Fault.SILENCE if kind == "message" else None


# total_timeout --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "is_write"), CALLS)
async def test_a_call_to_a_stalled_server_ends_at_its_total_timeout(
    autojump_clock: Any, call: Call, is_write: bool
) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.pause()
        began = trio.current_time()
        with pytest.raises(aero.AerospikeTimeoutError) as info:
            await call(client, {"total_timeout": 0.3})
        assert 0.3 <= trio.current_time() - began <= 0.4
        assert info.value.result_code == -1
        assert info.value.attempts == 1
        assert info.value.in_doubt is is_write
        assert info.value.node == node.name
        assert "total_timeout=0.3" in str(info.value)


async def test_a_batch_to_a_stalled_server_ends_at_its_total_timeout(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        node.on_request = silence
        began = trio.current_time()
        with pytest.raises(aero.AerospikeTimeoutError, match=r"total_timeout=0\.3"):
            await client.batch_read(keys(10), policy=BatchPolicy(total_timeout=0.3))
        assert 0.3 <= trio.current_time() - began <= 0.4


async def test_a_batch_that_one_node_does_not_answer_has_the_records_of_the_others(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True, replication_factor=1) as cluster:
        async with open_on(cluster) as client:
            for key in keys(60):
                await client.put(key, {"a": 1})
            cluster.nodes[1].on_request = silence
            began = trio.current_time()
            results = await client.batch_read(keys(60), policy=BatchPolicy(total_timeout=0.3))
            assert 0.3 <= trio.current_time() - began <= 0.4
            failed = [result for result in results if not result.ok]
            assert 5 < len(failed) < 40
            for result in failed:
                assert isinstance(result.error, aero.AerospikeTimeoutError)
                assert result.error.node == "A2"
            assert all(result.unwrap().bins == {"a": 1} for result in results if result.ok)


async def test_an_info_command_to_a_stalled_server_ends_at_its_timeout(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        node.pause()
        began = trio.current_time()
        with pytest.raises(aero.AerospikeTimeoutError):
            await client.info_random_node("build", policy=InfoPolicy(timeout=0.3))
        assert 0.3 <= trio.current_time() - began <= 0.4
        [result] = await client.info_all("build", policy=InfoPolicy(timeout=0.3))
        assert result.error_code == -1
        assert 0.6 <= trio.current_time() - began <= 0.8


async def test_queries_and_administration_take_the_clients_policy_where_the_call_has_none(autojump_clock: Any) -> None:
    async with one_node(query_policy=QueryPolicy(total_timeout=0.3), admin_policy=AdminPolicy(timeout=0.5)) as (
        node,
        client,
    ):
        await client.put(KEY, {"a": 1})
        node.pause()
        calls: list[tuple[Callable[[], Any], float]] = [
            (client.query("test", "configuration").results, 0.3),
            (client.admin_query_users_info, 0.5),
            (client.query("test", "configuration", policy=QueryPolicy(total_timeout=0.7)).results, 0.7),
            (lambda: client.admin_query_users_info(policy=AdminPolicy(timeout=0.9)), 0.9),
        ]
        for call, seconds in calls:
            began = trio.current_time()
            with pytest.raises(aero.AerospikeTimeoutError):
                await call()
            assert trio.current_time() - began == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize("total_timeout", [0.001, 0.05, 2.5, 30.0])
async def test_the_total_timeout_is_met_exactly(autojump_clock: Any, total_timeout: float) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.on_request = silence
        began = trio.current_time()
        policy = ReadPolicy(total_timeout=total_timeout, socket_timeout=None)
        with pytest.raises(aero.AerospikeTimeoutError):
            await client.get(KEY, policy=policy)
        assert trio.current_time() - began == pytest.approx(total_timeout, abs=1e-3)


async def test_an_answer_in_time_is_an_answer(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 0.29
        assert (await client.get(KEY, policy=ReadPolicy(total_timeout=0.3))).bins == {"a": 1}
        await client.put(KEY, {"a": 2}, policy=WritePolicy(total_timeout=0.3))


async def test_without_limits_a_call_waits_for_its_answer(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 1000.0
        policy = ReadPolicy(total_timeout=None, socket_timeout=None)
        assert (await client.get(KEY, policy=policy)).bins == {"a": 1}
        assert trio.current_time() >= 1000.0


async def test_the_server_is_told_what_is_left(autojump_clock: Any) -> None:
    """In the transaction ttl, in milliseconds: what is left of the policy's time or of the caller's scope."""
    async with one_node() as (node, client):
        heard = listen_in(node)
        await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=0.3))
        await client.get(KEY, policy=ReadPolicy(total_timeout=2.5))
        await client.get(KEY, policy=ReadPolicy(total_timeout=None))
        await client.batch_read([KEY], policy=BatchPolicy(total_timeout=0.7))
        with trio.move_on_after(0.2):
            await client.get(KEY)
            await client.get(KEY, policy=ReadPolicy(total_timeout=0.1))
            await client.get(KEY, policy=ReadPolicy(total_timeout=None))
        with trio.move_on_after(0.0004):
            await client.get(KEY)
        told = [message.transaction_ttl for message in heard]
        expected = [300, 2500, TRANSACTION_TTL_NO_LIMIT, 700, 200, 100, 200, 1]
        assert len(told) == len(expected)
        for given, wanted in zip(told, expected, strict=True):
            assert wanted - 1 <= given <= wanted
        assert min(told) >= 1, "0 would be the server's own default"


async def test_the_callers_scope_ends_a_call_as_a_cancellation(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.delay = 10.0
        for call in itertools.chain(READS.values(), WRITES.values()):
            began = trio.current_time()
            with trio.move_on_after(0.2) as scope:
                await call(client, {"total_timeout": 5.0})
            assert scope.cancelled_caught
            assert trio.current_time() - began == pytest.approx(0.2, abs=1e-3)
        with pytest.raises(trio.TooSlowError):
            with trio.fail_after(0.2):
                await client.get(KEY, policy=ReadPolicy(total_timeout=5.0))


async def test_a_call_in_a_cancelled_scope_sends_nothing(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.stats.reset()
        for call in itertools.chain(READS.values(), WRITES.values()):
            with trio.CancelScope() as scope:
                scope.cancel()
                await call(client, {})
            assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.batch_read([KEY])
        assert scope.cancelled_caught
        await trio.testing.wait_all_tasks_blocked()
        assert node.stats.requests["message"] == 0


# socket_timeout, max_retries, sleep_between_retries -------------------------------------------------------------


@pytest.mark.usefixtures("mean_delays")
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
@pytest.mark.parametrize("sleep", [0.0, 0.05])
async def test_an_attempt_is_given_up_at_the_socket_timeout_and_repeated_as_often_as_allowed(
    autojump_clock: Any, retries: int, sleep: float
) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.on_request = silence
        node.stats.reset()
        began = trio.current_time()
        policy = ReadPolicy(socket_timeout=0.1, total_timeout=10.0, max_retries=retries, sleep_between_retries=sleep)
        with pytest.raises(aero.AerospikeTimeoutError) as info:
            await client.get(KEY, policy=policy)
        expected = 0.1 * (retries + 1) + sum(min(sleep * 2**retry, 0.5) for retry in range(retries))
        assert trio.current_time() - began == pytest.approx(expected, abs=0.01)
        assert info.value.attempts == retries + 1
        assert not info.value.in_doubt
        assert "socket_timeout=0.1" in str(info.value)
        assert node.stats.requests["message"] == retries + 1


async def test_the_total_timeout_ends_the_retries(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.on_request = silence
        began = trio.current_time()
        with pytest.raises(aero.AerospikeTimeoutError) as info:
            await client.get(KEY, policy=ReadPolicy(socket_timeout=0.1, total_timeout=0.35, max_retries=100))
        assert 0.35 <= trio.current_time() - began <= 0.36
        assert info.value.attempts == 4
        assert "total_timeout=0.35" in str(info.value)


@pytest.mark.usefixtures("mean_delays")
async def test_a_rest_that_would_outlast_the_total_timeout_is_not_taken(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.on_request = silence
        policy = ReadPolicy(socket_timeout=0.1, total_timeout=1.0, max_retries=5, sleep_between_retries=2.0)
        began = trio.current_time()
        with pytest.raises(aero.AerospikeTimeoutError) as info:
            await client.get(KEY, policy=policy)
        assert info.value.attempts == 1
        assert trio.current_time() - began <= 1.0


async def test_a_write_is_sent_once_unless_retries_are_asked_for(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        node.on_request = silence
        for retries in (None, 0, 2):
            fields: dict[str, Any] = {} if retries is None else {"max_retries": retries}
            node.stats.reset()
            with pytest.raises(aero.AerospikeTimeoutError) as info:
                await client.put(KEY, {"a": 2}, policy=WritePolicy(socket_timeout=0.1, total_timeout=5.0, **fields))
            assert info.value.attempts == (retries or 0) + 1
            assert info.value.in_doubt
            assert node.stats.requests["message"] == (retries or 0) + 1


async def test_a_retry_that_is_answered_is_an_answer(autojump_clock: Any) -> None:
    async with one_node() as (node, client):
        await client.put(KEY, {"a": 1})
        attempts = 0

        async def hook(kind: str, request: Request) -> Verdict:
            nonlocal attempts
            if kind == "message":
                attempts += 1
                if attempts < 3:
                    return Fault.SILENCE if attempts == 1 else Fault.RESET
            return None

        node.on_request = hook
        policy = ReadPolicy(socket_timeout=0.1, max_retries=2)
        assert (await client.get(KEY, policy=policy)).bins == {"a": 1}
        assert attempts == 3


def master_of(cluster: EmbeddedCluster, key: Key) -> EmbeddedNode:
    partition = int.from_bytes(key.digest[:2], "little") & 4095
    return cluster.node(cluster.tables["test"].master(partition))


async def stalled_master(cluster: EmbeddedCluster, client: Client) -> EmbeddedNode:
    await client.put(KEY, {"a": 1})
    node = master_of(cluster, KEY)
    node.on_request = silence
    for other in cluster.nodes:
        other.stats.reset()
    return node


@pytest.mark.parametrize("replica", [Replica.SEQUENCE, Replica.PREFER_RACK])
async def test_a_retry_asks_the_next_copy(autojump_clock: Any, replica: Replica) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            node = await stalled_master(cluster, client)
            policy = ReadPolicy(socket_timeout=0.1, max_retries=1, replica=replica)
            assert (await client.get(KEY, policy=policy)).bins == {"a": 1}
            assert trio.current_time() == pytest.approx(0.1, abs=0.01)
            assert node.stats.requests["message"] == 1
            assert sum(other.stats.requests["message"] for other in cluster.nodes) == 2


async def test_the_master_alone_is_asked_where_the_policy_says_so(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            node = await stalled_master(cluster, client)
            policy = ReadPolicy(socket_timeout=0.1, max_retries=2, replica=Replica.MASTER)
            with pytest.raises(aero.AerospikeTimeoutError) as info:
                await client.get(KEY, policy=policy)
            assert info.value.attempts == 3
            assert node.stats.requests["message"] == 3
            assert sum(other.stats.requests["message"] for other in cluster.nodes) == 3


async def test_reads_ask_the_master_first(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            for key in keys(60):
                await client.put(key, {"a": 1})
                node = master_of(cluster, key)
                for replica in Replica:
                    before = node.stats.requests["message"]
                    await client.get(key, policy=ReadPolicy(replica=replica))
                    assert node.stats.requests["message"] == before + 1


async def test_a_stalled_call_does_not_hold_up_its_neighbours(autojump_clock: Any) -> None:
    """The connection whose head is overdue takes nothing new; others go on."""
    async with one_node() as (node, client):
        for key in keys(20):
            await client.put(key, {"a": 1})
        stalled = keys(1)[0]

        async def hook(kind: str, request: Request) -> Verdict:
            if isinstance(request, Message) and request.field(wire.FIELD_DIGEST) == stalled.digest:
                return Fault.SILENCE
            return None

        node.on_request = hook
        with pytest.raises(aero.AerospikeTimeoutError):
            await client.get(stalled, policy=ReadPolicy(total_timeout=0.3))
        began = trio.current_time()
        for key in keys(20)[1:]:
            assert (await client.get(key)).bins == {"a": 1}
        assert trio.current_time() == began


# Flags ----------------------------------------------------------------------------------------------------------

READ_FLAGS: list[tuple[dict[str, Any], Callable[[Message], bool]]] = [
    ({}, lambda m: m.info1 == wire.INFO1_READ | wire.INFO1_GET_ALL and not (m.info2 or m.info3 or m.record_ttl)),
    ({"read_mode_ap": ReadModeAP.ALL}, lambda m: bool(m.info1 & wire.INFO1_CONSISTENCY_LEVEL_ALL)),
    ({"read_mode_sc": ReadModeSC.LINEARIZE}, lambda m: m.info3 == wire.INFO3_SC_READ_TYPE),
    ({"read_mode_sc": ReadModeSC.ALLOW_REPLICA}, lambda m: m.info3 == wire.INFO3_SC_READ_RELAX),
    (
        {"read_mode_sc": ReadModeSC.ALLOW_UNAVAILABLE},
        lambda m: m.info3 == wire.INFO3_SC_READ_TYPE | wire.INFO3_SC_READ_RELAX,
    ),
    ({"read_touch_ttl_percent": 80}, lambda m: m.record_ttl == 80),
    ({"read_touch_ttl_percent": -1}, lambda m: m.record_ttl == 0xFFFFFFFF),
    ({"send_key": True}, lambda m: m.field(wire.FIELD_KEY) == b"\x01" + (1).to_bytes(8, "big")),
    ({"compress": True}, lambda m: bool(m.info1 & wire.INFO1_COMPRESS_RESPONSE)),
    ({"filter_expression": b"\x93\x01\x02\x03"}, lambda m: m.field(wire.FIELD_FILTER) == b"\x93\x01\x02\x03"),
]
WRITE_FLAGS: list[tuple[dict[str, Any], Callable[[Message], bool]]] = [
    ({}, lambda m: m.info2 == wire.INFO2_WRITE and not (m.info1 or m.info3 or m.generation or m.record_ttl)),
    ({"exists": Exists.CREATE_ONLY}, lambda m: bool(m.info2 & wire.INFO2_CREATE_ONLY)),
    ({"exists": Exists.UPDATE_ONLY}, lambda m: m.info3 == wire.INFO3_UPDATE_ONLY),
    ({"exists": Exists.REPLACE}, lambda m: m.info3 == wire.INFO3_CREATE_OR_REPLACE),
    ({"exists": Exists.REPLACE_ONLY}, lambda m: m.info3 == wire.INFO3_REPLACE_ONLY),
    (
        {"generation_check": GenerationCheck.EQUAL, "generation": 7},
        lambda m: m.info2 == wire.INFO2_WRITE | wire.INFO2_GENERATION and m.generation == 7,
    ),
    (
        {"generation_check": GenerationCheck.GREATER, "generation": 8},
        lambda m: m.info2 == wire.INFO2_WRITE | wire.INFO2_GENERATION_GT and m.generation == 8,
    ),
    ({"generation": 9}, lambda m: m.info2 == wire.INFO2_WRITE and m.generation == 0),
    ({"ttl": 1000}, lambda m: m.record_ttl == 1000),
    ({"ttl": aero.TTL_NEVER_EXPIRE}, lambda m: m.record_ttl == 0xFFFFFFFF),
    ({"ttl": aero.TTL_DONT_UPDATE}, lambda m: m.record_ttl == 0xFFFFFFFE),
    ({"commit_level": CommitLevel.MASTER}, lambda m: m.info3 == wire.INFO3_COMMIT_LEVEL_MASTER),
    ({"durable_delete": True}, lambda m: bool(m.info2 & wire.INFO2_DURABLE_DELETE)),
    ({"send_key": True}, lambda m: m.field(wire.FIELD_KEY) == b"\x01" + (1).to_bytes(8, "big")),
    ({"filter_expression": b"\x93\x01\x02\x03"}, lambda m: m.field(wire.FIELD_FILTER) == b"\x93\x01\x02\x03"),
]


def named(case: object) -> str | None:
    return repr(case) if isinstance(case, dict) else ""


@pytest.mark.parametrize(("fields", "shows"), READ_FLAGS, ids=named)
async def test_the_server_sees_each_field_of_a_read_policy(
    autojump_clock: Any, fields: dict[str, Any], shows: Callable[[Message], bool]
) -> None:
    """Given with the call, or as the client's own; and not seen where it was not asked for."""
    async with open_embedded_cluster(1, memory=True) as cluster:
        heard = listen_in(cluster.nodes[0])
        async with open_on(cluster) as client, open_on(cluster, read_policy=ReadPolicy(**fields)) as other:
            for ask in (client.get(KEY, policy=ReadPolicy(**fields)), other.get(KEY), client.get(KEY)):
                with pytest.raises(aero.AerospikeError):
                    await ask
    assert [shows(message) for message in heard] == [True, True, not fields]


@pytest.mark.parametrize(("fields", "shows"), WRITE_FLAGS, ids=named)
async def test_the_server_sees_each_field_of_a_write_policy(
    autojump_clock: Any, fields: dict[str, Any], shows: Callable[[Message], bool]
) -> None:
    async def refuse(call: Any) -> None:
        try:
            await call
        except aero.AerospikeError:
            pass

    async with open_embedded_cluster(1, memory=True) as cluster:
        heard = listen_in(cluster.nodes[0])
        async with open_on(cluster) as client, open_on(cluster, write_policy=WritePolicy(**fields)) as other:
            await refuse(client.put(KEY, {"a": 1}, policy=WritePolicy(**fields)))
            await refuse(other.put(KEY, {"a": 1}))
            await refuse(client.put(KEY, {"a": 1}))
    assert [shows(message) for message in heard[:2]] == [True, True]
    assert shows(heard[2]) is (not fields or fields == {"generation": 9})


# Expiry ---------------------------------------------------------------------------------------------------------


async def test_a_record_is_gone_when_its_time_to_live_is_over(autojump_clock: Any) -> None:
    async with one_node() as (_node, client):
        short, renewed, lasting = keys(3)
        await client.put(short, {"a": 1}, ttl=60)
        await client.put(renewed, {"a": 1}, ttl=60)
        await client.put(lasting, {"a": 1}, ttl=aero.TTL_NEVER_EXPIRE)
        await trio.sleep(55)
        assert (await client.get(short)).bins == {"a": 1}
        await client.touch(renewed, ttl=60)
        await trio.sleep(10)
        with pytest.raises(aero.RecordNotFound):
            await client.get(short)
        assert await client.exists(short) is None
        assert [result.ok for result in await client.batch_read([short, renewed, lasting])] == [False, True, True]
        await client.put(short, {"b": 2}, policy=WritePolicy(exists=Exists.CREATE_ONLY))
        record = await client.get(short)
        assert record.bins == {"b": 2}
        assert record.generation == 1
        await trio.sleep(1000)
        assert (await client.get(lasting)).bins == {"a": 1}


async def test_a_read_near_the_end_of_a_records_life_renews_it(autojump_clock: Any) -> None:
    async with one_node() as (_node, client):
        read, left_alone = keys(2)
        for key in (read, left_alone):
            await client.put(key, {"a": 1}, ttl=100)
        policy = ReadPolicy(read_touch_ttl_percent=80)
        before = (await client.get(read, policy=policy)).void_time
        await trio.sleep(10)
        assert (await client.get(read, policy=policy)).void_time == before, "too early: 90 percent are left"
        await trio.sleep(40)
        await client.get(read, policy=policy)
        await client.get(left_alone, policy=ReadPolicy(read_touch_ttl_percent=-1))
        assert 49 <= (await client.get(read)).void_time - before <= 51
        await trio.sleep(60)
        assert (await client.get(read)).bins == {"a": 1}
        assert await client.exists(left_alone) is None
