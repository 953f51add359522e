"""The result of ``batch_read``: columns of bins that become dicts and tuples when they are asked for."""

from __future__ import annotations

import logging
from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike.validation import refused, shown

from . import _results as results
from ._metrics import stage_clock, stage_done
from ._slices import sliced
from .types import BatchRecord

if TYPE_CHECKING:
    import numpy as np

    from trio_aerospike.arrays import LazyBatch, RecordColumns

    from ._habits import Habit
    from .numpy_batch import NumpyBatchRecords

logger = logging.getLogger("aerospike_py")

#: Rows that ``iter_records`` makes at a time.
_AT_A_TIME: Final = 256


class LazyBatchRecords:
    """What a batch of reads came to: one row for each key, in the order of the keys.

    There are two views of it. The *rows* (``batch_records``, ``iter_records``, ``to_list``, ``all_user_keys``) hold
    every key that was asked for. The *dict* (``to_dict`` and everything that a dict has) holds the bins of the records
    that were found, by user key. A key that is known by its digest only has a row and no place in the dict, and where
    a user key was asked for more than once the dict holds it once.
    """

    __slots__ = ("_dict", "_finished", "_habit", "_lazy", "_logged", "_places", "_ready", "_records")

    def __init__(self, lazy: LazyBatch, habit: Habit | None = None, places: dict[Any, int] | None = None) -> None:
        self._lazy = lazy
        self._habit = habit
        self._logged = False
        self._places = places
        #: When it was made in the portal's thread, where stages are measured.
        self._finished = 0.0
        #: A dict for the first who wants one.
        self._ready: list[dict[Any, dict[str, Any]]] = []
        self._dict: dict[Any, dict[str, Any]] | None = None
        self._records: list[BatchRecord] | None = None

    @property
    def _columns(self) -> RecordColumns:
        if self._habit is not None:
            self._habit.records = True
        self._log_unreadable()
        return self._lazy.columns()

    def _log_unreadable(self) -> None:
        """Log, once, why records have no bins: rows tell a result code of -1 and nothing else."""
        if not self._logged:
            self._logged = True
            for result in self._lazy.unreadable():
                assert result.error is not None
                logger.warning("a record cannot be decoded: %s", result.error.message)

    def __repr__(self) -> str:
        return f"<LazyBatchRecords: {len(self._lazy)} rows, {self.found_count()} found>"

    def to_dict(self) -> dict[Any, dict[str, Any]]:
        """The bins of the records that were found, by user key: a dict of the caller's own."""
        began = stage_clock()
        columns = self._columns
        try:
            found = self._ready.pop()
        except IndexError:
            found = columns.to_dict()
        stage_done("to_dict", began)
        return found

    def to_list(self) -> list[dict[str, Any] | None]:
        """The bins of each row; None for a record that was not found or not read."""
        return list(self._columns.bins)

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
        arrays = self._lazy.to_numpy(dtype)
        if self._places is None:
            self._places = places_of(self._lazy.keys.user_keys)
        records = numpy_records(arrays, self._places)
        stage_done("to_numpy", began)
        return records

    @property
    def batch_records(self) -> list[BatchRecord]:
        """All rows, with key, result code and record."""
        if self._records is None:
            if self._habit is not None:
                self._habit.rows = True
            self._records = results.batch_rows(self._columns)
        return self._records

    async def _make_ready(self) -> None:
        """Make what is likely to be asked for: in slices, in a thread that has the time."""
        habit = self._habit
        if habit is None or not self._lazy.decoded:
            return
        if habit.makes_dict(len(self._lazy)):
            self._ready.append(self._lazy.columns().to_dict())
        if habit.makes_rows(len(self._lazy)):
            self._records = await sliced(len(self._lazy), partial(results.batch_rows, self._lazy.columns()))

    def iter_records(self) -> Iterator[BatchRecord]:
        """The rows one after the other; none of them is kept."""
        columns = self._columns
        for begin in range(0, len(columns), _AT_A_TIME):
            yield from results.batch_rows(columns, begin, begin + _AT_A_TIME)

    def all_user_keys(self) -> list[Any]:
        """The user key of each row, found or not."""
        return list(self._lazy.keys.user_keys)

    def found_count(self) -> int:
        """How many rows have a record."""
        return self._lazy.found_count

    def release_cache(self) -> None:
        """Let go of the dict and the rows made so far; they are made again when they are asked for."""
        self._ready.clear()
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
        """How many rows have a record and a user key; one that was asked for twice counts twice."""
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
        """The bins of the record with this user key; ``default`` where none was read."""
        return self._view().get(key, default)

    @staticmethod
    def merge_to_dict(handles: list[LazyBatchRecords]) -> list[dict[Any, dict[str, Any]]]:
        """``to_dict`` of each of several results, in their order.

        Raises:
            InvalidArgError: One of them is something else.
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
