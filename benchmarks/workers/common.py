"""The common part of all workers: the protocol with the driver, the clock and the workload.

A worker runs in its own process and its own environment, so this module uses nothing but the standard library. The
driver writes one JSON object per line to the worker's stdin and reads one per line back:

    {"cmd": "start", "hosts": [["127.0.0.1", 3000]], "max_conns": 256}   connect
    {"cmd": "load", "records": 10000}                                    write the records that gets will read
    {"cmd": "run", "kind": "get", "depth": 64, "seconds": 0.5}           one round; answers with the figures
    {"cmd": "fanout", "kind": "put", "count": 20000}                     20,000 at once; answers with rate and failures
    {"cmd": "stop"}                                                      close the client and leave

Every contender does the same work per operation: it makes the key from its parts, as programs do, and a get ends with a
dict of the record's bins.
"""

from __future__ import annotations

import array
import asyncio
import collections
import gc
import itertools
import json
import os
import random
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import IO, Any, Protocol

NAMESPACE = "test"
SET = "bench"
BATCH_KEYS = 1000
#: Time before a round's figures count: connections open and caches fill.
WARM_UP = 0.15

Answer = dict[str, Any]


def nested_bins() -> dict[str, Any]:
    """Return a list and a map of 100 elements each, which are lists and maps themselves."""
    numbers = range(100)
    return {
        "list": [[number, f"text {number}", number / 2, {"id": number, "ok": True}] for number in numbers],
        "map": {f"key {number:03}": {"id": number, "tags": ["a", "b"], "score": number * 1.5} for number in numbers},
    }


#: The bins of every record with BENCH_RECORDS=nested; created once, so that a put measures the client.
_NESTED = nested_bins() if os.environ.get("BENCH_RECORDS") == "nested" else None


def keys_of(kind: str) -> int:
    """Return the number of keys of a batch: "batch" or "batch 10000"; 0 for other kinds."""
    name, _, count = kind.partition(" ")
    return int(count or BATCH_KEYS) if name == "batch" else 0


def bins_of(number: int) -> dict[str, Any]:
    """Return the three bins of a record: an integer, a short text, a float. All records have the same size."""
    return _NESTED or {"id": number, "name": f"user-{number:08d}", "score": number * 0.5}


class Figures:
    """Collects the latencies of one round.

    Args:
        seconds: How long the round lasts after its warm-up.
    """

    def __init__(self, seconds: float) -> None:
        self.latencies = array.array("d")
        self.errors: collections.Counter[str] = collections.Counter()
        self.units = 0
        self.seconds = seconds
        self.begin = time.perf_counter() + WARM_UP
        self.end = self.begin + seconds
        self._cpu_at_begin: float | None = None
        self._cpu = 0.0

    def add(self, began: float, ended: float, units: int = 1) -> None:
        """Add an operation if it ended within the round."""
        if ended >= self.begin and ended <= self.end:
            if self._cpu_at_begin is None:
                self._cpu_at_begin = time.process_time()
            self.latencies.append(ended - began)
            self.units += units

    def fail(self, error: BaseException) -> None:
        """Add an operation that raised an error."""
        self.errors[f"{type(error).__name__}: {str(error)[:80]}"] += 1

    def close(self) -> None:
        """Note the processor time; to be called at the end of the round."""
        self._cpu = time.process_time() - (self._cpu_at_begin or 0.0)

    def answer(self) -> Answer:
        """Return the round's figures; times in seconds."""
        ordered = sorted(self.latencies)
        count = len(ordered)

        def at(share: float) -> float | None:
            return ordered[min(count - 1, int(count * share))] if count else None

        return {
            "ops": count,
            "rate": self.units / self.seconds,
            "p50": at(0.50),
            "p99": at(0.99),
            "max": ordered[-1] if count else None,
            "cpu_per_op": self._cpu / count if count else None,
            "errors": dict(self.errors.most_common(3)),
            "error_count": sum(self.errors.values()),
        }


def fanout_answer(count: int, seconds: float, errors: list[Exception]) -> Answer:
    """Return the result of starting many operations at once."""
    kinds = collections.Counter(f"{type(error).__name__}: {str(error)[:80]}" for error in errors)
    return {"rate": (count - len(errors)) / seconds, "errors": dict(kinds.most_common(3)), "error_count": len(errors)}


def numbers(records: int) -> Iterator[int]:
    """Yield record numbers endlessly in a fixed random order, the same for every contender."""
    order = list(range(records))
    random.Random(7).shuffle(order)
    return itertools.cycle(order)


class Wire:
    """The line protocol with the driver. Output of the client to stdout goes to stderr instead."""

    def __init__(self) -> None:
        self._out: IO[str] = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def receive(self) -> Answer | None:
        """Return the next command; None if the driver has gone."""
        line = sys.stdin.readline()
        return json.loads(line) if line else None

    def send(self, answer: Answer) -> None:
        """Send the answer to the last command."""
        self._out.write(json.dumps(answer) + "\n")
        self._out.flush()


def quiet_memory() -> None:
    """Collect the garbage of the previous round."""
    gc.collect()
    gc.freeze()


def peak_memory() -> int:
    """Return the peak resident memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# -- asyncio --


class AsyncContender(Protocol):
    """One asyncio client under test."""

    async def start(self, hosts: list[list[Any]], max_conns: int, limit: int = 0) -> str: ...
    async def get(self, number: int) -> Any: ...
    async def put(self, number: int) -> Any: ...
    async def batch(self, wanted: list[int]) -> int: ...
    async def stop(self) -> None: ...


async def _asyncio_round(contender: AsyncContender, kind: str, depth: int, seconds: float, records: int) -> Answer:
    stream = numbers(records)
    figures = Figures(seconds)
    clock = time.perf_counter
    command: Callable[[int], Awaitable[Any]] = contender.get if kind == "get" else contender.put

    async def single() -> None:
        while True:
            began = clock()
            if began >= figures.end:
                return
            try:
                await command(next(stream))
            except Exception as error:
                figures.fail(error)
                await asyncio.sleep(0)
            else:
                figures.add(began, clock())

    async def batches() -> None:
        while True:
            wanted = list(itertools.islice(stream, keys_of(kind)))
            began = clock()
            if began >= figures.end:
                return
            try:
                found = await contender.batch(wanted)
            except Exception as error:
                figures.fail(error)
                await asyncio.sleep(0)
            else:
                figures.add(began, clock(), found)

    await asyncio.gather(*(batches() if keys_of(kind) else single() for _ in range(depth)))
    figures.close()
    return figures.answer()


async def _asyncio_fanout(contender: AsyncContender, kind: str, count: int) -> Answer:
    command: Callable[[int], Awaitable[Any]] = contender.get if kind == "get" else contender.put
    began = time.perf_counter()
    results = await asyncio.gather(*(command(number) for number in range(count)), return_exceptions=True)
    return fanout_answer(count, time.perf_counter() - began, [one for one in results if isinstance(one, Exception)])


async def _asyncio_conversation(contender: AsyncContender) -> None:
    wire = Wire()
    records = 0
    while True:
        command = await asyncio.to_thread(wire.receive)
        if command is None or command["cmd"] == "stop":
            await contender.stop()
            wire.send({"ok": True, "peak_memory": peak_memory()})
            return
        if command["cmd"] == "start":
            version = await contender.start(command["hosts"], command["max_conns"], command.get("limit", 0))
            wire.send({"ok": True, "version": version})
        elif command["cmd"] == "fanout":
            quiet_memory()
            wire.send(await _asyncio_fanout(contender, command["kind"], command["count"]))
        elif command["cmd"] == "load":
            records = command["records"]
            for first in range(0, records, 16):
                await asyncio.gather(*(contender.put(i) for i in range(first, min(records, first + 16))))
            wire.send({"ok": True})
        else:
            records = command["records"]
            quiet_memory()
            wire.send(await _asyncio_round(contender, command["kind"], command["depth"], command["seconds"], records))


def serve_asyncio(contender: AsyncContender) -> None:
    """Run an asyncio worker until the driver says stop."""
    asyncio.run(_asyncio_conversation(contender))


# -- threads --


class SyncContender(Protocol):
    """One blocking client under test; as many threads use it as operations are to be in flight."""

    def start(self, hosts: list[list[Any]], max_conns: int) -> str: ...
    def get(self, number: int) -> Any: ...
    def put(self, number: int) -> Any: ...
    def batch(self, wanted: list[int]) -> int: ...
    def stop(self) -> None: ...


def _threads_round(contender: SyncContender, kind: str, depth: int, seconds: float, records: int) -> Answer:
    stream = numbers(records)
    clock = time.perf_counter
    command = contender.get if kind == "get" else contender.put
    ready = threading.Barrier(depth + 1)
    box: list[Figures] = []

    def single() -> None:
        ready.wait()
        ready.wait()
        figures = box[0]
        while True:
            began = clock()
            if began >= figures.end:
                return
            try:
                command(next(stream))
            except Exception as error:
                figures.fail(error)
            else:
                figures.add(began, clock())

    def batches() -> None:
        ready.wait()
        ready.wait()
        figures = box[0]
        while True:
            wanted = list(itertools.islice(stream, keys_of(kind)))
            began = clock()
            if began >= figures.end:
                return
            try:
                found = contender.batch(wanted)
            except Exception as error:
                figures.fail(error)
            else:
                figures.add(began, clock(), found)

    target = batches if keys_of(kind) else single
    threads = [threading.Thread(target=target) for _ in range(depth)]
    for thread in threads:
        thread.start()
    ready.wait()
    box.append(Figures(seconds))
    ready.wait()
    for thread in threads:
        thread.join()
    box[0].close()
    return box[0].answer()


def serve_threads(contender: SyncContender) -> None:
    """Run a worker with a blocking client until the driver says stop."""
    wire = Wire()
    while True:
        command = wire.receive()
        if command is None or command["cmd"] == "stop":
            contender.stop()
            wire.send({"ok": True, "peak_memory": peak_memory()})
            return
        if command["cmd"] == "start":
            wire.send({"ok": True, "version": contender.start(command["hosts"], command["max_conns"])})
        elif command["cmd"] == "load":
            for number in range(command["records"]):
                contender.put(number)
            wire.send({"ok": True})
        else:
            quiet_memory()
            wire.send(
                _threads_round(contender, command["kind"], command["depth"], command["seconds"], command["records"])
            )
