"""Nodes die, come back, flap, stall, move and join under load; nothing is lost, mixed up or done twice."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import AerospikeError, ClusterError, ReadPolicy, WritePolicy, open_client
from trio_aerospike.server import open_embedded_cluster

from .ledger import Ledger
from .network import FaultyNetwork
from .scene import Scene, address_of, count_applied, open_scene, wrong_owners


def served(scene: Scene) -> None:
    """No read failed, and of the writes only those whose outcome is unknown."""
    assert scene.ledger.failed_reads == []
    assert scene.ledger.failed_writes == []
    assert scene.ledger.acknowledged > 80
    assert scene.ledger.read_count > 80


@pytest.mark.slow
@pytest.mark.parametrize("lose_data", [False, True])
@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_node_killed_under_load_costs_no_read_and_no_unsent_write(
    autojump_clock: MockClock, victim: int, lose_data: bool
) -> None:
    async with open_scene(3, seed=victim) as scene:
        for node in scene.cluster.nodes:
            node.delay = 0.005
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 3.0)
            await trio.sleep(0.5)
            while scene.cluster.nodes[victim].stats.commands_in_flight < 2:
                await trio.sleep(0.0001)
            await scene.cluster.stop_node(victim, lose_data=lose_data)
            while scene.cluster.losing:
                await trio.sleep(0.01)
            # The survivors have published their map.
            await trio.sleep(scene.tend_interval)
            assert wrong_owners(scene.client, scene.cluster) == 0
            await trio.sleep(0.5)
            await scene.cluster.start_node(victim)
        served(scene)
        await scene.check()


async def test_unsent_writes_outlive_a_node_that_dies_with_all_its_connections_taken(autojump_clock: MockClock) -> None:
    async with open_scene(3, max_conns_per_node=1) as scene:
        victim = scene.cluster.nodes[1]
        for node in scene.cluster.nodes:
            node.delay = 0.02
        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(scene.ledger.write, scene.client, f"name-{number}")
            await trio.sleep(0.005)
            await scene.cluster.stop_node(victim)
            for node in scene.cluster.nodes:
                node.delay = 0.0
        assert scene.ledger.failed_writes == []
        assert scene.ledger.acknowledged > 150
        await scene.check()


@pytest.mark.slow
async def test_all_nodes_killed_and_back(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 6.0)
            await trio.sleep(0.5)
            for number in range(3):
                await scene.cluster.stop_node(number)
                await trio.sleep(0.05)
            await trio.sleep(1.5)
            assert not scene.client.is_connected()
            # All at once: one that starts alone serves what it has, as if the rest had never been.
            for number in (1, 0, 2):
                await scene.cluster.start_node(number)
            await scene.cluster.wait_stable()
            await trio.sleep(scene.tend_interval)
            assert scene.client.is_connected()
            assert wrong_owners(scene.client, scene.cluster) == 0
            failed = len(scene.ledger.failed_reads), len(scene.ledger.failed_writes), scene.ledger.doubts
            await trio.sleep(1.0)
        assert failed[0] > 0
        assert failed == (len(scene.ledger.failed_reads), len(scene.ledger.failed_writes), scene.ledger.doubts)
        await scene.check()


async def test_commands_without_a_limit_wait_for_the_cluster_to_come_back(autojump_clock: MockClock) -> None:
    async with open_scene(3, tend_interval=0.25) as scene:
        await scene.ledger.write(scene.client, "one")
        for number in range(3):
            await scene.cluster.stop_node(number)
        with trio.move_on_after(0):
            await trio.lowlevel.checkpoint()
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(
                    scene.ledger.write, scene.client, f"waiting-{number}", WritePolicy(total_timeout=None)
                )
            nursery.start_soon(scene.ledger.read, scene.client, "one", ReadPolicy(total_timeout=None))
            await trio.sleep(1.0)
            for number in range(3):
                await scene.cluster.start_node(number)
        assert scene.ledger.acknowledged == 21
        assert scene.ledger.failed_reads == []
        await scene.check()


@pytest.mark.slow
async def test_flapping_node(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 5.0)
            for round_number in range(8):
                await trio.sleep(0.05 + 0.1 * (round_number % 4))
                await scene.cluster.stop_node(2)
                await trio.sleep(0.02 + 0.11 * (round_number % 3))
                await scene.cluster.start_node(2)
        served(scene)
        await scene.check()


async def test_connections_reset_over_and_over_cost_no_read_and_no_unsent_write(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 2.0)
            for _ in range(25):
                await trio.sleep(0.07)
                for node in scene.cluster.nodes[:2]:
                    node.drop_connections()
        served(scene)
        assert wrong_owners(scene.client, scene.cluster) == 0
        await scene.check()


@pytest.mark.slow
@pytest.mark.parametrize("resume_after", [0.1, 0.4, 2.5])
async def test_paused_node_costs_no_read(autojump_clock: MockClock, resume_after: float) -> None:
    async with open_scene(3) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, resume_after + 1.5)
            await trio.sleep(0.5)
            scene.cluster.pause_node(0)
            await trio.sleep(resume_after)
            scene.cluster.resume_node(0)
        assert scene.ledger.failed_reads == []
        for text in scene.ledger.failed_writes:
            # Only one that found no way into the paused node at all.
            assert "NoMoreConnections" in text or "took no request" in text, text
        assert (scene.ledger.doubts > 0) == (resume_after > 0.25)
        await scene.check()


@pytest.mark.slow
async def test_machine_that_vanishes_without_a_word_costs_no_read(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 4.0)
            await trio.sleep(0.5)
            victim = scene.cluster.nodes[1]
            scene.network.swallow(address_of(victim))
            await scene.cluster.stop_node(victim)
            while scene.cluster.losing:
                await trio.sleep(0.01)
            await trio.sleep(scene.tend_interval)
            assert wrong_owners(scene.client, scene.cluster) == 0
            doubts = scene.ledger.doubts
            # Commands in flight at this moment time out a little later, and no others do.
            await trio.sleep(0.3)
            doubts = scene.ledger.doubts
            await trio.sleep(1.0)
            assert scene.ledger.doubts == doubts
        assert scene.ledger.failed_reads == []
        await scene.check()


@pytest.mark.slow
async def test_node_restarted_under_its_name_at_another_address(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        node = scene.cluster.nodes[1]
        old, new = address_of(node), ("127.0.0.1", 4711)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 4.0)
            await trio.sleep(0.5)
            await scene.cluster.stop_node(node)
            node.listen_address = new
            node.addresses = [new]
            await scene.cluster.start_node(node)
            await scene.cluster.wait_stable()
            await trio.sleep(2 * scene.tend_interval)
            assert {(info.name, info.port) for info in scene.client.nodes()} == {
                (other.name, other.port) for other in scene.cluster.nodes
            }
            dials = scene.network.dials[old]
            await trio.sleep(1.0)
        served(scene)
        assert scene.network.dials[old] == dials
        assert any(connection.for_commands for connection in scene.network.at(new))
        await scene.check()


@pytest.mark.slow
async def test_another_node_at_the_address_of_one_that_died(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        dead = scene.cluster.nodes[2]
        address = address_of(dead)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 4.0)
            await trio.sleep(0.5)
            await scene.cluster.stop_node(dead)
            await scene.cluster.wait_stable()
            heir = await scene.cluster.add_node(port=address[1])
            assert address_of(heir) == address
            await scene.cluster.wait_stable()
            await trio.sleep(2 * scene.tend_interval)
            assert scene.client.node_names() == sorted(node.name for node in scene.cluster.nodes if node.running)
            assert wrong_owners(scene.client, scene.cluster) == 0
        served(scene)
        dead.listen_address = ("127.0.0.1", 4712)
        dead.addresses = [dead.listen_address]
        await scene.check()


@pytest.mark.slow
async def test_added_node_is_used_within_two_tend_intervals(autojump_clock: MockClock) -> None:
    async with open_scene(2) as scene:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 4.0)
            await trio.sleep(0.5)
            node = await scene.cluster.add_node()
            while scene.cluster.losing:
                await trio.sleep(0.01)
            await trio.sleep(2 * scene.tend_interval)
            assert node.name in scene.client.node_names()
            assert node.stats.requests["message"] > 0
            assert wrong_owners(scene.client, scene.cluster) == 0
        served(scene)
        assert scene.ledger.doubts == 0
        await scene.check()


async def test_node_that_leaves_is_dropped_within_two_tend_intervals(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        await scene.cluster.stop_node(1)
        while scene.cluster.losing:
            await trio.sleep(0.01)
        await trio.sleep(2 * scene.tend_interval)
        assert scene.client.node_names() == ["A1", "A3"]
        dials = scene.network.dials[address_of(scene.cluster.nodes[1])]
        await trio.sleep(10)
        assert scene.network.dials[address_of(scene.cluster.nodes[1])] == dials
        await scene.check()


@pytest.mark.slow
async def test_cancelled_commands_leave_nothing_behind_while_nodes_come_and_go(autojump_clock: MockClock) -> None:
    async with open_scene(3, max_conns_per_node=2, max_concurrent_operations=8) as scene:
        for node in scene.cluster.nodes:
            node.delay = 0.002
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: scene.load(4.0, patience=0.01))
            for victim in (0, 1, 2):
                await trio.sleep(0.4)
                await scene.cluster.stop_node(victim)
                await trio.sleep(0.4)
                await scene.cluster.start_node(victim)
                await scene.cluster.wait_stable()
        assert scene.ledger.doubts > 20
        assert scene.ledger.acknowledged > 20
        await scene.check()


# -- two clusters ----------------------------------------------------------------------------------------------------


@attrs.define
class TwoClusters:
    """A connector to two clusters whose nodes share a network."""

    first: FaultyNetwork
    second: FaultyNetwork

    async def __call__(self, host: str, port: int, tls_name: str | None) -> object:
        return await (self.second if port >= 5000 else self.first)(host, port, tls_name)


async def test_cluster_name_keeps_two_clusters_apart_even_when_a_node_changes_sides(autojump_clock: MockClock) -> None:
    async with (
        open_embedded_cluster(2, memory=True, cluster_name="red", ports=[4000, 4010]) as red,
        open_embedded_cluster(2, memory=True, cluster_name="blue", ports=[5000, 5010]) as blue,
    ):
        network = TwoClusters(FaultyNetwork(red.connector), FaultyNetwork(blue.connector))
        seeds = [*blue.hosts, *red.hosts]
        ledger = Ledger(network.first.sends, count_applied(red))
        async with open_client(seeds, connector=network, cluster_name="red") as client:  # type: ignore[arg-type]
            assert [info.port for info in client.nodes()] == [4000, 4010]
            for number in range(50):
                await ledger.write(client, f"name-{number}")
            # The address of a node of ours now belongs to the other cluster, under the same node name.
            await red.stop_node(1)
            network.first._connector, kept = _switch(red.connector, blue.connector, 4010, 5010), red.connector
            await trio.sleep(3.0)
            assert [info.port for info in client.nodes()] == [4000]
            for number in range(50):
                await ledger.write(client, f"name-{number}")
            network.first._connector = kept
            await red.start_node(1)
            await red.wait_stable()
            await trio.sleep(2.0)
            assert [info.port for info in client.nodes()] == [4000, 4010]
            await ledger.verify(client)
            assert all(not node.stats.requests["message"] for node in blue.nodes)
        with pytest.raises(ClusterError, match=r"'green'.*"):
            async with open_client(seeds, connector=network, cluster_name="green"):  # type: ignore[arg-type]
                pytest.fail("there is no such cluster")


def _switch(own, other, own_port: int, other_port: int):
    async def connect(host: str, port: int, tls_name: str | None) -> object:
        if port == own_port:
            return await other(host, other_port, tls_name)
        return await own(host, port, tls_name)

    return connect


# -- the tend loop ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", ["paused", "swallowed"])
async def test_stalled_node_does_not_keep_the_new_map_of_the_others_from_the_client(
    autojump_clock: MockClock, how: str
) -> None:
    async with open_scene(4, servers={"migration_time": 0.0}) as scene:
        stalled = scene.cluster.nodes[0]
        if how == "paused":
            scene.cluster.pause_node(stalled)
        else:
            scene.network.swallow(address_of(stalled))
        for step in range(6):
            # At every phase of the tend loop's round.
            await trio.sleep(2.0 + 0.17 * step)
            if step % 2:
                await scene.cluster.start_node(3)
            else:
                await scene.cluster.stop_node(3)
            while scene.cluster.losing:
                await trio.sleep(0.01)
            await trio.sleep(scene.tend_interval + 0.01)
            assert wrong_of_the_others(scene, stalled.name) == 0
            known = {node.name for node in scene.cluster.nodes if node.running}
            await trio.sleep(scene.tend_interval)
            assert set(scene.client.node_names()) == known
        if how == "swallowed":
            scene.network.reset(address_of(stalled))
        await scene.check()


def wrong_of_the_others(scene: Scene, stalled: str) -> int:
    table = scene.client._cluster.partitions.tables["test"]
    wanted = scene.cluster.tables["test"]
    masters = [wanted.master(partition) for partition in range(4096)]
    return sum(
        name != stalled and (node is None or node.name != name)
        for name, node in zip(masters, table.masters, strict=True)
    )


async def test_unsent_writes_to_a_dead_node_do_not_wait_for_a_stalled_one(autojump_clock: MockClock) -> None:
    async with open_scene(4, servers={"migration_time": 0.0}) as scene:
        stalled, dead = scene.cluster.nodes[0], scene.cluster.nodes[1]
        # The next copy becomes the master; it must not be the stalled node, which nobody can help.
        names = [
            str(number)
            for number in range(400)
            if _owners(scene, f"{number}.0") in ((dead.name, "A3"), (dead.name, "A4"))
        ]
        assert len(names) > 20
        await trio.sleep(0.5)
        scene.cluster.pause_node(stalled)
        await trio.sleep(2.0)
        await scene.cluster.stop_node(dead)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(scene.ledger.write, scene.client, name)
        assert scene.ledger.acknowledged == len(names)
        # The others noticed after a tenth of a second, and a command in a hurry has the cluster looked at every 50 ms.
        assert trio.current_time() - began < 0.3
        await scene.check()


def _owners(scene: Scene, name: str) -> tuple[str, ...]:
    key = scene.ledger.key(name)
    return scene.cluster.tables["test"].owners((key.digest[0] | key.digest[1] << 8) & 4095)


@pytest.mark.slow
async def test_node_that_refuses_for_a_while_but_is_still_listed_is_used_again(autojump_clock: MockClock) -> None:
    async with open_scene(3) as scene:
        address = address_of(scene.cluster.nodes[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.load, 4.0)
            await trio.sleep(0.5)
            scene.network.refused.add(address)
            scene.network.reset(address)
            await trio.sleep(1.5)
            scene.network.refused.clear()
            await trio.sleep(scene.tend_interval)
            failed = len(scene.ledger.failed_writes), scene.ledger.doubts
            await trio.sleep(0.5)
            assert failed == (len(scene.ledger.failed_writes), scene.ledger.doubts)
            assert len(scene.network.at(address)) > 0
        # The other copies serve the reads; a write cannot be sent to its master, which is the only one to take it
        # within the time, or is passed on by another.
        assert scene.ledger.failed_reads == []
        await scene.check()


async def test_seeds_are_asked_again_when_all_nodes_have_moved(autojump_clock: MockClock) -> None:
    async with open_scene(2) as scene:
        await scene.ledger.write(scene.client, "one")
        seeds = scene.cluster.hosts
        for node in scene.cluster.nodes:
            await scene.cluster.stop_node(node)
        await trio.sleep(8.0)
        with pytest.raises(AerospikeError):
            await scene.client.get(scene.ledger.key("one.0"))
        # They come back with their addresses swapped: whoever answers at a seed is taken for who he says he is.
        first, second = scene.cluster.nodes
        first.listen_address, second.listen_address = second.listen_address, first.listen_address
        first.addresses, second.addresses = [first.listen_address], [second.listen_address]
        for node in scene.cluster.nodes:
            await scene.cluster.start_node(node)
        await scene.cluster.wait_stable()
        await trio.sleep(2 * scene.tend_interval)
        assert {(info.host, info.port) for info in scene.client.nodes()} == set(seeds)
        await scene.check()
