"""GeoJSON values: the S2 cells of points, what is within regions, and the cells that cover them."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from trio_aerospike.errors import ResultCode
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.geo.geojson import geojson_particle, point_cell, shape_of


def test_the_cell_of_a_point_is_the_one_that_a_real_server_stores() -> None:
    # Both were read back from one: tests/data/exchanges.jsonl, and a comparison run.
    assert point_cell(37.5, -122.0) == 0x808FB8A247954393
    assert point_cell(2.0, 1.0) == 0x10036E17CA9FB709


@pytest.mark.parametrize(
    ("latitude", "longitude", "face"),
    [(0, 0, 0), (0, 90, 1), (90, 0, 2), (0, 180, 3), (0, -90, 4), (-90, 0, 5), (-12, -80, 4)],
)
def test_every_face_of_the_cube(latitude: float, longitude: float, face: int) -> None:
    cell = point_cell(latitude, longitude)
    assert cell >> 61 == face and cell & 1 == 1


def test_a_point_gets_its_cell_and_a_region_its_flag() -> None:
    point = b'{"type": "Point", "coordinates": [-122.0, 37.5]}'
    assert geojson_particle(b"\0\0\0" + point) == b"\0\0\1" + bytes.fromhex("808fb8a247954393") + point
    circle = b'{"type": "AeroCircle", "coordinates": [[-122.0, 37.5], 100]}'
    stored = geojson_particle(b"\0\0\0" + circle)
    assert stored[0] == 1 and stored.endswith(circle)
    assert geojson_particle(b"\0\0\1" + bytes(8) + circle) == stored, "a client's cells are ignored"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b'{"type": "Line", "coordinates": [1, 2]}',
        b'{"type": "Point", "coordinates": [1]}',
        b'{"type": "Point", "coordinates": [1, 91]}',
        b'{"type": "Point", "coordinates": ["a", "b"]}',
        b'{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 0]]]}',
        b'{"type": "Feature", "geometry": null}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_geojson_is_refused(text: bytes) -> None:
    with pytest.raises(Refused) as caught:
        geojson_particle(b"\0\0\0" + text)
    assert caught.value.result == ResultCode.GEO_INVALID_GEOJSON


def test_cells_that_do_not_fit_are_refused() -> None:
    with pytest.raises(Refused):
        geojson_particle(b"\0\0\5{}")


# Regions --------------------------------------------------------------------------------------------------------


def region(*rings: list[list[float]]) -> bytes:
    return json.dumps({"type": "Polygon", "coordinates": list(rings)}).encode()


def is_within(longitude: float, latitude: float, text: bytes) -> bool:
    place = json.dumps({"type": "Point", "coordinates": [longitude, latitude]}).encode()
    return shape_of(text).contains(shape_of(place))


SQUARE = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]
HOLE = [[4.0, 4.0], [4.0, 6.0], [6.0, 6.0], [6.0, 4.0], [4.0, 4.0]]
ACROSS_THE_DATE_LINE = [[170.0, -10.0], [-170.0, -10.0], [-170.0, 10.0], [170.0, 10.0], [170.0, -10.0]]
MULTIPLE = json.dumps(
    {"type": "MultiPolygon", "coordinates": [[SQUARE], [[[x + 40, y + 40] for x, y in SQUARE]]]}
).encode()
AROUND_THE_POLE = [[0.0, 80.0], [120.0, 80.0], [-120.0, 80.0], [0.0, 80.0]]


@pytest.mark.parametrize(
    ("longitude", "latitude", "text", "within"),
    [
        (5, 5, region(SQUARE), True),
        (15, 5, region(SQUARE), False),
        (5, 5, region(SQUARE[::-1]), True),
        (15, 5, region(SQUARE[::-1]), False),
        (5, 5, region(SQUARE, HOLE), False),
        (3, 3, region(SQUARE, HOLE), True),
        (5, 5, region(HOLE, SQUARE), False),
        (180, 0, region(ACROSS_THE_DATE_LINE), True),
        (0, 0, region(ACROSS_THE_DATE_LINE), False),
        (50, 89, region(AROUND_THE_POLE), True),
        (60, 81, region(AROUND_THE_POLE), False),
        (5, 10.01, region(SQUARE), True),
        (0.01, 10.01, region(SQUARE), False),
        (0.008, 0, b'{"type":"AeroCircle","coordinates":[[0,0],1000]}', True),
        (0.01, 0, b'{"type":"AeroCircle","coordinates":[[0,0],1000]}', False),
        (0, 0, b'{"type":"AeroCircle","coordinates":[[0,0],-1]}', False),
        (0, 0, b'{"type":"Polygon","coordinates":[]}', False),
        (41, 41, MULTIPLE, True),
        (5, 5, MULTIPLE, True),
        (25, 25, MULTIPLE, False),
        (5, 5, b'{"type":"Feature","geometry":' + region(SQUARE) + b"}", True),
    ],
)
def test_points_within_regions(longitude: float, latitude: float, text: bytes, within: bool) -> None:
    # An edge along a parallel is the shorter way over the sphere: north of it in the middle.
    assert is_within(longitude, latitude, text) is within


def test_a_ring_contains_the_smaller_part_of_the_sphere() -> None:
    assert not is_within(100, 0, region(SQUARE)) and not is_within(100, 0, region(SQUARE[::-1]))


@pytest.mark.parametrize(
    "text",
    [
        b'{"type": "Polygon", "coordinates": [[[0, 0], [0, 0], [1, 1], [0, 0]]]}',
        b'{"type": "Polygon", "coordinates": [[[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1]]]}',
        b'{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 91], [0, 0]]]}',
        b'{"type": "Polygon"}',
        b'{"type": "AeroCircle", "coordinates": [[0, 0]]}',
        b'{"type": "AeroCircle", "coordinates": [[0, 0], "1"]}',
        b'{"type": "AeroCircle", "coordinates": [[0, 0], true]}',
        b'{"type": "AeroCircle", "coordinates": [[0, 0], 1e999]}',
        b'{"type": "AeroCircle", "coordinates": [[0, 0], 99999999999999999999]}',
        b'{"type": "AeroCircle", "coordinates": [[0, 0], NaN]}',
        b'{"type": "MultiPolygon", "coordinates": [1]}',
        b'{"type": 5, "coordinates": [0, 0]}',
        b'{"type": "Point", "coordinates": [0, 0]} x',
        b'\xff{"type": "Point", "coordinates": [0, 0]}',
        b'"Point"',
    ],
)
def test_what_is_no_region_is_refused(text: bytes) -> None:
    with pytest.raises(Refused) as caught:
        shape_of(text)
    assert caught.value.result == ResultCode.GEO_INVALID_GEOJSON


def test_a_region_that_takes_too_many_cells_is_known_but_not_stored() -> None:
    text = b'{"type":"AeroCircle","coordinates":[[-58, 60], 15000000.0]}'
    assert is_within(-58, 60, text)
    with pytest.raises(Refused):
        geojson_particle(b"\0\0\0" + text)


def recorded() -> list[dict[str, Any]]:
    path = Path(__file__).parents[2] / "data" / "geojson-stored.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_regions_get_the_cells_that_a_real_server_stores() -> None:
    # tests/integration/real/test_expressions.py compares such shapes with a server at hand.
    rows = recorded()
    assert sum(row["result"] == 0 for row in rows) > 100
    for row in rows:
        text = row["text"].encode()
        try:
            front = geojson_particle(b"\0\0\0" + text).removesuffix(text).hex()
            result = ResultCode.OK
        except Refused as refused:
            front, result = "", refused.result
        assert (result, front) == (row["result"], row.get("front", "")), row["text"]


def test_a_region_of_many_corners_is_covered_in_reasonable_time() -> None:
    # Generous: it takes a fraction of a second. What must not be is a time that grows with the square of the corners.
    angles = [number * math.tau / 2000 for number in range(2000)]
    corners = [[20 + 10 * math.cos(angle), 10 * math.sin(angle)] for angle in angles]
    began = time.process_time()
    stored = geojson_particle(b"\0\0\0" + region([*corners, corners[0]]))
    assert int.from_bytes(stored[1:3], "big") > 0
    assert time.process_time() - began < 60
