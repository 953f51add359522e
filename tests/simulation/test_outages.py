"""Error messages when no node answers, or when nodes have no address of the kind that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import (
    AerospikeError,
    BatchPolicy,
    Client,
    ClusterError,
    QueryPolicy,
    ReadPolicy,
    WritePolicy,
    open_client,
)
from trio_aerospike.server import open_embedded_cluster

KEY = ("test", "outages", 1)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.INFO, "trio_aerospike"):
        yield lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def query(client: Client, policy: QueryPolicy | None = None) -> object:
    async with client.query("test", "outages", policy=policy) as records:
        return await records.results()


CALLS: dict[str, Callable[[Client], Awaitable[object]]] = {
    "get": lambda client: client.get(KEY, policy=ReadPolicy(total_timeout=2.0)),
    "put": lambda client: client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=2.0)),
    "batch": lambda client: client.batch_read([KEY], policy=BatchPolicy(total_timeout=2.0)),
    "query": lambda client: query(client, QueryPolicy(total_timeout=2.0)),
    "query without a limit": lambda client: query(client, QueryPolicy(socket_timeout=2.0)),
    "info": lambda client: client.info_all("build"),
    "truncate": lambda client: client.truncate("test", "outages"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_an_error_names_the_seeds_and_the_last_cause(autojump_clock: MockClock, call: str) -> None:
    async with (
        open_embedded_cluster(2, memory=True) as cluster,
        open_client(cluster.hosts, connector=cluster.connector) as client,
    ):
        await client.put(KEY, {"a": 1})
        hosts = list(cluster.hosts)
        for node in cluster.nodes:
            await cluster.stop_node(node)
        # While the nodes are still known, and after they have been dropped. What is asked of each node by itself has
        # an answer for each until then.
        for wait in (5.0,) if call == "info" else (0.0, 5.0):
            await trio.sleep(wait)
            began = trio.current_time()
            with pytest.raises(AerospikeError) as caught:
                await CALLS[call](client)
            assert trio.current_time() - began <= 2.5
        assert isinstance(caught.value, ClusterError)
        text = str(caught.value)
        assert "removed" not in text
        assert "no node of the cluster can be reached" in text
        assert "seeds: " + ", ".join(f"{host}:{port}" for host, port in hosts) in text
        assert "last error: " in text
        assert f"nobody listens at {hosts[0][0]}:" in text.partition("last error: ")[2]


async def test_the_log_warns_once_of_an_outage_and_says_when_it_is_over(
    autojump_clock: MockClock, warnings: Callable[[], list[str]]
) -> None:
    async with (
        open_embedded_cluster(2, memory=True) as cluster,
        open_client(cluster.hosts, connector=cluster.connector) as client,
    ):
        await cluster.stop_node(0)
        await trio.sleep(10)
        assert warnings() == []
        await cluster.stop_node(1)
        await trio.sleep(30)
        [outage] = warnings()
        assert "no node of the cluster can be reached" in outage
        assert "seeds: " in outage
        assert "last error: " in outage
        await cluster.start_node(0)
        await trio.sleep(5)
        assert client.is_connected()
        [_, over] = warnings()
        assert "the cluster answers again: A1" in over


async def test_closing_the_client_is_no_outage(autojump_clock: MockClock, warnings: Callable[[], list[str]]) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            client.close()
            await trio.sleep(3)
        assert warnings() == []


async def test_a_node_that_leaves_says_why_and_the_others_go_on(autojump_clock: MockClock) -> None:
    async with (
        open_embedded_cluster(2, memory=True) as cluster,
        open_client(cluster.hosts, connector=cluster.connector) as client,
    ):
        node = next(node for node in client._cluster.active_nodes() if node.name == "A2")
        await cluster.stop_node(1)
        await trio.sleep(5)
        assert client._cluster.cause(node, None) == (
            "the node has left the cluster: it does not answer and the rest of the cluster does not list it"
        )
        assert client._cluster.cause(node, OSError("reset")) == "reset"


async def test_nodes_without_alternate_addresses_are_warned_of(
    autojump_clock: MockClock, warnings: Callable[[], list[str]]
) -> None:
    async with (
        open_embedded_cluster(3, memory=True) as cluster,
        open_client(cluster.hosts[:1], connector=cluster.connector, use_services_alternate=True) as client,
    ):
        await trio.sleep(5)
        [warning] = warnings()
        assert warning.startswith("node A1 has no alternate addresses, which use_services_alternate asks for")
        assert "alternate-access-address" in warning
        with pytest.raises(ClusterError) as caught:
            for number in range(20):
                await client.put(("test", "outages", number), {"a": 1})
        assert "use_services_alternate is set" in str(caught.value)


async def test_nodes_with_alternate_addresses_are_not(
    autojump_clock: MockClock, warnings: Callable[[], list[str]]
) -> None:
    async with (
        open_embedded_cluster(2, memory=True, alternate_addresses=["10.0.0.1", "10.0.0.2"]) as cluster,
        open_client("10.0.0.1", connector=cluster.connector, use_services_alternate=True) as client,
    ):
        await client.put(KEY, {"a": 1})
        assert warnings() == []


async def test_many_seeds_are_not_all_listed(autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        seeds = [cluster.hosts[0], *(("10.1.0.1", port) for port in range(3000, 3100))]
        async with open_client(seeds, connector=cluster.connector) as client:
            await cluster.stop_node(0)
            await trio.sleep(10)
            assert "and 93 more" in client._cluster.outage()
            assert len(client._cluster.outage()) < 500
