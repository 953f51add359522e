"""Delays of an asyncio loop while large results arrive: the longest iteration during a query and batches of reads.

Usage: python -m benchmarks.workers.loop_delay HOST:PORT...

Uses the aerospike_py that is installed, on the records of the scan. Prints one JSON object with seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aerospike_py
from benchmarks.workers.common import NAMESPACE
from benchmarks.workers.scan import SET

#: Keys of a batch of reads.
KEYS = 10_000
TIMES = 3
#: Milliseconds.
PATIENCE = {"total_timeout": 120_000, "socket_timeout": 120_000}


async def delays_during(work: Callable[[], Awaitable[Any]]) -> list[float]:
    """How long each iteration of the loop took while ``work`` ran."""
    found: list[float] = []
    running = True

    async def watch() -> None:
        before = time.perf_counter()
        while running:
            await asyncio.sleep(0)
            now = time.perf_counter()
            found.append(now - before)
            before = now

    watching = asyncio.ensure_future(watch())
    await work()
    running = False
    await watching
    return found


async def measure(hosts: list[tuple[str, int]]) -> dict[str, float]:
    """The longest iteration, the best of a few rounds, for each kind of result."""
    client: Any = aerospike_py.AsyncClient({"hosts": hosts})
    await client.connect()
    keys = [(NAMESPACE, SET, number) for number in range(KEYS)]

    async def query() -> None:
        await client.query(NAMESPACE, SET).results(PATIENCE)

    async def batch() -> None:
        (await client.batch_read(keys, policy=PATIENCE)).to_dict()

    longest: dict[str, float] = {}
    for name, work in (("query", query), ("batch", batch)):
        await work()  # connections and imports
        longest[name] = min([max(await delays_during(work)) for _ in range(TIMES)])
    await client.close()
    return longest


if __name__ == "__main__":
    parts = [address.rpartition(":") for address in sys.argv[1:]]
    print(json.dumps(asyncio.run(measure([(host, int(port)) for host, _, port in parts]))))
