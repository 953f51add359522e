"""Maps that nothing has sorted: literals of expressions, and bins that such a literal became.

What clients store is sorted by key, and the operations on maps count on that. A literal map keeps the order in which
the client wrote it; the server searches it pair by pair, numbers its pairs in the order of the keys all the same, and
leaves what it changes in the order in which it was (server: packed_map_find_key_maybe_unordered).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..._wire import cdt_ops as ops
from .content import SMALL, layout_of
from .elements import Malformed, map_of, opened, pairs_of, split
from .order import compare, is_sorted, key_of, sorted_indexes

_SORTING = (ops.MAP_SET_TYPE, ops.MAP_ADD_ITEMS, ops.MAP_PUT_ITEMS, ops.MAP_REPLACE_ITEMS)
"""Operations after which the map is sorted."""


def unsorted_keys(data: bytes) -> list[bytes] | None:
    """The keys of an unordered map, if they are in no order; None for all other maps, and for what is none."""
    is_large = len(data) > SMALL
    if is_large and layout_of(data).in_order:
        return None
    try:
        _, count, flags, start = opened(data)
        keys = [] if flags or count < 2 else split(data, start, 2 * count)[::2]
    except (Malformed, IndexError):
        return None
    if not (_are_plainly_in_order(keys) or is_sorted([key_of(key) for key in keys])):
        return keys
    if is_large:
        layout_of(data).in_order = True
    return None


def _are_plainly_in_order(keys: Sequence[bytes]) -> bool:
    """Whether short strings and small numbers are in order, which their bytes tell."""
    return all(
        (one[0] < 0x80 and other[0] < 0x80 and one < other)
        or (0xA2 <= one[0] < 0xC0 and 0xA2 <= other[0] < 0xC0 and one[1] == other[1] and one[2:] < other[2:])
        for one, other in pairwise(keys)
    )


def sorted_map(data: bytes) -> bytes:
    """The pairs of an unordered map in the order of their keys."""
    _, count, _, start = opened(data)
    pairs = pairs_of(data, start, count)
    order = sorted_indexes([key_of(key) for key, _ in pairs])
    return map_of([pairs[at] for at in order])


def as_it_was(keys: Sequence[bytes], changed: bytes, op: int) -> bytes:
    """A changed map with the pairs in the order that they had; new ones where the server finds a place for them.

    Args:
        keys: those that there were.
        changed: the map, sorted.
        op: what changed it.
    """
    if op in _SORTING:
        return changed
    _, count, flags, start = opened(changed)
    left = dict(pairs_of(changed, start, count))
    pairs = [(key, left.pop(key)) for key in keys if key in left]
    for key, value in left.items():
        pairs.insert(_place_of(key, [mine for mine, _ in pairs]), (key, value))
    return map_of(pairs, flags)


def _place_of(new: bytes, present: Sequence[bytes]) -> int:
    """In front of the first greater key, if those up to it are in order; else at the end."""
    wanted, previous = key_of(new), None
    for at, key in enumerate(map(key_of, present)):
        if previous is not None and compare(previous, key) > 0:
            break
        if compare(key, wanted) > 0:
            return at
        previous = key
    return len(present)
