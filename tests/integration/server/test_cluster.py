"""Clusters of embedded nodes: what every node answers, and what survives when nodes leave and return."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from tests.integration.server_peer import (
    Peer,
    ask_all,
    bins_of,
    connected,
    delete_message,
    get_message,
    message_frame,
    put_message,
)
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch import encode_batch_read
from trio_aerospike._wire.batch_answers import decode_batch_response
from trio_aerospike._wire.digests import compute_digest, partition_id
from trio_aerospike._wire.info_cluster import parse_peers, parse_replicas
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import EmbeddedCluster, open_embedded_cluster


async def peers_of(stack: AsyncExitStack, cluster: EmbeddedCluster) -> list[Peer]:
    return [await stack.enter_async_context(connected(cluster, number)) for number in range(len(cluster.nodes))]


async def map_of(cluster: EmbeddedCluster, namespace: str = "test") -> list[list[str]]:
    """The owner of every partition, per column, from what the live nodes answer; everybody once."""
    columns: list[list[str]] = []
    for number, node in enumerate(cluster.nodes):
        if not node.running:
            continue
        async with connected(cluster, number) as peer:
            _, bitmaps = parse_replicas(await peer.info_one("replicas"))[namespace]
        while len(columns) < len(bitmaps):
            columns.append([""] * wire.N_PARTITIONS)
        for column, bitmap in zip(columns, bitmaps, strict=False):
            for partition in range(wire.N_PARTITIONS):
                if bitmap[partition >> 3] & 0x80 >> (partition & 7):
                    assert column[partition] == "", "two nodes claim a partition"
                    column[partition] = node.name
    assert all("" not in column for column in columns)
    return columns


async def test_every_node_answers_for_every_record() -> None:
    async with open_embedded_cluster(3, memory=True) as cluster, AsyncExitStack() as stack:
        peers = await peers_of(stack, cluster)
        for number in range(60):
            assert await peers[number % 3].put(number, n=number) == ResultCode.OK
        for number in range(60):
            for answer in await ask_all(peers, get_message(number)):
                assert bins_of(answer) == {"n": number}
        keys = [(number, "test", "set", compute_digest("set", number)) for number in range(70)]
        await peers[1].send(encode_batch_read(keys))
        rows, _ = decode_batch_response((await peers[1].receive())[1])
        assert [row.bins.get("n") for row in rows] == [*range(60), *[None] * 10]
        assert {row.result_code for row in rows[60:]} == {ResultCode.RECORD_NOT_FOUND}


async def test_each_record_is_on_its_master_and_its_replica_alone() -> None:
    async with open_embedded_cluster(3, memory=True) as cluster, connected(cluster) as peer:
        await peer.put("k", a=1)
        digest = compute_digest("set", "k")
        columns = await map_of(cluster)
        owners = {column[partition_id(digest)] for column in columns}
        holders = {node.name for node in cluster.nodes if digest in node.stores["test"].trees[partition_id(digest)]}
        assert len(owners) == 2 and holders == owners
        await peer.ask(delete_message("k"))
        assert not any(digest in node.stores["test"].trees[partition_id(digest)] for node in cluster.nodes)


async def test_generations_count_as_a_real_cluster_s_do() -> None:
    """tests/data/cluster-info.jsonl: three nodes, the third is stopped, and comes back."""
    async with open_embedded_cluster(3, memory=True, detection_time=0.1, migration_time=0.1) as cluster:
        names = ("peers-generation", "partition-generation", "rebalance-generation")

        async def generations(which: int) -> tuple[int, int, int]:
            async with connected(cluster, which) as peer:
                answers = await peer.info(*names)
            first, second, third = (int(answers[name]) for name in names)
            return first, second, third

        assert [await generations(number) for number in range(3)] == [(4, 0, 1)] * 3
        await cluster.stop_node(2)
        await cluster.wait_stable()
        peers, partitions, rebalances = await generations(0)
        assert (peers, rebalances) == (5, 2) and partitions > 1000
        await cluster.start_node(2)
        assert await generations(2) == (0, -1, 0), "not in the cluster yet"
        async with connected(cluster, 2) as peer:
            assert parse_replicas(await peer.info_one("replicas")) == {"test": (0, [bytes(512)])}
            assert await peer.info_one("peers-clear-std") == "0,3000,[]"
            assert (await peer.ask(get_message("k"))).result_code == ResultCode.PARTITION_UNAVAILABLE
            assert await peer.info_one("cluster-stable:") == "ERROR:7:unstable cluster"
        await cluster.wait_stable()
        assert (await generations(0))[0::2] == (7, 3)
        assert (await generations(2))[0::2] == (4, 1)
        assert (await generations(0))[1] > partitions and (await generations(2))[1] > 1000


async def test_info_lists_the_other_nodes(autojump_clock: trio.testing.MockClock) -> None:
    async with (
        open_embedded_cluster(3, memory=True, alternate_addresses=["10.0.0.1", "10.0.0.2:4000", None]) as cluster,
        connected(cluster) as peer,
    ):
        _, _, others = parse_peers(await peer.info_one("peers-clear-std"))
        assert [(other.name, list(other.hosts)) for other in others] == [
            ("A2", [("in-memory.invalid", 3010)]),
            ("A3", [("in-memory.invalid", 3020)]),
        ]
        assert await peer.info_one("peers-clear-alt") == "4,3000,[[A2,,[10.0.0.2:4000]],[A3,,[]]]"
        assert await peer.info_one("service-clear-alt") == "10.0.0.1:3000"
        assert await peer.info_one("service-clear-std") == "in-memory.invalid:3000"
        assert await peer.info_one("services") == "in-memory.invalid:3010;in-memory.invalid:3020"
        assert await peer.info_one("peers-tls-std") == "ERROR:25:enterprise only"
        key = await peer.info_one("cluster-stable:size=3;ignore-migrations=false")
        assert len(key) == 12 and int(key, 16) >= 0
        assert await peer.info_one("cluster-stable:size=2") == "ERROR:7:cluster not specified size"
        await cluster.stop_node(1)
        assert await peer.info_one("cluster-stable:") == "ERROR:7:unstable cluster"
        await cluster.wait_stable()
        assert await peer.info_one("peers-clear-std") == "5,3000,[[A3,,[in-memory.invalid:3020]]]"
        alumni = await peer.info_one("alumni-clear-std")
        assert alumni == "5,3000,[[A2,,[in-memory.invalid:3010]],[A3,,[in-memory.invalid:3020]]]"
        through_alternate = await cluster.connector("10.0.0.1", 3000)
        assert await Peer(through_alternate).info_one("node") == "A1"
        assert cluster.nodes[0].stats.dialled[("10.0.0.1", 3000)] == 1
        await through_alternate.aclose()


async def test_advertised_addresses_are_reported_and_not_listened_on() -> None:
    async with open_embedded_cluster(2, memory=True, advertised_addresses=[None, "192.0.2.1"]) as cluster:
        async with connected(cluster) as peer:
            assert await peer.info_one("peers-clear-std") == "2,3000,[[A2,,[192.0.2.1:3010]]]"
        with pytest.raises(ConnectionRefusedError):
            await cluster.connector("192.0.2.1", 3010)


async def test_no_record_is_lost_when_a_node_dies_and_the_map_heals(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with connected(cluster) as peer:
            for number in range(200):
                assert await peer.put(number, n=number) == ResultCode.OK
            await cluster.stop_node(1)
            assert not cluster.nodes[1].running
            assert cluster.hosts == [("in-memory.invalid", 3000), ("in-memory.invalid", 3020)]
            for number in range(200):
                assert await peer.get(number) == {"n": number}, "requests wait for the new map"
                assert await peer.put(number, n=-number) == ResultCode.OK
            await cluster.wait_stable()
            assert set().union(*await map_of(cluster)) == {"A1", "A3"}
            await peer.ask(delete_message(7))
            await cluster.start_node(1)
            await cluster.wait_stable()
            assert set().union(*await map_of(cluster)) == {"A1", "A2", "A3"}
        await cluster.stop_node(0)
        async with connected(cluster, 1) as peer:
            for number in range(200):
                expected = ResultCode.RECORD_NOT_FOUND if number == 7 else {"n": -number}
                assert await peer.get(number) == expected, "what the returning node had was out of date"


async def test_all_nodes_die_and_return_with_what_was_acknowledged(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with connected(cluster) as peer:
            for number in range(100):
                await peer.put(number, n=number)
        await cluster.stop_node(2)
        await cluster.wait_stable()
        async with connected(cluster) as peer:
            for number in range(100):
                await peer.put(number, n=number + 1000)
        await cluster.stop_node(0)
        await cluster.stop_node(1)
        assert cluster.hosts == []
        for number in (2, 1, 0):
            await cluster.start_node(number)
            await cluster.wait_stable()
        async with connected(cluster) as peer:
            assert [await peer.get(number) for number in range(100)] == [{"n": number + 1000} for number in range(100)]


async def test_a_node_may_lose_its_records(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with connected(cluster) as peer:
            await peer.put("k", a=1)
        await cluster.stop_node("A1", lose_data=True)
        await cluster.start_node("A1")
        await cluster.wait_stable()
        async with connected(cluster) as peer:
            assert await peer.get("k") == ResultCode.RECORD_NOT_FOUND


async def test_a_node_that_is_added_takes_its_share(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        for number in range(100):
            await peer.put(number, n=number)
        added = await cluster.add_node()
        await cluster.wait_stable()
        assert (added.name, added.port) == ("A2", 3010)
        columns = await map_of(cluster)
        assert len(columns) == 2 and set(columns[0]) == {"A1", "A2"}
        async with connected(cluster, 1) as other:
            assert [await other.get(number) for number in range(100)] == [{"n": number} for number in range(100)]


async def test_a_request_for_a_lost_node_s_partition_times_out_when_the_map_does_not_heal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_embedded_cluster(2, memory=True, replication_factor=1, detection_time=60) as cluster:
        columns = await map_of(cluster)
        lost = next(key for key in range(1000) if columns[0][partition_id(compute_digest("set", key))] == "A2")
        await cluster.stop_node(1)
        async with connected(cluster) as peer:
            start = trio.current_time()
            answer = await peer.ask(get_message(lost, transaction_ttl=300))
            assert answer.result_code == ResultCode.TIMEOUT
            assert trio.current_time() - start == pytest.approx(0.3)


async def test_truncation_reaches_every_node() -> None:
    async with open_embedded_cluster(3, memory=True) as cluster, AsyncExitStack() as stack:
        peers = await peers_of(stack, cluster)
        for number in range(30):
            await peers[0].put(number, n=number)
        assert (await peers[0].info_one("namespace/test")).split("objects=")[1].split(";")[0] != "0"
        await trio.sleep(0.002)
        assert await peers[2].info_one("truncate:namespace=test;set=set") == "ok"
        for number in range(30):
            for answer in await ask_all(peers, get_message(number)):
                assert answer.result_code == ResultCode.RECORD_NOT_FOUND
        assert "objects=0:" in await peers[1].info_one("sets/test/set")


async def test_namespaces_are_apart_and_unknown_ones_are_refused() -> None:
    async with open_embedded_cluster(1, memory=True, namespaces=("test", "bar")) as cluster, connected(cluster) as peer:
        assert await peer.info_one("namespaces") == "test;bar"
        await peer.put("k", a=1)
        fields = put_message("k", {}).fields
        elsewhere = put_message("k", {}).fields
        for namespace, expected in ((b"bar", ResultCode.RECORD_NOT_FOUND), (b"no", ResultCode.INVALID_NAMESPACE)):
            elsewhere = (type(fields[0])(wire.FIELD_NAMESPACE, namespace), *fields[1:])
            assert (await peer.ask(get_message("k", fields=elsewhere))).result_code == expected


async def test_a_body_s_error_comes_out_as_itself_and_the_ports_are_free_again() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_embedded_cluster(2) as cluster:
            ports = [node.port for node in cluster.nodes]
            async with connected(cluster) as peer:
                await peer.send(message_frame(get_message("k")))
                raise KeyError("mine")
    async with open_embedded_cluster(2, ports=ports) as cluster, connected(cluster, 1) as peer:
        assert await peer.info_one("node") == "A2"


async def test_the_arguments_are_checked() -> None:
    for options, message in (
        ({"nodes": 0}, "at least one"),
        ({"nodes": 2, "ports": [1]}, "one for each of 2 nodes"),
    ):
        with pytest.raises(ValueError, match=message):
            async with open_embedded_cluster(**options):
                pass


async def test_a_taken_port_is_an_error_of_the_system() -> None:
    async with open_embedded_cluster(1) as cluster:
        with pytest.raises(OSError, match="in use"):
            async with open_embedded_cluster(1, ports=[cluster.nodes[0].port]):
                pass
