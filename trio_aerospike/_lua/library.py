"""The functions that Lua programs find in ``list``, ``map``, ``bytes`` and ``geojson`` (server: mod-lua)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .._wire.cdt_pack import pack_value
from ..errors import InvalidArgError
from .values import LuaBytes, LuaGeoJSON, LuaList, LuaMap, Unsupported, from_lua, stepping, usable

T = TypeVar("T")
_U32 = 0xFFFF_FFFF


def _checked(kind: type[T], value: Any, name: str, number: int = 1) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"bad argument #{number} to '{name}' ({kind.__name__[3:]} expected)")
    return value


def _int(value: Any, default: int = 0) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _nbytes(value: Any) -> int:
    try:
        return len(pack_value(from_lua(value)))
    except (Unsupported, InvalidArgError):
        return 0


# list -----------------------------------------------------------------------------------------------------------


def make_list(table: Any = None) -> LuaList:
    """``list(t)``: the values of a table's numbered entries."""
    if table is None or not hasattr(table, "items") or isinstance(table, (LuaList, LuaMap)):
        return LuaList([])
    found = LuaList([])
    for key, value in table.items():
        if isinstance(key, (int, float)):
            found.items.append(usable(value))
    return found


def _new_list(capacity: Any = None, step: Any = 10) -> LuaList | None:
    return LuaList([]) if _int(capacity, -1) >= 0 and _int(step, 10) >= 0 else None


def _list_insert(target: Any, index: Any, value: Any = None) -> None:
    items, place = _checked(LuaList, target, "insert").items, _int(index) - 1
    if place < 0:
        return
    items += [None] * (place - len(items))
    items.insert(place, usable(value))


def _list_remove(target: Any, index: Any = 0) -> None:
    items, place = _checked(LuaList, target, "remove").items, _int(index) - 1
    if 0 <= place < len(items):
        del items[place]


def _list_take(target: Any, count: Any = 0) -> LuaList | None:
    items, number = _checked(LuaList, target, "take").items, _int(count)
    return LuaList(items[:number]) if number > 0 else None


def _list_drop(target: Any, count: Any = 0) -> LuaList | None:
    items, number = _checked(LuaList, target, "drop").items, _int(count)
    return LuaList(items[number:]) if number > 0 else None


def _list_trim(target: Any, index: Any = 0) -> None:
    if _int(index) > 0:
        del _checked(LuaList, target, "trim").items[_int(index) - 1 :]


LIST: dict[str, Callable[..., Any]] = {
    "new": _new_list,
    "create": _new_list,
    "insert": _list_insert,
    "append": lambda target, value=None: _checked(LuaList, target, "append").items.append(usable(value)),
    "prepend": lambda target, value=None: _checked(LuaList, target, "prepend").items.insert(0, usable(value)),
    "remove": _list_remove,
    "concat": lambda target, other: _checked(LuaList, target, "concat").items.extend(
        list(_checked(LuaList, other, "concat", 2).items)
    ),
    "trim": _list_trim,
    "take": _list_take,
    "drop": _list_drop,
    "size": lambda target: len(_checked(LuaList, target, "size")),
    "nbytes": lambda target: _nbytes(_checked(LuaList, target, "nbytes")),
    "iterator": lambda target: stepping(iter(_checked(LuaList, target, "iterator").items)),
    "tostring": lambda target: str(_checked(LuaList, target, "tostring")).encode(),
    "clone": lambda target: LuaList(list(_checked(LuaList, target, "clone").items)),
    "merge": lambda first, second: LuaList(
        _checked(LuaList, first, "merge").items + _checked(LuaList, second, "merge", 2).items
    ),
}

# map ------------------------------------------------------------------------------------------------------------


def make_map(table: Any = None, capacity: Any = None) -> LuaMap:
    """``map(t)``: a table's entries."""
    if table is None or not hasattr(table, "items") or isinstance(table, (LuaList, LuaMap)):
        return LuaMap({})
    return LuaMap({usable(key): usable(value) for key, value in table.items()})


def _new_map(capacity: Any = None) -> LuaMap | None:
    return LuaMap({}) if _int(capacity) >= 1 else None


def _map_pairs(target: Any) -> Callable[..., Any]:
    return stepping(iter(list(_checked(LuaMap, target, "pairs").items.items())))


def _map_remove(target: Any, key: Any = None) -> None:
    try:
        _checked(LuaMap, target, "remove").items.pop(key, None)
    except TypeError:
        if not isinstance(target, LuaMap):
            raise


def _map_merge(first: Any, second: Any, both: Any = None) -> LuaMap:
    one, two = _checked(LuaMap, first, "merge").items, _checked(LuaMap, second, "merge", 2).items
    merged = dict(one)
    for key, value in two.items():
        # A false answer of the function counts as none, as in the server's own Lua code.
        joined = both(one[key], value) if both is not None and key in one else None
        merged[key] = usable(value if joined is None or joined is False else joined)
    return LuaMap(merged)


def _map_diff(first: Any, second: Any) -> LuaMap:
    one, two = _checked(LuaMap, first, "diff").items, _checked(LuaMap, second, "diff", 2).items
    return LuaMap(
        {key: value for key, value in one.items() if not _is_true(two.get(key))}
        | {key: value for key, value in two.items() if not _is_true(one.get(key))}
    )


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


MAP: dict[str, Callable[..., Any]] = {
    "new": _new_map,
    "create": _new_map,
    "iterator": _map_pairs,
    "pairs": _map_pairs,
    "keys": lambda target: stepping(iter(list(_checked(LuaMap, target, "keys").items))),
    "values": lambda target: stepping(iter(list(_checked(LuaMap, target, "values").items.values()))),
    "remove": _map_remove,
    "size": lambda target: len(_checked(LuaMap, target, "size")),
    "nbytes": lambda target: _nbytes(_checked(LuaMap, target, "nbytes")),
    "tostring": lambda target: str(_checked(LuaMap, target, "tostring")).encode(),
    "clone": lambda target: LuaMap(dict(_checked(LuaMap, target, "clone").items)),
    "merge": _map_merge,
    "diff": _map_diff,
}

# bytes ----------------------------------------------------------------------------------------------------------


def make_bytes(capacity: Any = 0) -> LuaBytes:
    """``bytes(n)``: none yet; ``n`` is only where the server makes room for."""
    return LuaBytes()


def _set_size(target: Any, size: Any = 0) -> bool:
    data, wanted = _checked(LuaBytes, target, "set_size").data, _int(size)
    if not 0 <= wanted <= _U32:
        return False
    return wanted <= len(data)  # more room does not change the size (server: as_bytes_ensure without resizing)


def _set_type(target: Any, kind: Any = 0) -> bool:
    number = _int(kind)
    if number:
        _checked(LuaBytes, target, "set_type").type = number
    return bool(number)


def _get_integer(size: int, order: Any, name: str) -> Callable[..., Any]:
    def get(target: Any, index: Any = 0) -> int | None:
        data, start = _checked(LuaBytes, target, name).data, _int(index) - 1
        if start < 0 or start + size > len(data):
            return None
        return int.from_bytes(data[start : start + size], order, signed=size > 1)

    return get


def _set_integer(size: int, order: Any, name: str) -> Callable[..., Any]:
    low, high = (0, 255) if size == 1 else (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1)

    def put(target: Any, index: Any = 0, value: Any = 0) -> bool:
        place, number = _int(index), _int(value)
        if not (1 <= place <= _U32 and low <= number <= high):
            return False
        return _checked(LuaBytes, target, name).put(place, number.to_bytes(size, order, signed=size > 1))

    return put


def _append_integer(size: int, order: Any, name: str) -> Callable[..., Any]:
    put = _set_integer(size, order, name)
    return lambda target, value=0: put(target, len(_checked(LuaBytes, target, name)) + 1, value)


def _var_int(number: int) -> bytes:
    """Seven bits a byte, the lowest first (aerospike-common: as_bytes_set_var_int)."""
    number &= _U32
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _set_var_int(target: Any, index: Any = 0, value: Any = 0) -> int:
    place, number = _int(index), _int(value)
    if not (1 <= place <= _U32 and -(1 << 31) <= number < 1 << 31):
        return 0
    data = _var_int(number)
    _checked(LuaBytes, target, "set_var_int").put(place, data)
    return len(data)


def _get_var_int(target: Any, index: Any = 0) -> tuple[int, int]:
    data, start = _checked(LuaBytes, target, "get_var_int").data, _int(index) - 1
    number = 0
    for count in range(5):
        if start < 0 or start + count >= len(data):
            return 0, 0
        byte = data[start + count]
        number |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return number & _U32, count + 1
    return 0, 0


def _slice(target: Any, index: Any, count: Any, name: str) -> bytes | None:
    data, start, number = _checked(LuaBytes, target, name).data, _int(index) - 1, _int(count)
    if start < 0 or start >= len(data) or number < 0:
        return None
    return bytes(data[start : start + number])


def _get_bytes(target: Any, index: Any = 0, count: Any = 0) -> LuaBytes | None:
    data = _slice(target, index, count, "get_bytes")
    return None if data is None else LuaBytes(data)


def _set_string(target: Any, index: Any = 0, text: Any = None) -> bool:
    if not isinstance(text, bytes) or not text or not 1 <= _int(index) <= _U32:
        return False
    return _checked(LuaBytes, target, "set_string").put(_int(index), text)


def _set_bytes(target: Any, index: Any = 0, source: Any = None, count: Any = 0) -> bool:
    data, number = _checked(LuaBytes, source, "set_bytes", 3).data, _int(count)
    if not 1 <= _int(index) <= _U32 or number < 0:
        return False
    return _checked(LuaBytes, target, "set_bytes").put(_int(index), bytes(data[:number]))


def _append(target: Any, setter: Callable[..., Any], *values: Any) -> Any:
    return setter(target, len(_checked(LuaBytes, target, "append")) + 1, *values)


def _bytes_functions() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {
        "size": lambda target: len(_checked(LuaBytes, target, "size")),
        "set_size": _set_size,
        "get_type": lambda target: _checked(LuaBytes, target, "get_type").type,
        "set_type": _set_type,
        "get_string": lambda target, index=0, count=0: _slice(target, index, count, "get_string"),
        "get_bytes": _get_bytes,
        "get_var_int": _get_var_int,
        "set_string": _set_string,
        "set_bytes": _set_bytes,
        "set_var_int": _set_var_int,
        "append_string": lambda target, text=None: _append(target, _set_string, text),
        "append_bytes": lambda target, source=None, count=0: _append(target, _set_bytes, source, count),
        "append_var_int": lambda target, value=0: _append(target, _set_var_int, value),
        "tostring": lambda target: str(_checked(LuaBytes, target, "tostring")).encode(),
        "get_byte": _get_integer(1, "big", "get_byte"),
        "set_byte": _set_integer(1, "big", "set_byte"),
        "append_byte": _append_integer(1, "big", "append_byte"),
    }
    for bits in (16, 32, 64):
        for suffix, order in (("", "big"), ("_be", "big"), ("_le", "little")):
            for verb, make in (("get", _get_integer), ("set", _set_integer), ("append", _append_integer)):
                name = f"{verb}_int{bits}{suffix}"
                found[name] = make(bits // 8, order, name)
    return found


BYTES = _bytes_functions()


def make_geojson(text: Any = None) -> LuaGeoJSON | None:
    """``geojson(text)``."""
    return LuaGeoJSON(text.decode("utf-8", "replace")) if isinstance(text, bytes) else None


def kind_of(value: Any) -> bytes | None:
    """The name of the class of a value, for ``getmetatable(v) == Map`` and the like."""
    return _KINDS.get(type(value))


_KINDS: dict[type, bytes] = {LuaList: b"List", LuaMap: b"Map", LuaBytes: b"Bytes", LuaGeoJSON: b"GeoJSON"}
