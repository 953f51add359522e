"""The entries of a secondary index on one node: extract the indexed values of records, search them.

As in the real server, entries are updated with every write of a record. Facts: sbin_from_bin and those it calls in the
server's as/src/sindex/sindex.c; the order is that of key_cmp in sindex_tree.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import attrs

from ..._wire import constants as wire
from ..._wire.index_ranges import INDEX_DEFAULT, INDEX_LIST, INDEX_MAP_KEYS, Range
from ...errors import ResultCode
from ..cdt.calls import Reader
from ..cdt.context import dig
from ..cdt.elements import Malformed, opened, pairs_of, particle_of, split
from ..clock import ServerClock
from ..exceptions import Refused
from ..expressions import REMOVED, UNKNOWN, Scope, Value, compile_expression
from ..expressions.packing import particle_of as particle_of_value
from ..expressions.values import Extension
from ..geo import cells as geo_cells
from ..geo.cover import covering
from ..geo.geojson import Area, Place, Shape, geojson_particle, geojson_text, shape_of
from ..record import StoredRecord
from ..store import NamespaceStore, Tree
from ..values import Particle
from ..wyhash import wyhash
from .registry import IndexDefinition
from .tree import SIGNED, UNSIGNED, SortedEntries

TEXT_MAX = 2048
"""Bytes of a string or blob that can be indexed (server: MAX_STRING_KSIZE)."""
_SIGN = 1 << 63
_WRAP = 1 << 64


def signed(number: int) -> int:
    """Convert unsigned 64 bits to signed ones."""
    return number - _WRAP if number & _SIGN else number


@attrs.frozen
class Site:
    """A point or region as an index has it: its cell or its covering, and its text."""

    cells: tuple[int, ...]
    is_region: bool
    text: bytes


Key = int | Site
"""An indexed value of a record."""


@attrs.define(eq=False, slots=False)
class IndexQuery:
    """The values that a query searches for.

    Args:
        begin, end: an interval of numbers, both included.
        shape: the region that contains points, or the point that is in regions; then the numbers are unused.
    """

    begin: int = 0
    end: int = 0
    shape: Shape | None = None

    @property
    def is_range(self) -> bool:
        return self.shape is not None or self.begin != self.end

    def cell_of(self, site: Site) -> int | None:
        """The cell by which a point or region is found; None if it does not match.

        Regions match points and points match regions, never like with like.
        """
        shape = self.shape
        if isinstance(shape, Place):
            cell = next((cell for cell in site.cells if geo_cells.contains(cell, shape.cell)), None)
            return cell if cell is not None and site.is_region and shape_of(site.text).contains(shape) else None
        if shape is None or site.is_region or not shape.contains(Place(site.cells[0])):
            return None
        return site.cells[0]

    @cached_property
    def ranges(self) -> list[tuple[int, int]]:
        """The ranges of the index that may match: first and last numbers.

        A region that contains a point has one of the point's ancestor cells; a point within a region is in one of the
        cells of its covering.
        """
        shape = self.shape
        if shape is None:
            return [(self.begin, self.end)]
        if isinstance(shape, Area):
            return [(geo_cells.range_min(cell), geo_cells.range_max(cell)) for cell in covering(shape.region)]
        cells = [geo_cells.parent(shape.cell, level) for level in range(geo_cells.MAX_LEVEL + 1)]
        return [(cell, cell) for cell in cells]


def index_query(predicate: Range) -> IndexQuery:
    """Decode the values of a predicate. Raises `Refused`: PARAM, a value is invalid for its type."""
    if predicate.particle == wire.PARTICLE_INTEGER:
        return IndexQuery(
            int.from_bytes(predicate.begin, "big", signed=True), int.from_bytes(predicate.end, "big", signed=True)
        )
    if predicate.particle == wire.PARTICLE_GEOJSON:
        try:
            return IndexQuery(shape=shape_of(predicate.begin))
        except Refused as error:
            raise Refused(ResultCode.PARAM) from error
    number = signed(wyhash(predicate.begin))
    return IndexQuery(number, number)


class Entries:
    """One index on one node, updated with the node's records.

    Attributes:
        populated: partitions that have been scanned since it was created; changes in the others are ignored, as they
            are scanned later.
        load_time: milliseconds that this took.
    """

    def __init__(self, definition: IndexDefinition, store: NamespaceStore, clock: ServerClock) -> None:
        self._definition = definition
        self._store = store
        self._values = _extractor(definition, clock)
        self._is_geo = definition.type == wire.PARTICLE_GEOJSON
        self._sorted = SortedEntries(UNSIGNED if self._is_geo else SIGNED)
        self._n_records = 0
        self.populated: int = 0
        self.load_time = 0
        if not definition.is_of_set:
            store.watchers.append(self)

    def close(self) -> None:
        """Stop following changes."""
        if self in self._store.watchers:
            self._store.watchers.remove(self)

    @property
    def is_readable(self) -> bool:
        return self.populated == len(self._store.trees)

    @property
    def has_several(self) -> bool:
        """Whether a record may have several entries."""
        return self._definition.kind != INDEX_DEFAULT

    def rank(self, number: int) -> int:
        """The sort key of an entry: numbers of cells are unsigned."""
        return number % _WRAP if self._is_geo else number

    def populate(self) -> Iterator[None]:
        """Scan the partitions that remain, one at each step."""
        while not self.is_readable:
            partition = self.populated
            # Changes of a partition are ignored until it has been scanned, so it is scanned in one step.
            self.populated += 1
            if not self._definition.is_of_set:
                for digest, record in self._store.trees[partition].items():
                    self.changed(partition, digest, None, record)
            yield

    def changed(self, partition: int, digest: bytes, before: StoredRecord | None, after: StoredRecord | None) -> None:
        """Update the entries of a record."""
        if partition >= self.populated:
            return
        old, new = self._numbers(before, digest), self._numbers(after, digest)
        if old == new:
            return
        for number in old - new:
            self._sorted.remove(partition, number, digest)
        for number in new - old:
            self._sorted.add(partition, number, digest)
        self._n_records += bool(new) - bool(old)

    def cleared(self) -> None:
        """Remove all entries."""
        self._sorted.clear()
        self._n_records = 0

    def _numbers(self, record: StoredRecord | None, digest: bytes) -> frozenset[int]:
        """The indexed values of a record, as numbers."""
        if record is None or (self._definition.set_name and record.set_name != self._definition.set_name):
            return _NOTHING
        keys = self._values(record, digest)
        if not keys:
            return _NOTHING
        if self._is_geo:
            return frozenset(cell for key in keys if isinstance(key, Site) for cell in key.cells)
        return frozenset(key for key in keys if isinstance(key, int))

    def partitions(self, query: IndexQuery) -> set[int] | None:
        """The partitions that may have matches; None if that may be most of them."""
        return self._sorted.partitions(query.ranges)

    def find(self, tree: Tree, partition: int, query: IndexQuery) -> list[tuple[bytes, int]]:
        """Digests of matching records, each with its value, in the order of the index."""
        found = [entry for begin, end in query.ranges for entry in self._sorted.between(partition, begin, end)]
        if self._is_geo:
            found = [(cell, digest) for cell, digest in found if self._matches_at(tree, digest, cell, query)]
        if len(query.ranges) > 1:
            found.sort()
        return [(digest, signed(number) if self._is_geo else number) for number, digest in found]

    def _matches_at(self, tree: Tree, digest: bytes, cell: int, query: IndexQuery) -> bool:
        """Whether one of a record's points or regions matches by this cell."""
        record = tree.get(digest)
        if record is None:
            return False
        return any(isinstance(key, Site) and query.cell_of(key) == cell for key in self._values(record, digest))

    def count(self) -> tuple[int, int, int]:
        """The numbers of entries, of distinct values, and of records."""
        return len(self._sorted), self._sorted.distinct, self._n_records


_NOTHING: frozenset[int] = frozenset()


# Indexed values -----------------------------------------------------------------------------------------------


def _extractor(definition: IndexDefinition, clock: ServerClock) -> Callable[[StoredRecord, bytes], tuple[Key, ...]]:
    """A function that returns the indexed values of a record."""
    compiled = None if definition.expression is None else compile_expression(definition.expression)

    def values(record: StoredRecord, digest: bytes) -> tuple[Key, ...]:
        if definition.is_of_set:
            return ()
        if compiled is None:
            value = record.bin(definition.bin_name)
        else:
            value = _particle(compiled.evaluate(Scope.of_record(record, digest, clock)))
        if value is None:
            return ()
        try:
            return _keys(definition, value)
        except (Malformed, Refused):
            return ()

    return values


def _particle(value: Value) -> Particle | None:
    if value is UNKNOWN or value is REMOVED or isinstance(value, Extension):
        return None
    try:
        return particle_of_value(value)
    except Refused:
        # A region whose covering has too many cells to be stored.
        return None


def _keys(definition: IndexDefinition, value: Particle) -> tuple[Key, ...]:
    if definition.context is not None:
        if value[0] not in (wire.PARTICLE_LIST, wire.PARTICLE_MAP):
            return ()
        inner = dig(value[1], Reader(definition.context), creates=False).target.data
        particle = None if inner is None else particle_of(inner)
        if particle is None:
            return ()
        value = particle
    if definition.kind == INDEX_DEFAULT:
        key = _key(definition.type, value)
        return () if key is None else (key,)
    keys = (_key(definition.type, element) for element in _elements(definition.kind, value))
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _elements(kind: int, value: Particle) -> list[Particle]:
    """The elements of a list, or the keys or values of a map, as particles; others are skipped."""
    if value[0] != (wire.PARTICLE_LIST if kind == INDEX_LIST else wire.PARTICLE_MAP):
        return []
    _, count, _, start = opened(value[1])
    if kind == INDEX_LIST:
        elements = split(value[1], start, count)
    else:
        place = 0 if kind == INDEX_MAP_KEYS else 1
        elements = [pair[place] for pair in pairs_of(value[1], start, count)]
    found = []
    for element in elements:
        try:
            particle = particle_of(element)
        except Malformed:
            continue
        if particle is not None:
            found.append(particle)
    return found


def _key(particle_type: int, value: Particle) -> Key | None:
    kind, data = value
    if kind != particle_type:
        return None
    if kind == wire.PARTICLE_INTEGER:
        return int.from_bytes(data, "big", signed=True)
    if kind == wire.PARTICLE_GEOJSON:
        return _site(data)
    return signed(wyhash(data)) if len(data) <= TEXT_MAX else None


def _site(data: bytes) -> Site | None:
    """The index key of a GeoJSON value; elements of lists and maps have no cells yet. None for an empty shape."""
    text = geojson_text(data)
    if data[1:3] == b"\0\0":
        data = geojson_particle(data)
    n_cells = int.from_bytes(data[1:3], "big")
    cells = tuple(int.from_bytes(data[3 + 8 * place : 11 + 8 * place], "big") for place in range(n_cells))
    return Site(cells, bool(data[0] & 1), text) if cells else None
