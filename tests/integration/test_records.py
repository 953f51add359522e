"""The commands on one record."""

from __future__ import annotations

from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import Client, Key, Record, ResultCode, operations as op

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster


def code_of(info: pytest.ExceptionInfo[aero.AerospikeError]) -> int:
    return int(info.value.result_code)


# put, get, select, exists ---------------------------------------------------------------------------------------


async def test_what_is_put_can_be_got(client: Client, key: Key) -> None:
    await client.put(key, {"name": "Ann", "age": 41})
    record = await client.get(key)
    assert isinstance(record, Record)
    assert record.key == key
    assert record.bins == {"name": "Ann", "age": 41}
    assert record.generation == 1


async def test_a_tuple_is_as_good_as_a_key(client: Client, keys: Keys) -> None:
    key = keys()
    await client.put((key.namespace, key.set_name, str(key.user_key)), {"a": 1})
    assert (await client.get((key.namespace, key.set_name, str(key.user_key)))).bins == {"a": 1}
    assert (await client.get(Key.from_digest(key.namespace, key.set_name, key.digest))).bins == {"a": 1}


@pytest.mark.parametrize("user_key", [0, -1, 2**63 - 1, -(2**63), b"\x00\xff", "ключ", "", b""], ids=repr)
async def test_user_keys_of_every_type_name_records_of_their_own(client: Client, keys: Keys, user_key: Any) -> None:
    key = keys.adopt(Key("test", f"{keys.set_name}-u", user_key))
    await client.put(key, {"mine": keys.prefix})
    assert (await client.get(key)).bins == {"mine": keys.prefix}
    await client.remove(key)
    assert await client.exists(key) is None


async def test_a_record_may_live_outside_of_any_set(client: Client, keys: Keys) -> None:
    key = keys.adopt(Key("test", None, keys.prefix))
    await client.put(key, {"a": 1})
    assert (await client.get(key)).bins == {"a": 1}


async def test_put_adds_bins_to_those_that_are_there_and_counts_the_generation_up(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    await client.put(key, {"b": 3, "c": 4})
    record = await client.get(key)
    assert record.bins == {"a": 1, "b": 3, "c": 4}
    assert record.generation == 2


async def test_put_of_none_removes_the_bin_and_of_the_last_one_the_record(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    await client.put(key, {"b": None})
    assert (await client.get(key)).bins == {"a": 1}
    await client.put(key, {"a": None})
    assert await client.exists(key) is None


async def test_put_of_nothing_but_none_into_no_record_finds_none(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound) as info:
        await client.put(key, {"a": None})
    assert code_of(info) == ResultCode.RECORD_NOT_FOUND
    assert await client.exists(key) is None


async def test_get_of_no_record_says_which_one_on_which_node(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound) as info:
        await client.get(key)
    assert code_of(info) == 2
    assert str(key.user_key) in str(info.value)
    assert info.value.node in client.node_names()
    assert info.value.attempts == 1
    assert not info.value.in_doubt


async def test_select_reads_the_bins_it_is_asked_for_and_leaves_out_what_is_not_there(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": "two", "c": 3.0})
    assert (await client.select(key, ["c", "nothing", "a"])).bins == {"a": 1, "c": 3.0}
    empty = await client.select(key, ["nothing"])
    assert empty.bins == {}
    assert empty.generation == 1


async def test_select_of_no_record_finds_none(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound):
        await client.select(key, ["a"])


async def test_exists_tells_generation_and_time_to_live_or_none(client: Client, key: Key) -> None:
    assert await client.exists(key) is None
    await client.put(key, {"a": 1}, ttl=1000)
    await client.put(key, {"a": 2}, ttl=1000)
    metadata = await client.exists(key)
    assert metadata is not None
    assert metadata.key == key
    assert metadata.generation == 2
    assert metadata.ttl is not None
    assert 990 <= metadata.ttl <= 1001


async def test_a_bin_name_may_have_fifteen_bytes_of_any_letters(client: Client, key: Key) -> None:
    bins = {"x" * 15: 1, "ä" * 7: 2, "with blank": 3, "数据库名称": 4}
    await client.put(key, bins)
    assert (await client.get(key)).bins == bins
    assert (await client.select(key, list(bins))).bins == bins


async def test_a_record_of_many_bins_comes_back_whole(client: Client, key: Key) -> None:
    bins = {f"bin-{number}": number for number in range(1000)}
    await client.put(key, bins)
    assert (await client.get(key)).bins == bins


async def test_a_record_that_is_too_large_is_refused_and_nothing_is_written(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    with pytest.raises(aero.RecordTooBig) as info:
        await client.put(key, {"big": bytes(1024 * 1024 + 1)})
    assert code_of(info) == 13
    assert not info.value.in_doubt
    assert (await client.get(key)).bins == {"a": 1}


async def test_a_large_record_comes_back_as_it_was(client: Client, key: Key) -> None:
    big = bytes(range(256)) * 4000
    await client.put(key, {"big": big})
    assert (await client.get(key))["big"] == big


async def test_a_namespace_that_is_not_there_is_the_servers_error(client: Client) -> None:
    with pytest.raises(aero.ServerError) as info:
        await client.put(("nowhere", "set", 1), {"a": 1})
    assert code_of(info) == ResultCode.INVALID_NAMESPACE
    assert "nowhere" in str(info.value)


async def test_a_set_that_is_not_the_records_is_refused(client: Client, key: Key) -> None:
    """The digest alone finds the record; the server compares the set."""
    await client.put(key, {"a": 1})
    other = Key.from_digest(key.namespace, f"{key.set_name}-x", key.digest)
    with pytest.raises(aero.ServerError) as info:
        await client.get(other)
    assert code_of(info) == ResultCode.PARAM


# remove, touch, remove_bin --------------------------------------------------------------------------------------


async def test_remove_takes_the_record_and_a_second_one_finds_none(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    await client.remove(key)
    assert await client.exists(key) is None
    with pytest.raises(aero.RecordNotFound):
        await client.remove(key)
    await client.put(key, {"b": 2})
    record = await client.get(key)
    assert record.bins == {"b": 2}
    assert record.generation == 1


async def test_touch_counts_the_generation_up_and_starts_the_time_to_live_anew(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, ttl=100)
    await client.touch(key, ttl=5000)
    record = await client.get(key)
    assert record.bins == {"a": 1}
    assert record.generation == 2
    assert record.ttl is not None
    assert 4990 <= record.ttl <= 5001


async def test_touch_of_no_record_finds_none_and_creates_none(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound):
        await client.touch(key, ttl=100)
    assert await client.exists(key) is None


async def test_remove_bin_takes_some_and_passes_over_those_that_are_not_there(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2, "c": 3})
    await client.remove_bin(key, ["a", "nothing", "b"])
    record = await client.get(key)
    assert record.bins == {"c": 3}
    assert record.generation == 2


async def test_remove_bin_of_the_last_takes_the_record(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    await client.remove_bin(key, ["a"])
    assert await client.exists(key) is None


async def test_remove_bin_of_no_record_finds_none(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound):
        await client.remove_bin(key, ["a"])


# append, prepend, increment -------------------------------------------------------------------------------------


async def test_append_and_prepend_put_text_behind_and_before(client: Client, key: Key) -> None:
    await client.put(key, {"s": "b", "raw": b"\x01"})
    await client.append(key, "s", "ç")
    await client.prepend(key, "s", "a")
    await client.append(key, "raw", b"\x02")
    await client.prepend(key, "raw", b"\x00")
    record = await client.get(key)
    assert record.bins == {"s": "abç", "raw": b"\x00\x01\x02"}
    assert record.generation == 5


@pytest.mark.parametrize("method", ["append", "prepend"])
async def test_append_and_prepend_create_the_bin_and_the_record(client: Client, key: Key, method: str) -> None:
    await getattr(client, method)(key, "s", "text")
    await getattr(client, method)(key, "raw", b"bytes")
    assert (await client.get(key)).bins == {"s": "text", "raw": b"bytes"}


@pytest.mark.parametrize("method", ["append", "prepend"])
@pytest.mark.parametrize(("held", "added"), [(1, "x"), (1.5, "x"), ("text", b"x"), (b"raw", "x"), ([1], "x")], ids=repr)
async def test_text_joins_only_text_and_bytes_only_bytes(
    client: Client, key: Key, method: str, held: Any, added: Any
) -> None:
    await client.put(key, {"b": held})
    with pytest.raises(aero.BinTypeError) as info:
        await getattr(client, method)(key, "b", added)
    assert code_of(info) == ResultCode.BIN_TYPE
    record = await client.get(key)
    assert record.bins == {"b": held}
    assert record.generation == 1


@pytest.mark.parametrize(
    ("held", "offset", "result"),
    [
        (1, 41, 42),
        (1, -2, -1),
        (1.5, 0.25, 1.75),
        (2**63 - 1, 1, -(2**63)),
        (-(2**63), -1, 2**63 - 1),
        (5, 0, 5),
        (None, 7, 7),
        (None, 2.5, 2.5),
    ],
    ids=repr,
)
async def test_increment_adds_and_wraps_around_at_64_bits(
    client: Client, key: Key, held: Any, offset: Any, result: Any
) -> None:
    if held is not None:
        await client.put(key, {"n": held})
    await client.increment(key, "n", offset)
    value = (await client.get(key))["n"]
    assert value == result
    assert type(value) is type(result)


@pytest.mark.parametrize(
    ("held", "offset"), [("text", 1), (1, 1.5), (1.5, 1), (b"raw", 1), ([1], 1), (True, 1)], ids=repr
)
async def test_increment_needs_a_number_of_the_same_type(client: Client, key: Key, held: Any, offset: Any) -> None:
    await client.put(key, {"n": held})
    with pytest.raises(aero.BinTypeError) as info:
        await client.increment(key, "n", offset)
    assert code_of(info) == ResultCode.BIN_TYPE
    assert (await client.get(key)).bins == {"n": held}


# operate --------------------------------------------------------------------------------------------------------


async def test_operate_carries_out_all_in_order_and_returns_what_was_read(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1, "s": "a"})
    record = await client.operate(
        key, [op.increment("n", 2), op.append("s", "b"), op.prepend("s", "_"), op.read("s"), op.read("n")]
    )
    assert record.bins == {"s": "_ab", "n": 3}
    assert record.generation == 2


async def test_operate_ordered_keeps_every_result_in_its_place(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1})
    result = await client.operate_ordered(
        key, [op.read("n"), op.increment("n", 1), op.read("n"), op.write("m", "new"), op.read("m"), op.read("n")]
    )
    assert result.ordered == [("n", 1), ("n", 2), ("m", "new"), ("n", 2)]
    assert result.generation == 2
    assert result.key == key


async def test_of_several_results_for_one_bin_operate_keeps_the_last(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1})
    record = await client.operate(key, [op.read("n"), op.increment("n", 1), op.read("n")])
    assert record.bins == {"n": 2}


async def test_operate_that_only_reads_changes_nothing(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    record = await client.operate(key, [op.read("b")])
    assert record.bins == {"b": 2}
    assert record.generation == 1
    assert (await client.get(key)).generation == 1


async def test_a_read_of_a_missing_bin_gives_no_result(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    assert (await client.operate(key, [op.read("nothing"), op.read("a")])).bins == {"a": 1}
    result = await client.operate_ordered(key, [op.read("nothing"), op.write("b", 2), op.read("a"), op.read("none")])
    assert result.ordered == [("a", 1)]


async def test_operate_with_reads_alone_on_no_record_finds_none(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound):
        await client.operate(key, [op.read("a")])
    with pytest.raises(aero.RecordNotFound):
        await client.operate_ordered(key, [op.read_all()])


async def test_operate_with_a_write_creates_the_record(client: Client, key: Key) -> None:
    record = await client.operate(key, [op.read("a"), op.write("a", 1), op.read("a")])
    assert record.bins == {"a": 1}
    assert record.generation == 1


async def test_read_all_sees_what_was_written_before_it(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    record = await client.operate(key, [op.write("c", 3), op.read_all()])
    assert record.bins == {"a": 1, "b": 2, "c": 3}
    assert (await client.operate(key, [op.read_all()])).bins == {"a": 1, "b": 2, "c": 3}


async def test_touch_in_operate_counts_the_generation_up_beside_a_read(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, ttl=100)
    record = await client.operate(key, [op.touch(), op.read("a")], ttl=5000)
    assert record.bins == {"a": 1}
    assert record.generation == 2
    metadata = await client.exists(key)
    assert metadata is not None
    assert metadata.ttl is not None
    assert 4990 <= metadata.ttl <= 5001


async def test_touch_in_operate_needs_a_record(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound):
        await client.operate(key, [op.touch(), op.write("a", 1)])
    assert await client.exists(key) is None


async def test_a_read_and_a_delete_take_the_record_and_tell_what_it_was(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    record = await client.operate(key, [op.read("a"), op.delete()])
    assert record.bins == {"a": 1}
    assert await client.exists(key) is None


async def test_read_all_and_delete_take_everything_along(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    assert (await client.operate(key, [op.read_all(), op.delete()])).bins == {"a": 1, "b": 2}
    assert await client.exists(key) is None


async def test_a_write_behind_a_delete_makes_the_record_anew(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    record = await client.operate(key, [op.delete(), op.read("a"), op.write("c", 3), op.read("c")])
    assert record.bins == {"c": 3}
    after = await client.get(key)
    assert after.bins == {"c": 3}
    assert after.generation == 2


async def test_a_delete_in_operate_needs_a_record(client: Client, key: Key) -> None:
    with pytest.raises(aero.RecordNotFound):
        await client.operate(key, [op.delete()])


async def test_an_operation_that_fails_leaves_all_undone(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1, "s": "text"})
    with pytest.raises(aero.BinTypeError) as info:
        await client.operate(key, [op.write("n", 99), op.increment("s", 1), op.read("n")])
    assert code_of(info) == 12
    record = await client.get(key)
    assert record.bins == {"n": 1, "s": "text"}
    assert record.generation == 1


async def test_a_write_of_none_in_operate_removes_the_bin(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1, "b": 2})
    assert (await client.operate(key, [op.write("a", None), op.read("a"), op.read("b")])).bins == {"b": 2}
    assert (await client.get(key)).bins == {"b": 2}


async def test_operate_takes_ttl_and_generation_for_its_writes(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    with pytest.raises(aero.RecordGenerationError):
        await client.operate(key, [op.write("a", 2)], generation=7)
    record = await client.operate(key, [op.write("a", 3), op.read("a")], generation=1, ttl=1000)
    assert record.bins == {"a": 3}
    assert record.ttl is not None
    assert 990 <= record.ttl <= 1001


async def test_all_bins_and_single_ones_cannot_be_read_together(client: Client, key: Key) -> None:
    """Beside a write the server refuses it; without one, all bins contain the single one."""
    await client.put(key, {"a": 1, "b": 2})
    with pytest.raises(aero.ServerError) as info:
        await client.operate(key, [op.write("c", 3), op.read_all(), op.read("a")])
    assert code_of(info) == ResultCode.PARAM
    assert (await client.operate(key, [op.read_all(), op.read("a")])).bins == {"a": 1, "b": 2}


async def test_operations_are_used_any_number_of_times(client: Client, keys: Keys) -> None:
    steps = [op.increment("n", 1), op.read("n")]
    first, second = keys(), keys()
    assert [(await client.operate(first, steps))["n"] for _ in range(3)] == [1, 2, 3]
    assert (await client.operate(second, steps))["n"] == 1
