"""Decode answers to batches, for the client: rows in any order, each with the index of its key.

Facts: ``as_batch_add_result`` and ``as_batch_send_trailer`` in the server's ``as/src/base/batch.c``: an answer consists
of messages that have the row's index in the place of the transaction ttl; the last has INFO3_LAST set and the result of
the whole batch. ``batch`` encodes requests, ``batch_messages`` has the server's side of answers.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import attrs

from ..errors import ProtocolError, ResultCode
from .batch_layouts import RunDecoder, decoder_of, layout_of
from .constants import INFO3_LAST, MESSAGE_HEADER_SIZE
from .layouts import Layout
from .records import bins_of, read_bins, skip_bins, skip_fields
from .undecodable import faulty_bin

K = TypeVar("K")
R = TypeVar("R")

_unpack_answer = struct.Struct(">B2xBxBIIIHH").unpack_from

#: Result codes of rows without bins that a retry would not change, so that the row needs no further decoding.
FINAL_CODES: Final = frozenset((0, int(ResultCode.RECORD_NOT_FOUND), int(ResultCode.FILTERED_OUT)))
#: Most layouts to try for a row; with more, the general decoder is faster.
_LAYOUTS: Final = 4
#: After so many consecutive rows without a known layout, only one in so many is examined for a new one.
_PATIENCE: Final = 8
#: Bytes of rows that are decoded between two pauses: at most a few hundred microseconds of work.
_STRETCH: Final = 4 * 1024
#: Offset of the result code in a message.
_RESULT_CODE: Final = 5


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


class RowReader(ABC):
    """Base class that reads frames of answers to batches: rows of known layouts, rows without bins, and all others.

    Derived classes store the rows.

    Args:
        decoders: one for each known layout; decodes consecutive rows of that layout (``_decode``). Grows as rows come.
        pause: called several times while a frame is decoded, so that other threads can run.
    """

    __slots__ = ("_decoders", "_misses", "_pause")

    def __init__(self, decoders: list[Any], pause: Callable[[], None] | None) -> None:
        self._decoders = decoders
        self._pause = pause
        self._misses = 0

    @abstractmethod
    def _decode(self, decode: Any, body: bytes, position: int, stop: int) -> int:
        """Decode rows that start before ``stop`` with a decoder; return the position of the first that is left."""

    @abstractmethod
    def _take_bare(self, index: int, code: int, generation: int, void_time: int) -> None:
        """Store a row without bins, which has one of FINAL_CODES."""

    @abstractmethod
    def _decoder_for(self, layout: Layout) -> Any:
        """Return the decoder for rows of a layout."""

    def _read(self, body: bytes, count: int, other: Callable[[BatchRow], None]) -> int | None:
        """Read one frame of an answer to ``count`` rows; see :meth:`BatchAnswerReader.read`."""
        position = 0
        total = len(body)
        bare = total - MESSAGE_HEADER_SIZE
        stop = _STRETCH
        try:
            while position < total:
                if position >= stop:
                    stop = position + _STRETCH
                    if self._pause is not None:
                        self._pause()
                start = position
                if position < bare and not body[position + _RESULT_CODE]:
                    position = self._decode_known(body, position, stop)
                    if position >= total:
                        break
                    if position >= stop:
                        continue
                end = self._read_bare(body, position, stop, count)
                if end != position:
                    position = end
                    continue
                row, end, result = read_row(body, position)
                if row is None:
                    return result
                if row.index >= count:
                    raise ProtocolError(f"a batch of {count} rows was answered with row {row.index}")
                other(row)
                if row.bins or row.results:
                    self._misses = self._misses + 1 if position == start else 0
                    if self._misses < _PATIENCE or not row.index % _PATIENCE:
                        self._learn(body, position)
                position = end
        except (struct.error, IndexError) as error:
            raise ProtocolError(f"an answer to a batch is cut off within {total} bytes: {error}") from None
        return None

    def _decode_known(self, body: bytes, position: int, stop: int) -> int:
        """Decode rows of known layouts, up to ``stop``; return the position of the first that is left."""
        decoders = self._decoders
        tried = 0
        while tried < len(decoders):
            end = self._decode(decoders[tried], body, position, stop)
            if end == position:
                tried += 1
                continue
            if tried:
                decoders.insert(0, decoders.pop(tried))  # the next row most likely has the layout of the latest one
            position = end
            if position >= stop or position + _RESULT_CODE >= len(body) or body[position + _RESULT_CODE]:
                break
            # The first decoder has just stopped here.
            tried = 1
        return position

    def _read_bare(self, body: bytes, position: int, stop: int, count: int) -> int:
        """Read rows without bins, up to ``stop``; return the position of the first that has some, or is not plain."""
        last = min(len(body) - MESSAGE_HEADER_SIZE, stop)
        while position <= last:
            header_size, info3, code, generation, void_time, index, n_fields, n_ops = _unpack_answer(body, position)
            plain = header_size == MESSAGE_HEADER_SIZE and not info3 & INFO3_LAST and code in FINAL_CODES
            if not plain or n_fields or n_ops or index >= count:
                break
            self._take_bare(index, code, generation, void_time)
            position += MESSAGE_HEADER_SIZE
        return position

    def _layout_of(self, body: bytes, position: int) -> Layout | None:
        return layout_of(body, position)

    def _learn(self, body: bytes, position: int) -> None:
        """Make the layout of a row the first to be tried from now on."""
        layout = self._layout_of(body, position)
        if layout is not None:
            decoder = self._decoder_for(layout)
            if decoder not in self._decoders:
                self._decoders[_LAYOUTS - 1 :] = []
                self._decoders.insert(0, decoder)


#: The decoders of the latest rows of a kind, for results and records of these classes.
_latest: dict[tuple[bytes, type[Any], type[Any]], tuple[RunDecoder, ...]] = {}
_LATEST_KEPT: Final = 256


class BatchAnswerReader(RowReader, Generic[K, R]):
    """Decodes the frames of answers to one batch into results.

    Args:
        keys: the batch's keys, by index.
        results: the batch's results, by index.
        result_class, record_class: classes of results and records; see ``batch_layouts.decoder_of``. A result is made
            of key, code and record.
        kind: the payload of all rows, if it is the same: their layout is most likely that of earlier rows with it.
        pause: as of :class:`RowReader`.
        writes: whether all rows only write, so that bins without values are not bins of records.
    """

    __slots__ = ("_keys", "_kind", "_record_class", "_result_class", "_results", "_writes")

    def __init__(
        self,
        keys: Sequence[K],
        results: list[R | None],
        result_class: type[R],
        record_class: type[Any],
        kind: bytes | None = None,
        pause: Callable[[], None] | None = None,
        writes: bool = False,
    ) -> None:
        super().__init__([] if kind is None else [*_latest.get((kind, result_class, record_class), ())], pause)
        self._writes = writes
        self._keys = keys
        self._results = results
        self._result_class: Callable[..., R] = result_class
        self._record_class = record_class
        self._kind = kind

    def read(self, body: bytes, other: Callable[[BatchRow], None]) -> int | None:
        """Decode one frame.

        Args:
            body: the frame.
            other: called with every row that has neither a known layout nor no bins. Its index is valid.

        Returns:
            The result of the whole part of the batch if this was its last frame; else None.

        Raises:
            ProtocolError: the frame is malformed, or has a row that was not asked for. (A malformed value is only an
                error of its row.)
        """
        return self._read(body, len(self._keys), other)

    def _decode(self, decode: RunDecoder, body: bytes, position: int, stop: int) -> int:
        return decode(body, position, stop, self._keys, self._results)

    def _take_bare(self, index: int, code: int, generation: int, void_time: int) -> None:
        key = self._keys[index]
        record = None if code else self._record_class(key, {}, generation, void_time)
        self._results[index] = self._result_class(key, code, record)

    def _layout_of(self, body: bytes, position: int) -> Layout | None:
        return layout_of(body, position, self._writes)

    def _decoder_for(self, layout: Layout) -> RunDecoder:
        return decoder_of(layout, self._result_class, self._record_class)  # type: ignore[arg-type]  # it is one

    def _learn(self, body: bytes, position: int) -> None:
        super()._learn(body, position)
        if self._kind is not None:
            if len(_latest) >= _LATEST_KEPT:
                _latest.clear()
            form = (self._kind, self._result_class, self._record_class)
            _latest[form] = tuple(self._decoders)  # type: ignore[index]


def read_row(body: bytes, position: int) -> tuple[BatchRow | None, int, int]:
    """Decode one row; return it, its end, and its result code; None at the end of the batch (may raise struct.error).

    Raises:
        ProtocolError: the frame is malformed (a malformed value is only its row's ``error``).
    """
    header_size, info3, result_code, generation, void_time, index, n_fields, n_ops = _unpack_answer(body, position)
    if header_size != 22:
        raise ProtocolError(f"a message header of {header_size} bytes, expected 22")
    position += 22
    if n_fields:
        position = skip_fields(body, position, n_fields)
    total = len(body)
    if info3 & INFO3_LAST:
        position = skip_bins(body, position, n_ops)
        if position != total:
            raise ProtocolError(f"{total - position} bytes follow the end of a batch")
        return None, position, result_code
    if not n_ops:
        if position > total:
            raise ProtocolError(f"an answer to a batch of {total} bytes is cut off")
        return BatchRow(index, result_code, generation, void_time, {}), position, result_code
    try:
        results, end = read_bins(body, position, n_ops)
        row = BatchRow(index, result_code, generation, void_time, bins_of(results), None, results)
    except (ProtocolError, UnicodeDecodeError) as error:
        # The sizes give the end of the row, whatever its values are; otherwise the frame is malformed.
        end = skip_bins(body, position, n_ops)
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
    except struct.error as error:
        raise ProtocolError(f"an answer to a batch is cut off within {total} bytes: {error}") from None
    return rows, None


def is_batch_end(body: bytes) -> bool:
    """Whether a frame is the last of an answer to a batch; decodes no values."""
    tail = len(body) - MESSAGE_HEADER_SIZE
    if tail < 0 or body[tail] != MESSAGE_HEADER_SIZE or not body[tail + 3] & INFO3_LAST:
        return False
    position = 0
    try:
        while position < tail:
            n_fields, n_ops = _unpack_answer(body, position)[6:]
            position = skip_bins(body, skip_fields(body, position + MESSAGE_HEADER_SIZE, n_fields), n_ops)
    except (struct.error, ProtocolError):
        return False
    return position == tail
