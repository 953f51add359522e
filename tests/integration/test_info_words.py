"""Info commands whose answer is the same whatever a cluster has in it, on embedded and real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trio_aerospike import Client

pytestmark = pytest.mark.shared_cluster

ANSWERS = {
    "set-config": "ERROR:4:missing 'context'",
    "set-config:context=logging": "ERROR:4:invalid context",
    "set-config:context=service": "ERROR:4:invalid set-config parameter",
    "set-config:context=service;proto-fd-max=100": "ERROR:4:invalid set-config parameter",
    "set-config:context=network;heartbeat.interval=150": "ok",
    "set-config:context=namespace;default-ttl=1": "ERROR:20:missing 'namespace'",
    "set-config:context=namespace;id=nope;default-ttl=1": "ERROR:20:namespace not found on node",
    "set-config:context=namespace;id=test;rack-id=0": "ERROR:4:invalid set-config parameter",
    "config-set:context=namespace;namespace=test;enable-hist-proxy=false": "ok",
    "set-config:context=security;privilege-refresh-period=300": "ERROR:25:enterprise only",
    "set-config:context=xdr;dc=x;action=create": "ERROR:25:enterprise only",
    "get-config:context=logging": "ERROR:4:invalid context",
    "get-config:context=security": "",
    "get-config:context=xdr;dc=x": "",
    "sindex-exists": "ERROR:4:missing 'indexname'ERROR:20:missing 'namespace'",
    "sindex-exists:ns=test": "ERROR:4:missing 'indexname'false",
    "sindex-delete": "ERROR:4:missing 'indexname'ERROR:20:missing 'namespace'",
    "sindex-delete:ns=test": "ERROR:4:missing 'indexname'ok",
    "sindex-stat": "ERROR:4:missing 'indexname'ERROR:20:missing 'namespace'",
    "sindex-stat:ns=test": "ERROR:4:missing 'indexname'ERROR:201:no index",
    "sindex-create:ns=test;indexname=c;bin=b;type=numeric;context=ksyiogNh": "ERROR:4:'context' invalid cdt context",
    "sindex-create:ns=test;indexname=c;bin=b;type=numeric;context=ksyQAg==": "ERROR:4:'context' invalid cdt context",
    "log/0/udf": "udf:INFO",
    "log/0/nope": "ERROR::bad-context",
    "log/9": "ERROR::bad-id",
    "log/x": "ERROR:4:bad sink-id",
    "log-message": "ERROR:4:missing 'message'",
    "log-message:message=hello": "",
    "set-log": "ERROR:4:missing id",
    "set-log:id=x;any=info": "ERROR:4:bad id",
    "set-log:id=0": "ERROR:4:missing context",
    "set-log:id=0;any": "ERROR:4:bad level",
    "set-log:id=9;any=info": "ERROR:4:bad parameter",
    "log-set:id=0;any=info": "ok",
    "latencies:hist=": "ERROR:4:missing 'hist' value",
    "latencies:hist=nope": "ERROR:4:bad hist name",
    "latencies:hist={test": "ERROR:4:bad hist name",
    "latencies:hist={nope}-read": "ERROR:4:bad hist name",
    "latencies:hist={test}-nope": "ERROR:4:bad hist name",
    "histogram:": "ERROR:20:missing 'namespace'",
    "histogram:namespace=test": "ERROR:4:missing 'type'",
    "histogram:namespace=test;type=nope": "ERROR:4:unknown hist name",
    "histogram:namespace=test;type=ttl;set=never-seen": "ERROR:4:unknown set name",
    "services-alumni-reset": "ok",
    "eviction-reset:": "ERROR:20:missing 'namespace'",
    "eviction-reset:namespace=nope": "ok",
    "mcast": "ERROR:4:heartbeat is in multicast mode",
    "tip:": "ERROR:4:missing 'host'",
    "tip:host=127.0.0.1": "ERROR:4:missing 'port'",
    "tip-clear:": "ERROR:4:missing 'host-port-list'",
    "tip-clear:host-port-list=1.2.3.4:9": "ERROR::0 cleared, 1 not found",
    "smd-show": "ERROR:4:missing 'module'",
    "smd-show:module=x": "ERROR:4:unknown 'module'",
    "smd-show:module=security": "ERROR:25:enterprise only",
    "get-stats": "ERROR:4:missing 'context'",
    "get-stats:context=xdr": "",
    "get-stats:context=x": "ERROR:4:unknown context",
    "dump-hb:": "ok",
    "dump-hb:verbose=x": "ERROR:4:'verbose' may be either 'true' or 'false'",
    "dump-skew:": "ok",
    "dump-wb-summary:": "ERROR:20:missing 'namespace'",
    "dump-wb-summary:ns=test": "ERROR:4:'verbose' may be either 'true' or 'false'",
    "jem-stats:": "ok",
    "jem-stats:file=": "ERROR:4:missing 'file' value",
    "physical-devices": "ERROR:4:missing 'path'",
    "compatibility-id": "15",
}
SETTINGS = {
    "service": ["advertise-ipv6", "batch-max-requests", "cluster-name", "node-id", "transaction-max-ms"],
    "network": ["service.port", "service.tls-name", "heartbeat.mode", "heartbeat.interval", "fabric.send-threads"],
    "namespace;id=test": ["active-rack", "conflict-resolution-policy", "default-ttl", "storage-engine", "index-type"],
}


async def test_every_command_has_the_words_of_a_real_server(client: Client) -> None:
    given = {name: await client.info_all(name) for name in ANSWERS}
    told = {name: {result.response for result in results} for name, results in given.items()}
    assert {name: words for name, words in told.items() if words != {ANSWERS[name]}} == {}


@pytest.mark.parametrize("context", SETTINGS)
async def test_the_settings_of_a_context_are_reported_with_their_values(client: Client, context: str) -> None:
    for result in await client.info_all(f"get-config:context={context}"):
        names = [pair.partition("=")[0] for pair in result.response.split(";")]
        assert set(SETTINGS[context]) <= set(names)
        # A node of several has as many addresses to begin with.
        once = [name for name in names if name != "heartbeat.mesh-seed-address-port"]
        assert len(once) == len(set(once)) > 40


async def test_without_a_context_the_settings_of_service_and_network_are_reported(client: Client) -> None:
    for result in await client.info_all("get-config:"):
        assert result.response.startswith("advertise-ipv6=") and ";service.port=" in result.response


async def test_a_node_reports_all_its_statistics(client: Client) -> None:
    for result in await client.info_all("statistics"):
        assert {"heap_allocated_kbytes", "batch_index_queue", "paxos_principal"} <= set(names_of(result.response))
    for result in await client.info_all("namespace/test"):
        names = list(names_of(result.response))
        assert len(names) > 400 and names.index("objects") < names.index("active-rack") < names.index("storage-engine")


async def test_histograms_and_latencies_have_names(client: Client) -> None:
    for result in await client.info_all("latencies:"):
        assert "{test}-read:" in result.response and result.response.startswith("batch-index:")
    for result in await client.info_all("latencies:hist={test}-benchmarks-write"):
        assert [part.partition(":")[0] for part in result.response.split(";")] == [
            f"{{test}}-write-{step}" for step in ("start", "restart", "dup-res", "master", "repl-write", "response")
        ]


async def test_partitions_are_reported_with_their_position(client: Client) -> None:
    names = client.node_names()
    for result in await client.info_all("partition-info"):
        head, *lines = result.response.split(";")
        fields = head.split(":")
        rows = [dict(zip(fields, line.split(":"), strict=True)) for line in lines if line.startswith("test:")]
        assert [row["partition"] for row in rows] == [str(number) for number in range(4096)]
        # A node names a working master where it is that itself; elsewhere it says to whom requests are passed on.
        assert {row["working_master"] for row in rows} == {result.node_name, *(["0"] if len(names) > 1 else [])}
        assert {row["proxy_dst"] for row in rows} == set(names)
        masters = [row for row in rows if row["working_master"] == result.node_name]
        assert all(row["proxy_dst"] == result.node_name and row["replica"] == "0" for row in masters)
        assert all((row["succession"] == row["replica"]) or row["replica"] == "-1" for row in rows)
        assert {row["state"] for row in rows} <= set("SDAZX")


async def test_a_request_for_nothing_is_answered_with_a_summary(client: Client) -> None:
    assert (await client.info_random_node("help")).startswith("features;node;compatibility-id;edition;")


def names_of(text: str) -> Iterator[str]:
    return (pair.partition("=")[0] for pair in text.split(";"))
