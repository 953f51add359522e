"""What the tests of the client's configuration share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from trio_aerospike import Client, Key, open_client
from trio_aerospike._wire.messages import Message
from trio_aerospike.server import EmbeddedCluster, EmbeddedNode, open_embedded_cluster
from trio_aerospike.server.faults import Request, Verdict

KEY = Key("test", "configuration", 1)


def keys(count: int) -> list[Key]:
    """Some keys, of all partitions."""
    return [Key("test", "configuration", number) for number in range(count)]


async def put_keys(client: Client, count: int) -> list[Key]:
    """Write a record for each of ``keys(count)``; return the keys."""
    written = keys(count)
    for key in written:
        await client.put(key, {"a": 1})
    return written


def open_on(cluster: EmbeddedCluster, hosts: Any = None, **fields: Any) -> Any:
    """A client of a cluster in memory."""
    return open_client(cluster.hosts if hosts is None else hosts, connector=cluster.connector, **fields)


@asynccontextmanager
async def one_node(**fields: Any) -> AsyncIterator[tuple[EmbeddedNode, Client]]:
    """A node in memory and a client of it."""
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with open_on(cluster, **fields) as client:
            yield cluster.nodes[0], client


async def all_at_once(call: Callable[[Key], Awaitable[object]], wanted: list[Key]) -> list[BaseException | None]:
    """Call for every key at the same time; what each raised."""
    outcomes: list[BaseException | None] = [None] * len(wanted)

    async def work(index: int) -> None:
        try:
            await call(wanted[index])
        except Exception as error:
            outcomes[index] = error

    async with trio.open_nursery() as nursery:
        for index in range(len(wanted)):
            nursery.start_soon(work, index)
    return outcomes


def listen_in(node: EmbeddedNode) -> list[Message]:
    """The messages that the node is sent from now on."""
    heard: list[Message] = []

    async def hook(kind: str, request: Request) -> Verdict:
        if kind == "message":
            assert isinstance(request, Message)
            heard.append(request)
        return None

    node.on_request = hook
    return heard
