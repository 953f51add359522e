"""Secondary indexes: their definitions, which all nodes of a cluster share, and which one a query goes through.

Facts: as/src/sindex/sindex_manager.c and sindex.c of the server. An index is known by what it indexes; a name is given
to it, and another create of the same thing under another name renames it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import attrs
import trio

from ..._wire import constants as wire
from ..._wire.index_ranges import INDEX_DEFAULT, INDEX_LIST, INDEX_MAP_KEYS, INDEX_MAP_VALUES
from ..._wire.query import Resumed
from ...errors import ResultCode
from ...fairness import TimeSlice
from ..query.request import QueryRequest, Where
from ..results import Refused
from ..store import Tree
from .entries import Entries, Wanted, wanted_values

if TYPE_CHECKING:
    from ..node import EmbeddedNode

MAX_INDEXES = 256
"""Of one namespace (server: MAX_N_SINDEXES)."""
KINDS = {"default": INDEX_DEFAULT, "list": INDEX_LIST, "mapkeys": INDEX_MAP_KEYS, "mapvalues": INDEX_MAP_VALUES}
TYPES = {
    "numeric": wire.PARTICLE_INTEGER,
    "string": wire.PARTICLE_STRING,
    "blob": wire.PARTICLE_BLOB,
    "geo2dsphere": wire.PARTICLE_GEOJSON,
}
_BURST = 100
"""Entries among which a record is answered once, where it may have several (server: MAX_QUERY_BURST)."""
RESTS_EVERY = 64
"""Partitions after which others have their turn while an index is filled."""
INDEX_SIZE = 16 * 1024 * 1024
"""Bytes of an index of values that has few entries: one node of 4 KiB for each partition (server: sindex_tree.c)."""
BUILD_TIME = 0.012
"""Seconds that filling an index takes at least: what a real server needs without any records."""


@attrs.frozen
class Definition:
    """What is indexed.

    Args:
        namespace: of the records.
        set_name: "" for all sets.
        bin_name: "" with an expression.
        type: the particle type of what is kept.
        kind: INDEX_*.
        context: packed, or None.
        expression: packed, or None.
        is_of_set: there is nothing but the membership in the set: scans of the set are quicker.
    """

    namespace: str
    set_name: str = ""
    bin_name: str = ""
    type: int = wire.PARTICLE_NULL
    kind: int = INDEX_DEFAULT
    context: bytes | None = None
    expression: bytes | None = None
    is_of_set: bool = False


class IndexRegistry:
    """The indexes of a cluster, by what they index; each has a name."""

    def __init__(self) -> None:
        self._names: dict[Definition, str] = {}

    def named(self, namespace: str, name: str) -> list[Definition]:
        """The indexes of that name; more than one only where they came to it by chance."""
        return [known for known, given in self._names.items() if known.namespace == namespace and given == name]

    def of(self, namespace: str) -> Iterator[tuple[Definition, str]]:
        """The indexes of a namespace with their names, in the order in which they were made."""
        return ((known, name) for known, name in list(self._names.items()) if known.namespace == namespace)

    def all(self) -> list[tuple[Definition, str]]:
        """All indexes with their names, also those in namespaces that do not exist."""
        return list(self._names.items())

    def name_of(self, definition: Definition) -> str | None:
        """The name of an index; None if there is none such."""
        return self._names.get(definition)

    def count(self, namespace: str) -> int:
        """How many there are of values, not of sets."""
        return sum(known.namespace == namespace and not known.is_of_set for known in self._names)

    def put(self, definition: Definition, name: str) -> None:
        """Make an index, or give it another name."""
        self._names[definition] = name

    def remove(self, definition: Definition) -> None:
        """Forget an index."""
        self._names.pop(definition, None)

    def names_set(self, namespace: str, set_name: str) -> bool:
        """Whether there is an index on that set."""
        return any(known.namespace == namespace and known.set_name == set_name for known in self._names)


class NodeIndexes:
    """One node's entries of all indexes."""

    def __init__(self, node: EmbeddedNode) -> None:
        self._node = node
        self._entries: dict[Definition, Entries] = {}

    def entries(self, definition: Definition) -> Entries:
        """The entries of an index."""
        found = self._entries.get(definition)
        if found is None:
            store = self._node.stores[definition.namespace]
            found = self._entries[definition] = Entries(definition, store, self._node.cluster.clock)
        return found

    def create(self, definition: Definition) -> None:
        """Fill a new index in the background; until then it cannot be read.

        A node that is not running fills its indexes before it joins the cluster.
        """
        entries = self.entries(definition)
        if self._node.running and not definition.is_of_set:
            self._node.start_task(self._populate, entries)
        else:
            for _ in entries.populate():
                pass

    def resume(self) -> None:
        """Go on to fill the indexes that were being filled when the node stopped, or made while it was away."""
        for entries in self._entries.values():
            if not entries.is_readable:
                self._node.start_task(self._populate, entries)

    async def _populate(self, entries: Entries) -> None:
        began = trio.current_time()
        time_slice = TimeSlice()
        await trio.sleep(BUILD_TIME)
        for number, _ in enumerate(entries.populate()):
            if number % RESTS_EVERY == 0:
                await trio.lowlevel.checkpoint()
            else:
                await time_slice.give_way()
        entries.load_time = int((trio.current_time() - began) * 1000)

    def forget(self, definition: Definition) -> None:
        """The index is gone."""
        found = self._entries.pop(definition, None)
        if found is not None:
            found.close()

    def search(self, request: QueryRequest) -> IndexSearch | None:
        """The way through an index that a query wants; None for a query without a predicate.

        Raises:
            Refused: INDEX_NOT_FOUND; INDEX_NOT_READABLE while it is being filled; PARAM, no value that can be asked
                for.
        """
        where = request.where
        if where is None:
            return None
        wanted = wanted_values(where.range)
        found = self._definition(request, where)
        if found is None:
            raise Refused(ResultCode.INDEX_NOT_FOUND)
        definition, name = found
        entries = self.entries(definition)
        if not entries.is_readable:
            raise Refused(ResultCode.INDEX_NOT_READABLE)
        return IndexSearch(name, entries, wanted)

    def _definition(self, request: QueryRequest, where: Where) -> tuple[Definition, str] | None:
        registry = self._node.cluster.indexes
        if where.name is not None:
            for known in registry.named(request.namespace, where.name):
                return known, where.name
            return None
        for set_name in dict.fromkeys((request.set_name, "")):
            definition = Definition(
                request.namespace,
                set_name,
                where.range.bin_name,
                where.range.particle,
                where.kind,
                where.context,
                where.expression,
            )
            name = registry.name_of(definition)
            if name is not None:
                return definition, name
        return None


@attrs.frozen(eq=False)
class IndexSearch:
    """A query's way through an index."""

    name: str
    _entries: Entries
    _wanted: Wanted

    def partitions(self) -> set[int] | None:
        """The partitions where there is something to find; None where that may be nearly everywhere."""
        return self._entries.partitions(self._wanted)

    def partition(self, tree: Tree, partition: int, start: Resumed | None) -> Iterable[tuple[bytes, int]]:
        """Digests of a partition's records with the indexed value for each, in the server's order."""
        found = self._entries.find(tree, partition, self._wanted)
        if start is not None:
            digest, value = start
            rank = self._entries.rank(value)
            found = [entry for entry in found if (self._entries.rank(entry[1]), entry[0]) > (rank, digest)]
        if not (self._wanted.is_range and self._entries.has_several):
            return found
        return _once_in_a_burst(found)


def _once_in_a_burst(found: list[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    for first in range(0, len(found), _BURST):
        seen: set[bytes] = set()
        for digest, value in found[first : first + _BURST]:
            if digest not in seen:
                seen.add(digest)
                yield digest, value
