"""What ``import trio_aerospike`` loads: every program pays for that, also one that wants names only."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys, trio_aerospike; print(*sys.modules)"


def test_what_runs_a_cluster_is_not_loaded_before_there_is_one_to_run() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    assert "trio_aerospike.keys" in loaded
    unwanted = {"trio_aerospike._cluster.cluster", "trio_aerospike._cluster.batch", "trio_aerospike.server"}
    assert not unwanted & set(loaded)


def test_what_few_programs_use_is_not_loaded() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "lupa", "asyncio", "opentelemetry", "prometheus_client"} & set(loaded)
