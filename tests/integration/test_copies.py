"""Objects that own connections cannot be copied: a copy would close the connections of the original."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import aerospike_py
from tests.compat.background import BackgroundCluster
from tests.integration.stage import KEY, Stage
from trio_aerospike.loops import LoopCommands
from trio_aerospike.threads import ThreadCommands

COPIES: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, pickle.dumps]


def refused(thing: Any) -> None:
    for make in COPIES:
        with pytest.raises(TypeError, match=r"cannot be copied or pickled, as it owns connections: \w+"):
            make(thing)


def test_a_client_and_all_of_its_parts() -> None:
    stage = Stage(timeout=5.0)
    try:
        stage.warm_up()
        [link] = stage.leases._resting
        pool = stage.node.pools[0]
        client = stage.client
        for thing in (client, client._cluster, client._executor, stage.node, pool, link, stage.leases):
            refused(thing)
        refused(stage.node._tend_connection)
        refused(pool.connections[0])
        refused(pool.connections[0]._transport)
        refused(ThreadCommands(client, stage.in_trio))

        async def streams() -> None:
            refused(client.query("test", "threads"))
            refused(client.aggregate("test", "threads", "m", "f"))
            async with client.get_many([KEY]) as results, client.query("test", "threads") as records:
                refused(results)
                refused(records)
                refused(records._stream)
                assert pickle.loads(pickle.dumps(records.cursor)) == records.cursor

        stage.in_trio(streams)

        async def loop() -> None:
            refused(LoopCommands(client, stage.in_trio, asyncio.get_running_loop()))

        asyncio.run(loop())
        gc.collect()
        assert stage.in_trio(client.get, KEY)["a"] == 1
    finally:
        stage.end()


def test_clients_of_the_drop_in_stay_connected_when_a_copy_is_tried() -> None:
    with BackgroundCluster() as cluster:
        config = {"hosts": cluster.hosts}
        refused(aerospike_py.client(config))
        with aerospike_py.client(config).connect() as client:
            refused(client)
            refused(client._session)
            refused(client._backend)
            refused(client._backend._portal)
            gc.collect()
            client.put(KEY, {"a": 1})
            assert client.get(KEY).bins == {"a": 1}

        async def main() -> None:
            async with aerospike_py.AsyncClient(config) as client:
                await client.connect()
                refused(client)
                gc.collect()
                assert (await client.get(KEY)).bins == {"a": 1}

        asyncio.run(main())
