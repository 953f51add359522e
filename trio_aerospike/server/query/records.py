"""The records of a partition that a query visits, in the server's order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeGuard

from ..._wire.query import Resumed
from ..expressions import UNKNOWN, Expression, Scope
from ..record import StoredRecord
from ..sindex.node_indexes import IndexSearch
from ..store import NamespaceStore, Tree
from .jobs import QueryJob
from .request import QueryRequest

Found: TypeAlias = tuple[bytes, int | None]
"""A record that was found: its digest, and its value in the index."""


def descending(tree: Tree, start: Resumed | None) -> Iterator[Found]:
    """The records of a partition in the order of a scan, after the one where it was resumed."""
    digests = sorted(tree, reverse=True)
    if start is not None:
        digests = [digest for digest in digests if digest < start[0]]
    for digest in digests:
        yield digest, None


def found_in(tree: Tree, partition: int, search: IndexSearch | None, start: Resumed | None = None) -> Iterable[Found]:
    """The records of a partition that an index finds, or all of them, after the one where the query was resumed."""
    return descending(tree, start) if search is None else search.partition(tree, partition, start)


def is_wanted(record: StoredRecord | None, request: QueryRequest, store: NamespaceStore) -> TypeGuard[StoredRecord]:
    """Whether a record that was found still exists and is in the set."""
    if record is None or store.is_doomed(record):
        return False
    return not request.set_name or record.set_name == request.set_name


def passes(expression: Expression, record: StoredRecord, digest: bytes, store: NamespaceStore, job: QueryJob) -> bool:
    """Whether a record passes a filter: by its metadata if that decides it, else by its bins."""
    known = expression.matches(Scope.of_record(record, digest, store.clock, with_bins=False))
    if known is not UNKNOWN:
        job.filtered_meta += known is not True
        return known is True
    matches = expression.matches(Scope.of_record(record, digest, store.clock)) is True
    job.filtered_bins += not matches
    return matches
