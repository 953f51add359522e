"""truncate: everything in a set at once, or what is older than a moment."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import Client, Key
from trio_aerospike.server import Fault, Verdict, open_embedded_cluster
from trio_aerospike.server.faults import Request

from .conftest import Keys, Target


@pytest.fixture
def set_keys(keys: Keys) -> list[Key]:
    """Keys in a set of their own: a truncated set must be nobody else's."""
    return [keys.adopt(Key("test", f"cut-{keys.prefix[:2]}", f"{keys.prefix}-{number}")) for number in range(20)]


async def gone(client: Client, keys: list[Key]) -> None:
    """Wait until none is there: the nodes learn of a truncation one after the other."""
    with trio.fail_after(20):
        while any(result.ok for result in await client.batch_read(keys, [])):
            await trio.lowlevel.checkpoint()


async def written_before_now(client: Client, key: Key) -> None:
    """Wait for the server's clock to be past the last write: what is written in the truncation's millisecond stays."""
    until = time.time() + 0.003
    while time.time() < until:
        await client.exists(key)


async def test_truncate_empties_a_set_and_no_other(client: Client, keys: Keys, set_keys: list[Key]) -> None:
    other = keys()
    for key in (*set_keys, other):
        await client.put(key, {"a": 1})
    await written_before_now(client, other)
    await client.truncate("test", set_keys[0].set_name)
    await gone(client, set_keys)
    assert (await client.get(other)).bins == {"a": 1}


async def test_a_truncated_set_takes_records_again(client: Client, set_keys: list[Key]) -> None:
    for key in set_keys:
        await client.put(key, {"a": 1})
    await written_before_now(client, set_keys[0])
    await client.truncate("test", set_keys[0].set_name)
    await gone(client, set_keys)
    await client.put(set_keys[0], {"b": 2})
    record = await client.get(set_keys[0])
    assert record.bins == {"b": 2}
    assert record.generation == 1


async def test_truncate_before_a_time_leaves_what_is_younger(client: Client, set_keys: list[Key]) -> None:
    old, young = set_keys[:10], set_keys[10:]
    for key in old:
        await client.put(key, {"a": 1})
    await written_before_now(client, old[0])
    moment = time.time_ns()
    await written_before_now(client, old[0])
    for key in young:
        await client.put(key, {"a": 2})
    await written_before_now(client, young[0])
    await client.truncate("test", set_keys[0].set_name, before_nanos=moment)
    await gone(client, old)
    assert [result.unwrap()["a"] for result in await client.batch_read(young)] == [2] * 10


async def test_a_time_may_be_said_as_a_datetime_of_any_zone(client: Client, set_keys: list[Key]) -> None:
    old, young = set_keys[:10], set_keys[10:]
    for key in old:
        await client.put(key, {"a": 1})
    await written_before_now(client, old[0])
    moment = datetime.now(timezone(timedelta(hours=-7)))
    await written_before_now(client, old[0])
    for key in young:
        await client.put(key, {"a": 2})
    await client.truncate("test", set_keys[0].set_name, before=moment)
    await gone(client, old)
    assert [result.unwrap()["a"] for result in await client.batch_read(young)] == [2] * 10


async def test_a_datetime_in_the_future_or_before_2010_is_refused_by_the_server(
    client: Client, set_keys: list[Key]
) -> None:
    await client.put(set_keys[0], {"a": 1})
    for moment, why in (
        (datetime.now(UTC) + timedelta(hours=1), "future"),
        (datetime.max.replace(tzinfo=UTC), "future"),
        (datetime(2009, 12, 31, tzinfo=UTC), "truncate to 0"),
        (datetime(1970, 1, 1, tzinfo=UTC), "truncate to 0"),
    ):
        with pytest.raises(aero.ServerError, match=why) as info:
            await client.truncate("test", set_keys[0].set_name, before=moment)
        assert info.value.result_code == aero.ResultCode.PARAM
    assert (await client.get(set_keys[0])).bins == {"a": 1}


@pytest.mark.parametrize(
    "before",
    [datetime(2026, 1, 1), datetime(1969, 12, 31, tzinfo=UTC), 1_700_000_000, "2026-01-01", date(2026, 1, 1), False],
    ids=repr,
)
async def test_what_is_no_moment_is_refused(client: Client, before: Any) -> None:
    with pytest.raises(aero.InvalidArgError, match=r"truncate\.before: got .* a time zone"):
        await client.truncate("test", "set", before=before)


async def test_a_moment_is_said_once(client: Client) -> None:
    with pytest.raises(aero.InvalidArgError, match=r"truncate\.before_nanos: got 5"):
        await client.truncate("test", "set", before=datetime.now(UTC), before_nanos=5)


async def test_truncate_before_everything_takes_nothing(client: Client, set_keys: list[Key]) -> None:
    moment = time.time_ns() - 3_600_000_000_000
    for key in set_keys:
        await client.put(key, {"a": 1})
    await client.truncate("test", set_keys[0].set_name, before_nanos=moment)
    assert all(result.ok for result in await client.batch_read(set_keys))


async def test_truncate_in_the_future_is_refused_by_the_server(client: Client, set_keys: list[Key]) -> None:
    await client.put(set_keys[0], {"a": 1})
    with pytest.raises(aero.ServerError) as info:
        await client.truncate("test", set_keys[0].set_name, before_nanos=time.time_ns() + 3_600_000_000_000)
    assert info.value.result_code == aero.ResultCode.PARAM
    assert "future" in str(info.value)
    assert (await client.get(set_keys[0])).bins == {"a": 1}


async def test_truncate_of_a_whole_namespace(client: Client, target: Target, set_keys: list[Key]) -> None:
    """On a cluster that is not ours only up to a moment that is older than any test: others may be at work there."""
    bare = Key("test", None, str(set_keys[0].user_key))
    for key in (*set_keys, bare):
        await client.put(key, {"a": 1})
    await written_before_now(client, bare)
    if target.embedded is not None:
        await client.truncate("test")
        await gone(client, [*set_keys, bare])
    else:
        await client.truncate("test", before_nanos=1_300_000_000_000_000_000)
        assert (await client.get(bare)).bins == {"a": 1}
        await client.remove(bare)


@pytest.mark.parametrize(
    ("namespace", "set_name", "before"),
    [
        ("", "set", 0),
        ("n" * 32, "set", 0),
        ("test;set=x", None, 0),
        ("test", "s" * 64, 0),
        ("test", "a;lut=1", 0),
        ("test", 5, 0),
        (None, "set", 0),
        ("test", "set", -1),
        ("test", "set", 1.5),
        ("test", "set", True),
    ],
    ids=repr,
)
async def test_wrong_arguments_are_refused(
    client: Client, target: Target, namespace: Any, set_name: Any, before: Any
) -> None:
    with pytest.raises(aero.InvalidArgError, match="truncate"):
        await client.truncate(namespace, set_name, before_nanos=before)
    if target.embedded is not None:
        assert all(not store.config.truncation.sets for node in target.embedded.nodes for store in node.stores.values())


async def test_a_truncate_that_may_have_arrived_is_in_doubt_and_not_told_to_another_node(
    autojump_clock: object,
) -> None:
    async with open_embedded_cluster(nodes=3, memory=True) as cluster:
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            seen = 0

            async def silence(kind: str, request: Request) -> Verdict:
                nonlocal seen
                if isinstance(request, list) and any(name.startswith("truncate") for name in request):
                    seen += 1
                    return Fault.SILENCE
                return None

            for node in cluster.nodes:
                node.on_request = silence
            with pytest.raises(aero.AerospikeTimeoutError) as caught:
                await client.truncate("test", "users")
            assert caught.value.in_doubt
            assert seen == 1
