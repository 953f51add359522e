"""Find elements of a list by index, value or rank: single ones, ranges, lists of values.

Each function returns the result for the return type asked for, and the indexes of what it has found, so that these
can be removed. Results and precedence of errors are the server's (as/src/base/particle_list.c,
packed_list_get_remove_*).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
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

Found = tuple[Particle | None, Sequence[int]]
"""A result, and the indexes of the elements found."""

_NOTHING: Sequence[int] = ()
_MAX_VALUES = 1024 * 1024


class StoredList:
    """A list while an operation works on it; its properties are computed on demand.

    Raises:
        Malformed: it is not a list.
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
        """The bytes of all elements."""
        return self._data[self._start :]

    @cached_property
    def _elements(self) -> Content:
        return Content(self._data, self._start, self.size)

    @cached_property
    def elements(self) -> Elements:
        return Elements(self._elements)

    @cached_property
    def keys(self) -> Mapped[Key]:
        """The sort key of each element."""
        return Mapped(key_of, self.elements)

    @cached_property
    def _sorted_keys(self) -> list[Key] | None:
        """The sort keys in order; None if they cannot be ordered."""
        if any(type(key) is OddKey for key in self.keys):
            return None
        return self.keys.whole() if self.is_ordered else sorted(self.keys)

    def rank_of(self, key: Key) -> int:
        """The number of smaller elements."""
        if type(key) is OddKey or self._sorted_keys is None:
            return sum(compare(mine, key) < 0 for mine in self.keys)
        return bisect_left(self._sorted_keys, key)

    def values_at(self, indexes: Iterable[int]) -> Particle:
        """A list of these elements, as a bin's value."""
        elements = self.elements
        return wire.PARTICLE_LIST, list_of([elements[index] for index in indexes])

    def single(self, index: int, failure: ResultCode) -> Particle | None:
        """The element as a bin's value. Raises `Refused`: with `failure`, a bin cannot have such a value."""
        try:
            return particle_of(self.elements[index])
        except Malformed:
            raise Refused(failure) from None

    def without(self, indexes: Iterable[int]) -> bytes:
        """The stored list without these elements; an empty one keeps its order, but no index."""
        gone = set(indexes)
        if len(gone) == self.size:
            return list_start(0, self.flags & LIST_ORDERED)
        first, count = min(gone), len(gone)
        if max(gone) - first + 1 == count:
            return self.replaced(first, count, ())
        return list_of([element for index, element in enumerate(self.elements) if index not in gone], self.flags)

    def replaced(self, first: int, removed: int, added: Sequence[bytes]) -> bytes:
        """The stored list with some elements replaced by others."""
        head = list_start(self.size - removed + len(added), self.flags)
        return self._elements.replaced(first, removed, added, head)

    def moved(self, index: int, to: int, element: bytes) -> bytes:
        """The stored list with one element replaced and moved to its position in the order."""
        low, high = min(index, to), max(index, to) + 1
        between = self.elements[low:high]
        del between[index - low]
        between.insert(to - low, element)
        return self.replaced(low, high - low, between)


def _refuse_single_inverted(returns: ReturnSpec) -> None:
    if returns.inverted and not returns.multiple:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)


def _not_found(returns: ReturnSpec, index: int) -> Found:
    """The result if nothing is found; lists have no keys."""
    if returns.kind in (ops.RETURN_KEY, *_MAP_KINDS):
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return returns.not_found(index), _NOTHING


_MAP_KINDS = (ops.RETURN_KEY_VALUE_MAP, ops.RETURN_UNORDERED_MAP, ops.RETURN_ORDERED_MAP)


# By index -----------------------------------------------------------------------------------------------------


def by_index_range(stored: StoredList, returns: ReturnSpec, index: int, count: int) -> Found:
    """Elements by index range."""
    size = stored.size
    if returns.multiple:
        start, found = several(index, count, size)
    else:
        place = one(index, size)
        if place is None:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        start, found = place, min(count, size - place)
    if returns.inverted:
        _refuse_single_inverted(returns)
        if returns.is_index_range or returns.is_rank_range:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        returns = returns.straight()
        if not found:
            start, found = 0, size
        elif not start:
            start, found = found, size - found
        elif start + found >= size:
            start, found = 0, start
        else:
            return _around(stored, returns, start, found)
    if not found:
        return _not_found(returns, start)
    return _index_result(stored, returns, start, found), range(start, start + found)


def _index_result(stored: StoredList, returns: ReturnSpec, start: int, count: int) -> Particle | None:
    kind, size = returns.kind, stored.size
    if returns.is_rank:
        if count == size:
            return returns.positions(0, count, size)
        if stored.is_ordered:
            return returns.positions(start, count, size)
        ranks = [stored.rank_of(stored.keys[index]) for index in range(start, start + count)]
        if returns.multiple:
            return returns.each(ranks, size)
        return integer(size - ranks[0] - 1 if returns.is_reversed else ranks[0])
    if kind == ops.RETURN_VALUE:
        if returns.multiple:
            return stored.values_at(range(start, start + count))
        return stored.single(start, ResultCode.SERVER)
    if returns.is_rank_range and not stored.is_ordered:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return returns.positions(start, count, size)


def _around(stored: StoredList, returns: ReturnSpec, index: int, count: int) -> Found:
    """The elements outside an index range (server: packed_list_trim)."""
    size, end = stored.size, index + count
    indexes = (*range(index), *range(end, size))
    kind = returns.kind
    if kind == ops.RETURN_NONE:
        return None, indexes
    if kind == ops.RETURN_COUNT:
        return integer(len(indexes)), indexes
    if kind == ops.RETURN_EXISTS:
        return boolean(True), indexes
    if returns.is_index or (returns.is_rank and stored.is_ordered):
        return int_list((*returns.run(0, index, size), *returns.run(end, size - end, size))), indexes
    if returns.is_rank:
        return returns.each([stored.rank_of(stored.keys[at]) for at in indexes], size), indexes
    if kind == ops.RETURN_VALUE:
        return stored.values_at(indexes), indexes
    raise Refused(ResultCode.OP_NOT_APPLICABLE)


# By value -----------------------------------------------------------------------------------------------------


def by_value(stored: StoredList, returns: ReturnSpec, value: bytes) -> Found:
    """The elements that equal a value, or the first of them."""
    return _by_keys(stored, returns, key_of(value), None, single=True)


def by_value_interval(stored: StoredList, returns: ReturnSpec, begin: bytes, end: bytes | None) -> Found:
    """Elements by value interval, the end excluded; None for no end."""
    return _by_keys(stored, returns, key_of(begin), None if end is None else key_of(end), single=False)


def _by_keys(stored: StoredList, returns: ReturnSpec, begin: Key, end: Key | None, *, single: bool) -> Found:
    _refuse_single_inverted(returns)
    if stored.is_ordered:
        if single:
            rank, count = value_range(stored.keys, begin, multiple=returns.multiple)
        else:
            rank, count = _interval_in_order(stored.keys, begin, end)
        if not count and not returns.multiple:
            return _not_found(returns, 0)
        return by_index_range(stored, returns, rank, count)
    rank, found = _scan(stored.keys, returns, begin, end, single=single)
    size = stored.size
    if returns.is_index:
        if returns.multiple:
            return returns.each(found, size), found
        return returns.positions(found[0] if found else 0, len(found), size), found
    if returns.kind == ops.RETURN_VALUE:
        if returns.multiple:
            return stored.values_at(found), found
        return _single_or_nil(stored, found), found
    if returns.is_index_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return returns.positions(rank, size - len(found) if returns.inverted else len(found), size), found


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
    keys: Sequence[Key], returns: ReturnSpec, begin: Key, end: Key | None, *, single: bool
) -> tuple[int, Sequence[int]]:
    """The rank of the first value, and the indexes of the elements found."""
    rank = 0
    found: list[int] = []
    for index, key in enumerate(keys):
        result = compare(key, begin)
        if result < 0:
            rank += 1
            chosen = returns.inverted
        elif not single:
            chosen = (end is None or compare(key, end) < 0) is not returns.inverted
        elif not returns.multiple:
            chosen = result == 0 and not found
        else:
            chosen = (result == 0) is not returns.inverted
        if chosen:
            found.append(index)
    return rank, found


# By rank ------------------------------------------------------------------------------------------------------


def by_rank_range(stored: StoredList, returns: ReturnSpec, rank: int, count: int) -> Found:
    """Elements by rank range."""
    _refuse_single_inverted(returns)
    if stored.is_ordered:
        return by_index_range(stored, returns, rank, count)
    size = stored.size
    if returns.multiple:
        start, n_ranks = several(rank, count, size)
    else:
        place = one(rank, size)
        if place is None:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        start, n_ranks = place, min(count, size - place)
    if not (size - n_ranks if returns.inverted else n_ranks):
        return _not_found(returns, start)
    ranked = indexes_by_rank(stored.keys, start, n_ranks)
    found = _others(ranked, size) if returns.inverted else sorted(ranked)
    if returns.inverted and returns.is_rank_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if returns.is_index:
        if returns.multiple:
            return returns.each(found, size), found
        return returns.positions(found[0], 1, size), found
    if returns.kind == ops.RETURN_VALUE:
        if returns.inverted:
            return stored.values_at(found), found
        if returns.multiple:
            return stored.values_at(ranked), found
        return stored.single(ranked[0], ResultCode.PARAM), found
    if returns.is_index_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return returns.positions(start, n_ranks, size), found


def _others(indexes: Iterable[int], size: int) -> list[int]:
    chosen = set(indexes)
    return [index for index in range(size) if index not in chosen]


def by_relative_rank_range(stored: StoredList, returns: ReturnSpec, value: bytes, rank: int, count: int) -> Found:
    """Elements by rank range relative to a value."""
    key = key_of(value)
    if stored.is_ordered:
        rank, count = relative(rank, count, search(key, stored.keys).place)
        return by_index_range(stored, returns, rank, count)
    rank, count = relative(rank, count, stored.rank_of(key))
    return by_rank_range(stored, returns, rank, count)


# By a list of values ------------------------------------------------------------------------------------------


def by_value_list(stored: StoredList, returns: ReturnSpec, values: bytes) -> Found:
    """The elements that equal any of the values."""
    if returns.is_rank_range or returns.is_index_range:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if kind_of(values) != LIST:
        raise Refused(ResultCode.PARAM)
    start, n_values = header_at(values, 0)
    if n_values > _MAX_VALUES:
        raise Refused(ResultCode.PARAM)
    if not n_values:
        if returns.inverted:
            return by_index_range(stored, returns.straight(), 0, stored.size)
        return _not_found(returns, 0)
    keys = [key_of(value) for value in split(values, start, n_values)]
    return (_list_in_order if stored.is_ordered else _list_unordered)(stored, returns, keys)


def _list_in_order(stored: StoredList, returns: ReturnSpec, values: Sequence[Key]) -> Found:
    size = stored.size
    runs = [range(rank, rank + count) for rank, count in (_run(stored, value) for value in values) if count]
    found: Sequence[int] = sorted({index for run in runs for index in run})
    if returns.inverted:
        found = _others(found, size)
    if returns.is_index or returns.is_rank:
        if returns.inverted:
            return returns.each(found, size), found
        return int_list([at for run in runs for at in returns.run(run.start, len(run), size)]), found
    if returns.kind == ops.RETURN_VALUE and not returns.inverted:
        return stored.values_at([index for run in runs for index in run]), found
    return _found_result(stored, returns, found), found


def _run(stored: StoredList, value: Key) -> tuple[int, int]:
    return value_range(stored.keys, value, multiple=True)


def _list_unordered(stored: StoredList, returns: ReturnSpec, values: Sequence[Key]) -> Found:
    size, n_values = stored.size, len(values)
    order = sorted_indexes(values)
    target = n_values if returns.is_rank else n_values + 1
    below = [0] * n_values
    """For each value, how many elements lie between it and the next lower one."""
    equal = [0] * n_values
    found: list[int] = []
    for index, key in enumerate(stored.keys):
        place = search(key, values, order, target=target)
        if returns.is_rank:
            if place.there:
                equal[order[place.place - 1]] += 1
            if place.place != n_values:
                below[order[place.place]] += 1
        if place.there is not returns.inverted:
            found.append(index)
    if returns.is_index:
        return returns.each(found, size), found
    if not returns.is_rank:
        return _found_result(stored, returns, found), found
    ranks, total = [0] * n_values, 0
    for at in order:
        total += below[at]
        ranks[at] = total
    if not returns.inverted:
        return returns.each([ranks[at] + i for at in range(n_values) for i in range(equal[at])], size), found
    positions: list[int] = []
    last = 0
    for at in order:
        if equal[at]:
            positions += returns.run(last, ranks[at] - last, size)
            last = ranks[at] + equal[at]
    return int_list([*positions, *returns.run(last, size - last, size)]), found


def _found_result(stored: StoredList, returns: ReturnSpec, found: Sequence[int]) -> Particle | None:
    kind = returns.kind
    if kind == ops.RETURN_NONE:
        return None
    if kind == ops.RETURN_COUNT:
        return integer(len(found))
    if kind == ops.RETURN_EXISTS:
        return boolean(bool(found))
    if kind == ops.RETURN_VALUE:
        return stored.values_at(found)
    raise Refused(ResultCode.OP_NOT_APPLICABLE)
