"""Convert values to MessagePack, for calls and path expressions, and to particles, for results."""

from __future__ import annotations

import struct

from ..._wire import constants as wire
from ..cdt import elements
from ..geo.geojson import geojson_particle, geojson_text
from ..values import Particle
from .values import NO_CELLS, Extension, Special, Value

_LISTS_AND_MAPS = (wire.PARTICLE_LIST, wire.PARTICLE_MAP)


def packed(value: Value) -> bytes | None:
    """The value as an element of a list or map; None if it has no such form."""
    if isinstance(value, Special):
        return None
    if isinstance(value, tuple):
        kind, data = value
        if kind in _LISTS_AND_MAPS:
            return data
        if kind == wire.PARTICLE_GEOJSON:
            data = geojson_text(data)
        return packed_text(kind, data)
    if isinstance(value, Extension):
        return value.packed
    if value is None:
        return elements.NIL_ELEMENT
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    return elements.packed_int(value) if isinstance(value, int) else elements.packed_double(value)


def packed_text(kind: int, data: bytes) -> bytes:
    """A string or blob of that particle type."""
    size = len(data) + 1
    if size < 0x20:
        header = bytes((0xA0 | size,))
    elif size < 0x100:
        header = bytes((0xD9, size))
    elif size < 0x1_0000:
        header = b"\xda" + size.to_bytes(2, "big")
    else:
        header = b"\xdb" + size.to_bytes(4, "big")
    return header + bytes((kind,)) + data


def particle_of(value: bool | int | float | Particle | None) -> Particle | None:
    """The value as a bin has it; None for nil. Raises `Refused`: it is a region that cannot be stored."""
    if isinstance(value, tuple) and value[0] == wire.PARTICLE_GEOJSON and value[1].startswith(NO_CELLS):
        return wire.PARTICLE_GEOJSON, geojson_particle(value[1])
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return wire.PARTICLE_BOOL, b"\1" if value else b"\0"
    if isinstance(value, int):
        return wire.PARTICLE_INTEGER, value.to_bytes(8, "big", signed=True)
    return wire.PARTICLE_FLOAT, struct.pack(">d", value)
