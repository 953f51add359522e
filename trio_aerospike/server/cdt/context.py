"""Follow contexts: paths to nested lists and maps, created on request.

Server: cdt_context_* in as/src/base/cdt.c, *_subcontext_by_* in particle_list.c and particle_map.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..exceptions import Refused
from .calls import Reader, Target
from .elements import (
    LIST,
    LIST_ORDERED,
    MAP,
    MAP_K_ORDERED,
    MAP_KV_ORDERED,
    NIL_ELEMENT,
    PERSIST_INDEX,
    Malformed,
    kind_of,
    list_of,
    map_start,
)
from .lists_find import StoredList
from .maps_stored import StoredMap
from .normalization import checked
from .order import by_rank_range, compare, key_of, value_range
from .ranges import one

_MAX_PADDING = 16 * 1024 * 1024
_MAP_FLAGS = {
    ops.CONTEXT_CREATE_MAP_K_ORDERED: MAP_K_ORDERED,
    ops.CONTEXT_CREATE_MAP_KV_ORDERED: MAP_KV_ORDERED,
}


class _Missing(Exception):
    """The context leads to no element."""


class _Place(Protocol):
    """The position of a list or map in another one."""

    def replaced(self, child: bytes) -> bytes:
        """The outer one with a new inner one."""


@attrs.frozen(eq=False)
class _InList:
    outer: StoredList
    index: int

    def replaced(self, child: bytes) -> bytes:
        outer, index = self.outer, self.index
        if outer.is_ordered and outer.size > 1:
            # It moves to the position of its new value, before equal ones (server: cdt_context_unwind_list).
            rank, _ = value_range(outer.keys, key_of(child), multiple=False)
            return outer.moved(index, rank if rank <= index else rank - 1, child)
        return outer.replaced(index, 1, (child,))


@attrs.frozen(eq=False)
class _NewInList:
    outer: StoredList
    n_nils: int

    def replaced(self, child: bytes) -> bytes:
        outer = self.outer
        if outer.is_ordered:
            rank, _ = value_range(outer.keys, key_of(child), multiple=False)
            return outer.replaced(rank, 0, (child,))
        return outer.replaced(outer.size, 0, (*[NIL_ELEMENT] * self.n_nils, child))


@attrs.frozen(eq=False)
class _InMap:
    outer: StoredMap
    place: int

    def replaced(self, child: bytes) -> bytes:
        outer, place = self.outer, self.place
        return outer.with_pair(place, outer.keys[place], child, replaces=True)


@attrs.frozen(eq=False)
class _NewInMap:
    outer: StoredMap
    place: int
    key: bytes

    def replaced(self, child: bytes) -> bytes:
        return self.outer.with_pair(self.place, self.key, child, replaces=False)


@attrs.frozen(eq=False)
class _NewList:
    n_nils: int
    flags: int

    def replaced(self, child: bytes) -> bytes:
        return list_of([*[NIL_ELEMENT] * self.n_nils, child], self.flags)


@attrs.frozen(eq=False)
class _NewMap:
    key: bytes
    flags: int

    def replaced(self, child: bytes) -> bytes:
        return map_start(1, self.flags) + self.key + child


@attrs.define(eq=False)
class Way:
    """The path from a bin's value to a list or map inside it."""

    target: Target
    places: list[_Place]

    def whole(self) -> bytes | None:
        """The bin's new value, with the changed target; None if nothing has changed."""
        data = self.target.result
        if data is None:
            return None
        for place in reversed(self.places):
            data = place.replaced(data)
        return data


def dig(data: bytes | None, reader: Reader, *, creates: bool) -> Way:
    """Follow the context that comes next.

    Args:
        data: the bin's value, a list or map; None if there is no bin.
        reader: of the operation's data.
        creates: the operation changes the value, so that missing levels may be created.

    Raises:
        Refused: PARAM, the context is invalid; OP_NOT_APPLICABLE, it leads to no element.
    """
    count = reader.list_count()
    if not count or count % 2:
        raise Refused(ResultCode.PARAM)
    places: list[_Place] = []
    is_top = data is None
    for step in range(count // 2):
        number = reader.unsigned()
        try:
            if number & ops.CONTEXT_BASE_MASK > ops.CONTEXT_VALUE or not _may_create(number):
                raise _Missing
            if data is None:
                if not _creates(number):
                    raise _Missing
                places.append(_new_level(reader, number, is_top=True))
            else:
                place, data = _step(data, reader, number)
                places.append(place)
            if data is None:
                if not creates:
                    raise _Missing
                places += _new_levels(reader, count // 2 - step - 1)
                return Way(Target(None, is_top, is_created=True, has_bin=not is_top), places)
        except _Missing:
            raise Refused(ResultCode.OP_NOT_APPLICABLE) from None
    return Way(Target(data, is_top=False), places)


def _creates(number: int) -> bool:
    return bool(number & ops.CONTEXT_CREATE_MASK & ~ops.CONTEXT_CREATE_PERSIST_INDEX)


def _may_create(number: int) -> bool:
    """Whether a step that has creation flags also has the type to create."""
    return bool(number & ops.CONTEXT_CDT_TYPE_MASK) or not number & ops.CONTEXT_CREATE_MASK


# Steps through what is there ----------------------------------------------------------------------------------


def _step(data: bytes, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    """Follow one step: the position of the inner element, and the element; None if it is to be created."""
    kind = kind_of(data)
    base = number & ops.CONTEXT_BASE_MASK
    try:
        if kind == LIST and not number & ops.CONTEXT_MAP:
            return _LIST_STEPS[base](StoredList(data), reader, number)
        if kind == MAP and not number & ops.CONTEXT_LIST:
            return _MAP_STEPS[base](StoredMap.parse(data), reader, number)
    except Malformed:
        raise _Missing from None
    except Refused as error:
        # For any error in the argument of a step, the server has the same result code.
        if error.result == ResultCode.PARAM:
            raise _Missing from None
        raise
    raise _Missing


def _list_index(outer: StoredList, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    index = reader.signed()
    size = outer.size
    place = one(index, size)
    if place is not None:
        return _InList(outer, place), outer.elements[place]
    if not _creates(number):
        raise _Missing
    if index == size or (not size and index == -1) or outer.is_ordered:
        return _NewInList(outer, 0), None
    if number & ops.CONTEXT_CREATE_MASK != ops.CONTEXT_CREATE_LIST_UNORDERED_UNBOUND or index < 0:
        raise _Missing
    return _NewInList(outer, _padding(index - size)), None


def _padding(n_nils: int) -> int:
    if n_nils > _MAX_PADDING:
        raise Refused(ResultCode.RECORD_TOO_BIG)
    return n_nils


def _list_rank(outer: StoredList, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    if outer.is_ordered:
        return _list_index(outer, reader, number)
    rank = one(reader.signed(), outer.size)
    if rank is None:
        raise _Missing
    (index,) = by_rank_range(outer.keys, rank, 1)
    return _InList(outer, index), outer.elements[index]


def _list_key(outer: StoredList, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    raise _Missing


def _list_value(outer: StoredList, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    key = key_of(reader.element())
    if outer.is_ordered:
        index, count = value_range(outer.keys, key, multiple=False)
        if not count:
            raise _Missing
        return _InList(outer, index), outer.elements[index]
    for index, mine in enumerate(outer.keys):
        if compare(mine, key) == 0:
            return _InList(outer, index), outer.elements[index]
    raise _Missing


def _map_index(outer: StoredMap, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    place = one(reader.signed(), len(outer))
    if place is None:
        raise _Missing
    return _InMap(outer, place), outer.values[place]


def _map_rank(outer: StoredMap, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    rank = one(reader.signed(), len(outer))
    if rank is None:
        raise _Missing
    (place,) = outer.from_rank(rank, 1)
    return _InMap(outer, place), outer.values[place]


def _map_key(outer: StoredMap, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    reader.nonstorage = False
    key = checked(reader.element())
    there, place = outer.find(key)
    if there:
        return _InMap(outer, place), outer.values[place]
    if not _creates(number):
        raise _Missing
    return _NewInMap(outer, place, key), None


def _map_value(outer: StoredMap, reader: Reader, number: int) -> tuple[_Place, bytes | None]:
    key = key_of(reader.element())
    for place, mine in enumerate(outer.value_keys):
        if compare(mine, key) == 0:
            return _InMap(outer, place), outer.values[place]
    raise _Missing


_ListStep = Callable[[StoredList, Reader, int], tuple[_Place, bytes | None]]
_MapStep = Callable[[StoredMap, Reader, int], tuple[_Place, bytes | None]]
_LIST_STEPS: tuple[_ListStep, ...] = (_list_index, _list_rank, _list_key, _list_value)
_MAP_STEPS: tuple[_MapStep, ...] = (_map_index, _map_rank, _map_key, _map_value)


# Steps that create --------------------------------------------------------------------------------------------


def _new_levels(reader: Reader, count: int) -> list[_Place]:
    """The levels that the rest of the context creates; only a bin's whole value may keep an index."""
    places: list[_Place] = []
    for _ in range(count):
        try:
            number = reader.unsigned()
        except Refused:
            raise _Missing from None
        if not _may_create(number) or number & ops.CONTEXT_CREATE_PERSIST_INDEX:
            raise _Missing
        places.append(_new_level(reader, number, is_top=False))
    return places


def _new_level(reader: Reader, number: int, *, is_top: bool) -> _Place:
    """A list or map that holds only the next level (server: cdt_context_ctx_type_create_sz)."""
    what = number & ops.CONTEXT_TYPE_MASK
    order = number & ops.CONTEXT_CREATE_MASK & ~ops.CONTEXT_CREATE_PERSIST_INDEX
    persists = is_top and bool(number & ops.CONTEXT_CREATE_PERSIST_INDEX)
    persist = PERSIST_INDEX if persists else 0
    try:
        if what == (ops.CONTEXT_KEY | ops.CONTEXT_MAP):
            reader.nonstorage = False
            return _NewMap(checked(reader.element()), _MAP_FLAGS.get(order, 0) | persist)
        if what != (ops.CONTEXT_INDEX | ops.CONTEXT_LIST):
            raise _Missing
        index = reader.signed()
    except (Malformed, Refused):
        raise _Missing from None
    if index < -1:
        raise _Missing
    if order == ops.CONTEXT_CREATE_LIST_UNORDERED_UNBOUND:
        return _NewList(_padding(max(index, 0)), persist)
    if order == ops.CONTEXT_CREATE_LIST_ORDERED:
        return _NewList(0, LIST_ORDERED | persist)
    if index > 0 and not persists:
        raise _Missing
    return _NewList(0, persist)
