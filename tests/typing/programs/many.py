"""A program that works on collections, many records and the cluster itself, as a user writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import trio

import trio_aerospike as aero
from trio_aerospike import ctx, exp, hll, indexes, jobs, lists, maps, predicates, query, security, statistics

KEY = aero.Key("test", "users", "ann")


async def collections(client: aero.Client) -> None:
    unique = lists.ListPolicy(
        order=lists.ListOrder.ORDERED, write_flags=lists.ListWrite.ADD_UNIQUE | lists.ListWrite.NO_FAIL
    )
    steps = [
        lists.append("visits", "home"),
        lists.append_items("visits", ["shop", 2, None, b"raw", {"a": [1.5]}], policy=unique),
        lists.get_by_rank_range("scores", -3, return_type=lists.ListReturn.VALUE),
        lists.remove_by_value("visits", "shop", return_type=lists.ListReturn.COUNT),
        lists.increment("scores", 0, 2.5, ctx=[ctx.map_key("inner")]),
        lists.sort("scores", lists.ListSort.DESCENDING),
        maps.put("clicks", "home", 1, policy=maps.MapPolicy(order=maps.MapOrder.KEY_ORDERED)),
        maps.put_items("clicks", {"a": 1, "b": 2}),
        maps.increment("clicks", 5),
        maps.get_by_key("clicks", b"raw", return_type=maps.MapReturn.INDEX),
        maps.get_by_rank_range("clicks", -10, return_type=maps.MapReturn.KEY_VALUE),
        hll.add("visitors", ["ann", "bob"], index_bit_count=12),
        hll.get_count("visitors"),
        aero.read_expression("total", exp.int_bin("price") * 2),
        aero.write_expression("total", exp.int_bin("price") + exp.int_bin("tax")),
    ]
    assert_type(steps, list[aero.Operation])
    record = await client.operate(KEY, steps)
    assert_type(record["scores"], Any)
    pairs = (await client.operate_ordered(KEY, steps)).ordered
    assert_type(pairs, list[tuple[str, Any]])


def expressions() -> exp.Expression:
    adult = exp.int_bin("age") >= 18
    assert_type(adult, exp.Expression)
    named = exp.regex_compare("^a", exp.RegexFlag.ICASE, exp.str_bin("name"))
    recent = exp.since_update() < 60_000
    busy = exp.lists.size(exp.list_bin("visits")) > 10
    best = exp.maps.get_by_key(exp.map_bin("clicks"), "home", exp.ExpType.INT) == 5
    assert_type(adult & ~named | recent ^ busy, exp.Expression)
    total = exp.let_(exp.def_("n", exp.int_bin("price") * exp.int_bin("count")), exp.var("n") + 1)
    assert_type(total, exp.Expression)
    assert_type(total.encode(), bytes)
    assert_type(exp.from_bytes(total.encode()), exp.Expression)
    assert_type(total.same_as(best), bool)
    assert_type(exp.cond(adult, "old", "young"), exp.Expression)
    policy = aero.ReadPolicy(filter_expression=adult & best)
    assert_type(policy, aero.ReadPolicy)
    return adult


async def queries(client: aero.Client) -> None:
    where = predicates.between("age", 18, 30)
    assert_type(where, predicates.Predicate)
    predicates.contains("tags", indexes.Collection.LIST, "red")
    predicates.equals(exp.int_bin("age") % 10, 5)
    policy = query.QueryPolicy(total_timeout=5.0, expected_duration=query.QueryDuration.SHORT)
    async with client.query("test", "users", where=where, filter=expressions(), bins=["age"], policy=policy) as records:
        async for record in records:
            assert_type(record, aero.Record)
            assert_type(record.key.user_key, int | str | bytes | None)
            assert_type(record.get("age"), Any)
            break
        assert_type(records.cursor, query.Cursor)
    rest = query.Cursor.from_bytes(records.cursor.to_bytes())
    assert_type(rest.done, bool)
    assert_type(
        await client.query("test", "users", where=where, cursor=rest, max_records=9).results(), list[aero.Record]
    )
    part = query.PartitionFilter.by_range(0, 1024)
    assert_type(await client.query("test", partitions=part).foreach(print), int)

    made = await client.create_index("test", "users", "age", "by-age", indexes.IndexType.NUMERIC)
    assert_type(made, jobs.IndexJob)
    assert_type(await made.wait(10), jobs.JobProgress)
    for info in await client.list_indexes("test"):
        assert_type(info, indexes.IndexInfo)
        assert_type(info.type, indexes.IndexType | str | None)
    await (await client.drop_index("test", "by-age")).wait()
    job = await client.query_operate("test", "users", [aero.increment("age", 1)], where=where)
    assert_type(job, jobs.BackgroundJob)
    assert_type((await job.poll()).percent, float)


async def batches(client: aero.Client) -> None:
    old = aero.BatchReadPolicy(filter_expression=expressions())
    rows = await client.batch(
        [
            aero.BatchRead(KEY, ["age"], policy=old),
            aero.BatchWrite(KEY, operations=[lists.append("visits", "home")]),
            aero.BatchRemove(KEY),
            aero.BatchApply(KEY, "visits", "count", ["home", 1]),
        ]
    )
    assert_type(rows, aero.BatchResults)
    assert_type(rows.failed, list[aero.BatchResult])
    assert_type(rows[0].value, Any)
    assert_type(rows.all_of(KEY), list[aero.BatchResult])


async def functions(client: aero.Client) -> None:
    module = await client.udf_put(Path("visits.lua"), wait=5.0)
    assert_type(module.name, str)
    await client.udf_put(b"function one(rec) return 1 end", name="one.lua")
    assert_type(await client.apply(KEY, "visits", "count", ["home", 1], ttl=60), Any)
    job = await client.query_apply("test", "users", "visits", "count", ["home"], filter=expressions())
    assert_type(job, jobs.BackgroundJob)
    where = predicates.between("age", 18, 30)
    async with client.aggregate("test", "users", "visits", "sum", ["age"], where=where) as values:
        async for value in values:
            assert_type(value, Any)
    assert_type([module.hash for module in await client.udf_list()], list[str])
    assert_type(await client.udf_get("visits.lua"), bytes)
    await client.udf_remove("visits.lua")


async def users(client: aero.Client) -> None:
    reader = security.Privilege(security.PrivilegeCode.READ, "test", "users")
    await client.admin_create_role("reader", [reader], allowlist=["10.0.0.0/8"], read_quota=100)
    await client.admin_create_user("bob", "secret", ["reader"], policy=aero.AdminPolicy(timeout=1.0))
    await client.admin_grant_roles("bob", ["read-write"])
    bob = await client.admin_query_user_info("bob")
    assert_type(bob, security.User)
    assert_type(bob.roles, tuple[str, ...])
    assert_type(bob.reads, security.Usage)
    assert_type(await client.admin_query_roles(), list[security.Role])
    await client.admin_change_password("bob", "other")
    await client.admin_drop_user("bob")


async def numbers(client: aero.Client) -> None:
    everybody = await client.statistics()
    assert_type(everybody, statistics.ClusterStatistics)
    assert_type(everybody.by_node, Mapping[str, statistics.NodeStatistics])
    assert_type((await client.node_statistics("A1")).uptime, int)
    assert_type(await client.namespaces(), list[str])
    space = await client.namespace_info("test")
    assert_type(space.objects, int)
    assert_type(space.truncated_before, datetime | None)
    assert_type(space.total("client_read_success"), int | float)
    for node in space.by_node.values():
        assert_type(node.values["data_used_pct"], bool | int | float | str)
    assert_type(await client.sets("test"), list[statistics.SetInfo])
    assert_type(await client.set_info("test", "users"), statistics.SetInfo | None)
    assert_type((await client.index_statistics("test", "by-age")).entries, int)
    await client.truncate("test", "users", before=datetime.now(UTC) - timedelta(hours=1))


async def main() -> None:
    async with aero.open_client("127.0.0.1:3000") as client:
        for part in (collections, queries, batches, functions, users, numbers):
            await part(client)


if __name__ == "__main__":
    trio.run(main)
