"""Operations on sketches: each once at least, with what it gives back and what it leaves."""

from __future__ import annotations

import math
from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import AerospikeError, BinTypeError, Client, HyperLogLog, Key, ResultCode, hll
from trio_aerospike.operations import Operation
from trio_aerospike.operations.hll import HLLPolicy, HLLWrite

pytestmark = pytest.mark.shared_cluster

NO_FAIL = HLLPolicy(HLLWrite.NO_FAIL)


async def answer(client: Client, key: Key, operation: Operation) -> Any:
    return (await client.operate(key, [operation])).bins.get(operation.bin_name)


async def sketch_of(client: Client, key: Key, values: list[Any], *widths: int) -> HyperLogLog:
    """A sketch as the server makes it; it stays in bin "made"."""
    made = (await client.operate(key, [aero.write("made", None), hll.add("made", values, *widths)])).bins
    assert made["made"] is not None
    sketch = (await client.get(key))["made"]
    assert isinstance(sketch, HyperLogLog)
    return sketch


async def test_values_are_added_and_counted(client: Client, key: Key) -> None:
    assert await answer(client, key, hll.add("h", ["ann", "bob", "ann"], 12)) == 2
    assert await answer(client, key, hll.add("h", ["bob", b"bob", 1, 1.0, None, True])) == 5
    assert await answer(client, key, hll.get_count("h")) == 7
    assert await answer(client, key, hll.may_contain("h", ["ann", 1])) == 1
    assert await answer(client, key, hll.may_contain("h", ["ann", "eve"])) == 0
    assert await answer(client, key, hll.describe("h")) == [12, 0]


@pytest.mark.parametrize(("index_bits", "minhash_bits"), [(4, 0), (8, 4), (10, 51), (12, 0), (16, 48)])
async def test_a_sketch_counts_within_its_error(client: Client, key: Key, index_bits: int, minhash_bits: int) -> None:
    await client.operate(key, [hll.init("h", index_bits, minhash_bits)])
    for start in range(0, 2000, 500):
        await client.operate(key, [hll.add("h", list(range(start, start + 500)))])
    assert await answer(client, key, hll.describe("h")) == [index_bits, minhash_bits]
    count = await answer(client, key, hll.get_count("h"))
    assert math.isclose(count, 2000, rel_tol=4 * 1.04 / math.sqrt(1 << index_bits))
    assert await answer(client, key, hll.refresh_count("h")) == count
    assert await answer(client, key, hll.get_count("h")) == count


async def test_a_sketch_is_emptied_folded_and_written_back(client: Client, key: Key) -> None:
    await client.operate(key, [hll.add("h", list(range(100)), 10)])
    whole = (await client.get(key))["h"]
    await client.operate(key, [hll.fold("h", 6)])
    assert await answer(client, key, hll.describe("h")) == [6, 0]
    await client.operate(key, [hll.init("h")])
    assert await answer(client, key, hll.get_count("h")) == 0
    await client.operate(key, [hll.init("h", 5, 7)])
    assert await answer(client, key, hll.describe("h")) == [5, 7]
    await client.put(key, {"h": whole})
    assert await answer(client, key, hll.get_count("h")) in range(95, 106)


async def test_sketches_are_united_intersected_and_compared(client: Client, key: Key) -> None:
    other = await sketch_of(client, key, list(range(500, 1500)), 12, 20)
    await client.operate(key, [hll.add("h", list(range(1000)), 12, 20)])
    both = await answer(client, key, hll.get_union("h", [other]))
    assert isinstance(both, HyperLogLog)
    assert math.isclose(await answer(client, key, hll.get_union_count("h", [other])), 1500, rel_tol=0.07)
    assert math.isclose(await answer(client, key, hll.get_intersect_count("h", [other])), 500, rel_tol=0.15)
    assert math.isclose(await answer(client, key, hll.get_similarity("h", [other])), 1 / 3, rel_tol=0.15)
    assert await answer(client, key, hll.get_similarity("h", [other] * 3)) > 0.2
    await client.operate(key, [hll.set_union("h", [other])])
    assert (await client.get(key))["h"] == both


async def test_a_union_folds_only_where_it_is_allowed_to(client: Client, key: Key) -> None:
    small = await sketch_of(client, key, [1, 2, 3], 6)
    await client.operate(key, [hll.add("h", [4, 5], 10, 8)])
    with pytest.raises(AerospikeError) as caught:
        await client.operate(key, [hll.set_union("h", [small])])
    assert caught.value.result_code == ResultCode.OP_NOT_APPLICABLE
    await client.operate(key, [hll.set_union("h", [small], policy=HLLPolicy(HLLWrite.ALLOW_FOLD))])
    assert await answer(client, key, hll.describe("h")) == [6, 0]
    assert await answer(client, key, hll.get_count("h")) == 5
    await client.operate(key, [hll.set_union("fresh", [small])])
    assert (await client.get(key))["fresh"] == small


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (hll.init("none"), ResultCode.OP_NOT_APPLICABLE),
        (hll.add("none", [1]), ResultCode.OP_NOT_APPLICABLE),
        (hll.init("none", 8, policy=HLLPolicy(HLLWrite.UPDATE_ONLY)), ResultCode.BIN_NOT_FOUND),
        (hll.refresh_count("none"), ResultCode.BIN_NOT_FOUND),
        (hll.fold("none", 4), ResultCode.BIN_NOT_FOUND),
        (hll.fold("h", 9), ResultCode.OP_NOT_APPLICABLE),
        (hll.add("h", [1], policy=HLLPolicy(HLLWrite.CREATE_ONLY)), ResultCode.BIN_EXISTS),
    ],
)
async def test_a_refused_operation_leaves_everything_as_it_was(
    client: Client, key: Key, operation: Operation, code: ResultCode
) -> None:
    await client.operate(key, [hll.add("h", [1, 2], 8)])
    before = await client.get(key)
    with pytest.raises(AerospikeError) as caught:
        await client.operate(key, [hll.add("h", [3]), operation])
    assert caught.value.result_code == code
    after = await client.get(key)
    assert (after.bins, after.generation) == (before.bins, before.generation)


async def test_flags_that_deny_a_write_deny_it_quietly_with_no_fail(client: Client, key: Key) -> None:
    await client.operate(key, [hll.add("h", [1, 2], 8)])
    policy = HLLPolicy(HLLWrite.CREATE_ONLY | HLLWrite.NO_FAIL)
    await client.operate(key, [hll.init("h", 4, policy=policy), hll.add("h", [3], 4, policy=policy)])
    assert await answer(client, key, hll.describe("h")) == [8, 0]
    assert await answer(client, key, hll.get_count("h")) == 2


@pytest.mark.parametrize("value", ["text", 5, b"blob", [1]])
async def test_a_bin_that_holds_no_sketch_is_refused(client: Client, key: Key, value: Any) -> None:
    await client.put(key, {"h": value})
    for operation in (hll.get_count("h"), hll.add("h", [1], 8, policy=NO_FAIL)):
        with pytest.raises(BinTypeError):
            await client.operate(key, [operation])


async def test_a_read_of_a_bin_that_does_not_exist_gives_nothing(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1})
    assert (await client.operate(key, [hll.get_count("h")])).bins == {"h": None}


async def test_sketches_are_written_and_read_in_a_batch(client: Client, keys: Any) -> None:
    chosen = [keys() for _ in range(5)]
    for row in await client.batch_operate(chosen, [hll.add("h", ["a", "b"], 8)]):
        assert row.record is not None and row.record["h"] == 2
    for row in await client.batch_operate(chosen, [hll.get_count("h")]):
        assert row.record is not None and row.record["h"] == 2
