"""Calls that a client refuses by itself, for two packages: aerospike-py and this project's aerospike_py.

``python messages.py PORT`` prints a line of JSON for each: its name, the class of what was raised and its bases, the
result code and the message; ``[null, value]`` for a call that raised nothing. What aerospike-py 0.14.4 printed, on a
server of version 8.1.2, is in ``tests/data/aerospike_py-messages.jsonl``. Made anew by::

    .venv-peers/bin/python tests/compat/programs/messages.py PORT > tests/data/aerospike_py-messages.jsonl
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import aerospike_py as aerospike
from aerospike_py import exp, predicates

KEY = ("test", "messages", 1)
#: What cannot be stored.
NOTHING = object()


def connect(port: int, *login: Any, **config: Any) -> Any:
    client = aerospike.client({"hosts": [("127.0.0.1", port)], **config})
    client.connect(*login).close()


def second_connect(port: int) -> Any:
    with aerospike.client({"hosts": [("127.0.0.1", port)]}).connect() as client:
        client.connect()


def while_connecting(call: Callable[[Any], Any]) -> Any:
    """``call`` of an asyncio client that is about to connect, to an address that never answers."""

    async def main() -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = aerospike.AsyncClient({"hosts": [listener.getsockname()[:2]], "timeout": 500})
            connecting = asyncio.ensure_future(client.connect())
            await asyncio.sleep(0)
            try:
                return await call(client)
            finally:
                await asyncio.gather(connecting, return_exceptions=True)

    return asyncio.run(main())


def queried(client: Any, *predicate: Any) -> Any:
    query = client.query(*KEY[:2])
    query.where(tuple(predicate))
    return query.results()


def cases(port: int) -> dict[str, Callable[[Any, Any], Any]]:
    """Calls by name, each of a client that is connected and one that is not."""
    found: dict[str, Callable[[Any, Any], Any]] = {
        "config: none": lambda c, n: aerospike.client({}).connect(),
        "config: hosts []": lambda c, n: connect(port, hosts=[]),
        "config: hosts [5]": lambda c, n: connect(port, hosts=[5]),
        "config: hosts [()]": lambda c, n: connect(port, hosts=[()]),
        "config: hosts, port x": lambda c, n: connect(port, hosts=["127.0.0.1:x"]),
        "config: hosts, port 70000": lambda c, n: connect(port, hosts=["127.0.0.1:70000"]),
        "config: hosts, port nothing": lambda c, n: connect(port, hosts=["127.0.0.1:"]),
        "config: hosts, pair with port 70000": lambda c, n: connect(port, hosts=[("127.0.0.1", 70000)]),
        "config: timeout x": lambda c, n: connect(port, timeout="x"),
        "config: timeout -1": lambda c, n: connect(port, timeout=-1),
        "connect: user alone": lambda c, n: connect(port, "user"),
        "connect: twice": lambda c, n: second_connect(port),
        "connect: while connecting": lambda c, n: while_connecting(lambda client: client.connect()),
        "close: while connecting": lambda c, n: while_connecting(lambda client: client.close()),
    }
    for name, call in {
        "get": lambda c: c.get(KEY),
        "put": lambda c: c.put(KEY, {"a": 1}),
        "operate": lambda c: c.operate(KEY, [{"op": 1, "bin": "a"}]),
        "batch_read": lambda c: c.batch_read([KEY]),
        "batch_write": lambda c: c.batch_write([(KEY, {"a": 1})]),
        "query": lambda c: c.query("test", "messages"),
        "info_all": lambda c: c.info_all("build"),
        "get_node_names": lambda c: c.get_node_names(),
        "truncate": lambda c: c.truncate("test", "messages_none"),
    }.items():
        found[f"not connected: {name}"] = lambda c, n, call=call: call(n)  # type: ignore[misc]
    for name, key in {
        "5": 5,
        "a list": ["test", "messages", 1],
        "()": (),
        "2 parts": ("test", "messages"),
        "5 parts": (*KEY, None, 5),
        "a short digest": (*KEY[:2], None, b"x"),
        "a user key of 1.5": (*KEY[:2], 1.5),
        "a user key of None": (*KEY[:2], None),
        "a user key of a list": (*KEY[:2], [1]),
    }.items():
        for method, on_key in {
            "get": lambda c, key: c.get(key),
            "put": lambda c, key: c.put(key, {"a": 1}),
            "batch_read": lambda c, key: c.batch_read([key]),
            "batch_write": lambda c, key: c.batch_write([(key, {"a": 1})]),
            "batch_operate": lambda c, key: c.batch_operate([key], [{"op": 1, "bin": "a"}]),
            "batch_remove": lambda c, key: c.batch_remove([key]),
        }.items():
            found[f"key: {name}: {method}"] = lambda c, n, key=key, call=on_key: call(c, key)  # type: ignore[misc]
    for name, bins in {
        "5": 5,
        "a list": [("a", 1)],
        "an empty name": {"": 1},
        "a long name": {"a" * 16: 1},
        "a long name of few letters": {"é" * 8: 1},
        "an object": {"a": NOTHING},
        "a set": {"a": {1}},
        "a set in a list": {"a": [1, {1}]},
        "a number of 65 bits": {"a": 1 << 64},
    }.items():
        found[f"bins: {name}: put"] = lambda c, n, bins=bins: c.put(KEY, bins)  # type: ignore[misc]
        found[f"bins: {name}: put, not connected"] = lambda c, n, bins=bins: n.put(KEY, bins)  # type: ignore[misc]
        found[f"bins: {name}: batch_write"] = lambda c, n, bins=bins: c.batch_write([(KEY, bins)])  # type: ignore[misc]
    for name, records in {
        "5": 5,
        "[5]": [5],
        "a key alone": [(KEY,)],
        "a meta of 5": [(KEY, {"a": 1}, 5)],
        "a meta of a list": [(KEY, {"a": 1}, [1])],
        "a ttl of 33 bits": [(KEY, {"a": 1}, {"ttl": 1 << 32})],
    }.items():
        found[f"batch_write: {name}"] = lambda c, n, records=records: c.batch_write(records)  # type: ignore[misc]
    for name, op in {
        "5": 5,
        "nothing": {},
        "99": {"op": 99, "bin": "a"},
        "1999": {"op": 1999, "bin": "a"},
        "write without bin": {"op": 2, "val": 1},
        "a list of what": {"op": 1005, "bin": "l"},
        "a list without bin": {"op": 1001, "val": 1},
        "by value without return_type": {"op": 1015, "bin": "l", "val": 1},
        "map_put without key": {"op": 2002, "bin": "m"},
        "bit_resize without size": {"op": 4001, "bin": "b"},
        "hll_init without bits": {"op": 3001, "bin": "h"},
        "append to a long name": {"op": 2, "bin": "a", "val": NOTHING},
    }.items():
        found[f"operate: {name}"] = lambda c, n, op=op: c.operate(KEY, [op])  # type: ignore[misc]
    found |= {
        "ttl of 33 bits: put": lambda c, n: c.put(KEY, {"a": 1}, {"ttl": 1 << 32}),
        "ttl of 33 bits: policy": lambda c, n: c.put(KEY, {"a": 1}, None, {"ttl": 1 << 32}),
        "ttl of -4: put": lambda c, n: c.put(KEY, {"a": 1}, {"ttl": -4}),
        "gen of -1": lambda c, n: c.put(KEY, {"a": 1}, {"gen": -1}),
        "gen of 33 bits": lambda c, n: c.put(KEY, {"a": 1}, {"gen": 1 << 32}),
        "policy 5": lambda c, n: c.get(KEY, 5),
        "prefer rack": lambda c, n: c.get(KEY, {"replica": aerospike.POLICY_REPLICA_PREFER_RACK}),
        "prefer rack: batch": lambda c, n: c.batch_read([KEY], None, {"replica": 2}),
        "prefer rack: query": lambda c, n: c.query("test", "messages").results({"replica": 2}),
        "read_touch_ttl_percent of 101": lambda c, n: c.get(KEY, {"read_touch_ttl_percent": 101}),
        "an unknown expression": lambda c, n: c.get(KEY, {"filter_expression": {"__expr__": "zz"}}),
        "an expression without its parts": lambda c, n: c.get(KEY, {"filter_expression": {"__expr__": "eq"}}),
        "an expression of 5": lambda c, n: c.get(KEY, {"filter_expression": exp.not_(5)}),  # type: ignore[arg-type]
        "partition 4096": lambda c, n: aerospike.partition_filter_by_id(4096),
        "partitions from 4096": lambda c, n: aerospike.partition_filter_by_range(4096, 1),
        "partitions beyond 4095": lambda c, n: aerospike.partition_filter_by_range(1, 4096),
        "partitions: none": lambda c, n: c.query("test", "messages").results(
            {"partition_filter": aerospike.partition_filter_by_range(0, 0)}
        ),
        "partition_filter of 5": lambda c, n: c.query("test", "messages").results({"partition_filter": 5}),
        "where ()": lambda c, n: queried(c),
        "where of 2 parts": lambda c, n: queried(c, "equals", "a"),
        "where of no kind": lambda c, n: queried(c, "zz", "a", 1),
        "equals 1.5": lambda c, n: queried(c, *predicates.equals("a", 1.5)),
        "equals of no bin": lambda c, n: queried(c, *predicates.equals("", 1)),
        "between of one bound": lambda c, n: queried(c, "between", "a", 1),
        "between text": lambda c, n: queried(c, *predicates.between("a", "x", "y")),
        "contains in 9": lambda c, n: queried(c, *predicates.contains("a", 9, 1)),
        "two predicates": lambda c, n: two_predicates(c),
        "udf_put of no file": lambda c, n: c.udf_put("/no/such/file.lua"),
        "merge_to_dict of 5": lambda c, n: aerospike.LazyBatchRecords.merge_to_dict([5]),  # type: ignore[list-item]
        "a PartitionFilter made by hand": lambda c, n: aerospike.PartitionFilter(),
        "truncate in the future": lambda c, n: c.truncate("test", "messages_none", time.time_ns() + 10**15),
        "truncate in no namespace": lambda c, n: c.truncate("no_namespace", "messages_none"),
        "a privilege of no code": lambda c, n: c.admin_grant_privileges("role", [{}]),
        "a privilege of 99": lambda c, n: c.admin_grant_privileges("role", [{"code": 99}]),
        "a privilege of zz": lambda c, n: c.admin_grant_privileges("role", [{"code": "zz"}]),
        "batch_write_numpy of 5": lambda c, n: c.batch_write_numpy(5, "test", "messages", 5),
    }
    return found


def two_predicates(client: Any) -> Any:
    query = client.query("test", "messages")
    query.where(predicates.equals("a", 1))
    query.where(predicates.equals("b", 1))
    return query.results()


def outcome(call: Callable[[Any, Any], Any], client: Any, unconnected: Any) -> list[Any]:
    try:
        value = call(client, unconnected)
    except Exception as error:
        return [[kind.__name__ for kind in type(error).__mro__[:-2]], getattr(error, "result_code", None), str(error)]
    return [None, type(value).__name__]


def main() -> None:
    warnings.simplefilter("ignore")
    port = int(sys.argv[1])
    unconnected = aerospike.client({"hosts": [("127.0.0.1", port)]})
    with aerospike.client({"hosts": [("127.0.0.1", port)]}).connect() as client:
        client.put(KEY, {"a": 1, "l": [1]}, policy={"exists": aerospike.POLICY_EXISTS_REPLACE})
        for name, call in cases(port).items():
            print(json.dumps([name, *outcome(call, client, unconnected)], ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
