"""GeoJSON values and the S2 cells of points."""

from __future__ import annotations

import pytest

from trio_aerospike.errors import ResultCode
from trio_aerospike.server.geo import geojson_particle, point_cell
from trio_aerospike.server.results import Refused


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
