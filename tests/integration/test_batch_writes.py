"""Batches that write, remove and operate, mixed ones, and streams of many records; on embedded servers or real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import (
    BatchPolicy,
    BatchRead,
    BatchRemove,
    BatchRemovePolicy,
    BatchWrite,
    BatchWritePolicy,
    Client,
    Key,
    ResultCode,
    exp,
)

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

LIMIT = BatchPolicy(total_timeout=30.0)


async def test_what_a_batch_writes_is_read_back(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(300)]
    results = await client.batch_write(
        [(key, {"n": number, "s": f"text {number}"}) for number, key in enumerate(wanted)]
    )
    assert results.ok
    assert [result.key for result in results] == wanted
    assert {(result.unwrap().generation, len(result.unwrap().bins)) for result in results} == {(1, 0)}
    found = await client.batch_read(wanted)
    assert [result.unwrap().bins for result in found] == [{"n": n, "s": f"text {n}"} for n in range(300)]
    assert found.of(wanted[17]) is found[17]


async def test_a_batch_writes_every_kind_of_value(client: Client, keys: Keys) -> None:
    values = [
        7,
        1.5,
        "text",
        b"bytes",
        True,
        [1, "a", None],
        {"a": {"b": [1]}},
        aero.GeoJSON({"type": "Point", "coordinates": [1, 2]}),
    ]
    wanted = [keys() for _ in values]
    assert (await client.batch_write([(key, {"v": value}) for key, value in zip(wanted, values, strict=True)])).ok
    assert [result.unwrap()["v"] for result in await client.batch_read(wanted)] == values


async def test_times_to_live_of_the_call_and_of_a_record(client: Client, keys: Keys) -> None:
    first, second, third = keys(), keys(), keys()
    await client.batch_write(
        [
            (first, {"a": 1}),
            BatchWrite(second, {"a": 1}, ttl=500),
            BatchWrite(third, {"a": 1}, ttl=aero.TTL_NEVER_EXPIRE),
        ],
        ttl=1000,
    )
    ttls = [result.unwrap().ttl for result in await client.batch_read([first, second, third])]
    assert ttls[0] is not None and 900 < ttls[0] <= 1001
    assert ttls[1] is not None and 400 < ttls[1] <= 501
    assert ttls[2] is None


async def test_policies_of_one_record_are_no_other_records(client: Client, keys: Keys) -> None:
    a, b, c, d, e = (keys() for _ in range(5))
    for key in (a, b, e):
        await client.put(key, {"n": 1})
    results = await client.batch(
        [
            BatchWrite(a, {"n": 2}, generation=5),
            BatchWrite(b, {"n": 2}, generation=1),
            BatchWrite(c, {"n": 2}, policy=BatchWritePolicy(exists=aero.Exists.UPDATE_ONLY)),
            BatchWrite(d, {"n": 2}, policy=BatchWritePolicy(send_key=True)),
            BatchWrite(e, {"n": 2}, policy=BatchWritePolicy(exists=aero.Exists.CREATE_ONLY)),
        ]
    )
    assert [result.result_code for result in results] == [
        ResultCode.RECORD_GENERATION,
        0,
        ResultCode.RECORD_NOT_FOUND,
        0,
        ResultCode.RECORD_EXISTS,
    ]
    assert isinstance(results[0].error, aero.errors.RecordGenerationError)
    assert not any(result.in_doubt for result in results)
    assert [result.unwrap()["n"] for result in await client.batch_read([a, b, d, e])] == [1, 2, 2, 1]


async def test_operations_on_many_records_give_bins_and_every_result_in_order(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(100)]
    await client.batch_write([(key, {"n": number}) for number, key in enumerate(wanted)])
    results = await client.batch_operate(
        wanted, [aero.increment("n", 10), aero.read("n"), aero.write("s", "x"), aero.read("s")]
    )
    assert [result.unwrap().bins for result in results] == [{"n": number + 10, "s": "x"} for number in range(100)]
    assert results[3].ordered == [("n", None), ("n", 13), ("s", None), ("s", "x")]
    only_reads = await client.batch_operate(wanted, [aero.read("s")])
    assert {result.unwrap()["s"] for result in only_reads} == {"x"}
    with_operations = await client.batch_read(wanted, operations=[aero.read("n")])
    assert [result.unwrap().bins for result in with_operations] == [{"n": number + 10} for number in range(100)]


async def test_an_operation_that_does_not_fit_one_record_fails_that_one(client: Client, keys: Keys) -> None:
    number, text, missing = keys(), keys(), keys()
    await client.put(number, {"v": 1})
    await client.put(text, {"v": "one"})
    results = await client.batch_operate([number, text, missing], [aero.increment("v", 1), aero.read("v")])
    assert [result.result_code for result in results] == [0, ResultCode.BIN_TYPE, 0]
    assert results[0].unwrap()["v"] == 2 and results[2].unwrap()["v"] == 1
    assert isinstance(results[1].error, aero.BinTypeError)


async def test_records_are_removed_and_missing_ones_say_so(client: Client, keys: Keys) -> None:
    there, missing, changed = keys(), keys(), keys()
    await client.put(there, {"a": 1})
    await client.put(changed, {"a": 1})
    results = await client.batch([BatchRemove(there), BatchRemove(missing), BatchRemove(changed, generation=7)])
    assert [result.result_code for result in results] == [0, 2, ResultCode.RECORD_GENERATION]
    assert isinstance(results[1].error, aero.RecordNotFound)
    assert [await client.exists(key) is not None for key in (there, changed)] == [False, True]
    again = await client.batch_remove(
        [changed], remove_policy=BatchRemovePolicy(generation_check=aero.GenerationCheck.EQUAL, generation=1)
    )
    assert again.ok and await client.exists(changed) is None


async def test_records_of_every_kind_in_one_batch(client: Client, keys: Keys) -> None:
    read, written, removed, operated, missing = (keys() for _ in range(5))
    await client.batch_write([(key, {"a": 1, "b": 2}) for key in (read, removed, operated)])
    results = await client.batch(
        [
            BatchRead(read),
            BatchRead(read, ["b"]),
            BatchRead(read, []),
            BatchRead(read, operations=[aero.read("a")]),
            BatchWrite(written, {"c": 3}),
            BatchRemove(removed),
            BatchWrite(operated, operations=[aero.increment("a", 5), aero.read_all()]),
            BatchRead(missing),
        ]
    )
    assert [result.result_code for result in results] == [0, 0, 0, 0, 0, 0, 0, 2]
    assert [result.unwrap().bins for result in results[:4]] == [{"a": 1, "b": 2}, {"b": 2}, {}, {"a": 1}]
    assert results[6].unwrap().bins == {"a": 6, "b": 2}
    assert (await client.get(written)).bins == {"c": 3}
    assert await client.exists(removed) is None


async def test_a_filter_of_the_batch_and_one_of_a_record(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(10)]
    await client.batch_write([(key, {"n": number}) for number, key in enumerate(wanted)])
    big = exp.int_bin("n") >= 5
    results = await client.batch_read(wanted, policy=BatchPolicy(filter_expression=big))
    assert [result.result_code for result in results] == [ResultCode.FILTERED_OUT] * 5 + [0] * 5
    assert isinstance(results[0].error, aero.FilteredOut)
    own = aero.BatchReadPolicy(filter_expression=exp.int_bin("n") == 0)
    mixed = await client.batch(
        [BatchRead(wanted[0], policy=own), BatchRead(wanted[0]), BatchRead(wanted[7]), BatchWrite(wanted[1], {"n": 9})],
        policy=BatchPolicy(filter_expression=big),
    )
    assert [result.result_code for result in mixed] == [0, 27, 0, 27]
    assert (await client.get(wanted[1]))["n"] == 1


@pytest.mark.parametrize("respond_all", [True, False])
async def test_respond_all_keys_decides_between_all_results_and_the_failure(
    client: Client, keys: Keys, respond_all: bool
) -> None:
    wanted = [keys() for _ in range(20)]
    await client.put(wanted[4], {"v": "text"})
    policy = BatchPolicy(respond_all_keys=respond_all)
    results = await client.batch_operate(wanted, [aero.increment("v", 1)], policy=policy)
    assert results[4].result_code == ResultCode.BIN_TYPE
    if respond_all:
        assert [result.ok for result in results] == [number != 4 for number in range(20)]
    else:
        # What is left out of the answer may have been done all the same.
        assert all(result.ok or result.in_doubt for result in results if result is not results[4])


async def test_nothing_to_do_is_nothing_sent(client: Client, nothing_sent: Callable[[], None]) -> None:
    assert await client.batch([]) == []
    assert await client.batch_write([]) == []
    assert await client.batch_remove(iter(())) == []
    assert await client.batch_operate([], [aero.read("a")]) == []
    assert await client.batch_apply([], "module", "function") == []
    nothing_sent()


async def test_wrong_records_are_refused_before_anything_is_sent(
    client: Client, key: Key, nothing_sent: Callable[[], None]
) -> None:
    good = (key, {"a": 1})
    for call, words in (
        (lambda: client.batch_write([good, (key, {})]), "1 to 32767 bins"),
        (lambda: client.batch_write([good, (key, {"a": object()})]), "bin 'a'"),
        (lambda: client.batch_write([good, key]), "batch_write.records[1]"),  # type: ignore[list-item]
        (lambda: client.batch_write({key: {"a": 1}}), "batch_write.records"),  # type: ignore[dict-item]
        (lambda: client.batch_remove([key, 5]), "key: got 5"),  # type: ignore[list-item]
        (lambda: client.batch_operate([key], []), "batch_operate.operations: got none"),
        (lambda: client.batch_operate([key], [aero.read("a")], ttl=5), "batch_operate.ttl: got 5"),
        (lambda: client.batch_read([key], ["a"], operations=[aero.read("a")]), "allowed: one of them"),
        (lambda: client.batch_read([key], operations=[aero.touch()]), "got one that writes"),
        (lambda: client.batch([BatchRead(key), good]), "batch.records[1]"),  # type: ignore[list-item]
        (lambda: client.batch_apply([key], "", "f"), "batch_apply.module"),
        (lambda: client.batch_apply([key], "m", "f", "abc"), "batch_apply.arguments"),
        (lambda: client.batch_apply([key], "m", "f", [object()]), "batch_apply.arguments"),
    ):
        with pytest.raises(aero.InvalidArgError) as caught:
            await call()
        assert words in str(caught.value)
    for make, words in (
        (lambda: BatchWrite(key), "BatchWrite: got neither of bins and operations"),
        (lambda: BatchWrite(key, {"a": 1}, operations=[aero.touch()]), "BatchWrite: got both"),
        (lambda: BatchWrite(key, operations=[aero.read("a")]), "got only reads"),
        (lambda: BatchWrite(key, {"a": 1}, ttl=-5), "BatchWrite.ttl: got -5"),
        (lambda: BatchWrite(key, {"a": 1}, generation=-1), "BatchWrite.generation: got -1"),
        (lambda: BatchRemove(key, policy=BatchWritePolicy()), "a BatchRemovePolicy"),  # type: ignore[arg-type]
        (lambda: BatchRead(key, "ab"), "BatchRead.bins: got 'ab'"),
    ):
        with pytest.raises(aero.InvalidArgError) as caught:
            make()
        assert words in str(caught.value)
    nothing_sent()


async def test_a_hundred_thousand_keys_in_one_call(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(1000)]
    await client.batch_write([(key, {"n": number}) for number, key in enumerate(wanted)], policy=LIMIT)
    results = await client.batch_read(
        [wanted[number % 1000] for number in range(100_003)], policy=BatchPolicy(total_timeout=120.0)
    )
    assert len(results) == 100_003
    assert all(
        result.record is not None and result.record["n"] == number % 1000 for number, result in enumerate(results)
    )


async def test_many_are_put_and_got_as_streams(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(3000)]

    async def records_to_put() -> AsyncIterator[tuple[Key, dict[str, int]]]:
        for number, key in enumerate(wanted):
            if number % 500 == 0:
                await trio.lowlevel.checkpoint()
            yield key, {"n": number}

    async with client.put_many(records_to_put(), in_flight=200, policy=LIMIT) as written:
        async for result in written:
            assert result.ok, result
    assert (written.taken, written.delivered, written.failed) == (3000, 3000, 0)
    asked = [*wanted, keys("missing")]
    numbers, missing = [], []
    async with client.get_many(iter(asked), in_flight=200, bins=["n"], policy=LIMIT) as found:
        async for result in found:
            if result.record is None:
                missing.append(result)
            else:
                numbers.append(result.record["n"])
    assert sorted(numbers) == list(range(3000))
    assert [(result.key, result.result_code) for result in missing] == [(asked[-1], 2)]
    assert found.failed == 1


async def test_a_stream_that_is_left_early_leaves_the_client_at_its_best(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(100)]
    await client.batch_write([(key, {"n": 1}) for key in wanted])
    for _ in range(20):
        async with client.get_many((wanted[number % 100] for number in range(100_000)), policy=LIMIT) as results:
            async for _ in results:
                break
    assert (await client.batch_read(wanted)).ok
