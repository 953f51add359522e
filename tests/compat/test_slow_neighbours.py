"""One slow command of an asyncio program does not delay its neighbours, on a fresh client and on a warm one."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
import trio

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster

BURST = 100
KEYS = [("test", "neighbours", number) for number in range(BURST)]


async def timed(command: Any) -> float:
    """Await a command; the seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await command
    return loop.time() - began


POLICY = {"total_timeout": 10_000}


async def burst(client: Any) -> list[float]:
    """Read every record at once; how long each read took, in seconds, the slowest last."""
    return sorted(await asyncio.gather(*(timed(client.get(key, policy=POLICY)) for key in KEYS)))


def hold_one(cluster: BackgroundCluster, position: int, seconds: float) -> None:
    """Have the server hold the get at ``position`` of those that come from now on, and no other."""
    seen = itertools.count()

    async def hold(kind: str, request: object) -> None:
        if kind == "message" and next(seen) == position:
            await trio.sleep(seconds)

    cluster.set(on_request=hold)


@pytest.mark.parametrize("limit", [0, 200, 100], ids="limit {}".format)
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
@pytest.mark.parametrize(("position", "seconds"), [(0, 0.3), (1, 1.5), (37, 0.3), (99, 0.3)])
def test_one_slow_get_in_a_burst_of_100_delays_no_other(
    start_cluster: Any, position: int, seconds: float, warm: bool, limit: int
) -> None:
    cluster: BackgroundCluster = start_cluster()

    async def main() -> list[float]:
        config = {"hosts": cluster.hosts, "max_concurrent_operations": limit}
        async with aerospike.AsyncClient(config) as writer, aerospike.AsyncClient(config) as client:
            await writer.connect()
            await client.connect()
            await asyncio.gather(*(writer.put(key, {"a": 1}) for key in KEYS))
            for _ in range(5 * warm):
                await burst(client)
            hold_one(cluster, position, seconds)
            took = await burst(client)
            cluster.set(on_request=None)
            await burst(client)  # nothing is left over
            return took

    took = asyncio.run(main())
    assert took[-1] >= seconds
    if limit != BURST:  # where every slot is taken no read can be sent twice
        assert took[-2] < 0.15
