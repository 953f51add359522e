"""Cluster membership: the tend loop's decisions, as a state machine from answers to actions.

`TendState` knows the nodes by name. The tend loop reports what happened (`status`, `fetched`, `failed`, `found`,
`unreachable`, `displaced`) and when a round begins and ends; each of these methods returns actions, in the order in
which they are to be carried out. There is no I/O, no clock and no await here, and nothing waits for the slowest node:
each answer is acted upon when it arrives.

A round of the loop, for each node side by side::

    Ask     ask for STATUS_NAMES, then status(name, Status.from_answers(...)) or failed(name)
    Fetch   ask for peers, for "partition-generation" and "replicas", for "rack-ids"; then fetched(...) or failed(name)
    Claims  merge the report into the partition map, then displaced(names of the nodes that lost a slot)
    Dial    try the addresses in turn until found(dial, address, status) gives no Reject; if all do, unreachable(dial)
    Seed    the same for each configured host with Dial(None, addresses)
    Add     the node exists from now on, on the connection that was just found
    Drop    the node is gone: take it out of the map, drain it

The rules, which follow the C and Go clients (as_cluster.c `as_cluster_find_nodes_to_remove`, cluster.go
`findNodesToRemove`) but for the barrier between phases, which they need and we do not:

** a generation that differs from the one last fetched, higher or lower, means that there is something to fetch: a
  restarted node counts from the start;
* a node belongs to the cluster while it answers and either another serving node lists it as a peer or it owns a
  partition. One that does not answer stays while others list it (they soon notice a dead node, and one that is only
  slow to answer us still serves); once they do not, it is dropped at once;
* when no node answers, those that failed `failure_limit` times in a row are dropped, and the seeds are asked again;
* a node without peers next to a cluster with peers has been split off or has just started: its claims wait until it
  has peers or the others are gone, else it would take over the whole map.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from trio_aerospike._cluster.tend.partition_map import NO_GENERATION
from trio_aerospike.errors import ProtocolError

Address = tuple[str, int]
"""Host (a name or a numeric address, IPv6 without brackets) and port."""

Replicas = Mapping[str, tuple[int, Sequence[bytes]]]
"""Per namespace the regime and the bitmap of each replica column: see `PartitionMap.update`."""

STATUS_NAMES = ("node", "peers-generation", "partition-generation", "rebalance-generation", "cluster-name")
"""The info names behind a `Status`."""

FAILURE_LIMIT = 5
"""How many times in a row a node may fail to answer if no other node answers either."""


class Peer(Protocol):
    """One entry of a peers list, as `_wire.info_cluster.parse_peers` gives it."""

    @property
    def name(self) -> str: ...
    @property
    def tls_name(self) -> str | None: ...
    @property
    def hosts(self) -> Sequence[Address]: ...


@attrs.frozen
class Status:
    """A node's status, as it reports it in every round.

    Attributes:
        name: the node's name. An unexpected name means that the address belongs to another node now.
        peers_generation: differs from before when the peers list does.
        partition_generation: differs from before when the node's replicas do; -1 before its first rebalance.
        rebalance_generation: differs from before when racks may have been reassigned.
        cluster_name: as the node reports it; empty if it was not asked.
    """

    name: str
    peers_generation: int
    partition_generation: int
    rebalance_generation: int = 0
    cluster_name: str = ""

    @classmethod
    def from_answers(cls, answers: Mapping[str, str]) -> Status:
        """Parse the answers to `STATUS_NAMES`.

        Raises:
            ProtocolError: an answer is missing, is an error, or is invalid.
        """
        name = answers.get("node", "")
        if not name or name.startswith(("ERROR", "FAIL")):
            raise ProtocolError(f"info answer node: got {name[:60]!r}, expected a node name")
        return cls(
            name=name,
            peers_generation=_number(answers, "peers-generation"),
            partition_generation=_number(answers, "partition-generation"),
            rebalance_generation=_number(answers, "rebalance-generation"),
            cluster_name=answers.get("cluster-name", ""),
        )


def _number(answers: Mapping[str, str], name: str) -> int:
    text = answers.get(name, "")
    try:
        return int(text)
    except ValueError:
        raise ProtocolError(f"info answer {name}: got {text[:60]!r}, expected a number") from None


class Reason(enum.Enum):
    """Why a node was dropped or an address was not taken."""

    GONE = "it does not answer and the rest of the cluster does not list it"
    SILENT = "no node answers"
    UNUSED = "the rest of the cluster does not list it and it owns no partition"
    RENAMED = "its address answers under another node name"
    MOVED = "it answers at another address"
    OTHER_CLUSTER = "it belongs to another cluster"
    OTHER_NODE = "another node answers there"
    NOT_READY = "it has not joined a cluster yet"
    KNOWN = "the node is known already"
    ADDRESS_TAKEN = "another node answers at the same address: probably a load balancer"


@attrs.frozen
class Ask:
    """Ask the node for its status."""

    name: str


@attrs.frozen
class Seed:
    """Dial the configured hosts: no known node answers."""


@attrs.frozen
class Fetch:
    """Fetch the details of a node whose generations changed. One request for all of them is best."""

    name: str
    peers: bool = False
    partitions: bool = False
    racks: bool = False


@attrs.frozen
class Dial:
    """Look for a node at these addresses.

    Attributes:
        name: the node expected there; None for a seed, where any node will do.
        addresses: to be tried in this order.
        tls_name: the name in the node's certificate, if the peers list has one.
    """

    name: str | None
    addresses: tuple[Address, ...]
    tls_name: str | None = None


@attrs.frozen
class Claims:
    """Merge a node's report into the partition map: `PartitionMap.update` with the same arguments."""

    name: str
    generation: int
    replicas: Replicas = attrs.field(repr=False)


@attrs.frozen
class Add:
    """Add a node: the connection on which it was found is its own from now on."""

    name: str
    address: Address
    tls_name: str | None = None


@attrs.frozen
class Drop:
    """Drop a node that is no longer part of the cluster."""

    name: str
    reason: Reason


@attrs.frozen
class Reject:
    """Reject the node that answered: close that connection and try the next address."""

    address: Address
    status: Status
    reason: Reason


Action = Ask | Seed | Fetch | Dial | Claims | Add | Drop | Reject


@attrs.define(eq=False)
class _Node:
    name: str
    address: Address
    tls_name: str | None
    failures: int = 0
    busy: bool = False  # an Ask or a Fetch is in flight: the node is not asked again meanwhile
    serving: bool = True  # has been part of a rebalance
    mapped: bool = False  # has had claims merged into the map
    peers: dict[str, Peer] | None = None
    peers_generation: int | None = None
    partition_generation: int | None = None
    rebalance_generation: int | None = None
    waiting: Claims | None = None  # a report that must not be merged into the map yet

    @property
    def answers(self) -> bool:
        return self.failures == 0

    def forget_generations(self) -> None:
        self.peers_generation = self.partition_generation = self.rebalance_generation = None


class TendState:
    """The known nodes of a cluster, and the decisions about them.

    Args:
        cluster_name: the name every node must report; empty accepts any.
        racks: whether rack ids are fetched.
        failure_limit: how many times in a row a node may fail to answer if no other node answers either.
    """

    def __init__(self, cluster_name: str = "", *, racks: bool = False, failure_limit: int = FAILURE_LIMIT) -> None:
        self.cluster_name = cluster_name
        self._racks = racks
        self._failure_limit = failure_limit
        self._nodes: dict[str, _Node] = {}
        self._dialling: set[str] = set()
        self._unreachable: set[str] = set()  # in this round

    def __repr__(self) -> str:
        nodes = ", ".join(
            f"{node.name} at {node.address[0]}:{node.address[1]}"
            + (f" failed {node.failures}x" if node.failures else "")
            for node in self._nodes.values()
        )
        return f"<TendState {nodes or 'no nodes'}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The known nodes, in the order in which they were found."""
        return tuple(self._nodes)

    @property
    def connected(self) -> bool:
        """Whether at least one node answered when it was last asked."""
        return any(node.answers for node in self._nodes.values())

    def address(self, name: str) -> Address:
        """Return the address of a known node.

        Raises:
            KeyError: it is not known.
        """
        return self._nodes[name].address

    # ---- rounds

    def begin_round(self) -> list[Action]:
        """Start a round: ask every node that has no request in flight, and dial addresses that could not be reached.

        Rounds may overlap: nothing here requires that all answers of the last one have arrived.
        """
        self._unreachable.clear()
        actions: list[Action] = [] if self.connected else [Seed()]
        for node in self._nodes.values():
            if not node.busy:
                node.busy = True
                actions.append(Ask(node.name))
        return actions + self._dials()

    def end_round(self, owns: Callable[[str], bool]) -> list[Action]:
        """End a round: drop the nodes that no longer belong to the cluster.

        Args:
            owns: whether the node of that name owns a partition: `PartitionMap.owns`.
        """
        drops: list[Action] = []
        answering = sum(node.answers for node in self._nodes.values())
        witnesses = [node for node in self._nodes.values() if node.answers and node.serving and node.peers is not None]
        for node in list(self._nodes.values()):
            others = [other for other in witnesses if other is not node]
            listed = any(other.peers and node.name in other.peers for other in others)
            reason = None
            if not answering and node.failures >= self._failure_limit:
                reason = Reason.SILENT
            elif others and not listed:
                if not node.answers:
                    reason = Reason.GONE
                elif answering > 1 and not node.busy and not owns(node.name):
                    reason = Reason.UNUSED
                    answering -= 1
            if reason is not None:
                drops += self._drop(node, reason)
                witnesses = others if node in witnesses else witnesses
        return drops + self._settled_claims() if drops else []

    # ---- answers of nodes

    def status(self, name: str, status: Status, *, reconnected: bool = False) -> list[Action]:
        """Handle the answer of a known node to `Ask`.

        Args:
            name: the node that was asked.
            status: its answer.
            reconnected: the answer came over a new connection. The node may have restarted in between, and its new
                generations may happen to equal the old ones, so everything is fetched.
        """
        node = self._nodes.get(name)
        if node is None:
            return []
        node.busy = False
        if status.name != name:
            actions = self._drop(node, Reason.RENAMED)
            if status.name not in self._nodes and status.name not in self._dialling:
                self._dialling.add(status.name)
                actions.append(Dial(status.name, (node.address,), node.tls_name))
            return actions + self._settled_claims()
        if not self._is_ours(status):
            return [*self._drop(node, Reason.OTHER_CLUSTER), *self._settled_claims()]
        node.failures = 0
        if self._counts_anew(node, status):
            node.mapped = False  # what it owned before the restart does not count
            node.forget_generations()
        elif reconnected:
            node.forget_generations()
        actions = self._note_serving(node, status.partition_generation)
        return actions + self._fetch(node, status) + self._settled_claims()

    def fetched(
        self,
        name: str,
        *,
        peers: tuple[int, Sequence[Peer]] | None = None,
        partitions: tuple[int, Replicas] | None = None,
        racks: int | None = None,
    ) -> list[Action]:
        """Handle the answer of a known node to `Fetch`.

        Args:
            name: the node that was asked.
            peers: the generation in the peers list, and its entries.
            partitions: the partition generation asked for in front of the replicas in the same request (so that a
                change in between is seen again, not missed), and the replicas.
            racks: the rebalance generation asked for in front of the rack ids.
        """
        node = self._nodes.get(name)
        if node is None:
            return []
        node.busy = False
        actions: list[Action] = []
        if peers is not None:
            node.peers_generation = peers[0]
            node.peers = {peer.name: peer for peer in peers[1] if peer.name != name}
        if partitions is not None:
            generation, replicas = partitions
            actions = self._note_serving(node, generation)
            node.partition_generation = generation
            if generation != NO_GENERATION:
                node.waiting = Claims(name, generation, replicas)
        if racks is not None:
            node.rebalance_generation = racks
        return actions + self._settled_claims() + self._dials()

    def failed(self, name: str) -> list[Action]:
        """Handle a missing or invalid answer of a known node to `Ask` or `Fetch`.

        When it answers again, everything is fetched anew.
        """
        node = self._nodes.get(name)
        if node is None:
            return []
        node.busy = False
        node.failures += 1
        node.waiting = None
        node.forget_generations()
        return self._settled_claims() + self._dials()

    def displaced(self, names: Iterable[str]) -> None:
        """Fetch the replicas of nodes once more that lost slots to another's claims (`MapChange.displaced`).

        Either they gave up the partitions, and this confirms it, or the other report was older, and this corrects it.
        """
        for name in names:
            if (node := self._nodes.get(name)) is not None and node.serving:
                node.partition_generation = None

    # ---- new nodes

    def found(self, dial: Dial, address: Address, status: Status) -> list[Action]:
        """Handle an answer at a dialled address.

        Returns:
            A single `Reject`, then the next address is to be tried; or `Add` and further actions, possibly after the
            `Drop` of the node that had that name or address before.
        """
        reason = self._objection(dial, address, status)
        if reason is not None:
            return [Reject(address, status, reason)]
        if dial.name is not None:
            self._dialling.discard(dial.name)
        actions: list[Action] = []
        for other in list(self._nodes.values()):
            if other.name == status.name:
                actions += self._drop(other, Reason.MOVED)
            elif other.address == address:
                actions += self._drop(other, Reason.RENAMED)
        node = self._nodes[status.name] = _Node(status.name, address, dial.tls_name)
        actions.append(Add(node.name, address, dial.tls_name))
        return actions + self._fetch(node, status)

    def unreachable(self, dial: Dial) -> list[Action]:
        """Handle that no address has the node. It is dialled again in the next round if it is still listed."""
        if dial.name is not None:
            self._dialling.discard(dial.name)
            self._unreachable.add(dial.name)
        return []

    # ---- inside

    def _is_ours(self, status: Status) -> bool:
        return not self.cluster_name or status.cluster_name == self.cluster_name

    def _objection(self, dial: Dial, address: Address, status: Status) -> Reason | None:
        if dial.name is not None and status.name != dial.name:
            return Reason.OTHER_NODE
        if not self._is_ours(status):
            return Reason.OTHER_CLUSTER
        known = self._nodes.get(status.name)
        if known is not None and (known.answers or known.address == address):
            return Reason.KNOWN
        if status.partition_generation == NO_GENERATION:
            return Reason.NOT_READY
        if any(other.address == address and other.answers for other in self._nodes.values()):
            return Reason.ADDRESS_TAKEN
        return None

    def _fetch(self, node: _Node, status: Status) -> list[Action]:
        fetch = Fetch(
            node.name,
            peers=status.peers_generation != node.peers_generation,
            partitions=status.partition_generation not in (node.partition_generation, NO_GENERATION),
            racks=self._racks and status.rebalance_generation != node.rebalance_generation,
        )
        if not (fetch.peers or fetch.partitions or fetch.racks):
            return []
        node.busy = True
        return [fetch]

    @staticmethod
    def _counts_anew(node: _Node, status: Status) -> bool:
        """Whether a generation went down: it only counts up while a node runs."""
        return (
            (node.peers_generation or 0) > status.peers_generation
            or (node.partition_generation or 0) > status.partition_generation
            or (node.rebalance_generation or 0) > status.rebalance_generation
        )

    def _note_serving(self, node: _Node, generation: int) -> list[Action]:
        """Release the partitions of a node that has left the cluster for now, once."""
        was_serving, node.serving = node.serving, generation != NO_GENERATION
        if node.serving or not was_serving:
            return []
        node.partition_generation = NO_GENERATION
        node.waiting = None
        node.mapped = False
        return [Claims(node.name, NO_GENERATION, {})]

    def _settled_claims(self) -> list[Action]:
        """Return the reports that may be merged into the map now."""
        claims: list[Action] = []
        for node in self._nodes.values():
            if node.waiting is not None and node.peers is not None and not self._is_split_off(node):
                claims.append(node.waiting)
                node.waiting = None
                node.mapped = True
        return claims

    def _is_split_off(self, node: _Node) -> bool:
        """Whether it has no peers while there is a cluster without it. The first of several such is the cluster."""
        return not node.peers and any(
            other.answers and other.serving and (other.peers or other.mapped)
            for other in self._nodes.values()
            if other is not node
        )

    def _dials(self) -> list[Action]:
        """Dial listed nodes that are not known, or that do not answer and are listed under other addresses."""
        listed: dict[str, tuple[list[Address], str | None]] = {}
        for node in self._nodes.values():
            if node.answers and node.peers:
                for peer in node.peers.values():
                    addresses, _ = listed.setdefault(peer.name, ([], peer.tls_name or None))
                    addresses += [host for host in peer.hosts if host not in addresses]
        dials: list[Action] = []
        for name, (addresses, tls_name) in listed.items():
            known = self._nodes.get(name)
            if known is not None and (known.answers or known.address in addresses):
                continue
            if addresses and name not in self._dialling and name not in self._unreachable:
                self._dialling.add(name)
                dials.append(Dial(name, tuple(addresses), tls_name))
        return dials

    def _drop(self, node: _Node, reason: Reason) -> list[Action]:
        del self._nodes[node.name]
        return [Drop(node.name, reason)]
