"""Large results do not make Python's collector look through everything, and do not take it its work either."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import _collector as collector
from tests.compat.background import BackgroundCluster


class Node:
    """Can be in a cycle."""

    def __init__(self) -> None:
        self.other: Any = None


@pytest.fixture(scope="module", autouse=True)
def nothing_frozen() -> Iterator[None]:
    """The test run freezes what it has collected; a program that does so gets no help."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def quiet() -> Iterator[None]:
    """No collection but those that are asked for."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1_000_000)
    yield
    gc.set_threshold(*thresholds)


def young(made: object) -> bool:
    return any(made is found for found in gc.get_objects(generation=0))


def test_what_was_made_is_old_at_once_and_only_the_young_were_looked_through(quiet: None) -> None:
    made = [Node() for _ in range(10)]
    assert young(made[0])
    looks = gc.get_stats()[1:]
    assert collector.Promotions().promote(10)
    assert not young(made[0])
    assert any(made[0] is found for found in gc.get_objects(generation=2))
    assert gc.get_stats()[1:] == looks
    assert gc.get_count()[0] < 10


def test_what_was_garbage_already_does_not_move_along(quiet: None) -> None:
    node = Node()
    node.other = node
    gone = weakref.ref(node)
    del node
    assert collector.Promotions().promote(0)
    assert gone() is None


def test_a_collector_that_is_off_stays_as_it_is(quiet: None) -> None:
    made = Node()
    gc.disable()
    try:
        assert not collector.Promotions().promote(1)
    finally:
        gc.enable()
    assert young(made)


def test_what_a_program_has_frozen_stays_frozen(quiet: None) -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        made = Node()
        assert not collector.Promotions().promote(1)
        assert young(made)
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()


def test_what_is_frozen_is_counted_once_for_each_look_through_all(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def counting() -> int:
        counts.append(1)
        return 5

    monkeypatch.setattr(gc, "get_freeze_count", counting)
    promotions = collector.Promotions()
    assert not any(promotions.promote(1) for _ in range(10))
    assert len(counts) == 1
    gc.collect()
    promotions.promote(1)
    assert len(counts) == 2


def test_python_has_its_way_once_many_strangers_have_moved_along(quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_STRANGERS_MAX", 1000)
    promotions = collector.Promotions()
    results: list[Any] = []
    promotions.begin()
    for _ in range(50):
        results += [Node() for _ in range(60)]
        assert promotions.promote(60), "those are ours"
    ours = promotions.strangers
    strangers = [Node() for _ in range(1001)]
    assert promotions.promote(0)
    assert promotions.strangers > ours + 1000
    assert not promotions.promote(0)
    assert not promotions.promote(60)
    gc.collect()
    promotions.begin()
    assert promotions.promote(0), "it has looked through all"
    assert promotions.strangers < 1000
    assert strangers and results


def test_garbage_of_others_is_found_meanwhile_as_it_always_is() -> None:
    """With Python's own thresholds: slices of results, and between them cycles that nobody holds any more."""
    gone: list[weakref.ref[Node]] = []
    promotions = collector.Promotions()
    promotions.begin()
    results = []
    for _ in range(200):
        results.append([(number, str(number)) for number in range(256)])
        for _ in range(20):
            node = Node()
            node.other = node
            gone.append(weakref.ref(node))
        promotions.promote(257)
    assert sum(ref() is not None for ref in gone) <= 200, "of 4000: those that the next one held"
    assert promotions.strangers >= 4000


def test_a_large_result_sets_off_no_look_through_everything(shared_cluster: BackgroundCluster) -> None:
    count = 4 * collector.MANY
    keys = [("test", "collector", number) for number in range(count)]
    patient = {"total_timeout": 120_000, "socket_timeout": 120_000}
    thresholds = gc.get_threshold()
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        for begin in range(0, count, 2048):
            client.batch_write([(key, {"id": key[2]}) for key in keys[begin : begin + 2048]], patient)
        query = client.query("test", "collector")
        assert len(query.results(patient)) == count
        gc.collect()
        # Python would look through all after a tenth of these records.
        gc.set_threshold(700, 1, 1)
        try:
            looks = gc.get_stats()[2]["collections"]
            found = query.results(patient)
            assert gc.get_stats()[2]["collections"] - looks <= 1, "one at the most, before the result was a large one"
        finally:
            gc.set_threshold(*thresholds)
        assert sum(record is old for old in gc.get_objects(generation=2) for record in (found[-5000],)) == 1
