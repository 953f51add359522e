"""Changes to a map: putting pairs in, adding to numbers, its order.

Each gives the map as it is stored from now on, None where nothing is written, and the answer. Facts:
as/src/base/particle_map.c (map_add, map_add_items, map_increment, map_set_flags) and cdt.c (cdt_calc_delta) of the
server.
"""

from __future__ import annotations

import math

import attrs

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..refused import Refused
from ..values import Particle
from .elements import (
    DOUBLE,
    INTEGER,
    MAP,
    NEGATIVE,
    NIL,
    PERSIST_INDEX,
    Malformed,
    double,
    integer,
    kind_of,
    packed_double,
    packed_int,
    particle_of,
    signed,
    wrapped,
)
from .incoming import checked, is_map_key
from .maps_stored import KNOWN_FLAGS, StoredMap, packed

Change = tuple[bytes | None, Particle | None]
"""The map as it is stored from now on, None where nothing is written; and the answer."""

_INT64 = 1 << 63


@attrs.frozen
class Control:
    """What a put may do.

    Args:
        overwrite: give a key that is there another value.
        create: put in a key that is not there.
        no_fail: what may not be done is left undone, without an error.
        partial: of several pairs, those that may be put are.
    """

    overwrite: bool = True
    create: bool = True
    no_fail: bool = False
    partial: bool = False

    @classmethod
    def of(cls, flags: int) -> Control:
        """What the flags of a put allow."""
        return cls(
            not flags & ops.MAP_NO_OVERWRITE,
            not flags & ops.MAP_NO_CREATE,
            bool(flags & ops.MAP_NO_FAIL),
            bool(flags & ops.MAP_DO_PARTIAL),
        )


ADD = Control(overwrite=False)
REPLACE = Control(create=False)


def _storable(element: bytes) -> bytes:
    try:
        return checked(element)
    except Malformed:
        raise Refused(ResultCode.PARAM) from None


def set_type(stored: StoredMap, flags: int, *, is_top: bool) -> Change:
    """Another order; only a map that is a bin's value keeps an index, elsewhere the wish is ignored.

    Raises:
        Refused: there are no such flags.
    """
    if flags & ~KNOWN_FLAGS:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return packed(flags if is_top else flags & ~PERSIST_INDEX, stored.keys, stored.values), None


def clear(stored: StoredMap) -> Change:
    """An empty map of the same order."""
    return packed(stored.flags, [], []), None


def put(stored: StoredMap, key: bytes, value: bytes, control: Control) -> Change:
    """Put one pair in; the answer is how many there are then.

    Raises:
        Refused: key or value cannot be stored, or it may not be put.
    """
    if not is_map_key(key):
        raise Refused(ResultCode.PARAM)
    return _put(stored, _storable(key), _storable(value), control)


def _put(stored: StoredMap, key: bytes, value: bytes, control: Control) -> Change:
    there, at = stored.search(key)
    refusal = _refusal(there, control)
    if refusal is not None:
        if control.no_fail:
            return None, integer(len(stored))
        raise Refused(refusal)
    return stored.with_pair(at, key, value, replaces=there), integer(len(stored) + (not there))


def _refusal(there: bool, control: Control) -> ResultCode | None:
    if there:
        return None if control.overwrite else ResultCode.ELEMENT_EXISTS
    return None if control.create else ResultCode.ELEMENT_NOT_FOUND


def put_items(stored: StoredMap, items: bytes, control: Control) -> Change:
    """Put several pairs in; the answer is how many there are then.

    Raises:
        Refused: they are no map, cannot be stored, or may not be put.
    """
    if kind_of(items) != MAP:
        raise Refused(ResultCode.PARAM)
    new = StoredMap.parse(_storable(items))
    if not len(new):
        return None, integer(len(stored))
    if not len(stored):
        if not control.create and not control.no_fail:
            raise Refused(ResultCode.ELEMENT_NOT_FOUND)
        if not control.create and not control.partial:
            return None, integer(0)
        # An empty map takes everything when parts may be done, even what may not be created: so does the server.
        return packed(stored.flags, new.keys, new.values), integer(len(new))
    return _merge(stored, new, control)


def _merge(stored: StoredMap, new: StoredMap, control: Control) -> Change:
    """Put sorted pairs among sorted pairs."""
    before = len(stored)
    stored.expect_searches(len(new))
    finds: list[tuple[bool, int] | None] = []
    for key in new.keys:
        there, at = stored.search(key)
        refusal = _refusal(there, control)
        if refusal is None:
            finds.append((there, at))
        elif not control.no_fail:
            raise Refused(refusal)
        elif not control.partial:
            return None, integer(before)
        else:
            finds.append(None)
    keys: list[bytes] = []
    values: list[bytes] = []
    done = 0
    for place, find in enumerate(finds):
        if find is None:
            continue
        there, at = find
        keys += stored.keys[done:at]
        values += stored.values[done:at]
        keys.append(new.keys[place])
        values.append(new.values[place])
        done = at + 1 if there else at
    keys += stored.keys[done:]
    values += stored.values[done:]
    return packed(stored.flags, keys, values), integer(len(keys))


# Numbers ------------------------------------------------------------------------------------------------------


def increment(stored: StoredMap, key: bytes, delta: bytes | None, sign: int) -> Change:
    """Add to the number of a key, which begins at zero; the answer is the sum.

    What a sum is, integer or float, is what the number was. Integers wrap around.

    Args:
        stored: the map.
        key: whose number.
        delta: how much; one if it is left out or nil.
        sign: 1 to add, -1 to take away.

    Raises:
        Refused: one of the two is no number, or the key is none that a map may have.
    """
    if not is_map_key(key):
        raise Refused(ResultCode.PARAM)
    there, at = stored.find(key)
    try:
        added = _number(delta) if delta is not None and kind_of(delta) != NIL else 1
        old = _number(stored.values[at]) if there else type(added)()
    except Malformed:
        raise Refused(ResultCode.PARAM) from None
    step = sign * added if isinstance(added, float) else wrapped(sign * added)
    if isinstance(old, float):
        element = packed_double(old + float(step))
    else:
        element = packed_int(wrapped(old + (_truncated(step) if isinstance(step, float) else step)))
    changed, _ = _put(stored, _storable(key), element, Control())
    return changed, particle_of(element)


def _number(element: bytes) -> int | float:
    kind = kind_of(element)
    if kind == DOUBLE:
        return double(element)
    if kind in (INTEGER, NEGATIVE):
        return signed(element)
    raise Malformed


def _truncated(number: float) -> int:
    """The integer part; what does not fit into 64 bits becomes the lowest number, as the processor has it."""
    if not math.isfinite(number) or not -_INT64 <= number < _INT64:
        return -_INT64
    return int(number)
