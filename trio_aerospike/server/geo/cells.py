"""S2 cell ids: the six faces of a cube around the earth, each subdivided into four up to thirty times.

A cell id has 64 bits: three for the face, two per level in the order of a Hilbert curve, a one, zeros. Facts:
s2cell_id.cc and s2coords.h of the S2 library, with its quadratic projection.
"""

from __future__ import annotations

import math
from typing import Final

from .vectors import Point, from_degrees, largest_axis, normalized

MAX_LEVEL: Final = 30
_SIZE: Final = 1 << MAX_LEVEL

# The Hilbert curve: for an orientation, the position of each quadrant (i, j), and the orientation there.
_SWAP, _INVERT = 1, 2
_IJ_TO_POSITION = ((0, 1, 3, 2), (0, 3, 1, 2), (2, 3, 1, 0), (2, 1, 3, 0))
_POSITION_TO_IJ = tuple(tuple(row.index(position) for position in range(4)) for row in _IJ_TO_POSITION)
_POSITION_TO_ORIENTATION = (_SWAP, 0, 0, _INVERT | _SWAP)


# Projections --------------------------------------------------------------------------------------------------


def face_uv(point: Point) -> tuple[int, float, float]:
    """The face of a point, and its coordinates u and v there, from -1 to 1."""
    axis = largest_axis(point)
    face = axis + 3 if point[axis] < 0 else axis
    return face, *uv_on(face, point)


def uv_on(face: int, point: Point) -> tuple[float, float]:
    """Project a point to a face in front of it."""
    x, y, z = point
    if face == 0:
        return y / x, z / x
    if face == 1:
        return -x / y, z / y
    if face == 2:
        return -x / z, -y / z
    if face == 3:
        return z / x, y / x
    if face == 4:
        return z / y, -x / y
    return -y / z, -x / z


def to_xyz(face: int, u: float, v: float) -> Point:
    """The direction of a point (u, v) on a face; not of unit length."""
    if face == 0:
        return 1.0, u, v
    if face == 1:
        return -u, 1.0, v
    if face == 2:
        return -u, -v, 1.0
    if face == 3:
        return -1.0, -v, -u
    if face == 4:
        return v, -1.0, -u
    return v, u, -1.0


def st_to_uv(s: float) -> float:
    """Convert a cell-space coordinate s (0 to 1) to u (-1 to 1), with the quadratic projection."""
    return (1 / 3.0) * (4 * s * s - 1) if s >= 0.5 else (1 / 3.0) * (1 - 4 * (1 - s) * (1 - s))


def _uv_to_st(u: float) -> float:
    return 0.5 * math.sqrt(1 + 3 * u) if u >= 0 else 1 - 0.5 * math.sqrt(1 - 3 * u)


def uv_to_leaf(coordinate: float) -> int:
    """The index i of the leaf cell at a coordinate u."""
    return max(0, min(_SIZE - 1, round(_SIZE * _uv_to_st(coordinate) - 0.5)))


# Cells --------------------------------------------------------------------------------------------------------


def from_face_ij(face: int, i: int, j: int) -> int:
    """The leaf cell at i and j on a face."""
    orientation = face & _SWAP
    position = 0
    for level in range(MAX_LEVEL - 1, -1, -1):
        quadrant = ((i >> level) & 1) << 1 | ((j >> level) & 1)
        step = _IJ_TO_POSITION[orientation][quadrant]
        position = position << 2 | step
        orientation ^= _POSITION_TO_ORIENTATION[step]
    return face << 61 | position << 1 | 1


def to_face_ij(cell: int) -> tuple[int, int, int]:
    """The face of a cell, and its lowest i and j."""
    face = cell >> 61
    own = level_of(cell)
    orientation = face & _SWAP
    i = j = 0
    for level in range(own):
        quadrant = _POSITION_TO_IJ[orientation][(cell >> (2 * (MAX_LEVEL - level) - 1)) & 3]
        i, j = i << 1 | quadrant >> 1, j << 1 | quadrant & 1
        orientation ^= _POSITION_TO_ORIENTATION[(cell >> (2 * (MAX_LEVEL - level) - 1)) & 3]
    return face, i << (MAX_LEVEL - own), j << (MAX_LEVEL - own)


def point_cell(latitude: float, longitude: float) -> int:
    """The leaf cell of a latitude and longitude in degrees."""
    return cell_at(from_degrees(latitude, longitude))


def cell_at(point: Point) -> int:
    """The leaf cell of a point."""
    face, u, v = face_uv(point)
    return from_face_ij(face, uv_to_leaf(u), uv_to_leaf(v))


def orientation_of(cell: int) -> int:
    """The orientation of the Hilbert curve in a cell: bits for swapped axes and for inverted direction."""
    orientation = (cell >> 61) & _SWAP
    for level in range(level_of(cell)):
        orientation ^= _POSITION_TO_ORIENTATION[(cell >> (2 * (MAX_LEVEL - level) - 1)) & 3]
    return orientation


def uv_box(cell: int) -> tuple[float, float, float, float]:
    """Lowest and highest u, lowest and highest v of a cell."""
    _, i, j = to_face_ij(cell)
    size = 1 << (MAX_LEVEL - level_of(cell))
    return (
        st_to_uv(i / _SIZE),
        st_to_uv((i + size) / _SIZE),
        st_to_uv(j / _SIZE),
        st_to_uv((j + size) / _SIZE),
    )


def center(cell: int) -> Point:
    """The center of a cell."""
    face, i, j = to_face_ij(cell)
    size = 1 << (MAX_LEVEL - level_of(cell))
    # Twice as fine as leaf cells: their centers are whole numbers, too.
    s, t = (2 * i + size) / (2 * _SIZE), (2 * j + size) / (2 * _SIZE)
    return normalized(to_xyz(face, st_to_uv(s), st_to_uv(t)))


def lowest_bit(cell: int) -> int:
    """The lowest set bit of a cell id, which marks its level."""
    return cell & -cell


def level_of(cell: int) -> int:
    """The level of a cell: the number of subdivisions of its face."""
    return MAX_LEVEL - (lowest_bit(cell).bit_length() - 1) // 2


def parent(cell: int, level: int) -> int:
    """The ancestor of a cell at a level."""
    bit = 1 << 2 * (MAX_LEVEL - level)
    return cell & -bit | bit


def children(cell: int) -> list[int]:
    """The four children of a cell, in the order of the curve."""
    bit = lowest_bit(cell)
    quarter = bit >> 2
    first = cell - bit + quarter
    return [first + number * 2 * quarter for number in range(4)]


def range_min(cell: int) -> int:
    """The first leaf cell within a cell."""
    return cell - lowest_bit(cell) + 1


def range_max(cell: int) -> int:
    """The last leaf cell within a cell."""
    return cell + lowest_bit(cell) - 1


def contains(cell: int, other: int) -> bool:
    """Whether a cell contains another one."""
    return range_min(cell) <= other <= range_max(cell)


def common_level(one: int, other: int) -> int:
    """The level of the lowest common ancestor of two cells; -1 if they are on different faces."""
    bits = max(one ^ other, lowest_bit(one), lowest_bit(other))
    return max(60 - (bits.bit_length() - 1), -1) >> 1


def face_cell(face: int) -> int:
    """The cell of a face."""
    return face << 61 | 1 << 60


def vertex_neighbors(cell: int, level: int) -> list[int]:
    """The neighbors of a cell around its nearest vertex at a level: four, or three at a vertex of the cube."""
    face, i, j = to_face_ij(cell)
    half = 1 << (MAX_LEVEL - level - 1)
    size = half << 1
    i_offset = size if i & half else -size
    j_offset = size if j & half else -size
    i_same = 0 <= i + i_offset < _SIZE
    j_same = 0 <= j + j_offset < _SIZE
    found = [parent(cell, level)]
    found.append(parent(_from_face_ij_wrapped(face, i + i_offset, j), level))
    found.append(parent(_from_face_ij_wrapped(face, i, j + j_offset), level))
    if i_same or j_same:
        found.append(parent(_from_face_ij_wrapped(face, i + i_offset, j + j_offset), level))
    return found


def _from_face_ij_wrapped(face: int, i: int, j: int) -> int:
    """The leaf cell at i and j, which may be just outside the face."""
    if 0 <= i < _SIZE and 0 <= j < _SIZE:
        return from_face_ij(face, i, j)
    i, j = max(-1, min(_SIZE, i)), max(-1, min(_SIZE, j))
    limit = 1 + 2.0**-52
    scale = 1.0 / _SIZE
    u = max(-limit, min(limit, scale * (2 * (i - _SIZE // 2) + 1)))
    v = max(-limit, min(limit, scale * (2 * (j - _SIZE // 2) + 1)))
    face, u, v = face_uv(to_xyz(face, u, v))
    return from_face_ij(face, _linear_leaf(u), _linear_leaf(v))


def _linear_leaf(coordinate: float) -> int:
    return max(0, min(_SIZE - 1, round(_SIZE * (0.5 * (coordinate + 1)) - 0.5)))
