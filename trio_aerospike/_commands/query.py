"""Queries and scans: records of many partitions as a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Never

import attrs

from .._lazy import LazyModule
from .._wire import constants as wire
from .._wire.commands import op_name_only
from .._wire.query import QueryHead
from .._wire.query_answers import AnswerDecoder
from ..errors import InvalidArgError
from ..exp import Expression
from ..operations import Operation
from ..policies import chosen, packed_filter
from ..predicates import Predicate
from ..query import Cursor, PartitionFilter, QueryDuration, QueryPolicy
from ..validation import checked_bin_name, checked_int, checked_text, refused, unknown_argument
from .base import CommandFamily
from .record_stream import SCANNED, Records, UnreadableRecord

if TYPE_CHECKING:
    from .._cluster.execution import query as execution, query_plan
    from .._cluster.tend import cluster as tend
else:
    execution = LazyModule("trio_aerospike._cluster.execution.query")
    query_plan = LazyModule("trio_aerospike._cluster.execution.query_plan")
    tend = LazyModule("trio_aerospike._cluster.tend.cluster")

__all__ = ["QueryCommands"]

_U32_MAX = 0xFFFF_FFFF
_U63_MAX = (1 << 63) - 1


class QueryCommands(CommandFamily):
    """The part of the client that queries and scans."""

    def query(
        self,
        namespace: str,
        set_name: str | None = None,
        *,
        where: Predicate | None = None,
        filter: Expression | bytes | None = None,
        bins: Iterable[str] | None = None,
        operations: Iterable[Operation] | None = None,
        max_records: int | None = None,
        records_per_second: int | None = None,
        partitions: PartitionFilter | None = None,
        cursor: Cursor | None = None,
        policy: QueryPolicy | None = None,
        **unknown: Never,
    ) -> Records:
        """Query or scan: the records of a set or namespace that match a predicate and a filter.

        Use it as ``async with client.query(...) as records: async for record in records: ...``, or for few records as
        ``await client.query(...).results()``.

        Args:
            namespace: the namespace.
            set_name: the set; None or "" for all sets.
            where: what to look for through a secondary index (:mod:`trio_aerospike.predicates`); None for all records.
            filter: an expression that a record has to meet; the servers leave out the others.
            bins: names of the bins to read; None for all, an empty list for none. A record that has none of those that
                are named does not come.
            operations: reading operations to carry out on each record, in place of ``bins``.
            max_records: how many records at the most. With ``records.cursor`` that makes pages.
            records_per_second: how many each server may look at in a second.
            partitions: a part of the namespace; None for all of it.
            cursor: where an earlier query of the same kind stood: only what it had left is looked at.
            policy: how; None for the client's query policy.

        Returns:
            The records; nothing has been sent yet.

        Raises:
            InvalidArgError: an argument is invalid, or the cursor is of another query.
        """
        if unknown:
            raise unknown_argument(self, "query", unknown)
        policy = chosen(policy, self._config.query_policy, QueryPolicy)
        head = _query_head(namespace, set_name, where, filter, records_per_second, policy)
        head = _with_reads(head, bins, operations)
        record_max = 0 if max_records is None else checked_int("query.max_records", max_records, 1, _U63_MAX)
        place = _place(head, where, partitions, cursor)
        what = f"query of {head.namespace!r}" + (f", set {head.set_name!r}" if head.set_name else "")
        if where is not None:
            what += f", where {where}"

        def make_stream(records: Records) -> execution.QueryStream:
            return self._make_stream(records, head, what, place, where, record_max, policy)

        return Records(self._cluster, make_stream, what, place)

    def _make_stream(
        self,
        records: Records,
        head: QueryHead,
        what: str,
        place: Cursor,
        where: Predicate | None,
        record_max: int,
        policy: QueryPolicy,
    ) -> execution.QueryStream:
        states = [
            query_plan.PartitionState(number, None if digest is None else (digest, value))
            for number, digest, value in place.places
        ]
        plan: query_plan.QueryPlan[Any] = query_plan.QueryPlan(states, record_max, nodes_count=not head.n_ops)
        records._note = plan.handed_on
        records._open_places = lambda: tuple(
            (state.number, None, 0) if state.place is None else (state.number, *state.place) for state in plan.open
        )
        if where is not None and where.is_element_range:
            records._seen = set(place.seen)
        return execution.QueryStream(
            self._cluster,
            self._executor,
            what,
            head,
            plan,
            policy,
            AnswerDecoder(SCANNED, UnreadableRecord),
            lambda: "" if where is None else where.hint(head.namespace, head.set_name),
        )


def query_scope(what: str, namespace: object, set_name: object) -> tuple[str, str]:
    """Namespace and set of a query; "" for all sets.

    Raises:
        InvalidArgError: one of them is invalid.
    """
    checked = checked_text(f"{what}.namespace", namespace, 1, wire.NAMESPACE_MAX)
    if set_name is None:
        return checked, ""
    return checked, checked_text(f"{what}.set_name", set_name, 0, wire.SET_NAME_MAX)


def predicate_fields(what: str, where: object) -> dict[str, Any]:
    """The fields of a query's head that a predicate sets.

    Raises:
        InvalidArgError: it is invalid.
    """
    if where is None:
        return {}
    if not isinstance(where, Predicate):
        raise refused(f"{what}.where", where, "a predicate made by trio_aerospike.predicates, or None")
    return {
        "where": where.range,
        "index_type": int(where.collection),
        "index_name": where.index,
        "index_context": where.context,
        "index_expression": where.expression,
    }


def filter_bytes(what: str, expression: Any) -> bytes | None:
    """A filter expression as bytes.

    Raises:
        InvalidArgError: it is invalid.
    """
    packed: Any = packed_filter(expression)
    if packed is not None and not isinstance(packed, (bytes, str)) and hasattr(packed, "encode"):
        packed = packed.encode()
    if packed is None or (isinstance(packed, bytes) and packed):
        return packed
    raise refused(f"{what}.filter", expression, "an exp.Expression that gives a bool, a packed one as bytes, or None")


def _query_head(
    namespace: str,
    set_name: str | None,
    where: Predicate | None,
    filter: Any,
    records_per_second: int | None,
    policy: QueryPolicy,
) -> QueryHead:
    name, group = query_scope("query", namespace, set_name)
    short = policy.expected_duration is QueryDuration.SHORT
    rate = 0
    if records_per_second is not None:
        rate = checked_int("query.records_per_second", records_per_second, 1, _U32_MAX)
        if short:
            raise refused("query.records_per_second", rate, "None where expected_duration is SHORT")
    return QueryHead(
        namespace=name,
        set_name=group,
        short=short,
        relax=policy.expected_duration is QueryDuration.LONG_RELAX_AP,
        records_per_second=rate,
        filter_expression=filter_bytes("query", filter),
        **predicate_fields("query", where),
    )


def _with_reads(head: QueryHead, bins: Any, operations: Any) -> QueryHead:
    """The head with what is read of each record."""
    if operations is not None:
        if bins is not None:
            raise InvalidArgError("query: got bins and operations, allowed: one of them; an operation can read a bin")
        ops = list(operations) if isinstance(operations, Iterable) else []
        allowed = "operations that read, one or more"
        if not ops:
            raise refused("query.operations", operations, allowed)
        for place, op in enumerate(ops):
            if not isinstance(op, Operation) or op.is_write or not op.bin_name:
                raise refused(f"query.operations[{place}]", op, f"{allowed}; all bins are read without any")
        return attrs.evolve(head, ops=b"".join([op.encode() for op in ops]), n_ops=len(ops))
    if bins is None:
        return head
    if isinstance(bins, (str, bytes)) or not isinstance(bins, Iterable):
        raise refused("query.bins", bins, "a list of bin names, or None for all")
    names = [checked_bin_name(name, "query.bins") for name in bins]
    if not names:
        return attrs.evolve(head, no_bins=True)
    ops_read = [op_name_only(wire.OP_READ, name) for name in names]
    return attrs.evolve(head, ops=b"".join(ops_read), n_ops=len(ops_read))


def _place(
    head: QueryHead, where: Predicate | None, partitions: PartitionFilter | None, cursor: Cursor | None
) -> Cursor:
    """Where the query begins."""
    identity = b"" if where is None else where.identity()
    if cursor is not None:
        if not isinstance(cursor, Cursor):
            raise refused("query.cursor", cursor, "what records.cursor gave, or None")
        if partitions is not None:
            raise InvalidArgError("query: got a cursor and partitions, allowed: one of them")
        cursor.check(head.namespace, head.set_name, "", cursor.nodes, identity)
        return cursor
    chosen_part = PartitionFilter.all() if partitions is None else partitions
    if not isinstance(chosen_part, PartitionFilter):
        raise refused("query.partitions", partitions, "a PartitionFilter, or None for all")
    if chosen_part.digest is not None and where is not None:
        raise refused("query.partitions", partitions, "no key to begin after, as there is a predicate; pass a cursor")
    numbers = range(chosen_part.begin, chosen_part.begin + chosen_part.count)
    places = tuple((number, chosen_part.digest, 0) for number in numbers)
    return Cursor(head.namespace, head.set_name, "", frozenset(), identity, places)
