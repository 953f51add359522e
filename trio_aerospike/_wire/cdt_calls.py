"""Encode calls of list, map and path operations, and contexts.

A call is a list of the operation's number and its arguments; on a nested element it is wrapped in a list of 255, a
context and the call. A context is a list of alternating numbers and values, two for each step (C client:
as_cdt_internal.c; server: cdt.c). Expressions carry calls in the same form, with expressions for arguments, so the
encoder serves both: an argument is a value, or :class:`Packed` for one that is packed already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import ProtocolError
from .cdt_ops import CONTEXT_EVAL
from .cdt_pack import pack_value
from .cdt_unpack import unpack_value
from .error_text import shown

# The bytes before a context: the header of a list of three, and 255.
_EVALUATE_IN = b"\x93" + pack_value(CONTEXT_EVAL)


class Packed:
    """One value that is packed already: an expression, or a value that may only be compared with.

    It goes into calls as it is. It is not a bytes object, so that it is not mistaken for a blob to store.

    Args:
        data: exactly one MessagePack value.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = bytes(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packed) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"Packed({self.data!r})"


def encode_cdt_call(opcode: int, args: Sequence[Any] = (), context: bytes = b"") -> bytes:
    """Encode a call, as the value of an operation or as the call of an expression.

    Args:
        opcode: the operation's number (``cdt_ops``; bits and HyperLogLog have numbers and calls of the same form).
        args: its arguments in the order of the wire: values that could be stored, or :class:`Packed`. The caller
            omits trailing ones for which the server has a default.
        context: from :func:`encode_context`; empty where the operation is on the bin's own value.

    Raises:
        InvalidArgError: the database cannot hold an argument.
    """
    parts = [_EVALUATE_IN, context] if context else []
    parts += [list_header(1 + len(args)), _packed(opcode)]
    parts += [_packed(arg) for arg in args]
    return b"".join(parts)


def encode_context(steps: Iterable[tuple[int, Any]]) -> bytes:
    """Encode a context, as operations, expressions and indexes on nested elements hold it.

    Args:
        steps: the number of each step, flags of creation included, and its value or :class:`Packed`.

    Raises:
        InvalidArgError: the database cannot hold a value.
    """
    flat = [part for step in steps for part in step]
    parts = [_packed(part) for part in flat]
    return list_header(len(flat)) + b"".join(parts)


# Most arguments are numbers of one byte: return types, flags, indexes.
_SMALL_INTS = [bytes((number,)) for number in range(0x80)]


def _packed(arg: Any) -> bytes:
    if isinstance(arg, Packed):
        return arg.data
    if type(arg) is int and 0 <= arg < 0x80:
        return _SMALL_INTS[arg]
    return pack_value(arg)


def decode_context(data: bytes) -> list[tuple[int, Packed]]:
    """Decode a context into its steps: the number of each, and its packed value.

    Raises:
        ProtocolError: it is not a list of alternating numbers and values, or bytes follow it.
    """
    count, position = _read_list_header(data)
    if count % 2:
        raise ProtocolError(f"a context of {count} elements: each step has two")
    steps: list[tuple[int, Packed]] = []
    for _ in range(count // 2):
        middle = value_end(data, position)
        number = unpack_value(data[position:middle])
        if not isinstance(number, int) or isinstance(number, bool):
            raise ProtocolError(f"a step of a context is numbered {shown(number)}")
        position = value_end(data, middle)
        steps.append((number, Packed(data[middle:position])))
    if position != len(data):
        raise ProtocolError(f"{len(data) - position} bytes follow a context")
    return steps


def value_end(data: bytes, position: int) -> int:
    """Find the end of the MessagePack value at ``position``, without decoding it.

    Raises:
        ProtocolError: it is malformed or cut off.
    """
    pending = 1
    size = len(data)
    while pending:
        if position >= size:
            raise ProtocolError("a list or map is cut off")
        code = data[position]
        head, content, inside = _EXTENTS[code]
        if head < 0:
            raise ProtocolError(f"byte {code:#04x} starts no value")
        if head:
            if position + 1 + head > size:
                raise ProtocolError("a list or map is cut off")
            length = int.from_bytes(data[position + 1 : position + 1 + head], "big")
            content, inside = content + length * (not inside), inside * length
        position += 1 + head + content
        pending += inside - 1
    if position > size:
        raise ProtocolError("a list or map is cut off")
    return position


def _extents() -> list[tuple[int, int, int]]:
    """For each first byte: the size of its length field, the bytes after it, the number of values inside.

    Where there is a length field, the last two are per unit of it: 0 and n for containers, where a unit is a value or a
    pair of them, 1 and 0 for others. An invalid first byte has -1.
    """
    table = [(0, 0, 0)] * 256
    for code in range(0x80, 0x90):
        table[code] = (0, 0, 2 * (code & 0x0F))
    for code in range(0x90, 0xA0):
        table[code] = (0, 0, code & 0x0F)
    for code in range(0xA0, 0xC0):
        table[code] = (0, code & 0x1F, 0)
    table[0xC1] = (-1, 0, 0)
    for first in (0xC4, 0xD9):
        for step in range(3):
            table[first + step] = (1 << step, 0, 0)
    for step in range(3):
        table[0xC7 + step] = (1 << step, 1, 0)
    for step in range(5):
        table[0xD4 + step] = (0, 1 + (1 << step), 0)
    for step in range(4):
        table[0xCC + step] = table[0xD0 + step] = (0, 1 << step, 0)
    table[0xCA], table[0xCB] = (0, 4, 0), (0, 8, 0)
    table[0xDC], table[0xDD] = (2, 0, 1), (4, 0, 1)
    table[0xDE], table[0xDF] = (2, 0, 2), (4, 0, 2)
    return table


_EXTENTS = _extents()


def _read_list_header(data: bytes) -> tuple[int, int]:
    code = data[0] if data else 0
    if 0x90 <= code < 0xA0:
        return code & 0x0F, 1
    width = {0xDC: 2, 0xDD: 4}.get(code)
    if width is None or len(data) < 1 + width:
        raise ProtocolError("a context is a list")
    return int.from_bytes(data[1 : 1 + width], "big"), 1 + width


def list_header(count: int) -> bytes:
    """The header of a MessagePack list of ``count`` elements."""
    if count < 16:
        return b"%c" % (0x90 | count)
    if count < 0x10000:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")
