"""Build access to bins, the stored key, and the built-in variables of path expressions."""

from __future__ import annotations

import struct

from ..._wire import constants as wire, exp_ops as codes
from ..cdt import elements
from ..cdt.elements import Malformed
from ..exceptions import Refused
from ..geo.geojson import shape_of
from ..values import Particle
from .building import N_INPUT_TYPES, PARTICLES, Builder, Part, Type, builds
from .literals import unknown
from .values import UNKNOWN, Frame, Value, without_cells

_KEY_TYPES = {
    Type.INT: wire.PARTICLE_INTEGER,
    Type.STR: wire.PARTICLE_STRING,
    Type.BLOB: wire.PARTICLE_BLOB,
}
_N_TYPES = 12
_unpack_float = struct.Struct(">d").unpack


def value_of(particle: Particle | None) -> Value:
    """Convert a particle to a value."""
    if particle is None:
        return None
    kind, data = particle
    if kind == wire.PARTICLE_INTEGER:
        return int.from_bytes(data, "big", signed=True)
    if kind == wire.PARTICLE_FLOAT:
        return float(_unpack_float(data)[0])
    if kind == wire.PARTICLE_BOOL:
        return data != b"\0"
    return particle


def _bin_name(builder: Builder) -> bytes:
    name = builder.reader.text()
    if len(name) > wire.BIN_NAME_MAX or b"\0" in name:
        raise Malformed
    builder.bin_names.add(name)
    return name


def _as_stored(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


@builds(codes.BIN, n_arguments=2)
def _bin(builder: Builder, _count: int) -> Part:
    number = builder.reader.unsigned()
    if number >= N_INPUT_TYPES:
        raise Malformed
    kind = Type(number)
    name = _as_stored(_bin_name(builder))
    expected = PARTICLES[kind]

    def evaluate(frame: Frame) -> Value:
        bins = frame.scope.bins
        particle = bins.get(name) if bins is not None else None
        if particle is None or particle[0] != expected:
            return UNKNOWN
        return value_of(particle)

    return Part(kind, evaluate)


@builds(codes.BIN_TYPE, n_arguments=1)
def _bin_type(builder: Builder, _count: int) -> Part:
    name = _as_stored(_bin_name(builder))

    def evaluate(frame: Frame) -> Value:
        bins = frame.scope.bins
        if bins is None:
            return UNKNOWN
        particle = bins.get(name)
        return wire.PARTICLE_NULL if particle is None else particle[0]

    return Part(Type.INT, evaluate)


@builds(codes.REC_KEY, n_arguments=1)
def _key(builder: Builder, _count: int) -> Part:
    number = builder.reader.unsigned() & 0xFFFF_FFFF
    if number not in _KEY_TYPES:
        raise Malformed
    kind = Type(number)
    expected = _KEY_TYPES[kind]

    def evaluate(frame: Frame) -> Value:
        key = frame.scope.key
        if not key or key[0] != expected or (kind is Type.INT and len(key) != 9):
            return UNKNOWN
        return value_of((expected, key[1:]))

    return Part(kind, evaluate)


# The element that the expression is asked about ---------------------------------------------------------------


@builds(codes.VAR_BUILTIN, n_arguments=2)
def _builtin(builder: Builder, _count: int) -> Part:
    number = builder.reader.unsigned() & 0xFFFF_FFFF
    index = builder.reader.unsigned()
    if index > codes.BUILTIN_INDEX or (index == codes.BUILTIN_INDEX and number != Type.INT) or number >= _N_TYPES:
        raise Malformed
    if number == N_INPUT_TYPES:
        # The number after the last type stands for the instruction "unknown", by the server's own tables.
        return unknown()
    kind = Type(number)

    def evaluate(frame: Frame) -> Value:
        packed = frame.scope.builtins[index]
        if packed is None:
            return UNKNOWN
        found, value = _element(packed)
        if found is not kind or (index == codes.BUILTIN_INDEX and elements.kind_of(packed) != elements.INTEGER):
            return UNKNOWN
        return value

    return Part(kind, evaluate)


_TEXTS = {wire.PARTICLE_BLOB: Type.BLOB, wire.PARTICLE_STRING: Type.STR, wire.PARTICLE_HLL: Type.HLL}


def _element(packed: bytes) -> tuple[Type | None, Value]:
    """Type and value of an element of a list or map (server: rt_init_builtin_vars)."""
    kind = elements.kind_of(packed)
    if kind == elements.NIL:
        return Type.NIL, None
    if kind in (elements.FALSE, elements.TRUE):
        return Type.BOOL, kind == elements.TRUE
    if kind in (elements.INTEGER, elements.NEGATIVE):
        return Type.INT, elements.signed(packed)
    if kind == elements.DOUBLE:
        return Type.FLOAT, elements.double(packed)
    if kind == elements.LIST:
        return Type.LIST, (wire.PARTICLE_LIST, packed)
    if kind == elements.MAP:
        return Type.MAP, (wire.PARTICLE_MAP, packed)
    if kind in (elements.STRING, elements.BYTES):
        content = elements.text_of(packed)
        return (_TEXTS.get(content[0]), (content[0], content[1:])) if content else (None, UNKNOWN)
    if kind == elements.GEOJSON:
        text = elements.text_of(packed)[1:]
        try:
            shape_of(text)
        except Refused:
            return None, UNKNOWN
        return Type.GEOJSON, without_cells(text)
    return None, UNKNOWN
