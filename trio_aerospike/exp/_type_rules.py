"""Types of the arguments and results of operations (server: exp.c, the build functions and the operation table)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from trio_aerospike._wire import exp_ops as ops
from trio_aerospike.exp._types import Kind

Kinds = Sequence[Kind | None]
Rule = Callable[[Kinds], Kind | None]


class Mismatch(Exception):
    """An argument has a type that its operation does not accept.

    Args:
        index: the argument, from 0; None where their number is wrong.
        got: its type, or the number of arguments.
        allowed: what is allowed there.
    """

    def __init__(self, index: int | None, got: str, allowed: str) -> None:
        super().__init__(index, got, allowed)
        self.index = index
        self.got = got
        self.allowed = allowed

    def __str__(self) -> str:
        if self.index is None:
            return f"it has {self.got}, allowed: {self.allowed}"
        return f"argument {self.index + 1} is {self.got}, allowed: {self.allowed}"


def demand(kind: Kind | None, index: int, *allowed: Kind) -> None:
    """Raise Mismatch where ``kind`` is known and not one of ``allowed``."""
    if kind is None or kind in allowed or (kind is Kind.UNKNOWN and Kind.BOOL in allowed):
        return
    raise Mismatch(index, kind.label, " or ".join(one.label for one in allowed))


def demand_value(kind: Kind | None, index: int) -> None:
    """Raise Mismatch for remove_result, which is a result of modify_by_path and not a value."""
    if kind is Kind.REMOVE:
        raise Mismatch(index, kind.label, "a value, as remove_result is only for the result of modify_by_path")


def _counted(kinds: Kinds, least: int) -> None:
    if len(kinds) < least:
        plural = "" if len(kinds) == 1 else "s"
        raise Mismatch(None, f"{len(kinds)} argument{plural}", f"{least} or more")


def _fixed(result: Kind, *allowed: Kind) -> Rule:
    def rule(kinds: Kinds) -> Kind:
        for index, (kind, one) in enumerate(zip(kinds, allowed, strict=True)):
            demand(kind, index, one)
        return result

    return rule


def _all(result: Kind, each: Kind, least: int) -> Rule:
    def rule(kinds: Kinds) -> Kind:
        _counted(kinds, least)
        for index, kind in enumerate(kinds):
            demand(kind, index, each)
        return result

    return rule


def _comparison(kinds: Kinds) -> Kind:
    for index, kind in enumerate(kinds):
        if kind in (Kind.GEO, Kind.HLL):
            raise Mismatch(index, kind.label, "what has an order; geojson and hll cannot be compared")
        demand_value(kind, index)
    left, right = (Kind.BOOL if kind is Kind.UNKNOWN else kind for kind in kinds)
    if left is not None and right is not None and left is not right:
        raise Mismatch(1, right.label, left.label)
    return Kind.BOOL


def _numbers(kinds: Kinds) -> Kind | None:
    _counted(kinds, 1)
    found: Kind | None = None
    for index, kind in enumerate(kinds):
        if found is None:
            demand(kind, index, Kind.INT, Kind.FLOAT)
            found = kind
        else:
            demand(kind, index, found)
    return found


def _cond(kinds: Kinds) -> Kind | None:
    if len(kinds) < 3 or len(kinds) % 2 == 0:
        raise Mismatch(None, f"{len(kinds)} arguments", "pairs of a condition and a result, then a default")
    found: Kind | None = None
    for index, kind in enumerate(kinds):
        if index % 2 == 0 and index < len(kinds) - 1:
            demand(kind, index, Kind.BOOL)
        elif kind is Kind.EXTREME:
            # The server mistakes this type for a missing one, and may crash.
            raise Mismatch(index, kind.label, "a value")
        elif kind is not Kind.UNKNOWN and kind is not None:
            if found is not None and kind is not found:
                raise Mismatch(index, kind.label, f"{found.label}, as the results before it")
            found = kind
    if found is None and all(kind is Kind.UNKNOWN for kind in (*kinds[1::2], kinds[-1])):
        return Kind.BOOL
    return found


def _in_list(kinds: Kinds) -> Kind:
    demand_value(kinds[0], 0)
    demand(kinds[1], 1, Kind.LIST)
    return Kind.BOOL


@attrs.frozen(eq=False)
class Plain:
    """An operation whose arguments are all expressions.

    Args:
        name: the function in ``exp`` that builds it.
        rule: the types of its arguments, and of its result.
        count: its number of arguments; None for any number.
        symbol: the operator that builds it; "" where there is no operator.
        chains: ``a + b + c`` is one operation of three.
    """

    name: str
    rule: Rule
    count: int | None
    symbol: str = ""
    chains: bool = False


_BOOL, _INT, _FLOAT, _STRING = Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STRING

PLAIN: Final[dict[int, Plain]] = {
    ops.UNK: Plain("unknown", _fixed(Kind.UNKNOWN), 0),
    ops.CMP_EQ: Plain("eq", _comparison, 2, "=="),
    ops.CMP_NE: Plain("ne", _comparison, 2, "!="),
    ops.CMP_GT: Plain("gt", _comparison, 2, ">"),
    ops.CMP_GE: Plain("ge", _comparison, 2, ">="),
    ops.CMP_LT: Plain("lt", _comparison, 2, "<"),
    ops.CMP_LE: Plain("le", _comparison, 2, "<="),
    ops.CMP_GEO: Plain("geo_compare", _fixed(_BOOL, Kind.GEO, Kind.GEO), 2),
    ops.IN_LIST: Plain("in_list", _in_list, 2),
    ops.AND: Plain("and_", _all(_BOOL, _BOOL, 2), None, "&", chains=True),
    ops.OR: Plain("or_", _all(_BOOL, _BOOL, 2), None, "|", chains=True),
    ops.NOT: Plain("not_", _fixed(_BOOL, _BOOL), 1),
    ops.EXCLUSIVE: Plain("xor_", _all(_BOOL, _BOOL, 2), None, "^"),
    ops.ADD: Plain("num_add", _numbers, None, "+", chains=True),
    ops.SUB: Plain("num_sub", _numbers, None, "-", chains=True),
    ops.MUL: Plain("num_mul", _numbers, None, "*", chains=True),
    ops.DIV: Plain("num_div", _numbers, None, "/"),
    ops.POW: Plain("num_pow", _fixed(_FLOAT, _FLOAT, _FLOAT), 2, "**"),
    ops.LOG: Plain("num_log", _fixed(_FLOAT, _FLOAT, _FLOAT), 2),
    ops.MOD: Plain("num_mod", _fixed(_INT, _INT, _INT), 2, "%"),
    ops.ABS: Plain("num_abs", _numbers, 1),
    ops.FLOOR: Plain("num_floor", _fixed(_FLOAT, _FLOAT), 1),
    ops.CEIL: Plain("num_ceil", _fixed(_FLOAT, _FLOAT), 1),
    ops.TO_INT: Plain("to_int", _fixed(_INT, _FLOAT), 1),
    ops.TO_FLOAT: Plain("to_float", _fixed(_FLOAT, _INT), 1),
    ops.INT_AND: Plain("int_and", _all(_INT, _INT, 1), None, "&", chains=True),
    ops.INT_OR: Plain("int_or", _all(_INT, _INT, 1), None, "|", chains=True),
    ops.INT_XOR: Plain("int_xor", _all(_INT, _INT, 1), None, "^", chains=True),
    ops.INT_NOT: Plain("int_not", _fixed(_INT, _INT), 1),
    ops.INT_LSHIFT: Plain("int_lshift", _fixed(_INT, _INT, _INT), 2, "<<"),
    ops.INT_RSHIFT: Plain("int_rshift", _fixed(_INT, _INT, _INT), 2),
    ops.INT_ARSHIFT: Plain("int_arshift", _fixed(_INT, _INT, _INT), 2, ">>"),
    ops.INT_COUNT: Plain("int_count", _fixed(_INT, _INT), 1),
    ops.INT_LSCAN: Plain("int_lscan", _fixed(_INT, _INT, _BOOL), 2),
    ops.INT_RSCAN: Plain("int_rscan", _fixed(_INT, _INT, _BOOL), 2),
    ops.MIN: Plain("min_", _numbers, None),
    ops.MAX: Plain("max_", _numbers, None),
    ops.META_DEVICE_SIZE: Plain("device_size", _fixed(_INT), 0),
    ops.META_LAST_UPDATE: Plain("last_update", _fixed(_INT), 0),
    ops.META_SINCE_UPDATE: Plain("since_update", _fixed(_INT), 0),
    ops.META_VOID_TIME: Plain("void_time", _fixed(_INT), 0),
    ops.META_TTL: Plain("ttl", _fixed(_INT), 0),
    ops.META_SET_NAME: Plain("set_name", _fixed(_STRING), 0),
    ops.META_KEY_EXISTS: Plain("key_exists", _fixed(_BOOL), 0),
    ops.META_IS_TOMBSTONE: Plain("is_tombstone", _fixed(_BOOL), 0),
    ops.META_MEMORY_SIZE: Plain("memory_size", _fixed(_INT), 0),
    ops.META_RECORD_SIZE: Plain("record_size", _fixed(_INT), 0),
    ops.RESULT_REMOVE: Plain("remove_result", _fixed(Kind.REMOVE), 0),
    ops.MAP_KEYS: Plain("map_keys", _fixed(Kind.LIST, Kind.MAP), 1),
    ops.MAP_VALUES: Plain("map_values", _fixed(Kind.LIST, Kind.MAP), 1),
    ops.COND: Plain("cond", _cond, None),
}
