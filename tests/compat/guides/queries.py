"""The page on queries: indexes, predicates, callbacks, filters."""

from __future__ import annotations

import time
from typing import Any

import aerospike_py as aerospike
from aerospike_py import exp, predicates

SET = "guide-queries"
INDEXES = ("guide_age", "guide_city", "guide_tags")


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    for name in INDEXES:
        client.index_remove("test", name)  # of a run that was stopped
    for i in range(100):
        bins = {
            "name": f"User {i}",
            "age": 20 + i % 40,
            "city": ["Seoul", "Tokyo", "NYC"][i % 3],
            "tags": [f"t{i % 7}"],
        }
        client.put(("test", SET, f"user_{i}"), bins, policy={"key": aerospike.POLICY_KEY_SEND})
    client.index_integer_create("test", SET, "age", "guide_age")
    client.index_string_create("test", SET, "city", "guide_city")
    # The interface makes no index of what is inside lists; the servers do, when told so in their own words.
    place = f"namespace=test;set={SET};indexname=guide_tags"
    client.info_random_node(f"sindex-create:{place};indextype=LIST;bin=tags;type=STRING")

    def query(where: Any = None, *bins: str) -> Any:
        question = client.query("test", SET)
        if bins:
            question.select(*bins)
        if where is not None:
            question.where(where)
        return question

    def names(where: Any, policy: Any = None) -> list[str]:
        return sorted(record.bins["name"] for record in query(where).results(policy))

    # An index is filled in the background; nothing in the interface says when it is ready.
    deadline = time.monotonic() + 20
    while True:
        try:
            ready = [len(query(predicates.equals("city", "Seoul")).results()) == 34]
            ready.append(len(query(predicates.between("age", 0, 99)).results()) == 100)
            ready.append(len(query(predicates.contains("tags", aerospike.INDEX_TYPE_LIST, "t1")).results()) == 15)
            if all(ready):
                break
        except aerospike.AerospikeError:
            pass
        assert time.monotonic() < deadline, "the indexes were not ready in time"
        time.sleep(0.1)

    show("equal text", names(predicates.equals("city", "Seoul")))
    show("equal number", names(predicates.equals("age", 25)))
    show("between", names(predicates.between("age", 25, 27)))
    show("in a list", names(predicates.contains("tags", aerospike.INDEX_TYPE_LIST, "t1")))
    records = query(predicates.between("age", 25, 26), "name", "age").results()
    show("some bins", min(sorted(record.bins.items()) for record in records))
    show("the keys", sorted(record.key[:3] for record in records))
    show("a record's fields", type(records[0])._fields)
    show("nobody", query(predicates.equals("city", "Graz")).results())
    show("without a predicate", len(query().results()))

    found: list[Any] = []
    query(predicates.between("age", 25, 35)).foreach(lambda record: found.append(record.bins["age"]))
    show("called back", sorted(found))

    count = 0

    def limited(record: Any) -> bool | None:
        nonlocal count
        count += 1
        return False if count >= 5 else None

    query(predicates.between("age", 20, 59)).foreach(limited)
    show("stopped early", count)

    of_tokyo = exp.eq(exp.string_bin("city"), exp.string_val("Tokyo"))
    show("filtered", names(predicates.between("age", 25, 30), {"filter_expression": of_tokyo}))
    show("only filtered", len(query().results({"filter_expression": of_tokyo})))
    show("at most", len(query().results({"max_records": 10})))
    parts = [aerospike.partition_filter_by_range(0, 2048), aerospike.partition_filter_by_range(2048, 2048)]
    shares = [query().results({"partition_filter": part}) for part in parts]
    show("in two halves", (sum(map(len, shares)), len({record.key[2] for share in shares for record in share})))

    show.error("no index", query(predicates.equals("name", "User 1")).results)
    show.error("an index of another type", client.index_string_create, "test", SET, "name", "guide_age")
    for name in INDEXES:
        client.index_remove("test", name)
    client.batch_remove([("test", SET, f"user_{i}") for i in range(100)])
