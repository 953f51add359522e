"""Each row of the client configuration page through aerospike_py: what the server sees, or the clock on the wall.

The bounds in time are generous; tests/integration holds the same rows to narrow ones, on a mock clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py._conversion import policies as _policies
from aerospike_py.types import ClientConfig
from tests.compat.background import BackgroundCluster
from tests.compat.test_environments import wait_until
from tests.timing import stopwatch
from trio_aerospike.config import AuthMode, Host
from trio_aerospike.server import UserSpec

StartCluster = Callable[..., BackgroundCluster]
KEY = ("test", "configuration", 1)


@contextlib.contextmanager
def taking(low: float, high: float) -> Iterator[None]:
    with stopwatch() as took:
        yield
    assert took.within(low, high)


@contextlib.contextmanager
def silent_listener() -> Iterator[tuple[str, int]]:
    """An address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def run_many(count: int, command: Callable[[int], Any]) -> list[Any]:
    return await asyncio.gather(*[command(i) for i in range(count)], return_exceptions=True)


# -- defaults ----------------------------------------------------------------------------------------------------------

DEFAULTS: dict[str, Any] = {
    "cluster_name": "",
    "auth_mode": AuthMode.INTERNAL,
    "user": "",
    "password": "",
    "timeout": 1.0,
    "idle_timeout": 55.0,
    "max_conns_per_node": 256,
    "min_conns_per_node": 0,
    "conn_pools_per_node": 1,
    "tend_interval": 1.0,
    "use_services_alternate": False,
    "max_concurrent_operations": 0,
    "operation_queue_timeout_ms": None,
}


def test_every_default_is_the_pages():
    assert {"hosts", *DEFAULTS} == set(ClientConfig.__annotations__)
    config = aerospike.client({"hosts": [("127.0.0.1", 3000)]})._config
    assert config is not None
    assert config.hosts == (Host("127.0.0.1", 3000),)
    for name, expected in DEFAULTS.items():
        assert getattr(config, name.removesuffix("_ms")) == expected, name


@pytest.mark.parametrize(
    "key,value,field,expected",
    [
        ("cluster_name", "docker", "cluster_name", "docker"),
        ("cluster_name", None, "cluster_name", ""),
        ("auth_mode", aerospike.AUTH_EXTERNAL, "auth_mode", AuthMode.EXTERNAL),
        ("timeout", 2500, "timeout", 2.5),
        ("idle_timeout", 30, "idle_timeout", 30.0),
        ("max_conns_per_node", 300, "max_conns_per_node", 300),
        ("min_conns_per_node", 10, "min_conns_per_node", 10),
        ("conn_pools_per_node", 4, "conn_pools_per_node", 4),
        ("tend_interval", 250, "tend_interval", 0.25),
        ("use_services_alternate", True, "use_services_alternate", True),
        ("max_concurrent_operations", 64, "max_concurrent_operations", 64),
        ("operation_queue_timeout_ms", 5000, "operation_queue_timeout", 5.0),
        ("operation_queue_timeout_ms", 0, "operation_queue_timeout", None),
    ],
)
def test_fields_are_taken_in_the_pages_units(key: str, value: Any, field: str, expected: Any):
    assert getattr(aerospike.client({"hosts": [("127.0.0.1", 3000)], key: value})._config, field) == expected


@pytest.mark.parametrize("factory", [aerospike.client, aerospike.AsyncClient])
@pytest.mark.parametrize(
    "config,message",
    [
        ({}, "hosts: missing"),
        ({"hosts": []}, r"hosts: got \[\]"),
        ({"hosts": [("127.0.0.1", 70000)]}, r"hosts\[0\].*70000.*1 to 65535"),
        ({"hosts": [("127.0.0.1", "3000")]}, r"hosts\[0\]"),
        ({"hosts": 5}, "hosts: got 5"),
        ({"host": [("127.0.0.1", 3000)], "strict": True}, "unknown field 'host', did you mean 'hosts'"),
        ({"max_conn_per_node": 5, "strict": True}, "did you mean 'max_conns_per_node'"),
        ({"policies": {}, "strict": True}, "unknown field 'policies'"),
        ({"strict": 1}, "strict: got 1, allowed: True, False"),
        ({"timeout": True, "strict": True}, "timeout: got True"),
        ({"tend_interval": 0, "strict": True}, "tend_interval: got 0"),
        ({"timeout": -1}, "timeout: got -1.*milliseconds"),
        ({"timeout": 1.5}, r"timeout: got 1\.5"),
        ({"tend_interval": -1}, "tend_interval: got -1"),
        ({"idle_timeout": "55"}, "idle_timeout: got '55'"),
        ({"max_conns_per_node": 0}, "max_conns_per_node: got 0"),
        ({"min_conns_per_node": 300}, "min_conns_per_node: got 300.*256"),
        ({"conn_pools_per_node": 0}, "conn_pools_per_node: got 0"),
        ({"use_services_alternate": 1}, "use_services_alternate: got 1"),
        ({"auth_mode": 9}, "auth_mode: got 9"),
        ({"cluster_name": 5}, "cluster_name: got 5"),
        ({"max_concurrent_operations": -1}, "max_concurrent_operations: got -1"),
        ({"operation_queue_timeout_ms": -1}, "operation_queue_timeout_ms: got -1"),
        (5, "got 5, allowed: a dict"),
    ],
    ids=repr,
)
def test_slips_are_refused_when_the_client_is_connected(factory: Any, config: Any, message: str):
    if isinstance(config, dict) and not {"hosts", "host"} & config.keys() and config:
        config = {"hosts": [("127.0.0.1", 3000)], **config}
    client = factory(config)
    with pytest.raises(aerospike.InvalidArgError, match=message):
        client.connect() if factory is aerospike.client else asyncio.run(client.connect())


@pytest.mark.parametrize(
    "key,value,field,expected",
    [
        ("idle_timeout", 4294967295, "idle_timeout", None),
        ("timeout", 4294967295, "timeout", 4294967.295),
        ("tend_interval", 0, "tend_interval", 1.0),
        ("operation_queue_timeout_ms", 1 << 33, "operation_queue_timeout", 8589934.592),
        ("operation_queue_timeout_ms", (1 << 64) - 1, "operation_queue_timeout", None),
        ("timeout", True, "timeout", 0.001),
        ("max_conns_per_node", True, "max_conns_per_node", 1),
        ("strict", None, "timeout", 1.0),
    ],
)
def test_values_that_the_original_takes_are_taken(key: str, value: Any, field: str, expected: Any):
    assert getattr(aerospike.client({"hosts": [("127.0.0.1", 3000)], key: value})._config, field) == expected


def test_unknown_fields_warn_once_per_name_when_the_client_is_connected(
    make_client: Any, shared_cluster: BackgroundCluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_policies, "_warned", set())
    config = {"hosts": shared_cluster.hosts, "policies": {"timeout": 1000}, "max_conn_per_node": 5}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = make_client(**config)
    with pytest.warns(UserWarning) as caught:
        assert client.connect().is_connected()
        assert make_client(**config).connect().is_connected()
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2
    assert "unknown field 'policies'" in messages[0]
    assert "did you mean 'max_conns_per_node'?" in messages[1]


# -- hosts, cluster_name -----------------------------------------------------------------------------------------------


def test_hosts_one_live_seed_among_dead_ones_finds_all_nodes(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster(nodes=3)
    dead = ("127.0.0.1", closed_port())
    client = make_client(hosts=[dead, ("127.0.0.1", closed_port()), cluster.hosts[2]]).connect()
    assert sorted(client.get_node_names()) == ["A1", "A2", "A3"]


def test_hosts_none_live_names_each_seed_and_its_cause(make_client: Any):
    ports = closed_port(), closed_port()
    client = make_client(hosts=[("127.0.0.1", port) for port in ports])
    with taking(0, 5), pytest.raises(aerospike.ClusterError) as caught:
        client.connect()
    for port in ports:
        assert f"127.0.0.1:{port}" in str(caught.value)
    assert not client.is_connected()


def test_hosts_as_lists_names_and_texts(make_client: Any, shared_cluster: BackgroundCluster):
    port = shared_cluster.hosts[0][1]
    for hosts in ([["127.0.0.1", port]], [("localhost", port)], [f"127.0.0.1:{port}"], ("127.0.0.1", port)):
        assert make_client(hosts=hosts).connect().is_connected()


def test_hosts_over_ipv6(make_client: Any, start_cluster: StartCluster):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    cluster = start_cluster(nodes=2, host="::1")
    client = make_client(hosts=[("::1", cluster.hosts[0][1])]).connect()
    assert sorted(client.get_node_names()) == ["A1", "A2"]
    client.put(KEY, {"a": 1})
    assert client.get(KEY).bins == {"a": 1}


def test_hosts_a_node_that_advertises_an_unreachable_address_is_used_under_the_seeds(
    make_client: Any, start_cluster: StartCluster, caplog: pytest.LogCaptureFixture
):
    cluster = start_cluster(advertised_addresses=[("127.0.0.1", closed_port())])
    with caplog.at_level(logging.WARNING, "trio_aerospike"):
        client = make_client(hosts=cluster.hosts).connect()
    assert client.get_node_names() == ["A1"]
    client.put(KEY, {"a": 1})
    assert client.get(KEY).bins == {"a": 1}
    assert "use_services_alternate" in caplog.text


def test_cluster_name(make_client: Any, shared_cluster: BackgroundCluster):
    for name in ("docker", "", None):
        assert make_client(hosts=shared_cluster.hosts, cluster_name=name).connect().is_connected()
    with pytest.raises(aerospike.ClusterError, match=r"(?s)docker.*wrong|wrong.*docker"):
        make_client(hosts=shared_cluster.hosts, cluster_name="wrong").connect()


# -- auth_mode, user, password -----------------------------------------------------------------------------------------

USERS = {
    "admin": "admin",
    "reader": UserSpec("secret", roles=["read"]),
    "ldap_user": UserSpec("ldap_pass", external=True),
}


def test_internal_authentication_by_connect_and_by_config(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster(nodes=2, users=USERS)
    for client in (
        make_client(hosts=cluster.hosts).connect("admin", "admin"),
        make_client(hosts=cluster.hosts, user="admin", password="admin").connect(),
        make_client(hosts=cluster.hosts, auth_mode=aerospike.AUTH_INTERNAL).connect("admin", "admin"),
        make_client(hosts=cluster.hosts, user="reader", password="wrong").connect("admin", "admin"),
        make_client(hosts=cluster.hosts, user="admin").connect(password="admin"),
    ):
        client.put(KEY, {"a": 1})
        assert client.get(KEY).bins == {"a": 1}


def test_a_wrong_or_missing_password_fails_to_connect(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster(users=USERS)
    with pytest.raises((aerospike.AdminError, aerospike.ClusterError)) as caught:
        make_client(hosts=cluster.hosts).connect("admin", "wrong")
    assert "password" in str(caught.value) or "credential" in str(caught.value)
    assert "wrong" not in str(caught.value).replace("wrong or missing", "")
    with pytest.raises(aerospike.AerospikeError):
        make_client(hosts=cluster.hosts).connect("nobody", "admin")
    with pytest.raises(aerospike.ClientError, match="Password is required"):
        make_client(hosts=cluster.hosts).connect("admin")


def test_external_authentication_warns_that_the_password_travels_in_clear(
    make_client: Any, start_cluster: StartCluster
):
    cluster = start_cluster(users=USERS)
    client = make_client(hosts=cluster.hosts, auth_mode=aerospike.AUTH_EXTERNAL)
    with pytest.warns(UserWarning, match="travels in clear"):
        client.connect("ldap_user", "ldap_pass")
    assert client.ping()


def test_a_user_without_the_permission_gets_the_servers_error(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster(users=USERS)
    client = make_client(hosts=cluster.hosts).connect("reader", "secret")
    with pytest.raises(aerospike.AerospikeError) as caught:
        client.put(KEY, {"a": 1})
    assert caught.value.result_code == aerospike.AEROSPIKE_ERR_ROLE_VIOLATION


def test_the_session_token_is_renewed_before_it_expires(start_cluster: StartCluster):
    cluster = start_cluster(users=USERS, session_ttl=2)
    with aerospike.client({"hosts": cluster.hosts, "tend_interval": 100}).connect("admin", "admin") as client:
        client.put(KEY, {"a": 1})
        logins = cluster.nodes[0].stats.requests["admin"]
        ends = time.monotonic() + 4
        while time.monotonic() < ends:
            assert client.get(KEY).bins == {"a": 1}
        assert cluster.nodes[0].stats.requests["admin"] > logins


# -- times of connections ----------------------------------------------------------------------------------------------


def test_timeout_bounds_connecting_to_a_peer_that_never_answers(make_client: Any):
    with silent_listener() as address:
        client = make_client(hosts=[address], timeout=300)
        with taking(0.25, 2), pytest.raises(aerospike.ClusterError, match=str(address[1])):
            client.connect()


def test_idle_timeout_closes_what_nobody_uses_and_nothing_else(start_cluster: StartCluster):
    cluster = start_cluster()
    node = cluster.nodes[0]

    async def main() -> None:
        config = {"hosts": cluster.hosts, "idle_timeout": 1, "tend_interval": 200}
        async with await aerospike.AsyncClient(config).connect() as client:
            await client.put(KEY, {"a": 1})
            cluster.set(delay=0.02)
            for _ in range(5):
                await run_many(20, lambda i: client.get(KEY, {"total_timeout": 10_000}))
            opened = node.stats.command_connections_open
            assert opened > 1
            # One is used all the time; the others go.
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                await client.get(KEY)
            assert 1 <= node.stats.command_connections_open < opened
            total = node.stats.command_connections_total
            await client.get(KEY)
            assert node.stats.command_connections_total == total
            assert await asyncio.to_thread(wait_until, lambda: node.stats.command_connections_open == 0)

    asyncio.run(main())


# -- how many connections ----------------------------------------------------------------------------------------------


def test_max_conns_per_node_is_never_exceeded(start_cluster: StartCluster):
    cluster = start_cluster()
    cluster.set(delay=0.005)

    async def main() -> None:
        config = {"hosts": cluster.hosts, "max_conns_per_node": 7}
        async with await aerospike.AsyncClient(config).connect() as client:
            policy = {"total_timeout": 20_000}
            assert await run_many(1000, lambda i: client.put(("test", "c", i), {"a": i}, None, policy)) == [None] * 1000

    asyncio.run(main())
    assert cluster.nodes[0].stats.command_connections_peak <= 7
    assert cluster.nodes[0].stats.command_connections_peak > 1


def test_max_conns_per_node_commands_wait_for_room_until_their_deadline(start_cluster: StartCluster):
    cluster = start_cluster()

    async def main() -> list[Any]:
        config = {"hosts": cluster.hosts, "max_conns_per_node": 1}
        async with await aerospike.AsyncClient(config).connect() as client:
            await client.put(KEY, {"a": 1})
            cluster.set(delay=10.0)
            policy = {"total_timeout": 400, "max_retries": 0}
            with taking(0.35, 5):
                return await run_many(400, lambda i: client.get(KEY, policy))

    outcomes = asyncio.run(main())
    full = [
        error for error in outcomes if getattr(error, "result_code", 0) == aerospike.AEROSPIKE_ERR_NO_MORE_CONNECTIONS
    ]
    late = [error for error in outcomes if isinstance(error, aerospike.AerospikeTimeoutError)]
    assert full
    assert len(full) + len(late) == 400


def test_min_conns_per_node_are_there_after_connect_and_after_idling(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster(nodes=2)
    client = make_client(hosts=cluster.hosts, min_conns_per_node=5, idle_timeout=1, tend_interval=200).connect()
    for node in cluster.nodes:
        # And one for the tend loop.
        assert wait_until(lambda node=node: node.stats.connections_open >= 6), node  # type: ignore[misc]
    before = [node.stats.connections_open for node in cluster.nodes]
    threading.Event().wait(2.5)
    assert [node.stats.connections_open for node in cluster.nodes] == before
    client.put(KEY, {"a": 1})


def test_conn_pools_per_node_divide_the_connections_and_keep_the_maximum(start_cluster: StartCluster):
    cluster = start_cluster()
    cluster.set(delay=0.005)

    async def main() -> None:
        config = {"hosts": cluster.hosts, "max_conns_per_node": 8, "conn_pools_per_node": 4}
        async with await aerospike.AsyncClient(config).connect() as client:

            async def put(number: int) -> None:
                await client.put(("test", "c", number), {"a": number}, None, {"total_timeout": 20_000})

            # Connections are opened while the first puts are under way: when each pool has one depends on the machine.
            for _ in range(50):
                await run_many(400, put)
                pools = repr(client._native).split("<Pool")[1:]
                if not any("0 active, 0 idle, 0 lent" in pool for pool in pools):
                    break
            assert len(pools) == 4
            assert all("of 2 |" in pool for pool in pools)
            assert not any("0 active, 0 idle, 0 lent" in pool for pool in pools), pools

    asyncio.run(main())
    assert cluster.nodes[0].stats.command_connections_peak <= 8


# -- the tend loop -----------------------------------------------------------------------------------------------------


def test_tend_interval_a_node_that_joins_is_used_and_one_that_leaves_is_dropped(
    make_client: Any, start_cluster: StartCluster
):
    cluster = start_cluster(nodes=2)
    client = make_client(hosts=cluster.hosts, tend_interval=250).connect()
    for i in range(50):
        client.put(("test", "tend", i), {"a": i})
    node = cluster.run(cluster.cluster.add_node)
    cluster.run(cluster.cluster.wait_stable)
    assert wait_until(lambda: node.name in client.get_node_names(), 2)
    assert wait_until(
        lambda: (client.batch_read([("test", "tend", i) for i in range(50)]), node.stats.requests["message"])[1] > 0
    )
    cluster.run(cluster.cluster.stop_node, 0)
    for i in range(50):
        assert client.get(("test", "tend", i)).bins == {"a": i}
    assert wait_until(lambda: "A1" not in client.get_node_names(), 5)


def test_is_connected_only_while_a_node_answers(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster()
    client = make_client(hosts=cluster.hosts, tend_interval=100).connect()
    assert client.is_connected()
    cluster.run(cluster.cluster.stop_node, 0)
    assert wait_until(lambda: not client.is_connected())
    assert client.ping() is False
    cluster.run(cluster.cluster.start_node, 0)
    assert wait_until(client.is_connected)
    assert client.ping() is True


def test_use_services_alternate_dials_the_alternate_addresses_only(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster(nodes=2, alternate_addresses=["127.0.0.2", "127.0.0.2"])
    seed = ("127.0.0.2", cluster.hosts[0][1])
    client = make_client(hosts=[seed], use_services_alternate=True).connect()
    assert sorted(client.get_node_names()) == ["A1", "A2"]
    for i in range(20):
        client.put(("test", "alternate", i), {"a": i})
    for node in cluster.nodes:
        assert {host for host, _ in node.stats.dialled} == {"127.0.0.2"}
        node.stats.dialled.clear()
    make_client(hosts=cluster.hosts).connect().put(KEY, {"a": 1})
    for node in cluster.nodes:
        assert {host for host, _ in node.stats.dialled} == {"127.0.0.1"}


# -- backpressure ------------------------------------------------------------------------------------------------------


def test_max_concurrent_operations_bounds_what_the_server_sees(start_cluster: StartCluster):
    cluster = start_cluster()

    async def main(limit: int) -> int:
        config = {"hosts": cluster.hosts, "max_concurrent_operations": limit}
        async with await aerospike.AsyncClient(config).connect() as client:
            await client.put(KEY, {"a": 1})
            cluster.run_sync(cluster.nodes[0].stats.reset)
            cluster.set(delay=0.005)
            outcomes = await run_many(200, lambda i: client.get(KEY, {"total_timeout": 20_000}))
            assert all(outcome.bins == {"a": 1} for outcome in outcomes)
            cluster.set(delay=0.0)
            return cluster.nodes[0].stats.commands_peak

    assert asyncio.run(main(8)) == 8
    assert asyncio.run(main(0)) > 8


def test_operation_queue_timeout_raises_and_zero_waits(start_cluster: StartCluster):
    cluster = start_cluster()

    async def main(milliseconds: int) -> list[Any]:
        config = {
            "hosts": cluster.hosts,
            "max_concurrent_operations": 1,
            "operation_queue_timeout_ms": milliseconds,
        }
        async with await aerospike.AsyncClient(config).connect() as client:
            await client.put(KEY, {"a": 1})
            cluster.set(delay=0.4)
            try:
                return await run_many(3, lambda i: client.get(KEY, {"total_timeout": 10_000}))
            finally:
                cluster.set(delay=0.0)

    with stopwatch() as took:
        outcomes = asyncio.run(main(100))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "BackpressureError",
        "BackpressureError",
        "Record",
    ]
    assert took.within(0.0, 3)
    outcomes = asyncio.run(main(0))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Record"] * 3


# -- the policies of a call --------------------------------------------------------------------------------------------


def test_total_timeout_ends_a_call_to_a_stalled_server(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster()
    client = make_client(hosts=cluster.hosts, tend_interval=60_000).connect()
    client.put(KEY, {"a": 1})
    cluster.run_sync(cluster.cluster.pause_node, 0)
    for call in (
        lambda: client.get(KEY, {"total_timeout": 300}),
        lambda: client.put(KEY, {"a": 2}, None, {"total_timeout": 300}),
    ):
        with taking(0.28, 2), pytest.raises(aerospike.AerospikeTimeoutError) as caught:
            call()
        assert caught.value.result_code == aerospike.AEROSPIKE_ERR_CLIENT
    assert caught.value.in_doubt is True
    cluster.run_sync(cluster.cluster.resume_node, 0)


@pytest.mark.usefixtures("mean_delays")
def test_socket_timeout_and_max_retries_bound_the_attempts(make_client: Any, start_cluster: StartCluster):
    cluster = start_cluster()
    client = make_client(hosts=cluster.hosts, tend_interval=60_000).connect()
    client.put(KEY, {"a": 1})
    cluster.run_sync(cluster.cluster.pause_node, 0)
    for retries, pause, low in ((0, 0, 0.18), (2, 0, 0.55), (2, 200, 1.15)):
        policy = {
            "socket_timeout": 200,
            "total_timeout": 10_000,
            "max_retries": retries,
            "sleep_between_retries": pause,
        }
        with taking(low, low + 2), pytest.raises(aerospike.AerospikeTimeoutError) as caught:
            client.get(KEY, policy)
        assert caught.value.attempts == retries + 1
    cluster.run_sync(cluster.cluster.resume_node, 0)
