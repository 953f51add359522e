"""Find pairs of a map by a list of keys or values.

An ordered map is searched for each listed item; in an unordered one, each pair is looked up in the list. An item listed
twice is therefore found twice in the one and once in the other, as in the server (as/src/base/particle_map.c:
packed_map_get_remove_all_by_key_list, packed_map_get_remove_all_by_value_list; cdt.c: offset_index_find_items).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import attrs

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..exceptions import Refused
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
"""The most keys or values in a list (server: CDT_MAX_PARAM_LIST_COUNT)."""

_Run = tuple[int, int]
"""The first of consecutive indexes or ranks, and their number."""


def by_key_list(stored: StoredMap, returns: ReturnSpec, listed: bytes) -> Found:
    """The pairs of any of the keys. Raises `Refused`: it is not a list, or the return type is not applicable."""
    items = _items(listed)
    if not items:
        if returns.is_rank:
            raise not_applicable()
        return _by_empty_list(stored, returns)
    if returns.is_rank:
        raise not_applicable()
    if not stored.is_key_ordered:
        tally = _Tally.of(items, stored.key_keys, counted=returns.is_index)
        chosen = tally.chosen(inverted=returns.inverted)
        if returns.is_index:
            return chosen, tally.result(returns)
        return chosen, _of_the_chosen(stored, returns, chosen)
    stored.expect_searches(len(items))
    runs = [_run_of_key(stored, item) for item in items]
    chosen = _in_runs(runs, range(len(stored)), returns)
    if returns.is_index:
        if returns.inverted:
            return chosen, places(returns, chosen, len(stored))
        return chosen, _runs_result(returns, runs, len(stored))
    return chosen, _of_the_chosen(stored, returns, chosen)


def by_value_list(stored: StoredMap, returns: ReturnSpec, listed: bytes) -> Found:
    """The pairs with any of the values. Raises `Refused`: it is not a list, or the return type is not applicable."""
    items = _items(listed)
    if not items:
        return _by_empty_list(stored, returns)
    total = len(stored)
    if not stored.is_value_indexed and total > 1:
        tally = _Tally.of(items, stored.value_keys, counted=returns.is_rank)
        chosen = tally.chosen(inverted=returns.inverted)
        if returns.is_rank:
            return chosen, tally.result(returns)
        if returns.is_index:
            return chosen, places(returns, chosen, total)
        return chosen, _of_the_chosen(stored, returns, chosen)
    runs = [_run_of_value(stored, item) for item in items]
    chosen = _in_runs(runs, stored.ranked, returns)
    if returns.is_index:
        found = chosen if returns.inverted else [stored.ranked[rank] for at, n in runs for rank in range(at, at + n)]
        return chosen, places(returns, found, total)
    if returns.is_rank:
        if returns.inverted:
            return chosen, ranks_of(returns, stored, chosen)
        return chosen, _runs_result(returns, runs, total)
    return chosen, _of_the_chosen(stored, returns, chosen)


def _items(listed: bytes) -> list[bytes]:
    """The listed items; the flags of an ordered list count as one of them."""
    if kind_of(listed) != LIST:
        raise Refused(ResultCode.PARAM)
    try:
        start, count = header_at(listed, 0)
        if count > MOST_LISTED:
            raise Refused(ResultCode.PARAM)
        return split(listed, start, count)
    except Malformed:
        raise Refused(ResultCode.PARAM) from None


def _by_empty_list(stored: StoredMap, returns: ReturnSpec) -> Found:
    if returns.is_index_range or returns.is_rank_range:
        raise not_applicable()
    if not returns.inverted:
        try:
            return (), returns.not_found(0)
        except Refused:
            # A return type that is not applicable gives no result here, but no error.
            return (), None
    return range(len(stored)), everything(returns.straight(), stored)


# Ordered maps -------------------------------------------------------------------------------------------------


def _run_of_key(stored: StoredMap, key: bytes) -> _Run:
    if not has_nonstorage(key):
        there, at = stored.search(key)
        return at, int(there)
    returns = key_of(key)
    first = search(returns, stored.key_keys)
    if not first.there:
        return first.place, 0
    last = search(returns, stored.key_keys, start=first.place, target=len(stored))
    return first.place, last.place - first.place


def _run_of_value(stored: StoredMap, value: bytes) -> _Run:
    returns = key_of(value)
    first = search(returns, stored.value_keys, stored.ranked)
    if not first.there:
        return first.place, 0
    last = search(returns, stored.value_keys, stored.ranked, target=len(stored))
    return first.place, last.place - first.place


def _in_runs(runs: Iterable[_Run], order: Sequence[int], returns: ReturnSpec) -> list[int]:
    chosen = sorted({order[rank] for at, count in runs for rank in range(at, at + count)})
    return others(chosen, len(order)) if returns.inverted else chosen


def _runs_result(returns: ReturnSpec, runs: Iterable[_Run], total: int) -> Result:
    return int_list([number for at, count in runs for number in returns.run(at, count, total)])


def _of_the_chosen(stored: StoredMap, returns: ReturnSpec, chosen: Sequence[int]) -> Result:
    kind = returns.kind
    if kind == ops.RETURN_NONE:
        return None
    if kind == ops.RETURN_COUNT:
        return integer(len(chosen))
    if kind == ops.RETURN_EXISTS:
        return boolean(bool(chosen))
    if kind in ELEMENTS:
        return elements(returns, stored, chosen)
    raise not_applicable()


# Unordered maps -----------------------------------------------------------------------------------------------


@attrs.frozen
class _Tally:
    """The pairs of a map that are in a list, found by looking up each pair."""

    order: list[int]
    """The indexes of the listed items, sorted by item."""
    starts: list[int]
    """Per listed item: the number of lower keys or values; only if counted."""
    counts: list[int]
    """Per listed item: the number of equal keys or values; of equal items, the last one has them all."""
    hits: list[int]
    """The positions of the listed pairs."""
    total: int

    @classmethod
    def of(cls, items: Sequence[bytes], keys: Sequence[Key], *, counted: bool) -> _Tally:
        """Look up all pairs.

        Args:
            items: the listed keys or values.
            keys: the sort keys of the map's keys or values.
            counted: compute starts and counts.
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
        """The positions of the listed pairs, or of all others."""
        return others(self.hits, self.total) if inverted else self.hits

    def result(self, returns: ReturnSpec) -> Result:
        """Indexes or ranks (server: result_data_set_by_itemlist_irc)."""
        numbers: list[int] = []
        total = self.total
        if not returns.inverted:
            for start, count in zip(self.starts, self.counts, strict=True):
                for number in range(start, start + count):
                    numbers += returns.run(number, 1, total)
            return int_list(numbers)
        done = 0
        for index in self.order:
            if self.counts[index]:
                numbers += returns.run(done, self.starts[index] - done, total)
                done = self.starts[index] + self.counts[index]
        numbers += returns.run(done, total - done, total)
        return int_list(numbers)
