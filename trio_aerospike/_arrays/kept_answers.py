"""Keep the answers to a batch of reads as bytes, to decode them later. Needs no NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from .._wire.batch_answers import BatchRow, ColumnReader, Columns
from ..keys import Key
from ..records import BatchResult, Record

#: Stands for the result of a row that was answered, and is in columns or has not been decoded.
ANSWERED: Final = BatchResult(cast(Key, None), 0)


class KeepingReader:
    """Decodes the frames of one part's answer into columns as they come, and keeps them.

    Args:
        columns: what is filled.
        results: the batch's results, by index; ``ANSWERED`` is put where a row is in the columns.
        other: takes a row that is no plain one.
        kept: the frames are put behind these.
        pause: as of :class:`ColumnReader`.
    """

    def __init__(
        self,
        columns: Columns,
        results: list[BatchResult | None],
        other: Callable[[BatchRow], None],
        kept: list[bytes],
        pause: Callable[[], None] | None,
    ) -> None:
        self._reader = ColumnReader(columns, results, ANSWERED, other, pause)
        self._kept = kept

    def read(self, body: bytes) -> int | None:
        """Decode one frame, as :meth:`ColumnReader.read`."""
        result = self._reader.read(body)
        self._kept.append(body)
        return result


def decode_all(
    keys: Sequence[Key], columns: Columns, results: list[BatchResult | None], answers: Sequence[bytes]
) -> None:
    """Decode what was kept as bytes.

    Args:
        keys: the batch's keys, by index.
        columns: what is filled.
        results: those that are ``ANSWERED`` and no plain rows are replaced.
        answers: whole rows, in the order in which they came.
    """

    def other(row: BatchRow) -> None:
        if results[row.index] is ANSWERED:
            key = keys[row.index]
            if row.error is not None:
                results[row.index] = BatchResult.undecodable("batch_read", key, row.error)
                return
            record = None if row.result_code else Record(key, row.bins, row.generation, row.void_time)
            results[row.index] = BatchResult(key, row.result_code, record, None, False, row.results or None)

    reader = ColumnReader(columns, results, ANSWERED, other)
    for answer in answers:
        reader.read(answer)
