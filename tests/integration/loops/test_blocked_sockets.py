"""A connection of an asyncio loop whose socket takes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import trio_aerospike as aero
from tests.integration.loop_stage import connections_of, fails, looped
from tests.integration.stage import KEY
from tests.timing import stopwatch
from trio_aerospike import ReadPolicy
from trio_aerospike._drivers.loop_connection import LoopConnection
from trio_aerospike.server import Fault


class Blocked:
    """Stands in for a connection's socket: takes so many bytes, and none after that until it is opened."""

    def __init__(self, connection: LoopConnection, takes: int = 0) -> None:
        self.taken = b""
        self.takes = takes
        self.largest = 0
        self.connection = connection
        self.real = connection._sock
        fake: Any = self
        connection._sock = fake

    def send(self, data: bytes) -> int:
        self.largest = max(self.largest, len(data))
        taken = min(self.takes, len(data))
        if not taken:
            raise BlockingIOError
        self.takes -= taken
        self.taken += data[:taken]
        return taken

    def recv(self, size: int) -> bytes:
        return self.real.recv(size)

    def watch(self) -> None:
        """Do not let the loop notice that the real socket takes everything."""
        asyncio.get_running_loop().remove_writer(self.connection._fileno)


@looped()
async def test_what_a_socket_does_not_take_stays_unsent_and_moves_on(stage, commands):
    (connection,) = connections_of(commands)
    blocked = Blocked(connection)
    tasks = [asyncio.ensure_future(commands.put(KEY, {"n": number})) for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    blocked.watch()
    assert not connection._pipeline.sent and connection.depth == 3
    tasks[1].cancel()
    await asyncio.sleep(0)
    seen = stage.script()
    connection.close(ConnectionResetError("gone"))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not tasks[0].exception() and not tasks[2].exception() and tasks[1].cancelled()
    assert len(seen) == 2 == stage.crossings  # each once, and without doubt


@looped()
async def test_a_failing_send_leaves_no_doubt(stage, commands):
    (connection,) = connections_of(commands)

    class Broken:
        def send(self, data: bytes) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    fake: Any = Broken()
    connection._sock = fake
    seen = stage.script()
    await commands.put(KEY, {"n": 1})
    assert len(seen) == 1 == stage.crossings


@looped()
async def test_what_gathers_behind_a_blocked_socket_is_bounded(stage, commands):
    (connection,) = connections_of(commands)
    blocked = Blocked(connection, takes=50_000)
    tasks = [asyncio.ensure_future(commands.put(KEY, {"b": b"x" * 100_000})) for _ in range(30)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(20):
        blocked.watch()
        assert (
            len(connection._pipeline._outgoing) <= 250_000
            and connection._pipeline.unsent_bytes < 1_200_000
            and connection.depth <= 20
        )
        blocked.takes = 10_000
        connection._writable()
        await asyncio.sleep(0)
    assert blocked.largest <= 250_000
    blocked.takes = 1 << 30
    connection._writable()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@looped()
async def test_what_was_made_long_ago_is_stamped_with_the_time_left_to_the_command(stage, commands):
    (connection,) = connections_of(commands)
    blocked = Blocked(connection)
    policy = ReadPolicy(total_timeout=2.0, socket_timeout=0.5)
    read = asyncio.ensure_future(commands.get(KEY, policy=policy))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    blocked.watch()
    await asyncio.sleep(0.1)
    connection._sock = blocked.real
    seen = stage.script()
    connection._writable()
    assert (await read)["a"] == 1
    assert 1700 <= seen[0].transaction_ttl <= 1900


@looped()
async def test_behind_a_head_that_is_overdue_nothing_unsent_waits(stage, commands):
    (connection,) = connections_of(commands)
    stage.script(Fault.SILENCE)
    first = asyncio.ensure_future(commands.get(KEY, policy=ReadPolicy(total_timeout=0.1, max_retries=0)))
    await stage.loop_until(lambda: connection._pipeline.sent)
    blocked = Blocked(connection)
    second = asyncio.ensure_future(commands.put(KEY, {"a": 2}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    blocked.watch()
    with stopwatch() as took:
        await second
    assert took.within(0.0, 0.5) and stage.crossings == 1
    await fails(first, aero.AerospikeTimeoutError)
    assert not connection._alive
