"""The result of ``batch_read``: rows that become dicts and tuples when they are asked for."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from . import _results as results
from .types import BatchRecord

if TYPE_CHECKING:
    from trio_aerospike.records import BatchResult


class LazyBatchRecords:
    """What a batch of reads came to: one row for each key, in the order of the keys.

    There are two views of it. The *rows* (``batch_records``, ``iter_records``, ``to_list``, ``all_user_keys``) hold
    every key that was asked for. The *dict* (``to_dict`` and everything that a dict has) holds the bins of the records
    that were found, by user key. A key that is known by its digest only has a row and no place in the dict, and where
    a user key was asked for more than once the dict holds it once.
    """

    __slots__ = ("_dict", "_records", "_rows")

    def __init__(self, rows: list[BatchResult]) -> None:
        self._rows = rows
        self._dict: dict[Any, dict[str, Any]] | None = None
        self._records: list[BatchRecord] | None = None

    def __repr__(self) -> str:
        return f"<LazyBatchRecords: {len(self._rows)} rows, {self.found_count()} found>"

    def to_dict(self) -> dict[Any, dict[str, Any]]:
        """The bins of the records that were found, by user key: a dict of the caller's own."""
        found: dict[Any, dict[str, Any]] = {}
        for row in self._rows:
            record = row.record
            if record is not None:
                user_key = row.key.user_key
                if user_key is not None:
                    found[user_key] = record.bins
        return found

    def to_list(self) -> list[dict[str, Any] | None]:
        """The bins of each row; None for a record that was not found or not read."""
        return [None if row.record is None else row.record.bins for row in self._rows]

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
        return [row.key.user_key for row in self._rows]

    def found_count(self) -> int:
        """How many rows have a record."""
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
        return [handle.to_dict() for handle in handles]
