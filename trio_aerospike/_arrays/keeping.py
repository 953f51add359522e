"""Answers to a batch of reads kept as bytes, beside their results or in place of them. Needs no NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from .._wire.batch_answers import BatchAnswerReader, BatchRow
from ..keys import Key
from ..records import BatchResult, Record

#: Stands for the result of a row that was answered and has not been decoded.
ANSWERED: Final = BatchResult(cast(Key, None), 0)


class KeepingReader:
    """Decodes the frames of one part's answer as they come, and keeps them.

    Args:
        keys: the batch's keys, by index.
        results: the batch's results, by index.
        other: takes a row that is no plain one.
        kept: the frames are put behind these.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        results: list[BatchResult | None],
        other: Callable[[BatchRow], None],
        kept: list[bytes],
    ) -> None:
        self._reader: BatchAnswerReader[Key, BatchResult] = BatchAnswerReader(keys, results, BatchResult, Record, other)
        self._kept = kept

    def read(self, body: bytes) -> int | None:
        """Decode one frame, as :meth:`BatchAnswerReader.read`."""
        result = self._reader.read(body)
        self._kept.append(body)
        return result


def decode_all(keys: Sequence[Key], results: list[BatchResult | None], answers: Sequence[bytes]) -> None:
    """Make results of what was kept as bytes.

    Args:
        keys: the batch's keys, by index.
        results: those that are ``ANSWERED`` are replaced.
        answers: whole rows, in the order in which they came.
    """

    def other(row: BatchRow) -> None:
        if results[row.index] is ANSWERED:
            key = keys[row.index]
            record = None if row.result_code else Record(key, row.bins, row.generation, row.void_time)
            results[row.index] = BatchResult(key, row.result_code, record, None, False, row.results or None)

    reader: BatchAnswerReader[Key, BatchResult] = BatchAnswerReader(keys, results, BatchResult, Record, other)
    for answer in answers:
        reader.read(answer)
