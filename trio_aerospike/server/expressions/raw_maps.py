"""Maps as they stand in expressions, which nothing has sorted yet.

What is stored is sorted by key, and the operations on maps count on that. A literal map keeps the order in which the
client wrote it; the server searches it pair by pair, numbers its pairs in the order of the keys all the same, and
leaves what it changes in the order in which it was (server: packed_map_find_key_maybe_unordered).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..._wire import cdt_ops, constants as wire
from ..cdt import elements
from ..cdt.elements import Malformed
from ..cdt.order import compare, is_sorted, key_of, sorted_indexes
from ..store import Particle
from .scan import Reader
from .values import Scope

_Call = Callable[[Particle | None, bytes, Scope], Particle | None]
_Pair = tuple[bytes, bytes]

_SORTING = (cdt_ops.MAP_SET_TYPE, cdt_ops.MAP_ADD_ITEMS, cdt_ops.MAP_PUT_ITEMS, cdt_ops.MAP_REPLACE_ITEMS)
"""Operations after which the map is sorted."""


def on_raw_maps(call: _Call, *, modifies: bool) -> _Call:
    """The call, for values that may be maps which are not sorted.

    Args:
        call: expects sorted ones.
        modifies: what it gives is the changed map.
    """

    def carry_out(value: Particle | None, payload: bytes, scope: Scope) -> Particle | None:
        pairs = None if value is None or value[0] != wire.PARTICLE_MAP else _unsorted_pairs(value[1])
        if pairs is None:
            return call(value, payload, scope)
        order = sorted_indexes([key_of(key) for key, _ in pairs])
        result = call((wire.PARTICLE_MAP, elements.map_of([pairs[at] for at in order])), payload, scope)
        if not modifies or result is None or result[0] != wire.PARTICLE_MAP or _number(payload) in _SORTING:
            return result
        return wire.PARTICLE_MAP, elements.map_of(_as_they_were([key for key, _ in pairs], result[1]))

    return carry_out


def _unsorted_pairs(data: bytes) -> list[_Pair] | None:
    """The pairs of an unordered map whose keys are in no order; None for all others."""
    try:
        _, count, flags, start = elements.opened(data)
        pairs = elements.pairs_of(data, start, count)
    except (Malformed, IndexError):
        return None
    return None if flags or is_sorted([key_of(key) for key, _ in pairs]) else pairs


def _number(payload: bytes) -> int:
    reader = Reader(payload)
    reader.list_count()
    return reader.unsigned()


def _as_they_were(before: Sequence[bytes], after: bytes) -> list[_Pair]:
    """The pairs of the changed map in their old order; new ones where the server finds a place for them."""
    _, count, _, start = elements.opened(after)
    left = dict(elements.pairs_of(after, start, count))
    pairs = [(key, left.pop(key)) for key in before if key in left]
    for key, value in left.items():
        pairs.insert(_place_of(key, [mine for mine, _ in pairs]), (key, value))
    return pairs


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
