"""Which partitions a query still has to ask for, where it goes on in each, and whom it asks.

Plain state without an await: it is told what was handed on to the reader and how requests ended. A partition's place
is that of the last record handed on, never of one that merely arrived, so that it can be taken up from here at any
time, on any node that has the partition: the digest, and for a query through an index the value under which it was
found.

Facts: a node does not say which partitions it is done with, only that it cannot serve some, and when it is done with
all; records of a partition come in a fixed order (server: as/src/query/query.c; the C client's as_partition_tracker.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from ..._wire.constants import N_PARTITIONS
from ..._wire.query import Resumed

T = TypeVar("T")


class PartitionState:
    """One partition of a query.

    Attributes:
        number: which.
        place: the last record that was handed on; None before the first.
        open: whether there may be more in it.
        sequence: how many of its copies' nodes have failed.
    """

    __slots__ = ("number", "open", "place", "sequence")

    def __init__(self, number: int, place: Resumed | None = None) -> None:
        self.number = number
        self.place = place
        self.open = True
        self.sequence = 0

    def __repr__(self) -> str:
        return f"<PartitionState {self.number} {'open' if self.open else 'done'}, place {self.place}>"


class NodePart(Generic[T]):
    """What one node is asked for in one round.

    Attributes:
        node: whom.
        states: the partitions.
        record_max: how many records it may send at the most; 0 for all.
        received: how many it has sent.
        exceeded: whether some of them were too many, and left where they are.
    """

    __slots__ = ("exceeded", "node", "received", "record_max", "states", "unavailable")

    def __init__(self, node: T) -> None:
        self.node = node
        self.states: list[PartitionState] = []
        self.record_max = 0
        self.received = 0
        self.exceeded = False
        self.unavailable: set[int] = set()

    def whole(self) -> list[int]:
        """The partitions to begin at their beginnings."""
        return [state.number for state in self.states if state.place is None]

    def resumed(self) -> list[Resumed]:
        """Where to go on in the others."""
        return [state.place for state in self.states if state.place is not None]


class QueryPlan(Generic[T]):
    """The partitions of one query.

    Args:
        states: those to look at.
        record_max: how many records are wanted in all; 0 for all there are.
        nodes_count: whether nodes may count to that number themselves. A node counts records of which it then sends
            nothing, where they have none of the bins that are read: who asks for bins has to count what comes.
    """

    def __init__(self, states: Iterable[PartitionState], record_max: int, *, nodes_count: bool = True) -> None:
        self._states: list[PartitionState | None] = [None] * N_PARTITIONS
        for state in states:
            self._states[state.number] = state
        self._limited = record_max > 0
        self._shares = self._limited and nodes_count
        self._left = record_max

    @property
    def states(self) -> list[PartitionState]:
        """All partitions, ascending."""
        return [state for state in self._states if state is not None]

    @property
    def open(self) -> list[PartitionState]:
        """The partitions in which there may be more."""
        return [state for state in self._states if state is not None and state.open]

    @property
    def over(self) -> bool:
        """Whether nothing more is to be asked for: everything was had, or as much as was wanted."""
        return self.full or not self.open

    @property
    def full(self) -> bool:
        """Whether as much was had as was wanted."""
        return self._limited and self._left <= 0

    def assign(self, owner: Callable[[int, int], T | None]) -> tuple[list[NodePart[T]], list[PartitionState]]:
        """Share the open partitions out.

        Args:
            owner: tells the node for a partition, of whose copies so many have failed.

        Returns:
            What each node is to be asked for, and the partitions that nobody serves.
        """
        parts: dict[T, NodePart[T]] = {}
        homeless: list[PartitionState] = []
        for state in self.open:
            node = owner(state.number, state.sequence)
            if node is None:
                homeless.append(state)
                continue
            part = parts.get(node)
            if part is None:
                part = parts[node] = NodePart(node)
            part.states.append(state)
        found = list(parts.values())
        if self._shares and found:
            share, rest = divmod(self._left, len(found))
            for place, part in enumerate(found):
                # At least one each: what is too much is not handed on, and found again from its partition's place.
                part.record_max = max(share + (place < rest), 1)
        return found, homeless

    def admit(self, part: NodePart[T], count: int) -> int:
        """Of so many records that a node has sent, how many are wanted."""
        part.received += count
        if not self._limited:
            return count
        wanted = min(count, max(self._left, 0))
        self._left -= wanted
        part.exceeded = part.exceeded or wanted < count
        return wanted

    def handed_on(self, digests: Sequence[bytes], values: Sequence[int]) -> None:
        """Note that the reader has these records; ``values`` are those of the index, if there is one."""
        # Of each partition only the last record counts, and records of one come in runs.
        last = {digest[:2]: index for index, digest in enumerate(digests)}
        for index in sorted(last.values()):
            digest = digests[index]
            state = self._states[(digest[0] | digest[1] << 8) & 4095]
            if state is not None:
                state.place = (digest, values[index] if values else 0)

    def unavailable(self, part: NodePart[T], partition: int) -> None:
        """The node cannot serve a partition: another is asked next time."""
        state = self._states[partition]
        if state is not None and partition not in part.unavailable:
            part.unavailable.add(partition)
            state.sequence += 1

    def answered(self, part: NodePart[T]) -> None:
        """The node has sent all that it has, or as much as it was allowed to."""
        if part.exceeded or (part.record_max and part.received >= part.record_max):
            return
        for state in part.states:
            if state.number not in part.unavailable:
                state.open = False

    def failed(self, part: NodePart[T]) -> None:
        """The node's answer broke off: other nodes are asked for the same partitions."""
        for state in part.states:
            if state.number not in part.unavailable:
                state.sequence += 1
