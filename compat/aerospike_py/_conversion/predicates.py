"""Convert the predicates of queries: tuples, as the functions of ``aerospike_py.predicates`` make them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from trio_aerospike import predicates
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.indexes import Collection
from trio_aerospike.validation import checked_bin_name, refused, shown

from .. import _constants as constants

_COLLECTIONS: Final = {
    constants.INDEX_TYPE_DEFAULT: None,
    constants.INDEX_TYPE_LIST: Collection.LIST,
    constants.INDEX_TYPE_MAPKEYS: Collection.MAP_KEYS,
    constants.INDEX_TYPE_MAPVALUES: Collection.MAP_VALUES,
}
#: Half the circumference of the earth in meters, rounded up.
_RADIUS_MAX: Final = 20_100_000.0


def _equals(bin_name: str, value: Any) -> predicates.Predicate:
    return _of_value("equals", predicates.equals, bin_name, value)


def _of_value(kind: str, make: Callable[..., predicates.Predicate], *args: Any) -> predicates.Predicate:
    """Make a predicate for a value, whose type may be one that no index holds."""
    try:
        return make(*args)
    except InvalidArgError as error:
        if isinstance(args[-1], (int, str, bytes)) and not isinstance(args[-1], bool):
            raise
        raise InvalidArgError(f"{error}. Predicate {kind!r} value has an unsupported type") from None


def _between(bin_name: str, low: Any, high: Any) -> predicates.Predicate:
    for name, bound in (("begin", low), ("end", high)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            allowed = "an int of 64 bits: Predicate 'between' requires integer bounds"
            raise refused(f"between.{name}", bound, allowed)
    return predicates.between(bin_name, low, high)


def _contains(bin_name: str, index_type: Any, value: Any) -> predicates.Predicate:
    if type(index_type) is not int or index_type not in _COLLECTIONS:
        allowed = ", ".join(f"{name} ({getattr(constants, name)})" for name in _INDEX_TYPES)
        text = f"{allowed}: Predicate 'contains' index_type {shown(index_type)} is invalid"
        raise refused("contains.index_type", index_type, text)
    collection = _COLLECTIONS[index_type]
    if collection is None:
        return _of_value("contains", predicates.equals, bin_name, value)
    return _of_value("contains", predicates.contains, bin_name, collection, value)


_INDEX_TYPES: Final = ("INDEX_TYPE_DEFAULT", "INDEX_TYPE_LIST", "INDEX_TYPE_MAPKEYS", "INDEX_TYPE_MAPVALUES")


def _within_radius(bin_name: str, latitude: Any, longitude: Any, radius: Any) -> predicates.Predicate:
    for name, value, low, high in (
        ("lat", latitude, -90.0, 90.0),
        ("lng", longitude, -180.0, 180.0),
        ("radius", radius, 0.0, _RADIUS_MAX),
    ):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and low <= value <= high):
            raise refused(f"geo_within_radius.{name}", value, f"a number from {low:g} to {high:g}")
    circle = {"type": "AeroCircle", "coordinates": [[longitude, latitude], radius]}
    return predicates.within_region(bin_name, json.dumps(circle))


_KINDS: Final[Mapping[str, tuple[Callable[..., predicates.Predicate], int]]] = {
    "equals": (_equals, 1),
    "between": (_between, 2),
    "contains": (_contains, 2),
    "geo_within_geojson_region": (predicates.within_region, 1),
    "geo_within_radius": (_within_radius, 3),
    "geo_contains_geojson_point": (predicates.with_point, 1),
}


def to_predicate(given: Any) -> predicates.Predicate:
    """Convert a tuple into a predicate.

    Raises:
        InvalidArgError: ``given`` is not a predicate, or no index can serve it.
    """
    allowed = "a predicate made by aerospike_py.predicates"
    if not isinstance(given, (tuple, list)):
        raise refused("where.predicate", given, allowed)
    if len(given) < 3:
        raise refused("where.predicate", given, f"{allowed}: a tuple, which must have at least 3 elements")
    kind = _KINDS.get(given[0]) if isinstance(given[0], str) else None
    if kind is None:
        text = f"{allowed}: {', '.join(_KINDS)}. Unknown predicate type: {shown(given[0])}"
        raise refused("where.predicate", given, text)
    make, count = kind
    if len(given) < count + 2:
        raise refused("where.predicate", given, f"a tuple: {given[0]!r} requires at least {count + 2} elements")
    checked_bin_name(given[1], "where.predicate: the bin")
    return make(*given[1 : count + 2])
