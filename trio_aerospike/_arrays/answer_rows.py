"""Find the rows in the answers to a batch of reads, without decoding them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .._wire.batch_answers import BatchRow
from .._wire.constants import INFO3_LAST, MESSAGE_HEADER_SIZE
from ..errors import ProtocolError, ResultCode
from ..keys import Key
from ..records import BatchResult
from .kept_answers import ANSWERED
from .vectorized_rows import Rows, find_rows

_INFO3: Final = 3
# What a row may say that has no bins, and no other attempt would change.
_FINAL_CODES = (0, int(ResultCode.RECORD_NOT_FOUND), int(ResultCode.FILTERED_OUT))


class RawReader:
    """Takes the frames of one part's answer, and finds its rows once they are all there.

    Args:
        keys: the batch's keys, by index.
        results: the batch's results, by index; ``ANSWERED`` is put where a row is.
        other: takes a row that is no plain one.
        rows: what is found is put behind these.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        results: list[BatchResult | None],
        other: Callable[[BatchRow], None],
        rows: list[Rows],
    ) -> None:
        self._keys = keys
        self._results = results
        self._other = other
        self._rows = rows
        self._bodies: list[bytes] = []

    def read(self, body: bytes) -> int | None:
        """Take one frame.

        Returns:
            The result of the whole part, when this was the last frame; else None.

        Raises:
            ProtocolError: the answer is malformed, or names a row that was not asked for.
        """
        self._bodies.append(body)
        # The end is a header and nothing else (as_batch_send_trailer in the server's as/src/base/batch.c). A value
        # that looks like one at the end of a frame costs time, and is found out.
        end = body[-MESSAGE_HEADER_SIZE:]
        if len(end) < MESSAGE_HEADER_SIZE or end[0] != MESSAGE_HEADER_SIZE or not end[_INFO3] & INFO3_LAST:
            return None
        rows = find_rows(self._bodies[0] if len(self._bodies) == 1 else b"".join(self._bodies))
        if rows.result is None:
            return None
        self._deliver(rows)
        return rows.result

    def _deliver(self, rows: Rows) -> None:
        results = self._results
        count = len(self._keys)
        indexes, codes, generations, void_times = rows.empty
        for group_indexes in (indexes, *(group.indexes for group in rows.groups)):
            if len(group_indexes) and int(group_indexes.max()) >= count:
                raise ProtocolError(f"a batch of {count} rows was answered with row {int(group_indexes.max())}")
        for group in rows.groups:
            for index in group.indexes.tolist():
                results[index] = ANSWERED
        for place, (index, code) in enumerate(zip(indexes.tolist(), codes.tolist(), strict=True)):
            if code in _FINAL_CODES:
                results[index] = ANSWERED
            else:
                self._other(BatchRow(index, code, int(generations[place]), int(void_times[place]), {}))
        for row in rows.others:
            if row.index >= count:
                raise ProtocolError(f"a batch of {count} rows was answered with row {row.index}")
            self._other(row)
        self._rows.append(rows)
