"""Operations: checked and encoded where they are made."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from trio_aerospike import operations as ops
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.commands import encode_op
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import Operation

READ = wire.INFO1_READ
GET_ALL = wire.INFO1_READ | wire.INFO1_GET_ALL


@pytest.mark.parametrize(
    ("operation", "code", "bin_name", "value", "info1", "is_write"),
    [
        (ops.read("age"), wire.OP_READ, "age", None, READ, False),
        (ops.read_all(), wire.OP_READ, "", None, GET_ALL, False),
        (ops.write("age", 41), wire.OP_WRITE, "age", 41, 0, True),
        (ops.write("tags", ["a", {"b": 1}]), wire.OP_WRITE, "tags", ["a", {"b": 1}], 0, True),
        (ops.write("age", None), wire.OP_WRITE, "age", None, 0, True),
        (ops.append("name", "!"), wire.OP_APPEND, "name", "!", 0, True),
        (ops.prepend("name", b"!"), wire.OP_PREPEND, "name", b"!", 0, True),
        (ops.increment("age", 1), wire.OP_INCR, "age", 1, 0, True),
        (ops.increment("age", -(1 << 63)), wire.OP_INCR, "age", -(1 << 63), 0, True),
        (ops.increment("height", 0.5), wire.OP_INCR, "height", 0.5, 0, True),
        (ops.touch(), wire.OP_TOUCH, "", None, 0, True),
        (ops.delete(), wire.OP_DELETE, "", None, 0, True),
    ],
)
def test_each_operation(operation, code, bin_name, value, info1, is_write):
    assert (operation.op, operation.bin_name, operation.value) == (code, bin_name, value)
    assert (operation.info1, operation.is_write) == (info1, is_write)
    assert operation.encode() == encode_op(code, bin_name, value)


def test_bytes_of_an_operation_are_those_of_the_protocol():
    assert ops.read("age").encode().hex(" ") == "00 00 00 07 01 00 00 03 61 67 65"
    assert ops.increment("age", 1).encode().hex(" ") == ("00 00 00 0f 05 01 00 03 61 67 65 00 00 00 00 00 00 00 01")
    assert ops.touch().encode().hex(" ") == "00 00 00 04 0b 00 00 00"
    assert ops.delete().encode().hex(" ") == "00 00 00 04 0e 00 00 00"


def test_a_value_changed_afterwards_leaves_the_operation_as_it_was():
    value = [1]
    operation = ops.write("list", value)
    before = operation.encode()
    value.append(2)
    assert operation.encode() == before == encode_op(wire.OP_WRITE, "list", [1])


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, {1, 2}, object(), 1j, {1.5: "x"}, [{"a": {3}}], "\ud800"])
def test_a_value_that_the_database_cannot_hold_is_refused_where_it_is_written(value):
    with pytest.raises(InvalidArgError, match="age"):
        ops.write("age", value)


def test_operations_are_values():
    assert ops.read("age") == ops.read("age")
    assert hash(ops.read("age")) == hash(ops.read("age"))
    assert ops.read("age") != ops.read("name")
    assert ops.write("age", 1) != ops.write("age", True)
    assert ops.read("age") != "age"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ops.read("age").op = 2  # type: ignore[misc]


def test_repr_shows_what_it_does():
    assert repr(ops.write("age", 41)) == "Operation(op=2, bin_name='age', value=41)"


@pytest.mark.parametrize("code", [wire.OP_CDT_READ, wire.OP_EXP_READ, wire.OP_BITS_READ, wire.OP_HLL_READ])
def test_reads_of_other_families_are_no_writes(code):
    assert not Operation(code, "x", b"payload", info1=READ).is_write
    assert Operation(code + 1, "x", b"payload").is_write


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: ops.write("b", 1 << 63), "write.value: bin 'b': value 9223372036854775808 does not fit"),
        (lambda: ops.write("b", {"k": {1.5: 2}}), "write.value: bin 'b': value at ['k']: map key 1.5"),
        (lambda: ops.append("b", "\udc80"), "append.value: bin 'b': value"),
        (lambda: ops.prepend("b", "\udc80"), "prepend.value: bin 'b': value"),
    ],
)
def test_a_value_that_cannot_be_held_is_refused_with_the_operation_and_the_argument(make: Any, where: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        make()
    assert str(caught.value).startswith(where)
