"""Compare batches into NumPy arrays: reading, converting, and both.

Clients alternate, each in a process of its own, so that other load on the machine affects all equally.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import trio

import trio_aerospike as aero
from benchmarks.contenders import OURS, PEERS, ROOT
from benchmarks.driver import PATIENCE, Host
from benchmarks.workers.common import NAMESPACE

KEYS = 10_000
TIMES = 8
STEPS = ("convert", "read", "whole")
#: For each client its environment and its name for the worker.
CLIENTS: dict[str, tuple[Path, str]] = {
    "trio_aerospike": (OURS, "trio_aerospike"),
    "compat sync": (OURS, "sync"),
    "compat asyncio": (OURS, "asyncio"),
    "aerospike-py sync": (PEERS, "sync"),
    "aerospike-py asyncio": (PEERS, "asyncio"),
}
#: Targets: (ours, theirs, the step, the ratio).
AIMS = (
    ("compat sync", "aerospike-py sync", "convert", 2.0),
    ("compat asyncio", "aerospike-py asyncio", "convert", 2.0),
    ("trio_aerospike", "aerospike-py asyncio", "whole", 1.0),
)


async def load(hosts: list[Host], count: int) -> None:
    """Write the records from an array."""
    import numpy as np

    from benchmarks.workers.arrays import DTYPE, SET

    data = np.zeros(count, [("_key", "i8"), *((name, DTYPE[name]) for name in DTYPE.names or ())])
    data["_key"] = data["id"] = np.arange(count)
    data["score"] = data["id"] * 1.5
    data["age"] = data["id"] % 100
    data["vector"] = np.arange(8)
    data["name"] = [b"user-%d" % number for number in range(count)]
    async with aero.open_client(hosts, timeout=10.0) as client:
        results = await client.batch_write_numpy(data, NAMESPACE, SET)
        for failed in results.failed:
            raise failed.error or AssertionError(failed)


def run(client: str, hosts: list[Host], count: int) -> dict[str, list[float]] | None:
    """Run one process; return its seconds by step, or None if the client cannot be run."""
    python, name = CLIENTS[client]
    command = [str(python), "-m", "benchmarks.workers.arrays", name, str(count), str(TIMES)]
    try:
        done = subprocess.run(
            [*command, *(f"{host}:{port}" for host, port in hosts)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said: Any = getattr(error, "stderr", None) or ""
        print(f"!!! {client} is left out: {error}\n{said[-500:]}", file=sys.stderr)
        return None
    answer: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(hosts: list[Host], rounds: int, count: int = KEYS) -> dict[str, dict[str, float]]:
    """Read with every client, round by round; return the median of each step."""
    trio.run(load, hosts, count)
    found: dict[str, dict[str, list[float]]] = {}
    clients = list(CLIENTS)
    for number in range(rounds):
        shift = number % len(clients)
        for client in [*clients[shift:], *clients[:shift]]:
            answer = run(client, hosts, count)
            if answer is not None:
                steps = found.setdefault(client, {step: [] for step in STEPS})
                for step in STEPS:
                    steps[step] += answer[step]
    return {
        client: {step: statistics.median(found[client][step]) for step in STEPS}
        for client in CLIENTS
        if client in found
    }


def show(figures: dict[str, dict[str, float]]) -> None:
    """Print the medians and the targets."""
    print(f"  {'':22}" + "".join(f"{step:>12}" for step in STEPS))
    for client, steps in figures.items():
        print(f"  {client:22}" + "".join(f"{steps[step] * 1e3:>9.2f} ms" for step in STEPS))
    for ours, theirs, step, bound in AIMS:
        if ours in figures and theirs in figures:
            ratio = figures[theirs][step] / figures[ours][step]
            print(f"  {'ok  ' if ratio >= bound else 'MISS'} {step}: {ours} / {theirs}: {ratio:.1f} (aim: {bound:g})")
