"""Circles on the sphere (S2 library: s2cap.cc, s1chord_angle.cc)."""

from __future__ import annotations

import math

from .geo_vectors import Point, dot, minus


class Cap:
    """All points within some distance of a center.

    Args:
        middle: the center.
        angle: the radius in radians; a negative one makes a cap of nothing.
    """

    def __init__(self, middle: Point, angle: float) -> None:
        self.middle = middle
        if angle < 0:
            self.length2 = -1.0
        else:
            chord = 2 * math.sin(0.5 * min(math.pi, angle))
            self.length2 = chord * chord
        """The square of the distance as the crow digs: what distances are compared by."""

    def contains(self, point: Point) -> bool:
        """Whether a point is within."""
        way = minus(self.middle, point)
        return min(4.0, dot(way, way)) <= self.length2
