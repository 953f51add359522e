"""Answers to batches of reads decoded into columns: bins, generations and void times, with no object for a row.

As ``batch_answers`` and ``batch_layouts``, for who wants dicts of bins by user key: what else a row says is put into
lists of numbers, which cost nothing to keep, and nothing to Python's garbage collector.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..errors import ProtocolError, ResultCode
from .batch_answers import BatchRow, read_row
from .batch_layouts import layout_of
from .constants import INFO3_LAST, MESSAGE_HEADER_SIZE
from .layouts import LAYOUTS_KEPT, Layout, LayoutWriter

#: Decodes rows from a position on for as long as they have the layout: (body, position, results, mark, bins,
#: generations, void_times) -> the position of the first row that has not.
ColumnDecoder: TypeAlias = Callable[
    [bytes, int, list[Any], Any, list[dict[str, Any] | None], list[int], list[int]],
    int,
]

#: What a row without bins may say that no other attempt would change, so that it is as good as decoded.
FINAL_CODES: Final = frozenset((0, int(ResultCode.RECORD_NOT_FOUND), int(ResultCode.FILTERED_OUT)))
#: Layouts that are tried one after the other; with more of them a row is sooner decoded by itself.
_LAYOUTS: Final = 4
#: After so many rows in a row that had none of them, only one in so many is looked at for one.
_PATIENCE: Final = 8

# A good row's message begins so: its header's size, four bytes of flags, result code 0.
_HEAD: Final = bytes((MESSAGE_HEADER_SIZE, 0, 0, 0, 0, 0))
_RESULT_CODE: Final = 5
_unpack_answer = struct.Struct(">B2xBxBIIIHH").unpack_from
_pack_counts = struct.Struct(">HH").pack


class Columns:
    """What a batch of reads brought, as lists with an item for each key.

    Attributes:
        bins: of the records that were found; else None.
        codes: 0 for a record, else the server's code.
        generations, void_times: of the records, as they were sent.
    """

    __slots__ = ("bins", "codes", "generations", "void_times")

    def __init__(self, count: int) -> None:
        self.bins: list[dict[str, Any] | None] = [None] * count
        self.codes: list[int] = [0] * count
        self.generations: list[int] = [0] * count
        self.void_times: list[int] = [0] * count


class ColumnReader:
    """Decodes the frames of one part's answer.

    Args:
        columns: what is filled, at the places of the rows' indexes.
        results: the batch's results, by index: ``mark`` is put where a row is in the columns.
        mark: anything but None.
        other: takes any other row, the index of which is sound.
        runs: what decodes the rows that have been seen so far, shared by the readers of a batch.
    """

    __slots__ = ("_columns", "_mark", "_misses", "_other", "_results", "_runs")

    def __init__(
        self,
        columns: Columns,
        results: list[Any],
        mark: Any,
        other: Callable[[BatchRow], None],
        runs: list[ColumnDecoder] | None = None,
    ) -> None:
        self._columns = columns
        self._results = results
        self._mark = mark
        self._other = other
        self._runs: list[ColumnDecoder] = [] if runs is None else runs
        self._misses = 0

    def read(self, body: bytes) -> int | None:
        """Decode one frame, as ``BatchAnswerReader.read``.

        Raises:
            ProtocolError: the frame is malformed, or names a row that was not asked for.
        """
        position = 0
        total = len(body)
        count = len(self._results)
        try:
            while position < total:
                start = position
                if body[position + _RESULT_CODE] == 0:
                    position = self._run(body, position)
                    if position >= total:
                        break
                end = self._bare(body, position)
                if end != position:
                    position = end
                    continue
                row, end, result = read_row(body, position)
                if row is None:
                    return result
                if row.index >= count:
                    raise ProtocolError(f"a batch of {count} rows was answered with row {row.index}")
                self._other(row)
                if row.bins:
                    self._misses = self._misses + 1 if position == start else 0
                    if self._misses < _PATIENCE or not row.index % _PATIENCE:
                        self._learn(body, position)
                position = end
        except (struct.error, IndexError) as error:
            raise ProtocolError(f"an answer to a batch is cut off within {total} bytes: {error}") from None
        return None

    def _run(self, body: bytes, position: int) -> int:
        """Decode rows of the layouts that are known; returns where the first is that has none of them."""
        columns = self._columns
        runs = self._runs
        tried = 0
        while tried < len(runs):
            run = runs[tried]
            end = run(body, position, self._results, self._mark, columns.bins, columns.generations, columns.void_times)
            if end == position:
                tried += 1
                continue
            if tried:
                runs.insert(0, runs.pop(tried))  # the next row is the likeliest to be like the latest
            position = end
            if position + _RESULT_CODE >= len(body) or body[position + _RESULT_CODE]:
                break
            # The first one has just stopped here.
            tried = 1
        return position

    def _bare(self, body: bytes, position: int) -> int:
        """Take in rows without bins; returns where the first is that has some, or is no plain one."""
        columns = self._columns
        results, mark = self._results, self._mark
        total = len(body)
        while position + MESSAGE_HEADER_SIZE <= total:
            header_size, info3, code, generation, void_time, index, n_fields, n_ops = _unpack_answer(body, position)
            plain = header_size == MESSAGE_HEADER_SIZE and not info3 & INFO3_LAST and code in FINAL_CODES
            if not plain or n_fields or n_ops or index >= len(results):
                break
            results[index] = mark
            columns.codes[index] = code
            if not code:
                columns.bins[index] = {}
                columns.generations[index] = generation
                columns.void_times[index] = void_time
            position += MESSAGE_HEADER_SIZE
        return position

    def _learn(self, body: bytes, position: int) -> None:
        """Have the layout of a row tried first from now on."""
        layout = layout_of(body, position)
        if layout is not None:
            run = _decoder_of(layout)
            if run not in self._runs:
                self._runs[_LAYOUTS - 1 :] = []
                self._runs.insert(0, run)


@functools.lru_cache(maxsize=LAYOUTS_KEPT)
def _decoder_of(layout: Layout) -> ColumnDecoder:
    """The function for rows of a layout."""
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
    head = "def decode_run(body, position, results, mark, bins, generations, void_times):"
    space = writer.names
    exec("\n".join([head, *(f" {line}" for line in lines), " return position"]), space)
    decode_run: ColumnDecoder = space["decode_run"]
    return decode_run
