"""Scenarios inside a trio-asyncio loop, each run in a process of its own by test_trio_asyncio.

Importing trio_asyncio makes its loops the default of the whole process; the other tests want asyncio's own.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from typing import Any

import pytest
import trio
import trio_asyncio

import aerospike_py as aerospike
from aerospike_py._runtime.backends import AsyncPortalBackend, TrioAsyncioBackend
from tests.compat.background import BackgroundCluster
from tests.compat.test_environments import connections, wait_until

KEY = ("test", "trio-asyncio", "key")


def clients_work_on_both_sides_of_the_loop(cluster: BackgroundCluster) -> None:
    client = aerospike.AsyncClient({"hosts": cluster.hosts})

    async def from_asyncio() -> None:
        await client.connect()
        await client.put(KEY, {"a": 1})

    async def use_later() -> None:
        records = await asyncio.gather(*[client.get(KEY) for _ in range(100)])
        assert [record.bins for record in records] == [{"a": 1}] * 100
        with pytest.raises(aerospike.RecordNotFound):
            await client.get((*KEY[:2], "nobody"))

    async def main() -> None:
        async with trio_asyncio.open_loop():
            # Connected inside one call, used by others: the connections belong to the loop.
            await trio_asyncio.aio_as_trio(from_asyncio)()
            await trio_asyncio.aio_as_trio(use_later)()
            assert (await client.get(KEY)).bins == {"a": 1}
            assert await client.ping()
            assert client.get_node_names() == ["A1"]
            await trio_asyncio.aio_as_trio(client.close)()
            assert not client.is_connected()

    trio.run(main)
    assert type(client._backend) is TrioAsyncioBackend
    assert "aerospike_py" not in {thread.name for thread in threading.enumerate()}
    assert wait_until(lambda: connections(cluster) == 0)


def cancelling_either_side_cancels_the_command(cluster: BackgroundCluster) -> None:
    client = aerospike.AsyncClient({"hosts": cluster.hosts, "max_concurrent_operations": 1})

    async def cancel_asyncio() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get(KEY)

    async def main() -> None:
        async with trio_asyncio.open_loop():
            await trio_asyncio.aio_as_trio(client.connect)()
            await client.put(KEY, {"a": 1})
            await trio.to_thread.run_sync(lambda: cluster.set(delay=1.0))
            await trio_asyncio.aio_as_trio(cancel_asyncio)()
            with trio.move_on_after(0.05) as scope:
                await client.get(KEY)
            assert scope.cancelled_caught
            await trio.to_thread.run_sync(lambda: cluster.set(delay=0.0))
            assert (await client.get(KEY, {"total_timeout": 60_000})).bins == {"a": 1}
            await client.close()

    trio.run(main)


def a_loop_that_ends_takes_its_clients_along(cluster: BackgroundCluster) -> None:
    client = aerospike.AsyncClient({"hosts": cluster.hosts})

    async def main() -> None:
        async with trio_asyncio.open_loop():
            await trio_asyncio.aio_as_trio(client.connect)()
            assert connections(cluster) > 0

    trio.run(main)
    assert wait_until(lambda: connections(cluster) == 0)

    async def elsewhere() -> None:
        async with trio_asyncio.open_loop():
            with pytest.raises(aerospike.ClientError, match="trio-asyncio loop"):
                await client.get(KEY)
            await client.close()
            await client.connect()
            assert await client.ping()
            await client.close()

    trio.run(elsewhere)


def a_client_keeps_no_loop_that_has_ended(cluster: BackgroundCluster) -> None:
    client = aerospike.AsyncClient({"hosts": cluster.hosts})
    loops: list[Any] = []

    async def main() -> None:
        async with trio_asyncio.open_loop() as loop:
            loops.append(weakref.ref(loop))
            await trio_asyncio.aio_as_trio(client.connect)()
            await trio_asyncio.aio_as_trio(client.ping)()

    trio.run(main)
    gc.collect()
    assert loops[0]() is None
    assert not client.is_connected()


def failing_to_connect_raises_and_leaves_the_loop_alone(cluster: BackgroundCluster) -> None:
    async def main() -> None:
        async with trio_asyncio.open_loop():
            client = aerospike.AsyncClient({"hosts": cluster.hosts, "cluster_name": "another"})
            for connect in (client.connect, trio_asyncio.aio_as_trio(client.connect)):
                with pytest.raises(aerospike.ClusterError, match="another"):
                    await connect()

    trio.run(main)


def loops_that_run_only_while_awaited_use_the_portal(cluster: BackgroundCluster) -> None:
    # With trio_asyncio imported, asyncio.run makes such a loop.
    client = aerospike.AsyncClient({"hosts": cluster.hosts})
    asyncio.run(client.connect())
    asyncio.run(client.put(KEY, {"a": 1}))
    assert asyncio.run(client.get(KEY)).bins == {"a": 1}
    asyncio.run(client.close())
    assert type(client._backend) is AsyncPortalBackend


SCENARIOS: dict[str, Any] = {
    scenario.__name__: scenario
    for scenario in (
        clients_work_on_both_sides_of_the_loop,
        cancelling_either_side_cancels_the_command,
        a_loop_that_ends_takes_its_clients_along,
        a_client_keeps_no_loop_that_has_ended,
        failing_to_connect_raises_and_leaves_the_loop_alone,
        loops_that_run_only_while_awaited_use_the_portal,
    )
}

if __name__ == "__main__":
    with BackgroundCluster() as cluster:
        SCENARIOS[sys.argv[1]](cluster)
