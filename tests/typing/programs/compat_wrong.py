"""Wrong uses of aerospike_py: each of them is flagged, or mypy would call its `type: ignore` unused."""

from __future__ import annotations

import aerospike_py as aerospike
from aerospike_py import exp, list_operations as lo
from aerospike_py.types import ClientConfig, ReadPolicy, WritePolicy

wrong_key: ClientConfig = {"hosts": [("127.0.0.1", 3000)], "cluster_nam": "docker"}  # type: ignore[typeddict-unknown-key]
wrong_value: ClientConfig = {"hosts": "127.0.0.1:3000"}  # type: ignore[typeddict-item]
wrong_policy: ReadPolicy = {"total_timeot": 1000}  # type: ignore[typeddict-unknown-key]
wrong_time: WritePolicy = {"total_timeout": "1 s"}  # type: ignore[typeddict-item]


def synchronous(client: aerospike.Client) -> None:
    key = ("test", "users", "ann")
    client.get("ann")  # type: ignore[arg-type]
    client.get(key, policy=1000)  # type: ignore[arg-type]
    client.put(key, [("name", "Ann")])  # type: ignore[arg-type]
    client.fetch(key)  # type: ignore[attr-defined]
    client.increment(key, "age", "1")  # type: ignore[arg-type]
    client.operate(key, [1])  # type: ignore[list-item]
    client.connect(1, 2)  # type: ignore[arg-type]
    print(client.get(key).bin)  # type: ignore[attr-defined]
    client.operate(key, [lo.list_append("visits", "home", {"flag": 1})])  # type: ignore[arg-type]
    client.operate(key, [lo.list_get("visits", "first")])  # type: ignore[arg-type]
    exp.ge(exp.int_bin("age"), 18)  # type: ignore[arg-type]
    client.query("test", "users").where("age")  # type: ignore[arg-type]
    print(client.batch_write([]).records)  # type: ignore[attr-defined]
    print(aerospike.POLICY_EXISTS_SOMETIMES)  # type: ignore[attr-defined]


async def asynchronous(client: aerospike.AsyncClient) -> None:
    key = ("test", "users", "ann")
    print(client.get(key).bins)  # type: ignore[attr-defined]
    with client:  # type: ignore[attr-defined]
        pass
    await client.get("ann")  # type: ignore[arg-type]
