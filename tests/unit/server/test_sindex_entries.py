"""Entries of indexes follow the records, and a search finds what a look at every record does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from trio_aerospike import exp
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.index_ranges import INDEX_DEFAULT, INDEX_LIST, INDEX_MAP_KEYS, INDEX_MAP_VALUES, Range
from trio_aerospike._wire.particles import encode_value
from trio_aerospike.server import store as store_module
from trio_aerospike.server.clock import ServerClock
from trio_aerospike.server.particles import stored
from trio_aerospike.server.record import StoredRecord
from trio_aerospike.server.sindex import tree as sindex_tree
from trio_aerospike.server.sindex.entries import Entries, IndexQuery, Site, index_query, signed
from trio_aerospike.server.sindex.registry import IndexDefinition
from trio_aerospike.server.sindex.tree import SIGNED, UNSIGNED, SortedEntries
from trio_aerospike.server.store import NamespaceConfig, NamespaceStore

CLOCK = ServerClock(lambda: wire.CITRUSLEAF_EPOCH + 1000.0)
NUMERIC, STRING, BLOB, GEO = (
    wire.PARTICLE_INTEGER, wire.PARTICLE_STRING, wire.PARTICLE_BLOB, wire.PARTICLE_GEOJSON,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "N_PARTITIONS", 4)


# -- sorted structures -----------------------------------------------------------------------------------------------


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sindex_tree, "BLOCK_SIZE", 3)
    monkeypatch.setattr(SortedEntries, "MOST_SINGLED_OUT", 6)


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize(("kind", "lowest"), [(SIGNED, -(2**63)), (UNSIGNED, 0)])
def test_entries_stay_in_order(kind: str, lowest: int) -> None:
    numbers = st.sampled_from([lowest, lowest + 1, 5, 6, 7, lowest + 2**64 - 1])
    entry = st.tuples(st.integers(0, 3), numbers, st.integers(0, 5).map(lambda n: bytes((n,)) * 20))

    @given(st.lists(entry, max_size=60), numbers, numbers)
    def run(changes: list[tuple[int, int, bytes]], begin: int, end: int) -> None:
        entries = SortedEntries(kind)
        model: set[tuple[int, int, bytes]] = set()
        for change in changes:
            # What is there goes, what is not there comes.
            (entries.remove if change in model else entries.add)(*change)
            model ^= {change}
            assert len(entries) == len(model) and entries.distinct == len({number for _, number, _ in model})
        for partition in range(4):
            wanted = sorted((n, d) for p, n, d in model if p == partition and begin <= n <= end)
            assert list(entries.between(partition, begin, end)) == wanted
        inside = [p for p, n, _ in model if begin <= n <= end]
        assert entries.partitions([(begin, end)]) == (None if len(inside) > 6 else set(inside))

    run()


# -- indexes ---------------------------------------------------------------------------------------------------------


def point(longitude: float, latitude: float) -> str:
    return json.dumps({"type": "Point", "coordinates": [longitude, latitude]})


def circle(longitude: float, latitude: float, metres: float) -> str:
    return json.dumps({"type": "AeroCircle", "coordinates": [[longitude, latitude], metres]})


SHAPES = [
    *(point(10, 50), point(10.001, 50), point(-70, 3)),
    *(circle(10, 50, 1000), circle(10.3, 50, 30_000), circle(-70, 3, 5)),
]
GEO_SHAPES = st.sampled_from(SHAPES).map(lambda text: (GEO, b"\0\0\0" + text.encode()))
SCALARS = st.one_of(st.integers(-3, 5), st.sampled_from(["a", "b", ""]), st.sampled_from([b"x", b"y"]))
VALUES = st.one_of(
    SCALARS.map(encode_value),
    GEO_SHAPES,
    st.lists(SCALARS, max_size=4).map(encode_value),
    st.dictionaries(st.integers(0, 3) | st.sampled_from("abc"), SCALARS, max_size=4).map(encode_value),
)
CONTEXT = pack_value([0x22, "a"])
DEFINITIONS = [
    IndexDefinition("test", set_name, "v", kind_of_value, kind, context)
    for set_name in ("", "s")
    for kind_of_value in (NUMERIC, STRING, BLOB, GEO)
    for kind in (INDEX_DEFAULT, INDEX_LIST, INDEX_MAP_KEYS, INDEX_MAP_VALUES)
    for context in ((None, CONTEXT) if kind == INDEX_DEFAULT else (None,))
]
ONE_MORE = (exp.int_bin("v") + 1).encode()
DEFINITIONS.append(IndexDefinition("test", "s", "", NUMERIC, INDEX_DEFAULT, None, ONE_MORE))
WANTED = {
    NUMERIC: [IndexQuery(begin, end) for begin, end in ((1, 1), (-3, 0), (-9, 9))],
    STRING: [index_query(Range("v", STRING, text, text)) for text in (b"a", b"")],
    BLOB: [index_query(Range("v", BLOB, b"x", b"x"))],
    GEO: [index_query(Range("v", GEO, text.encode(), text.encode())) for text in SHAPES],
}


def looked_for(entries: Entries, store: NamespaceStore, partition: int, wanted: IndexQuery) -> list[tuple[bytes, int]]:
    """What a search has to find, by a look at each record."""
    definition = entries._definition
    found: set[tuple[int, bytes, int]] = set()
    for digest, record in store.trees[partition].items():
        if definition.set_name and record.set_name != definition.set_name:
            continue
        for key in entries._values(record, digest):
            if isinstance(key, Site):
                cell = wanted.cell_of(key) if wanted.shape is not None else None
                if cell is not None:
                    found.add((cell, digest, signed(cell)))
            elif wanted.shape is None and wanted.begin <= key <= wanted.end:
                found.add((key, digest, key))
    return [(digest, number) for _, digest, number in sorted(found)]


CHANGES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["", "s", "t"]), st.none() | VALUES | st.just("gone")), max_size=30
)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
def test_a_search_finds_what_a_look_at_each_record_does(definition: IndexDefinition) -> None:
    @settings(max_examples=examples(10))
    @given(CHANGES, st.integers(0, 30))
    def run(changes: list[tuple[int, str, Any]], made_after: int) -> None:
        store = NamespaceStore(NamespaceConfig("test"), CLOCK)
        entries = None
        for place, (number, set_name, value) in enumerate(changes):
            if place == made_after:
                entries = populated(definition, store)
            digest = bytes((number,)) * 20
            tree = store.trees[number % 2]
            if value == "gone":
                tree.pop(digest, None)
                continue
            bins = {} if value is None else {"v": stored(*value)}
            if definition.context is not None and value is not None and value[0] not in (19, 20, GEO):
                bins = {"v": stored(wire.PARTICLE_MAP, b"\x81" + pack_value("a") + pack_value(number))}
            tree[digest] = StoredRecord(set_name, {"other": encode_value(1), **bins}, 1, 0, place)
        if entries is None:
            entries = populated(definition, store)
        for wanted in WANTED[definition.type]:
            partitions = entries.partitions(wanted)
            for partition in (0, 1):
                found = entries.find(store.trees[partition], partition, wanted)
                assert found == looked_for(entries, store, partition, wanted)
                assert not found or partitions is None or partition in partitions
        n_entries, n_numbers, n_records = entries.count()
        keys = [
            {
                number
                for key in entries._values(record, digest)
                for number in (key.cells if isinstance(key, Site) else (key,))
            }
            for tree in store.trees[:2]
            for digest, record in tree.items()
            if not definition.set_name or record.set_name == definition.set_name
        ]
        assert (n_entries, n_records) == (sum(map(len, keys)), sum(map(bool, keys)))
        assert n_numbers == len(set().union(*keys))
        store.copy_partition(0, {})
        for _ in store.clear():
            pass
        assert entries.count() == (0, 0, 0)

    run()


def populated(definition: IndexDefinition, store: NamespaceStore) -> Entries:
    entries = Entries(definition, store, CLOCK)
    for _ in entries.populate():
        pass
    assert entries.is_readable
    return entries


def test_changes_while_an_index_is_filled_are_not_missed() -> None:
    store = NamespaceStore(NamespaceConfig("test"), CLOCK)
    digests = [bytes((number,)) * 20 for number in range(4)]

    def put(partition: int, number: int) -> None:
        record = StoredRecord("s", {"v": encode_value(number)}, 1, 0, 0)
        store.trees[partition][digests[partition]] = record

    for partition in range(4):
        put(partition, 1)
    entries = Entries(IndexDefinition("test", "s", "v", NUMERIC), store, CLOCK)
    filling = entries.populate()
    next(filling)
    next(filling)
    assert not entries.is_readable
    put(0, 2)
    put(3, 2)
    del store.trees[1][digests[1]]
    del store.trees[2][digests[2]]
    for _ in filling:
        pass
    everything = IndexQuery(-(2**63), 2**63 - 1)
    found = [entries.find(store.trees[partition], partition, everything) for partition in range(4)]
    assert found == [[(digests[0], 2)], [], [], [(digests[3], 2)]]
    entries.close()
    put(0, 3)
    assert entries.find(store.trees[0], 0, everything) == [(digests[0], 2)]
