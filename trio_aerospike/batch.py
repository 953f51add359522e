"""Records of mixed batches: each with its own key, operations and policy.

``client.batch([...])`` takes records of the classes here, in any mixture; each has a key, operations and, optionally, a
policy of its own. The calls that do the same with every key (``batch_read``, ``batch_write``, ``batch_operate``,
``batch_remove``, ``batch_apply``) take keys and one policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from trio_aerospike._batch.policies import (
    BatchApplyPolicy as BatchApplyPolicy,
    BatchReadPolicy as BatchReadPolicy,
    BatchRemovePolicy as BatchRemovePolicy,
    BatchWritePolicy as BatchWritePolicy,
)
from trio_aerospike._batch.rows import ApplyEncoder, Ops, ReadEncoder, RemoveEncoder, WriteEncoder
from trio_aerospike._batch.streams import BatchStream as BatchStream, StreamCounts as StreamCounts
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.keys import Key, KeyLike as KeyLike, as_key
from trio_aerospike.operations import Operation
from trio_aerospike.records import BatchResult as BatchResult, BatchResults as BatchResults

__all__ = [
    "BatchApply",
    "BatchApplyPolicy",
    "BatchRead",
    "BatchReadPolicy",
    "BatchRecord",
    "BatchRemove",
    "BatchRemovePolicy",
    "BatchResult",
    "BatchResults",
    "BatchStream",
    "BatchWrite",
    "BatchWritePolicy",
    "StreamCounts",
]


@attrs.frozen(eq=False)
class BatchRecord:
    """Base class of the records of a mixed batch."""

    key: Key = attrs.field(converter=as_key)
    """The key; a tuple is converted."""


@attrs.frozen(eq=False)
class BatchRead(BatchRecord):
    """Read a record.

    Args:
        key: the record.
        bins: names of the bins; None for all, an empty list for no bins (only metadata).
        operations: read operations, in place of ``bins``.
        policy: policy of this record; None for the batch's.

    Raises:
        InvalidArgError: bins and operations are both given, or one of them is invalid.
    """

    bins: Iterable[str] | None = None
    operations: Iterable[Operation] | None = attrs.field(default=None, kw_only=True)
    policy: BatchReadPolicy | None = attrs.field(default=None, kw_only=True)
    _encoder: ReadEncoder = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        encoder = ReadEncoder("BatchRead", self.bins, self.operations, self.policy)
        object.__setattr__(self, "_encoder", encoder)


@attrs.frozen(eq=False)
class BatchWrite(BatchRecord):
    """Write a record, by bins or by operations, which may read as well.

    Args:
        key: the record.
        bins: values by bin name; None as a value removes the bin.
        operations: operations in place of ``bins``, in order, all or nothing.
        ttl: seconds until the record expires; None for the policy's.
        generation: write only if the record's generation is this one; None for the policy's check.
        policy: policy of this record; None for the defaults.

    Raises:
        InvalidArgError: not exactly one of bins and operations is given, no operation writes, or a value is invalid.
    """

    bins: Mapping[str, Any] | None = None
    operations: Iterable[Operation] | None = attrs.field(default=None, kw_only=True)
    ttl: int | None = attrs.field(default=None, kw_only=True)
    generation: int | None = attrs.field(default=None, kw_only=True)
    policy: BatchWritePolicy | None = attrs.field(default=None, kw_only=True)
    _encoder: WriteEncoder = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if (self.bins is None) == (self.operations is None):
            count = "both" if self.bins is not None else "neither"
            raise InvalidArgError(f"BatchWrite: got {count} of bins and operations, allowed: one of them")
        ops = Ops(self.operations, "BatchWrite") if self.operations is not None else Ops.of_bins(self.bins or {})
        if not ops.writes:
            raise InvalidArgError("BatchWrite.operations: got only reads, allowed: at least one that writes")
        encoder = WriteEncoder(ops, self.ttl, self.generation, self.policy, "BatchWrite")
        object.__setattr__(self, "_encoder", encoder)


@attrs.frozen(eq=False)
class BatchRemove(BatchRecord):
    """Remove a record.

    Args:
        key: the record.
        generation: remove only if the record's generation is this one; None for the policy's check.
        policy: policy of this record; None for the defaults.
    """

    generation: int | None = attrs.field(default=None, kw_only=True)
    policy: BatchRemovePolicy | None = attrs.field(default=None, kw_only=True)
    _encoder: RemoveEncoder = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_encoder", RemoveEncoder(self.generation, self.policy, "BatchRemove"))


@attrs.frozen(eq=False)
class BatchApply(BatchRecord):
    """Run a user-defined function on a record.

    Args:
        key: the record.
        module: name of the registered module, without ``.lua``.
        function: name of the function in it.
        arguments: the arguments of the function after the record.
        policy: policy of this record; None for the defaults.
    """

    module: str
    function: str
    arguments: Sequence[Any] = ()
    policy: BatchApplyPolicy | None = attrs.field(default=None, kw_only=True)
    _encoder: ApplyEncoder = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        encoder = ApplyEncoder(self.module, self.function, self.arguments, self.policy, "BatchApply")
        object.__setattr__(self, "_encoder", encoder)
