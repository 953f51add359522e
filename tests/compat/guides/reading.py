"""The page on reading: get, select, exists, many records at once."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike

SET = "guide-reading"


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    keys: list[tuple[str, str, Any]] = [("test", SET, "name"), ("test", SET, 12345), ("test", SET, b"\x01\x02")]
    for number, key in enumerate(keys):
        client.put(key, {"name": f"person {number}", "age": 30 + number, "none": None})
        record = client.get(key)
        show("record", (record.bins, record.meta.gen >= 1))
        show("key", (record.key[:3], len(record.key[3])))
        show("names of the fields", (type(record)._fields, type(record.meta)._fields, type(record.key)._fields))

    _, meta, bins = client.get(keys[0])
    show("unpacked", (bins, meta.gen >= 1))
    show("some bins", client.select(keys[0], ["age"]).bins)
    show("a bin that is not there", client.select(keys[0], ["age", "height"]).bins)
    show("none of them there", client.select(keys[0], ["height"]).bins)
    show.error("no record", client.get, ("test", SET, "nobody"))
    show.error("no record to select from", client.select, ("test", SET, "nobody"), ["age"])

    found = client.exists(keys[0])
    show("exists", (found.meta is not None, found.key[:3], type(found)._fields))
    show("does not exist", client.exists(("test", SET, "nobody")).meta)

    client.put(keys[0], {"name": "short-lived"}, meta={"ttl": 1000})
    ttl = client.get(keys[0]).meta.ttl
    show("seconds to live", 900 < ttl <= 1000)

    for i in range(10):
        client.put(("test", SET, f"user_{i}"), {"name": f"User {i}", "age": 20 + i, "tags": [i, str(i)]})
    many = [("test", SET, f"user_{i}") for i in range(12)]
    batch = client.batch_read(many)
    show("all bins, by key", dict(batch.items()))
    show("how many", (len(batch), batch.found_count(), "user_3" in batch, "user_11" in batch))
    show("get", (batch.get("user_1"), batch.get("user_11"), batch.get("user_11", "default")))
    show("by key", batch["user_2"])
    show.error("by a key that is not there", batch.__getitem__, "user_11")
    show("keys", sorted(batch.keys()))
    show("all keys asked for", batch.all_user_keys())
    show("two bins", client.batch_read(many, bins=["name", "age"]).to_dict())
    show("as a list", client.batch_read(many, ["age"]).to_list())
    show("no bins", client.batch_read(many, bins=[]).to_dict())
    rows = client.batch_read(many, bins=["age"]).batch_records
    show("rows", [(row.key[:3], row.result, row.in_doubt, row.record and row.record[2]) for row in rows])
    show("none of them", client.batch_read([("test", SET, "nobody")]).to_dict())
    show("no keys at all", client.batch_read([]).to_dict())
    twice = client.batch_read([many[0], many[0]], bins=["age"])
    show("a key twice", (twice.to_dict(), len(twice.batch_records)))
    merged = aerospike.LazyBatchRecords.merge_to_dict([batch, client.batch_read(keys[1:])])
    show("merged", merged)
