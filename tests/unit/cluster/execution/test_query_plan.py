"""Which partitions a query asks for, whom and from where, against nodes that break off and lose partitions."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from trio_aerospike._cluster.execution.query_plan import NodePart, PartitionState, QueryPlan


def digest(partition: int, number: int) -> bytes:
    return bytes((partition & 0xFF, partition >> 8, number)) + bytes(17)


class Cluster:
    """Records of some partitions by digest, the largest first, and nodes that have copies of them."""

    def __init__(self, sizes: dict[int, int], nodes: int = 3) -> None:
        self.records = {
            partition: [digest(partition, number) for number in reversed(range(size))]
            for partition, size in sizes.items()
        }
        self.nodes = nodes

    def owner(self, partition: int, sequence: int) -> int:
        return (partition + sequence) % self.nodes

    def answer(self, part: NodePart[int], lost: int | None = None) -> list[bytes]:
        """What a node sends for a part of the plan, when it does not have one of the partitions."""
        found: list[bytes] = []
        for state in part.states:
            if state.number == lost:
                continue
            after = state.place
            found += [d for d in self.records[state.number] if after is None or d < after[0]]
        return found[: part.record_max or None]


def read(plan: QueryPlan[int], part: NodePart[int], digests: list[bytes]) -> list[bytes]:
    count = plan.admit(part, len(digests))
    plan.handed_on(digests[:count], [])
    return digests[:count]


SIZES = st.dictionaries(st.integers(0, 4095), st.integers(0, 9), max_size=8)


@settings(max_examples=examples(50))
@given(SIZES, st.integers(0, 30), st.integers(0, 2**32))
def test_every_record_is_read_once_whatever_breaks_off(sizes: dict[int, int], record_max: int, seed: int) -> None:
    rng = random.Random(seed)
    cluster = Cluster(sizes)
    plan: QueryPlan[int] = QueryPlan([PartitionState(number) for number in sizes], record_max)
    found: Counter[bytes] = Counter()
    for _ in range(200):
        if plan.over:
            break
        parts, homeless = plan.assign(cluster.owner)
        assert not homeless
        for part in parts:
            fate = rng.random()
            lost = rng.choice(part.states).number if 0.3 <= fate < 0.5 else None
            answer = cluster.answer(part, lost)
            if fate < 0.3:
                found.update(read(plan, part, answer[: rng.randint(0, len(answer))]))
                plan.failed(part)
            else:
                if lost is not None:
                    plan.unavailable(part, lost)
                found.update(read(plan, part, answer))
                plan.answered(part)
    total = sum(sizes.values())
    assert plan.over
    assert set(found.values()) <= {1}
    assert sum(found.values()) == (min(record_max, total) if record_max else total)


@settings(max_examples=examples(30))
@given(SIZES, st.integers(1, 7))
def test_pages_have_every_record_once(sizes: dict[int, int], page: int) -> None:
    cluster = Cluster(sizes)
    states = [PartitionState(number) for number in sizes]
    found: list[bytes] = []
    for _ in range(100):
        plan: QueryPlan[int] = QueryPlan(states, page)
        before = len(found)
        while not plan.over:
            for part in plan.assign(cluster.owner)[0]:
                found += read(plan, part, cluster.answer(part))
                plan.answered(part)
        assert len(found) - before <= page
        states = [PartitionState(state.number, state.place) for state in plan.open]
        if not states:
            break
    assert sorted(found) == sorted(d for digests in cluster.records.values() for d in digests)


def test_the_wanted_number_is_shared_out_among_the_nodes() -> None:
    plan: QueryPlan[int] = QueryPlan([PartitionState(number) for number in range(9)], 10)
    parts, _ = plan.assign(Cluster(dict.fromkeys(range(9), 1)).owner)
    assert sorted(part.record_max for part in parts) == [3, 3, 4]


def test_every_node_is_asked_for_one_at_least_and_what_is_too_much_stays_where_it_is() -> None:
    cluster = Cluster(dict.fromkeys(range(3), 5))
    plan: QueryPlan[int] = QueryPlan([PartitionState(number) for number in range(3)], 2)
    parts, _ = plan.assign(cluster.owner)
    assert [part.record_max for part in parts] == [1, 1, 1]
    found = []
    for part in parts:
        found += read(plan, part, cluster.answer(part))
        plan.answered(part)
    assert len(found) == 2 and plan.over
    assert [state.place is None for state in plan.states].count(True) == 1
    assert len(plan.open) == 3


def test_nodes_are_not_asked_to_count_where_they_count_what_they_do_not_send() -> None:
    plan: QueryPlan[int] = QueryPlan([PartitionState(0)], 2, nodes_count=False)
    (part,), _ = plan.assign(lambda partition, sequence: 1)
    assert part.record_max == 0
    assert plan.admit(part, 5) == 2
    plan.answered(part)
    assert plan.full and plan.open, "three records are left that were not wanted"


def test_a_partition_without_an_owner_is_reported_and_stays_open() -> None:
    plan: QueryPlan[int] = QueryPlan([PartitionState(0), PartitionState(1)], 0)
    parts, homeless = plan.assign(lambda partition, sequence: None if partition else 1)
    assert [state.number for state in homeless] == [1]
    plan.answered(parts[0])
    assert [state.number for state in plan.open] == [1]


def test_after_a_failure_the_next_copy_is_asked_from_the_last_place() -> None:
    plan: QueryPlan[int] = QueryPlan([PartitionState(5), PartitionState(6)], 0)
    (part,), _ = plan.assign(lambda partition, sequence: sequence)
    plan.handed_on([digest(5, 3), digest(5, 2)], [7, 8])
    plan.failed(part)
    (again,), _ = plan.assign(lambda partition, sequence: sequence)
    assert again.node == 1
    assert again.whole() == [6]
    assert again.resumed() == [(digest(5, 2), 8)]


@pytest.mark.parametrize("strange", [digest(7, 1), digest(4095, 1)])
def test_records_of_partitions_that_were_not_asked_for_change_nothing(strange: bytes) -> None:
    plan: QueryPlan[int] = QueryPlan([PartitionState(5)], 0)
    plan.handed_on([strange], [])
    plan.unavailable(NodePart(1), strange[0] | strange[1] << 8)
    assert plan.open[0].place is None
