"""Where programs call from: event loops, web servers, threads, forked children, a dying interpreter."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

import aerospike_py as aerospike
from aerospike_py._runtime import session as _session
from tests.compat.background import BackgroundCluster
from tests.timing import stopwatch
from trio_aerospike.testing import UserSpec


@pytest.fixture
def config(shared_cluster: BackgroundCluster) -> dict[str, Any]:
    return {"hosts": shared_cluster.hosts}


@pytest.fixture
def key() -> tuple[str, str, str]:
    return ("test", "environments", uuid.uuid4().hex)


def connections(cluster: BackgroundCluster) -> int:
    return cluster.total("connections_open")


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether ``condition`` comes true in time; for what other threads and sockets do."""
    done = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        done.wait(0.01)
    return True


# -- asyncio -----------------------------------------------------------------------------------------------------------


def test_a_thousand_tasks_of_one_loop(config: dict[str, Any], key: Any):
    namespace, set_name, stem = key

    async def main() -> None:
        async with await aerospike.AsyncClient(config).connect() as client:
            keys = [(namespace, set_name, f"{stem}{i}") for i in range(1000)]
            await asyncio.gather(*[client.put(each, {"i": i}) for i, each in enumerate(keys)])
            records = await asyncio.gather(*[client.get(each) for each in keys])
            assert [record.bins for record in records] == [{"i": i} for i in range(1000)]

    asyncio.run(main())


def test_the_event_loop_goes_on_while_commands_wait(start_cluster: Callable[..., BackgroundCluster], key: Any):
    cluster = start_cluster()

    async def main() -> None:
        async with await aerospike.AsyncClient({"hosts": cluster.hosts}).connect() as client:
            await client.put(key, {"a": 1})
            await asyncio.to_thread(cluster.set, delay=0.3)
            task = asyncio.ensure_future(client.get(key))
            beats = 0
            while not task.done():
                await asyncio.sleep(0.01)
                beats += 1
            assert (await task).bins == {"a": 1}
            assert beats >= 10

    asyncio.run(main())


def test_cancelling_the_task_cancels_the_command(start_cluster: Callable[..., BackgroundCluster], key: Any):
    cluster = start_cluster()

    async def main() -> None:
        config = {"hosts": cluster.hosts, "max_concurrent_operations": 1}
        async with await aerospike.AsyncClient(config).connect() as client:
            await client.put(key, {"a": 1})
            gate = trio.Event()

            async def hold(kind: str, request: object) -> None:
                if kind == "message":
                    await gate.wait()

            await asyncio.to_thread(cluster.set, on_request=hold)
            patient = {"total_timeout": 60_000, "socket_timeout": 0}
            slow = asyncio.ensure_future(client.get(key, patient))
            assert await asyncio.to_thread(wait_until, lambda: cluster.total("commands_in_flight") == 1)
            waiting = asyncio.ensure_future(client.put(key, {"a": 2}, None, patient))
            native: Any = client
            limiter = native._native._executor.limiter
            assert await asyncio.to_thread(wait_until, lambda: limiter.statistics().tasks_waiting == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await slow
            await asyncio.to_thread(cluster.run_sync, gate.set)
            # Neither holds the one slot any more, and the write that was waiting for it was never sent.
            assert (await client.get(key, patient)).bins == {"a": 1}

    asyncio.run(main())


def test_cancelling_connect_leaves_nothing_behind():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        client = aerospike.AsyncClient({"hosts": [silent.getsockname()], "timeout": 60_000})

        async def main() -> None:
            for _ in range(2):  # a cancelled one can be tried again
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await client.connect()
                peer = silent.accept()[0]
                with peer:
                    peer.settimeout(5)
                    while peer.recv(4096):
                        pass  # until the other side has closed

        asyncio.run(main())
        assert not client.is_connected()


def test_one_client_in_two_event_loops(config: dict[str, Any], key: Any):
    client = aerospike.AsyncClient(config)
    asyncio.run(client.connect())
    asyncio.run(client.put(key, {"a": 1}))
    results: list[Any] = []

    async def work() -> None:
        results.extend(await asyncio.gather(*[client.get(key) for _ in range(200)]))

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.bins for record in results] == [{"a": 1}] * 400
    asyncio.run(client.close())


def test_a_loop_that_ends_with_commands_under_way_does_no_harm(
    start_cluster: Callable[..., BackgroundCluster], key: Any
):
    cluster = start_cluster()
    client = aerospike.AsyncClient({"hosts": cluster.hosts})

    async def leave() -> None:
        await client.connect()
        await client.put(key, {"a": 1})
        await asyncio.to_thread(cluster.set, delay=0.2)
        tasks = [asyncio.ensure_future(client.get(key)) for _ in range(50)]
        await asyncio.sleep(0)
        assert not tasks[0].done()

    asyncio.run(leave())
    cluster.set(delay=0.0)
    assert asyncio.run(client.get(key)).bins == {"a": 1}
    asyncio.run(client.close())


def test_without_an_event_loop_the_error_says_what_to_do():
    async def main() -> None:
        client = aerospike.AsyncClient({"hosts": [("127.0.0.1", 3000)]})
        with pytest.raises(aerospike.ClientError, match=r"running asyncio loop.*trio_aerospike\.open_client"):
            await client.connect()

    trio.run(main)


# -- a web application -------------------------------------------------------------------------------------------------


def test_inside_a_running_fastapi_application(config: dict[str, Any], key: Any):
    fastapi = pytest.importorskip("fastapi")
    httpx = pytest.importorskip("httpx")
    uvicorn = pytest.importorskip("uvicorn")
    from contextlib import asynccontextmanager

    client = aerospike.AsyncClient(config)
    started = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        await client.connect()
        started.set()
        yield
        await client.close()

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.put("/users/{name}/{age}")
    async def write(name: str, age: int) -> None:
        await client.put((key[0], key[1], key[2] + name), {"age": age})

    @app.get("/users/{name}")
    async def read(name: str) -> dict[str, Any]:
        try:
            return (await client.get((key[0], key[1], key[2] + name))).bins or {}
        except aerospike.RecordNotFound:
            raise fastapi.HTTPException(404) from None

    async def main() -> None:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            serving = asyncio.ensure_future(server.serve(sockets=[listener]))
            await started.wait()
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=base, timeout=30) as web:
                assert (await web.get("/users/nobody")).status_code == 404
                writes = await asyncio.gather(*[web.put(f"/users/u{i}/{i}") for i in range(50)])
                assert {response.status_code for response in writes} == {200}
                reads = await asyncio.gather(*[web.get(f"/users/u{i}") for i in range(50)])
                assert [response.json()["age"] for response in reads] == list(range(50))
            server.should_exit = True
            await serving
        assert not client.is_connected()

    asyncio.run(main())


# -- threads -----------------------------------------------------------------------------------------------------------


def test_many_threads_at_once_share_a_client(config: dict[str, Any], key: Any):
    namespace, set_name, stem = key
    wrong: list[Any] = []

    with aerospike.client(config).connect() as client:

        def work(number: int) -> None:
            for i in range(50):
                each = (namespace, set_name, f"{stem}-{number}-{i}")
                client.put(each, {"n": number, "i": i})
                bins = client.get(each).bins
                if bins != {"n": number, "i": i}:
                    wrong.append((each, bins))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_closing_ends_the_commands_of_other_threads_that_do_not_finish(
    start_cluster: Callable[..., BackgroundCluster], key: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_session, "FINISHING", 0.2)
    cluster = start_cluster()
    client = aerospike.client({"hosts": cluster.hosts}).connect()
    client.put(key, {"a": 1})
    cluster.set(delay=30.0)
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(client.get(key, {"total_timeout": 60_000}))
        except aerospike.ClientError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert wait_until(lambda: cluster.total("commands_in_flight") == 1)
    client.close()
    thread.join(5)
    assert isinstance(outcome[0], aerospike.ClientError)


@pytest.mark.parametrize("warm", [False, True])
def test_closing_lets_the_commands_of_other_threads_finish(
    start_cluster: Callable[..., BackgroundCluster], key: Any, warm: bool
):
    cluster = start_cluster()
    client = aerospike.client({"hosts": cluster.hosts}).connect()
    client.put(key, {"a": 1})
    for _ in range(20 if warm else 0):
        client.get(key)
    cluster.set(delay=0.4)
    patient = {"total_timeout": 10_000, "socket_timeout": 10_000}
    calls: list[Callable[[], Any]] = [
        lambda: client.get(key, patient).bins,
        lambda: client.batch_read([key], None, patient).to_list()[0],
        lambda: client.query(key[0], key[1]).results(patient)[0].bins,
    ]
    with ThreadPoolExecutor(3) as pool:
        outcomes = [pool.submit(call) for call in calls]
        assert wait_until(lambda: cluster.total("commands_in_flight") >= len(calls))
        closing = pool.submit(client.close) if warm else None
        if closing is None:
            client.close()
        else:
            assert wait_until(lambda: not client.is_connected())
            with pytest.raises(aerospike.ClientError, match="not connected"):
                client.get(key)
            assert not closing.done()
        assert [outcome.result() for outcome in outcomes] == [{"a": 1}] * 3
    assert wait_until(lambda: connections(cluster) == 0)


@pytest.mark.parametrize("warm", [False, True])
def test_closing_lets_the_commands_of_other_tasks_finish(
    start_cluster: Callable[..., BackgroundCluster], key: Any, warm: bool
):
    cluster = start_cluster()

    async def main() -> None:
        client = await aerospike.AsyncClient({"hosts": cluster.hosts}).connect()
        await client.put(key, {"a": 1})
        for _ in range(20 if warm else 0):
            await asyncio.gather(*(client.get(key) for _ in range(20)))
        cluster.set(delay=0.05)
        gets = [asyncio.create_task(client.get(key, {"total_timeout": 10_000})) for _ in range(20)]
        rows = asyncio.create_task(client.batch_read([key], None, {"total_timeout": 10_000}))
        await asyncio.sleep(0)
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        with pytest.raises(aerospike.ClientError, match="not connected"):
            await client.get(key)
        await closing
        assert [record.bins for record in await asyncio.gather(*gets)] == [{"a": 1}] * 20
        assert (await rows).to_list() == [{"a": 1}]

    asyncio.run(main())
    assert wait_until(lambda: connections(cluster) == 0)


def test_closing_ends_the_commands_of_other_tasks_that_do_not_finish(
    start_cluster: Callable[..., BackgroundCluster], key: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_session, "FINISHING", 0.2)
    cluster = start_cluster()

    async def main() -> None:
        client = await aerospike.AsyncClient({"hosts": cluster.hosts}).connect()
        await client.put(key, {"a": 1})
        for _ in range(20):
            await client.get(key)
        cluster.set(delay=30.0)
        policy = {"total_timeout": 60_000, "socket_timeout": 60_000, "max_retries": 0}
        calls = [client.get(key, policy), client.batch_read([key], None, policy)]
        tasks = [asyncio.create_task(call) for call in calls]
        abandoned = asyncio.create_task(client.get(key, policy))
        assert await asyncio.to_thread(wait_until, lambda: cluster.total("commands_in_flight") == 3)
        abandoned.cancel()
        with stopwatch() as took:
            await client.close()
        assert took.within(0.15, 2)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(outcome, aerospike.ClientError) for outcome in outcomes] == [True, True]

    asyncio.run(main())


def test_closing_does_not_wait_for_what_has_been_cancelled(start_cluster: Callable[..., BackgroundCluster], key: Any):
    cluster = start_cluster()

    async def main() -> None:
        client = await aerospike.AsyncClient({"hosts": cluster.hosts}).connect()
        await client.put(key, {"a": 1})
        for _ in range(20):
            await client.get(key)
        cluster.set(delay=30.0)
        tasks = [asyncio.create_task(client.get(key, {"total_timeout": 0, "socket_timeout": 0})) for _ in range(3)]
        assert await asyncio.to_thread(wait_until, lambda: cluster.total("commands_in_flight") == 3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with stopwatch() as took:
            await client.close()
        assert took.within(0.0, 1)

    asyncio.run(main())


def test_a_loop_that_ended_with_commands_under_way_keeps_no_client_open(
    start_cluster: Callable[..., BackgroundCluster], key: Any
):
    cluster = start_cluster()
    client = aerospike.AsyncClient({"hosts": cluster.hosts})

    async def leave() -> None:
        await client.connect()
        await client.put(key, {"a": 1})
        for _ in range(20):
            await client.get(key)
        cluster.set(delay=30.0)
        asyncio.get_running_loop().create_task(client.get(key, {"total_timeout": 0, "socket_timeout": 0}))
        assert await asyncio.to_thread(wait_until, lambda: cluster.total("commands_in_flight") == 1)

    asyncio.run(leave())
    with stopwatch() as took:
        asyncio.run(client.close())
    assert took.within(0.0, 1)


def test_a_keyboard_interrupt_ends_a_blocking_command(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()
    program = textwrap.dedent(
        f"""
        import signal
        # The process that started the tests may ignore SIGINT, which children inherit.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import aerospike_py as aerospike
        client = aerospike.client({{"hosts": {cluster.hosts!r}}}).connect()
        client.put(("test", "s", 1), {{"a": 1}})
        print("ready", flush=True)
        try:
            input()
            client.get(("test", "s", 1), {{"total_timeout": 0, "socket_timeout": 0}})
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(client.ping(), flush=True)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        cluster.set(delay=30.0)
        process.stdin.write("\n")
        process.stdin.flush()
        assert wait_until(lambda: cluster.total("commands_in_flight") == 1)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.stdout.readline() == "True\n"
        assert process.wait(10) == 0


# -- clients that nobody closes ----------------------------------------------------------------------------------------


def test_a_client_that_is_dropped_is_closed_with_a_warning(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()
    client = aerospike.client({"hosts": cluster.hosts}).connect()
    assert connections(cluster) > 0
    with pytest.warns(ResourceWarning, match="never closed"):
        del client
        gc.collect()
    assert wait_until(lambda: connections(cluster) == 0)


@pytest.mark.parametrize("kind", ["sync", "asyncio", "thread"])
def test_the_interpreter_exits_at_once_with_an_open_client(start_cluster: Callable[..., BackgroundCluster], kind: str):
    cluster = start_cluster()
    program = {
        "sync": """
            client = aerospike.client(config).connect()
            print(client.ping())
        """,
        "asyncio": """
            client = aerospike.AsyncClient(config)
            asyncio.run(client.connect())
            print(asyncio.run(client.ping()))
        """,
        # A thread that the interpreter does not wait for is in the middle of a command.
        "thread": """
            client = aerospike.client(config).connect()
            print(client.ping())
            under_way = threading.Event()
            def forever():
                try:
                    while True:
                        client.get(("test", "s", 1), {"total_timeout": 0, "socket_timeout": 0})
                        under_way.set()
                except aerospike.ClientError:
                    pass
            client.put(("test", "s", 1), {"a": 1})
            threading.Thread(target=forever, daemon=True).start()
            under_way.wait()
        """,
    }[kind]
    source = "import asyncio, threading, time\nimport aerospike_py as aerospike\n"
    source += f"config = {{'hosts': {cluster.hosts!r}}}\n" + textwrap.dedent(program)
    with stopwatch() as took:
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    assert took.within(0.0, 10)
    assert wait_until(lambda: connections(cluster) == 0)


def test_a_blocking_client_works_in_exit_handlers(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()
    source = textwrap.dedent(
        f"""
        import atexit
        import aerospike_py as aerospike
        client = aerospike.client({{"hosts": {cluster.hosts!r}}})
        atexit.register(lambda: (client.close(), print("early")))   # runs after the portal has stopped
        client.connect()
        atexit.register(lambda: print(client.ping()))               # runs before
        """
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nearly\n", "")


# -- fork --------------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], object]) -> str:
    """What ``work`` returns or raises in a forked child, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            try:
                result = repr(work())
            except BaseException as error:
                result = f"{type(error).__name__}: {error}"
            os.write(writer, result.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        result = pipe.read().decode()
    os.waitpid(child, 0)
    return result


def sockets_to(port: int) -> int:
    """How many of this process's sockets are connected to a port."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            peer = socket.socket(fileno=int(number))
        except OSError:
            continue  # no socket
        try:
            found += peer.getpeername()[1] == port
        except (OSError, IndexError):
            pass
        finally:
            peer.detach()
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
class TestFork:
    def test_a_client_connected_before_refuses_in_the_child(self, config: dict[str, Any], key: Any):
        with aerospike.client(config).connect() as client:
            client.put(key, {"a": 1})
            refusal = in_child(lambda: client.get(key))
            assert refusal.startswith("ClientError: ")
            assert "before the process forked" in refusal
            assert in_child(lambda: (client.is_connected(), client.ping())) == "(False, False)"
            assert in_child(client.close) == "None"
            # The parent's client has not noticed.
            assert client.get(key).bins == {"a": 1}

    def test_an_asyncio_client_connected_before_refuses_in_the_child(self, config: dict[str, Any], key: Any):
        client = aerospike.AsyncClient(config)
        asyncio.run(client.connect())
        asyncio.run(client.put(key, {"a": 1}))
        assert "before the process forked" in in_child(lambda: asyncio.run(client.get(key)))
        assert asyncio.run(client.get(key)).bins == {"a": 1}
        asyncio.run(client.close())

    def test_the_child_connects_clients_of_its_own(self, config: dict[str, Any], key: Any):
        with aerospike.client(config).connect() as client:
            client.put(key, {"a": 1})

            def work() -> Any:
                with aerospike.client(config).connect() as own:
                    sync = own.get(key).bins

                async def main() -> Any:
                    async with await aerospike.AsyncClient(config).connect() as own:
                        return (await own.get(key)).bins

                with client.connect():
                    again = client.get(key).bins
                return sync, asyncio.run(main()), again

            assert in_child(work) == "({'a': 1}, {'a': 1}, {'a': 1})"
            assert client.get(key).bins == {"a": 1}

    def test_inherited_sockets_are_closed_and_the_servers_hear_nothing_of_it(
        self, start_cluster: Callable[..., BackgroundCluster], key: Any
    ):
        cluster = start_cluster()
        with aerospike.client({"hosts": cluster.hosts, "min_conns_per_node": 3}).connect() as client:
            client.put(key, {"a": 1})
            before = connections(cluster)

            port = cluster.hosts[0][1]
            assert sockets_to(port) >= 4
            assert in_child(lambda: sockets_to(port)) == "0"
            assert connections(cluster) >= before
            assert client.get(key).bins == {"a": 1}

            # One of them in the hands of a thread that is waiting for an answer.
            cluster.run_sync(cluster.cluster.pause_node, 0)
            answers: list[Any] = []
            policy = {"total_timeout": 60_000, "socket_timeout": 0}
            thread = threading.Thread(target=lambda: answers.append(client.get(key, policy)))
            thread.start()
            assert in_child(lambda: sockets_to(port)) == "0"
            cluster.run_sync(cluster.cluster.resume_node, 0)
            thread.join()
            assert answers[0].bins == {"a": 1}

    def test_a_connection_that_is_being_made_is_closed_in_the_child_as_well(
        self, start_cluster: Callable[..., BackgroundCluster], key: Any
    ):
        cluster = start_cluster(users={"ann": UserSpec("secret", roles=("read-write",))})
        port = cluster.hosts[0][1]
        config = {"hosts": cluster.hosts, "user": "ann", "password": "secret", "timeout": 30_000}
        with aerospike.client(config).connect() as client:
            client.put(key, {"a": 1})
            gate = trio.Event()
            logins: list[object] = []

            async def slow(kind: str, request: object) -> None:
                if kind == "admin":
                    logins.append(request)
                await gate.wait()

            cluster.set(on_request=slow)
            policy = {"total_timeout": 60_000, "socket_timeout": 0}
            bins: list[Any] = []
            threads = [threading.Thread(target=lambda: bins.append(client.get(key, policy).bins)) for _ in range(4)]
            for thread in threads:
                thread.start()
            assert wait_until(lambda: bool(logins), 30)
            assert in_child(lambda: sockets_to(port)) == "0"
            cluster.run_sync(gate.set)
            for thread in threads:
                thread.join()
            assert bins == [{"a": 1}] * 4

    def test_multiprocessing_workers_forked_under_load(self, config: dict[str, Any], key: Any):
        stop = threading.Event()
        with aerospike.client(config).connect() as client:
            client.put(key, {"a": 1})

            def load() -> None:
                while not stop.is_set():
                    client.get(key)

            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()

            def work() -> Any:
                with aerospike.client(config).connect() as own:
                    return own.get(key).bins

            try:
                assert [in_child(work) for _ in range(5)] == ["{'a': 1}"] * 5
            finally:
                stop.set()
                for thread in threads:
                    thread.join()

    def test_a_child_that_ends_normally_is_quiet(self, start_cluster: Callable[..., BackgroundCluster]):
        cluster = start_cluster()
        source = textwrap.dedent(
            f"""
            import os, sys
            import aerospike_py as aerospike
            client = aerospike.client({{"hosts": {cluster.hosts!r}}}).connect()
            client.ping()
            child = os.fork()
            if child == 0:
                try:
                    client.ping() or client.get(("test", "s", 1))
                except aerospike.ClientError as error:
                    print("child", "forked" in str(error), flush=True)
                sys.exit(0)
            print("parent", os.waitpid(child, 0)[1], client.ping(), flush=True)
            """
        )
        done = subprocess.run([sys.executable, "-X", "dev", "-c", source], capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stdout) == (0, "child True\nparent 0 True\n")
        assert done.stderr == ""
