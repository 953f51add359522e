"""One slow command of an asyncio program does not delay its neighbours, on a fresh client and on a warm one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from typing import Any

import pytest
import trio

import aerospike_py as aerospike
import trio_aerospike
from tests.compat.background import BackgroundCluster
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import Fault

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


@pytest.mark.parametrize("limit", [0, 200], ids="limit {}".format)
def test_second_attempts_that_the_server_refuses_are_retried(start_cluster: Any, limit: int) -> None:
    cluster: BackgroundCluster = start_cluster()
    seen = itertools.count()
    refused: list[object] = []
    slow = False

    async def hold_and_refuse(kind: str, request: object) -> ResultCode | None:
        nonlocal slow
        if kind == "message" and not next(seen):
            await trio.sleep(0.02)
            slow = True
            await trio.sleep(0.3)
            slow = False
        elif kind == "message" and slow and len(refused) < 20:
            refused.append(request)
            return ResultCode.PARTITION_UNAVAILABLE
        return None

    async def main() -> None:
        config = {"hosts": cluster.hosts, "max_concurrent_operations": limit}
        async with aerospike.AsyncClient(config) as client:
            await client.connect()
            await asyncio.gather(*(client.put(key, {"a": 1}) for key in KEYS))
            for _ in range(5):
                await burst(client)
            cluster.set(on_request=hold_and_refuse)
            await burst(client)
            cluster.set(on_request=None)
            assert refused
            assert client._native is not None
            give_up = time.monotonic() + 10
            while not at_rest(client._native):
                assert time.monotonic() < give_up
                await asyncio.sleep(0.01)

    asyncio.run(main())


def at_rest(client: trio_aerospike.Client) -> bool:
    """Whether nothing is in flight, and no slot is taken but those that the loop has leased and does not use."""
    executor = client._executor
    taken = 0 if executor.limiter is None else executor.limiter.borrowed_tokens
    free = sum(len(lease.free) for lease in executor.leases)
    return taken == free and not any(pool.in_flight for node in client._cluster.active_nodes() for pool in node.pools)


@pytest.mark.parametrize("limit", [0, 1, 8], ids="limit {}".format)
def test_nothing_is_lost_or_kept_while_requests_are_held_and_callers_leave(start_cluster: Any, limit: int) -> None:
    cluster: BackgroundCluster = start_cluster()
    chance = random.Random(limit)

    async def hold_some(kind: str, request: object) -> Fault | None:
        if kind == "message" and chance.random() < 0.05:
            await trio.sleep(chance.choice([0.05, 0.2]))
        return Fault.RESET if kind == "message" and chance.random() < 0.003 else None

    async def commands(client: Any, count: int) -> None:
        for _ in range(count):
            number = chance.randrange(BURST)
            policy = {"total_timeout": chance.choice([80, 3000])}
            with contextlib.suppress(aerospike.AerospikeError):
                if chance.random() < 0.2:
                    await client.put(KEYS[number], {"a": number}, policy=policy)
                else:
                    assert (await client.get(KEYS[number], policy=policy)).bins == {"a": number}

    async def leaving(client: Any) -> None:
        for _ in range(8):
            task = asyncio.ensure_future(commands(client, 30))
            await asyncio.sleep(chance.random() * 0.2)
            task.cancel()
            await asyncio.wait([task])

    async def main() -> None:
        config = {"hosts": cluster.hosts, "max_concurrent_operations": limit, "max_conns_per_node": 8}
        async with aerospike.AsyncClient(config) as client:
            await client.connect()
            await asyncio.gather(*(client.put(key, {"a": key[2]}) for key in KEYS))
            cluster.set(on_request=hold_some)
            await asyncio.gather(*(commands(client, 10) for _ in range(20)), *(leaving(client) for _ in range(10)))
            cluster.set(on_request=None)
            records = await asyncio.gather(*(client.get(key, policy=POLICY) for key in KEYS))
            assert [record.bins and record.bins["a"] for record in records] == list(range(BURST))
            assert client._native is not None
            give_up = time.monotonic() + 10
            while not at_rest(client._native):
                assert time.monotonic() < give_up
                await asyncio.sleep(0.01)

    asyncio.run(main())
