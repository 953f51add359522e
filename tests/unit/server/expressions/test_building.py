"""What the server refuses to build, it refuses here."""

from __future__ import annotations

import pytest

from trio_aerospike._wire import cdt_ops, exp_ops as codes
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike.errors import ResultCode
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.expressions import compile_expression, compile_filter

from .build import UNK, Built, bin_, call, ex, name, quoted


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x90",
        b"\x91",
        b"\x91\x0a",
        b"\x91\x0f",
        b"\x91\xcc\x80",
        b"\x91\xff",
        ex(codes.ADD, 1) + b"\x01",
        ex(codes.ADD, 1, 2)[:-1],
        b"\xa0",
        b"\xa2\x01x",
        b"\xd4\xff\x00",
        ex(codes.ADD),
        ex(codes.ADD, 1, 2.0),
        ex(codes.ADD, "a"),
        ex(codes.CMP_EQ, 1),
        ex(codes.CMP_EQ, 1, 2, 3),
        ex(codes.CMP_EQ, 1, "a"),
        ex(codes.CMP_EQ, bin_("h", codes.TYPE_HLL), bin_("h", codes.TYPE_HLL)),
        ex(codes.CMP_EQ, bin_("g", codes.TYPE_GEOJSON), bin_("g", codes.TYPE_GEOJSON)),
        ex(codes.CMP_GEO, 1, bin_("g", codes.TYPE_GEOJSON)),
        ex(codes.CMP_REGEX, 0, name("("), 1),
        ex(codes.CMP_REGEX, 1, name("("), "a"),
        ex(codes.AND, True),
        ex(codes.AND, True, 1),
        ex(codes.NOT, 1),
        ex(codes.POW, 1, 2),
        ex(codes.MOD, 1.0, 2.0),
        ex(codes.TO_INT, 1),
        ex(codes.INT_AND, 1.0),
        ex(codes.INT_LSCAN, 1, 1),
        ex(codes.META_DIGEST_MOD, 0),
        ex(codes.META_DIGEST_MOD, 2**32),
        ex(codes.META_TTL, 1),
        ex(codes.REC_KEY, codes.TYPE_FLOAT),
        ex(codes.BIN, 10, name("a")),
        ex(codes.BIN, codes.TYPE_INT, name("sixteen-letters-")),
        ex(codes.BIN, codes.TYPE_INT, name("a\0b")),
        ex(codes.BIN, codes.TYPE_INT, 5),
        ex(codes.COND, True, 1),
        ex(codes.COND, True, 1, True, 2),
        ex(codes.COND, True, 1, "a"),
        ex(codes.COND, 1, 1, 2),
        ex(codes.VAR, name("x")),
        ex(codes.LET, name("x"), 1),
        ex(codes.LET, name("1x"), 1, 2),
        ex(codes.LET, name(""), 1, 2),
        ex(codes.LET, name("x"), ex(codes.VAR, name("x")), 2),
        ex(codes.LET, name("x"), 1, name("x"), 2, 3),
        ex(codes.ADD, ex(codes.LET, name("x"), 1, 2), ex(codes.VAR, name("x"))),
        ex(codes.VAR_BUILTIN, codes.TYPE_STR, codes.BUILTIN_INDEX),
        ex(codes.VAR_BUILTIN, codes.TYPE_INT, 3),
        ex(codes.VAR_BUILTIN, 12, 0),
        ex(codes.QUOTE, 1),
        ex(codes.IN_LIST, 1, 2),
        call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.LIST_SIZE, 5),
        call(codes.TYPE_INT, codes.CALL_BITS, 51, quoted(1)),
        call(codes.TYPE_INT, 3, 51, quoted(1)),
        call(10, codes.CALL_CDT, cdt_ops.LIST_SIZE, quoted(1)),
        ex(codes.CALL, codes.TYPE_INT, codes.CALL_CDT, 5, quoted(1)),
        ex(codes.AND, *[True] * 50_000),
        b"\x92\x12" * 20_000 + b"\xc3",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        compile_expression(bytes(data))
    assert caught.value.result == ResultCode.PARAM


@pytest.mark.parametrize("expression", [ex(codes.ADD, 1, 2), ex(codes.RESULT_REMOVE), quoted(1), Built(b"\xc0")])
def test_a_filter_has_to_be_a_bool(expression: Built) -> None:
    compile_expression(bytes(expression))
    with pytest.raises(Refused):
        compile_filter(bytes(expression))


def test_unknown_stands_for_any_type_where_branches_meet() -> None:
    assert compile_expression(bytes(ex(codes.COND, True, UNK, 5))).type == codes.TYPE_INT
    assert compile_expression(bytes(ex(codes.COND, True, 5, UNK))).type == codes.TYPE_INT
    assert compile_expression(bytes(ex(codes.COND, True, UNK, UNK))).type == codes.TYPE_BOOL


def test_a_call_on_nil_passes_for_nil() -> None:
    created = call(codes.TYPE_LIST, codes.CALL_MODIFY_LOCAL, cdt_ops.LIST_APPEND, None, 1)
    assert compile_expression(bytes(created)).type == codes.TYPE_NIL


def test_the_bins_that_an_expression_looks_at_are_known() -> None:
    expression = ex(codes.AND, bin_("t", codes.TYPE_BOOL), ex(codes.CMP_EQ, ex(codes.BIN_TYPE, name("x")), 1))
    assert compile_expression(bytes(expression)).bin_names == {b"t", b"x"}


def test_compiled_expressions_are_kept() -> None:
    data = pack_value(12345)
    assert compile_expression(data) is compile_expression(bytes(data))
