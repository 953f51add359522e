"""Background jobs: write to all records that a query finds."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Never

from .._batch.udf_call import check_policy, checked_call
from .._lazy import LazyModule
from .._observers import instrumented
from .._wire.query import QueryHead, encode_background_query
from ..exp import Expression
from ..jobs import BackgroundJob
from ..operations import Operation
from ..policies import WritePolicy, chosen
from ..predicates import Predicate
from ..validation import checked_int, refused, unknown_argument
from .info import InfoCommands
from .query import filter_bytes, predicate_fields, query_scope

if TYPE_CHECKING:
    from .._cluster.execution import background as execution
else:
    execution = LazyModule("trio_aerospike._cluster.execution.background")

__all__ = ["BackgroundCommands"]

_U32_MAX = 0xFFFF_FFFF


class BackgroundCommands(InfoCommands):
    """The part of the client that starts background jobs on the servers."""

    @instrumented
    async def query_operate(
        self,
        namespace: str,
        set_name: str | None,
        operations: Iterable[Operation],
        *,
        where: Predicate | None = None,
        filter: Expression | bytes | None = None,
        records_per_second: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> BackgroundJob:
        """Have the servers carry out operations on all records that a query finds, in the background.

        Records are updated, never created. Each node works through the records of which it is the master; what fails is
        counted, not reported. A node that is lost on the way leaves its part undone, which the job says: its
        ``wait`` raises ClusterError, its progress names the nodes.

        Args:
            namespace, set_name, where, filter: which records, as for :meth:`query`.
            operations: operations that write; none may read.
            records_per_second: for each node; None for the server's limit.
            policy: ``total_timeout`` and the retries (of the start of the job), ``ttl``, ``exists`` (UPDATE or
                REPLACE_ONLY) and ``durable_delete`` count; None for the client's write policy. A start that may have
                reached a node is never repeated there.

        Returns:
            The job: ``await job.wait(timeout)``, ``await job.cancel()``.

        Raises:
            InvalidArgError: an argument is invalid.
            RecordNotFound: there is no such set.
            AerospikeError: what a node refused, or why one could not be asked. The job may go on on others: its number
                is in the message.
        """
        if unknown:
            raise unknown_argument(self, "query_operate", unknown)
        ops = list(operations) if isinstance(operations, Iterable) else []
        if not ops:
            raise refused("query_operate.operations", operations, "operations that write, one or more")
        for place, op in enumerate(ops):
            if not isinstance(op, Operation) or not op.is_write:
                raise refused(f"query_operate.operations[{place}]", op, "an operation that writes")
        return await self._start_background(
            "query_operate", namespace, set_name, where, filter, records_per_second, policy, ops=ops
        )

    @instrumented
    async def query_apply(
        self,
        namespace: str,
        set_name: str | None,
        module: str,
        function: str,
        arguments: Iterable[Any] = (),
        *,
        where: Predicate | None = None,
        filter: Expression | bytes | None = None,
        records_per_second: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> BackgroundJob:
        """Have the servers call a function on all records that a query finds, in the background.

        The function may change and remove records; none is created, and what it returns goes nowhere. Each node works
        through the records of which it is the master; calls that fail are counted, not reported. A node that is lost on
        the way leaves its part undone, which the job says: its ``wait`` raises ClusterError, its progress names the
        nodes.

        Args:
            namespace, set_name, where, filter: which records, as for :meth:`query`.
            module: name of the registered module, without ``.lua``.
            function: its function; it gets the record and then the arguments.
            arguments: values that the database can hold.
            records_per_second: for each node; None for the server's limit.
            policy: ``total_timeout`` and the retries (of the start of the job), ``ttl`` and ``durable_delete`` count;
                None for the client's write policy. Checks of existence and generation are refused, as with
                :meth:`apply`.

        Returns:
            The job: ``await job.wait(timeout)``, ``await job.cancel()``. Where there is no such module or function, all
            its calls have failed.

        Raises:
            InvalidArgError: an argument is invalid.
            RecordNotFound: there is no such set.
            AerospikeError: what a node refused, or why one could not be asked. The job may go on on others: its number
                is in the message.
        """
        if unknown:
            raise unknown_argument(self, "query_apply", unknown)
        udf = checked_call("query_apply", module, function, arguments)
        check_policy("query_apply", chosen(policy, self._config.write_policy, WritePolicy))
        return await self._start_background(
            "query_apply", namespace, set_name, where, filter, records_per_second, policy, udf=udf
        )

    async def _start_background(
        self,
        what: str,
        namespace: str,
        set_name: str | None,
        where: Predicate | None,
        filter: Expression | bytes | None,
        records_per_second: int | None,
        policy: WritePolicy | None,
        *,
        ops: Iterable[Operation] = (),
        udf: tuple[str, str, bytes] | None = None,
    ) -> BackgroundJob:
        """Start a job on all nodes: operations, or a UDF (module, function, packed arguments)."""
        self._cluster.trio_run.check(what)
        policy = chosen(policy, self._config.write_policy, WritePolicy)
        name, group = query_scope(what, namespace, set_name)
        encoded = [op.encode() for op in ops]
        rate = 0
        if records_per_second is not None:
            rate = checked_int(f"{what}.records_per_second", records_per_second, 1, _U32_MAX)
        head = QueryHead(
            namespace=name,
            set_name=group,
            trid=secrets.randbits(63) | 1,
            records_per_second=rate,
            # Only the word that it has begun is waited for.
            socket_timeout=10_000,
            filter_expression=filter_bytes(what, policy.filter_expression if filter is None else filter),
            ops=b"".join(encoded),
            n_ops=len(encoded),
            **predicate_fields(what, where),
        )
        frame = encode_background_query(
            head, info2=policy._info2, info3=policy._info3, record_ttl=policy._wire_ttl, udf=udf
        )
        text = f"{what} on {name!r}" + (f", set {group!r}" if group else "")
        nodes = await execution.start_on_all(self._cluster, self._executor, text, name, frame, policy, head.trid)
        return BackgroundJob(text, self.info_all, head.trid, nodes)
