"""One program, run with aerospike-py and with our aerospike_py, ends the same in every step.

``aerospike_py-paired.jsonl`` is what it printed with aerospike-py 0.14.4 against a server of version 8.1.2.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compat.background import BackgroundCluster

PROGRAM = Path(__file__).parent / "programs" / "paired.py"
RECORDED = Path(__file__).parent.parent / "data" / "aerospike_py-paired.jsonl"
PEERS = Path(os.environ.get("PEERS_PYTHON") or Path(__file__).parents[2] / ".venv-peers" / "bin" / "python")
#: Functions are Lua, which the embedded server has where lupa is installed.
LEFT_OUT = [] if importlib.util.find_spec("lupa") else ["functions"]
KINDS = pytest.mark.parametrize("kind", ["sync", "asyncio"])
FUNCTIONS = ("module ", "apply", "batch apply")


def steps(lines: list[str]) -> dict[str, Any]:
    found = dict(json.loads(line) for line in lines if line != "done")
    return {name: found[name] for name in found if not (LEFT_OUT and name.startswith(FUNCTIONS))}


def run(python: str | Path, port: int, kind: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), str(PROGRAM), str(port), kind, *LEFT_OUT],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )
    lines = done.stdout.splitlines()
    assert lines[-1:] == ["done"], f"{lines[-1:]}\n{done.stderr[-4000:]}"
    return steps(lines)


def different(found: dict[str, Any]) -> dict[str, Any]:
    recorded = steps(RECORDED.read_text(encoding="utf-8").splitlines())
    assert found.keys() == recorded.keys()
    return {name: (found[name], recorded[name]) for name in recorded if found[name] != recorded[name]}


@KINDS
def test_ours_ends_every_step_as_the_original_does_on_a_real_server(start_cluster: Any, kind: str):
    cluster: BackgroundCluster = start_cluster(nodes=1)
    assert different(run(sys.executable, cluster.hosts[0][1], kind)) == {}


@KINDS
@pytest.mark.peers
@pytest.mark.skipif(not PEERS.exists(), reason=f"no {PEERS}: make .venv-peers installs the published clients")
def test_the_original_ends_every_step_the_same_on_the_embedded_server(start_cluster: Any, kind: str):
    cluster: BackgroundCluster = start_cluster(nodes=1)
    assert different(run(PEERS, cluster.hosts[0][1], kind)) == {}
