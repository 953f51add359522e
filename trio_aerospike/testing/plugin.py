"""Pytest fixtures for pytest-trio; client and server are imported when a test first uses a fixture."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from .._client import Client, open_client
from .._lazy import LazyModule
from ..config import ClientFields

if TYPE_CHECKING:
    from .. import server
else:
    server = LazyModule("trio_aerospike.server")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "aerospike(nodes=1, **options): how the cluster of the fixture aerospike_cluster is opened; options are "
        "those of trio_aerospike.testing.open_embedded_cluster",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark async tests that use these fixtures as trio tests, so that no setting (``trio_mode``) is needed."""
    if not config.pluginmanager.hasplugin("trio"):
        return
    for item in items:
        uses_ours = not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        if uses_ours and inspect.iscoroutinefunction(_test_of(item)) and not any(map(item.get_closest_marker, _OTHERS)):
            item.add_marker(pytest.mark.trio)


_FIXTURES = frozenset(("aerospike_cluster", "aerospike_client"))
#: Markers of tests that another plugin runs already.
_OTHERS = ("trio", "asyncio", "anyio")


def _test_of(item: pytest.Item) -> object:
    function = getattr(item, "obj", None)
    # A Hypothesis test is a plain function around the test function.
    return getattr(getattr(function, "hypothesis", None), "inner_test", function)


@pytest.fixture
async def aerospike_cluster(request: pytest.FixtureRequest) -> AsyncIterator[server.EmbeddedCluster]:
    """An embedded cluster for the test: one node in memory, or as the marker `aerospike` says.

    @pytest.mark.aerospike(nodes=3, memory=False)
    async def test_it(aerospike_cluster): ...
    """
    marker = request.node.get_closest_marker("aerospike")
    options = {} if marker is None else dict(marker.kwargs)
    nodes = options.pop("nodes", marker.args[0] if marker is not None and marker.args else 1)
    if "tls" not in options:
        options.setdefault("memory", True)
    async with server.open_embedded_cluster(nodes, **options) as cluster:
        yield cluster


@pytest.fixture
async def aerospike_client(aerospike_cluster: server.EmbeddedCluster) -> AsyncIterator[Client]:
    """A client of `aerospike_cluster`, connected.

    If the cluster has users, the client logs in as the first one.
    """
    fields: ClientFields = {}
    if aerospike_cluster.first_user is not None:
        fields["user"], fields["password"] = aerospike_cluster.first_user
    connector = aerospike_cluster.connector if aerospike_cluster.network is not None else None
    async with open_client(aerospike_cluster.hosts, connector=connector, **fields) as client:
        yield client
