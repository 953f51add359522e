"""The result of ``batch_read``: columns of bins, converted into dicts, tuples or arrays on demand."""

from __future__ import annotations

import logging
from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike.arrays import LazyBatch, RecordColumns
from trio_aerospike.validation import refused, shown

from .._conversion import results
from .._observability.metrics import stage_clock, stage_done
from .._runtime.time_slices import make_in_slices
from ..numpy_batch import NumpyBatchRecords, index_user_keys, numpy_records
from ..types import BatchRecord
from .usage_hints import UsageHint

if TYPE_CHECKING:
    import numpy as np
else:
    from .._numpy import np

logger = logging.getLogger("aerospike_py")

#: Rows that ``iter_records`` converts at a time.
_ROWS_AT_ONCE: Final = 256


class LazyBatchRecords:
    """The result of a batch of reads: one row for each key, in the order of the keys.

    It has two views. The *rows* (``batch_records``, ``iter_records``, ``to_list``, ``all_user_keys``) have every
    requested key. The *dict* (``to_dict`` and the methods of a mapping) has the bins of the records that were found, by
    user key. A key without a user key has a row but no entry in the dict, and a user key that was requested more than
    once has one entry.
    """

    __slots__ = ("_dict", "_finished", "_hint", "_indexes", "_lazy", "_logged", "_ready", "_records")

    def __init__(self, lazy: LazyBatch, hint: UsageHint | None = None, indexes: dict[Any, int] | None = None) -> None:
        self._lazy = lazy
        self._hint = hint
        self._logged = False
        self._indexes = indexes
        #: When it was finished in the client's Trio run, if stages are measured.
        self._finished = 0.0
        #: A dict for the first call of ``to_dict``.
        self._ready: list[dict[Any, dict[str, Any]]] = []
        self._dict: dict[Any, dict[str, Any]] | None = None
        self._records: list[BatchRecord] | None = None

    @property
    def _columns(self) -> RecordColumns:
        if self._hint is not None:
            self._hint.records = True
        self._log_unreadable()
        return self._lazy.columns()

    def _log_unreadable(self) -> None:
        """Log once why records could not be decoded: their rows have only a result code of -1."""
        if not self._logged:
            self._logged = True
            for result in self._lazy.unreadable():
                assert result.error is not None
                logger.warning("a record cannot be decoded: %s", result.error.message)

    def __repr__(self) -> str:
        return f"<LazyBatchRecords: {len(self._lazy)} rows, {self.found_count()} found>"

    def to_dict(self) -> dict[Any, dict[str, Any]]:
        """Return the bins of the records that were found, by user key: a new dict."""
        began = stage_clock()
        columns = self._columns
        try:
            found = self._ready.pop()
        except IndexError:
            found = columns.to_dict()
        stage_done("to_dict", began)
        return found

    def to_list(self) -> list[dict[str, Any] | None]:
        """Return the bins of each row; None for a record that was not found or not read."""
        return list(self._columns.bins)

    def to_numpy(self, dtype: np.dtype[Any]) -> NumpyBatchRecords:
        """Return the records as a structured array: a row for each key, a field of ``dtype`` for each bin.

        Args:
            dtype: Its fields are named like bins: integers and floats of any width, ``S`` and ``V`` for strings and
                blobs (cut, or padded with zeros), sub-arrays for vectors from blobs or lists of numbers.

        Returns:
            The rows, in the order of the keys. A bin or record that does not exist is zero.

        Raises:
            ImportError: NumPy is not installed.
            TypeError: The dtype is not supported, or a value has a type that its field does not take.
            OverflowError, ValueError: A value does not fit its field.
        """
        began = stage_clock()
        if self._hint is not None:
            self._hint.arrays = True
        arrays = self._lazy.to_numpy(dtype)
        if self._indexes is None:
            self._indexes = index_user_keys(self._lazy.keys.user_keys)
        records = numpy_records(arrays, self._indexes)
        stage_done("to_numpy", began)
        return records

    @property
    def batch_records(self) -> list[BatchRecord]:
        """The rows, with key, result code and record."""
        if self._records is None:
            if self._hint is not None:
                self._hint.rows = True
            self._records = results.batch_rows(self._columns)
        return self._records

    async def _prepare(self) -> None:
        """Make the views that are likely to be asked for, in time slices."""
        hint = self._hint
        if hint is None or not self._lazy.decoded:
            return
        if hint.makes_dict(len(self._lazy)):
            self._ready.append(self._lazy.columns().to_dict())
        if hint.makes_rows(len(self._lazy)):
            self._records = await make_in_slices(len(self._lazy), partial(results.batch_rows, self._lazy.columns()))

    def iter_records(self) -> Iterator[BatchRecord]:
        """Iterate over the rows, without keeping them."""
        columns = self._columns
        for begin in range(0, len(columns), _ROWS_AT_ONCE):
            yield from results.batch_rows(columns, begin, begin + _ROWS_AT_ONCE)

    def all_user_keys(self) -> list[Any]:
        """Return the user key of each row, found or not."""
        return list(self._lazy.keys.user_keys)

    def found_count(self) -> int:
        """Return the number of rows with a record."""
        return self._lazy.found_count

    def release_cache(self) -> None:
        """Release the dict and the rows made so far; they are made again on demand."""
        self._ready.clear()
        self._dict = None
        self._records = None

    def _view(self) -> dict[Any, dict[str, Any]]:
        if self._dict is None:
            self._dict = self.to_dict()
        return self._dict

    def items(self) -> ItemsView[Any, dict[str, Any]]:
        """The user keys and bins of the records that were found."""
        return self._view().items()

    def keys(self) -> KeysView[Any]:
        """The user keys of the records that were found."""
        return self._view().keys()

    def values(self) -> ValuesView[dict[str, Any]]:
        """The bins of the records that were found."""
        return self._view().values()

    def __len__(self) -> int:
        """The number of rows with a record and a user key; a user key requested twice counts twice."""
        user_keys = self._lazy.keys.user_keys
        if None not in user_keys:
            return self.found_count()
        rows = zip(user_keys, self._columns.bins, strict=True)
        return sum(user_key is not None and bins is not None for user_key, bins in rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._view())

    __reversed__ = None

    def __contains__(self, key: Any) -> bool:
        return key in self._view()

    def __getitem__(self, key: Any) -> dict[str, Any]:
        try:
            return self._view()[key]
        except KeyError:
            raise KeyError(
                f"{shown(key)}: no record was read for this user key; batch_records has the result code of every row"
            ) from None

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the bins of the record with this user key; ``default`` if no such record was read."""
        return self._view().get(key, default)

    @staticmethod
    def merge_to_dict(handles: list[LazyBatchRecords]) -> list[dict[Any, dict[str, Any]]]:
        """Call ``to_dict`` of each of several results, and return the dicts in order.

        Raises:
            InvalidArgError: An item is not a LazyBatchRecords.
        """
        if not isinstance(handles, Sequence):
            raise refused("merge_to_dict.handles", handles, "a list of LazyBatchRecords")
        for place, handle in enumerate(handles):
            if not isinstance(handle, LazyBatchRecords):
                raise refused(f"merge_to_dict.handles[{place}]", handle, "a LazyBatchRecords")
        began = stage_clock()
        merged = [handle.to_dict() for handle in handles]
        stage_done("merge_to_dict", began)
        return merged
