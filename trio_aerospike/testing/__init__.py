"""Test support: embedded clusters, pytest fixtures and fault injection, for programs that use Aerospike.

    async def test_something() -> None:
        async with open_embedded_cluster(nodes=3, memory=True) as cluster:
            async with trio_aerospike.open_client(cluster.hosts, connector=cluster.connector) as client:
                ...

`open_servers` uses the servers in AEROSPIKE_HOSTS, or opens an embedded cluster.
`trio_aerospike.testing.plugin` is a pytest plugin, active once the package is installed, with the fixtures
`aerospike_cluster` and `aerospike_client`.
"""

from __future__ import annotations

from ..server import (
    AdminMessage as AdminMessage,
    EmbeddedCluster as EmbeddedCluster,
    EmbeddedNode as EmbeddedNode,
    Fault as Fault,
    Message as Message,
    NamespaceConfig as NamespaceConfig,
    NodeStats as NodeStats,
    Reply as Reply,
    Request as Request,
    RequestHook as RequestHook,
    RequestKind as RequestKind,
    UserSpec as UserSpec,
    Verdict as Verdict,
    open_embedded_cluster as open_embedded_cluster,
)
from ._servers import open_servers as open_servers
