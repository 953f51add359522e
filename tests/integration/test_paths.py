"""Path expressions: what they lead to, and what they make of it."""

from __future__ import annotations

from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import Client, Key, OrderedMap, ResultCode, ctx, exp
from trio_aerospike.exp import ExpType
from trio_aerospike.operations import Operation, PathSelect, modify_by_path, select_by_path

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

BOOKS = {
    "b1": {"title": "One", "price": 5, "tags": ["old", "red"]},
    "b2": {"title": "Two", "price": 12, "tags": ["new"]},
    "b3": {"title": "Three", "price": 20, "tags": []},
}
NUMBERS = [[1, 2], [3, 4, 5], [6]]
BINS: dict[str, Any] = {"books": BOOKS, "n": NUMBERS, "mix": [1, "a", 2.5, 7], "i": 5}

VALUE = exp.loop_value(ExpType.INT)
BOOK = exp.loop_value(ExpType.MAP)
PRICE = exp.maps.get_by_key(BOOK, "price", value_type=ExpType.INT)
CHEAP = ctx.all_children_where(PRICE < 15)

SELECTIONS: list[tuple[Operation, Any]] = [
    (select_by_path("n", ctx.all_children(), PathSelect.VALUE), NUMBERS),
    (select_by_path("n", [ctx.all_children(), ctx.all_children()], PathSelect.VALUE), [1, 2, 3, 4, 5, 6]),
    (select_by_path("n", [ctx.all_children(), ctx.all_children_where(VALUE > 3)], PathSelect.VALUE), [4, 5, 6]),
    (select_by_path("n", [ctx.all_children(), ctx.all_children_where(VALUE > 3)]), [[], [4, 5], [6]]),
    (select_by_path("n", [ctx.all_children(), ctx.list_index(0)], PathSelect.VALUE), [1, 3, 6]),
    (select_by_path("n", [ctx.list_index(1), ctx.all_children_where(VALUE < 5)], PathSelect.VALUE), [3, 4]),
    (select_by_path("books", [CHEAP, ctx.map_key("title")], PathSelect.VALUE), ["One", "Two"]),
    (select_by_path("books", CHEAP, PathSelect.MAP_KEY), ["b1", "b2"]),
    (
        select_by_path("books", [ctx.all_children(), ctx.map_key("price")], PathSelect.MAP_KEY_VALUE),
        ["price", 5, "price", 12, "price", 20],
    ),
    (select_by_path("books", [CHEAP, ctx.map_key("price")]), {"b1": {"price": 5}, "b2": {"price": 12}}),
    (select_by_path("books", [ctx.map_keys(["b3", "b1"]), ctx.map_key("price")], PathSelect.VALUE), [5, 20]),
    (
        select_by_path("books", [ctx.map_keys(["b3", "b1"]), ctx.and_where(PRICE > 5)], PathSelect.MAP_KEY),
        ["b3"],
    ),
    (select_by_path("mix", ctx.all_children_where(VALUE > 1), PathSelect.VALUE, no_fail=True), [7]),
]


async def test_a_selection_gives_back_what_the_path_leads_to(client: Client, key: Key) -> None:
    await client.put(key, BINS)
    for operation, answer in SELECTIONS:
        assert (await client.operate(key, [operation]))[operation.bin_name] == answer, operation
    assert (await client.get(key)).bins == BINS


CHANGES: list[tuple[Operation, Any]] = [
    (modify_by_path("n", [ctx.all_children(), ctx.all_children()], VALUE * 10), [[10, 20], [30, 40, 50], [60]]),
    (
        modify_by_path("n", [ctx.all_children(), ctx.all_children_where(VALUE > 3)], VALUE + 1),
        [[1, 2], [3, 5, 6], [7]],
    ),
    (modify_by_path("n", [ctx.list_index(0), ctx.list_index(1)], exp.str_val("x")), [[1, "x"], [3, 4, 5], [6]]),
    (
        modify_by_path("books", [CHEAP, ctx.map_key("price")], VALUE - 1),
        {**BOOKS, "b1": {**BOOKS["b1"], "price": 4}, "b2": {**BOOKS["b2"], "price": 11}},
    ),
    (modify_by_path("books", CHEAP, exp.remove_result()), {"b3": BOOKS["b3"]}),
    (modify_by_path("mix", ctx.all_children_where(VALUE > 1), VALUE + 1, no_fail=True), [1, "a", 2.5, 8]),
]


async def test_a_modification_replaces_what_the_path_leads_to(client: Client, keys: Keys) -> None:
    for operation, left in CHANGES:
        key = keys()
        await client.put(key, BINS)
        await client.operate(key, [operation])
        assert (await client.get(key)).bins == {**BINS, operation.bin_name: left}, operation


async def test_a_changed_map_keeps_its_order(client: Client, key: Key) -> None:
    await client.put(key, {"m": OrderedMap({"a": 1, "b": 2}), "l": aero.OrderedList([1, 5])})
    await client.operate(key, [modify_by_path("m", ctx.all_children(), VALUE * 2)])
    found = (await client.get(key))["m"]
    assert found == {"a": 2, "b": 4} and found.order == 1


ERRORS: list[tuple[Operation, ResultCode]] = [
    (select_by_path("i", ctx.all_children()), ResultCode.BIN_TYPE),
    (modify_by_path("i", ctx.all_children(), VALUE + 1), ResultCode.BIN_TYPE),
]


async def test_what_does_not_fit_is_an_error_and_changes_nothing(client: Client, key: Key) -> None:
    await client.put(key, BINS)
    for operation, code in ERRORS:
        with pytest.raises(aero.AerospikeError) as caught:
            await client.operate(key, [aero.increment("new", 1), operation])
        assert caught.value.result_code == code, operation
        assert (await client.get(key)).bins == BINS
