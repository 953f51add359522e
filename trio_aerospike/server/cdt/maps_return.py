"""What operations on maps answer with: numbers and elements of the pairs that were found.

Facts: as/src/base/particle_map.c (packed_map_build_*) of the server; what lists and maps have in common is in `ranges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..refused import Refused
from ..values import Particle
from .elements import (
    MAP_K_ORDERED,
    MAP_PRESERVE_ORDER,
    Malformed,
    integer,
    list_of,
    particle_of,
)
from .maps_stored import StoredMap, packed
from .ranges import ReturnSpec, int_list

Result = Particle | None

_MAP_FLAGS: Final = {
    ops.RETURN_KEY_VALUE_MAP: MAP_PRESERVE_ORDER,
    ops.RETURN_UNORDERED_MAP: 0,
    ops.RETURN_ORDERED_MAP: MAP_K_ORDERED,
}
ELEMENTS: Final = frozenset({ops.RETURN_KEY, ops.RETURN_VALUE, *_MAP_FLAGS})
"""What is answered with keys, values or both."""


def not_applicable() -> Refused:
    """The refusal of what cannot be asked of the operation, or of this map."""
    return Refused(ResultCode.OP_NOT_APPLICABLE)


def no_key(wanted: ReturnSpec, at: int) -> Result:
    """The answer when no key was found: it has no range of ranks.

    Raises:
        Refused: there is no such answer.
    """
    if wanted.is_rank_range:
        raise not_applicable()
    return wanted.not_found(at)


def no_value(wanted: ReturnSpec, at: int) -> Result:
    """The answer when no value was found: it has no range of indexes.

    Raises:
        Refused: there is no such answer.
    """
    if wanted.is_index_range:
        raise not_applicable()
    return wanted.not_found(at)


def places(wanted: ReturnSpec, found: Sequence[int], total: int) -> Result:
    """Indexes or ranks one by one, in the order given; of a single one, the first, -1 where there is none."""
    if wanted.multiple:
        return wanted.each(found, total)
    if not found:
        return integer(-1)
    return integer(total - found[0] - 1 if wanted.is_reversed else found[0])


def ranks_of(wanted: ReturnSpec, stored: StoredMap, found: Sequence[int]) -> Result:
    """The ranks of the pairs at these places."""
    ranks = stored.ranks
    return places(wanted, [ranks[place] for place in found], len(stored))


def elements(
    wanted: ReturnSpec, stored: StoredMap, found: Sequence[int], unsayable: ResultCode = ResultCode.SERVER
) -> Result:
    """Keys, values or pairs, in the order given.

    Args:
        wanted: what was asked for.
        stored: the map.
        found: the places of the pairs.
        unsayable: the result when a single value has no form as a bin's, like an unknown extension.

    Raises:
        Refused: a single value has no form as a bin's.
    """
    kind = wanted.kind
    if kind in _MAP_FLAGS:
        return _map([stored.keys[at] for at in found], [stored.values[at] for at in found], kind)
    source = stored.keys if kind == ops.RETURN_KEY else stored.values
    if wanted.multiple:
        return wire.PARTICLE_LIST, list_of([source[at] for at in found])
    if not found:
        return None
    try:
        return particle_of(source[found[0]])
    except Malformed:
        raise Refused(unsayable) from None


def _map(keys: Sequence[bytes], values: Sequence[bytes], kind: int) -> Particle:
    return wire.PARTICLE_MAP, packed(_MAP_FLAGS[kind], keys, values)


def everything(wanted: ReturnSpec, stored: StoredMap) -> Result:
    """The answer when an operation is about the whole map (server: packed_map_get_remove_all).

    Raises:
        Refused: there is no such answer.
    """
    total = len(stored)
    if wanted.kind in ELEMENTS:
        return elements(wanted, stored, range(total))
    if wanted.is_index_range or wanted.is_rank_range:
        return int_list((0, total))
    if (wanted.is_index or wanted.is_rank) and not wanted.multiple:
        return integer(0)
    return wanted.positions(0, total, total)
