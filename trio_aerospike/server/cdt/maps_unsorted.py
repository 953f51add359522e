"""Unsorted maps: literals of expressions, and bins written from such literals.

Maps that clients store are sorted by key, and map operations rely on it. A literal map keeps the client's order; the
server searches it pair by pair, assigns indexes in the order of keys all the same, and keeps the order of a map that it
changes (server: packed_map_find_key_maybe_unordered).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..._wire import cdt_ops as ops
from .content import SMALL, layout_of
from .elements import Malformed, map_of, opened, pairs_of, split
from .order import compare, is_sorted, key_of, sorted_indexes

_SORTING = (ops.MAP_SET_TYPE, ops.MAP_ADD_ITEMS, ops.MAP_PUT_ITEMS, ops.MAP_REPLACE_ITEMS)
"""Operations that sort the map."""


def unsorted_keys(data: bytes) -> list[bytes] | None:
    """The keys of an unordered map if they are unsorted; None for all other maps and values."""
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
    """Whether keys are sorted, if they are short strings or small numbers, which compare as bytes."""
    return all(
        (one[0] < 0x80 and other[0] < 0x80 and one < other)
        or (0xA2 <= one[0] < 0xC0 and 0xA2 <= other[0] < 0xC0 and one[1] == other[1] and one[2:] < other[2:])
        for one, other in pairwise(keys)
    )


def sorted_map(data: bytes) -> bytes:
    """An unordered map with its pairs sorted by key."""
    _, count, _, start = opened(data)
    pairs = pairs_of(data, start, count)
    order = sorted_indexes([key_of(key) for key, _ in pairs])
    return map_of([pairs[at] for at in order])


def as_it_was(keys: Sequence[bytes], changed: bytes, op: int) -> bytes:
    """Restore the former order of pairs in a changed map; new pairs go where the server puts them.

    Args:
        keys: the former keys.
        changed: the map, sorted.
        op: the operation that changed it.
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
    """Before the first greater key, if the keys up to it are sorted; else at the end."""
    wanted, previous = key_of(new), None
    for at, key in enumerate(map(key_of, present)):
        if previous is not None and compare(previous, key) > 0:
            break
        if compare(key, wanted) > 0:
            return at
        previous = key
    return len(present)
