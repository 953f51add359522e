"""Info commands: the words of a real Community Edition 8.1.2, as a comparison run has found them."""

from __future__ import annotations

import time

import pytest
import trio

from tests.integration.server_peer import Peer, connected
from trio_aerospike._wire.info_cluster import parse_replicas
from trio_aerospike.server import NamespaceConfig, open_embedded_cluster

ANSWERS = {
    "node": "A1",
    "name": "A1",
    "build": "8.1.2.0",
    "edition": "Aerospike Community Edition",
    "version": "Aerospike Community Edition build 8.1.2.0",
    "status": "ok",
    "partitions": "4096",
    "cluster-name": "docker",
    "peers-generation": "0",
    "partition-generation": "0",
    "rebalance-generation": "1",
    "peers-clear-std": "0,3000,[]",
    "peers-clear-alt": "0,3000,[]",
    "alumni-clear-std": "0,3000,[]",
    "services": "",
    "namespaces": "test",
    "namespace/nope": "type=unknown",
    "sets": "",
    "sets/nope": "ns_type=unknown",
    "sets/test/nope": "",
    "sindex-list": "",
    "sindex-list:ns=nope": "ERROR:20:namespace not found on node;ERROR:20:namespace not found on node",
    "sindex-stat:namespace=test;indexname=x": "ERROR:201:no index",
    "sindex-exists:namespace=test;indexname=x": "false",
    "sindex-delete:namespace=test;indexname=x": "ok",
    "udf-list": "",
    "udf-get:filename=x": "error=not_found",
    "udf-remove:filename=x": "ok",
    "query-show": "",
    "query-abort:trid=1": "ERROR:2:id not active",
    "query-abort-all:": "number-of-queries-killed:0",
    "truncate": "ERROR:20:missing 'namespace'",
    "truncate:namespace=test": "ERROR:4:missing 'set'",
    "truncate:namespace=;set=x": "ERROR:20:missing 'namespace' value",
    "truncate:namespace=test;set=": "ERROR:4:missing 'set' value",
    "truncate:namespace=" + "n" * 32 + ";set=x": "ERROR:20:'namespace' value too long",
    "truncate:namespace=test;set=x;lut=1": "ERROR:4:would truncate to 0",
    "truncate:namespace=test;set=x;lut=abc": "ERROR:4:would truncate to 0",
    "truncate:namespace=test;set=x;lut=9999999999999999999": "ERROR:4:would truncate in the future",
    "truncate:namespace=test;set=x;lut=1577836800000000000": "ok",
    "truncate:namespace=nope;set=x": "ok",
    "truncate-undo:namespace=test;set=x": "ok",
    "truncate-namespace:namespace=nope": "ok",
    "truncate-namespace:namespace=nope;set=x": "ERROR:4:unexpected set name",
    "truncate-namespace-undo:namespace=test": "ok",
    "truncate-namespace-undo:namespace=test;set=3": "ERROR:4:unexpected set name",
    "peers-tls-std": "ERROR:25:enterprise only",
    "service-tls-std": "ERROR:25:enterprise only",
    "rack-ids": "ERROR:25:enterprise only",
    "racks:": "ERROR:25:enterprise only",
    "roster:": "ERROR:25:enterprise only",
    "cluster-stable:size=2": "ERROR:7:cluster not specified size",
    "cluster-stable:size=x": "ERROR:4:bad size",
    "cluster-stable:ignore-migrations=maybe": "ERROR:4:bad ignore migrations",
    "cluster-stable:namespace=nope": "ERROR:20:namespace not found on node",
    "user-agent-set": "ERROR:4:missing 'value'",
    "user-agent-set:value=": "ERROR:4:missing 'value' value",
    "user-agent-set:value=!!": "ERROR:4:'value' invalid base64",
    "replicas:max=x": "ERROR:4:bad max",
    "get-config:context=nope": "ERROR:4:invalid context",
    "get-config:context=namespace": "ERROR:20:missing 'namespace'",
    "get-config:context=namespace;id=nope": "ERROR:20:namespace not found on node",
    "nonsense": "ERROR:4:unrecognized command",
    "nonsense:a=b": "ERROR:4:unrecognized command",
    "/x": "ERROR:4:unrecognized command",
    "sindex-create:namespace=test;indexname=x;bin=b;type=NUMERIC": "ok",
    "sindex-exists:ns=test;indexname=x": "true",
    "udf-put:filename=x;content=eA==": "error=invalid_filename",
}


async def test_every_command_has_the_words_of_a_real_server() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        given = await peer.info(*ANSWERS)
        assert list(given) == list(ANSWERS), "answers stand in the order of the questions"
        assert {name: given[name] for name in ANSWERS if given[name] != ANSWERS[name]} == {}


async def test_replicas_are_reported_in_every_form() -> None:
    async with open_embedded_cluster(2, memory=True, namespaces=("test", NamespaceConfig("bar", 1))) as cluster:
        async with connected(cluster) as peer:
            both = parse_replicas(await peer.info_one("replicas"))
            assert {name: len(maps) for name, (_, maps) in both.items()} == {"test": 2, "bar": 1}
            one = parse_replicas(await peer.info_one("replicas:max=1"))
            assert {name: len(maps) for name, (_, maps) in one.items()} == {"test": 1, "bar": 1}
            master = (await peer.info_one("replicas-master")).split(";")[0]
            assert master == (await peer.info_one("replicas-all")).split(";")[0].replace(":2,", ":").split(",")[0]


async def test_a_user_agent_is_set_once_and_counted() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        assert await peer.info_one("user-agent-set:value=dGVzdA==") == "ok"
        assert await peer.info_one("user-agent-set:value=dGVzdA==") == "ERROR:4:already set"
        assert await peer.info_one("user-agents") == "user-agent=dGVzdA==:count=1;"


async def test_numbers_are_those_of_what_was_done() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        await peer.put("k", a=1)
        await peer.put("j", a=1)
        await peer.get("k")
        await peer.get("missing")
        text = await peer.info_one("namespace/test")
        numbers = dict(pair.split("=") for pair in text.split(";"))
        expected = {
            "objects": "2",
            "master_objects": "2",
            "prole_objects": "0",
            "client_write_success": "2",
            "client_read_success": "1",
            "client_read_not_found": "1",
            "replication-factor": "2",
            "effective_replication_factor": "1",
        }
        assert {name: numbers[name] for name in expected} == expected
        assert "objects=2:tombstones=0:" in await peer.info_one("sets/test/set")
        statistics = dict(pair.split("=") for pair in (await peer.info_one("statistics")).split(";"))
        assert statistics["objects"] == "2" and statistics["client_connections"] == "1"
        assert "default-ttl=0" in await peer.info_one("get-config:context=namespace;id=test")


async def test_truncation_by_time_spares_what_is_younger() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        before = time.time_ns() - 1_000_000_000
        await peer.put("k", a=1)
        assert await peer.info_one(f"truncate:namespace=test;set=set;lut={before}") == "ok"
        assert await peer.get("k") == {"a": 1}
        assert await peer.info_one("truncate-namespace:namespace=test") == "ok"


async def test_the_older_form_of_namespace_and_set_lists() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        await peer.put("k", a=1)
        assert (await peer.info_one("sets")).startswith("ns=test:set=set:objects=1:")
        assert (await peer.info_one("sets/test")).startswith("ns=test:set=set:objects=1:")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_addresses_of_both_families(host: str) -> None:
    try:
        async with open_embedded_cluster(2, host=host) as cluster, connected(cluster) as peer:
            port = cluster.nodes[1].port
            shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            assert await peer.info_one("peers-clear-std") == f"2,3000,[[A2,,[{shown}]]]"
    except OSError as error:
        if host == "::1":
            pytest.skip(f"no IPv6 here: {error}")
        raise


async def test_alternate_addresses_are_listened_on() -> None:
    async with open_embedded_cluster(2, alternate_addresses=["127.0.0.2", "127.0.0.2"]) as cluster:
        async with connected(cluster) as peer:
            assert await peer.info_one("service-clear-alt") == f"127.0.0.2:{cluster.nodes[0].port}"
        port = cluster.nodes[0].port
        async with await trio.open_tcp_stream("127.0.0.2", port) as stream:
            assert await Peer(stream).info_one("node") == "A1"
        assert cluster.nodes[0].stats.dialled[("127.0.0.2", port)] == 1
