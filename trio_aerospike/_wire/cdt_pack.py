"""Pack lists and maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InvalidArgError
from . import constants as wire, writing
from .value_faults import LEGACY_BLOBS, ORDERS, explained
from .value_types import INFINITY, GeoJSON, HyperLogLog, OrderedList, OrderedMap, Special, TypedBlob


class _Refused(Exception):
    """A value cannot be packed; :func:`.value_faults.explained` finds its place."""


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
        raise InvalidArgError(explained(value, comparison)) from None
    return bytes(out)


def pack_raw(kind: int, data: bytes, out: bytearray) -> None:
    """Append a particle as an element.

    Raises:
        InvalidArgError: it is longer than 4 GiB.
    """
    if not writing.put_raw(out, kind, data):
        raise InvalidArgError(f"value: {len(data)} bytes are too long: an element of a list or map has at most 4 GiB")


def _pack(value: Any, out: bytearray, depth: int, mode: int) -> None:
    """Append a value that is in ``depth`` containers; the types that most values have come first."""
    kind = type(value)
    fits = True
    if kind is int:
        fits = writing.put_int(out, value)
    elif kind is str:
        fits = writing.put_text(out, value)
    elif kind is float:
        writing.put_float(out, value)
    elif kind is list or kind is tuple:
        writing.put_list_header(out, len(value))
        _pack_items(value, out, depth + 1, mode)
    elif kind is dict:
        writing.put_map_header(out, len(value))
        _pack_pairs(value, out, depth + 1, mode, mode & _SORT)
    elif value is None:
        writing.put_byte(out, 0xC0)
    elif kind is bool:
        writing.put_byte(out, 0xC3 if value else 0xC2)
    elif kind is bytes:
        fits = writing.put_raw(out, wire.PARTICLE_BLOB, value)
    else:
        _pack_other(value, out, depth, mode)
    if not fits:
        raise _Refused


def _pack_items(items: Any, out: bytearray, depth: int, mode: int) -> None:
    if depth > wire.CDT_DEPTH_MAX:
        raise _Refused
    for item in items:
        _pack(item, out, depth, mode)


def _pack_pairs(value: Any, out: bytearray, depth: int, mode: int, sort_this: int) -> None:
    if depth > wire.CDT_DEPTH_MAX:
        raise _Refused
    for key in _sorted_keys(value) if sort_this and len(value) > 1 else list(value):
        item = value[key]
        kind = type(key)
        if kind is str:
            if not writing.put_text(out, key):
                raise _Refused
        elif kind is int or kind is bytes or _is_key(key):
            _pack(key, out, depth, mode)
        else:
            raise _Refused
        _pack(item, out, depth, mode)


def _is_key(key: Any) -> bool:
    return isinstance(key, (int, str, bytes)) and not isinstance(key, (bool, HyperLogLog))


def _pack_other(value: Any, out: bytearray, depth: int, mode: int) -> None:
    """Append a value of a rare type; subclasses (a named tuple, numpy's float64) are packed as their base."""
    pack = _PACKERS.get(type(value))
    if pack is not None:
        pack(value, out, depth, mode)
        return
    for base, convert in _BASES:
        if isinstance(value, base):
            _pack(convert(value), out, depth, mode)
            return
    raise _Refused


def _pack_bytes(value: Any, out: bytearray, depth: int, mode: int) -> None:
    _pack(bytes(value), out, depth, mode)


def _pack_geojson(value: GeoJSON, out: bytearray, depth: int, mode: int) -> None:
    pack_raw(wire.PARTICLE_GEOJSON, value.text.encode(), out)


def _pack_hll(value: HyperLogLog, out: bytearray, depth: int, mode: int) -> None:
    pack_raw(wire.PARTICLE_HLL, value.data, out)


def _pack_blob(value: TypedBlob, out: bytearray, depth: int, mode: int) -> None:
    if value.type not in LEGACY_BLOBS:
        raise _Refused
    pack_raw(value.type, value.data, out)


def _pack_special(value: Special, out: bytearray, depth: int, mode: int) -> None:
    if not mode & _COMPARE:
        raise _Refused
    out += b"\xd4\xff\x01" if value is INFINITY else b"\xd4\xff\x00"


def _pack_ordered_list(value: OrderedList[Any], out: bytearray, depth: int, mode: int) -> None:
    order = value.order
    if order not in ORDERS:
        raise _Refused
    if not order:
        _pack(list(value), out, depth, mode)
        return
    writing.put_list_header(out, len(value) + 1)
    out += b"\xc7\x00%c" % order
    _pack_items(_sorted_elements(value, depth) if mode & _SORT else value, out, depth + 1, mode)


def _pack_ordered_map(value: OrderedMap[Any, Any], out: bytearray, depth: int, mode: int) -> None:
    order = value.order
    if order not in ORDERS:
        raise _Refused
    if not order:
        _pack(dict(value), out, depth, mode)
        return
    writing.put_map_header(out, len(value) + 1)
    out += b"\xc7\x00%c\xc0" % order
    _pack_pairs(value, out, depth + 1, mode, mode & _SORT and not order & wire.MAP_PRESERVE_ORDER)


_PACKERS: dict[type, Callable[[Any, bytearray, int, int], None]] = {
    bytearray: _pack_bytes,
    memoryview: _pack_bytes,
    OrderedList: _pack_ordered_list,
    OrderedMap: _pack_ordered_map,
    GeoJSON: _pack_geojson,
    HyperLogLog: _pack_hll,
    TypedBlob: _pack_blob,
    Special: _pack_special,
}
_BASES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (OrderedMap, lambda value: OrderedMap(value, value.order)),
    (OrderedList, lambda value: OrderedList(value, value.order)),
    (int, lambda value: int.__int__(value)),
    (str, str.__str__),
    (float, float.__float__),
    ((bytes, bytearray), bytes),
    ((list, tuple), list),
    (dict, dict),
)

# --- the order of elements -------------------------------------------------------------------------------------------

# The order of keys of different types in the server: integers, strings, blobs.
_KEY_RANK: dict[type, int] = {int: 0, str: 1, bytes: 2}


def _sorted_keys(value: Any) -> list[Any]:
    keys = list(value)
    try:
        # Code points sort as UTF-8 does, so plain comparison is right within a type.
        keys.sort()
    except TypeError:
        try:
            keys.sort(key=_ranked)
        except TypeError:
            raise _Refused from None
    return keys


def _ranked(key: Any) -> tuple[int, Any]:
    rank = _KEY_RANK.get(type(key))
    if rank is None:
        rank = 0 if isinstance(key, int) else 1 if isinstance(key, str) else 2
    return rank, key


def _sorted_elements(value: list[Any], depth: int) -> list[Any]:
    # The server refuses a list that claims to be ordered and is not (result code 1).
    try:
        return sorted(value, key=lambda item: _order_key(item, depth))
    except TypeError:
        raise _Refused from None


def _order_key(value: Any, depth: int) -> tuple[Any, ...]:
    """A key that sorts values as the server does (``as_val_t`` orders types, ``as_val_cmp`` within a type)."""
    if depth > wire.CDT_DEPTH_MAX:
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
        return (9, wire.PARTICLE_HLL, value.data)
    if isinstance(value, TypedBlob):
        return (9, value.type, value.data)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return (9, wire.PARTICLE_BLOB, bytes(value))
    raise _Refused
