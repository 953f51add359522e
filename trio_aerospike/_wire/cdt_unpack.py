"""Unpack lists and maps: with an exact decoder where the module is compiled, otherwise mostly with msgpack."""

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]

from ..errors import ProtocolError
from . import constants as wire, reading
from .error_text import not_utf8
from .value_types import INFINITY, WILDCARD, GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob


def unpack_value(data: bytes) -> Any:
    """Unpack exactly one list, map or element.

    Raises:
        ProtocolError: it is malformed, or nested deeper than 129 levels.
    """
    # The C unpacker sizes a list by its header before it has seen an element: harmless in small data, in large
    # data safe as long as only a few headers can claim more than 65,535 elements.
    if not reading.COMPILED and (len(data) < 0x8000 or data.count(b"\xdd") + data.count(b"\xdf") < 8):
        try:
            return _unpack_fast(data)
        except _NOT_FAST:
            # Malformed, or rare: the exact decoder finds out.
            pass
    return unpack_exactly(data)


def unpack_exactly(data: bytes) -> Any:
    """As :func:`unpack_value`, without the msgpack package.

    Raises:
        ProtocolError: it is malformed, or nested deeper than 129 levels.
    """
    unpacker = _Unpacker(data)
    try:
        value = unpacker.value(0)
    except reading.CUT_OFF:
        raise ProtocolError(f"a list or map of {len(data)} bytes is cut off") from None
    except UnicodeDecodeError as error:
        raise ProtocolError(f"text in a list or map {not_utf8(error)}") from None
    if unpacker.position != len(data):
        raise ProtocolError(f"{len(data) - unpacker.position} bytes follow a list or map")
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
    if depth > wire.CDT_READ_DEPTH_MAX:
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
    if depth > wire.CDT_READ_DEPTH_MAX:
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
    if kind == wire.PARTICLE_STRING:
        return data[1:].decode()
    if kind == wire.PARTICLE_BLOB or kind == 0:
        return data[1:]
    if kind == wire.PARTICLE_GEOJSON:
        return GeoJSON(data[1:].decode())
    if kind == wire.PARTICLE_HLL:
        return HyperLogLog(data[1:])
    return TypedBlob(kind, data[1:])


#: Keys of maps, which repeat from record to record; compiled.
_texts: list[Any] = [None] * 2048


class _Unpacker:
    """The exact decoder. It grows containers as elements are decoded, not by the count of a header.

    Attributes:
        position: of the next element.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._total = len(data)
        self.position = 0

    def value(self, depth: int) -> Any:
        """Decode an element that is nested in ``depth`` containers (may raise ``reading.CUT_OFF``)."""
        data = self._data
        position = self.position
        if position >= self._total:
            raise IndexError("the end of the data")
        code = data[position]
        position += 1
        self.position = position
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 256
        if code < 0x90:
            return self._map(code & 0x0F, depth + 1)
        if code < 0xA0:
            return self._list(code & 0x0F, depth + 1)
        if code < 0xC0:
            return self._raw(code & 0x1F)
        if code == 0xC0:
            return None
        if code == 0xC2 or code == 0xC3:
            return code == 0xC3
        if code >= 0xCA and code <= 0xD3:
            return self._number(code)
        if code == 0xDE:
            return self._map(self._count(2), depth + 1)
        if code == 0xDF:
            return self._map(self._count(4), depth + 1)
        if code == 0xDC:
            return self._list(self._count(2), depth + 1)
        if code == 0xDD:
            return self._list(self._count(4), depth + 1)
        if code == 0xD9 or code == 0xC4:
            return self._raw(self._count(1))
        if code == 0xDA or code == 0xC5:
            return self._raw(self._count(2))
        if code == 0xDB or code == 0xC6:
            return self._raw(self._count(4))
        self.position = position - 1
        extension = self._extension()
        if extension is None:
            raise ProtocolError(f"byte {code:#04x} starts no value in a list or map")
        kind, content = extension
        if kind == 0xFF and content == b"\x00":
            return WILDCARD
        if kind == 0xFF and content == b"\x01":
            return INFINITY
        raise ProtocolError(f"an extension of type {kind} was found in place of a value in a list or map")

    def _count(self, width: int) -> int:
        """Read a size or a number of elements of 1, 2 or 4 bytes."""
        position = self.position
        if position + width > self._total:
            raise IndexError("the end of the data")
        self.position = position + width
        if width == 1:
            return self._data[position]
        if width == 2:
            (count,) = reading.unpack_u16(self._data, position)
        else:
            (count,) = reading.unpack_u32(self._data, position)
        return count  # type: ignore[no-any-return]

    def _number(self, code: int) -> Any:
        data = self._data
        position = self.position
        number: Any
        if code == 0xCA:
            (number,) = reading.unpack_f32(data, position)
        elif code == 0xCB:
            (number,) = reading.unpack_f64(data, position)
        elif code == 0xCC:
            return self._count(1)
        elif code == 0xCD:
            return self._count(2)
        elif code == 0xCE:
            return self._count(4)
        elif code == 0xCF:
            (number,) = reading.unpack_u64(data, position)
        elif code == 0xD0:
            (number,) = reading.unpack_i8(data, position)
        elif code == 0xD1:
            (number,) = reading.unpack_i16(data, position)
        elif code == 0xD2:
            (number,) = reading.unpack_i32(data, position)
        else:
            (number,) = reading.unpack_i64(data, position)
        self.position = position + _NUMBER_SIZES[code - 0xCA]
        return number

    def _raw(self, size: int) -> Any:
        position = self.position
        end = position + size
        if end > self._total:
            raise ProtocolError(f"text or blob of {size} bytes in a list or map is cut off")
        self.position = end
        if size and self._data[position] == wire.PARTICLE_STRING:
            return self._data[position + 1 : end].decode()
        return _from_raw(self._data[position:end])

    def _key(self, depth: int) -> Any:
        """Decode the key of a pair."""
        if reading.COMPILED:
            position = self.position
            if position + 1 < self._total:
                code = self._data[position]
                end = position + 1 + (code & 0x1F)
                is_text = code > 0xA0 and code < 0xC0 and self._data[position + 1] == wire.PARTICLE_STRING
                if is_text and end <= self._total:
                    self.position = end
                    return reading.repeated_text_of(_texts, self._data, position + 2, end - position - 2)
        return _hashable(self.value(depth))

    def _extension(self) -> tuple[int, bytes] | None:
        """Read type and content of an extension; None if something else comes next."""
        data = self._data
        position = self.position
        if position >= self._total:
            raise IndexError("the end of the data")
        code = data[position]
        if code >= 0xD4 and code <= 0xD8:
            self.position = position + 1
            size = 1 << (code - 0xD4)
        elif code >= 0xC7 and code <= 0xC9:
            self.position = position + 1
            size = self._count(1 << (code - 0xC7))
        else:
            return None
        start = self.position + 1
        end = start + size
        if end > self._total:
            raise ProtocolError("a list or map is cut off within an extension")
        self.position = end
        return data[start - 1], data[start:end]

    def _order(self) -> int:
        """Read the ordering flags at the front of a container; -1 where it has none."""
        position = self.position
        extension = self._extension()
        if extension is None:
            return -1
        if extension[0] == 0xFF:
            self.position = position
            return -1
        return extension[0]

    def _check_container(self, count: int, depth: int) -> None:
        if depth > wire.CDT_READ_DEPTH_MAX:
            raise ProtocolError(f"a list or map is nested deeper than {wire.CDT_READ_DEPTH_MAX} levels")
        if count > self._total - self.position:
            raise ProtocolError(f"a list or map of {count} elements is cut off")

    def _list(self, count: int, depth: int) -> Any:
        self._check_container(count, depth)
        items: list[Any] = []
        ordered: OrderedList[Any] | None = None
        if count:
            order = self._order()
            if order >= 0:
                count -= 1
                if order:
                    ordered = OrderedList((), order)
        for _ in range(count):
            items.append(self.value(depth))
        if ordered is None:
            return items
        ordered += items
        return ordered

    def _map(self, count: int, depth: int) -> Any:
        self._check_container(2 * count, depth)
        pairs: dict[Any, Any] = {}
        if count:
            order = self._order()
            if order >= 0:
                self.value(depth)
                count -= 1
                if order:
                    pairs = OrderedMap((), order)
        for _ in range(count):
            key = self._key(depth)
            pairs[key] = self.value(depth)
        return pairs


_NUMBER_SIZES = bytes((4, 8, 1, 2, 4, 8, 1, 2, 4, 8))


def _hashable(key: Any) -> Any:
    """Convert lists and maps to tuples: old servers accepted them as map keys."""
    if isinstance(key, list):
        return tuple(_hashable(item) for item in key)
    if isinstance(key, dict):
        return tuple((inner, _hashable(item)) for inner, item in key.items())
    return key
