"""Predicates of queries, served by secondary indexes: tuples for ``query.where``, as in aerospike_py 0.14.4.

::

    from aerospike_py import predicates

    query = client.query("test", "users")
    query.where(predicates.between("age", 18, 30))
    records = query.results()

``where`` checks them. Unlike the original, this package serves geospatial predicates. It warns about them as the
original does, because a program with such queries does not run on both.
"""

from __future__ import annotations

import warnings
from typing import Any

__all__ = [
    "between",
    "contains",
    "equals",
    "geo_contains_geojson_point",
    "geo_within_geojson_region",
    "geo_within_radius",
]


def equals(bin_name: str, val: Any) -> tuple[str, str, Any]:
    """The bin's value is ``val``: an int, a str or bytes."""
    return ("equals", bin_name, val)


def between(bin_name: str, min_val: Any, max_val: Any) -> tuple[str, str, Any, Any]:
    """The bin's value is an integer from ``min_val`` to ``max_val``, inclusive."""
    return ("between", bin_name, min_val, max_val)


def contains(bin_name: str, index_type: int, val: Any) -> tuple[str, str, int, Any]:
    """The bin's list or map contains ``val``.

    Args:
        bin_name: The bin.
        index_type: INDEX_TYPE_LIST, INDEX_TYPE_MAPKEYS or INDEX_TYPE_MAPVALUES; INDEX_TYPE_DEFAULT for the bin's
            value itself.
        val: An int, a str or bytes.
    """
    return ("contains", bin_name, index_type, val)


def geo_within_geojson_region(bin_name: str, geojson: str) -> tuple[str, str, str]:
    """The bin's point lies within a region, given as GeoJSON."""
    _warn_of_geo_predicates()
    return ("geo_within_geojson_region", bin_name, geojson)


def geo_within_radius(bin_name: str, lat: float, lng: float, radius: float) -> tuple[str, str, float, float, float]:
    """The bin's point lies within ``radius`` meters of a latitude and a longitude, in degrees."""
    _warn_of_geo_predicates()
    return ("geo_within_radius", bin_name, lat, lng, radius)


def geo_contains_geojson_point(bin_name: str, geojson: str) -> tuple[str, str, str]:
    """The bin's region contains a point, given as GeoJSON."""
    _warn_of_geo_predicates()
    return ("geo_contains_geojson_point", bin_name, geojson)


def _warn_of_geo_predicates() -> None:
    warnings.warn(
        "Geo filters are not yet supported by aerospike-py 0.14.4, where the query ends in a ClientError; "
        "trio-aerospike-compat serves them",
        FutureWarning,
        stacklevel=3,
    )
