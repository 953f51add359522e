"""What a method of the client cannot mean is refused before anything is sent, and a closed client says that it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike.testing import open_embedded_cluster

KEY = ("test", "s", 1)
SURROGATE = "a\ud800"

Call = Callable[[Any, Any], Awaitable[object]]

READS: dict[str, Call] = {
    "get": lambda client, policy: client.get(KEY, policy=policy),
    "select": lambda client, policy: client.select(KEY, ["a"], policy=policy),
    "exists": lambda client, policy: client.exists(KEY, policy=policy),
}
WRITES: dict[str, Call] = {
    "put": lambda client, policy: client.put(KEY, {"a": 1}, policy=policy),
    "append": lambda client, policy: client.append(KEY, "a", "x", policy=policy),
    "prepend": lambda client, policy: client.prepend(KEY, "a", "x", policy=policy),
    "increment": lambda client, policy: client.increment(KEY, "a", 1, policy=policy),
    "touch": lambda client, policy: client.touch(KEY, policy=policy),
    "remove_bin": lambda client, policy: client.remove_bin(KEY, ["a"], policy=policy),
    "remove": lambda client, policy: client.remove(KEY, policy=policy),
    "operate": lambda client, policy: client.operate(KEY, [aero.read("a")], policy=policy),
    "operate_ordered": lambda client, policy: client.operate_ordered(KEY, [aero.read("a")], policy=policy),
}
BATCHES: dict[str, Call] = {"batch_read": lambda client, policy: client.batch_read([KEY], policy=policy)}
INFOS: dict[str, Call] = {
    "info_all": lambda client, policy: client.info_all("build", policy=policy),
    "info_random_node": lambda client, policy: client.info_random_node("build", policy=policy),
    "info_node": lambda client, policy: client.info_node("A1", "build", policy=policy),
    "truncate": lambda client, policy: client.truncate("test", policy=policy),
    "statistics": lambda client, policy: client.statistics(policy=policy),
    "node_statistics": lambda client, policy: client.node_statistics("A1", policy=policy),
    "namespaces": lambda client, policy: client.namespaces(policy=policy),
    "namespace_info": lambda client, policy: client.namespace_info("test", policy=policy),
    "sets": lambda client, policy: client.sets("test", policy=policy),
    "set_info": lambda client, policy: client.set_info("test", "s", policy=policy),
    "index_statistics": lambda client, policy: client.index_statistics("test", "i", policy=policy),
    "ping": lambda client, policy: client.ping(policy=policy),
}
FAMILIES: list[tuple[dict[str, Call], type, object]] = [
    (READS, aero.ReadPolicy, aero.WritePolicy()),
    (WRITES, aero.WritePolicy, aero.ReadPolicy()),
    (BATCHES, aero.BatchPolicy, aero.ReadPolicy()),
    (INFOS, aero.InfoPolicy, aero.ReadPolicy()),
]


async def test_a_policy_of_another_kind_is_refused_by_every_method_before_anything_is_sent(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            sent = []

            async def watch(kind: str, request: object) -> None:
                sent.append(request)

            cluster.node(0).on_request = watch
            for calls, kind, other in FAMILIES:
                for name, call in calls.items():
                    for wrong in (other, {"total_timeout": 1.0}, 1000, False):
                        with pytest.raises(aero.InvalidArgError) as info:
                            await call(client, wrong)
                        text = str(info.value)
                        assert text.startswith("policy: got "), name
                        assert f"{kind.__name__}, or None" in text, name
            assert not sent


@pytest.mark.parametrize(
    "call, where",
    [
        (lambda client: client.operate(KEY, aero.read("a")), "operate.operations: got Operation("),
        (lambda client: client.operate_ordered(KEY, 5), "operate_ordered.operations: got 5, allowed: a list"),
        (lambda client: client.batch_read(5), "batch_read.keys: got 5, allowed: a list of keys"),
        (lambda client: client.batch_read([KEY], 5), "batch_read.bins: got 5, allowed: a list of bin names"),
        (lambda client: client.batch_read([KEY], "a"), "batch_read.bins: got 'a', allowed: a list of bin names"),
        (lambda client: client.truncate(SURROGATE), "truncate.namespace: got 'a\\ud800', allowed: a str"),
        (lambda client: client.truncate("test", SURROGATE), "truncate.set_name: got 'a\\ud800', allowed: a str"),
        (lambda client: client.info_all(SURROGATE), "info_all.command: got 'a\\ud800', allowed: a str"),
    ],
)
async def test_an_argument_of_another_type_is_named(
    autojump_clock: Any, call: Callable[[Any], Awaitable[object]], where: str
) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            with pytest.raises(aero.InvalidArgError) as info:
                await call(client)
            assert where in str(info.value)


async def test_a_closed_client_says_so_in_every_method(autojump_clock: Any) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with aero.open_client(cluster.hosts, connector=cluster.connector) as client:
            pass
        for calls in (READS, WRITES, BATCHES, INFOS):
            for name, call in calls.items():
                if name == "ping":
                    assert not await call(client, None)
                else:
                    with pytest.raises(aero.ClientClosed, match="the client is closed"):
                        await call(client, None)
