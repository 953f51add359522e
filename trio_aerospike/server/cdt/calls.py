"""Parse the calls of list and map operations: operation code, arguments, target.

The table of arguments is the server's (cdt_op_table in as/src/base/cdt.c). As in the server, arguments are checked
after the type of the bin, and not at all where there is nothing to work on.

Each family of operations has `read(data, call)`, which reads a stored list or map, and `modify(target, call)`, which
sets `target.result`; both return the operation's result, None if there is none, and raise Refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from ..._wire import cdt_ops as ops
from ...errors import ResultCode
from ..refused import Refused
from .elements import LIST, Malformed, end_of, has_nonstorage, header_at, kind_of, signed, unsigned

_UINT32_MAX: Final = 0xFFFF_FFFF

_INDEX = "index"
_COUNT = "count"
_FLAGS = "flags"
_VALUE = "value"
_STORED = "stored"
"""A value to be stored in a list or map, which cannot be a wildcard or infinity."""

_BY_VALUE = (_FLAGS, _VALUE)
_BY_INDEX = (_FLAGS, _INDEX)
_BY_RANGE = (_FLAGS, _INDEX, _COUNT)
_BY_INTERVAL = (_FLAGS, _VALUE, _VALUE)
_BY_RELATIVE = (_FLAGS, _VALUE, _INDEX, _COUNT)

_TABLE: dict[int, tuple[int, tuple[str, ...]]] = {
    ops.LIST_SET_TYPE: (0, (_FLAGS,)),
    ops.LIST_APPEND: (2, (_STORED, _FLAGS, _FLAGS)),
    ops.LIST_APPEND_ITEMS: (2, (_STORED, _FLAGS, _FLAGS)),
    ops.LIST_INSERT: (1, (_INDEX, _STORED, _FLAGS)),
    ops.LIST_INSERT_ITEMS: (1, (_INDEX, _STORED, _FLAGS)),
    ops.LIST_POP: (0, (_INDEX,)),
    ops.LIST_POP_RANGE: (1, (_INDEX, _COUNT)),
    ops.LIST_REMOVE: (0, (_INDEX,)),
    ops.LIST_REMOVE_RANGE: (1, (_INDEX, _COUNT)),
    ops.LIST_SET: (1, (_INDEX, _STORED, _FLAGS)),
    ops.LIST_TRIM: (0, (_INDEX, _COUNT)),
    ops.LIST_CLEAR: (0, ()),
    ops.LIST_INCREMENT: (3, (_INDEX, _VALUE, _FLAGS, _FLAGS)),
    ops.LIST_SORT: (1, (_FLAGS,)),
    ops.LIST_SIZE: (0, ()),
    ops.LIST_GET: (0, (_INDEX,)),
    ops.LIST_GET_RANGE: (1, (_INDEX, _COUNT)),
    ops.LIST_GET_BY_INDEX: (0, _BY_INDEX),
    ops.LIST_GET_BY_VALUE: (0, _BY_VALUE),
    ops.LIST_GET_BY_RANK: (0, _BY_INDEX),
    ops.LIST_GET_ALL_BY_VALUE: (0, _BY_VALUE),
    ops.LIST_GET_ALL_BY_VALUE_LIST: (0, _BY_VALUE),
    ops.LIST_GET_BY_INDEX_RANGE: (1, _BY_RANGE),
    ops.LIST_GET_BY_VALUE_INTERVAL: (1, _BY_INTERVAL),
    ops.LIST_GET_BY_RANK_RANGE: (1, _BY_RANGE),
    ops.LIST_GET_BY_VALUE_REL_RANK_RANGE: (1, _BY_RELATIVE),
    ops.LIST_REMOVE_BY_INDEX: (0, _BY_INDEX),
    ops.LIST_REMOVE_BY_VALUE: (0, _BY_VALUE),
    ops.LIST_REMOVE_BY_RANK: (0, _BY_INDEX),
    ops.LIST_REMOVE_ALL_BY_VALUE: (0, _BY_VALUE),
    ops.LIST_REMOVE_ALL_BY_VALUE_LIST: (0, _BY_VALUE),
    ops.LIST_REMOVE_BY_INDEX_RANGE: (1, _BY_RANGE),
    ops.LIST_REMOVE_BY_VALUE_INTERVAL: (1, _BY_INTERVAL),
    ops.LIST_REMOVE_BY_RANK_RANGE: (1, _BY_RANGE),
    ops.LIST_REMOVE_BY_VALUE_REL_RANK_RANGE: (1, _BY_RELATIVE),
    ops.MAP_SET_TYPE: (0, (_FLAGS,)),
    ops.MAP_ADD: (1, (_STORED, _STORED, _FLAGS)),
    ops.MAP_ADD_ITEMS: (1, (_STORED, _FLAGS)),
    ops.MAP_PUT: (2, (_STORED, _STORED, _FLAGS, _FLAGS)),
    ops.MAP_PUT_ITEMS: (2, (_STORED, _FLAGS, _FLAGS)),
    ops.MAP_REPLACE: (0, (_STORED, _STORED)),
    ops.MAP_REPLACE_ITEMS: (0, (_STORED,)),
    ops.MAP_INCREMENT: (2, (_VALUE, _VALUE, _FLAGS)),
    ops.MAP_DECREMENT: (2, (_VALUE, _VALUE, _FLAGS)),
    ops.MAP_CLEAR: (0, ()),
    ops.MAP_REMOVE_BY_KEY: (0, _BY_VALUE),
    ops.MAP_REMOVE_BY_VALUE: (0, _BY_VALUE),
    ops.MAP_REMOVE_BY_INDEX: (0, _BY_INDEX),
    ops.MAP_REMOVE_BY_RANK: (0, _BY_INDEX),
    ops.MAP_REMOVE_BY_KEY_LIST: (0, _BY_VALUE),
    ops.MAP_REMOVE_ALL_BY_VALUE: (0, _BY_VALUE),
    ops.MAP_REMOVE_BY_VALUE_LIST: (0, _BY_VALUE),
    ops.MAP_REMOVE_BY_KEY_INTERVAL: (1, _BY_INTERVAL),
    ops.MAP_REMOVE_BY_INDEX_RANGE: (1, _BY_RANGE),
    ops.MAP_REMOVE_BY_VALUE_INTERVAL: (1, _BY_INTERVAL),
    ops.MAP_REMOVE_BY_RANK_RANGE: (1, _BY_RANGE),
    ops.MAP_REMOVE_BY_KEY_REL_INDEX_RANGE: (1, _BY_RELATIVE),
    ops.MAP_REMOVE_BY_VALUE_REL_RANK_RANGE: (1, _BY_RELATIVE),
    ops.MAP_SIZE: (0, ()),
    ops.MAP_GET_BY_KEY: (0, _BY_VALUE),
    ops.MAP_GET_BY_INDEX: (0, _BY_INDEX),
    ops.MAP_GET_BY_VALUE: (0, _BY_VALUE),
    ops.MAP_GET_BY_RANK: (0, _BY_INDEX),
    ops.MAP_GET_ALL_BY_VALUE: (0, _BY_VALUE),
    ops.MAP_GET_BY_KEY_INTERVAL: (1, _BY_INTERVAL),
    ops.MAP_GET_BY_INDEX_RANGE: (1, _BY_RANGE),
    ops.MAP_GET_BY_VALUE_INTERVAL: (1, _BY_INTERVAL),
    ops.MAP_GET_BY_RANK_RANGE: (1, _BY_RANGE),
    ops.MAP_GET_BY_KEY_LIST: (0, _BY_VALUE),
    ops.MAP_GET_BY_VALUE_LIST: (0, _BY_VALUE),
    ops.MAP_GET_BY_KEY_REL_INDEX_RANGE: (1, _BY_RELATIVE),
    ops.MAP_GET_BY_VALUE_REL_RANK_RANGE: (1, _BY_RELATIVE),
}
"""For each operation: how many of its last arguments are optional, and the kinds of all arguments."""


class Reader:
    """Reads an operation's data element by element.

    After an element that cannot be stored, no later argument may be stored either, as in the server.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self.nonstorage: bool = False

    def skip(self, size: int) -> None:
        """Skip a number of bytes."""
        self._pos += size

    @property
    def at_end(self) -> bool:
        return self._pos >= len(self._data)

    def element(self) -> bytes:
        """The next element. Raises `Refused`: PARAM, it is missing."""
        element = self._take()
        self.nonstorage = self.nonstorage or has_nonstorage(element)
        return element

    def _take(self) -> bytes:
        try:
            end = end_of(self._data, self._pos)
        except Malformed:
            raise Refused(ResultCode.PARAM) from None
        element = self._data[self._pos : end]
        self._pos = end
        return element

    def unsigned(self) -> int:
        """The next element as an unsigned 64-bit integer. Raises `Refused`: PARAM, it is not an integer."""
        return self._number(unsigned)

    def signed(self) -> int:
        """The next element as a signed 64-bit integer. Raises `Refused`: PARAM, it is not an integer."""
        return self._number(signed)

    def _number(self, convert: Callable[[bytes], int]) -> int:
        try:
            return convert(self._take())
        except Malformed:
            raise Refused(ResultCode.PARAM) from None

    def list_count(self) -> int:
        """Enter a list; returns its number of elements, which come next.

        Raises:
            Refused: PARAM, the next element is not a list.
        """
        if kind_of(self._data, self._pos) != LIST:
            raise Refused(ResultCode.PARAM)
        try:
            self._pos, count = header_at(self._data, self._pos)
        except Malformed:
            raise Refused(ResultCode.PARAM) from None
        return count


class Arguments:
    """An operation's arguments by position; omitted ones at the end have defaults."""

    def __init__(self, values: list[int | bytes]) -> None:
        self._values = values

    def number(self, place: int, default: int = 0) -> int:
        """An index, a count or flags."""
        value = self._values[place] if place < len(self._values) else default
        assert isinstance(value, int)
        return value

    def count(self, place: int) -> int:
        """A count; up to the end if it is omitted."""
        return self.number(place, _UINT32_MAX)

    def element(self, place: int) -> bytes:
        """A value."""
        value = self._values[place]
        assert isinstance(value, bytes)
        return value

    def optional(self, place: int) -> bytes | None:
        """A value; None if it is omitted."""
        return self.element(place) if place < len(self._values) else None


@attrs.frozen(eq=False)
class Call:
    """An operation whose arguments have not been read yet."""

    op: int
    n_arguments: int
    reader: Reader

    @classmethod
    def parse(cls, payload: bytes) -> Call:
        """Parse an operation's data: a list of code and arguments, or in the older form the code in two bytes and a
        list of arguments.

        Raises:
            Refused: PARAM, it is neither.
        """
        reader = Reader(payload)
        if payload[:1] == b"\0":
            if len(payload) < 2:
                raise Refused(ResultCode.PARAM)
            reader.skip(2)
            return cls(int.from_bytes(payload[:2], "big"), 0 if reader.at_end else reader.list_count(), reader)
        return cls.inner(reader)

    @classmethod
    def inner(cls, reader: Reader) -> Call:
        """Parse the call that comes next: a list of code and arguments.

        Raises:
            Refused: PARAM, it is not a list with a code.
        """
        count = reader.list_count()
        if not count:
            raise Refused(ResultCode.PARAM)
        return cls(reader.unsigned() & _UINT32_MAX, count - 1, reader)

    @property
    def is_on_list(self) -> bool:
        """Whether it is a list operation."""
        return self.op < ops.MAP_SET_TYPE

    def arguments(self) -> Arguments:
        """Read the arguments. Raises `Refused`: PARAM, there are too many or too few, or one is of the wrong kind."""
        optional, kinds = _TABLE[self.op]
        if not len(kinds) - optional <= self.n_arguments <= len(kinds):
            raise Refused(ResultCode.PARAM)
        reader = self.reader
        values: list[int | bytes] = []
        for kind in kinds[: self.n_arguments]:
            if kind is _INDEX:
                values.append(reader.signed())
            elif kind is _COUNT or kind is _FLAGS:
                values.append(reader.unsigned())
            else:
                values.append(reader.element())
                if kind is _STORED and reader.nonstorage:
                    raise Refused(ResultCode.PARAM)
        return Arguments(values)


@attrs.define(eq=False)
class Target:
    """The list or map that an operation changes.

    Args:
        data: its stored form; None if it does not exist.
        is_top: it is the bin's whole value, which may keep an index.
        is_created: the levels above it are created only if the operation stores something.
        has_bin: the bin exists.
        result: its new stored form; None if nothing changes.
    """

    data: bytes | None
    is_top: bool = True
    is_created: bool = False
    has_bin: bool = True
    result: bytes | None = None
