"""A program for aerospike-py that runs unchanged on trio-aerospike-compat: only the environment changes.

It was written for the published package, and does not depend on which one is installed:

    python -m venv theirs && theirs/bin/pip install aerospike-py==0.14.4
    python -m venv ours && ours/bin/pip install trio-aerospike trio-aerospike-compat

    AEROSPIKE_HOSTS=127.0.0.1:3000 theirs/bin/python examples/migrate_from_aerospike_py.py > before
    AEROSPIKE_HOSTS=127.0.0.1:3000 ours/bin/python examples/migrate_from_aerospike_py.py > after
    diff before after

Without AEROSPIKE_HOSTS the embedded server is started if it is installed, else 127.0.0.1:3000 is used. With --package
the last line says which package it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aerospike_py as aerospike
from aerospike_py import exp, list_operations, map_operations, predicates
from aerospike_py.exception import AerospikeError, FilteredOut, RecordExistsError, RecordGenerationError, RecordNotFound

NAMESPACE, SET, INDEX = "test", "migration", "migration_price"
GOODS: dict[str, dict[str, Any]] = {
    f"item {number}": {"name": f"item {number}", "price": 5 + number, "stock": 10 * number, "tags": ["new"]}
    for number in range(20)
}


def key_of(name: str) -> tuple[str, str, str]:
    """Return the key of an item."""
    return (NAMESPACE, SET, name)


@contextlib.contextmanager
def servers() -> Iterator[list[tuple[str, int]]]:
    """Yield the seeds to connect to."""
    named = os.environ.get("AEROSPIKE_HOSTS", "")
    command = Path(sys.executable).with_name("trio-aerospike")
    if named or not command.exists():
        parts = [part.strip().rpartition(":") for part in (named or "127.0.0.1:3000").split(",")]
        yield [(host, int(port)) for host, _, port in parts]
        return
    with subprocess.Popen([command, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.findall(r"([\d.]+):(\d+)", process.stdout.readline())
            yield [(host, int(port)) for host, port in found]
        finally:
            process.terminate()


def single_records(client: Any) -> None:
    """Put, get, update in place, and refused writes."""
    print("Single records")
    client.put(key_of("item 0"), GOODS["item 0"], meta={"ttl": 3600})
    _, meta, bins = client.get(key_of("item 0"))
    print(f"  {bins['name']} costs {bins['price']}, generation {meta.gen}, expires {3500 < meta.ttl <= 3600}")
    client.increment(key_of("item 0"), "stock", 3)
    client.append(key_of("item 0"), "name", " (sale)")
    print("  changed in place:", client.select(key_of("item 0"), ["name", "stock"]).bins["name"])
    try:
        client.put(key_of("item 0"), {"price": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_ONLY})
    except RecordExistsError as error:
        print(f"  not created twice: {type(error).__name__}")
    try:
        client.put(key_of("item 0"), {"price": 1}, meta={"gen": 1}, policy={"gen": aerospike.POLICY_GEN_EQ})
    except RecordGenerationError as error:
        print(f"  not overwritten: {type(error).__name__}")
    client.remove(key_of("item 0"))
    try:
        client.get(key_of("item 0"))
    except RecordNotFound as error:
        print(f"  removed: {type(error).__name__}")


def many_records(client: Any) -> None:
    """Batches that write, read and operate."""
    print("Batches")
    results = client.batch_write([(key_of(name), bins) for name, bins in GOODS.items()])
    print(f"  written: {sum(row.result == 0 for row in results.batch_records)} of {len(GOODS)}")
    found = client.batch_read([key_of("item 3"), key_of("item 99"), key_of("item 5")], bins=["price"]).to_dict()
    print("  read:", sorted((name, bins["price"]) for name, bins in found.items()))
    sell = [
        {"op": aerospike.OPERATOR_INCR, "bin": "stock", "val": -1},
        {"op": aerospike.OPERATOR_READ, "bin": "stock", "val": None},
    ]
    rows = client.batch_operate([key_of("item 3"), key_of("item 5")], sell).batch_records
    print("  one of each sold, left:", [row.record.bins["stock"][-1] for row in rows])


def inside_values(client: Any) -> None:
    """Operations on lists and maps."""
    print("Lists and maps")
    tags = [list_operations.list_append_items("tags", ["red", "blue"]), list_operations.list_sort("tags")]
    client.operate(key_of("item 1"), tags)
    best = list_operations.list_get_by_rank_range("tags", -2, aerospike.LIST_RETURN_VALUE, count=2)
    print("  the last two tags:", sorted(client.operate(key_of("item 1"), [best]).bins["tags"]))
    client.put(key_of("item 1"), {"sizes": {"S": 3, "M": 9, "L": 1}})
    record = client.operate(
        key_of("item 1"),
        [
            map_operations.map_increment("sizes", "L", 4),
            map_operations.map_get_by_rank("sizes", -1, aerospike.MAP_RETURN_KEY),
        ],
    )
    print("  large ones after four more, and the size of which there are most:", record.bins["sizes"])


def filters_and_queries(client: Any) -> None:
    """Expressions in policies; queries through an index."""
    print("Expressions and queries")
    dear = exp.ge(exp.int_bin("price"), exp.int_val(20))
    try:
        client.put(key_of("item 2"), {"tags": ["luxury"]}, policy={"filter_expression": dear})
    except FilteredOut as error:
        print(f"  item 2 is no luxury: {type(error).__name__}")
    client.index_integer_create(NAMESPACE, SET, "price", INDEX)
    query = client.query(NAMESPACE, SET)
    query.select("name", "price")
    query.where(predicates.between("price", 10, 22))
    names: list[str] = []
    deadline = time.monotonic() + 30
    while len(names) < 13 and time.monotonic() < deadline:  # the servers fill the index in the background
        try:
            names = [record.bins["name"] for record in query.results()]
        except AerospikeError:
            time.sleep(0.1)
    print(f"  from 10 to 22: {len(names)} items, the first by name is {min(names)}")
    print("  and not below 20:", len(query.results(policy={"filter_expression": dear})))
    client.index_remove(NAMESPACE, INDEX)


async def at_once(hosts: list[tuple[str, int]]) -> None:
    """Hundreds of concurrent commands in an event loop."""
    print("asyncio")
    async with aerospike.AsyncClient({"hosts": hosts, "max_concurrent_operations": 64}) as client:
        await client.connect()
        keys = [(NAMESPACE, SET, number) for number in range(300)]
        await asyncio.gather(*(client.put(key, {"square": key[2] ** 2}) for key in keys))
        records: list[Any] = await asyncio.gather(*(client.get(key) for key in keys))
        print("  sum of 300 squares:", sum(record.bins["square"] for record in records))
        missing = await asyncio.gather(client.get(key_of("nothing")), return_exceptions=True)
        print("  one that is not there:", type(missing[0]).__name__)
        await client.batch_remove(keys)


def main() -> None:
    """Run all parts."""
    with servers() as hosts:
        with aerospike.client({"hosts": hosts}).connect() as client:
            client.batch_remove([key_of(name) for name in GOODS])
            single_records(client)
            many_records(client)
            inside_values(client)
            filters_and_queries(client)
        asyncio.run(at_once(hosts))
        with aerospike.client({"hosts": hosts}).connect() as client:
            client.batch_remove([key_of(name) for name in GOODS])
    if "--package" in sys.argv:
        for name in ("aerospike-py", "trio-aerospike-compat"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                print(f"on {name} {importlib.metadata.version(name)}")
    # The published package sometimes aborts when the interpreter ends, and buffered output would be lost.
    sys.stdout.flush()


if __name__ == "__main__":
    main()
