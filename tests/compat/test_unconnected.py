"""Clients without a connection: the error of every method, and which arguments are checked before it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster
from tests.compat.test_configuration import silent_listener
from tests.compat.test_environments import wait_until
from tests.naming import stable_repr

KEY = ("test", "s", 1)
#: Arguments of every method, as they can be.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "get": (KEY,),
    "exists": (KEY,),
    "select": (KEY, ["a"]),
    "put": (KEY, {"a": 1}),
    "remove": (KEY,),
    "touch": (KEY,),
    "append": (KEY, "a", "x"),
    "prepend": (KEY, "a", "x"),
    "increment": (KEY, "a", 1),
    "remove_bin": (KEY, ["a"]),
    "operate": (KEY, [{"op": aerospike.OPERATOR_READ, "bin": "a"}]),
    "operate_ordered": (KEY, [{"op": aerospike.OPERATOR_READ, "bin": "a"}]),
    "batch_read": ([KEY],),
    "batch_write": ([(KEY, {"a": 1})],),
    "batch_write_numpy": (None, "test", "s", None),
    "batch_operate": ([KEY], [{"op": aerospike.OPERATOR_READ, "bin": "a"}]),
    "batch_remove": ([KEY],),
    "batch_apply": ([KEY], "module", "function"),
    "apply": (KEY, "module", "function"),
    "query": ("test", "s"),
    "info_all": ("build",),
    "info_random_node": ("build",),
    "truncate": ("test", "s"),
    "get_node_names": (),
    "index_integer_create": ("test", "s", "a", "index"),
    "index_string_create": ("test", "s", "a", "index"),
    "index_geo2dsphere_create": ("test", "s", "a", "index"),
    "index_remove": ("test", "index"),
    "udf_put": ("no such file.lua",),
    "udf_remove": ("module",),
    "admin_create_user": ("ann", "secret", ["read"]),
    "admin_drop_user": ("ann",),
    "admin_change_password": ("ann", "secret"),
    "admin_grant_roles": ("ann", ["read"]),
    "admin_revoke_roles": ("ann", ["read"]),
    "admin_query_user_info": ("ann",),
    "admin_query_users_info": (),
    "admin_create_role": ("role", [{"code": aerospike.PRIV_READ}]),
    "admin_drop_role": ("role",),
    "admin_grant_privileges": ("role", [{"code": aerospike.PRIV_READ}]),
    "admin_revoke_privileges": ("role", [{"code": aerospike.PRIV_READ}]),
    "admin_query_role": ("role",),
    "admin_query_roles": (),
    "admin_set_whitelist": ("role", ["10.0.0.0/8"]),
    "admin_set_quotas": ("role", 1, 1),
}
#: What does something else without a connection than to refuse.
OTHERS = {"connect", "close", "is_connected", "ping"}


@pytest.mark.parametrize("kind", [aerospike.Client, aerospike.AsyncClient])
def test_the_table_has_every_method(kind: type[Any]):
    methods = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    assert methods == ARGUMENTS.keys() | OTHERS


@pytest.mark.parametrize("method", ARGUMENTS)
def test_a_client_that_was_never_connected_says_so(make_client: Callable[..., Any], method: str):
    client = make_client(hosts=[("127.0.0.1", 3000)])
    with pytest.raises(aerospike.ClientError, match=r"not connected.*connect\(\)"):
        getattr(client, method)(*ARGUMENTS[method])


@pytest.mark.parametrize("method", ARGUMENTS)
def test_a_client_that_was_closed_says_so(
    make_client: Callable[..., Any], shared_cluster: BackgroundCluster, method: str
):
    client = make_client(hosts=shared_cluster.hosts).connect()
    client.close()
    with pytest.raises(aerospike.ClientError, match=r"not connected.*closed.*connect\(\)"):
        getattr(client, method)(*ARGUMENTS[method])


WRONG: list[tuple[str, tuple[Any, ...], str]] = [
    ("get", (KEY, "x"), "get.policy: got 'x'"),
    ("put", (KEY, {"a" * 16: 1}), "aaaaaaaaaaaaaaaa"),
    ("put", (KEY, {"a": object()}), "object"),
    ("put", (KEY, {"a": 2**64}), "18446744073709551616"),
    ("put", (KEY, {1: 1}), "got 1"),
    ("put", (KEY, [1]), r"got \[1\]"),
    ("put", (KEY, {"a": 1}, 5), "put.meta: got 5"),
    ("put", (KEY, {"a": 1}, {"ttl": "x"}), "got 'x'"),
    ("put", (KEY, {"a": 1}, None, {"total_timeout": "x"}), "got 'x'"),
    ("select", (KEY, "a"), "select.bins: got 'a'"),
    ("select", (KEY, None), "select.bins: got None"),
    ("touch", (KEY, "x"), "touch.val: got 'x'"),
    ("append", (KEY, 5, "x"), "append.bin: got 5"),
    ("increment", (KEY, "a", "x"), "increment.offset: got 'x'"),
    ("remove_bin", (KEY, "a"), "remove_bin.bin_names: got 'a'"),
    ("operate", (KEY, None), "operate.ops: got None"),
    ("operate_ordered", (KEY, 5), "operate_ordered.ops: got 5"),
    ("batch_read", ("x",), "batch_read.keys: got 'x'"),
    ("batch_read", ([KEY], 5), "batch_read.bins: got 5"),
    ("batch_write", ([], None, -1), "batch_write.retry: got -1"),
    ("batch_write", ("x",), "batch_write.records: got 'x'"),
    ("batch_operate", ([KEY], None), "batch_operate.ops: got None"),
    ("batch_remove", (None,), "batch_remove.keys: got None"),
    ("batch_apply", ([KEY], "m", "f", 5), "batch_apply.args: got 5"),
    ("apply", (KEY, 1, "f"), "apply.module: got 1"),
    ("query", (1, 2), "query.namespace: got 1"),
    ("info_all", (1,), "info_all.command: got 1"),
    ("truncate", ("test", "s", "x"), "truncate.nanos: got 'x'"),
    ("index_integer_create", (1, 2, 3, 4), "namespace: got 1"),
    ("udf_put", ("x.lua", -1), "udf_put.udf_type: got -1"),
    ("admin_create_user", ("ann", "secret", "read"), "roles: got 'read'"),
    ("admin_create_role", ("role", [], None, "x"), "whitelist: got 'x'"),
    ("admin_set_quotas", ("role", -1), "read_quota: got -1"),
]


@pytest.mark.parametrize("method,arguments,message", WRONG, ids=stable_repr)
def test_wrong_arguments_are_refused_before_the_connection_is_missed(
    make_client: Callable[..., Any], method: str, arguments: tuple[Any, ...], message: str
):
    client = make_client(hosts=[("127.0.0.1", 3000)])
    with pytest.raises(aerospike.InvalidArgError, match=message):
        getattr(client, method)(*arguments)


@pytest.mark.parametrize("key", ["no key", None, ("test", "s"), ("test", "s", 1, None, 5), ("test", "s", 1.5)])
def test_put_looks_at_its_key_before_the_connection_is_missed(make_client: Callable[..., Any], key: Any):
    client = make_client(hosts=[("127.0.0.1", 3000)])
    with pytest.raises(aerospike.InvalidArgError, match="key"):
        client.put(key, {"a": 1})


@pytest.mark.parametrize("method", ["get", "operate", "exists", "remove"])
def test_keys_are_not_looked_at_before_the_connection_is_missed(make_client: Callable[..., Any], method: str):
    client = make_client(hosts=[("127.0.0.1", 3000)])
    with pytest.raises(aerospike.ClientError, match="not connected"):
        getattr(client, method)("no key", *ARGUMENTS[method][1:])


@pytest.mark.parametrize("config", [{}, {"hosts": []}, None, 5, {"hosts": [("127.0.0.1", 3000)], "timeout": "x"}])
def test_a_client_of_a_wrong_configuration_is_one_that_cannot_be_connected(
    make_client: Callable[..., Any], config: Any
):
    for made in (aerospike.client(config), aerospike.AsyncClient(config)):
        assert "wrong configuration: new" in repr(made)
        assert made.is_connected() is False
    with aerospike.client(config) as client:
        assert client.ping() is False
        for _ in range(2):
            with pytest.raises(aerospike.InvalidArgError, match="ClientConfig"):
                client.connect()


def test_the_configuration_is_taken_when_the_client_is_made(shared_cluster: BackgroundCluster):
    config: dict[str, Any] = {"hosts": shared_cluster.hosts}
    client = aerospike.client(config)
    config["hosts"] = []
    with client.connect():
        assert client.is_connected()


@pytest.mark.parametrize(
    "arguments,message",
    [
        (("ann",), "Password is required"),
        ((None, "secret"), "user name is required"),
        ((5,), "connect.username: got 5"),
    ],
)
def test_half_a_login_is_refused(make_client: Callable[..., Any], arguments: tuple[Any, ...], message: str):
    with pytest.raises(aerospike.AerospikeError, match=message):
        make_client(hosts=[("127.0.0.1", 3000)]).connect(*arguments)


def test_a_client_cannot_be_closed_while_it_is_connecting(shared_cluster: BackgroundCluster):
    async def main() -> None:
        client = aerospike.AsyncClient({"hosts": shared_cluster.hosts})
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0)
        with pytest.raises(aerospike.ClientError, match="currently connecting"):
            await client.close()
        with pytest.raises(aerospike.ClientError, match="currently connecting"):
            async with client:
                pass
        with pytest.raises(aerospike.ClientError, match="already connecting"):
            await client.connect()
        assert await connecting is client
        assert client.is_connected()
        await client.close()
        assert not client.is_connected()

    asyncio.run(main())


def test_a_client_cannot_be_closed_by_a_thread_while_another_connects_it():
    with silent_listener() as address:
        client = aerospike.client({"hosts": [address], "timeout": 500})
        failures: list[aerospike.ClusterError] = []

        def connect() -> None:
            try:
                client.connect()
            except aerospike.ClusterError as error:
                failures.append(error)

        connecting = threading.Thread(target=connect)
        connecting.start()
        wait_until(lambda: bool(client._connecting))
        with pytest.raises(aerospike.ClientError, match="currently connecting"):
            client.close()
        connecting.join()
        client.close()  # there is nothing to close any more, which is no error
        assert len(failures) == 1
