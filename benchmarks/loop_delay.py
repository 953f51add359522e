"""Delays of asyncio loops while large results arrive, with both packages named aerospike_py."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import trio

from benchmarks.contenders import OURS, PEERS, ROOT
from benchmarks.driver import PATIENCE, Host
from benchmarks.scan import load

CLIENTS = {"aerospike_py on trio_aerospike": OURS, "aerospike_py": PEERS}
#: Seconds: after so many Python makes one thread give way to another.
AIM = 0.005

Delays = dict[str, dict[str, list[float]]]


def measure(hosts: list[Host], count: int, rounds: int) -> Delays:
    """The longest iteration of each round, by client and kind of result, with ``count`` records in the set."""
    trio.run(load, hosts, count)
    addresses = [f"{host}:{port}" for host, port in hosts]
    found: Delays = {client: {} for client in CLIENTS}
    for _ in range(rounds):
        for client in list(found):
            command = [str(CLIENTS[client]), "-m", "benchmarks.workers.loop_delay", *addresses]
            try:
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"!!! {client} is left out: {error}", file=sys.stderr)
                del found[client]
                continue
            for kind, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                found[client].setdefault(kind, []).append(seconds)
    return found


def show(found: Delays) -> None:
    """Print the medians. The aim holds on a machine with a core for each thread."""
    for client, kinds in found.items():
        for kind, delays in kinds.items():
            median = statistics.median(delays)
            reached = "ok  " if median <= AIM else "MISS"
            print(f"  {reached} {client:32} {kind:6} {median * 1000:7.1f} ms (aim: at most {AIM * 1000:g} ms)")
