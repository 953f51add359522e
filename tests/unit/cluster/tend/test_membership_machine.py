"""The decisions of the tend loop under random sequences of cluster changes and faults."""

from collections import deque

import attrs
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.effort import examples
from tests.unit.cluster.tend.fake_peers import FakePeer, at
from trio_aerospike._cluster.tend.membership import (
    Add,
    Ask,
    Claims,
    Dial,
    Drop,
    Fetch,
    Reject,
    Seed,
    Status,
    TendState,
)
from trio_aerospike._cluster.tend.partition_map import BITMAP_BYTES, N_PARTITIONS, PartitionMap

NAMES = ["A", "B", "C", "D"]
PORTS = [1, 2, 3, 4, 5]
_bitmaps: dict[tuple[tuple[str, ...], str], list[bytes]] = {}


def bitmaps_of(members, name):
    """What a node claims when these are the members of its cluster: masters and one replica, turn about."""
    key = (members, name)
    if key not in _bitmaps:
        columns = []
        for column in range(min(2, len(members))):
            bits = 0
            for pid in range(N_PARTITIONS):
                bits = bits << 1 | (members[(pid + column) % len(members)] == name)
            columns.append(bits.to_bytes(BITMAP_BYTES, "big"))
        _bitmaps[key] = columns
    return _bitmaps[key]


@attrs.define(eq=False)
class TrueNode:
    name: str
    port: int
    group: int = 0  # nodes of a group see each other
    joined: bool = True
    answers: bool = True
    peers_generation: int = 1
    partition_generation: int = 1
    process: object = attrs.Factory(object)


class Cluster(RuleBasedStateMachine):
    """Nodes start, die, hang, move, change their names and lose sight of each other while a tend loop watches.

    The loop's requests are in flight until a rule lets one through, in any order. Whatever happened, once the cluster
    is whole and still, a few rounds bring the state and the map to the truth.
    """

    def __init__(self):
        super().__init__()
        self.truth: dict[str, TrueNode] = {}
        self.tend = TendState()
        self.pmap: PartitionMap[str] = PartitionMap()
        self.known: dict[str, tuple[str, int]] = {}
        self.connections: dict[str, object] = {}  # node name -> the process at the other end
        self.in_flight: deque[Ask | Fetch | Dial] = deque()
        self.owned = False
        for name, port in zip(NAMES[:3], PORTS, strict=False):
            self.truth[name] = TrueNode(name, port)

    # the cluster

    def members(self, node):
        return tuple(sorted(n.name for n in self.truth.values() if n.joined and n.group == node.group))

    def changed(self):
        for node in self.truth.values():
            node.peers_generation += 1
            node.partition_generation += 1 if node.joined else 0

    def occupant(self, address):
        for node in self.truth.values():
            if at(node.port) == address:
                return node if node.answers else None
        return None

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def a_node_dies(self, data):
        del self.truth[data.draw(st.sampled_from(sorted(self.truth)))]
        self.changed()

    @precondition(lambda self: len(self.truth) < len(NAMES))
    @rule(data=st.data(), joined=st.booleans())
    def a_node_starts(self, data, joined):
        name = data.draw(st.sampled_from([name for name in NAMES if name not in self.truth]))
        port = data.draw(st.sampled_from([p for p in PORTS if p not in {n.port for n in self.truth.values()}]))
        node = TrueNode(name, port, joined=joined, peers_generation=0, partition_generation=1 if joined else -1)
        self.truth[name] = node
        if joined:
            self.changed()

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def a_node_restarts_at_once(self, data):
        node = self.truth[data.draw(st.sampled_from(sorted(self.truth)))]
        node.joined, node.peers_generation, node.partition_generation = False, 0, -1
        node.process = object()
        self.changed()

    @rule()
    def starting_nodes_join(self):
        for node in self.truth.values():
            if not node.joined:
                node.joined, node.partition_generation = True, 0
        self.changed()

    @precondition(lambda self: self.truth)
    @rule(data=st.data(), answers=st.booleans())
    def a_node_hangs_or_recovers(self, data, answers):
        self.truth[data.draw(st.sampled_from(sorted(self.truth)))].answers = answers

    @precondition(lambda self: self.truth)
    @rule(data=st.data(), group=st.integers(0, 2))
    def a_node_loses_sight_of_the_others(self, data, group):
        self.truth[data.draw(st.sampled_from(sorted(self.truth)))].group = group
        self.changed()

    # the tend loop

    def send(self, request):
        if isinstance(request, Dial):
            assert request.name is None or all(
                other.name != request.name for other in self.in_flight if isinstance(other, Dial)
            ), "dialled twice at a time"
            assert request.addresses
        else:
            assert request.name in self.known
            assert all(isinstance(other, Dial) or other.name != request.name for other in self.in_flight), (
                "two requests to one node at a time"
            )
        self.in_flight.append(request)

    def carry_out(self, actions):
        for action in actions:
            match action:
                case Seed():
                    for port in PORTS:
                        self.send(Dial(None, (at(port),)))
                case Ask() | Fetch() | Dial():
                    self.send(action)
                case Claims(name, generation, replicas):
                    assert name in self.known
                    self.tend.displaced(self.pmap.update(name, replicas, generation).displaced)
                case Add(name, address):
                    assert name not in self.known
                    assert address not in self.known.values()
                    self.known[name] = address
                    self.connections[name] = self.occupant(address).process
                case Drop(name):
                    del self.known[name]
                    self.pmap.remove_node(name)
                    self.in_flight = deque(r for r in self.in_flight if isinstance(r, Dial) or r.name != name)
                case _:
                    raise AssertionError(action)

    def status_of(self, node):
        return Status(node.name, node.peers_generation, node.partition_generation)

    def answer(self, request):
        match request:
            case Ask(name):
                node = self.occupant(self.known[name])
                if node is None:
                    self.carry_out(self.tend.failed(name))
                else:
                    reconnected = self.connections[name] is not node.process
                    self.connections[name] = node.process
                    self.carry_out(self.tend.status(name, self.status_of(node), reconnected=reconnected))
            case Fetch(name):
                node = self.occupant(self.known[name])
                if node is None or self.connections[name] is not node.process:
                    self.carry_out(self.tend.failed(name))
                    return
                members = self.members(node)
                listed = [FakePeer(m, (at(self.truth[m].port),)) for m in members if m != name] if node.joined else []
                bitmaps = bitmaps_of(members, name) if node.joined else [bytes(BITMAP_BYTES)]
                self.carry_out(
                    self.tend.fetched(
                        name,
                        peers=(node.peers_generation, listed) if request.peers else None,
                        partitions=(node.partition_generation, {"test": (0, bitmaps)}) if request.partitions else None,
                    )
                )
            case Dial(_, addresses):
                for address in addresses:
                    node = self.occupant(address)
                    if node is not None:
                        actions = self.tend.found(request, address, self.status_of(node))
                        if not isinstance(actions[0], Reject):
                            self.carry_out(actions)
                            return
                self.carry_out(self.tend.unreachable(request))

    @rule()
    def a_round_begins(self):
        self.carry_out(self.tend.begin_round())

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def some_answer_comes(self, data):
        index = data.draw(st.integers(0, len(self.in_flight) - 1))
        request = self.in_flight[index]
        del self.in_flight[index]
        self.answer(request)

    @rule()
    def all_answers_come(self):
        while self.in_flight:
            self.answer(self.in_flight.popleft())

    @rule()
    def a_round_ends(self):
        self.carry_out(self.tend.end_round(self.pmap.owns))

    def whole_rounds(self, count):
        for _ in range(count):
            self.carry_out(self.tend.begin_round())
            self.all_answers_come()
            self.a_round_ends()

    @rule()
    def the_cluster_heals_and_the_truth_is_found(self):
        if not self.truth:
            self.truth["A"] = TrueNode("A", 1)
        for node in self.truth.values():
            if not node.joined:
                node.joined, node.partition_generation = True, 0
            node.group, node.answers = 0, True
        self.changed()
        self.all_answers_come()
        self.whole_rounds(4)
        assert self.known == {name: at(node.port) for name, node in self.truth.items()}
        members = tuple(sorted(self.truth))
        table = self.pmap.tables["test"]
        assert table.masters == [members[pid % len(members)] for pid in range(N_PARTITIONS)]
        for column in table.replicas[1:]:
            assert column == [members[(pid + 1) % len(members)] for pid in range(N_PARTITIONS)]
        self.whole_rounds(1)
        assert self.tend.begin_round() == [Ask(name) for name in self.tend.names]
        for name in self.tend.names:
            assert self.tend.status(name, self.status_of(self.truth[name])) == []

    @invariant()
    def the_loop_and_the_state_know_the_same_nodes(self):
        assert set(self.known) == set(self.tend.names)
        for name, address in self.known.items():
            assert self.tend.address(name) == address

    @invariant()
    def a_partition_once_owned_stays_owned(self):
        full = bool(self.pmap.tables) and None not in self.pmap.tables["test"].masters
        assert full or not self.owned
        self.owned = full


TestCluster = Cluster.TestCase
TestCluster.settings = settings(
    max_examples=examples(50), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
