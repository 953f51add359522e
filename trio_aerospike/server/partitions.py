"""The partition table of a namespace: masters, replicas and migrations; without I/O and without records.

A namespace has 4,096 partitions. For each of them all nodes have a fixed order of succession; its first
`replication_factor` live nodes are the replicas. A replica that lacks records (it is new, or was down) is filled by a
migration; until then the best node with all records is the working master, as in the real server (as/src/fabric/
partition_balance.c, client_replica_maps_update in partition.c).

The table returns the changes to records as a list of `Move`s, which the cluster carries out.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import count

import attrs

from .._wire.constants import N_PARTITIONS


class MoveKind(Enum):
    """What happens to the records of one partition on one node."""

    COPY = "copy"
    """The target gets exactly the records of the source."""
    MERGE = "merge"
    """The target gets the records of the source that are newer than its own."""
    DISCARD = "discard"
    """The target drops its records."""


@attrs.frozen
class Move:
    """A move of the records of one partition; a discard has no source."""

    kind: MoveKind
    partition: int
    target: str
    source: str = ""


@attrs.frozen(eq=False)
class _Lineage:
    """The history of a copy: it has all records of its ancestors."""

    ident: int
    ancestors: frozenset[int] = frozenset()

    def covers(self, other: _Lineage) -> bool:
        return other.ident == self.ident or other.ident in self.ancestors


@attrs.define(eq=False)
class _Partition:
    number: int
    replicas: tuple[str, ...] = ()
    master: str = ""
    full: set[str] = attrs.Factory(set)
    """Live nodes that have every acknowledged record."""
    copies: dict[str, _Lineage] = attrs.Factory(dict)
    """The nodes that have any records of this partition, including stopped ones."""
    takers: tuple[str, ...] = ()
    """The nodes that get writes: complete ones and replicas being filled."""

    def owners(self) -> tuple[str, ...]:
        """The node that claims each replica column towards clients.

        The working master claims columns whose replica is not complete yet, and the one that it will have itself once
        the eventual master takes over.
        """
        return tuple(
            self.master if column == 0 or name not in self.full else name for column, name in enumerate(self.replicas)
        )

    def settle_takers(self) -> None:
        self.takers = (self.master, *sorted(self.full.union(self.replicas).difference((self.master,))))

    @property
    def migrating(self) -> bool:
        if self.master not in self.full:
            return False  # lost until the next rebalance
        return self.full != set(self.replicas) or self.master != self.replicas[0]


class PartitionTable:
    """The partitions of one namespace over the nodes of a cluster.

    Args:
        replication_factor: intended copies of each record, at least 1.
    """

    def __init__(self, replication_factor: int) -> None:
        self.replication_factor = replication_factor
        self.live: tuple[str, ...] = ()
        self._partitions = [_Partition(number) for number in range(N_PARTITIONS)]
        self._ranks: dict[str, array[int]] = {}
        self._idents = count(1)
        self._started = False
        self._most_columns = 0
        self._pending: set[int] = set()

    # For requests ---------------------------------------------------------------------------------------------

    def master(self, partition: int) -> str:
        """The working master: writes go there."""
        return self._partitions[partition].master

    def serves_reads(self, node: str, partition: int) -> bool:
        """Whether the node serves reads of the partition itself: a complete replica, or the master."""
        entry = self._partitions[partition]
        return node == entry.master or (node in entry.full and node in entry.replicas)

    def has_records(self, node: str, partition: int) -> bool:
        """Whether the node has any records of the partition."""
        return node in self._partitions[partition].copies

    def takers(self, partition: int) -> tuple[str, ...]:
        """The nodes that get writes of the partition, its master first: complete ones and replicas being filled."""
        return self._partitions[partition].takers

    def replicas(self, partition: int) -> tuple[str, ...]:
        """The intended replicas of the partition, its eventual master first."""
        return tuple(self._partitions[partition].replicas)

    def owners(self, partition: int) -> tuple[str, ...]:
        """The node that claims each replica column."""
        return self._partitions[partition].owners()

    @property
    def columns(self) -> int:
        """The number of replicas of each partition at present."""
        return min(self.replication_factor, len(self.live))

    def bitmaps(self, node: str) -> list[bytes]:
        """The node's claims, a bitmap of 512 bytes per replica column, partition 0 in the highest bit."""
        maps = [bytearray(N_PARTITIONS // 8) for _ in range(max(self._most_columns, 1))]
        for number, entry in enumerate(self._partitions):
            master, full = entry.master, entry.full
            for column, name in enumerate(entry.replicas):
                if (master if column == 0 or name not in full else name) == node:
                    maps[column][number >> 3] |= 0x80 >> (number & 7)
        return [bytes(bitmap) for bitmap in maps]

    # For the cluster ------------------------------------------------------------------------------------------

    def rebalance(self, live: Sequence[str]) -> tuple[list[Move], dict[str, int]]:
        """Rebalance for the current nodes.

        Args:
            live: the names of the nodes of the cluster.

        Returns:
            The moves to carry out at once, and for each node how many partitions changed in its map.
        """
        moves: list[Move] = []
        changes: dict[str, int] = dict.fromkeys(live, 0)
        for more, changed in self.rebalance_steps(live):
            moves += more
            for name in changed:
                changes[name] = changes.get(name, 0) + 1
        return moves, changes

    def rebalance_steps(self, live: Sequence[str]) -> Iterator[tuple[list[Move], dict[str, int]]]:
        """Rebalance for the current nodes, one partition at each step.

        Args:
            live: the names of the nodes of the cluster.

        Yields:
            The moves of a partition, to be carried out at once, and the nodes in whose maps it changed, each with 1.
        """
        previous, self.live = set(self.live), tuple(live)
        self._most_columns = max(self._most_columns, self.columns)
        for name in live:
            self._rank(name)
        for entry in self._partitions:
            before = entry.owners()
            moves = self._settle(entry, previous)
            self._note_pending(entry)
            changes: dict[str, int] = {}
            _count_changes(before, entry.owners(), changes)
            yield moves, changes
        self._most_columns = self.columns
        self._started = True

    def pending(self) -> list[int]:
        """The partitions that still have records to move."""
        return sorted(self._pending)

    @property
    def is_migrating(self) -> bool:
        """Whether any partition still has records to move."""
        return bool(self._pending)

    def _note_pending(self, entry: _Partition) -> None:
        """Update the pending migrations after a change of a partition."""
        if entry.migrating:
            self._pending.add(entry.number)
        else:
            self._pending.discard(entry.number)

    def migrate(self, partition: int) -> tuple[list[Move], dict[str, int]]:
        """Fill the partition's replicas, hand over to the eventual master, discard the copies of other nodes.

        Returns:
            The moves to carry out, and for each node how many partitions changed in its map (0 or 1).
        """
        entry = self._partitions[partition]
        before = entry.owners()
        lineage = entry.copies[entry.master]
        moves = []
        for name in entry.replicas:
            if name not in entry.full:
                moves.append(Move(MoveKind.COPY, partition, name, entry.master))
                entry.full.add(name)
                entry.copies[name] = lineage
        entry.master = entry.replicas[0]
        for name in sorted(entry.full.difference(entry.replicas)):
            moves.append(Move(MoveKind.DISCARD, partition, name))
            entry.full.discard(name)
            del entry.copies[name]
        entry.settle_takers()
        self._note_pending(entry)
        changes: dict[str, int] = {}
        _count_changes(before, entry.owners(), changes)
        return moves, changes

    def depart(self, node: str) -> None:
        """Note that a node has left, although the map does not show it before the next rebalance.

        It lacks what the others write from now on: if it comes back, its copies are outdated.
        """
        for _ in self.depart_steps(node):
            pass

    def depart_steps(self, node: str) -> Iterator[None]:
        """`depart` in steps of one partition."""
        for entry in self._partitions:
            self._drop_dead(entry, [node])
            self._note_pending(entry)
            yield

    def forget_steps(self, node: str) -> Iterator[None]:
        """Note that a node has lost its records, in steps of one partition."""
        for entry in self._partitions:
            entry.copies.pop(node, None)
            entry.full.discard(node)
            self._note_pending(entry)
            yield

    def forget(self, node: str) -> None:
        """Note that a node has lost its records."""
        for _ in self.forget_steps(node):
            pass

    # Helpers --------------------------------------------------------------------------------------------------

    def _rank(self, node: str) -> array[int]:
        ranks = self._ranks.get(node)
        if ranks is None:
            ranks = array("Q", hashlib.shake_128(node.encode()).digest(8 * N_PARTITIONS))
            self._ranks[node] = ranks
        return ranks

    def succession(self, partition: int, nodes: Iterable[str]) -> list[str]:
        """The nodes in their order of succession as replicas of the partition.

        The order of two nodes does not depend on the others (rendezvous hashing), so that a node that joins or leaves
        moves only its own partitions.
        """
        return sorted(nodes, key=lambda node: self._ranks[node][partition])

    def _settle(self, entry: _Partition, previous: set[str]) -> list[Move]:
        order = self.succession(entry.number, self.live)
        moves: list[Move] = []
        if not self._started:
            entry.full = set(order[: self.replication_factor])
            root = _Lineage(next(self._idents))
            entry.copies = dict.fromkeys(entry.full, root)
        else:
            self._drop_dead(entry, previous.difference(self.live))
            moves = self._take_in(entry, order, previous)
        entry.replicas = tuple(order[: self.replication_factor])
        entry.master = (
            entry.replicas[0] if entry.replicas[0] in entry.full else next(name for name in order if name in entry.full)
        )
        partial = _Lineage(next(self._idents)) if not entry.full.issuperset(entry.replicas) else None
        for name in entry.replicas:
            if name not in entry.full and partial is not None:
                entry.copies[name] = partial
        entry.settle_takers()
        return moves

    def _drop_dead(self, entry: _Partition, gone: Iterable[str]) -> None:
        """Give the survivors a lineage that the copies of the lost nodes do not have."""
        dead = [name for name in gone if name in entry.copies]
        if not dead:
            return
        lost = {entry.copies[name].ident for name in dead}
        entry.full.difference_update(dead)
        if entry.full:
            old = entry.copies[next(iter(entry.full))]
            renewed = _Lineage(next(self._idents), old.ancestors | lost | {old.ident})
            entry.copies.update(dict.fromkeys(entry.full, renewed))

    def _take_in(self, entry: _Partition, order: list[str], previous: set[str]) -> list[Move]:
        """Reconcile the copies of nodes that come back, or were being filled, with those in service."""
        moves: list[Move] = []
        continuous = bool(entry.full)
        if not continuous:
            first = next((name for name in order if name in entry.copies), order[0])
            entry.copies[first] = _Lineage(next(self._idents), self._history(entry, first))
            entry.full = {first}
        lineage = entry.copies[next(iter(entry.full))]
        for name in order:
            theirs = entry.copies.get(name)
            if theirs is None or name in entry.full:
                continue
            # A replica that was being filled has no records that a complete one lacks.
            if not (lineage.covers(theirs) or (continuous and name in previous)):
                moves += [Move(MoveKind.MERGE, entry.number, target, name) for target in sorted(entry.full)]
                history = lineage.ancestors | theirs.ancestors | {lineage.ident, theirs.ident}
                lineage = _Lineage(next(self._idents), history)
                entry.copies.update(dict.fromkeys(entry.full, lineage))
            moves.append(Move(MoveKind.DISCARD, entry.number, name))
            del entry.copies[name]
        return moves

    def _history(self, entry: _Partition, node: str) -> frozenset[int]:
        mine = entry.copies.get(node)
        return frozenset() if mine is None else mine.ancestors | {mine.ident}


def _count_changes(before: tuple[str, ...], after: tuple[str, ...], changes: dict[str, int]) -> None:
    """Count, per node, a partition whose claimed columns changed."""
    if before == after:
        return
    for name in {*before, *after}:
        was = [column for column, owner in enumerate(before) if owner == name]
        now = [column for column, owner in enumerate(after) if owner == name]
        if was != now:
            changes[name] = changes.get(name, 0) + 1
