"""The partition map: which node owns which partition, merged from the nodes' reports, to route commands.

Every node reports which partitions it serves, one bitmap per replica column, and no node reports the whole. The map is
merged from these reports as they come in, in any order and with gaps. The rules:

* a claim takes the slot from its previous owner, unless its regime is older than the partition's (regimes
  count the rebalances of strong consistency namespaces and are 0 in all others);
** an unclaimed slot keeps its last owner: during a rebalance there are moments when neither the old nor the new owner
  claims a partition, and the old one still proxies requests to the new one;
* a node whose partition generation is -1 has not joined a cluster yet and owns nothing; neither does a removed node.
  Their slots pass to another replica of the same partition if there is one.

No I/O and no clock here: the tend loop fetches, this module decides. The text of the reports is parsed by
`_wire.info_cluster.parse_replicas`.

Source of facts: server as/src/fabric/partition.c (`as_partition_get_replicas_all_str`, `client_replica_maps_update`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import attrs

from trio_aerospike.errors import ProtocolError

N_PARTITIONS = 4096
BITMAP_BYTES = N_PARTITIONS // 8
NO_GENERATION = -1
"""The partition generation of a node that has not been part of a rebalance yet."""

T = TypeVar("T", bound=Hashable)

_ALL = (1 << N_PARTITIONS) - 1
_BITS = tuple(tuple(bit for bit in range(8) if byte & (0x80 >> bit)) for byte in range(256))


def partition_ids(bits: int) -> Iterator[int]:
    """Return the partitions whose bit is set, ascending; partition 0 is the highest of 4096 bits, as on the wire."""
    for index, byte in enumerate(bits.to_bytes(BITMAP_BYTES, "big")):
        if byte:
            base = index << 3
            for bit in _BITS[byte]:
                yield base + bit


def _set_bit(mask: bytearray, pid: int) -> None:
    mask[pid >> 3] |= 0x80 >> (pid & 7)


@attrs.frozen
class MapChange(Generic[T]):
    """The effect of one report on the map.

    Attributes:
        changed: a slot has a new owner, or the number of replicas or of namespaces changed.
        displaced: nodes that lost a slot to the reporting node. Either their last report is out of date or this one
            is; they must be asked again for the map to settle.
        stale: namespaces in which a claim was refused because of its old regime.
    """

    changed: bool = False
    displaced: frozenset[T] = frozenset()
    stale: frozenset[str] = frozenset()


class NamespaceTable(Generic[T]):
    """The owners of one namespace's partitions.

    Attributes:
        replicas: a list of 4096 owners per replica column; column 0 holds the masters. A slot is None while no node
            is known to hold that replica. The same node may be in several columns of a partition: a master that still
            sends data to a future replica takes its place.
        masters: `replicas[0]`, always the same list object. None only if no node is known to hold the partition in any
            column; if a replica is known but no master, the replica takes its place, as it can proxy.
        regimes: the newest regime in which each partition was claimed.
    """

    __slots__ = ("_absent", "_held", "_reports", "_supposed", "_unowned", "masters", "regimes", "replicas")

    def __init__(self) -> None:
        self.masters: list[T | None] = [None] * N_PARTITIONS
        self.replicas: list[list[T | None]] = [self.masters]
        self.regimes: list[int] = [0] * N_PARTITIONS
        self._held: dict[T, list[int]] = {}  # the slots of each node as a bit set per column: the inverse of replicas
        self._reports: dict[T, tuple[int, list[int]]] = {}  # the last report of each present node: regime, claims
        self._absent: set[T] = set()  # own nothing, and are in masters only if there is no other node
        self._unowned = _ALL  # masters that are None
        self._supposed = 0  # unclaimed masters, whose place a replica takes

    def __repr__(self) -> str:
        owned = N_PARTITIONS - self._unowned.bit_count()
        return f"<NamespaceTable {owned} of {N_PARTITIONS} partitions owned, {len(self.replicas)} replicas>"

    def owners(self, pid: int) -> tuple[T, ...]:
        """Return the distinct owners of a partition, master first."""
        return tuple(dict.fromkeys(node for column in self.replicas if (node := column[pid]) is not None))

    @property
    def only_master(self) -> T | None:
        """The node that is the master of every partition; None if there are several, or partitions without one."""
        node = self.masters[0]
        held = None if node is None else self._held.get(node)
        return node if held and held[0] == _ALL else None

    @property
    def all_claimed(self) -> bool:
        """Whether each partition has a master that claims it: none is without, and no replica takes its place."""
        return not self._unowned and not self._supposed

    def owns(self, node: T) -> bool:
        """Whether the node owns any slot."""
        return any(self._held.get(node, ()))

    def _claim(self, node: T, regime: int, bitmaps: Sequence[bytes]) -> tuple[bool, set[T], bool]:
        """Merge one node's report into the table; returns (changed, displaced nodes, a claim was too old)."""
        claims = [int.from_bytes(bitmap, "big") for bitmap in bitmaps]
        known = self._reports.get(node)
        self._reports[node] = (regime, claims)
        self._absent.discard(node)
        changed = self._fit_columns()
        held = self._columns_of(node)
        displaced: set[T] = set()
        stale = False
        for column, claimed in enumerate(claims):
            fresh = claimed
            if known is not None and known[0] == regime and column < len(known[1]):
                # Claimed before in this regime, and still owned: nothing to do for these.
                fresh &= ~(held[column] & known[1][column])
            if fresh:
                gained, losses, refused = self._take(node, column, fresh, regime)
                changed = changed or gained
                stale = stale or refused
                for loser, bits in losses.items():
                    if loser not in self._absent and (column or bits & ~self._supposed):
                        displaced.add(loser)
            if column == 0:
                self._supposed &= ~claimed
        filled = self._fill_masters()
        return changed or filled, displaced, stale

    def _take(self, node: T, column: int, bits: int, regime: int) -> tuple[bool, dict[T, int], bool]:
        """Assign slots to the node; returns (it got one, slots that others lost, its regime was too old for one)."""
        slots, regimes = self.replicas[column], self.regimes
        gained = bytearray(BITMAP_BYTES)
        lost: dict[T | None, bytearray] = {}
        refused = False
        for pid in partition_ids(bits):
            if regime < regimes[pid]:
                refused = True
                continue
            regimes[pid] = regime
            owner = slots[pid]
            if owner is not node and owner != node:
                slots[pid] = node
                _set_bit(gained, pid)
                if owner not in lost:
                    lost[owner] = bytearray(BITMAP_BYTES)
                _set_bit(lost[owner], pid)
        self._columns_of(node)[column] |= int.from_bytes(gained, "big")
        losses: dict[T, int] = {}
        for loser, mask in lost.items():
            gone = int.from_bytes(mask, "big")
            if loser is not None:
                losses[loser] = gone
                self._held[loser][column] &= ~gone
            elif column == 0:
                self._unowned &= ~gone
        return bool(lost), losses, refused

    def _release(self, node: T) -> bool:
        """Remove a node that no longer serves from all slots, except masters without any other owner."""
        self._reports.pop(node, None)
        if not self._reports:
            # No node of these regimes is left: a cluster that is rebuilt counts from the start.
            self.regimes[:] = [0] * N_PARTITIONS
        held = self._held.get(node)
        if held is None or node in self._absent:
            return False
        self._absent.add(node)
        changed = False
        for column in range(1, len(held)):
            slots = self.replicas[column]
            for pid in partition_ids(held[column]):
                slots[pid] = None
                changed = True
            held[column] = 0
        if self._fill_masters():
            changed = True
        if self._fit_columns():
            changed = True
        return changed

    def _fill_masters(self) -> bool:
        """Put a replica's owner wherever the master is unknown or absent."""
        vacant = self._unowned
        for node in list(self._absent):
            if bits := self._held[node][0]:
                vacant |= bits
            else:
                self._absent.discard(node)
                del self._held[node]
        if not vacant or len(self.replicas) == 1:
            return False
        filled = False
        columns = self.replicas[1:]
        for pid in partition_ids(vacant):
            for column in columns:
                if (node_or_none := column[pid]) is not None:
                    bit = 1 << (N_PARTITIONS - 1 - pid)
                    if (owner := self.masters[pid]) is None:
                        self._unowned &= ~bit
                    else:
                        self._held[owner][0] &= ~bit
                    self.masters[pid] = node_or_none
                    self._held[node_or_none][0] |= bit
                    self._supposed |= bit
                    filled = True
                    break
        return filled

    def _fit_columns(self) -> bool:
        """Keep as many columns as the largest number that a present node reports.

        Not as many as the last report: nodes learn a new cluster size one after the other, and one that starts
        alone reports a single column.
        """
        wanted = max((len(claims) for _, claims in self._reports.values()), default=len(self.replicas))
        have = len(self.replicas)
        if wanted == have:
            return False
        if wanted < have:
            del self.replicas[wanted:]
        for held in self._held.values():
            del held[wanted:]
            held.extend([0] * (wanted - len(held)))
        self.replicas.extend([None] * N_PARTITIONS for _ in range(have, wanted))
        return True

    def _columns_of(self, node: T) -> list[int]:
        held = self._held.get(node)
        if held is None:
            held = self._held[node] = [0] * len(self.replicas)
        return held


class PartitionMap(Generic[T]):
    """The partition tables of all namespaces of a cluster.

    `T` identifies a node: a node object, or a name. It must be hashable; equal values stand for one node.

    A lookup is two subscriptions, on purpose without a method call: `pmap.tables[namespace].masters[pid]`. A missing
    namespace is a KeyError: no node of the cluster serves it.

    Attributes:
        tables: the table of each namespace by name.
    """

    __slots__ = ("tables",)

    def __init__(self) -> None:
        self.tables: dict[str, NamespaceTable[T]] = {}

    def __repr__(self) -> str:
        return f"<PartitionMap {', '.join(f'{name}: {table!r}' for name, table in self.tables.items()) or 'empty'}>"

    def owners(self, namespace: str, pid: int) -> tuple[T, ...]:
        """Return the distinct owners of a partition, master first; empty if no owner or the namespace is not known."""
        table = self.tables.get(namespace)
        return table.owners(pid) if table is not None else ()

    def owns(self, node: T) -> bool:
        """Whether the node owns any slot of any namespace."""
        return any(table.owns(node) for table in self.tables.values())

    def update(self, node: T, replicas: Mapping[str, tuple[int, Sequence[bytes]]], generation: int = 0) -> MapChange[T]:
        """Merge one node's report into the map.

        Takes time in proportion to the difference from the map: a report without news takes some microseconds, one
        that changes all 4096 partitions about a millisecond per column.

        Args:
            node: the reporting node.
            replicas: per namespace the regime and a bitmap of 512 bytes per replica column, masters first, where
                partition 0 is the highest bit of the first byte. Namespaces the node used to report and does not now
                are no longer served by it; a namespace that no node serves any more loses its table.
            generation: the node's partition generation, fetched together with the bitmaps. At -1 the node owns
                nothing, whatever the bitmaps say (their number is meaningless then, too).

        Returns:
            What changed, and which other nodes have to be asked again.

        Raises:
            ProtocolError: a bitmap has the wrong length or there is none; the map is as it was.
        """
        for name, (_, bitmaps) in replicas.items():
            if not bitmaps or any(len(bitmap) != BITMAP_BYTES for bitmap in bitmaps):
                sizes = [len(bitmap) for bitmap in bitmaps]
                raise ProtocolError(
                    f"replicas of namespace {name!r}: bitmaps of {BITMAP_BYTES} bytes expected, got {sizes}"
                )
        if generation == NO_GENERATION:
            return MapChange(changed=self._release(node))
        changed = False
        displaced: set[T] = set()
        stale: set[str] = set()
        for name, (regime, bitmaps) in replicas.items():
            table = self.tables.get(name)
            if table is None:
                table = self.tables[name] = NamespaceTable()
                changed = True
            table_changed, losers, refused = table._claim(node, regime, bitmaps)
            changed = changed or table_changed
            displaced |= losers
            if refused:
                stale.add(name)
        for name in [name for name, table in self.tables.items() if name not in replicas and node in table._reports]:
            table = self.tables[name]
            changed = table._release(node) or changed
            if not table._reports:
                del self.tables[name]
                changed = True
        return MapChange(changed, frozenset(displaced), frozenset(stale))

    def remove_node(self, node: T) -> bool:
        """Takes a node out that has left the cluster.

        What it held passes to other replicas; where there are none it stays as the last known owner, so that a command
        finds a node that refuses, and retries, rather than no node.

        Returns:
            Whether any slot changed.
        """
        return self._release(node)

    def _release(self, node: T) -> bool:
        changed = False
        for table in self.tables.values():
            changed = table._release(node) or changed
        return changed
