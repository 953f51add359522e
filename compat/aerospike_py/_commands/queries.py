"""Queries and scans: convert what they ask for, and run them in the client's Trio run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from trio_aerospike import predicates
from trio_aerospike.errors import IndexNotFound, InvalidArgError
from trio_aerospike.fairness import TimeSlice
from trio_aerospike.indexes import Collection, IndexType
from trio_aerospike.query import QueryPolicy

from .._conversion import results
from .._conversion.policies import PolicyReader
from .._conversion.policy_fields import QUERY_FIELDS
from ..types import Record

if TYPE_CHECKING:
    from trio_aerospike import Client as NativeClient

#: The calls that make indexes, by type.
_INDEX_CALLS: Final = {
    IndexType.NUMERIC: "index_integer_create",
    IndexType.STRING: "index_string_create",
    IndexType.GEO2DSPHERE: "index_geo2dsphere_create",
}
#: Fields that are arguments of the native query, not of its policy.
_ARGUMENTS: Final = {
    "filter_expression": "filter",
    "max_records": "max_records",
    "records_per_second": "records_per_second",
    "partitions": "partitions",
}


@attrs.frozen
class QuerySpec:
    """What a query asks for, fixed when the query runs."""

    namespace: str
    set_name: str
    bins: tuple[str, ...]
    predicates: tuple[predicates.Predicate, ...]
    reader: PolicyReader
    for_loop: bool

    @contextlib.contextmanager
    def index_hint(self) -> Iterator[None]:
        """Name the call of this package that makes the index in the error that the block raises if there is none."""
        try:
            yield
        except IndexNotFound as error:
            (predicate,) = self.predicates
            hint = predicate.hint(self.namespace, self.set_name)
            error.args = (str(error.args[0]).replace(hint, _index_hint(predicate, self)), *error.args[1:])
            raise

    def open(self, native: NativeClient, policy: Mapping[str, Any] | None) -> Any:
        """Make the native query, which sends nothing until it is entered.

        Raises:
            InvalidArgError: A value of the policy is not allowed, or there is more than one predicate.
        """
        fields = {} if policy is None else self.reader.converted("policy", policy, QUERY_FIELDS)
        if len(self.predicates) > 1:
            found = ", ".join(map(str, self.predicates))
            raise InvalidArgError(
                f"where: got {len(self.predicates)} predicates ({found}), allowed: one. Too many filter expressions"
            )
        arguments = {}
        for field, name in _ARGUMENTS.items():
            value = fields.pop(field, None)
            if value:  # 0: no limit
                arguments[name] = value
        with_bins = fields.pop("include_bin_data", True)
        return native.query(
            self.namespace,
            self.set_name or None,
            where=self.predicates[0] if self.predicates else None,
            bins=(list(self.bins) or None) if with_bins else [],
            policy=QueryPolicy(**fields) if fields else None,
            **arguments,
        )


def _index_hint(predicate: predicates.Predicate, spec: QuerySpec) -> str:
    """Return the call that makes the index for a predicate."""
    kind = _INDEX_CALLS.get(predicate.type)
    if kind is None or predicate.collection is not Collection.NONE:
        kept = "a list or map" if predicate.collection is not Collection.NONE else "bytes"
        return f"aerospike_py has no call that makes an index of {kept}: asadm and trio_aerospike have"
    bin_name = predicate.range.bin_name
    arguments = ", ".join(map(repr, (spec.namespace, spec.set_name, bin_name, f"idx_{bin_name}")))
    return f"make one: {'await ' if spec.for_loop else ''}client.{kind}({arguments})"


async def all_records(native: NativeClient, spec: QuerySpec, policy: Mapping[str, Any] | None) -> list[Record]:
    """Return all records, converted in the client's Trio run and in time slices."""
    found: list[Record] = []
    time_slice = TimeSlice()
    with spec.index_hint():
        async with spec.open(native, policy) as records:
            while batch := await records.read_available():
                found += results.query_records(batch)
                await time_slice.give_way()
    return found


async def open_records(native: NativeClient, spec: QuerySpec, policy: Mapping[str, Any] | None) -> Any:
    """Start a query, for ``next_records``; ``close_records`` must follow."""
    return await spec.open(native, policy).__aenter__()


async def next_records(records: Any, spec: QuerySpec) -> list[Record]:
    """Return the next records of a query; an empty list at its end."""
    with spec.index_hint():
        return results.query_records(await records.read_available())


async def close_records(records: Any) -> None:
    """End a query."""
    await records.__aexit__(None, None, None)
