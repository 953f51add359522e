"""Measure one client that scans a set repeatedly: records per second, and additional memory.

Usage: python -m benchmarks.workers.scan CLIENT TIMES HOST:PORT...

where CLIENT is trio_aerospike, "trio_aerospike results", aerospike, "aerospike results" or aerospike_py. Each scan ends
with dicts of the records' bins; a client without streams returns all records at once. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.workers.common import NAMESPACE, peak_memory, quiet_memory

SET = "bench-scan"

Scan = Callable[[], int]


def timed(scan: Scan, times: int) -> dict[str, Any]:
    """Run the scans."""
    rates = []
    count = 0
    before = peak_memory()
    for _ in range(times):
        quiet_memory()
        began = time.perf_counter()
        count = scan()
        rates.append(count / (time.perf_counter() - began))
    return {"rates": rates, "records": count, "memory": peak_memory() - before}


def run_trio(hosts: list[str], times: int, *, at_once: bool) -> dict[str, Any]:
    """Run trio_aerospike: record by record, or all records as a list."""
    import trio

    import trio_aerospike as aero

    async def main() -> dict[str, Any]:
        rates = []
        count = 0
        async with aero.open_client(hosts, timeout=10.0) as client:
            before = peak_memory()
            for _ in range(times):
                quiet_memory()
                began = time.perf_counter()
                if at_once:
                    count = len(await client.query(NAMESPACE, SET).results())
                else:
                    count = 0
                    async with client.query(NAMESPACE, SET) as records:
                        async for _record in records:
                            count += 1
                rates.append(count / (time.perf_counter() - began))
            return {"rates": rates, "records": count, "memory": peak_memory() - before}

    return trio.run(main)


def run_aerospike(hosts: list[str], times: int, *, at_once: bool) -> dict[str, Any]:
    """Run the official client: a callback for each record, or all records as a list."""
    import aerospike

    addresses = [(host, int(port)) for host, _, port in (host.rpartition(":") for host in hosts)]
    client = aerospike.client({"hosts": addresses}).connect()

    def scan() -> int:
        if at_once:
            return len(client.scan(NAMESPACE, SET).results())
        count = 0

        def take(record: Any) -> None:
            nonlocal count
            count += 1

        client.scan(NAMESPACE, SET).foreach(take)
        return count

    return timed(scan, times)


def run_aerospike_py(hosts: list[str], times: int) -> dict[str, Any]:
    """Run aerospike-py: all records as a list."""
    import aerospike_py

    addresses = [(host, int(port)) for host, _, port in (host.rpartition(":") for host in hosts)]
    client: Any = aerospike_py.client({"hosts": addresses}).connect()
    return timed(lambda: len(client.query(NAMESPACE, SET).results()), times)


def main() -> None:
    """Scan with the client that the command line names."""
    name, times, hosts = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    package, _, how = name.partition(" ")
    at_once = how == "results"
    if package == "trio_aerospike":
        answer = run_trio(hosts, times, at_once=at_once)
    elif package == "aerospike":
        answer = run_aerospike(hosts, times, at_once=at_once)
    else:
        answer = run_aerospike_py(hosts, times)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
