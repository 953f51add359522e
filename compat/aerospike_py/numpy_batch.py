"""The result of ``LazyBatchRecords.to_numpy``: records as a structured array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from trio_aerospike.validation import shown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from trio_aerospike.arrays import RecordArrays

__all__ = ["NumpyBatchRecords"]

_UserKey: TypeAlias = str | int | bytes

#: The ``ttl`` of a record that never expires.
_NEVER_EXPIRES = 0xFFFFFFFF


class NumpyBatchRecords:
    """Records as arrays: one row for each key of the batch, in the order of the keys.

    A row is zero where its record was not read, so look at ``result_codes`` first. A bin that a record does not have
    is zero as well.

    Attributes:
        batch_records: the bins, a field for each.
        meta: ``gen`` and ``ttl`` of each record (both uint32); a ``ttl`` of 4294967295 says that it never expires.
        result_codes: 0 where there is a record, 2 where there is none, or another code.
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
        """The row of a record, by user key; the last, where the batch had several with the same user key.

        Raises:
            KeyError: The batch had none.
        """
        place = self._map.get(key)
        if place is None:
            raise KeyError(f"{shown(key)} not found in NumpyBatchRecords, which has {len(self._map)} other user keys")
        row: np.void = self.batch_records[place]
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


def places_of(user_keys: Sequence[_UserKey | None]) -> dict[_UserKey, int]:
    """Rows by user key; a record of which only the digest is known stands under a name made up for it."""
    places: dict[Any, int] = dict(zip(user_keys, range(len(user_keys)), strict=True))
    if None in places:
        del places[None]
        nameless = [place for place, user_key in enumerate(user_keys) if user_key is None]
        places.update((f"__no_user_key_{place}__", place) for place in nameless)
    return places


def numpy_records(arrays: RecordArrays, places: dict[_UserKey, int]) -> NumpyBatchRecords:
    """Arrays of the native client as aerospike_py has them."""
    import numpy as np

    meta: npt.NDArray[Any] = np.zeros(len(arrays), [("gen", "u4"), ("ttl", "u4")])
    meta["gen"] = arrays.generations
    ttls = arrays.ttls
    ttls[ttls < 0] = _NEVER_EXPIRES
    meta["ttl"] = ttls
    missing = ~arrays.found
    if missing.any():
        meta["ttl"][missing] = 0
    return NumpyBatchRecords(arrays.data, meta, arrays.result_codes, places)
