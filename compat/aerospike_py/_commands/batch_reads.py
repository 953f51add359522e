"""Batches of reads, converted as far as the caller will ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import trio_aerospike
from trio_aerospike.arrays import KeyColumns
from trio_aerospike.keys import KeyLike
from trio_aerospike.policies import BatchPolicy
from trio_aerospike.validation import refused

from .._conversion.keys import to_key
from .._observability.metrics import stage_clock, stage_done
from .._runtime.time_slices import in_slices_if_many
from ..numpy_batch import index_user_keys
from .lazy_batch import LazyBatchRecords
from .usage_hints import UsageHints


async def batch_read(
    native: trio_aerospike.Client,
    keys: Iterable[KeyLike],
    bins: Sequence[str] | None,
    policy: BatchPolicy | None,
    hints: UsageHints,
    called: float = 0.0,
) -> LazyBatchRecords:
    """Read many records; see ``Client.batch_read``. What takes long is done here, not where results are asked for."""
    began = stage_done("tokio_schedule_delay", called)
    if isinstance(keys, (str, bytes, Mapping)) or not isinstance(keys, Iterable):
        raise refused("batch_read.keys", keys, "a list of keys")
    if bins is not None and not isinstance(bins, (str, bytes)) and isinstance(bins, Iterable):
        bins = list(bins)
    columns = KeyColumns(in_slices_if_many(keys), to_key)
    stage_done("key_parse", began)
    hint = hints.of(columns, bins)
    lazy = await native.batch_read_lazy(columns, bins, decode=hint.decodes, policy=policy)
    indexes = None
    if not lazy.decoded or hint.finds_rows(len(columns)):
        lazy.find_rows()
        indexes = index_user_keys(columns.user_keys)
    found = LazyBatchRecords(lazy, hint, indexes)
    await found._prepare()
    found._finished = stage_clock()
    return found
