"""Compare two elements of any kind step by step, as the server does.

The steps matter: an unordered map makes a comparison unknown only if it is reached before a difference is found
(server: msgpack_cmp_internal in cf/src/msgpack_in.c, cmp_msgpack in as/src/base/exp.c).
"""

from __future__ import annotations

from ..cdt.elements import (
    BYTES,
    COMPARISON_EXT,
    DOUBLE,
    ERROR,
    EXT,
    GEOJSON,
    INTEGER,
    LIST,
    MAP,
    MAP_K_ORDERED,
    NEGATIVE,
    STRING,
    WILDCARD,
    Malformed,
    double,
    end_of,
    ext_at,
    header_at,
    is_ext,
    kind_of,
    text_of,
    unsigned,
)


def compare_packed(one: bytes, other: bytes, *, unordered_maps: bool = False) -> int | None:
    """Compare two elements: -1, 0 or 1; None if unknown.

    Args:
        one: an element as MessagePack.
        other: another.
        unordered_maps: compare unordered maps, too, in their stored order.
    """
    mine, theirs = _Walk(one), _Walk(other)
    try:
        order = _compare(mine, theirs)
    except (Malformed, IndexError):
        return None
    if not unordered_maps and (mine.met_unordered_map or theirs.met_unordered_map):
        return None
    return order


class _Walk:
    """Iterates over an element and everything nested in it."""

    __slots__ = ("at", "count", "data", "kind", "met_unordered_map", "value")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.met_unordered_map = False
        self.kind = ERROR
        self.count = 0
        """Remaining elements of the list or map that was entered last."""
        self.value: int | float | bytes = 0

    def step(self) -> None:
        """Take the next element; of a list or map, its header."""
        data, start = self.data, self.at
        self.kind = kind = kind_of(data, start)
        if kind in (LIST, MAP):
            self.at, self.count = header_at(data, start)
            self._skip_flags()
            return
        self.at = end_of(data, start)
        self.count = 0
        if kind in (INTEGER, NEGATIVE):
            self.value = unsigned(data[start : self.at])
        elif kind in (STRING, BYTES, GEOJSON):
            self.value = text_of(data[start : self.at])
        elif kind == DOUBLE:
            self.value = double(data[start : self.at])
        elif kind in (EXT, ERROR):
            self.kind = EXT
            _, size, end = ext_at(data, start)
            self.value = data[end - size : end]

    def _skip_flags(self) -> None:
        if not self.count:
            return
        is_map = self.kind == MAP
        if not is_ext(self.data, self.at):
            self.met_unordered_map = self.met_unordered_map or is_map
            return
        flags, _, _ = ext_at(self.data, self.at)
        if is_map and not flags & MAP_K_ORDERED:
            self.met_unordered_map = True
        if flags != COMPARISON_EXT:
            own = 2 if is_map else 1
            self.at = end_of(self.data, self.at, own)
            self.count -= own


def _compare(mine: _Walk, theirs: _Walk) -> int:
    left = 1
    shorter = 0
    while left:
        left -= 1
        mine.step()
        theirs.step()
        if WILDCARD in (mine.kind, theirs.kind):
            return 0
        if mine.kind != theirs.kind:
            return -1 if mine.kind < theirs.kind else 1
        if mine.kind in (LIST, MAP):
            if mine.count == theirs.count:
                left += mine.count
            elif mine.kind == MAP:
                return -1 if mine.count < theirs.count else 1
            else:
                # The elements past the end of the shorter list do not count.
                shorter = -1 if mine.count < theirs.count else 1
                left = min(mine.count, theirs.count)
        elif mine.kind in (INTEGER, NEGATIVE, STRING, BYTES, GEOJSON, DOUBLE, EXT):
            if mine.value < theirs.value:  # type: ignore[operator]
                return -1
            if mine.value > theirs.value:  # type: ignore[operator]
                return 1
    return shorter
