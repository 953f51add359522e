"""Circles on the sphere, called caps (S2 library: s2cap.cc, s1chord_angle.cc)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .bounds import Rectangle, middle_of
from .cells import cell_at, face_cell, to_xyz, uv_box, uv_on, vertex_neighbors
from .vectors import EPSILON, Point, cross, dot, from_radians, minus, normalized

_FULL = 4.0
_HEMISPHERE = 2.0
_MIN_WIDTH = 2 * math.sqrt(2) / 3
_MAX_LEVEL = 30


class Cap:
    """All points within a distance of a center.

    Args:
        middle: the center.
        angle: the radius in radians; negative for an empty cap.
    """

    length2: float
    """The squared chord length of the radius, by which distances are compared."""

    def __init__(self, middle: Point, angle: float) -> None:
        self.middle = middle
        if angle < 0:
            self.length2 = -1.0
        else:
            chord = 2 * math.sin(0.5 * min(math.pi, angle))
            self.length2 = chord * chord

    @classmethod
    def around(cls, bound: Rectangle) -> Cap:
        """A cap that bounds a rectangle: around its middle, or around a pole if that one is smaller."""
        if bound.is_empty:
            return cls((1.0, 0.0, 0.0), -1.0)
        if bound.lat_low + bound.lat_high < 0:
            pole, angle = -1.0, math.pi / 2 + bound.lat_high
        else:
            pole, angle = 1.0, math.pi / 2 - bound.lat_low
        of_pole = cls((0.0, 0.0, pole), (1 + 2 * EPSILON) * angle)
        if bound.lng_length < 2 * math.pi:
            latitude = 0.5 * (bound.lat_low + bound.lat_high)
            of_middle = cls(from_radians(latitude, middle_of(bound.lng_low, bound.lng_high)), 0.0)
            for corner_latitude in (bound.lat_low, bound.lat_high):
                for longitude in (bound.lng_low, bound.lng_high):
                    corner = from_radians(corner_latitude, longitude)
                    of_middle.length2 = max(of_middle.length2, _length2(of_middle.middle, corner))
            if of_middle.length2 < of_pole.length2:
                return of_middle
        return of_pole

    def contains(self, point: Point) -> bool:
        """Whether it contains a point."""
        return _length2(self.middle, point) <= self.length2

    # Cells ----------------------------------------------------------------------------------------------------

    def cells_around(self) -> list[int]:
        """Cells of about its size around the vertex nearest to its center; all faces if it is large."""
        angle = -1.0 if self.length2 < 0 else 2 * math.asin(0.5 * math.sqrt(self.length2))
        level = _MAX_LEVEL
        if angle > 0:
            level = max(0, min(_MAX_LEVEL, math.frexp(_MIN_WIDTH / angle)[1] - 1))
        if level == 0:
            return [face_cell(face) for face in range(6)]
        return vertex_neighbors(cell_at(self.middle), level - 1)

    def meets_cell(self, cell: int) -> bool:
        """Whether it intersects a cell."""
        corners = _corners(cell)
        return any(map(self.contains, corners)) or self._meets_sides(cell, corners)

    def contains_cell(self, cell: int) -> bool:
        """Whether it contains a cell."""
        corners = _corners(cell)
        return all(map(self.contains, corners)) and not self._outside()._meets_sides(cell, corners)

    def _outside(self) -> Cap:
        if self.length2 >= _FULL:
            return Cap((1.0, 0.0, 0.0), -1.0)
        if self.length2 < 0:
            return Cap((1.0, 0.0, 0.0), math.pi)
        x, y, z = self.middle
        other = Cap((-x, -y, -z), 0.0)
        other.length2 = _FULL - self.length2
        return other

    def _meets_sides(self, cell: int, corners: Sequence[Point]) -> bool:
        """Whether it intersects a cell none of whose vertices it contains."""
        if self.length2 >= _HEMISPHERE or self.length2 < 0:
            return False
        if _is_in(cell, self.middle):
            return True
        sine2 = self.length2 * (1 - 0.25 * self.length2)
        for number, side in enumerate(_sides(cell)):
            distance = dot(self.middle, side)
            if distance > 0:
                continue
            if distance * distance > sine2 * dot(side, side):
                return False
            direction = cross(side, self.middle)
            if dot(direction, corners[number]) < 0 and dot(direction, corners[(number + 1) % 4]) > 0:
                return True
        return False


def _length2(one: Point, other: Point) -> float:
    chord = minus(one, other)
    return min(_FULL, dot(chord, chord))


def _corners(cell: int) -> list[Point]:
    """The vertices of a cell, counterclockwise."""
    u_low, u_high, v_low, v_high = uv_box(cell)
    face = cell >> 61
    around = ((u_low, v_low), (u_high, v_low), (u_high, v_high), (u_low, v_high))
    return [normalized(to_xyz(face, u, v)) for u, v in around]


def _is_in(cell: int, point: Point) -> bool:
    face = cell >> 61
    if point[face] <= 0 if face < 3 else point[face - 3] >= 0:
        return False
    u, v = uv_on(face, point)
    u_low, u_high, v_low, v_high = uv_box(cell)
    return u_low - EPSILON <= u <= u_high + EPSILON and v_low - EPSILON <= v <= v_high + EPSILON


def _sides(cell: int) -> list[Point]:
    """The inward normals of a cell's edges, in the order of its vertices."""
    u_low, u_high, v_low, v_high = uv_box(cell)
    face = cell >> 61
    return [_v_normal(face, v_low), _u_normal(face, u_high), _negative(_v_normal(face, v_high)),
            _negative(_u_normal(face, u_low))]  # fmt: skip


def _negative(point: Point) -> Point:
    return -point[0], -point[1], -point[2]


def _u_normal(face: int, u: float) -> Point:
    normals: list[Point] = [
        (u, -1.0, 0.0), (1.0, u, 0.0), (1.0, 0.0, u), (-u, 0.0, 1.0), (0.0, -u, 1.0), (0.0, -1.0, -u)
    ]  # fmt: skip
    return normals[face]


def _v_normal(face: int, v: float) -> Point:
    normals: list[Point] = [
        (-v, 0.0, 1.0), (0.0, -v, 1.0), (0.0, -1.0, -v), (v, -1.0, 0.0), (1.0, v, 0.0), (1.0, 0.0, v)
    ]  # fmt: skip
    return normals[face]
