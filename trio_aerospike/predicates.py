"""Predicates: what a query searches a secondary index for.

::

    from trio_aerospike import predicates

    where = predicates.between("age", 18, 30)
    async with client.query("test", "users", where=where) as records:
        ...

A predicate names what is indexed: a bin, an element in it (``ctx=``), an expression, or the index itself (``index=``).
The query needs a matching index: of the same bin, context or expression, of the type of the value, and of the same kind
of collection; ``client.create_index`` creates one. An index on another set than the query's does not match, one on the
whole namespace does.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.index_ranges import INDEX_NAME_MAX, INDEX_VALUE_MAX, Range, encode_range, integer_end
from trio_aerospike._wire.value_types import GeoJSON
from trio_aerospike.ctx import ContextLike, encode as encode_context
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.indexes import Collection, IndexType
from trio_aerospike.validation import checked_bin_name, checked_enum, checked_int, checked_text, encodes_itself, refused

__all__ = [
    "Packable",
    "Predicate",
    "Source",
    "between",
    "contains",
    "contains_between",
    "equals",
    "with_point",
    "within_region",
]

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
_GEO_MAX = 1024 * 1024 - 1
_SCALAR_ALLOWED = "an int of 64 bits, a str or bytes (of up to 2047 bytes)"


@runtime_checkable
class Packable(Protocol):
    """An object that packs itself, as an expression does."""

    def encode(self) -> bytes:
        """The packed form."""
        ...


Source: TypeAlias = str | Packable | None
"""A bin's name or an expression; None where the index is given by its name."""


@attrs.frozen
class Predicate:
    """What to search for, and in which index. Use the functions of this module to make one."""

    range: Range = attrs.field(repr=False)
    type: IndexType
    collection: Collection
    text: str
    """The predicate as it was written."""
    index: str | None = None
    context: bytes | None = None
    expression: bytes | None = None

    @property
    def is_element_range(self) -> bool:
        """Whether several elements of one record may match, so that the server may return it more than once."""
        return self.collection is not Collection.NONE and (
            self.type is IndexType.GEO2DSPHERE or self.range.begin != self.range.end
        )

    def identity(self) -> bytes:
        """A key that is equal for equal predicates."""
        parts = [bytes((self.collection,)), encode_range(self.range)]
        parts += [(part or b"").hex().encode() for part in (self.context, self.expression)]
        return b"|".join([*parts, (self.index or "").encode()])

    def hint(self, namespace: str, set_name: str) -> str:
        """The call that creates an index for it."""
        if self.index is not None:
            return f"namespace {namespace!r} has no index {self.index!r}; client.list_indexes lists the indexes"
        source = repr(self.range.bin_name) if self.expression is None else "<the same expression>"
        name = f"idx_{self.range.bin_name}" if self.range.bin_name else "idx_expression"
        parts = [repr(namespace), repr(set_name), source, repr(name), f"IndexType.{self.type.name}"]
        if self.collection is not Collection.NONE:
            parts.append(f"collection=Collection.{self.collection.name}")
        if self.context is not None:
            parts.append("ctx=<the same context>")
        return f"make one: await (await client.create_index({', '.join(parts)})).wait()"

    def __str__(self) -> str:
        return self.text


def equals(
    source: Source, value: int | str | bytes, *, ctx: ContextLike | None = None, index: str | None = None
) -> Predicate:
    """The indexed value equals ``value``.

    Args:
        source: the bin's name, or the expression that is indexed; None with ``index``.
        value: an int, a str or bytes; of up to 2047 bytes.
        ctx: the context of the value within the bin.
        index: the name of the index.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _predicate("equals", source, _scalar("equals", value), Collection.NONE, ctx, index, repr(value))


def between(
    source: Source, low: int, high: int, *, ctx: ContextLike | None = None, index: str | None = None
) -> Predicate:
    """The indexed integer is from ``low`` to ``high``, both included.

    Args:
        source, ctx, index: as in :func:`equals`.
        low, high: ints of 64 bits.

    Raises:
        InvalidArgError: an argument is invalid, or ``low`` is greater than ``high``.
    """
    ends = _interval("between", low, high)
    return _predicate("between", source, ends, Collection.NONE, ctx, index, f"{low!r}, {high!r}")


def contains(
    source: Source,
    collection: Collection,
    value: int | str | bytes,
    *,
    ctx: ContextLike | None = None,
    index: str | None = None,
) -> Predicate:
    """A list, or the keys or values of a map, contain ``value``.

    Args:
        source, ctx, index: as in :func:`equals`.
        collection: LIST, MAP_KEYS or MAP_VALUES.
        value: an int, a str or bytes.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    kind = _element_kind("contains", collection)
    ends = _scalar("contains", value)
    return _predicate("contains", source, ends, kind, ctx, index, f"Collection.{kind.name}, {value!r}")


def contains_between(
    source: Source,
    collection: Collection,
    low: int,
    high: int,
    *,
    ctx: ContextLike | None = None,
    index: str | None = None,
) -> Predicate:
    """A list, or the keys or values of a map, contain an integer from ``low`` to ``high``, both included.

    The server may find a record once for each such element; a query returns it once, and keeps the digests of
    returned records for that.

    Args:
        source, ctx, index: as in :func:`equals`.
        collection: LIST, MAP_KEYS or MAP_VALUES.
        low, high: ints of 64 bits.

    Raises:
        InvalidArgError: an argument is invalid, or ``low`` is greater than ``high``.
    """
    kind = _element_kind("contains_between", collection)
    ends = _interval("contains_between", low, high)
    text = f"Collection.{kind.name}, {low!r}, {high!r}"
    return _predicate("contains_between", source, ends, kind, ctx, index, text)


def within_region(
    source: Source,
    region: GeoJSON | str,
    *,
    collection: Collection = Collection.NONE,
    ctx: ContextLike | None = None,
    index: str | None = None,
) -> Predicate:
    """The indexed points lie within a region.

    Args:
        source, ctx, index: as in :func:`equals`.
        region: a Polygon, MultiPolygon or AeroCircle in GeoJSON.
        collection: LIST or MAP_VALUES where several points are kept.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _geo("within_region", source, region, collection, ctx, index)


def with_point(
    source: Source,
    point: GeoJSON | str,
    *,
    collection: Collection = Collection.NONE,
    ctx: ContextLike | None = None,
    index: str | None = None,
) -> Predicate:
    """The indexed regions contain a point.

    Args:
        source, ctx, index: as in :func:`equals`.
        point: a Point in GeoJSON.
        collection: LIST or MAP_VALUES where several regions are kept.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _geo("with_point", source, point, collection, ctx, index)


# --- checks ----------------------------------------------------------------------------------------------------------

_Ends: TypeAlias = tuple[IndexType, bytes, bytes]
_PARTICLES = {
    IndexType.NUMERIC: wire.PARTICLE_INTEGER,
    IndexType.STRING: wire.PARTICLE_STRING,
    IndexType.BLOB: wire.PARTICLE_BLOB,
    IndexType.GEO2DSPHERE: wire.PARTICLE_GEOJSON,
}


def _scalar(what: str, value: object) -> _Ends:
    where = f"{what}.value"
    if isinstance(value, int) and not isinstance(value, bool) and _INT_MIN <= value <= _INT_MAX:
        end = integer_end(value)
        return IndexType.NUMERIC, end, end
    if isinstance(value, str):
        data = checked_text(where, value, 0, INDEX_VALUE_MAX).encode()
        return IndexType.STRING, data, data
    if isinstance(value, (bytes, bytearray, memoryview)) and len(bytes(value)) <= INDEX_VALUE_MAX:
        data = bytes(value)
        return IndexType.BLOB, data, data
    raise refused(where, value, _SCALAR_ALLOWED)


def _interval(what: str, low: object, high: object) -> _Ends:
    first = checked_int(f"{what}.low", low, _INT_MIN, _INT_MAX)
    last = checked_int(f"{what}.high", high, _INT_MIN, _INT_MAX)
    if first > last:
        raise refused(f"{what}.high", high, f"an int of {first} (low) or more")
    return IndexType.NUMERIC, integer_end(first), integer_end(last)


def _element_kind(what: str, collection: object) -> Collection:
    kind = checked_enum(f"{what}.collection", collection, Collection)
    if kind is Collection.NONE:
        raise refused(
            f"{what}.collection", collection, "Collection.LIST, MAP_KEYS or MAP_VALUES; equals takes no other"
        )
    return kind


def _geo(
    what: str, source: Source, shape: object, collection: object, ctx: ContextLike | None, index: str | None
) -> Predicate:
    text = shape.text if isinstance(shape, GeoJSON) else shape
    if not isinstance(text, str):
        raise refused(f"{what}: the shape", shape, "a GeoJSON, or its text")
    data = checked_text(f"{what}: the shape", text, 1, _GEO_MAX).encode()
    kind = checked_enum(f"{what}.collection", collection, Collection)
    if kind is Collection.MAP_KEYS:
        raise refused(f"{what}.collection", collection, "NONE, LIST or MAP_VALUES: no key of a map is a place")
    return _predicate(what, source, (IndexType.GEO2DSPHERE, data, data), kind, ctx, index, repr(text))


def _predicate(
    what: str,
    source: Source,
    ends: _Ends,
    collection: Collection,
    ctx: ContextLike | None,
    index: str | None,
    arguments: str,
) -> Predicate:
    type_, begin, end = ends
    bin_name, expression = "", None
    if index is not None:
        checked_text(f"{what}.index", index, 1, INDEX_NAME_MAX)
        if source is not None or ctx is not None:
            raise InvalidArgError(f"{what}: got an index by name beside a bin, an expression or a ctx, allowed: either")
        subject = f"index={index!r}"
    elif isinstance(source, str):
        bin_name = checked_bin_name(source, f"{what}.source")
        subject = repr(source)
    else:
        expression = packed_source(f"{what}.source", source)
        if ctx is not None:
            raise refused(f"{what}.ctx", ctx, "None beside an expression, which leads to its value by itself")
        subject = repr(source)
    context = None if ctx is None else encode_context(ctx)
    return Predicate(
        Range(bin_name, _PARTICLES[type_], begin, end),
        type_,
        collection,
        f"{what}({subject}, {arguments})",
        index,
        context,
        expression,
    )


def packed_source(where: str, source: Any) -> bytes:
    """The packed form of an expression that is indexed.

    Raises:
        InvalidArgError: it is not an expression.
    """
    if isinstance(source, bytes) and source:
        return source
    if encodes_itself(source):
        packed = source.encode()
        if isinstance(packed, bytes):
            return packed
    raise refused(where, source, "a bin's name, an expression, or None with the name of an index")
