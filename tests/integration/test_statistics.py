"""Statistics of nodes, namespaces, sets and indexes, as objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import Client, Key
from trio_aerospike.indexes import IndexType
from trio_aerospike.server import open_embedded_cluster
from trio_aerospike.statistics import SetInfo

from .conftest import Keys, Target

COUNT = 60


@pytest.fixture
def set_keys(keys: Keys) -> list[Key]:
    """Keys in a set that has only these: what is counted must be nobody else's."""
    return [keys.adopt(Key("test", f"told-{keys.prefix[:2]}", f"{keys.prefix}-{number}")) for number in range(COUNT)]


async def settled(client: Client, set_name: str, objects: int) -> SetInfo:
    """Wait until the nodes count so many: replicas follow their masters."""
    with trio.fail_after(30):
        while True:
            info = await client.set_info("test", set_name)
            if info is not None and info.objects == objects and info.copies == objects * await factor(client):
                return info
            await trio.sleep(0.02)


async def factor(client: Client) -> int:
    return (await client.namespace_info("test")).replication_factor


async def test_every_node_reports_its_statistics(client: Client) -> None:
    told = await client.statistics()
    assert list(told.by_node) == client.node_names()
    assert told.cluster_size == len(client.node_names())
    assert told.agreed
    for name, node in told.by_node.items():
        assert node.node == name
        assert node.build.startswith("8.")
        assert "Edition" in node.edition
        assert node.uptime >= 0
        assert node.client_connections >= 1
        assert node.values["cluster_size"] == node.cluster_size == told.cluster_size
        assert node.values["cluster_integrity"] is True
    assert told.client_connections == told.total("client_connections")
    assert told.copies == sum(node.objects for node in told.by_node.values())


async def test_one_node_reports_its_statistics(client: Client) -> None:
    for name in client.node_names():
        node = await client.node_statistics(name)
        assert (node.node, node.cluster_size) == (name, len(client.node_names()))
    with pytest.raises(aero.InvalidArgError, match="nobody") as info:
        await client.node_statistics("nobody")
    assert client.node_names()[0] in str(info.value)


async def test_namespaces_have_names(client: Client) -> None:
    names = await client.namespaces()
    assert "test" in names
    assert names == sorted(names)
    assert all(isinstance(name, str) for name in names)


async def test_a_namespace_counts_records_once_and_copies_as_often_as_they_are(
    client: Client, target: Target, set_keys: list[Key]
) -> None:
    for key in set_keys:
        await client.put(key, {"a": 1})
    await settled(client, set_keys[0].set_name, COUNT)
    info = await client.namespace_info("test")
    assert info.name == "test"
    assert list(info.by_node) == client.node_names()
    assert info.replication_factor == min(2, len(info.by_node))
    assert info.objects == sum(node.master_objects for node in info.by_node.values()) >= COUNT
    assert info.copies == sum(node.objects for node in info.by_node.values())
    assert info.data_used_bytes is not None and info.data_used_bytes > COUNT
    assert (info.stop_writes, info.strong_consistency, info.storage) == (False, False, "memory")
    assert info.total("objects") == info.copies
    if target.embedded is not None:
        assert (info.objects, info.copies) == (COUNT, COUNT * info.replication_factor)


async def test_sets_tell_how_many_records_they_have(client: Client, set_keys: list[Key]) -> None:
    for key in set_keys:
        await client.put(key, {"a": 1})
    set_name = set_keys[0].set_name
    one = await settled(client, set_name, COUNT)
    assert (one.namespace, one.name, one.tombstones) == ("test", set_name, 0)
    assert set(one.by_node) == set(client.node_names())
    assert one.data_used_bytes is not None and one.data_used_bytes > COUNT
    assert all(node.values["enable-index"] is False for node in one.by_node.values())

    listed = await client.sets("test")
    assert [info.name for info in listed] == sorted(info.name for info in listed)
    assert [info for info in listed if info.name == set_name] == [one]

    for key in set_keys[:20]:
        await client.remove(key)
    await settled(client, set_name, COUNT - 20)


async def test_a_set_that_never_existed_has_no_statistics(client: Client) -> None:
    assert await client.set_info("test", "never-was") is None
    assert "never-was" not in [info.name for info in await client.sets("test")]


async def test_an_unknown_namespace_is_an_error_that_names_it(client: Client) -> None:
    for call in (
        client.namespace_info("nowhere"),
        client.sets("nowhere"),
        client.set_info("nowhere", "s"),
        client.index_statistics("nowhere", "i"),
    ):
        with pytest.raises(aero.ServerError) as info:
            await call
        assert info.value.result_code == aero.ResultCode.INVALID_NAMESPACE
    with pytest.raises(aero.ServerError, match="'nowhere'"):
        await client.sets("nowhere")


async def test_an_index_tells_how_far_it_is_and_what_it_holds(client: Client, keys: Keys, set_keys: list[Key]) -> None:
    for number, key in enumerate(set_keys):
        await client.put(key, {"n": number})
    name = f"told-{keys.prefix}"
    await (await client.create_index("test", set_keys[0].set_name, "n", name, IndexType.NUMERIC)).wait(30)
    try:
        copies = COUNT * await factor(client)
        with trio.fail_after(30):
            while (told := await client.index_statistics("test", name)).entries != copies:
                await trio.sleep(0.02)
        assert (told.namespace, told.name, told.loaded_percent) == ("test", name, 100)
        assert set(told.by_node) == set(client.node_names())
        assert told.used_bytes > 0
        assert told.total("entries") == copies
    finally:
        await (await client.drop_index("test", name)).wait(30)
    with pytest.raises(aero.ServerError) as info:
        await client.index_statistics("test", name)
    assert info.value.result_code == aero.ResultCode.INDEX_NOT_FOUND
    assert info.value.node in client.node_names()


async def test_a_truncation_is_reported(client: Client, set_keys: list[Key]) -> None:
    await client.put(set_keys[0], {"a": 1})
    set_name = set_keys[0].set_name
    moment = datetime.now(UTC) - timedelta(minutes=5)
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    await client.truncate("test", set_name, before=moment)
    with trio.fail_after(30):
        while True:
            info = await client.set_info("test", set_name)
            if info is not None and all(node.truncated_before == moment for node in info.by_node.values()):
                break
            await trio.sleep(0.02)
    assert info.truncated_before == moment
    assert (await client.get(set_keys[0])).bins == {"a": 1}


WRONG: list[Any] = ["", "n" * 32, "a;b", "a=b", "a:b", "a\nb", None, 5, b"test"]


@pytest.mark.parametrize("name", WRONG, ids=repr)
async def test_what_can_be_no_name_is_refused(client: Client, name: Any) -> None:
    for call in (client.namespace_info(name), client.sets(name), client.set_info(name, "s")):
        with pytest.raises(aero.InvalidArgError, match="namespace: got"):
            await call
    with pytest.raises(aero.InvalidArgError, match=r"index_statistics\.namespace: got"):
        await client.index_statistics(name, "i")
    if name != "n" * 32:
        with pytest.raises(aero.InvalidArgError, match=r"set_info\.set_name: got"):
            await client.set_info("test", name)
        with pytest.raises(aero.InvalidArgError, match=r"index_statistics\.name: got"):
            await client.index_statistics("test", name)


async def test_a_sum_that_lacks_a_node_is_an_error_and_no_smaller_sum() -> None:
    """Asked before the tend loop notices: afterwards the node is no longer in the cluster."""
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with aero.open_client(cluster.hosts, connector=cluster.connector, tend_interval=60.0) as client:
            assert len((await client.statistics()).by_node) == 3
            await cluster.stop_node(1)
            for call in (client.statistics, client.namespaces, lambda: client.sets("test")):
                with pytest.raises(aero.ClusterError) as info:
                    await call()
                assert info.value.node == cluster.nodes[1].name


async def test_a_closed_client_says_so(client: Client) -> None:
    client.close()
    for call in (client.statistics(), client.namespaces(), client.sets("test"), client.node_statistics("A1")):
        with pytest.raises(aero.ClientClosed):
            await call
