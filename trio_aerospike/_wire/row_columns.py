"""Decode answers to batches of reads into columns: bins, generations and void times, without an object for each row.

As ``batch_answers`` and ``batch_layouts``, for results that are dicts of bins by user key: the metadata of rows is put
into lists of numbers, which the garbage collector does not have to traverse.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from .batch_answers import BatchRow, RowReader
from .constants import MESSAGE_HEADER_SIZE
from .layouts import LAYOUTS_KEPT, Layout, LayoutWriter

#: Decodes consecutive rows of the layout that start before ``stop``: (body, position, stop, results, mark, bins,
#: generations, void_times) -> the position of the first row that is left.
ColumnDecoder: TypeAlias = Callable[
    [bytes, int, int, list[Any], Any, list[dict[str, Any] | None], list[int], list[int]],
    int,
]

# The start of a successful row's message: its header's size, four bytes of flags, result code 0.
_HEAD: Final = bytes((MESSAGE_HEADER_SIZE, 0, 0, 0, 0, 0))
_pack_counts = struct.Struct(">HH").pack


class Columns:
    """The results of a batch of reads, as lists with an item for each key.

    Attributes:
        bins: the bins of each record that was found; else None.
        codes: 0 for a record, else the server's code.
        generations, void_times: of the records, as the server sent them.
    """

    __slots__ = ("bins", "codes", "generations", "void_times")

    def __init__(self, count: int) -> None:
        self.bins: list[dict[str, Any] | None] = [None] * count
        self.codes: list[int] = [0] * count
        self.generations: list[int] = [0] * count
        self.void_times: list[int] = [0] * count


class ColumnReader(RowReader):
    """Decodes the frames of one part's answer.

    Args:
        columns: the columns to fill, by the rows' indexes.
        results: the batch's results, by index: ``mark`` is stored if a row is in the columns.
        mark: anything but None.
        other: called with every other row; its index is valid.
        decoders: for the layouts known so far, shared by the readers of a batch.
        pause: as of :class:`RowReader`.
    """

    __slots__ = ("_columns", "_mark", "_other", "_results")

    def __init__(
        self,
        columns: Columns,
        results: list[Any],
        mark: Any,
        other: Callable[[BatchRow], None],
        decoders: list[ColumnDecoder] | None = None,
        pause: Callable[[], None] | None = None,
    ) -> None:
        super().__init__([] if decoders is None else decoders, pause)
        self._columns = columns
        self._results = results
        self._mark = mark
        self._other = other

    def read(self, body: bytes) -> int | None:
        """Decode one frame, as ``BatchAnswerReader.read``.

        Raises:
            ProtocolError: the frame is malformed, or has a row that was not asked for.
        """
        return self._read(body, len(self._results), self._other)

    def _decode(self, decode: ColumnDecoder, body: bytes, position: int, stop: int) -> int:
        columns = self._columns
        bins, generations, void_times = columns.bins, columns.generations, columns.void_times
        return decode(body, position, stop, self._results, self._mark, bins, generations, void_times)

    def _take_bare(self, index: int, code: int, generation: int, void_time: int) -> None:
        columns = self._columns
        self._results[index] = self._mark
        columns.codes[index] = code
        if not code:
            columns.bins[index] = {}
            columns.generations[index] = generation
            columns.void_times[index] = void_time

    def _decoder_for(self, layout: Layout) -> ColumnDecoder:
        return _decoder_of(layout)


@functools.lru_cache(maxsize=LAYOUTS_KEPT)
def _decoder_of(layout: Layout) -> ColumnDecoder:
    """Return the decoder for rows of a layout."""
    writer = LayoutWriter()
    writer.constant(_HEAD)
    generation, void_time, index = writer.field("I"), writer.field("I"), writer.field("I")
    writer.constant(_pack_counts(0, len(layout)))
    writer.bins(layout)
    lines = writer.run(
        [
            f"bins[{index}] = {{{', '.join(writer.items)}}}",
            f"generations[{index}] = {generation}",
            f"void_times[{index}] = {void_time}",
            f"results[{index}] = mark",
        ]
    )
    head = "def decode_run(body, position, stop, results, mark, bins, generations, void_times):"
    space = writer.names
    exec("\n".join([head, *(f" {line}" for line in lines), " return position"]), space)
    decode_run: ColumnDecoder = space["decode_run"]
    return decode_run
