"""Literals: the values that expressions can hold, packed and as Python source."""

from __future__ import annotations

import math
from typing import Any, Final

from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.value_types import GeoJSON, HyperLogLog, OrderedList, OrderedMap, Special, TypedBlob
from trio_aerospike.errors import InvalidArgError, ProtocolError
from trio_aerospike.exp._encode import quoted_list
from trio_aerospike.exp._types import Kind
from trio_aerospike.validation import refused

ALLOWED: Final = (
    "an expression, or an int of 64 bits, float, str, bytes, bool, None, list, dict, GeoJSON, HyperLogLog, INFINITY or "
    "WILDCARD"
)

_KINDS: Final[tuple[tuple[type | tuple[type, ...], Kind], ...]] = (
    (bool, Kind.BOOL),
    (int, Kind.INT),
    (float, Kind.FLOAT),
    (str, Kind.STRING),
    (HyperLogLog, Kind.HLL),  # which is bytes as well
    ((bytes, bytearray, memoryview), Kind.BLOB),
    (type(None), Kind.NIL),
    ((list, tuple), Kind.LIST),
    (dict, Kind.MAP),
    (GeoJSON, Kind.GEO),
    (Special, Kind.EXTREME),
)


def literal_kind(content: object, where: str) -> Kind:
    """The kind of a Python value.

    Raises:
        InvalidArgError: expressions cannot hold it.
    """
    for types, kind in _KINDS:
        if isinstance(content, types):
            return kind
    raise refused(where, content, ALLOWED)


def packed(content: object, where: str) -> bytes:
    """Pack a Python value.

    Raises:
        InvalidArgError: the database cannot hold the value, or something in it.
    """
    try:
        return pack_value(content, comparison=True)
    except InvalidArgError as error:
        raise InvalidArgError(f"{where}: {error}") from None


def literal_source(data: bytes) -> str:
    """Write Python source that packs to the same bytes as a packed value.

    Names in it are those of :mod:`trio_aerospike`, INFINITY and WILDCARD those of :mod:`trio_aerospike.exp`.
    """
    try:
        content = unpack_value(data)
        if pack_value(content, comparison=True) == data:
            return _written(content)
    except (InvalidArgError, ProtocolError):
        pass
    # Other clients may pack longer than needed or out of order; and there are NaNs that Python cannot write.
    return f"exp.from_bytes({quoted_list(data)!r})"


def _written(content: Any) -> str:
    if isinstance(content, float) and not math.isfinite(content):
        if math.isnan(content) and pack_value(content) != pack_value(math.nan):
            raise InvalidArgError("a NaN that Python cannot write")
        return f"float('{content}')"
    if isinstance(content, Special):
        return f"exp.{content!r}"
    if isinstance(content, (GeoJSON, HyperLogLog, TypedBlob)):
        return repr(content)
    if isinstance(content, list):
        items = f"[{', '.join([_written(item) for item in content])}]"
        return f"OrderedList({items}, order={content.order})" if isinstance(content, OrderedList) else items
    if isinstance(content, dict):
        pairs = [f"{_written(key)}: {_written(item)}" for key, item in content.items()]
        items = f"{{{', '.join(pairs)}}}"
        return f"OrderedMap({items}, order={content.order})" if isinstance(content, OrderedMap) else items
    return repr(content)
