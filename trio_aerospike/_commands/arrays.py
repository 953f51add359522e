"""Batches of records as NumPy arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Never

import trio

from .._arrays.kept_answers import KeepingReader
from .._batch.keys import KeyColumns, key_columns
from .._batch.policies import BatchWritePolicy
from .._batch.rows import ReadEncoder, Rows, WriteEncoder
from .._lazy import LazyModule
from .._wire.batch_answers import BatchRow, Columns
from ..arrays import LazyBatch, check_numpy
from ..keys import Key, KeyLike
from ..policies import BatchPolicy
from ..records import BatchResult, BatchResults, RecordArrays
from ..validation import unknown_argument
from .batch import BatchCommands

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .._arrays import (
        answer_rows,
        fields as array_fields,
        vectorized_rows,
        write_encoding,
    )
    from .._cluster.execution import batch as execution
else:
    np = LazyModule("numpy")
    npt = LazyModule("numpy.typing")
    array_fields = LazyModule("trio_aerospike._arrays.fields")
    vectorized_rows = LazyModule("trio_aerospike._arrays.vectorized_rows")
    answer_rows = LazyModule("trio_aerospike._arrays.answer_rows")
    write_encoding = LazyModule("trio_aerospike._arrays.write_encoding")
    execution = LazyModule("trio_aerospike._cluster.execution.batch")


class ArrayCommands(BatchCommands):
    """The part of the client that reads and writes NumPy arrays. NumPy is an extra of the distribution.

    As batches, these raise besides what their own text says what :class:`BatchCommands` does.
    """

    async def batch_read_numpy(
        self, keys: Iterable[KeyLike], dtype: np.dtype[Any], *, policy: BatchPolicy | None = None, **unknown: Never
    ) -> RecordArrays:
        """Read many records into arrays.

        Records that hold the same bins are decoded together, a column at a time.

        Args:
            keys: the records; a key may stand there more than once.
            dtype: a structured one: its fields are the bins to read.
            policy: how; None for the client's batch policy.

        Returns:
            One row a key, in the order of the keys; zero where there was nothing to read.

        Raises:
            ImportError: NumPy is not installed.
            TypeError: the dtype is invalid, or a value is of a kind that its field does not take.
            OverflowError, ValueError: a value does not fit its field: nothing is wrapped around.
            AerospikeError: why no key was answered.
        """
        if unknown:
            raise unknown_argument(self, "batch_read_numpy", unknown)
        check_numpy("batch_read_numpy")

        fields = array_fields.fields_of(dtype, "batch_read_numpy.dtype")
        lazy = await self._read_lazy("batch_read_numpy", keys, [field.name for field in fields], policy, decode=False)
        return lazy.to_numpy(dtype)

    async def batch_read_lazy(
        self,
        keys: Iterable[KeyLike],
        bins: Iterable[str] | None = None,
        *,
        decode: bool = True,
        policy: BatchPolicy | None = None,
        **unknown: Never,
    ) -> LazyBatch:
        """Read many records, and say later whether they are to be results or arrays.

        Args:
            keys, bins, policy: as for :meth:`batch_read`.
            decode: decode the records already, while the answers arrive. Otherwise that is done when they are asked
                for, which takes a while then, and arrays are there the sooner; this needs NumPy.

        Returns:
            The answers: ``results()`` has them as ``batch_read`` returns them, ``columns()`` as lists with an item for
            each key (which costs least), ``to_numpy(dtype)`` as arrays.

        Raises:
            ImportError: ``decode`` is False, and NumPy is not installed.
            AerospikeError: why no key was answered.
        """
        if unknown:
            raise unknown_argument(self, "batch_read_lazy", unknown)
        return await self._read_lazy("batch_read", keys, bins, policy, decode=decode)

    async def batch_write_numpy(
        self,
        data: npt.NDArray[Any],
        namespace: str,
        set_name: str,
        *,
        key_field: str = "_key",
        text_keys: bool = False,
        text_digests: bool = False,
        ttl: int | None = None,
        policy: BatchPolicy | None = None,
        write_policy: BatchWritePolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Write many records, the rows of a structured array.

        Integers become integers, floats doubles, bytes and sub-arrays blobs of the field's whole width.

        Args:
            data: one dimension, a row for each record. A field for the keys, others for bins; one that begins with
                ``_`` is left out.
            namespace, set_name: where the records live.
            key_field: the field with the user keys, integers or bytes (without the zeros that fill them up).
            text_keys: take keys of kind ``S`` for text in UTF-8, so that they are those of records under a ``str``.
            text_digests: hash keys of bytes as text, as aerospike-py does; see ``Key.with_text_digest``.
            ttl: seconds until the records expire; None for what ``write_policy`` says.
            policy: how the batch is carried out; None for the client's batch policy.
            write_policy: how the records are written.

        Returns:
            One result a row, in order.

        Raises:
            ImportError: NumPy is not installed.
            TypeError, ValueError: the array is invalid.
            OverflowError: an unsigned integer is too large for the database.
            InvalidArgError: the name of a field cannot be a bin's; a key is not UTF-8 where it should be.
            AerospikeError: why no record was answered; in doubt where writes may have been applied.
        """
        if unknown:
            raise unknown_argument(self, "batch_write_numpy", unknown)
        check_numpy("batch_write_numpy")
        policy = self._policy("batch_write_numpy", policy)
        encoder = WriteEncoder(None, ttl, None, write_policy, "batch_write_numpy")
        writes = write_encoding.writes_of_array(data, namespace, set_name, key_field, text_keys, text_digests)
        size = len(writes.template)

        def head_of(key: Key) -> bytes:
            return encoder.payload_with(key, writes.template, writes.count)[:-size]

        rows = Rows(policy)
        for key, payload in zip(writes.keys, writes.behind(head_of, alike=not encoder.sends_key), strict=True):
            rows.add(key, encoder, payload)
        return await self._carry_out("batch_write_numpy", rows, policy)

    async def _read_lazy(
        self,
        what: str,
        keys: Iterable[KeyLike],
        bins: Iterable[str] | None,
        policy: BatchPolicy | None,
        *,
        decode: bool,
    ) -> LazyBatch:
        self._cluster.trio_run.check(what)
        policy = self._policy(what, policy)
        encoder = ReadEncoder(what, bins, None, None)
        observers = self._cluster.observers
        staged = observers is not None and observers.staged
        began = time.perf_counter() if staged else 0.0
        columns = key_columns(keys, what)
        if observers is not None and staged:
            observers.stage(what, "key_parse", began)
        if not columns:
            await trio.lowlevel.checkpoint()
            return LazyBatch(columns, [], [], Columns(0), None)
        answers: list[list[bytes]] = []
        decoded: Columns | None = None
        found: list[vectorized_rows.Rows] | None = None
        make_reader: execution.MakeReader
        if decode:
            decoded = Columns(len(columns))
            make_reader = _keeping(decoded, answers)
        else:
            check_numpy(f"{what} without decoding")
            found = []
            make_reader = _finding(found)
        results = await self._read_rows(what, columns, encoder, policy, make_reader)
        return LazyBatch(columns, results, answers, decoded, found)

    async def _read_rows(
        self, what: str, keys: KeyColumns, encoder: ReadEncoder, policy: BatchPolicy, make_reader: execution.MakeReader
    ) -> list[BatchResult]:
        """Send a batch of reads that differ only in their keys."""
        if keys.uniform:
            payloads = [encoder.payload(keys[0], policy)] * len(keys)
        else:
            rows = Rows(policy)
            rows.add_all(keys, encoder)
            payloads = rows.row_payloads
        batch = execution.Batch(what, keys, payloads, policy, None, make_reader, keys.digests, keys.uniform)
        results, fault = await self._executor.run_batch(batch)
        if fault is not None:
            raise fault
        return results


def _keeping(columns: Columns, answers: list[list[bytes]]) -> execution.MakeReader:
    def make(
        keys: Sequence[Key],
        results: list[BatchResult | None],
        other: Callable[[BatchRow], None],
        pause: Callable[[], None],
    ) -> execution.Reader:
        kept: list[bytes] = []
        answers.append(kept)
        return KeepingReader(columns, results, other, kept, pause)

    return make


def _finding(found: list[vectorized_rows.Rows]) -> execution.MakeReader:
    def make(
        keys: Sequence[Key],
        results: list[BatchResult | None],
        other: Callable[[BatchRow], None],
        _pause: Callable[[], None],
    ) -> execution.Reader:
        return answer_rows.RawReader(keys, results, other, found)

    return make
