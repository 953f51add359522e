"""A program with aerospike_py, as a user writes it: every name and every type in it is known."""

from __future__ import annotations

import asyncio
from typing import Any, assert_type

import aerospike_py as aerospike
from aerospike_py import (
    bit_operations as bo,
    exp,
    hll_operations as ho,
    list_operations as lo,
    map_operations as mo,
    predicates,
)
from aerospike_py.exception import AerospikeError, RecordNotFound
from aerospike_py.types import (
    BatchDeleteMeta,
    BatchPolicy,
    BatchRecord,
    BatchUDFMeta,
    BatchWriteResult,
    ClientConfig,
    ExistsResult,
    InfoNodeResult,
    OperateOrderedResult,
    Privilege,
    QueryPolicy,
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


def many(client: aerospike.Client) -> None:
    operations: list[aerospike.Operation] = [
        lo.list_append("visits", "home", {"flags": aerospike.LIST_WRITE_ADD_UNIQUE}),
        lo.list_get_by_rank_range("visits", 0, aerospike.LIST_RETURN_VALUE),
        mo.map_put("scores", "chess", 12, {"order": aerospike.MAP_KEY_ORDERED, "write_mode": aerospike.MAP_UPDATE}),
        mo.map_get_by_key("scores", "chess", return_type=aerospike.MAP_RETURN_VALUE),
        bo.bit_add("flags", 0, 8, 1, action=aerospike.BIT_OVERFLOW_WRAP),
        ho.hll_add("seen", ["ann"], 12, policy={"flags": aerospike.HLL_WRITE_DEFAULT}),
    ]
    assert_type(client.operate(key, operations), Record)
    adults: exp.Expr = exp.and_(exp.ge(exp.int_bin("age"), exp.int_val(18)), exp.bin_exists("name"))
    assert_type(client.get(key, policy={"filter_expression": adults}), Record)

    written = client.batch_write([(key, {"a": 1}), (key, {"a": 2}, meta)], {"total_timeout": 5000}, retry=3)
    assert_type(written, BatchWriteResult)
    assert_type(written.retry.truncated_by_timeout, bool)
    for row in written.batch_records:
        assert_type(row, BatchRecord)
        assert_type(row.record, Record | None)
    assert_type(client.batch_operate([key], operations), BatchWriteResult)
    removed: BatchDeleteMeta = {"gen": 1}
    assert_type(client.batch_remove([key, (key, removed)]), BatchWriteResult)
    called: BatchUDFMeta = {"args": [1], "ttl": 60}
    assert_type(client.batch_apply([key, (key, called)], "module", "function", [1, 2]), BatchWriteResult)

    query = client.query("test", "users")
    assert_type(query, aerospike.Query)
    query.select("name", "age")
    query.where(predicates.between("age", 18, 30))
    policy: QueryPolicy = {"max_records": 5, "partition_filter": aerospike.partition_filter_by_range(0, 100)}
    assert_type(query.results(policy), list[Record])
    query.foreach(lambda record: record.bins is not None)

    client.index_string_create("test", "users", "name", "users_name")
    client.index_remove("test", "users_name")
    client.udf_put("module.lua")
    client.apply(key, "module", "function", [1])
    privilege: Privilege = {"code": aerospike.PRIV_READ_WRITE, "ns": "test"}
    client.admin_create_role("clerk", [privilege], read_quota=100)
    client.admin_create_user("ann", "secret", ["clerk"])
    assert_type(client.admin_query_users_info(), list[dict[str, Any]])


async def many_asynchronous(client: aerospike.AsyncClient) -> None:
    assert_type(await client.batch_write([(key, {"a": 1})]), BatchWriteResult)
    assert_type(await client.batch_remove([key]), BatchWriteResult)
    query = client.query("test", "users")
    assert_type(query, aerospike.AsyncQuery)
    assert_type(await query.results(), list[Record])
    await query.foreach(lambda record: None)
    await client.index_integer_create("test", "users", "age", "users_age")
    assert_type(await client.admin_query_role("clerk"), dict[str, Any])


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
