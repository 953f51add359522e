"""Counts that are kept with every change are those that a walk over all records finds."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from trio_aerospike._wire import constants as wire
from trio_aerospike.server import store as store_module
from trio_aerospike.server.clock import ServerClock
from trio_aerospike.server.record import StoredRecord
from trio_aerospike.server.store import NamespaceConfig, NamespaceStore

NOW = wire.CITRUSLEAF_EPOCH + 500_000_000.0
SETS = ("", "a", "b")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 11), st.sampled_from(SETS), st.integers(0, 3)),
        st.tuples(st.just("remove"), st.integers(0, 11)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.001, 1.0, 2.0])),
        st.tuples(st.just("truncate"), st.sampled_from([None, "a", "b"]), st.integers(0, 2000)),
        st.tuples(st.just("undo"), st.sampled_from([None, "a", "b"])),
        st.tuples(st.just("sweep"), st.integers(1, 12)),
        st.tuples(st.just("migrate"), st.integers(0, 3)),
        st.tuples(st.just("evict"), st.integers(0, 3)),
        st.just(("clear",)),
    ),
    max_size=40,
)


@pytest.fixture(autouse=True)
def _few_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "N_PARTITIONS", 4)


class Model:
    def __init__(self) -> None:
        self.now = NOW
        self.store = NamespaceStore(NamespaceConfig("test"), ServerClock(lambda: self.now))
        self.sweep: Any = iter(())

    def run(self, what: str, *args: Any) -> None:
        getattr(self, what)(*args)

    def put(self, number: int, set_name: str, ttl: int) -> None:
        digest = hashlib.blake2b(bytes((number,)), digest_size=20).digest()
        tree = self.store.trees[number % 4]
        clock = self.store.clock
        known = tree.get(digest)
        if known is not None and self.store.is_doomed(known):
            del tree[digest]
        bins = {"n": (wire.PARTICLE_INTEGER, number.to_bytes(8, "big"))}
        void_time = clock.seconds() + ttl if ttl else 0
        tree[digest] = StoredRecord(set_name, bins, 1, void_time, clock.milliseconds())

    def remove(self, number: int) -> None:
        digest = hashlib.blake2b(bytes((number,)), digest_size=20).digest()
        self.store.trees[number % 4].pop(digest, None)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def truncate(self, set_name: str | None, ago: int) -> None:
        threshold = self.store.clock.milliseconds() - ago
        truncation = self.store.config.truncation
        if set_name is None:
            truncation.namespace = max(truncation.namespace, threshold)
        else:
            truncation.sets[set_name] = max(truncation.sets.get(set_name, 0), threshold)
        self.store.all_counts()

    def undo(self, set_name: str | None) -> None:
        if set_name is None:
            self.store.config.truncation.namespace = 0
        else:
            self.store.config.truncation.sets.pop(set_name, None)
        self.store.all_counts()

    def sweep_on(self, steps: int) -> None:
        for _ in range(steps):
            if next(self.sweep, self) is self:
                self.sweep = self.store.sweep() if self.store.needs_sweep else iter(())

    def migrate(self, partition: int) -> None:
        self.store.copy_partition(partition, dict(self.store.trees[partition]))

    def evict(self, ttl: int) -> None:
        for _ in self.store.evict(self.store.clock.seconds() + ttl):
            pass

    def clear(self) -> None:
        self.sweep = iter(())
        for _ in self.store.clear():
            pass

    def counted(self) -> dict[str, tuple[int, int, int]]:
        return {
            name: (counts.objects, counts.size, counts.expirable)
            for name, counts in self.store.all_counts().items()
            if counts.objects
        }

    def walked(self) -> dict[str, tuple[int, int, int]]:
        found: dict[str, tuple[int, int, int]] = {}
        for record in self.store.records():
            objects, size, expirable = found.get(record.set_name, (0, 0, 0))
            expires = record.void_time != 0
            found[record.set_name] = objects + 1, size + record.size(), expirable + expires
        return found


@settings(max_examples=examples(100))
@given(STEPS)
def test_counts_are_those_of_a_walk(steps: list[tuple[Any, ...]]) -> None:
    model = Model()
    is_partial = False
    for what, *args in steps:
        model.run("sweep_on" if what == "sweep" else what, *args)
        # A truncation up to some time between updates is counted as it is carried out.
        is_partial = (is_partial or what == "truncate") and model.store.needs_sweep
        if not is_partial:
            assert model.counted() == model.walked(), what
        else:
            counted, walked = model.counted(), model.walked()
            assert all(counted.get(name, (0,))[0] >= found[0] for name, found in walked.items()), what
    while model.store.needs_sweep:
        model.store.purge()
    assert model.counted() == model.walked()
    assert sum(map(len, model.store.trees)) == sum(found[0] for found in model.walked().values())


def test_a_truncation_of_everything_is_counted_at_once() -> None:
    model = Model()
    for number in range(12):
        model.put(number, "a", number % 2)
    model.now += 0.01
    model.truncate("a", 0)
    assert model.counted() == {} and model.store.needs_sweep
    assert sum(map(len, model.store.trees)) == 12, "they are removed later on"
    model.undo("a")
    assert list(model.store.records()) == []
    model.put(1, "a", 0)
    assert model.counted() == model.walked() != {}
