"""The field `hosts`: which seeds are tried, what is found from them, and what is said when there is none."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import Host, open_client
from trio_aerospike._cluster.connections.transport import Transport, tcp_connector
from trio_aerospike.server import open_embedded_cluster
from trio_aerospike.testing import EmbeddedCluster

from .configuration import KEY, keys, open_on

ALL = ["A1", "A2", "A3"]
DEAD = [("127.0.0.1", 1), ("127.0.0.1", 2)]


async def test_one_live_seed_among_dead_ones_leads_to_all_nodes(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        for place in range(3):
            seeds = [*DEAD, cluster.hosts[place]]
            async with open_on(cluster, seeds) as client:
                assert client.node_names() == ALL
                for key in keys(50):
                    await client.put(key, {"a": 1})
        assert all(node.stats.requests["message"] for node in cluster.nodes)


async def test_dead_seeds_do_not_delay_the_live_one(autojump_clock: Any) -> None:
    """A seed that never answers holds the connect up for no longer than `timeout`, beside one that answers."""
    async with open_embedded_cluster(3, memory=True) as cluster:
        cluster.pause_node(0)
        began = trio.current_time()
        async with open_on(cluster, timeout=2.0) as client:
            assert trio.current_time() - began <= 2.0
            assert {"A2", "A3"} <= set(client.node_names())
            assert client.is_connected()


async def test_without_a_live_seed_the_error_names_each_and_its_cause(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        with pytest.raises(aero.ClusterError) as info:
            async with open_on(cluster, [*DEAD, ("node3.example.com", 3000)]):
                pytest.fail("there is nobody to connect to")
    text = str(info.value)
    for name in ("127.0.0.1:1", "127.0.0.1:2", "node3.example.com:3000"):
        assert f"{name}: nobody listens at {name}" in text


class NoResolver(trio.abc.HostnameResolver):
    """Fails a test that resolves a name."""

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        raise AssertionError(f"{host!r} was resolved")

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise AssertionError(f"{sockaddr!r} was resolved")


@pytest.mark.parametrize("nodes", [1, 3])
async def test_a_cluster_in_memory_cannot_be_dialled_and_the_error_names_the_connector(nodes: int) -> None:
    """A test that forgets `connector=` must not write to a server on port 3000 of the local machine."""
    trio.socket.set_custom_hostname_resolver(NoResolver())
    async with open_embedded_cluster(nodes, memory=True) as cluster:
        assert all(host.endswith(".invalid") for host, _ in cluster.hosts)
        with pytest.raises(aero.ClusterError, match=r"connector=cluster\.connector"):
            async with open_client(cluster.hosts):
                pytest.fail("there is no such host")
        added = await cluster.add_node()
        assert added.host.endswith(".invalid")
        with pytest.raises(OSError, match=r"connector=cluster\.connector"):
            await tcp_connector(None)(added.host.upper() + ".", added.port, None)
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            await client.put(KEY, {"a": 1})
            assert {node.host for node in client.nodes()} == {added.host}


async def test_a_host_given_to_a_cluster_in_memory_is_kept() -> None:
    async with open_embedded_cluster(2, memory=True, host="127.0.0.1") as cluster:
        assert cluster.hosts == [("127.0.0.1", 3000), ("127.0.0.1", 3010)]


async def test_a_seed_that_never_answers_is_named_with_the_timeout(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True, host="127.0.0.1") as cluster:
        cluster.pause_node(0)
        with pytest.raises(aero.ClusterError) as info:
            async with open_on(cluster, [*cluster.hosts, DEAD[0]], timeout=0.5):
                pytest.fail("nobody has answered")
    assert "127.0.0.1:3000: no answer within 0.5 s" in str(info.value)
    assert "127.0.0.1:1: nobody listens" in str(info.value)


@pytest.mark.parametrize(
    "hosts",
    [
        "127.0.0.1:3000",
        "127.0.0.1",
        "127.0.0.1:1,127.0.0.1:3000",
        ("127.0.0.1", 3000),
        ["127.0.0.1", 3000],
        [("127.0.0.1", 3000)],
        [["127.0.0.1", 3000]],
        (("127.0.0.1", 3000),),
        (["127.0.0.1", 1], ("127.0.0.1", 3000)),
        ["127.0.0.1:1", "127.0.0.1:3000"],
        Host("127.0.0.1", 3000),
        [Host("127.0.0.1")],
        [("127.0.0.1", 3000, None)],
    ],
    ids=repr,
)
async def test_hosts_are_taken_in_every_form(autojump_clock: Any, hosts: Any) -> None:
    async with open_embedded_cluster(1, memory=True, host="127.0.0.1") as cluster:
        async with open_on(cluster, hosts) as client:
            await client.put(KEY, {"a": 1})
            assert [(node.host, node.port) for node in client.nodes()] == [("127.0.0.1", 3000)]


# Names ----------------------------------------------------------------------------------------------------------


class Names(trio.abc.HostnameResolver):
    """A name service: addresses by name."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}

    async def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = []
        for address in self.names[name]:
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            place = (address, int(port or 0), 0, 0) if ":" in address else (address, int(port or 0))
            found.append((kind, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place))
        return found

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise AssertionError("nobody asks for the name of an address")


async def test_every_address_of_a_name_is_tried() -> None:
    async with open_embedded_cluster(3) as cluster:
        trio.socket.set_custom_hostname_resolver(Names(cluster_example=["127.0.0.9", "::1", "127.0.0.1"]))
        async with open_client(("cluster.example", cluster.nodes[1].port)) as client:
            assert client.node_names() == ALL
            assert {node.host for node in client.nodes()} == {"127.0.0.1"}
            await client.put(KEY, {"a": 1})


async def test_a_name_without_a_live_address_is_named_with_the_cause_at_each() -> None:
    async with open_embedded_cluster(1) as cluster:
        trio.socket.set_custom_hostname_resolver(Names(cluster_example=["127.0.0.8", "127.0.0.9"]))
        port = cluster.nodes[0].port
        with pytest.raises(aero.ClusterError) as info:
            async with open_client([("cluster.example", port), ("unknown.example", port)]):
                pytest.fail("there is nobody to connect to")
    text = str(info.value)
    assert f"cluster.example:{port}: " in text
    assert "127.0.0.8" in text
    assert "127.0.0.9" in text
    assert f"unknown.example:{port}: " in text
    assert "Name or service not known" in text


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        assert error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("text", [False, True], ids=["pair", "text"])
async def test_nodes_are_reached_over_ipv6(text: bool) -> None:
    async with open_embedded_cluster(3, host="::1") as cluster:
        port = cluster.nodes[0].port
        async with open_client(f"[::1]:{port}" if text else ("::1", port)) as client:
            assert client.node_names() == ALL
            assert {node.host for node in client.nodes()} == {"::1"}
            assert client.nodes()[0].address == f"[::1]:{port}"
            for key in keys(30):
                await client.put(key, {"a": 1})
            assert all(result.ok for result in await client.batch_read(keys(30)))


# Nodes that advertise what cannot be reached --------------------------------------------------------------------

INSIDE = [("172.17.0.2", 3000), ("172.17.0.3", 3000), ("172.17.0.4", 3000)]


async def refused(cluster: EmbeddedCluster, host: str, port: int, tls_name: str | None) -> Transport:
    return await cluster.connector(host, port, tls_name)


async def swallowed(cluster: EmbeddedCluster, host: str, port: int, tls_name: str | None) -> Transport:
    """A network that drops what is sent to an address which it does not know."""
    if host.startswith("172."):
        await trio.sleep_forever()
    return await cluster.connector(host, port, tls_name)


@pytest.mark.parametrize("network", [refused, swallowed])
@pytest.mark.parametrize("nodes", [1, 3])
async def test_a_node_that_advertises_an_unreachable_address_is_used_under_the_seeds(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture, network: Any, nodes: int
) -> None:
    async with open_embedded_cluster(nodes, memory=True, advertised_addresses=INSIDE[:nodes]) as cluster:

        async def connector(host: str, port: int, tls_name: str | None) -> Transport:
            return await network(cluster, host, port, tls_name)

        with caplog.at_level(logging.WARNING, "trio_aerospike"):
            async with open_client(cluster.hosts, connector=connector) as client:
                assert client.node_names() == ALL[:nodes]
                assert [(node.host, node.port) for node in client.nodes()] == cluster.hosts
                for key in keys(30):
                    await client.put(key, {"a": 1})
                await trio.sleep(10)
                assert client.node_names() == ALL[:nodes]
                for key in keys(30):
                    assert (await client.get(key)).bins == {"a": 1}
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == nodes, "one each, and not again in every round"
    for node, text in zip(cluster.nodes, sorted(warnings), strict=True):
        assert node.name in text
        assert "use_services_alternate" in text
        assert f"{node.host}:{node.port}" in text
        assert "172.17.0." in text


async def test_a_seed_that_is_one_address_of_many_is_used_under_the_one_advertised(autojump_clock: Any) -> None:
    """A seed may be a load balancer, behind which each connection ends at another node."""
    async with open_embedded_cluster(2, memory=True) as cluster:
        turns = 0

        async def balancer(host: str, port: int, tls_name: str | None) -> Transport:
            nonlocal turns
            if host == "balancer":
                turns += 1
                host, port = cluster.hosts[turns % 2]
            return await cluster.connector(host, port, tls_name)

        async with open_client(("balancer", 3000), connector=balancer) as client:
            assert client.node_names() == ["A1", "A2"]
            assert [(node.host, node.port) for node in client.nodes()] == cluster.hosts
            for key in keys(30):
                await client.put(key, {"a": 1})


# cluster_name ---------------------------------------------------------------------------------------------------


async def test_the_right_cluster_name_connects_and_none_accepts_any(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True, cluster_name="crawler") as cluster:
        for name in ("crawler", ""):
            async with open_on(cluster, cluster_name=name) as client:
                assert client.node_names() == ALL
                await client.put(KEY, {"a": 1})


async def test_a_wrong_cluster_name_is_an_error_that_names_both(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True, cluster_name="crawler") as cluster:
        with pytest.raises(aero.ClusterError) as info:
            async with open_on(cluster, cluster_name="docker"):
                pytest.fail("this is another cluster")
        assert "'crawler'" in str(info.value)
        assert "'docker'" in str(info.value)
        await trio.testing.wait_all_tasks_blocked()
        assert [node.stats.connections_open for node in cluster.nodes] == [0, 0, 0]


async def test_a_seed_of_another_cluster_is_passed_over(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True, cluster_name="docker") as wanted:
        async with open_embedded_cluster(1, memory=True, cluster_name="other") as other:

            async def connector(host: str, port: int, tls_name: str | None) -> Transport:
                if host == "other":
                    return await other.connector(*other.hosts[0])
                return await wanted.connector(host, port, tls_name)

            hosts = [("other", 3000), *wanted.hosts]
            async with open_client(hosts, connector=connector, cluster_name="docker") as client:
                await client.put(KEY, {"a": 1})
                assert other.nodes[0].stats.requests["message"] == 0
                assert wanted.nodes[0].stats.requests["message"] == 1


async def test_of_several_advertised_addresses_the_one_that_is_reached_is_used(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine in several networks advertises an address in each; behind a port that is forwarded none may fit."""
    async with open_embedded_cluster(1, memory=True) as cluster:
        [node] = cluster.nodes
        node.addresses = [*INSIDE, node.listen_address]

        async def connector(host: str, port: int, tls_name: str | None) -> Transport:
            if host == "forwarded":
                host, port = node.listen_address
            return await swallowed(cluster, host, port, tls_name)

        async with open_client(("forwarded", 13000), connector=connector, timeout=1.0) as client:
            assert [(known.host, known.port) for known in client.nodes()] == [node.listen_address]
            assert trio.current_time() < 0.5, "what is never answered delays nothing"
            await client.put(KEY, {"a": 1})
            await trio.testing.wait_all_tasks_blocked()
            assert node.stats.connections_open <= 3
    assert not caplog.records
