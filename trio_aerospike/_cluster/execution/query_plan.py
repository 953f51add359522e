"""Track the progress of a query per partition: what is still to read, where to resume, and which node to ask.

Plain state without an await: callers report which records were delivered and how requests ended. A partition's place
is that of the last record delivered to the reader, never of one that merely arrived, so that the query can resume
there at any time, on any node that has the partition: the digest, and for a query through an index the value under
which the record was found.

Facts: a node does not say which partitions it has finished, only which ones it cannot serve, and when it is done with
all; records of a partition come in a fixed order (server: as/src/query/query.c; the C client's as_partition_tracker.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from ..._wire.constants import N_PARTITIONS
from ..._wire.digests import partition_id
from ..._wire.query import Resumed
from ..._wire.query_answers import last_of_partitions

T = TypeVar("T")


class PartitionState:
    """One partition of a query.

    Attributes:
        number: of the partition.
        place: the last record that was delivered; None before the first.
        open: whether there may be more records in it.
        sequence: how many of the nodes with a copy have failed.
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
    """The share of one node in one round.

    Attributes:
        node: the node.
        states: the partitions.
        record_max: how many records it may send at the most; 0 for all.
        received: how many it has sent.
        exceeded: whether it sent more than were wanted, which were not delivered.
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
        """The partitions to read from the start."""
        return [state.number for state in self.states if state.place is None]

    def resumed(self) -> list[Resumed]:
        """Where to resume in the others."""
        return [state.place for state in self.states if state.place is not None]


class QueryPlan(Generic[T]):
    """The partitions of one query.

    Args:
        states: the partitions.
        record_max: how many records are wanted in all; 0 for all.
        nodes_count: whether nodes may apply that limit themselves. A node also counts records that it does not send
            because they have none of the selected bins, so a query that selects bins has to count here.
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
        """All partitions, in ascending order."""
        return [state for state in self._states if state is not None]

    @property
    def open(self) -> list[PartitionState]:
        """The partitions that may have more records."""
        return [state for state in self._states if state is not None and state.open]

    @property
    def over(self) -> bool:
        """Whether the query is done: all records were delivered, or as many as were wanted."""
        return self.full or not self.open

    @property
    def full(self) -> bool:
        """Whether as many records were delivered as were wanted."""
        return self._limited and self._left <= 0

    def assign(self, owner: Callable[[int, int], T | None]) -> tuple[list[NodePart[T]], list[PartitionState]]:
        """Assign the open partitions to nodes.

        Args:
            owner: returns the node for a partition, given how many of its copies have failed.

        Returns:
            The share of each node, and the partitions that no node serves.
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
                # At least one each: surplus records are not delivered, and read again from their partition's place.
                part.record_max = max(share + (place < rest), 1)
        return found, homeless

    def admit(self, part: NodePart[T], count: int) -> int:
        """Return how many of a number of received records are wanted."""
        part.received += count
        if not self._limited:
            return count
        wanted = min(count, max(self._left, 0))
        self._left -= wanted
        part.exceeded = part.exceeded or wanted < count
        return wanted

    def handed_on(self, digests: Sequence[bytes], values: Sequence[int]) -> None:
        """Note that records were delivered; ``values`` are their index values, if there is an index."""
        # Of each partition only the last record counts.
        for index in last_of_partitions(digests):
            digest = digests[index]
            state = self._states[partition_id(digest)]
            if state is not None:
                state.place = (digest, values[index] if values else 0)

    def unavailable(self, part: NodePart[T], partition: int) -> None:
        """Note that the node cannot serve a partition: another is asked next time."""
        state = self._states[partition]
        if state is not None and partition not in part.unavailable:
            part.unavailable.add(partition)
            state.sequence += 1

    def answered(self, part: NodePart[T]) -> None:
        """Note that the node has sent all records, or as many as it may."""
        if part.exceeded or (part.record_max and part.received >= part.record_max):
            return
        for state in part.states:
            if state.number not in part.unavailable:
                state.open = False

    def failed(self, part: NodePart[T]) -> None:
        """Note that the node's answer broke off: other nodes are asked for the same partitions."""
        for state in part.states:
            if state.number not in part.unavailable:
                state.sequence += 1
