"""Which pairs of a map an operation is about, and what it answers: the one code of every get and every remove.

The server's reads and removals are the same functions, and so they are here: each gives the places of the pairs that
a removal takes out, and the answer. It has several ways to the same pairs, for maps that are ordered and not, whose
values are indexed and not; where these differ in what they answer or refuse, they are told apart here as there.
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
"""The places of the pairs that a removal takes out, and the answer."""


def _bounds(wanted: ReturnSpec, at: int, count: int, total: int) -> tuple[int, int]:
    """The places that a range has.

    Raises:
        Refused: the single one that is wanted is not there.
    """
    if wanted.multiple:
        return several(at, count, total)
    place = one(at, total)
    if place is None:
        raise not_applicable()
    return place, 1


def _straightened(wanted: ReturnSpec, at: int, count: int, total: int) -> tuple[ReturnSpec, int, int]:
    """The same without an inversion, where all but a range is a range itself."""
    if not count:
        return wanted.straight(), 0, total
    if not at:
        return wanted.straight(), count, total - count
    if at + count >= total:
        return wanted.straight(), 0, at
    return wanted, at, count


def others(found: Sequence[int], total: int) -> list[int]:
    """All places but those found."""
    chosen = set(found)
    return [place for place in range(total) if place not in chosen]


def _found_by_key(
    stored: StoredMap,
    wanted: ReturnSpec,
    chosen: Sequence[int],
    at: int,
    count: int,
    unsayable: ResultCode = ResultCode.SERVER,
) -> Found:
    """What was found among the keys; `at` and `count` are the indexes of it, or inverted of the others."""
    if wanted.kind in ELEMENTS:
        return chosen, elements(wanted, stored, chosen, unsayable)
    if wanted.is_rank:
        return chosen, ranks_of(wanted, stored, chosen)
    return chosen, wanted.positions(at, count, len(stored))


def _found_by_value(
    stored: StoredMap, wanted: ReturnSpec, chosen: Sequence[int], at: int, count: int, unsayable: ResultCode
) -> Found:
    """What was found among the values; `at` and `count` are the ranks of it, or inverted of the others."""
    if wanted.kind in ELEMENTS:
        return chosen, elements(wanted, stored, chosen, unsayable)
    if wanted.is_index:
        return chosen, places(wanted, chosen, len(stored))
    return chosen, wanted.positions(at, count, len(stored))


# Index --------------------------------------------------------------------------------------------------------


def by_index(stored: StoredMap, wanted: ReturnSpec, index: int, count: int = 1) -> Found:
    """Pairs by where they stand in the order of keys.

    Raises:
        Refused: there is none, or what is wanted cannot be said of it.
    """
    total = len(stored)
    at, count = _bounds(wanted, index, count, total)
    if wanted.is_rank_range:
        raise not_applicable()
    if wanted.inverted:
        if not wanted.multiple:
            raise not_applicable()
        wanted, at, count = _straightened(wanted, at, count, total)
        if wanted.inverted and stored.is_key_ordered:
            return _all_but_indexes(stored, wanted, at, count)
    if not count:
        return (), no_key(wanted, at)
    if count == total:
        return range(total), everything(wanted, stored)
    chosen: Sequence[int] = range(at, at + count)
    if wanted.inverted:
        chosen = others(chosen, total)
    unsayable = ResultCode.SERVER if stored.is_key_ordered else ResultCode.PARAM
    return _found_by_key(stored, wanted, chosen, at, count, unsayable)


def _all_but_indexes(stored: StoredMap, wanted: ReturnSpec, at: int, count: int) -> Found:
    """All but a range in the middle of an ordered map (server: packed_map_trim_ordered)."""
    total = len(stored)
    chosen = others(range(at, at + count), total)
    if wanted.kind == ops.RETURN_EXISTS:
        return chosen, boolean(True)
    if wanted.is_index:
        end = at + count
        return chosen, int_list((*wanted.run(0, at, total), *wanted.run(end, total - end, total)))
    return _found_by_key(stored, wanted, chosen, at, count)


# Keys ---------------------------------------------------------------------------------------------------------


def by_key(stored: StoredMap, wanted: ReturnSpec, key: bytes) -> Found:
    """The pair of one key.

    Raises:
        Refused: what is wanted cannot be said of it.
    """
    if wanted.is_rank_range:
        raise not_applicable()
    there, at = stored.find(key)
    if stored.is_key_ordered:
        return by_index(stored, wanted, at) if there else ((), no_key(wanted, -1))
    if wanted.inverted:
        raise not_applicable()
    if not there:
        return (), no_key(wanted, -1)
    return _found_by_key(stored, wanted, (at,), stored.first_at_least(key), 1)


def by_key_interval(stored: StoredMap, wanted: ReturnSpec, start: bytes, end: bytes | None) -> Found:
    """Pairs from one key to before another, or to the last.

    Raises:
        Refused: what is wanted cannot be said of them.
    """
    if wanted.is_rank_range:
        raise not_applicable()
    total = len(stored)
    if stored.is_key_ordered:
        at = stored.search(start)[1]
        stop = total if end is None else stored.search(end)[1]
        return by_index(stored, wanted, at, max(stop - at, 0))
    at = stored.first_at_least(start)
    stop = total if end is None else stored.first_at_least(end)
    count = max(stop - at, 0)
    chosen: Sequence[int] = range(at, at + count)
    if wanted.inverted:
        chosen = others(chosen, total)
    return _found_by_key(stored, wanted, chosen, at, count)


def by_relative_index(stored: StoredMap, wanted: ReturnSpec, key: bytes, index: int, count: int) -> Found:
    """Pairs by how far they are from where a key is or would be.

    Raises:
        Refused: what is wanted cannot be said of them.
    """
    at = stored.search(key)[1] if stored.is_key_ordered else stored.first_at_least(key)
    return by_index(stored, wanted, *relative(index, count, at))


# Rank ---------------------------------------------------------------------------------------------------------


def by_rank(stored: StoredMap, wanted: ReturnSpec, rank: int, count: int = 1) -> Found:
    """Pairs by where they stand in the order of values.

    Raises:
        Refused: there is none, or what is wanted cannot be said of it.
    """
    total = len(stored)
    at, count = _bounds(wanted, rank, count, total)
    if wanted.is_index_range or (wanted.inverted and not wanted.multiple):
        raise not_applicable()
    if wanted.inverted:
        wanted, at, count = _straightened(wanted, at, count, total)
    if not count:
        return (), no_value(wanted, at)
    chosen = stored.from_rank(at, count)
    if wanted.inverted:
        chosen = others(chosen, total)
    elif wanted.kind == ops.RETURN_ORDERED_MAP:
        chosen = sorted(chosen)
    return _found_by_value(stored, wanted, chosen, at, count, ResultCode.PARAM)


# Values -------------------------------------------------------------------------------------------------------


def by_value(stored: StoredMap, wanted: ReturnSpec, value: bytes) -> Found:
    """The pairs of a value, or the first of them where one is wanted.

    Raises:
        Refused: what is wanted cannot be said of them.
    """
    return _by_values(stored, wanted, key_of(value), None, exactly=True)


def by_value_interval(stored: StoredMap, wanted: ReturnSpec, start: bytes, end: bytes | None) -> Found:
    """Pairs of values from one to before another, or to the highest.

    Raises:
        Refused: what is wanted cannot be said of them.
    """
    return _by_values(stored, wanted, key_of(start), None if end is None else key_of(end), exactly=False)


def _by_values(stored: StoredMap, wanted: ReturnSpec, start: Key, end: Key | None, *, exactly: bool) -> Found:
    if wanted.is_index_range or (wanted.inverted and not wanted.multiple):
        raise not_applicable()
    total = len(stored)
    if not total:
        return (), no_value(wanted, -1)
    if stored.is_value_indexed:
        at, count = _ranks_of_values(stored, start, end, exactly=exactly, many=wanted.multiple)
        chosen: Sequence[int] = stored.ranked[at : at + count]
        if wanted.kind == ops.RETURN_ORDERED_MAP:
            chosen = sorted(chosen)
    else:
        at, chosen = _scan(stored, start, end, exactly=exactly, many=wanted.multiple)
        count = len(chosen)
        if not count:
            if wanted.inverted:
                return range(total), everything(wanted.straight(), stored)
            return (), no_value(wanted, at)
    if wanted.inverted:
        chosen = others(chosen, total)
    unsayable = ResultCode.PARAM if stored.is_value_indexed else ResultCode.SERVER
    return _found_by_value(stored, wanted, chosen, at, count, unsayable)


def _scan(stored: StoredMap, start: Key, end: Key | None, *, exactly: bool, many: bool) -> tuple[int, list[int]]:
    """How many values are below, and the places of those wanted, from the lowest key on."""
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
    """Lowest rank and number of values, by halves (packed_map_find_rank_range_by_value_interval_indexed)."""
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


def by_relative_rank(stored: StoredMap, wanted: ReturnSpec, value: bytes, rank: int, count: int) -> Found:
    """Pairs by how far they are from where a value is or would be.

    Raises:
        Refused: what is wanted cannot be said of them.
    """
    key = key_of(value)
    if stored.is_value_indexed:
        at, _ = _ranks_of_values(stored, key, None, exactly=True, many=wanted.multiple)
    else:
        at, _ = _scan(stored, key, None, exactly=True, many=True)
    return by_rank(stored, wanted, *relative(rank, count, at))
