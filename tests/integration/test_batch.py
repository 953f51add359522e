"""batch_read: many records in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import BatchConcurrency, BatchPolicy, Client, Key, ResultCode

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

MANY = 5003  # more than one request may hold
LIMIT = BatchPolicy(total_timeout=30.0)


async def fill(client: Client, keys: list[Key]) -> None:
    """Write every key's number into it, many at a time."""
    numbered = enumerate(keys)

    async def work() -> None:
        for number, key in numbered:
            await client.put(key, {"n": number, "s": f"text {number}"}, policy=aero.WritePolicy(total_timeout=30.0))

    async with trio.open_nursery() as nursery:
        for _ in range(64):
            nursery.start_soon(work)


async def test_results_come_in_the_order_of_the_keys(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(50)]
    await fill(client, wanted)
    asked = wanted[::-1]
    results = await client.batch_read(asked)
    assert [result.key for result in results] == asked
    assert all(result.ok and result.result_code == 0 and result.error is None for result in results)
    assert [result.unwrap().bins for result in results] == [
        {"n": number, "s": f"text {number}"} for number in range(49, -1, -1)
    ]
    assert {result.unwrap().generation for result in results} == {1}
    assert [result.unwrap().key for result in results] == asked


async def test_a_missing_record_fails_none_of_the_others(client: Client, keys: Keys) -> None:
    there, missing, too = keys(), keys(), keys()
    await fill(client, [there, too])
    first, second, third = await client.batch_read([there, missing, too])
    assert first.unwrap()["n"] == 0
    assert third.unwrap()["n"] == 1
    assert not second.ok
    assert second.result_code == ResultCode.RECORD_NOT_FOUND
    assert second.record is None
    assert isinstance(second.error, aero.RecordNotFound)
    with pytest.raises(aero.RecordNotFound):
        second.unwrap()


async def test_when_all_are_missing_each_says_so(client: Client, keys: Keys) -> None:
    results = await client.batch_read([keys() for _ in range(10)])
    assert [result.result_code for result in results] == [2] * 10


async def test_a_key_may_be_asked_for_more_than_once(client: Client, keys: Keys) -> None:
    one, two = keys(), keys()
    await fill(client, [one, two])
    results = await client.batch_read([one, two, one, one, two])
    assert [result.unwrap()["n"] for result in results] == [0, 1, 0, 0, 1]


async def test_only_the_bins_that_are_asked_for_come_back(client: Client, keys: Keys) -> None:
    wanted = [keys(), keys()]
    await fill(client, wanted)
    assert [r.unwrap().bins for r in await client.batch_read(wanted, ["s", "nothing"])] == [
        {"s": "text 0"},
        {"s": "text 1"},
    ]
    assert [r.unwrap().bins for r in await client.batch_read(wanted, ["nothing"])] == [{}, {}]


async def test_no_bins_at_all_tell_what_exists(client: Client, keys: Keys) -> None:
    there, missing = keys(), keys()
    await client.put(there, {"a": 1}, ttl=1000)
    found, none = await client.batch_read([there, missing], [])
    assert found.unwrap().bins == {}
    assert found.unwrap().generation == 1
    ttl = found.unwrap().ttl
    assert ttl is not None
    assert 990 <= ttl <= 1001
    assert none.result_code == 2


async def test_no_keys_give_no_results_and_send_nothing(client: Client, nothing_sent: Callable[[], None]) -> None:
    assert await client.batch_read([]) == []
    assert await client.batch_read(iter(())) == []
    nothing_sent()


async def test_keys_may_be_tuples_in_any_iterable(client: Client, keys: Keys) -> None:
    wanted = [keys(), keys()]
    await fill(client, wanted)
    tuples = ((key.namespace, key.set_name, str(key.user_key)) for key in wanted)
    assert [result.unwrap()["n"] for result in await client.batch_read(tuples)] == [0, 1]


async def test_keys_of_several_sets_and_of_none(client: Client, keys: Keys) -> None:
    wanted = [
        keys(),
        keys.adopt(Key("test", f"{keys.set_name}-u", keys.prefix)),
        keys.adopt(Key("test", None, keys.prefix)),
    ]
    await fill(client, wanted)
    assert [result.unwrap()["n"] for result in await client.batch_read(wanted)] == [0, 1, 2]


async def test_the_same_user_key_in_another_set_is_another_record(client: Client, keys: Keys) -> None:
    here = keys()
    there = Key("test", f"{keys.set_name}-u", str(here.user_key))
    await client.put(here, {"a": 1})
    first, second = await client.batch_read([here, there])
    assert first.ok
    assert second.result_code == 2


async def test_a_namespace_that_is_not_there_among_others_is_the_servers_error(client: Client, keys: Keys) -> None:
    key = keys()
    await client.put(key, {"a": 1})
    with pytest.raises(aero.ServerError) as info:
        await client.batch_read([key, ("nowhere", "set", 1)])
    assert info.value.result_code == ResultCode.INVALID_NAMESPACE
    assert "nowhere" in str(info.value)


async def test_a_row_that_the_server_refuses_fails_none_of_the_others(client: Client, keys: Keys) -> None:
    """A digest whose record lies in another set than the key says is refused by the server, row by row."""
    one, two, three = keys(), keys(), keys()
    await fill(client, [one, two, three])
    wrong = Key.from_digest(two.namespace, f"{two.set_name}-x", two.digest)
    first, second, third = await client.batch_read([one, wrong, three])
    assert first.unwrap()["n"] == 0
    assert third.unwrap()["n"] == 2
    assert second.result_code == ResultCode.PARAM
    assert isinstance(second.error, aero.ServerError)


@pytest.mark.parametrize("count", [MANY, 20011], ids=["a second request", "several requests to each node"])
async def test_more_keys_than_one_request_holds(client: Client, keys: Keys, count: int) -> None:
    wanted = [keys() for _ in range(1000)]
    await fill(client, wanted)
    asked = [wanted[number % 1000] if number % 7 else keys(f"missing {number}") for number in range(count)]
    keys.made[1000:] = []  # the missing ones need no cleaning up
    results = await client.batch_read(asked, policy=LIMIT)
    assert len(results) == count
    for number, result in enumerate(results):
        assert result.key is asked[number]
        if number % 7:
            assert result.unwrap().bins == {"n": number % 1000, "s": f"text {number % 1000}"}
        else:
            assert result.result_code == 2


async def test_large_records_come_whole(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(40)]
    for number, key in enumerate(wanted):
        await client.put(key, {"big": bytes([number]) * 200_000})
    results = await client.batch_read(wanted, policy=LIMIT)
    assert [result.unwrap()["big"] for result in results] == [bytes([number]) * 200_000 for number in range(40)]


@pytest.mark.parametrize(
    "policy",
    [
        BatchPolicy(allow_inline=False),
        BatchPolicy(allow_inline_ssd=True),
        BatchPolicy(concurrency=BatchConcurrency.SEQUENTIAL),
        BatchPolicy(respond_all_keys=False),
    ],
    ids=["not inline", "inline from disk", "one node after the other", "not all keys"],
)
async def test_every_batch_policy_gives_every_record(client: Client, keys: Keys, policy: BatchPolicy) -> None:
    wanted = [keys() for _ in range(100)]
    await fill(client, wanted[:99])
    results = await client.batch_read(wanted, policy=policy)
    assert [result.unwrap()["n"] for result in results[:99]] == list(range(99))
    assert results[99].result_code == 2


async def test_batches_run_beside_each_other_and_beside_single_reads(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(200)]
    await fill(client, wanted)
    right: list[bool] = []

    async def batch(start: int) -> None:
        results = await client.batch_read(wanted[start : start + 50], policy=LIMIT)
        right.append([result.unwrap()["n"] for result in results] == list(range(start, start + 50)))

    async def single(number: int) -> None:
        right.append((await client.get(wanted[number]))["n"] == number)

    async with trio.open_nursery() as nursery:
        for number in range(150):
            nursery.start_soon(batch, number)
            nursery.start_soon(single, number)
    assert right == [True] * 300


async def test_a_batch_may_renew_what_it_reads(client: Client, keys: Keys) -> None:
    key = keys()
    await client.put(key, {"a": 1}, ttl=1000)
    before = (await client.get(key)).void_time
    with trio.fail_after(20):
        while True:
            [result] = await client.batch_read([key], policy=BatchPolicy(read_touch_ttl_percent=100))
            if result.unwrap().void_time != before:
                break
    assert result.unwrap().void_time > before


async def test_a_batch_sends_no_keys(client: Client, key: Key, nothing_sent: Callable[[], None]) -> None:
    with pytest.raises(aero.InvalidArgError, match="send_key"):
        await client.batch_read([key], policy=BatchPolicy(send_key=True))
    nothing_sent()


@pytest.mark.parametrize("what", ["batch_read", "batch_write", "batch_operate", "batch_remove", "batch"])
async def test_other_tasks_run_while_a_large_batch_is_encoded(
    client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("trio_aerospike.fairness.TIME_SLICE", 0.0)
    taken, seen = 0, set()

    def all_of_them() -> Iterator[Any]:
        nonlocal taken
        for _ in range(3000):
            key = keys()
            taken += 1
            yield (key, {"n": 1}) if what == "batch_write" else aero.BatchRead(key) if what == "batch" else key

    async def watch() -> None:
        while True:
            seen.add(taken)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        arguments = ([aero.increment("n", 1)],) if what == "batch_operate" else ()
        results = await getattr(client, what)(all_of_them(), *arguments, policy=BatchPolicy(total_timeout=60.0))
        nursery.cancel_scope.cancel()
    assert len(results) == 3000
    assert len([number for number in seen if 0 < number < 3000]) >= 5
