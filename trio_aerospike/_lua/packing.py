"""Convert values between particles and Lua.

Facts: as_msgpack.c of aerospike-common; particle_blob.c, particle_list.c and particle_map.c of the server.
"""

from __future__ import annotations

import struct
from typing import Any

import msgpack  # type: ignore[import-untyped]

from .._wire import constants as wire
from .._wire.cdt_pack import pack_raw, pack_value
from .values import NOTHING, LuaBytes, LuaGeoJSON, LuaList, LuaMap, Record

Particle = tuple[int, bytes]

_float = struct.Struct(">d")
#: Types of bytes that are kept; others become blobs.
_KEPT = {*range(wire.PARTICLE_JAVA_BLOB, wire.PARTICLE_ERLANG_BLOB + 1), wire.PARTICLE_VECTOR, wire.PARTICLE_HLL}


class Unusable(Exception):
    """A value that cannot be converted."""


def from_particle(kind: int, data: bytes) -> Any:
    """Convert a value of a bin, an argument or a stream to Lua.

    Raises:
        Unusable: Lua cannot have it, such as a map with keys that are neither numbers nor text nor bytes.
    """
    if kind == wire.PARTICLE_INTEGER:
        return int.from_bytes(data, "big", signed=True)
    if kind == wire.PARTICLE_FLOAT:
        return _float.unpack(data)[0]
    if kind == wire.PARTICLE_STRING:
        return data
    if kind == wire.PARTICLE_BOOL:
        return data != b"\0"
    if kind in (wire.PARTICLE_LIST, wire.PARTICLE_MAP):
        return unpack(data)
    if kind == wire.PARTICLE_GEOJSON:
        # Flags, the number of cells, eight bytes for each, the text.
        return LuaGeoJSON(data[3 + 8 * int.from_bytes(data[1:3], "big") :])
    if kind == wire.PARTICLE_NULL:
        return None
    return LuaBytes(data, kind)


def to_particle(value: Any, *, stored: bool = False) -> Particle:
    """Convert a Lua value to its wire form, or to its stored form. Raises `Unusable`: the database cannot have it."""
    if isinstance(value, bool):
        return wire.PARTICLE_BOOL, b"\1" if value else b"\0"
    if isinstance(value, int):
        return wire.PARTICLE_INTEGER, value.to_bytes(8, "big", signed=True)
    if isinstance(value, float):
        return wire.PARTICLE_FLOAT, _float.pack(value)
    if isinstance(value, bytes):
        return wire.PARTICLE_STRING, value
    if isinstance(value, LuaList):
        return wire.PARTICLE_LIST, pack(value, stored=stored)
    if isinstance(value, LuaMap):
        return wire.PARTICLE_MAP, pack(value, stored=stored)
    if isinstance(value, LuaBytes):
        # Only bins keep the type: results are blobs (server: as_particle_type_from_asval).
        kept = stored and value.type in _KEPT
        return value.type if kept else wire.PARTICLE_BLOB, value.data
    if isinstance(value, LuaGeoJSON):
        return wire.PARTICLE_GEOJSON, b"\0\0\0" + value.text
    if value is None or value is NOTHING or isinstance(value, Record):
        return wire.PARTICLE_NULL, b""
    raise Unusable(type(value).__name__)


def pack(value: Any, *, stored: bool = False) -> bytes:
    """Convert a Lua value to an element of a list or map.

    Args:
        value: the Lua value.
        stored: include the order of lists, which is not sent.

    Raises:
        Unusable: the database cannot have it.
    """
    out = bytearray()
    _pack(value, out, stored)
    return bytes(out)


def _pack(value: Any, out: bytearray, stored: bool) -> None:
    if value is None or isinstance(value, (bool, int, float)):
        out += pack_value(value)
    elif isinstance(value, bytes):
        pack_raw(wire.PARTICLE_STRING, value, out)
    elif isinstance(value, LuaBytes):
        pack_raw(value.type & 0xFF, value.data, out)
    elif isinstance(value, LuaGeoJSON):
        pack_raw(wire.PARTICLE_GEOJSON, value.text, out)
    elif isinstance(value, LuaList):
        order = value.flags & wire.LIST_ORDERED if stored else 0
        out += _packer.pack_array_header(len(value) + bool(order))
        if order:
            out += b"\xc7\x00%c" % order
        for item in list(value.items):
            _pack(item, out, stored)
    elif isinstance(value, LuaMap):
        order = value.flags & wire.MAP_KEY_VALUE_ORDERED
        out += _packer.pack_map_header(len(value) + bool(order))
        if order:
            out += b"\xc7\x00%c\xc0" % order
        for key, item in value.pairs():
            _pack(key, out, stored)
            _pack(item, out, stored)
    else:
        raise Unusable(type(value).__name__)


_packer = msgpack.Packer()


def unpack(data: bytes) -> Any:
    """Convert a list or map, or an element of one, to Lua.

    Raises:
        Unusable: Lua cannot have it, or it is invalid MessagePack.
    """
    try:
        found = msgpack.unpackb(data, raw=True, strict_map_key=False, object_pairs_hook=tuple)
        return _from_packed(found)
    except (ValueError, TypeError, IndexError, RecursionError, msgpack.UnpackException) as error:
        raise Unusable(str(error)) from None


def _from_packed(value: Any) -> Any:
    if isinstance(value, bytes):
        kind, data = value[0], value[1:]
        if kind == wire.PARTICLE_STRING:
            return data.partition(b"\0")[0]
        return LuaGeoJSON(data) if kind == wire.PARTICLE_GEOJSON else LuaBytes(data, kind)
    if isinstance(value, list):
        flags = 0
        if value and isinstance(value[0], msgpack.ExtType):
            flags = value.pop(0).code
        return LuaList([_from_packed(item) for item in value], flags)
    if isinstance(value, tuple):
        flags = 0
        if value and isinstance(value[0][0], msgpack.ExtType):
            flags, value = value[0][0].code, value[1:]
        if flags & wire.MAP_PRESERVE_ORDER:
            return LuaList([_from_packed(part) for pair in value for part in pair])
        found = LuaMap(flags)
        for key, item in value:
            if not found.put(_from_packed(key), _from_packed(item)):
                raise Unusable("a key of a map")
        return found
    if isinstance(value, (msgpack.ExtType, msgpack.Timestamp)):
        raise Unusable("an extension")
    return value
