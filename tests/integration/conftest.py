"""What the tests of this folder run against: the servers that AEROSPIKE_HOSTS names, or embedded ones.

    AEROSPIKE_HOSTS=127.0.0.1:3000 pytest tests/integration

Every test then has one variant, on that cluster and its namespace `test`; without the variable there are two, on an
embedded cluster of one node and of three, over TCP. Modules marked `shared_cluster` have these in a thread, for the
whole run, as they would have real servers; all others get a cluster for each test, in the test's own event loop.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import attrs
import pytest
import trio

from tests.compat.background import BackgroundCluster
from trio_aerospike import Client, Key, RecordNotFound, open_client
from trio_aerospike.server import EmbeddedCluster, EmbeddedNode, open_embedded_cluster

NAMESPACE = "test"
HOSTS = os.environ.get("AEROSPIKE_HOSTS", "")
# A server has room for 4,095 names of sets in a namespace and never forgets one, so tests draw theirs from a hundred.
SET_NAMES = [f"integration-{number:02}" for number in range(100)]
CLEANERS = 32


@attrs.frozen
class Target:
    """A cluster to test with."""

    hosts: list[tuple[str, int]] | str
    embedded: EmbeddedCluster | None = None
    """Where it is the test's own, to look into and to change."""
    nodes: list[EmbeddedNode] | None = None
    """Where it is embedded, to look into."""

    def messages(self) -> int | None:
        """How many requests about records the nodes have seen; None where nobody can tell."""
        if self.nodes is None:
            return None
        return sum(node.stats.requests["message"] for node in self.nodes)


@attrs.define
class Keys:
    """Makes keys that nobody else has, and knows which it made."""

    set_name: str
    prefix: str
    made: list[Key] = attrs.Factory(list)

    def __call__(self, name: object = None) -> Key:
        """A new key; the same one again for the same name."""
        key = Key(NAMESPACE, self.set_name, f"{self.prefix}-{len(self.made) if name is None else name}")
        self.made.append(key)
        return key

    def adopt(self, key: Key) -> Key:
        """Have a key that was made elsewhere cleaned up, too."""
        self.made.append(key)
        return key


@pytest.fixture(scope="session")
def clusters() -> Iterator[Callable[[int], BackgroundCluster]]:
    """Embedded clusters of so many nodes that live as long as the run."""
    running: dict[int, BackgroundCluster] = {}
    with ExitStack() as stack:

        def cluster_of(nodes: int) -> BackgroundCluster:
            if nodes not in running:
                running[nodes] = stack.enter_context(BackgroundCluster(nodes=nodes))
            return running[nodes]

        yield cluster_of


@pytest.fixture(params=["servers"] if HOSTS else ["embedded-1", "embedded-3"])
async def target(request: pytest.FixtureRequest, clusters: Callable[[int], BackgroundCluster]) -> AsyncIterator[Target]:
    if HOSTS:
        yield Target(HOSTS)
        return
    nodes = int(request.param.rpartition("-")[2])
    if request.node.get_closest_marker("shared_cluster"):
        shared = clusters(nodes)
        yield Target(shared.hosts, None, shared.nodes)
        return
    async with open_embedded_cluster(nodes) as cluster:
        yield Target(cluster.hosts, cluster, cluster.nodes)


@pytest.fixture
async def client(target: Target) -> AsyncIterator[Client]:
    # Generous: a machine that is busy with other things is no failure of a command.
    async with open_client(target.hosts, timeout=10.0) as client:
        yield client


@pytest.fixture
async def keys(target: Target) -> AsyncIterator[Keys]:
    made = Keys(secrets.choice(SET_NAMES), secrets.token_hex(6))
    yield made
    if target.embedded is None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 60):
            await _remove(target, list(dict.fromkeys(made.made)))


@pytest.fixture
def key(keys: Keys) -> Key:
    return keys()


@pytest.fixture
def nothing_sent(target: Target) -> Callable[[], None]:
    """Fails when the nodes have seen a request about a record since the fixture was set up."""
    before = target.messages()

    def check() -> None:
        assert target.messages() == before

    return check


async def _remove(target: Target, keys: list[Key]) -> None:
    """Leave nothing behind on a cluster that is not ours. Tests may have closed the client: use another one."""
    async with open_client(target.hosts, timeout=10.0) as client:
        left = iter(keys)

        async def work() -> None:
            for key in left:
                try:
                    await client.remove(key)
                except RecordNotFound:
                    continue

        async with trio.open_nursery() as nursery:
            for _ in range(min(CLEANERS, len(keys))):
                nursery.start_soon(work)
