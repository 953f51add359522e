"""The parts of decoders that are made for a layout: what batches and queries have in common.

A layout says what is the same in all records that look alike: the heads of their bins, the types and fixed sizes of
values. A decoder compares that rather than taking it apart, and unpacks everything between at once.
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

#: One bin of a layout: the head of the operation without its size, which ends in the bin's name, and the size of the
#: value, or VARIABLE where each has its own.
Bin: TypeAlias = tuple[bytes, int]
Layout: TypeAlias = tuple[Bin, ...]

#: Decoders that are kept for each kind of answer. Applications have few layouts.
LAYOUTS_KEPT = 128
#: More bins than that are not worth a function: the time goes into their values.
BINS_MAX = 64
VARIABLE = -1
FIXED = {
    (PARTICLE_INTEGER, 8): "q",
    (PARTICLE_FLOAT, 8): "d",
    (PARTICLE_BOOL, 1): "B",
}
#: The size of a bin without a value, as a write is answered with.
NIL = -2
_FAULTS = (struct.error, IndexError, UnicodeDecodeError, ProtocolError)
_unpack_op = struct.Struct(">IxBBB").unpack_from
_pack_size = struct.Struct(">I").pack


def bins_layout(body: bytes, position: int, count: int, nil: bool = False) -> Layout | None:
    """The layout of ``count`` bins from ``position`` on, whose sizes fit; None where it has none that pays.

    That is so where there are too many, or a bin carries its last-update time, is there twice, or is without a value;
    but with ``nil`` they may all be without.
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
        # Twice the same does no harm here: what is written is not looked up by name.
        return tuple(bins) if all(size == NIL for _, size in bins) else None
    return tuple(bins) if len({head[4:] for head, _ in bins}) == count else None


class _Segment(NamedTuple):
    """What one call unpacks: the format for ``struct``, the names that it gets, and what tells of another layout."""

    format: str
    fields: list[str]
    tests: list[str]


class LayoutWriter:
    """Puts the source of a decoder together, segment by segment: a segment ends where a value's size is its own.

    Args:
        start: where the record starts, as source.
        otherwise: the statement that leaves a record of another layout.

    Attributes:
        names: what the source refers to.
        lines: the source so far.
        items: of the dict of bins, ``name: value`` each.
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
        """Where the record ends, once everything is written."""
        return self._at

    def constant(self, data: bytes) -> None:
        """Bytes that stand here in every record."""
        self._constant += data

    def field(self, code: str) -> str:
        """What ``struct`` unpacks with that code; returns the name that it has."""
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
        """Write what has gathered; behind it stand the bytes of a value whose size, with its head, is ``size``.

        Args:
            size: the name of that size; None at the end of the record.
            least: the size of the head.

        Returns:
            The names of where that value starts and ends.
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
        """The bins of a layout, which become items of the dict."""
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
            # Names come from the server: as literals they are text and nothing else.
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
        """The source that decodes record after record for as long as they have the layout and start before ``stop``.

        To be called in place of the last ``end_segment``; ``position`` is where the first record starts, and in the end
        where the first one starts that has another layout, or is damaged, or was not to be decoded. What stands behind
        the last value of variable size is unpacked together with the beginning of the next record, since each call
        costs more than what it unpacks.

        Args:
            use: statements that use the values of a record, every one of which has been looked at by then.
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
            "   # This may be the last one: what follows is no record then.",
            f"   {unpack_both}(body[{self._at}:] + bytes({head}), 0)",
            *([f"  if {' or '.join(self._tests)}: break"] if self._tests else []),
            *(f"  {line}" for line in use),
            *(f"  {field} = {name}" for field, name in zip(first.fields, following, strict=True)),
            f"  start1 = {self._at} + {tail + head}",
            "except faults:",
            " pass",
            f"position = start1 - {head}",
        ]
