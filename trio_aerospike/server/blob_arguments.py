"""Parse the arguments of bit and HyperLogLog operations, as the server does.

A call is a MessagePack list of the operation's number and its arguments (``_wire/cdt_calls``). An argument of the wrong
kind, or a truncated one, ends the request (server: cf/src/msgpack_in.c). Bytes after the last argument are ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from .._wire.cdt_calls import value_end
from .._wire.cdt_pack import pack_value
from ..errors import ProtocolError, ResultCode
from .exceptions import Refused

C = TypeVar("C")

_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_LIST_LENGTHS = {0xDC: 2, 0xDD: 4}
_INTEGERS = {
    first: struct.Struct(">" + form)
    for first, form in zip((*range(0xCC, 0xD0), *range(0xD0, 0xD4)), "BHIQbhiq", strict=True)
}
_STRING_8, _STRING_16, _STRING_32 = 0xD9, 0xDA, 0xDB
_UNSIGNED = 0xFFFF_FFFF_FFFF_FFFF


class Arguments:
    """The arguments of a call.

    Each method reads one argument, and raises Refused with PARAM if it is of the wrong kind.
    """

    def __init__(self, payload: bytes) -> None:
        self._data = payload
        self._at = 0
        n_elements = self.list_header()
        if n_elements == 0:
            raise Refused(ResultCode.PARAM)
        # The server keeps 32 bits of the number.
        self.number: int = self.unsigned() & 0xFFFF_FFFF
        """The number of the operation."""
        self.count: int = n_elements - 1
        """The announced number of arguments."""

    def fill(self, call: C, required: int, readers: Sequence[Callable[[Arguments, C], None]]) -> C:
        """Read all arguments into a call, and return it.

        Args:
            call: gets the arguments.
            required: the number of required arguments.
            readers: one for each argument, required or optional.
        """
        if not required <= self.count <= len(readers):
            raise Refused(ResultCode.PARAM)
        for read in readers[: self.count]:
            read(self, call)
        return call

    def flags(self, allowed: int, exclusive: int) -> int:
        """Flags; only some are allowed, and not all exclusive ones together."""
        flags = self.unsigned()
        if flags & ~allowed or (exclusive and flags & exclusive == exclusive):
            raise Refused(ResultCode.PARAM)
        return flags

    def _first(self) -> int:
        try:
            return self._data[self._at]
        except IndexError:
            raise Refused(ResultCode.PARAM) from None

    def _advance(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise Refused(ResultCode.PARAM)
        self._at += size
        return taken

    def signed(self) -> int:
        """A signed 64-bit integer."""
        value = self.unsigned()
        return value - (1 << 64) if value >> 63 else value

    def unsigned(self) -> int:
        """An unsigned 64-bit integer; a negative one is converted as in C."""
        first = self._first()
        form = _INTEGERS.get(first)
        if form is not None:
            value: int = form.unpack(self._advance(1 + form.size)[1:])[0]
        elif first < 0x80:
            self._at += 1
            value = first
        elif first >= 0xE0:
            self._at += 1
            value = first - 0x100
        else:
            raise Refused(ResultCode.PARAM)
        return value & _UNSIGNED

    def boolean(self) -> bool:
        """A boolean, not a number."""
        first = self._first()
        if first not in (0xC2, 0xC3):
            raise Refused(ResultCode.PARAM)
        self._at += 1
        return first == 0xC3

    def blob(self) -> bytes:
        """A string or blob of any kind, including the first byte with its particle type."""
        first = self._first()
        if first & 0xE0 == 0xA0:
            self._at += 1
            return self._advance(first & 0x1F)
        width = _LENGTHS.get(first)
        if width is None:
            raise Refused(ResultCode.PARAM)
        return self._advance(int.from_bytes(self._advance(1 + width)[1:], "big"))

    def list_header(self) -> int:
        """Enter a list; returns its number of elements, which are the next arguments."""
        first = self._first()
        if first & 0xF0 == 0x90:
            self._at += 1
            return first & 0x0F
        width = _LIST_LENGTHS.get(first)
        if width is None:
            raise Refused(ResultCode.PARAM)
        return int.from_bytes(self._advance(1 + width)[1:], "big")

    def at_list(self) -> bool:
        """Whether the next argument is a list."""
        first = self._data[self._at] if self._at < len(self._data) else 0
        return first & 0xF0 == 0x90 or first in _LIST_LENGTHS

    def scalar(self) -> bytes:
        """A value that is neither list nor map, in its shortest form, which the server hashes."""
        first = self._first()
        if first & 0xE0 == 0x80 or 0xDC <= first <= 0xDF:
            raise Refused(ResultCode.PARAM)
        try:
            end = value_end(self._data, self._at)
        except ProtocolError:
            raise Refused(ResultCode.PARAM) from None
        return _shortest(self._advance(end - self._at))


def _shortest(element: bytes) -> bytes:
    """The shortest form of a scalar (server: msgpack_compactify).

    Short blobs get the header of a string; longer ones are unchanged, unless the header can be shorter.
    """
    first = element[0]
    form = _INTEGERS.get(first)
    if form is not None:
        value: int = form.unpack(element[1:])[0]
        # Integers above the signed range have the longest header already.
        return element if value >> 63 > 0 else pack_value(value)
    width = _LENGTHS.get(first)
    if width is not None:
        return _shortest_string(first, width, element[1 + width :])
    if 0xC7 <= first <= 0xC9:
        return _shortest_extension(first, element)
    return element


def _shortest_string(first: int, width: int, content: bytes) -> bytes:
    size = len(content)
    if size > (0x1F, 0xFF, 0xFFFF)[width.bit_length() - 1]:
        return bytes((first,)) + size.to_bytes(width, "big") + content
    if size < 32:
        return bytes((0xA0 | size,)) + content
    if size < 0x100:
        return bytes((_STRING_8, size)) + content
    return bytes((_STRING_16,)) + size.to_bytes(2, "big") + content


def _shortest_extension(first: int, element: bytes) -> bytes:
    width = 1 << (first - 0xC7)
    size = int.from_bytes(element[1 : 1 + width], "big")
    rest = element[1 + width :]
    fixed = size in (1, 2, 4, 8, 16)
    if width > 1 and size > (0xFF if width == 2 else 0xFFFF):
        return element
    if fixed:
        return bytes((0xD4 + size.bit_length() - 1,)) + rest
    if width == 1:
        return element
    if size < 0x100:
        return bytes((0xC7, size)) + rest
    return b"\xc8" + size.to_bytes(2, "big") + rest
