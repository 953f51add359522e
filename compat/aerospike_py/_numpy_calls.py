"""Batches of reads, and of writes out of arrays, as functions that run where the client lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import trio_aerospike
from trio_aerospike.arrays import KeyColumns
from trio_aerospike.batch import BatchWritePolicy
from trio_aerospike.keys import KeyLike
from trio_aerospike.policies import BatchPolicy
from trio_aerospike.records import BatchResult
from trio_aerospike.validation import checked_int, kind_of, refused

from . import _results as results
from ._batch import LazyBatchRecords
from ._batch_calls import RETRIES_MAX, write_again
from ._batch_policies import row_write_policy
from ._habits import Habits
from ._keys import to_key
from ._metrics import stage_clock, stage_done
from ._policies import PolicyReader
from ._slices import converted, paused
from .numpy_batch import places_of
from .types import BatchRetryInfo, BatchWriteResult

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


async def batch_read(
    native: trio_aerospike.Client,
    keys: Iterable[KeyLike],
    bins: Sequence[str] | None,
    policy: BatchPolicy | None,
    habits: Habits,
    called: float = 0.0,
) -> LazyBatchRecords:
    """``Client.batch_read``: everything that takes long is done here rather than where the results are asked for."""
    began = stage_done("tokio_schedule_delay", called)
    if isinstance(keys, (str, bytes, Mapping)) or not isinstance(keys, Iterable):
        raise refused("batch_read.keys", keys, "a list of keys")
    if bins is not None and not isinstance(bins, (str, bytes)) and isinstance(bins, Iterable):
        bins = list(bins)
    columns = KeyColumns(paused(keys), to_key)
    stage_done("key_parse", began)
    habit = habits.of(columns, bins)
    lazy = await native.batch_read_lazy(columns, bins, decode=habit.decodes, policy=policy)
    places = None
    if not lazy.decoded or habit.finds_rows(len(columns)):
        lazy.find_rows()
        places = places_of(columns.user_keys)
    found = LazyBatchRecords(lazy, habit, places)
    await found._make_ready()
    found._finished = stage_clock()
    return found


async def batch_write_numpy(
    native: trio_aerospike.Client,
    reader: PolicyReader,
    data: npt.NDArray[Any],
    namespace: str,
    set_name: str,
    dtype: np.dtype[Any],
    key_field: str,
    policy: Mapping[str, Any] | None,
    retry: int,
) -> BatchWriteResult:
    """``Client.batch_write_numpy``."""
    checked_int("batch_write_numpy.retry", retry, 0, RETRIES_MAX)
    _check_dtype(data, dtype)
    common = row_write_policy(reader, policy)
    transport = reader.batch(policy) or BatchPolicy()
    writer = _ArrayWriter(native, data, namespace, set_name, key_field)
    places = list(range(len(data)))
    if retry and places:
        rows, info = await write_again(cast(Any, writer), places, transport, common, retry)
    else:
        rows = await writer.batch_write(places, policy=transport, write_policy=common)
        info = BatchRetryInfo(1, retry + 1, False, 0)
    return BatchWriteResult(await converted(rows, results.written_row), info)


def _check_dtype(data: Any, dtype: Any) -> None:
    """A dtype that is not the array's own would have its bytes taken for something else."""
    own = getattr(data, "dtype", None)
    if own is None:
        raise TypeError(f"batch_write_numpy.data: got {kind_of(data)}, allowed: a structured numpy array")
    fields = getattr(dtype, "fields", None)
    if fields is None or fields != own.fields or dtype.itemsize != own.itemsize:
        raise TypeError(f"batch_write_numpy._dtype: got {dtype!r}, allowed: the array's own, {own!r}")


class _ArrayWriter:
    """Writes rows of an array, for who says which by their places."""

    def __init__(
        self, native: trio_aerospike.Client, data: npt.NDArray[Any], namespace: str, set_name: str, key_field: str
    ) -> None:
        self._native = native
        self._data = data
        self._namespace = namespace
        self._set_name = set_name
        self._key_field = key_field

    async def batch_write(
        self, places: Sequence[int], *, policy: BatchPolicy, write_policy: BatchWritePolicy
    ) -> list[BatchResult]:
        """As the client's own, for rows of the array."""
        data = self._data if len(places) == len(self._data) else self._data[list(places)]
        return await self._native.batch_write_numpy(
            data,
            self._namespace,
            self._set_name,
            key_field=self._key_field,
            text_digests=True,
            policy=policy,
            write_policy=write_policy,
        )
