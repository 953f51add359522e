"""Compare scans of a whole set: records per second, and additional memory.

Clients alternate, each in a process of its own for a scan or two, so that other load affects all equally.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import attrs
import trio

import trio_aerospike as aero
from benchmarks.contenders import OURS, PEERS, ROOT
from benchmarks.driver import PATIENCE, Host
from benchmarks.workers.common import NAMESPACE, bins_of
from benchmarks.workers.scan import SET

#: Scans of a process in a round; the best one counts, as the first also opens connections.
TIMES = 2
CLIENTS = {
    "trio_aerospike": OURS,
    "trio_aerospike results": OURS,
    "aerospike": PEERS,
    "aerospike results": PEERS,
    "aerospike_py": PEERS,
}
#: Targets: (ours, theirs, the least ratio).
AIMS = (("trio_aerospike", "aerospike", 1.0), ("trio_aerospike results", "aerospike results", 1.5))
MEMORY_AIM = 80e6


@attrs.define
class Figures:
    """The results of one client's rounds."""

    rates: list[float] = attrs.Factory(list)
    memory: float = 0.0
    records: int = 0


async def load(hosts: list[Host], count: int) -> None:
    """Fill the set with records of three bins each, if it has not enough."""

    def pairs() -> Iterator[tuple[aero.Key, dict[str, Any]]]:
        for number in range(count):
            yield aero.Key(NAMESPACE, SET, number), bins_of(number)

    async with aero.open_client(hosts, timeout=10.0) as client:
        async with client.query(NAMESPACE, SET, bins=[]) as records:
            there = await records.foreach(lambda record: None)
        if there == count:
            return
        await client.truncate(NAMESPACE, SET)
        await trio.sleep(0.1)
        async with client.put_many(pairs()) as results:
            async for result in results:
                if result.error is not None:
                    raise result.error


def run(client: str, hosts: list[Host]) -> dict[str, Any] | None:
    """Run the scans of one process; None if the client cannot be run."""
    command = [str(CLIENTS[client]), "-m", "benchmarks.workers.scan", client, str(TIMES)]
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
        print(f"!!! {client} is left out: {error}", file=sys.stderr)
        return None
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(hosts: list[Host], count: int, rounds: int) -> dict[str, Figures]:
    """Scan a set of ``count`` records with every client, round by round."""
    trio.run(load, hosts, count)
    found = {client: Figures() for client in CLIENTS}
    clients = list(CLIENTS)
    for number in range(rounds):
        for client in [*clients[number % len(clients) :], *clients[: number % len(clients)]]:
            if client not in found:
                continue
            answer = run(client, hosts)
            if answer is None:
                del found[client]
                continue
            figures = found[client]
            figures.rates.append(max(answer["rates"]))
            figures.memory = max(figures.memory, answer["memory"])
            figures.records = answer["records"]
    return found


def show(found: dict[str, Figures], count: int) -> None:
    """Print the figures and the targets."""
    for client, figures in found.items():
        short = "" if figures.records == count else f"  !!! {figures.records:,} records only"
        rate = statistics.median(figures.rates)
        print(f"  {client:24} {rate:10,.0f} records/s  {figures.memory / 1e6:6.1f} MB more{short}")
    for ours, theirs, aim in AIMS:
        if ours in found and theirs in found:
            ratio = statistics.median(found[ours].rates) / statistics.median(found[theirs].rates)
            print(f"  {'ok  ' if ratio >= aim else 'MISS'} {ours} / {theirs}: {ratio:.2f} (aim: at least {aim:g})")
    if "trio_aerospike" in found:
        more = found["trio_aerospike"].memory
        print(f"  {'ok  ' if more < MEMORY_AIM else 'MISS'} memory of the stream: {more / 1e6:.1f} MB (aim: under 80)")
