"""A program with trio_aerospike, as a user writes it: every name and every type in it is known."""

from __future__ import annotations

import ssl
from typing import Any, assert_type

import trio

import trio_aerospike as aero
from trio_aerospike import errors, operations, policies
from trio_aerospike.testing import (
    AdminMessage,
    EmbeddedCluster,
    EmbeddedNode,
    Fault,
    Message,
    Request,
    RequestKind,
    Verdict,
    open_embedded_cluster,
)


async def records(client: aero.Client) -> None:
    key = aero.Key("test", "users", "ann")
    assert_type(key.digest, bytes)
    assert_type(key.user_key, int | str | bytes | None)
    await client.put(key, {"name": "Ann", "age": 41}, ttl=3600, generation=1)
    await client.put(("test", "users", 1), {"scores": [1, 2.0, b"", None, {"a": True}]})
    await client.put(("test", None, b"raw"), {"place": aero.GeoJSON('{"type": "Point", "coordinates": [0, 0]}')})

    record = await client.get(key, policy=aero.ReadPolicy(total_timeout=0.5, replica=aero.Replica.MASTER))
    assert_type(record, aero.Record)
    assert_type(record.bins, dict[str, Any])
    assert_type(record.generation, int)
    assert_type(record.ttl, int | None)
    assert_type(record.key, aero.Key)
    assert_type("name" in record, bool)
    assert_type(await client.select(key, ["name"]), aero.Record)

    found = await client.exists(key)
    assert_type(found, aero.Metadata | None)
    if found is not None:
        assert_type(found.ttl, int | None)

    once = aero.WritePolicy(exists=aero.Exists.CREATE_ONLY, commit_level=aero.CommitLevel.MASTER)
    await client.put(key, {"name": "Ann"}, policy=once.replace(send_key=True))
    await client.append(key, "name", "e")
    await client.prepend(key, "name", "Jo")
    await client.increment(key, "age", 1)
    await client.touch(key, ttl=aero.TTL_NEVER_EXPIRE)
    await client.remove_bin(key, ["age"])
    await client.remove(key)


async def queries(client: aero.Client) -> None:
    adult = aero.predicates.between("age", 18, 120)
    async with client.query("test", "users", where=adult, bins=["name"], max_records=100) as found:
        assert_type(found, aero.Records)
        async for record in found:
            assert_type(record, aero.Record)
        assert_type(found.cursor, aero.Cursor)
    rest = client.query("test", "users", where=adult, cursor=aero.Cursor.from_bytes(found.cursor.to_bytes()))
    assert_type(await rest.results(), list[aero.Record])
    part = aero.PartitionFilter.by_range(0, 1024)
    policy = aero.QueryPolicy(expected_duration=aero.QueryDuration.SHORT)
    scan = client.query("test", partitions=part, policy=policy, filter=aero.exp.int_bin("age") >= 18)
    assert_type(await scan.foreach(print), int)
    index = await client.create_index("test", "users", "age", "by-age", aero.IndexType.NUMERIC)
    assert_type(index, aero.IndexJob)
    assert_type((await index.wait(10.0)).percent, float)
    assert_type(await client.list_indexes("test"), list[aero.IndexInfo])
    job = await client.query_operate("test", "users", [aero.increment("age", 1)], where=adult)
    assert_type(job, aero.BackgroundJob)
    assert_type(await job.cancel(), bool)


async def several(client: aero.Client) -> None:
    key = ("test", "users", "ann")
    steps: list[aero.Operation] = [aero.increment("age", 1), aero.write("name", "Ann"), aero.read("age")]
    assert_type(await client.operate(key, steps), aero.Record)
    assert_type(await client.operate(key, [operations.touch(), operations.read_all()]), aero.Record)
    ordered = await client.operate_ordered(key, steps)
    assert_type(ordered, aero.OrderedResult)
    assert_type(ordered.ordered, list[tuple[str, Any]])

    rows = await client.batch_read([key], ["name"], policy=aero.BatchPolicy(allow_inline=False))
    assert_type(rows, aero.BatchResults)
    assert_type(rows.of(key), aero.BatchResult)
    for row in rows:
        assert_type(row.record, aero.Record | None)
        assert_type(row.error, aero.AerospikeError | None)
        assert_type(row.unwrap(), aero.Record)
    await client.batch_write([(key, {"a": 1}), aero.BatchWrite(key, {"a": 1}, ttl=60)], ttl=30)
    await client.batch_operate([key], steps, write_policy=aero.BatchWritePolicy(send_key=True))
    await client.batch_remove([key], remove_policy=aero.BatchRemovePolicy(durable_delete=False))
    await client.batch_apply([key], "module", "function", [1, "a"], apply_policy=aero.BatchApplyPolicy(ttl=60))
    mixed = await client.batch(
        [aero.BatchRead(key, ["a"]), aero.BatchWrite(key, operations=steps), aero.BatchRemove(key)],
        policy=aero.BatchPolicy(respond_all_keys=False),
    )
    assert_type(mixed.in_doubt, list[aero.BatchResult])


async def streams(client: aero.Client) -> None:
    async with client.get_many((("test", "users", number) for number in range(9)), in_flight=4, bins=["a"]) as results:
        async for result in results:
            assert_type(result, aero.BatchResult)
        assert_type(results.failed, int)
    async with client.put_many([(("test", "users", 1), {"a": 1})], ttl=60, on_progress=lambda stream: None) as done:
        assert_type([result.in_doubt async for result in done], list[bool])


async def the_cluster(client: aero.Client) -> None:
    assert_type(client.is_connected(), bool)
    assert_type(await client.ping(), bool)
    assert_type(client.node_names(), list[str])
    for node in client.nodes():
        assert_type(node, aero.NodeInfo)
        assert_type(await client.info_node(node.name, "build"), str)
    assert_type(await client.info_all("namespaces"), list[aero.InfoResult])
    assert_type(await client.info_random_node("build"), str)
    await client.truncate("test", "users")


async def failures(client: aero.Client) -> None:
    try:
        await client.get(("test", "users", "nobody"))
    except aero.RecordNotFound as error:
        assert_type(error.in_doubt, bool)
        assert_type(error.node, str | None)
        assert_type(error.attempts, int)
    except errors.AerospikeTimeoutError:
        pass


async def main() -> None:
    async with aero.open_client("127.0.0.1:3000", cluster_name="docker") as client:
        assert_type(client, aero.Client)
        assert_type(client.config, aero.ClientConfig)
    async with aero.open_client([("127.0.0.1", 3000), "[::1]:3000"]):
        pass
    config = aero.ClientConfig(
        hosts=["127.0.0.1:3000"],
        auth_mode=aero.AuthMode.INTERNAL,
        user="ann",
        password="secret",
        timeout=1.0,
        max_concurrent_operations=64,
        operation_queue_timeout=None,
        tls=ssl.create_default_context(),
        read_policy=policies.ReadPolicy(max_retries=3),
    )
    async with aero.open_client(config) as client:
        await records(client)
        await several(client)
        await the_cluster(client)
        await failures(client)


async def a_test() -> None:
    async with open_embedded_cluster(nodes=3, memory=True) as cluster:
        assert_type(cluster, EmbeddedCluster)
        assert_type(cluster.nodes, list[EmbeddedNode])
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            await client.ping()
        await cluster.stop_node(0)

        async def lose_logins(kind: RequestKind, request: Request) -> Verdict:
            assert_type(request, Message | AdminMessage | list[str])
            return Fault.RESET if kind == "admin" else None

        cluster.node(1).on_request = lose_logins
        assert_type(cluster.node(1).stats.requests["message"], int)
        assert_type(list(cluster.node(1).stats.requests), list[RequestKind])


if __name__ == "__main__":
    trio.run(main)
