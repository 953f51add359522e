"""A program for aerospike-py prints the same in two environments of which only one has that package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat.background import BackgroundCluster
from tests.examples.running import EXAMPLES, PATIENCE, REAL_HOSTS, ROOT, environment, output_of

PROGRAM = str(EXAMPLES / "migrate_from_aerospike_py.py")
PEERS = Path(os.environ.get("PEERS_PYTHON") or ROOT / ".venv-peers" / "bin" / "python")


def lines_of(python: Path | str, hosts: str) -> list[str]:
    """What the program prints in an environment."""
    done = subprocess.run(
        [str(python), PROGRAM, "--package"],
        env=environment(hosts, PYTHONWARNINGS="default"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    lines = done.stdout.splitlines()
    assert lines and lines[-1].startswith("on "), done.stderr
    return lines


def compare(hosts: str) -> None:
    ours, theirs = lines_of(sys.executable, hosts), lines_of(PEERS, hosts)
    assert ours.pop().startswith("on trio-aerospike-compat ")
    assert theirs.pop() == "on aerospike-py 0.14.4"
    assert ours == theirs
    assert len(ours) == 20


@pytest.mark.peers
@pytest.mark.skipif(not PEERS.exists(), reason=f"no {PEERS}: make peers installs the published clients")
class TestBothEnvironments:
    @pytest.mark.parametrize("nodes", [1, 3])
    def test_print_the_same_with_an_embedded_cluster(self, nodes: int) -> None:
        with BackgroundCluster(nodes=nodes) as cluster:
            compare(",".join(f"{host}:{port}" for host, port in cluster.hosts))

    @pytest.mark.skipif(not REAL_HOSTS, reason="AEROSPIKE_HOSTS is not set")
    def test_print_the_same_with_a_real_server(self) -> None:
        compare(REAL_HOSTS)


def test_the_program_needs_no_set_up() -> None:
    text = output_of("migrate_from_aerospike_py.py", "")
    assert "written: 20 of 20" in text
    assert "from 10 to 22: 13 items" in text
    assert "sum of 300 squares: 8955050" in text


def test_the_program_knows_nothing_of_which_package_serves_it() -> None:
    code = Path(PROGRAM).read_text().split('"""', 2)[2]
    assert "trio_aerospike" not in code
