"""Evaluate expressions in the embedded server."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from trio_aerospike._wire import cdt_ops, constants as wire, exp_ops as codes
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.digests import compute_digest
from trio_aerospike._wire.particles import decode_value
from trio_aerospike._wire.value_types import GeoJSON, OrderedMap
from trio_aerospike.errors import ResultCode
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.expressions import UNKNOWN, Scope, compile_expression, operations as expression_operations
from trio_aerospike.server.record import StoredRecord

from .build import CLOCK, DIGEST, NOW, UNK, Built, bin_, call, ex, name, quoted, record, value

X = ex(codes.VAR, name("x"))


def as_written(*parts: Any) -> Built:
    """A literal map in that order, as clients may send it."""
    return Built(bytes((0x80 | len(parts) // 2,)) + b"".join(map(pack_value, parts)))


LEAST, GREATEST = -(2**63), 2**63 - 1
DATA = Path(__file__).parents[3] / "data" / "expression-evaluations.jsonl"


@pytest.mark.parametrize(
    ("expression", "worth"),
    [
        (ex(codes.ADD, 1, 2, 3), 6),
        (ex(codes.ADD, GREATEST, 1), LEAST),
        (ex(codes.ADD, 1.5, 2.0), 3.5),
        (ex(codes.SUB, 5), -5),
        (ex(codes.SUB, LEAST), LEAST),
        (ex(codes.SUB, 10, 2, 3), 5),
        (ex(codes.MUL, 2**62, 4), 0),
        (ex(codes.DIV, 7, 2), 3),
        (ex(codes.DIV, -7, 2), -3),
        (ex(codes.DIV, 100, 5, 2), 10),
        (ex(codes.DIV, 2), 0),
        (ex(codes.DIV, 1, 0), UNKNOWN),
        (ex(codes.DIV, 1.0, 0.0), math.inf),
        (ex(codes.DIV, 1.0, -0.0), -math.inf),
        (ex(codes.MOD, -7, 3), -1),
        (ex(codes.MOD, 7, -3), 1),
        (ex(codes.MOD, 7, 0), UNKNOWN),
        (ex(codes.ABS, LEAST), LEAST),
        (ex(codes.ABS, -2.5), 2.5),
        (ex(codes.POW, 2.0, 10.0), 1024.0),
        (ex(codes.POW, 10.0, 400.0), math.inf),
        (ex(codes.POW, -10.0, 401.0), -math.inf),
        (ex(codes.POW, 0.0, -1.0), math.inf),
        (ex(codes.LOG, 8.0, 2.0), 3.0),
        (ex(codes.LOG, 0.0, 2.0), -math.inf),
        (ex(codes.FLOOR, -1.5), -2.0),
        (ex(codes.CEIL, -1.5), -1.0),
        (ex(codes.TO_INT, -1.9), -1),
        (ex(codes.TO_INT, 1e300), LEAST),
        (ex(codes.TO_FLOAT, 3), 3.0),
        (ex(codes.MIN, 3, 1, 2), 1),
        (ex(codes.MAX, 3.0, 1.0), 3.0),
        (ex(codes.INT_AND, 12, 10, 9), 8),
        (ex(codes.INT_OR, 12, 3), 15),
        (ex(codes.INT_XOR, 12, 10), 6),
        (ex(codes.INT_NOT, 0), -1),
        (ex(codes.INT_LSHIFT, 1, 63), LEAST),
        (ex(codes.INT_LSHIFT, 1, 64), 1),
        (ex(codes.INT_RSHIFT, -1, 60), 15),
        (ex(codes.INT_ARSHIFT, -16, 2), -4),
        (ex(codes.INT_COUNT, -1), 64),
        (ex(codes.INT_LSCAN, 1, True), 63),
        (ex(codes.INT_LSCAN, 0, True), -1),
        (ex(codes.INT_RSCAN, 8, True), 60),
        (ex(codes.INT_RSCAN, -1, False), -1),
        (ex(codes.ADD, 1, ex(codes.DIV, 1, 0)), UNKNOWN),
    ],
)
def test_arithmetic_has_the_limits_of_64_bits(expression: Built, worth: Any) -> None:
    assert value(expression) == worth


def test_results_that_are_not_numbers_have_the_sign_of_the_real_ones() -> None:
    for expression in (ex(codes.LOG, -1.0, 2.0), ex(codes.DIV, 0.0, 0.0), ex(codes.POW, -1.0, 0.5)):
        result = value(expression)
        assert math.isnan(result) and math.copysign(1.0, result) == -1.0


@pytest.mark.parametrize(
    ("expression", "worth"),
    [
        (ex(codes.AND, True, UNK), UNKNOWN),
        (ex(codes.AND, UNK, False), False),
        (ex(codes.OR, UNK, True), True),
        (ex(codes.OR, False, UNK), UNKNOWN),
        (ex(codes.NOT, UNK), UNKNOWN),
        (ex(codes.EXCLUSIVE, True, False, False), True),
        (ex(codes.EXCLUSIVE, True, True, UNK), False),
        (ex(codes.EXCLUSIVE, True, UNK, True), UNKNOWN),
        (ex(codes.COND, False, 1, True, 2, 3), 2),
        (ex(codes.COND, False, 1, 3), 3),
        (ex(codes.COND, UNK, 1, 3), UNKNOWN),
        (ex(codes.COND, True, UNK, 3), UNKNOWN),
        (
            ex(codes.LET, name("x"), 2, name("y"), ex(codes.ADD, X, 1), ex(codes.VAR, name("y"))),
            3,
        ),
        (ex(codes.CMP_EQ, None, None), True),
        (ex(codes.CMP_LT, "abc", "abd"), True),
        (ex(codes.CMP_GT, "ab", "a"), True),
        (ex(codes.CMP_LT, False, True), True),
        (ex(codes.CMP_EQ, quoted(1, 2), quoted(1, 2)), True),
        (ex(codes.CMP_LT, quoted(1, 2), quoted(1, 2, 0)), True),
        (ex(codes.CMP_LT, quoted(1, "a"), quoted(1, [])), True),
        (ex(codes.CMP_EQ, OrderedMap({1: 2}, 1), OrderedMap({1: 2}, 1)), True),
        (ex(codes.CMP_EQ, {1: 2}, {1: 2}), UNKNOWN),
        (ex(codes.CMP_LT, quoted(1, {1: 2}), quoted(2, {1: 2})), True),
        (ex(codes.CMP_LT, quoted(1, {1: 2}), quoted(1, {1: 2})), UNKNOWN),
        (ex(codes.IN_LIST, 2, quoted(1, 2)), True),
        (ex(codes.IN_LIST, "a", quoted(1, 2)), False),
        (ex(codes.IN_LIST, quoted(2), quoted([1], [2])), True),
        (ex(codes.MAP_KEYS, as_written("b", 1, "a", 2)), ["b", "a"]),
        (ex(codes.MAP_VALUES, as_written("b", 1, "a", 2)), [1, 2]),
        (ex(codes.MAP_KEYS, 5), UNKNOWN),
        (ex(codes.CMP_REGEX, 3, name("^H.*o$"), "hello"), True),
    ],
)
def test_logic_and_comparisons(expression: Built, worth: Any) -> None:
    assert value(expression) == worth


def test_bins_of_another_type_are_unknown() -> None:
    stored = record(a=1, s="text")
    assert value(bin_("a", codes.TYPE_INT), stored) == 1
    assert value(bin_("a", codes.TYPE_STR), stored) is UNKNOWN
    assert value(bin_("none", codes.TYPE_INT), stored) is UNKNOWN
    assert value(bin_("a", codes.TYPE_INT)) is UNKNOWN, "without a record in sight"
    assert value(ex(codes.BIN_TYPE, name("s")), stored) == wire.PARTICLE_STRING
    assert value(ex(codes.BIN_TYPE, name("none")), stored) == wire.PARTICLE_NULL


def test_metadata() -> None:
    stored = record(key=b"\x03mine", void_time=NOW + 100, a=1)
    assert value(ex(codes.META_TTL), stored) == 100
    assert value(ex(codes.META_VOID_TIME), stored) == (NOW + 100 + wire.CITRUSLEAF_EPOCH) * 10**9
    assert value(ex(codes.META_SINCE_UPDATE), stored) == 5000
    assert value(ex(codes.META_LAST_UPDATE), stored) == (NOW - 5 + wire.CITRUSLEAF_EPOCH) * 10**9
    assert value(ex(codes.META_SET_NAME), stored) == "set"
    assert value(ex(codes.META_KEY_EXISTS), stored) is True
    assert value(ex(codes.META_IS_TOMBSTONE), stored) is False
    assert value(ex(codes.META_DIGEST_MOD, 7), stored) == int.from_bytes(DIGEST[16:], "little") % 7
    assert value(ex(codes.REC_KEY, codes.TYPE_STR), stored) == "mine"
    assert value(ex(codes.REC_KEY, codes.TYPE_INT), stored) is UNKNOWN
    forever = record(a=1)
    assert (value(ex(codes.META_TTL), forever), value(ex(codes.META_VOID_TIME), forever)) == (-1, -1)
    assert value(ex(codes.META_TTL)) is UNKNOWN


def test_calls_change_a_copy_and_take_expressions_as_arguments() -> None:
    stored = record(l=[3, 1], n=7)
    changed = call(
        codes.TYPE_LIST, codes.CALL_MODIFY_LOCAL, cdt_ops.LIST_APPEND, bin_("l", codes.TYPE_LIST),
        bin_("n", codes.TYPE_INT),
    )  # fmt: skip
    assert value(changed, stored) == [3, 1, 7]
    assert decode_value(*stored.bins["l"]) == [3, 1]
    assert value(call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.LIST_SIZE, changed), stored) == 3
    wrong = call(codes.TYPE_STR, codes.CALL_CDT, cdt_ops.LIST_SIZE, changed)
    assert value(wrong, stored) is UNKNOWN, "of another type than was said"
    unknown = call(
        codes.TYPE_LIST, codes.CALL_MODIFY_LOCAL, cdt_ops.LIST_APPEND, quoted(1), bin_("none", codes.TYPE_INT)
    )
    assert value(unknown, stored) is UNKNOWN


def test_a_literal_map_keeps_its_order_through_changes() -> None:
    literal = as_written("c", 1, "a", 2, "b", 3)
    size = call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.MAP_GET_BY_KEY, literal, cdt_ops.RETURN_INDEX, "c")
    assert value(size) == 2
    changed = call(codes.TYPE_MAP, codes.CALL_MODIFY_LOCAL, cdt_ops.MAP_PUT, literal, "bb", 9, 0)
    assert list(value(changed)) == ["bb", "c", "a", "b"]
    removed = call(codes.TYPE_MAP, codes.CALL_MODIFY_LOCAL, cdt_ops.MAP_REMOVE_BY_KEY, literal, 0, "a")
    assert list(value(removed)) == ["c", "b"]


def test_points_are_within_regions_whichever_stands_first() -> None:
    region = GeoJSON('{"type":"AeroCircle","coordinates":[[0.0,0.0],200000]}')
    inside, outside = (GeoJSON(f'{{"type":"Point","coordinates":[{x},1.0]}}') for x in (1.0, 2.0))
    assert value(ex(codes.CMP_GEO, inside, region)) is True
    assert value(ex(codes.CMP_GEO, region, inside)) is True
    assert value(ex(codes.CMP_GEO, outside, region)) is False
    assert value(ex(codes.CMP_GEO, region, region)) is False
    assert value(ex(codes.CMP_GEO, inside, inside)) is False


def test_expressions_in_contexts_see_the_element_alone() -> None:
    above = compile_expression(bytes(ex(codes.CMP_GT, ex(codes.VAR_BUILTIN, codes.TYPE_INT, codes.BUILTIN_VALUE), 5)))
    assert above.matches(Scope.of_element(None, pack_value(9), None)) is True
    assert above.matches(Scope.of_element(None, pack_value("text"), None)) is UNKNOWN
    assert above.matches(Scope()) is UNKNOWN


def recorded() -> list[tuple[StoredRecord, bytes, dict[str, Any]]]:
    found = []
    stored, digest = record(), DIGEST
    for line in DATA.read_text().splitlines():
        row = json.loads(line)
        if "key" in row:
            bins = {name: (kind, bytes.fromhex(data)) for name, (kind, data) in row["bins"].items()}
            stored, digest = StoredRecord("recorded", bins, 1, 0, 0), compute_digest("recorded", row["key"])
        else:
            found.append((stored, digest, row))
    return found


def test_recorded_evaluations_of_a_real_server() -> None:
    # tests/integration/real/test_expressions.py makes the same kind of expressions for a server at hand.
    rows = recorded()
    assert len(rows) > 1000
    for stored, digest, row in rows:
        scope = Scope.of_record(stored, digest, CLOCK)
        try:
            worth = expression_operations.read(scope, b"\x91" + bytes.fromhex(row["expression"]))
            answer = None if worth is None else [worth[0], worth[1].hex()]
            result = ResultCode.OK
        except Refused as refused:
            answer, result = None, refused.result
        assert (result, answer) == (row["result"], row.get("value")), row["expression"]
