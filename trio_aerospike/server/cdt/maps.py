"""Map operations by code: parse the arguments, call the function, store the result.

Facts: cdt_process_state_packed_map_read_optype and _modify_optype in as/src/base/particle_map.c of the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..exceptions import Refused
from ..values import Particle
from . import maps_change as change, maps_find as find, maps_find_listed as listed
from .calls import Arguments, Call, Target
from .elements import PERSIST_INDEX, integer
from .maps_change import Change, Control
from .maps_find import Found
from .maps_stored import KNOWN_FLAGS, StoredMap, packed
from .ranges import ReturnSpec

# Finding ------------------------------------------------------------------------------------------------------

_Finder = Callable[[StoredMap, ReturnSpec, Arguments], Found]

_ONE, _SEVERAL = False, True

_FINDERS: Final[dict[str, tuple[bool, _Finder]]] = {
    "BY_KEY": (_ONE, lambda m, r, args: find.by_key(m, r, args.element(1))),
    "BY_INDEX": (_ONE, lambda m, r, args: find.by_index(m, r, args.number(1))),
    "BY_VALUE": (_ONE, lambda m, r, args: find.by_value(m, r, args.element(1))),
    "BY_RANK": (_ONE, lambda m, r, args: find.by_rank(m, r, args.number(1))),
    "ALL_BY_VALUE": (_SEVERAL, lambda m, r, args: find.by_value(m, r, args.element(1))),
    "BY_KEY_INTERVAL": (_SEVERAL, lambda m, r, args: find.by_key_interval(m, r, args.element(1), args.optional(2))),
    "BY_VALUE_INTERVAL": (_SEVERAL, lambda m, r, args: find.by_value_interval(m, r, args.element(1), args.optional(2))),
    "BY_INDEX_RANGE": (_SEVERAL, lambda m, r, args: find.by_index(m, r, args.number(1), args.count(2))),
    "BY_RANK_RANGE": (_SEVERAL, lambda m, r, args: find.by_rank(m, r, args.number(1), args.count(2))),
    "BY_KEY_REL_INDEX_RANGE": (_SEVERAL, lambda m, r, args: find.by_relative_index(m, r, *_relative(args))),
    "BY_VALUE_REL_RANK_RANGE": (_SEVERAL, lambda m, r, args: find.by_relative_rank(m, r, *_relative(args))),
    "BY_KEY_LIST": (_SEVERAL, lambda m, r, args: listed.by_key_list(m, r, args.element(1))),
    "BY_VALUE_LIST": (_SEVERAL, lambda m, r, args: listed.by_value_list(m, r, args.element(1))),
}
"""Per pair of operations MAP_GET_... and MAP_REMOVE_...: whether they find several elements, and the function."""

_READS: Final[dict[int, tuple[bool, _Finder]]] = {
    getattr(ops, f"MAP_GET_{name}"): row for name, row in _FINDERS.items()
}
_REMOVES: Final[dict[int, tuple[bool, _Finder]]] = {
    getattr(ops, f"MAP_REMOVE_{name}"): row for name, row in _FINDERS.items()
}


def _relative(arguments: Arguments) -> tuple[bytes, int, int]:
    """The key or value, the relative index or rank, and the count of a relative range."""
    return arguments.element(1), arguments.number(2), arguments.count(3)


def _find(stored: StoredMap, call: Call, multiple: bool, finder: _Finder) -> Found:
    arguments = call.arguments()
    return finder(stored, ReturnSpec.parse(arguments.number(0), multiple=multiple), arguments)


def read(data: bytes, call: Call) -> Particle | None:
    """Carry out a read.

    Args:
        data: the stored map.
        call: the operation.

    Raises:
        Refused: the operation is unknown, or not applicable.
    """
    stored = StoredMap.parse(data)
    if call.op == ops.MAP_SIZE:
        return integer(len(stored))
    if call.op not in _READS:
        raise Refused(ResultCode.PARAM)
    return _find(stored, call, *_READS[call.op])[1]


# Changing -----------------------------------------------------------------------------------------------------

_Changer = Callable[[StoredMap, Arguments], Change]

_PUTS: Final[dict[int, tuple[int | None, _Changer]]] = {
    ops.MAP_ADD: (2, lambda m, args: change.put(m, args.element(0), args.element(1), change.ADD)),
    ops.MAP_ADD_ITEMS: (1, lambda m, args: change.put_items(m, args.element(0), change.ADD)),
    ops.MAP_PUT: (2, lambda m, args: change.put(m, args.element(0), args.element(1), Control.of(args.number(3)))),
    ops.MAP_PUT_ITEMS: (1, lambda m, args: change.put_items(m, args.element(0), Control.of(args.number(2)))),
    ops.MAP_REPLACE: (None, lambda m, args: change.put(m, args.element(0), args.element(1), change.REPLACE)),
    ops.MAP_REPLACE_ITEMS: (None, lambda m, args: change.put_items(m, args.element(0), change.REPLACE)),
    ops.MAP_INCREMENT: (2, lambda m, args: change.increment(m, args.element(0), args.optional(1), 1)),
    ops.MAP_DECREMENT: (2, lambda m, args: change.increment(m, args.element(0), args.optional(1), -1)),
}
"""Per operation: the argument with the order of a map that it creates, and the function."""


def modify(target: Target, call: Call) -> Particle | None:
    """Carry out an operation that changes or creates a map.

    Args:
        target: the map; its result is set if anything changes.
        call: the operation.

    Returns:
        The result for the client.

    Raises:
        Refused: the operation is unknown, or not applicable.
    """
    op = call.op
    if op == ops.MAP_SET_TYPE:
        flags = call.arguments().number(0) & 0xFF
        stored = StoredMap(0, [], []) if target.data is None else StoredMap.parse(target.data)
        target.result, result = change.set_type(stored, flags, is_top=_is_as_top(target))
        return result
    if op in _PUTS:
        return _put(target, call)
    if op != ops.MAP_CLEAR and op not in _REMOVES:
        raise Refused(ResultCode.PARAM)
    if target.data is None:
        return None
    stored = StoredMap.parse(target.data)
    if op == ops.MAP_CLEAR:
        target.result, result = change.clear(stored)
        return result
    removed, result = _find(stored, call, *_REMOVES[op])
    if removed:
        target.result = stored.without(removed)
    return result


def _put(target: Target, call: Call) -> Particle | None:
    if call.op == ops.MAP_REPLACE_ITEMS and target.data is None:
        raise Refused(ResultCode.ELEMENT_NOT_FOUND)
    arguments = call.arguments()
    place, changer = _PUTS[call.op]
    if target.data is not None:
        target.result, result = changer(StoredMap.parse(target.data), arguments)
        return result
    asked = _flags_to_create(target, 0 if place is None else arguments.number(place))
    # A new map keeps an index only if it is ordered; a nested one never does.
    flags = 0 if asked == PERSIST_INDEX else asked
    if target.is_created:
        flags &= ~PERSIST_INDEX
    target.result, result = changer(StoredMap(flags, [], []), arguments)
    if target.result is None and not target.is_created:
        target.result = packed(flags, [], [])
    elif target.result is None and call.op in (ops.MAP_ADD_ITEMS, ops.MAP_PUT_ITEMS):
        # Without items an empty map is created; with items that may not be put, none is.
        target.result = packed(asked, [], []) if _puts_nothing(arguments) else None
    return result


def _puts_nothing(arguments: Arguments) -> bool:
    return not len(StoredMap.parse(arguments.element(0)))


def _flags_to_create(target: Target, flags: int) -> int:
    """The flags of a map that is created (server: cdt_context_use_static_map_if_notinuse)."""
    flags &= 0xFF
    if not _is_as_top(target):
        flags &= ~PERSIST_INDEX
    return 0 if flags & ~KNOWN_FLAGS else flags


def _is_as_top(target: Target) -> bool:
    """Whether the server treats the map as the bin's whole value, which includes one created in a new bin."""
    return target.is_top or (target.is_created and not target.has_bin)
