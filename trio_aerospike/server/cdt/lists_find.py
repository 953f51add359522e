"""Finding elements of a list: by index, value or rank, singly, in ranges or lists of values.

Each function answers as asked, and says which elements it has found, so that they can be removed. What it answers and
which error wins are the server's (as/src/base/particle_list.c, packed_list_get_remove_*).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..refused import Refused
from ..values import Particle
from .content import Content, Elements, Mapped
from .elements import (
    LIST,
    LIST_ORDERED,
    Malformed,
    boolean,
    header_at,
    integer,
    kind_of,
    list_of,
    list_start,
    opened,
    particle_of,
    split,
)
from .order import Key, OddKey, by_rank_range as indexes_by_rank, compare, key_of, search, sorted_indexes, value_range
from .ranges import ReturnSpec, int_list, one, relative, several

Answered = tuple[Particle | None, Sequence[int]]
"""An answer, and the indexes of what was found."""

_NOTHING: Sequence[int] = ()
_MAX_VALUES = 1024 * 1024


class StoredList:
    """A list while an operation works on it; what it is asked for is only worked out then.

    Raises:
        Malformed: it is none.
    """

    size: int
    flags: int

    def __init__(self, data: bytes) -> None:
        kind, self.size, self.flags, self._start = opened(data)
        if kind != LIST:
            raise Malformed
        self._data = data

    def __repr__(self) -> str:
        return f"<StoredList of {self.size}, flags {self.flags:#04x}>"

    @property
    def is_ordered(self) -> bool:
        return bool(self.flags & LIST_ORDERED)

    @property
    def content(self) -> bytes:
        """All elements, one behind the other."""
        return self._data[self._start :]

    @cached_property
    def _elements(self) -> Content:
        return Content(self._data, self._start, self.size)

    @cached_property
    def elements(self) -> Elements:
        return Elements(self._elements)

    @cached_property
    def keys(self) -> Mapped[Key]:
        """What each element is compared by."""
        return Mapped(key_of, self.elements)

    @cached_property
    def _sorted_keys(self) -> list[Key] | None:
        """The keys in order; None if they have none."""
        if any(type(key) is OddKey for key in self.keys):
            return None
        return self.keys.whole() if self.is_ordered else sorted(self.keys)

    def rank_of(self, key: Key) -> int:
        """How many elements are less."""
        if type(key) is OddKey or self._sorted_keys is None:
            return sum(compare(mine, key) < 0 for mine in self.keys)
        return bisect_left(self._sorted_keys, key)

    def values_at(self, indexes: Iterable[int]) -> Particle:
        """The elements as a list of their own."""
        elements = self.elements
        return wire.PARTICLE_LIST, list_of([elements[index] for index in indexes])

    def single(self, index: int, failure: ResultCode) -> Particle | None:
        """The element as a bin's value.

        Raises:
            Refused: with `failure`, there is no such value for it.
        """
        try:
            return particle_of(self.elements[index])
        except Malformed:
            raise Refused(failure) from None

    def without(self, indexes: Iterable[int]) -> bytes:
        """The list as it is stored when these elements are gone; an empty one keeps its order, but no index."""
        gone = set(indexes)
        if len(gone) == self.size:
            return list_start(0, self.flags & LIST_ORDERED)
        first, count = min(gone), len(gone)
        if max(gone) - first + 1 == count:
            return self.replaced(first, count, ())
        return list_of([element for index, element in enumerate(self.elements) if index not in gone], self.flags)

    def replaced(self, first: int, removed: int, added: Sequence[bytes]) -> bytes:
        """The list as it is stored with some elements in the place of others."""
        head = list_start(self.size - removed + len(added), self.flags)
        return self._elements.replaced(first, removed, added, head)

    def moved(self, index: int, to: int, element: bytes) -> bytes:
        """The list as it is stored with one element replaced, and moved to where the new one belongs."""
        low, high = min(index, to), max(index, to) + 1
        between = self.elements[low:high]
        del between[index - low]
        between.insert(to - low, element)
        return self.replaced(low, high - low, between)


def _refuse_single_inverted(wanted: ReturnSpec) -> None:
    if wanted.inverted and not wanted.multiple:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)


def _not_found(wanted: ReturnSpec, index: int) -> Answered:
    """The answer when there is nothing; lists have no keys."""
    if wanted.kind in (ops.RETURN_KEY, *_MAP_KINDS):
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return wanted.not_found(index), _NOTHING


_MAP_KINDS = (ops.RETURN_KEY_VALUE_MAP, ops.RETURN_UNORDERED_MAP, ops.RETURN_ORDERED_MAP)


# By index -----------------------------------------------------------------------------------------------------


def by_index_range(stored: StoredList, wanted: ReturnSpec, index: int, count: int) -> Answered:
    """Elements from an index on."""
    size = stored.size
    if wanted.multiple:
        start, found = several(index, count, size)
    else:
        place = one(index, size)
        if place is None:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        start, found = place, min(count, size - place)
    if wanted.inverted:
        _refuse_single_inverted(wanted)
        if wanted.is_index_range or wanted.is_rank_range:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        wanted = wanted.straight()
        if not found:
            start, found = 0, size
        elif not start:
            start, found = found, size - found
        elif start + found >= size:
            start, found = 0, start
        else:
            return _around(stored, wanted, start, found)
    if not found:
        return _not_found(wanted, start)
    return _index_answer(stored, wanted, start, found), range(start, start + found)


def _index_answer(stored: StoredList, wanted: ReturnSpec, start: int, count: int) -> Particle | None:
    kind, size = wanted.kind, stored.size
    if wanted.is_rank:
        if count == size:
            return wanted.positions(0, count, size)
        if stored.is_ordered:
            return wanted.positions(start, count, size)
        ranks = [stored.rank_of(stored.keys[index]) for index in range(start, start + count)]
        if wanted.multiple:
            return wanted.each(ranks, size)
        return integer(size - ranks[0] - 1 if wanted.is_reversed else ranks[0])
    if kind == ops.RETURN_VALUE:
        if wanted.multiple:
            return stored.values_at(range(start, start + count))
        return stored.single(start, ResultCode.SERVER)
    if wanted.is_rank_range and not stored.is_ordered:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return wanted.positions(start, count, size)


def _around(stored: StoredList, wanted: ReturnSpec, index: int, count: int) -> Answered:
    """The elements before and behind some in the middle (server: packed_list_trim)."""
    size, end = stored.size, index + count
    indexes = (*range(index), *range(end, size))
    kind = wanted.kind
    if kind == ops.RETURN_NONE:
        return None, indexes
    if kind == ops.RETURN_COUNT:
        return integer(len(indexes)), indexes
    if kind == ops.RETURN_EXISTS:
        return boolean(True), indexes
    if wanted.is_index or (wanted.is_rank and stored.is_ordered):
        return int_list((*wanted.run(0, index, size), *wanted.run(end, size - end, size))), indexes
    if wanted.is_rank:
        return wanted.each([stored.rank_of(stored.keys[at]) for at in indexes], size), indexes
    if kind == ops.RETURN_VALUE:
        return stored.values_at(indexes), indexes
    raise Refused(ResultCode.OP_NOT_APPLICABLE)


# By value -----------------------------------------------------------------------------------------------------


def by_value(stored: StoredList, wanted: ReturnSpec, value: bytes) -> Answered:
    """The elements that equal a value, or the first of them."""
    return _by_keys(stored, wanted, key_of(value), None, single=True)


def by_value_interval(stored: StoredList, wanted: ReturnSpec, begin: bytes, end: bytes | None) -> Answered:
    """The elements from one value up to another, without that; to the end where there is none."""
    return _by_keys(stored, wanted, key_of(begin), None if end is None else key_of(end), single=False)


def _by_keys(stored: StoredList, wanted: ReturnSpec, begin: Key, end: Key | None, *, single: bool) -> Answered:
    _refuse_single_inverted(wanted)
    if stored.is_ordered:
        if single:
            rank, count = value_range(stored.keys, begin, multiple=wanted.multiple)
        else:
            rank, count = _interval_in_order(stored.keys, begin, end)
        if not count and not wanted.multiple:
            return _not_found(wanted, 0)
        return by_index_range(stored, wanted, rank, count)
    rank, found = _scan(stored.keys, wanted, begin, end, single=single)
    size = stored.size
    if wanted.is_index:
        if wanted.multiple:
            return wanted.each(found, size), found
        return wanted.positions(found[0] if found else 0, len(found), size), found
    if wanted.kind == ops.RETURN_VALUE:
        if wanted.multiple:
            return stored.values_at(found), found
        return _single_or_nil(stored, found), found
    if wanted.is_index_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return wanted.positions(rank, size - len(found) if wanted.inverted else len(found), size), found


def _single_or_nil(stored: StoredList, found: Sequence[int]) -> Particle | None:
    try:
        return particle_of(stored.elements[found[0]]) if found else None
    except Malformed:
        return None


def _interval_in_order(keys: Sequence[Key], begin: Key, end: Key | None) -> tuple[int, int]:
    start = search(begin, keys).place
    if end is None:
        return start, len(keys) - start
    if compare(begin, end) >= 0:
        return start, 0
    return start, search(end, keys, start=start).place - start


def _scan(
    keys: Sequence[Key], wanted: ReturnSpec, begin: Key, end: Key | None, *, single: bool
) -> tuple[int, Sequence[int]]:
    """The rank of the first value, and the indexes of what is wanted."""
    rank = 0
    found: list[int] = []
    for index, key in enumerate(keys):
        result = compare(key, begin)
        if result < 0:
            rank += 1
            chosen = wanted.inverted
        elif not single:
            chosen = (end is None or compare(key, end) < 0) is not wanted.inverted
        elif not wanted.multiple:
            chosen = result == 0 and not found
        else:
            chosen = (result == 0) is not wanted.inverted
        if chosen:
            found.append(index)
    return rank, found


# By rank ------------------------------------------------------------------------------------------------------


def by_rank_range(stored: StoredList, wanted: ReturnSpec, rank: int, count: int) -> Answered:
    """Elements from a rank on."""
    _refuse_single_inverted(wanted)
    if stored.is_ordered:
        return by_index_range(stored, wanted, rank, count)
    size = stored.size
    if wanted.multiple:
        start, n_ranks = several(rank, count, size)
    else:
        place = one(rank, size)
        if place is None:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        start, n_ranks = place, min(count, size - place)
    if not (size - n_ranks if wanted.inverted else n_ranks):
        return _not_found(wanted, start)
    ranked = indexes_by_rank(stored.keys, start, n_ranks)
    found = _others(ranked, size) if wanted.inverted else sorted(ranked)
    if wanted.inverted and wanted.is_rank_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if wanted.is_index:
        if wanted.multiple:
            return wanted.each(found, size), found
        return wanted.positions(found[0], 1, size), found
    if wanted.kind == ops.RETURN_VALUE:
        if wanted.inverted:
            return stored.values_at(found), found
        if wanted.multiple:
            return stored.values_at(ranked), found
        return stored.single(ranked[0], ResultCode.PARAM), found
    if wanted.is_index_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return wanted.positions(start, n_ranks, size), found


def _others(indexes: Iterable[int], size: int) -> list[int]:
    chosen = set(indexes)
    return [index for index in range(size) if index not in chosen]


def by_relative_rank_range(stored: StoredList, wanted: ReturnSpec, value: bytes, rank: int, count: int) -> Answered:
    """Elements from a rank on that is counted from where a value is or would be."""
    key = key_of(value)
    if stored.is_ordered:
        rank, count = relative(rank, count, search(key, stored.keys).place)
        return by_index_range(stored, wanted, rank, count)
    rank, count = relative(rank, count, stored.rank_of(key))
    return by_rank_range(stored, wanted, rank, count)


# By a list of values ------------------------------------------------------------------------------------------


def by_value_list(stored: StoredList, wanted: ReturnSpec, values: bytes) -> Answered:
    """The elements that equal any of the values."""
    if wanted.is_rank_range or wanted.is_index_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if kind_of(values) != LIST:
        raise Refused(ResultCode.PARAM)
    start, n_values = header_at(values, 0)
    if n_values > _MAX_VALUES:
        raise Refused(ResultCode.PARAM)
    if not n_values:
        if wanted.inverted:
            return by_index_range(stored, wanted.straight(), 0, stored.size)
        return _not_found(wanted, 0)
    keys = [key_of(value) for value in split(values, start, n_values)]
    return (_list_in_order if stored.is_ordered else _list_unordered)(stored, wanted, keys)


def _list_in_order(stored: StoredList, wanted: ReturnSpec, values: Sequence[Key]) -> Answered:
    size = stored.size
    runs = [range(rank, rank + count) for rank, count in (_run(stored, value) for value in values) if count]
    found: Sequence[int] = sorted({index for run in runs for index in run})
    if wanted.inverted:
        found = _others(found, size)
    if wanted.is_index or wanted.is_rank:
        if wanted.inverted:
            return wanted.each(found, size), found
        return int_list([at for run in runs for at in wanted.run(run.start, len(run), size)]), found
    if wanted.kind == ops.RETURN_VALUE and not wanted.inverted:
        return stored.values_at([index for run in runs for index in run]), found
    return _found_answer(stored, wanted, found), found


def _run(stored: StoredList, value: Key) -> tuple[int, int]:
    return value_range(stored.keys, value, multiple=True)


def _list_unordered(stored: StoredList, wanted: ReturnSpec, values: Sequence[Key]) -> Answered:
    size, n_values = stored.size, len(values)
    order = sorted_indexes(values)
    target = n_values if wanted.is_rank else n_values + 1
    below = [0] * n_values
    """For each value how many elements are between it and the next lower one."""
    equal = [0] * n_values
    found: list[int] = []
    for index, key in enumerate(stored.keys):
        place = search(key, values, order, target=target)
        if wanted.is_rank:
            if place.there:
                equal[order[place.place - 1]] += 1
            if place.place != n_values:
                below[order[place.place]] += 1
        if place.there is not wanted.inverted:
            found.append(index)
    if wanted.is_index:
        return wanted.each(found, size), found
    if not wanted.is_rank:
        return _found_answer(stored, wanted, found), found
    ranks, total = [0] * n_values, 0
    for at in order:
        total += below[at]
        ranks[at] = total
    if not wanted.inverted:
        return wanted.each([ranks[at] + i for at in range(n_values) for i in range(equal[at])], size), found
    positions: list[int] = []
    last = 0
    for at in order:
        if equal[at]:
            positions += wanted.run(last, ranks[at] - last, size)
            last = ranks[at] + equal[at]
    return int_list([*positions, *wanted.run(last, size - last, size)]), found


def _found_answer(stored: StoredList, wanted: ReturnSpec, found: Sequence[int]) -> Particle | None:
    kind = wanted.kind
    if kind == ops.RETURN_NONE:
        return None
    if kind == ops.RETURN_COUNT:
        return integer(len(found))
    if kind == ops.RETURN_EXISTS:
        return boolean(bool(found))
    if kind == ops.RETURN_VALUE:
        return stored.values_at(found)
    raise Refused(ResultCode.OP_NOT_APPLICABLE)
