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
from ..._wire.operation_rows import POLICIES, Call as TableRow
from ...errors import ResultCode
from ..exceptions import Refused
from .elements import LIST, Malformed, end_of, has_nonstorage, header_at, kind_of, signed, unsigned

_UINT32_MAX: Final = 0xFFFF_FFFF

_INDEX = "index"
_COUNT = "count"
_FLAGS = "flags"
_VALUE = "value"
_STORED = "stored"
"""A value to be stored in a list or map, which cannot be a wildcard or infinity."""

_KINDS: Final = {
    **dict.fromkeys(("static", "return", "returns"), _FLAGS),
    **dict.fromkeys(("stored", "stored_list", "stored_map", "stored_key"), _STORED),
    "int": _INDEX,
    "count": _COUNT,
}
"""What a parameter is on the wire, by its kind; _VALUE for all others."""


def _wire_arguments(call: TableRow) -> tuple[int, tuple[str, ...]]:
    kinds: list[str] = []
    optional = 0
    for parameter in call.parameters:
        added = [_FLAGS] * len(POLICIES.get(parameter.kind, ())) or [_KINDS.get(parameter.kind, _VALUE)]
        kinds += added
        optional += len(added) * parameter.optional
    return optional, tuple(kinds)


_TABLE: Final = {call.code: _wire_arguments(call) for rows in (ops.LISTS, ops.MAPS) for call in rows.values()}
"""For each operation how many of its arguments, the last ones, may be missing; and what they are."""


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
