"""Retries of the synchronous and the asyncio client: as many attempts, and as much doubt, as in the native client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

import aerospike_py as aerospike
from aerospike_py import exception
from aerospike_py._commands.batch_writes import write_with_retries
from tests.compat.background import BackgroundCluster
from trio_aerospike import BatchPolicy, BatchResult, BatchWritePolicy, Key, ResultCode
from trio_aerospike.errors import error_from_code
from trio_aerospike.server import Fault

pytestmark = pytest.mark.usefixtures("mean_delays")

KEY = ("test", "retries", "k")
OVERLOAD, BUSY, TIMEOUT = ResultCode.DEVICE_OVERLOAD, ResultCode.KEY_BUSY, ResultCode.TIMEOUT

COMMANDS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "get": lambda client, policy: client.get(KEY, policy=policy),
    "put": lambda client, policy: client.put(KEY, {"a": 2}, policy=policy),
    "batch_read": lambda client, policy: client.batch_read([KEY], policy=policy),
    "batch_write": lambda client, policy: client.batch_write([(KEY, {"a": 2})], policy=policy),
}


async def later(hosts: list[tuple[str, int]], command: Callable[[Any, dict[str, Any]], Any], policy: Any) -> Any:
    async with await aerospike.AsyncClient({"hosts": hosts}).connect() as client:
        found = command(client, policy)
        return await found


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
@pytest.mark.parametrize("fault", [OVERLOAD, BUSY, TIMEOUT, Fault.RESET], ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_attempts_and_doubt_are_the_native_clients(
    make_client: Any, start_cluster: Any, name: str, fault: Any, colour: str
) -> None:
    cluster: BackgroundCluster = start_cluster()
    client = make_client(hosts=cluster.hosts).connect()
    client.put(KEY, {"a": 1})
    seen = 0

    async def hook(kind: str, request: object) -> Any:
        nonlocal seen
        seen += kind == "message"
        return fault if kind == "message" else None

    cluster.set(on_request=hook)
    policy = {"total_timeout": 10_000, "max_retries": 3}
    began = time.monotonic()
    with pytest.raises(exception.AerospikeError) as caught:
        if colour == "sync":
            COMMANDS[name](client, policy)
        else:
            asyncio.run(later(cluster.hosts, COMMANDS[name], policy))
    unknown = fault in (TIMEOUT, Fault.RESET)
    attempts = 1 if unknown and name == "batch_write" else 4
    assert seen == attempts
    assert caught.value.attempts == attempts and len(caught.value.history) == attempts
    assert caught.value.in_doubt == (unknown and name in ("put", "batch_write"))
    assert caught.value.retryable
    if not unknown:
        assert time.monotonic() - began >= 0.1  # 20, 30 and 50 ms


@pytest.mark.parametrize("total", [None, 1.0])
async def test_a_batch_of_writes_that_nobody_serves_is_given_up(autojump_clock: Any, total: float | None) -> None:
    class Writer:
        """Refuses each row because its partition is unavailable."""

        calls = 0

        async def batch_write(self, rows: Any, /, *, policy: Any, write_policy: Any) -> list[BatchResult]:
            await trio.lowlevel.checkpoint()
            self.calls += 1
            code = ResultCode.PARTITION_UNAVAILABLE
            return [BatchResult(key, code, None, error_from_code(code, "unavailable")) for key, _ in rows]

    writer = Writer()
    began = trio.current_time()
    rows, info = await write_with_retries(
        writer, [(Key(*KEY), {"a": 1})], BatchPolicy(total_timeout=total), BatchWritePolicy(), 3
    )
    assert trio.current_time() - began <= (10.5 if total is None else 1.1)
    assert info.attempts == writer.calls < 150
    assert [row.result_code for row in rows] == [ResultCode.PARTITION_UNAVAILABLE]
