"""Generate the source of decoders for a layout: the parts that batches and queries share.

A layout is what similar records have in common: the headers of their bins, the types and fixed sizes of values. A
decoder compares these bytes rather than parsing them, and unpacks everything between at once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from ..errors import ProtocolError
from .constants import (
    PARTICLE_BLOB,
    PARTICLE_BOOL,
    PARTICLE_FLOAT,
    PARTICLE_INTEGER,
    PARTICLE_NULL,
    PARTICLE_STRING,
)
from .particles import decode_value

#: One bin of a layout: the header of the operation without its size, which ends in the bin's name, and the size of the
#: value, or VARIABLE if it differs.
Bin: TypeAlias = tuple[bytes, int]
Layout: TypeAlias = tuple[Bin, ...]

#: Cached decoders for each kind of answer. Applications have few layouts.
LAYOUTS_KEPT = 128
#: With more bins, a generated function is not faster: most of the time goes into the values.
BINS_MAX = 64
VARIABLE = -1
FIXED = {
    (PARTICLE_INTEGER, 8): "q",
    (PARTICLE_FLOAT, 8): "d",
    (PARTICLE_BOOL, 1): "B",
}
#: The size of a bin without a value, as in the answer to a write.
NIL = -2
_FAULTS = (struct.error, IndexError, UnicodeDecodeError, ProtocolError)
_unpack_op = struct.Struct(">IxBBB").unpack_from
_pack_size = struct.Struct(">I").pack


def bins_layout(body: bytes, position: int, count: int, nil: bool = False) -> Layout | None:
    """Return the layout of ``count`` bins, with valid sizes, from ``position`` on; None if not worth a decoder.

    That is the case if there are too many bins, or a bin has its last-update time, occurs twice, or is without a value;
    but with ``nil`` all of them may be without a value.
    """
    if count > BINS_MAX:
        return None
    bins: list[Bin] = []
    for _ in range(count):
        size, particle, flags, name_size = _unpack_op(body, position)
        value_size = size - 4 - name_size
        if flags or (particle == PARTICLE_NULL and (not nil or value_size)):
            return None
        head = body[position + 4 : position + 8 + name_size]
        if particle == PARTICLE_NULL:
            bins.append((head, NIL))
        else:
            bins.append((head, value_size if (particle, value_size) in FIXED else VARIABLE))
        position += 4 + size
    if any(size == NIL for _, size in bins):
        # A name that occurs twice is harmless here: results of writes are not looked up by name.
        return tuple(bins) if all(size == NIL for _, size in bins) else None
    return tuple(bins) if len({head[4:] for head, _ in bins}) == count else None


class _Segment(NamedTuple):
    """The part for one call of ``struct``: its format, the names of its values, and the tests for the layout."""

    format: str
    fields: list[str]
    tests: list[str]


class LayoutWriter:
    """Builds the source of a decoder, segment by segment; a segment ends at a value of variable size.

    Args:
        start: source for the position of the record.
        otherwise: the statement for a record of another layout.

    Attributes:
        names: the globals of the source.
        lines: the source so far.
        items: source of the items of the dict of bins, ``name: value`` each.
        nils: the names of bins without a value.
    """

    def __init__(self, start: str = "position", otherwise: str = "break") -> None:
        self.names: dict[str, Any] = {"faults": _FAULTS, "decode_value": decode_value}
        self.lines: list[str] = []
        self.items: list[str] = []
        self.nils: list[str] = []
        self._first: _Segment | None = None
        self._format = ">"
        self._fields: list[str] = []
        self._tests: list[str] = []
        self._constant = b""
        self._at = start
        self._otherwise = otherwise
        self._count = 0

    @property
    def end(self) -> str:
        """Source for the end of the record, once everything is written."""
        return self._at

    def constant(self, data: bytes) -> None:
        """Add bytes that are the same in every record."""
        self._constant += data

    def field(self, code: str) -> str:
        """Add a value that ``struct`` unpacks with that code; return its name."""
        self._flush_constant()
        name = f"v{self._count}_{len(self._fields)}"
        self._format += code
        self._fields.append(name)
        return name

    def _flush_constant(self) -> None:
        if self._constant:
            name = f"c{len(self.names)}"
            self.names[name] = self._constant
            self._format += f"{len(self._constant)}s"
            self._fields.append(f"is_{name}")
            self._tests.append(f"is_{name} != {name}")
            self._constant = b""

    def end_segment(self, size: str | None = None, least: int = 0) -> tuple[str, str]:
        """Write the segment, which is followed by the bytes of a value whose size, with its header, is ``size``.

        Args:
            size: the name of that size; None at the end of the record.
            least: the size of the header.

        Returns:
            The names of the start and the end of that value.
        """
        self._flush_constant()
        self._count += 1
        start, end = f"start{self._count}", f"end{self._count}"
        if self._fields:
            segment = struct.Struct(self._format)
            self.names[f"unpack{self._count}"] = segment.unpack_from
            self.lines.append(f"{', '.join(self._fields)}, = unpack{self._count}(body, {self._at})")
            tests = [*self._tests, *([f"{size} < {least}"] if size else [])]
            if self._first is None:
                self._first = _Segment(self._format, self._fields, tests)
            if tests:
                self.lines.append(f"if {' or '.join(tests)}: {self._otherwise}")
            self.lines.append(f"{start} = {self._at} + {segment.size}")
            self._at = start
        if size:
            self.lines.append(f"{end} = {self._at} + {size} - {least}")
            start, self._at = self._at, end
        self._format, self._fields, self._tests = ">", [], []
        return start, end

    def bins(self, layout: Layout) -> None:
        """Add the bins of a layout, which become items of the dict."""
        for head, size in layout:
            particle, name = head[1], head[4:].decode()
            if size == NIL:
                self.constant(_pack_size(len(head)) + head)
                self.nils.append(name)
                continue
            if size == VARIABLE:
                value = self._variable(head, particle)
            else:
                self.constant(_pack_size(len(head) + size) + head)
                value = self.field(FIXED[particle, size])
                if particle == PARTICLE_BOOL:
                    value += " != 0"
            # Names come from the server: as literals they cannot be code.
            self.items.append(f"{name!r}: {value}")

    def _variable(self, head: bytes, particle: int) -> str:
        own_size = self.field("I")
        self.constant(head)
        start, end = self.end_segment(own_size, len(head))
        data = f"body[{start}:{end}]"
        if particle == PARTICLE_STRING:
            return f"{data}.decode()"
        return data if particle == PARTICLE_BLOB else f"decode_value({particle}, {data})"

    def run(self, use: Iterable[str]) -> list[str]:
        """Generate a loop that decodes consecutive records of the layout that start before ``stop``.

        To be called in place of the last ``end_segment``; ``position`` is the start of the first record, and in the end
        that of the first one that has another layout, is malformed, or starts behind ``stop``. The bytes behind the
        last value of variable size are unpacked together with the beginning of the next record, as a call costs more
        than the unpacking itself.

        Args:
            use: statements that use the values of a record, after all tests.
        """
        first = self._first
        if first is None:
            self.end_segment()
            size = struct.calcsize(self._first.format) if self._first else 0
            return [
                "total = min(len(body), stop)",
                "try:",
                " while position < total:",
                *(f"  {line}" for line in self.lines),
                *(f"  {line}" for line in use),
                f"  position += {size}",
                "except faults:",
                " pass",
            ]
        self._flush_constant()
        head, tail = struct.calcsize(first.format), struct.calcsize(self._format)
        both = struct.Struct(self._format + first.format[1:])
        self.names.update(unpack_both=both.unpack_from, cut_off=struct.error)
        following = [f"next_{field}" for field in first.fields]
        unpack_both = f"{', '.join([*self._fields, *following])}, = unpack_both"
        first_line, first_tests, _, first_end, *between = self.lines
        return [
            f"start1 = position + {head}",
            "try:",
            f" {first_line}",
            f" while start1 < stop + {head}:",
            *(f"  {line}" for line in (first_tests, first_end, *between)),
            "  try:",
            f"   {unpack_both}(body, {self._at})",
            "  except cut_off:",
            f"   if {self._at} + {tail} > len(body): break",
            "   # This may be the last record: what follows is not a record then.",
            f"   {unpack_both}(body[{self._at}:] + bytes({head}), 0)",
            *([f"  if {' or '.join(self._tests)}: break"] if self._tests else []),
            *(f"  {line}" for line in use),
            *(f"  {field} = {name}" for field, name in zip(first.fields, following, strict=True)),
            f"  start1 = {self._at} + {tail + head}",
            "except faults:",
            " pass",
            f"position = start1 - {head}",
        ]
