"""Batches that write the rows of structured NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import trio_aerospike
from trio_aerospike.batch import BatchWritePolicy
from trio_aerospike.policies import BatchPolicy
from trio_aerospike.records import BatchResult
from trio_aerospike.validation import checked_int, kind_of

from .._conversion import results
from .._conversion.batch_policies import row_write_policy
from .._conversion.policies import PolicyReader
from .._runtime.time_slices import convert_in_slices
from ..types import BatchRetryInfo, BatchWriteResult
from .batch_writes import RETRIES_MAX, write_with_retries

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


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
    """Write the rows of a structured array; see ``Client.batch_write_numpy``."""
    checked_int("batch_write_numpy.retry", retry, 0, RETRIES_MAX)
    _check_dtype(data, dtype)
    common = row_write_policy(reader, policy)
    batch_policy = reader.batch(policy) or BatchPolicy()
    writer = _ArrayWriter(native, data, namespace, set_name, key_field)
    indexes = list(range(len(data)))
    if retry and indexes:
        rows, info = await write_with_retries(writer, indexes, batch_policy, common, retry)
    else:
        rows = await writer.batch_write(indexes, policy=batch_policy, write_policy=common)
        info = BatchRetryInfo(1, retry + 1, False, 0)
    return BatchWriteResult(await convert_in_slices(rows, results.written_row), info)


def _check_dtype(data: Any, dtype: Any) -> None:
    """Check that a dtype is the array's own: with another, its bytes would be read as other values."""
    own = getattr(data, "dtype", None)
    if own is None:
        raise TypeError(f"batch_write_numpy.data: got {kind_of(data)}, allowed: a structured numpy array")
    fields = getattr(dtype, "fields", None)
    if fields is None or fields != own.fields or dtype.itemsize != own.itemsize:
        raise TypeError(f"batch_write_numpy._dtype: got {dtype!r}, allowed: the array's own, {own!r}")


class _ArrayWriter:
    """Writes rows of an array by their indexes."""

    def __init__(
        self, native: trio_aerospike.Client, data: npt.NDArray[Any], namespace: str, set_name: str, key_field: str
    ) -> None:
        self._native = native
        self._data = data
        self._namespace = namespace
        self._set_name = set_name
        self._key_field = key_field

    async def batch_write(
        self, indexes: Sequence[int], /, *, policy: BatchPolicy, write_policy: BatchWritePolicy
    ) -> list[BatchResult]:
        """Write some rows of the array."""
        data = self._data if len(indexes) == len(self._data) else self._data[list(indexes)]
        return await self._native.batch_write_numpy(
            data,
            self._namespace,
            self._set_name,
            key_field=self._key_field,
            text_digests=True,
            policy=policy,
            write_policy=write_policy,
        )
