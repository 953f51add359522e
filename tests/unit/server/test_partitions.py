"""The partition table: who owns what while nodes come and go."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from tests.effort import examples
from trio_aerospike._wire.constants import N_PARTITIONS
from trio_aerospike.server.partitions import Move, MoveKind, PartitionTable


def claims(table: PartitionTable, names: list[str]) -> list[list[int]]:
    """Per column, how many nodes claim each partition."""
    counts = [[0] * N_PARTITIONS for _ in range(table.columns)]
    for name in names:
        for column, bitmap in enumerate(table.bitmaps(name)):
            for number in range(N_PARTITIONS):
                counts[column][number] += bool(bitmap[number >> 3] & 0x80 >> (number & 7))
    return counts


def finish(table: PartitionTable) -> list[Move]:
    return [move for number in table.pending() for move in table.migrate(number)[0]]


def test_a_single_node_owns_everything() -> None:
    table = PartitionTable(2)
    moves, changes = table.rebalance(["A"])
    assert moves == [] and table.columns == 1 and table.pending() == []
    assert table.bitmaps("A") == [b"\xff" * 512]
    assert changes == {"A": N_PARTITIONS}


def test_replicas_are_spread_evenly_over_three_nodes() -> None:
    table = PartitionTable(2)
    table.rebalance(["A", "B", "C"])
    for column in (0, 1):
        shares = [sum(map(int.bit_count, table.bitmaps(name)[column])) for name in "ABC"]
        assert sum(shares) == N_PARTITIONS
        assert all(1200 < share < 1530 for share in shares)


def test_the_loss_of_a_node_moves_only_what_it_had() -> None:
    table = PartitionTable(2)
    table.rebalance(["A", "B", "C"])
    before = {number: table.owners(number) for number in range(N_PARTITIONS)}
    table.rebalance(["A", "B"])
    finish(table)
    for number, owners in before.items():
        if "C" not in owners:
            assert table.owners(number) == owners
        else:
            survivor = next(name for name in owners if name != "C")
            assert table.master(number) in ("A", "B") and survivor in table.owners(number)


def test_until_it_is_filled_a_new_node_owns_nothing_and_the_acting_master_answers() -> None:
    table = PartitionTable(2)
    table.rebalance(["A", "B"])
    moves, changes = table.rebalance(["A", "B", "C"])
    assert moves == []
    assert all(not any(bitmap) for bitmap in table.bitmaps("C"))
    assert "C" not in changes or changes["C"] == 0
    number = next(number for number in table.pending() if table.succession(number, "ABC")[0] == "C")
    acting = table.master(number)
    assert acting in ("A", "B") and not table.serves_reads("C", number)
    assert "C" in table.takers(number), "writes reach a replica that is being filled"
    moves, changes = table.migrate(number)
    assert Move(MoveKind.COPY, number, "C", acting) in moves
    assert table.master(number) == "C" and changes["C"] == 1
    loser = ({"A", "B"} - set(table.owners(number))).pop()
    assert Move(MoveKind.DISCARD, number, loser) in moves


def test_a_returning_node_is_out_of_date_when_others_went_on_without_it() -> None:
    table = PartitionTable(2)
    table.rebalance(["A", "B"])
    table.depart("B")
    table.rebalance(["A"])
    moves, _ = table.rebalance(["A", "B"])
    assert {move.kind for move in moves} == {MoveKind.DISCARD}
    assert {move.target for move in moves} == {"B"}


def test_the_last_to_leave_has_what_the_first_one_lacks() -> None:
    """A left, B took writes alone and left as well: when A returns first, B's records still count."""
    table = PartitionTable(2)
    table.rebalance(["A", "B"])
    table.depart("A")
    table.depart("B")
    moves, _ = table.rebalance(["A"])
    assert moves == [] and table.master(0) == "A"
    moves, _ = table.rebalance(["A", "B"])
    assert Move(MoveKind.MERGE, 0, "A", "B") in moves


def test_copies_that_were_equal_are_not_merged_when_all_nodes_return_at_once() -> None:
    table = PartitionTable(2)
    table.rebalance(["A", "B"])
    table.depart("A")
    table.depart("B")
    table.rebalance(["A", "B"])
    finish(table)
    assert all(table.owners(number) in (("A", "B"), ("B", "A")) for number in range(N_PARTITIONS))


def test_a_node_that_lost_its_records_has_none_to_merge() -> None:
    table = PartitionTable(2)
    table.rebalance(["A", "B", "C"])
    table.depart("B")
    table.forget("B")
    table.rebalance(["A", "C"])
    finish(table)
    moves, _ = table.rebalance(["A", "B", "C"])
    assert moves == []


@settings(max_examples=examples(6))
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sets(st.sampled_from("ABCDE"), min_size=1), st.integers(0, 4)), min_size=1, max_size=5),
)
def test_every_column_has_exactly_one_live_owner_whatever_happens(
    factor: int, history: list[tuple[set[str], int]]
) -> None:
    table = PartitionTable(factor)
    for members, quarters in history:
        live = sorted(members)
        for name in table.live:
            if name not in members:
                table.depart(name)
        table.rebalance(live)
        for number in table.pending()[: N_PARTITIONS * quarters // 4]:
            table.migrate(number)
        assert claims(table, live) == [[1] * N_PARTITIONS] * min(factor, len(live))
        for number in range(0, N_PARTITIONS, 97):
            assert table.serves_reads(table.master(number), number)
            assert table.takers(number)[0] == table.master(number)
    finish(table)
    assert table.pending() == []
    assert claims(table, live) == [[1] * N_PARTITIONS] * table.columns
