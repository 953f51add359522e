"""Which records of a partition a query has to do with, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from ..._wire.query import Resumed
from ..expressions import UNKNOWN, Expression, Scope
from ..store import NamespaceStore, StoredRecord, Tree
from .jobs import QueryJob
from .request import QueryRequest

if TYPE_CHECKING:
    from ..sindex.registry import IndexSearch

Found: TypeAlias = tuple[bytes, int | None]
"""A record that may have to be answered: its digest, and the value of the index for it."""


def descending(tree: Tree, start: Resumed | None) -> Iterator[Found]:
    """The records of a partition in the order in which the server goes through them, behind where it left off."""
    digests = sorted(tree, reverse=True)
    if start is not None:
        digests = [digest for digest in digests if digest < start[0]]
    for digest in digests:
        yield digest, None


def found_in(tree: Tree, partition: int, search: IndexSearch | None, start: Resumed | None = None) -> Iterable[Found]:
    """The records of a partition that an index finds, or all of them, in their order, behind where it left off."""
    return descending(tree, start) if search is None else search.partition(tree, partition, start)


def is_wanted(record: StoredRecord | None, request: QueryRequest, store: NamespaceStore) -> TypeGuard[StoredRecord]:
    """Whether a record that was found is still there and one of the set."""
    if record is None or store.is_doomed(record):
        return False
    return not request.set_name or record.set_name == request.set_name


def passes(expression: Expression, record: StoredRecord, digest: bytes, store: NamespaceStore, job: QueryJob) -> bool:
    """Whether a record passes a filter: decided by its metadata if that suffices, else by its bins."""
    known = expression.matches(Scope.of_record(record, digest, store.clock, with_bins=False))
    if known is not UNKNOWN:
        job.filtered_meta += known is not True
        return known is True
    matches = expression.matches(Scope.of_record(record, digest, store.clock)) is True
    job.filtered_bins += not matches
    return matches
