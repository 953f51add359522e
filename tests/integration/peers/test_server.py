"""The published clients, unmodified, against the embedded server: one node and three, without and with users."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from trio_aerospike.server import open_embedded_cluster

SCRIPTS = Path(__file__).parent
NESTED = Path(__file__).parents[2] / "data" / "official_nested.txt"
PYTHON = Path(os.environ.get("PEERS_PYTHON") or Path(__file__).parents[3] / ".venv-peers" / "bin" / "python")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}: make peers installs the published clients"),
]


@pytest.mark.parametrize("script", ["official.py", "official_query.py", "udf.py", "asyncio_client.py"])
@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("credentials", [(), ("ann", "secret")], ids=["open", "secured"])
async def test_a_published_client_works(script: str, nodes: int, credentials: tuple[str, ...]) -> None:
    users = dict([credentials]) if len(credentials) == 2 else None
    async with open_embedded_cluster(nodes, users=users) as cluster:
        command = [str(PYTHON), str(SCRIPTS / script), str(cluster.nodes[0].port), str(nodes), *credentials]
        with trio.fail_after(60):
            result = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        assert result.returncode == 0, result.stderr.decode()
        # What the C client prints by itself may come out behind the last line of the script.
        assert "done" in result.stdout.decode().splitlines()
        served = [sum(node.stats.requests.values()) for node in cluster.nodes]
        assert all(count > 50 for count in served), served


async def test_every_operation_inside_values_does_what_a_real_server_did() -> None:
    """Lists, maps, bits and sketches: 2,962 calls of the official client, with the answers of a real server."""
    expected = NESTED.read_text().splitlines()
    async with open_embedded_cluster(1) as cluster:
        command = [str(PYTHON), str(SCRIPTS / "official_nested.py"), str(cluster.nodes[0].port)]
        with trio.fail_after(120):
            result = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    given = result.stdout.decode().splitlines()
    differing = [pair for pair in zip(given, expected, strict=True) if pair[0] != pair[1]]
    assert differing == []
