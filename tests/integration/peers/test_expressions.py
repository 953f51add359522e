"""The official client packs the same expressions into the same bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.unit.exp.evaluated import evaluated
from trio_aerospike import exp
from trio_aerospike.server import open_embedded_cluster

SCRIPT = Path(__file__).parent / "expressions.py"
PYTHON = Path(os.environ.get("PEERS_PYTHON") or Path(__file__).parents[3] / ".venv-peers" / "bin" / "python")
VECTORS = Path(__file__).parents[2] / "data" / "expression_vectors.jsonl"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}: make peers installs the published clients"),
]


async def test_the_official_client_packs_every_expression_into_the_same_bytes() -> None:
    async with open_embedded_cluster() as cluster:
        command = [str(PYTHON), str(SCRIPT), str(cluster.nodes[0].port)]
        with trio.fail_after(120):
            result = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    *lines, last = result.stdout.decode().splitlines()
    assert last == "done"
    rows: list[tuple[str, str]] = [tuple(json.loads(line)) for line in lines]
    assert len(rows) > 200
    different = [source for source, base64 in rows if evaluated(source).to_base64() != base64]
    assert not different
    # What tests/unit/exp reads has been recorded from this very script.
    recorded: dict[str, Any] = dict(json.loads(line) for line in VECTORS.read_text().splitlines())
    assert {source: base64 for source, base64 in rows if recorded.get(source) != base64} == {}
    assert all(exp.from_base64(base64).to_base64() == base64 for _, base64 in rows)
