"""Batches: commands on many records in one call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Never, TypeAlias, TypeVar

import trio

from .._batch.policies import BatchApplyPolicy, BatchRemovePolicy, BatchWritePolicy
from .._batch.rows import ApplyEncoder, ReadEncoder, RemoveEncoder, Rows, WriteEncoder, encoder_of_operations, writes_of
from .._batch.streams import BatchStream
from .._lazy import LazyModule
from ..batch import BatchApply, BatchRead, BatchRemove, BatchWrite
from ..errors import InvalidArgError
from ..fairness import TimeSlice
from ..keys import Key, KeyLike, as_key
from ..operations import Operation
from ..policies import BatchPolicy, chosen
from ..records import BatchResult, BatchResults
from ..validation import checked_int, refused, unknown_argument
from .base import CommandFamily

if TYPE_CHECKING:
    from .._batch import pipeline
    from .._cluster.execution import batch as execution
else:
    execution = LazyModule("trio_aerospike._cluster.execution.batch")
    pipeline = LazyModule("trio_aerospike._batch.pipeline")

T = TypeVar("T")

#: Rows and keys between two looks at the time slice: some tenths of a millisecond's work.
_FEW_ROWS: Final = 64
_FEW_KEYS: Final = 256

#: Records of a stream that are in flight or wait to be read, by default.
IN_FLIGHT: Final = 1024
IN_FLIGHT_MAX: Final = 1_000_000

#: A record to write: its key and its bins, or a :class:`BatchWrite`.
WriteLike: TypeAlias = tuple[KeyLike, Mapping[str, Any]] | BatchWrite


class BatchCommands(CommandFamily):
    """The part of the client that works on many records in one call.

    A batch goes to all nodes at once, each asked for the records that it serves. A record that cannot be served does
    not fail the others: its result says why, and whether a write of it is in doubt. Only when no record at all was
    answered is the reason raised.

    What is left over when a node or a connection fails is asked for again elsewhere, as often as the policy's
    ``max_retries`` says and within its ``total_timeout``. Writes that were sent are the exception: where they may have
    been applied they are never sent again, whatever the policy says, but are in doubt.

    All of these raise, besides what their own text says: AerospikeTimeoutError, ClusterError, ConnectionFailed,
    NoMoreConnections, BackpressureError or what the server answered when there is no answer for any record at all,
    InvalidArgError before anything is sent, ClientClosed, and ServerError for a namespace that is not there.
    """

    async def batch_read(
        self,
        keys: Iterable[KeyLike],
        bins: Iterable[str] | None = None,
        *,
        operations: Iterable[Operation] | None = None,
        policy: BatchPolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Read many records.

        Args:
            keys: the records; a key may stand there more than once.
            bins: names of the bins to read; None for all, an empty list for none (do the records exist?).
            operations: reads to carry out on each record in place of ``bins``.
            policy: how; None for the client's batch policy.

        Returns:
            One result a key, in the order of the keys.

        Raises:
            AerospikeError: why no key was answered.
            InvalidArgError: a key or a bin name is invalid; nothing was sent.
        """
        self._cluster.trio_run.check("batch_read")
        if unknown:
            raise unknown_argument(self, "batch_read", unknown)
        policy = self._policy("batch_read", policy)
        rows = Rows(policy)
        await self._add_keys("batch_read", rows, keys, ReadEncoder("batch_read", bins, operations, None))
        return await self._carry_out("batch_read", rows, policy)

    async def batch_write(
        self,
        records: Iterable[WriteLike],
        *,
        ttl: int | None = None,
        policy: BatchPolicy | None = None,
        write_policy: BatchWritePolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Write many records.

        Several for one key are written in their order, each in a request of its own, as servers with replicas do not
        keep their order within one: for many changes of one record ``operate`` is the better call.

        Args:
            records: pairs of a key and its bins, as for ``put``; a :class:`BatchWrite` where a record wants a policy,
                a time to live or a generation of its own.
            ttl: seconds until the records of pairs expire; None for what ``write_policy`` says.
            policy: how the batch is carried out; None for the client's batch policy.
            write_policy: how the records of pairs are written.

        Returns:
            One result a record, in order; its record has the new generation and no bins.

        Raises:
            AerospikeError: why no record was answered; in doubt where writes may have been applied.
            InvalidArgError: a key, a bin name or a value is invalid; nothing was sent.
        """
        self._cluster.trio_run.check("batch_write")
        if unknown:
            raise unknown_argument(self, "batch_write", unknown)
        policy = self._policy("batch_write", policy)
        encoder = WriteEncoder(None, ttl, None, write_policy, "batch_write")
        if isinstance(records, (str, bytes, Mapping)) or not isinstance(records, Iterable):
            raise refused("batch_write.records", records, "a list of pairs of key and bins, or of BatchWrite")
        rows = Rows(policy)
        time_slice = TimeSlice()
        for number, record in enumerate(records):
            add_write(rows, record, encoder, f"batch_write.records[{number}]")
            if number % _FEW_ROWS == _FEW_ROWS - 1:
                await time_slice.give_way()
        return await self._carry_out("batch_write", rows, policy)

    async def batch_operate(
        self,
        keys: Iterable[KeyLike],
        operations: Iterable[Operation],
        *,
        ttl: int | None = None,
        policy: BatchPolicy | None = None,
        write_policy: BatchWritePolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Carry out the same operations on many records: on each all of them or none, in their order.

        Args:
            keys: the records.
            operations: reads and writes from :mod:`trio_aerospike.operations`.
            ttl: seconds until the records expire, where there is a write among the operations.
            policy: how the batch is carried out; None for the client's batch policy.
            write_policy: how the records are written, where there is a write among the operations.

        Returns:
            One result a key, in order: its record has the bins that were read, ``ordered`` every operation's result.

        Raises:
            AerospikeError: why no record was answered; in doubt where writes may have been applied.
            InvalidArgError: a key or an operation is invalid; nothing was sent.
        """
        self._cluster.trio_run.check("batch_operate")
        if unknown:
            raise unknown_argument(self, "batch_operate", unknown)
        policy = self._policy("batch_operate", policy)
        rows = Rows(policy)
        encoder = encoder_of_operations(operations, ttl, write_policy, "batch_operate")
        rows.add_all(await checked_keys(keys, "batch_operate"), encoder)
        return await self._carry_out("batch_operate", rows, policy)

    async def batch_remove(
        self,
        keys: Iterable[KeyLike],
        *,
        policy: BatchPolicy | None = None,
        remove_policy: BatchRemovePolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Remove many records.

        Args:
            keys: the records.
            policy: how the batch is carried out; None for the client's batch policy.
            remove_policy: how the records are removed.

        Returns:
            One result a key, in order; a record that was not there has the result of ``RecordNotFound``.

        Raises:
            AerospikeError: why no record was answered; in doubt where removals may have been applied.
            InvalidArgError: a key is invalid; nothing was sent.
        """
        self._cluster.trio_run.check("batch_remove")
        if unknown:
            raise unknown_argument(self, "batch_remove", unknown)
        policy = self._policy("batch_remove", policy)
        rows = Rows(policy)
        rows.add_all(await checked_keys(keys, "batch_remove"), RemoveEncoder(None, remove_policy, "batch_remove"))
        return await self._carry_out("batch_remove", rows, policy)

    async def batch_apply(
        self,
        keys: Iterable[KeyLike],
        module: str,
        function: str,
        arguments: Iterable[Any] = (),
        *,
        policy: BatchPolicy | None = None,
        apply_policy: BatchApplyPolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Run a user-defined function on many records.

        Args:
            keys: the records; one that does not exist may be created by the function.
            module: name of the registered module, without ``.lua``.
            function: its function.
            arguments: what the function gets besides the record.
            policy: how the batch is carried out; None for the client's batch policy.
            apply_policy: how the function is run.

        Returns:
            One result a key, in order; its ``value`` is what the function returned.

        Raises:
            AerospikeError: why no record was answered; in doubt where the function may have run.
            InvalidArgError: a key or an argument is invalid; nothing was sent.
        """
        self._cluster.trio_run.check("batch_apply")
        if unknown:
            raise unknown_argument(self, "batch_apply", unknown)
        policy = self._policy("batch_apply", policy)
        rows = Rows(policy)
        encoder = ApplyEncoder(module, function, arguments, apply_policy, "batch_apply")
        rows.add_all(await checked_keys(keys, "batch_apply"), encoder)
        return await self._carry_out("batch_apply", rows, policy)

    async def batch(
        self,
        records: Iterable[BatchRead | BatchWrite | BatchRemove | BatchApply],
        *,
        policy: BatchPolicy | None = None,
        **unknown: Never,
    ) -> BatchResults:
        """Read, write, remove and work on many records in one call, each in its own way.

        Of several records with the same key the server may carry out any first.

        Args:
            records: of the classes in :mod:`trio_aerospike.batch`, in any mixture.
            policy: how the batch is carried out; None for the client's batch policy.

        Returns:
            One result a record, in order.

        Raises:
            AerospikeError: why no record was answered; in doubt where writes may have been applied.
            InvalidArgError: one of the records is invalid; nothing was sent.
        """
        self._cluster.trio_run.check("batch")
        if unknown:
            raise unknown_argument(self, "batch", unknown)
        policy = self._policy("batch", policy)
        if isinstance(records, (str, bytes, Mapping)) or not isinstance(records, Iterable):
            raise refused("batch.records", records, "a list of BatchRead, BatchWrite, BatchRemove and BatchApply")
        rows = Rows(policy)
        time_slice = TimeSlice()
        for number, record in enumerate(records):
            if not isinstance(record, (BatchRead, BatchWrite, BatchRemove, BatchApply)):
                raise refused(f"batch.records[{number}]", record, "a BatchRead, BatchWrite, BatchRemove or BatchApply")
            rows.add(record.key, record._encoder)
            if number % _FEW_ROWS == _FEW_ROWS - 1:
                await time_slice.give_way()
        return await self._carry_out("batch", rows, policy)

    def get_many(
        self,
        keys: Iterable[KeyLike] | AsyncIterable[KeyLike],
        *,
        in_flight: int = IN_FLIGHT,
        bins: Iterable[str] | None = None,
        policy: BatchPolicy | None = None,
        on_progress: Callable[[BatchStream], object] | None = None,
        **unknown: Never,
    ) -> AbstractAsyncContextManager[BatchStream]:
        """Read any number of records, a bounded number at a time, and get each as it arrives.

        ``async with client.get_many(keys) as results: async for result in results: ...``

        This is the call for crawlers. Keys are taken from the source only as results are used up, so that memory stays
        the same over millions of keys. They go to their nodes in batches, each of which counts as one operation of
        ``max_concurrent_operations`` and has the policy's time for itself. Leaving the block ends everything at once.
        Any number of tasks may read the stream.

        Args:
            keys: the records: any iterable or async iterable, endless if need be. A generator is closed in the end.
            in_flight: keys that have been taken from the source and whose results have not been used up, at the most.
            bins: names of the bins to read; None for all, an empty list for none (do the records exist?).
            policy: how each batch is carried out; None for the client's batch policy.
            on_progress: called with the stream, which has the counts, whenever results have arrived, and at the end
                with the final counts. What it raises ends the stream.

        Returns:
            A context manager; in its block a stream of results, in the order in which they arrive. Each has its key and
            its record, or the error.

        Raises:
            InvalidArgError: an argument is invalid. An invalid key ends the stream with this error, as does what the
                source raises, once everything before it has been delivered.
        """
        if unknown:
            raise unknown_argument(self, "get_many", unknown)
        policy = self._policy("get_many", policy)
        encoder = ReadEncoder("get_many", bins, None, None)

        def key_of(item: KeyLike) -> tuple[Key, Key]:
            key = as_key(item)
            return key, key

        def rows_of(keys: list[Key]) -> Rows:
            rows = Rows(policy)
            rows.add_all(keys, encoder)
            return rows

        source = _source(keys, "get_many.keys", "an iterable or async iterable of keys")
        checked_int("get_many.in_flight", in_flight, 1, IN_FLIGHT_MAX)
        return pipeline.open_reads(
            "get_many", source, key_of, rows_of, policy, in_flight, False, on_progress, self._cluster, self._executor
        )

    def put_many(
        self,
        records: Iterable[WriteLike] | AsyncIterable[WriteLike],
        *,
        in_flight: int = IN_FLIGHT,
        ttl: int | None = None,
        policy: BatchPolicy | None = None,
        write_policy: BatchWritePolicy | None = None,
        on_progress: Callable[[BatchStream], object] | None = None,
        **unknown: Never,
    ) -> AbstractAsyncContextManager[BatchStream]:
        """Write any number of records, a bounded number at a time, and get a result for each.

        As :meth:`get_many`. Records are taken and written only as results are read: read them to the end, or call
        ``await results.drain()``. Writes in flight when the block is left early may or may not be applied.
        Where it is left without an error and records are unwritten, an :class:`UnwrittenRecordsWarning` says how many.
        Of several records for one key, any may be the one that stays.

        Args:
            records: pairs of a key and its bins, or :class:`BatchWrite`: any iterable or async iterable.
            in_flight: records that have been taken from the source and whose results have not been used up, at the
                most.
            ttl: seconds until the records of pairs expire; None for what ``write_policy`` says.
            policy: how each batch is carried out; None for the client's batch policy.
            write_policy: how the records of pairs are written.
            on_progress: called with the stream, which has the counts, whenever results have arrived, and at the end
                with the final counts. What it raises ends the stream.

        Returns:
            A context manager; in its block a stream of results, in the order in which they arrive: each has its key,
            the error where the record was not written, and whether that is in doubt.

        Raises:
            InvalidArgError: an argument is invalid. An invalid record ends the stream with this error, as does what
                the source raises, once everything before it has been delivered.
        """
        if unknown:
            raise unknown_argument(self, "put_many", unknown)
        policy = self._policy("put_many", policy)
        encoder = WriteEncoder(None, ttl, None, write_policy, "put_many")

        def key_of(item: WriteLike) -> tuple[Key, Rows]:
            row = Rows(policy)
            add_write(row, item, encoder, "put_many.records")
            return row.keys[0], row

        def rows_of(parts: list[Rows]) -> Rows:
            return Rows.of(parts, policy)

        source = _source(records, "put_many.records", "an iterable or async iterable of pairs of key and bins")
        checked_int("put_many.in_flight", in_flight, 1, IN_FLIGHT_MAX)
        return pipeline.open_writes(
            "put_many", source, key_of, rows_of, policy, in_flight, True, on_progress, self._cluster, self._executor
        )

    def _policy(self, where: str, policy: BatchPolicy | None) -> BatchPolicy:
        policy = chosen(policy, self._config.batch_policy, BatchPolicy)
        if policy.send_key:
            raise InvalidArgError(
                "BatchPolicy.send_key: got True, allowed: False, as batch reads go by digest alone "
                "(writes have BatchWritePolicy.send_key)"
            )
        return policy

    async def _add_keys(self, what: str, rows: Rows, keys: Iterable[KeyLike], encoder: ReadEncoder) -> None:
        observers = self._cluster.observers
        staged = observers is not None and observers.staged
        began = time.perf_counter() if staged else 0.0
        rows.add_all(await checked_keys(keys, what), encoder)
        if observers is not None and staged:
            observers.stage(what, "key_parse", began)

    async def _carry_out(self, what: str, rows: Rows, policy: BatchPolicy) -> BatchResults:
        if not rows.keys:
            await trio.lowlevel.checkpoint()
            return BatchResults()
        return BatchResults(await self._batch_results(what, rows, policy))

    async def _batch_results(
        self, what: str, rows: Rows, policy: BatchPolicy, make_reader: execution.MakeReader | None = None
    ) -> list[BatchResult]:
        """Send a batch; ``make_reader`` as in ``_cluster.batch.Batch``."""
        batch = execution.Batch(
            what, rows.keys, rows.row_payloads, policy, rows.writes, make_reader, uniform=rows.uniform, alike=rows.alike
        )
        results, fault = await self._executor.run_batch(batch)
        if fault is not None:
            raise fault
        return results


def add_write(rows: Rows, record: WriteLike, encoder: WriteEncoder, where: str) -> None:
    """Put a record to write behind the rows of a batch.

    Args:
        rows: the batch.
        record: a pair of key and bins, or a :class:`BatchWrite`.
        encoder: how pairs are written.
        where: which record it is, for messages.

    Raises:
        InvalidArgError: the record is invalid.
    """
    if isinstance(record, BatchWrite):
        rows.add(record.key, record._encoder)
        return
    if not isinstance(record, tuple) or len(record) != 2:
        raise refused(where, record, "a pair of key and bins, or a BatchWrite")
    key = as_key(record[0])
    rows.add(key, encoder, encoder.payload_with(key, writes_of(record[1]), len(record[1])))


def _source(source: T, where: str, allowed: str) -> T:
    """Check the source of a stream.

    Raises:
        InvalidArgError: it is not iterable.
    """
    if isinstance(source, (str, bytes, Mapping, Key)) or not isinstance(source, (Iterable, AsyncIterable)):
        raise refused(where, source, allowed)
    return source


async def checked_keys(keys: Iterable[KeyLike], what: str) -> list[Key]:
    """The keys of a batch; other tasks run while many are made.

    Raises:
        InvalidArgError: a key is invalid; ``what`` is the call, for messages.
    """
    if isinstance(keys, (str, bytes, Key)) or not isinstance(keys, Iterable):
        raise refused(f"{what}.keys", keys, "a list of keys")
    time_slice = TimeSlice()
    remaining = iter(keys)
    checked: list[Key] = []
    while piece := [key if type(key) is Key else as_key(key) for key in islice(remaining, _FEW_KEYS)]:
        checked += piece
        if len(piece) < _FEW_KEYS:
            break
        await time_slice.give_way()
    return checked
