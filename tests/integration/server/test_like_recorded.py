"""Three embedded nodes answer the tend loop as the recorded three real ones did: tests/data/cluster-info.jsonl."""

from __future__ import annotations

import json
from pathlib import Path

import trio.testing

from tests.integration.server_peer import connected
from trio_aerospike._wire.info_cluster import parse_replicas
from trio_aerospike.server import EmbeddedCluster, open_embedded_cluster

RECORDING = Path(__file__).parents[2] / "data" / "cluster-info.jsonl"
PORTS = [3100, 3110, 3120]

# Keys are random; how often a partition changes hands depends on hash functions and on the order of migrations.
VARYING = {"replicas", "partition-generation"}


def last_answers(stage: str) -> dict[int, dict[str, str]]:
    """What each node answered at the end of a stage, by port."""
    found: dict[int, dict[str, str]] = {}
    for line in RECORDING.read_text().splitlines():
        entry = json.loads(line)
        if entry["stage"] == stage:
            found[entry["port"]] = entry["answers"]
    return found


async def compare(cluster: EmbeddedCluster, stage: str) -> None:
    for port, recorded in last_answers(stage).items():
        number = PORTS.index(port)
        if "error" in recorded:
            assert not cluster.nodes[number].running
            continue
        async with connected(cluster, number) as peer:
            given = await peer.info(*recorded)
        for name, answer in recorded.items():
            if name.startswith("cluster-stable") and not answer.startswith("ERROR"):
                assert len(given[name]) == 12, (stage, port, name)
            elif name == "replicas":
                mine, theirs = parse_replicas(given[name]), parse_replicas(answer)
                assert {ns: (regime, len(maps)) for ns, (regime, maps) in mine.items()} == {
                    ns: (regime, len(maps)) for ns, (regime, maps) in theirs.items()
                }
            elif name not in VARYING:
                assert given[name] == answer, (stage, port, name)
            else:
                assert (int(given[name]) > 0) == (int(answer) > 0), (stage, port, name)


async def test_every_stage_ends_with_the_recorded_answers(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(
        3, memory=True, host="127.0.0.1", ports=PORTS, alternate_addresses=["127.0.0.2"] * 3
    ) as cluster:
        await compare(cluster, "three nodes")
        await cluster.stop_node(2)
        await cluster.wait_stable()
        await compare(cluster, "third node stopped")
        await cluster.start_node(2)
        await cluster.wait_stable()
        await compare(cluster, "third node returns")
