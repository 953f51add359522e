"""GeoJSON values: checked, and points get the S2 cell that the server stores with them.

The cell of a point is computed as the S2 library does (s2cell_id: face, u and v by the quadratic projection, a
Hilbert curve of 30 levels). Regions are stored without a covering: only queries would use it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import ResultCode
from .results import Refused

_REGIONS = {"Polygon", "MultiPolygon", "AeroCircle"}
_IS_REGION = 1

# The Hilbert curve's steps: for an orientation, the position of each of the four quadrants (i, j), and what the
# orientation becomes there.
_SWAP, _INVERT = 1, 2
_IJ_TO_POSITION = ((0, 1, 3, 2), (0, 3, 1, 2), (2, 3, 1, 0), (2, 1, 3, 0))
_POSITION_TO_ORIENTATION = (_SWAP, 0, 0, _INVERT | _SWAP)
_LEVELS = 30


def geojson_particle(data: bytes) -> bytes:
    """A GeoJSON value as it is stored: flags, number of cells, cells, text; cells that a client sends are ignored.

    Raises:
        Refused: GEO_INVALID_GEOJSON, the text is no GeoJSON that the server knows.
    """
    n_cells = int.from_bytes(data[1:3], "big")
    if len(data) < 3 + 8 * n_cells:
        raise Refused(ResultCode.GEO_INVALID_GEOJSON)
    text = data[3 + 8 * n_cells :]
    try:
        shape = json.loads(text)
        if shape.get("type") == "Feature":
            shape = shape["geometry"]
        if shape["type"] == "Point":
            longitude, latitude = shape["coordinates"][:2]
            if not (abs(latitude) <= 90 and abs(longitude) <= 180):
                raise ValueError("not a place on earth")
            return b"\0\0\1" + point_cell(float(latitude), float(longitude)).to_bytes(8, "big") + text
        if shape["type"] in _REGIONS:
            _check_region(shape)
            return bytes((_IS_REGION,)) + b"\0\0" + text
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused(ResultCode.GEO_INVALID_GEOJSON) from error
    raise Refused(ResultCode.GEO_INVALID_GEOJSON)


def _check_region(shape: Any) -> None:
    coordinates = shape["coordinates"]
    if shape["type"] == "AeroCircle":
        (longitude, latitude), radius = coordinates
        if not all(math.isfinite(float(number)) for number in (longitude, latitude, radius)):
            raise ValueError("not a circle")
        return
    polygons = [coordinates] if shape["type"] == "Polygon" else coordinates
    for polygon in polygons:
        for ring in polygon:
            if len(ring) < 4 or ring[0] != ring[-1]:
                raise ValueError("a ring is not closed")
            for longitude, latitude in ring:
                float(longitude), float(latitude)


def point_cell(latitude: float, longitude: float) -> int:
    """The id of the S2 leaf cell that a point lies in (degrees)."""
    phi, theta = math.radians(latitude), math.radians(longitude)
    x, y, z = math.cos(theta) * math.cos(phi), math.sin(theta) * math.cos(phi), math.sin(phi)
    face, u, v = _face_uv(x, y, z)
    i, j = _leaf(u), _leaf(v)
    orientation = face & _SWAP
    position = 0
    for level in range(_LEVELS - 1, -1, -1):
        quadrant = ((i >> level) & 1) << 1 | ((j >> level) & 1)
        step = _IJ_TO_POSITION[orientation][quadrant]
        position = position << 2 | step
        orientation ^= _POSITION_TO_ORIENTATION[step]
    return face << 61 | position << 1 | 1


def _face_uv(x: float, y: float, z: float) -> tuple[int, float, float]:
    axis = max(range(3), key=lambda number: abs((x, y, z)[number]))
    face = axis if (x, y, z)[axis] >= 0 else axis + 3
    if face == 0:
        return face, y / x, z / x
    if face == 1:
        return face, -x / y, z / y
    if face == 2:
        return face, -x / z, -y / z
    if face == 3:
        return face, z / x, y / x
    if face == 4:
        return face, z / y, -x / y
    return face, -y / z, -x / z


def _leaf(coordinate: float) -> int:
    if coordinate >= 0:
        s = 0.5 * math.sqrt(1 + 3 * coordinate)
    else:
        s = 1 - 0.5 * math.sqrt(1 - 3 * coordinate)
    return max(0, min((1 << _LEVELS) - 1, math.floor(s * (1 << _LEVELS))))
