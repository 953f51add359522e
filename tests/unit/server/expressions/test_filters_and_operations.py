"""Filters on commands, and operations that evaluate expressions."""

from __future__ import annotations

from typing import Any

import pytest

from trio_aerospike._wire import constants as wire, exp_ops as codes
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.messages import Op
from trio_aerospike._wire.particles import decode_value
from trio_aerospike.errors import ResultCode

from ..test_record_commands import A_PUT, Bench, op
from .build import UNK, Built, bin_, ex

IS_ONE = bytes(ex(codes.CMP_EQ, bin_("a", codes.TYPE_INT), 1))
IS_TWO = bytes(ex(codes.CMP_EQ, bin_("a", codes.TYPE_INT), 2))
NONSENSE = b"\x91\x0a"
DELETE = {"info2": wire.INFO2_WRITE | wire.INFO2_DELETE}
READ = {"info1": wire.INFO1_READ | wire.INFO1_GET_ALL}


@pytest.mark.parametrize("request_", [READ, A_PUT, DELETE])
def test_a_filter_decides_about_every_command(request_: dict[str, Any]) -> None:
    bench = Bench()
    bench.put()
    bench.refuses(ResultCode.FILTERED_OUT, **request_, filter=IS_TWO)
    bench.refuses(ResultCode.FILTERED_OUT, **request_, filter=bytes(UNK))
    bench.refuses(ResultCode.PARAM, **request_, filter=NONSENSE)
    bench.refuses(ResultCode.PARAM, **request_, filter=bytes(ex(codes.ADD, 1, 2)))
    bench.run(**request_, filter=IS_ONE)


def test_without_a_record_the_filter_is_not_looked_at() -> None:
    bench = Bench()
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **READ, filter=IS_TWO)
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **DELETE, filter=NONSENSE)
    bench.put(filter=NONSENSE)
    assert bench.bins() == {"a": 1}


def test_a_filter_comes_after_the_generation_and_before_the_key() -> None:
    bench = Bench()
    bench.put(key=b"\x03mine")
    bench.refuses(
        ResultCode.RECORD_GENERATION, **A_PUT | {"info2": wire.INFO2_WRITE | wire.INFO2_GENERATION}, filter=IS_TWO
    )
    bench.refuses(ResultCode.FILTERED_OUT, **A_PUT, key=b"\x03other", filter=IS_TWO)
    bench.refuses(ResultCode.FILTERED_OUT, **READ, key=b"\x03other", filter=IS_TWO)


def exp_op(number: int, name: str, expression: Built | Any, flags: int | None = None) -> Op:
    packed = expression if isinstance(expression, Built) else pack_value(expression)
    payload = b"\x91" + packed if flags is None else b"\x92" + packed + pack_value(flags)
    return Op(number, wire.PARTICLE_BLOB, name, payload)


def modify(name: str, expression: Any, flags: int | None = None) -> Op:
    return exp_op(wire.OP_EXP_MODIFY, name, expression, flags)


def evaluate(expression: Any, flags: int | None = None) -> Op:
    return exp_op(wire.OP_EXP_READ, "out", expression, flags)


SUM = ex(codes.ADD, bin_("a", codes.TYPE_INT), 41)


def answers(outcome: Any) -> list[tuple[str, Any]]:
    return [(name, decode_value(kind, data)) for _, kind, name, data in outcome.response.ops]


def test_an_expression_is_read() -> None:
    bench = Bench()
    bench.put()
    assert answers(bench.run(info1=wire.INFO1_READ, ops=(evaluate(SUM),))) == [("out", 42)]
    assert answers(bench.run(info1=wire.INFO1_READ, ops=(evaluate(None),))) == []
    within_write = bench.write(op(wire.OP_WRITE, "a", 2), evaluate(SUM), evaluate(None), info1=wire.INFO1_READ)
    assert answers(within_write) == [("out", 43), ("out", None)]


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (modify("a", 5, codes.FLAG_CREATE_ONLY), ResultCode.BIN_EXISTS),
        (modify("b", 5, codes.FLAG_UPDATE_ONLY), ResultCode.BIN_NOT_FOUND),
        (modify("b", bin_("none", codes.TYPE_INT)), ResultCode.OP_NOT_APPLICABLE),
        (modify("a", None), ResultCode.OP_NOT_APPLICABLE),
        (modify("a", ex(codes.RESULT_REMOVE)), ResultCode.OP_NOT_APPLICABLE),
        (modify("a", 5, 32), ResultCode.PARAM),
        (modify("a", Built(NONSENSE)), ResultCode.PARAM),
        (evaluate(bin_("none", codes.TYPE_INT)), ResultCode.OP_NOT_APPLICABLE),
        (evaluate(5, codes.FLAG_CREATE_ONLY), ResultCode.PARAM),
        (Op(wire.OP_EXP_MODIFY, wire.PARTICLE_BLOB, "a", b"\x90"), ResultCode.PARAM),
        (Op(wire.OP_EXP_MODIFY, wire.PARTICLE_BLOB, "a", b"\x93\x01\x00\x00"), ResultCode.PARAM),
        (Op(wire.OP_EXP_MODIFY, wire.PARTICLE_BLOB, "a", b"\x05"), ResultCode.PARAM),
    ],
)
def test_what_fails_leaves_the_record_as_it_was(operation: Op, result: ResultCode) -> None:
    bench = Bench()
    bench.put()
    before = op(wire.OP_WRITE, "a", 9)
    bench.refuses(
        result, info1=wire.INFO1_READ, info2=wire.INFO2_WRITE, ops=(before, operation) if result == 4 else (operation,)
    )
    assert bench.bins() == {"a": 1}


@pytest.mark.parametrize(
    ("operation", "bins"),
    [
        (modify("a", SUM), {"a": 42}),
        (modify("b", SUM, codes.FLAG_CREATE_ONLY), {"a": 1, "b": 42}),
        (modify("a", 5, codes.FLAG_CREATE_ONLY | codes.FLAG_POLICY_NO_FAIL), {"a": 1}),
        (modify("b", 5, codes.FLAG_UPDATE_ONLY | codes.FLAG_POLICY_NO_FAIL), {"a": 1}),
        (modify("b", bin_("none", codes.TYPE_INT), codes.FLAG_EVAL_NO_FAIL), {"a": 1}),
        (modify("a", None, codes.FLAG_ALLOW_DELETE), {"c": 3}),
        (modify("a", None, codes.FLAG_EVAL_NO_FAIL), {"a": 1}),
        (modify("b", None), {"a": 1}),
    ],
)
def test_an_expression_becomes_a_bin(operation: Op, bins: dict[str, Any]) -> None:
    bench = Bench()
    bench.put(bins={"a": 1, "c": 3})
    bench.write(operation)
    assert bench.bins() == {"c": 3} | bins


def test_expressions_of_a_write_see_what_it_has_written_so_far() -> None:
    bench = Bench()
    bench.put()
    bench.write(op(wire.OP_WRITE, "a", 2), modify("b", SUM), modify("c", ex(codes.META_TTL)), record_ttl=500)
    assert bench.bins() == {"a": 2, "b": 43, "c": 500}
    bench.refuses(
        ResultCode.OP_NOT_APPLICABLE,
        info2=wire.INFO2_WRITE,
        info3=wire.INFO3_CREATE_OR_REPLACE,
        ops=(modify("b", SUM),),
    )
