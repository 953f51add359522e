"""What trio_aerospike returns, as the named tuples of aerospike_py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .types import (
    AerospikeKey,
    BatchRecord,
    BinTuple,
    ExistsResult,
    InfoNodeResult,
    OperateOrderedResult,
    Record,
    RecordMetadata,
)

if TYPE_CHECKING:
    from trio_aerospike import records as native
    from trio_aerospike.keys import Key

#: The ``ttl`` of a record that never expires.
NEVER_EXPIRES = 0xFFFFFFFF


def aerospike_key(key: Key) -> AerospikeKey:
    """A key with its digest."""
    return AerospikeKey(key.namespace, key.set_name, key.user_key, key.digest)


def _metadata(generation: int, ttl: int | None) -> RecordMetadata:
    return RecordMetadata(generation, NEVER_EXPIRES if ttl is None else ttl)


def record(found: native.Record) -> Record:
    """A record that was read."""
    return Record(aerospike_key(found.key), _metadata(found.generation, found.ttl), found.bins)


def exists_result(key: Key, found: native.Metadata | None) -> ExistsResult:
    """Whether the record with ``key`` exists."""
    return ExistsResult(aerospike_key(key), None if found is None else _metadata(found.generation, found.ttl))


def operate_record(found: native.OrderedResult) -> Record:
    """The results of operations by bin: several results for one bin come as a list of them."""
    bins: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in found.ordered:
        if name not in bins:
            bins[name] = value
        elif name in repeated:
            bins[name].append(value)
        else:
            bins[name] = [bins[name], value]
            repeated.add(name)
    return Record(aerospike_key(found.key), _metadata(found.generation, found.ttl), bins)


def ordered_result(found: native.OrderedResult) -> OperateOrderedResult:
    """The results of operations, one after the other."""
    bins = [BinTuple(name, value) for name, value in found.ordered]
    return OperateOrderedResult(aerospike_key(found.key), _metadata(found.generation, found.ttl), bins)


def batch_record(row: native.BatchResult) -> BatchRecord:
    """One row of a batch."""
    found = row.record
    return BatchRecord(
        aerospike_key(row.key), int(row.result_code), None if found is None else record(found), row.in_doubt
    )


def info_results(answers: Iterable[native.InfoResult]) -> list[InfoNodeResult]:
    """What the nodes answered."""
    return [InfoNodeResult(answer.node_name, answer.error_code, answer.response) for answer in answers]
