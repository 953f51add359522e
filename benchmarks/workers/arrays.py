"""Measure one client that reads a batch into a structured array repeatedly: the read and the conversion.

Usage: python -m benchmarks.workers.arrays CLIENT KEYS TIMES HOST:PORT...

where CLIENT is trio_aerospike, sync or asyncio; the last two are aerospike_py, whichever is installed. Prints one JSON
object of lists of seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks.workers.common import NAMESPACE, quiet_memory

SET = "bench-arrays"
#: An integer, a double, a small integer, a short text and a vector of eight floats.
DTYPE = np.dtype([("id", "i8"), ("score", "f8"), ("age", "i4"), ("name", "S12"), ("vector", "f4", (8,))])
#: Warm-up repetitions: connections open, and usage hints are learnt.
WARM_UP = 3


class Clock:
    """Collects the seconds of the two steps."""

    def __init__(self) -> None:
        self.read: list[float] = []
        self.convert: list[float] = []

    def add(self, began: float, between: float) -> None:
        """Add a repetition that ends now."""
        self.read.append(between - began)
        self.convert.append(time.perf_counter() - between)

    def answer(self) -> dict[str, list[float]]:
        """Return the repetitions after the warm-up."""
        read, convert = self.read[WARM_UP:], self.convert[WARM_UP:]
        return {"read": read, "convert": convert, "whole": [sum(pair) for pair in zip(read, convert, strict=True)]}


def check(data: Any) -> None:
    """Check that the work was done."""
    if int(data["id"][-1]) != len(data) - 1 or data["vector"][1].tolist() != list(range(8)):
        raise AssertionError(f"wrong records: {data[-1]}")


def run_trio(hosts: list[str], count: int, times: int) -> Clock:
    """Run trio_aerospike."""
    import trio

    import trio_aerospike as aero

    async def main() -> Clock:
        clock = Clock()
        async with aero.open_client(hosts, timeout=10.0) as client:
            for _ in range(times + WARM_UP):
                quiet_memory()
                began = time.perf_counter()
                lazy = await client.batch_read_lazy(
                    [aero.Key(NAMESPACE, SET, number) for number in range(count)], decode=False
                )
                between = time.perf_counter()
                data = lazy.to_numpy(DTYPE).data
                clock.add(began, between)
                check(data)
        return clock

    return trio.run(main)


def run_sync(hosts: list[tuple[str, int]], count: int, times: int) -> Clock:
    """Run the synchronous client of aerospike_py."""
    import aerospike_py

    client: Any = aerospike_py.client({"hosts": hosts}).connect()
    clock = Clock()
    for _ in range(times + WARM_UP):
        quiet_memory()
        began = time.perf_counter()
        records = client.batch_read([(NAMESPACE, SET, number) for number in range(count)])
        between = time.perf_counter()
        data = records.to_numpy(DTYPE).batch_records
        clock.add(began, between)
        check(data)
    client.close()
    return clock


async def run_asyncio(hosts: list[tuple[str, int]], count: int, times: int) -> Clock:
    """Run the asyncio client of aerospike_py."""
    import aerospike_py

    client: Any = aerospike_py.AsyncClient({"hosts": hosts})
    await client.connect()
    clock = Clock()
    for _ in range(times + WARM_UP):
        quiet_memory()
        began = time.perf_counter()
        records = await client.batch_read([(NAMESPACE, SET, number) for number in range(count)])
        between = time.perf_counter()
        data = records.to_numpy(DTYPE).batch_records
        clock.add(began, between)
        check(data)
    await client.close()
    return clock


def main() -> None:
    """Read with the client that the command line names."""
    name, count, times, hosts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    addresses = [(host, int(port)) for host, _, port in (host.rpartition(":") for host in hosts)]
    if name == "trio_aerospike":
        clock = run_trio(hosts, count, times)
    elif name == "sync":
        clock = run_sync(addresses, count, times)
    else:
        clock = asyncio.run(run_asyncio(addresses, count, times))
    print(json.dumps(clock.answer()))


if __name__ == "__main__":
    main()
