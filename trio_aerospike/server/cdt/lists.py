"""List operations by code: parse the arguments, call the function (server: as/src/base/particle_list.c)."""

from __future__ import annotations

from collections.abc import Callable

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..exceptions import Refused
from ..values import Particle
from . import lists_change as change, lists_find as find
from .calls import Arguments, Call, Target
from .elements import Malformed, integer
from .lists_find import Found, StoredList
from .ranges import ReturnSpec

_Finder = Callable[[StoredList, Arguments], Found]
_Changer = Callable[[Target, Arguments], Particle | None]


def _several(given: Arguments) -> ReturnSpec:
    return ReturnSpec.parse(given.number(0), multiple=True)


def _one(given: Arguments) -> ReturnSpec:
    return ReturnSpec.parse(given.number(0), multiple=False)


def _by_index(kind: int, *, multiple: bool, inverted: bool = False) -> _Finder:
    """Find by index or index range, with a fixed return type."""
    returns = ReturnSpec(kind, inverted=inverted, multiple=multiple)
    return lambda stored, given: find.by_index_range(
        stored, returns, given.number(0), given.count(1) if multiple else 1
    )


_BY_RETURN_TYPE: dict[str, _Finder] = {
    "BY_INDEX": lambda stored, given: find.by_index_range(stored, _one(given), given.number(1), 1),
    "BY_VALUE": lambda stored, given: find.by_value(stored, _one(given), given.element(1)),
    "BY_RANK": lambda stored, given: find.by_rank_range(stored, _one(given), given.number(1), 1),
    "ALL_BY_VALUE": lambda stored, given: find.by_value(stored, _several(given), given.element(1)),
    "ALL_BY_VALUE_LIST": lambda stored, given: find.by_value_list(stored, _several(given), given.element(1)),
    "BY_INDEX_RANGE": lambda stored, given: find.by_index_range(
        stored, _several(given), given.number(1), given.count(2)
    ),
    "BY_VALUE_INTERVAL": lambda stored, given: find.by_value_interval(
        stored, _several(given), given.element(1), given.optional(2)
    ),
    "BY_RANK_RANGE": lambda stored, given: find.by_rank_range(stored, _several(given), given.number(1), given.count(2)),
    "BY_VALUE_REL_RANK_RANGE": lambda stored, given: find.by_relative_rank_range(
        stored, _several(given), given.element(1), given.number(2), given.count(3)
    ),
}
"""Per pair of operations LIST_GET_... and LIST_REMOVE_..., whose first argument is a return type."""

_READS: dict[int, _Finder] = {
    ops.LIST_GET: _by_index(ops.RETURN_VALUE, multiple=False),
    ops.LIST_GET_RANGE: _by_index(ops.RETURN_VALUE, multiple=True),
    **{getattr(ops, f"LIST_GET_{name}"): finder for name, finder in _BY_RETURN_TYPE.items()},
}
_REMOVES: dict[int, _Finder] = {
    ops.LIST_POP: _READS[ops.LIST_GET],
    ops.LIST_POP_RANGE: _READS[ops.LIST_GET_RANGE],
    ops.LIST_REMOVE: _by_index(ops.RETURN_COUNT, multiple=False),
    ops.LIST_REMOVE_RANGE: _by_index(ops.RETURN_COUNT, multiple=True),
    ops.LIST_TRIM: _by_index(ops.RETURN_COUNT, multiple=True, inverted=True),
    **{getattr(ops, f"LIST_REMOVE_{name}"): finder for name, finder in _BY_RETURN_TYPE.items()},
}
_CHANGES: dict[int, _Changer] = {
    ops.LIST_SET_TYPE: lambda target, given: change.set_type(target, given.number(0)),
    ops.LIST_APPEND: lambda target, given: change.append(target, given.element(0), given.number(1), given.number(2)),
    ops.LIST_APPEND_ITEMS: lambda target, given: change.append_items(
        target, given.element(0), given.number(1), given.number(2)
    ),
    ops.LIST_INSERT: lambda target, given: change.insert(target, given.number(0), given.element(1), given.number(2)),
    ops.LIST_INSERT_ITEMS: lambda target, given: change.insert_items(
        target, given.number(0), given.element(1), given.number(2)
    ),
    ops.LIST_SET: lambda target, given: change.set_at(target, given.number(0), given.element(1), given.number(2)),
    ops.LIST_INCREMENT: lambda target, given: change.increment(
        target, given.number(0), given.optional(1), given.number(2), given.number(3)
    ),
    ops.LIST_SORT: lambda target, given: change.sort(target, given.number(0)),
}


def read(data: bytes, call: Call) -> Particle | None:
    """Read from a stored list. Raises `Refused`: the arguments are invalid, or the list has no such elements."""
    try:
        stored = StoredList(data)
    except Malformed:
        raise Refused(ResultCode.BIN_TYPE) from None
    if call.op == ops.LIST_SIZE:
        return integer(stored.size)
    finder = _READS.get(call.op)
    if finder is None:
        raise Refused(ResultCode.PARAM)
    return _found(finder, stored, call.arguments())[0]


def modify(target: Target, call: Call) -> Particle | None:
    """Change a list; returns the result, None if there is none. Raises `Refused`: nothing has changed."""
    remover = _REMOVES.get(call.op)
    if remover is not None:
        if target.data is None:
            return None
        given = call.arguments()
        stored = change.opened_list(target)
        result, removed = _found(remover, stored, given)
        if removed:
            target.result = stored.without(removed)
        return result
    if call.op == ops.LIST_CLEAR:
        change.clear(target)
        return None
    changer = _CHANGES.get(call.op)
    if changer is None:
        raise Refused(ResultCode.PARAM)
    if call.op == ops.LIST_SORT and not target.has_bin:
        raise Refused(ResultCode.BIN_TYPE)
    try:
        return changer(target, call.arguments())
    except Malformed:
        raise Refused(ResultCode.PARAM) from None


def _found(finder: _Finder, stored: StoredList, given: Arguments) -> Found:
    try:
        return finder(stored, given)
    except Malformed:
        raise Refused(ResultCode.PARAM) from None
