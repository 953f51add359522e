"""A first tour: connect, write, read, fan out over 10,000 keys, look at the cluster.

Uses the servers in AEROSPIKE_HOSTS ("host:port,host:port"), or starts an embedded cluster of three nodes. Needs rich
for the progress bar:

    pip install 'trio-aerospike[cli]'
    python examples/quickstart.py
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import trio_aerospike as aero
from trio_aerospike.testing import open_servers

KEYS = 10_000
IN_FLIGHT = 256

console = Console(highlight=False)


async def one_record(client: aero.Client) -> None:
    """Write a record, read it back, update it in place, and remove it."""
    console.print("\n[bold]One record")
    ann = aero.Key("test", "quickstart", "ann")
    await client.put(ann, {"name": "Ann", "age": 41, "visits": ["home"]})
    record = await client.get(ann)
    console.print(f"  get      {record['name']}, aged {record['age']}, generation {record.generation}")

    record = await client.operate(ann, [aero.increment("age", 1), aero.read("age")])
    console.print(f"  operate  a birthday, written and read in one command: {record['age']}")

    await client.remove(ann)
    try:
        await client.get(ann)
    except aero.RecordNotFound as error:
        console.print(f"  remove   and now a get raises RecordNotFound (result code {int(error.result_code)})")


async def for_each(numbers: Iterable[int], work: Callable[[int], Awaitable[None]]) -> None:
    """Run a few hundred tasks in one nursery; each takes the next number when it is free."""
    remaining = iter(numbers)

    async def worker() -> None:
        for number in remaining:
            await work(number)

    async with trio.open_nursery() as nursery:
        for _ in range(IN_FLIGHT):
            nursery.start_soon(worker)


async def fan_out(client: aero.Client) -> dict[str, float]:
    """Write and read many keys with a progress bar; return the seconds of each."""
    console.print(f"\n[bold]{KEYS:,} records, up to {IN_FLIGHT} commands in flight")
    seconds = {}
    squares = []
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:

        async def write(number: int) -> None:
            key = aero.Key("test", "quickstart", number)
            await client.put(key, {"number": number, "square": number * number})
            progress.advance(bar)

        async def read(number: int) -> None:
            record = await client.get(aero.Key("test", "quickstart", number))
            squares.append(record["square"])
            progress.advance(bar)

        for verb, work in (("write", write), ("read", read)):
            bar = progress.add_task(f"{verb:5}", total=KEYS)
            began = time.perf_counter()
            await for_each(range(KEYS), work)
            seconds[verb] = time.perf_counter() - began

    if sorted(squares) != [number * number for number in range(KEYS)]:
        sys.exit("what was read is not what was written")
    return seconds


async def show_cluster(client: aero.Client) -> None:
    """Show the discovered nodes, and the number of records that each is master of."""
    console.print("\n[bold]The cluster")
    table = Table("node", "address", "records it is master of")
    for node in client.nodes():
        statistics = await client.info_node(node.name, "namespace/test")
        values = dict(pair.split("=", 1) for pair in statistics.split(";") if "=" in pair)
        table.add_row(node.name, f"{node.host}:{node.port}", f"{int(values['master_objects']):,}")
    console.print(table)


async def tour() -> None:
    """Run all parts."""
    async with open_servers(nodes=3) as seeds, aero.open_client(seeds) as client:
        if not os.environ.get("AEROSPIKE_HOSTS"):
            console.print("AEROSPIKE_HOSTS is not set: started an embedded cluster of three nodes.")
        console.print(f"Connected: {len(client.nodes())} node(s), server {await client.info_random_node('build')}.")
        await one_record(client)
        seconds = await fan_out(client)
        await show_cluster(client)
        await client.truncate("test", "quickstart")
    console.print("\n[bold]Summary")
    for verb, spent in seconds.items():
        console.print(f"  {verb:5}  {KEYS:,} records in {spent:.2f} s: {KEYS / spent:,.0f} per second")
    console.print("  Every record came back as it was written; all connections are closed.")


async def main() -> int:
    """Run the tour; Ctrl-C or SIGTERM cancels it, and all connections are closed."""
    status = 130
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def stop_on_signal() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(stop_on_signal)
            try:
                await tour()
                status = 0
            except aero.ClusterError as error:
                console.print(f"[red]There is no cluster to show:[/] {error}", soft_wrap=True)
                status = 1
            nursery.cancel_scope.cancel()
    if status == 130:
        console.print("\nInterrupted: all connections are closed.")
    return status


if __name__ == "__main__":
    sys.exit(trio.run(main))
