"""Use the servers in AEROSPIKE_HOSTS, or an embedded cluster without one, for programs without set-up."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ..server import open_embedded_cluster

#: The environment variable with the servers: ``host:port``, several separated by commas.
HOSTS_VARIABLE: Final = "AEROSPIKE_HOSTS"


@asynccontextmanager
async def open_servers(nodes: int = 1) -> AsyncIterator[list[str]]:
    """Return the servers in AEROSPIKE_HOSTS; if it is not set, run an embedded cluster inside the block.

    Use it as ``async with open_servers() as seeds, open_client(seeds) as client``.

    Args:
        nodes: how many nodes an embedded cluster has.

    Yields:
        Seeds for :func:`trio_aerospike.open_client`, each ``host:port``.

    Raises:
        OSError: an embedded cluster finds no port to listen on.
    """
    named = [part.strip() for part in os.environ.get(HOSTS_VARIABLE, "").split(",") if part.strip()]
    if named:
        yield named
    else:
        async with open_embedded_cluster(nodes) as cluster:
            yield [f"{host}:{port}" for host, port in cluster.hosts]
