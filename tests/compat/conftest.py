"""Clients of both kinds behind one face, and clusters that run in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[BackgroundCluster]:
    """Three nodes that all tests share which neither stop them nor count what they see."""
    with BackgroundCluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
def start_cluster() -> Iterator[Callable[..., BackgroundCluster]]:
    """Starts clusters of the test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(BackgroundCluster(**options))


class BlockingQuery:
    """An AsyncQuery, called like a Query."""

    def __init__(self, runner: asyncio.Runner, query: aerospike.AsyncQuery) -> None:
        self._runner = runner
        self._query = query

    def __getattr__(self, name: str) -> Any:
        return _blocking(self._runner, getattr(self._query, name))


class Blocking:
    """An AsyncClient with an event loop of its own, called like a Client."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.runner = asyncio.Runner()
        self.client = aerospike.AsyncClient(config)

    def __getattr__(self, name: str) -> Any:
        call = _blocking(self.runner, getattr(self.client, name))
        if name == "query":
            return lambda *args, **kwargs: BlockingQuery(self.runner, call(*args, **kwargs))
        return (lambda *args, **kwargs: call(*args, **kwargs) and self) if name == "connect" else call


def _blocking(runner: asyncio.Runner, attribute: Any) -> Any:
    if not inspect.iscoroutinefunction(attribute):
        return attribute

    def call(*args: Any, **kwargs: Any) -> Any:
        async def main() -> Any:
            return await attribute(*args, **kwargs)

        return runner.run(main())

    return call


@pytest.fixture(params=["sync", "asyncio"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients, synchronous or asynchronous, that are called without await and closed after the test."""
    made: list[Any] = []

    def make(**config: Any) -> Any:
        made.append(aerospike.client(config) if request.param == "sync" else Blocking(config))
        return made[-1]

    yield make
    for client in made:
        client.close()
        if isinstance(client, Blocking):
            client.runner.close()


@pytest.fixture
def client(make_client: Callable[..., Any], shared_cluster: BackgroundCluster) -> Any:
    """A client that is connected to the shared cluster."""
    return make_client(hosts=shared_cluster.hosts, cluster_name="docker").connect()
