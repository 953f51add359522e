"""Modify maps: put pairs, increment values, set the order.

Each function returns the new stored map, None if nothing is written, and the result. Facts:
as/src/base/particle_map.c (map_add, map_add_items, map_increment, map_set_flags) and cdt.c (cdt_calc_delta) of the
server.
"""

from __future__ import annotations

import math

import attrs

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..exceptions import Refused
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
from .maps_stored import KNOWN_FLAGS, StoredMap, packed
from .normalization import checked, is_map_key

Change = tuple[bytes | None, Particle | None]
"""The new stored map, None if nothing is written; and the result."""

_INT64 = 1 << 63


@attrs.frozen
class Control:
    """What a put may do.

    Args:
        overwrite: replace the value of an existing key.
        create: add a new key.
        no_fail: skip without an error what may not be done.
        partial: of several pairs, put those that may be put.
    """

    overwrite: bool = True
    create: bool = True
    no_fail: bool = False
    partial: bool = False

    @classmethod
    def of(cls, flags: int) -> Control:
        """Decode the flags of a put."""
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
    """Set the order; only a bin's whole value keeps an index, elsewhere that flag is ignored.

    Raises:
        Refused: the flags are invalid.
    """
    if flags & ~KNOWN_FLAGS:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return packed(flags if is_top else flags & ~PERSIST_INDEX, stored.keys, stored.values), None


def clear(stored: StoredMap) -> Change:
    """An empty map of the same order."""
    return packed(stored.flags, [], []), None


def put(stored: StoredMap, key: bytes, value: bytes, control: Control) -> Change:
    """Put one pair; returns the new size.

    Raises:
        Refused: the key or value cannot be stored, or the flags forbid the put.
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
    """Put several pairs; returns the new size.

    Raises:
        Refused: they are not a map, cannot be stored, or the flags forbid the put.
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
        # As in the server, an empty map with PARTIAL takes all pairs, even if the flags forbid new keys.
        return packed(stored.flags, new.keys, new.values), integer(len(new))
    return _merge(stored, new, control)


def _merge(stored: StoredMap, new: StoredMap, control: Control) -> Change:
    """Merge sorted pairs into sorted pairs."""
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
    """Increment the number of a key, which is 0 if it does not exist; returns the sum.

    The sum has the type of the number. Integers wrap around.

    Args:
        stored: the map.
        key: the key of the number.
        delta: to add; 1 if omitted or nil.
        sign: 1 to add, -1 to subtract.

    Raises:
        Refused: number or delta is not a number, or the key is invalid.
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
    """The integer part; if it does not fit into 64 bits, the least integer, as on x86."""
    if not math.isfinite(number) or not -_INT64 <= number < _INT64:
        return -_INT64
    return int(number)
