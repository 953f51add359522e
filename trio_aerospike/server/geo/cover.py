"""Cover a region with S2 cells, as the S2 library does (s2region_coverer.cc), with the server's settings.

Starting with a few cells around the region, the largest that the region only partly fills are subdivided until there
would be too many. Equal priorities come in the order of the library's heap, which is followed step by step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Protocol

import attrs

from .cells import (
    MAX_LEVEL,
    children,
    common_level,
    contains,
    level_of,
    parent,
    range_max,
    range_min,
)
from .vectors import Point

# The settings for stored regions (server: geo_region_cover without a namespace).
MIN_LEVEL: Final = 1
MAX_CELLS: Final = 12
_FIRST_CELLS: Final = 4


class Region(Protocol):
    """A region of the sphere."""

    def contains(self, point: Point, /) -> bool:
        """Whether it contains a point."""
        ...

    def cells_around(self) -> list[int]:
        """A few cells that cover it, as a start."""
        ...

    def meets_cell(self, cell: int, /) -> bool:
        """Whether it intersects a cell."""
        ...

    def contains_cell(self, cell: int, /) -> bool:
        """Whether it contains a cell."""
        ...


@attrs.define(eq=False)
class _Candidate:
    cell: int
    is_final: bool
    children: list[_Candidate] = attrs.Factory(list)


def covering(region: Region) -> list[int]:
    """The sorted cells that the server stores with a region."""
    return _Coverer(region).cells()


class _Coverer:
    def __init__(self, region: Region) -> None:
        self._region = region
        self._found: list[int] = []
        self._waiting = _Heap()

    def cells(self) -> list[int]:
        for cell in _few(self._region.cells_around()):
            candidate = self._candidate(cell)
            if candidate is not None:
                self._add(candidate)
        while self._waiting:
            candidate = self._waiting.pop()
            n_children = len(candidate.children)
            if (
                level_of(candidate.cell) < MIN_LEVEL
                or n_children == 1
                or len(self._found) + len(self._waiting) + n_children <= MAX_CELLS
            ):
                for child in candidate.children:
                    self._add(child)
            else:
                candidate.is_final = True
                self._add(candidate)
        return _not_above(normalized(self._found), MIN_LEVEL)

    def _candidate(self, cell: int) -> _Candidate | None:
        if not self._region.meets_cell(cell):
            return None
        level = level_of(cell)
        is_final = level >= MIN_LEVEL and (level + 1 > MAX_LEVEL or self._region.contains_cell(cell))
        return _Candidate(cell, is_final)

    def _add(self, candidate: _Candidate) -> None:
        if candidate.is_final:
            self._found.append(candidate.cell)
            return
        found = [self._candidate(child) for child in children(candidate.cell)]
        candidate.children = [child for child in found if child is not None]
        n_final = sum(child.is_final for child in candidate.children)
        level = level_of(candidate.cell)
        if not candidate.children:
            return
        if n_final == 4 and level >= MIN_LEVEL:
            candidate.is_final = True
            self._add(candidate)
            return
        self._waiting.push(-((level << 2) + len(candidate.children) << 2) - n_final, candidate)


class _Heap:
    """The heap of the C++ library (push_heap, pop_heap), whose steps determine the order of equal priorities."""

    def __init__(self) -> None:
        self._items: list[tuple[int, _Candidate]] = []

    def __len__(self) -> int:
        return len(self._items)

    def push(self, priority: int, candidate: _Candidate) -> None:
        self._items.append((priority, candidate))
        self._rise(len(self._items) - 1, 0, (priority, candidate))

    def _rise(self, hole: int, top: int, item: tuple[int, _Candidate]) -> None:
        items = self._items
        while hole > top and items[(hole - 1) // 2][0] < item[0]:
            items[hole] = items[(hole - 1) // 2]
            hole = (hole - 1) // 2
        items[hole] = item

    def pop(self) -> _Candidate:
        items = self._items
        first = items[0]
        last = items.pop()
        if items:
            size = len(items)
            hole = child = 0
            while child < (size - 1) // 2:
                child = 2 * (child + 1)
                if items[child][0] < items[child - 1][0]:
                    child -= 1
                items[hole] = items[child]
                hole = child
            if size % 2 == 0 and child == (size - 2) // 2:
                child = 2 * (child + 1)
                items[hole] = items[child - 1]
                hole = child - 1
            self._rise(hole, 0, last)
        return first[1]


# Sets of cells ------------------------------------------------------------------------------------------------


def normalized(cells: list[int]) -> list[int]:
    """Normalize a union of cells: sorted, without contained cells, and four children as their parent."""
    out: list[int] = []
    for cell in sorted(cells):
        if out and contains(out[-1], cell):
            continue
        while out and contains(cell, out[-1]):
            out.pop()
        added = cell
        while len(out) >= 3 and level_of(added) > 0:
            wider = parent(added, level_of(added) - 1)
            if [*out[-3:], added] != children(wider):
                break
            del out[-3:]
            added = wider
        out.append(added)
    return out


def _not_above(cells: list[int], level: int) -> list[int]:
    """Denormalize cells: subdivide those above a level down to it."""
    out: list[int] = []
    for cell in cells:
        parts = [cell]
        while level_of(parts[0]) < level:
            parts = [child for part in parts for child in children(part)]
        out += parts
    return out


def _few(cells: list[int]) -> list[int]:
    """Reduce cells to a maximum number by common ancestors, as at the start of a covering (CanonicalizeCovering)."""
    cells = normalized(cells)
    while len(cells) > _FIRST_CELLS:
        levels = [common_level(one, other) for one, other in pairwise(cells)]
        best = max(levels)
        if best < 0:
            break
        wider = parent(cells[levels.index(best)], best)
        cells = _merged(cells, wider)
        while best > 0:
            best -= 1
            wider = parent(wider, best)
            if not all(child in cells for child in children(wider)):
                break
            cells = _merged(cells, wider)
    return cells


def _merged(cells: list[int], wider: int) -> list[int]:
    low, high = range_min(wider), range_max(wider)
    before = [cell for cell in cells if cell < low]
    after = [cell for cell in cells if cell > high]
    return [*before, wider, *after]
