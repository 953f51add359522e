"""`trio_aerospike` itself: as many tasks in one nursery as operations are to be in flight."""

from __future__ import annotations

import itertools
import time
from typing import Any

import trio

import trio_aerospike as aero
from benchmarks.workers.common import (
    NAMESPACE,
    SET,
    Answer,
    Figures,
    Wire,
    bins_of,
    fanout_answer,
    keys_of,
    numbers,
    peak_memory,
    quiet_memory,
)


async def load(client: aero.Client, records: int) -> None:
    """Write the records that gets will read."""
    stream = iter(range(records))

    async def write_next() -> None:
        for number in stream:
            await client.put(aero.Key(NAMESPACE, SET, number), bins_of(number))

    async with trio.open_nursery() as nursery:
        for _ in range(16):
            nursery.start_soon(write_next)


async def one_round(client: aero.Client, kind: str, depth: int, seconds: float, records: int) -> Answer:
    """One round with `depth` operations in flight."""
    stream = numbers(records)
    clock = time.perf_counter

    async def gets() -> None:
        while True:
            began = clock()
            if began >= figures.end:
                return
            try:
                (await client.get(aero.Key(NAMESPACE, SET, next(stream)))).bins  # noqa: B018
            except aero.AerospikeError as error:
                figures.fail(error)
            else:
                figures.add(began, clock())

    async def puts() -> None:
        while True:
            began = clock()
            if began >= figures.end:
                return
            number = next(stream)
            try:
                await client.put(aero.Key(NAMESPACE, SET, number), bins_of(number))
            except aero.AerospikeError as error:
                figures.fail(error)
            else:
                figures.add(began, clock())

    async def batches() -> None:
        while True:
            wanted = list(itertools.islice(stream, keys_of(kind)))
            began = clock()
            if began >= figures.end:
                return
            try:
                rows = await client.batch_read([aero.Key(NAMESPACE, SET, number) for number in wanted])
            except aero.AerospikeError as error:
                figures.fail(error)
            else:
                found: list[dict[str, Any]] = [row.record.bins for row in rows if row.record is not None]
                figures.add(began, clock(), len(found))

    task = {"get": gets, "put": puts}.get(kind, batches)
    figures = Figures(seconds)
    async with trio.open_nursery() as nursery:
        for _ in range(depth):
            nursery.start_soon(task)
    figures.close()
    return figures.answer()


async def fanout(client: aero.Client, kind: str, count: int) -> Answer:
    """Start ``count`` operations at once in one nursery."""
    errors: list[Exception] = []

    async def get(number: int) -> None:
        try:
            (await client.get(aero.Key(NAMESPACE, SET, number))).bins  # noqa: B018
        except aero.AerospikeError as error:
            errors.append(error)

    async def put(number: int) -> None:
        try:
            await client.put(aero.Key(NAMESPACE, SET, number), bins_of(number))
        except aero.AerospikeError as error:
            errors.append(error)

    task = get if kind == "get" else put
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(task, number)
    return fanout_answer(count, time.perf_counter() - began, errors)


async def main() -> None:
    """Serve the driver."""
    wire = Wire()
    command = await trio.to_thread.run_sync(wire.receive)
    if command is None:
        return
    hosts = [(host, port) for host, port in command["hosts"]]
    limit = command.get("limit", 0)
    async with aero.open_client(
        hosts, max_conns_per_node=command["max_conns"], max_concurrent_operations=limit
    ) as client:
        wire.send({"ok": True, "version": aero.__version__})
        while True:
            command = await trio.to_thread.run_sync(wire.receive)
            if command is None or command["cmd"] == "stop":
                break
            if command["cmd"] == "load":
                await load(client, command["records"])
                wire.send({"ok": True})
            elif command["cmd"] == "fanout":
                quiet_memory()
                wire.send(await fanout(client, command["kind"], command["count"]))
            else:
                quiet_memory()
                wire.send(
                    await one_round(client, command["kind"], command["depth"], command["seconds"], command["records"])
                )
    wire.send({"ok": True, "peak_memory": peak_memory()})


if __name__ == "__main__":
    trio.run(main)
