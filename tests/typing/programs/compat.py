"""A program with aerospike_py, as a user writes it: every name and every type in it is known."""

from __future__ import annotations

import asyncio
from typing import Any, assert_type

import aerospike_py as aerospike
from aerospike_py.exception import AerospikeError, RecordNotFound
from aerospike_py.types import (
    BatchPolicy,
    ClientConfig,
    ExistsResult,
    InfoNodeResult,
    OperateOrderedResult,
    ReadPolicy,
    Record,
    RecordMetadata,
    WriteMeta,
    WritePolicy,
)

config: ClientConfig = {
    "hosts": [("127.0.0.1", 3000)],
    "cluster_name": "docker",
    "auth_mode": aerospike.AUTH_INTERNAL,
    "max_concurrent_operations": 64,
    "operation_queue_timeout_ms": 5000,
}
key = ("test", "users", "ann")
read_policy: ReadPolicy = {"socket_timeout": 5000, "total_timeout": 10000, "max_retries": 2}
write_policy: WritePolicy = {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY, "ttl": aerospike.TTL_NEVER_EXPIRE}
batch_policy: BatchPolicy = {"allow_inline": False}
meta: WriteMeta = {"gen": 1, "ttl": 3600}
steps = [{"op": aerospike.OPERATOR_INCR, "bin": "age", "val": 1}, {"op": aerospike.OPERATOR_READ, "bin": "age"}]


def synchronous() -> None:
    with aerospike.client(config).connect("admin", "admin") as client:
        assert_type(client, aerospike.Client)
        client.put(key, {"name": "Ann", "age": 41}, meta, write_policy)
        record = client.get(key, policy=read_policy)
        assert_type(record, Record)
        assert_type(record.bins, dict[str, Any] | None)
        assert_type(record.meta, RecordMetadata | None)
        assert_type(client.select(key, ["name"]), Record)
        assert_type(client.exists(key), ExistsResult)
        assert_type(client.operate(key, steps), Record)
        assert_type(client.operate_ordered(key, steps), OperateOrderedResult)
        assert_type(client.info_all("namespaces"), list[InfoNodeResult])
        assert_type(client.info_random_node("build"), str)
        assert_type(client.get_node_names(), list[str])
        assert_type(client.is_connected(), bool)
        assert_type(client.ping(), bool)
        assert_type(client.batch_read([key], policy=batch_policy), aerospike.LazyBatchRecords)
        for name, value in client.get(key).bins.items() if record.bins else ():  # type: ignore[union-attr]
            print(name, value)
        client.append(key, "name", "e")
        client.prepend(key, "name", "Jo")
        client.increment(key, "age", 1)
        client.touch(key, 3600)
        client.remove_bin(key, ["age"])
        client.remove(key)
        client.truncate("test", "users")


async def asynchronous() -> None:
    async with aerospike.AsyncClient(config) as client:
        assert_type(client, aerospike.AsyncClient)
        await client.connect()
        await client.put(key, {"name": "Ann"})
        first, second = await asyncio.gather(client.get(key), client.exists(key))
        assert_type(first, Record)
        assert_type(second, ExistsResult)
        assert_type(await client.batch_read([key]), aerospike.LazyBatchRecords)
        try:
            await client.get(("test", "users", 1))
        except RecordNotFound as error:
            assert_type(error, RecordNotFound)
        except AerospikeError:
            pass


if __name__ == "__main__":
    synchronous()
    asyncio.run(asynchronous())
