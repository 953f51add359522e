"""The pages on batches: write, operate, remove, with results for each record."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py import exp

SET = "guide-batches"
KEYS = [("test", SET, f"user{number}") for number in range(1, 4)]
READ_VIEWS = {"op": aerospike.OPERATOR_READ, "bin": "views", "val": None}


def rows(results: Any) -> list[Any]:
    """The rows of a batch as plain values."""
    return [
        (row.key[:3], row.result, row.in_doubt, None if row.record is None else (row.record.bins, row.record.meta.gen))
        for row in results.batch_records
    ]


def program(client: Any, show: Any) -> None:
    """Everything the pages do."""
    client.batch_remove(KEYS)
    records = [(key, {"name": f"user {number}", "age": 20 + number}) for number, key in enumerate(KEYS)]
    results = client.batch_write(records)
    show("written", [(row.key[:3], row.result, row.in_doubt) for row in results.batch_records])
    show("retries", (results.retry.attempts, results.retry.max_attempts, results.retry.unresolved))
    show("what was written", client.batch_read(KEYS).to_dict())

    client.batch_write(records, policy={"ttl": 3000})
    show("a time to live for all", [2900 < client.get(key).meta.ttl <= 3000 for key in KEYS])
    mixed = [(KEYS[0], {"name": "a"}, {"ttl": 100}), (KEYS[1], {"name": "b"}, {"ttl": 200}), (KEYS[2], {"name": "c"})]
    client.batch_write(mixed, policy={"ttl": 5000})
    show("one for each", [round(client.get(key).meta.ttl, -2) for key in KEYS])
    show("with retries", [row.result for row in client.batch_write(records, retry=5).batch_records])

    add = [{"op": aerospike.OPERATOR_INCR, "bin": "views", "val": 1}]
    show("operate that writes", [(row.key[2], row.result) for row in client.batch_operate(KEYS, add).batch_records])
    both = [*add, READ_VIEWS]
    results = client.batch_operate(KEYS, both)
    show("operate that writes and reads", [(row.result, row.record.bins) for row in results.batch_records])
    results = client.batch_operate([*KEYS, ("test", SET, "nobody")], [READ_VIEWS])
    show("operate that reads", [(row.result, row.record and row.record.bins) for row in results.batch_records])
    old = exp.ge(exp.int_bin("age"), exp.int_val(21))
    results = client.batch_operate(KEYS, [READ_VIEWS], policy={"filter_expression": old})
    show("filtered", [(row.result, row.record and row.record.bins) for row in results.batch_records])

    show("filtered reads", client.batch_read(KEYS, ["age"], policy={"filter_expression": old}).to_dict())
    results = client.batch_remove([*KEYS, ("test", SET, "nobody")])
    show("removed", [(row.key[2], row.result) for row in results.batch_records])
    show("all gone", client.batch_read(KEYS).to_dict())
    show("nothing to write", rows(client.batch_write([])))
