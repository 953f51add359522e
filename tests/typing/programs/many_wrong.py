"""Wrong uses of collections, expressions, queries and the rest: each is flagged, or its `type: ignore` is unused."""

from __future__ import annotations

from datetime import date

import trio_aerospike as aero
from trio_aerospike import exp, indexes, lists, maps, predicates, query, security

KEY = aero.Key("test", "users", "ann")


def collections() -> None:
    lists.append("visits")  # type: ignore[call-arg]
    lists.append(5, "home")  # type: ignore[arg-type]
    lists.append("visits", "home", lists.ListPolicy())  # type: ignore[call-arg]
    lists.append("visits", "home", policy=maps.MapPolicy())  # type: ignore[arg-type]
    lists.get_by_rank("scores", "first", return_type=lists.ListReturn.VALUE)  # type: ignore[arg-type]
    lists.get_by_rank("scores", 0, return_type=maps.MapReturn.KEY)  # type: ignore[arg-type]
    lists.sort("scores", descending=True)  # type: ignore[call-arg]
    maps.put("clicks", 1.5, 1)  # type: ignore[arg-type]
    maps.put_items("clicks", [("a", 1)])  # type: ignore[arg-type]
    maps.MapPolicy(order=lists.ListOrder.ORDERED)  # type: ignore[arg-type]
    lists.no_such_operation  # type: ignore[attr-defined]  # noqa: B018


def expressions() -> None:
    exp.int_bin(5)  # type: ignore[arg-type]
    exp.int_bin("age") @ 1  # type: ignore[operator]
    exp.def_(5, 1)  # type: ignore[arg-type]
    exp.from_bytes("text")  # type: ignore[arg-type]
    exp.no_such_expression  # type: ignore[attr-defined]  # noqa: B018
    aero.ReadPolicy(filter_expression=18)  # type: ignore[arg-type]


async def queries(client: aero.Client) -> None:
    await client.query("test", "users")  # type: ignore[misc]
    client.query("test", "users", "age")  # type: ignore[call-arg, arg-type]
    client.query("test", "users", where=exp.int_bin("age") > 5)  # type: ignore[arg-type]
    client.query("test", "users", filter=predicates.equals("age", 5))  # type: ignore[arg-type]
    client.query("test", "users", policy=aero.ReadPolicy())  # type: ignore[arg-type]
    client.query("test", "users", partitions=5)  # type: ignore[arg-type]
    query.PartitionFilter.by_id("5")  # type: ignore[arg-type]
    predicates.between("age", 18)  # type: ignore[call-arg]
    with client.query("test", "users") as _:  # type: ignore[attr-defined]
        pass
    for _record in client.query("test", "users"):  # type: ignore[attr-defined]
        pass
    await client.create_index("test", "users", "age", "by-age", "numeric")  # type: ignore[arg-type]
    await client.create_index("test", "users", "age", "by-age", indexes.Collection.LIST)  # type: ignore[arg-type]


async def the_rest(client: aero.Client) -> None:
    await client.batch([KEY])  # type: ignore[list-item]
    await client.batch_apply([KEY], "module")  # type: ignore[call-arg]
    await client.apply(KEY, "module", "function", 5)  # type: ignore[arg-type]
    await client.query_apply("test", "users", "visits")  # type: ignore[call-arg]
    client.aggregate("test", "users", "visits", "sum", where="age")  # type: ignore[arg-type]
    await client.udf_put(5)  # type: ignore[arg-type]
    await client.admin_create_user("bob", "secret", [5])  # type: ignore[list-item]
    await client.admin_create_role("reader", [security.Role("x")])  # type: ignore[list-item]
    (await client.admin_query_user_info("bob")).roles = ()  # type: ignore[misc]
    await client.truncate("test", before=date(2026, 1, 1))  # type: ignore[arg-type]
    print((await client.set_info("test", "users")).objects)  # type: ignore[union-attr]
    (await client.namespace_info("test")).objects += 1  # type: ignore[misc]
