"""What a server would refuse is refused when it is built, and the message says where."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

import trio_aerospike
from tests.unit.exp.evaluated import evaluated
from trio_aerospike import GeoJSON, HyperLogLog, TypedBlob, ctx
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.exp import Expression, ExpType

# Of what is refused here much is refused by type checkers, too.
exp: Any = trio_aerospike.exp

N, F, S, B, T = exp.int_bin("i"), exp.float_bin("f"), exp.str_bin("s"), exp.blob_bin("b"), exp.bool_bin("t")
L, M, G, H = exp.list_bin("l"), exp.map_bin("m"), exp.geo_bin("g"), exp.hll_bin("h")
BY_TYPE = {"int": N, "float": F, "str": S, "blob": B, "bool": T, "list": L, "map": M, "geojson": G, "hll": H}


def refused(build, *fragments):
    with pytest.raises(InvalidArgError) as error:
        build()
    for fragment in fragments:
        assert fragment in str(error.value), str(error.value)


def test_the_message_shows_the_expression_the_argument_its_type_and_what_is_allowed():
    refused(lambda: N + "x", "in: exp.int_bin('i') + 'x': argument 2 is str, allowed: int")


ARGUMENTS = [
    (exp.and_, "bool"),
    (exp.or_, "bool"),
    (exp.xor_, "bool"),
    (exp.int_and, "int"),
    (exp.int_or, "int"),
    (exp.int_xor, "int"),
    (exp.int_lshift, "int"),
    (exp.int_rshift, "int"),
    (exp.int_arshift, "int"),
    (exp.num_mod, "int"),
    (exp.num_pow, "float"),
    (exp.num_log, "float"),
    (exp.geo_compare, "geojson"),
]


@pytest.mark.parametrize("wrong", BY_TYPE)
@pytest.mark.parametrize(("function", "right"), ARGUMENTS, ids=lambda value: getattr(value, "__name__", value))
def test_operations_of_two_take_one_type_alone(function, right, wrong):
    if wrong == right:
        assert isinstance(function(BY_TYPE[right], BY_TYPE[right]), Expression)
        return
    good, bad = BY_TYPE[right], BY_TYPE[wrong]
    refused(lambda: function(bad, good), f"argument 1 is {wrong}, allowed: {right}")
    refused(lambda: function(good, bad), f"argument 2 is {wrong}, allowed: {right}")


SINGLE = [
    (exp.not_, "bool"),
    (exp.int_not, "int"),
    (exp.int_count, "int"),
    (exp.num_floor, "float"),
    (exp.num_ceil, "float"),
    (exp.to_int, "float"),
    (exp.to_float, "int"),
    (exp.map_keys, "map"),
    (exp.map_values, "map"),
    (lambda value: exp.regex_compare("a", 0, value), "str"),
    (lambda value: exp.in_list(1, value), "list"),
    (lambda value: exp.int_lscan(value, True), "int"),
    (lambda value: exp.int_rscan(1, value), "bool"),
    (lambda value: exp.cond(value, 1, 2), "bool"),
]


@pytest.mark.parametrize("wrong", BY_TYPE)
@pytest.mark.parametrize(("function", "right"), SINGLE, ids=lambda value: getattr(value, "__name__", value))
def test_operations_of_one_type_refuse_all_others(function, right, wrong):
    if wrong == right:
        assert isinstance(function(BY_TYPE[right]), Expression)
    else:
        refused(lambda: function(BY_TYPE[wrong]), f" is {wrong}, allowed: {right}")


@pytest.mark.parametrize("function", [exp.num_add, exp.num_sub, exp.num_mul, exp.num_div, exp.min_, exp.max_])
def test_arithmetic_is_of_ints_or_of_floats(function):
    assert function(N, N, 1).type is ExpType.INT
    assert function(F, F, 1.5).type is ExpType.FLOAT
    assert function(N).type is ExpType.INT
    refused(lambda: function(N, F), "argument 2 is float, allowed: int")
    refused(lambda: function(F, N), "argument 2 is int, allowed: float")
    refused(lambda: function(S), "argument 1 is str, allowed: int or float")
    refused(function, "it has 0 arguments, allowed: 1 or more")


@pytest.mark.parametrize("function", [exp.eq, exp.ne, exp.gt, exp.ge, exp.lt, exp.le])
def test_comparisons_are_of_one_type_that_has_an_order(function):
    for one in BY_TYPE.values():
        for other in BY_TYPE.values():
            if one is other and one is not G and one is not H:
                assert function(one, other).type is ExpType.BOOL
            else:
                refused(lambda one=one, other=other: function(one, other), "in: exp.", "allowed: ")
    refused(lambda: function(G, G), "geojson and hll cannot be compared")
    refused(lambda: function(N, "x"), "argument 2 is str, allowed: int")
    refused(lambda: function(N, None), "argument 2 is nil, allowed: int")
    assert function(None, exp.nil()).type is ExpType.BOOL


def test_an_int_of_the_program_beside_a_float_is_a_float_and_no_other_int_is():
    assert (F > 2).same_as(F > 2.0)
    assert (2 + F).same_as(2.0 + F)
    assert (F**2).same_as(exp.num_pow(F, 2.0))
    refused(lambda: exp.int_val(2) > F, "argument 2 is float, allowed: int")
    refused(lambda: F > True, "argument 2 is bool, allowed: float")
    refused(lambda: F > (1 << 53) + 1, "argument 2 is int, allowed: float")
    refused(lambda: N > 2.0, "argument 2 is float, allowed: int")


@pytest.mark.parametrize("function", [exp.and_, exp.or_, exp.xor_])
def test_logic_is_of_two_or_more(function):
    refused(lambda: function(T), "it has 1 argument, allowed: 2 or more")
    refused(function, "it has 0 arguments")
    assert function(T, True, T, exp.unknown()).type is ExpType.BOOL


def test_the_results_of_cond_have_one_type_or_are_unknown():
    assert exp.cond(T, 1, 2).type is ExpType.INT
    assert exp.cond(T, exp.unknown(), T, "a", exp.unknown()).type is ExpType.STRING
    assert exp.cond(T, exp.unknown(), exp.unknown()).type is ExpType.BOOL
    assert exp.cond(T, exp.var("x"), 1).type is ExpType.INT
    refused(lambda: exp.cond(T, 1, "a"), "argument 3 is str, allowed: int, as the results before it")
    refused(lambda: exp.cond(T, 1), "it has 2 arguments, allowed: pairs of a condition and a result, then a default")
    refused(lambda: exp.cond(T, 1, T, 2), "it has 4 arguments")
    refused(lambda: exp.cond(T), "it has 1 arguments")


def test_variables_have_the_type_of_their_value_once_they_are_bound():
    x = exp.var("x")
    assert x.type is None
    assert x.free_variables == {"x"}
    let = exp.let_(exp.def_("x", N), exp.def_("y", x + 1), exp.var("y") * x)
    assert let.type is ExpType.INT
    assert not let.free_variables
    refused(lambda: exp.let_(exp.def_("x", S), x + 1), "in: exp.var('x') + 1: argument 1 is str, allowed: int")
    refused(
        lambda: exp.let_(exp.def_("x", N), exp.and_(x > 1, x)), "in: (exp.var('x') > 1) & exp.var('x')", "argument 2"
    )
    inner = exp.let_(exp.def_("y", x), exp.not_(exp.var("y")))
    refused(lambda: exp.let_(exp.def_("x", N), inner), "in: exp.not_(exp.var('y')): argument 1 is int, allowed: bool")
    assert exp.let_(exp.def_("x", exp.unknown()), ~(x & T)).type is ExpType.BOOL


def test_variables_are_bound_once_and_before_they_are_used():
    x, y = exp.var("x"), exp.var("y")
    refused(lambda: exp.let_(exp.def_("x", 1), exp.def_("x", 2), x), "variable 'x' is bound a second time")
    inner = exp.let_(exp.def_("x", 1), x + 1)
    refused(lambda: exp.let_(exp.def_("x", 2), inner + x), "variable 'x' is bound a second time within")
    refused(lambda: exp.let_(exp.def_("x", inner), x), "variable 'x' is bound a second time within")
    refused(lambda: exp.let_(exp.def_("x", y), exp.def_("y", 1), x), "uses variable 'y' before it is bound")
    refused(lambda: exp.let_(exp.def_("x", x + 1), x), "uses variable 'x' before it is bound")
    side_by_side = exp.num_add(exp.let_(exp.def_("x", 1), x), exp.let_(exp.def_("x", 2), x))
    assert side_by_side.type is ExpType.INT
    assert exp.let_(exp.def_("x", 1), x + y).free_variables == {"y"}


@pytest.mark.parametrize("name", ["", "1x", "é", "a b", "a-b", 5, None, b"x"])
def test_names_of_variables_are_of_letters_digits_and_underscores(name):
    refused(lambda: exp.var(name), f"exp.var: got {name!r}, allowed: a name of letters of ASCII")
    refused(lambda: exp.def_(name, 1), "exp.def_: got")


def test_let_has_definitions_first_and_an_expression_behind_them():
    one = exp.def_("x", 1)
    for build in (exp.let_, lambda: exp.let_(1), lambda: exp.let_(N, one), lambda: exp.let_(1, 2)):
        refused(build, "exp.let_: got", "allowed: one or more of def_, then an expression")
    refused(lambda: exp.let_(one, one), "an expression after the last def_")
    refused(
        lambda: exp.let_(exp.def_("x", exp.infinity()), 1), "variable 'x' is infinity or wildcard, allowed: a value"
    )


# --- operators --------------------------------------------------------------------------------------------------------


def test_and_or_not_and_chains_of_comparisons_are_refused_with_what_to_write_instead():
    for build in (
        lambda: T and T,
        lambda: T or T,
        lambda: not T,
        lambda: 1 < N < 5,
        lambda: bool(N == 1),
        lambda: N in [exp.int_bin("x")],
        lambda: 1 if T else 2,
    ):
        refused(build, "neither true nor false", "exp.", "allowed: & | ~ for and, or, not", "same_as")


def test_bits_and_logic_share_operators_by_type():
    assert (N & 6).same_as(exp.int_and(N, 6))
    assert (6 & N).same_as(exp.int_and(6, N))
    assert (N | 6).same_as(exp.int_or(N, 6))
    assert (6 ^ N).same_as(exp.int_xor(6, N))
    assert (~N).same_as(exp.int_not(N))
    assert (T & True).same_as(exp.and_(T, True))
    assert (True | T).same_as(exp.or_(True, T))
    assert (T ^ T).same_as(exp.xor_(T, T))
    assert (~T).same_as(exp.not_(T))
    assert (~exp.unknown()).same_as(exp.not_(exp.unknown()))
    refused(lambda: N & T, "in: exp.int_bin('i') & exp.bool_bin('t'): argument 2 is bool, allowed: int")
    refused(lambda: F & F, "argument 1 is float, allowed: bool")
    refused(lambda: ~S, "argument 1 is str, allowed: bool")
    x, y = exp.var("x"), exp.var("y")
    refused(lambda: x & y, "exp.var('x') and exp.var('y')", "allowed: and_ or int_and")
    refused(lambda: ~x, "allowed: not_ or int_not")
    assert (x & 1).same_as(exp.int_and(x, 1))


def test_chains_of_one_operator_are_one_operation():
    assert (N + 1 + 2).same_as(exp.num_add(N, 1, 2))
    assert (N - 1 - 2).same_as(exp.num_sub(N, 1, 2))
    assert (N - (S_LEN - 2)).same_as(exp.num_sub(N, exp.num_sub(S_LEN, 2)))
    assert (-N - 2).same_as(exp.num_sub(exp.num_sub(N), 2))
    assert (N * 2 * 3).same_as(exp.num_mul(N, 2, 3))
    assert (N / 2 / 3).same_as(exp.num_div(exp.num_div(N, 2), 3))
    assert (T & T & T).same_as(exp.and_(T, T, T))
    assert (T | (T | T)).same_as(exp.or_(T, T, T))
    assert (T ^ T ^ T).same_as(exp.xor_(exp.xor_(T, T), T))
    assert (N ^ 1 ^ 2).same_as(exp.int_xor(N, 1, 2))


S_LEN = exp.lists.size("l")


def test_other_operators_are_their_functions():
    assert abs(N).same_as(exp.num_abs(N))
    assert math.floor(F).same_as(exp.num_floor(F))
    assert math.ceil(F).same_as(exp.num_ceil(F))
    assert (+N).same_as(exp.num_add(N))
    assert (10 - N).same_as(exp.num_sub(10, N))
    assert (10 / N).same_as(exp.num_div(10, N))
    assert (10 % N).same_as(exp.num_mod(10, N))
    assert (2.0**F).same_as(exp.num_pow(2.0, F))
    assert (F // 2).same_as(exp.num_floor(exp.num_div(F, 2.0)))
    assert (9 // F).same_as(exp.num_floor(exp.num_div(9.0, F)))
    assert (1 << N).same_as(exp.int_lshift(1, N))
    assert (-8 >> N).same_as(exp.int_arshift(-8, N))
    assert (N > 5).same_as(exp.gt(N, 5))
    refused(lambda: N // 2, "argument 1 is int, allowed: float")


def test_expressions_count_by_identity_in_sets_and_dicts():
    one, other = exp.int_bin("a"), exp.int_bin("a")
    assert len({one, other, one}) == 2
    assert {one: 1}[one] == 1
    assert one.same_as(other)
    assert not one.same_as(exp.int_bin("b"))
    assert not one.same_as("a")


def test_an_expression_is_not_made_by_hand():
    refused(Expression, "it is made by the functions of trio_aerospike.exp")


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [object(), {1}, 1j, range(3), lambda: 1, exp.def_("x", 1)])
def test_what_the_database_has_no_type_for_is_no_value(value):
    refused(lambda: value == N, "eq, argument 2: got ", "allowed: an expression, or an int of 64 bits")
    refused(lambda: exp.val(value), "exp.val: got ")


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, [1 << 64], {"a": object()}, {(1,): 2}, "\ud800"])
def test_a_value_that_cannot_be_packed_is_refused_with_its_place(value):
    refused(lambda: exp.val(value), "exp.val: value")


def test_blobs_of_old_clients_are_no_values_of_their_own():
    refused(lambda: exp.val(TypedBlob(7, b"x")), "exp.val: got")
    assert exp.val([TypedBlob(7, b"x")]).type is ExpType.LIST


TYPED = [
    (exp.int_val, 1, "1"),
    (exp.int_val, 1, True),
    (exp.float_val, 1, "1"),
    (exp.str_val, "a", b"a"),
    (exp.bool_val, True, 1),
    (exp.blob_val, b"a", "a"),
    (exp.list_val, [1], "a"),
    (exp.map_val, {1: 2}, [1]),
    (exp.geo_val, "{}", 5),
    (exp.hll_val, b"x", 5),
]


@pytest.mark.parametrize(("function", "right", "wrong"), TYPED)
def test_functions_for_values_of_one_type_take_no_other(function, right, wrong):
    assert function(right).same_as(evaluated(repr(function(right))))
    refused(lambda: function(wrong), f"exp.{function.__name__}: got {wrong!r}")


def test_values_have_their_types():
    for value, kind in [
        (None, ExpType.NIL),
        (True, ExpType.BOOL),
        (1, ExpType.INT),
        ("a", ExpType.STRING),
        ([1], ExpType.LIST),
        ((1,), ExpType.LIST),
        ({1: 2}, ExpType.MAP),
        (bytearray(b"a"), ExpType.BLOB),
        (1.5, ExpType.FLOAT),
        (GeoJSON("{}"), ExpType.GEO),
        (HyperLogLog(b"x"), ExpType.HLL),
        (exp.INFINITY, None),
    ]:
        assert exp.val(value).type is kind
    assert exp.float_val(2).same_as(exp.val(2.0))


def test_a_value_that_is_changed_afterwards_leaves_the_expression_as_it_was():
    values = [1, 2]
    expression = values == L
    values.append(3)
    assert expression.same_as(L == [1, 2])


@pytest.mark.parametrize("name", ["", "x" * 16, "a\0b", 5, None])
def test_names_of_bins_are_checked(name):
    for function in (exp.int_bin, exp.bin_type, exp.bin_exists, exp.hll_bin):
        refused(lambda function=function: function(name), f"exp.{function.__name__}: got {name!r}")


def test_arguments_that_are_no_expressions_are_checked():
    refused(lambda: exp.key(ExpType.FLOAT), "exp.key.exp_type: got", "INT, STRING, BLOB")
    refused(lambda: exp.key("int"), "exp.key.exp_type")
    for modulo in (0, 1 << 31, "3", True, 1.0):
        refused(lambda modulo=modulo: exp.digest_modulo(modulo), "exp.digest_modulo: got")
    for flags in (-1, 16, "i", True):
        refused(lambda flags=flags: exp.regex_compare("a", flags, S), "exp.regex_compare.flags", "RegexFlag.ICASE (2)")
    refused(lambda: exp.regex_compare("a\0", 0, S), "exp.regex_compare.regex")
    refused(lambda: exp.regex_compare(S, 0, S), "exp.regex_compare.regex")
    refused(lambda: exp.loop_value("int"), "exp.loop_value.kind")


# --- limits -----------------------------------------------------------------------------------------------------------


def test_deep_nesting_is_refused_by_its_depth_long_before_python_gives_up():
    expression = N
    with pytest.raises(
        InvalidArgError, match=re.escape(f"nested {exp.DEPTH_MAX + 1} levels deep, allowed: {exp.DEPTH_MAX}")
    ):
        for _ in range(10_000):
            expression = exp.num_abs(expression)
    assert exp.from_bytes(expression.encode()).same_as(expression)
    assert evaluated(repr(expression)).same_as(expression) if exp.DEPTH_MAX < 90 else len(repr(expression)) > 1000
    deep = b"\x92\x1b" * 100_000 + b"\x01"
    refused(lambda: exp.from_bytes(deep), f"nested deeper than the {exp.DEPTH_MAX} levels allowed")
    refused(lambda: exp.from_bytes(b"\x92\x1b" * 10), "cut off")


def test_long_chains_of_operators_are_not_deep():
    expression = N == 0
    for number in range(1, 2000):
        expression = expression | (number == N)
    assert exp.from_bytes(expression.encode()).same_as(expression)
    total = N
    for _ in range(2000):
        total = total + 1
    assert total.type is ExpType.INT


def test_what_does_not_fit_into_the_server_is_refused():
    # A comparison of a bin with an int takes 8 + 24 + 16 bytes there, and all of them one more operation (exp.c).
    fits = (exp.SIZE_MAX - 8 - 1) // 48
    assert exp.or_(*[N == 1] * fits).encode()
    refused(lambda: exp.or_(*[N == 1] * (fits + 1)), f"bytes in the server, allowed: less than {exp.SIZE_MAX}")
    # However long a value is, there it takes no room of its own.
    assert len((S == "x" * 2_000_000).encode()) > 2_000_000


def test_bytes_that_are_no_expression_are_refused_with_the_reason():
    for data, reason in [
        (b"\x90", "an empty list is not an expression"),
        (b"\x91\x4f", "79 is not an operation"),
        (b"\x92\x10\xc3", "it has 1 argument, allowed: 2 or more"),
        (b"\x93\x01\x01\xa2\x03x", "argument 2 is str, allowed: int"),
        (b"\x93\x51\x02\x05", "the name of a bin is not a str"),
        (b"\x93\x51\x63\xa1a", "99 is not a type of an expression"),
        (b"\x92\x7e\x05", "a quoted value must be a list"),
        (b"\x01\x02", "1 bytes follow an expression"),
        (b"\xa2\x07x", "starts no value of an expression"),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "is not an int of 64 bits"),
        (b"\x95\x7f\x02\x05\x91\x10\x93\x51\x04\xa1l", "5 is not a family of operations"),
        (b"\x93\x7a\x03\x02", "the index of a loop is an int"),
        (b"\x93\x7a\x03\x07", "7 is not a loop variable"),
    ]:
        refused(lambda data=data: exp.from_bytes(data), reason)
    for wrong in (b"", "x", None, 5):
        refused(lambda wrong=wrong: exp.from_bytes(wrong), "exp.from_bytes: got")
    for text in ("?", "a", b"\xff", None, ""):
        refused(lambda text=text: exp.from_base64(text), "exp.from_")


# --- calls ------------------------------------------------------------------------------------------------------------


def test_calls_take_their_operand_as_expression_value_or_name():
    assert exp.lists.size("l").same_as(exp.lists.size(L))
    assert exp.maps.size("m").same_as(exp.maps.size(M))
    assert exp.bits.count("b", 0, 8).same_as(exp.bits.count(B, 0, 8))
    assert exp.hll.get_count("h").same_as(exp.hll.get_count(H))
    assert exp.lists.size([1, 2]).type is ExpType.INT
    assert exp.lists.size("m", ctx=[ctx.map_key("k")]).same_as(exp.lists.size(M, ctx=[ctx.map_key("k")]))
    refused(lambda: exp.lists.size(M), "in: exp.lists.size(exp.map_bin('m'))", "argument 1 is map, allowed: list")
    refused(lambda: exp.maps.size(L), "is list, allowed: map")
    refused(lambda: exp.bits.count(S, 0, 8), "is str, allowed: blob")
    refused(lambda: exp.hll.get_count(B), "is blob, allowed: hll")
    refused(lambda: exp.lists.size("x" * 16), "exp.lists.size as the name of a bin: got")


OUT_OF_BOUNDS = [
    ("bits.get_int", (B, 0, 65), "bit_size: got 65, allowed: an int from 1 to 64"),
    ("bits.get_int", (B, 0, 0), "bit_size: got 0, allowed: an int from 1 to 64"),
    ("bits.set_int", (B, 0, 65, 1), "bit_size: got 65, allowed: an int from 1 to 64"),
    ("bits.add", (B, 0, 65, 1), "bit_size: got 65, allowed: an int from 1 to 64"),
    ("bits.subtract", (B, 0, -1, 1), "bit_size: got -1, allowed: an int from 1 to 64"),
    ("bits.count", (B, 0, 0), "bit_size: got 0, allowed: an int from 1 to 1073741824"),
    ("bits.get", (B, 2**31, 1), "bit_offset: got 2147483648, allowed: an int from -1073741824 to 1073741824"),
    ("bits.lscan", (B, 0, -8, True), "bit_size: got -8, allowed: an int from 1 to"),
    ("bits.rshift", (B, 0, 8, -1), "shift: got -1, allowed: an int from 0 to"),
    ("bits.resize", (B, -1), "byte_size: got -1, allowed: an int from 0 to"),
    ("bits.remove", (B, 0, 0), "byte_size: got 0, allowed: an int from 1 to"),
    ("bits.insert", (B, -(2**28), b"x"), "byte_offset: got -268435456, allowed: an int from"),
    ("bits.insert", (B, 0, b""), "value: got b'', allowed: bytes, at least one"),
    ("bits.or_", (B, 0, 9, b"a"), "value: got b'a', allowed: at least the 9 bits of bit_size"),
    ("lists.trim", (L, 0, -1), "count: got -1, allowed: an int from 0 to"),
    ("lists.get_by_index_range", (L, 0, -1), "count: got -1, allowed: an int from 0 to"),
    ("lists.remove_by_rank_range", (L, 0, -1), "count: got -1, allowed: an int from 0 to"),
    ("maps.get_by_index_range", (M, 0, -2), "count: got -2, allowed: an int from 0 to"),
    ("maps.remove_by_key_index_range_relative", (M, "k", 0, -1), "count: got -1, allowed: an int from 0 to"),
]


@pytest.mark.parametrize(("name", "arguments", "reason"), OUT_OF_BOUNDS)
def test_numbers_that_no_server_takes_are_refused_as_in_the_plain_operations(name, arguments, reason):
    module, function = name.split(".")
    refused(lambda: getattr(getattr(exp, module), function)(*arguments), f"exp.{name}.{reason}")
    plain = getattr(getattr(trio_aerospike, module), function)
    refused(lambda: plain("bin", *arguments[1:]), f"{name}.{reason}")
    # Of an expression nobody knows, and what another client has written is read, and written as Python, as it is.
    hidden = getattr(getattr(exp, module), function)(
        arguments[0], *[exp.val(one) if type(one) is not bool else one for one in arguments[1:]]
    )
    read = exp.from_bytes(hidden.encode())
    assert evaluated(repr(read)).encode() == hidden.encode()


def test_arguments_of_calls_have_their_types():
    refused(lambda: exp.lists.insert(L, "0", 1), "argument 1 is str, allowed: int")
    refused(lambda: exp.lists.append_items(L, 1), "argument 1 is int, allowed: list")
    refused(lambda: exp.maps.put_items(M, [1]), "argument 1 is list, allowed: map")
    refused(lambda: exp.bits.set(B, 0, 8, "x"), "argument 3 is str, allowed: blob")
    refused(lambda: exp.bits.lscan(B, 0, 8, 1), "argument 3 is int, allowed: bool")
    refused(lambda: exp.hll.add(H, "x"), "argument 1 is str, allowed: list")
    refused(lambda: exp.lists.append(L, exp.remove_result()), "argument 1 is remove_result")
    refused(lambda: exp.lists.append(L, object()), "exp.lists.append, argument 1: got")
    assert exp.lists.append(L, exp.var("x")).type is ExpType.LIST


def test_the_type_of_a_read_follows_from_its_return_type():
    lists, maps, returns, map_returns = exp.lists, exp.maps, exp.ListReturn, exp.MapReturn
    assert lists.get_by_index(L, 0, ExpType.STRING).type is ExpType.STRING
    assert lists.get_by_index(L, 0, return_type=returns.RANK).type is ExpType.INT
    assert lists.get_by_index_range(L, 0).type is ExpType.LIST
    assert lists.get_by_value(L, 1, return_type=returns.COUNT).type is ExpType.INT
    assert lists.get_by_value(L, 1, return_type=returns.EXISTS).type is ExpType.BOOL
    assert lists.get_by_value(L, 1, return_type=returns.INDEX).type is ExpType.LIST
    assert maps.get_by_key(M, "k", return_type=map_returns.KEY_VALUE).type is ExpType.MAP
    assert maps.get_by_key_range(M, return_type=map_returns.ORDERED_MAP).type is ExpType.MAP
    assert maps.get_by_index(M, 0, ExpType.INT, return_type=map_returns.KEY).type is ExpType.INT
    assert maps.get_by_value(M, 0, return_type=map_returns.KEY).type is ExpType.LIST
    assert exp.hll.get_similarity(H, [HyperLogLog(b"x")]).type is ExpType.FLOAT
    assert exp.hll.describe(H).type is ExpType.LIST
    refused(lambda: lists.get_by_index(L, 0), "exp.lists.get_by_index.value_type: got None, allowed: ExpType.NIL")
    wrong = {"return_type": returns.COUNT}
    refused(
        lambda: lists.get_by_index(L, 0, ExpType.STRING, **wrong), "value_type", "as the return type makes it an int"
    )


def test_return_types_that_the_operation_has_not_are_refused():
    lists, maps = exp.lists, exp.maps
    refused(
        lambda: lists.get_by_value(L, 1, return_type=exp.ListReturn.NONE), "exp.lists.get_by_value.return_type: got"
    )
    refused(
        lambda: lists.get_by_value(L, 1, return_type=exp.MapReturn.KEY), "return_type: got", "allowed: ListReturn.NONE"
    )
    refused(lambda: maps.get_by_key(M, 1, return_type=exp.MapReturn.INDEX_RANGE), "return_type: got", "allowed: INDEX,")
    ranged = {"return_type": exp.ListReturn.RANK_RANGE, "inverted": True}
    refused(lambda: lists.get_by_rank_range(L, 1, **ranged), "another return type: with inverted")
    refused(lambda: lists.get_by_rank_range(L, 1, inverted=1), "inverted: got 1, allowed: True or False")
    refused(lambda: lists.remove_by_value(L, 1, inverted="x"), "exp.lists.remove_by_value.inverted")


def test_what_can_be_no_key_of_a_map_is_refused():
    maps = exp.maps
    allowed = "allowed: a map key: an int of 64 bits, a str or bytes, or an expression of one"
    for key in (1.5, None, True, [1], {"a": 1}, exp.float_bin("f"), exp.INFINITY):
        refused(lambda key=key: maps.get_by_key(M, key, ExpType.INT), "exp.maps.get_by_key.key: got", allowed)
        refused(lambda key=key: maps.put(M, key, 1), "exp.maps.put.key: got", allowed)
        refused(lambda key=key: maps.increment(M, key, 1), "exp.maps.increment.key: got", allowed)
        refused(lambda key=key: maps.remove_by_key(M, key), "exp.maps.remove_by_key.key: got", allowed)
    count = {"return_type": exp.MapReturn.COUNT}
    refused(lambda: maps.get_by_key_range(M, 1.5, **count), "exp.maps.get_by_key_range.begin: got 1.5", allowed)
    refused(lambda: maps.remove_by_key_range(M, "a", [1]), "exp.maps.remove_by_key_range.end: got [1]", allowed)
    refused(lambda: maps.get_by_key_list(M, ["a", 1.5], **count), "exp.maps.get_by_key_list.keys[1]: got 1.5")
    refused(lambda: maps.remove_by_key_list(M, [None]), "exp.maps.remove_by_key_list.keys[0]: got None")


def test_keys_that_are_worked_out_or_left_open_pass():
    maps = exp.maps
    for key in (1, "a", b"b", exp.str_bin("s"), exp.blob_bin("b"), exp.var("x"), exp.unknown()):
        assert maps.get_by_key(M, key, ExpType.INT).type is ExpType.INT
        assert maps.remove_by_key_range(M, key, key).type is ExpType.MAP
    assert maps.get_by_key_range(M, None, None, return_type=exp.MapReturn.COUNT).type is ExpType.INT
    assert maps.get_by_key_list(M, exp.list_bin("l"), return_type=exp.MapReturn.COUNT).type is ExpType.INT
    assert maps.get_by_value_range(M, 1.5, [1], return_type=exp.MapReturn.COUNT).type is ExpType.INT


def test_policies_and_flags_that_the_operation_has_not_are_refused():
    ordered = exp.ListPolicy(exp.ListOrder.ORDERED)
    refused(lambda: exp.lists.insert(L, 0, 1, policy=ordered), "exp.lists.insert.policy.order: got", "UNORDERED")
    refused(
        lambda: exp.lists.append(L, 1, policy=exp.MapPolicy()), "exp.lists.append.policy: got", "a ListPolicy or None"
    )
    flags = exp.MapPolicy(write_flags=exp.MapWrite.NO_FAIL)
    refused(lambda: exp.maps.increment(M, "k", 1, policy=flags), "exp.maps.increment.policy.write_flags: got")
    refused(lambda: exp.lists.sort(L, 4), "exp.lists.sort.flags: got 4, allowed: 0, 1, 2, 3")
    refused(lambda: exp.lists.set_order(L, 3), "exp.lists.set_order.order: got 3, allowed: 0, 1")
    create = exp.BitPolicy(exp.BitWrite.CREATE_ONLY)
    refused(lambda: exp.bits.set(B, 0, 1, b"a", policy=create), "exp.bits.set.flags: got")
    refused(lambda: exp.bits.add(B, 0, 1, 1, action=1), "exp.bits.add.action: got 1")
    refused(lambda: exp.bits.get_int(B, 0, 1, signed=1), "exp.bits.get_int.signed: got 1, allowed: True or False")
    refused(lambda: exp.hll.init(H, 3), "exp.hll.init.index_bit_count: got 3")
    refused(lambda: exp.hll.init(H, 16, 51), "exp.hll.init.minhash_bit_count: got 51, allowed: at most 48")
    refused(lambda: exp.hll.fold(H, -1), "exp.hll.fold.index_bit_count")
    update = exp.HLLPolicy(exp.HLLWrite.UPDATE_ONLY)
    refused(lambda: exp.hll.add(H, [1], policy=update), "exp.hll.add.flags: got")


def test_contexts_that_cannot_be_are_refused():
    create = ctx.map_key_create("k", exp.MapOrder.KEY_ORDERED)
    assert exp.maps.put(M, "a", 1, ctx=create).type is ExpType.MAP
    assert exp.lists.append(M, 1, ctx=[ctx.map_key("k")]).type is ExpType.MAP
    refused(lambda: exp.maps.size(M, ctx=create), "exp.maps.size.ctx[0]: got", "steps that create nothing")
    refused(lambda: exp.lists.size(L, ctx=["k"]), "exp.lists.size.ctx[0]: got 'k'")
    refused(lambda: exp.lists.size(L, ctx=ctx.all_children()), "exp.lists.size.ctx[0]: got")
    bits = exp.CallSystem.BITS
    refused(lambda: exp.call(bits, 50, [0, 8], B, ExpType.BLOB, ctx=[ctx.list_index(0)]), "exp.call.ctx: got")


def test_path_expressions_take_whole_expressions_of_the_right_type():
    number = exp.loop_value(ExpType.INT)
    assert exp.select_by_path(L, ctx.all_children()).type is ExpType.LIST
    assert exp.select_by_path(M, ctx.all_children()).type is ExpType.MAP
    assert exp.select_by_path(M, ctx.all_children(), exp.PathSelect.VALUE).type is ExpType.LIST
    assert exp.modify_by_path(M, ctx.all_children(), number + 1).type is ExpType.MAP
    assert exp.modify_by_path(L, ctx.all_children(), exp.remove_result()).type is ExpType.LIST
    refused(lambda: exp.modify_by_path(L, ctx.all_children(), exp.var("x")), "nothing in it binds x")
    refused(lambda: exp.modify_by_path(L, [], 1), "exp.modify_by_path.ctx: got []", "one step or more")
    refused(lambda: exp.select_by_path("l", ctx.all_children()), "exp.list_bin or exp.map_bin of it")
    refused(lambda: exp.select_by_path(S, ctx.all_children()), "is str, allowed: list or map")
    refused(lambda: exp.select_by_path(L, ctx.all_children_where(number)), "gives a bool, and this gives an int")
    refused(lambda: exp.select_by_path(L, ctx.map_key_create("k")), "steps that create nothing")
    refused(lambda: exp.select_by_path(exp.var("x"), ctx.all_children()), "value_type: got None, allowed: LIST or MAP")
    assert exp.select_by_path(exp.var("x"), ctx.all_children(), value_type=ExpType.MAP).type is ExpType.MAP
    assert exp.select_by_path(exp.var("x"), ctx.map_key("k")).type is ExpType.MAP
    refused(lambda: exp.select_by_path(L, ctx.all_children(), 9), "exp.select_by_path.select")
    refused(lambda: exp.select_by_path(L, ctx.all_children(), no_fail=1), "exp.select_by_path.no_fail")
    refused(lambda: exp.select_by_path(L, ctx.all_children(), value_type=ExpType.INT), "LIST, MAP, or None")


def test_an_operation_without_a_function_is_called_by_its_number():
    popped = exp.call(exp.CallSystem.CDT, 5, [0], L, ExpType.LIST, modify=True)
    assert evaluated(repr(popped)).same_as(popped)
    assert exp.from_bytes(popped.encode()).same_as(popped)
    assert "exp.call(exp.CallSystem(0), 5" in repr(popped)
    refused(lambda: exp.call(3, 5, [], L, ExpType.LIST), "exp.call.system")
    refused(lambda: exp.call(0, 300, [], L, ExpType.LIST), "exp.call.opcode")
    refused(lambda: exp.call(0, 5, "x", L, ExpType.LIST), "exp.call.args")
    refused(lambda: exp.call(0, 5, [], L, "list"), "exp.call.value_type")


def test_what_a_server_does_not_survive_is_refused():
    refused(lambda: exp.lists.size(None), "argument 1 is nil, allowed: list")
    refused(
        lambda: exp.let_(exp.def_("x", None), exp.hll.get_count(exp.var("x")) > 0), "argument 1 is nil, allowed: hll"
    )
    refused(lambda: exp.from_bytes(b"\x95\x7f\x02\x00\x91\x10\xc0"), "argument 1 is nil")
    refused(lambda: exp.remove_result() == exp.remove_result(), "argument 1 is remove_result")
    refused(lambda: exp.cond(T, exp.unknown(), exp.infinity()), "argument 3 is infinity or wildcard, allowed: a value")
    refused(lambda: exp.cond(T, exp.wildcard(), 1), "argument 2 is infinity or wildcard, allowed: a value")
    refused(lambda: exp.cond(exp.infinity(), 1, 2), "argument 1 is infinity or wildcard, allowed: bool")
    refused(lambda: exp.call(0, 5, [L] * 9, L, ExpType.LIST), "exp.call.args: got", "at most 8 arguments")
    refused(lambda: exp.from_bytes(b"\x95\x7f\x04\x40\x9a\x05" + L.encode() * 10), "a call has 9 arguments")
    refused(lambda: exp.from_bytes(b"\x95\x7f\x04\x03\x91\x10" + S.encode()), "3 is not a family of operations")
    refused(lambda: exp.from_bytes(b"\x93\x51\x00\xa1a"), "a bin cannot be of type nil")
