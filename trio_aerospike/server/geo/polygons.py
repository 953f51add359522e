"""Polygons on the sphere, with the S2 library's tests for points and cells (s2loop.cc, s2polygon.cc).

The edges are geodesics. A ring may run in either direction: its inside is the smaller part. With nested rings, a point
is inside if an odd number of them contains it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .bounds import Bounder, Rectangle
from .caps import Cap
from .index import START, ShapeIndex
from .vectors import (
    EPSILON,
    ORIGIN,
    Point,
    angle_contains_vertex,
    cross,
    dot,
    edges_cross,
    minus,
    norm,
    plus,
    sign,
)

_NORTH: Point = (0.0, 0.0, 1.0)
_SOUTH: Point = (0.0, 0.0, -1.0)
_CURVATURE_ERROR = 11.25 * EPSILON


class Loop:
    """A closed ring (loop), without the repetition of its first point.

    Args:
        points: at least three, without equal neighbors.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points: list[Point] = list(points)
        self._origin_inside = False
        self._find_inside()
        self.bound: Rectangle = self._bound()
        if not self._is_normalized():
            self._invert()

    def contains(self, point: Point) -> bool:
        """Whether it contains a point."""
        inside = self._origin_inside
        previous = self.points[-1]
        for vertex in self.points:
            inside ^= edges_cross(ORIGIN, point, previous, vertex)
            previous = vertex
        return inside

    def _find_inside(self) -> None:
        a, b, c = self.points[:3]
        inside = a != b and c != b and angle_contains_vertex(a, b, c)
        self._origin_inside = inside != self.contains(b)

    def _bound(self) -> Rectangle:
        bounder = Bounder()
        for vertex in (*self.points, self.points[0]):
            bounder.add(vertex)
        bound = bounder.bound()
        if self.contains(_NORTH):
            bound = Rectangle(bound.lat_low, math.pi / 2, -math.pi, math.pi)
        if bound.is_around and self.contains(_SOUTH):
            bound = Rectangle(-math.pi / 2, bound.lat_high, bound.lng_low, bound.lng_high)
        return bound

    def _is_normalized(self) -> bool:
        """Whether its area is at most half of the sphere."""
        if self.bound.lng_length < math.pi:
            return True
        points = _without_spikes(self.points)
        return _curvature(points) >= -_CURVATURE_ERROR * len(self.points)

    def _invert(self) -> None:
        self.points.reverse()
        self._origin_inside = not self._origin_inside
        if self.bound.lat_low > -math.pi / 2 and self.bound.lat_high < math.pi / 2:
            self.bound = Rectangle.full()
        else:
            self.bound = self._bound()


def _without_spikes(points: Sequence[Point]) -> list[Point]:
    """The ring without edges that go back along the previous one."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        if len(kept) >= 2 and point == kept[-2]:
            kept.pop()
        else:
            kept.append(point)
    if len(kept) < 3:
        return []
    if kept[0] == kept[-1]:
        kept.pop()
    n_spikes = 0
    while kept[n_spikes + 1] == kept[-(n_spikes + 1)]:
        n_spikes += 1
    return kept[n_spikes : len(kept) - n_spikes]


def _curvature(points: Sequence[Point]) -> float:
    """The sum of the left turns of the ring: 2 pi minus its area."""
    if not points:
        return 2 * math.pi
    n = len(points)
    total = math.fsum(_turn(points[i - 1], points[i], points[(i + 1) % n]) for i in range(n))
    limit = 2 * math.pi - 4 * EPSILON
    return max(-limit, min(limit, total))


def _turn(a: Point, b: Point, c: Point) -> float:
    one, other = cross(minus(a, b), plus(a, b)), cross(minus(b, c), plus(b, c))
    angle = math.atan2(norm(cross(one, other)), dot(one, other))
    return angle if sign(a, b, c) > 0 else -angle


class Polygon:
    """Rings, of which nested ones are holes.

    Args:
        loops: empty for an empty polygon.
    """

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.loops: list[Loop] = list(loops)
        self._index: ShapeIndex | None = None

    def contains(self, point: Point) -> bool:
        """Whether it contains a point."""
        inside = False
        for loop in self.loops:
            inside ^= loop.contains(point)
        return inside

    def bound(self) -> Rectangle:
        """Its bounding rectangle."""
        bound = Rectangle.empty()
        for loop in self.loops:
            bound = bound.union(loop.bound)
        return bound

    def cells_around(self) -> list[int]:
        """A few cells that cover it."""
        return self._cells().bound()

    def meets_cell(self, cell: int) -> bool:
        """Whether it intersects a cell."""
        return self._cells().meets(cell)

    def contains_cell(self, cell: int) -> bool:
        """Whether it contains a cell."""
        return self._cells().contains(cell)

    def _cells(self) -> ShapeIndex:
        if self._index is None:
            self._index = ShapeIndex(self._edges(), contains_start=self.contains(START))
        return self._index

    def _edges(self) -> list[tuple[Point, Point]]:
        return [
            (loop.points[number], loop.points[(number + 1) % len(loop.points)])
            for loop in self.loops
            for number in range(len(loop.points))
        ]


class Union:
    """Several polygons as one region."""

    def __init__(self, parts: Sequence[Polygon]) -> None:
        self.parts: list[Polygon] = list(parts)

    def contains(self, point: Point) -> bool:
        """Whether any of them contains a point."""
        return any(part.contains(point) for part in self.parts)

    def cells_around(self) -> list[int]:
        """A few cells that cover all of them."""
        bound = Rectangle.empty()
        for part in self.parts:
            bound = bound.union(part.bound())
        return Cap.around(bound).cells_around()

    def meets_cell(self, cell: int) -> bool:
        """Whether any of them intersects a cell."""
        return any(part.meets_cell(cell) for part in self.parts)

    def contains_cell(self, cell: int) -> bool:
        """Whether one of them contains a cell."""
        return any(part.contains_cell(cell) for part in self.parts)
