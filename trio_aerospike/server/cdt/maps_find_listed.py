"""The pairs of a map whose keys or values a client lists.

An ordered map is searched for each that is listed; in an unordered one each pair is searched for in the list. What is
listed twice therefore answers twice in the one and once in the other, as in the server (as/src/base/particle_map.c:
packed_map_get_remove_all_by_key_list, packed_map_get_remove_all_by_value_list; cdt.c: offset_index_find_items).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import attrs

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..refused import Refused
from .elements import LIST, Malformed, boolean, has_nonstorage, header_at, integer, kind_of, split
from .maps_find import Found, others
from .maps_return import (
    ELEMENTS,
    Result,
    elements,
    everything,
    not_applicable,
    places,
    ranks_of,
)
from .maps_stored import StoredMap
from .order import Key, key_of, search, sorted_indexes
from .ranges import ReturnSpec, int_list

MOST_LISTED: Final = 1 << 20
"""How many keys or values may be listed (server: CDT_MAX_PARAM_LIST_COUNT)."""

_Run = tuple[int, int]
"""The first of consecutive indexes or ranks, and how many there are."""


def by_key_list(stored: StoredMap, wanted: ReturnSpec, listed: bytes) -> Found:
    """The pairs of any of the keys.

    Raises:
        Refused: it is no list, or what is wanted cannot be said of them.
    """
    items = _items(listed)
    if not items:
        if wanted.is_rank:
            raise not_applicable()
        return _by_empty_list(stored, wanted)
    if wanted.is_rank:
        raise not_applicable()
    if not stored.is_key_ordered:
        tally = _Tally.of(items, stored.key_keys, counted=wanted.is_index)
        chosen = tally.chosen(inverted=wanted.inverted)
        if wanted.is_index:
            return chosen, tally.answer(wanted)
        return chosen, _of_the_chosen(stored, wanted, chosen)
    stored.expect_searches(len(items))
    runs = [_run_of_key(stored, item) for item in items]
    chosen = _in_runs(runs, range(len(stored)), wanted)
    if wanted.is_index:
        if wanted.inverted:
            return chosen, places(wanted, chosen, len(stored))
        return chosen, _runs_answer(wanted, runs, len(stored))
    return chosen, _of_the_chosen(stored, wanted, chosen)


def by_value_list(stored: StoredMap, wanted: ReturnSpec, listed: bytes) -> Found:
    """The pairs of any of the values.

    Raises:
        Refused: it is no list, or what is wanted cannot be said of them.
    """
    items = _items(listed)
    if not items:
        return _by_empty_list(stored, wanted)
    total = len(stored)
    if not stored.is_value_indexed and total > 1:
        tally = _Tally.of(items, stored.value_keys, counted=wanted.is_rank)
        chosen = tally.chosen(inverted=wanted.inverted)
        if wanted.is_rank:
            return chosen, tally.answer(wanted)
        if wanted.is_index:
            return chosen, places(wanted, chosen, total)
        return chosen, _of_the_chosen(stored, wanted, chosen)
    runs = [_run_of_value(stored, item) for item in items]
    chosen = _in_runs(runs, stored.ranked, wanted)
    if wanted.is_index:
        found = chosen if wanted.inverted else [stored.ranked[rank] for at, n in runs for rank in range(at, at + n)]
        return chosen, places(wanted, found, total)
    if wanted.is_rank:
        if wanted.inverted:
            return chosen, ranks_of(wanted, stored, chosen)
        return chosen, _runs_answer(wanted, runs, total)
    return chosen, _of_the_chosen(stored, wanted, chosen)


def _items(listed: bytes) -> list[bytes]:
    """What is listed; the flags of an ordered list count as one of its items."""
    if kind_of(listed) != LIST:
        raise Refused(ResultCode.PARAM)
    try:
        start, count = header_at(listed, 0)
        if count > MOST_LISTED:
            raise Refused(ResultCode.PARAM)
        return split(listed, start, count)
    except Malformed:
        raise Refused(ResultCode.PARAM) from None


def _by_empty_list(stored: StoredMap, wanted: ReturnSpec) -> Found:
    if wanted.is_index_range or wanted.is_rank_range:
        raise not_applicable()
    if not wanted.inverted:
        try:
            return (), wanted.not_found(0)
        except Refused:
            # What cannot be said is not refused here, but left unsaid.
            return (), None
    return range(len(stored)), everything(wanted.straight(), stored)


# Ordered maps -------------------------------------------------------------------------------------------------


def _run_of_key(stored: StoredMap, key: bytes) -> _Run:
    if not has_nonstorage(key):
        there, at = stored.search(key)
        return at, int(there)
    wanted = key_of(key)
    first = search(wanted, stored.key_keys)
    if not first.there:
        return first.place, 0
    last = search(wanted, stored.key_keys, start=first.place, target=len(stored))
    return first.place, last.place - first.place


def _run_of_value(stored: StoredMap, value: bytes) -> _Run:
    wanted = key_of(value)
    first = search(wanted, stored.value_keys, stored.ranked)
    if not first.there:
        return first.place, 0
    last = search(wanted, stored.value_keys, stored.ranked, target=len(stored))
    return first.place, last.place - first.place


def _in_runs(runs: Iterable[_Run], order: Sequence[int], wanted: ReturnSpec) -> list[int]:
    chosen = sorted({order[rank] for at, count in runs for rank in range(at, at + count)})
    return others(chosen, len(order)) if wanted.inverted else chosen


def _runs_answer(wanted: ReturnSpec, runs: Iterable[_Run], total: int) -> Result:
    return int_list([number for at, count in runs for number in wanted.run(at, count, total)])


def _of_the_chosen(stored: StoredMap, wanted: ReturnSpec, chosen: Sequence[int]) -> Result:
    kind = wanted.kind
    if kind == ops.RETURN_NONE:
        return None
    if kind == ops.RETURN_COUNT:
        return integer(len(chosen))
    if kind == ops.RETURN_EXISTS:
        return boolean(bool(chosen))
    if kind in ELEMENTS:
        return elements(wanted, stored, chosen)
    raise not_applicable()


# Unordered maps -----------------------------------------------------------------------------------------------


@attrs.frozen
class _Tally:
    """The pairs of a map, looked up in a list one after the other."""

    order: list[int]
    """The indexes of what is listed, in order."""
    starts: list[int]
    """Of each that is listed: how many keys or values are below it. Only if that was wanted."""
    counts: list[int]
    """Of each that is listed: how many equal it; of several that are equal themselves, the last has them all."""
    hits: list[int]
    """The places of the pairs that are listed."""
    total: int

    @classmethod
    def of(cls, items: Sequence[bytes], keys: Sequence[Key], *, counted: bool) -> _Tally:
        """Look everything up.

        Args:
            items: what is listed.
            keys: what the map's keys or values are compared by.
            counted: whether starts and counts are wanted.
        """
        size = len(items)
        listed = [key_of(item) for item in items]
        order = sorted_indexes(listed)
        starts, counts, hits = [0] * size, [0] * size, []
        target = size if counted else size + 1
        for place, key in enumerate(keys):
            found = search(key, listed, order, target=target)
            if found.there:
                hits.append(place)
            if counted:
                if found.there:
                    counts[order[found.place - 1]] += 1
                if found.place < size:
                    starts[order[found.place]] += 1
        if counted:
            for before, index in pairwise(order):
                starts[index] += starts[before]
        return cls(order, starts, counts, hits, len(keys))

    def chosen(self, *, inverted: bool) -> list[int]:
        """The places of the pairs that are listed, or of all others."""
        return others(self.hits, self.total) if inverted else self.hits

    def answer(self, wanted: ReturnSpec) -> Result:
        """Indexes or ranks (server: result_data_set_by_itemlist_irc)."""
        numbers: list[int] = []
        total = self.total
        if not wanted.inverted:
            for start, count in zip(self.starts, self.counts, strict=True):
                for number in range(start, start + count):
                    numbers += wanted.run(number, 1, total)
            return int_list(numbers)
        done = 0
        for index in self.order:
            if self.counts[index]:
                numbers += wanted.run(done, self.starts[index] - done, total)
                done = self.starts[index] + self.counts[index]
        numbers += wanted.run(done, total - done, total)
        return int_list(numbers)
