"""Operations on lists, contexts and paths of the embedded server, called as the server calls them."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Any

import pytest

from trio_aerospike._wire import cdt_ops as ops, constants as wire, exp_ops as exp
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import cdt
from trio_aerospike.server.cdt.elements import list_of, map_of, packed_int
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.expressions import compile_expression
from trio_aerospike.server.values import Particle

read_cdt = partial(cdt.read, compile_expression=compile_expression)
modify_cdt = partial(cdt.modify, compile_expression=compile_expression)

Element = int | bytes


def element(value: Element) -> bytes:
    return value if isinstance(value, bytes) else packed_int(value)


def listed(*values: Element, flags: int = 0) -> bytes:
    return list_of([element(value) for value in values], flags)


def a_list(*values: Element, flags: int = 0) -> Particle:
    return wire.PARTICLE_LIST, listed(*values, flags=flags)


def number(value: int) -> Particle:
    return wire.PARTICLE_INTEGER, (value % 2**64).to_bytes(8, "big")


def inside(path: bytes, *call: Element) -> bytes:
    return listed(ops.CONTEXT_EVAL, path, listed(*call))


def refused(result: ResultCode, value: Particle | None, *call: Element, changes: bool = True) -> None:
    with pytest.raises(Refused) as caught:
        (modify_cdt if changes else read_cdt)(value, listed(*call))
    assert caught.value.result == result


UNSORTED = a_list(3, 1, 2, 1)
SORTED = a_list(1, 1, 2, 3, flags=1)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ((ops.LIST_SIZE,), number(4)),
        ((ops.LIST_GET, -1), number(1)),
        ((ops.LIST_GET_RANGE, 1), a_list(1, 2, 1)),
        ((ops.LIST_GET_RANGE, -9, 6), a_list(3)),
        ((ops.LIST_GET_BY_INDEX, ops.RETURN_RANK, 2), number(2)),
        ((ops.LIST_GET_BY_INDEX, ops.RETURN_NONE, 2), None),
        ((ops.LIST_GET_BY_INDEX_RANGE, ops.RETURN_REVINDEX, 0, 2), a_list(2, 3)),
        ((ops.LIST_GET_BY_INDEX_RANGE, ops.RETURN_INVERTED | ops.RETURN_VALUE, 1, 2), a_list(3, 1)),
        ((ops.LIST_GET_BY_INDEX_RANGE, ops.RETURN_INDEX_RANGE, 1, 2), a_list(1, 2)),
        ((ops.LIST_GET_ALL_BY_VALUE, ops.RETURN_INDEX, 1), a_list(1, 3)),
        ((ops.LIST_GET_ALL_BY_VALUE, ops.RETURN_RANK_RANGE, 2), a_list(2, 1)),
        ((ops.LIST_GET_BY_VALUE, ops.RETURN_INDEX, 9), number(-1)),
        ((ops.LIST_GET_BY_VALUE_INTERVAL, ops.RETURN_VALUE, 2), a_list(3, 2)),
        ((ops.LIST_GET_BY_VALUE_INTERVAL, ops.RETURN_COUNT | ops.RETURN_INVERTED, 1, 3), number(1)),
        ((ops.LIST_GET_ALL_BY_VALUE_LIST, ops.RETURN_VALUE, listed(3, 1)), a_list(3, 1, 1)),
        ((ops.LIST_GET_ALL_BY_VALUE_LIST, ops.RETURN_RANK, listed(3, 1)), a_list(3, 0, 1)),
        ((ops.LIST_GET_BY_RANK_RANGE, ops.RETURN_VALUE, 0, 2), a_list(1, 1)),
        ((ops.LIST_GET_BY_RANK_RANGE, ops.RETURN_VALUE, 2), a_list(2, 3)),
        ((ops.LIST_GET_BY_VALUE_REL_RANK_RANGE, ops.RETURN_VALUE, 2, -1, 2), a_list(2, 1)),
        ((ops.LIST_GET_BY_RANK, ops.RETURN_EXISTS, 0), (wire.PARTICLE_BOOL, b"\1")),
    ],
)
def test_reading_a_list(call: tuple[Element, ...], answer: Particle | None) -> None:
    assert read_cdt(UNSORTED, listed(*call)) == answer


@pytest.mark.parametrize(
    ("before", "call", "after", "answer"),
    [
        (None, (ops.LIST_APPEND, 5), a_list(5), number(1)),
        (None, (ops.LIST_APPEND, 5, 1), a_list(5, flags=1), number(1)),
        (None, (ops.LIST_APPEND_ITEMS, listed(), 1), a_list(flags=1), number(0)),
        (None, (ops.LIST_REMOVE, 0), None, None),
        (None, (ops.LIST_SET, 2, 7), a_list(b"\xc0", b"\xc0", 7), None),
        (None, (ops.LIST_INCREMENT, 1, 4), a_list(b"\xc0", 4), number(4)),
        (SORTED, (ops.LIST_APPEND, 2), a_list(1, 1, 2, 2, 3, flags=1), number(5)),
        (SORTED, (ops.LIST_APPEND_ITEMS, listed(9, 0)), a_list(0, 1, 1, 2, 3, 9, flags=1), number(6)),
        (SORTED, (ops.LIST_APPEND, 2, 0, ops.LIST_ADD_UNIQUE | ops.LIST_NO_FAIL), SORTED, number(4)),
        (SORTED, (ops.LIST_INCREMENT, 0, 5), a_list(1, 2, 3, 6, flags=1), number(6)),
        (SORTED, (ops.LIST_SET_TYPE, 0), a_list(1, 1, 2, 3), None),
        (SORTED, (ops.LIST_CLEAR,), a_list(flags=1), None),
        (UNSORTED, (ops.LIST_APPEND_ITEMS, listed(2, 7), 0, 13), a_list(3, 1, 2, 1, 7), number(5)),
        (UNSORTED, (ops.LIST_INSERT, -1, 8), a_list(3, 1, 2, 8, 1), number(5)),
        (UNSORTED, (ops.LIST_INSERT_ITEMS, 6, listed(8)), a_list(3, 1, 2, 1, b"\xc0", b"\xc0", 8), number(7)),
        (UNSORTED, (ops.LIST_SORT, ops.SORT_DESCENDING), a_list(3, 2, 1, 1), None),
        (UNSORTED, (ops.LIST_SORT, ops.SORT_DROP_DUPLICATES), a_list(1, 2, 3), None),
        (UNSORTED, (ops.LIST_SET_TYPE, 1), SORTED, None),
        (UNSORTED, (ops.LIST_POP, 0), a_list(1, 2, 1), number(3)),
        (UNSORTED, (ops.LIST_TRIM, 1, 2), a_list(1, 2), number(2)),
        (UNSORTED, (ops.LIST_REMOVE_ALL_BY_VALUE, ops.RETURN_COUNT, 1), a_list(3, 2), number(2)),
        (UNSORTED, (ops.LIST_REMOVE_BY_RANK_RANGE, ops.RETURN_INVERTED, 0, 1), a_list(1), None),
    ],
)
def test_changing_a_list(
    before: Particle | None, call: tuple[Element, ...], after: Particle | None, answer: Particle | None
) -> None:
    assert modify_cdt(before, listed(*call)) == (after, answer)


@pytest.mark.parametrize(
    ("result", "value", "call"),
    [
        (ResultCode.BIN_TYPE, number(1), (ops.LIST_APPEND, 1)),
        (ResultCode.BIN_TYPE, (wire.PARTICLE_MAP, map_of([])), (ops.LIST_APPEND, b"\xc1")),
        (ResultCode.BIN_TYPE, None, (ops.LIST_SORT,)),
        (ResultCode.PARAM, UNSORTED, (ops.LIST_APPEND,)),
        (ResultCode.PARAM, UNSORTED, (ops.LIST_APPEND, 1, 0, 0, 0)),
        (ResultCode.PARAM, UNSORTED, (ops.LIST_APPEND, b"\xd4\xff\x00")),
        (ResultCode.PARAM, UNSORTED, (ops.LIST_INCREMENT, 0, b"\xa2\x03a")),
        (ResultCode.PARAM, UNSORTED, (ops.LIST_SIZE,)),
        (ResultCode.PARAM, UNSORTED, (ops.LIST_SORT, 3)),
        (ResultCode.PARAM, UNSORTED, (14,)),
        (ResultCode.OP_NOT_APPLICABLE, UNSORTED, (ops.LIST_POP, 4)),
        (ResultCode.OP_NOT_APPLICABLE, UNSORTED, (ops.LIST_SET_TYPE, 2)),
        (ResultCode.OP_NOT_APPLICABLE, UNSORTED, (ops.LIST_INSERT, -(2**63), 1)),
        (ResultCode.OP_NOT_APPLICABLE, UNSORTED, (ops.LIST_INSERT, 5, 1, ops.LIST_INSERT_BOUNDED)),
        (ResultCode.OP_NOT_APPLICABLE, UNSORTED, (ops.LIST_REMOVE_BY_INDEX, ops.RETURN_KEY, 0)),
        (ResultCode.OP_NOT_APPLICABLE, UNSORTED, (ops.LIST_REMOVE_BY_INDEX, ops.RETURN_INVERTED, 0)),
        (ResultCode.OP_NOT_APPLICABLE, SORTED, (ops.LIST_INSERT, 0, 1)),
        (ResultCode.OP_NOT_APPLICABLE, SORTED, (ops.LIST_APPEND_ITEMS, listed(8, 8), 0, ops.LIST_ADD_UNIQUE)),
        (ResultCode.ELEMENT_EXISTS, SORTED, (ops.LIST_APPEND, 1, 0, ops.LIST_ADD_UNIQUE)),
        (ResultCode.RECORD_TOO_BIG, UNSORTED, (ops.LIST_SET, 2**31 - 100, 1)),
    ],
)
def test_what_a_list_refuses(result: ResultCode, value: Particle | None, call: tuple[Element, ...]) -> None:
    refused(result, value, *call)


def test_the_older_form_of_a_call_is_understood() -> None:
    assert read_cdt(UNSORTED, b"\x00\x10") == number(4)
    assert read_cdt(UNSORTED, b"\x00\x11" + listed(0)) == number(3)


# Contexts -----------------------------------------------------------------------------------------------------

NESTED = a_list(listed(1), map_of([(b"\x01", listed(5, 6))]), listed(0, 9, flags=1))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (listed(ops.CONTEXT_INDEX | ops.CONTEXT_LIST, 1, ops.CONTEXT_KEY | ops.CONTEXT_MAP, 1), number(2)),
        (listed(ops.CONTEXT_RANK, 0), number(2)),
        (listed(ops.CONTEXT_VALUE, listed(1)), number(1)),
        (listed(ops.CONTEXT_INDEX, -2, ops.CONTEXT_RANK, -1), number(2)),
    ],
)
def test_a_context_leads_to_a_list_inside(path: bytes, answer: Particle) -> None:
    assert read_cdt(NESTED, inside(path, ops.LIST_SIZE)) == answer


def test_an_ordered_list_is_put_in_order_again_when_what_it_holds_has_changed() -> None:
    outer = a_list(listed(1), listed(2), listed(3), flags=1)
    changed, _ = modify_cdt(outer, inside(listed(ops.CONTEXT_INDEX, 0), ops.LIST_SET, 0, 9))
    assert changed == a_list(listed(2), listed(3), listed(9), flags=1)


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        (None, listed(0x50, 0), a_list(listed(7))),
        (None, listed(0xD0, 4), a_list(listed(7), flags=1)),
        (None, listed(0x90, 2), a_list(b"\xc0", b"\xc0", listed(7))),
        (None, listed(0xA2, 3), (wire.PARTICLE_MAP, map_of([(b"\x03", listed(7))], 1))),
        (None, listed(0x62, 3, 0x10, 0), (wire.PARTICLE_MAP, map_of([(b"\x03", listed(listed(7)))]))),
        (a_list(1), listed(0x90, 2), a_list(1, b"\xc0", listed(7))),
        (a_list(1, flags=1), listed(0x50, 9), a_list(1, listed(7), flags=1)),
    ],
)
def test_a_context_creates_what_is_missing_where_it_is_asked_to(
    before: Particle | None, path: bytes, after: Particle
) -> None:
    assert modify_cdt(before, inside(path, ops.LIST_APPEND, 7)) == (after, number(1))


@pytest.mark.parametrize(
    ("result", "value", "path"),
    [
        (ResultCode.PARAM, number(1), listed(0, 0)),
        (ResultCode.PARAM, NESTED, listed()),
        (ResultCode.PARAM, NESTED, listed(0)),
        (ResultCode.OP_NOT_APPLICABLE, None, listed(0x10, 0)),
        (ResultCode.OP_NOT_APPLICABLE, NESTED, listed(0, 7)),
        (ResultCode.OP_NOT_APPLICABLE, NESTED, listed(0, b"\xc0")),
        (ResultCode.OP_NOT_APPLICABLE, NESTED, listed(ops.CONTEXT_MAP, 0)),
        (ResultCode.OP_NOT_APPLICABLE, NESTED, listed(0x40, 0)),
        (ResultCode.OP_NOT_APPLICABLE, NESTED, listed(0, 0, 0, 0, 0, 0)),
        (ResultCode.BIN_TYPE, NESTED, listed(0, 1)),
    ],
)
def test_a_context_that_leads_nowhere_is_refused(result: ResultCode, value: Particle | None, path: bytes) -> None:
    refused(result, value, ops.CONTEXT_EVAL, path, listed(ops.LIST_APPEND, 1))


def test_nothing_is_created_for_an_operation_that_leaves_nothing() -> None:
    assert modify_cdt(None, inside(listed(0x50, 0), ops.LIST_REMOVE, 0)) == (None, None)


# Paths --------------------------------------------------------------------------------------------------------

VALUE = listed(exp.VAR_BUILTIN, exp.TYPE_INT, exp.BUILTIN_VALUE)
MORE_THAN_ONE = listed(exp.CMP_GT, VALUE, 1)
TABLE = a_list(listed(1, 2), listed(3), 4)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [(0, a_list(listed(2), listed(3), 4)), (1, a_list(2, 3)), (0x11, a_list(2, 3))],
)
def test_a_path_selects_a_tree_or_its_leaves(kind: int, answer: Particle) -> None:
    path = listed(ops.CONTEXT_EXP, b"\xc3", ops.CONTEXT_EXP, MORE_THAN_ONE)
    assert read_cdt(TABLE, listed(ops.SELECT, path, kind)) == answer


def test_a_path_changes_what_it_selects_or_removes_it() -> None:
    path = listed(ops.CONTEXT_EXP, b"\xc3", ops.CONTEXT_EXP, MORE_THAN_ONE)
    added = listed(ops.SELECT, path, 4, listed(exp.ADD, VALUE, 10))
    assert modify_cdt(TABLE, added) == (a_list(listed(1, 12), listed(13), 4), None)
    removed = listed(ops.SELECT, path, 4, listed(exp.RESULT_REMOVE))
    assert modify_cdt(TABLE, removed) == (a_list(listed(1), listed(), 4), None)


def test_keys_of_maps_are_selected_by_a_list() -> None:
    value = (wire.PARTICLE_MAP, map_of([(b"\x01", b"\x0a"), (b"\x02", b"\x0b"), (b"\x03", b"\x0c")], 1))
    path = listed(ops.CONTEXT_KEY_LIST | ops.CONTEXT_MAP, listed(3, 1, 9))
    assert read_cdt(value, listed(ops.SELECT, path, 3)) == a_list(1, 10, 3, 12)
    assert read_cdt(value, listed(ops.SELECT, path, 2)) == a_list(1, 3)


@pytest.mark.parametrize(
    ("result", "call"),
    [
        (ResultCode.PARAM, (listed(), 0)),
        (ResultCode.PARAM, (listed(0, 0), 5)),
        (ResultCode.PARAM, (listed(0, 0), 4, listed(exp.RESULT_REMOVE))),
        (ResultCode.PARAM, (listed(ops.CONTEXT_EXP, b"\xc2"), 0)),
        (ResultCode.PARAM, (listed(ops.CONTEXT_EXP, listed(exp.CMP_GT, VALUE, 1)), 0)),
        (ResultCode.BIN_TYPE, (listed(ops.CONTEXT_EXP, b"\xc3"), 2)),
    ],
)
def test_a_path_that_cannot_be_is_refused(result: ResultCode, call: tuple[Element, ...]) -> None:
    refused(result, TABLE, ops.SELECT, *call, changes=False)


# Speed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        (ops.LIST_GET_BY_RANK_RANGE, ops.RETURN_VALUE, 0, 5000),
        (ops.LIST_GET_BY_INDEX_RANGE, ops.RETURN_RANK, 0),
        (ops.LIST_GET_ALL_BY_VALUE_LIST, ops.RETURN_RANK, listed(*range(500))),
        (ops.LIST_GET_BY_VALUE_REL_RANK_RANGE, ops.RETURN_INDEX, 77, -100, 300),
    ],
)
def test_long_lists_do_not_take_the_square_of_their_length(call: tuple[Any, ...]) -> None:
    numbers = random.Random(1)
    value = a_list(*(numbers.randrange(3000) for _ in range(10_000)))
    start = time.process_time()
    read_cdt(value, listed(*call))
    # A square would be minutes; this is far from what it takes, so that a loaded machine does not matter.
    assert time.process_time() - start < 10


def test_adding_unique_items_to_a_long_list_does_not_compare_each_with_all() -> None:
    value = a_list(*range(10_000))
    items = listed(*range(5_000, 15_000))
    start = time.process_time()
    _, answer = modify_cdt(value, listed(ops.LIST_APPEND_ITEMS, items, 0, 13))
    assert time.process_time() - start < 10
    assert answer == number(15_000)
