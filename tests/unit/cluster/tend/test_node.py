"""A node: its pools and their limits, its info connections, its sweeper and its reaper."""

import math

import pytest
import trio
import trio.lowlevel
import trio.testing

from tests.unit.cluster.scripted import Wire, after, message_frame, pools_of, scripted_client, stall, when
from trio_aerospike import InfoPolicy, ReadPolicy, errors
from trio_aerospike._cluster.connections.login import Session
from trio_aerospike._cluster.connections.pool import MAX_DEPTH
from trio_aerospike._cluster.connections.request import Failure, Request
from trio_aerospike._cluster.tend.node import Node
from trio_aerospike._wire.messages import Message

KEY = ("test", "s", 1)


def request(deadline=math.inf, consume=None):
    return Request(message_frame(Message()), 3, deadline, deadline, 1.0, False, consume)


async def ended(pending):
    await pending.wait()
    return pending.failure


def make_node(open_transport, failures=None, **fields):
    fields = {
        "timeout": 1.0,
        "idle_timeout": 55.0,
        "max_connections": 4,
        "min_connections": 0,
        "pools": 1,
        "pipelined": True,
        "lends": False,
    } | fields
    return Node(
        "A1",
        "127.0.0.1",
        3000,
        tls_name=None,
        session=Session(None),
        open_transport=open_transport,
        tend_transport=Wire(),
        latency=0.0,
        on_failure=lambda node: None if failures is None else failures.append(node),
        **fields,
    )


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pools, limit", [(1, 5), (2, 5), (3, 7), (4, 4)])
async def test_the_maximum_holds_for_all_pools_together(autojump_clock, pools, limit):
    async with scripted_client(conn_pools_per_node=pools, max_conns_per_node=limit) as (client, cluster):
        cluster.node.default = after(0.05)
        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(lambda: client.get(KEY, policy=ReadPolicy(total_timeout=None)))
        assert len(cluster.node.command_wires) == limit
        assert len(cluster.node.wires) == limit + 1  # and one of the tend loop
        counts = [len(pool.connections) for pool in pools_of(client)]
        assert len(counts) == pools
        assert max(counts) - min(counts) <= 1


async def test_a_command_goes_to_a_pool_that_has_room(autojump_clock):
    async with scripted_client(conn_pools_per_node=2, max_conns_per_node=2) as (client, cluster):
        cluster.node.script.append(stall)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.batch_read, [KEY])  # has the only connection of one pool for itself
            await trio.testing.wait_all_tasks_blocked()
            began = trio.current_time()
            for _ in range(4):
                await client.get(KEY)
            assert trio.current_time() == began
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("pools", [1, 3])
async def test_the_minimum_is_there_when_the_client_is_and_again_after_idling(autojump_clock, pools):
    async with scripted_client(min_conns_per_node=5, conn_pools_per_node=pools, idle_timeout=10) as (client, cluster):
        first = cluster.node.command_wires
        assert len(first) == 5
        await trio.sleep(12)
        assert all(wire.closed for wire in first)
        assert len(cluster.node.command_wires) == 5


async def test_idle_connections_are_closed_after_idle_timeout_and_busy_ones_are_not(autojump_clock):
    async with scripted_client(idle_timeout=5.0) as (client, cluster):
        await client.batch_read([KEY])
        cluster.node.script.append(after(20.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.get(KEY, policy=ReadPolicy(total_timeout=None)))
            await trio.lowlevel.checkpoint()
            await trio.testing.wait_all_tasks_blocked()
            await client.batch_read([KEY])
            assert len(cluster.node.command_wires) == 2
            await trio.sleep(4.9)
            assert len(cluster.node.command_wires) == 2
            await trio.sleep(1.2)
            assert len(cluster.node.command_wires) == 1
            assert cluster.node.in_flight == 1
        await trio.sleep(6.1)
        assert cluster.node.command_wires == []
        await client.get(KEY)


# -- info --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0.3, 2.5])
async def test_an_info_command_ends_in_a_timeout_on_time(autojump_clock, timeout):
    async with scripted_client() as (client, cluster):

        async def slow(names):
            if "statistics" in names:
                await trio.sleep_forever()

        cluster.node.on_info = slow
        began = trio.current_time()
        with pytest.raises(errors.AerospikeTimeoutError, match="statistics"):
            await client.info_node("A1", "statistics", policy=InfoPolicy(timeout=timeout))
        assert trio.current_time() - began == pytest.approx(timeout, abs=0.001)
        assert client.is_connected()  # the tend loop asks on a connection of its own
        cluster.node.on_info = None
        assert await client.info_node("A1", "status") == "ok"


async def test_a_cancelled_info_command_leaves_the_connection_to_others(autojump_clock):
    async with scripted_client() as (client, cluster):
        go = trio.Event()

        async def slow(names):
            if "statistics" in names:
                await go.wait()

        cluster.node.on_info = slow
        with trio.move_on_after(0.1) as scope:
            await client.info_node("A1", "statistics")
        assert scope.cancelled_caught
        go.set()
        assert await client.info_node("A1", "status") == "ok"


# -- coming and going --------------------------------------------------------------------------------------------------


async def test_a_node_that_cannot_be_reached_fails_requests_and_says_so(autojump_clock):
    async def refuse():
        raise ConnectionRefusedError

    failures: list[object] = []
    node = make_node(refuse, failures)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        await node.wait_minimum()
        pending = request()
        node.submit(pending)
        assert await ended(pending) is Failure.UNREACHABLE
        assert isinstance(pending.error, ConnectionRefusedError)
        assert failures == [node]
        node.remove()


async def test_a_connection_that_does_not_open_is_given_up_after_the_timeout(autojump_clock):
    async def never():
        await trio.sleep_forever()

    node = make_node(never, timeout=0.7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        await node.wait_minimum()
        began = trio.current_time()
        pending = request()
        node.submit(pending)
        assert await ended(pending) is Failure.UNREACHABLE
        assert trio.current_time() - began == pytest.approx(0.7)
        node.remove()


async def test_a_refused_login_is_not_a_node_that_cannot_be_reached():
    async def refused():
        raise errors.AdminError("wrong password")

    failures: list[object] = []
    node = make_node(refused, failures)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        await node.wait_minimum()
        pending = request()
        node.submit(pending)
        assert await ended(pending) is Failure.REJECTED
        assert isinstance(pending.error, errors.AdminError)
        assert failures == []
        node.remove()


async def test_a_minimum_that_cannot_be_had_holds_nobody_up(autojump_clock):
    async def refuse():
        raise ConnectionRefusedError

    node = make_node(refuse, min_connections=3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        with trio.fail_after(1):
            await node.wait_minimum()
        node.remove()


async def test_removing_a_node_fails_its_requests_in_flight_and_ends_its_tasks(autojump_clock):
    wires: list[Wire] = []

    async def connect():
        wires.append(Wire())
        return wires[-1]

    node = make_node(connect, max_connections=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        await node.wait_minimum()
        pendings = [request(), request(consume=lambda body: True), request()]
        failures: list[object] = []

        async def run(pending):
            failures.append(await ended(pending))

        for pending in pendings:
            node.submit(pending)
            nursery.start_soon(run, pending)
            await trio.testing.wait_all_tasks_blocked()
        assert [pending.sent for pending in pendings] == [True, False, False]
        node.remove()
    assert failures == [Failure.BROKEN] * 3
    assert all(wire.closed for wire in wires)
    late = request()
    node.submit(late)
    assert late.failure is Failure.UNREACHABLE


async def test_over_tls_nothing_is_asked_behind_a_cancelled_info_command(autojump_clock):
    """A real server asserts that nothing stands behind a request on a TLS socket (service.c)."""
    wires = []

    async def connect():
        await trio.lowlevel.checkpoint()
        wires.append(Wire())
        return wires[-1]

    node = make_node(connect, pipelined=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        for asked in (1, 2):
            with trio.move_on_after(0.1):
                await node.info("statistics", timeout=10.0)
            assert len(wires) == asked
        assert [wire.sent.count(b"statistics") for wire in wires] == [1, 1]
        await trio.testing.wait_all_tasks_blocked()
        assert [wire.closed for wire in wires] == [True, False]
        node.remove()


async def test_info_commands_in_flight_are_bounded_by_the_queue_of_the_connection(autojump_clock):
    wires = []

    async def connect():
        await trio.lowlevel.checkpoint()
        wires.append(Wire())
        return wires[-1]

    node = make_node(connect)
    timeouts = []

    async def ask():
        with pytest.raises(errors.AerospikeTimeoutError):
            await node.info("statistics", timeout=0.5)
        timeouts.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        began = trio.current_time()
        async with trio.open_nursery() as asking:
            for _ in range(2 * MAX_DEPTH):
                asking.start_soon(ask)
        [wire] = wires
        assert wire.sent.count(b"statistics") == MAX_DEPTH
        assert timeouts == pytest.approx([began + 0.5] * 2 * MAX_DEPTH)
        node.remove()


async def test_a_node_that_is_removed_while_an_info_command_connects_leaves_nothing_open(autojump_clock):
    wires = []

    async def connect():
        await trio.sleep(0.5)
        wires.append(Wire())
        return wires[-1]

    node = make_node(connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)

        async def ask():
            with pytest.raises(errors.ConnectionFailed, match="left the cluster"):
                await node.info("status")

        nursery.start_soon(ask)
        await trio.sleep(0.2)
        node.remove()
    [wire] = wires
    assert wire.closed


# -- the sweeper -------------------------------------------------------------------------------------------------------


async def test_the_sweeper_wakes_at_deadlines_and_at_no_other_time(autojump_clock):
    async with scripted_client(tend_interval=1000.0, timeout=5.0, idle_timeout=None) as (client, cluster):
        cluster.node.default = stall
        steps: list[float] = []

        class Watch(trio.abc.Instrument):
            def after_io_wait(self, timeout):
                steps.append(round(trio.current_time() - began, 3))

        began = trio.current_time()
        watch = Watch()
        trio.lowlevel.add_instrument(watch)
        async with trio.open_nursery() as nursery:
            for total in (0.5, 0.2, 0.3):

                async def get(total=total):
                    with pytest.raises(errors.AerospikeTimeoutError):
                        await client.get(KEY, policy=ReadPolicy(total_timeout=total))

                nursery.start_soon(get)
        await trio.sleep(100)
        trio.lowlevel.remove_instrument(watch)
        # In the first moments the node is watched, so that nobody waits behind a slow request.
        assert {step for step in steps if step % 30 > 0.06} <= {0.2, 0.3, 0.5, 100.5}


async def test_a_shorter_deadline_that_comes_later_is_kept_too(autojump_clock):
    async with scripted_client() as (client, cluster):
        go = trio.Event()
        cluster.node.default = when(go)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.get(KEY, policy=ReadPolicy(total_timeout=10.0)))
            await trio.sleep(1.0)
            began = trio.current_time()
            with pytest.raises(errors.AerospikeTimeoutError):
                await client.get(KEY, policy=ReadPolicy(total_timeout=0.01))
            assert trio.current_time() - began == pytest.approx(0.01, abs=0.001)
            go.set()
