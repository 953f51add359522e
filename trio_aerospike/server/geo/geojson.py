"""Parse GeoJSON values, store them with their S2 cells, and test which regions contain which points.

A point is represented by its S2 leaf cell (of about a centimetre) in all comparisons. Facts: the
server's as/src/geospatial/geojson.cc, geospatial.cc and as/src/base/particle_geojson.c.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NoReturn, Protocol, TypeAlias

import attrs

from ...errors import ResultCode
from ..exceptions import Refused
from .caps import Cap
from .cells import cell_at, center, point_cell as point_cell
from .cover import MAX_CELLS, Region, covering
from .polygons import Loop, Polygon, Union
from .vectors import Point, from_degrees

EARTH_RADIUS: Final = 6_371_000.0
"""In metres, for circles."""
CACHED_SHAPES = 512
_IS_REGION = 1
_INT64 = 1 << 63
_INTEGER_DIGITS = 19


class InvalidGeoJSON(Exception):
    """The text is invalid GeoJSON, or of a kind that the server does not support."""


@attrs.frozen
class Place:
    """A point, as its leaf cell."""

    cell: int

    def contains(self, other: Shape) -> bool:
        """Points contain nothing."""
        return False


class Area:
    """A region: polygons or a circle."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def contains(self, other: Shape) -> bool:
        """Whether it contains a point; regions are not compared with each other."""
        return isinstance(other, Place) and self.region.contains(center(other.cell))


Shape: TypeAlias = Place | Area


def geojson_particle(data: bytes) -> bytes:
    """The stored form of a GeoJSON value: flags, number of cells, cells, text.

    The cells are a point's own, or the covering of a region; those that a client sends are ignored.

    Raises:
        Refused: GEO_INVALID_GEOJSON, the text is invalid or not supported, or the covering has too many cells.
    """
    n_cells = int.from_bytes(data[1:3], "big")
    if len(data) < 3 + 8 * n_cells:
        raise Refused(ResultCode.GEO_INVALID_GEOJSON)
    text = data[3 + 8 * n_cells :]
    return _front(text) + text


def geojson_text(data: bytes) -> bytes:
    """The text of a stored GeoJSON value, without flags and cells."""
    return data[3 + 8 * int.from_bytes(data[1:3], "big") :]


def shape_of(text: bytes) -> Shape:
    """Parse the shape of a GeoJSON text. Raises `Refused`: GEO_INVALID_GEOJSON, it is invalid or not supported."""
    return _shape(text)


@lru_cache(CACHED_SHAPES)
def _shape(text: bytes) -> Shape:
    try:
        return _parsed(text)
    except (InvalidGeoJSON, ValueError, OverflowError, RecursionError) as error:
        raise Refused(ResultCode.GEO_INVALID_GEOJSON) from error


@lru_cache(CACHED_SHAPES)
def _front(text: bytes) -> bytes:
    shape = _shape(text)
    flags, cells = (0, [shape.cell]) if isinstance(shape, Place) else (_IS_REGION, covering(shape.region))
    if len(cells) > MAX_CELLS:
        raise Refused(ResultCode.GEO_INVALID_GEOJSON)
    packed = b"".join(cell.to_bytes(8, "big") for cell in cells)
    return bytes((flags,)) + len(cells).to_bytes(2, "big") + packed


# Text ---------------------------------------------------------------------------------------------------------


_ESCAPED = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


def _refuse_escapes(text: bytes) -> None:
    """Refuse an escaped NUL and unpaired surrogates: Python's parser accepts them, the server's (jansson) does not."""
    if rb"\u" not in text:
        return
    awaited = -1  # where the second half of a surrogate pair must be
    for match in _ESCAPED.finditer(text):
        unit = int(match[1], 16) if match[1] else -1
        is_low = 0xDC00 <= unit <= 0xDFFF
        if unit == 0 or is_low != (awaited >= 0) or (is_low and match.start() != awaited):
            raise InvalidGeoJSON("a NUL or half of a surrogate pair")
        awaited = match.end() if 0xD800 <= unit <= 0xDBFF else -1
    if awaited >= 0:
        raise InvalidGeoJSON("half of a surrogate pair")


def _parsed(text: bytes) -> Shape:
    _refuse_escapes(text)
    whole = json.loads(text.decode(), parse_constant=_refuse, parse_int=_integer, parse_float=_float)
    shape = _object(whole)
    if _name(shape.get("type")) == "Feature":
        shape = _object(shape.get("geometry"))
    read = _SHAPES.get(_name(shape.get("type")))
    if read is None:
        raise InvalidGeoJSON("a shape that the server does not know")
    return read(shape.get("coordinates"))


def _refuse(name: str) -> NoReturn:
    raise InvalidGeoJSON(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS + 1:
        raise InvalidGeoJSON("an integer of more than 64 bits")
    number = int(digits)
    if not -_INT64 <= number < _INT64:
        raise InvalidGeoJSON("an integer of more than 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise InvalidGeoJSON("a number that is too large")
    return number


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidGeoJSON("no object")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidGeoJSON("no name")
    return value


def _array(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise InvalidGeoJSON("no array")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidGeoJSON("no number")
    return float(value)


# Shapes -------------------------------------------------------------------------------------------------------


def _position(value: Any) -> Point:
    numbers = _array(value)
    if len(numbers) != 2:
        raise InvalidGeoJSON("a position has two coordinates")
    longitude, latitude = map(_number, numbers)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise InvalidGeoJSON("no place on earth")
    return from_degrees(latitude, longitude)


def _place(coordinates: Any) -> Shape:
    return Place(cell_at(_position(coordinates)))


def _loop(value: Any) -> Loop:
    points: list[Point] = []
    for item in _array(value):
        point = _position(item)
        if not points or point != points[-1]:
            points.append(point)
    if len(points) < 4 or points[0] != points[-1]:
        raise InvalidGeoJSON("a ring has three points at least, and ends where it begins")
    return Loop(points[:-1])


def _polygon(value: Any) -> Polygon:
    return Polygon([_loop(ring) for ring in _array(value)])


def _polygon_area(coordinates: Any) -> Shape:
    return Area(_polygon(coordinates))


def _polygons_area(coordinates: Any) -> Shape:
    return Area(Union([_polygon(polygon) for polygon in _array(coordinates)]))


def _circle_area(coordinates: Any) -> Shape:
    parts = _array(coordinates)
    if len(parts) != 2:
        raise InvalidGeoJSON("a circle has a center and a radius")
    return Area(Cap(_position(parts[0]), _number(parts[1]) / EARTH_RADIUS))


class _Read(Protocol):
    def __call__(self, coordinates: Any, /) -> Shape: ...


_SHAPES: dict[str, _Read] = {
    "Point": _place,
    "Polygon": _polygon_area,
    "MultiPolygon": _polygons_area,
    "AeroCircle": _circle_area,
}
