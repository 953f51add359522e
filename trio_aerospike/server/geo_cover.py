"""Cells that cover a region, as the S2 library chooses them (s2region_coverer.cc)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .geo_polygons import Polygon
from .geo_vectors import Point


class Region(Protocol):
    """Something that contains points."""

    def contains(self, point: Point, /) -> bool:
        """Whether a point is within."""
        ...


class Union:
    """Several polygons as one region."""

    def __init__(self, parts: Sequence[Polygon]) -> None:
        self.parts = list(parts)

    def contains(self, point: Point) -> bool:
        """Whether any of them contains a point."""
        return any(part.contains(point) for part in self.parts)


def covering(region: Region) -> list[int]:
    """The cells."""
    return []
