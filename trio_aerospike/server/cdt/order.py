"""Compare, sort, rank and search elements in the server's order.

The ranks of equal elements depend on the server's algorithms, which are followed step by step (server: msgpack_cmp in
cf/src/msgpack_in.c; order_index, order_heap in as/src/base/cdt.c).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import attrs

from .elements import (
    BYTES,
    COMPARISON_EXT,
    DOUBLE,
    ERROR,
    EXT,
    FIXED_SIZES,
    GEOJSON,
    INTEGER,
    LIST,
    MAP,
    NEGATIVE,
    STRING,
    WILDCARD,
    double,
    end_of,
    ext_at,
    header_at,
    is_ext,
    kind_of,
    text_of,
    unsigned,
)

_END = 0
"""Marks the end of a list in a sort key: lower than any element of a longer list."""


class _Any:
    """Marks a wildcard in a sort key."""


_ANY = _Any()
_KeyPart = int | float | bytes | _Any
Key = tuple[_KeyPart, ...]
"""The sort key of an element: kinds and contents, flat, so that depth is not limited."""


class OddKey(tuple[_KeyPart, ...]):
    """A sort key with a wildcard or NaN in it, which only :func:`compare` can compare."""


def key_of(element: bytes) -> Key:
    """The sort key of a (valid) element.

    Lists compare element by element, then by length; maps by length, then in their stored order; everything else by
    kind, then content. Flags do not count. NaN equals every float; the wildcard equals everything.
    """
    parts: list[_KeyPart] = []
    append = parts.append
    open_lists: list[tuple[int, bool]] = []
    left, in_list, odd = 1, False, False
    pos = 0
    while True:
        while not left:
            if in_list:
                append(_END)
            if not open_lists:
                return OddKey(parts) if odd else tuple(parts)
            left, in_list = open_lists.pop()
        left -= 1
        first = element[pos]
        step = FIXED_SIZES[first]
        kind = kind_of(element, pos)
        if kind in (LIST, MAP):
            pos, inside = header_at(element, pos)
            pos, inside = _skip_flags(element, pos, inside, 1 if kind == LIST else 2)
            append(kind)
            if kind == MAP:
                append(inside)
            open_lists.append((left, in_list))
            left, in_list = inside, kind == LIST
            continue
        end = pos + step if step else header_at(element, pos)[0]
        if kind in (INTEGER, NEGATIVE):
            append(kind)
            append(unsigned(element[pos:end]))
        elif kind in (STRING, BYTES, GEOJSON):
            append(kind)
            append(text_of(element[pos:end]))
        elif kind == DOUBLE:
            number = double(element[pos:end])
            odd = odd or math.isnan(number)
            append(kind)
            append(number)
        elif kind == WILDCARD:
            append(_ANY)
            odd = True
        elif kind in (EXT, ERROR):
            _, size, _ = ext_at(element, pos)
            append(EXT)
            append(element[end - size : end])
        else:
            append(kind)
        pos = end


def _skip_flags(element: bytes, pos: int, inside: int, count: int) -> tuple[int, int]:
    """Skip the flags of a list or map: an extension (and nil, in maps)."""
    if inside and is_ext(element, pos):
        kind, _, _ = ext_at(element, pos)
        if kind != COMPARISON_EXT:
            return end_of(element, pos, count), inside - count
    return pos, inside


def compare(one: Key, other: Key) -> int:
    """Compare two sort keys: -1, 0 or 1."""
    if type(one) is tuple and type(other) is tuple:
        return 0 if one == other else -1 if one < other else 1
    for mine, theirs in zip(one, other, strict=False):
        if mine is _ANY:
            return 1 if theirs == _END else 0
        if theirs is _ANY:
            return -1 if mine == _END else 0
        if mine < theirs:  # type: ignore[operator]
            return -1
        if mine > theirs:  # type: ignore[operator]
            return 1
    return 0


# Sorting ------------------------------------------------------------------------------------------------------


def sorted_indexes(keys: Sequence[Key], *, descending: bool = False) -> list[int]:
    """The indexes that sort the keys, stably.

    Server: order_index_sort, with the merge sort of glibc's qsort_r for all but huge arrays.
    """
    indexes = list(range(len(keys)))
    if not _any_odd(keys):
        indexes.sort(key=keys.__getitem__, reverse=descending)
        return indexes
    sign = -1 if descending else 1
    return _merge_sorted(indexes, lambda one, other: sign * compare(keys[one], keys[other]))


def _any_odd(keys: Sequence[Key]) -> bool:
    return any(type(key) is OddKey for key in keys)


def _merge_sorted(indexes: list[int], compared: Callable[[int, int], int]) -> list[int]:
    """The order that glibc's merge sort gives keys without a total order (NaN)."""
    if len(indexes) <= 1:
        return indexes
    middle = len(indexes) // 2
    left = _merge_sorted(indexes[:middle], compared)
    right = _merge_sorted(indexes[middle:], compared)
    merged: list[int] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if compared(left[i], right[j]) <= 0:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def is_sorted(keys: Sequence[Key]) -> bool:
    """Whether the keys are sorted."""
    return all(compare(one, other) <= 0 for one, other in pairwise(keys))


def duplicates(keys: Sequence[Key], order: Sequence[int]) -> set[int]:
    """The indexes of a sorted order whose keys equal the previous one.

    Raises:
        ValueError: the order is not sorted ascending.
    """
    found: set[int] = set()
    for one, other in pairwise(order):
        result = compare(keys[one], keys[other])
        if result > 0:
            raise ValueError("not sorted")
        if result == 0:
            found.add(other)
    return found


# Ranks --------------------------------------------------------------------------------------------------------


def _levels(keys: Sequence[Key]) -> tuple[Callable[[int, int], int], list[int] | None]:
    """A comparison of indexes by key; and the sorted indexes, if no two keys are equal."""
    if _any_odd(keys):
        return (lambda one, other: compare(keys[one], keys[other])), None
    order = sorted_indexes(keys)
    levels = [0] * len(keys)
    level, distinct = 0, True
    for place, index in enumerate(order):
        if place and keys[order[place - 1]] == keys[index]:
            distinct = False
        else:
            level = place
        levels[index] = level
    return (lambda one, other: levels[one] - levels[other]), order if distinct else None


def by_rank_range(keys: Sequence[Key], rank: int, count: int) -> list[int]:
    """The indexes of `count` elements from `rank` on, in the server's order.

    That is descending in the lower half of the ranks and ascending in the upper half: the server takes them off a heap
    whose top is the nearer end of the order, and fills an array from the end (server:
    order_heap_init_build_by_range_temp, order_heap_order_at_end).
    """
    size = len(keys)
    tail = size - rank - count
    sign, discard = (1, rank) if rank <= tail else (-1, tail)
    compared, order = _levels(keys)
    if order is not None:
        chosen = order[rank : rank + count]
        return chosen[::-1] if sign > 0 else chosen
    heap = list(range(size))
    filled = size
    for root in range(size // 2 - 1, -1, -1):
        _sift(heap, filled, root, compared, sign)
    for _ in range(count + discard):
        top = heap[0]
        filled -= 1
        heap[0] = heap[filled]
        _sift(heap, filled, 0, compared, sign)
        heap[filled] = top
    return heap[filled : filled + count]


def _sift(heap: list[int], filled: int, index: int, compared: Callable[[int, int], int], sign: int) -> None:
    while (child := 2 * index + 1) < filled:
        if child + 1 < filled and sign * compared(heap[child], heap[child + 1]) > 0:
            child += 1
        if sign * compared(heap[child], heap[index]) >= 0:
            return
        heap[index], heap[child] = heap[child], heap[index]
        index = child


def by_rank(keys: Sequence[Key], rank: int) -> int:
    """The index of the element of a rank, as path expressions find it (server: order_index_select)."""
    compared, whole = _levels(keys)
    if whole is not None:
        return whole[rank]
    order = list(range(len(keys)))
    low, high = 0, len(keys) - 1
    if high < 1:
        return 0
    while True:
        middle = low + (high - low) // 2
        pivot = order[middle]
        order[low], order[middle] = order[middle], order[low]
        i, j = low + 1, high
        while True:
            while i < j and compared(order[i], pivot) < 0:
                i += 1
            while i <= j and j != low and compared(pivot, order[j]) < 0:
                j -= 1
            if i >= j:
                break
            order[i], order[j] = order[j], order[i]
            i += 1
            j -= 1
        order[low], order[j] = order[j], order[low]
        if j == rank:
            return pivot
        if j < rank:
            low = j + 1
        else:
            high = j - 1
        if low >= high:
            return order[low]


# Searching ----------------------------------------------------------------------------------------------------


@attrs.frozen
class Found:
    """The position or insertion point of a value in a sorted order."""

    place: int
    there: bool


FIRST = 0
"""Search target: the first of equal elements."""


def search(
    value: Key, keys: Sequence[Key], order: Sequence[int] | None = None, start: int = 0, target: int = FIRST
) -> Found:
    """Find a value by binary search, from `start` on (server: order_index_find_rank_by_value).

    Args:
        value: its sort key.
        keys: the sort keys of all elements.
        order: their indexes, sorted by key; None if the keys are sorted.
        start: the first position.
        target: which of equal elements to find: an index; FIRST; the number of keys for after the last; more than that
            for any.
    """
    size = len(keys)
    count = (size if order is None else len(order)) - start
    if not size or not count:
        return Found(size, False)
    low, high, place = start, start + count, start + count // 2
    there = False
    while True:
        index = place if order is None else order[place]
        result = compare(value, keys[index])
        if result == 0:
            there = True
            if target > size or target == index:
                break
            if target < index:
                result = -1
            else:
                if place == high - 1:
                    place += 1
                    break
                result = 1
        if result > 0:
            if place >= high - 1:
                place += 1
                break
            low = place + (0 if there else 1)
            place = (place + high) // 2
        else:
            if place == low:
                break
            high = place
            place = (place + low) // 2
    return Found(place, there)


def value_range(keys: Sequence[Key], value: Key, *, multiple: bool) -> tuple[int, int]:
    """The rank of a value in sorted keys, and the number of equal keys (at most 1 unless `multiple`)."""
    found = search(value, keys)
    if not found.there:
        return found.place, 0
    if not multiple:
        return found.place, 1
    last = search(value, keys, start=found.place + 1, target=len(keys))
    return found.place, last.place - found.place if last.there else 1
