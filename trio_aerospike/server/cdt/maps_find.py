"""Find pairs of a map by key, index, value or rank: the code of all get and remove operations.

As in the server, reads and removals are the same functions: each returns the positions of the pairs to remove, and the
result. The server has several algorithms, for ordered and unordered maps, with and without an index of values; where
their results or errors differ, they are distinguished here, too.
Facts: packed_map_get_remove_* in as/src/base/particle_map.c.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from .elements import boolean
from .maps_return import (
    ELEMENTS,
    Result,
    elements,
    everything,
    no_key,
    no_value,
    not_applicable,
    places,
    ranks_of,
)
from .maps_stored import StoredMap
from .order import Key, compare, key_of, search
from .ranges import ReturnSpec, int_list, one, relative, several

Found = tuple[Sequence[int], Result]
"""The positions of the pairs that a removal removes, and the result."""


def _bounds(returns: ReturnSpec, at: int, count: int, total: int) -> tuple[int, int]:
    """The positions of a range. Raises `Refused`: the single element asked for does not exist."""
    if returns.multiple:
        return several(at, count, total)
    place = one(at, total)
    if place is None:
        raise not_applicable()
    return place, 1


def _straightened(returns: ReturnSpec, at: int, count: int, total: int) -> tuple[ReturnSpec, int, int]:
    """The same selection without inversion, if all but the range is a range itself."""
    if not count:
        return returns.straight(), 0, total
    if not at:
        return returns.straight(), count, total - count
    if at + count >= total:
        return returns.straight(), 0, at
    return returns, at, count


def others(found: Sequence[int], total: int) -> list[int]:
    """All positions but those found."""
    chosen = set(found)
    return [place for place in range(total) if place not in chosen]


def _found_by_key(
    stored: StoredMap,
    returns: ReturnSpec,
    chosen: Sequence[int],
    at: int,
    count: int,
    unsayable: ResultCode = ResultCode.SERVER,
) -> Found:
    """The result of a search by keys; `at` and `count` are the index range found, or if inverted of the others."""
    if returns.kind in ELEMENTS:
        return chosen, elements(returns, stored, chosen, unsayable)
    if returns.is_rank:
        return chosen, ranks_of(returns, stored, chosen)
    return chosen, returns.positions(at, count, len(stored))


def _found_by_value(
    stored: StoredMap, returns: ReturnSpec, chosen: Sequence[int], at: int, count: int, unsayable: ResultCode
) -> Found:
    """The result of a search by values; `at` and `count` are the rank range found, or if inverted of the others."""
    if returns.kind in ELEMENTS:
        return chosen, elements(returns, stored, chosen, unsayable)
    if returns.is_index:
        return chosen, places(returns, chosen, len(stored))
    return chosen, returns.positions(at, count, len(stored))


# Index --------------------------------------------------------------------------------------------------------


def by_index(stored: StoredMap, returns: ReturnSpec, index: int, count: int = 1) -> Found:
    """Pairs by index range. Raises `Refused`: there is none, or the return type is not applicable."""
    total = len(stored)
    at, count = _bounds(returns, index, count, total)
    if returns.is_rank_range:
        raise not_applicable()
    if returns.inverted:
        if not returns.multiple:
            raise not_applicable()
        returns, at, count = _straightened(returns, at, count, total)
        if returns.inverted and stored.is_key_ordered:
            return _all_but_indexes(stored, returns, at, count)
    if not count:
        return (), no_key(returns, at)
    if count == total:
        return range(total), everything(returns, stored)
    chosen: Sequence[int] = range(at, at + count)
    if returns.inverted:
        chosen = others(chosen, total)
    unsayable = ResultCode.SERVER if stored.is_key_ordered else ResultCode.PARAM
    return _found_by_key(stored, returns, chosen, at, count, unsayable)


def _all_but_indexes(stored: StoredMap, returns: ReturnSpec, at: int, count: int) -> Found:
    """All but a range in the middle of an ordered map (server: packed_map_trim_ordered)."""
    total = len(stored)
    chosen = others(range(at, at + count), total)
    if returns.kind == ops.RETURN_EXISTS:
        return chosen, boolean(True)
    if returns.is_index:
        end = at + count
        return chosen, int_list((*returns.run(0, at, total), *returns.run(end, total - end, total)))
    return _found_by_key(stored, returns, chosen, at, count)


# Keys ---------------------------------------------------------------------------------------------------------


def by_key(stored: StoredMap, returns: ReturnSpec, key: bytes) -> Found:
    """The pair of one key. Raises `Refused`: the return type is not applicable."""
    if returns.is_rank_range:
        raise not_applicable()
    there, at = stored.find(key)
    if stored.is_key_ordered:
        return by_index(stored, returns, at) if there else ((), no_key(returns, -1))
    if returns.inverted:
        raise not_applicable()
    if not there:
        return (), no_key(returns, -1)
    return _found_by_key(stored, returns, (at,), stored.first_at_least(key), 1)


def by_key_interval(stored: StoredMap, returns: ReturnSpec, start: bytes, end: bytes | None) -> Found:
    """Pairs by key interval, the end excluded. Raises `Refused`: the return type is not applicable."""
    if returns.is_rank_range:
        raise not_applicable()
    total = len(stored)
    if stored.is_key_ordered:
        at = stored.search(start)[1]
        stop = total if end is None else stored.search(end)[1]
        return by_index(stored, returns, at, max(stop - at, 0))
    at = stored.first_at_least(start)
    stop = total if end is None else stored.first_at_least(end)
    count = max(stop - at, 0)
    chosen: Sequence[int] = range(at, at + count)
    if returns.inverted:
        chosen = others(chosen, total)
    return _found_by_key(stored, returns, chosen, at, count)


def by_relative_index(stored: StoredMap, returns: ReturnSpec, key: bytes, index: int, count: int) -> Found:
    """Pairs by index range relative to a key. Raises `Refused`: the return type is not applicable."""
    at = stored.search(key)[1] if stored.is_key_ordered else stored.first_at_least(key)
    return by_index(stored, returns, *relative(index, count, at))


# Rank ---------------------------------------------------------------------------------------------------------


def by_rank(stored: StoredMap, returns: ReturnSpec, rank: int, count: int = 1) -> Found:
    """Pairs by rank range. Raises `Refused`: there is none, or the return type is not applicable."""
    total = len(stored)
    at, count = _bounds(returns, rank, count, total)
    if returns.is_index_range or (returns.inverted and not returns.multiple):
        raise not_applicable()
    if returns.inverted:
        returns, at, count = _straightened(returns, at, count, total)
    if not count:
        return (), no_value(returns, at)
    chosen = stored.from_rank(at, count)
    if returns.inverted:
        chosen = others(chosen, total)
    elif returns.kind == ops.RETURN_ORDERED_MAP:
        chosen = sorted(chosen)
    return _found_by_value(stored, returns, chosen, at, count, ResultCode.PARAM)


# Values -------------------------------------------------------------------------------------------------------


def by_value(stored: StoredMap, returns: ReturnSpec, value: bytes) -> Found:
    """The pairs with a value, or only the first of them. Raises `Refused`: the return type is not applicable."""
    return _by_values(stored, returns, key_of(value), None, exactly=True)


def by_value_interval(stored: StoredMap, returns: ReturnSpec, start: bytes, end: bytes | None) -> Found:
    """Pairs by value interval, the end excluded. Raises `Refused`: the return type is not applicable."""
    return _by_values(stored, returns, key_of(start), None if end is None else key_of(end), exactly=False)


def _by_values(stored: StoredMap, returns: ReturnSpec, start: Key, end: Key | None, *, exactly: bool) -> Found:
    if returns.is_index_range or (returns.inverted and not returns.multiple):
        raise not_applicable()
    total = len(stored)
    if not total:
        return (), no_value(returns, -1)
    if stored.is_value_indexed:
        at, count = _ranks_of_values(stored, start, end, exactly=exactly, many=returns.multiple)
        chosen: Sequence[int] = stored.ranked[at : at + count]
        if returns.kind == ops.RETURN_ORDERED_MAP:
            chosen = sorted(chosen)
    else:
        at, chosen = _scan(stored, start, end, exactly=exactly, many=returns.multiple)
        count = len(chosen)
        if not count:
            if returns.inverted:
                return range(total), everything(returns.straight(), stored)
            return (), no_value(returns, at)
    if returns.inverted:
        chosen = others(chosen, total)
    unsayable = ResultCode.PARAM if stored.is_value_indexed else ResultCode.SERVER
    return _found_by_value(stored, returns, chosen, at, count, unsayable)


def _scan(stored: StoredMap, start: Key, end: Key | None, *, exactly: bool, many: bool) -> tuple[int, list[int]]:
    """The number of lower values, and the positions of the values found, in the order of their keys."""
    below = 0
    chosen: list[int] = []
    for place, key in enumerate(stored.value_keys):
        order = compare(key, start)
        if order < 0:
            below += 1
        elif exactly:
            if not order and (many or not chosen):
                chosen.append(place)
        elif end is None or compare(key, end) < 0:
            chosen.append(place)
    return below, chosen


def _ranks_of_values(stored: StoredMap, start: Key, end: Key | None, *, exactly: bool, many: bool) -> tuple[int, int]:
    """Lowest rank and number of values, by binary search (packed_map_find_rank_range_by_value_interval_indexed)."""
    total = len(stored)
    first = search(start, stored.value_keys, stored.ranked)
    if not exactly:
        stop = total if end is None else search(end, stored.value_keys, stored.ranked).place
        return first.place, max(stop - first.place, 0)
    if not first.there:
        return first.place, 0
    if not many:
        return first.place, 1
    return first.place, search(start, stored.value_keys, stored.ranked, target=total).place - first.place


def by_relative_rank(stored: StoredMap, returns: ReturnSpec, value: bytes, rank: int, count: int) -> Found:
    """Pairs by rank range relative to a value. Raises `Refused`: the return type is not applicable."""
    key = key_of(value)
    if stored.is_value_indexed:
        at, _ = _ranks_of_values(stored, key, None, exactly=True, many=returns.multiple)
    else:
        at, _ = _scan(stored, key, None, exactly=True, many=True)
    return by_rank(stored, returns, *relative(rank, count, at))
