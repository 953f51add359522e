"""Parse and write elements of lists and maps as raw MessagePack: sizes, kinds, headers, integers.

Values are never decoded into Python values, so that what a client stored is returned byte for byte. Facts: the
server's cf/src/msgpack_in.c, and as_msgpack.c of aerospike-common for writing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from ..._wire import constants as wire
from ..values import Particle

# Kinds of elements, in the order in which they sort (server: msgpack_type).
ERROR: Final = 0
NIL: Final = 1
FALSE: Final = 2
TRUE: Final = 3
NEGATIVE: Final = 4
INTEGER: Final = 5
STRING: Final = 6
LIST: Final = 7
MAP: Final = 8
BYTES: Final = 9
DOUBLE: Final = 10
GEOJSON: Final = 11
EXT: Final = 12
WILDCARD: Final = 13
INFINITE: Final = 14

# Flags of a list or map: the type of the extension before its elements (aerospike: as_msgpack_ext.h).
LIST_ORDERED: Final = 0x01
MAP_K_ORDERED: Final = 0x01
MAP_V_ORDERED: Final = 0x02
MAP_KV_ORDERED: Final = 0x03
MAP_PRESERVE_ORDER: Final = 0x08
PERSIST_INDEX: Final = 0x10

NIL_ELEMENT: Final = b"\xc0"
COMPARISON_EXT = 0xFF
_INT64 = 1 << 63
_UINT64 = 1 << 64


class Malformed(Exception):
    """The bytes are invalid MessagePack, or of the wrong kind."""


# Sizes --------------------------------------------------------------------------------------------------------

FIXED_SIZES = [0] * 256
"""The size of an element by its first byte; 0 if that does not determine it."""
for _first in range(256):
    if _first < 0x80 or _first >= 0xE0 or _first in (0xC0, 0xC2, 0xC3):
        FIXED_SIZES[_first] = 1
    elif 0xA0 <= _first < 0xC0:
        FIXED_SIZES[_first] = 1 + (_first & 0x1F)
for _first, _size in {
    0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9, 0xCA: 5, 0xCB: 9,
    0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18,
}.items():  # fmt: skip
    FIXED_SIZES[_first] = _size

_LENGTHS = {0xC4: 1, 0xD9: 1, 0xC5: 2, 0xDA: 2, 0xC6: 4, 0xDB: 4}
"""Bytes of the length of strings and blobs."""
_EXT_LENGTHS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Bytes of the count, and elements per counted entry."""


def header_at(data: bytes, pos: int) -> tuple[int, int]:
    """The end of a variable element's fixed part (its text included), and how many elements follow inside.

    Raises:
        Malformed: the first byte is invalid, or the length is truncated.
    """
    first = data[pos]
    if first & 0xF0 == 0x90:
        return pos + 1, first & 0x0F
    if first & 0xF0 == 0x80:
        return pos + 1, 2 * (first & 0x0F)
    width = _LENGTHS.get(first)
    if width is not None:
        start = pos + 1 + width
        if start > len(data):
            raise Malformed
        return start + int.from_bytes(data[pos + 1 : start], "big"), 0
    container = _CONTAINERS.get(first)
    if container is not None:
        start = pos + 1 + container[0]
        if start > len(data):
            raise Malformed
        # The server counts in 32 bits: a map that claims 2**31 pairs is an empty one.
        return start, container[1] * int.from_bytes(data[pos + 1 : start], "big") & 0xFFFF_FFFF
    width = _EXT_LENGTHS.get(first)
    if width is not None:
        start = pos + 1 + width
        if start >= len(data):
            raise Malformed
        return start + 1 + int.from_bytes(data[pos + 1 : start], "big"), 0
    raise Malformed


def end_of(data: bytes, pos: int = 0, count: int = 1) -> int:
    """The end of `count` elements that start at `pos`, nested ones included, at any depth.

    Raises:
        Malformed: they are invalid MessagePack, or truncated.
    """
    size = len(data)
    fixed = FIXED_SIZES
    while count:
        if pos >= size:
            raise Malformed
        step = fixed[data[pos]]
        if step:
            pos += step
            count -= 1
        else:
            pos, inside = header_at(data, pos)
            count += inside - 1
    if pos > size:
        raise Malformed
    return pos


def split(data: bytes, pos: int, count: int) -> list[bytes]:
    """Split the bytes into `count` elements. Raises `Malformed`: they are invalid MessagePack, or truncated."""
    size = len(data)
    if count > size - pos:
        raise Malformed
    fixed = FIXED_SIZES
    elements: list[bytes] = []
    append = elements.append
    try:
        for _ in range(count):
            step = fixed[data[pos]]
            end = pos + step if step else end_of(data, pos)
            append(data[pos:end])
            pos = end
    except IndexError:
        raise Malformed from None
    if pos > size:
        raise Malformed
    return elements


def has_nonstorage(data: bytes) -> bool:
    """Whether the (valid) elements include infinity or a wildcard, which can be compared with but not stored."""
    if b"\xff" not in data:
        return False
    pos = 0
    size = len(data)
    while pos < size:
        first = data[pos]
        if first in (0xD4, 0xD5) and data[pos + 1] == COMPARISON_EXT:
            return True
        width = _EXT_LENGTHS.get(first)
        if width is not None:
            length = int.from_bytes(data[pos + 1 : pos + 1 + width], "big")
            if data[pos + 1 + width] == COMPARISON_EXT and 0 < length < 4:
                return True
        pos = pos + FIXED_SIZES[first] if FIXED_SIZES[first] else header_at(data, pos)[0]
    return False


# Kinds --------------------------------------------------------------------------------------------------------

_KINDS = [ERROR] * 256
for _first in range(256):
    if _first < 0x80 or 0xCC <= _first <= 0xCF:
        _KINDS[_first] = INTEGER
    elif _first >= 0xE0:
        _KINDS[_first] = NEGATIVE
    elif _first & 0xF0 == 0x90 or _first in (0xDC, 0xDD):
        _KINDS[_first] = LIST
    elif _first & 0xF0 == 0x80 or _first in (0xDE, 0xDF):
        _KINDS[_first] = MAP
    elif _first in (0xD5, 0xD6, 0xD7, 0xD8, 0xC8, 0xC9):
        _KINDS[_first] = EXT
_KINDS[0xC0], _KINDS[0xC2], _KINDS[0xC3], _KINDS[0xCA], _KINDS[0xCB] = NIL, FALSE, TRUE, DOUBLE, DOUBLE
_EXT_STARTS = frozenset((*_FIXED_EXTS, *_EXT_LENGTHS))


def kind_of(data: bytes, pos: int = 0) -> int:
    """The kind of the element that starts at `pos` (server: msgpack_peek_type).

    A fixed extension of one byte that is neither infinity nor the wildcard is of no kind there.
    """
    if pos >= len(data):
        return ERROR
    first = data[pos]
    kind = _KINDS[first]
    if kind:
        return kind
    if 0xD0 <= first <= 0xD3:
        return NEGATIVE if data[pos + 1 : pos + 2] >= b"\x80" else INTEGER
    if first == 0xD4:
        return _comparison(data[pos + 1 : pos + 3], ERROR)
    if first == 0xC7:
        return _comparison(data[pos + 2 : pos + 4], EXT) if data[pos + 1 : pos + 2] == b"\1" else EXT
    if first & 0xE0 == 0xA0:
        return _kind_of_text(data, pos + 1, first & 0x1F)
    width = _LENGTHS.get(first)
    if width is not None:
        start = pos + 1 + width
        return _kind_of_text(data, start, int.from_bytes(data[pos + 1 : start], "big"))
    return ERROR


def _comparison(ext: bytes, otherwise: int) -> int:
    if ext == b"\xff\0":
        return WILDCARD
    if ext == b"\xff\1":
        return INFINITE
    return otherwise


def _kind_of_text(data: bytes, start: int, length: int) -> int:
    """Text and blobs carry their particle type in their first byte."""
    if length and start < len(data):
        if data[start] == wire.PARTICLE_STRING:
            return STRING
        if data[start] == wire.PARTICLE_GEOJSON:
            return GEOJSON
    return BYTES


def is_ext(data: bytes, pos: int = 0) -> bool:
    """Whether an extension starts at `pos`."""
    return pos < len(data) and data[pos] in _EXT_STARTS


def ext_at(data: bytes, pos: int) -> tuple[int, int, int]:
    """Type, size and end of the extension at `pos`. Raises `Malformed`: it is truncated."""
    first = data[pos]
    width = _EXT_LENGTHS.get(first, 0)
    start = pos + 1 + width
    size = int.from_bytes(data[pos + 1 : start], "big") if width else _FIXED_EXTS[first]
    end = start + 1 + size
    if end > len(data) or len(data) - pos < 3:
        raise Malformed
    return data[start], size, end


# Numbers, text ------------------------------------------------------------------------------------------------


def unsigned(element: bytes) -> int:
    """An integer as unsigned 64 bits (server: msgpack_get_uint64). Raises `Malformed`: it is not an integer."""
    return signed(element) % _UINT64


def signed(element: bytes) -> int:
    """An integer as signed 64 bits; the largest unsigned ones become negative.

    Raises:
        Malformed: it is not an integer.
    """
    if not element:
        raise Malformed
    first = element[0]
    if first < 0x80:
        return first
    if first >= 0xE0:
        return first - 0x100
    if not 0xCC <= first <= 0xD3:
        raise Malformed
    size = FIXED_SIZES[first]
    if len(element) < size:
        raise Malformed
    number = int.from_bytes(element[1:size], "big", signed=first >= 0xD0)
    return number - _UINT64 if number >= _INT64 else number


def double(element: bytes) -> float:
    """A float of either size. Raises `Malformed`: it is not a float."""
    first = element[:1]
    if first == b"\xcb" and len(element) >= 9:
        return float(struct.unpack_from(">d", element, 1)[0])
    if first == b"\xca" and len(element) >= 5:
        return float(struct.unpack_from(">f", element, 1)[0])
    raise Malformed


def wrapped(number: int) -> int:
    """The number as signed 64 bits, wrapped around as in C."""
    return (number + _INT64) % _UINT64 - _INT64


def text_of(element: bytes) -> bytes:
    """The content of a string or blob, its particle type included. Raises `Malformed`: it is of another kind."""
    first = element[0] if element else 0
    if first & 0xE0 == 0xA0:
        return element[1 : 1 + (first & 0x1F)]
    width = _LENGTHS.get(first)
    if width is None:
        raise Malformed
    start = 1 + width
    return element[start : start + int.from_bytes(element[1:start], "big")]


# Writing ------------------------------------------------------------------------------------------------------

_CODES = (0xCC, 0xCD, 0xCE, 0xCF)


def packed_int(number: int) -> bytes:
    """The shortest form of an integer, from -(2**63) to 2**64 - 1."""
    if number >= 0:
        if number < 0x80:
            return bytes((number,))
        size = 1 if number < 0x100 else 2 if number < 0x1_0000 else 4 if number < 0x1_0000_0000 else 8
        return bytes((0xCB + size.bit_length(),)) + number.to_bytes(size, "big")
    if number >= -0x20:
        return bytes((number & 0xFF,))
    size = 1 if number >= -0x80 else 2 if number >= -0x8000 else 4 if number >= -0x8000_0000 else 8
    return bytes((0xCF + size.bit_length(),)) + number.to_bytes(size, "big", signed=True)


def packed_double(number: float) -> bytes:
    """A float of 64 bits."""
    return b"\xcb" + struct.pack(">d", number)


def list_header(count: int) -> bytes:
    """The header of a list."""
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdc" + count.to_bytes(2, "big") if count < 0x1_0000 else b"\xdd" + count.to_bytes(4, "big")


def map_header(count: int) -> bytes:
    """The header of a map."""
    if count < 16:
        return bytes((0x80 | count,))
    return b"\xde" + count.to_bytes(2, "big") if count < 0x1_0000 else b"\xdf" + count.to_bytes(4, "big")


def flags_element(flags: int) -> bytes:
    """The extension with the flags of a list or map; the flag to keep an index is never written."""
    return bytes((0xC7, 0, flags))


def list_start(count: int, flags: int = 0) -> bytes:
    """The bytes before the elements of a list: header and flags."""
    return list_header(count + 1) + flags_element(flags) if flags else list_header(count)


def map_start(count: int, flags: int = 0) -> bytes:
    """The bytes before the pairs of a map: header and flags."""
    return map_header(count + 1) + flags_element(flags) + NIL_ELEMENT if flags else map_header(count)


def list_of(elements: Sequence[bytes], flags: int = 0) -> bytes:
    """A list of the elements."""
    return list_start(len(elements), flags) + b"".join(elements)


def map_of(pairs: Sequence[tuple[bytes, bytes]], flags: int = 0) -> bytes:
    """A map of the pairs, in the order given."""
    return map_start(len(pairs), flags) + b"".join(part for pair in pairs for part in pair)


def ints_of(numbers: Iterable[int]) -> bytes:
    """A list of integers."""
    return list_of([packed_int(number) for number in numbers])


# Lists and maps as a whole ------------------------------------------------------------------------------------


def opened(data: bytes) -> tuple[int, int, int, int]:
    """Kind, number of elements or pairs, flags, and the offset of the first one, of a list or map.

    Raises:
        Malformed: it is neither, or its flags are truncated.
    """
    kind = kind_of(data)
    if kind != LIST and kind != MAP:
        raise Malformed
    start, inside = header_at(data, 0)
    per_entry = 1 if kind == LIST else 2
    count, flags = inside // per_entry, 0
    if count and is_ext(data, start):
        flags, _, start = ext_at(data, start)
        count -= 1
        if kind == MAP:
            start = end_of(data, start)
    return kind, count, flags, start


def pairs_of(data: bytes, start: int, count: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of a map whose pairs begin at `start`.

    Raises:
        Malformed: they are invalid MessagePack, or truncated.
    """
    flat = split(data, start, 2 * count)
    return list(zip(flat[::2], flat[1::2], strict=True))


def to_wire(particle: int, data: bytes) -> bytes:
    """A bin's value in the form that clients get: without the flag that a list or map keeps an index.

    Any extension at the start is taken for flags with an index (server: cdt_strip_indexes_from_particle).
    """
    if particle not in (wire.PARTICLE_LIST, wire.PARTICLE_MAP):
        return data
    first = data[0]
    place = 1 if first < 0xDC else 3 if first in (0xDC, 0xDE) else 5
    if place >= len(data) or data[place] not in _EXT_STARTS or kind_of(data, place) != EXT:
        return data
    flags, size, end = ext_at(data, place)
    if not size and not flags & PERSIST_INDEX:
        return data
    kind, count, _, start = opened(data)
    flags &= ~PERSIST_INDEX
    if kind == LIST:
        return list_start(count, flags) + data[start:]
    return map_header(count + 1) + flags_element(flags) + data[end:] if flags else map_header(count) + data[start:]


_TRUE, _FALSE = b"\1", b"\0"
_BLOBS = wire.BYTES_PARTICLES | {wire.PARTICLE_VECTOR, wire.PARTICLE_HLL}


def particle_of(element: bytes) -> Particle | None:
    """An element as a bin's value; None for nil (server: as_bin_particle_from_msgpack).

    Raises:
        Malformed: a bin cannot have such a value.
    """
    kind = kind_of(element)
    if kind == NIL:
        return None
    if kind in (INTEGER, NEGATIVE):
        return integer(signed(element))
    if kind == STRING:
        return wire.PARTICLE_STRING, text_of(element)[1:]
    if kind == LIST:
        return wire.PARTICLE_LIST, element
    if kind == MAP:
        return wire.PARTICLE_MAP, element
    if kind == BYTES:
        text = text_of(element)
        if not text:
            raise Malformed
        return (text[0] if text[0] in _BLOBS else wire.PARTICLE_BLOB), text[1:]
    if kind == DOUBLE:
        return wire.PARTICLE_FLOAT, struct.pack(">d", double(element))
    if kind == GEOJSON:
        return wire.PARTICLE_GEOJSON, b"\0\0\0" + text_of(element)[1:]
    if kind in (TRUE, FALSE):
        return boolean(kind == TRUE)
    raise Malformed


def integer(number: int) -> Particle:
    """An integer as a bin's value."""
    return wire.PARTICLE_INTEGER, (number % _UINT64).to_bytes(8, "big")


def boolean(truth: bool) -> Particle:
    """A boolean as a bin's value."""
    return wire.PARTICLE_BOOL, _TRUE if truth else _FALSE
