"""The partition map: rules of the single claim, and the whole against a naive model."""

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from trio_aerospike._cluster.tend.partition_map import BITMAP_BYTES, N_PARTITIONS, MapChange, PartitionMap
from trio_aerospike.errors import ProtocolError

ALL = set(range(N_PARTITIONS))


def bitmap(pids):
    data = bytearray(BITMAP_BYTES)
    for pid in pids:
        data[pid >> 3] |= 0x80 >> (pid & 7)
    return bytes(data)


def report(*columns, regime=0, namespace="test"):
    return {namespace: (regime, [bitmap(column) for column in columns])}


@pytest.fixture
def pmap() -> PartitionMap[str]:
    return PartitionMap()


def test_a_claim_takes_the_slot_and_names_the_displaced_node(pmap):
    assert pmap.update("A", report({1, 2}, {3})) == MapChange(changed=True)
    assert pmap.update("B", report({2}, {1})) == MapChange(changed=True, displaced=frozenset({"A"}))
    assert pmap.owners("test", 1) == ("A", "B")
    assert pmap.owners("test", 2) == ("B",)


def test_a_report_that_says_nothing_new_changes_nothing(pmap):
    pmap.update("A", report({1, 2}, {3}))
    assert pmap.update("A", report({1, 2}, {3})) == MapChange()


def test_the_same_report_takes_its_slots_back_after_another_node_had_them(pmap):
    pmap.update("A", report({1}))
    pmap.update("B", report({1}))
    assert pmap.update("A", report({1})) == MapChange(changed=True, displaced=frozenset({"B"}))
    assert pmap.owners("test", 1) == ("A",)


def test_a_partition_that_nobody_claims_keeps_its_last_owner(pmap):
    pmap.update("A", report({1, 2}))
    assert pmap.update("A", report({2})) == MapChange()
    assert pmap.owners("test", 1) == ("A",)


def test_the_masters_are_the_first_replica_column_whatever_happens(pmap):
    pmap.update("A", report({1}))
    table = pmap.tables["test"]
    masters = table.masters
    pmap.update("B", report({1}, {2}, {3}))
    pmap.update("A", report({2}, {3}))
    pmap.update("B", report({1}))
    pmap.remove_node("A")
    assert table.masters is masters is table.replicas[0]


def test_a_claim_of_an_older_regime_is_refused_per_partition(pmap):
    pmap.update("A", report({1, 2}, regime=3))
    pmap.update("B", report({2}, regime=5))
    assert pmap.update("A", report({1, 2}, regime=4)) == MapChange(stale=frozenset({"test"}))
    assert pmap.owners("test", 2) == ("B",)
    assert pmap.tables["test"].regimes[:4] == [0, 4, 5, 0]


def test_a_claim_of_the_same_or_a_newer_regime_is_accepted(pmap):
    pmap.update("A", report({1}, regime=3))
    assert pmap.update("B", report({1}, regime=3)).changed
    assert pmap.update("A", report({1}, regime=4)).changed
    assert pmap.owners("test", 1) == ("A",)


def test_regimes_rise_for_slots_that_the_node_holds_already(pmap):
    pmap.update("A", report({1}, regime=3))
    assert not pmap.update("A", report({1}, regime=7)).changed
    assert pmap.update("B", report({1}, regime=6)).stale == {"test"}


def test_a_regime_holds_for_all_replicas_of_a_partition(pmap):
    pmap.update("A", report({1}, {2}, regime=5))
    assert pmap.update("B", report({2}, {1}, regime=4)).stale == {"test"}
    assert pmap.owners("test", 1) == ("A",)


def test_regimes_are_forgotten_with_the_last_node(pmap):
    pmap.update("A", report({1}, regime=9))
    pmap.remove_node("A")
    pmap.update("B", report({1}, regime=1))
    assert pmap.owners("test", 1) == ("B",)


def test_a_node_of_generation_minus_one_owns_nothing_and_its_bitmaps_are_not_read(pmap):
    pmap.update("A", report({1}, {2}))
    pmap.update("B", report({2}, {1}))
    assert pmap.update("A", report(ALL), generation=-1).changed
    assert pmap.owners("test", 1) == ("B",)
    assert pmap.owners("test", 2) == ("B",)
    assert len(pmap.tables["test"].replicas) == 2
    assert not pmap.owns("A")


def test_a_partition_whose_only_owner_is_removed_keeps_it_until_somebody_else_has_any_replica(pmap):
    pmap.update("A", report({1}, ()))
    pmap.remove_node("A")
    assert pmap.owners("test", 1) == ("A",)
    assert pmap.owns("A")
    assert pmap.update("B", report((), {1})) == MapChange(changed=True)
    assert pmap.tables["test"].masters[1] == "B"
    assert not pmap.owns("A")


def test_a_removed_node_that_returns_has_its_claims_back(pmap):
    pmap.update("A", report({1}, {2}))
    pmap.update("B", report({2}, {1}))
    pmap.remove_node("A")
    assert pmap.update("A", report({1}, {2})).changed
    assert pmap.owners("test", 1) == ("A", "B")
    assert pmap.owners("test", 2) == ("B", "A")


def test_removing_a_node_that_is_not_in_the_map_changes_nothing(pmap):
    pmap.update("A", report({1}))
    assert not pmap.remove_node("B")
    assert not pmap.update("B", {}, generation=-1).changed


def test_a_replica_stands_in_for_a_master_that_nobody_claims(pmap):
    pmap.update("A", report((), {1}))
    assert pmap.tables["test"].masters[1] == "A"
    # The true master taking over does not make the stand-in suspect.
    assert pmap.update("B", report({1}, ())) == MapChange(changed=True)
    assert pmap.owners("test", 1) == ("B", "A")


def test_a_stand_in_that_claims_the_partition_itself_is_a_claimant_like_any_other(pmap):
    pmap.update("A", report((), {1}))
    pmap.update("A", report({1}, {1}))
    assert pmap.update("B", report({1}, ())).displaced == {"A"}


def test_the_replica_count_grows_at_once_and_shrinks_when_no_node_reports_the_old_one(pmap):
    pmap.update("A", report({1}))
    pmap.update("B", report({2}, {1}, ()))
    table = pmap.tables["test"]
    assert len(table.replicas) == 3
    pmap.update("A", report({1}, {2}))
    assert len(table.replicas) == 3
    pmap.update("B", report({2}, {1}))
    assert len(table.replicas) == 2
    assert table.owners(1) == ("A", "B")


def test_a_node_that_starts_alone_with_one_replica_does_not_cost_the_others_their_replicas(pmap):
    pmap.update("A", report({1}, {2}))
    pmap.update("B", report({2}, {1}))
    pmap.update("C", report(()), generation=0)
    assert pmap.owners("test", 1) == ("A", "B")


def test_a_removed_node_no_longer_counts_for_the_number_of_replicas(pmap):
    pmap.update("A", report({1}, ()))
    pmap.update("B", report({2}))
    pmap.remove_node("A")
    assert len(pmap.tables["test"].replicas) == 1


def test_who_serves_every_partition_is_the_only_master_until_another_node_does(pmap):
    pmap.update("A", report(ALL))
    table = pmap.tables["test"]
    assert table.only_master == "A"
    pmap.update("B", report({4095}, ALL))
    assert table.only_master is None
    pmap.remove_node("A")
    assert table.only_master == "B"


def test_namespaces_are_apart(pmap):
    pmap.update("A", report({1}) | report({2}, regime=4, namespace="bar"))
    pmap.update("B", report({1}, namespace="bar", regime=4))
    assert pmap.owners("test", 1) == ("A",)
    assert pmap.owners("bar", 1) == ("B",)
    assert pmap.owners("bar", 2) == ("A",)


def test_a_namespace_that_a_node_no_longer_reports_is_not_looked_for_there(pmap):
    pmap.update("A", report({1}, {2}) | report({1}, {2}, namespace="bar"))
    pmap.update("B", report({2}, {1}) | report({2}, {1}, namespace="bar"))
    pmap.update("A", report({1}, {2}))
    assert pmap.owners("bar", 1) == ("B",)
    pmap.update("B", report({2}, {1}))
    assert "bar" not in pmap.tables
    assert pmap.owners("bar", 1) == ()


@pytest.mark.parametrize("bitmaps", [[], [b""], [bytes(511)], [bytes(512), bytes(513)]])
def test_a_report_of_the_wrong_size_is_refused_and_leaves_the_map_alone(pmap, bitmaps):
    pmap.update("A", report({1}))
    with pytest.raises(ProtocolError, match=r"'bar'.*512"):
        pmap.update("B", {**report({1}), "bar": (0, bitmaps)})
    assert pmap.owners("test", 1) == ("A",)
    assert list(pmap.tables) == ["test"]


def test_nodes_may_be_any_objects():
    class Node:
        pass

    first, second = Node(), Node()
    pmap: PartitionMap[Node] = PartitionMap()
    pmap.update(first, report({1}))
    pmap.update(second, report({1}))
    assert pmap.tables["test"].masters[1] is second


# ---- against a model that does the same one slot at a time

PIDS = [0, 1, 8, 4095]
NODES = ["A", "B", "C"]


class Model:
    def __init__(self):
        self.columns: list[dict[int, str]] = [{}]
        self.regimes: dict[int, int] = {}
        self.counts: dict[str, int] = {}
        self.absent: set[str] = set()

    def fit(self):
        wanted = max(self.counts.values(), default=len(self.columns))
        del self.columns[wanted:]
        self.columns += [{} for _ in range(wanted - len(self.columns))]

    def fill(self):
        for pid in PIDS:
            master = self.columns[0].get(pid)
            if master is None or master in self.absent:
                for column in self.columns[1:]:
                    if pid in column:
                        self.columns[0][pid] = column[pid]
                        break

    def update(self, node, regime, columns):
        self.counts[node] = len(columns)
        self.absent.discard(node)
        self.fit()
        for index, column in enumerate(columns):
            for pid in column:
                if regime >= self.regimes.get(pid, 0):
                    self.regimes[pid] = regime
                    self.columns[index][pid] = node
        self.fill()

    def release(self, node):
        self.counts.pop(node, None)
        if not self.counts:
            self.regimes.clear()
        self.absent.add(node)
        for column in self.columns[1:]:
            for pid in [pid for pid, owner in column.items() if owner == node]:
                del column[pid]
        self.fill()
        self.fit()


pid_sets = st.sets(st.sampled_from(PIDS))
events = st.one_of(
    st.tuples(st.just("update"), st.sampled_from(NODES), st.integers(0, 2), st.lists(pid_sets, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["remove", "not ready"]), st.sampled_from(NODES)),
)


@settings(max_examples=examples(100))
@given(st.lists(events, max_size=25))
def test_any_sequence_of_reports_gives_what_a_naive_model_gives(sequence):
    pmap: PartitionMap[str] = PartitionMap()
    model = Model()
    owned: set[int] = set()
    for kind, node, *rest in sequence:
        before = [[*column] for column in pmap.tables["test"].replicas] if pmap.tables else []
        if kind == "update":
            regime, columns = rest
            model.update(node, regime, columns)
            change = pmap.update(node, report(*columns, regime=regime))
            changed = change.changed
            assert node not in change.displaced
            assert not change.displaced & model.absent
        elif kind == "remove":
            model.release(node)
            changed = pmap.remove_node(node)
        else:
            model.release(node)
            changed = pmap.update(node, report(ALL), generation=-1).changed
        if not pmap.tables:
            continue
        table = pmap.tables["test"]
        assert changed or (before and table.replicas == before)
        assert len(table.replicas) == len(model.columns)
        assert table.only_master == (table.masters[0] if len(set(table.masters)) == 1 else None)
        for pid in PIDS:
            assert [column[pid] for column in table.replicas] == [column.get(pid) for column in model.columns]
            assert table.regimes[pid] == model.regimes.get(pid, 0)
            assert pid not in owned or table.masters[pid] is not None
            if table.masters[pid] is not None:
                owned.add(pid)
        for name in NODES:
            assert pmap.owns(name) == any(name in column.values() for column in model.columns)
