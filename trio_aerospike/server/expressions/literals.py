"""Build literals and quoted lists, and the instruction "unknown"."""

from __future__ import annotations

from ..._wire import constants as wire, exp_ops as codes
from ..cdt import elements
from ..cdt.elements import Malformed
from ..exceptions import Refused
from ..geo.geojson import shape_of
from .building import LITERAL, Builder, Part, Type, builds, constant
from .values import REMOVED, UNKNOWN, Extension, without_cells

_BLOBS = {wire.PARTICLE_STRING: Type.STR, wire.PARTICLE_BLOB: Type.BLOB, wire.PARTICLE_HLL: Type.HLL}


@builds(LITERAL)
def _literal(builder: Builder, kind: int) -> Part:
    """Build a literal of the kind of the next element. Raises `Malformed`: that kind is not allowed."""
    packed = builder.reader.take()
    if kind == elements.NIL:
        return constant(Type.NIL, None)
    if kind in (elements.FALSE, elements.TRUE):
        return constant(Type.BOOL, kind == elements.TRUE)
    if kind in (elements.INTEGER, elements.NEGATIVE):
        return constant(Type.INT, elements.signed(packed))
    if kind == elements.DOUBLE:
        return constant(Type.FLOAT, elements.double(packed))
    if kind in (elements.STRING, elements.BYTES):
        return _text(elements.text_of(packed))
    if kind == elements.GEOJSON:
        return _geojson(elements.text_of(packed)[1:])
    if kind == elements.MAP:
        return constant(Type.MAP, (wire.PARTICLE_MAP, packed))
    return constant(Type.OTHER, Extension(packed))


def _text(content: bytes) -> Part:
    kind = _BLOBS.get(content[0]) if content else None
    if kind is None:
        raise Malformed
    return constant(kind, (content[0], content[1:]))


def _geojson(text: bytes) -> Part:
    try:
        shape_of(text)
    except Refused as error:
        raise Malformed from error
    return constant(Type.GEOJSON, without_cells(text))


@builds(codes.QUOTE, n_arguments=1)
def _quote(builder: Builder, _count: int) -> Part:
    if builder.reader.kind() != elements.LIST:
        raise Malformed
    return constant(Type.LIST, (wire.PARTICLE_LIST, builder.reader.take()))


@builds(codes.UNK, n_arguments=0)
def _unknown(_builder: Builder, _count: int) -> Part:
    return unknown()


def unknown() -> Part:
    """The instruction "unknown"."""
    return Part(Type.BOOL, lambda frame: UNKNOWN, is_unknown=True)


@builds(codes.RESULT_REMOVE, n_arguments=0)
def _removed(_builder: Builder, _count: int) -> Part:
    return constant(Type.REMOVED, REMOVED)
