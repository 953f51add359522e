"""Modify lists: append, insert, set, increment, sort (server: as/src/base/particle_list.c)."""

from __future__ import annotations

import math

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..exceptions import Refused
from ..values import Particle
from .calls import Target
from .elements import (
    DOUBLE,
    INTEGER,
    LIST,
    LIST_ORDERED,
    NEGATIVE,
    NIL,
    NIL_ELEMENT,
    PERSIST_INDEX,
    Malformed,
    double,
    integer,
    kind_of,
    list_of,
    list_start,
    opened,
    packed_double,
    packed_int,
    particle_of,
    signed,
    split,
    wrapped,
)
from .lists_find import StoredList
from .normalization import checked
from .order import Key, compare, duplicates, key_of, search, sorted_indexes, value_range

_INT32_MAX = 0x7FFF_FFFF
_UINT32_MAX = 0xFFFF_FFFF
_KNOWN_FLAGS = LIST_ORDERED | PERSIST_INDEX
_MAX_PADDING = 16 * 1024 * 1024
"""The largest record size (server: MAX_MAX_RECORD_SIZE); the real server checks it after writing the list."""


def opened_list(target: Target, flags: int = 0) -> StoredList:
    """The list to change; an empty one with these flags if it does not exist.

    A bin that did not exist then holds the empty list, whatever the operation does, unless it fails.

    Raises:
        Refused: PARAM, it is malformed.
    """
    if target.data is None:
        flags &= 0xFF
        if not target.is_top:
            flags &= ~PERSIST_INDEX
        if flags & ~_KNOWN_FLAGS:
            flags = 0
        empty = list_start(0, flags)
        if not target.is_created:
            target.result = empty
        return StoredList(empty)
    try:
        return StoredList(target.data)
    except Malformed:
        raise Refused(ResultCode.PARAM) from None


def _left_as_it_is(target: Target, stored: StoredList) -> None:
    """Add nothing, but create the levels of the context (cdt_context_list_handle_possible_noop)."""
    if target.is_created:
        target.result = list_start(0, stored.flags)


def _stored(value: bytes) -> bytes:
    try:
        return checked(value)
    except Malformed:
        raise Refused(ResultCode.PARAM) from None


def _items(values: bytes) -> list[bytes]:
    """The elements of a list of items to add. Raises `Refused`: PARAM, it is not a list, or malformed."""
    _require_list(values)
    values = _stored(values)
    _, count, _, start = opened(values)
    return split(values, start, count)


def _require_list(values: bytes) -> None:
    if kind_of(values) != LIST:
        raise Refused(ResultCode.PARAM)


def _exists(flags: int, size: int) -> Particle:
    """The result if an element that must be unique exists already.

    Raises:
        Refused: ELEMENT_EXISTS, without the flag NO_FAIL.
    """
    if not flags & ops.LIST_NO_FAIL:
        raise Refused(ResultCode.ELEMENT_EXISTS)
    return integer(size)


def _is_partial(flags: int) -> bool:
    both = ops.LIST_NO_FAIL | ops.LIST_DO_PARTIAL
    return flags & both == both


# Adding -------------------------------------------------------------------------------------------------------


def append(target: Target, value: bytes, create_flags: int, flags: int) -> Particle | None:
    """Append an element, or insert it in order; returns the new size."""
    stored = opened_list(target, create_flags)
    value = _stored(value)
    if not stored.is_ordered:
        return _insert(target, stored, stored.size, [value], flags, is_list=False)
    found = search(key_of(value), stored.keys, target=stored.size + 1)
    if found.there and flags & ops.LIST_ADD_UNIQUE:
        return _exists(flags, stored.size)
    return _insert(target, stored, found.place, [value], 0, is_list=False)


def append_items(target: Target, values: bytes, create_flags: int, flags: int) -> Particle | None:
    """Append elements, or insert them in order; returns the new size."""
    stored = opened_list(target, create_flags)
    items = _items(values)
    if not stored.is_ordered:
        return _insert(target, stored, stored.size, items, flags, is_list=True)
    if not items:
        _left_as_it_is(target, stored)
        return integer(stored.size)
    return _add_in_order(target, stored, items, flags)


def insert(target: Target, index: int, value: bytes, flags: int) -> Particle | None:
    """Insert an element before another one; returns the new size."""
    stored = opened_list(target)
    _refuse_ordered(stored)
    value = _stored(value)
    return _insert(target, stored, index, [value], flags, is_list=False)


def insert_items(target: Target, index: int, values: bytes, flags: int) -> Particle | None:
    """Insert elements before another one; returns the new size."""
    stored = opened_list(target)
    _require_list(values)
    _refuse_ordered(stored)
    items = _items(values)
    return _insert(target, stored, index, items, flags, is_list=True)


def _refuse_ordered(stored: StoredList) -> None:
    if stored.is_ordered:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)


def _insert(
    target: Target, stored: StoredList, index: int, items: list[bytes], flags: int, *, is_list: bool
) -> Particle | None:
    """Insert elements before an index; past the end, pad the list with nils."""
    size = stored.size
    if not items:
        _left_as_it_is(target, stored)
        return integer(size)
    if index > _INT32_MAX or (index < 0 and index + size < 0):
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    index += size if index < 0 else 0
    if flags & ops.LIST_INSERT_BOUNDED and index > size:
        if flags & ops.LIST_NO_FAIL:
            return integer(size)
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if flags & ops.LIST_ADD_UNIQUE:
        unique = _unique_items(stored, items, flags, is_list=is_list)
        if not unique:
            return _exists(flags, size)
        items = unique
    if index < size:
        target.result = stored.replaced(index, 0, items)
        return integer(size + len(items))
    new_size = index + len(items)
    if new_size >= _INT32_MAX:
        raise Refused(ResultCode.PARAM)
    if index - size > _MAX_PADDING:
        raise Refused(ResultCode.RECORD_TOO_BIG)
    padding = NIL_ELEMENT * (index - size)
    target.result = list_start(new_size, stored.flags) + stored.content + padding + b"".join(items)
    return integer(new_size)


def _unique_items(stored: StoredList, items: list[bytes], flags: int, *, is_list: bool) -> list[bytes]:
    """The items that are new; none if one is not, unless partial writes are allowed.

    Raises:
        Refused: one is not new, without the flag NO_FAIL.
    """
    present = _Present(stored.keys.whole())
    sent = _Present([])
    unique: list[bytes] = []
    for item in items:
        key = key_of(item)
        if present.has(key):
            if not is_list or not _is_partial(flags):
                return []
        elif sent.has(key):
            if not flags & ops.LIST_NO_FAIL:
                raise Refused(ResultCode.OP_NOT_APPLICABLE)
            if not _is_partial(flags):
                return []
        else:
            unique.append(item)
        sent.add(key)
    return unique


class _Present:
    """The set of values in a list; NaNs equal all floats, so they are compared one by one."""

    def __init__(self, keys: list[Key]) -> None:
        self._plain = {key for key in keys if type(key) is tuple}
        self._all = list(keys)

    def add(self, key: Key) -> None:
        self._all.append(key)
        if type(key) is tuple:
            self._plain.add(key)

    def has(self, key: Key) -> bool:
        if type(key) is tuple and len(self._plain) == len(self._all):
            return key in self._plain
        return key in self._plain or any(compare(mine, key) == 0 for mine in self._all)


def _add_in_order(target: Target, stored: StoredList, items: list[bytes], flags: int) -> Particle | None:
    size = stored.size
    keys = [key_of(item) for item in items]
    order = sorted_indexes(keys)
    unique = bool(flags & ops.LIST_ADD_UNIQUE)
    if unique and (same := duplicates(keys, order)):
        if not flags & ops.LIST_NO_FAIL:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        if not _is_partial(flags):
            return integer(size)
        order = [at for at in order if at not in same]
    merged: list[bytes] = []
    taken = n_new = 0
    for at in order:
        found = search(keys[at], stored.keys, target=size + 1)
        if unique and found.there:
            if not _is_partial(flags):
                return _exists(flags, size)
            continue
        if found.place > taken:
            merged += stored.elements[taken : found.place]
            taken = found.place
        merged.append(items[at])
        n_new += 1
    target.result = list_of(merged + stored.elements[taken:], stored.flags)
    return integer(size + n_new)


# Changing -----------------------------------------------------------------------------------------------------


def set_at(target: Target, index: int, value: bytes, flags: int) -> None:
    """Replace an element, or append one past the end."""
    stored = opened_list(target)
    _refuse_ordered(stored)
    value = _stored(value)
    _replace(target, stored, index, value, flags)


def _replace(target: Target, stored: StoredList, index: int, value: bytes, flags: int) -> None:
    size = stored.size
    if index >= size:
        _insert(target, stored, index, [value], flags, is_list=False)
        return
    if index < 0:
        index += size
        if index < 0:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if flags & ops.LIST_ADD_UNIQUE:
        key = key_of(value)
        same = [at for at, mine in enumerate(stored.keys) if compare(mine, key) == 0]
        if same and same != [index]:
            _exists(flags, size)
            return
    target.result = stored.replaced(index, 1, (value,))


def increment(target: Target, index: int, delta: bytes | None, create_flags: int, flags: int) -> Particle | None:
    """Increment a number, which is 0 if it does not exist; returns the sum."""
    stored = opened_list(target, create_flags)
    size = stored.size
    if index > _INT32_MAX or (index < 0 and index + size < 0):
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    index += size if index < 0 else 0
    value = added(stored.elements[index] if index < size else None, delta)
    if stored.is_ordered:
        _replace_in_order(target, stored, index, value, flags)
    else:
        _replace(target, stored, index, value, flags)
    return particle_of(value)


def added(value: bytes | None, delta: bytes | None, *, subtract: bool = False) -> bytes:
    """The sum of a number and a delta, as an element of the type of the number (server: cdt_calc_delta_add).

    Args:
        value: the number; if None, 0 of the delta's type.
        delta: to add; 1 if None or nil.
        subtract: subtract the delta.

    Raises:
        Refused: PARAM, one of them is not a number.
    """
    whole, fraction = 1, 1.0
    kind = NIL if delta is None else kind_of(delta)
    if delta is not None and kind in (INTEGER, NEGATIVE):
        whole = signed(delta)
    elif delta is not None and kind == DOUBLE:
        fraction = double(delta)
    elif kind != NIL:
        raise Refused(ResultCode.PARAM)
    if subtract:
        whole, fraction = wrapped(-whole), -fraction
    if value is None:
        # The server adds to 0, which matters to -0.0.
        return packed_double(0.0 + fraction) if kind == DOUBLE else packed_int(whole)
    value_kind = kind_of(value)
    if value_kind in (INTEGER, NEGATIVE):
        return packed_int(wrapped(signed(value) + (_truncated(fraction) if kind == DOUBLE else whole)))
    if value_kind == DOUBLE:
        return packed_double(double(value) + (fraction if kind == DOUBLE else whole))
    raise Refused(ResultCode.PARAM)


def _truncated(number: float) -> int:
    """Convert a float to an integer as x86 does: if it does not fit, the least integer."""
    if math.isnan(number) or not -(2.0**63) <= number < 2.0**63:
        return -(2**63)
    return int(number)


def _replace_in_order(target: Target, stored: StoredList, index: int, value: bytes, flags: int) -> None:
    size = stored.size
    rank, count = value_range(stored.keys, key_of(value), multiple=False)
    if index > size:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if flags & ops.LIST_ADD_UNIQUE and count:
        if rank != index:
            _exists(flags, size)
        return
    to = rank if rank <= index else rank - 1
    target.result = stored.replaced(to, 0, (value,)) if index == size else stored.moved(index, to, value)


def sort(target: Target, flags: int) -> None:
    """Sort the elements once, and drop duplicates on request."""
    stored = _present(target)
    if stored is None or stored.size <= 1:
        return
    order = list(range(stored.size))
    if not stored.is_ordered:
        order = sorted_indexes(stored.keys, descending=bool(flags & ops.SORT_DESCENDING))
    if flags & ops.SORT_DROP_DUPLICATES:
        try:
            same = duplicates(stored.keys, order)
        except ValueError:
            # The server drops duplicates in ascending order only; it refuses them in descending order.
            raise Refused(ResultCode.PARAM) from None
        order = [at for at in order if at not in same]
    target.result = list_of([stored.elements[at] for at in order], stored.flags)


def _present(target: Target) -> StoredList | None:
    return None if target.data is None else opened_list(target)


def set_type(target: Target, flags: int) -> None:
    """Make a list ordered (which sorts it) or unordered."""
    stored = opened_list(target)
    flags &= 0xFF
    if flags & ~_KNOWN_FLAGS:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if not target.is_top:
        flags &= ~PERSIST_INDEX
    if flags == stored.flags:
        _left_as_it_is(target, stored)
        return
    content = stored.content
    if flags & LIST_ORDERED and not stored.is_ordered:
        content = b"".join(stored.elements[at] for at in sorted_indexes(stored.keys))
    target.result = list_start(stored.size, flags) + content


def clear(target: Target) -> None:
    """Remove all elements; an ordered list stays ordered."""
    stored = _present(target)
    if stored is not None:
        target.result = list_start(0, stored.flags & LIST_ORDERED)
