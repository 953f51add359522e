"""The client over TLS: whole clusters, certificates by name, and one request at a time on a connection."""

from __future__ import annotations

import ssl

import pytest
import trio
import trustme

import trio_aerospike as aero
from trio_aerospike.server import UserSpec, Verdict, open_embedded_cluster

KEYS = [("test", "tls", number) for number in range(300)]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_cluster_is_found_and_used_over_tls_under_the_name_in_its_certificates(
    authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    server = server_context(authority, "node.test")
    async with open_embedded_cluster(3, tls=server, tls_name="node.test") as cluster:
        host, port = cluster.hosts[0]
        async with aero.open_client((host, port, "node.test"), tls=client_context) as client:
            assert client.node_names() == ["A1", "A2", "A3"]
            async with trio.open_nursery() as nursery:
                for key in KEYS:
                    nursery.start_soon(client.put, key, {"n": key[2]})
            results = await client.batch_read(KEYS)
            assert [result.unwrap()["n"] for result in results] == [key[2] for key in KEYS]
            assert await client.info_random_node("build")
            assert await client.ping()


async def test_certificates_may_be_for_addresses(authority: trustme.CA, client_context: ssl.SSLContext) -> None:
    async with open_embedded_cluster(2, tls=server_context(authority, "127.0.0.1")) as cluster:
        async with aero.open_client(cluster.hosts[0], tls=client_context) as client:
            assert client.node_names() == ["A1", "A2"]
            await client.put(KEYS[0], {"n": 1})
            assert (await client.get(KEYS[0]))["n"] == 1


async def test_a_connection_never_carries_a_second_request_before_the_first_is_answered(
    authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    """A real server asserts that nothing stands behind a request on a TLS socket (service.c)."""
    worst = 0

    async def watch(kind: str, request: object) -> Verdict:
        nonlocal worst
        worst = max(worst, *(connection.depth for connection in pool.connections))
        await trio.sleep(0.001)
        return None

    async with open_embedded_cluster(1, tls=server_context(authority, "127.0.0.1")) as cluster:
        async with aero.open_client(cluster.hosts[0], tls=client_context, max_conns_per_node=4) as client:
            await client.put(KEYS[0], {"n": 0})
            [pool] = client._cluster.active_nodes()[0].pools
            cluster.node(0).on_request = watch
            async with trio.open_nursery() as nursery:
                for key in KEYS[:40]:
                    nursery.start_soon(client.put, key, {"n": key[2]})
            assert worst == 1
            assert cluster.node(0).stats.command_connections_peak <= 4


async def test_a_certificate_of_another_name_or_authority_is_refused_and_named(
    authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    async with open_embedded_cluster(1, tls=server_context(authority, "other.test")) as cluster:
        with pytest.raises(aero.ClusterError, match="certificate"):
            async with aero.open_client(cluster.hosts[0], tls=client_context):
                raise AssertionError
    async with open_embedded_cluster(1, tls=server_context(trustme.CA(), "127.0.0.1")) as cluster:
        with pytest.raises(aero.ClusterError, match="certificate"):
            async with aero.open_client(cluster.hosts[0], tls=client_context):
                raise AssertionError


async def test_tls_against_a_server_without_it_fails_and_says_so(client_context: ssl.SSLContext) -> None:
    async with open_embedded_cluster(1) as cluster:
        with pytest.raises(aero.ClusterError, match=r"127\.0\.0\.1"):
            async with aero.open_client(cluster.hosts[0], tls=client_context):
                raise AssertionError


async def test_users_log_in_over_tls_and_external_ones_without_a_warning(
    authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    users = {"ann": UserSpec("secret", roles=("read-write",), external=True)}
    async with open_embedded_cluster(1, tls=server_context(authority, "127.0.0.1"), users=users) as cluster:
        async with aero.open_client(
            cluster.hosts[0], tls=client_context, user="ann", password="secret", auth_mode=aero.AuthMode.EXTERNAL
        ) as client:
            await client.put(KEYS[0], {"n": 1})
            assert (await client.get(KEYS[0]))["n"] == 1
