"""Commands on many records at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import trio

from ._wire.batch import encode_batch_read
from .errors import AerospikeError, InvalidArgError, error_from_code
from .keys import Key, KeyLike, as_key
from .policies import BatchPolicy, chosen
from .records import BatchResult, Record
from .validation import checked_bin_name, refused

if TYPE_CHECKING:
    from ._cluster.cluster import Cluster
    from ._cluster.commands import Executor


class BatchCommands:
    """The part of the client that works on many records in one call."""

    _cluster: Cluster
    _executor: Executor
    _batch_policy: BatchPolicy

    async def batch_read(
        self, keys: Iterable[KeyLike], bins: Iterable[str] | None = None, *, policy: BatchPolicy | None = None
    ) -> list[BatchResult]:
        """Read many records: one request a node, all nodes at once.

        A key that cannot be served does not fail the others: its result says why. Only when no key at all was answered
        is the reason raised.

        Args:
            keys: the records; a key may stand there more than once.
            bins: names of the bins to read; None for all, an empty list for none (do the records exist?).
            policy: how; None for the client's batch policy.

        Returns:
            One result a key, in the order of the keys.

        Raises:
            AerospikeError: why no key was answered.
            InvalidArgError: a key or a bin name is none; nothing was sent.
        """
        policy = chosen(policy, self._batch_policy, BatchPolicy)
        if policy.send_key:
            raise InvalidArgError("BatchPolicy.send_key: got True, allowed: False, as batch reads go by digest alone")
        if not isinstance(keys, Iterable):
            raise refused("batch_read.keys", keys, "a list of keys")
        listed = [key if type(key) is Key else as_key(key) for key in keys]
        names = None if bins is None else _names(bins)
        if not listed:
            await trio.lowlevel.checkpoint()
            return []

        def encode(rows: Sequence[tuple[int, Key]], ttl: int) -> bytes:
            return encode_batch_read(
                [(index, key.namespace, key.set_name, key.digest) for index, key in rows],
                names,
                flags=policy._batch_flags,
                row_info1=policy._info1,
                row_info3=policy._info3,
                read_touch_ttl=policy._wire_ttl,
                transaction_ttl=ttl,
                filter_expression=policy.filter_expression,
            )

        run = await self._executor.run_batch("batch_read", listed, policy, encode)
        results = []
        for index, (key, row) in enumerate(zip(listed, run.answers, strict=True)):
            if row is None:
                fault = copy.copy(run.faults[index])  # what is raised gathers a traceback, each its own
                results.append(BatchResult(key, int(fault.result_code), None, fault))
            elif row.result_code:
                results.append(BatchResult(key, row.result_code, None, _refused(key, row.result_code)))
            elif row.error is not None:
                results.append(BatchResult(key, int(row.error.result_code), None, row.error))
            else:
                results.append(BatchResult(key, 0, Record(key, row.bins, row.generation, row.void_time)))
        if run.faults and not any(row is not None for row in run.answers):
            raise next(iter(run.faults.values()))
        return results


def _refused(key: Key, code: int) -> AerospikeError:
    return error_from_code(code, f"batch_read {key!r}: {error_from_code(code).message}", attempts=1)


def _names(bins: Iterable[str]) -> list[str]:
    if isinstance(bins, (str, bytes)) or not isinstance(bins, Iterable):
        raise refused("batch_read.bins", bins, "a list of bin names, or None for all")
    return [checked_bin_name(name, "batch_read.bins") for name in bins]
