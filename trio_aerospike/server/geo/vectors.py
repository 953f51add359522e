"""Points on the sphere with exact orientation predicates, as in the S2 library (s2predicates.cc, s2edge_crossings.cc).

A point is a unit vector. For three points on one great circle, S2 decides as if each were moved by an infinitesimal
distance of its own ("simulation of simplicity"), so that the results never contradict each other.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, TypeAlias

Point: TypeAlias = tuple[float, float, float]
_Exact: TypeAlias = tuple[Any, Any, Any]

EPSILON = 2.0**-52
_MAX_DETERMINANT_ERROR = 1.8274 * EPSILON

ORIGIN: Point = (-0.0099994664350250197, 0.0025924542609324121, 0.99994664350250195)
"""The origin for tests of what is inside: a point that is unlikely to be on an edge."""


def from_degrees(latitude: float, longitude: float) -> Point:
    """The unit vector in that direction."""
    return from_radians(math.radians(latitude), math.radians(longitude))


def from_radians(phi: float, theta: float) -> Point:
    """The unit vector of a latitude and longitude."""
    cos_phi = math.cos(phi)
    return math.cos(theta) * cos_phi, math.sin(theta) * cos_phi, math.sin(phi)


def cross(a: Point, b: Point) -> Point:
    """The cross product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a: Point, b: Point) -> float:
    """The dot product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def minus(a: Point, b: Point) -> Point:
    """The difference."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def plus(a: Point, b: Point) -> Point:
    """The sum."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def norm(a: Point) -> float:
    """The length."""
    return math.sqrt(dot(a, a))


def normalized(a: Point) -> Point:
    """The vector scaled to unit length."""
    length = norm(a)
    # One division, as in S2: the last bits of points decide between cells.
    factor = 1.0 / length if length != 0.0 else 0.0
    return a[0] * factor, a[1] * factor, a[2] * factor


def largest_axis(a: Point) -> int:
    """The axis of the largest component; the later one of two equal ones."""
    x, y, z = abs(a[0]), abs(a[1]), abs(a[2])
    if x > y:
        return 0 if x > z else 2
    return 1 if y > z else 2


def orthogonal(a: Point) -> Point:
    """An orthogonal direction: the reference direction around a point (S2::RefDir)."""
    axis = (largest_axis(a) + 2) % 3
    other = [0.012, 0.0053, 0.00457]
    other[axis] = 1.0
    return normalized(cross(a, (other[0], other[1], other[2])))


# Sides --------------------------------------------------------------------------------------------------------


def sign(a: Point, b: Point, c: Point) -> int:
    """The orientation of three points: 1 counterclockwise, -1 clockwise, 0 only if two are equal."""
    determinant = dot(cross(a, b), c)
    if determinant > _MAX_DETERMINANT_ERROR:
        return 1
    if determinant < -_MAX_DETERMINANT_ERROR:
        return -1
    if a == b or b == c or c == a:
        return 0
    return _exact_sign(a, b, c)


def _exact_sign(a: Point, b: Point, c: Point) -> int:
    points = [a, b, c]
    permutation = 1
    for one, other in ((0, 1), (1, 2), (0, 1)):
        if points[one] > points[other]:
            points[one], points[other] = points[other], points[one]
            permutation = -permutation
    first, second, third = (_exact(point) for point in points)
    product = cross(second, third)
    determinant = dot(first, product)
    return permutation * (_sign_of(determinant) or _perturbed_sign(first, second, third, product))


def _exact(point: Point) -> _Exact:
    return Fraction(point[0]), Fraction(point[1]), Fraction(point[2])


def _sign_of(number: Any) -> int:
    return int(number > 0) - int(number < 0)


def _perturbed_sign(a: _Exact, b: _Exact, c: _Exact, b_cross_c: _Exact) -> int:
    """The sign of the first non-zero coefficient, by decreasing displacement of the points."""
    for coefficient in (
        b_cross_c[2],
        b_cross_c[1],
        b_cross_c[0],
        c[0] * a[1] - c[1] * a[0],
        c[0],
        -c[1],
        c[2] * a[0] - c[0] * a[2],
        c[2],
        a[0] * b[1] - a[1] * b[0],
        -b[0],
        b[1],
        a[0],
    ):
        if coefficient:
            return _sign_of(coefficient)
    return 1


def ordered_counterclockwise(a: Point, b: Point, c: Point, around: Point) -> bool:
    """Whether a, b, c are in counterclockwise order around a point."""
    n_met = int(sign(b, around, a) >= 0) + int(sign(c, around, b) >= 0) + int(sign(a, around, c) > 0)
    return n_met >= 2


def angle_contains_vertex(a: Point, b: Point, c: Point) -> bool:
    """Whether the angle from ab to bc counts b itself as inside."""
    return not ordered_counterclockwise(orthogonal(b), c, a, b)


# Crossings ----------------------------------------------------------------------------------------------------


def edges_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether edges cross in their interior, or share a vertex where one passes to the other's side."""
    if a in (c, d) or b in (c, d):
        return _vertices_cross(a, b, c, d)
    if a == b or c == d:
        return False
    side = -sign(a, b, c)
    return sign(a, b, d) == side and -sign(c, d, b) == side and sign(c, d, a) == side


def _vertices_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    if a == b or c == d:
        return False
    if a == c:
        return b == d or ordered_counterclockwise(orthogonal(a), d, b, a)
    if b == d:
        return ordered_counterclockwise(orthogonal(b), c, a, b)
    if a == d:
        return b == c or ordered_counterclockwise(orthogonal(a), c, b, a)
    return ordered_counterclockwise(orthogonal(b), d, a, b)
