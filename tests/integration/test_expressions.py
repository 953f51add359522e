"""Expressions on a server: every family gives what its functions promise, as values, filters and writes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st

import trio_aerospike as aero
from tests.unit.exp.strategies import expressions
from trio_aerospike import Client, GeoJSON, HyperLogLog, Key, OrderedMap, ctx, exp, operations as op
from trio_aerospike._wire import exp_ops as codes
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import list_header
from trio_aerospike.batch import BatchWrite
from trio_aerospike.errors import FilteredOut, ResultCode, ServerError
from trio_aerospike.exp import BinType, Expression, ExpType
from trio_aerospike.operations import ExpRead, ExpWrite, PathSelect
from trio_aerospike.policies import BatchPolicy, ReadPolicy, WritePolicy

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster


class Unknown:
    """What an expression gives that cannot tell."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()
# What is as large as it can be takes its time on an embedded server, and more on a busy machine.
PATIENT = WritePolicy(total_timeout=60, socket_timeout=60)
POINT = '{"type": "Point", "coordinates": [-122.0, 37.5]}'
CIRCLE = '{"type": "AeroCircle", "coordinates": [[-122.0, 37.5], 1000.0]}'
ELSEWHERE = '{"type": "AeroCircle", "coordinates": [[10.0, 50.0], 1000.0]}'
BINS: dict[str, Any] = {
    "i": 30,
    "n": -7,
    "f": 2.5,
    "s": "Ann",
    "t": True,
    "b": b"\x0f\xf0",
    "l": [3, 1, 2, 1],
    "m": OrderedMap({"a": 1, "b": 2, "c": 3}),
    "d": {"k": [1, [2, 3]], "x": {"y": 5}},
    "g": GeoJSON(POINT),
}
I, N, F, S, T = exp.int_bin("i"), exp.int_bin("n"), exp.float_bin("f"), exp.str_bin("s"), exp.bool_bin("t")  # noqa: E741
L, M, B, G, MISSING = exp.list_bin("l"), exp.map_bin("m"), exp.blob_bin("b"), exp.geo_bin("g"), exp.int_bin("zz")
X, Y = exp.var("x"), exp.var("y")
NUMBER, NAME = exp.loop_value(ExpType.INT), exp.loop_key(ExpType.STRING)

FAMILIES: dict[str, list[tuple[Expression, Any]]] = {
    "values": [
        (exp.val(5), 5),
        (exp.val(-(1 << 63)), -(1 << 63)),
        (exp.val(2.5), 2.5),
        (exp.val("é"), "é"),
        (exp.val(b"\x00"), b"\x00"),
        (exp.val(True), True),
        (exp.val([1, ["a"], {"k": None}]), [1, ["a"], {"k": None}]),
        (exp.val({"a": [1]}), {"a": [1]}),
        (exp.geo_val(POINT), GeoJSON(POINT)),
    ],
    "bins": [
        (I, 30),
        (F, 2.5),
        (S, "Ann"),
        (T, True),
        (B, b"\x0f\xf0"),
        (L, [3, 1, 2, 1]),
        (M, {"a": 1, "b": 2, "c": 3}),
        (G, GeoJSON(POINT)),
        (MISSING, UNKNOWN),
        (exp.str_bin("i"), UNKNOWN),
        (exp.bin_exists("i"), True),
        (exp.bin_exists("zz"), False),
        (exp.bin_type("i") == BinType.INTEGER, True),
        (exp.bin_type("l"), BinType.LIST),
        (exp.bin_type("t"), BinType.BOOL),
        (exp.bin_type("g"), BinType.GEOJSON),
        (exp.bin_type("zz"), BinType.NULL),
    ],
    "metadata": [
        (exp.key_exists(), True),
        (exp.key(ExpType.STRING) != "", True),
        (exp.key(ExpType.INT), UNKNOWN),
        (exp.set_name() == "", False),
        ((exp.ttl() > 500) & (exp.ttl() <= 1000), True),
        (exp.void_time() > exp.last_update(), True),
        (exp.since_update() >= 0, True),
        (exp.since_update() < 600_000, True),
        (exp.is_tombstone(), False),
        (exp.digest_modulo(1), 0),
        (exp.record_size() > 100, True),
    ],
    "comparison": [
        (I == 30, True),
        (I != 30, False),
        (I > 29, True),
        (I >= 31, False),
        (I < 31, True),
        (I <= 29, False),
        (F > 2, True),
        (S >= "An", True),
        (S < "B", True),
        (B == b"\x0f\xf0", True),
        (T == True, True),  # noqa: E712
        (L == [3, 1, 2, 1], True),
        (L > [3, 1, 2], True),
        (exp.eq(M, OrderedMap({"a": 1, "b": 2, "c": 3})), True),
        (M == {"a": 1, "b": 2, "c": 3}, UNKNOWN),
        (exp.nil() == exp.nil(), True),
        (MISSING == 1, UNKNOWN),
        (exp.in_list(1, L), True),
        (exp.in_list("1", L), False),
        (exp.in_list("b", exp.map_keys(M)), True),
        (exp.in_list(9, exp.map_values(M)), False),
    ],
    "logic": [
        (T & (I > 1), True),
        (T & (I < 1), False),
        ((I < 1) | T, True),
        (~T, False),
        (T ^ T, False),
        (exp.xor_(T, False, False), True),
        (T | (MISSING == 1), True),
        ((I < 1) & (MISSING == 1), False),
        (T & (MISSING == 1), UNKNOWN),
        (~(MISSING == 1), UNKNOWN),
    ],
    "arithmetic": [
        (I + 5 + 1, 36),
        (I - 5 - 1, 24),
        (-I, -30),
        (I * 2, 60),
        (I / 4, 7),
        (N / 2, -3),
        (N % 3, -1),
        (I / 0, UNKNOWN),
        (F + 0.5, 3.0),
        (F / 2, 1.25),
        (exp.num_div(F), 0.4),
        (F**2, 6.25),
        (exp.num_log(exp.float_val(8), 2), math.log(8) / math.log(2)),
        (abs(N), 7),
        (math.floor(F), 2.0),
        (math.ceil(F), 3.0),
        (F // 1, 2.0),
        (exp.to_int(F), 2),
        (exp.to_float(I), 30.0),
        (exp.min_(I, 7, 9), 7),
        (exp.max_(F, 9.5), 9.5),
        (exp.val((1 << 63) - 1) + 1, -(1 << 63)),
        (MISSING + 1, UNKNOWN),
    ],
    "bits of ints": [
        (I & 6, 6),
        (I | 1, 31),
        (I ^ 2, 28),
        (~I, -31),
        (I << 1, 60),
        (N >> 1, -4),
        (exp.int_rshift(N, 60), 15),
        (exp.int_count(I), 4),
        (exp.int_lscan(I, True), 59),
        (exp.int_rscan(I, True), 62),
        (exp.int_rscan(I, False), 63),
        (exp.int_lscan(exp.val(0), True), -1),
    ],
    "text and places": [
        (exp.regex_compare("^an", exp.RegexFlag.ICASE, S), True),
        (exp.regex_compare("^an", 0, S), False),
        (exp.regex_compare("(An)+$|x", exp.RegexFlag.EXTENDED, S), False),
        (exp.regex_compare("An{1,2}$", exp.RegexFlag.EXTENDED | exp.RegexFlag.ICASE, S), True),
        (exp.geo_compare(G, exp.geo_val(CIRCLE)), True),
        (exp.geo_compare(exp.geo_val(CIRCLE), G), True),
        (exp.geo_compare(G, exp.geo_val(ELSEWHERE)), False),
    ],
    "conditions and variables": [
        (exp.cond(I > 40, "old", I > 20, "grown", "young"), "grown"),
        (exp.cond(I > 40, "old", exp.unknown()), UNKNOWN),
        (exp.cond(MISSING > 1, 1, 2), UNKNOWN),
        (exp.unknown(), UNKNOWN),
        (exp.let_(exp.def_("x", I + 1), exp.def_("y", X * 2), Y - X), 31),
        (exp.let_(exp.def_("x", I), exp.let_(exp.def_("y", X + 1), X * Y)), 930),
        (exp.let_(exp.def_("x", MISSING), 5), 5),
        (exp.let_(exp.def_("x", MISSING), X + 5), UNKNOWN),
    ],
    "lists": [
        (exp.lists.size("l"), 4),
        (exp.lists.get_by_index("l", -1, ExpType.INT), 1),
        (exp.lists.get_by_index("l", 0, ExpType.STRING), UNKNOWN),
        (exp.lists.get_by_index("l", I, ExpType.INT), UNKNOWN),
        (exp.lists.get_by_rank("l", -1, ExpType.INT), 3),
        (exp.lists.get_by_rank("l", 0, return_type=exp.ListReturn.RANK), 0),
        (exp.lists.get_by_index_range("l", 1, 2), [1, 2]),
        (exp.lists.get_by_index_range("l", 1, 2, inverted=True), [3, 1]),
        (exp.lists.get_by_value("l", 1, return_type=exp.ListReturn.COUNT), 2),
        (exp.lists.get_by_value("l", 9, return_type=exp.ListReturn.EXISTS), False),
        (exp.lists.get_by_value_list("l", [3, 2], return_type=exp.ListReturn.INDEX), [0, 2]),
        (exp.lists.get_by_value_range("l", 2), [3, 2]),
        (exp.lists.get_by_value_rank_range_relative("l", 2, 0, return_type=exp.ListReturn.COUNT), 2),
        (exp.lists.append("l", I), [3, 1, 2, 1, 30]),
        (exp.lists.append("l", 9, policy=exp.ListPolicy(write_flags=exp.ListWrite.ADD_UNIQUE)), [3, 1, 2, 1, 9]),
        (exp.lists.append("l", 1, policy=exp.ListPolicy(write_flags=exp.ListWrite.ADD_UNIQUE)), UNKNOWN),
        (exp.lists.append_items("l", L), [3, 1, 2, 1, 3, 1, 2, 1]),
        (exp.lists.insert("l", 1, S), [3, "Ann", 1, 2, 1]),
        (exp.lists.insert_items("l", 0, [7, 8]), [7, 8, 3, 1, 2, 1]),
        (exp.lists.set("l", 0, 0), [0, 1, 2, 1]),
        (exp.lists.trim("l", 1, 2), [1, 2]),
        (exp.lists.clear("l"), []),
        (exp.lists.increment("l", 0, 10), [13, 1, 2, 1]),
        (exp.lists.sort("l", exp.ListSort.DROP_DUPLICATES), [1, 2, 3]),
        (exp.lists.set_order("l", exp.ListOrder.ORDERED), [1, 1, 2, 3]),
        (exp.lists.remove_by_index("l", 0), [1, 2, 1]),
        (exp.lists.remove_by_index_range("l", 0, 2), [2, 1]),
        (exp.lists.remove_by_rank("l", -1), [1, 2, 1]),
        (exp.lists.remove_by_rank_range("l", 0, 2), [3, 2]),
        (exp.lists.remove_by_value("l", 1), [3, 2]),
        (exp.lists.remove_by_value("l", 1, inverted=True), [1, 1]),
        (exp.lists.remove_by_value_list("l", [1, 3]), [2]),
        (exp.lists.remove_by_value_range("l", 2), [1, 1]),
        (exp.lists.remove_by_value_rank_range_relative("l", 2, 0), [1, 1]),
        (exp.lists.size(exp.lists.remove_by_value(exp.lists.append("l", 5), 1)), 3),
        (exp.lists.size([1, [2], 3]), 3),
        (exp.lists.get_by_index("d", 1, ExpType.INT, ctx=[ctx.map_key("k"), ctx.list_index(1)]), 3),
        (exp.lists.append("d", 9, ctx=ctx.map_key("k")), {"k": [1, [2, 3], 9], "x": {"y": 5}}),
        (exp.lists.size("zz"), UNKNOWN),
    ],
    "maps": [
        (exp.maps.size("m"), 3),
        (exp.maps.get_by_key("m", "b", ExpType.INT), 2),
        (exp.maps.get_by_key("m", "z", return_type=exp.MapReturn.EXISTS), False),
        (exp.maps.get_by_key("m", "b", return_type=exp.MapReturn.INDEX), 1),
        (exp.maps.get_by_index("m", 0, ExpType.STRING, return_type=exp.MapReturn.KEY), "a"),
        (exp.maps.get_by_rank("m", -1, ExpType.INT), 3),
        (exp.maps.get_by_key_range("m", "a", "c"), [1, 2]),
        (exp.maps.get_by_key_range("m", "b", return_type=exp.MapReturn.ORDERED_MAP), {"b": 2, "c": 3}),
        (exp.maps.get_by_key_list("m", ["a", "z", "c"]), [1, 3]),
        (exp.maps.get_by_key_index_range_relative("m", "b", 0, return_type=exp.MapReturn.KEY), ["b", "c"]),
        (exp.maps.get_by_value("m", 2, return_type=exp.MapReturn.KEY), ["b"]),
        (exp.maps.get_by_value_list("m", [1, 2], return_type=exp.MapReturn.COUNT), 2),
        (exp.maps.get_by_value_range("m", 2, return_type=exp.MapReturn.KEY), ["b", "c"]),
        (exp.maps.get_by_value_rank_range_relative("m", 2, -1, 1), [1]),
        (exp.maps.get_by_index_range("m", 1, return_type=exp.MapReturn.KEY), ["b", "c"]),
        (exp.maps.get_by_rank_range("m", 0, 2), [1, 2]),
        (exp.maps.put("m", "d", I), {"a": 1, "b": 2, "c": 3, "d": 30}),
        (exp.maps.put_items("m", {"a": 0}), {"a": 0, "b": 2, "c": 3}),
        (exp.maps.increment("m", "a", 5), {"a": 6, "b": 2, "c": 3}),
        (exp.maps.decrement("m", "a", 5), {"a": -4, "b": 2, "c": 3}),
        (exp.maps.clear("m"), {}),
        (exp.maps.set_order("d", exp.MapOrder.KEY_ORDERED), {"k": [1, [2, 3]], "x": {"y": 5}}),
        (exp.maps.remove_by_key("m", "a"), {"b": 2, "c": 3}),
        (exp.maps.remove_by_key_list("m", ["a", "b"], inverted=True), {"a": 1, "b": 2}),
        (exp.maps.remove_by_key_range("m", "b"), {"a": 1}),
        (exp.maps.remove_by_key_index_range_relative("m", "b", 0, 1), {"a": 1, "c": 3}),
        (exp.maps.remove_by_value("m", 1), {"b": 2, "c": 3}),
        (exp.maps.remove_by_value_list("m", [1, 2]), {"c": 3}),
        (exp.maps.remove_by_value_range("m", 2), {"a": 1}),
        (exp.maps.remove_by_value_rank_range_relative("m", 2, 0), {"a": 1}),
        (exp.maps.remove_by_index("m", 0), {"b": 2, "c": 3}),
        (exp.maps.remove_by_index_range("m", 1), {"a": 1}),
        (exp.maps.remove_by_rank("m", -1), {"a": 1, "b": 2}),
        (exp.maps.remove_by_rank_range("m", 0, 2), {"c": 3}),
        (exp.maps.get_by_key("d", "y", ExpType.INT, ctx=ctx.map_key("x")), 5),
        (
            exp.maps.put("d", "z", 1, ctx=ctx.map_key_create("new", exp.MapOrder.KEY_ORDERED)),
            {"k": [1, [2, 3]], "new": {"z": 1}, "x": {"y": 5}},
        ),
    ],
    "paths": [
        (exp.select_by_path(L, ctx.all_children_where(NUMBER > 1), PathSelect.VALUE), [3, 2]),
        (exp.select_by_path(M, ctx.all_children_where(NUMBER > 1)), {"b": 2, "c": 3}),
        (
            exp.select_by_path(M, ctx.all_children_where(exp.loop_key(ExpType.STRING) > "a"), PathSelect.MAP_KEY),
            ["b", "c"],
        ),
        (exp.select_by_path(L, ctx.all_children_where(exp.loop_index() > 1), PathSelect.VALUE), [2, 1]),
        (exp.modify_by_path(L, ctx.all_children(), NUMBER * 10), [30, 10, 20, 10]),
        (exp.modify_by_path(L, ctx.all_children_where(NUMBER == 1), exp.remove_result()), [3, 2]),
        (
            exp.modify_by_path("d", [ctx.map_key("x"), ctx.all_children()], NUMBER + 1),
            {"k": [1, [2, 3]], "x": {"y": 6}},
        ),
    ],
    "bits": [
        (exp.bits.count("b", 0, 16), 8),
        (exp.bits.get("b", 4, 8), b"\xff"),
        (exp.bits.get_int("b", 4, 8), 255),
        (exp.bits.get_int("b", 4, 8, signed=True), -1),
        (exp.bits.lscan("b", 0, 16, True), 4),
        (exp.bits.rscan("b", 0, 16, True), 11),
        (exp.bits.resize("b", 3), b"\x0f\xf0\x00"),
        (exp.bits.resize("b", 3, exp.BitResize.FROM_FRONT), b"\x00\x0f\xf0"),
        (exp.bits.insert("b", 1, b"\xaa"), b"\x0f\xaa\xf0"),
        (exp.bits.remove("b", 0, 1), b"\xf0"),
        (exp.bits.set("b", 0, 4, b"\xf0"), b"\xff\xf0"),
        (exp.bits.or_("b", 0, 8, b"\xf0"), b"\xff\xf0"),
        (exp.bits.xor("b", 0, 8, b"\xff"), b"\xf0\xf0"),
        (exp.bits.and_("b", 0, 8, b"\x01"), b"\x01\xf0"),
        (exp.bits.not_("b", 0, 16), b"\xf0\x0f"),
        (exp.bits.lshift("b", 0, 16, 4), b"\xff\x00"),
        (exp.bits.rshift("b", 0, 16, 4), b"\x00\xff"),
        (exp.bits.add("b", 0, 8, 1), b"\x10\xf0"),
        (exp.bits.add("b", 8, 8, 16), UNKNOWN),
        (exp.bits.add("b", 8, 8, 17, action=exp.BitOverflow.WRAP), b"\x0f\x01"),
        (exp.bits.subtract("b", 0, 8, 16, action=exp.BitOverflow.SATURATE), b"\x00\xf0"),
        (exp.bits.set_int("b", 0, 8, 127), b"\x7f\xf0"),
        (exp.bits.count(b"\xff\x01", 0, 16), 9),
    ],
    "sketches": [
        (exp.hll.get_count("h"), 3),
        (exp.hll.describe("h"), [10, 0]),
        (exp.hll.may_contain("h", ["a", "b"]), 1),
        (exp.hll.may_contain("h", ["nobody"]), 0),
        (exp.hll.get_count(exp.hll.add("h", ["d", "e"])), 5),
        (exp.hll.get_count(exp.hll.add("h", L)), 6),
        (exp.hll.describe(exp.hll.init("h", 12, 8)), [12, 8]),
        (exp.hll.get_count(exp.hll.init("h", 12)), 0),
        (exp.hll.describe(exp.hll.fold("h", 6)), [6, 0]),
        (exp.hll.get_count(exp.hll.refresh_count("h")), 3),
    ],
}


async def written(client: Client, key: Key) -> Key:
    await client.put(key, BINS, ttl=1000, policy=WritePolicy(send_key=True))
    await client.operate(key, [op.hll.add("h", ["a", "b", "c"], 10)], policy=WritePolicy(ttl=aero.TTL_DONT_UPDATE))
    return key


async def evaluated(client: Client, key: Key, expression: Expression) -> Any:
    try:
        record = await client.operate(key, [op.read_expression("r", expression)], policy=PATIENT)
    except ServerError as error:
        assert error.result_code == ResultCode.OP_NOT_APPLICABLE, (expression, error)
        return UNKNOWN
    return record.bins.get("r")


@pytest.mark.parametrize("family", FAMILIES)
async def test_expressions_of_every_family_give_what_they_promise(client: Client, key: Key, family: str) -> None:
    await written(client, key)
    wrong = []
    for expression, expected in FAMILIES[family]:
        found = await evaluated(client, key, expression)
        if found != expected or (type(found) is not type(expected) and not isinstance(found, (int, dict, list))):
            wrong.append(f"{expression!r}: {found!r}, expected {expected!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", ["bins", "comparison", "logic", "text and places", "conditions and variables"])
async def test_a_filter_lets_pass_what_is_true_and_nothing_else(client: Client, key: Key, family: str) -> None:
    await written(client, key)
    filters = [(one, expected) for one, expected in FAMILIES[family] if one.type is ExpType.BOOL]
    assert filters
    for expression, expected in filters:
        policy = ReadPolicy(filter_expression=expression)
        if expected is True:
            assert (await client.get(key, policy=policy)).bins["i"] == 30
            assert await client.exists(key, policy=policy) is not None
        else:
            with pytest.raises(FilteredOut):
                await client.get(key, policy=policy)


async def test_a_sketch_is_compared_with_others(client: Client, key: Key) -> None:
    await written(client, key)
    sketch = (await client.get(key)).bins["h"]
    assert isinstance(sketch, HyperLogLog)
    others = [sketch]
    assert await evaluated(client, key, exp.hll.get_union_count("h", others)) == 3
    assert await evaluated(client, key, exp.hll.get_intersect_count("h", others)) == 3
    assert await evaluated(client, key, exp.hll.get_similarity("h", others)) == 1.0
    assert await evaluated(client, key, exp.hll.get_count(exp.hll.get_union("h", others))) == 3
    assert await evaluated(client, key, exp.hll.get_count(exp.hll.set_union("h", others))) == 3


async def test_filters_hold_writes_back(client: Client, key: Key) -> None:
    await written(client, key)
    grown, old = WritePolicy(filter_expression=I >= 18), WritePolicy(filter_expression=I >= 80)
    for call in (
        lambda policy: client.put(key, {"w": 1}, policy=policy),
        lambda policy: client.increment(key, "w", 1, policy=policy),
        lambda policy: client.append(key, "s", "a", policy=policy),
        lambda policy: client.touch(key, policy=policy),
        lambda policy: client.operate(key, [op.write("w", 5)], policy=policy),
        lambda policy: client.remove(key, policy=policy),
    ):
        before = await client.get(key)
        with pytest.raises(FilteredOut):
            await call(old)
        assert (await client.get(key)).bins == before.bins
        await call(grown)
    assert await client.exists(key) is None


async def test_filters_of_batches_hold_for_each_record_and_in_place_of_the_batch_s(client: Client, keys: Keys) -> None:
    made = [keys() for _ in range(10)]
    for number, key in enumerate(made):
        await client.put(key, {"i": number})
    results = await client.batch_read(made, policy=BatchPolicy(filter_expression=I % 2 == 0))
    assert [result.result_code for result in results] == [ResultCode.OK, ResultCode.FILTERED_OUT] * 5
    write = aero.BatchWritePolicy(filter_expression=I > 7)
    await client.batch_write([BatchWrite(key, {"w": 1}, policy=write) for key in made])
    found = await client.batch_read(made)
    assert [result.record is not None and "w" in result.record.bins for result in found] == [False] * 8 + [True] * 2


async def test_a_write_sets_a_bin_to_the_value_of_an_expression(client: Client, key: Key) -> None:
    await written(client, key)
    record = await client.operate(
        key,
        [
            op.write("i", 2),
            op.write_expression("w", I * 10),
            op.read_expression("r", exp.int_bin("w") + 1),
            op.write_expression("l", exp.lists.append("l", I)),
        ],
    )
    assert record.bins["r"] == 21
    after = (await client.get(key)).bins
    assert (after["w"], after["l"]) == (20, [3, 1, 2, 1, 2])


async def test_flags_of_writes_say_what_happens_to_a_bin(client: Client, key: Key) -> None:
    await written(client, key)

    async def code(name: str, expression: Any, flags: ExpWrite) -> int:
        try:
            await client.operate(key, [op.write_expression(name, expression, flags)])
        except aero.AerospikeError as error:
            return int(error.result_code)
        return ResultCode.OK

    assert await code("i", I + 1, ExpWrite.CREATE_ONLY) == ResultCode.BIN_EXISTS
    assert await code("i", I + 1, ExpWrite.CREATE_ONLY | ExpWrite.POLICY_NO_FAIL) == ResultCode.OK
    assert await code("w", I + 1, ExpWrite.UPDATE_ONLY) == ResultCode.BIN_NOT_FOUND
    assert await code("w", I + 1, ExpWrite.UPDATE_ONLY | ExpWrite.POLICY_NO_FAIL) == ResultCode.OK
    assert await code("w", MISSING, ExpWrite.DEFAULT) == ResultCode.OP_NOT_APPLICABLE
    assert await code("w", MISSING, ExpWrite.EVAL_NO_FAIL) == ResultCode.OK
    assert await code("i", None, ExpWrite.DEFAULT) == ResultCode.OP_NOT_APPLICABLE
    before = (await client.get(key)).bins
    assert (before["i"], "w" in before) == (30, False)
    assert await code("w", I + 1, ExpWrite.CREATE_ONLY) == ResultCode.OK
    assert await code("i", I + 1, ExpWrite.UPDATE_ONLY) == ResultCode.OK
    assert await code("t", None, ExpWrite.ALLOW_DELETE) == ResultCode.OK
    after = (await client.get(key)).bins
    assert (after["i"], after["w"], "t" in after) == (31, 31, False)


async def test_a_read_of_what_cannot_be_known_fails_or_gives_nothing(client: Client, key: Key) -> None:
    await written(client, key)
    with pytest.raises(ServerError) as info:
        await client.operate(key, [op.read_expression("r", MISSING)])
    assert info.value.result_code == ResultCode.OP_NOT_APPLICABLE
    record = await client.operate(key, [op.read_expression("r", MISSING, ExpRead.EVAL_NO_FAIL), op.read("i")])
    assert record.bins.get("r") is None
    assert record.bins["i"] == 30


async def test_an_expression_read_back_from_base64_and_from_its_bytes_works_as_well(client: Client, key: Key) -> None:
    await written(client, key)
    text = (exp.lists.get_by_rank("l", -1, ExpType.INT) + I).to_base64()
    assert await evaluated(client, key, exp.from_base64(text)) == 33
    packed = exp.from_base64(text).encode()
    assert (await client.operate(key, [op.read_expression("r", packed)])).bins["r"] == 33
    filtered = ReadPolicy(filter_expression=(I == 30).encode())
    assert (await client.get(key, policy=filtered)).bins["i"] == 30


async def test_the_largest_and_deepest_expressions_that_can_be_built_are_evaluated(client: Client, key: Key) -> None:
    await written(client, key)
    deep = I
    while deep._depth < exp.DEPTH_MAX:
        deep = exp.num_abs(deep)
    assert await evaluated(client, key, deep) == 30
    deep = exp.cond(T, I, 0)
    while deep._depth < exp.DEPTH_MAX:
        deep = exp.cond(T, deep, 0)
    assert await evaluated(client, key, deep) == 30
    calls: Expression = L
    while calls._depth < exp.DEPTH_MAX - 1:
        calls = exp.lists.append(calls, 1)
    assert await evaluated(client, key, exp.lists.size(calls)) == 4 + exp.DEPTH_MAX - 2
    wide = exp.or_(*[-number == I for number in range((exp.SIZE_MAX - 9) // 48)])
    assert await evaluated(client, key, wide) is False


# --- the rules --------------------------------------------------------------------------------------------------------

KINDS: dict[str, Expression] = {
    "bool": T,
    "int": I,
    "str": S,
    "list": L,
    "map": M,
    "blob": B,
    "float": F,
    "geo": G,
    "hll": exp.hll_bin("h"),
    "nil": exp.nil(),
    "unknown": exp.unknown(),
    "infinity": exp.infinity(),
    "removed": exp.remove_result(),
}
RULES = {
    codes.CMP_EQ: 2,
    codes.CMP_GEO: 2,
    codes.IN_LIST: 2,
    codes.AND: 2,
    codes.NOT: 1,
    codes.ADD: 2,
    codes.POW: 2,
    codes.MOD: 2,
    codes.ABS: 1,
    codes.TO_INT: 1,
    codes.TO_FLOAT: 1,
    codes.INT_XOR: 2,
    codes.INT_LSCAN: 2,
    codes.COND: 3,
}


def is_refused_for_good_reason(code: int, kinds: tuple[str, ...]) -> bool:
    """What a server would build and not survive: removed results that are compared or looked for."""
    return (code, *kinds) in [(codes.CMP_EQ, "removed", "removed"), (codes.IN_LIST, "removed", "list")]


def can_be_asked(code: int, kinds: tuple[str, ...]) -> bool:
    """A server does not survive a cond that gives infinity, not even that it is built."""
    return code != codes.COND or "infinity" not in kinds


def unevaluated(expression: bytes) -> bytes:
    """An expression that has another in it, which is built and never evaluated."""
    searched = list_header(3) + pack_value(codes.IN_LIST) + expression + exp.val([]).encode()
    return list_header(3) + pack_value(codes.AND) + exp.val(False).encode() + searched


@pytest.mark.parametrize("code", RULES)
async def test_types_go_together_here_as_they_do_on_the_server(client: Client, key: Key, code: int) -> None:
    await written(client, key)
    different: list[str] = []
    left = iter([kinds for kinds in itertools.product(KINDS, repeat=RULES[code]) if can_be_asked(code, kinds)])

    async def compare() -> None:
        for kinds in left:
            data = list_header(1 + len(kinds)) + pack_value(code) + b"".join(KINDS[kind].encode() for kind in kinds)
            try:
                exp.from_bytes(data)
                here = True
            except aero.InvalidArgError:
                here = is_refused_for_good_reason(code, kinds)
            try:
                await client.operate(key, [op.read_expression("r", unevaluated(data))], policy=PATIENT)
                there = True
            except aero.AerospikeError as error:
                assert error.result_code == ResultCode.PARAM
                there = False
            if here is not there:
                different.append(f"{code} of {kinds}: {here} here, {there} there")

    async with trio.open_nursery() as nursery:
        for _ in range(16):
            nursery.start_soon(compare)
    assert not different


async def test_whatever_can_be_built_is_taken_by_the_server(client: Client, key: Key) -> None:
    await written(client, key)
    for expression in random_expressions(150):
        record = await client.operate(key, [op.read_expression("r", unevaluated(expression.encode()))], policy=PATIENT)
        assert record.bins["r"] is False, expression


def random_expressions(count: int) -> list[Expression]:
    """The same ones at every run. Their places are places, as a server builds no others."""
    made: list[Expression] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(expressions(places=st.just(GeoJSON(POINT)), patterns=st.sampled_from(["a", "^[bc].*", ""])))
    def collect(expression: Expression) -> None:
        made.append(expression)

    collect()
    assert len(made) > count // 2
    return made
