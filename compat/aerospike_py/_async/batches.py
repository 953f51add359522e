"""The asyncio client's commands on many records: batches and queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trio_aerospike.keys import KeyLike

from .._client_base import ClientBase
from .._commands import array_writes, batch_writes
from .._commands.batch_reads import batch_read
from .._commands.lazy_batch import LazyBatchRecords
from .._observability.metrics import stage_clock
from .._runtime.backends import AsyncBackend
from ..types import BatchWriteResult
from .query import AsyncQuery

if TYPE_CHECKING:
    import numpy as np
else:
    from .._numpy import np


class AsyncBatchCommands(ClientBase):
    """Commands on many records."""

    _backend: AsyncBackend

    def query(self, namespace: str, set_name: str) -> AsyncQuery:
        """Make a query or scan of a set: restrict it with ``select`` and ``where``, then read its ``results``.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.

        Raises:
            ClientError: The client is not connected.
        """
        return AsyncQuery(self, namespace, set_name)

    async def batch_read(
        self,
        keys: Sequence[KeyLike],
        bins: Sequence[str] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> LazyBatchRecords:
        """Read many records.

        Args:
            keys: The keys, in any namespaces and sets.
            bins: The bins to read; None: all; ``[]``: none, to learn only which records exist.
            policy: A BatchPolicy.

        Returns:
            A row for each key, in the order of the keys.
        """
        native = self._native or self._refuse("batch_read", locals())
        called = stage_clock()
        batch_policy = self._policies.batch(policy)
        found = await self._backend.call(batch_read, native, keys, bins, batch_policy, self._hints, called)
        self._note_resumed(found)
        return found

    async def batch_write(
        self, records: Iterable[Any], policy: Mapping[str, Any] | None = None, retry: int = 0
    ) -> BatchWriteResult:
        """Write many records, each with its own bins.

        Args:
            records: ``(key, bins)``, or ``(key, bins, meta)`` with a WriteMeta, which takes precedence over the policy.
            policy: A BatchPolicy; its fields for writes apply to all records.
            retry: The number of retries of records that failed temporarily (timeout, overload, a busy key, a lost
                connection), instead of the policy's ``max_retries``: after a random delay that grows up to a second,
                and within ``total_timeout``, whose default is one second. A record that may have been written is
                retried only if writing it twice is the same as writing it once: without ``gen`` and
                POLICY_EXISTS_CREATE_ONLY.

        Returns:
            A row for each record, in their order, and a summary of the retries. Check each row's ``result``.

        Raises:
            AerospikeError: No record was answered.
        """
        native = self._native or self._refuse("batch_write", locals())
        found: BatchWriteResult = await self._backend.call(
            batch_writes.batch_write, native, self._policies, records, policy, retry
        )
        return found

    async def batch_write_numpy(
        self,
        data: np.ndarray[Any, Any],
        namespace: str,
        set_name: str,
        _dtype: np.dtype[Any],
        key_field: str = "_key",
        policy: Mapping[str, Any] | None = None,
        retry: int = 0,
    ) -> BatchWriteResult:
        """Write the rows of a structured array as records.

        Integers become integers, floats become doubles, bytes and sub-arrays become blobs of the field's full width.

        Args:
            data: A field for the user keys (integers, or bytes as ``S`` or ``V``, without trailing zeros), and fields
                for bins. Fields that begin with ``_`` are ignored.
            namespace: The namespace of the records.
            set_name: The set.
            _dtype: The array's own dtype.
            key_field: The field of the user keys.
            policy: A BatchPolicy; its fields for writes apply to all records.
            retry: As for :meth:`batch_write`.

        Returns:
            A row for each record, in their order.

        Raises:
            TypeError, ValueError, OverflowError: The array is not supported; nothing was sent.
            AerospikeError: No record was answered.
        """
        native = self._native or self._refuse("batch_write_numpy", locals())
        found: BatchWriteResult = await self._backend.call(
            array_writes.batch_write_numpy,
            native,
            self._policies,
            data,
            namespace,
            set_name,
            _dtype,
            key_field,
            policy,
            retry,
        )
        return found

    async def batch_operate(
        self, keys: Sequence[KeyLike], ops: Iterable[Mapping[str, Any]], policy: Mapping[str, Any] | None = None
    ) -> BatchWriteResult:
        """Carry out the same operations on many records.

        Args:
            keys: The keys.
            ops: As for :meth:`operate`.
            policy: A BatchPolicy; its fields for writes apply if an operation writes.

        Returns:
            A row for each key, in their order. ``record.bins`` has for each bin the result of the operation on it,
            None if it has no result, and a list of results if there were several operations.
        """
        native = self._native or self._refuse("batch_operate", locals())
        found: BatchWriteResult = await self._backend.call(
            batch_writes.batch_operate, native, self._policies, keys, ops, policy
        )
        return found

    async def batch_remove(self, keys: Sequence[Any], policy: Mapping[str, Any] | None = None) -> BatchWriteResult:
        """Remove many records.

        Args:
            keys: The keys; or pairs of a key and a BatchDeleteMeta, which takes precedence over the policy.
            policy: A BatchPolicy, with the fields of a BatchDeletePolicy for all records.

        Returns:
            A row for each key, in their order; ``result`` is 2 for a record that does not exist.
        """
        native = self._native or self._refuse("batch_remove", locals())
        found: BatchWriteResult = await self._backend.call(
            batch_writes.batch_remove, native, self._policies, keys, policy
        )
        return found

    async def batch_apply(
        self,
        keys: Sequence[Any],
        module: str,
        function: str,
        args: Sequence[Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> BatchWriteResult:
        """Call a user-defined function on many records.

        Args:
            keys: The keys; or pairs of a key and a BatchUDFMeta, which takes precedence over all other arguments.
            module: The name of the function's module, without ``.lua``.
            function: The name of the function.
            args: Its arguments after the record.
            policy: A BatchPolicy, with the fields of a BatchUDFPolicy for all records.

        Returns:
            A row for each key, in their order; ``record.bins`` has the function's result under ``"SUCCESS"``, or
            its error message under ``"FAILURE"`` (``result`` is then 100).
        """
        native = self._native or self._refuse("batch_apply", locals())
        found: BatchWriteResult = await self._backend.call(
            batch_writes.batch_apply, native, self._policies, keys, module, function, args, policy
        )
        return found
