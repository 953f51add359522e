"""Index a polygon's edges by S2 cell, as the S2 library does (mutable_s2shape_index.cc).

The cells of the index are the start of a covering; their contents decide which cells of a covering the polygon
intersects. Like the library, the index follows the curve of cells and tracks with each edge that it crosses whether it
is inside.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import attrs

from .cells import (
    MAX_LEVEL,
    center,
    children,
    common_level,
    face_cell,
    from_face_ij,
    level_of,
    orientation_of,
    parent,
    range_max,
    range_min,
    st_to_uv,
    to_face_ij,
    to_xyz,
    uv_box,
    uv_on,
    uv_to_leaf,
)
from .clip import CELL_PADDING, QUERY_PADDING, Box, Place, clip_to_face, face_of, interpolated, meets_box
from .vectors import EPSILON, Point, edges_cross, minus, norm, normalized

_MAX_EDGES = 10
_SHORT_EDGES = 0.2
_AVERAGE_EDGE = 1.459213746386106062
_INVERTED, _SWAPPED = 2, 1

Edge = tuple[Point, Point]


@attrs.frozen(eq=False)
class _FaceEdge:
    edge: Edge
    a: Place
    b: Place
    max_level: int


_Clipped = tuple[_FaceEdge, Box]


@attrs.frozen(eq=False)
class IndexCell:
    """A cell with the edges that may intersect it, and whether its center is inside."""

    cell: int
    edges: Sequence[Edge]
    center_inside: bool


class ShapeIndex:
    """The index cells of a polygon.

    Args:
        edges: its edges.
        contains_start: whether it contains the start of the curve of cells.
    """

    def __init__(self, edges: Sequence[Edge], *, contains_start: bool) -> None:
        self._inside = contains_start
        self._at = START
        self._next = range_min(face_cell(0))
        self.cells: list[IndexCell] = []
        faces: list[list[_FaceEdge]] = [[] for _ in range(6)]
        for edge in edges:
            _add_to_faces(edge, faces)
        for face in range(6):
            self._add_face(face, faces[face])
        self._numbers = [cell.cell for cell in self.cells]

    # Looking --------------------------------------------------------------------------------------------------

    def bound(self) -> list[int]:
        """A few cells that cover it."""
        numbers = self._numbers
        if not numbers:
            return []
        found: list[int] = []
        first, last = numbers[0], numbers[-1]
        begin = 0
        if first != last:
            level = common_level(first, last) + 1
            wanted = parent(last, level)
            at = parent(first, level)
            while at != wanted:
                if range_max(at) >= numbers[begin]:
                    end = bisect.bisect_left(numbers, range_max(at) + 2)
                    found.append(_spanning(numbers[begin], numbers[end - 1]))
                    begin = end
                at = at + 2 * (at & -at)
        found.append(_spanning(numbers[begin], last))
        return found

    def meets(self, cell: int) -> bool:
        """Whether the polygon intersects a cell."""
        place = self._locate(cell)
        if not isinstance(place, IndexCell):
            return place
        if place.cell == cell:
            return True
        return self._any_edge_in(place, cell) or self._center_inside(place, cell)

    def contains(self, cell: int) -> bool:
        """Whether the polygon contains a cell."""
        place = self._locate(cell)
        if not isinstance(place, IndexCell):
            return False
        if place.cell == cell:
            return not place.edges and place.center_inside
        return not self._any_edge_in(place, cell) and self._center_inside(place, cell)

    def _locate(self, cell: int) -> IndexCell | bool:
        """The index cell that contains a cell; or whether there are smaller ones within it."""
        low, high = range_min(cell), range_max(cell)
        number = bisect.bisect_left(self._numbers, low)
        if number < len(self.cells):
            found = self._numbers[number]
            if found >= cell and range_min(found) <= cell:
                return self.cells[number]
            if found <= high:
                return True
        if number and range_max(self._numbers[number - 1]) >= cell:
            return self.cells[number - 1]
        return False

    @staticmethod
    def _any_edge_in(place: IndexCell, cell: int) -> bool:
        face = cell >> 61
        u_low, u_high, v_low, v_high = uv_box(cell)
        box = u_low - QUERY_PADDING, u_high + QUERY_PADDING, v_low - QUERY_PADDING, v_high + QUERY_PADDING
        for a, b in place.edges:
            clipped = clip_to_face(a, b, face, QUERY_PADDING)
            if clipped is not None and meets_box(*clipped, box):
                return True
        return False

    @staticmethod
    def _center_inside(place: IndexCell, cell: int) -> bool:
        inside = place.center_inside
        if place.edges:
            start, end = center(place.cell), center(cell)
            for a, b in place.edges:
                inside ^= edges_cross(start, end, a, b)
        return inside

    # Making ---------------------------------------------------------------------------------------------------

    def _add_face(self, face: int, edges: Sequence[_FaceEdge]) -> None:
        if not edges and not self._inside:
            return
        whole = face_cell(face)
        clipped: list[_Clipped] = [(edge, _box(edge.a, edge.b)) for edge in edges]
        if edges:
            shrunk = _shrunk(whole, [box for _, box in clipped])
            if shrunk != whole:
                self._skip(range_min(whole), range_min(shrunk))
                self._add_cell(shrunk, clipped)
                self._skip(range_max(shrunk) + 2, range_max(whole) + 2)
                return
        self._add_cell(whole, clipped)

    def _skip(self, begin: int, end: int) -> None:
        """Skip leaf cells without edges: all of them are inside, or none is."""
        if not self._inside:
            return
        while begin != end:
            cell = _largest(begin, end)
            self._add_cell(cell, [])
            begin = range_max(cell) + 2

    def _add_cell(self, cell: int, edges: list[_Clipped]) -> None:
        if self._make(cell, edges):
            return
        middle = _middle(cell)
        orientation = orientation_of(cell)
        quarters = _divided(edges, middle)
        for position, child in enumerate(children(cell)):
            i, j = _quadrant(orientation, position)
            if quarters[i][j] or self._inside:
                self._add_cell(child, quarters[i][j])

    def _make(self, cell: int, edges: list[_Clipped]) -> bool:
        if not edges and not self._inside:
            return True
        if len(edges) > _MAX_EDGES:
            limit = max(_MAX_EDGES, int(_SHORT_EDGES * (len(edges) + int(self._inside))))
            level = level_of(cell)
            if sum(level < edge.max_level for edge, _ in edges) > limit:
                return False
        plain = [edge.edge for edge, _ in edges]
        if plain:
            if self._next != range_min(cell):
                self._at = _corner(cell, leaving=False)
            self._draw_to(center(cell), plain)
        self.cells.append(IndexCell(cell, plain, self._inside))
        if plain:
            self._draw_to(_corner(cell, leaving=True), plain)
            self._next = range_max(cell) + 2
        return True

    def _draw_to(self, point: Point, edges: Sequence[Edge]) -> None:
        for a, b in edges:
            self._inside ^= edges_cross(self._at, point, a, b)
        self._at = point


START: Point = normalized(to_xyz(0, -1.0, -1.0))
"""The start of the curve of cells."""


def _add_to_faces(edge: Edge, faces: list[list[_FaceEdge]]) -> None:
    a, b = edge
    length = norm(minus(a, b))
    max_level = MAX_LEVEL
    if length > 0:
        max_level = max(0, min(MAX_LEVEL, 1 - math.frexp(length / _AVERAGE_EDGE)[1]))
    face = face_of(a)
    if face == face_of(b):
        a_uv, b_uv = uv_on(face, a), uv_on(face, b)
        if max(map(abs, (*a_uv, *b_uv))) <= 1 - CELL_PADDING:
            faces[face].append(_FaceEdge(edge, a_uv, b_uv, max_level))
            return
    for face in range(6):
        clipped = clip_to_face(a, b, face, CELL_PADDING)
        if clipped is not None:
            faces[face].append(_FaceEdge(edge, *clipped, max_level))


def _box(a: Place, b: Place) -> Box:
    return min(a[0], b[0]), max(a[0], b[0]), min(a[1], b[1]), max(a[1], b[1])


def _spanning(first: int, last: int) -> int:
    return first if first == last else parent(first, common_level(first, last))


def _largest(begin: int, end: int) -> int:
    """The largest cell that begins at a leaf cell and ends before another one."""
    cell = begin
    while cell & -cell < 1 << 60:
        wider = parent(cell, level_of(cell) - 1)
        if range_min(wider) != begin or range_max(wider) >= end:
            break
        cell = wider
    return cell


def _shrunk(face: int, boxes: Sequence[Box]) -> int:
    """The smallest cell of a face that contains rectangles."""
    u_low, u_high = min(box[0] for box in boxes), max(box[1] for box in boxes)
    v_low, v_high = min(box[2] for box in boxes), max(box[3] for box in boxes)
    if u_low <= 0 <= u_high or v_low <= 0 <= v_high:
        return face
    margin = CELL_PADDING + 1.5 * EPSILON
    i_low, i_high = uv_to_leaf(u_low - margin), uv_to_leaf(u_high + margin)
    j_low, j_high = uv_to_leaf(v_low - margin), uv_to_leaf(v_high + margin)
    bits = ((i_low ^ i_high | j_low ^ j_high) << 1) + 1
    level = MAX_LEVEL - (bits.bit_length() - 1)
    return face if level <= 0 else parent(from_face_ij(face >> 61, i_low, j_low), level)


def _middle(cell: int) -> Box:
    _, i, j = to_face_ij(cell)
    size = 1 << (MAX_LEVEL - level_of(cell))
    u = st_to_uv((2 * i + size) / (2 << MAX_LEVEL))
    v = st_to_uv((2 * j + size) / (2 << MAX_LEVEL))
    return u - CELL_PADDING, u + CELL_PADDING, v - CELL_PADDING, v + CELL_PADDING


def _quadrant(orientation: int, position: int) -> tuple[int, int]:
    ij = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))[orientation][position]
    return ij >> 1, ij & 1


def _corner(cell: int, *, leaving: bool) -> Point:
    """The vertex where the curve enters or leaves a cell."""
    face, i, j = to_face_ij(cell)
    size = 1 << (MAX_LEVEL - level_of(cell))
    orientation = orientation_of(cell)
    if not leaving:
        if orientation & _INVERTED:
            i, j = i + size, j + size
    elif orientation in (0, _SWAPPED | _INVERTED):
        i += size
    else:
        j += size
    return normalized(to_xyz(face, st_to_uv(i / (1 << MAX_LEVEL)), st_to_uv(j / (1 << MAX_LEVEL))))


# Dividing edges among the quarters of a cell ------------------------------------------------------------------


def _divided(edges: Sequence[_Clipped], middle: Box) -> list[list[list[_Clipped]]]:
    u_low, u_high, v_low, v_high = middle
    quarters: list[list[list[_Clipped]]] = [[[], []], [[], []]]
    for edge in edges:
        box = edge[1]
        if box[1] <= u_low:
            _divide_v(edge, v_low, v_high, quarters[0])
        elif box[0] >= u_high:
            _divide_v(edge, v_low, v_high, quarters[1])
        elif box[3] <= v_low:
            quarters[0][0].append(_clip_u(edge, 1, u_high))
            quarters[1][0].append(_clip_u(edge, 0, u_low))
        elif box[2] >= v_high:
            quarters[0][1].append(_clip_u(edge, 1, u_high))
            quarters[1][1].append(_clip_u(edge, 0, u_low))
        else:
            _divide_v(_clip_u(edge, 1, u_high), v_low, v_high, quarters[0])
            _divide_v(_clip_u(edge, 0, u_low), v_low, v_high, quarters[1])
    return quarters


def _divide_v(edge: _Clipped, low: float, high: float, halves: list[list[_Clipped]]) -> None:
    box = edge[1]
    if box[3] <= low:
        halves[0].append(edge)
    elif box[2] >= high:
        halves[1].append(edge)
    else:
        halves[0].append(_clip_v(edge, 1, high))
        halves[1].append(_clip_v(edge, 0, low))


def _clip_u(clipped: _Clipped, end: int, u: float) -> _Clipped:
    edge, box = clipped
    if box[0] >= u if end == 0 else box[1] <= u:
        return clipped
    a, b = edge.a, edge.b
    v = max(box[2], min(box[3], interpolated(u, a[0], b[0], a[1], b[1])))
    return edge, _with_corner(box, end, u, end ^ _falls(a, b), v)


def _clip_v(clipped: _Clipped, end: int, v: float) -> _Clipped:
    edge, box = clipped
    if box[2] >= v if end == 0 else box[3] <= v:
        return clipped
    a, b = edge.a, edge.b
    u = max(box[0], min(box[1], interpolated(v, a[1], b[1], a[0], b[0])))
    return edge, _with_corner(box, end ^ _falls(a, b), u, end, v)


def _falls(a: Place, b: Place) -> int:
    return int((a[0] > b[0]) != (a[1] > b[1]))


def _with_corner(box: Box, u_end: int, u: float, v_end: int, v: float) -> Box:
    changed = list(box)
    changed[u_end] = u
    changed[2 + v_end] = v
    return changed[0], changed[1], changed[2], changed[3]
