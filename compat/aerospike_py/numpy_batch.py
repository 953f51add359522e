"""The result of ``LazyBatchRecords.to_numpy``: records as a structured array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from trio_aerospike.arrays import RecordArrays
from trio_aerospike.validation import shown

if TYPE_CHECKING:
    import numpy as np
else:
    from ._numpy import np

__all__ = ["NumpyBatchRecords"]

_UserKey: TypeAlias = str | int | bytes

#: The ``ttl`` of a record that never expires.
_NEVER_EXPIRES = 0xFFFFFFFF


class NumpyBatchRecords:
    """Records as arrays: one row for each key of the batch, in the order of the keys.

    A row is zero if its record was not read, so check ``result_codes`` first. A bin that a record does not have is
    zero as well.

    Attributes:
        batch_records: The bins, a field for each.
        meta: ``gen`` and ``ttl`` of each record (both uint32); a ``ttl`` of 4294967295 means that it never expires.
        result_codes: 0 for a record that was read, 2 for one that does not exist, or another code.
    """

    __slots__ = ("_map", "batch_records", "meta", "result_codes")

    batch_records: np.ndarray[Any, np.dtype[np.void]]
    meta: np.ndarray[Any, np.dtype[np.void]]
    result_codes: np.ndarray[Any, np.dtype[np.int32]]

    def __init__(
        self,
        batch_records: np.ndarray[Any, np.dtype[np.void]],
        meta: np.ndarray[Any, np.dtype[np.void]],
        result_codes: np.ndarray[Any, np.dtype[np.int32]],
        _map: dict[_UserKey, int],
    ) -> None:
        self.batch_records = batch_records
        self.meta = meta
        self.result_codes = result_codes
        self._map = _map

    def get(self, key: _UserKey) -> np.void:
        """Return the row of a record by user key; the last one if the batch had several with the same user key.

        Raises:
            KeyError: The batch had no such user key.
        """
        index = self._map.get(key)
        if index is None:
            raise KeyError(f"{shown(key)} not found in NumpyBatchRecords, which has {len(self._map)} other user keys")
        row: np.void = self.batch_records[index]
        return row

    def __len__(self) -> int:
        return len(self.batch_records)

    def __iter__(self) -> Iterator[np.void]:
        return iter(self.batch_records)

    def __contains__(self, key: _UserKey) -> bool:
        return key in self._map

    def __repr__(self) -> str:
        good = int((self.result_codes == 0).sum())
        return f"NumpyBatchRecords(count={len(self)}, ok={good}, fields={list(self.batch_records.dtype.names or ())})"


def index_user_keys(user_keys: Sequence[_UserKey | None]) -> dict[_UserKey, int]:
    """Map user keys to row indexes; a record without a user key has a generated name."""
    indexes: dict[Any, int] = dict(zip(user_keys, range(len(user_keys)), strict=True))
    if None in indexes:
        del indexes[None]
        nameless = [index for index, user_key in enumerate(user_keys) if user_key is None]
        indexes.update((f"__no_user_key_{index}__", index) for index in nameless)
    return indexes


def numpy_records(arrays: RecordArrays, indexes: dict[_UserKey, int]) -> NumpyBatchRecords:
    """Convert arrays of the native client."""
    meta: np.ndarray[Any, np.dtype[Any]] = np.zeros(len(arrays), [("gen", "u4"), ("ttl", "u4")])
    meta["gen"] = arrays.generations
    ttls = arrays.ttls
    ttls[ttls < 0] = _NEVER_EXPIRES
    meta["ttl"] = ttls
    missing = ~arrays.found
    if missing.any():
        meta["ttl"][missing] = 0
    return NumpyBatchRecords(arrays.data, meta, arrays.result_codes, indexes)
