"""The block that owns a client: what comes out of it, and that nothing outlives it."""

import pytest
import trio
import trio.testing

from tests.unit.cluster.scripted import ScriptedCluster, after, scripted_client, stall
from trio_aerospike import Client, ReadPolicy, WritePolicy, errors, open_client

KEY = ("test", "s", 1)


@pytest.fixture
def cluster(nursery):
    return ScriptedCluster(nursery)


def opened(cluster, **fields):
    return open_client("127.0.0.1:3000", connector=cluster.connector, **fields)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("mine"),
        ValueError(),
        StopIteration(),
        StopAsyncIteration(),
        KeyboardInterrupt(),
        SystemExit(3),
        ExceptionGroup("mine", [ValueError(), KeyError()]),
        ExceptionGroup("one of mine", [ValueError()]),
        ExceptionGroup("nested", [ExceptionGroup("inner", [KeyError()])]),
        BaseExceptionGroup("base", [KeyboardInterrupt()]),
        errors.RecordNotFound("mine"),
        trio.TooSlowError(),
        trio.BrokenResourceError(),
    ],
    ids=repr,
)
async def test_what_the_body_raises_comes_out_as_it_was(cluster, error):
    with pytest.raises(type(error)) as caught:
        async with opened(cluster):
            raise error
    assert caught.value is error
    assert caught.value.__cause__ is None


async def test_an_error_raised_in_a_nursery_of_the_body_keeps_that_nurserys_group_only(cluster):
    async def fail():
        raise KeyError

    with pytest.raises(ExceptionGroup) as caught:
        async with opened(cluster):
            async with trio.open_nursery() as inner:
                inner.start_soon(fail)
    [error] = caught.value.exceptions
    assert isinstance(error, KeyError)


async def test_an_error_of_a_command_comes_out_as_itself(cluster):
    with pytest.raises(errors.InvalidArgError):
        async with opened(cluster) as client:
            await client.get(("", "s", 1))


async def test_cancelled_stays_cancelled(autojump_clock, cluster):
    with trio.move_on_after(5) as scope:
        with pytest.raises(trio.Cancelled):
            async with opened(cluster):
                await trio.sleep_forever()
        await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(trio.TooSlowError), trio.fail_after(5):
        async with opened(cluster) as client:
            cluster.node.default = stall
            await client.get(KEY, policy=ReadPolicy(total_timeout=None, socket_timeout=None))


async def test_a_cancelled_body_still_has_its_client_for_a_shielded_cleanup(autojump_clock, cluster):
    living = trio.lowlevel.current_statistics().tasks_living
    answered = []

    async def cleaning(client, number):
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)  # several rounds of the tend loop
                await client.put(("test", "s", number), {"a": 1})
                answered.append(number)

    with trio.move_on_after(5) as scope:
        async with opened(cluster) as client, trio.open_nursery() as workers:
            for number in range(3):
                workers.start_soon(cleaning, client, number)
            try:
                await trio.sleep_forever()
            finally:
                assert client.is_connected()
                with pytest.raises(trio.Cancelled):
                    await client.put(KEY, {"a": 1})  # what is not shielded is cancelled as ever
    assert scope.cancelled_caught
    assert sorted(answered) == [0, 1, 2]
    assert not client.is_connected()
    assert trio.lowlevel.current_statistics().tasks_living == living


@pytest.mark.parametrize("tasks", [0, 1, 3])
async def test_the_body_is_cancelled_when_what_runs_the_client_fails_and_that_comes_out(cluster, tasks):
    async def crash(*_):
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a bug")

    living = trio.lowlevel.current_statistics().tasks_living
    try:
        async with opened(cluster) as client:
            client._cluster.in_background(crash)
            if not tasks:
                await trio.sleep_forever()
            async with trio.open_nursery() as nursery:
                for _ in range(tasks):
                    nursery.start_soon(trio.sleep_forever)
    except BaseException as error:
        raised = error
    assert repr(raised) == "RuntimeError('a bug')"
    assert trio.lowlevel.current_statistics().tasks_living == living


async def test_a_scope_within_the_body_catches_what_is_its_own(autojump_clock, cluster):
    cluster.node.default = after(100.0)
    async with opened(cluster) as client:
        with trio.move_on_after(1) as scope:
            await client.get(KEY, policy=ReadPolicy(total_timeout=None))
        assert scope.cancelled_caught


async def test_leaving_the_block_leaves_no_task_and_no_connection(autojump_clock):
    living = trio.lowlevel.current_statistics().tasks_living
    for leave in ("normally", "by an error", "cancelled"):
        with trio.CancelScope() as scope:
            try:
                async with scripted_client(nodes=2, min_conns_per_node=3) as (client, cluster):
                    await client.put(KEY, {"a": 1})
                    if leave == "by an error":
                        raise KeyError
                    if leave == "cancelled":
                        scope.cancel()
                        await trio.lowlevel.checkpoint()
            except* KeyError:
                pass
        assert trio.lowlevel.current_statistics().tasks_living == living
        assert all(wire.closed for node in cluster.nodes for wire in node.wires)


async def test_a_closed_client_says_so(cluster):
    async with opened(cluster) as client:
        pass
    sent = len(cluster.requests)
    for command in (
        lambda: client.get(KEY),
        lambda: client.put(KEY, {"a": 1}),
        lambda: client.batch_read([KEY]),
        lambda: client.info_all("status"),
    ):
        with pytest.raises(errors.ClientClosed):
            await command()
    assert not await client.ping()
    assert not client.is_connected()
    assert client.node_names() == []
    assert len(cluster.requests) == sent


async def test_closing_ends_what_is_under_way(autojump_clock, cluster):
    cluster.node.default = stall
    ended = {}

    async def run(name, command):
        with pytest.raises(errors.ClientClosed) as caught:
            await command()
        ended[name] = caught.value

    async with opened(cluster, max_conns_per_node=1) as client:
        async with trio.open_nursery() as inner:
            policy = WritePolicy(total_timeout=None)
            inner.start_soon(run, "sent", lambda: client.put(KEY, {"a": 1}, policy=policy))
            await trio.testing.wait_all_tasks_blocked()
            inner.start_soon(run, "waits for room", lambda: client.batch_read([KEY]))
            await trio.testing.wait_all_tasks_blocked()
            inner.start_soon(run, "waits behind it", lambda: client.put(KEY, {"a": 1}, policy=policy))
            await trio.testing.wait_all_tasks_blocked()
            client.close()
    assert ended.keys() == {"sent", "waits for room", "waits behind it"}
    assert ended["sent"].in_doubt
    assert not ended["waits behind it"].in_doubt


async def test_commands_are_under_way_until_nobody_waits_for_them(autojump_clock, cluster):
    cluster.node.default = stall
    async with opened(cluster, max_conns_per_node=1) as client:
        assert not client.has_commands_under_way()
        async with trio.open_nursery() as inner:
            inner.start_soon(client.get, KEY)
            await trio.testing.wait_all_tasks_blocked()
            assert client.has_commands_under_way()
            inner.start_soon(client.batch_read, [KEY])  # waits for room
            await trio.testing.wait_all_tasks_blocked()
            inner.cancel_scope.cancel()
        assert not client.has_commands_under_way()


async def test_a_client_is_made_by_open_client_and_by_nothing_else():
    with pytest.raises(TypeError, match="open_client"):
        Client(None, None, None)  # type: ignore[arg-type]


async def test_no_seed_that_answers_is_an_error_of_its_own_and_leaves_nothing(autojump_clock):
    async def refuse(host, port, tls_name):
        await trio.lowlevel.checkpoint()
        raise ConnectionRefusedError(f"{host}:{port} refused")

    living = trio.lowlevel.current_statistics().tasks_living
    with pytest.raises(errors.ClusterError, match=r"(?s)one:1.*refused.*two:2.*refused"):
        async with open_client(["one:1", "two:2"], connector=refuse):
            pytest.fail("not reached")
    assert trio.lowlevel.current_statistics().tasks_living == living


async def test_opening_can_be_cancelled(autojump_clock):
    async def never(host, port, tls_name):
        await trio.sleep_forever()

    living = trio.lowlevel.current_statistics().tasks_living
    with trio.move_on_after(0.1) as scope:
        async with open_client("one:1", connector=never):
            pytest.fail("not reached")
    assert scope.cancelled_caught
    assert trio.lowlevel.current_statistics().tasks_living == living
