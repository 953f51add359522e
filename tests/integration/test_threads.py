"""Commands of threads on borrowed connections, over TCP: what they give, how they fail, and what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trustme

import trio_aerospike as aero
from tests.integration.stage import BAD, KEY, SCENARIOS, Stage, descriptors, outcome
from tests.timing import Stopwatch, stopwatch
from trio_aerospike import ReadPolicy, WritePolicy, operations as op
from trio_aerospike._cluster.connections import blocking_connection as blocking, leases
from trio_aerospike._wire import frames, pipeline
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.messages import Message, encode_message
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import Fault, Reply
from trio_aerospike.threads import ThreadCommands

ONCE = ReadPolicy(max_retries=0)


class ThreadStage(Stage):
    """With the client's commands for threads."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = ThreadCommands(self.client, self._cross)

    def _cross(self, function: Callable[..., Any], /, *args: Any) -> Any:
        self.crossings += 1
        return self.in_trio(function, *args)

    def wait(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.commands.wait(getattr(self.commands, name)(*args, **kwargs))


@pytest.fixture
def stages() -> Iterator[Callable[..., ThreadStage]]:
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> ThreadStage:
            made = ThreadStage(**{"timeout": 5.0} | options)
            stack.callback(made.end)
            return made

        yield make


@pytest.fixture
def stage(stages: Callable[..., ThreadStage]) -> ThreadStage:
    stage = stages()
    stage.warm_up()
    return stage


def elapsed(function: Callable[[], object], error: type[BaseException]) -> tuple[Stopwatch, Any]:
    with stopwatch() as took, pytest.raises(error) as caught:
        function()
    return took, caught.value


# -- what they give ----------------------------------------------------------------------------------------------------


def test_every_command_does_what_the_clients_does_without_a_crossing(stage):
    wait = stage.wait
    wait("put", KEY, {"a": 1, "s": "mid", "l": [1, {"x": b"y"}]}, ttl=100)
    record = wait("get", KEY)
    assert dict(record) == {"a": 1, "s": "mid", "l": [1, {"x": b"y"}]} and 98 <= record.ttl <= 100
    assert dict(wait("select", KEY, ["a"])) == {"a": 1}
    assert wait("exists", KEY).generation == record.generation
    assert wait("exists", ("test", "threads", "none")) is None
    wait("append", KEY, "s", ">")
    wait("prepend", KEY, "s", "<")
    wait("increment", KEY, "a", 41)
    wait("touch", KEY, ttl=200)
    assert wait("operate", KEY, [op.read("s"), op.increment("a", 1), op.read("a")])["a"] == 43
    assert wait("operate", KEY, [op.read("s")])["s"] == "<mid>"
    assert wait("operate_ordered", KEY, [op.read("s"), op.read("a")]).ordered == [("s", "<mid>"), ("a", 43)]
    wait("remove_bin", KEY, ["l"])
    wait("remove", KEY)
    for command in ("get", "remove", "touch"):
        with pytest.raises(aero.RecordNotFound) as caught:
            wait(command, KEY)
        assert (caught.value.node, caught.value.attempts, caught.value.in_doubt) == (stage.node.name, 1, False)
    with pytest.raises(aero.InvalidArgError):
        wait("put", KEY, {"a": object()})
    assert stage.crossings == 0
    stage.check_counts()


class Gone:
    """A socket whose peer was lost after the last look at it."""

    def setsockopt(self, *args: object) -> None: ...

    def send(self, data: bytes) -> int:
        raise BrokenPipeError("the peer is gone")


def test_a_write_that_nothing_was_sent_of_is_no_write_in_doubt_but_one_for_trio(stage):
    before = stage.wait("get", KEY).generation
    [link] = stage.leases._resting
    link._sock = Gone()
    link._unread = bool  # it broke after it was looked at
    stage.wait("put", KEY, {"a": 1}, policy=WritePolicy(max_retries=0))
    assert stage.crossings == 1
    assert stage.wait("get", KEY).generation == before + 1


def test_the_first_command_goes_through_trio_and_the_next_ones_do_not(stages):
    stage = stages()
    stage.wait("put", KEY, {"a": 1})
    assert stage.crossings == 1
    stage.until(lambda: stage.leases._resting)
    for _ in range(20):
        stage.wait("get", KEY)
    assert stage.crossings == 1 and stage.leases.lent == 1


def test_a_coroutine_of_something_else_is_refused(stage):
    async def suspended() -> None:
        future: asyncio.Future[None] = asyncio.Future(loop=loop)
        await future

    with contextlib.closing(asyncio.new_event_loop()) as loop, pytest.raises(RuntimeError, match="it belongs to"):
        stage.commands.wait(suspended())
    with pytest.raises(aero.ClientError, match="no event loop is running here"):
        stage.commands.wait(stage.client.get(KEY))


def test_many_threads_get_their_own_answers_and_no_more_connections_than_allowed(stages):
    stage = stages(max_conns_per_node=6, conn_pools_per_node=2)
    peak = 0

    def work(name: int) -> None:
        nonlocal peak
        for turn in range(60):
            key = aero.Key("test", "threads", f"{name}-{turn % 7}")
            stage.wait("put", key, {"who": name, "turn": turn})
            assert dict(stage.wait("get", key)) == {"who": name, "turn": turn}
            peak = max(peak, sum(pool.total for pool in stage.node.pools))

    with ThreadPoolExecutor(12) as executor:
        list(executor.map(work, range(12)))
    assert stage.leases.lent > 0
    assert peak <= 6 and stage.cluster.nodes[0].stats.command_connections_peak <= 6
    stage.check_counts()


def test_records_of_a_megabyte_and_packed_answers(stage):
    blob = os.urandom(900_000)
    stage.wait("put", KEY, {"blob": blob})
    assert stage.wait("get", KEY)["blob"] == blob
    packed = compress_frame(encode_frame(PROTO_MESSAGE, encode_message(Message(generation=77))))
    stage.script(Reply(packed))
    assert stage.wait("get", KEY).generation == 77
    assert stage.crossings == 0


# -- how they fail -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[ThreadStage]:
    stage = ThreadStage(timeout=5.0, tend_interval=0.05)
    try:
        yield stage
    finally:
        stage.end()


@pytest.mark.parametrize("retries", [0, 1, 2])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failure_ends_as_it_does_in_trio(shared, scenario, retries):
    """The same error, doubt, attempts and requests, whether a thread sends a command or Trio does."""
    stage = shared
    times: dict[str, Any] = {"total_timeout": 2.0, "socket_timeout": 0.06, "max_retries": retries}
    for command, policy in (("get", ReadPolicy(**times)), ("put", WritePolicy(**times))):
        args = (KEY,) if command == "get" else (KEY, {"a": 2})
        stage.script()
        stage.warm_up()
        seen = stage.script(*SCENARIOS[scenario])
        in_thread = outcome(lambda: stage.wait(command, *args, policy=policy))  # noqa: B023
        sent = len(seen)
        stage.script()
        stage.wait("get", KEY)
        seen = stage.script(*SCENARIOS[scenario])
        method = getattr(stage.client, command)
        in_trio = outcome(lambda: stage.in_trio(lambda: method(*args, policy=policy)))  # noqa: B023
        assert (in_thread, sent) == (in_trio, len(seen))
        if in_thread != ("done",) and len(SCENARIOS[scenario]) == 1:
            assert in_thread[2] == (command == "put" and scenario not in ("overload", "hot key", "refused"))
    stage.script()
    stage.check_counts()


@pytest.mark.parametrize("field", ["total_timeout", "socket_timeout"])
def test_timeouts_are_kept(stage, field):
    stage.script(then=Fault.SILENCE)
    times: dict[str, Any] = {"total_timeout": None, "socket_timeout": None, "max_retries": 0} | {field: 0.3}
    for command, policy in (("get", ReadPolicy(**times)), ("put", WritePolicy(**times))):
        stage.script()
        stage.warm_up()
        stage.script(then=Fault.SILENCE)
        args = (KEY,) if command == "get" else (KEY, {"a": 2})
        took, error = elapsed(
            lambda: stage.wait(command, *args, policy=policy),  # noqa: B023
            aero.AerospikeTimeoutError,
        )
        assert took.within(0.3, 0.4)
        assert f"{field}=0.3 s" in str(error) and error.in_doubt == (command == "put")
        assert stage.crossings == 0


def test_the_total_timeout_covers_all_attempts(stage):
    stage.script(then=Fault.SILENCE)
    policy = ReadPolicy(total_timeout=0.3, socket_timeout=0.12, max_retries=9)
    took, error = elapsed(lambda: stage.wait("get", KEY, policy=policy), aero.AerospikeTimeoutError)
    assert took.within(0.3, 0.4) and error.attempts == 3


@pytest.mark.usefixtures("mean_delays")
def test_the_server_is_told_what_time_is_left(stage):
    seen = stage.script(ResultCode.TIMEOUT)
    stage.wait("get", KEY, policy=ReadPolicy(total_timeout=0.8, sleep_between_retries=0.1))
    assert seen[0].transaction_ttl in (799, 800) and 500 < seen[1].transaction_ttl <= 700
    stage.wait("get", KEY, policy=ReadPolicy(total_timeout=None))
    assert seen[2].transaction_ttl == 0x7FFFFFFF


@pytest.mark.usefixtures("mean_delays")
def test_a_pause_between_attempts_that_leaves_no_time_is_not_made(stage):
    stage.script(Fault.RESET)
    policy = ReadPolicy(total_timeout=0.5, sleep_between_retries=0.6)
    took, _ = elapsed(lambda: stage.wait("get", KEY, policy=policy), aero.ConnectionFailed)
    assert took.within(0.0, 0.2)


def test_a_read_goes_to_another_copy_when_the_first_is_silent(stages):
    stage = stages(nodes=2)
    stage.warm_up()
    stage.cluster.node(stage.node.name).pause()
    policy = ReadPolicy(total_timeout=3.0, socket_timeout=0.1, max_retries=1)
    with stopwatch() as took:
        assert stage.wait("get", KEY, policy=policy)["a"] == 1
    assert took.within(0.1, 0.3)


def test_signals_all_the_time_do_not_prolong_a_wait_for_ever(stages):
    stage = stages(idle_timeout=0.4)
    stage.warm_up()
    stage.script(then=Fault.SILENCE)
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        policy = ReadPolicy(total_timeout=0.1, max_retries=0)
        took, _ = elapsed(lambda: stage.wait("get", KEY, policy=policy), aero.AerospikeTimeoutError)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert took.within(0.1, 0.6)


# -- logins ------------------------------------------------------------------------------------------------------------


def test_lent_connections_are_logged_in_and_given_up_when_the_session_ends(stages):
    stage = stages(users={"ann": "secret"})
    stage.warm_up(2)
    assert stage.wait("get", KEY)["a"] == 1
    assert stage.crossings == 0
    resting = set(stage.leases._resting)
    stage.script(ResultCode.EXPIRED_SESSION, ResultCode.EXPIRED_SESSION)
    assert stage.wait("get", KEY)["a"] == 1
    stage.script()
    assert not resting & set(stage.leases._resting)
    stage.warm_up()
    assert stage.wait("get", KEY)["a"] == 1
    assert stage.crossings == 0


# -- limits ------------------------------------------------------------------------------------------------------------


def test_who_waits_for_room_gets_what_is_lent(stages):
    stage = stages(max_conns_per_node=2)
    stage.in_trio(stage.client.put, KEY, {"a": 1})
    stage.now_in_trio(stage.node.pools[0].connections[0].close, None)
    stage.in_trio(stage.node.lend)
    stage.in_trio(stage.node.lend)
    assert stage.leases.lent == 2 == stage.node.pools[0].total
    stage.crossings = 0
    stage.cluster.nodes[0].delay = 0.1
    with ThreadPoolExecutor(4) as executor:
        reads = [executor.submit(stage.wait, "get", KEY) for _ in range(2)]
        stage.until(lambda: stage.cluster.nodes[0].stats.commands_in_flight == 2)
        batch = executor.submit(stage.in_trio, stage.client.batch_read, [KEY])
        assert all(read.result()["a"] == 1 for read in reads)
        assert batch.result(5)[0].record["a"] == 1
    assert stage.crossings == 0
    stage.cluster.nodes[0].delay = 0.0
    assert stage.cluster.nodes[0].stats.command_connections_peak <= 3  # the one that was closed above counts
    stage.check_counts()
    stage.until(lambda: stage.node.pools[0].total <= 2)
    stage.warm_up()
    stage.wait("get", KEY)
    assert stage.crossings == 0


def test_the_minimum_is_never_lent(stages):
    stage = stages(max_conns_per_node=4, min_conns_per_node=3)
    for _ in range(5):
        stage.in_trio(stage.node.lend)
    assert stage.leases.lent == 1
    assert len(stage.node.pools[0].connections) == 3
    full = stages(max_conns_per_node=3, min_conns_per_node=3)
    for _ in range(5):
        full.wait("put", KEY, {"a": 1})
    assert full.crossings == 5 and full.leases.lent == 0


def test_idle_ones_are_closed_and_the_next_command_works(stages):
    stage = stages(idle_timeout=0.15)
    stage.warm_up(3)
    stage.until(lambda: stage.leases.lent == 0)
    stage.until(lambda: stage.cluster.nodes[0].stats.command_connections_open == 0)
    assert stage.wait("get", KEY)["a"] == 1


def test_one_that_the_server_has_closed_is_noticed_before_a_write_is_entrusted_to_it(stage):
    def close_all() -> None:
        for connection in list(stage.cluster.nodes[0].connections):
            if connection.is_command:
                connection.stream.abort()

    stage.wait("get", KEY)

    stage.now_in_trio(close_all)
    stage.wait("put", KEY, {"a": 5})
    assert stage.wait("get", KEY)["a"] == 5


def test_a_frame_left_over_is_not_handed_out_and_ends_its_connection(stage):
    for _ in range(20):
        stage.warm_up()
        [link] = stage.leases._resting
        assert stage.wait("get", KEY)["a"] == 1
        stage.send_unasked()
        assert stage.wait("get", KEY)["a"] == 1
        assert link not in stage.leases._resting
    stage.check_counts()


def test_a_limit_on_operations_holds_for_threads_too(stages):
    stage = stages(max_concurrent_operations=2)
    stage.cluster.nodes[0].delay = 0.002
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda number: stage.wait("put", ("test", "threads", number), {"a": 1}), range(40)))
    assert stage.crossings == 40 and stage.leases.lent == 0
    assert stage.cluster.nodes[0].stats.commands_peak <= 2


def test_over_a_connector_of_the_users_own_everything_crosses(stages):
    stage = stages(memory=True)
    for _ in range(3):
        stage.wait("put", KEY, {"a": 1})
    assert stage.crossings == 3 and stage.leases.lent == 0 and not stage.node.lends


def test_over_tls_nothing_is_lent(stages):
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    stage = stages(server_tls=server, tls=client)
    (node,) = stage.client._cluster.active_nodes()
    stage.in_trio(node.lend)
    assert not node.may_lend and node.leases.lent == 0


# -- the end -----------------------------------------------------------------------------------------------------------


def waiting_for_ever(stage: ThreadStage, executor: ThreadPoolExecutor, command: str, *args: Any) -> Any:
    seen = stage.script(then=Fault.SILENCE)
    kind = WritePolicy if command == "put" else ReadPolicy
    policy = kind(total_timeout=None, socket_timeout=None)
    future = executor.submit(stage.wait, command, *args, policy=policy)
    stage.until(lambda: seen)
    return future


@pytest.mark.parametrize("command", ["get", "put"])
def test_closing_the_client_ends_commands_under_way_and_refuses_later_ones(stage, command):
    with ThreadPoolExecutor(1) as executor:
        future = waiting_for_ever(stage, executor, command, KEY, *([{"a": 1}] if command == "put" else []))
        stage.now_in_trio(stage.client.close)
        with pytest.raises(aero.ClientClosed) as caught:
            future.result(5)
    assert caught.value.in_doubt == (command == "put")
    with pytest.raises(aero.ClientClosed):
        stage.wait("get", KEY)
    stage.end()
    with pytest.raises(aero.ClientClosed):
        stage.wait("get", KEY)


def test_a_node_that_is_removed_ends_what_waits_for_it(stages):
    stage = stages(nodes=2)
    stage.warm_up()
    with ThreadPoolExecutor(2) as executor:
        write = waiting_for_ever(stage, executor, "put", KEY, {"a": 1})
        stage.in_trio(stage.node.lend)
        read = waiting_for_ever(stage, executor, "get", KEY)
        stage.script()
        stage.now_in_trio(stage.node.remove)
        with pytest.raises(aero.ConnectionFailed) as caught:
            write.result(5)
        assert caught.value.in_doubt
        assert read.result(5)["a"] == 1


def test_a_forked_child_does_not_touch_the_parents_connections(stage):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        try:
            assert stage.leases.borrow() is None and stage.leases.lent == 0
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert stage.wait("get", KEY)["a"] == 1
    assert stage.crossings == 0


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_an_interrupt_at_any_step_costs_a_connection_at_the_most(stage):
    """KeyboardInterrupt before each instruction: never a wrong answer, nothing lost and nothing counted twice."""
    modules = (leases, blocking, pipeline, frames, sys.modules[ThreadCommands.__module__])
    files = [module.__file__ for module in modules]
    steps = 0

    def trace(frame: Any, event: str, arg: object) -> Any:
        nonlocal steps
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps -= 1
            if steps < 0:
                raise KeyboardInterrupt
        return trace

    def interrupted_get() -> Any:
        """The record or None; in a thread that ends with it, since such interrupts leave its exception state behind."""
        sys.settrace(trace)
        try:
            return stage.wait("get", KEY)
        except KeyboardInterrupt:
            return None
        finally:
            sys.settrace(None)

    other = aero.Key("test", "threads", "other")
    for interrupted in range(2000):
        stage.warm_up()
        stage.wait("put", KEY, {"n": interrupted})
        steps = interrupted
        with ThreadPoolExecutor(1) as executor:
            record = executor.submit(interrupted_get).result(10)
        if record is not None:
            assert record["n"] == interrupted
            if steps >= 0:
                break
        stage.wait("put", other, {"o": interrupted})
        assert stage.wait("get", KEY)["n"] == interrupted
        assert stage.wait("get", other)["o"] == interrupted
    assert 200 < interrupted < 1999
    assert stage.leases.lent <= leases.MAX_LEASED
    stage.check_counts()


def test_nothing_is_left_open():
    warm = ThreadStage()
    warm.end()
    before = descriptors()
    stage = ThreadStage(timeout=5.0)
    stage.warm_up(4)
    with ThreadPoolExecutor(4) as executor:
        stage.script(Fault.RESET, Fault.SILENCE, Reply(BAD), Fault.CLOSE)
        policy = ReadPolicy(max_retries=0, total_timeout=0.05)
        for future in [executor.submit(stage.wait, "get", KEY, policy=policy) for _ in range(4)]:
            assert future.exception() is not None
        stage.script()
        stage.warm_up(4)
        futures = [waiting_for_ever(stage, executor, "get", KEY) for _ in range(2)]
        stage.end()
        assert all(isinstance(future.exception(5), aero.ClientClosed) for future in futures)
    del futures, future
    assert descriptors() == before
