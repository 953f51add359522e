"""Encode and decode particles: values of bins, each a type and bytes.

Facts: the server's ``as/src/base/particle_*.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ..errors import InvalidArgError, ProtocolError
from . import cdt_pack, cdt_unpack, constants as wire
from .error_text import kind_of, not_utf8
from .value_faults import LEGACY_BLOBS, scalar_fault
from .value_types import GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob

_pack_int = struct.Struct(">q").pack
_pack_float = struct.Struct(">d").pack
_unpack_int = struct.Struct(">q").unpack
_unpack_float = struct.Struct(">d").unpack


# --- encoding --------------------------------------------------------------------------------------------------------


def _encode_int(value: int) -> tuple[int, bytes]:
    return wire.PARTICLE_INTEGER, _pack_int(value)


def _encode_float(value: float) -> tuple[int, bytes]:
    return wire.PARTICLE_FLOAT, _pack_float(value)


def _encode_str(value: str) -> tuple[int, bytes]:
    return wire.PARTICLE_STRING, value.encode()


def _encode_bytes(value: Any) -> tuple[int, bytes]:
    return wire.PARTICLE_BLOB, bytes(value)


def _encode_bool(value: bool) -> tuple[int, bytes]:
    return wire.PARTICLE_BOOL, b"\x01" if value else b"\x00"


def _encode_none(value: None) -> tuple[int, bytes]:
    return wire.PARTICLE_NULL, b""


def _encode_list(value: Any) -> tuple[int, bytes]:
    return wire.PARTICLE_LIST, cdt_pack.pack_value(value)


def _encode_map(value: Any) -> tuple[int, bytes]:
    return wire.PARTICLE_MAP, cdt_pack.pack_value(value)


def _encode_geojson(value: GeoJSON) -> tuple[int, bytes]:
    # Flags and a count of cells precede the text; the server sets both, the client sends zeros.
    return wire.PARTICLE_GEOJSON, b"\x00\x00\x00" + value.text.encode()


def _encode_hll(value: HyperLogLog) -> tuple[int, bytes]:
    return wire.PARTICLE_HLL, value.data


def _encode_blob(value: TypedBlob) -> tuple[int, bytes]:
    if value.type not in LEGACY_BLOBS:
        raise InvalidArgError(f"value: {scalar_fault(value)}")
    return value.type, value.data


_ENCODERS: dict[type, Callable[[Any], tuple[int, bytes]]] = {
    int: _encode_int,
    float: _encode_float,
    str: _encode_str,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,
    bool: _encode_bool,
    type(None): _encode_none,
    list: _encode_list,
    tuple: _encode_list,
    OrderedList: _encode_list,
    dict: _encode_map,
    OrderedMap: _encode_map,
    GeoJSON: _encode_geojson,
    HyperLogLog: _encode_hll,
    TypedBlob: _encode_blob,
}

# Subclasses are encoded like their base class.
_BASES: tuple[tuple[type, Callable[[Any], tuple[int, bytes]]], ...] = (
    (int, _encode_int),
    (str, lambda value: _encode_str(str.__str__(value))),
    (float, _encode_float),
    (bytes, _encode_bytes),
    (bytearray, _encode_bytes),
    (list, _encode_list),
    (tuple, _encode_list),
    (dict, _encode_map),
)


def encode_value(value: Any) -> tuple[int, bytes]:
    """Encode a value: particle type and bytes.

    Raises:
        InvalidArgError: the database cannot hold the value; the message has the value and, within lists and maps, its
            place.
    """
    encode = _ENCODERS.get(type(value))
    if encode is None:
        encode = _encoder_for(value)
    try:
        return encode(value)
    except (struct.error, UnicodeEncodeError):
        raise InvalidArgError(f"value: {scalar_fault(value)}") from None


def _encoder_for(value: Any) -> Callable[[Any], tuple[int, bytes]]:
    for base, encode in _BASES:
        if isinstance(value, base):
            return encode
    raise InvalidArgError(f"value: {scalar_fault(value)}")


# --- decoding --------------------------------------------------------------------------------------------------------


def _decode_int(data: bytes) -> int:
    if len(data) == 8:
        return _unpack_int(data)[0]  # type: ignore[no-any-return]
    if len(data) in (1, 2, 4):
        return int.from_bytes(data, "big")
    raise ProtocolError(f"an integer of {len(data)} bytes, expected 8, 4, 2 or 1")


def _decode_float(data: bytes) -> float:
    if len(data) != 8:
        raise ProtocolError(f"a double of {len(data)} bytes, expected 8")
    return _unpack_float(data)[0]  # type: ignore[no-any-return]


def _decode_str(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"its text {not_utf8(error)}") from None


def _decode_blob(data: bytes) -> bytes:
    return data


def _decode_bool(data: bytes) -> bool:
    if len(data) != 1:
        raise ProtocolError(f"a bool of {len(data)} bytes, expected 1")
    return data != b"\x00"


def _decode_none(data: bytes) -> None:
    return None


def _decode_geojson(data: bytes) -> GeoJSON:
    # One byte of flags, a count of cells, the cells at 8 bytes each, the text.
    start = 3 + 8 * int.from_bytes(data[1:3], "big")
    if len(data) < start:
        raise ProtocolError(f"a GeoJSON of {len(data)} bytes is cut off")
    return GeoJSON(_decode_str(data[start:]))


_DECODERS: dict[int, Callable[[bytes], Any]] = {
    wire.PARTICLE_NULL: _decode_none,
    wire.PARTICLE_INTEGER: _decode_int,
    wire.PARTICLE_FLOAT: _decode_float,
    wire.PARTICLE_STRING: _decode_str,
    wire.PARTICLE_BLOB: _decode_blob,
    wire.PARTICLE_BOOL: _decode_bool,
    wire.PARTICLE_HLL: HyperLogLog,
    wire.PARTICLE_GEOJSON: _decode_geojson,
}


def decode_value(particle: int, data: bytes) -> Any:
    """Decode a particle; one of a type without a Python counterpart becomes a :class:`TypedBlob`.

    Raises:
        ProtocolError: the bytes are not a valid value of that type.
    """
    if particle == wire.PARTICLE_LIST:
        value = cdt_unpack.unpack_value(data)
        if not isinstance(value, list):
            raise ProtocolError(f"a list particle holds {kind_of(value)}")
        return value
    if particle == wire.PARTICLE_MAP:
        value = cdt_unpack.unpack_value(data)
        if not isinstance(value, dict):
            raise ProtocolError(f"a map particle holds {kind_of(value)}")
        return value
    decode = _DECODERS.get(particle)
    if decode is None:
        return TypedBlob(particle, data)
    return decode(data)
