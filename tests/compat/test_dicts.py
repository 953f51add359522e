"""The dicts of operations and expressions are those of aerospike_py 0.14.4, and they mean what their functions say.

``aerospike_py-dicts.json`` holds calls of every function with what the original returned.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import bit_operations as bo, exp, hll_operations as ho, list_operations as lo, map_operations as mo
from aerospike_py._conversion.expressions import packed_filter, to_expression
from aerospike_py._operations.conversion import to_operations
from trio_aerospike import HyperLogLog, bits, exp as native_exp, hll, lists, maps

CALLS: dict[str, list[Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "aerospike_py-dicts.json").read_text(encoding="utf-8")
)


@pytest.mark.filterwarnings("ignore:Geo filters:FutureWarning")
@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_function_returns_what_the_original_returns(name: str):
    module, _, function = name.partition(".")
    call = getattr(importlib.import_module(f"aerospike_py.{module}"), function)
    for args, kwargs, expected in CALLS[name]:
        returned = call(*args, **kwargs)
        assert (list(returned) if isinstance(returned, tuple) else returned) == expected


#: An empty sketch of 256 registers: its bit counts, the cached count, the registers of six bits.
SKETCH = b"\0\x08\0" + bytes(8 + 192)
#: A value for each parameter that a real operation takes.
ARGUMENTS: dict[str, Any] = {
    "bin": "b",
    "val": 7,
    "values": [1, 2],
    "index": 1,
    "count": 3,
    "return_type": aerospike.LIST_RETURN_COUNT,
    "rank": 2,
    "begin": 1,
    "end": 9,
    "sort_flags": aerospike.LIST_SORT_DROP_DUPLICATES,
    "list_order": aerospike.LIST_ORDERED,
    "map_order": aerospike.MAP_KEY_ORDERED,
    "key": "k",
    "items": {"a": 1},
    "incr": 3,
    "decr": 4,
    "keys": ["a", "b"],
    "byte_size": 4,
    "resize_flags": aerospike.BIT_RESIZE_FROM_FRONT,
    "byte_offset": 2,
    "value": b"\x01\x02",
    "bit_offset": 8,
    "bit_size": 16,
    "shift": 3,
    "signed": True,
    "action": aerospike.BIT_OVERFLOW_SATURATE,
    "index_bit_count": 8,
    "minhash_bit_count": 16,
}


def arguments(function: Any) -> dict[str, Any]:
    name = function.__name__
    chosen = {p: ARGUMENTS[p] for p in inspect.signature(function).parameters if p != "policy"}
    if name in ("bit_add", "bit_subtract", "bit_set_int"):
        chosen["value"] = 5
    elif name in ("bit_lscan", "bit_rscan"):
        chosen["value"] = True
    elif name.startswith("hll_") and name != "hll_add" and "values" in chosen:
        chosen["values"] = [HyperLogLog(SKETCH)]
    return chosen


def operations(module: Any) -> list[Any]:
    return [getattr(module, name) for name in module.__all__ if name != "Operation"]


NATIVE = {lo: lists, mo: maps, bo: bits, ho: hll}
#: Parameters of the native functions, where they are called something else.
RENAMED = {
    "bin": "bin_name",
    "val": "value",
    "incr": "value",
    "decr": "value",
    "sort_flags": "flags",
    "list_order": "order",
    "map_order": "order",
}


@pytest.mark.parametrize(
    "module,function",
    [(module, function) for module in NATIVE for function in operations(module)],
    ids=lambda one: one.__name__.rpartition(".")[2],
)
def test_every_operation_is_the_native_operation_of_the_same_name(module: Any, function: Any):
    chosen = arguments(function)
    native = NATIVE[module]
    name = function.__name__.partition("_")[2]
    made = getattr(native, name, None) or getattr(native, f"{name}_")
    expected = made(**{RENAMED.get(parameter, parameter): value for parameter, value in chosen.items()})
    assert to_operations([function(**chosen)]) == [expected]


UNIQUE = lists.ListPolicy(write_flags=lists.ListWrite.ADD_UNIQUE)
KEY_ORDERED = maps.MapPolicy(maps.MapOrder.KEY_ORDERED)
LIST_POLICY = lists.ListPolicy(lists.ListOrder.ORDERED, lists.ListWrite.ADD_UNIQUE | lists.ListWrite.NO_FAIL)
MAP_CREATE = maps.MapPolicy(write_flags=maps.MapWrite.CREATE_ONLY)
MAP_UPDATE = maps.MapPolicy(maps.MapOrder.KEY_VALUE_ORDERED, maps.MapWrite.UPDATE_ONLY)


@pytest.mark.parametrize(
    "given,expected",
    [
        (lo.list_append("b", 1, {"order": 1, "flags": 5}), lists.append("b", 1, policy=LIST_POLICY)),
        (lo.list_append_items("b", 5), lists.append_items("b", [5])),  # type: ignore[arg-type]
        (lo.list_append_items("b", "ab"), lists.append_items("b", ["ab"])),  # type: ignore[arg-type]
        (lo.list_get_by_value_range("b", None, None, 7), lists.get_by_value_range("b")),
        (lo.list_get_by_rank_range("b", 1, 7), lists.get_by_rank_range("b", 1)),
        ({"op": 1018, "bin": "b", "index": 1, "return_type": 7}, lists.get_by_rank("b", 1)),
        ({"op": 1006, "bin": "b", "index": 1}, lists.pop_range("b", 1, 1)),
        ({"op": 1012, "bin": "b", "val": None}, lists.size("b")),
        ({"op": 1001, "bin": "b", "val": None, "list_policy": None}, lists.append("b", None)),
        # These the server takes no order and no kind of write for; the original says nothing of them either.
        (lo.list_insert("b", 0, 1, {"order": 1}), lists.insert("b", 0, 1, policy=lists.ListPolicy())),
        (lo.list_insert_items("b", 0, [1], {"order": 1, "flags": 1}), lists.insert_items("b", 0, [1], policy=UNIQUE)),
        (mo.map_increment("b", "k", 1, {"write_mode": 1}), maps.increment("b", "k", 1, policy=maps.MapPolicy())),
        (mo.map_decrement("b", "k", 1, {"order": 1, "write_mode": 2}), maps.decrement("b", "k", 1, policy=KEY_ORDERED)),
        (mo.map_put("b", "k", 1, {"write_mode": 1}), maps.put("b", "k", 1, policy=MAP_CREATE)),
        (mo.map_put("b", "k", 1, {"order": 3, "write_mode": 2}), maps.put("b", "k", 1, policy=MAP_UPDATE)),
        ({"op": 2002, "bin": "b", "map_key": "k", "val": 1, "map_policy": {"flags": 5}},
         maps.put("b", "k", 1, policy=maps.MapPolicy(write_flags=maps.MapWrite(5)))),
        (bo.bit_set("b", 0, 8, b"\1", 12), bits.set("b", 0, 8, b"\1", bits.BitPolicy(bits.BitWrite(12)))),
        (ho.hll_add("b", ["a"], 8, policy={"flags": 4}), hll.add("b", ["a"], 8, policy=hll.HLLPolicy(hll.HLLWrite(4)))),
        (ho.hll_get_union("b", [SKETCH]), hll.get_union("b", [HyperLogLog(SKETCH)])),
    ],
    ids=lambda one: str(one)[:60],
)  # fmt: skip
def test_policies_and_what_is_left_out(given: Any, expected: Any):
    assert to_operations([given]) == [expected]


@pytest.mark.parametrize(
    "given,message",
    [
        ({"op": 1999, "bin": "b"}, r"ops\[0\]\['op'\]: got 1999, allowed: .*lists \(1001 to 1031\)"),
        ({"op": 2000, "bin": "b"}, r"got 2000"),
        ({"op": 4040, "bin": "b"}, r"got 4040"),
        ({"op": 1013, "bin": "b"}, r"'index' in it: list_get requires 'index'"),
        ({"op": 1012}, r"ops\[0\]\['bin'\]: got None"),
        ({"op": 1012, "bin": "b", "ctx": []}, r"\(list_size\): unknown field 'ctx'"),
        ({"op": 1013, "bin": "b", "indx": 1}, r"unknown field 'indx', did you mean 'index'\?"),
        ({"op": 1012, "bin": "b", "val": 5}, r"unknown field 'val'"),
        (lo.list_append("b", 1, {"write_flags": 1}), r"unknown field 'write_flags', did you mean 'flags'"),  # type: ignore[arg-type]
        (lo.list_append("b", 1, {"flags": 64}), r"ops\[0\]\['list_policy'\].*got 64"),
        (lo.list_insert("b", 0, 1, {"order": 7}), r"got 7, allowed: ListOrder"),
        (mo.map_increment("b", "k", 1, {"write_mode": 7}), r"write_mode'\]: got 7, allowed: MAP_UPDATE \(0\)"),
        (lo.list_append("b", 1, {"order": 7}), r"got 7, allowed: ListOrder"),
        (lo.list_append("b", 1, 5), r"list_policy'\]: got 5"),  # type: ignore[arg-type]
        (lo.list_get_by_value("b", 1, 6), r"return_type: got 6"),
        (lo.list_get_by_value("b", 1, 0x10007), r"return_type: got 65543"),
        (lo.list_get_by_value("b", 1, "x"), r"return_type: got 'x'"),  # type: ignore[arg-type]
        (lo.list_append("b", 2**64), r"18446744073709551616"),
        (mo.map_put("b", 1.5, 1), r"key: got 1\.5, allowed: a map key"),
        (mo.map_put("b", "k", 1, {"write_mode": 7}), r"write_mode'\]: got 7, allowed: MAP_UPDATE \(0\)"),
        (mo.map_put("b", "k", 1, {"write_mode": 1, "flags": 1}), r"one of write_mode and flags"),  # type: ignore[arg-type]
        (mo.map_put_items("b", [1]), r"\(map_put_items\)"),  # type: ignore[arg-type]
        (mo.map_set_order("b", 2), r"got 2, allowed: MapOrder"),
        (bo.bit_add("b", 0, 8, 1, action=1), r"action: got 1"),
        (bo.bit_lscan("b", 0, 8, 1), r"got 1"),  # type: ignore[arg-type]
        (bo.bit_set("b", 0, 8, b"\1", 64), r"bit_policy'\].*got 64"),
        (ho.hll_init("b", 99), r"99"),
        (ho.hll_get_union("b", ["text"]), r"a list of sketches"),
    ],
    ids=lambda one: str(one)[:60],
)  # fmt: skip
def test_slips_are_refused_with_their_place(given: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        to_operations([given])
    assert re.search(message, str(caught.value)), str(caught.value)


AGE = exp.int_bin("age")


@pytest.mark.parametrize(
    "given,expected",
    [
        (exp.ge(AGE, exp.int_val(18)), native_exp.int_bin("age") >= 18),
        (exp.and_(exp.bool_bin("a"), exp.not_(exp.bool_val(True))),
         native_exp.and_(native_exp.bool_bin("a"), native_exp.not_(True))),
        (exp.and_(exp.bool_bin("a")), native_exp.bool_bin("a")),
        (exp.xor_(exp.bool_bin("a"), exp.bin_exists("b")),
         native_exp.xor_(native_exp.bool_bin("a"), native_exp.bin_exists("b"))),
        (exp.regex_compare("^a", 2, exp.string_bin("s")),
         native_exp.regex_compare("^a", 2, native_exp.string_bin("s"))),
        (exp.let_(exp.def_("x", AGE), exp.gt(exp.var("x"), exp.int_val(2))),
         native_exp.let_(native_exp.def_("x", native_exp.int_bin("age")), native_exp.var("x") > 2)),
        (exp.cond(exp.bool_bin("a"), exp.eq(AGE, exp.int_val(1)), exp.bool_val(False)),
         native_exp.cond(native_exp.bool_bin("a"), native_exp.int_bin("age") == 1, False)),
        (exp.eq(exp.key(exp.EXP_TYPE_STRING), exp.string_val("x")),
         native_exp.eq(native_exp.key(native_exp.ExpType.STRING), "x")),
        (exp.lt(exp.num_mod(AGE, exp.int_val(3)), exp.int_count(AGE)),
         native_exp.num_mod(native_exp.int_bin("age"), 3) < native_exp.int_count(native_exp.int_bin("age"))),
        (exp.eq(native_exp.int_bin("age"), exp.int_val(1)), native_exp.int_bin("age") == 1),  # type: ignore[arg-type]
    ],
    ids=lambda one: str(one)[:60],
)  # fmt: skip
def test_expressions_are_those_of_trio_aerospike(given: Any, expected: native_exp.Expression):
    assert packed_filter("f", given) == expected.encode()


def test_every_function_makes_an_expression_or_a_part_of_one():
    number, text, flag, real = exp.int_val(1), exp.string_val("x"), exp.bool_val(True), exp.float_val(1.5)
    operands: dict[str, list[Any]] = {
        **{name: [flag, flag] for name in ("and_", "or_", "xor_")},
        **{name: [real] for name in ("num_floor", "num_ceil", "to_int")},
        **{name: [real, real] for name in ("num_pow", "num_log")},
        **{name: [flag] for name in ("not_",)},
        "int_lscan": [number, flag],
        "int_rscan": [number, flag],
        "regex_compare": ["x", 0, text],
        "geo_compare": [exp.geo_bin("g"), exp.geo_val('{"type": "Point", "coordinates": [1, 2]}')],
        "cond": [flag, number, number],
        "let_": [exp.def_("x", number), exp.var("x")],
        "key": [exp.EXP_TYPE_INT],
        "float_val": [1.5],
        "string_val": ["x"],
        "bool_val": [True],
        "blob_val": [b"x"],
        "list_val": [[1]],
        "map_val": [{"a": 1}],
        "geo_val": ['{"type": "Point", "coordinates": [1, 2]}'],
        "def_": ["x", number],
    }
    made = 0
    for name in exp.__all__:
        function = getattr(exp, name)
        if not inspect.isfunction(function):
            continue
        parameters = inspect.signature(function).parameters
        plain = {"val": 1, "modulo": 3, "name": "n"}
        given = operands.get(name) or [
            each
            for parameter in parameters.values()
            for each in (
                [number, number] if parameter.kind is parameter.VAR_POSITIONAL else [plain.get(parameter.name, number)]
            )
        ]
        assert to_expression("f", function(*given)) is not None
        made += 1
    assert made == 72


@pytest.mark.parametrize(
    "given,message",
    [
        (5, r"f: got 5, allowed: an expression made by aerospike_py\.exp"),
        (b"", r"not empty"),
        ({}, r"f: got \{\}"),
        ({"__expr__": "zz"}, r"unknown field 'zz'"),
        ({"__expr__": "eqq"}, r"did you mean 'eq'"),
        ({"__expr__": ["eq"]}, r"unknown field \['eq'\]"),
        ({"__expr__": "eq", "left": exp.nil()}, r"'right' in it"),
        (dict(exp.eq(AGE, AGE), more=1), r"f\.eq: unknown field 'more'"),
        (exp.eq(AGE, exp.string_val("x")), r"f\.eq: "),
        (exp.eq(AGE, exp.int_val(2**64)), r"f\.eq\.right\.int_val: .*18446744073709551616"),
        (AGE, r"which gives INT, allowed: what gives true or false"),
        (exp.and_(), r"f\.and\.exprs: got \[\]"),
        (exp.cond(exp.bool_val(True), exp.bool_val(True)), r"f\.cond"),
        (exp.let_(exp.bool_val(True)), r"f\.let"),
        (exp.eq(exp.var("x"), exp.int_val(1)), r"nothing binds the variables x"),
        (exp.def_("x", exp.bool_val(True)), r"f: got"),
        (exp.not_(5), r"f\.not\.expr: got 5"),  # type: ignore[arg-type]
    ],
    ids=lambda one: str(one)[:60],
)
def test_expressions_that_cannot_be_are_refused_with_their_place(given: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        packed_filter("f", given)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_an_expression_that_holds_itself_is_refused():
    endless: dict[str, Any] = {"__expr__": "not"}
    endless["expr"] = endless
    with pytest.raises(aerospike.InvalidArgError, match="within each other"):
        packed_filter("f", endless)
