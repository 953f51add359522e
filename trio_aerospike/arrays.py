"""Records as NumPy arrays.

``await client.batch_read_numpy(keys, dtype)`` reads records into a structured array, a field for each bin, and
``client.batch_write_numpy`` writes one. ``BatchResults.to_numpy`` makes an array of what was read already, and
``client.batch_read_lazy`` leaves open what becomes of an answer.

A field may be an integer or a float of any width, bytes of a fixed width (``S``, ``V``), or a sub-array of these for
vectors, which are stored as blobs of the machine's own numbers. NumPy is an extra: ``pip install
"trio-aerospike[numpy]"``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trio_aerospike._arrays.kept_answers import ANSWERED, decode_all
from trio_aerospike._batch.keys import KeyColumns as KeyColumns
from trio_aerospike._lazy import LazyModule
from trio_aerospike._wire.batch_answers import Columns
from trio_aerospike.errors import ProtocolError
from trio_aerospike.records import (
    BatchResult,
    BatchResults,
    Record,
    RecordArrays as RecordArrays,
    register_array_maker,
)

if TYPE_CHECKING:
    import numpy as np

    from trio_aerospike._arrays import columns as array_columns, fields as array_fields, vectorized_rows
else:
    np = LazyModule("numpy")
    array_fields = LazyModule("trio_aerospike._arrays.fields")
    vectorized_rows = LazyModule("trio_aerospike._arrays.vectorized_rows")
    array_columns = LazyModule("trio_aerospike._arrays.columns")

__all__ = ["KeyColumns", "LazyBatch", "RecordArrays", "RecordColumns"]


class RecordColumns:
    """The results of a batch of reads as lists, with an item for each key, in the order of the keys.

    It costs little: no object is made for a row but the dict of its bins.

    Attributes:
        keys: of the rows; each Key is made when it is asked for.
        bins: of each record, by name; None where none was read.
        result_codes: 0 where there is a record, else the server's code (2: not found), or the client's below zero.
        generations: how often each record was written, modulo 65,535.
        void_times: when each expires, in seconds since 2010-01-01 UTC; 0 for never.
    """

    __slots__ = ("bins", "generations", "keys", "result_codes", "void_times")

    keys: KeyColumns
    bins: list[dict[str, Any] | None]
    result_codes: list[int]
    generations: list[int]
    void_times: list[int]

    def __init__(self, keys: KeyColumns, columns: Columns) -> None:
        self.keys = keys
        self.bins = columns.bins
        self.result_codes = columns.codes
        self.generations = columns.generations
        self.void_times = columns.void_times

    def __repr__(self) -> str:
        return f"<RecordColumns: {len(self)} rows, {self.found_count} found>"

    def __len__(self) -> int:
        return len(self.bins)

    @property
    def found_count(self) -> int:
        """How many records were read."""
        return sum([bins is not None for bins in self.bins])

    def to_dict(self) -> dict[Any, dict[str, Any]]:
        """The bins of the records that were read, by user key: a new dict.

        A record of which only the digest is known has no place in it, and of several with the same user key the last.
        """
        user_keys = self.keys.user_keys
        # No record has been looked for in vain, as a rule; one without bins is seldom enough to be taken for that.
        rows = zip(user_keys, self.bins, strict=True)
        if all(self.bins):
            found = dict(rows)
        else:
            found = {user_key: bins for user_key, bins in rows if bins is not None}
        found.pop(None, None)
        return found  # type: ignore[return-value]


def _put_result(columns: Columns, index: int, result: BatchResult) -> None:
    """Put a result of its own into the columns."""
    columns.codes[index] = int(result.result_code)
    record = result.record
    if record is not None:
        columns.bins[index] = record.bins
        columns.generations[index] = record.generation
        columns.void_times[index] = record.void_time


class LazyBatch:
    """The answers to a batch of reads, which become results, columns or arrays on request.

    Results and columns that are asked for often are made once.
    """

    __slots__ = ("_answers", "_columns", "_keys", "_left", "_made", "_results", "_rows", "_unreadable")

    def __init__(
        self,
        keys: KeyColumns,
        results: list[BatchResult],
        answers: Sequence[Sequence[bytes]],
        columns: Columns | None,
        rows: Sequence[vectorized_rows.Rows] | None,
    ) -> None:
        self._keys = keys
        self._results = results
        self._answers = answers
        self._rows = rows
        self._columns: RecordColumns | None = None
        self._made: list[BatchResult] | None = None
        self._unreadable: list[BatchResult] = []
        #: Rows that are not in the answers, or have no layout there.
        self._left: list[int] = []
        if columns is not None:
            self._finish(columns)
        else:
            self._left = [index for index, result in enumerate(results) if result is not ANSWERED]

    @classmethod
    def of(cls, results: Sequence[BatchResult]) -> LazyBatch:
        """Make one of results that exist already."""
        return cls(KeyColumns([result.key for result in results]), [*results], [], Columns(len(results)), None)

    def __repr__(self) -> str:
        return f"<LazyBatch: {len(self._keys)} keys, {'decoded' if self.decoded else 'not decoded yet'}>"

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> KeyColumns:
        """The keys that were asked for, in order; each Key is made when it is asked for."""
        return self._keys

    @property
    def found_count(self) -> int:
        """How many records were read."""
        if self._columns is not None:
            return self._columns.found_count
        count = sum(self._results[index].record is not None for index in self._left)
        for rows in self._rows or ():
            count += sum(len(group.indexes) for group in rows.groups) + int((rows.empty[1] == 0).sum())
        return count

    @property
    def decoded(self) -> bool:
        """Whether ``columns`` returns at once."""
        return self._columns is not None

    def columns(self) -> RecordColumns:
        """Bins, result codes, generations and void times, each as a list in the order of the keys."""
        if self._columns is None:
            columns = Columns(len(self._keys))
            results: list[BatchResult | None] = [*self._results]
            decode_all(self._keys, columns, results, [rows.data for rows in self._rows or ()])
            self._results = [result for result in results if result is not None]
            self._finish(columns)
        assert self._columns is not None
        return self._columns

    def _finish(self, columns: Columns) -> None:
        for index, result in enumerate(self._results):
            if result is not ANSWERED:
                _put_result(columns, index, result)
                if isinstance(result._error, ProtocolError):
                    self._unreadable.append(result)
        self._columns = RecordColumns(self._keys, columns)

    def unreadable(self) -> list[BatchResult]:
        """Results of the records with a value that cannot be decoded; ``error`` names the bin. Decodes the answer."""
        self.columns()
        return list(self._unreadable)

    def results(self) -> BatchResults:
        """One result a key, in the order of the keys, as ``batch_read`` returns them."""
        if self._made is None:
            self.columns()
            self._made = [self._result(index) for index in range(len(self._keys))]
        return BatchResults(self._made)

    def _result(self, index: int) -> BatchResult:
        result = self._results[index]
        columns = self._columns
        if result is not ANSWERED or columns is None:
            return result
        key, bins = self._keys[index], columns.bins[index]
        if bins is None:
            return BatchResult(key, columns.result_codes[index])
        return BatchResult(key, 0, Record(key, bins, columns.generations[index], columns.void_times[index]))

    def find_rows(self) -> None:
        """Do beforehand what ``to_numpy`` does before it knows the dtype: for a thread that has the time."""
        check_numpy("find_rows")
        if self._rows is not None:
            return
        _ = array_columns.Arrays, array_fields.fields_of  # loading their modules takes longer than finding the rows
        rows = [vectorized_rows.find_rows(b"".join(answer)) for answer in self._answers if answer]
        strange = {row.index for part in rows for row in part.others}
        results = self._results
        self._left = [n for n, result in enumerate(results) if result is not ANSWERED or n in strange]
        self._rows = rows

    def to_numpy(self, dtype: np.dtype[Any]) -> RecordArrays:
        """The records as arrays: a row for each key, a field for each bin that is wanted.

        Args:
            dtype: a structured one; its fields are named like bins.

        Returns:
            The arrays; see :class:`RecordArrays` for what stands where nothing was read.

        Raises:
            ImportError: NumPy is not installed.
            TypeError: The dtype cannot be, or a value is of a kind that its field does not take.
            OverflowError, ValueError: A value does not fit its field.
        """
        check_numpy("to_numpy")
        fields = array_fields.fields_of(dtype, "to_numpy.dtype")
        self.find_rows()
        arrays = array_columns.Arrays(dtype, fields, self._keys)
        for rows in self._rows or ():
            arrays.put_rows(rows)
        arrays.put_results([(index, self._result(index)) for index in self._left])
        return RecordArrays(self._keys, arrays.data, arrays.codes, arrays.generations, arrays.void_times)


def arrays_of(results: Sequence[BatchResult], dtype: np.dtype[Any]) -> RecordArrays:
    """Results as arrays; see :meth:`LazyBatch.to_numpy`."""
    check_numpy("to_numpy")
    keys = [result.key for result in results]
    arrays = array_columns.Arrays(dtype, array_fields.fields_of(dtype, "to_numpy.dtype"), keys)
    arrays.put_results(enumerate(results))
    return RecordArrays(keys, arrays.data, arrays.codes, arrays.generations, arrays.void_times)


def check_numpy(what: str) -> None:
    """Check that NumPy is installed.

    Raises:
        ImportError: it is not; says how to install it.
    """
    try:
        _ = np.ndarray
    except ImportError as error:
        raise ImportError(f"{what} needs NumPy, which is an extra: pip install 'trio-aerospike[numpy]'") from error


register_array_maker(arrays_of)
