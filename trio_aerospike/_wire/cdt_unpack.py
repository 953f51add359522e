"""Unpack lists and maps: a fast path over the msgpack package, and an exact decoder for the rest."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]

from ..errors import ProtocolError
from .constants import (
    CDT_READ_DEPTH_MAX,
    PARTICLE_BLOB,
    PARTICLE_GEOJSON,
    PARTICLE_HLL,
    PARTICLE_STRING,
)
from .error_text import not_utf8
from .values import INFINITY, WILDCARD, GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob


def unpack_value(data: bytes) -> Any:
    """Unpack exactly one list, map or element.

    Raises:
        ProtocolError: it is malformed, or nested deeper than 129 levels.
    """
    # The C unpacker sizes a list by its header before it has seen an element: harmless in small data, in large
    # data safe as long as only a few headers can claim more than 65,535 elements.
    if len(data) < 0x8000 or data.count(b"\xdd") + data.count(b"\xdf") < 8:
        try:
            return _unpack_fast(data)
        except _NOT_FAST:
            # Malformed, or rare: the exact decoder finds out.
            pass
    return unpack_exactly(data)


def unpack_exactly(data: bytes) -> Any:
    """As :func:`unpack_value`, without the fast path.

    Raises:
        ProtocolError: it is malformed, or nested deeper than 129 levels.
    """
    try:
        value, end = _unpack(data, 0, 0)
    except (struct.error, IndexError):
        raise ProtocolError(f"a list or map of {len(data)} bytes is cut off") from None
    except UnicodeDecodeError as error:
        raise ProtocolError(f"text in a list or map {not_utf8(error)}") from None
    if end != len(data):
        raise ProtocolError(f"{len(data) - end} bytes follow a list or map")
    return value


_unpackb = msgpack.unpackb
_Extension = msgpack.ExtType
_PLAIN = frozenset((int, float, bool, type(None)))

# A cache of map keys, which repeat from record to record, by the unpacker's result. It is bounded: cleared when full,
# and without long keys.
_keys: dict[str, Any] = {}
_KEYS_MAX = 4096
_KEY_SIZE_MAX = 64


class _Unusual(Exception):
    """Data that the fast path leaves to the exact decoder."""


_NOT_FAST = (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException, _Unusual)


def _unpack_fast(data: bytes) -> Any:
    # The particle type of a string is ASCII, so text can be decoded along with it, in C. That fails for a blob that is
    # not UTF-8; then strings stay bytes, and are decoded one by one.
    try:
        value = _unpackb(data, raw=False, strict_map_key=False, object_pairs_hook=tuple)
    except UnicodeDecodeError:
        value = _unpackb(data, raw=True, strict_map_key=False, object_pairs_hook=tuple)
    kind = type(value)
    if kind is list:
        return _finish_list(value, 1)
    if kind is tuple:
        return _finish_map(value, 1)
    return _finish_list([value], 0)[0]


def _finish_list(items: list[Any], depth: int) -> Any:
    if depth > CDT_READ_DEPTH_MAX:
        raise _Unusual
    if depth and items and type(items[0]) is _Extension:
        order = items[0].code
        if order < 0:
            raise _Unusual
        del items[0]
        items = OrderedList(items, order) if order else items
    for index, item in enumerate(items):
        kind = type(item)
        if kind is str:
            items[index] = item[1:] if item[:1] == "\x03" else _from_raw(item.encode())
        elif kind is int:
            pass
        elif kind is tuple:
            items[index] = _finish_map(item, depth + 1)
        elif kind is list:
            items[index] = _finish_list(item, depth + 1)
        elif kind is bytes:
            items[index] = _from_raw(item)
        elif kind not in _PLAIN:
            raise _Unusual
    return items


def _finish_map(pairs: tuple[tuple[Any, Any], ...], depth: int) -> Any:
    # As pairs, because a repeated key in a dict would hide its first value.
    if depth > CDT_READ_DEPTH_MAX:
        raise _Unusual
    order = -1  # none seen
    result: dict[Any, Any] = {}
    known = _keys.get
    for key, item in pairs:
        name = known(key)
        if name is None:
            kind = type(key)
            if kind is str:
                name = _new_key(key)
            elif kind is int:
                name = key
            elif kind is bytes:
                name = _from_raw(key)
            else:
                if kind is not _Extension or key.code < 0 or result or order >= 0 or item is not None:
                    raise _Unusual
                order = key.code
                if order:
                    result = OrderedMap((), order)
                continue
        kind = type(item)
        if kind is str:
            item = item[1:] if item[:1] == "\x03" else _from_raw(item.encode())
        elif kind is int:
            pass
        elif kind is tuple:
            item = _finish_map(item, depth + 1)
        elif kind is list:
            item = _finish_list(item, depth + 1)
        elif kind is bytes:
            item = _from_raw(item)
        elif kind not in _PLAIN:
            raise _Unusual
        result[name] = item
    return result


def _new_key(key: str) -> Any:
    name = key[1:] if key[:1] == "\x03" else _from_raw(key.encode())
    if len(key) <= _KEY_SIZE_MAX:
        if len(_keys) >= _KEYS_MAX:
            _keys.clear()
        _keys[key] = name
    return name


def _from_raw(data: bytes) -> Any:
    """The value of a MessagePack string: a particle type byte, then the particle."""
    kind = data[0] if data else 0
    if kind == PARTICLE_STRING:
        return data[1:].decode()
    if kind == PARTICLE_BLOB or kind == 0:
        return data[1:]
    if kind == PARTICLE_GEOJSON:
        return GeoJSON(data[1:].decode())
    if kind == PARTICLE_HLL:
        return HyperLogLog(data[1:])
    return TypedBlob(kind, data[1:])


_read_u16 = struct.Struct(">H").unpack_from
_read_u32 = struct.Struct(">I").unpack_from

_NUMBERS: dict[int, tuple[Callable[[bytes, int], tuple[Any, ...]], int]] = {
    code: (struct.Struct(">" + form).unpack_from, struct.calcsize(">" + form))
    for code, form in {
        0xCA: "f",
        0xCB: "d",
        0xCC: "B",
        0xCD: "H",
        0xCE: "I",
        0xCF: "Q",
        0xD0: "b",
        0xD1: "h",
        0xD2: "i",
        0xD3: "q",
    }.items()
}
_CONSTANTS: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
_RAW_8, _RAW_16, _RAW_32 = (0xD9, 0xC4), (0xDA, 0xC5), (0xDB, 0xC6)


def _unpack(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    """The exact decoder. It grows containers as elements are decoded, not by the count of a header."""
    code = data[position]
    position += 1
    if code < 0x80:
        return code, position
    if code >= 0xE0:
        return code - 256, position
    if code < 0x90:
        return _unpack_map(data, position, code & 0x0F, depth + 1)
    if code < 0xA0:
        return _unpack_list(data, position, code & 0x0F, depth + 1)
    if code < 0xC0:
        return _unpack_raw(data, position, code & 0x1F)
    if code in _CONSTANTS:
        return _CONSTANTS[code], position
    number = _NUMBERS.get(code)
    if number is not None:
        return number[0](data, position)[0], position + number[1]
    if code in _RAW_8:
        return _unpack_raw(data, position + 1, data[position])
    if code in _RAW_16:
        return _unpack_raw(data, position + 2, _read_u16(data, position)[0])
    if code in _RAW_32:
        return _unpack_raw(data, position + 4, _read_u32(data, position)[0])
    if code == 0xDC:
        return _unpack_list(data, position + 2, _read_u16(data, position)[0], depth + 1)
    if code == 0xDD:
        return _unpack_list(data, position + 4, _read_u32(data, position)[0], depth + 1)
    if code == 0xDE:
        return _unpack_map(data, position + 2, _read_u16(data, position)[0], depth + 1)
    if code == 0xDF:
        return _unpack_map(data, position + 4, _read_u32(data, position)[0], depth + 1)
    extension = _extension(data, position - 1)
    if extension is None:
        raise ProtocolError(f"byte {code:#04x} starts no value in a list or map")
    kind, content, position = extension
    if kind == 0xFF and content == b"\x00":
        return WILDCARD, position
    if kind == 0xFF and content == b"\x01":
        return INFINITY, position
    raise ProtocolError(f"an extension of type {kind} was found in place of a value in a list or map")


def _extension(data: bytes, position: int) -> tuple[int, bytes, int] | None:
    """Type, content and end of the extension at ``position``; None when there is none."""
    code = data[position]
    if 0xD4 <= code <= 0xD8:
        size, start = 1 << (code - 0xD4), position + 1
    elif code == 0xC7:
        size, start = data[position + 1], position + 2
    elif code == 0xC8:
        size, start = _read_u16(data, position + 1)[0], position + 3
    elif code == 0xC9:
        size, start = _read_u32(data, position + 1)[0], position + 5
    else:
        return None
    end = start + 1 + size
    if end > len(data):
        raise ProtocolError("a list or map is cut off within an extension")
    return data[start], data[start + 1 : end], end


def _order_at(data: bytes, position: int) -> tuple[int, int] | None:
    """The ordering flags at the front of a container, and where they end; None when it has none."""
    extension = _extension(data, position)
    if extension is None or extension[0] == 0xFF:
        return None
    return extension[0], extension[2]


def _unpack_raw(data: bytes, position: int, size: int) -> tuple[Any, int]:
    end = position + size
    if end > len(data):
        raise ProtocolError(f"text or blob of {size} bytes in a list or map is cut off")
    return _from_raw(data[position:end]), end


def _check_container(data: bytes, position: int, count: int, depth: int) -> None:
    if depth > CDT_READ_DEPTH_MAX:
        raise ProtocolError(f"a list or map is nested deeper than {CDT_READ_DEPTH_MAX} levels")
    if count > len(data) - position:
        raise ProtocolError(f"a list or map of {count} elements is cut off")


def _unpack_list(data: bytes, position: int, count: int, depth: int) -> tuple[Any, int]:
    _check_container(data, position, count, depth)
    items: list[Any] = []
    if count:
        ordered = _order_at(data, position)
        if ordered is not None:
            order, position = ordered
            count -= 1
            items = OrderedList((), order) if order else items
    for _ in range(count):
        item, position = _unpack(data, position, depth)
        items.append(item)
    return items, position


def _unpack_map(data: bytes, position: int, count: int, depth: int) -> tuple[Any, int]:
    _check_container(data, position, 2 * count, depth)
    pairs: dict[Any, Any] = {}
    if count:
        ordered = _order_at(data, position)
        if ordered is not None:
            order, position = ordered
            _, position = _unpack(data, position, depth)
            count -= 1
            pairs = OrderedMap((), order) if order else pairs
    for _ in range(count):
        key, position = _unpack(data, position, depth)
        item, position = _unpack(data, position, depth)
        pairs[_hashable(key)] = item
    return pairs, position


def _hashable(key: Any) -> Any:
    """Convert lists and maps to tuples: old servers accepted them as map keys."""
    if isinstance(key, list):
        return tuple(_hashable(item) for item in key)
    if isinstance(key, dict):
        return tuple((inner, _hashable(item)) for inner, item in key.items())
    return key
