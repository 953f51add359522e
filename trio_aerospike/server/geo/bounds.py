"""Bounding rectangles of latitude and longitude (S2 library: s2latlng_rect.cc, s2latlng_rect_bounder.cc).

In radians. Longitudes are an interval on a circle: one whose low end is above its high end crosses the date line.
"""

from __future__ import annotations

import math

import attrs

from .vectors import EPSILON, Point, cross, dot, minus, norm, plus

_HALF_TURN = math.pi
_TURN = 2 * math.pi
_POLE = math.pi / 2


@attrs.frozen
class Rectangle:
    """A rectangle; the low latitude of an empty one is above its high one."""

    lat_low: float
    lat_high: float
    lng_low: float
    lng_high: float

    @classmethod
    def empty(cls) -> Rectangle:
        """The empty rectangle."""
        return cls(1.0, 0.0, _HALF_TURN, -_HALF_TURN)

    @classmethod
    def full(cls) -> Rectangle:
        """The whole sphere."""
        return cls(-_POLE, _POLE, -_HALF_TURN, _HALF_TURN)

    @property
    def is_empty(self) -> bool:
        return self.lat_low > self.lat_high

    @property
    def is_around(self) -> bool:
        """Whether it covers all longitudes."""
        return (self.lng_low, self.lng_high) == (-_HALF_TURN, _HALF_TURN)

    @property
    def lng_length(self) -> float:
        """The width of the longitude interval; negative if empty."""
        return length(self.lng_low, self.lng_high)

    def union(self, other: Rectangle) -> Rectangle:
        """The smallest rectangle around both."""
        if other.is_empty:
            return self
        if self.is_empty:
            return other
        return Rectangle(
            min(self.lat_low, other.lat_low),
            max(self.lat_high, other.lat_high),
            *_joined((self.lng_low, self.lng_high), (other.lng_low, other.lng_high)),
        )


_Interval = tuple[float, float]


def length(low: float, high: float) -> float:
    """The length of an interval on the circle; -1 if empty."""
    size = high - low
    if size >= 0:
        return size
    size += _TURN
    return size if size > 0 else -1.0


def _distance(start: float, end: float) -> float:
    """The counterclockwise distance."""
    distance = end - start
    return distance if distance >= 0 else (end + _HALF_TURN) - (start - _HALF_TURN)


def _has(interval: _Interval, angle: float) -> bool:
    low, high = interval
    if low > high:
        return (angle >= low or angle <= high) and interval != (_HALF_TURN, -_HALF_TURN)
    return low <= angle <= high


def _has_all(interval: _Interval, other: _Interval) -> bool:
    low, high = interval
    inner_low, inner_high = other
    if low > high and inner_low <= inner_high:
        return inner_low >= low or inner_high <= high
    if low <= high and inner_low > inner_high:
        return interval == (-_HALF_TURN, _HALF_TURN)
    return inner_low >= low and inner_high <= high


def between(one: float, other: float) -> _Interval:
    """The difference of two angles, the shorter way around."""
    one = _HALF_TURN if one == -_HALF_TURN else one
    other = _HALF_TURN if other == -_HALF_TURN else other
    return (one, other) if _distance(one, other) <= _HALF_TURN else (other, one)


def _joined(one: _Interval, other: _Interval) -> _Interval:
    if _has(one, other[0]):
        if _has(one, other[1]):
            return one if _has_all(one, other) else (-_HALF_TURN, _HALF_TURN)
        return one[0], other[1]
    if _has(one, other[1]):
        return other[0], one[1]
    if _has(other, one[0]):
        return other
    nearer_below = _distance(other[1], one[0]) < _distance(one[1], other[0])
    return (other[0], one[1]) if nearer_below else (one[0], other[1])


def middle_of(low: float, high: float) -> float:
    """The middle of an interval on the circle."""
    middle = 0.5 * (low + high)
    if low <= high:
        return middle
    return middle + _HALF_TURN if middle <= 0 else middle - _HALF_TURN


def to_lat_lng(point: Point) -> tuple[float, float]:
    """Latitude and longitude of a point."""
    x, y, z = point
    # Adding zero turns -0.0 into 0.0.
    return math.atan2(z + 0.0, math.sqrt(x * x + y * y)), math.atan2(y + 0.0, x + 0.0)


class Bounder:
    """Computes the bounding rectangle of a chain of edges, expanded by the errors of the arithmetic."""

    def __init__(self) -> None:
        self._bound = Rectangle.empty()
        self._last: Point = (0.0, 0.0, 0.0)
        self._last_at = (0.0, 0.0)

    def add(self, point: Point) -> None:
        """Add the edge to the next point."""
        at = to_lat_lng(point)
        if self._bound.is_empty:
            lng = _HALF_TURN if at[1] == -_HALF_TURN else at[1]
            self._bound = Rectangle(at[0], at[0], lng, lng)
        else:
            self._bound = self._edge(point, at)
        self._last, self._last_at = point, at

    def _edge(self, b: Point, at: tuple[float, float]) -> Rectangle:
        a = self._last
        lat_low, lat_high = sorted((self._last_at[0], at[0]))
        lng = between(self._last_at[1], at[1])
        normal = cross(minus(a, b), plus(a, b))
        size = norm(normal)
        if size < 1.91346e-15:
            if dot(a, b) < 0:
                return Rectangle.full()
            return self._bound.union(Rectangle(lat_low, lat_high, *lng))
        if length(*lng) >= _HALF_TURN - 2 * EPSILON:
            lng = -_HALF_TURN, _HALF_TURN
        m = cross(normal, (0.0, 0.0, 1.0))
        m_a, m_b = dot(m, a), dot(m, b)
        error = 6.06638e-16 * size + 6.83174e-31
        if m_a * m_b < 0 or abs(m_a) <= error or abs(m_b) <= error:
            # The edge contains the highest or lowest latitude of its great circle.
            top = min(math.atan2(math.hypot(normal[0], normal[1]), abs(normal[2])) + 3 * EPSILON, _POLE)
            budget_z = 0.5 * norm(minus(a, b)) * math.sin(top)
            budget = 2 * math.asin(min((1 + 4 * EPSILON) * budget_z, 1.0))
            delta = 0.5 * (budget - (lat_high - lat_low)) + EPSILON
            if m_a <= error and m_b >= -error:
                lat_high = min(top, lat_high + delta)
            if m_b <= error and m_a >= -error:
                lat_low = max(-top, lat_low - delta)
        return self._bound.union(Rectangle(lat_low, lat_high, *lng))

    def bound(self) -> Rectangle:
        """The rectangle; with all longitudes if it touches a pole."""
        bound = self._bound
        if bound.is_empty:
            return bound
        lat_low, lat_high = max(-_POLE, bound.lat_low - 2 * EPSILON), min(_POLE, bound.lat_high + 2 * EPSILON)
        if lat_low == -_POLE or lat_high == _POLE:
            return Rectangle(lat_low, lat_high, -_HALF_TURN, _HALF_TURN)
        return Rectangle(lat_low, lat_high, bound.lng_low, bound.lng_high)
