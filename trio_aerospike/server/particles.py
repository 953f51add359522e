"""Validate the values that clients send; increment, append and prepend stored values.

Values stay in their wire form and are decoded only where necessary. The rules are those of the server's particle
modules (as/src/base/particle*.c).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from .._wire import constants as wire
from .._wire.hll_ops import are_widths, is_sketch
from ..errors import ResultCode
from .cdt.normalization import stored_value
from .exceptions import Refused
from .geo.geojson import geojson_particle
from .values import Particle

_INTEGER_SIZES = {1, 2, 4, 8}


def _integer(data: bytes) -> bytes:
    if len(data) not in _INTEGER_SIZES:
        raise Refused(ResultCode.PARAM)
    return data if len(data) == 8 else data.rjust(8, b"\0")


def _float(data: bytes) -> bytes:
    if len(data) != 8:
        raise Refused(ResultCode.PARAM)
    return data


def _bool(data: bytes) -> bytes:
    if data not in (b"\0", b"\1"):
        raise Refused(ResultCode.PARAM)
    return data


def _list(data: bytes) -> bytes:
    return stored_value(wire.PARTICLE_LIST, data)


def _map(data: bytes) -> bytes:
    return stored_value(wire.PARTICLE_MAP, data)


def _sketch(data: bytes) -> bytes:
    """A HyperLogLog: flags, bits of index, bits of min-hash, a cached count, registers (server: hll_from_wire)."""
    if not (is_sketch(data) and are_widths(data[1], data[2])):
        raise Refused(ResultCode.PARAM)
    return data


def _as_it_is(data: bytes) -> bytes:
    return data


_CHECKS: dict[int, Callable[[bytes], bytes]] = {
    wire.PARTICLE_INTEGER: _integer,
    wire.PARTICLE_FLOAT: _float,
    wire.PARTICLE_BOOL: _bool,
    wire.PARTICLE_LIST: _list,
    wire.PARTICLE_MAP: _map,
    wire.PARTICLE_HLL: _sketch,
    wire.PARTICLE_GEOJSON: geojson_particle,
    **dict.fromkeys(wire.BYTES_PARTICLES, _as_it_is),
    wire.PARTICLE_VECTOR: _as_it_is,
}


def is_stored_type(particle: int) -> bool:
    """Whether values of that particle type can be stored; null cannot."""
    return particle in _CHECKS


def stored(particle: int, data: bytes) -> Particle:
    """The stored form of a value that a client sent.

    Raises:
        Refused: the type is unknown, or the data is invalid for it.
    """
    check = _CHECKS.get(particle)
    if check is None:
        raise Refused(ResultCode.PARAM)
    return particle, check(data)


def incremented(old: Particle, particle: int, data: bytes) -> Particle:
    """The old number plus the given one; integers wrap around at 64 bits."""
    kind, number = old
    if kind == wire.PARTICLE_INTEGER and particle == kind:
        total = int.from_bytes(number, "big") + int.from_bytes(_integer(data), "big")
        return kind, (total & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "big")
    if kind == wire.PARTICLE_FLOAT and particle == kind:
        (mine,), (theirs,) = struct.unpack(">d", number), struct.unpack(">d", _float(data))
        return kind, struct.pack(">d", mine + theirs)
    if kind == wire.PARTICLE_GEOJSON:
        raise Refused(ResultCode.SERVER)
    raise Refused(ResultCode.BIN_TYPE)


def _joinable(old: Particle, particle: int) -> int:
    kind = old[0]
    if kind == wire.PARTICLE_GEOJSON:
        raise Refused(ResultCode.SERVER)
    if (kind not in wire.BYTES_PARTICLES and kind != wire.PARTICLE_VECTOR) or kind != particle:
        raise Refused(ResultCode.BIN_TYPE)
    return kind


def appended(old: Particle, particle: int, data: bytes) -> Particle:
    """The old string or blob followed by the given one."""
    return _joinable(old, particle), old[1] + data


def prepended(old: Particle, particle: int, data: bytes) -> Particle:
    """The old string or blob preceded by the given one."""
    return _joinable(old, particle), data + old[1]
