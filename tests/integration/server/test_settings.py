"""`set-config`: what it takes, and that it takes effect.

What it does to a whole node or namespace would disturb others on a cluster that is not ours: with AEROSPIKE_HOSTS those
tests run only if AEROSPIKE_ALONE says that nobody else uses it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from tests.integration.conftest import HOSTS, Keys
from tests.integration.server_peer import connected
from trio_aerospike import Client, Key, WritePolicy, write
from trio_aerospike.server import open_embedded_cluster

NOT_ALONE = bool(HOSTS) and not os.environ.get("AEROSPIKE_ALONE")
of_a_whole_node = pytest.mark.skipif(NOT_ALONE, reason="AEROSPIKE_ALONE does not say that nobody else is there")


async def told(client: Client, command: str) -> set[str]:
    return {result.response for result in await client.info_all(command)}


@asynccontextmanager
async def configured(client: Client, context: str, name: str, value: object) -> AsyncIterator[None]:
    """The setting has another value meanwhile."""
    before = dict(
        pair.split("=") for pair in (await client.info_random_node(f"get-config:context={context}")).split(";")
    )[name]
    try:
        assert await told(client, f"set-config:context={context};{name}={value}") == {"ok"}
        yield
    finally:
        assert await told(client, f"set-config:context={context};{name}={before}") == {"ok"}


@asynccontextmanager
async def set_configured(client: Client, set_name: str, name: str, value: object) -> AsyncIterator[None]:
    command = f"set-config:context=namespace;id=test;set={set_name};{name}="
    try:
        assert await told(client, f"{command}{value}") == {"ok"}
        yield
    finally:
        assert await told(client, f"{command}0") == {"ok"}


async def code_of(awaitable: Any) -> int:
    try:
        await awaitable
    except aero.AerospikeError as error:
        return error.result_code
    return 0


async def ttl_of(client: Client, key: Key) -> int | None:
    record = await client.exists(key)
    assert record is not None
    return record.ttl


# -- sets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "told_as"),
    [
        ("default-ttl=77", "default-ttl=77"),
        ("default-ttl=2h", "default-ttl=7200"),
        ("default-ttl=-1", "default-ttl=4294967295"),
        ("default-read-touch-ttl-pct=-1", "default-read-touch-ttl-pct=4294967295"),
        ("disable-eviction=true", "disable-eviction=true"),
        ("stop-writes-count=12x", "stop-writes-count=12"),
        ("stop-writes-size=1M", "stop-writes-size=1048576"),
        ("default-ttl=1x", None),
        ("default-ttl=315360001", None),
        ("default-read-touch-ttl-pct=101", None),
        ("disable-eviction=yes", None),
        ("stop-writes-size=x", None),
        ("nope=1", None),
    ],
)
async def test_a_set_is_there_once_something_was_said_of_it(
    client: Client, keys: Keys, parameter: str, told_as: str | None
) -> None:
    name = keys.set_name
    command = f"set-config:context=namespace;id=test;set={name};{parameter}"
    expected = "ok" if told_as else "ERROR:4:invalid set-config parameter"
    try:
        assert await told(client, command) == {expected}
        for text in await told(client, f"sets/test/{name}"):
            assert text.startswith("objects=")
            if told_as:
                assert told_as in text.rstrip(";").split(":")
    finally:
        back = "false" if "eviction" in parameter else "0"
        await told(client, f"set-config:context=namespace;id=test;set={name};{parameter.partition('=')[0]}={back}")


@pytest.mark.parametrize("name", ["", "s" * 64])
async def test_what_is_no_name_of_a_set_is_refused(client: Client, name: str) -> None:
    command = f"set-config:context=namespace;id=test;set={name};default-ttl=1"
    assert await told(client, command) == {"ERROR:4:invalid set-config parameter"}


async def test_a_set_takes_no_more_records_than_it_may_have(client: Client, keys: Keys) -> None:
    made = [keys.adopt(Key("test", f"full-{keys.prefix[:1]}", f"{keys.prefix}-{n}")) for n in range(41)]
    *first, another = made
    for key in first:
        await client.put(key, {"a": 1})
    async with set_configured(client, another.set_name, "stop-writes-count", 1):
        assert await code_of(client.put(another, {"a": 1})) == aero.ResultCode.FAIL_FORBIDDEN
        await client.put(first[0], {"a": 2})
    await client.put(another, {"a": 1})


async def test_a_set_takes_no_writes_once_it_is_too_large(client: Client, keys: Keys) -> None:
    key = keys.adopt(Key("test", f"large-{keys.prefix[:1]}", keys.prefix))
    await client.put(key, {"a": "x" * 1000})
    async with set_configured(client, key.set_name, "stop-writes-size", 100):
        assert await code_of(client.put(key, {"a": 1})) == aero.ResultCode.FAIL_FORBIDDEN
    await client.put(key, {"a": 1})


async def test_records_of_a_set_live_as_long_as_is_said_of_it(client: Client, key: Key) -> None:
    async with set_configured(client, key.set_name, "default-ttl", "1h"):
        await client.put(key, {"a": 1})
        assert await ttl_of(client, key) in range(3590, 3601)
    async with set_configured(client, key.set_name, "default-ttl", -1):
        await client.put(key, {"a": 1})
        assert await ttl_of(client, key) is None


# -- namespaces and nodes ----------------------------------------------------------------------------------------------


@of_a_whole_node
async def test_records_live_as_long_as_the_namespace_says(client: Client, key: Key) -> None:
    async with configured(client, "namespace;id=test", "default-ttl", 100):
        await client.put(key, {"a": 1})
        assert await ttl_of(client, key) in range(90, 101)
        async with set_configured(client, key.set_name, "default-ttl", -1):
            await client.put(key, {"a": 1})
            assert await ttl_of(client, key) is None


@of_a_whole_node
async def test_records_may_be_as_large_as_the_namespace_says(client: Client, key: Key) -> None:
    async with configured(client, "namespace;id=test", "max-record-size", 1000):
        assert await code_of(client.put(key, {"a": "x" * 5000})) == aero.ResultCode.RECORD_TOO_BIG
        await client.put(key, {"a": 1})
    await client.put(key, {"a": "x" * 5000})


@of_a_whole_node
async def test_a_batch_has_no_more_rows_than_a_node_takes(client: Client, keys: Keys) -> None:
    asked = [keys() for _ in range(100)]
    async with configured(client, "service", "batch-max-requests", 3):
        assert await code_of(client.batch_read(asked, [])) == aero.ResultCode.BATCH_MAX_REQUESTS
    results = await client.batch_read(asked, [])
    assert {result.result_code for result in results} == {aero.ResultCode.RECORD_NOT_FOUND}


@of_a_whole_node
async def test_a_record_needs_a_set_where_the_namespace_says_so(client: Client, keys: Keys) -> None:
    key = keys.adopt(Key("test", "", keys.prefix))
    async with configured(client, "namespace;id=test", "disallow-null-setname", "true"):
        assert await code_of(client.put(key, {"a": 1})) == aero.ResultCode.PARAM
    await client.put(key, {"a": 1})


@of_a_whole_node
async def test_nobody_writes_where_writes_are_rejected(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    async with configured(client, "namespace;id=test", "reject-non-xdr-writes", "true"):
        assert await code_of(client.put(key, {"a": 1})) == aero.ResultCode.FAIL_FORBIDDEN
        assert await code_of(client.remove(key)) == aero.ResultCode.FAIL_FORBIDDEN
        assert (await client.get(key)).bins == {"a": 1}


@of_a_whole_node
async def test_lives_are_not_shortened_where_the_namespace_says_so(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, policy=WritePolicy(ttl=1000))
    async with configured(client, "namespace;id=test", "apply-ttl-reductions", "false"):
        await client.put(key, {"a": 1}, policy=WritePolicy(ttl=10))
        assert (await ttl_of(client, key) or 0) > 900
    await client.put(key, {"a": 1}, policy=WritePolicy(ttl=10))
    assert (await ttl_of(client, key) or 0) <= 10


@of_a_whole_node
async def test_records_end_only_where_something_removes_them(client: Client, key: Key) -> None:
    async with (
        configured(client, "namespace;id=test", "nsup-period", 0),
        configured(client, "namespace;id=test", "allow-ttl-without-nsup", "false"),
    ):
        assert await code_of(client.put(key, {"a": 1}, policy=WritePolicy(ttl=10))) == aero.ResultCode.FAIL_FORBIDDEN
        await client.put(key, {"a": 1})
        refused = {"ERROR:4:invalid set-config parameter"}
        assert await told(client, "set-config:context=namespace;id=test;default-ttl=1") == refused
        assert await told(client, f"set-config:context=namespace;id=test;set={key.set_name};default-ttl=1") == refused


@of_a_whole_node
async def test_jobs_in_the_background_go_no_faster_than_the_namespace_says(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    async with configured(client, "namespace;id=test", "background-query-max-rps", 10):
        query = client.query_operate("test", key.set_name, [write("a", 2)], records_per_second=11)
        assert await code_of(query) == aero.ResultCode.PARAM


# -- of the embedded server only ---------------------------------------------------------------------------------------


async def test_a_node_is_configured_for_itself_and_until_it_stops() -> None:
    async with open_embedded_cluster(2, default_ttl=5, detection_time=0.01, migration_time=0) as cluster:
        command = "get-config:context=namespace;id=test"
        async with connected(cluster, 0) as first, connected(cluster, 1) as second:
            assert await first.info_one("set-config:context=namespace;id=test;default-ttl=9") == "ok"
            assert await first.info_one("set-config:context=service;query-max-done=1") == "ok"
            assert ";default-ttl=9;" in await first.info_one(command)
            assert ";default-ttl=5;" in await second.info_one(command)
        await cluster.stop_node(0)
        await cluster.start_node(0)
        async with connected(cluster, 0) as first:
            assert ";default-ttl=5;" in await first.info_one(command)
            assert ";query-max-done=100;" in await first.info_one("get-config:context=service")


async def test_what_was_configured_together_has_to_fit_together() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        refused = "ERROR:4:invalid set-config parameter"
        steps = [
            ("context=network;heartbeat.interval=149", refused),
            ("context=network;heartbeat.timeout=2", refused),
            ("context=network;heartbeat.interval=49", refused),
            ("context=network;heartbeat.connect-timeout-ms=501", refused),
            ("context=network;heartbeat.interval=200", "ok"),
            ("context=network;heartbeat.connect-timeout-ms=600", "ok"),
            ("context=service;min-cluster-size=2", refused),
            ("context=namespace;id=test;enable-benchmarks-read=true", "ok"),
            ("context=service;microsecond-histograms=true", refused),
            ("context=namespace;id=test;enable-benchmarks-read=false", "ok"),
            ("context=service;microsecond-histograms=true", "ok"),
            ("context=service;transaction-retry-ms=0", refused),
            ("context=service;batch-max-requests=-1", "ok"),
            ("context=service;cluster-name=other", "ok"),
        ]
        for step, answer in steps:
            assert await peer.info_one(f"set-config:{step}") == answer, step
        assert ";batch-max-requests=4294967295;" in await peer.info_one("get-config:context=service")
        assert await peer.info_one("cluster-name") == "other"


async def test_a_recluster_follows_the_replication_factor() -> None:
    async with open_embedded_cluster(2, migration_time=0) as cluster:
        principal = max(node.name for node in cluster.nodes)
        for number, node in enumerate(cluster.nodes):
            async with connected(cluster, number) as peer:
                assert await peer.info_one("set-config:context=namespace;id=test;replication-factor=1") == "ok"
                before = cluster.cluster_key
                expected = "ok" if node.name == principal else "ignored-by-non-principal"
                assert await peer.info_one("recluster:") == expected
                assert (cluster.cluster_key != before) is (node.name == principal)
        await cluster.wait_stable()
        assert cluster.tables["test"].columns == 1


async def test_records_that_end_soon_are_evicted_on_demand() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        node = cluster.nodes[0]
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            for name, ttl in (("soon", 10), ("late", 1000), ("never", aero.TTL_NEVER_EXPIRE)):
                await client.put(Key("test", "set", name), {"a": 1}, policy=WritePolicy(ttl=ttl))
            assert await peer.info_one("eviction-reset:namespace=test;ttl=100") == "ok"
            with trio.fail_after(10):
                while len(list(node.stores["test"].records())) != 2:
                    await trio.lowlevel.checkpoint()
        assert (await peer.info_one("smd-show:module=evict")).startswith("test=")
        assert await peer.info_one("eviction-reset:namespace=test") == "ok"
        assert await peer.info_one("smd-show:module=evict") == "<empty>"


async def test_an_expired_record_can_be_deleted_until_it_is_swept_away(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            assert await peer.info_one("set-config:context=namespace;id=test;nsup-period=30") == "ok"
            for name in ("early", "late"):
                await client.put(Key("test", "set", name), {"a": 1}, policy=WritePolicy(ttl=1))
            await trio.sleep(5)
            assert await code_of(client.remove(Key("test", "set", "early"))) == 0
            await trio.sleep(30)
            assert await code_of(client.remove(Key("test", "set", "late"))) == aero.ResultCode.RECORD_NOT_FOUND


async def test_settings_common_to_the_nodes_are_reported() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        for command in (
            "sindex-create:ns=test;set=s;indexname=i1;bin=a;type=numeric",
            "sindex-create:ns=test;indexname=i2;bin=b;type=string;indextype=list",
            "sindex-create:ns=test;set=s;indexname=i3;bin=b;type=blob;indextype=mapkeys;context=kiKiA2E=",
            "sindex-create:ns=test;set=s;indexname=i5;indextype=set",
            "sindex-create:ns=test;set=s;indexname=i4;type=numeric;exp=k1ECoWE=",
            "truncate:namespace=test;set=x",
            "tip:host=1.2.3.4;port=9",
            "tip-clear:host-port-list=1.2.3.4:9",
            "log-set:id=0;udf=detail",
        ):
            assert await peer.info_one(command) == "ok"
        assert set((await peer.info_one("smd-show:module=sindex")).split(";")) == {
            "test|s|a|.|I=i1",
            "test||b|L|S=i2",
            "test|s|b|ckiKiA2E=|K|B=i3",
            "test|s|S=i5",
            "test|s||ek1ECoWE=|.|I=i4",
        }
        assert (await peer.info_one("smd-show:module=truncate")).startswith("test|x=")
        assert await peer.info_one("smd-show:module=UDF") == "<empty>"
        assert "sindex:committed_key=" in await peer.info_one("smd-info")
        assert await peer.info_one("log/0/udf") == "udf:DETAIL"
        assert "MainThread" not in await peer.info_one("thread-traces")
        assert next(iter(await peer.info())) == "features"
