"""Encode operations on scalars, and append elements of lists and maps (MessagePack) to a buffer.

Modules that are compiled use the functions of the same names in ``writing.pxd``.
"""

from __future__ import annotations

import struct
from typing import Any

from .constants import BIN_NAME_MAX, PARTICLE_FLOAT, PARTICLE_INTEGER, PARTICLE_STRING

_pack_op = struct.Struct(">I4B").pack
_pack_size = struct.Struct(">I").pack
_pack_int = struct.Struct(">q").pack
_pack_float = struct.Struct(">d").pack
_u16 = struct.Struct(">BH").pack
_u32 = struct.Struct(">BI").pack
_u64 = struct.Struct(">BQ").pack
_i8 = struct.Struct(">Bb").pack
_i16 = struct.Struct(">Bh").pack
_i32 = struct.Struct(">Bi").pack
_i64 = struct.Struct(">Bq").pack
_f64 = struct.Struct(">Bd").pack

#: The bytes before a short text: its header, and its particle type.
_SHORT_TEXT = tuple(bytes((0xA1 + size, PARTICLE_STRING)) for size in range(31))


#: The bytes around the name of a bin in an operation, by code, particle type and name: without the size for values of
#: any size. Applications have few bins. If one creates them without end, the cache is emptied now and then.
_heads: dict[tuple[int, int, str], tuple[int, bytes]] = {}
_HEADS_MAX = 4096


def scalar_op(op: int, name: str, value: Any) -> bytes | None:
    """Encode an operation with an int, a float or text; None for others, and where name or value are invalid."""
    kind = type(value)
    try:
        if kind is int:
            size, head = _heads.get((op, PARTICLE_INTEGER, name)) or _new_head(op, PARTICLE_INTEGER, name, 8)
            return head + _pack_int(value)
        if kind is str:
            data = value.encode()
            size, head = _heads.get((op, PARTICLE_STRING, name)) or _new_head(op, PARTICLE_STRING, name, None)
            return _pack_size(size + len(data)) + head + data  # type: ignore[no-any-return]
        if kind is float:
            size, head = _heads.get((op, PARTICLE_FLOAT, name)) or _new_head(op, PARTICLE_FLOAT, name, 8)
            return head + _pack_float(value)
    except (struct.error, UnicodeEncodeError, AttributeError, TypeError):
        pass
    return None


def _new_head(op: int, particle: int, name: str, size: int | None) -> tuple[int, bytes]:
    data = name.encode()
    if len(data) > BIN_NAME_MAX:
        raise TypeError(name)  # who encodes in general says what is wrong with it
    if len(_heads) >= _HEADS_MAX:
        _heads.clear()
    head = _pack_op(4 + len(data) + (size or 0), op, particle, 0, len(data)) + data
    _heads[op, particle, name] = found = (4 + len(data), head if size else head[4:])
    return found


def put_byte(out: bytearray, value: int) -> None:
    """Append a byte."""
    out.append(value)


def put_int(out: bytearray, value: int) -> bool:
    """Append an integer, in its shortest form; returns False if it does not fit 64 bits."""
    if value >= 0:
        if value < 0x80:
            out.append(value)
        elif value < 0x100:
            out += b"\xcc%c" % value
        elif value < 0x10000:
            out += _u16(0xCD, value)
        elif value < 0x100000000:
            out += _u32(0xCE, value)
        elif value < 0x8000000000000000:
            out += _u64(0xCF, value)
        else:
            return False
    elif value >= -32:
        out.append(value + 256)
    elif value >= -0x80:
        out += _i8(0xD0, value)
    elif value >= -0x8000:
        out += _i16(0xD1, value)
    elif value >= -0x80000000:
        out += _i32(0xD2, value)
    elif value >= -0x8000000000000000:
        out += _i64(0xD3, value)
    else:
        return False
    return True


def put_float(out: bytearray, value: float) -> None:
    """Append a double."""
    out += _f64(0xCB, value)


def put_raw(out: bytearray, kind: int, data: bytes) -> bool:
    """Append a particle as a MessagePack string, which begins with its type; returns False if it is too long."""
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
        return False
    out.append(kind)
    out += data
    return True


def put_text(out: bytearray, value: str) -> bool:
    """Append text; returns False if it is too long.

    Raises:
        UnicodeEncodeError: it holds a lone surrogate.
    """
    data = value.encode()
    if len(data) < 31:
        out += _SHORT_TEXT[len(data)] + data
        return True
    return put_raw(out, PARTICLE_STRING, data)


def put_list_header(out: bytearray, count: int) -> None:
    """Append the header of a list."""
    if count < 16:
        out.append(0x90 | count)
    elif count < 0x10000:
        out += _u16(0xDC, count)
    else:
        out += _u32(0xDD, count)


def put_map_header(out: bytearray, count: int) -> None:
    """Append the header of a map of so many pairs."""
    if count < 16:
        out.append(0x80 | count)
    elif count < 0x10000:
        out += _u16(0xDE, count)
    else:
        out += _u32(0xDF, count)
