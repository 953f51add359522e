"""Generate decoders for answers to single reads that share a layout.

As `batch_layouts` for the rows of batches. Records of a set mostly have the same bins with values of the same types, so
the client keeps a :class:`RecordDecoder` for each set: it learns the layout, uses its decoder as long as it fits, and
the general decoder for all other answers.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from .batch_layouts import layout_of
from .constants import MESSAGE_HEADER_SIZE
from .layouts import LAYOUTS_KEPT, Layout, LayoutWriter
from .records import decode_record

#: Generation, void time (seconds since 2010, 0: never expires) and bins.
Decoded: TypeAlias = tuple[int, int, dict[str, Any]]
#: Decodes an answer of the layout; None for any other, and for a malformed one.
LayoutDecoder: TypeAlias = Callable[[bytes], Decoded | None]

#: Answers of another layout after which a decoder learns again.
_FORGET = 8
#: How often a decoder learns before it leaves a set of many layouts to the general decoder, except for rare retries.
_TRIES = 4
_REST = 4096

# The start of a successful answer: its header's size, four bytes of flags, result code 0.
_HEAD = bytes((MESSAGE_HEADER_SIZE, 0, 0, 0, 0, 0))
_pack_counts = struct.Struct(">HH").pack


class RecordDecoder:
    """Decodes the answers of one kind of read: ``decoder.quick(body) or decoder.slow(body)``.

    Attributes:
        quick: decodes answers of the present layout; None for those of any other.
    """

    __slots__ = ("_left", "_tries", "quick")

    def __init__(self) -> None:
        self.quick: LayoutDecoder = _nothing
        self._tries = 0
        self._left = 1

    def slow(self, body: bytes) -> Decoded:
        """Decode an answer that ``quick`` does not decode, and learn its layout: generation, void time and bins.

        Raises:
            ProtocolError: it is malformed.
        """
        _, generation, void_time, bins = decode_record(body)
        self._left -= 1
        if self._left <= 0:
            self._learn(body)
        return generation, void_time, bins

    def _learn(self, body: bytes) -> None:
        self._tries += 1
        self._left = _FORGET if self._tries % _TRIES else _REST
        layout = layout_of(body, 0)
        self.quick = _nothing if layout is None else decoder_of(layout)


def _nothing(body: bytes) -> None:
    """The decoder without a layout."""


@functools.lru_cache(maxsize=LAYOUTS_KEPT)
def decoder_of(layout: Layout) -> LayoutDecoder:
    """Return the decoder for answers of a layout."""
    writer = LayoutWriter(start="0", otherwise="return None")
    writer.constant(_HEAD)
    generation, void_time, _ = writer.field("I"), writer.field("I"), writer.field("I")
    writer.constant(_pack_counts(0, len(layout)))
    writer.bins(layout)
    writer.end_segment()
    source = "\n".join(
        [
            "def decode(body):",
            " try:",
            *(f"  {line}" for line in writer.lines),
            f"  if {writer.end} != len(body): return None",
            f"  return {generation}, {void_time}, {{{', '.join(writer.items)}}}",
            " except faults:",
            "  return None",
        ]
    )
    space = writer.names
    exec(source, space)
    decode: LayoutDecoder = space["decode"]
    return decode
