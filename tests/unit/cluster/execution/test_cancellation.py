"""Cancel commands at every step that any task takes while they run: nothing may be lost, and nothing left behind."""

import gc
import weakref

import pytest
import trio
import trio.testing

from tests.unit.cluster.scripted import after, code, drop, lines_of, ok, pools_of, scripted_client
from trio_aerospike import ReadPolicy, WritePolicy, errors, operations as op
from trio_aerospike._cluster.connections.request import Request

KEY = ("test", "s", 1)
MANY = [("test", "s", number) for number in range(10)]
PATIENT = ReadPolicy(total_timeout=30.0, socket_timeout=0.1, max_retries=5, sleep_between_retries=0.05)


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope at the n-th step of any task; counts on so that one knows when n was past the end."""

    def __init__(self, scope, step, before):
        self.scope = scope
        self.left = step
        self.before = before

    def count(self):
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()

    def before_task_step(self, task):
        if self.before:
            self.count()

    def after_task_step(self, task):
        if not self.before:
            self.count()


async def cancelled_at(step, before, command, groups=False):
    """Run a command and cancel it at a step; returns whether it was still at work then."""
    scope = trio.CancelScope()
    instrument = CancelAtStep(scope, step, before)
    outcome: list[object] = []

    async def run():
        with scope:
            try:
                await command()
            except trio.Cancelled:
                outcome.append("cancelled")
                raise
            except BaseExceptionGroup as group:
                outcome.append("cancelled" if groups and group.split(trio.Cancelled)[1] is None else group)
                raise
            except BaseException as error:
                outcome.append(error)
            else:
                outcome.append("done")

    trio.lowlevel.add_instrument(instrument)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
    finally:
        trio.lowlevel.remove_instrument(instrument)
    [end] = outcome
    assert end in ("cancelled", "done"), end
    assert scope.cancelled_caught == (end == "cancelled")
    return end == "cancelled"


async def assert_nothing_is_left(client, cluster):
    """Once everything sent has been answered: empty lines, no slot taken, and the next commands work."""
    await trio.sleep(2.0)
    assert set(lines_of(client)) <= {(0, 0.0, 0)}
    for pool in pools_of(client):
        assert (len(pool.waiting), pool.opening) == (0, 0)
        assert len(pool.connections) <= pool.limit
    if client._executor.limiter is not None:
        assert client._executor.limiter.borrowed_tokens == 0
    assert all(node.in_flight == 0 for node in cluster.nodes)
    await client.put(KEY, {"a": 1})
    assert [result.result_code for result in await client.batch_read(MANY)] == [0] * len(MANY)


COMMANDS = {
    "get": (lambda client: client.get(KEY), []),
    "put": (lambda client: client.put(KEY, {"a": 1}), []),
    "operate": (lambda client: client.operate(KEY, [op.increment("n", 1), op.read("n")]), []),
    "batch_read": (lambda client: client.batch_read(MANY), []),
    "batch_read of two nodes": (lambda client: client.batch_read(MANY), [after(0.1)]),
    "info_all": (lambda client: client.info_all("status"), []),
    "get that is slow": (lambda client: client.get(KEY), [after(0.2)]),
    "get that is retried": (
        lambda client: client.get(KEY, policy=PATIENT),
        [code(18), drop, code(11), after(0.15), ok],
    ),
    "batch_read that is retried": (lambda client: client.batch_read(MANY), [drop, ok]),
}


@pytest.mark.parametrize("before", [True, False], ids=["before steps", "after steps"])
@pytest.mark.parametrize("limit", [0, 1], ids=["unlimited", "limited"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_cancelled_at_any_step_leaves_nothing_behind(autojump_clock, name, limit, before):
    command, script = COMMANDS[name]
    fields = {"max_concurrent_operations": limit, "max_conns_per_node": 1, "tend_interval": 0.25}
    async with scripted_client(nodes=2, split="two nodes" in name, **fields) as (client, cluster):
        await assert_nothing_is_left(client, cluster)
        for step in range(1, 1000):
            for node in cluster.nodes:
                node.script.clear()
            cluster.node.script.extend(script)
            count = len(cluster.requests)
            going = await cancelled_at(step, before, lambda: command(client))
            if name in ("put", "operate"):
                await trio.sleep(1.0)
                assert len(cluster.requests) - count <= 1  # a write is sent once or not at all
            cluster.node.script.clear()
            await assert_nothing_is_left(client, cluster)
            if not going:
                break
        else:
            pytest.fail("the command never came to its end")
        assert step > 2


@pytest.mark.parametrize("name", ["get", "put", "operate", "batch_read"])
async def test_the_first_command_of_a_client_cancelled_at_any_step_leaves_nothing_behind(autojump_clock, name):
    """Here the connection is opened meanwhile."""
    command, _ = COMMANDS[name]
    living = trio.lowlevel.current_statistics().tasks_living
    step = 0
    going = True
    while going:
        step += 1
        async with scripted_client(max_conns_per_node=1, max_concurrent_operations=1) as (client, cluster):
            going = await cancelled_at(step, True, lambda client=client: command(client))
            await assert_nothing_is_left(client, cluster)
        assert trio.lowlevel.current_statistics().tasks_living == living
    assert step > 5


async def test_many_commands_cancelled_at_any_step_of_a_busy_pool(autojump_clock):
    """Neighbours in the same lines are not harmed, and get their own answers."""
    async with scripted_client(max_conns_per_node=2) as (client, cluster):
        for step in range(1, 120, 3):
            results: list[int] = []

            async def neighbour(results=results):
                for _ in range(3):
                    results.append((await client.get(KEY)).generation)

            async def victims():
                async with trio.open_nursery() as inner:
                    for number in range(8):
                        if number % 4 == 3:
                            inner.start_soon(client.batch_read, MANY)
                        else:
                            inner.start_soon(client.get, KEY)

            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(neighbour)
                await cancelled_at(step, True, victims, groups=True)
            assert results == [1] * 12
            await assert_nothing_is_left(client, cluster)


async def test_a_command_entered_in_a_cancelled_scope_sends_nothing(autojump_clock):
    async with scripted_client() as (client, cluster):
        commands = [
            lambda: client.get(KEY),
            lambda: client.select(KEY, ["a"]),
            lambda: client.exists(KEY),
            lambda: client.put(KEY, {"a": 1}),
            lambda: client.append(KEY, "a", "x"),
            lambda: client.increment(KEY, "a"),
            lambda: client.touch(KEY),
            lambda: client.remove(KEY),
            lambda: client.remove_bin(KEY, ["a"]),
            lambda: client.operate(KEY, [op.read("a")]),
            lambda: client.operate_ordered(KEY, [op.write("a", 1)]),
            lambda: client.batch_read(MANY),
        ]
        for command in commands:
            for deadline in (None, trio.current_time()):
                with trio.CancelScope() as scope:
                    if deadline is None:
                        scope.cancel()
                    else:
                        scope.deadline = deadline
                    await command()
                    pytest.fail("the command ran")
                assert scope.cancelled_caught
        assert not cluster.requests


@pytest.mark.parametrize("name", ["get", "put", "operate"])
async def test_cancelled_passes_through_as_it_is(autojump_clock, name):
    command, _ = COMMANDS[name]
    async with scripted_client() as (client, cluster):
        cluster.node.default = after(0.5)
        with trio.move_on_after(0.1) as scope:
            with pytest.raises(trio.Cancelled) as caught:
                await command(client)
            raise caught.value
        assert scope.cancelled_caught


async def test_a_shielded_cleanup_may_use_the_client(autojump_clock):
    async with scripted_client() as (client, cluster):
        with trio.move_on_after(0.1) as scope:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await client.put(KEY, {"a": 1})
        assert scope.cancelled_caught
        assert len(cluster.requests) == 1


async def test_a_cancelled_write_may_be_applied_and_is_not_sent_again(autojump_clock):
    async with scripted_client() as (client, cluster):
        with trio.CancelScope() as scope:

            async def cancel_soon():
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()

            cluster.node.default = after(0.5)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_soon)
                await client.put(KEY, {"a": 1}, policy=WritePolicy(max_retries=5, total_timeout=30.0))
        assert scope.cancelled_caught
        await trio.sleep(60)
        assert len(cluster.requests) == 1


async def test_requests_are_forgotten_once_they_have_ended(autojump_clock, monkeypatch):
    alive: weakref.WeakSet[Request] = weakref.WeakSet()

    class Watched(Request):
        __slots__ = ("__weakref__",)

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            alive.add(self)

    monkeypatch.setattr("trio_aerospike._cluster.execution.single.Request", Watched)
    monkeypatch.setattr("trio_aerospike._cluster.execution.batch.Request", Watched)
    async with scripted_client(max_conns_per_node=1) as (client, cluster):
        cluster.node.default = after(0.01)
        async with trio.open_nursery() as nursery:
            for _ in range(60):
                nursery.start_soon(client.get, KEY)
                nursery.start_soon(client.batch_read, MANY)
            await trio.sleep(0.05)
            assert alive
            nursery.cancel_scope.cancel()
        cluster.node.default = ok
        await trio.sleep(2.0)
        with pytest.raises(errors.InvalidArgError):
            await client.put(KEY, {"a" * 16: 1})
        gc.collect()
        assert not list(alive)
