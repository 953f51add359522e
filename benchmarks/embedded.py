"""Measure the embedded server with several numbers of records: the cost of an answer must not grow with them.

A server for each size runs in a process of its own, filled and indexed before the measurement. The sizes alternate
within each round, so that other load on the machine affects all equally.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import attrs
import trio

import trio_aerospike as aero
from benchmarks.driver import Host
from benchmarks.server import EMBEDDED_SET
from benchmarks.workers.common import NAMESPACE, bins_of

#: Gets and puts in flight.
DEPTH = 64
OPERATIONS = 2000
#: Records that are read of a scan; the rest of a large set takes the same time each.
SCANNED = 20_000
QUERIES = 20
INDEX = "embedded_bench"
#: Targets: a query of one record, and an info command about a set, in seconds.
QUERY_AIM = 3e-3
INFO_AIM = 20e-3
#: Least ratio of the rates at the largest size to those at the smallest.
FLAT_AIM = 0.7
UNITS = {"get": "/s", "put": "/s", "scan": " records/s", "index query": " ms", "set_info": " ms"}
SECONDS = ("index query", "set_info")


@attrs.define
class Figures:
    """Results of one size's rounds: rates, and seconds of those in SECONDS."""

    values: dict[str, list[float]] = attrs.Factory(lambda: {name: [] for name in UNITS})

    def median(self, name: str) -> float:
        """The median of all rounds."""
        return statistics.median(self.values[name])


async def _many(command: Callable[[int], Awaitable[object]]) -> float:
    """Measure commands per second, with DEPTH in flight."""
    numbers = iter(range(OPERATIONS))

    async def work() -> None:
        for number in numbers:
            await command(number)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(DEPTH):
            nursery.start_soon(work)
    return OPERATIONS / (time.perf_counter() - began)


async def _round(client: aero.Client, size: int, figures: Figures) -> None:
    def place(number: int) -> int:
        """Return a record number, spread over all records."""
        return number * 7919 % size

    def key(number: int) -> aero.Key:
        return aero.Key(NAMESPACE, EMBEDDED_SET, place(number))

    values = figures.values
    values["get"].append(await _many(lambda number: client.get(key(number))))
    values["put"].append(await _many(lambda number: client.put(key(number), bins_of(place(number)))))
    wanted = min(SCANNED, size)
    began = time.perf_counter()
    async with client.query(NAMESPACE, EMBEDDED_SET, max_records=wanted) as records:
        there = await records.foreach(lambda record: None)
    values["scan"].append(there / (time.perf_counter() - began))
    took = []
    for number in range(QUERIES):
        where = aero.predicates.equals("id", place(number))
        began = time.perf_counter()
        async with client.query(NAMESPACE, EMBEDDED_SET, where=where) as records:
            there = await records.foreach(lambda record: None)
        took.append(time.perf_counter() - began)
        if there != 1:
            raise SystemExit(f"an index query found {there} records of {size:,}, not one")
    values["index query"].append(statistics.median(took))
    began = time.perf_counter()
    info = await client.set_info(NAMESPACE, EMBEDDED_SET)
    values["set_info"].append(time.perf_counter() - began)
    if info is None or info.objects != size:
        raise SystemExit(f"set_info reports {info and info.objects} objects, not {size:,}")


async def _measure(servers: Sequence[tuple[int, list[Host]]], rounds: int) -> dict[int, Figures]:
    found = {size: Figures() for size, _ in servers}
    async with AsyncExitStack() as stack:
        clients = {}
        for size, hosts in servers:
            client = await stack.enter_async_context(aero.open_client(hosts, timeout=30.0))
            job = await client.create_index(NAMESPACE, EMBEDDED_SET, "id", INDEX, aero.IndexType.NUMERIC)
            await job.wait(300)
            await _round(client, size, Figures())  # connections open, caches fill
            clients[size] = client
        sizes = list(clients)
        for number in range(rounds):
            for size in [*sizes[number % len(sizes) :], *sizes[: number % len(sizes)]]:
                await _round(clients[size], size, found[size])
    return found


def measure(servers: Sequence[tuple[int, list[Host]]], rounds: int) -> dict[int, Figures]:
    """Run the rounds on the servers, each with its number of records."""
    return trio.run(_measure, servers, rounds)


def show(found: dict[int, Figures]) -> None:
    """Print the figures and the targets."""
    print("  " + " " * 12 + "".join(f"{size:>16,}" for size in found))
    for name, unit in UNITS.items():
        scale = 1e3 if name in SECONDS else 1
        cells = "".join(f"{scale * figures.median(name):16,.{2 if scale > 1 else 0}f}" for figures in found.values())
        print(f"  {name:12}{cells}{unit}")
    smallest, largest = min(found), max(found)
    for name in UNITS:
        if name in SECONDS:
            aim = QUERY_AIM if name == "index query" else INFO_AIM
            worst = max(figures.median(name) for figures in found.values())
            print(f"  {'ok  ' if worst <= aim else 'MISS'} {name}: {worst * 1e3:.1f} ms (aim: at most {aim * 1e3:g})")
        elif smallest != largest:
            ratio = found[largest].median(name) / found[smallest].median(name)
            told = f"{name} at {largest:,} / at {smallest:,} records: {ratio:.2f} (aim: at least {FLAT_AIM:g})"
            print(f"  {'ok  ' if ratio >= FLAT_AIM else 'MISS'} {told}")
