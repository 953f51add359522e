"""A cluster in memory, a faulty network, a client and a ledger; and what must be true when it is over."""

from __future__ import annotations

import gc
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from trio_aerospike import BatchPolicy, Client, ReadPolicy, WritePolicy, open_client
from trio_aerospike._cluster.connections.request import Request
from trio_aerospike._wire.constants import N_PARTITIONS
from trio_aerospike._wire.particles import decode_value
from trio_aerospike.server import EmbeddedCluster, EmbeddedNode, open_embedded_cluster
from trio_aerospike.server.record import StoredRecord

from .ledger import NAMESPACE, Ledger
from .network import FaultyNetwork

#: A stalled node is noticed after this long, so that tests are short; a read has time for each of its copies.
SOCKET_TIMEOUT = 0.25
READ_POLICY = ReadPolicy(socket_timeout=SOCKET_TIMEOUT, total_timeout=1.0)
WRITE_POLICY = WritePolicy(socket_timeout=SOCKET_TIMEOUT, total_timeout=1.0)
BATCH_POLICY = BatchPolicy(socket_timeout=SOCKET_TIMEOUT, total_timeout=1.0)


def busy_slots(client: Client) -> list[str]:
    """Whatever a client that nobody uses should not have: work in its lines, connections that take nothing."""
    found = []
    for node in client._cluster._nodes.values():
        for pool in node.pools:
            if pool.waiting or pool.opening:
                found.append(f"{pool}: {len(pool.waiting)} waiting, {pool.opening} opening")
            if len(pool.connections) > pool.limit:
                found.append(f"{pool}: more connections than its limit")
            for connection in pool.connections:
                pipeline = connection._pipeline
                if connection.depth or connection.load or pipeline.depth or pipeline.unsent_bytes:
                    found.append(f"{connection}: load {connection.load}, {pipeline.unsent_bytes} bytes unsent")
                elif not connection.usable:
                    found.append(f"{connection}: takes nothing")
                elif not connection.on_idle_stack or connection not in pool.chooser._idle:
                    found.append(f"{connection}: idle, and not to be found among the idle")
    limiter = client._executor.limiter
    if limiter is not None and limiter.borrowed_tokens:
        found.append(f"{limiter.borrowed_tokens} slots of max_concurrent_operations are taken")
    return found


def pendings() -> set[int]:
    """The identities of the requests that are in memory."""
    gc.collect()
    return {id(thing) for thing in gc.get_objects() if type(thing) is Request}


def wrong_owners(client: Client, cluster: EmbeddedCluster) -> int:
    """How many partitions the client would send to another node than the one that the cluster has for it."""
    table = client._cluster.partitions.tables[NAMESPACE]
    wanted = cluster.tables[NAMESPACE]
    wrong = 0
    for partition in range(N_PARTITIONS):
        node = table.masters[partition]
        wrong += node is None or node.name != wanted.master(partition)
    return wrong


async def run_load(
    client: Client,
    ledger: Ledger,
    rng: random.Random,
    seconds: float,
    *,
    writers: int = 8,
    readers: int = 8,
    counters: int = 2,
    pause: float = 0.04,
    patience: float | None = None,
) -> None:
    """Write, read and count for a while, each task at its own pace.

    Args:
        client: does it.
        ledger: holds it to account.
        rng: decides on paces and names.
        seconds: how long.
        writers, readers, counters: number of tasks.
        pause: seconds between two commands of a task, on average.
        patience: when given, each command is cancelled after a random time of up to so many seconds.
    """
    until = trio.current_time() + seconds

    async def repeat(command: Any, *names: str) -> None:
        while trio.current_time() < until:
            await trio.sleep(rng.uniform(0, 2 * pause))
            if patience is None:
                await command(client, rng.choice(names))
            else:
                with trio.move_on_after(rng.uniform(0, patience)):
                    await command(client, rng.choice(names))

    async def read_batches() -> None:
        while trio.current_time() < until:
            await trio.sleep(rng.uniform(0, 6 * pause))
            with trio.move_on_after(rng.uniform(0, patience) if patience else 60):
                await ledger.batch_read(client, rng.sample(names, 8))

    names = [f"w{number}-{key}" for number in range(writers) for key in range(3)]
    async with trio.open_nursery() as nursery:
        for number in range(writers):
            nursery.start_soon(repeat, ledger.write, *(f"w{number}-{key}" for key in range(3)))
        for _ in range(readers):
            nursery.start_soon(repeat, ledger.read, *names)
        for _ in range(counters):
            nursery.start_soon(repeat, ledger.count, "counter-a", "counter-b")
        nursery.start_soon(read_batches)


@attrs.define
class Scene:
    """What a simulation has to play with."""

    cluster: EmbeddedCluster
    network: FaultyNetwork
    client: Client
    ledger: Ledger
    rng: random.Random
    foreign: set[int]
    """Requests in memory that were there before: whatever ran before may still be held by a traceback."""

    @property
    def tend_interval(self) -> float:
        """Of the client, in seconds."""
        return self.client.config.tend_interval

    async def load(self, seconds: float, **paces: Any) -> None:
        """Write, read and count for a while: see `run_load`."""
        await run_load(self.client, self.ledger, self.rng, seconds, **paces)

    async def heal(self) -> None:
        """Mend everything and wait until cluster and client have come to rest."""
        self.network.refused.clear()
        self.network.silent.clear()
        self.network.script = None
        for node in self.cluster.nodes:
            self.cluster.resume_node(node)
            await self.cluster.start_node(node)
            node.delay = 0.0
        await self.cluster.wait_stable()
        await self.wait_current(3 * self.tend_interval + 2.0)

    async def wait_current(self, seconds: float) -> None:
        """Wait until the client's map is the cluster's, which takes no longer than this."""
        limit = trio.current_time() + seconds
        while wrong_owners(self.client, self.cluster):
            assert trio.current_time() < limit, f"{wrong_owners(self.client, self.cluster)} partitions wrong"
            await trio.sleep(0.05)

    async def settle(self, seconds: float = 5.0) -> None:
        """Wait until nothing is left of the commands that were given up, which takes no longer than this."""
        limit = trio.current_time() + seconds
        while found := busy_slots(self.client):
            assert trio.current_time() < limit, "\n".join(found)
            await trio.sleep(0.05)
        while left := pendings() - self.foreign:
            # One may be the tend loop's, in flight at this moment.
            assert trio.current_time() < limit, f"{len(left)} requests are still in memory"
            await trio.sleep(0.47)

    async def check(self) -> None:
        """All that must be true in the end: heals, then holds it to account."""
        await self.heal()
        await self.settle()
        await self.ledger.verify(self.client)
        async with open_client(self.cluster.hosts, connector=self.cluster.connector) as fresh:
            await self.ledger.verify(fresh)


def count_applied(cluster: EmbeddedCluster) -> Counter[str]:
    """How often each marked write is carried out from now on."""
    applied: Counter[str] = Counter()
    replicate = cluster.replicate

    def counting(namespace: str, partition: int, digest: bytes, record: StoredRecord | None) -> None:
        if record is not None and "tag" in record.bins:
            applied[str(decode_value(*record.bins["tag"]))] += 1
        replicate(namespace, partition, digest, record)

    cluster.replicate = counting  # type: ignore[method-assign]
    return applied


@asynccontextmanager
async def open_scene(
    nodes: int = 3, *, seed: int = 0, servers: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[Scene]:
    """Set the scene; when the block ends without an error, nothing of it may be left.

    Args:
        nodes: how many.
        seed: of the load's paces.
        servers: arguments of `open_embedded_cluster`.
        **config: fields of the client's configuration.
    """
    before = trio.lowlevel.current_statistics().tasks_living
    foreign = pendings()
    async with open_embedded_cluster(nodes, memory=True, **(servers or {})) as cluster:
        network = FaultyNetwork(cluster.connector)
        ledger = Ledger(network.sends, count_applied(cluster))
        policies = {"read_policy": READ_POLICY, "write_policy": WRITE_POLICY, "batch_policy": BATCH_POLICY}
        async with open_client(cluster.hosts, connector=network, **{**policies, **config}) as client:
            yield Scene(cluster, network, client, ledger, random.Random(seed), foreign)
        assert not network.connections, f"left open: {network.connections}"
    await trio.testing.wait_all_tasks_blocked()
    after = trio.lowlevel.current_statistics().tasks_living
    assert after == before, f"{after - before} tasks are left"


def address_of(node: EmbeddedNode) -> tuple[str, int]:
    """Where a node listens."""
    return node.listen_address
