"""Operations on lists: each once at least, with what it gives back and what it leaves."""

from __future__ import annotations

from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import INFINITY, WILDCARD, Client, Key, OrderedList, ResultCode, ServerError, ctx, lists
from trio_aerospike.operations import Operation
from trio_aerospike.operations.lists import ListOrder, ListPolicy, ListReturn, ListSort, ListWrite

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

START = [5, 1, 4, 1, 3]
NOTHING = object()


def policy(flags: ListWrite, order: ListOrder = ListOrder.UNORDERED) -> ListPolicy:
    return ListPolicy(order, flags)


async def carry_out(client: Client, key: Key, operation: Operation) -> Any:
    """What an operation gives back; NOTHING when the answer does not name its bin."""
    result = await client.operate_ordered(key, [operation])
    assert len(result.ordered) <= 1
    return result.ordered[0][1] if result.ordered else NOTHING


WRITES: list[tuple[Operation, Any, list[Any]]] = [
    (lists.append("l", 9), 6, [5, 1, 4, 1, 3, 9]),
    (lists.append("l", 1, policy=policy(ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL)), 5, START),
    (lists.append_items("l", [7, 8]), 7, [*START, 7, 8]),
    (
        lists.append_items("l", [1, 7], policy=policy(ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL | ListWrite.PARTIAL)),
        6,
        [*START, 7],
    ),
    (lists.append_items("l", [1, 7], policy=policy(ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL)), 5, START),
    (lists.insert("l", 1, 77), 6, [5, 77, 1, 4, 1, 3]),
    (lists.insert("l", -1, 77), 6, [5, 1, 4, 1, 77, 3]),
    (lists.insert("l", 7, 77), 8, [*START, None, None, 77]),
    (lists.insert("l", 7, 77, policy=policy(ListWrite.INSERT_BOUNDED | ListWrite.NO_FAIL)), 5, START),
    (lists.insert_items("l", 0, [0, "a"]), 7, [0, "a", *START]),
    (lists.set("l", 2, "x"), None, [5, 1, "x", 1, 3]),
    (lists.set("l", 5, "x"), None, [*START, "x"]),
    (lists.increment("l", 0, 10), 15, [15, 1, 4, 1, 3]),
    (lists.increment("l", 0), 6, [6, 1, 4, 1, 3]),
    (lists.increment("l", -1, -3), 0, [5, 1, 4, 1, 0]),
    (lists.sort("l"), None, [1, 1, 3, 4, 5]),
    (lists.sort("l", ListSort.DESCENDING), None, [5, 4, 3, 1, 1]),
    (lists.sort("l", ListSort.DROP_DUPLICATES), None, [1, 3, 4, 5]),
    (lists.clear("l"), None, []),
    (lists.pop("l", 0), 5, [1, 4, 1, 3]),
    (lists.pop("l", -2), 1, [5, 1, 4, 3]),
    (lists.pop_range("l", 1, 2), [1, 4], [5, 1, 3]),
    (lists.pop_range("l", 3), [1, 3], [5, 1, 4]),
    (lists.remove("l", 2), 1, [5, 1, 1, 3]),
    (lists.remove_range("l", 1, 3), 3, [5, 3]),
    (lists.remove_range("l", -2), 2, [5, 1, 4]),
    (lists.trim("l", 1, 2), 3, [1, 4]),
    (lists.remove_by_index("l", 0), None, [1, 4, 1, 3]),
    (lists.remove_by_index("l", 0, return_type=ListReturn.VALUE), 5, [1, 4, 1, 3]),
    (lists.remove_by_index_range("l", 3), None, [5, 1, 4]),
    (lists.remove_by_index_range("l", 1, 2, return_type=ListReturn.VALUE), [1, 4], [5, 1, 3]),
    (lists.remove_by_index_range("l", 1, 2, return_type=ListReturn.COUNT, inverted=True), 3, [1, 4]),
    (lists.remove_by_rank("l", -1, return_type=ListReturn.INDEX), 0, [1, 4, 1, 3]),
    (lists.remove_by_rank_range("l", 0, 2, return_type=ListReturn.COUNT), 2, [5, 4, 3]),
    (lists.remove_by_rank_range("l", -2, return_type=ListReturn.EXISTS), True, [1, 1, 3]),
    (lists.remove_by_value("l", 1, return_type=ListReturn.COUNT), 2, [5, 4, 3]),
    (lists.remove_by_value("l", 1, inverted=True), None, [1, 1]),
    (lists.remove_by_value_list("l", [1, 5, 6], return_type=ListReturn.VALUE), [5, 1, 1], [4, 3]),
    (lists.remove_by_value_range("l", 3, 5, return_type=ListReturn.INDEX), [2, 4], [5, 1, 1]),
    (lists.remove_by_value_range("l", end=3, return_type=ListReturn.COUNT), 2, [5, 4, 3]),
    (lists.remove_by_value_rank_range_relative("l", 3, 0, 2, return_type=ListReturn.COUNT), 2, [5, 1, 1]),
    (lists.set_order("l", ListOrder.ORDERED), None, OrderedList([1, 1, 3, 4, 5])),
    (lists.set_order("l", ListOrder.ORDERED, persist_index=True), None, OrderedList([1, 1, 3, 4, 5])),
    (lists.create("l", ListOrder.ORDERED), None, OrderedList([1, 1, 3, 4, 5])),
]


async def test_a_write_gives_back_and_leaves(client: Client, keys: Keys) -> None:
    # One cluster for all rows: each has a record of its own.
    for operation, answer, left in WRITES:
        key = keys()
        await client.put(key, {"l": START})
        given = await carry_out(client, key, operation)
        assert given in (None, NOTHING) if answer is None else given == answer, operation
        found = (await client.get(key))["l"]
        assert found == left, operation
        assert isinstance(found, OrderedList) == isinstance(left, OrderedList), operation


READS: list[tuple[Operation, Any]] = [
    (lists.size("l"), 5),
    (lists.get("l", 0), 5),
    (lists.get("l", -1), 3),
    (lists.get_range("l", 1, 2), [1, 4]),
    (lists.get_range("l", 3), [1, 3]),
    (lists.get_range("l", 9), []),
    (lists.get_by_index("l", 1), 1),
    (lists.get_by_index("l", 0, return_type=ListReturn.RANK), 4),
    (lists.get_by_index("l", 0, return_type=ListReturn.REVERSE_INDEX), 4),
    (lists.get_by_index_range("l", 1, 2), [1, 4]),
    (lists.get_by_index_range("l", -2, return_type=ListReturn.INDEX), [3, 4]),
    (lists.get_by_index_range("l", -2, return_type=ListReturn.INDEX_RANGE), [3, 2]),
    (lists.get_by_index_range("l", -2, return_type=ListReturn.REVERSE_INDEX_RANGE), [0, 2]),
    (lists.get_by_rank("l", 0), 1),
    (lists.get_by_rank("l", -1, return_type=ListReturn.REVERSE_RANK), 0),
    (lists.get_by_rank_range("l", 2, 2, return_type=ListReturn.RANK_RANGE), [2, 2]),
    (lists.get_by_rank_range("l", 2, 2, return_type=ListReturn.REVERSE_RANK_RANGE), [1, 2]),
    (lists.get_by_rank_range("l", -2, return_type=ListReturn.COUNT), 2),
    (lists.get_by_value("l", 1, return_type=ListReturn.INDEX), [1, 3]),
    (lists.get_by_value("l", 1, return_type=ListReturn.EXISTS), True),
    (lists.get_by_value("l", 2), []),
    (lists.get_by_value("l", 1, inverted=True), [5, 4, 3]),
    (lists.get_by_value_list("l", [3, 5, 6], return_type=ListReturn.COUNT), 2),
    (lists.get_by_value_range("l", 3, 5, return_type=ListReturn.COUNT), 2),
    (lists.get_by_value_range("l", 3, INFINITY, return_type=ListReturn.COUNT), 3),
    (lists.get_by_value_range("l", 4, return_type=ListReturn.COUNT), 2),
    (lists.get_by_value_range("l", end=4, return_type=ListReturn.COUNT), 3),
    (lists.get_by_value_range("l", 3, 5, return_type=ListReturn.RANK_RANGE), [2, 2]),
    (lists.get_by_value_rank_range_relative("l", 3, -1, 2, return_type=ListReturn.COUNT), 2),
    (lists.get_by_value_rank_range_relative("l", 2, 0, return_type=ListReturn.COUNT), 3),
    (lists.get_by_index_range("l", 0, 2, return_type=ListReturn.NONE), NOTHING),
    (lists.get("missing", 0), NOTHING),
    (lists.get_by_value("pairs", [1, WILDCARD]), [[1, "a"], [1, "b", 2]]),
    (lists.get_by_value("pairs", [1, WILDCARD], return_type=ListReturn.COUNT, inverted=True), 1),
    (lists.size("pairs", ctx=ctx.list_index(1)), 3),
    (lists.get("pairs", 1, ctx=[ctx.list_rank(-1)]), "c"),
    (lists.get("pairs", 0, ctx=(ctx.list_value([2, WILDCARD]),)), 2),
    (lists.get("nested", 0, ctx=[ctx.map_key("a"), ctx.map_index(0), ctx.list_index(-1)]), "deep"),
]


async def test_a_read_gives_back(client: Client, key: Key) -> None:
    bins = {
        "l": START,
        "pairs": [[1, "a"], [1, "b", 2], [2, "c"]],
        "nested": {"a": {"b": [1, ["deep"]]}},
    }
    await client.put(key, bins)
    for operation, answer in READS:
        assert await carry_out(client, key, operation) == answer, operation
        # The same through operate, where a record comes back.
        record = await client.operate(key, [operation])
        assert record.bins == ({} if answer is NOTHING else {operation.bin_name: answer}), operation
    assert (await client.get(key)).bins == bins


CREATIONS: list[tuple[Operation, Any]] = [
    (lists.append("new", 1), [1]),
    (lists.append("new", 1, policy=ListPolicy(ListOrder.ORDERED)), OrderedList([1])),
    (lists.append_items("new", [2, 1], policy=ListPolicy(ListOrder.ORDERED)), OrderedList([1, 2])),
    (lists.insert("new", 0, 1), [1]),
    (lists.create("new"), []),
    (lists.create("new", ListOrder.ORDERED), OrderedList()),
    (lists.create("new", ListOrder.ORDERED, persist_index=True), OrderedList()),
    (lists.set_order("new", ListOrder.ORDERED), OrderedList()),
    (lists.append("new", 1, ctx=ctx.map_key_create("k")), {"k": [1]}),
    (lists.append("new", 1, ctx=[ctx.map_key_create("k"), ctx.list_index_create(0)]), {"k": [[1]]}),
    (lists.append("new", 1, ctx=ctx.list_index_create(2, pad=True)), [None, None, [1]]),
    (lists.append("new", 1, ctx=ctx.list_index_create(0, ListOrder.ORDERED)), OrderedList([[1]])),
    (lists.append("l", 1, ctx=ctx.list_index_create(5)), [*START, [1]]),
    (lists.append("l", 1, ctx=ctx.list_index_create(6, pad=True)), [*START, None, [1]]),
    (lists.create("l", ctx=ctx.list_index(5)), [*START, []]),
    (lists.create("l", ListOrder.ORDERED, ctx=ctx.list_index(5)), [*START, OrderedList()]),
    (lists.create("l", pad=True, ctx=ctx.list_index(6)), [*START, None, []]),
    (lists.create("new", ctx=ctx.map_key("k")), {"k": []}),
]


async def test_what_is_missing_is_created(client: Client, keys: Keys) -> None:
    for operation, made in CREATIONS:
        key = keys()
        await client.put(key, {"l": START})
        await client.operate(key, [operation])
        found = (await client.get(key))[operation.bin_name]
        assert found == made, operation
        assert orders(found) == orders(made), operation


def orders(value: Any) -> Any:
    """The order of each list in a value."""
    if isinstance(value, dict):
        return {name: orders(item) for name, item in value.items()}
    if isinstance(value, list):
        return getattr(value, "order", 0) & 1, [orders(item) for item in value]
    return None


ERRORS: list[tuple[Operation, ResultCode]] = [
    (lists.get("l", 99), ResultCode.OP_NOT_APPLICABLE),
    (lists.get_by_index("l", 99), ResultCode.OP_NOT_APPLICABLE),
    (lists.get_by_rank("l", -6), ResultCode.OP_NOT_APPLICABLE),
    (lists.pop("l", 5), ResultCode.OP_NOT_APPLICABLE),
    (lists.append("l", 1, policy=policy(ListWrite.ADD_UNIQUE)), ResultCode.ELEMENT_EXISTS),
    (lists.append_items("l", [6, 6], policy=policy(ListWrite.ADD_UNIQUE)), ResultCode.OP_NOT_APPLICABLE),
    (lists.insert("l", 6, 1, policy=policy(ListWrite.INSERT_BOUNDED)), ResultCode.OP_NOT_APPLICABLE),
    (lists.insert("o", 0, 1), ResultCode.OP_NOT_APPLICABLE),
    (lists.set("o", 0, 1), ResultCode.OP_NOT_APPLICABLE),
    (lists.get_by_value("l", 1, return_type=ListReturn.INDEX_RANGE), ResultCode.OP_NOT_APPLICABLE),
    (lists.append("l", 1, ctx=ctx.list_index(50)), ResultCode.OP_NOT_APPLICABLE),
    (lists.append("l", 1, ctx=ctx.list_index_create(50)), ResultCode.OP_NOT_APPLICABLE),
    (lists.append("l", 1, ctx=ctx.map_key("k")), ResultCode.OP_NOT_APPLICABLE),
    (lists.append("l", 1, ctx=ctx.list_index(0)), ResultCode.BIN_TYPE),
    (lists.append("i", 1), ResultCode.BIN_TYPE),
    (lists.size("i"), ResultCode.BIN_TYPE),
    (lists.append("m", 1), ResultCode.BIN_TYPE),
    (lists.append("m", 1, ctx=ctx.map_key("k")), ResultCode.BIN_TYPE),
]


async def test_what_does_not_fit_is_an_error_and_changes_nothing(client: Client, keys: Keys) -> None:
    bins = {"l": START, "o": OrderedList([1, 2]), "i": 5, "m": {"k": {}}}
    for operation, code in ERRORS:
        key = keys()
        await client.put(key, bins)
        with pytest.raises(aero.AerospikeError) as caught:
            # What stands before the operation that fails does not happen either.
            await client.operate(key, [aero.write("i", 6), aero.write("i", 5), aero.increment("n", 1), operation])
        assert caught.value.result_code == code, operation
        record = await client.get(key)
        assert record.bins == bins and record.generation == 1, operation


async def test_several_operations_happen_in_their_order(client: Client, key: Key) -> None:
    result = await client.operate_ordered(
        key,
        [
            lists.append_items("l", [3, 1, 2]),
            lists.sort("l"),
            lists.get_range("l", 0),
            lists.pop("l", -1),
            lists.size("l"),
        ],
    )
    assert [value for _, value in result.ordered if value is not None] == [3, [1, 2, 3], 3, 2]
    assert (await client.get(key)).bins == {"l": [1, 2]}


async def test_an_ordered_list_keeps_values_of_all_types_in_order(client: Client, key: Key) -> None:
    values: list[Any] = [2.5, b"b", {"a": 1}, [1], "a", 7, -1, True, None]
    await client.operate(key, [lists.append_items("l", values, policy=ListPolicy(ListOrder.ORDERED))])
    found = (await client.get(key))["l"]
    assert list(found) == [None, True, -1, 7, "a", [1], {"a": 1}, b"b", 2.5]
    assert found.order == 1
    await client.put(key, {"copy": found})
    copy = (await client.get(key))["copy"]
    assert isinstance(copy, OrderedList) and copy == found


async def test_an_ordered_list_within_others_keeps_its_order(client: Client, key: Key) -> None:
    await client.put(key, {"m": {"l": OrderedList([1, 3])}})
    await client.operate(key, [lists.append("m", 2, ctx=ctx.map_key("l"))])
    found = (await client.get(key))["m"]["l"]
    assert found == [1, 2, 3] and isinstance(found, OrderedList)


@pytest.mark.parametrize("depth", [1, 40, 62])
async def test_a_context_goes_as_deep_as_values_nest(client: Client, key: Key, depth: int) -> None:
    value: Any = ["innermost"]
    for _ in range(depth):
        value = [value]
    await client.put(key, {"l": value})
    result = await client.operate(key, [lists.append("l", "x", ctx=[ctx.list_index(0)] * depth)])
    assert result["l"] == 2
    assert (await client.operate(key, [lists.get("l", 1, ctx=[ctx.list_index(-1)] * depth)]))["l"] == "x"


async def test_lists_in_a_batch(client: Client, keys: Keys) -> None:
    first, second = keys(), keys()
    results = await client.batch_operate([first, second], [lists.append("l", 5), lists.get_by_rank("l", 0)])
    assert all(result.ok for result in results)
    assert (await client.get(second)).bins == {"l": [5]}


async def test_a_refused_operation_sends_nothing(client: Client, key: Key, nothing_sent: Any) -> None:
    with pytest.raises(aero.InvalidArgError):
        await client.operate(key, [lists.append("l", INFINITY)])
    nothing_sent()


async def test_an_error_says_its_code(client: Client, key: Key) -> None:
    await client.put(key, {"l": START, "i": 1})
    with pytest.raises(ServerError):
        await client.operate(key, [lists.get("l", 99)])
    with pytest.raises(aero.BinTypeError):
        await client.operate(key, [lists.get("i", 0)])
