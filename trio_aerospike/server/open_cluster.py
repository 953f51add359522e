"""Open an embedded cluster: `open_embedded_cluster`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from .._trio_guard import require_trio
from .cluster import AddressLike, EmbeddedCluster
from .security import UserSpec
from .store import NamespaceConfig


@asynccontextmanager
async def open_embedded_cluster(
    nodes: int = 1,
    *,
    ports: Sequence[int] | None = None,
    host: str | None = None,
    cluster_name: str = "docker",
    namespaces: Sequence[str | NamespaceConfig] = ("test",),
    replication_factor: int = 2,
    default_ttl: int = 0,
    users: Mapping[str, str | UserSpec] | None = None,
    session_ttl: float = 86_400,
    quotas: bool = False,
    tls: ssl.SSLContext | None = None,
    tls_name: str = "",
    alternate_addresses: Sequence[AddressLike] | None = None,
    advertised_addresses: Sequence[AddressLike] | None = None,
    bind_alternates: bool = True,
    memory: bool = False,
    clock: Callable[[], float] | None = None,
    detection_time: float = 0.1,
    migration_time: float = 0.2,
) -> AsyncIterator[EmbeddedCluster]:
    """Run a cluster of the Aerospike protocol in this process for as long as the block lasts.

    Args:
        nodes: how many.
        ports: one for each node, 0 for a free one; all free by default.
        host: the address to listen on, by default 127.0.0.1. In memory it is only a name, by default one that
            cannot be resolved, so that a client without `connector` never reaches a real server by mistake.
        cluster_name: the name that clients get.
        namespaces: names, or configurations with their own replication factor and default ttl.
        replication_factor: copies of each record, as far as there are nodes.
        default_ttl: seconds that records live if a write has no ttl; 0 for ever.
        users: enables access control: passwords (with all rights), or `UserSpec`s, by name.
        session_ttl: lifetime of a session token in seconds.
        quotas: whether roles may have quotas (the real server's enable-quotas).
        tls: the server's SSL context; all connections then use TLS, as of an Enterprise Edition.
        tls_name: the name in the certificate of every node, which nodes send to clients; empty if the certificate is
            for the address.
        alternate_addresses: per node the address for clients that use alternate addresses: a host (with the node's
            own port), "host:port", (host, port), or None.
        advertised_addresses: per node the address for all other clients, in place of the listen address, as of a
            node behind NAT.
        bind_alternates: listen on the alternate addresses, too.
        memory: use no sockets: clients connect through `EmbeddedCluster.connector`, also under a mock clock. Without
            that connector, a client with the cluster's `hosts` fails at once.
        clock: returns Unix time in seconds; by default, follows Trio's clock.
        detection_time: seconds after which the others detect a node that joined or left.
        migration_time: seconds that the migration of records takes after that.

    Raises:
        OSError: an address is in use.
        ValueError: the arguments contradict each other.
        ClientError: there is no running Trio.
    """
    require_trio("open_embedded_cluster")
    if nodes < 1:
        raise ValueError(f"nodes is {nodes}; a cluster has at least one")
    for name, given in (
        ("ports", ports),
        ("alternate_addresses", alternate_addresses),
        ("advertised_addresses", advertised_addresses),
    ):
        if given is not None and len(given) != nodes:
            raise ValueError(f"{name} has {len(given)} entries; there must be one for each of {nodes} nodes")
    cluster = EmbeddedCluster(
        host=host,
        cluster_name=cluster_name,
        namespaces=[
            NamespaceConfig(given, replication_factor, default_ttl) if isinstance(given, str) else given
            for given in namespaces
        ],
        users=users,
        session_ttl=session_ttl,
        quotas=quotas,
        tls=tls,
        tls_name=tls_name,
        memory=memory,
        clock=clock,
        detection_time=detection_time,
        migration_time=migration_time,
    )
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            await cluster.start(
                nursery,
                ports or [0] * nodes,
                alternate_addresses or [None] * nodes,
                advertised_addresses or [None] * nodes,
                bind_alternates,
            )
            yield cluster
        except BaseException as error:
            # Raised again outside the nursery, which would wrap it into a group.
            failure = error
        cluster.stop()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
