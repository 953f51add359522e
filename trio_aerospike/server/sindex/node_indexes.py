"""The secondary indexes of one node: filling them in the background, and searching one for a query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol

import attrs
import trio

from ..._wire.index_ranges import Range
from ..._wire.query import Resumed
from ...errors import ResultCode
from ...fairness import TimeSlice
from ..clock import ServerClock
from ..exceptions import Refused
from ..store import NamespaceStore, Tree
from .entries import Entries, IndexQuery, index_query
from .registry import IndexDefinition, IndexRegistry

INDEX_SIZE = 16 * 1024 * 1024
"""Bytes of an index of values that has few entries: one node of 4 KiB for each partition (server: sindex_tree.c)."""
BUILD_TIME = 0.012
"""Least seconds that filling an index takes: what a real server needs without any records."""
CHECKPOINT_EVERY = 64
"""Partitions after which other tasks run while an index is filled."""
_BURST = 100
"""Entries among which a record is returned once, where it may have several (server: MAX_QUERY_BURST)."""


class IndexHost(Protocol):
    """What the indexes of a node need of it."""

    stores: dict[str, NamespaceStore]
    running: bool

    def start_task(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run something for as long as the node runs."""


@attrs.frozen(eq=False, kw_only=True)
class QueryPredicate:
    """A query's predicate, and the index that it needs."""

    range: Range
    kind: int
    """What the index holds of its bin: INDEX_*."""
    name: str | None
    context: bytes | None
    expression: bytes | None


class NodeIndexes:
    """The entries of all indexes on one node."""

    def __init__(self, host: IndexHost, registry: IndexRegistry, clock: ServerClock) -> None:
        self._host = host
        self._registry = registry
        self._clock = clock
        self._entries: dict[IndexDefinition, Entries] = {}

    def entries(self, definition: IndexDefinition) -> Entries:
        """The entries of an index."""
        found = self._entries.get(definition)
        if found is None:
            store = self._host.stores[definition.namespace]
            found = self._entries[definition] = Entries(definition, store, self._clock)
        return found

    def create(self, definition: IndexDefinition) -> None:
        """Fill a new index in the background; until then it cannot be read.

        A node that is not running fills its indexes before it joins the cluster.
        """
        entries = self.entries(definition)
        if self._host.running and not definition.is_of_set:
            self._host.start_task(self._populate, entries)
        else:
            for _ in entries.populate():
                pass

    def resume(self) -> None:
        """Continue to fill indexes that were incomplete when the node stopped, or created while it was down."""
        for entries in self._entries.values():
            if not entries.is_readable:
                self._host.start_task(self._populate, entries)

    async def _populate(self, entries: Entries) -> None:
        began = trio.current_time()
        time_slice = TimeSlice()
        await trio.sleep(BUILD_TIME)
        for number, _ in enumerate(entries.populate()):
            if number % CHECKPOINT_EVERY == 0:
                await trio.lowlevel.checkpoint()
            else:
                await time_slice.give_way()
        entries.load_time = int((trio.current_time() - began) * 1000)

    def forget(self, definition: IndexDefinition) -> None:
        """Remove a dropped index."""
        found = self._entries.pop(definition, None)
        if found is not None:
            found.close()

    def search(self, namespace: str, set_name: str, predicate: QueryPredicate | None) -> IndexSearch | None:
        """Find the index for a query's predicate; None for a query without a predicate.

        Raises:
            Refused: INDEX_NOT_FOUND; INDEX_NOT_READABLE while it is being filled; PARAM, the predicate's value is
                invalid.
        """
        if predicate is None:
            return None
        query = index_query(predicate.range)
        found = self._definition(namespace, set_name, predicate)
        if found is None:
            raise Refused(ResultCode.INDEX_NOT_FOUND)
        definition, name = found
        entries = self.entries(definition)
        if not entries.is_readable:
            raise Refused(ResultCode.INDEX_NOT_READABLE)
        return IndexSearch(name, entries, query)

    def _definition(
        self, namespace: str, set_name: str, predicate: QueryPredicate
    ) -> tuple[IndexDefinition, str] | None:
        if predicate.name is not None:
            for known in self._registry.named(namespace, predicate.name):
                return known, predicate.name
            return None
        for of_set in dict.fromkeys((set_name, "")):
            definition = IndexDefinition(
                namespace,
                of_set,
                predicate.range.bin_name,
                predicate.range.particle,
                predicate.kind,
                predicate.context,
                predicate.expression,
            )
            name = self._registry.name_of(definition)
            if name is not None:
                return definition, name
        return None


@attrs.frozen(eq=False)
class IndexSearch:
    """The search of one query in an index."""

    name: str
    _entries: Entries
    _query: IndexQuery

    def partitions(self) -> set[int] | None:
        """The partitions that may have matches; None if that may be most of them."""
        return self._entries.partitions(self._query)

    def partition(self, tree: Tree, partition: int, start: Resumed | None) -> Iterable[tuple[bytes, int]]:
        """Digests of a partition's matching records, each with its value, in the server's order."""
        found = self._entries.find(tree, partition, self._query)
        if start is not None:
            digest, value = start
            rank = self._entries.rank(value)
            found = [entry for entry in found if (self._entries.rank(entry[1]), entry[0]) > (rank, digest)]
        if not (self._query.is_range and self._entries.has_several):
            return found
        return _once_per_burst(found)


def _once_per_burst(found: list[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    for first in range(0, len(found), _BURST):
        seen: set[bytes] = set()
        for digest, value in found[first : first + _BURST]:
            if digest not in seen:
                seen.add(digest)
                yield digest, value
