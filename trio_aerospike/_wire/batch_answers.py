"""Answers to batches, as the client reads them: rows in any order, each at the place of its index.

Facts: ``as_batch_add_result`` and ``as_batch_send_trailer`` in the server's ``as/src/base/batch.c``: an answer is
messages of which each carries its row's index where a request has its transaction ttl; the last has INFO3_LAST set and
the result of the whole. ``batch`` has the requests, and the server's side of answers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs

from ..errors import ProtocolError
from .batch_layouts import RunDecoder, decoder_of, layout_of
from .constants import INFO3_LAST
from .records import bins_of, read_bins, skip_bins, skip_fields

K = TypeVar("K")
R = TypeVar("R")

_unpack_answer = struct.Struct(">B2xBxBIIIHH").unpack_from

#: After so many rows that all had other layouts than the ones before them, only one in so many is looked at for one.
_PATIENCE = 8
#: Where the result code stands in a message.
_RESULT_CODE = 5


#: What decoded the latest rows of a kind, for results and records of these classes.
_latest: dict[tuple[bytes, type[Any], type[Any]], RunDecoder] = {}
_LATEST_KEPT = 256


@attrs.define(slots=True)
class BatchRow:
    """A row of an answer.

    ``bins`` is empty where the record is missing or no bins were asked for; ``results`` holds every result in order
    (operations may have several for a bin). ``error`` is set, and ``bins`` empty, where a value cannot be decoded.
    """

    index: int
    result_code: int
    generation: int
    void_time: int
    bins: dict[str, Any]
    error: ProtocolError | None = None
    results: Sequence[tuple[str, Any]] = ()


class BatchAnswerReader(Generic[K, R]):
    """Decodes the frames of answers to one batch, each row into its place.

    Rows with bins and nothing else about them are made into results here, run by run; all others are left to who reads.

    Args:
        keys: the batch's keys, by index.
        results: the batch's results, by index.
        result_class, record_class: what rows become; see ``batch_layouts.decoder_of``.
        kind: what all rows were asked, where that is the same: most probably they look like the last ones that were
            asked it.
    """

    __slots__ = ("_keys", "_kind", "_misses", "_record_class", "_result_class", "_results", "_run")

    def __init__(
        self,
        keys: Sequence[K],
        results: list[R | None],
        result_class: type[R],
        record_class: type[Any],
        kind: bytes | None = None,
    ) -> None:
        self._keys = keys
        self._results = results
        self._result_class = result_class
        self._record_class = record_class
        self._kind = kind
        self._run: RunDecoder | None = None if kind is None else _latest.get((kind, result_class, record_class))
        self._misses = 0

    def read(self, body: bytes, other: Callable[[BatchRow], None]) -> int | None:
        """Decode one frame.

        Args:
            body: the frame.
            other: takes any other row, the index of which is sound.

        Returns:
            The result of the whole part of the batch, when this was its last frame; else None.

        Raises:
            ProtocolError: the frame is malformed, or names a row that was not asked for. (A mere value that is
                malformed is its row's error.)
        """
        position = 0
        total = len(body)
        count = len(self._keys)
        try:
            while position < total:
                missed = False
                if self._run is not None and not body[position + _RESULT_CODE]:
                    start = position
                    position = self._run(body, position, self._keys, self._results)
                    if position >= total:
                        break
                    missed = position == start
                row, end, result = read_row(body, position)
                if row is None:
                    return result
                if row.index >= count:
                    raise ProtocolError(f"a batch of {count} rows was answered with row {row.index}")
                other(row)
                if row.bins:
                    self._misses = self._misses + 1 if missed else 0
                    self._run = self._decoder_for(body, position, row.index)
                position = end
        except (struct.error, IndexError) as error:
            raise ProtocolError(f"an answer to a batch is cut off within {total} bytes: {error}") from None
        return None

    def _decoder_for(self, body: bytes, position: int, index: int) -> RunDecoder | None:
        """What may decode the rows behind this one; nothing most of the time where all rows have differed so far."""
        if self._misses >= _PATIENCE and index % _PATIENCE:
            return None
        layout = layout_of(body, position)
        if layout is None:
            return None
        run = decoder_of(layout, self._result_class, self._record_class)
        if self._kind is not None:
            if len(_latest) >= _LATEST_KEPT:
                _latest.clear()
            _latest[self._kind, self._result_class, self._record_class] = run
        return run


def read_row(body: bytes, position: int) -> tuple[BatchRow | None, int, int]:
    """One row, where it ends, and its result code; no row where the batch ends (may raise struct.error).

    Raises:
        ProtocolError: the frame is malformed (a mere value that is, is its row's ``error``).
    """
    header_size, info3, result_code, generation, void_time, index, n_fields, n_ops = _unpack_answer(body, position)
    if header_size != 22:
        raise ProtocolError(f"a message header of {header_size} bytes: it has 22")
    position += 22
    if n_fields:
        position = skip_fields(body, position, n_fields)
    total = len(body)
    if info3 & INFO3_LAST:
        position = skip_bins(body, position, n_ops)
        if position != total:
            raise ProtocolError(f"{total - position} bytes stand behind the end of a batch")
        return None, position, result_code
    if not n_ops:
        if position > total:
            raise ProtocolError(f"an answer to a batch of {total} bytes is cut off")
        return BatchRow(index, result_code, generation, void_time, {}), position, result_code
    try:
        results, end = read_bins(body, position, n_ops)
        row = BatchRow(index, result_code, generation, void_time, bins_of(results), None, results)
    except (ProtocolError, UnicodeDecodeError) as error:
        # The sizes tell where the row ends, whatever its values are; if they do not, the frame is broken.
        end = skip_bins(body, position, n_ops)
        fault = error if isinstance(error, ProtocolError) else ProtocolError(f"a bin name is not UTF-8: {error}")
        row = BatchRow(index, result_code, generation, void_time, {}, fault)
    return row, end, result_code


def decode_batch_response(body: bytes) -> tuple[list[BatchRow], int | None]:
    """The rows of one frame of an answer, and the result of the whole batch: None while more frames are to come.

    Raises:
        ProtocolError: the frame is malformed (a mere value that is, is its row's ``error``).
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
