"""Encode and decode the index range of a predicate.

Facts: ``get_range_field`` in the server's as/src/query/query.c.
"""

from __future__ import annotations

import struct
from typing import Final

import attrs

from ..errors import ProtocolError
from .constants import BIN_NAME_MAX, PARTICLE_INTEGER

_U32 = struct.Struct(">I")
_I64 = struct.Struct(">q")

#: Which values of a bin an index holds (server: ``as_sindex_type``).
INDEX_DEFAULT: Final = 0
INDEX_LIST: Final = 1
INDEX_MAP_KEYS: Final = 2
INDEX_MAP_VALUES: Final = 3
#: Longest names and values in the field of a predicate.
INDEX_NAME_MAX: Final = 63
INDEX_VALUE_MAX: Final = 2047


@attrs.frozen(slots=True)
class Range:
    """The range of index values that a predicate selects: the field "index range".

    Integers are 8 bytes each; strings, blobs and GeoJSON are stored as they are, the same at both ends.
    """

    bin_name: str
    """Empty if the index is given by its name or by an expression."""
    particle: int
    begin: bytes
    end: bytes


def encode_range(wanted: Range) -> bytes:
    """Encode the field's data: number of predicates (one), bin name, particle type, both ends with their sizes."""
    name = wanted.bin_name.encode()
    begin, end = wanted.begin, wanted.end
    return b"".join(
        (
            bytes((1, len(name))),
            name,
            bytes((wanted.particle,)),
            _U32.pack(len(begin)),
            begin,
            _U32.pack(len(end)),
            end,
        )
    )


def decode_range(data: bytes) -> Range:
    """Decode the predicate of a field; the second end is read of integers only, as in the server.

    Raises:
        ProtocolError: the server could not parse it.
    """
    if len(data) < 3 or data[0] != 1:
        raise ProtocolError("an index range without exactly one predicate")
    name_end = 2 + data[1]
    if data[1] > BIN_NAME_MAX or name_end >= len(data):
        raise ProtocolError("an index range whose bin name does not fit")
    try:
        name = data[2:name_end].decode()
    except UnicodeDecodeError:
        raise ProtocolError("an index range whose bin name is not UTF-8") from None
    particle = data[name_end]
    begin, position = _sized(data, name_end + 1)
    if particle != PARTICLE_INTEGER:
        return Range(name, particle, begin, begin)
    end, _ = _sized(data, position)
    if len(begin) != 8 or len(end) != 8:
        raise ProtocolError("an index range of integers that do not have 8 bytes")
    return Range(name, particle, begin, end)


def _sized(data: bytes, position: int) -> tuple[bytes, int]:
    start = position + 4
    if start > len(data):
        raise ProtocolError("an index range that is cut off")
    end = start + int.from_bytes(data[position:start], "big")
    if end > len(data):
        raise ProtocolError("an index range that is cut off")
    return data[start:end], end


def integer_end(value: int) -> bytes:
    """Encode an integer as the end of a range."""
    return _I64.pack(value)
