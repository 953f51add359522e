"""Operations on maps: each once at least, with what it gives back and what it leaves."""

from __future__ import annotations

from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import INFINITY, WILDCARD, Client, Key, OrderedMap, ResultCode, ctx, maps
from trio_aerospike.operations import Operation
from trio_aerospike.operations.maps import MapOrder, MapPolicy, MapReturn, MapWrite

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

START = {"a": 5, "b": 2, "c": 8, "d": 2}
KEEP = MapPolicy(write_flags=MapWrite.CREATE_ONLY | MapWrite.NO_FAIL)
KEEP_PARTLY = MapPolicy(write_flags=MapWrite.CREATE_ONLY | MapWrite.NO_FAIL | MapWrite.PARTIAL)
KNOWN = MapPolicy(write_flags=MapWrite.UPDATE_ONLY | MapWrite.NO_FAIL)


async def carry_out(client: Client, key: Key, operation: Operation) -> Any:
    """What an operation gives back: each on a map is answered."""
    ((name, answer),) = (await client.operate_ordered(key, [operation])).ordered
    assert name == operation.bin_name
    return answer


def order_of(value: Any) -> int:
    return getattr(value, "order", 0)


WRITES: list[tuple[Operation, Any, dict[Any, Any]]] = [
    (maps.put("m", "e", 1), 5, {**START, "e": 1}),
    (maps.put("m", "a", [1]), 4, {**START, "a": [1]}),
    (maps.put("m", 1, 1), 5, {**START, 1: 1}),
    (maps.put("m", b"b", None), 5, {**START, b"b": None}),
    (maps.put("m", "a", 1, policy=KEEP), 4, START),
    (maps.put("m", "e", 1, policy=KNOWN), 4, START),
    (maps.put("m", "a", 1, policy=KNOWN), 4, {**START, "a": 1}),
    (maps.put_items("m", {"e": 1, "a": 6}), 5, {**START, "a": 6, "e": 1}),
    (maps.put_items("m", OrderedMap({"e": 1, "a": 6})), 5, {**START, "a": 6, "e": 1}),
    (maps.put_items("m", {"e": 1, "a": 6}, policy=KEEP), 4, START),
    (maps.put_items("m", {"e": 1, "a": 6}, policy=KEEP_PARTLY), 5, {**START, "e": 1}),
    (maps.put_items("m", {}), 4, START),
    (maps.increment("m", "a", 10), 15, {**START, "a": 15}),
    (maps.increment("m", "e"), 1, {**START, "e": 1}),
    (maps.increment("m", "f", 0.5), 0.5, {**START, "f": 0.5}),
    (maps.decrement("m", "a", 10), -5, {**START, "a": -5}),
    (maps.decrement("m", "a"), 4, {**START, "a": 4}),
    (maps.clear("m"), None, {}),
    (maps.set_order("m", MapOrder.KEY_ORDERED), None, OrderedMap(START)),
    (maps.set_order("m", MapOrder.KEY_VALUE_ORDERED), None, OrderedMap(START, 3)),
    (maps.set_order("m", MapOrder.KEY_ORDERED, persist_index=True), None, OrderedMap(START)),
    (maps.create("m", MapOrder.KEY_ORDERED), None, OrderedMap(START)),
    (maps.remove_by_key("m", "a"), None, {"b": 2, "c": 8, "d": 2}),
    (maps.remove_by_key("m", "a", return_type=MapReturn.VALUE), 5, {"b": 2, "c": 8, "d": 2}),
    (maps.remove_by_key("m", "z", return_type=MapReturn.COUNT), 0, START),
    (maps.remove_by_key_list("m", ["a", "z"], return_type=MapReturn.COUNT), 1, {"b": 2, "c": 8, "d": 2}),
    (maps.remove_by_key_list("m", ["a", "z"], inverted=True), None, {"a": 5}),
    (maps.remove_by_key_range("m", "b", "d", return_type=MapReturn.KEY), ["b", "c"], {"a": 5, "d": 2}),
    (maps.remove_by_key_range("m", "c", return_type=MapReturn.COUNT), 2, {"a": 5, "b": 2}),
    (maps.remove_by_key_range("m", end="c", return_type=MapReturn.COUNT), 2, {"c": 8, "d": 2}),
    (
        maps.remove_by_key_index_range_relative("m", "bb", -1, 2, return_type=MapReturn.KEY),
        ["b", "c"],
        {"a": 5, "d": 2},
    ),
    (maps.remove_by_index("m", 0, return_type=MapReturn.KEY), "a", {"b": 2, "c": 8, "d": 2}),
    (maps.remove_by_index_range("m", -2, return_type=MapReturn.KEY), ["c", "d"], {"a": 5, "b": 2}),
    (maps.remove_by_rank("m", -1, return_type=MapReturn.KEY), "c", {"a": 5, "b": 2, "d": 2}),
    (maps.remove_by_rank_range("m", 0, 2, return_type=MapReturn.COUNT), 2, {"a": 5, "c": 8}),
    (maps.remove_by_value("m", 2, return_type=MapReturn.COUNT), 2, {"a": 5, "c": 8}),
    (maps.remove_by_value("m", 2, inverted=True), None, {"b": 2, "d": 2}),
    (maps.remove_by_value_list("m", [5, 8, 9], return_type=MapReturn.COUNT), 2, {"b": 2, "d": 2}),
    (maps.remove_by_value_range("m", 3, 8, return_type=MapReturn.KEY), ["a"], {"b": 2, "c": 8, "d": 2}),
    (maps.remove_by_value_rank_range_relative("m", 5, 1, return_type=MapReturn.KEY), ["c"], {"a": 5, "b": 2, "d": 2}),
]


async def test_a_write_gives_back_and_leaves(client: Client, keys: Keys) -> None:
    # One cluster for all rows: each has a record of its own.
    for operation, answer, left in WRITES:
        key = keys()
        await client.put(key, {"m": START})
        assert await carry_out(client, key, operation) == answer, operation
        found = (await client.get(key))["m"]
        assert found == left, operation
        assert order_of(found) == order_of(left), operation


READS: list[tuple[Operation, Any]] = [
    (maps.size("m"), 4),
    (maps.get_by_key("m", "c"), 8),
    (maps.get_by_key("m", "z"), None),
    (maps.get_by_key("m", "z", return_type=MapReturn.INDEX), -1),
    (maps.get_by_key("m", "c", return_type=MapReturn.INDEX), 2),
    (maps.get_by_key("m", "c", return_type=MapReturn.REVERSE_RANK), 0),
    (maps.get_by_key("m", "c", return_type=MapReturn.KEY_VALUE), OrderedMap({"c": 8}, 8)),
    (maps.get_by_key_list("m", ["c", "a", "z"], return_type=MapReturn.UNORDERED_MAP), {"a": 5, "c": 8}),
    (maps.get_by_key_list("m", ["c", "z"], return_type=MapReturn.EXISTS), True),
    (maps.get_by_key_range("m", "b", "d", return_type=MapReturn.ORDERED_MAP), OrderedMap({"b": 2, "c": 8})),
    (maps.get_by_key_range("m", "b", "d", return_type=MapReturn.INDEX_RANGE), [1, 2]),
    (maps.get_by_key_range("m", "b", "d", return_type=MapReturn.REVERSE_INDEX_RANGE), [1, 2]),
    (maps.get_by_key_range("m", return_type=MapReturn.COUNT), 4),
    (maps.get_by_key_range("m", "b", "d", return_type=MapReturn.COUNT, inverted=True), 2),
    (maps.get_by_key_index_range_relative("m", "b", 0, 2, return_type=MapReturn.KEY), ["b", "c"]),
    (maps.get_by_key_index_range_relative("m", "bb", -1, return_type=MapReturn.INDEX_RANGE), [1, 3]),
    (maps.get_by_index("m", 0), 5),
    (maps.get_by_index("m", -1, return_type=MapReturn.KEY), "d"),
    (maps.get_by_index_range("m", 1, 2), [2, 8]),
    (maps.get_by_index_range("m", 2, return_type=MapReturn.INDEX_RANGE), [2, 2]),
    (maps.get_by_rank("m", -1), 8),
    (maps.get_by_rank("m", -2, return_type=MapReturn.KEY), "a"),
    (maps.get_by_rank_range("m", -2, return_type=MapReturn.KEY_VALUE), OrderedMap({"a": 5, "c": 8}, 8)),
    (maps.get_by_rank_range("m", 1, 2, return_type=MapReturn.RANK_RANGE), [1, 2]),
    (maps.get_by_value("m", 2, return_type=MapReturn.KEY), ["b", "d"]),
    (maps.get_by_value("m", 2, return_type=MapReturn.KEY, inverted=True), ["a", "c"]),
    (maps.get_by_value("m", 7), []),
    (maps.get_by_value_list("m", [2, 8, 9], return_type=MapReturn.COUNT), 3),
    (maps.get_by_value_range("m", 3, 8, return_type=MapReturn.KEY), ["a"]),
    (maps.get_by_value_range("m", 3, return_type=MapReturn.COUNT), 2),
    (maps.get_by_value_range("m", end=3, return_type=MapReturn.RANK_RANGE), [0, 2]),
    (maps.get_by_value_range("m", 3, INFINITY, return_type=MapReturn.COUNT), 2),
    (maps.get_by_value_rank_range_relative("m", 5, -1, 2, return_type=MapReturn.COUNT), 2),
    (maps.get_by_value_rank_range_relative("m", 5, 0, return_type=MapReturn.RANK_RANGE), [2, 2]),
    (maps.get_by_key("m", "c", return_type=MapReturn.NONE), None),
    (maps.get_by_key("missing", "c"), None),
    (maps.get_by_key("mixed", 1), "i"),
    (maps.get_by_key("mixed", b"b"), 3),
    (maps.get_by_index_range("mixed", 0, return_type=MapReturn.KEY), [1, "s", b"b"]),
    (maps.get_by_value("pairs", [1, WILDCARD], return_type=MapReturn.KEY), ["p", "q"]),
    (maps.size("nested", ctx=[ctx.map_key("x"), ctx.map_index(0)]), 1),
    (maps.get_by_key("nested", "z", ctx=[ctx.map_key("x"), ctx.map_rank(-1)]), 1),
    (maps.get_by_index("nested", 0, return_type=MapReturn.KEY, ctx=ctx.map_value({"y": {"z": 1}})), "y"),
]


async def test_a_read_gives_back(client: Client, key: Key) -> None:
    bins = {
        "m": START,
        "mixed": {1: "i", "s": 2, b"b": 3},
        "pairs": {"p": [1, 2], "q": [1, 3], "r": [2, 2]},
        "nested": {"x": {"y": {"z": 1}}},
    }
    await client.put(key, bins)
    for operation, answer in READS:
        given = await carry_out(client, key, operation)
        assert given == answer, operation
        assert order_of(given) == order_of(answer), operation
        # The same through operate, where a record comes back. What has nothing to say is answered with None.
        assert (await client.operate(key, [operation])).bins == {operation.bin_name: answer}, operation
    assert (await client.get(key)).bins == bins


async def test_entries_come_in_the_order_of_the_answer(client: Client, key: Key) -> None:
    await client.put(key, {"m": {"a": 3, "b": 2, "c": 1}})
    by_rank = await carry_out(client, key, maps.get_by_rank_range("m", 0, return_type=MapReturn.KEY_VALUE))
    assert list(by_rank) == ["c", "b", "a"] and by_rank.order == 8
    by_key = await carry_out(client, key, maps.get_by_rank_range("m", 0, return_type=MapReturn.ORDERED_MAP))
    assert list(by_key) == ["a", "b", "c"] and by_key.order == 1
    plain = await carry_out(client, key, maps.get_by_rank_range("m", 0, return_type=MapReturn.UNORDERED_MAP))
    assert type(plain) is dict


KEYED, BOTH = MapOrder.KEY_ORDERED, MapOrder.KEY_VALUE_ORDERED
CREATIONS: list[tuple[Operation, Any]] = [
    (maps.put("new", "k", 1), {"k": 1}),
    (maps.put("new", "k", 1, policy=MapPolicy(KEYED)), OrderedMap({"k": 1})),
    (maps.put("new", "k", 1, policy=MapPolicy(BOTH)), OrderedMap({"k": 1}, 3)),
    (maps.put("new", "k", 1, policy=MapPolicy(KEYED, persist_index=True)), OrderedMap({"k": 1})),
    (maps.put_items("new", {"b": 1, "a": 1}, policy=MapPolicy(KEYED)), OrderedMap({"a": 1, "b": 1})),
    (maps.increment("new", "k", 3, policy=MapPolicy(KEYED)), OrderedMap({"k": 3})),
    (maps.decrement("new", "k", 3), {"k": -3}),
    (maps.create("new"), {}),
    (maps.create("new", KEYED), OrderedMap()),
    (maps.create("new", BOTH, persist_index=True), OrderedMap((), 3)),
    (maps.set_order("new", KEYED), OrderedMap()),
    (maps.put("new", "k", 1, ctx=ctx.map_key_create("x", KEYED)), OrderedMap({"x": {"k": 1}})),
    (maps.put("m", "k", 1, ctx=ctx.map_key_create("x", KEYED)), {**START, "x": {"k": 1}}),
    (
        maps.put("m", "k", 1, policy=MapPolicy(KEYED), ctx=ctx.map_key_create("x")),
        {**START, "x": OrderedMap({"k": 1})},
    ),
    (
        maps.put("m", "k", 1, ctx=[ctx.map_key_create("x"), ctx.map_key_create("y", KEYED)]),
        {**START, "x": OrderedMap({"y": {"k": 1}})},
    ),
    (maps.put("m", "k", 1, ctx=[ctx.map_key_create("x"), ctx.list_index_create(0)]), {**START, "x": [{"k": 1}]}),
    (maps.create("m", KEYED, ctx=ctx.map_key("x")), {**START, "x": OrderedMap()}),
    # The last step of a context has the order of what it creates, and gives it to the map around, if that is missing.
    (
        maps.create("m", BOTH, ctx=[ctx.map_key_create("x"), ctx.map_key(7)]),
        {**START, "x": OrderedMap({7: OrderedMap((), 3)}, 3)},
    ),
    (maps.create("new", ctx=ctx.list_index(0)), [{}]),
]


def orders(value: Any) -> Any:
    """The order of each map in a value."""
    if isinstance(value, dict):
        return order_of(value), {name: orders(item) for name, item in value.items()}
    return [orders(item) for item in value] if isinstance(value, list) else None


async def test_what_is_missing_is_created(client: Client, keys: Keys) -> None:
    for operation, made in CREATIONS:
        key = keys()
        await client.put(key, {"m": START})
        await client.operate(key, [operation])
        found = (await client.get(key))[operation.bin_name]
        assert found == made, operation
        assert orders(found) == orders(made), operation


ERRORS: list[tuple[Operation, ResultCode]] = [
    (maps.get_by_index("m", 99), ResultCode.OP_NOT_APPLICABLE),
    (maps.get_by_rank("m", -9), ResultCode.OP_NOT_APPLICABLE),
    (maps.put("m", "a", 1, policy=MapPolicy(write_flags=MapWrite.CREATE_ONLY)), ResultCode.ELEMENT_EXISTS),
    (maps.put("m", "z", 1, policy=MapPolicy(write_flags=MapWrite.UPDATE_ONLY)), ResultCode.ELEMENT_NOT_FOUND),
    (maps.increment("m", "text"), ResultCode.PARAM),
    (maps.put("m", "k", 1, ctx=ctx.map_key("nope")), ResultCode.OP_NOT_APPLICABLE),
    (maps.put("m", "k", 1, ctx=ctx.map_key("a")), ResultCode.BIN_TYPE),
    (maps.put("m", "k", 1, ctx=ctx.list_index(0)), ResultCode.OP_NOT_APPLICABLE),
    (maps.put("i", "k", 1), ResultCode.BIN_TYPE),
    (maps.size("l"), ResultCode.BIN_TYPE),
    (maps.put("l", "k", 1), ResultCode.BIN_TYPE),
]


async def test_what_does_not_fit_is_an_error_and_changes_nothing(client: Client, keys: Keys) -> None:
    bins = {"m": {**START, "text": "t"}, "i": 5, "l": [1]}
    for operation, code in ERRORS:
        key = keys()
        await client.put(key, bins)
        with pytest.raises(aero.AerospikeError) as caught:
            # What stands before the operation that fails does not happen either.
            await client.operate(key, [aero.increment("n", 1), maps.put("m", "first", 1), operation])
        assert caught.value.result_code == code, operation
        record = await client.get(key)
        assert record.bins == bins and record.generation == 1, operation


async def test_several_operations_happen_in_their_order(client: Client, key: Key) -> None:
    result = await client.operate_ordered(
        key,
        [
            maps.put_items("m", {"b": 2, "a": 1}),
            maps.increment("m", "a", 5),
            maps.get_by_rank("m", -1, return_type=MapReturn.KEY),
            maps.remove_by_key("m", "b", return_type=MapReturn.VALUE),
            maps.size("m"),
        ],
    )
    assert [value for _, value in result.ordered] == [2, 6, "a", 2, 1]
    assert (await client.get(key)).bins == {"m": {"a": 6}}


async def test_a_map_keeps_its_order_and_gives_it_back(client: Client, key: Key) -> None:
    items: dict[int | str | bytes, Any] = {"b": 2, 7: 1, b"x": 3}
    await client.operate(key, [maps.put_items("m", items, policy=MapPolicy(BOTH))])
    found = (await client.get(key))["m"]
    assert list(found) == [7, "b", b"x"] and found.order == 3
    await client.put(key, {"copy": found, "inner": [found]})
    record = await client.get(key)
    assert record["copy"].order == 3 and record["inner"][0].order == 3 and record["copy"] == found


async def test_maps_in_a_batch(client: Client, keys: Keys) -> None:
    first, second = keys(), keys()
    results = await client.batch_operate([first, second], [maps.put("m", "k", 5), maps.size("m")])
    assert all(result.ok for result in results)
    assert (await client.get(second)).bins == {"m": {"k": 5}}


async def test_a_refused_operation_sends_nothing(client: Client, key: Key, nothing_sent: Any) -> None:
    wrong: Any = 1.5
    with pytest.raises(aero.InvalidArgError):
        await client.operate(key, [maps.put("m", wrong, 1)])
    nothing_sent()
