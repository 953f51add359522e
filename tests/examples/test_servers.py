"""The servers that programs get which nobody has set up."""

from __future__ import annotations

import pytest

import trio_aerospike as aero
from trio_aerospike.testing import open_servers


@pytest.mark.parametrize("named", ["10.0.0.1:3000,10.0.0.2:3100", " 10.0.0.1:3000 , 10.0.0.2:3100,"])
async def test_those_that_are_named_are_given_as_they_are(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEROSPIKE_HOSTS", named)
    async with open_servers() as seeds:
        assert seeds == ["10.0.0.1:3000", "10.0.0.2:3100"]


@pytest.mark.parametrize("named", [None, "", " "])
async def test_an_embedded_cluster_is_there_where_none_are_named(
    named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named is None:
        monkeypatch.delenv("AEROSPIKE_HOSTS", raising=False)
    else:
        monkeypatch.setenv("AEROSPIKE_HOSTS", named)
    async with open_servers(nodes=2) as seeds, aero.open_client(seeds) as client:
        assert len(seeds) == 2
        await client.put(("test", "servers", 1), {"a": 1})
        assert (await client.get(("test", "servers", 1)))["a"] == 1
