"""Clip edges to the faces of the cube, with the S2 library's error margins (s2edge_clipping.cc)."""

from __future__ import annotations

import math
from typing import Final, TypeAlias

from .cells import uv_on
from .vectors import EPSILON, Point, cross, dot, largest_axis, minus, normalized, plus

Place: TypeAlias = tuple[float, float]
"""u and v on a face."""

Box: TypeAlias = tuple[float, float, float, float]
"""Lowest and highest u, lowest and highest v."""

FACE_CLIP_ERROR: Final = 9 * math.sqrt(0.5) * EPSILON
_EDGE_CLIP_ERROR: Final = 2.25 * EPSILON
_INTERSECTION_ERROR: Final = 3 * math.sqrt(2) * EPSILON
CELL_PADDING: Final = 2 * (FACE_CLIP_ERROR + _EDGE_CLIP_ERROR)
"""Padding of the cells of an index."""
QUERY_PADDING: Final = FACE_CLIP_ERROR + _INTERSECTION_ERROR
"""Padding of cells that are compared with edges."""
_MAX_SAFE: Final = 1 - FACE_CLIP_ERROR


def face_of(point: Point) -> int:
    """The face of a point."""
    axis = largest_axis(point)
    return axis + 3 if point[axis] < 0 else axis


def to_uvw(face: int, point: Point) -> Point:
    """The coordinates of a point in the frame of a face: u, v and normal."""
    x, y, z = point
    if face == 0:
        return y, z, x
    if face == 1:
        return -x, z, y
    if face == 2:
        return -x, -y, z
    if face == 3:
        return -z, -y, -x
    if face == 4:
        return -z, x, -y
    return y, x, -z


def clip_to_face(a: Point, b: Point, face: int, padding: float) -> tuple[Place, Place] | None:
    """The part of an edge on a padded face; None if there is none."""
    if face_of(a) == face == face_of(b):
        return uv_on(face, a), uv_on(face, b)
    normal = to_uvw(face, cross(minus(a, b), plus(a, b)))
    a, b = to_uvw(face, a), to_uvw(face, b)
    scale = 1 + padding
    scaled: Point = (scale * normal[0], scale * normal[1], normal[2])
    if not _meets_face(scaled):
        return None
    unit = normalized(normal)
    a_tangent, b_tangent = cross(unit, a), cross(b, unit)
    a_score, a_uv = _clip_end(b, a, (-scaled[0], -scaled[1], -scaled[2]), b_tangent, a_tangent, scale)
    b_score, b_uv = _clip_end(a, b, scaled, a_tangent, b_tangent, scale)
    return (a_uv, b_uv) if a_score + b_score < 3 else None


def _meets_face(normal: Point) -> bool:
    u, v, w = abs(normal[0]), abs(normal[1]), abs(normal[2])
    return v >= w - u and u >= w - v


def _exit_axis(normal: Point) -> int:
    u, v, w = abs(normal[0]), abs(normal[1]), abs(normal[2])
    if abs(u - v) != w:
        opposite = abs(u - v) >= w
    else:
        opposite = u - w >= v if u >= v else v - w >= u
    if opposite:
        return 1 if u >= v else 0
    n_negative = sum(math.copysign(1.0, coordinate) < 0 for coordinate in normal)
    return 0 if n_negative % 2 else 1


def _exit(normal: Point, axis: int) -> Place:
    if axis == 0:
        u = 1.0 if normal[1] > 0 else -1.0
        return u, (-u * normal[0] - normal[2]) / normal[1]
    v = 1.0 if normal[0] < 0 else -1.0
    return (-v * normal[1] - normal[2]) / normal[0], v


def _clip_end(a: Point, b: Point, normal: Point, a_tangent: Point, b_tangent: Point, scale: float) -> tuple[int, Place]:
    """The end on the face of the edge from a: b or the exit point; and how far that is from lying on the edge."""
    if b[2] > 0:
        end = b[0] / b[2], b[1] / b[2]
        if max(abs(end[0]), abs(end[1])) <= _MAX_SAFE:
            return 0, end
    out = _exit(normal, _exit_axis(normal))
    uv = scale * out[0], scale * out[1]
    p: Point = (*uv, 1.0)
    score = 0
    if dot(minus(p, a), a_tangent) < 0:
        score = 2
    elif dot(minus(p, b), b_tangent) < 0:
        score = 1
    if score:
        if b[2] <= 0:
            return 3, uv
        uv = b[0] / b[2], b[1] / b[2]
    return score, uv


def meets_box(a: Place, b: Place, box: Box) -> bool:
    """Whether an edge on a face intersects a rectangle."""
    u_low, u_high, v_low, v_high = box
    if max(a[0], b[0]) < u_low or min(a[0], b[0]) > u_high or max(a[1], b[1]) < v_low or min(a[1], b[1]) > v_high:
        return False
    normal = -(b[1] - a[1]), b[0] - a[0]
    u_far, u_near = (u_high, u_low) if normal[0] >= 0 else (u_low, u_high)
    v_far, v_near = (v_high, v_low) if normal[1] >= 0 else (v_low, v_high)
    farthest = normal[0] * (u_far - a[0]) + normal[1] * (v_far - a[1])
    nearest = normal[0] * (u_near - a[0]) + normal[1] * (v_near - a[1])
    return farthest >= 0 and nearest <= 0


def interpolated(x: float, a: float, b: float, a1: float, b1: float) -> float:
    """Interpolate a line from (a, a1) to (b, b1) at x."""
    if abs(a - x) <= abs(b - x):
        return a1 + (b1 - a1) * (x - a) / (b - a)
    return b1 + (a1 - b1) * (x - b) / (a - b)
