"""Decode answers to batches, for the client: rows in any order, each with the index of its key.

Facts: ``as_batch_add_result`` and ``as_batch_send_trailer`` in the server's ``as/src/base/batch.c``: an answer consists
of messages that have the row's index in the place of the transaction ttl; the last has INFO3_LAST set and the result of
the whole batch. ``batch`` encodes requests, ``batch_messages`` has the server's side of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from ..errors import ProtocolError, ResultCode
from . import constants as wire, object_maker, reading, records
from .undecodable import faulty_bin

#: Result codes of rows without bins that a retry would not change, so that the row needs no further decoding.
FINAL_CODES: Final = frozenset((0, int(ResultCode.RECORD_NOT_FOUND), int(ResultCode.FILTERED_OUT)))
#: Bytes of rows that are decoded between two pauses: at most a few hundred microseconds of work.
_STRETCH = 4 * 1024

_FAULTS = (*reading.CUT_OFF, UnicodeDecodeError, ProtocolError)
_NO_ANSWER = (*reading.CUT_OFF, ProtocolError)


@attrs.define(slots=True)
class BatchRow:
    """A row of an answer.

    ``bins`` is empty if the record is missing or no bins were asked for; ``results`` holds every result in order
    (operations may have several for a bin). ``error`` is set, and ``bins`` empty, if a value cannot be decoded.
    """

    index: int
    result_code: int
    generation: int
    void_time: int
    bins: dict[str, Any]
    error: ProtocolError | None = None
    results: Sequence[tuple[str, Any]] = ()


class RowReader:
    """Base class that reads frames of answers to batches. Derived classes store the rows.

    A plain row is stored by ``_take``: one without bins, or with bins that each have a name and a value of their own.
    All others, and rows that may have to be sent again, are left to ``other``.

    Args:
        count: rows of the batch.
        pause: called several times while a frame is decoded, so that other threads can run.
        writes: whether all rows only write, so that bins without values are not bins of records.
    """

    def __init__(self, count: int, pause: Callable[[], None] | None, writes: bool = False) -> None:
        self._count = count
        self._pause = pause
        self._writes = writes
        #: The operations of the latest row that only wrote: most rows of a batch have the same.
        self._written = b""
        self._nils: tuple[tuple[str, None], ...] = ()

    def _take(
        self,
        index: int,
        code: int,
        generation: int,
        void_time: int,
        bins: dict[str, Any] | None,
        results: Sequence[tuple[str, Any]] | None,
    ) -> None:
        """Store a plain row: its bins, None where there is no record, and the results of its writes, if it has some."""
        raise NotImplementedError

    def _read(self, body: bytes, other: Callable[[BatchRow], None]) -> int | None:
        """Read one frame; see :meth:`BatchAnswerReader.read`."""
        position = 0
        total = len(body)
        stop = _STRETCH
        try:
            while position < total:
                if position >= stop:
                    stop = position + _STRETCH
                    if self._pause is not None:
                        self._pause()
                end = self._read_plain(body, position)
                if end:
                    position = end
                    continue
                row, position, result = read_row(body, position)
                if row is None:
                    return result
                if row.index >= self._count:
                    raise ProtocolError(f"a batch of {self._count} rows was answered with row {row.index}")
                other(row)
        except reading.CUT_OFF:
            raise ProtocolError(f"an answer to a batch is cut off within {total} bytes") from None
        return None

    def _read_plain(self, body: bytes, position: int) -> int:
        """Read a plain row and store it; returns its end, and 0 for any other row."""
        header_size, info3, code, generation, void_time, index, n_fields, n_ops = reading.unpack_head(body, position)
        if header_size != wire.MESSAGE_HEADER_SIZE or info3 & wire.INFO3_LAST or n_fields or index >= self._count:
            return 0
        position += wire.MESSAGE_HEADER_SIZE
        if not n_ops:
            if code not in FINAL_CODES:
                return 0
            self._take(index, code, generation, void_time, None if code else {}, None)
            return position
        if code:
            return 0
        bins: dict[str, Any] = {}
        try:
            end = records.read_bins(body, position, n_ops, bins)
            if len(bins) == n_ops:
                self._take(index, 0, generation, void_time, bins, None)
                return end
            if bins or not self._writes:
                return 0
            if body[position:end] != self._written:
                results: list[tuple[str, Any]] = []
                records.read_bins(body, position, n_ops, bins, results)
                self._written, self._nils = body[position:end], tuple(results)
        except _FAULTS:
            return 0
        self._take(index, 0, generation, void_time, bins, self._nils)
        return end


class BatchAnswerReader(RowReader):
    """Decodes the frames of answers to one batch into results.

    Args:
        keys: the batch's keys, by index.
        results: the batch's results, by index.
        make_result: makes a result of key, result code, record and the results of operations in their order.
        make_record: makes a record of key, bins, generation and void time.
        pause, writes: as of :class:`RowReader`.
    """

    def __init__(
        self,
        keys: Sequence[Any],
        results: list[Any],
        make_result: object_maker.Maker,
        make_record: object_maker.Maker,
        pause: Callable[[], None] | None = None,
        writes: bool = False,
    ) -> None:
        super().__init__(len(keys), pause, writes)
        self._keys = keys
        self._results = results
        self._result_maker = make_result
        self._record_maker = make_record

    def read(self, body: bytes, other: Callable[[BatchRow], None]) -> int | None:
        """Decode one frame.

        Args:
            body: the frame.
            other: called with every row that is not plain; see :class:`RowReader`. Its index is valid.

        Returns:
            The result of the whole part of the batch if this was its last frame; else None.

        Raises:
            ProtocolError: the frame is malformed, or has a row that was not asked for. (A malformed value is only an
                error of its row.)
        """
        return self._read(body, other)

    def _take(
        self,
        index: int,
        code: int,
        generation: int,
        void_time: int,
        bins: dict[str, Any] | None,
        results: Sequence[tuple[str, Any]] | None,
    ) -> None:
        key = self._keys[index]
        record = None if bins is None else self._record_maker.make(key, bins, generation, void_time)
        self._results[index] = self._result_maker.make(key, code, record, results)


class Columns:
    """The results of a batch of reads, as lists with an item for each key.

    No object is made for a row but the dict of its bins. The garbage collector does not have to traverse lists of
    numbers.

    Attributes:
        bins: the bins of each record that was found; else None.
        codes: 0 for a record, else the server's code.
        generations, void_times: of the records, as the server sent them.
    """

    def __init__(self, count: int) -> None:
        self.bins: list[dict[str, Any] | None] = [None] * count
        self.codes: list[int] = [0] * count
        self.generations: list[int] = [0] * count
        self.void_times: list[int] = [0] * count


class ColumnReader(RowReader):
    """Decodes the frames of one part's answer into columns.

    Args:
        columns: the columns to fill, by the rows' indexes.
        results: the batch's results, by index: ``mark`` is stored if a row is in the columns.
        mark: anything but None.
        other: called with every row that is not plain; its index is valid.
        pause: as of :class:`RowReader`.
    """

    def __init__(
        self,
        columns: Columns,
        results: list[Any],
        mark: Any,
        other: Callable[[BatchRow], None],
        pause: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(len(results), pause)
        self._bins = columns.bins
        self._codes = columns.codes
        self._generations = columns.generations
        self._void_times = columns.void_times
        self._results = results
        self._mark = mark
        self._other = other

    def read(self, body: bytes) -> int | None:
        """Decode one frame, as :meth:`BatchAnswerReader.read`.

        Raises:
            ProtocolError: the frame is malformed, or has a row that was not asked for.
        """
        return self._read(body, self._other)

    def _take(
        self,
        index: int,
        code: int,
        generation: int,
        void_time: int,
        bins: dict[str, Any] | None,
        results: Sequence[tuple[str, Any]] | None,
    ) -> None:
        self._results[index] = self._mark
        if bins is None:
            self._codes[index] = code
        else:
            self._bins[index] = bins
            self._generations[index] = generation
            self._void_times[index] = void_time


def read_row(body: bytes, position: int) -> tuple[BatchRow | None, int, int]:
    """Decode one row; return it, its end, and its result code; None at the end of the batch.

    May raise any of ``reading.CUT_OFF``.

    Raises:
        ProtocolError: the frame is malformed (a malformed value is only its row's ``error``).
    """
    header_size, info3, result_code, generation, void_time, index, n_fields, n_ops = reading.unpack_head(body, position)
    if header_size != wire.MESSAGE_HEADER_SIZE:
        raise ProtocolError(f"a message header of {header_size} bytes, expected {wire.MESSAGE_HEADER_SIZE}")
    position = records.skip_fields(body, position + wire.MESSAGE_HEADER_SIZE, n_fields)
    total = len(body)
    if info3 & wire.INFO3_LAST:
        position = records.skip_bins(body, position, n_ops)
        if position != total:
            raise ProtocolError(f"{total - position} bytes follow the end of a batch")
        return None, position, result_code
    if not n_ops:
        if position > total:
            raise ProtocolError(f"an answer to a batch of {total} bytes is cut off")
        return BatchRow(index, result_code, generation, void_time, {}), position, result_code
    results: list[tuple[str, Any]] = []
    try:
        end = records.read_bins(body, position, n_ops, {}, results)
        row = BatchRow(index, result_code, generation, void_time, records.bins_of(results), None, results)
    except (ProtocolError, UnicodeDecodeError) as error:
        # The sizes give the end of the row, whatever its values are; otherwise the frame is malformed.
        end = records.skip_bins(body, position, n_ops)
        fault = faulty_bin(body, position, n_ops) or ProtocolError(str(error))
        row = BatchRow(index, result_code, generation, void_time, {}, fault)
    return row, end, result_code


def decode_batch_response(body: bytes) -> tuple[list[BatchRow], int | None]:
    """Decode the rows of one frame of an answer, and the result of the whole batch: None while more frames follow.

    Raises:
        ProtocolError: the frame is malformed (a malformed value is only its row's ``error``).
    """
    rows: list[BatchRow] = []
    position = 0
    total = len(body)
    try:
        while position < total:
            row, position, result = read_row(body, position)
            if row is None:
                return rows, result
            rows.append(row)
    except reading.CUT_OFF:
        raise ProtocolError(f"an answer to a batch is cut off within {total} bytes") from None
    return rows, None


def is_batch_end(body: bytes) -> bool:
    """Whether a frame is the last of an answer to a batch; decodes no values."""
    tail = len(body) - wire.MESSAGE_HEADER_SIZE
    if tail < 0 or body[tail] != wire.MESSAGE_HEADER_SIZE or not body[tail + 3] & wire.INFO3_LAST:
        return False
    position = 0
    try:
        while position < tail:
            _size, _info3, _code, _generation, _void_time, _index, n_fields, n_ops = reading.unpack_head(body, position)
            position = records.skip_fields(body, position + wire.MESSAGE_HEADER_SIZE, n_fields)
            position = records.skip_bins(body, position, n_ops)
    except _NO_ANSWER:
        return False
    return position == tail
