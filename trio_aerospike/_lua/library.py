"""The Lua libraries ``list``, ``map`` and ``iterator`` (server: mod-lua).

Invalid arguments are treated as in mod_lua_list.c and mod_lua_map.c (in most cases, nothing is done). Functions that
the server has written in Lua are in prelude.lua.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .packing import Unusable, pack
from .values import (
    NOTHING,
    Function,
    Iterator_,
    LuaGeoJSON,
    LuaList,
    LuaMap,
    Record,
    Userdata,
    bytes_of,
    held,
    integer_at,
    lua_type,
    object_at,
    string_at,
)


def steps(left: Iterator[Any]) -> tuple[Function, Iterator_]:
    """The values for a generic ``for`` of Lua: a step function and its state."""
    return _step, Iterator_(left)


def _step(*arguments: Any) -> Any:
    iterator = arguments[0] if arguments else None
    return iterator.step() if isinstance(iterator, Iterator_) else None


def _nbytes(value: Any) -> int:
    try:
        return len(pack(value))
    except Unusable:
        return 0


def _shown(kind: type[Userdata]) -> Function:
    return lambda *arguments: bytes_of(str(object_at(kind, arguments, 1)))


# list -----------------------------------------------------------------------------------------------------------


def _entries(arguments: tuple[Any, ...], most: int) -> list[tuple[Any, Any]]:
    """The contents of the table that a constructor was called with; its own table is the first argument."""
    table = arguments[1] if 2 <= len(arguments) <= most else None
    if table is None or isinstance(table, (bool, int, float, bytes, Userdata)) or lua_type(table) != "table":
        return []
    return list(table.items())


def make_list(*arguments: Any) -> LuaList:
    """``list(t)``: the values of a table's numbered entries."""
    found = []
    for key, value in _entries(arguments, 2):
        if isinstance(key, (int, float)) and not isinstance(key, bool):
            kept = held(value)
            found.append(None if kept is NOTHING else kept)
    return LuaList(found)


def _new_list(*arguments: Any) -> LuaList | None:
    if not 1 <= len(arguments) <= 2:
        return None
    capacity, step = integer_at(arguments, 1, -1), integer_at(arguments, 2, 10)
    if capacity < 0 or step < 0:
        return None
    return LuaList([], limit=None if step else capacity)


def _storable(arguments: tuple[Any, ...], place: int) -> Any:
    """An argument as a list item; NOTHING if a list cannot have it."""
    value = held(arguments[place - 1]) if place <= len(arguments) else NOTHING
    return NOTHING if isinstance(value, Record) else value


def _put(target: LuaList, place: int, value: Any) -> None:
    if value is NOTHING or not target.has_room(max(1, place + 1 - len(target))):
        return
    target.grow_to(place)
    target.items.insert(place, value)


def _list_insert(*arguments: Any) -> None:
    target, index = object_at(LuaList, arguments, 1), integer_at(arguments, 2)
    if index > 0:
        _put(target, (index & 0xFFFF_FFFF) - 1, _storable(arguments, 3))


def _list_append(*arguments: Any) -> None:
    target = object_at(LuaList, arguments, 1)
    _put(target, len(target), _storable(arguments, 2))


def _list_prepend(*arguments: Any) -> None:
    _put(object_at(LuaList, arguments, 1), 0, _storable(arguments, 2))


def _list_remove(*arguments: Any) -> None:
    target, index = object_at(LuaList, arguments, 1), integer_at(arguments, 2)
    if 0 < index <= len(target):
        del target.items[index - 1]


def _list_concat(*arguments: Any) -> None:
    target, other = object_at(LuaList, arguments, 1), object_at(LuaList, arguments, 2)
    if target.has_room(len(other)):
        target.items += list(other.items)


def _list_trim(*arguments: Any) -> None:
    target, index = object_at(LuaList, arguments, 1), integer_at(arguments, 2)
    if index > 0:
        del target.items[index - 1 :]


def _list_take(*arguments: Any) -> LuaList | None:
    target, count = object_at(LuaList, arguments, 1), integer_at(arguments, 2)
    return LuaList(target.items[:count]) if count > 0 else None


def _list_drop(*arguments: Any) -> LuaList | None:
    target, count = object_at(LuaList, arguments, 1), integer_at(arguments, 2)
    return LuaList(target.items[count:]) if count > 0 else None


def _list_iterator(*arguments: Any) -> tuple[Function, Iterator_]:
    return steps(iter(object_at(LuaList, arguments, 1).items))


LIST: dict[str, Function] = {
    "new": _new_list,
    "create": _new_list,
    "insert": _list_insert,
    "append": _list_append,
    "prepend": _list_prepend,
    "remove": _list_remove,
    "concat": _list_concat,
    "trim": _list_trim,
    "take": _list_take,
    "drop": _list_drop,
    "size": lambda *arguments: len(object_at(LuaList, arguments, 1)),
    "nbytes": lambda *arguments: _nbytes(object_at(LuaList, arguments, 1)),
    "iterator": _list_iterator,
    "tostring": _shown(LuaList),
}

# map ------------------------------------------------------------------------------------------------------------


def make_map(*arguments: Any) -> LuaMap:
    """``map(t)``: a table's entries."""
    integer_at(arguments, 3)
    found = LuaMap()
    for key, value in _entries(arguments, 3):
        kept = held(value)
        if kept is not NOTHING:
            found.put(held(key), kept)
    return found


def _new_map(*arguments: Any) -> LuaMap | None:
    return LuaMap() if len(arguments) == 1 and integer_at(arguments, 1) >= 1 else None


def _map_pairs(*arguments: Any) -> tuple[Function, Iterator_]:
    return steps(object_at(LuaMap, arguments, 1).pairs())


def _map_keys(*arguments: Any) -> tuple[Function, Iterator_]:
    return steps(key for key, _ in object_at(LuaMap, arguments, 1).pairs())


def _map_values(*arguments: Any) -> tuple[Function, Iterator_]:
    return steps(value for _, value in object_at(LuaMap, arguments, 1).pairs())


def _map_remove(*arguments: Any) -> None:
    target = object_at(LuaMap, arguments, 1)
    if len(arguments) > 1:
        target.remove(arguments[1])


MAP: dict[str, Function] = {
    "new": _new_map,
    "create": _new_map,
    "iterator": _map_pairs,
    "pairs": _map_pairs,
    "keys": _map_keys,
    "values": _map_values,
    "remove": _map_remove,
    "size": lambda *arguments: len(object_at(LuaMap, arguments, 1)),
    "nbytes": lambda *arguments: _nbytes(object_at(LuaMap, arguments, 1)),
    "tostring": _shown(LuaMap),
}


# The rest -------------------------------------------------------------------------------------------------------


ITERATOR: dict[str, Function] = {
    "next": lambda *arguments: object_at(Iterator_, arguments, 1).step(),
    "has_next": lambda *arguments: object_at(Iterator_, arguments, 1).has_next(),
}


def make_geojson(*arguments: Any) -> LuaGeoJSON | None:
    """``geojson(text)``."""
    if len(arguments) != 2:
        return None
    text = string_at(arguments, 2)
    return None if text is None else LuaGeoJSON(text.partition(b"\0")[0])
