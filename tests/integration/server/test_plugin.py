"""The pytest plugin, as a user's test suite has it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest

async def test_one_node_in_memory(aerospike_client, aerospike_cluster):
    assert aerospike_cluster.network is not None and len(aerospike_cluster.nodes) == 1
    await aerospike_client.put(("test", "set", "k"), {"a": 1})
    assert (await aerospike_client.get(("test", "set", "k")))["a"] == 1

async def test_every_test_has_a_cluster_of_its_own(aerospike_client):
    assert await aerospike_client.exists(("test", "set", "k")) is None

@pytest.mark.aerospike(nodes=3, memory=False)
async def test_three_nodes_on_sockets(aerospike_client, aerospike_cluster):
    assert len(aerospike_client.node_names()) == 3 and aerospike_cluster.network is None

@pytest.mark.aerospike(users={"ann": "secret"})
async def test_the_client_is_the_first_user(aerospike_client):
    await aerospike_client.put(("test", "set", "k"), {"a": 1})
"""


MARKED = """
import pytest

@pytest.mark.trio
async def test_marked_by_hand(aerospike_client):
    assert aerospike_client.is_connected()

class TestOfAClass:
    async def test_it(self, aerospike_client):
        assert aerospike_client.is_connected()

@pytest.fixture
async def wrapped(aerospike_client):
    yield aerospike_client

async def test_of_a_fixture_on_top(wrapped):
    assert wrapped.is_connected()
"""


@pytest.mark.parametrize("settings", ["", "trio_mode = true\n"])
def test_the_fixtures_give_a_cluster_and_a_client(pytester: pytest.Pytester, settings: str) -> None:
    pytester.makeini(f"[pytest]\n{settings}filterwarnings = error\naddopts = --strict-markers\n")
    pytester.makeconftest("")
    pytester.makepyfile(SUITE, test_marked=MARKED)
    from importlib.metadata import entry_points

    installed = any(entry.value == "trio_aerospike.testing.plugin" for entry in entry_points(group="pytest11"))
    arguments = [] if installed else ["-p", "trio_aerospike.testing.plugin"]
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=7)
