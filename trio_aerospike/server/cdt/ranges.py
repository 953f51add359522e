"""Index, rank and count arguments, and return types common to lists and maps (server: as/src/base/cdt.c)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
from ..values import Particle
from .elements import MAP_K_ORDERED, MAP_PRESERVE_ORDER, boolean, integer, ints_of, map_of, wrapped

_UINT64: Final = 1 << 64
_RESULT_MASK: Final = 0xFFFF
_INDEX = {ops.RETURN_INDEX, ops.RETURN_REVINDEX}
_RANK = {ops.RETURN_RANK, ops.RETURN_REVRANK}
_INDEX_RANGE = {ops.RETURN_INDEX_RANGE, ops.RETURN_REVINDEX_RANGE}
_RANK_RANGE = {ops.RETURN_RANK_RANGE, ops.RETURN_REVRANK_RANGE}
_REVERSED = {ops.RETURN_REVINDEX, ops.RETURN_REVRANK, ops.RETURN_REVINDEX_RANGE, ops.RETURN_REVRANK_RANGE}
_MAPS = {
    ops.RETURN_KEY_VALUE_MAP: MAP_PRESERVE_ORDER,
    ops.RETURN_UNORDERED_MAP: 0,
    ops.RETURN_ORDERED_MAP: MAP_K_ORDERED,
}


def one(index: int, size: int) -> int | None:
    """The index or rank of a single element, counted from the end if negative; None if it does not exist."""
    if index >= size:
        return None
    if index < 0:
        index += size
    return index if index >= 0 else None


def several(index: int, count: int, size: int) -> tuple[int, int]:
    """Clip a range to the elements that exist; returns the first and their number (server: calc_index_count_multi).

    Args:
        index: signed 64 bits, counted from the end if negative.
        count: unsigned 64 bits.
        size: the number of elements.
    """
    if index >= size:
        return size, 0
    if index < 0:
        index += size
    if index < 0:
        return 0, min(count + index, size) if -index < count else 0
    return index, min(count, size - index)


def relative(index: int, count: int, place: int) -> tuple[int, int]:
    """Make a relative range absolute (server: calc_rel_index_count)."""
    index = wrapped(index + place)
    if index < 0:
        index = wrapped(-index)
        return 0, (count - index) % _UINT64 if count > index % _UINT64 else 0
    return index, count


@attrs.frozen
class ReturnSpec:
    """The return type of an operation.

    Args:
        kind: one of cdt_ops.RETURN_*, or an invalid number.
        inverted: select all elements but those found.
        multiple: the operation may find several elements.
    """

    kind: int
    inverted: bool = False
    multiple: bool = True

    @classmethod
    def parse(cls, number: int, *, multiple: bool) -> ReturnSpec:
        """Decode the argument (server: result_data_set)."""
        return cls(number & _RESULT_MASK, bool(number & ops.RETURN_INVERTED), multiple)

    def straight(self) -> ReturnSpec:
        """The same, not inverted."""
        return attrs.evolve(self, inverted=False)

    @property
    def is_reversed(self) -> bool:
        return self.kind in _REVERSED

    @property
    def is_index(self) -> bool:
        return self.kind in _INDEX

    @property
    def is_rank(self) -> bool:
        return self.kind in _RANK

    @property
    def is_index_range(self) -> bool:
        return self.kind in _INDEX_RANGE

    @property
    def is_rank_range(self) -> bool:
        return self.kind in _RANK_RANGE

    def not_found(self, index: int) -> Particle | None:
        """The result if nothing is found; `index` is where the range would begin.

        Raises:
            Refused: OP_NOT_APPLICABLE, the return type is not applicable.
        """
        if self.kind == ops.RETURN_NONE:
            return None
        if self.is_index_range or self.is_rank_range:
            return int_list((index, 0))
        if self.is_index or self.is_rank:
            return int_list(()) if self.multiple else integer(-1)
        if self.kind == ops.RETURN_COUNT:
            return integer(0)
        if self.kind == ops.RETURN_EXISTS:
            return boolean(False)
        if self.kind in (ops.RETURN_KEY, ops.RETURN_VALUE):
            return int_list(()) if self.multiple else None
        if self.kind in _MAPS:
            return wire.PARTICLE_MAP, map_of((), _MAPS[self.kind])
        raise Refused(ResultCode.OP_NOT_APPLICABLE)

    def positions(self, start: int, count: int, size: int) -> Particle | None:
        """The result of return types that need positions only (server: result_data_set_range).

        Raises:
            Refused: OP_NOT_APPLICABLE, the kind is not among them.
        """
        kind = self.kind
        if kind == ops.RETURN_NONE:
            return None
        if kind == ops.RETURN_COUNT:
            return integer(size - count if self.inverted else count)
        if kind == ops.RETURN_EXISTS:
            return boolean(count == 0 if self.inverted else count != 0)
        if self.is_index or self.is_rank:
            if not self.multiple:
                if not count:
                    return integer(-1)
                return integer(size - start - 1 if self.is_reversed else start)
            if self.inverted:
                return int_list((*self.run(0, start, size), *self.run(start + count, size - start - count, size)))
            return int_list(self.run(start, count, size))
        if (self.is_index_range or self.is_rank_range) and not self.inverted:
            return int_list((size - start - count if self.is_reversed else start, count))
        raise Refused(ResultCode.OP_NOT_APPLICABLE)

    def run(self, start: int, count: int, size: int) -> range:
        """Consecutive positions, counted from the end for reverse return types; ascending all the same."""
        if self.is_reversed:
            start = size - start - count
        return range(start, start + count)

    def each(self, positions: Iterable[int], size: int) -> Particle:
        """The positions, one by one."""
        if self.is_reversed:
            return int_list([size - position - 1 for position in positions])
        return int_list(positions)


def int_list(numbers: Iterable[int]) -> Particle:
    """A list of integers as a bin's value."""
    return wire.PARTICLE_LIST, ints_of(numbers)
