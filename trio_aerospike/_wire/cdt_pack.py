"""Pack lists and maps, and explain why a value cannot be packed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ..errors import InvalidArgError
from .constants import (
    CDT_DEPTH_MAX,
    MAP_PRESERVE_ORDER,
    PARTICLE_BLOB,
    PARTICLE_GEOJSON,
    PARTICLE_HLL,
    PARTICLE_STRING,
)
from .error_text import conversion_hint, kind_of, shown
from .values import (
    INFINITY,
    GeoJSON,
    HyperLogLog,
    OrderedList,
    OrderedMap,
    Special,
    TypedBlob,
)

INT_MIN = -(1 << 63)
INT_MAX = (1 << 63) - 1
LEGACY_BLOBS = range(7, 13)
_ORDERS = range(256)

_u16 = struct.Struct(">BH").pack
_u32 = struct.Struct(">BI").pack
_u64 = struct.Struct(">BQ").pack
_i8 = struct.Struct(">Bb").pack
_i16 = struct.Struct(">Bh").pack
_i32 = struct.Struct(">Bi").pack
_i64 = struct.Struct(">Bq").pack
_f64 = struct.Struct(">Bd").pack


class _Refused(Exception):
    """A value cannot be packed; :func:`_explain` finds its place."""


# Modes of the packers: sort maps; allow INFINITY and WILDCARD.
_SORT = 1
_COMPARE = 2


def pack_value(value: Any, *, keep_order: bool = False, comparison: bool = False) -> bytes:
    """Pack a value as an element of a list or map.

    Maps are sorted by key as the C client sends them, so that equal maps have equal bytes (the server compares bytes),
    and ordered lists are sorted, as the server requires; a map whose order is "preserve" keeps its order.

    Args:
        keep_order: keep the order of all maps and lists (the embedded server answers what is stored).
        comparison: the value is compared with, not stored: INFINITY and WILDCARD may be in it.

    Raises:
        InvalidArgError: the database cannot hold the value, or something in it; the message has its place.
    """
    out = bytearray()
    try:
        _pack(value, out, 0, (0 if keep_order else _SORT) | (_COMPARE if comparison else 0))
    except (_Refused, UnicodeEncodeError):
        raise InvalidArgError(_explain(value, comparison)) from None
    return bytes(out)


def _pack(value: Any, out: bytearray, depth: int, mode: int) -> None:
    pack = _PACKERS.get(type(value))
    if pack is None:
        pack = _packer_for(value)
    pack(value, out, depth, mode)


def _pack_int(value: int, out: bytearray, depth: int, mode: int) -> None:
    if 0 <= value < 128:
        out.append(value)
    elif value >= 0:
        if value < 0x100:
            out += b"\xcc%c" % value
        elif value < 0x10000:
            out += _u16(0xCD, value)
        elif value < 0x100000000:
            out += _u32(0xCE, value)
        elif value <= INT_MAX:
            out += _u64(0xCF, value)
        else:
            raise _Refused
    elif value >= -32:
        out.append(value + 256)
    elif value >= -0x80:
        out += _i8(0xD0, value)
    elif value >= -0x8000:
        out += _i16(0xD1, value)
    elif value >= -0x80000000:
        out += _i32(0xD2, value)
    elif value >= INT_MIN:
        out += _i64(0xD3, value)
    else:
        raise _Refused


def pack_raw(kind: int, data: bytes, out: bytearray) -> None:
    size = len(data) + 1
    if size < 32:
        out.append(0xA0 | size)
    elif size < 0x100:
        out += b"\xd9%c" % size
    elif size < 0x10000:
        out += _u16(0xDA, size)
    elif size < 0x100000000:
        out += _u32(0xDB, size)
    else:
        raise _Refused
    out.append(kind)
    out += data


# The bytes before a short text: its header, and its particle type.
_SHORT_TEXT = tuple(bytes((0xA1 + size, PARTICLE_STRING)) for size in range(31))


def _pack_str(value: str, out: bytearray, depth: int, mode: int) -> None:
    data = value.encode()
    if len(data) < 31:
        out += _SHORT_TEXT[len(data)] + data
    else:
        pack_raw(PARTICLE_STRING, data, out)


def _pack_bytes(value: Any, out: bytearray, depth: int, mode: int) -> None:
    pack_raw(PARTICLE_BLOB, bytes(value), out)


def _pack_float(value: float, out: bytearray, depth: int, mode: int) -> None:
    out += _f64(0xCB, value)


def _pack_bool(value: bool, out: bytearray, depth: int, mode: int) -> None:
    out.append(0xC3 if value else 0xC2)


def _pack_none(value: None, out: bytearray, depth: int, mode: int) -> None:
    out.append(0xC0)


def _pack_geojson(value: GeoJSON, out: bytearray, depth: int, mode: int) -> None:
    pack_raw(PARTICLE_GEOJSON, value.text.encode(), out)


def _pack_hll(value: HyperLogLog, out: bytearray, depth: int, mode: int) -> None:
    pack_raw(PARTICLE_HLL, value.data, out)


def _pack_blob(value: TypedBlob, out: bytearray, depth: int, mode: int) -> None:
    if value.type not in LEGACY_BLOBS:
        raise _Refused
    pack_raw(value.type, value.data, out)


def _pack_special(value: Special, out: bytearray, depth: int, mode: int) -> None:
    if not mode & _COMPARE:
        raise _Refused
    out += b"\xd4\xff\x01" if value is INFINITY else b"\xd4\xff\x00"


def _list_header(count: int, out: bytearray) -> None:
    if count < 16:
        out.append(0x90 | count)
    elif count < 0x10000:
        out += _u16(0xDC, count)
    else:
        out += _u32(0xDD, count)


def _map_header(count: int, out: bytearray) -> None:
    if count < 16:
        out.append(0x80 | count)
    elif count < 0x10000:
        out += _u16(0xDE, count)
    else:
        out += _u32(0xDF, count)


def _pack_items(value: Any, out: bytearray, depth: int, mode: int) -> None:
    depth += 1
    if depth > CDT_DEPTH_MAX:
        raise _Refused
    packers = _PACKERS
    for item in value:
        pack = packers.get(type(item))
        if pack is None:
            pack = _packer_for(item)
        pack(item, out, depth, mode)


def _pack_list(value: Any, out: bytearray, depth: int, mode: int) -> None:
    _list_header(len(value), out)
    _pack_items(value, out, depth, mode)


def _pack_ordered_list(value: OrderedList[Any], out: bytearray, depth: int, mode: int) -> None:
    order = value.order
    if not order:
        _pack_list(value, out, depth, mode)
        return
    if order not in _ORDERS:
        raise _Refused
    _list_header(len(value) + 1, out)
    out += b"\xc7\x00%c" % order
    _pack_items(_sorted_elements(value, depth) if mode & _SORT else value, out, depth, mode)


def _sorted_elements(value: list[Any], depth: int) -> list[Any]:
    # The server refuses a list that claims to be ordered and is not (result code 1).
    try:
        return sorted(value, key=lambda item: _order_key(item, depth))
    except TypeError:
        raise _Refused from None


def _order_key(value: Any, depth: int) -> tuple[Any, ...]:
    """A key that sorts values as the server does (``as_val_t`` orders types, ``as_val_cmp`` within a type)."""
    if depth > CDT_DEPTH_MAX:
        raise _Refused
    if value is None:
        return (1,)
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int):
        return (3, value)
    if isinstance(value, str):
        return (4, value)
    if isinstance(value, (list, tuple)):
        return (5, [_order_key(item, depth + 1) for item in value])
    if isinstance(value, dict):
        pairs = sorted((_order_key(key, depth + 1), _order_key(item, depth + 1)) for key, item in value.items())
        return (6, len(pairs), pairs)
    if isinstance(value, float):
        return (10, value)
    if isinstance(value, GeoJSON):
        return (11, value.text)
    if isinstance(value, HyperLogLog):
        return (9, PARTICLE_HLL, value.data)
    if isinstance(value, TypedBlob):
        return (9, value.type, value.data)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return (9, PARTICLE_BLOB, bytes(value))
    raise _Refused


# The order of keys of different types in the server: integers, strings, blobs.
_KEY_RANK: dict[type, int] = {int: 0, str: 1, bytes: 2}


def _sorted_items(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    items = list(value.items())
    try:
        # Code points sort as UTF-8 does, so plain comparison is right within a type.
        items.sort(key=_key_of)
    except TypeError:
        items.sort(key=_ranked_key_of)
    return items


def _key_of(item: tuple[Any, Any]) -> Any:
    return item[0]


def _ranked_key_of(item: tuple[Any, Any]) -> tuple[int, Any]:
    key = item[0]
    rank = _KEY_RANK.get(type(key))
    if rank is None:
        rank = 0 if isinstance(key, int) else 1 if isinstance(key, str) else 2
    return rank, key


def _pack_pairs(value: dict[Any, Any], out: bytearray, depth: int, mode: int, sort_this: bool) -> None:
    depth += 1
    if depth > CDT_DEPTH_MAX:
        raise _Refused
    if sort_this and len(value) > 1:
        try:
            items: Any = _sorted_items(value)
        except TypeError:
            raise _Refused from None
    else:
        items = value.items()
    packers = _PACKERS
    texts = _packed_texts
    for key, item in items:
        kind = type(key)
        if kind is str:
            out += texts.get(key) or _packed_text(key)
        elif kind is int:
            _pack_int(key, out, depth, mode)
        else:
            _key_packer_for(key)(key, out, depth, mode)
        pack = packers.get(type(item))
        if pack is None:
            pack = _packer_for(item)
        pack(item, out, depth, mode)


# A cache of packed map keys, which repeat from record to record. It is bounded: cleared when full, and without long
# keys.
_packed_texts: dict[str, bytes] = {}
_TEXTS_MAX = 4096
_TEXT_SIZE_MAX = 64


def _packed_text(key: str) -> bytes:
    out = bytearray()
    _pack_str(key, out, 0, 0)
    packed = bytes(out)
    if len(packed) <= _TEXT_SIZE_MAX:
        if len(_packed_texts) >= _TEXTS_MAX:
            _packed_texts.clear()
        _packed_texts[key] = packed
    return packed


def _pack_dict(value: dict[Any, Any], out: bytearray, depth: int, mode: int) -> None:
    _map_header(len(value), out)
    _pack_pairs(value, out, depth, mode, bool(mode & _SORT))


def _pack_ordered_map(value: OrderedMap[Any, Any], out: bytearray, depth: int, mode: int) -> None:
    order = value.order
    if not order:
        _pack_dict(value, out, depth, mode)
        return
    if order not in _ORDERS:
        raise _Refused
    _map_header(len(value) + 1, out)
    out += b"\xc7\x00%c\xc0" % order
    _pack_pairs(value, out, depth, mode, bool(mode & _SORT) and not order & MAP_PRESERVE_ORDER)


_Packer = Callable[[Any, bytearray, int, int], None]

_PACKERS: dict[type, _Packer] = {
    int: _pack_int,
    str: _pack_str,
    bytes: _pack_bytes,
    bytearray: _pack_bytes,
    memoryview: _pack_bytes,
    float: _pack_float,
    bool: _pack_bool,
    type(None): _pack_none,
    list: _pack_list,
    tuple: _pack_list,
    dict: _pack_dict,
    OrderedList: _pack_ordered_list,
    OrderedMap: _pack_ordered_map,
    GeoJSON: _pack_geojson,
    HyperLogLog: _pack_hll,
    TypedBlob: _pack_blob,
    Special: _pack_special,
}

# Subclasses (an IntEnum, a named tuple, a defaultdict, numpy's float64) are packed as their base.
_BASES: tuple[tuple[type, _Packer], ...] = (
    (OrderedMap, _pack_ordered_map),
    (OrderedList, _pack_ordered_list),
    (int, _pack_int),
    (str, lambda value, out, depth, mode: _pack_str(str.__str__(value), out, depth, mode)),
    (float, _pack_float),
    (bytes, _pack_bytes),
    (bytearray, _pack_bytes),
    (list, _pack_list),
    (tuple, _pack_list),
    (dict, _pack_dict),
)


def _packer_for(value: Any) -> _Packer:
    for base, pack in _BASES:
        if isinstance(value, base):
            return pack
    raise _Refused


def _key_packer_for(key: Any) -> _Packer:
    if isinstance(key, (int, str, bytes)) and not isinstance(key, (bool, HyperLogLog)):
        return _packer_for(key)
    raise _Refused


# --- why a value cannot be packed ------------------------------------------------------------------------------------

# Programs for aerospike-py match on its last words.
_ALLOWED = (
    "None, bool, 64-bit int, float, str, bytes, list, dict, GeoJSON, HyperLogLog. Unsupported type for Aerospike value"
)


def scalar_fault(value: Any) -> str | None:
    """Why a value other than a container cannot be stored; None when it can."""
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            return f"{shown(value)} does not fit: integers are 64 bits, signed"
    elif isinstance(value, (str, GeoJSON)):
        try:
            (value.text if isinstance(value, GeoJSON) else value).encode()
        except UnicodeEncodeError:
            return f"{shown(value)} is not valid text: it holds a lone surrogate"
    elif isinstance(value, TypedBlob):
        if value.type not in LEGACY_BLOBS:
            return f"a TypedBlob of type {value.type} cannot be written: allowed are 7 to 12"
    elif isinstance(value, Special):
        return f"{value!r} exists only in comparisons"
    elif isinstance(value, (OrderedMap, OrderedList)):
        if value.order not in _ORDERS:
            return f"order {shown(value.order)} is unknown to the server: allowed are numbers from 0 to 255"
    elif not isinstance(value, (type(None), float, bytes, bytearray, memoryview, list, tuple, dict, HyperLogLog)):
        return f"{shown(value)} is {kind_of(value)}: allowed are {_ALLOWED}{conversion_hint(value)}"
    return None


def _find_fault(value: Any, path: str, depth: int, comparison: bool) -> tuple[str, str] | None:
    if comparison and isinstance(value, Special):
        return None
    fault = scalar_fault(value)
    if fault:
        return path, fault
    if not isinstance(value, (list, tuple, dict)):
        return None
    if depth > CDT_DEPTH_MAX:
        return "", f"it is nested deeper than the {CDT_DEPTH_MAX} levels allowed"
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, (bool, HyperLogLog)) or not isinstance(key, (int, str, bytes)):
                hint = conversion_hint(key)
                return path, f"map key {shown(key)} is {kind_of(key)}: allowed are int, str and bytes{hint}"
            fault = scalar_fault(key)
            if fault:
                return path, f"map key {fault}"
            found = _find_fault(item, f"{path}[{shown(key)}]", depth + 1, comparison)
            if found:
                return found
        return None
    for index, item in enumerate(value):
        found = _find_fault(item, f"{path}[{index}]", depth + 1, comparison)
        if found:
            return found
    return None


def _explain(value: Any, comparison: bool) -> str:
    unknown = ("", f"{shown(value)} cannot be stored: allowed are {_ALLOWED}")
    path, fault = _find_fault(value, "", 1, comparison) or unknown
    return f"value at {path}: {fault}" if path else f"value: {fault}"
