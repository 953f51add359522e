"""List operations by code: parse the arguments, call the function (server: as/src/base/particle_list.c)."""

from __future__ import annotations

from collections.abc import Callable

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..refused import Refused
from ..values import Particle
from . import lists_change as change, lists_find as find
from .calls import Arguments, Call, Target
from .elements import Malformed, integer
from .lists_find import Found, StoredList
from .ranges import ReturnSpec

_Finder = Callable[[StoredList, Arguments], Found]
_Changer = Callable[[Target, Arguments], Particle | None]


def _get(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(stored, ReturnSpec(ops.RETURN_VALUE, multiple=False), given.number(0), 1)


def _get_range(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(stored, ReturnSpec(ops.RETURN_VALUE), given.number(0), given.count(1))


def _remove(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(stored, ReturnSpec(ops.RETURN_COUNT, multiple=False), given.number(0), 1)


def _remove_range(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(stored, ReturnSpec(ops.RETURN_COUNT), given.number(0), given.count(1))


def _trim(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(stored, ReturnSpec(ops.RETURN_COUNT, inverted=True), given.number(0), given.count(1))


def _by_index(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(stored, ReturnSpec.parse(given.number(0), multiple=False), given.number(1), 1)


def _by_index_range(stored: StoredList, given: Arguments) -> Found:
    return find.by_index_range(
        stored, ReturnSpec.parse(given.number(0), multiple=True), given.number(1), given.count(2)
    )


def _by_rank(stored: StoredList, given: Arguments) -> Found:
    return find.by_rank_range(stored, ReturnSpec.parse(given.number(0), multiple=False), given.number(1), 1)


def _by_rank_range(stored: StoredList, given: Arguments) -> Found:
    return find.by_rank_range(stored, ReturnSpec.parse(given.number(0), multiple=True), given.number(1), given.count(2))


def _by_value(stored: StoredList, given: Arguments) -> Found:
    return find.by_value(stored, ReturnSpec.parse(given.number(0), multiple=False), given.element(1))


def _all_by_value(stored: StoredList, given: Arguments) -> Found:
    return find.by_value(stored, ReturnSpec.parse(given.number(0), multiple=True), given.element(1))


def _by_value_list(stored: StoredList, given: Arguments) -> Found:
    return find.by_value_list(stored, ReturnSpec.parse(given.number(0), multiple=True), given.element(1))


def _by_value_interval(stored: StoredList, given: Arguments) -> Found:
    returns = ReturnSpec.parse(given.number(0), multiple=True)
    return find.by_value_interval(stored, returns, given.element(1), given.optional(2))


def _by_relative_rank_range(stored: StoredList, given: Arguments) -> Found:
    returns = ReturnSpec.parse(given.number(0), multiple=True)
    return find.by_relative_rank_range(stored, returns, given.element(1), given.number(2), given.count(3))


_READS: dict[int, _Finder] = {
    ops.LIST_GET: _get,
    ops.LIST_GET_RANGE: _get_range,
    ops.LIST_GET_BY_INDEX: _by_index,
    ops.LIST_GET_BY_VALUE: _by_value,
    ops.LIST_GET_BY_RANK: _by_rank,
    ops.LIST_GET_ALL_BY_VALUE: _all_by_value,
    ops.LIST_GET_ALL_BY_VALUE_LIST: _by_value_list,
    ops.LIST_GET_BY_INDEX_RANGE: _by_index_range,
    ops.LIST_GET_BY_VALUE_INTERVAL: _by_value_interval,
    ops.LIST_GET_BY_RANK_RANGE: _by_rank_range,
    ops.LIST_GET_BY_VALUE_REL_RANK_RANGE: _by_relative_rank_range,
}

_REMOVES: dict[int, _Finder] = {
    ops.LIST_POP: _get,
    ops.LIST_POP_RANGE: _get_range,
    ops.LIST_REMOVE: _remove,
    ops.LIST_REMOVE_RANGE: _remove_range,
    ops.LIST_TRIM: _trim,
    ops.LIST_REMOVE_BY_INDEX: _by_index,
    ops.LIST_REMOVE_BY_VALUE: _by_value,
    ops.LIST_REMOVE_BY_RANK: _by_rank,
    ops.LIST_REMOVE_ALL_BY_VALUE: _all_by_value,
    ops.LIST_REMOVE_ALL_BY_VALUE_LIST: _by_value_list,
    ops.LIST_REMOVE_BY_INDEX_RANGE: _by_index_range,
    ops.LIST_REMOVE_BY_VALUE_INTERVAL: _by_value_interval,
    ops.LIST_REMOVE_BY_RANK_RANGE: _by_rank_range,
    ops.LIST_REMOVE_BY_VALUE_REL_RANK_RANGE: _by_relative_rank_range,
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
