"""The fields `tend_interval` and `use_services_alternate`: how the client follows a cluster that changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import Client, Key, ReadPolicy, Replica, ResultCode, WritePolicy
from trio_aerospike.server import Fault, open_embedded_cluster
from trio_aerospike.testing import EmbeddedCluster

from .configuration import KEY, keys, one_node, open_on, put_keys


@pytest.mark.parametrize("interval", [0.1, 1.0, 10.0])
async def test_nodes_are_asked_about_the_cluster_in_every_interval(autojump_clock: Any, interval: float) -> None:
    async with one_node(tend_interval=interval) as (node, client):
        await trio.sleep(interval)
        node.stats.reset()
        await trio.sleep(interval * 100)
        assert 60 <= node.stats.requests["info"] <= 105
        assert client.is_connected()


@pytest.mark.parametrize("interval", [0.2, 1.0, 5.0])
async def test_a_node_that_joins_is_used_within_two_intervals(autojump_clock: Any, interval: float) -> None:
    async with open_embedded_cluster(2, memory=True) as cluster:
        async with open_on(cluster, tend_interval=interval) as client:
            wanted = keys(100)
            for key in wanted:
                await client.put(key, {"a": 1})
            node = await cluster.add_node()
            await cluster.wait_stable()
            await trio.sleep(2 * interval)
            assert client.node_names() == ["A1", "A2", "A3"]
            for key in wanted:
                assert (await client.get(key)).bins == {"a": 1}
            assert node.stats.requests["message"] >= 10, "a third of all partitions is its own"


@pytest.mark.parametrize("interval", [0.2, 1.0, 5.0])
async def test_a_node_that_leaves_is_dropped(autojump_clock: Any, interval: float) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster, tend_interval=interval) as client:
            await cluster.stop_node("A2")
            await cluster.wait_stable()
            await trio.sleep(2 * interval)
            assert client.node_names() == ["A1", "A3"]
            assert client.is_connected()
            await cluster.start_node("A2")
            await cluster.wait_stable()
            await trio.sleep(2 * interval)
            assert client.node_names() == ["A1", "A2", "A3"]


async def test_a_node_that_is_lost_while_nobody_calls_is_noticed_before_the_next_call(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            for key in keys(100):
                await client.put(key, {"a": 1})
            await cluster.stop_node(2)
            await trio.sleep(3)
            began = trio.current_time()
            for key in keys(100):
                assert (await client.get(key)).bins == {"a": 1}
            assert trio.current_time() == began, "nothing had to be tried twice"


class Load:
    """Keeps calling, from several tasks, and keeps what went wrong."""

    def __init__(self) -> None:
        self.done = 0
        self.errors: list[aero.AerospikeError] = []

    async def run(self, call: Callable[[Key], Awaitable[object]], wanted: list[Key]) -> None:
        while True:
            for key in wanted:
                try:
                    await call(key)
                except aero.AerospikeError as error:
                    self.errors.append(error)
                self.done += 1
                await trio.sleep(0.01)


async def lose(cluster: EmbeddedCluster) -> None:
    await cluster.stop_node("A2")
    await cluster.wait_stable()
    await trio.sleep(2)


async def lose_and_return(cluster: EmbeddedCluster) -> None:
    await lose(cluster)
    await cluster.start_node("A2")
    await cluster.wait_stable()
    await trio.sleep(2)


async def one_after_the_other(cluster: EmbeddedCluster) -> None:
    for name in ("A1", "A2", "A3"):
        await cluster.stop_node(name)
        await cluster.wait_stable()
        await trio.sleep(1)
        await cluster.start_node(name)
        await cluster.wait_stable()
        await trio.sleep(1)


async def grow(cluster: EmbeddedCluster) -> None:
    for _ in range(2):
        await cluster.add_node()
        await cluster.wait_stable()
        await trio.sleep(1)


CHANGES = [lose, lose_and_return, one_after_the_other, grow]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_no_read_fails_that_a_replica_could_serve(
    autojump_clock: Any, change: Callable[[EmbeddedCluster], Awaitable[None]]
) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            wanted = await put_keys(client, 60)
            load = Load()

            async def batch(key: Key) -> None:
                for row in await client.batch_read(wanted):
                    row.unwrap()

            async with trio.open_nursery() as nursery:
                for start in range(0, 60, 6):
                    nursery.start_soon(load.run, client.get, wanted[start : start + 6])
                nursery.start_soon(load.run, client.exists, wanted)
                nursery.start_soon(load.run, batch, wanted)
                await trio.sleep(0.5)
                await change(cluster)
                nursery.cancel_scope.cancel()
            assert load.errors == []
            assert load.done > 1000


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_a_write_fails_only_if_it_was_sent_and_then_it_says_so(
    autojump_clock: Any, change: Callable[[EmbeddedCluster], Awaitable[None]]
) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            wanted = keys(60)
            load = Load()
            policy = WritePolicy(total_timeout=3.0)

            async def write(key: Key) -> None:
                await client.put(key, {"a": 1}, policy=policy)

            async with trio.open_nursery() as nursery:
                for start in range(0, 60, 3):
                    nursery.start_soon(load.run, write, wanted[start : start + 3])
                await trio.sleep(0.5)
                await change(cluster)
                nursery.cancel_scope.cancel()
            assert load.done > 1000
            assert len(load.errors) <= 60, "the writes in flight, once for each node that left"
            for error in load.errors:
                assert error.in_doubt, error
                assert error.attempts == 1


async def test_commands_that_find_their_node_dead_hurry_the_tend_loop(autojump_clock: Any) -> None:
    """With an interval of a minute nobody could wait for its time."""
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster, tend_interval=60.0) as client:
            wanted = await put_keys(client, 60)
            await cluster.stop_node(1)
            began = trio.current_time()
            policy = WritePolicy(total_timeout=5.0, max_retries=1)
            for key in wanted:
                await client.put(key, {"a": 2}, policy=policy)
            assert trio.current_time() - began < 5.0
            assert client.node_names() == ["A1", "A3"]


async def test_when_all_nodes_are_gone_the_client_says_so_and_finds_them_again(autojump_clock: Any) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            await client.put(KEY, {"a": 1})
            for place in range(3):
                await cluster.stop_node(place)
            await trio.sleep(10)
            assert not client.is_connected()
            assert not await client.ping()
            began = trio.current_time()
            with pytest.raises(aero.ClusterError):
                await client.get(KEY)
            assert trio.current_time() - began <= 1.1, "within its total_timeout"
            for place in range(3):
                await cluster.start_node(place)
            await cluster.wait_stable()
            await trio.sleep(2)
            assert client.is_connected()
            assert client.node_names() == ["A1", "A2", "A3"]
            assert (await client.get(KEY)).bins == {"a": 1}


# use_services_alternate -----------------------------------------------------------------------------------------

OUTSIDE = [("outside", 4000), ("outside", 4010), ("outside", 4020)]


def dialled(cluster: EmbeddedCluster) -> set[tuple[str, int]]:
    return {address for node in cluster.nodes for address in node.stats.dialled}


async def use(client: Client, cluster: EmbeddedCluster) -> None:
    assert client.node_names() == [node.name for node in cluster.nodes if node.running]
    for key in keys(60):
        await client.put(key, {"a": 1})


@pytest.mark.parametrize("alternate", [False, True], ids=["standard", "alternate"])
async def test_only_the_addresses_of_the_chosen_kind_are_dialled(autojump_clock: Any, alternate: bool) -> None:
    async with open_embedded_cluster(3, memory=True, alternate_addresses=OUTSIDE) as cluster:
        standard = cluster.hosts
        chosen = OUTSIDE if alternate else standard
        async with open_on(cluster, [chosen[0]], use_services_alternate=alternate) as client:
            await use(client, cluster)
            await cluster.stop_node(1)
            await cluster.wait_stable()
            await trio.sleep(3)
            await use(client, cluster)
            await cluster.start_node(1)
            await cluster.wait_stable()
            await trio.sleep(3)
            await use(client, cluster)
            assert [(node.host, node.port) for node in client.nodes()] == chosen
        assert dialled(cluster) == set(chosen)


async def test_a_standard_seed_leads_to_alternate_addresses(autojump_clock: Any) -> None:
    """The seed itself is dialled once, to ask; every connection that stays is to the alternate address."""
    async with open_embedded_cluster(3, memory=True, alternate_addresses=OUTSIDE) as cluster:
        seed = cluster.hosts[0]
        async with open_on(cluster, [seed], use_services_alternate=True) as client:
            await use(client, cluster)
            assert [(node.host, node.port) for node in client.nodes()] == OUTSIDE
        assert dialled(cluster) == {seed, *OUTSIDE}
        assert cluster.nodes[0].stats.dialled[seed] == 1


async def test_alternate_addresses_lead_out_of_a_network_whose_own_cannot_be_reached(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What the warning of test_configuration_hosts advises."""
    inside: list[Any] = [("172.17.0.2", 3000), ("172.17.0.3", 3000), ("172.17.0.4", 3000)]
    async with open_embedded_cluster(
        3, memory=True, advertised_addresses=inside, alternate_addresses=OUTSIDE
    ) as cluster:
        async with open_on(cluster, [OUTSIDE[2]], use_services_alternate=True) as client:
            await use(client, cluster)
    assert not caplog.records


# A node that fails again and again ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("message",), ("message", "info")], ids=["some", "all"])
@pytest.mark.parametrize("fault", [Fault.RESET, ResultCode.PARTITION_UNAVAILABLE])
async def test_healthy_nodes_are_asked_at_the_normal_pace_while_another_fails(
    autojump_clock: Any, kinds: tuple[str, ...], fault: Fault | ResultCode
) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster) as client:
            wanted = await put_keys(client, 60)
            failing, *healthy = cluster.nodes

            async def react(kind: str, request: object) -> Fault | ResultCode | None:
                return fault if kind in kinds and (kind == "message" or fault is Fault.RESET) else None

            async def hammer(number: int) -> None:
                while True:
                    try:
                        await client.get(wanted[number], policy=ReadPolicy(replica=Replica.MASTER))
                    except aero.AerospikeError:
                        pass
                    await trio.sleep(0.1)

            failing.on_request = react
            async with trio.open_nursery() as nursery:
                for number in range(0, 60, 6):
                    nursery.start_soon(hammer, number)
                await trio.sleep(5)
                for node in healthy:
                    node.stats.reset()
                await trio.sleep(20)
                asked = [node.stats.requests["info"] for node in healthy]
                # One question in an interval; another one where something is to be fetched again.
                assert all(15 <= count <= 45 for count in asked), asked
                failing.on_request = None
                await trio.sleep(5)
                nursery.cancel_scope.cancel()
            for key in wanted:
                assert (await client.get(key)).bins == {"a": 1}
            # The next failure hurries the loop as the first one did.
            await trio.sleep(3)
            for node in healthy:
                node.stats.reset()
            failing.on_request = react
            async with trio.open_nursery() as nursery:
                for number in range(0, 60, 6):
                    nursery.start_soon(hammer, number)
                await trio.sleep(0.4)
                nursery.cancel_scope.cancel()
            assert all(node.stats.requests["info"] >= 3 for node in healthy)
