"""The page on writing: put, update in place, remove, touch, operate, locking."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py.exception import RecordGenerationError

SET = "guide-writing"
KEY = ("test", SET, "user1")


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    if client.exists(KEY).meta is not None:
        client.remove(KEY)
    show("put returns", client.put(KEY, {"name": "Alice", "age": 30}))
    values = {
        "text": "hello",
        "number": 42,
        "least": -(1 << 63),
        "greatest": (1 << 63) - 1,
        "float": 3.25,
        "bytes": b"\x00\xff",
        "list": [1, "two", 3.5, None, True, [4, [5]]],
        "map": {"nested": {"deep": [1, {"er": 2}]}, "other": b"x"},
        "yes": True,
    }
    client.put(KEY, values)
    show("every kind of value", client.get(KEY).bins)
    show("and its type", {name: type(value).__name__ for name, value in client.get(KEY).bins.items()})
    client.put(KEY, {"text": None, "list": None})
    show("None takes bins away", sorted(client.get(KEY).bins))

    client.put(KEY, {"name": "Alice", "age": 30, "score": 1.5, "greeting": "world"})
    show.error("only create", client.put, KEY, {"age": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_ONLY})
    show.error(
        "only update",
        client.put,
        ("test", SET, "nobody"),
        {"age": 1},
        policy={"exists": aerospike.POLICY_EXISTS_UPDATE_ONLY},
    )
    client.increment(KEY, "age", 1)
    client.increment(KEY, "score", 0.5)
    client.append(KEY, "name", " Smith")
    client.prepend(KEY, "greeting", "Hello, ")
    show("changed in place", client.select(KEY, ["age", "score", "name", "greeting"]).bins)
    show.error("a number behind text", client.append, KEY, "age", "x")
    show.error("text is no number", client.increment, KEY, "name", 1)
    client.remove_bin(KEY, ["score", "greeting"])
    show("bins that are left", "score" in client.get(KEY).bins)
    client.put(KEY, {"only": 1}, policy={"exists": aerospike.POLICY_EXISTS_REPLACE})
    show("replaced", client.get(KEY).bins)

    show("touch returns", client.touch(KEY, val=600))
    show("seconds to live", 590 <= client.get(KEY).meta.ttl <= 600)
    client.put(KEY, {"only": 2}, meta={"ttl": aerospike.TTL_DONT_UPDATE})
    show("seconds to live, kept", 590 <= client.get(KEY).meta.ttl <= 600)
    client.put(KEY, {"only": 3}, meta={"ttl": aerospike.TTL_NEVER_EXPIRE})
    show("never expires", client.get(KEY).meta.ttl)
    show.error("nothing to touch", client.touch, ("test", SET, "nobody"))

    show.error("remove returns", client.remove, KEY)
    show.error("gone", client.get, KEY)
    show.error("nothing to remove", client.remove, KEY)

    operations = [
        {"op": aerospike.OPERATOR_WRITE, "bin": "name", "val": "Bob"},
        {"op": aerospike.OPERATOR_INCR, "bin": "counter", "val": 1},
        {"op": aerospike.OPERATOR_READ, "bin": "counter", "val": None},
        {"op": aerospike.OPERATOR_APPEND, "bin": "name", "val": "by"},
        {"op": aerospike.OPERATOR_READ, "bin": "name", "val": None},
    ]
    record = client.operate(KEY, operations)
    show("operate", (record.bins, record.meta.gen))
    result = client.operate_ordered(KEY, operations)
    show("in order", [(one.name, one.value) for one in result.ordered_bins])
    show("the fields", (type(result)._fields, type(result.ordered_bins[0])._fields))

    record = client.get(KEY)
    locked = {"meta": {"gen": record.meta.gen}, "policy": {"gen": aerospike.POLICY_GEN_EQ}}
    client.put(KEY, {"counter": record.bins["counter"] + 1}, **locked)
    show("written under the lock", client.get(KEY).bins["counter"])
    try:
        client.put(KEY, {"counter": 0}, **locked)
    except RecordGenerationError as error:
        show("somebody was quicker", type(error).__name__)
    show.error("and to remove", client.remove, KEY, **locked)
    show.error("the same for operate", client.operate, KEY, operations, **locked)
    client.remove(KEY)
