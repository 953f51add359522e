"""Operations on maps in the embedded server: what a reader of its documentation would not guess, and how long it takes.

All of it was compared with a real server (tests/integration/real/test_maps.py); here is what must not be lost
without one.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike._wire.cdt_calls import Packed, encode_cdt_call
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike._wire.value_types import INFINITY, WILDCARD, OrderedMap
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import cdt
from trio_aerospike.server.cdt import maps_find, maps_find_listed, maps_stored
from trio_aerospike.server.cdt.elements import to_wire
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.expressions import compile_expression
from trio_aerospike.server.particles import stored
from trio_aerospike.server.values import Particle

read_cdt = partial(cdt.read, compile_expression=compile_expression)
modify_cdt = partial(cdt.modify, compile_expression=compile_expression)

KEY, KEY_VALUE, PERSISTED = 1, 3, 16
NO_OVERWRITE, NO_CREATE = ops.MAP_NO_OVERWRITE, ops.MAP_NO_CREATE
NO_FAIL, PARTIAL = ops.MAP_NO_FAIL, ops.MAP_DO_PARTIAL
WITHOUT_INDEX = [0, KEY, KEY_VALUE, KEY | PERSISTED]
EVERY_ORDER = [*WITHOUT_INDEX, KEY_VALUE | PERSISTED]


def call(number: int, *args: Any) -> bytes:
    return encode_cdt_call(number, [Packed(pack_value(arg, comparison=True)) for arg in args])


def made(pairs: dict[Any, Any], flags: int = 0) -> Particle:
    """A map as it is stored, of an order."""
    value, _ = modify_cdt(stored(*encode_value(pairs)), call(ops.MAP_SET_TYPE, flags))
    assert value is not None
    return value


def items(value: Particle | None) -> list[tuple[Any, Any]]:
    """The pairs, in the order in which they are stored."""
    assert value is not None
    found = decode_value(value[0], to_wire(*value))
    assert isinstance(found, dict)
    return list(found.items())


def plain(answer: Particle | None) -> Any:
    return None if answer is None else decode_value(*answer)


def read(value: Particle, number: int, *args: Any) -> Any:
    return plain(read_cdt(value, call(number, *args)))


def modify(value: Particle | None, number: int, *args: Any) -> tuple[Particle | None, Any]:
    changed, answer = modify_cdt(value, call(number, *args))
    return changed, plain(answer)


def refusal(value: Particle | None, number: int, *args: Any) -> ResultCode:
    with pytest.raises(Refused) as refused:
        modify_cdt(value, call(number, *args))
    return refused.value.result


def refusal_of_read(value: Particle, number: int, *args: Any) -> ResultCode:
    with pytest.raises(Refused) as refused:
        read_cdt(value, call(number, *args))
    return refused.value.result


# Order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", EVERY_ORDER)
def test_maps_of_every_order_are_kept_sorted_by_key_negatives_first_then_numbers_strings_and_blobs(flags: int) -> None:
    value: Particle | None = None
    for key in (b"b", "b", 3, b"a", "a", -1, 2, -5, "aa", 2**40):
        value, _ = modify(value, ops.MAP_PUT, key, 0, flags)
    assert [key for key, _ in items(value)] == [-5, -1, 2, 3, 2**40, "a", "aa", "b", b"a", b"b"]


@pytest.mark.parametrize("flags", EVERY_ORDER)
def test_equal_values_are_ranked_by_their_keys(flags: int) -> None:
    value = made({4: 7, 3: 1, 2: 7, 1: 9}, flags)
    assert read(value, ops.MAP_GET_BY_RANK_RANGE, ops.RETURN_KEY, 0) == [3, 2, 4, 1]
    assert read(value, ops.MAP_GET_BY_KEY, ops.RETURN_RANK, 4) == 2


@pytest.mark.parametrize("flags", EVERY_ORDER)
def test_values_are_ranked_across_types(flags: int) -> None:
    values = [None, False, True, -1, 5, "a", [1], {1: 1}, b"a", 0.5]
    value = made(dict(enumerate(reversed(values))), flags)
    assert read(value, ops.MAP_GET_BY_RANK_RANGE, ops.RETURN_VALUE, 0) == values


def test_a_kept_index_is_no_part_of_what_clients_see_but_changes_the_order_of_what_is_found() -> None:
    pairs = {1: 9, 2: 5, 3: 9, 4: 1}
    assert read(made(pairs, KEY_VALUE), ops.MAP_GET_BY_VALUE_INTERVAL, ops.RETURN_KEY, 1, 10) == [1, 2, 3, 4]
    indexed = made(pairs, KEY_VALUE | PERSISTED)
    assert read(indexed, ops.MAP_GET_BY_VALUE_INTERVAL, ops.RETURN_KEY, 1, 10) == [4, 2, 1, 3]
    assert to_wire(*indexed) == to_wire(*made(pairs, KEY_VALUE))


def test_an_index_without_an_order_shows_as_an_unordered_map() -> None:
    value = made({1: 2}, PERSISTED)
    assert to_wire(*value) == pack_value({1: 2})
    assert refusal_of_read(value, ops.MAP_GET_BY_KEY, ops.RETURN_KEY | ops.RETURN_INVERTED, 1) == 26


# Putting ------------------------------------------------------------------------------------------------------


def test_what_may_not_be_put_is_refused_or_with_no_fail_left_out() -> None:
    value = made({1: 1})
    assert refusal(value, ops.MAP_PUT, 1, 2, 0, NO_OVERWRITE) == ResultCode.ELEMENT_EXISTS
    assert refusal(value, ops.MAP_PUT, 2, 2, 0, NO_CREATE) == ResultCode.ELEMENT_NOT_FOUND
    assert modify(value, ops.MAP_PUT, 1, 2, 0, NO_OVERWRITE | NO_FAIL) == (value, 1)
    assert refusal(value, ops.MAP_ADD, 1, 2) == ResultCode.ELEMENT_EXISTS
    assert refusal(value, ops.MAP_REPLACE, 2, 2) == ResultCode.ELEMENT_NOT_FOUND


def test_of_several_pairs_all_are_put_or_none_but_with_partial_those_that_may_be() -> None:
    value = made({1: 1, 3: 3})
    pairs = {1: 10, 2: 20}
    assert refusal(value, ops.MAP_PUT_ITEMS, pairs, 0, NO_OVERWRITE) == ResultCode.ELEMENT_EXISTS
    assert modify(value, ops.MAP_PUT_ITEMS, pairs, 0, NO_OVERWRITE | NO_FAIL) == (value, 2)
    changed, size = modify(value, ops.MAP_PUT_ITEMS, pairs, 0, NO_OVERWRITE | NO_FAIL | PARTIAL)
    assert (items(changed), size) == ([(1, 1), (2, 20), (3, 3)], 3)
    changed, size = modify(value, ops.MAP_PUT_ITEMS, pairs, 0, NO_CREATE | NO_FAIL | PARTIAL)
    assert (items(changed), size) == ([(1, 10), (3, 3)], 2)


def test_an_empty_map_takes_everything_when_parts_may_be_done_even_if_nothing_may_be_created() -> None:
    changed, size = modify(made({}), ops.MAP_PUT_ITEMS, {1: 1}, 0, NO_CREATE | NO_FAIL | PARTIAL)
    assert (items(changed), size) == ([(1, 1)], 1)
    assert modify(made({}), ops.MAP_PUT_ITEMS, {1: 1}, 0, NO_CREATE | NO_FAIL)[1] == 0
    assert refusal(made({}), ops.MAP_PUT_ITEMS, {1: 1}, 0, NO_CREATE) == ResultCode.ELEMENT_NOT_FOUND


@pytest.mark.parametrize("key", [None, True, 1.5, [1], {}, INFINITY, WILDCARD])
def test_only_integers_strings_and_blobs_are_keys(key: Any) -> None:
    assert refusal(made({}), ops.MAP_PUT, key, 1) == ResultCode.PARAM
    assert refusal(made({}), ops.MAP_INCREMENT, key, 1) == ResultCode.PARAM
    pair = Packed(b"\x81" + pack_value(key, comparison=True) + b"\x01")
    with pytest.raises(Refused) as refused:
        modify_cdt(made({}), encode_cdt_call(ops.MAP_PUT_ITEMS, [pair]))
    assert refused.value.result == ResultCode.PARAM


def test_what_is_only_there_to_compare_with_is_no_value() -> None:
    assert refusal(made({}), ops.MAP_PUT, 1, WILDCARD) == ResultCode.PARAM
    assert refusal(made({}), ops.MAP_PUT, 1, [INFINITY]) == ResultCode.PARAM


def test_a_key_twice_in_what_is_put_is_refused() -> None:
    pairs = Packed(b"\x82" + pack_value(1) + pack_value(1) + pack_value(1) + pack_value(2))
    with pytest.raises(Refused) as refused:
        modify_cdt(made({}), encode_cdt_call(ops.MAP_PUT_ITEMS, [pairs]))
    assert refused.value.result == ResultCode.PARAM


# Numbers ------------------------------------------------------------------------------------------------------

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


@pytest.mark.parametrize(
    ("old", "delta", "added", "taken"),
    [
        (None, 3, 3, -3),
        (None, 0.5, 0.5, -0.5),
        (10, 2.9, 12, 8),
        (10, -2.9, 8, 12),
        (1.5, 2, 3.5, -0.5),
        (INT_MAX, 1, INT_MIN, INT_MAX - 1),
        (0, INT_MIN, INT_MIN, INT_MIN),
        (5, 1e300, INT_MIN + 5, INT_MIN + 5),
        (5, None, 6, 4),
    ],
)
def test_a_sum_is_of_the_type_of_what_was_there_and_integers_wrap_around(
    old: Any, delta: Any, added: Any, taken: Any
) -> None:
    value = made({} if old is None else {"n": old})
    for number, expected in ((ops.MAP_INCREMENT, added), (ops.MAP_DECREMENT, taken)):
        changed, answer = modify(value, number, "n", delta)
        assert (type(answer), answer) == (type(expected), expected)
        assert items(changed) == [("n", expected)]


def test_taking_an_integer_of_zero_from_minus_zero_makes_it_zero() -> None:
    _, answer = modify(made({1: -0.0}), ops.MAP_DECREMENT, 1, 0)
    assert math.copysign(1, answer) == 1


def test_only_numbers_can_be_added_to() -> None:
    assert refusal(made({1: "a"}), ops.MAP_INCREMENT, 1, 1) == ResultCode.PARAM
    assert refusal(made({1: 1}), ops.MAP_INCREMENT, 1, "a") == ResultCode.PARAM


# Nothing there ------------------------------------------------------------------------------------------------


def test_without_a_bin_removals_do_nothing_and_puts_create() -> None:
    assert modify(None, ops.MAP_REMOVE_BY_KEY, "not even arguments of the right kind") == (None, None)
    assert modify(None, ops.MAP_CLEAR) == (None, None)
    assert refusal(None, ops.MAP_REPLACE_ITEMS, {}) == ResultCode.ELEMENT_NOT_FOUND
    assert items(modify(None, ops.MAP_SET_TYPE, KEY)[0]) == []
    created, size = modify(None, ops.MAP_PUT, 1, 1, KEY_VALUE)
    assert created is not None
    assert (to_wire(*created), size) == (pack_value(OrderedMap({1: 1}, order=KEY_VALUE)), 1)


def test_a_put_that_leaves_out_its_pair_creates_an_empty_map_all_the_same() -> None:
    created, size = modify(None, ops.MAP_PUT, 1, 1, KEY, NO_CREATE | NO_FAIL)
    assert created is not None
    assert (to_wire(*created), size) == (pack_value(OrderedMap({}, order=KEY)), 0)


def test_orders_that_do_not_exist_are_refused_by_their_own_operation_and_ignored_by_puts() -> None:
    assert refusal(made({}), ops.MAP_SET_TYPE, 8) == ResultCode.OP_NOT_APPLICABLE
    created, _ = modify(None, ops.MAP_PUT, 1, 1, 8)
    assert created is not None
    assert to_wire(*created) == pack_value({1: 1})


def test_a_map_emptied_by_removals_stays_and_keeps_its_order() -> None:
    changed, answer = modify(made({1: 1, 2: 2}, KEY), ops.MAP_REMOVE_BY_INDEX_RANGE, ops.RETURN_COUNT, 0)
    assert changed is not None
    assert (to_wire(*changed), answer) == (pack_value(OrderedMap({}, order=KEY)), 2)


# What is answered ---------------------------------------------------------------------------------------------

ANSWERS = {
    ops.RETURN_NONE: None,
    ops.RETURN_INDEX: [1, 2],
    ops.RETURN_REVINDEX: [1, 2],
    ops.RETURN_RANK: [3, 0],
    ops.RETURN_REVRANK: [0, 3],
    ops.RETURN_COUNT: 2,
    ops.RETURN_KEY: [2, 3],
    ops.RETURN_VALUE: [9, 5],
    ops.RETURN_KEY_VALUE_MAP: {2: 9, 3: 5},
    ops.RETURN_INDEX_RANGE: [1, 2],
    ops.RETURN_REVINDEX_RANGE: [1, 2],
    ops.RETURN_EXISTS: True,
    ops.RETURN_UNORDERED_MAP: {2: 9, 3: 5},
    ops.RETURN_ORDERED_MAP: {2: 9, 3: 5},
}


@pytest.mark.parametrize("flags", EVERY_ORDER)
@pytest.mark.parametrize("wanted", ANSWERS)
def test_every_answer_about_an_interval_of_keys_and_its_removal(wanted: int, flags: int) -> None:
    value = made({1: 7, 2: 9, 3: 5, 4: 8}, flags)
    assert read(value, ops.MAP_GET_BY_KEY_INTERVAL, wanted, 2, 4) == ANSWERS[wanted]
    changed, answer = modify(value, ops.MAP_REMOVE_BY_KEY_INTERVAL, wanted, 2, 4)
    assert (items(changed), answer) == ([(1, 7), (4, 8)], ANSWERS[wanted])


@pytest.mark.parametrize("flags", EVERY_ORDER)
def test_inverted_removals_leave_what_was_found(flags: int) -> None:
    value = made({1: 7, 2: 9, 3: 5, 4: 8}, flags)
    wanted = ops.RETURN_KEY | ops.RETURN_INVERTED
    for number, args in [
        (ops.MAP_REMOVE_BY_KEY_INTERVAL, (2, 4)),
        (ops.MAP_REMOVE_BY_KEY_LIST, ([3, 2],)),
        (ops.MAP_REMOVE_BY_VALUE_LIST, ([5, 9],)),
        (ops.MAP_REMOVE_BY_INDEX_RANGE, (1, 2)),
        (ops.MAP_REMOVE_BY_KEY_REL_INDEX_RANGE, (1, 1, 2)),
    ]:
        changed, answer = modify(value, number, wanted, *args)
        assert (items(changed), answer) == ([(2, 9), (3, 5)], [1, 4]), number


def test_inverted_is_refused_where_one_is_wanted_but_an_ordered_map_looks_for_the_key_first() -> None:
    wanted = ops.RETURN_COUNT | ops.RETURN_INVERTED
    for flags in (0, KEY):
        assert refusal_of_read(made({1: 1}, flags), ops.MAP_GET_BY_KEY, wanted, 1) == ResultCode.OP_NOT_APPLICABLE
    assert refusal_of_read(made({1: 1}), ops.MAP_GET_BY_KEY, wanted, 2) == ResultCode.OP_NOT_APPLICABLE
    assert read(made({1: 1}, KEY), ops.MAP_GET_BY_KEY, wanted, 2) == 0


def test_a_key_listed_twice_is_answered_twice_by_an_ordered_map_and_once_by_another() -> None:
    for flags, expected in ((0, [1, 0]), (KEY, [0, 1, 0])):
        value = made({"a": 1, "b": 2}, flags)
        assert read(value, ops.MAP_GET_BY_KEY_LIST, ops.RETURN_INDEX, ["a", "b", "a"]) == expected
        assert read(value, ops.MAP_GET_BY_KEY_LIST, ops.RETURN_COUNT, ["a", "b", "a"]) == 2


@pytest.mark.parametrize("flags", EVERY_ORDER)
def test_values_are_compared_with_infinity_and_wildcards(flags: int) -> None:
    value = made({1: [1, "a"], 2: [1, "b"], 3: [2, "a"], 4: 5}, flags)
    assert read(value, ops.MAP_GET_ALL_BY_VALUE, ops.RETURN_KEY, [1, WILDCARD]) == [1, 2]
    assert read(value, ops.MAP_GET_BY_VALUE_INTERVAL, ops.RETURN_KEY, [1, "b"], [2, INFINITY]) == [2, 3]
    assert read(value, ops.MAP_GET_BY_VALUE_INTERVAL, ops.RETURN_COUNT, 0, INFINITY) == 4


def test_single_elements_out_of_bounds_are_refused_and_ranges_are_cut() -> None:
    value = made({1: 1, 2: 2})
    for index in (2, -3, INT_MIN, INT_MAX):
        assert refusal_of_read(value, ops.MAP_GET_BY_INDEX, ops.RETURN_KEY, index) == ResultCode.OP_NOT_APPLICABLE
        assert refusal_of_read(value, ops.MAP_GET_BY_RANK, ops.RETURN_KEY, index) == ResultCode.OP_NOT_APPLICABLE
    assert read(value, ops.MAP_GET_BY_INDEX_RANGE, ops.RETURN_KEY, -3, 2) == [1]
    assert read(value, ops.MAP_GET_BY_INDEX_RANGE, ops.RETURN_KEY, 1, INT_MAX) == [2]
    assert read(value, ops.MAP_GET_BY_INDEX_RANGE, ops.RETURN_KEY, INT_MIN, INT_MAX) == [1]
    assert read(value, ops.MAP_GET_BY_KEY_REL_INDEX_RANGE, ops.RETURN_KEY, 2, -1) == [1, 2]


@pytest.mark.parametrize("number", [71, 72, 80, 95, 101, 111, 5000])
def test_numbers_of_no_operation_are_refused_as_parameters(number: int) -> None:
    assert refusal(made({}), number, 0, 0) == ResultCode.PARAM
    assert refusal_of_read(made({}), number, 0, 0) == ResultCode.PARAM


def test_reads_are_no_changes_and_changes_no_reads() -> None:
    assert refusal(made({}), ops.MAP_SIZE) == ResultCode.PARAM
    assert refusal_of_read(made({}), ops.MAP_CLEAR) == ResultCode.PARAM
    assert refusal(stored(*encode_value([1])), ops.MAP_SIZE) == ResultCode.BIN_TYPE


# How long it takes --------------------------------------------------------------------------------------------

MANY = 4000


class Counter:
    """Counts how often two elements are compared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for module in (maps_stored, maps_find):
            monkeypatch.setattr(module, "compare", self.wrap(module.compare))
        for module in (maps_find, maps_find_listed):
            monkeypatch.setattr(module, "search", self.wrap(module.search, MANY.bit_length()))

    def wrap(self, function: Any, weight: int = 1) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += weight
            return function(*args, **kwargs)

        return counted


@pytest.mark.parametrize("flags", EVERY_ORDER)
def test_operations_on_many_pairs_compare_each_a_few_times_and_not_each_with_each(
    flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = made({number: number * 7919 % MANY for number in range(MANY)}, flags)
    everything = list(range(MANY))
    counter = Counter(monkeypatch)
    assert modify(value, ops.MAP_PUT_ITEMS, dict.fromkeys(range(0, 2 * MANY, 2), 1), 0)[1] == MANY * 3 // 2
    for number, args in [
        (ops.MAP_REMOVE_BY_KEY_LIST, (everything,)),
        (ops.MAP_REMOVE_BY_VALUE_LIST, (everything,)),
        (ops.MAP_REMOVE_BY_VALUE_INTERVAL, (0, MANY)),
        (ops.MAP_REMOVE_BY_RANK_RANGE, (0, MANY)),
        (ops.MAP_REMOVE_BY_KEY_INTERVAL, (0, MANY)),
        (ops.MAP_REMOVE_BY_INDEX_RANGE, (0, MANY)),
    ]:
        changed, found = modify(value, number, ops.RETURN_COUNT, *args)
        assert (items(changed), found) == ([], MANY), number
    assert len(read(value, ops.MAP_GET_BY_INDEX_RANGE, ops.RETURN_RANK, 1, MANY - 2)) == MANY - 2
    assert counter.count < 20 * MANY * math.log2(MANY)
