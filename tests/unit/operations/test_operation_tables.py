"""Each row of the table of operations has its functions, codes and parameters everywhere, and none is missing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.unit.exp.evaluated import evaluated
from trio_aerospike import HyperLogLog, exp, operations
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.bit_ops import BITS
from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.hll_ops import HLLS, sketch_size
from trio_aerospike._wire.operation_rows import KINDS, POLICIES, RETURNS, STATIC, Call, Family
from trio_aerospike._wire.operation_tables import ROWS, TABLES
from trio_aerospike.exp._types import Kind
from trio_aerospike.server import bits as server_bits, cdt as server_cdt, hll as server_hll
from trio_aerospike.server.cdt.calls import _TABLE
from trio_aerospike.server.expressions import compile_expression
from trio_aerospike.server.expressions.display import shown_expression

OPERATIONS = [row for row in ROWS if row.operation]
EXPRESSIONS = [row for row in ROWS if row.expression]

SKETCH = HyperLogLog(b"\0\x08\0" + bytes(sketch_size(8, 0) - 3))
#: A value of each family, and what an argument of a kind may be where it is one of that value's.
VALUES: dict[str, Any] = {"lists": [5, 1, 3], "maps": {"a": 5, "b": 1, "c": 3}, "bits": b"abcd", "hll": SKETCH}
BINS = {"lists": exp.list_bin("b"), "maps": exp.map_bin("b"), "bits": exp.blob_bin("b"), "hll": exp.hll_bin("b")}
PARTICLES = {
    "lists": (wire.PARTICLE_LIST, pack_value([5, 1, 3])),
    "maps": (wire.PARTICLE_MAP, pack_value({"a": 5, "b": 1, "c": 3})),
    "bits": (wire.PARTICLE_BLOB, b"abcd"),
    "hll": (wire.PARTICLE_HLL, SKETCH.data),
}
ARGUMENTS: dict[str, Any] = {
    "int": 1,
    "count": 2,
    "number": 7,
    "stored": 9,
    "stored_list": [8, 9],
    "stored_map": {"k": 1},
    "stored_key": "k",
    "compared": 5,
    "compared_list": [5, 1],
    "key": "a",
    "keys": ["a", "c"],
    "bound": 1,
    "key_bound": "a",
    "blob": b"\xff\xff",
    "bool": True,
    "list": [SKETCH],
}
STATICS: dict[str, Any] = {"order": 1, "flags": 1, "resize_flags": 4, "index_bit_count": 8, "minhash_bit_count": 0}
#: Numbers on the wire that several parameters of a function make, or one of another name.
MADE_OF = {"action": {"signed", "action"}}


def of_row(rows: list[Call]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=[row.where for row in rows])


def public_functions(module: Any) -> Iterator[str]:
    for name, one in vars(module).items():
        if inspect.isfunction(one) and one.__module__ == module.__name__ and not name.startswith("_"):
            yield name


def parameters_of(row: Call, *, expression: bool) -> list[set[str]]:
    """The names of a function's parameters, by the table: a set for each parameter of the row."""
    names = []
    for parameter in row.parameters:
        if parameter.kind in RETURNS:
            inverted = {"inverted"} if parameter.kind == "returns" else set()
            names.append(inverted if expression and row.writes else {"return_type"} | inverted)
        elif parameter.kind in POLICIES or (parameter.name == "flags" and row.family in (BIT, HLL)):
            names.append({"policy"})
        else:
            names.append(MADE_OF.get(parameter.name, {parameter.name}))
    return names


BIT: Family = BITS["get"].family
HLL: Family = HLLS["init"].family


def arguments_of(row: Call, function: Callable[..., Any]) -> dict[str, Any]:
    given = {}
    for parameter in row.parameters:
        if parameter.kind == STATIC and parameter.name in STATICS and not (parameter.name == "flags" and row.flags):
            given[parameter.name] = STATICS[parameter.name]
        elif parameter.kind in KINDS:
            given[parameter.name] = ARGUMENTS[parameter.kind]
    if row.name == "add" and row.family is BIT:
        given["value"] = 0  # anything else may not fit into one bit
    if row.family is HLL and "values" in given and "sketches" not in given:
        given["values"] = ["x", 1]
    if "sketches" in given and "sketches" not in inspect.signature(function).parameters:
        given["values"] = given.pop("sketches")
    if row.answer == "one" and "value_type" in inspect.signature(function).parameters:
        given["value_type"] = exp.ExpType.INT
    return given


def test_names_and_numbers_are_unique() -> None:
    for table in TABLES:
        assert all(name == row.name for name, row in table.items())
        assert len({row.family for row in table.values()}) == 1
    # But for create, which is set_order at a place that may be missing, as in the C client.
    codes = [(row.family.system, row.code) for row in ROWS if row.name != "create"]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: next(iter(table.values())).family.name)
def test_a_family_has_functions_for_its_rows_and_no_others(table: dict[str, Call]) -> None:
    family = next(iter(table.values())).family.name
    assert set(public_functions(getattr(operations, family))) == {row.name for row in table.values() if row.operation}
    assert set(public_functions(getattr(exp, family))) == {row.name for row in table.values() if row.expression}


@of_row(OPERATIONS)
def test_an_operation_has_the_parameters_of_its_row(row: Call) -> None:
    function = getattr(getattr(operations, row.family.name), row.name)
    given = inspect.signature(function).parameters
    expected = [{"values"} if names == {"sketches"} else names for names in parameters_of(row, expression=False)]
    # What create and set_order take besides: a bit of the order, and a flag of the context.
    besides = {"persist_index"} if row.name in ("create", "set_order") else set()
    besides |= {"pad"} if row.where == "lists.create" else set()
    assert set(given) - {"bin_name", "ctx"} == besides.union(*expected)
    assert ("ctx" in given) == row.family.contexts
    required = [name for name, one in given.items() if one.default is one.empty]
    assert required[1:] == [name for names in expected for name in sorted(names) if name in required]


@of_row(OPERATIONS)
def test_an_operation_sends_the_code_of_its_row_and_the_embedded_server_executes_it(row: Call) -> None:
    function = getattr(getattr(operations, row.family.name), row.name)
    operation = function("b", **arguments_of(row, function))
    code, *arguments = unpack_value(operation.value)
    assert code == row.code
    assert operation.op == (row.family.modify_op if row.writes else row.family.read_op)
    assert operation.is_write is row.writes
    assert len(arguments) <= sum(len(POLICIES.get(parameter.kind, "1")) for parameter in row.parameters)
    server: Any = {"bits": server_bits, "hll": server_hll}.get(row.family.name, server_cdt)
    execute = server.modify if row.writes else server.read
    if server is server_cdt:
        execute = partial(execute, compile_expression=compile_expression)
    execute(PARTICLES[row.family.name], operation.value)


@of_row(EXPRESSIONS)
def test_an_expression_has_the_parameters_of_its_row(row: Call) -> None:
    function = getattr(getattr(exp, row.family.name), row.name)
    operand, *given = inspect.signature(function).parameters
    assert operand == {"lists": "list_", "maps": "map_", "bits": "blob", "hll": "sketch"}[row.family.name]
    expected = {name for names in parameters_of(row, expression=True) for name in names}
    expected |= {"value_type"} if row.answer == "one" else set()
    assert set(given) - {"ctx"} == expected
    assert ("ctx" in given) == row.family.contexts
    names = [one.name for one in row.parameters if one.name in given]
    assert [name for name in given if name in names] == names


@of_row(EXPRESSIONS)
def test_an_expression_has_the_code_and_type_of_its_row_and_reads_as_its_function(row: Call) -> None:
    function = getattr(getattr(exp, row.family.name), row.name)
    expression = function(BINS[row.family.name], **arguments_of(row, function))
    kind, system, code, *_ = expression._static
    assert (system & ~0x40, bool(system & 0x40), code) == (row.family.system, row.writes, row.code)
    types: dict[str, Kind | None] = {
        "int": Kind.INT,
        "blob": Kind.BLOB,
        "hll": Kind.HLL,
        "float": Kind.FLOAT,
        "list": Kind.LIST,
    }
    types |= {"one": Kind.INT, "many": Kind.LIST, "same": BINS[row.family.name]._kind}
    assert kind is types[row.answer]
    assert repr(expression).startswith(f"exp.{row.where}(")
    assert evaluated(repr(expression)).same_as(expression)
    assert repr(exp.from_bytes(expression.encode())) == repr(expression)


@of_row(EXPRESSIONS)
def test_the_embedded_server_shows_an_expression_by_the_name_of_its_row(row: Call) -> None:
    function = getattr(getattr(exp, row.family.name), row.name)
    expression = function(BINS[row.family.name], **arguments_of(row, function))
    assert shown_expression(expression.encode()).startswith(f"{row.shown or 'INVALID_CDT_OP'}(")


def test_the_embedded_server_knows_the_arguments_of_each_row() -> None:
    assert set(_TABLE) == {row.code for row in ROWS if row.family.contexts}


@pytest.mark.parametrize("word", ["value:no_such_kind", "no_such_word", "index:ints?"])
def test_a_row_with_an_unknown_word_is_an_error(word: str) -> None:
    with pytest.raises(ValueError, match="is not a kind of parameter"):
        BIT.write("new", 99, word)
