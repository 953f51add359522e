"""Build the results of map operations by return type, from the pairs that were found.

Facts: as/src/base/particle_map.c (packed_map_build_*) of the server; return types common to lists are in `ranges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
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
"""Return types with keys, values or both."""


def not_applicable() -> Refused:
    """The error for a return type that is not applicable to the operation, or to this map."""
    return Refused(ResultCode.OP_NOT_APPLICABLE)


def no_key(returns: ReturnSpec, at: int) -> Result:
    """The result if no key was found: there is no rank range. Raises `Refused`: the return type is not applicable."""
    if returns.is_rank_range:
        raise not_applicable()
    return returns.not_found(at)


def no_value(returns: ReturnSpec, at: int) -> Result:
    """The result if no value was found: there is no index range.

    Raises:
        Refused: the return type is not applicable.
    """
    if returns.is_index_range:
        raise not_applicable()
    return returns.not_found(at)


def places(returns: ReturnSpec, found: Sequence[int], total: int) -> Result:
    """Indexes or ranks in the order given; of a single element the first one, -1 if there is none."""
    if returns.multiple:
        return returns.each(found, total)
    if not found:
        return integer(-1)
    return integer(total - found[0] - 1 if returns.is_reversed else found[0])


def ranks_of(returns: ReturnSpec, stored: StoredMap, found: Sequence[int]) -> Result:
    """The ranks of the pairs at these positions."""
    ranks = stored.ranks
    return places(returns, [ranks[place] for place in found], len(stored))


def elements(
    returns: ReturnSpec, stored: StoredMap, found: Sequence[int], failure: ResultCode = ResultCode.SERVER
) -> Result:
    """Keys, values or pairs, in the order given.

    Args:
        returns: the return type.
        stored: the map.
        found: the positions of the pairs.
        failure: the error code if a bin cannot have a single value, such as an unknown extension.

    Raises:
        Refused: a bin cannot have such a single value.
    """
    kind = returns.kind
    if kind in _MAP_FLAGS:
        return _map([stored.keys[at] for at in found], [stored.values[at] for at in found], kind)
    source = stored.keys if kind == ops.RETURN_KEY else stored.values
    if returns.multiple:
        return wire.PARTICLE_LIST, list_of([source[at] for at in found])
    if not found:
        return None
    try:
        return particle_of(source[found[0]])
    except Malformed:
        raise Refused(failure) from None


def _map(keys: Sequence[bytes], values: Sequence[bytes], kind: int) -> Particle:
    return wire.PARTICLE_MAP, packed(_MAP_FLAGS[kind], keys, values)


def everything(returns: ReturnSpec, stored: StoredMap) -> Result:
    """The result of an operation on the whole map (server: packed_map_get_remove_all).

    Raises:
        Refused: the return type is not applicable.
    """
    total = len(stored)
    if returns.kind in ELEMENTS:
        return elements(returns, stored, range(total))
    if returns.is_index_range or returns.is_rank_range:
        return int_list((0, total))
    if (returns.is_index or returns.is_rank) and not returns.multiple:
        return integer(0)
    return returns.positions(0, total, total)
