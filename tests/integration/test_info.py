"""Info commands, ping, and the client's view of the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import Client, InfoPolicy, InfoResult, NodeInfo
from trio_aerospike.indexes import IndexType

from .conftest import Target


async def test_info_all_asks_every_node(client: Client) -> None:
    results = await client.info_all("node")
    assert results == [InfoResult(name, 0, name) for name in client.node_names()]
    assert [result.node_name for result in results] == [result.response for result in results]


async def test_info_all_gives_the_error_of_each_node(client: Client) -> None:
    results = await client.info_all("no-such-command")
    assert [result.node_name for result in results] == client.node_names()
    assert {result.error_code for result in results} == {int(aero.ResultCode.PARAM)}
    assert all("ERROR" in result.response for result in results)


async def test_info_all_of_statistics_is_whole(client: Client) -> None:
    for result in await client.info_all("statistics"):
        assert f"cluster_size={len(client.node_names())}" in result.response.split(";")


async def test_info_random_node_asks_one(client: Client) -> None:
    assert await client.info_random_node("node") in client.node_names()
    assert (await client.info_random_node("build")).startswith("8.")
    assert "test" in (await client.info_random_node("namespaces")).split(";")


async def test_every_node_is_chosen_at_random(client: Client) -> None:
    seen = {await client.info_random_node("node") for _ in range(200)}
    assert seen == set(client.node_names())


async def test_info_node_asks_the_one_that_was_named(client: Client) -> None:
    for name in client.node_names():
        assert await client.info_node(name, "node") == name


async def test_info_node_of_an_unknown_node_names_those_that_there_are(client: Client) -> None:
    with pytest.raises(aero.InvalidArgError) as info:
        await client.info_node("nobody", "node")
    assert "nobody" in str(info.value)
    for name in client.node_names():
        assert name in str(info.value)


async def test_commands_with_parameters_get_their_answer(client: Client) -> None:
    assert "replication-factor=" in await client.info_random_node("namespace/test")
    assert "default-ttl=" in await client.info_random_node("get-config:context=namespace;namespace=test")


@pytest.mark.parametrize("command", ["", "a\nb", None, 5, b"node"], ids=repr)
async def test_what_is_no_command_is_refused(client: Client, command: Any) -> None:
    for call in (
        client.info_all(command),
        client.info_random_node(command),
        client.info_node(client.node_names()[0], command),
    ):
        with pytest.raises(aero.InvalidArgError, match="command"):
            await call


async def test_an_info_policy_may_have_no_limit(client: Client) -> None:
    assert await client.info_random_node("status", policy=InfoPolicy(timeout=None)) == "ok"


async def test_ping_and_is_connected(client: Client) -> None:
    assert await client.ping() is True
    assert client.is_connected() is True


async def test_nodes_tell_names_and_addresses(client: Client, target: Target) -> None:
    nodes = client.nodes()
    assert [node.name for node in nodes] == client.node_names()
    assert all(isinstance(node, NodeInfo) and node.active for node in nodes)
    for node in nodes:
        assert node.address in (await client.info_node(node.name, "service-clear-std")).split(",")
        assert node.build == await client.info_node(node.name, "build")
    if target.embedded is not None:
        assert [(node.host, node.port) for node in nodes] == target.hosts


async def test_a_closed_client_says_so(client: Client) -> None:
    client.close()
    assert client.is_connected() is False
    assert client.node_names() == []
    assert await client.ping() is False
    with pytest.raises(aero.AerospikeError):
        await client.info_all("node")
    with pytest.raises(aero.AerospikeError):
        await client.info_random_node("node")
    with pytest.raises(aero.ClientClosed):
        await client.get(("test", "set", 1))
    with pytest.raises(aero.ClientClosed):
        await client.put(("test", "set", 1), {"a": 1})
    with pytest.raises(aero.ClientClosed):
        await client.batch_read([("test", "set", 1)])


# -- separators ------------------------------------------------------------------------------------------------------

NAMED: dict[str, Callable[[Client, str], Awaitable[Any]]] = {
    "truncate.namespace": lambda client, name: client.truncate(name, "s"),
    "truncate.set_name": lambda client, name: client.truncate("test", name),
    "create_index.namespace": lambda client, name: client.create_index(name, "s", "b", "i", IndexType.NUMERIC),
    "create_index.set_name": lambda client, name: client.create_index("test", name, "b", "i", IndexType.NUMERIC),
    "create_index.source": lambda client, name: client.create_index("test", "s", name, "i", IndexType.NUMERIC),
    "create_index.name": lambda client, name: client.create_index("test", "s", "b", name, IndexType.NUMERIC),
    "create_set_index.namespace": lambda client, name: client.create_set_index(name, "s", "i"),
    "create_set_index.set_name": lambda client, name: client.create_set_index("test", name, "i"),
    "create_set_index.name": lambda client, name: client.create_set_index("test", "s", name),
    "drop_index.namespace": lambda client, name: client.drop_index(name, "i"),
    "drop_index.name": lambda client, name: client.drop_index("test", name),
    "list_indexes.namespace": lambda client, name: client.list_indexes(name),
    "udf_put.name": lambda client, name: client.udf_put(b"x = 1", name=f"{name}.lua"),
    "udf_remove.name": lambda client, name: client.udf_remove(f"{name}.lua"),
    "udf_get.name": lambda client, name: client.udf_get(f"{name}.lua"),
    "namespace_info.namespace": lambda client, name: client.namespace_info(name),
    "sets.namespace": lambda client, name: client.sets(name),
    "set_info.namespace": lambda client, name: client.set_info(name, "s"),
    "set_info.set_name": lambda client, name: client.set_info("test", name),
    "index_statistics.namespace": lambda client, name: client.index_statistics(name, "i"),
    "index_statistics.name": lambda client, name: client.index_statistics("test", name),
}


@pytest.mark.parametrize("field", NAMED)
async def test_a_separator_in_a_name_is_refused_before_anything_is_sent(client: Client, field: str) -> None:
    for separator in "\t\n;:=":
        with pytest.raises(aero.InvalidArgError) as caught:
            await NAMED[field](client, f"a{separator}b")
        assert caught.value.message.startswith(f"{field}: got 'a"), caught.value.message
        assert "tabs" in caught.value.message


@pytest.mark.parametrize("command", ["truncate:namespace=test;set=a\tb", "namespace/te\tst", "no\tcommand", "\t"])
async def test_a_command_that_holds_a_tab_gets_its_own_answer(client: Client, command: str) -> None:
    answer = "ok" if command.startswith("trunc") else "type=unknown" if command.startswith("name") else "ERROR:4"
    [name, *_] = client.node_names()
    assert (await client.info_random_node(command)).startswith(answer)
    assert (await client.info_node(name, command)).startswith(answer)
    for result in await client.info_all(command):
        assert result.response.startswith(answer)
        assert result.error_code == (4 if answer == "ERROR:4" else 0)


async def test_a_command_that_holds_a_line_break_is_refused(client: Client) -> None:
    for ask in (client.info_all, client.info_random_node):
        with pytest.raises(aero.InvalidArgError, match=r"command: got 'build\\nnode', allowed: one info command"):
            await ask("build\nnode")


async def test_sets_of_any_name_are_listed(client: Client, target: Target) -> None:
    # Records may live in sets whose names info commands cannot hold.
    if target.embedded is None:
        pytest.skip("a server never forgets the names of sets")
    names = [f"odd{separator}set" for separator in ";:=/,\t\n"]
    for name in names:
        await client.put(("test", name, 1), {"a": 1})
    found = {one.name: one.objects for one in await client.sets("test")}
    assert {name: found.get(name) for name in names} == dict.fromkeys(names, 1)
