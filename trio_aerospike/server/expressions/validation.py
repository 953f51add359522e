"""Validate an expression: it is complete, and its compiled form is not too large (the server's first pass).

The pass reads the bytes flat and counts the elements that remain; the second pass (`building`) builds the expression.
Facts: build_count_sz in the server's as/src/base/exp.c; the sizes are those of its structures on 64 bits, since their
sum is limited.
"""

from __future__ import annotations

from typing import Final

from ..._wire import constants as wire, exp_ops as codes
from ..._wire.cdt_ops import CONTEXT_EVAL, SELECT
from ..cdt import elements
from ..cdt.elements import Malformed

MAX_SIZE: Final = 1024 * 1024
"""Bytes of the compiled form, from which on it is too large."""

_PLAIN = 8
_SIZES: Final = {
    **dict.fromkeys(
        (
            codes.UNK, *range(codes.CMP_EQ, codes.CMP_LE + 1), codes.CMP_GEO, codes.IN_LIST,
            *range(codes.AND, codes.INT_RSCAN + 1), codes.MIN, codes.MAX,
            *range(codes.META_DEVICE_SIZE, codes.META_RECORD_SIZE + 1),
            codes.RESULT_REMOVE, codes.MAP_KEYS, codes.MAP_VALUES,
        ),
        _PLAIN,
    ),
    codes.CMP_REGEX: 80,
    codes.META_DIGEST_MOD: 12,
    codes.REC_KEY: 12,
    codes.BIN: 24,
    codes.BIN_TYPE: 24,
    codes.VAR_BUILTIN: 16,
    codes.COND: 12,
    codes.VAR: 16,
    codes.LET: 20,
    codes.QUOTE: 24,
    codes.CALL: 344,
}  # fmt: skip
"""Bytes of an instruction by its number; other numbers are invalid."""

_LITERAL_SIZES = {
    elements.NIL: _PLAIN,
    elements.NEGATIVE: 16,
    elements.INTEGER: 16,
    elements.DOUBLE: 16,
    elements.STRING: 24,
    elements.BYTES: 24,
    elements.GEOJSON: 40,
}
_OTHER_LITERAL = 24

_STATIC_ARGUMENTS: Final = {
    codes.CMP_REGEX: 2,
    codes.META_DIGEST_MOD: 1,
    codes.REC_KEY: 1,
    codes.BIN: 2,
    codes.BIN_TYPE: 1,
    codes.VAR_BUILTIN: 2,
    codes.VAR: 1,
    codes.QUOTE: 1,
    codes.CALL: 2,
}
"""The number of arguments that are not expressions."""

_BLOB_TYPES = (wire.PARTICLE_BLOB, wire.PARTICLE_HLL)


def check_whole(data: bytes) -> None:
    """Check that the bytes are one complete expression of known instructions, and not too large.

    Raises:
        Malformed: the expression is invalid.
    """
    scan = _Scan()
    scan.walk(data)
    if scan.expected % (1 << 32) or scan.size >= MAX_SIZE:
        raise Malformed


class Reader:
    """Reads elements from the front of some bytes."""

    __slots__ = ("at", "data")

    at: int
    data: bytes

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def kind(self) -> int:
        """The kind of the next element."""
        return elements.kind_of(self.data, self.at)

    def take(self, count: int = 1) -> bytes:
        """Take the next elements. Raises `Malformed`: they are invalid or truncated."""
        start = self.at
        self.at = elements.end_of(self.data, start, count)
        return self.data[start : self.at]

    def integer(self) -> int:
        """Take a signed 64-bit integer; larger unsigned ones wrap around.

        Raises:
            Malformed: the next element is not an integer.
        """
        return elements.signed(self.take())

    def unsigned(self) -> int:
        """Take an unsigned 64-bit integer. Raises `Malformed`: the next element is not an integer."""
        return elements.unsigned(self.take())

    def text(self) -> bytes:
        """Take the content of a string or blob. Raises `Malformed`: the next element is of another kind."""
        return elements.text_of(self.take())

    def list_count(self) -> int:
        """Enter a list; returns its number of elements. Raises `Malformed`: the next element is not a list."""
        if self.at >= len(self.data) or self.kind() != elements.LIST:
            raise Malformed
        self.at, count = elements.header_at(self.data, self.at)
        return count


class _Scan:
    def __init__(self) -> None:
        self.expected = 1
        """The number of expressions that remain; the server counts in 32 bits, and may pass zero."""
        self.size = 0

    def walk(self, data: bytes) -> None:
        reader = Reader(data)
        while reader.at < len(data):
            kind = reader.kind()
            if kind == elements.ERROR:
                raise Malformed
            self.expected -= 1
            if kind == elements.LIST:
                self._instruction(reader)
            else:
                self._literal(reader, kind)

    def _literal(self, reader: Reader, kind: int) -> None:
        literal = reader.take()
        if kind == elements.BYTES:
            blob = elements.text_of(literal)
            if not blob or blob[0] not in _BLOB_TYPES:
                raise Malformed
        self.size += _LITERAL_SIZES.get(kind, _OTHER_LITERAL)

    def _instruction(self, reader: Reader) -> None:
        count = reader.list_count()
        if count == 0:
            raise Malformed
        self.expected += count - 1
        code = reader.unsigned()
        size = _SIZES.get(code)
        if size is None:
            raise Malformed
        self.size += size
        n_static = _STATIC_ARGUMENTS.get(code, 0)
        if n_static:
            reader.take(n_static)
            self.expected -= n_static
        if code == codes.CALL:
            self._call(reader)
        elif code == codes.COND:
            self.size += count // 2 * _PLAIN
        elif code == codes.LET:
            self._definitions(reader, count)

    def _call(self, reader: Reader) -> None:
        self.expected -= 1
        count, number = call_start(reader)
        if number == SELECT:
            return
        for position in range(1, count):
            if reader.kind() == elements.LIST:
                # From the first expression on, all arguments are read as expressions.
                self.expected += count - position
                return
            reader.take()

    def _definitions(self, reader: Reader, count: int) -> None:
        if count % 2:
            raise Malformed
        for _ in range((count - 1) // 2):
            self.expected -= 1
            reader.text()
            self.walk(reader.take())


def call_start(reader: Reader) -> tuple[int, int]:
    """Read a call up to its first argument; returns the size of its innermost list, and the call's number.

    A context is skipped. A path expression (SELECT) is read completely: none of its arguments is evaluated.

    Raises:
        Malformed: it is not a call.
    """
    count = reader.list_count()
    if count == 0:
        raise Malformed
    number = reader.unsigned()
    if number == CONTEXT_EVAL:
        if count != 3:
            raise Malformed
        reader.take()
        count = reader.list_count()
        number = reader.unsigned()
    if number == SELECT:
        if not 3 <= count <= 4 or reader.kind() != elements.LIST:
            raise Malformed
        reader.take()
        reader.unsigned()
        if count == 4:
            reader.take()
    return count, number
