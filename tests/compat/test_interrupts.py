"""KeyboardInterrupt anywhere: the client that was interrupted and all others of the process go on working."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py._runtime import portal as portal_module
from aerospike_py._runtime.portal import Portal, get_portal
from tests.compat.background import BackgroundCluster
from tests.compat.test_environments import connections, wait_until
from tests.interrupting import Interrupter

KEY = ("test", "interrupts", "key")
#: The modules that connect and close a client.
CONNECTION = ("_sync/lifecycle.py", "_client_base.py", "_runtime/session.py", "_runtime/backends.py")


async def echo(value: Any) -> Any:
    return value


def in_another_thread(function: Callable[[], Any]) -> Any:
    """Return the function's result; fail if it hangs."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(10)
    assert results, "the call has not come back"
    return results[0]


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    portal.start()
    portal.call(echo, 0)
    yield portal
    portal.stop(10.0)


def steps(*files: str, opcodes: bool = True) -> Iterator[Interrupter]:
    """Interrupters for each step, until the code that is to be interrupted has come to its end."""
    for step in itertools.count():
        interrupter = Interrupter(step, *files, opcodes=opcodes)
        yield interrupter
        if interrupter.place is None:
            assert step, "the code was not traced at all"
            return


def test_a_blocking_call_interrupted_at_any_bytecode_leaves_a_portal_that_hears(portal: Portal):
    for interrupter in steps("_runtime/portal.py", "_runtime/calls.py"):
        interrupted = False
        with interrupter:
            try:
                assert portal.call(echo, 1) == 1
            except KeyboardInterrupt:
                interrupted = True
        assert interrupted == (interrupter.place is not None)
        assert in_another_thread(lambda: portal.call(echo, 2)) == 2, interrupter.place


def test_a_detached_call_interrupted_at_any_bytecode_leaves_a_portal_that_hears(portal: Portal):
    for interrupter in steps("_runtime/portal.py", "_runtime/calls.py"):
        with interrupter:
            try:
                portal.detach(echo, 1)
            except KeyboardInterrupt:
                pass
        assert in_another_thread(lambda: portal.call(echo, 2)) == 2, interrupter.place


def test_a_call_of_an_event_loop_interrupted_at_any_bytecode_leaves_a_portal_that_hears(portal: Portal):
    loop = asyncio.new_event_loop()

    def run(tasks: list[asyncio.Task[Any]]) -> None:
        loop.run_until_complete(asyncio.wait_for(asyncio.wait(tasks), 10))

    try:
        for interrupter in steps("_runtime/portal.py", "_runtime/calls.py"):
            calls = [loop.create_task(portal.call_async(echo, value)) for value in range(3)]
            with interrupter:
                try:
                    run(calls)
                except KeyboardInterrupt:
                    pass
            later = loop.create_task(portal.call_async(echo, 4))
            run([*calls, later])
            assert later.result() == 4, interrupter.place
            # All but the one that was interrupted have what they asked for.
            errors = [call.exception() for call in calls]
            assert len([error for error in errors if error is not None]) <= 1, interrupter.place
            assert all(error is None or type(error) is KeyboardInterrupt for error in errors), interrupter.place
    finally:
        loop.close()


def test_the_portal_starts_at_whatever_bytecode_its_first_start_was_interrupted(monkeypatch: pytest.MonkeyPatch):
    before = threading.active_count()
    for interrupter in steps("_runtime/portal.py", "_runtime/calls.py"):
        monkeypatch.setattr(portal_module, "_portal", None)
        with interrupter:
            try:
                get_portal()
            except KeyboardInterrupt:
                pass
        portal = get_portal()
        assert in_another_thread(lambda: portal.call(echo, 1)) == 1, interrupter.place  # noqa: B023
        portal.stop(10.0)
        assert wait_until(lambda: threading.active_count() == before), interrupter.place
        atexit.unregister(portal.stop)


def test_connecting_interrupted_at_any_line_leaves_nothing_behind(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()
    for interrupter in steps(*CONNECTION, opcodes=False):
        client = aerospike.client({"hosts": cluster.hosts})
        with interrupter:
            try:
                client.connect()
            except KeyboardInterrupt:
                client.close()
                assert wait_until(lambda: connections(cluster) == 0), interrupter.place
        if not client.is_connected():
            client.connect()
        client.put(KEY, {"a": 1})
        client.close()
    assert wait_until(lambda: connections(cluster) == 0)


def test_closing_interrupted_at_any_line_closes(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()
    client = aerospike.client({"hosts": cluster.hosts})
    for interrupter in steps(*CONNECTION, opcodes=False):
        client.connect()
        with interrupter:
            try:
                client.close()
            except KeyboardInterrupt:
                pass
        client.close()
        assert wait_until(lambda: connections(cluster) == 0), interrupter.place


@contextlib.contextmanager
def portal_held() -> Iterator[None]:
    """The portal's thread does nothing meanwhile, so that nothing crosses."""
    held, go = threading.Event(), threading.Event()

    async def hold() -> None:
        held.set()
        go.wait()

    get_portal().detach(hold)
    assert held.wait(10)
    try:
        yield
    finally:
        go.set()


#: More than a query has in store: its connection is left unread until the reader goes on, or the query is closed.
LARGE = [(("test", "interrupted", number), {"blob": bytes(900_000)}) for number in range(6)]


def queries_open(client: Any) -> int:
    """The number of connections on which a query's answer is in flight."""
    nodes = client._native._cluster.active_nodes()
    return sum(connection.exclusive for node in nodes for pool in node.pools for connection in list(pool.connections))


def test_a_query_interrupted_while_it_is_closed_is_closed(shared_cluster: BackgroundCluster):
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        for key, bins in LARGE:
            client.put(key, bins)
        query = client.query("test", "interrupted")
        for interrupter in steps("_sync/query.py", "_runtime/portal.py", "_runtime/calls.py", opcodes=False):

            def stop(record: Any) -> bool:
                assert queries_open(client)
                interrupter.__enter__()  # noqa: B023
                return False

            try:
                query.foreach(stop)
            except KeyboardInterrupt:
                pass
            finally:
                interrupter.__exit__()
            assert wait_until(lambda: queries_open(client) == 0), interrupter.place


def test_a_query_cancelled_twice_is_closed(shared_cluster: BackgroundCluster):
    async def main() -> None:
        async with aerospike.AsyncClient({"hosts": shared_cluster.hosts}) as client:
            await client.connect()
            for key, bins in LARGE:
                await client.put(key, bins)
            task: asyncio.Task[None]

            async def cancelled(record: Any) -> None:
                assert queries_open(client)
                task.cancel()
                try:
                    await asyncio.sleep(10)
                finally:
                    stack.enter_context(portal_held())
                    asyncio.get_running_loop().call_soon(task.cancel)

            foreach: Any = client.query("test", "interrupted").foreach
            with contextlib.ExitStack() as stack:
                task = asyncio.create_task(foreach(cancelled))
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await asyncio.to_thread(wait_until, lambda: queries_open(client) == 0)

    asyncio.run(main())


def test_a_client_outlives_event_loops_and_keeps_none(shared_cluster: BackgroundCluster):
    client = aerospike.AsyncClient({"hosts": shared_cluster.hosts})
    loops = []

    async def use() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        if not client.is_connected():
            await client.connect()
        await asyncio.gather(*[client.put((*KEY[:2], number), {"a": number}) for number in range(50)])
        records = await asyncio.gather(*[client.get((*KEY[:2], number)) for number in range(50)])
        assert [record.bins["a"] for record in records if record.bins is not None] == list(range(50))
        left = [asyncio.ensure_future(client.get(KEY)) for _ in range(5)]  # cancelled at the end of the loop
        await asyncio.sleep(0)
        assert left

    for _ in range(3):
        asyncio.run(use())
        gc.collect()
        # A call that is under way in the portal refers to its loop until it has ended.
        assert wait_until(lambda: gc.collect() >= 0 and loops[-1]() is None)
    asyncio.run(client.close())


def test_a_cancelled_close_closes(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()

    async def main() -> None:
        client = aerospike.AsyncClient({"hosts": cluster.hosts})
        await client.connect()
        with portal_held():
            task = asyncio.ensure_future(client.close())
            await asyncio.sleep(0)
            task.cancel()  # before the portal has heard of it
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await asyncio.to_thread(wait_until, lambda: connections(cluster) == 0)

    asyncio.run(main())
