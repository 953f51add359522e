"""What the pages show of asyncio alone: the context manager, many commands at once, errors among them."""

from __future__ import annotations

import asyncio
from typing import Any

import aerospike_py as aerospike
from aerospike_py.exception import AerospikeError, RecordNotFound

SET = "guide-coroutines"


async def fetch_many(client: Any, keys: list[Any]) -> list[Any]:
    """The bins of many records; None for one that is not there."""
    found: list[Any] = []
    for result in await asyncio.gather(*[client.get(key) for key in keys], return_exceptions=True):
        if isinstance(result, AerospikeError):
            found.append(None)
        elif isinstance(result, BaseException):
            raise result
        else:
            found.append(result.bins)
    return found


async def find(client: Any, name: str) -> Any:
    """One user, or None."""
    try:
        return (await client.get(("test", SET, name))).bins
    except RecordNotFound:
        return None


async def program(config: dict[str, Any], show: Any) -> None:
    """Everything of that kind."""
    async with aerospike.AsyncClient(config) as client:
        await client.connect()
        keys = [("test", SET, f"item_{number}") for number in range(100)]
        await asyncio.gather(*(client.put(key, {"idx": number}) for number, key in enumerate(keys)))
        records: list[Any] = await asyncio.gather(*(client.get(key) for key in keys))
        show("in the order of the calls", [record.bins["idx"] for record in records])
        show("with some that are not there", await fetch_many(client, [*keys[:3], ("test", SET, "nobody"), keys[3]]))
        show("one", (await find(client, "item_7"), await find(client, "nobody")))
        await asyncio.gather(*[client.increment(keys[0], "idx", 1) for _ in range(50)])
        show("added up", await find(client, "item_0"))
        batch = await client.batch_read(keys, bins=["idx"])
        show("missing", sorted({key[2] for key in [*keys, ("test", SET, "nobody")]} - set(batch.keys())))
        halves = await asyncio.gather(client.batch_read(keys[:50]), client.batch_read(keys[50:]))
        show("two batches at once", [len(half) for half in halves])
        question = client.query("test", SET)
        everybody: list[Any] = await question.results()
        show("a query", sorted(record.bins["idx"] for record in everybody)[-3:])
        async with asyncio.timeout(30):
            await client.batch_remove(keys)
        show("connected", client.is_connected())
    show("connected after the block", client.is_connected())

    limited = {**config, "max_concurrent_operations": 4, "operation_queue_timeout_ms": 5000}
    client = aerospike.AsyncClient(limited)
    await client.connect()
    await asyncio.gather(*(client.put(key, {"idx": 1}) for key in keys))
    show("under a limit", (await client.batch_read(keys)).found_count())
    await client.batch_remove(keys)
    await client.close()
