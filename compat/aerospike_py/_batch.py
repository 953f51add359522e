"""The result of ``batch_read``: rows that become dicts and tuples when they are asked for."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from trio_aerospike.records import BatchResults

from . import _results as results
from ._metrics import stage_clock, stage_done
from .types import BatchRecord

if TYPE_CHECKING:
    import numpy as np

    from trio_aerospike.arrays import LazyBatch
    from trio_aerospike.records import BatchResult

    from ._habits import Habit
    from .numpy_batch import NumpyBatchRecords


class LazyBatchRecords:
    """What a batch of reads came to: one row for each key, in the order of the keys.

    There are two views of it. The *rows* (``batch_records``, ``iter_records``, ``to_list``, ``all_user_keys``) hold
    every key that was asked for. The *dict* (``to_dict`` and everything that a dict has) holds the bins of the records
    that were found, by user key. A key that is known by its digest only has a row and no place in the dict, and where
    a user key was asked for more than once the dict holds it once.
    """

    __slots__ = ("_dict", "_finished", "_habit", "_lazy", "_made", "_places", "_records")

    def __init__(
        self, rows: LazyBatch | list[BatchResult], habit: Habit | None = None, places: dict[Any, int] | None = None
    ) -> None:
        self._lazy = None if isinstance(rows, list) else rows
        self._made = rows if isinstance(rows, list) else None
        self._habit = habit
        self._places = places
        #: When it was made in the portal's thread, where stages are measured.
        self._finished = 0.0
        self._dict: dict[Any, dict[str, Any]] | None = None
        self._records: list[BatchRecord] | None = None

    @property
    def _rows(self) -> list[BatchResult]:
        if self._made is None:
            assert self._lazy is not None
            self._made = self._lazy.results()
            if self._habit is not None:
                self._habit.records = True
        return self._made

    def __repr__(self) -> str:
        count = len(self._rows if self._lazy is None else self._lazy)
        return f"<LazyBatchRecords: {count} rows, {self.found_count()} found>"

    def to_dict(self) -> dict[Any, dict[str, Any]]:
        """The bins of the records that were found, by user key: a dict of the caller's own."""
        began = stage_clock()
        found: dict[Any, dict[str, Any]] = {}
        for row in self._rows:
            record = row.record
            if record is not None:
                user_key = row.key.user_key
                if user_key is not None:
                    found[user_key] = record.bins
        stage_done("to_dict", began)
        return found

    def to_list(self) -> list[dict[str, Any] | None]:
        """The bins of each row; None for a record that was not found or not read."""
        return [None if row.record is None else row.record.bins for row in self._rows]

    def to_numpy(self, dtype: np.dtype[Any]) -> NumpyBatchRecords:
        """The records as a structured array: a row for each key, a field of ``dtype`` for each bin that is wanted.

        Args:
            dtype: its fields are named like bins: integers and floats of any width, ``S`` and ``V`` for strings and
                blobs (cut, or filled up with zeros), sub-arrays for vectors out of blobs or lists of numbers.

        Returns:
            The rows, in the order of the keys. A bin or a record that is not there is zero.

        Raises:
            ImportError: NumPy is not installed.
            TypeError: The dtype cannot be, or a value is of a kind that its field does not take.
            OverflowError, ValueError: A value does not fit its field.
        """
        from .numpy_batch import numpy_records, places_of

        began = stage_clock()
        if self._habit is not None:
            self._habit.arrays = True
        if self._lazy is not None:
            arrays = self._lazy.to_numpy(dtype)
        else:
            arrays = BatchResults(self._rows).to_numpy(dtype)
        if self._places is None:
            self._places = places_of(arrays.keys)
        records = numpy_records(arrays, self._places)
        stage_done("to_numpy", began)
        return records

    @property
    def batch_records(self) -> list[BatchRecord]:
        """All rows, with key, result code and record."""
        if self._records is None:
            self._records = [results.batch_record(row) for row in self._rows]
        return self._records

    def iter_records(self) -> Iterator[BatchRecord]:
        """The rows one after the other; none of them is kept."""
        return map(results.batch_record, self._rows)

    def all_user_keys(self) -> list[Any]:
        """The user key of each row, found or not."""
        if self._lazy is not None:
            return [key.user_key for key in self._lazy.keys]
        return [row.key.user_key for row in self._rows]

    def found_count(self) -> int:
        """How many rows have a record."""
        if self._made is None and self._lazy is not None:
            return self._lazy.found_count
        return sum(row.record is not None for row in self._rows)

    def release_cache(self) -> None:
        """Let go of the dict and the rows made so far; they are made again when they are asked for."""
        self._dict = None
        self._records = None

    def _view(self) -> dict[Any, dict[str, Any]]:
        if self._dict is None:
            self._dict = self.to_dict()
        return self._dict

    def items(self) -> ItemsView[Any, dict[str, Any]]:
        """User keys and bins of the records that were found."""
        return self._view().items()

    def keys(self) -> KeysView[Any]:
        """The user keys of the records that were found."""
        return self._view().keys()

    def values(self) -> ValuesView[dict[str, Any]]:
        """The bins of the records that were found."""
        return self._view().values()

    def __len__(self) -> int:
        return self.found_count()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._view())

    def __contains__(self, key: Any) -> bool:
        return key in self._view()

    def __getitem__(self, key: Any) -> dict[str, Any]:
        try:
            return self._view()[key]
        except KeyError:
            raise KeyError(
                f"{key!r}: no record was read for this user key; batch_records has the result code of every row"
            ) from None

    def get(self, key: Any, default: Any = None) -> Any:
        """The bins of the record with this user key; ``default`` where none was read."""
        return self._view().get(key, default)

    @staticmethod
    def merge_to_dict(handles: list[LazyBatchRecords]) -> list[dict[Any, dict[str, Any]]]:
        """``to_dict`` of each of several results, in their order."""
        began = stage_clock()
        merged = [handle.to_dict() for handle in handles]
        stage_done("merge_to_dict", began)
        return merged
