"""The client configuration page, snippet by snippet, with `aerospike_py`: synchronous and asyncio.

Every snippet is the same as on the page, except for the addresses. The program starts the servers that it needs in a
thread of their own: a cluster of three nodes, and one with users and passwords, one of them authenticated externally
(LDAP).

    python examples/client_configuration.py

AEROSPIKE_HOSTS ("host:port,host:port") names a real cluster for everything but the logins; its cluster-name has to be
docker, as on the page.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import trio

import aerospike_py as aerospike
from aerospike_py.types import ClientConfig, InfoNodeResult, ReadPolicy, WritePolicy
from trio_aerospike.testing import UserSpec, open_embedded_cluster

Address = tuple[str, int]

key = ("test", "configuration-page", "ann")


# The servers ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def embedded_cluster(**options: Any) -> Iterator[list[Address]]:
    """Run an embedded cluster in a thread, for programs without Trio; yields the addresses of its nodes."""
    started: concurrent.futures.Future[tuple[trio.lowlevel.TrioToken, trio.Event, list[Address]]]
    started = concurrent.futures.Future()

    async def serve() -> None:
        async with open_embedded_cluster(**options) as cluster:
            stop = trio.Event()
            started.set_result((trio.lowlevel.current_trio_token(), stop, cluster.hosts))
            await stop.wait()

    def run() -> None:
        try:
            trio.run(serve)
        except BaseException as error:
            started.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    token, stop, hosts = started.result()
    try:
        yield hosts
    finally:
        token.run_sync_soon(stop.set)
        thread.join()


# Configurations -------------------------------------------------------------------------------------------------


def basic_configuration(host: Address) -> ClientConfig:
    """Connect with the minimal configuration and a cluster name."""
    config: ClientConfig = {
        "hosts": [host],
        "cluster_name": "docker",
    }
    client = aerospike.client(config).connect()
    print(f"basic configuration: connected is {client.is_connected()}, nodes are {client.get_node_names()}")
    client.close()
    return config


def multi_node_cluster(node1: Address, node2: Address, node3: Address) -> ClientConfig:
    """Connect through several seeds: all nodes are discovered from any that answers."""
    config: ClientConfig = {
        "hosts": [
            node1,
            node2,
            node3,
        ],
    }
    return config


def connection_pool(host: Address) -> ClientConfig:
    """Limit the connections to each node, and their idle time."""
    config: ClientConfig = {
        "hosts": [host],
        "max_conns_per_node": 300,
        "min_conns_per_node": 10,
        "conn_pools_per_node": 1,
        "idle_timeout": 55,
    }
    return config


def backpressure(host: Address) -> ClientConfig:
    """Limit the commands in flight, and the time that others wait for a slot."""
    config: ClientConfig = {
        "hosts": [host],
        "max_concurrent_operations": 64,  # at most 64 in-flight ops
        "operation_queue_timeout_ms": 5000,  # wait up to 5s for a slot
    }
    return config


read_policy: ReadPolicy = {
    "socket_timeout": 5000,
    "total_timeout": 10000,
    "max_retries": 2,
}
write_policy: WritePolicy = {"socket_timeout": 5000, "total_timeout": 10000}


# Synchronous ----------------------------------------------------------------------------------------------------


def per_operation_timeouts(client: aerospike.Client) -> None:
    """Pass a policy to one call."""
    client.put(key, {"name": "Ann", "age": 41}, policy=write_policy)
    record = client.get(key, policy=read_policy)
    print(f"per-operation timeouts: {record.bins}")


def cluster_info(client: aerospike.Client) -> None:
    """Send info commands to every node, or to one."""
    results: list[InfoNodeResult] = client.info_all("namespaces")
    for r in results:
        print(f"{r.node_name}: {r.response}")
    version: str = client.info_random_node("build")
    print(f"cluster info: build {version}")


def authentication(host: Address) -> None:
    """Log in with internal and with external authentication."""
    # fmt: off
    # Internal
    client = aerospike.client({
        "hosts": [host],
        "auth_mode": aerospike.AUTH_INTERNAL,
    }).connect("admin", "admin")
    print(f"internal authentication: ping is {client.ping()}")
    client.close()

    # External (LDAP)
    with warnings.catch_warnings():  # without TLS it warns that the password travels in clear
        warnings.simplefilter("ignore", UserWarning)
        client = aerospike.client({
            "hosts": [host],
            "auth_mode": aerospike.AUTH_EXTERNAL,
        }).connect("ldap_user", "ldap_pass")
    # fmt: on
    print(f"external authentication: ping is {client.ping()}")
    client.close()

    try:
        aerospike.client({"hosts": [host]}).connect("admin", "wrong")
    except aerospike.AdminError as error:
        print(f"wrong password: {error}")


def synchronous(config: ClientConfig) -> None:
    """The synchronous client, for scripts, batch jobs and sequential pipelines."""
    # Context manager (recommended)
    with aerospike.client(config).connect() as client:
        per_operation_timeouts(client)
        cluster_info(client)
        record = client.get(key)
    # close() called automatically
    print(f"context manager: {record.bins}")

    # Manual
    client = aerospike.client(config).connect()
    try:
        record = client.get(key)
    finally:
        client.close()
    print(f"manual: {record.bins}")


# asyncio --------------------------------------------------------------------------------------------------------


async def asynchronous(config: ClientConfig) -> None:
    """The asyncio client, for web servers, fan-out reads, and mixed I/O."""
    # Context manager
    async with aerospike.AsyncClient(config) as client:
        await client.connect()
        record = await client.get(key)
        print(f"asyncio, context manager: {record.bins}")
        record = await client.get(key, policy=read_policy)
        results: list[InfoNodeResult] = await client.info_all("namespaces")
        print(f"asyncio, info: {len(results)} node(s), build {await client.info_random_node('build')}")

    # Manual
    client = aerospike.AsyncClient(config)
    await client.connect()
    try:
        record = await client.get(key)
    finally:
        await client.close()
    print(f"asyncio, manual: {record.bins}")


async def fan_out(title: str, config: ClientConfig) -> None:
    """Read 1,000 records concurrently."""
    async with aerospike.AsyncClient(config) as client:
        await client.connect()
        records = await asyncio.gather(*(client.get(key) for _ in range(1000)))
        print(f"asyncio, {title}: {len(records)} reads at once over {len(client.get_node_names())} node(s)")


async def asynchronous_authentication(host: Address) -> None:
    """Log in with asyncio."""
    async with aerospike.AsyncClient({"hosts": [host], "auth_mode": aerospike.AUTH_INTERNAL}) as client:
        await client.connect("admin", "admin")
        print(f"asyncio, internal authentication: ping is {await client.ping()}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        async with aerospike.AsyncClient({"hosts": [host], "auth_mode": aerospike.AUTH_EXTERNAL}) as client:
            await client.connect("ldap_user", "ldap_pass")
            print(f"asyncio, external authentication: ping is {await client.ping()}")


# All of it ------------------------------------------------------------------------------------------------------


def show(hosts: list[Address]) -> None:
    """Run every snippet that needs no login."""
    config = basic_configuration(hosts[0])
    synchronous(config)
    asyncio.run(asynchronous(config))
    configurations = {
        "multi-node cluster": multi_node_cluster(*(hosts * 3)[:3]),
        "connection pool": connection_pool(hosts[0]),
        "backpressure": backpressure(hosts[0]),
    }
    for title, config in configurations.items():
        with aerospike.client(config).connect() as client:
            print(f"{title}: {client.get(key).bins} from one of {len(client.get_node_names())} node(s)")
        asyncio.run(fan_out(title, config))
    with aerospike.client(config).connect() as client:
        client.remove(key)


def main() -> None:
    """Run every snippet."""
    named = os.environ.get("AEROSPIKE_HOSTS", "")
    if named:
        parts = [part.strip().rpartition(":") for part in named.split(",")]
        show([(host, int(port)) for host, _, port in parts])
    else:
        with embedded_cluster(nodes=3) as hosts:
            show(hosts)
    users = {"admin": "admin", "ldap_user": UserSpec("ldap_pass", external=True)}
    with embedded_cluster(users=users) as hosts:
        authentication(hosts[0])
        asyncio.run(asynchronous_authentication(hosts[0]))


if __name__ == "__main__":
    main()
