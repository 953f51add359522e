"""Measure the memory of 100,000 concurrent gets, and the time of `import trio_aerospike`.

The memory is the peak of resident memory of a process with as many tasks in one nursery, each in a get, minus that of a
process whose tasks only sleep. Each is measured in a process of its own.

Usage: python -m benchmarks.memory gets|idle COUNT HOST:PORT...   (the driver calls this)
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import trio
import trio.testing

import trio_aerospike as aero
from benchmarks.contenders import OURS, ROOT
from benchmarks.workers.common import NAMESPACE, SET, bins_of, peak_memory

RECORDS = 1000


async def gets(hosts: list[str], count: int) -> int:
    """Return the peak memory, in bytes, with `count` gets in one nursery; all of them must succeed."""
    policy = aero.ReadPolicy(total_timeout=None)
    done = 0

    async def get(number: int) -> None:
        nonlocal done
        await client.get(aero.Key(NAMESPACE, SET, number), policy=policy)
        done += 1

    async with aero.open_client(hosts) as client:
        for number in range(RECORDS):
            await client.put(aero.Key(NAMESPACE, SET, number), bins_of(number))
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(get, number % RECORDS)
    if done != count:
        raise SystemExit(f"{count - done} gets are missing")
    return peak_memory()


async def idle(hosts: list[str], count: int) -> int:
    """Return the peak memory, in bytes, with `count` sleeping tasks in one nursery, and an open client."""

    async def sleep(number: int) -> None:
        await trio.sleep_forever()

    async with aero.open_client(hosts) as client:
        await client.put(aero.Key(NAMESPACE, SET, 0), bins_of(0))
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(sleep, number)
            await trio.testing.wait_all_tasks_blocked()
            peak = peak_memory()  # cancellation would take memory that gets do not take
            nursery.cancel_scope.cancel()
    return peak


def weigh(hosts: list[tuple[str, int]], count: int) -> tuple[int, int]:
    """Return the peak memory in bytes of the process with gets and of the one with idle tasks."""
    seeds = [f"{host}:{port}" for host, port in hosts]
    peaks = [
        int(
            subprocess.check_output(
                [str(OURS), "-m", "benchmarks.memory", kind, str(count), *seeds], cwd=ROOT, text=True
            )
        )
        for kind in ("gets", "idle")
    ]
    return peaks[0], peaks[1]


def import_time(runs: int = 11) -> float:
    """Return the median seconds of `import trio_aerospike` after `import trio`."""
    program = (
        "import time, trio; began = time.perf_counter(); import trio_aerospike; print(time.perf_counter() - began)"
    )
    times = [float(subprocess.check_output([str(OURS), "-c", program], cwd=ROOT, text=True)) for _ in range(runs)]
    return statistics.median(times)


if __name__ == "__main__":
    function = {"gets": gets, "idle": idle}[sys.argv[1]]
    print(trio.run(function, sys.argv[3:], int(sys.argv[2])))
