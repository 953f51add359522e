"""Batches that write: convert their rows, run them, and retry them as ``retry`` says.

Rows are converted in the client's Trio run and in time slices, so that an event loop in another thread is not held up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import trio

import trio_aerospike
from trio_aerospike.batch import BatchApply, BatchRecord as NativeRecord, BatchRemove, BatchWrite, BatchWritePolicy
from trio_aerospike.errors import AerospikeError
from trio_aerospike.keys import KeyLike
from trio_aerospike.policies import BatchPolicy, Exists, GenerationCheck
from trio_aerospike.records import BatchResult
from trio_aerospike.retry import Action, RetryState, gravest, outcome_of
from trio_aerospike.validation import checked_int, refused

from .._conversion import results
from .._conversion.batch_policies import row_apply_policy, row_remove_policy, row_write_policy
from .._conversion.bins import check_bins
from .._conversion.keys import to_key
from .._conversion.policies import PolicyReader
from .._conversion.policy_fields import CALL_FIELDS
from .._observability.metrics import named
from .._operations.conversion import with_ttl
from .._runtime.time_slices import convert_in_slices, in_slices
from ..types import BatchRetryInfo, BatchWriteResult

Policy = Mapping[str, Any] | None
T = TypeVar("T")

#: Seconds, the base of the back-off where the policy has no ``sleep_between_retries``.
_BACKOFF: Final = 0.01
#: Seconds for which rows that were not sent, or whose partition no node serves, are retried without a total_timeout.
_PATIENCE: Final = 10.0
#: The largest number of retries that is allowed.
RETRIES_MAX: Final = 10_000


async def batch_write(
    native: trio_aerospike.Client, reader: PolicyReader, records: Iterable[Any], policy: Policy, retry: int
) -> BatchWriteResult:
    """Write many records; see ``Client.batch_write``."""
    checked_int("batch_write.retry", retry, 0, RETRIES_MAX)
    if isinstance(records, (str, bytes, Mapping)) or not isinstance(records, Iterable):
        raise refused("batch_write.records", records, "a list of (key, bins) or (key, bins, meta)")
    common = row_write_policy(reader, policy)
    batch_policy = reader.batch(policy)
    given = await convert_in_slices(list(enumerate(records)), lambda numbered: _write_row(*numbered, reader, policy))
    if not retry:
        rows: list[BatchResult] = await native.batch_write(given, policy=batch_policy, write_policy=common)
        return BatchWriteResult(await convert_in_slices(rows, results.written_row))
    rows, info = await write_with_retries(native, given, batch_policy or BatchPolicy(), common, retry)
    return BatchWriteResult(await convert_in_slices(rows, results.written_row), info)


_ROW_ALLOWED: Final = "(key, bins) or (key, bins, meta)"


def _write_row(number: int, record: Any, reader: PolicyReader, policy: Policy) -> Any:
    where = f"batch_write.records[{number}]"
    if not isinstance(record, (tuple, list)):
        raise refused(where, record, f"{_ROW_ALLOWED}: it must be a tuple of (key, bins)")
    if len(record) < 2:
        raise refused(where, record, f"{_ROW_ALLOWED}: it must have at least 2 elements")
    if len(record) > 3:
        raise refused(where, record, _ROW_ALLOWED)
    key, bins = to_key(record[0]), record[1]
    if type(bins) is not dict:
        check_bins(f"{where}[1]", bins)
    meta = record[2] if len(record) == 3 else None
    if meta is None:
        return (key, bins)
    if not isinstance(meta, Mapping):
        raise refused(f"{where}[2]", meta, "a WriteMeta: a meta element must be a dict")
    return BatchWrite(key, bins, policy=row_write_policy(reader, policy, meta))


class BatchWriter(Protocol):
    """Writes the rows of a batch: a client, or rows of an array."""

    def batch_write(
        self, rows: Sequence[Any], /, *, policy: BatchPolicy, write_policy: BatchWritePolicy
    ) -> Awaitable[Sequence[BatchResult]]:
        """Write some of the rows, once."""


async def write_with_retries(
    writer: BatchWriter, given: list[Any], batch_policy: BatchPolicy, common: BatchWritePolicy, retry: int
) -> tuple[list[BatchResult], BatchRetryInfo]:
    """Write a batch, and retry the rows that may succeed then, within the policy's ``total_timeout``.

    A row in doubt may have been written. It is retried only if writing it twice is the same as writing it once: without
    a check of its generation or existence. Whether a failure is retried, and when, is the decision of
    ``trio_aerospike.retry``.
    """
    total, now = batch_policy.total_timeout, trio.current_time()
    deadline = now + (float("inf") if total is None else total)
    state = RetryState(
        retry, batch_policy.sleep_between_retries or _BACKOFF, began=now, limit=deadline, patience=_PATIENCE
    )
    rows: list[BatchResult | None] = [None] * len(given)
    left = list(range(len(given)))  # the indexes of rows to write
    doubted: set[int] = set()
    truncated = False
    attempts = 0
    policy = batch_policy.replace(max_retries=0)  # the retries are made here
    while True:
        problem: AerospikeError | None = None
        failures: list[AerospikeError] = []
        attempts += 1
        try:
            found = await writer.batch_write([given[place] for place in left], policy=policy, write_policy=common)
        except AerospikeError as error:
            problem = error
            error.in_doubt = error.in_doubt or not doubted.isdisjoint(left)
            if not error.retryable or (
                error.in_doubt and not all(_is_idempotent(given[place], common) for place in left)
            ):
                break
            failures.append(error)
            if error.in_doubt:
                doubted.update(left)
        else:
            again = []
            for place, row in zip(left, found, strict=True):
                rows[place] = row
                if row.result_code:
                    row.in_doubt = row.in_doubt or place in doubted
                    if row.error is not None and _may_retry(row, given[place], common):
                        again.append(place)
                        failures.append(row.error)
                        if row.in_doubt:
                            doubted.add(place)
            left = again
        if not left:
            break
        outcome, sent = gravest((outcome_of(error), True) for error in failures)
        before = state.retries
        node = failures[-1].node
        decision = state.failed(outcome, sent=sent, write=True, now=trio.current_time(), node=node)
        if decision.action is Action.RAISE:
            truncated = before < retry
            break
        await trio.sleep(decision.delay)
        if total is not None:
            policy = policy.replace(total_timeout=max(deadline - trio.current_time(), 0.001))
    answered = [row for row in rows if row is not None]
    if problem is not None and not answered:
        if state.retries:
            problem.attempts, problem.history = state.attempts, state.history
        raise problem
    return answered, BatchRetryInfo(attempts, retry + 1, truncated, len(left))


def _is_idempotent(given: Any, common: BatchWritePolicy) -> bool:
    policy = given.policy if isinstance(given, BatchWrite) and given.policy is not None else common
    return policy.generation_check is GenerationCheck.IGNORE and policy.exists is not Exists.CREATE_ONLY


def _may_retry(row: BatchResult, given: Any, common: BatchWritePolicy) -> bool:
    return row.error is not None and row.error.retryable and (not row.in_doubt or _is_idempotent(given, common))


async def batch_operate(
    native: trio_aerospike.Client,
    reader: PolicyReader,
    keys: Sequence[KeyLike],
    ops: Iterable[Mapping[str, Any]],
    policy: Policy,
) -> BatchWriteResult:
    """Carry out the same operations on many records; see ``Client.batch_operate``."""
    operations, ttl = with_ttl(ops)
    is_write = any(operation.is_write for operation in operations)
    write_policy = row_write_policy(reader, policy, ttl=ttl) if is_write else None
    rows: list[BatchResult] = await native.batch_operate(
        in_slices(_listed("batch_operate", keys), to_key),
        operations,
        policy=reader.batch(policy),
        write_policy=write_policy,
    )
    return BatchWriteResult(await convert_in_slices(rows, results.written_row))


async def batch_remove(
    native: trio_aerospike.Client, reader: PolicyReader, keys: Sequence[Any], policy: Policy
) -> BatchWriteResult:
    """Remove many records; see ``Client.batch_remove``."""
    common = row_remove_policy(reader, policy)

    def remove(item: Any) -> NativeRecord:
        key, meta = _key_and_meta("batch_remove", item)
        return BatchRemove(to_key(key), policy=common if meta is None else row_remove_policy(reader, policy, meta))

    with named("batch_remove"):
        return await _each(native, reader, [*in_slices(_listed("batch_remove", keys), remove)], policy)


async def batch_apply(
    native: trio_aerospike.Client,
    reader: PolicyReader,
    keys: Sequence[Any],
    module: str,
    function: str,
    args: Sequence[Any] | None,
    policy: Policy,
) -> BatchWriteResult:
    """Call a user-defined function on many records; see ``Client.batch_apply``."""
    common = row_apply_policy(reader, policy)
    arguments = () if args is None else args

    def apply(item: Any) -> NativeRecord:
        key, meta = _key_and_meta("batch_apply", item)
        if meta is None:
            return BatchApply(to_key(key), module, function, arguments, policy=common)
        own = {name: value for name, value in meta.items() if name not in CALL_FIELDS}
        return BatchApply(
            to_key(key),
            meta.get("module", module),
            meta.get("function", function),
            meta.get("args", arguments),
            policy=row_apply_policy(reader, policy, own),
        )

    with named("batch_apply"):
        return await _each(native, reader, [*in_slices(_listed("batch_apply", keys), apply)], policy)


async def _each(
    native: trio_aerospike.Client, reader: PolicyReader, records: list[Any], policy: Policy
) -> BatchWriteResult:
    rows: list[BatchResult] = await native.batch(records, policy=reader.batch(policy))
    return BatchWriteResult(await convert_in_slices(rows, results.written_row))


def _listed(what: str, keys: Sequence[T]) -> Sequence[T]:
    if isinstance(keys, (str, bytes, Mapping)) or not isinstance(keys, Sequence):
        raise refused(f"{what}.keys", keys, "a list of keys")
    return keys


def _key_and_meta(what: str, item: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """Return a row's key, and its meta if the row is a pair of both."""
    if isinstance(item, (tuple, list)) and len(item) == 2:
        key, meta = item
        if isinstance(key, str):
            to_key(item)  # a key with a part missing: raises
        if meta is not None and not isinstance(meta, Mapping):
            raise refused(f"{what}.keys", item, "keys, or pairs of a key and its meta, which must be a dict")
        return key, meta
    return item, None
