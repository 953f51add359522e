"""The partition map fed with what three real nodes said while one of them stopped and came back."""

import itertools
import json
from pathlib import Path

import pytest

from trio_aerospike._cluster.tend.membership import (
    Add,
    Ask,
    Claims,
    Dial,
    Drop,
    Fetch,
    Reason,
    Reject,
    Seed,
    Status,
    TendState,
)
from trio_aerospike._cluster.tend.partition_map import BITMAP_BYTES, N_PARTITIONS, PartitionMap, partition_ids
from trio_aerospike._wire.info_cluster import parse_peers, parse_replicas

RECORDING = Path(__file__).parents[3] / "data" / "cluster-info.jsonl"


def recorded_stages():
    rows = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    return [(stage, list(group)) for stage, group in itertools.groupby(rows, key=lambda row: row["stage"])]


def claims_by_slot(live):
    """Who claims what now, straight from the bitmaps of all live nodes: slot -> set of node names."""
    claims: dict[tuple[int, int], set[str]] = {}
    for name, report in live.items():
        for column, bitmap in enumerate(report["test"][1]):
            for pid in range(N_PARTITIONS):
                if bitmap[pid >> 3] & (0x80 >> (pid & 7)):
                    claims.setdefault((column, pid), set()).add(name)
    return claims


def assert_map_is_what_live_nodes_claim(pmap, live):
    claims = claims_by_slot(live)
    for column in range(2):
        for pid in range(N_PARTITIONS):
            assert claims[column, pid] == {pmap.tables["test"].replicas[column][pid]}


@pytest.mark.parametrize("removed", [True, False], ids=["lost node removed", "lost node kept"])
@pytest.mark.parametrize("every", [1, 2, 5])
def test_the_map_is_right_at_the_end_of_every_stage_and_never_without_an_owner(every, removed):
    """`every`: the tend loop sees only each so manieth sample, and at last the newest of each node."""
    pmap: PartitionMap[str] = PartitionMap()
    names: dict[int, str] = {}
    live: dict[str, dict[str, tuple[int, list[bytes]]]] = {}
    seen = []
    for stage, rows in recorded_stages():
        final = {row["port"]: index for index, row in enumerate(rows)}
        for index, row in enumerate(rows):
            answers = row["answers"]
            if "error" in answers:
                live.pop(names[row["port"]], None)
                if removed:
                    pmap.remove_node(names[row["port"]])
            elif index % every == 0 or final[row["port"]] == index:
                name = names[row["port"]] = answers["node"]
                generation = int(answers["partition-generation"])
                report = parse_replicas(answers["replicas"])
                if generation != -1:
                    live[name] = report
                pmap.update(name, report, generation)
            if len(live) > 1:  # from the start nobody has claimed all partitions before the second node spoke
                table = pmap.tables["test"]
                if stage != "three nodes" or len(live) == 3:
                    assert None not in table.masters
        assert_map_is_what_live_nodes_claim(pmap, live)
        seen.append(stage)
    assert seen == ["three nodes", "third node stopped", "third node returns"]
    assert sorted(live) == ["A1", "A2", "A3"]


class Tender:
    """A tend loop that asks what was recorded last: no time passes within a round."""

    def __init__(self):
        self.tend = TendState("docker")
        self.pmap: PartitionMap[str] = PartitionMap()
        self.latest: dict[tuple[str, int], dict[str, str]] = {}
        self.reasons: dict[str, Reason] = {}
        self.rounds = self.fetches = 0

    def hear(self, row):
        self.latest[("127.0.0.1", row["port"])] = row["answers"]

    def answers_at(self, address):
        answers = self.latest.get(address, {"error": "ConnectionRefusedError"})
        return None if "error" in answers else answers

    def run_round(self):
        self.rounds += 1
        self.carry_out(self.tend.begin_round())
        self.carry_out(self.tend.end_round(self.pmap.owns))

    def carry_out(self, actions):
        for action in actions:
            match action:
                case Seed():
                    self.carry_out([Dial(None, (("127.0.0.1", 3100),))])
                case Ask(name):
                    answers = self.answers_at(self.tend.address(name))
                    if answers is None:
                        self.carry_out(self.tend.failed(name))
                    else:
                        self.carry_out(self.tend.status(name, Status.from_answers(answers)))
                case Fetch(name):
                    self.fetches += 1
                    answers = self.answers_at(self.tend.address(name))
                    assert answers is not None
                    generation, _, peers = parse_peers(answers["peers-clear-std"])
                    partitions = int(answers["partition-generation"]), parse_replicas(answers["replicas"])
                    self.carry_out(
                        self.tend.fetched(
                            name,
                            peers=(generation, peers) if action.peers else None,
                            partitions=partitions if action.partitions else None,
                        )
                    )
                case Claims(name, generation, replicas):
                    self.tend.displaced(self.pmap.update(name, replicas, generation).displaced)
                case Dial(_, (address,)):
                    answers = self.answers_at(address)
                    found = [] if answers is None else self.tend.found(action, address, Status.from_answers(answers))
                    if not found or isinstance(found[0], Reject):
                        found = self.tend.unreachable(action)
                    self.carry_out(found)
                case Add():
                    pass
                case Drop(name, reason):
                    self.reasons[name] = reason
                    self.pmap.remove_node(name)


@pytest.mark.parametrize("interval", [0.0, 0.25, 1.0])
def test_a_tend_loop_ends_every_stage_with_the_right_nodes_and_map(interval):
    loop = Tender()
    names = []
    next_round = 0.0
    connected = False
    for _, rows in recorded_stages():
        for row in rows:
            loop.hear(row)
            if row["at"] >= next_round and len(loop.latest) == 3:
                loop.run_round()
                next_round = row["at"] + interval
                connected = True
            assert not connected or None not in loop.pmap.tables["test"].masters
        loop.run_round()  # the one round that is due once all is quiet
        assert None not in loop.pmap.tables["test"].masters
        live = {a["node"]: parse_replicas(a["replicas"]) for at in loop.latest if (a := loop.answers_at(at))}
        assert_map_is_what_live_nodes_claim(loop.pmap, live)
        names.append(sorted(loop.tend.names))
    assert names == [["A1", "A2", "A3"], ["A1", "A2"], ["A1", "A2", "A3"]]
    assert loop.reasons == {"A3": Reason.GONE}


def test_a_quiet_cluster_is_asked_for_its_generations_only():
    loop = Tender()
    for row in recorded_stages()[0][1]:
        loop.hear(row)
    loop.run_round()
    loop.run_round()  # those that were displaced while the first reports came in
    fetches = loop.fetches
    for _ in range(10):
        loop.run_round()
    assert loop.fetches == fetches


def test_the_bits_of_a_bitmap_are_numbered_from_the_highest_bit_of_its_first_byte():
    bitmap = bytearray(BITMAP_BYTES)
    bitmap[0], bitmap[1], bitmap[-1] = 0x81, 0x40, 0x01
    assert list(partition_ids(int.from_bytes(bitmap, "big"))) == [0, 7, 9, 4095]
