"""What an operation on a list or map is called with: the number of the operation, its arguments, its target.

The table of arguments is the server's (cdt_op_table in as/src/base/cdt.c), and so is the moment at which arguments
are looked at: after the type of the bin, and not at all where there is nothing to work on.

Each family of operations has `read(data, call)`, which answers from a stored list or map, and `modify(target, call)`,
which sets `target.result`; both give the operation's answer, None for none, and raise Refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from ..._wire import cdt_ops as ops
from ..._wire.call_rows import POLICIES, Call as TableRow
from ...errors import ResultCode
from ..results import Refused
from .elements import LIST, Malformed, end_of, has_nonstorage, header_at, kind_of, signed, unsigned

_UINT32_MAX: Final = 0xFFFF_FFFF

_INDEX = "index"
_COUNT = "count"
_FLAGS = "flags"
_VALUE = "value"
_STORED = "stored"
"""A value that goes into a list or map: nothing that is only there to compare with."""

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
    """Takes one element after the other from an operation's data.

    It remembers having met something that cannot be stored: from then on no argument may be stored, as in the server.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self.nonstorage: bool = False

    def skip(self, size: int) -> None:
        """Leave out so many bytes."""
        self._pos += size

    @property
    def at_end(self) -> bool:
        return self._pos >= len(self._data)

    def element(self) -> bytes:
        """The next element.

        Raises:
            Refused: PARAM, there is none.
        """
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
        """The next element, an integer of 64 bits taken without its sign.

        Raises:
            Refused: PARAM, it is none.
        """
        return self._number(unsigned)

    def signed(self) -> int:
        """The next element, an integer of 64 bits taken with its sign.

        Raises:
            Refused: PARAM, it is none.
        """
        return self._number(signed)

    def _number(self, convert: Callable[[bytes], int]) -> int:
        try:
            return convert(self._take())
        except Malformed:
            raise Refused(ResultCode.PARAM) from None

    def list_count(self) -> int:
        """The number of elements of the list that begins here; they come next.

        Raises:
            Refused: PARAM, there is no list.
        """
        if kind_of(self._data, self._pos) != LIST:
            raise Refused(ResultCode.PARAM)
        try:
            self._pos, count = header_at(self._data, self._pos)
        except Malformed:
            raise Refused(ResultCode.PARAM) from None
        return count


class Arguments:
    """An operation's arguments, by their places; those left out at the end have defaults."""

    def __init__(self, values: list[int | bytes]) -> None:
        self._values = values

    def number(self, place: int, default: int = 0) -> int:
        """An index, a count or flags."""
        value = self._values[place] if place < len(self._values) else default
        assert isinstance(value, int)
        return value

    def count(self, place: int) -> int:
        """A count; to the end when it is left out."""
        return self.number(place, _UINT32_MAX)

    def element(self, place: int) -> bytes:
        """A value."""
        value = self._values[place]
        assert isinstance(value, bytes)
        return value

    def optional(self, place: int) -> bytes | None:
        """A value; None when it is left out."""
        return self.element(place) if place < len(self._values) else None


@attrs.frozen(eq=False)
class Call:
    """An operation, and its arguments yet to be read."""

    op: int
    n_arguments: int
    reader: Reader

    @classmethod
    def parse(cls, payload: bytes) -> Call:
        """The call that an operation's data is: a list of the number and the arguments, or, in an older form, the
        number in two bytes and a list of the arguments.

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
        """The call that comes next: a list of the number and the arguments.

        Raises:
            Refused: PARAM, there is none.
        """
        count = reader.list_count()
        if not count:
            raise Refused(ResultCode.PARAM)
        return cls(reader.unsigned() & _UINT32_MAX, count - 1, reader)

    @property
    def is_on_list(self) -> bool:
        """Whether it is one of the operations on lists."""
        return self.op < ops.MAP_SET_TYPE

    def arguments(self) -> Arguments:
        """Read the arguments.

        Raises:
            Refused: PARAM, there are too many, too few, or they are not what the operation takes.
        """
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
    """The list or map that an operation is to change.

    Args:
        data: as it is stored; None where there is none.
        is_top: it is a bin's value, which may keep an index.
        is_created: the way to it is only made when the operation leaves something there.
        has_bin: there is a value in the bin.
        result: what it becomes; None if nothing changes.
    """

    data: bytes | None
    is_top: bool = True
    is_created: bool = False
    has_bin: bool = True
    result: bytes | None = None
