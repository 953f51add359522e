"""Build comparisons: of values of one type, with regex patterns, with regions, with a list (in)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..._wire import constants as wire, exp_ops as codes
from ..cdt import elements
from ..cdt.elements import Malformed
from ..exceptions import Refused
from ..geo.geojson import Shape, geojson_text, shape_of
from .building import Builder, Part, Type, builds
from .ordering import compare_packed
from .packing import packed
from .regex import UnsupportedPattern, compile_pattern
from .values import UNKNOWN, Evaluation, Extension, Frame, Value

_Test = Callable[[Any, Any], bool]
_TESTS: dict[int, _Test] = {
    codes.CMP_EQ: operator.eq,
    codes.CMP_NE: operator.ne,
    codes.CMP_GT: operator.gt,
    codes.CMP_GE: operator.ge,
    codes.CMP_LT: operator.lt,
    codes.CMP_LE: operator.le,
}
_INCOMPARABLE = (Type.GEOJSON, Type.HLL)
_CONTAINERS = (wire.PARTICLE_LIST, wire.PARTICLE_MAP)


def _pair(builder: Builder) -> tuple[Part, Part]:
    one = builder.next()
    return one, builder.next()


def _of_two(number: int) -> None:
    test = _TESTS[number]

    @builds(number, n_arguments=2)
    def build(builder: Builder, _count: int) -> Part:
        one, other = _pair(builder)
        if one.type is not other.type or one.type in _INCOMPARABLE:
            raise Malformed
        return Part(Type.BOOL, _comparison(test, one.evaluate, other.evaluate))


for _number in _TESTS:
    _of_two(_number)


def _comparison(test: _Test, one: Evaluation, other: Evaluation) -> Evaluation:
    def evaluate(frame: Frame) -> Value:
        mine = one(frame)
        if mine is UNKNOWN:
            return UNKNOWN
        theirs = other(frame)
        if theirs is UNKNOWN:
            return UNKNOWN
        if isinstance(mine, (int, float)) and isinstance(theirs, (int, float)):
            return test(mine, theirs)
        if mine is None and theirs is None:
            return test(0, 0)
        if isinstance(mine, tuple) and isinstance(theirs, tuple) and mine[0] == theirs[0]:
            return _compared(test, mine[1], theirs[1], packed=mine[0] in _CONTAINERS)
        if isinstance(mine, Extension) and isinstance(theirs, Extension):
            return _compared(test, mine.packed, theirs.packed, packed=True)
        # Values of another type than the one they were built for: the real server crashes.
        return UNKNOWN

    return evaluate


def _compared(test: _Test, mine: bytes, theirs: bytes, *, packed: bool) -> Value:
    if not packed:
        return test(mine, theirs)
    order = compare_packed(mine, theirs)
    # Unordered maps cannot be compared.
    return UNKNOWN if order is None else test(order, 0)


# Patterns -----------------------------------------------------------------------------------------------------


@builds(codes.CMP_REGEX, n_arguments=3)
def _regex(builder: Builder, _count: int) -> Part:
    flags = builder.reader.integer()
    pattern = builder.reader.text()
    subject = builder.typed(Type.STR).evaluate
    try:
        matches = compile_pattern(pattern, flags)
    except UnsupportedPattern as error:
        raise Malformed from error

    def evaluate(frame: Frame) -> Value:
        value = subject(frame)
        if not isinstance(value, tuple):
            return UNKNOWN
        return matches(value[1])

    return Part(Type.BOOL, evaluate)


# Places -------------------------------------------------------------------------------------------------------


@builds(codes.CMP_GEO, n_arguments=2)
def _geo(builder: Builder, _count: int) -> Part:
    one, other = builder.typed(Type.GEOJSON).evaluate, builder.typed(Type.GEOJSON).evaluate

    def evaluate(frame: Frame) -> Value:
        """Whether the region contains the point, in either order; two regions or two points never match."""
        mine = one(frame)
        if mine is UNKNOWN:
            return UNKNOWN
        theirs = other(frame)
        if theirs is UNKNOWN:
            return UNKNOWN
        first, second = _shape(mine), _shape(theirs)
        if first is None or second is None:
            return UNKNOWN
        return first.contains(second) or second.contains(first)

    return Part(Type.BOOL, evaluate)


def _shape(value: Value) -> Shape | None:
    if not isinstance(value, tuple) or value[0] != wire.PARTICLE_GEOJSON:
        return None
    try:
        return shape_of(geojson_text(value[1]))
    except Refused:
        return None


# Lists and maps -----------------------------------------------------------------------------------------------


@builds(codes.IN_LIST, n_arguments=2)
def _in_list(builder: Builder, _count: int) -> Part:
    sought = builder.next().evaluate
    within = builder.typed(Type.LIST).evaluate

    def evaluate(frame: Frame) -> Value:
        value = sought(frame)
        if value is UNKNOWN:
            return UNKNOWN
        whole = within(frame)
        element = packed(value)
        if element is None or not isinstance(whole, tuple):
            return UNKNOWN
        try:
            return _contains(whole[1], element)
        except (Malformed, IndexError):
            return UNKNOWN

    return Part(Type.BOOL, evaluate)


def _contains(packed_list: bytes, element: bytes) -> bool:
    position, count = elements.header_at(packed_list, 0)
    for _ in range(count):
        end = elements.end_of(packed_list, position)
        if compare_packed(element, packed_list[position:end], unordered_maps=True) == 0:
            return True
        position = end
    return False


@builds(codes.MAP_KEYS, n_arguments=1)
def _map_keys(builder: Builder, _count: int) -> Part:
    return _half_of_map(builder, 0)


@builds(codes.MAP_VALUES, n_arguments=1)
def _map_values(builder: Builder, _count: int) -> Part:
    return _half_of_map(builder, 1)


def _half_of_map(builder: Builder, half: int) -> Part:
    of_map = builder.next().evaluate

    def evaluate(frame: Frame) -> Value:
        value = of_map(frame)
        if not isinstance(value, tuple) or value[0] != wire.PARTICLE_MAP:
            return UNKNOWN
        try:
            _, count, _, start = elements.opened(value[1])
            pairs = elements.pairs_of(value[1], start, count)
        except (Malformed, IndexError):
            return UNKNOWN
        return wire.PARTICLE_LIST, elements.list_of([pair[half] for pair in pairs])

    return Part(Type.LIST, evaluate)
