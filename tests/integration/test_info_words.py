"""Info commands whose answer is the same whatever a cluster has in it, on embedded and real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trio_aerospike import Client

ANSWERS = {

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
async def test_the_settings_of_a_context_are_told_with_what_they_are(client: Client, context: str) -> None:
    for result in await client.info_all(f"get-config:context={context}"):
        names = [pair.partition("=")[0] for pair in result.response.split(";")]
        assert set(SETTINGS[context]) <= set(names)
        assert len(names) == len(set(names)) > 40


async def test_without_a_context_the_settings_of_service_and_network_are_told(client: Client) -> None:
    for result in await client.info_all("get-config:"):
        assert result.response.startswith("advertise-ipv6=") and ";service.port=" in result.response


async def test_what_a_node_tells_of_itself_is_told_in_full(client: Client) -> None:
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


async def test_partitions_are_told_with_their_place(client: Client) -> None:
    names = client.node_names()
    for result in await client.info_all("partition-info"):
        head, *lines = result.response.split(";")
        fields = head.split(":")
        rows = [dict(zip(fields, line.split(":"), strict=True)) for line in lines if line.startswith("test:")]
        assert [row["partition"] for row in rows] == [str(number) for number in range(4096)]
        assert {row["working_master"] for row in rows} <= set(names)
        assert {row["state"] for row in rows} <= set("SDAZX")


async def test_a_request_for_nothing_is_answered_with_a_summary(client: Client) -> None:
    assert (await client.info_random_node("help")).startswith("features;node;compatibility-id;edition;")


def names_of(text: str) -> Iterator[str]:
    return (pair.partition("=")[0] for pair in text.split(";"))
