"""Path expressions: select elements of nested lists and maps level by level, and modify them.

Server: cdt_select_* in as/src/base/cdt.c. A path has a step for each level. The selected elements are returned as a
tree with the levels above them, or as a list of leaves; or an expression modifies them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import attrs

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
from ..values import Particle
from .calls import Call, Reader
from .elements import (
    LIST,
    LIST_ORDERED,
    MAP,
    TRUE,
    Malformed,
    has_nonstorage,
    kind_of,
    list_of,
    list_start,
    map_of,
    map_start,
    opened,
    packed_int,
    pairs_of,
    split,
)
from .order import Key, by_rank, compare, is_sorted, key_of, sorted_indexes
from .ranges import one

# What is returned, and whether unknown conditions are no failure (server: select_flags).
_TREE: Final = 0
_LEAVES: Final = 1
_KEYS: Final = 2
_APPLY: Final = 4
_KIND_MASK: Final = 0x0F
_NO_FAIL: Final = 0x10
_MAX_LEVELS: Final = 64
_LIST_KINDS: Final = ops.CONTEXT_CDT_TYPE_MASK
_MAP_KINDS: Final = 0xF0


REMOVED: Final = b""
"""In place of an element that an expression removes."""


class PathExpression(Protocol):
    """An expression that is evaluated on an element: its key, its value and its index, as MessagePack or None."""

    def matches_element(self, key: bytes | None, value: bytes | None, index: bytes | None) -> bool | None:
        """Whether it is true of the element; None if that is unknown."""

    def modified_element(self, key: bytes | None, value: bytes | None, index: bytes | None) -> bytes | None:
        """The element's new value as MessagePack, or `REMOVED`; None if it is unknown."""


CompileExpression = Callable[[bytes], PathExpression]
"""Compiles an expression from its bytes; raises `Refused` if it is invalid."""


@attrs.define(eq=False)
class _Step:
    """One step of a path: which elements of a level it selects."""

    number: int
    index: int = 0
    value: bytes = b""
    filter: PathExpression | None = None
    """None selects every element."""
    also: PathExpression | None = None
    """A further condition."""
    has_also: bool = False

    @property
    def base(self) -> int:
        return self.number & ops.CONTEXT_BASE_MASK


@attrs.frozen(eq=False)
class _Entry:
    """An element that may be selected, with its key in a map or its index in a list."""

    value: bytes | None
    key: bytes | None = None
    index: int | None = None

    @property
    def builtins(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Key, value and index for expressions."""
        return self.key, self.value, None if self.index is None else packed_int(self.index)


def select(
    value: Particle | None, call: Call, compile_expression: CompileExpression, *, changes: bool
) -> tuple[Particle | None, Particle | None]:
    """Carry out a path expression.

    Args:
        value: the bin's value; None if there is no bin.
        call: the operation, whose arguments have not been read yet.
        compile_expression: compiles the expressions of the path.
        changes: it may change the bin.

    Returns:
        The bin's value, and the result.

    Raises:
        Refused: nothing was selected or changed.
    """
    if value is None or value[0] not in (wire.PARTICLE_LIST, wire.PARTICLE_MAP):
        raise Refused(ResultCode.BIN_TYPE)
    reader = call.reader
    count = reader.list_count()
    if not count or count % 2 or count // 2 > _MAX_LEVELS:
        raise Refused(ResultCode.PARAM)
    steps = _steps(reader, count // 2, compile_expression)
    flags = reader.signed()
    kind = flags & _KIND_MASK
    if kind > _APPLY or call.n_arguments != (3 if kind == _APPLY else 2):
        raise Refused(ResultCode.PARAM)
    change = None
    if kind == _APPLY:
        if not changes:
            raise Refused(ResultCode.PARAM)
        change = compile_expression(reader.element())
    walk = _Walk(steps, kind, bool(flags & _NO_FAIL), change)
    try:
        tree = walk.level(value[1], 0)
    except Malformed:
        raise Refused(ResultCode.SERVER) from None
    if kind == _APPLY:
        return (value[0], tree), None
    if kind == _TREE:
        return value, (value[0], tree)
    return value, (wire.PARTICLE_LIST, list_of(walk.leaves))


def _steps(reader: Reader, count: int, compile_expression: CompileExpression) -> list[_Step]:
    """Parse the steps of a path; one that only adds a condition is merged into the one before (select_stack_init)."""
    steps: list[_Step] = []
    for _ in range(count):
        number = reader.unsigned()
        base = number & ops.CONTEXT_BASE_MASK
        adds = bool(number & ops.CONTEXT_AND)
        if adds:
            if number != ops.CONTEXT_AND | ops.CONTEXT_EXP or not steps:
                raise Refused(ResultCode.PARAM)
            step = steps[-1]
            if step.has_also or step.base == ops.CONTEXT_EXP:
                raise Refused(ResultCode.PARAM)
            step.has_also = True
        else:
            step = _Step(number)
            steps.append(step)
        if base in (ops.CONTEXT_INDEX, ops.CONTEXT_RANK):
            step.index = reader.signed()
        elif base in (ops.CONTEXT_KEY, ops.CONTEXT_VALUE, ops.CONTEXT_KEY_LIST):
            step.value = reader.element()
        elif base == ops.CONTEXT_EXP:
            condition = _condition(reader.element(), compile_expression)
            if adds:
                step.also = condition
            else:
                step.filter = condition
        else:
            raise Refused(ResultCode.PARAM)
    return steps


def _condition(data: bytes, compile_expression: CompileExpression) -> PathExpression | None:
    kind = kind_of(data)
    if kind == TRUE:
        return None
    if kind != LIST:
        raise Refused(ResultCode.PARAM)
    return compile_expression(data)


@attrs.define(eq=False)
class _Walk:
    """The traversal of a value along a path."""

    steps: list[_Step]
    kind: int
    no_fail: bool
    change: PathExpression | None
    leaves: list[bytes] = attrs.Factory(list)
    at_end: bool = False
    """An element was selected by rank, or by index in a map: the server then continues at the end of the whole value,
    where an element that it expects is missing (offset_index_ensure_from_ext_mp)."""

    def level(self, data: bytes, level: int) -> bytes:
        """Traverse a list or map on a level; returns the tree of selected elements, or the changed value."""
        if kind_of(data) == LIST:
            return self._list(data, level)
        return self._map(data, level)

    # Lists ----------------------------------------------------------------------------------------------------

    def _list(self, data: bytes, level: int) -> bytes:
        _, size, flags, start = opened(data)
        step = self.steps[level]
        if not size and data == list_of(()):
            return data
        if self._is_leaf(level) and self.kind != _APPLY and self.kind & _KEYS:
            if not self.no_fail:
                raise Refused(ResultCode.BIN_TYPE)
            return data
        if not size:
            return list_start(0, flags)
        if step.number & _LIST_KINDS not in (0, ops.CONTEXT_LIST):
            raise Refused(ResultCode.PARAM)
        elements = split(data, start, size)
        taken: list[bytes] = []
        changed: dict[int, bytes | None] = {}
        for index in self._list_places(step, elements, flags):
            entry = _Entry(elements[index], index=index)
            self._take(entry, level, changed, index, taken)
        if self.kind == _TREE:
            return list_of(taken)
        if self.kind != _APPLY:
            return data
        return _changed_list(elements, flags, changed)

    def _list_places(self, step: _Step, elements: list[bytes], flags: int) -> Iterator[int]:
        """The positions of the elements that the step selects."""
        base = step.base
        if base in (ops.CONTEXT_INDEX, ops.CONTEXT_RANK):
            place = one(step.index, len(elements))
            if place is None:
                return
            if base == ops.CONTEXT_RANK and not flags & LIST_ORDERED:
                place = by_rank([key_of(element) for element in elements], place)
            if self._passes(step, _Entry(elements[place], index=place)) is True:
                yield place
                if self.at_end and base == ops.CONTEXT_INDEX and place + 1 < len(elements):
                    raise Refused(ResultCode.SERVER)
            self.at_end = self.at_end or base == ops.CONTEXT_RANK
            return
        wanted = key_of(step.value) if base == ops.CONTEXT_VALUE else ()
        for index, element in enumerate(elements):
            if self.at_end:
                raise self._nothing_there(step, index)
            entry = _Entry(element, index=index)
            if base == ops.CONTEXT_EXP:
                result = _matches(step.filter, entry)
            elif base == ops.CONTEXT_VALUE:
                result = compare(key_of(element), wanted) == 0
            else:
                result = None
            if self._decided(step, entry, result):
                yield index

    def _nothing_there(self, step: _Step, index: int) -> Refused:
        """The error for a path that continues past the end of a list: the condition is evaluated all the same."""
        asks = step.base == ops.CONTEXT_EXP and not self.no_fail
        unknown = asks and _matches(step.filter, _Entry(None, index=index)) is None
        return Refused(ResultCode.PARAM if unknown else ResultCode.SERVER)

    # Maps -----------------------------------------------------------------------------------------------------

    def _map(self, data: bytes, level: int) -> bytes:
        _, size, flags, start = opened(data)
        step = self.steps[level]
        if not size:
            return map_start(0, flags)
        if step.number & _MAP_KINDS not in (0, ops.CONTEXT_MAP):
            raise Refused(ResultCode.PARAM)
        pairs = pairs_of(data, start, size)
        taken: list[bytes] = []
        changed: dict[int, bytes | None] = {}
        for place in self._map_places(step, pairs):
            key, value = pairs[place]
            self._take(_Entry(value, key=key), level, changed, place, taken)
        if self.kind == _TREE:
            return map_start(len(taken) // 2) + b"".join(taken)
        if self.kind != _APPLY:
            return data
        kept = [(key, changed.get(place, value)) for place, (key, value) in enumerate(pairs)]
        return map_of([(key, value) for key, value in kept if value is not None], flags)

    def _map_places(self, step: _Step, pairs: list[tuple[bytes, bytes]]) -> Iterator[int]:
        base = step.base
        if base in (ops.CONTEXT_INDEX, ops.CONTEXT_RANK):
            place = one(step.index, len(pairs))
            if place is None:
                return
            if base == ops.CONTEXT_RANK:
                place = by_rank([key_of(value) for _, value in pairs], place)
            key, value = pairs[place]
            if self._passes(step, _Entry(value, key=key)) is True:
                yield place
            self.at_end = True
            return
        keys = _KeyList(step.value) if base == ops.CONTEXT_KEY_LIST else None
        wanted = key_of(step.value) if base in (ops.CONTEXT_KEY, ops.CONTEXT_VALUE) else ()
        found = False
        for place, (key, value) in enumerate(pairs):
            if self.at_end:
                raise Refused(ResultCode.SERVER)
            entry = _Entry(value, key=key)
            result: bool | None
            if found:
                result = False
            elif base == ops.CONTEXT_EXP:
                result = _matches(step.filter, entry)
            elif base == ops.CONTEXT_KEY:
                result = found = compare(key_of(key), wanted) == 0
            elif base == ops.CONTEXT_VALUE:
                result = compare(key_of(value), wanted) == 0
            elif keys is not None:
                result = keys.has(key_of(key))
            else:
                result = None
            if self._decided(step, entry, result):
                yield place

    # Entries --------------------------------------------------------------------------------------------------

    def _is_leaf(self, level: int) -> bool:
        return level + 1 == len(self.steps)

    def _passes(self, step: _Step, entry: _Entry) -> bool | None:
        return True if step.also is None else _matches(step.also, entry)

    def _decided(self, step: _Step, entry: _Entry, result: bool | None) -> bool:
        """Whether the entry is selected, given the result of its step (None: unknown)."""
        if result:
            result = self._passes(step, entry)
        if result is None and not self.no_fail:
            raise Refused(ResultCode.PARAM)
        return bool(result)

    def _take(
        self, entry: _Entry, level: int, changed: dict[int, bytes | None], place: int, taken: list[bytes]
    ) -> None:
        """Add a selected entry to the result, or modify it."""
        is_leaf = self._is_leaf(level)
        value = entry.value
        assert value is not None
        if not is_leaf and kind_of(value) in (LIST, MAP):
            value = self.level(value, level + 1)
            if self.kind == _APPLY:
                changed[place] = value
        elif is_leaf and self.kind == _APPLY:
            changed[place] = self._changed(entry)
        elif is_leaf and self.kind != _TREE:
            if self.kind & _KEYS and entry.key is not None:
                self.leaves.append(entry.key)
            if self.kind & _LEAVES:
                self.leaves.append(value)
        if self.kind == _TREE:
            if entry.key is not None:
                taken.append(entry.key)
            taken.append(value)

    def _changed(self, entry: _Entry) -> bytes | None:
        """The modified element; None if it is removed."""
        assert self.change is not None
        value = self.change.modified_element(*entry.builtins)
        if value == REMOVED:
            return None
        if value is None:
            if not self.no_fail:
                raise Refused(ResultCode.SERVER)
            return entry.value
        if has_nonstorage(value):
            raise Refused(ResultCode.BIN_TYPE)
        return value


def _matches(condition: PathExpression | None, entry: _Entry) -> bool | None:
    """Whether a condition is true of the element; None if that is unknown."""
    return True if condition is None else condition.matches_element(*entry.builtins)


def _changed_list(elements: list[bytes], flags: int, changed: dict[int, bytes | None]) -> bytes:
    """A list with some elements replaced, or removed (None); sorted if it was ordered."""
    kept = [changed.get(index, element) for index, element in enumerate(elements)]
    new = [element for element in kept if element is not None]
    if flags & LIST_ORDERED and changed:
        keys = [key_of(element) for element in new]
        if not is_sorted(keys):
            new = [new[index] for index in sorted_indexes(keys)]
    return list_of(new, flags)


class _KeyList:
    """A list of keys to look up, in ascending order.

    Raises:
        Refused: PARAM, it is not a list, or claims to be ordered but is not.
    """

    def __init__(self, data: bytes) -> None:
        try:
            kind, count, flags, start = opened(data)
            if kind != LIST:
                raise Malformed
            keys = [key_of(element) for element in split(data, start, count)]
        except Malformed:
            raise Refused(ResultCode.PARAM) from None
        if flags & LIST_ORDERED:
            # The server's check of their order fails from the third key on (order_index_check_order).
            if count > 2 or not is_sorted(keys):
                raise Refused(ResultCode.PARAM)
            self._keys: list[Key] = keys
        else:
            self._keys = [keys[index] for index in sorted_indexes(keys)]
        self._at = 0

    def has(self, key: Key) -> bool:
        """Whether the key, greater than the one asked before, is in the list."""
        while self._at < len(self._keys):
            result = compare(key, self._keys[self._at])
            if result < 0:
                return False
            self._at += 1
            if result == 0:
                return True
        return False
