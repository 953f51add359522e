"""The pages on configuration and tuning: policies, times to live, information on the cluster."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py.types import ReadPolicy, WritePolicy

SET = "guide-configuration"
KEY = ("test", SET, "somebody")


def program(client: Any, show: Any) -> None:
    """Everything the pages do that can be seen from outside."""
    show("connected", client.is_connected())
    show("ping", client.ping())
    names = client.get_node_names()
    show("nodes", (len(names) >= 1, all(isinstance(name, str) for name in names)))
    answers = client.info_all("namespaces")
    told = {(one.node_name in names, one.error_code, "test" in one.response) for one in answers}
    show("info of all", (len(answers) == len(names), *told))
    show("fields of an answer", type(answers[0])._fields)
    show("info of one", isinstance(client.info_random_node("build"), str))

    read: ReadPolicy = {"socket_timeout": 5000, "total_timeout": 15000, "max_retries": 3, "sleep_between_retries": 500}
    write: WritePolicy = {"socket_timeout": 2000, "total_timeout": 5000, "max_retries": 1}
    if client.exists(KEY).meta is not None:
        client.remove(KEY)
    client.put(KEY, {"name": "Alice", "counter": 1}, policy=write)
    show("read", client.get(KEY, policy=read).bins)
    show("some bins", client.select(KEY, ["name"], policy=read).bins)
    operations = [
        {"op": aerospike.OPERATOR_WRITE, "bin": "counter", "val": 2},
        {"op": aerospike.OPERATOR_WRITE, "bin": "updated_at", "val": 1234},
    ]
    client.operate(KEY, operations)
    show("in one go", client.get(KEY).bins)
    client.put(KEY, {"a": 1}, meta={"ttl": aerospike.TTL_NEVER_EXPIRE})
    show("never expires", client.get(KEY).meta.ttl)
    client.put(KEY, {"a": 1}, meta={"ttl": 1000})
    client.put(KEY, {"a": 2}, meta={"ttl": aerospike.TTL_DONT_UPDATE})
    show("kept", 900 < client.get(KEY).meta.ttl <= 1000)
    client.put(KEY, {"a": 3}, meta={"ttl": aerospike.TTL_NAMESPACE_DEFAULT})
    show("of the namespace", client.get(KEY).bins["a"])

    client.truncate("test", SET)
    show("constants", {name: getattr(aerospike, name) for name in dir(aerospike) if name.startswith("POLICY_")})

    constructed = aerospike.client({"hosts": [("127.0.0.1", 1)]})
    show("not connected", (constructed.is_connected(), type(constructed).__name__))
    show.error("used before it is connected", constructed.get, KEY)
    show.error("nobody there", aerospike.client({"hosts": [("127.0.0.1", 1)], "timeout": 500}).connect)
