"""Random places and regions as GeoJSON: polygons with and without holes, in both directions, across the date line and
around the poles, along the borders of cells; circles of all sizes; several polygons as one."""

from __future__ import annotations

import json
import math
import random
from typing import Any

Position = list[float]


class RandomRegions:
    """Makes shapes; the same seed gives the same ones.

    Args:
        seed: any number.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def position(self) -> Position:
        pick = self.random
        if pick.random() < 0.4:
            return [pick.randint(-18, 18) * 10, pick.randint(-9, 9) * 10]
        return [pick.uniform(-180, 180), pick.uniform(-90, 90)]

    def ring(self, middle: Position, size: float, n_corners: int) -> list[Position]:
        """A ring of corners at random distances from its middle."""
        pick = self.random
        jagged = pick.choice((0.0, 0.2, 0.8))
        stretch = max(0.05, math.cos(math.radians(middle[1])))
        corners = []
        for number in range(n_corners):
            angle = 2 * math.pi * number / n_corners
            distance = size * (1 - jagged * pick.random())
            x = middle[0] + distance * math.cos(angle) / stretch
            y = middle[1] + distance * math.sin(angle)
            corners.append([(x + 180) % 360 - 180, max(-90.0, min(90.0, y))])
        if pick.random() < 0.3:
            corners.reverse()
        if pick.random() < 0.1:
            corners = [[float(round(x)), float(round(y))] for x, y in corners]
        return [*corners, corners[0]]

    def rectangle(self) -> list[Position]:
        west, east = sorted(self.random.sample(range(-18, 19), 2))
        south, north = sorted(self.random.sample(range(-9, 10), 2))
        corners: list[Position] = [
            [west * 10, south * 10], [east * 10, south * 10], [east * 10, north * 10], [west * 10, north * 10],
        ]  # fmt: skip
        if self.random.random() < 0.5:
            corners.reverse()
        return [*corners, corners[0]]

    def shape(self) -> dict[str, Any]:
        pick = self.random
        middle, size = self.position(), pick.choice((0.001, 0.1, 1, 5, 20, 60, 85))
        kind = pick.randrange(8)
        if kind == 0:
            radius = pick.choice((0, 1, 1e3, 1e5, 1e6, 1e7, 2.1e7, -1, pick.uniform(0, 2e7)))
            return {"type": "AeroCircle", "coordinates": [middle, radius]}
        if kind == 1:
            hole = self.ring(middle, size * 0.3, pick.choice((3, 4, 6)))
            return polygon(self.ring(middle, size, pick.choice((3, 4, 5, 8, 30))), hole)
        if kind == 2:
            rings = [[self.ring(self.position(), size, pick.choice((3, 4, 8)))] for _ in range(pick.randrange(4))]
            return {"type": "MultiPolygon", "coordinates": rings}
        if kind == 3:
            corners = [self.position() for _ in range(pick.choice((3, 4, 5)))]
            return polygon([*corners, corners[0]])
        if kind == 4:
            return polygon(self.rectangle())
        if kind == 5:
            return {"type": "Point", "coordinates": middle}
        return polygon(self.ring(middle, size, pick.choice((3, 4, 5, 8, 12, 20, 60))))

    def place_near(self, shape: dict[str, Any]) -> str:
        """A point on, near or far from a shape."""
        corners = list(_positions(shape["coordinates"])) or [[0.0, 0.0]]
        one, other = self.random.choice(corners), self.random.choice(corners)
        how = self.random.randrange(4)
        if how == 0:
            position = self.position()
        elif how == 1:
            position = list(one)
        elif how == 2:
            position = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]
        else:
            position = [one[0] + self.random.gauss(0, 3), one[1] + self.random.gauss(0, 3)]
        position = [max(-180, min(180, position[0])), max(-90, min(90, position[1]))]
        return json.dumps({"type": "Point", "coordinates": position})


def polygon(*rings: list[Position]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def _positions(value: Any) -> list[Position]:
    if not isinstance(value, list):
        return []
    if len(value) == 2 and all(isinstance(part, int | float) for part in value):
        return [value]
    return [position for part in value for position in _positions(part)]
