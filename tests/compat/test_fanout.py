"""``asyncio.gather`` of many commands against a server in another process: none fails, however many there are."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import sysconfig
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aerospike_py as aerospike
from tests.timing import stopwatch

COMMAND = Path(sysconfig.get_path("scripts")) / "trio-aerospike"
MANY = 20_000


@pytest.fixture
def server() -> Iterator[tuple[int, Any]]:
    """An embedded server in a process of its own, as port and process."""
    with subprocess.Popen([COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found is not None
            yield int(found[1]), process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


async def block(seconds: float, times: int) -> None:
    """Block the loop now and then, as a program's own work does."""
    for _ in range(times):
        await asyncio.sleep(0.05)
        time.sleep(seconds)  # noqa: ASYNC251 - this is what it is about


@pytest.mark.parametrize("blocked", [False, True], ids=["", "blocked"])
@pytest.mark.parametrize(("limit", "count"), [(0, MANY), (1, 2_000), (64, MANY), (1_000, MANY)])
def test_a_fan_out_loses_nothing(server: tuple[int, Any], limit: int, count: int, blocked: bool) -> None:
    set_name = uuid.uuid4().hex[:8]
    keys = [("test", set_name, number) for number in range(count)]

    async def main() -> None:
        config = {"hosts": [("127.0.0.1", server[0])], "max_concurrent_operations": limit}
        async with aerospike.AsyncClient(config) as client:
            await client.connect()
            blocker = asyncio.ensure_future(block(1.5, 2 if blocked else 0))
            await asyncio.gather(*(client.put(key, {"n": key[2]}) for key in keys))
            records = await asyncio.gather(*(client.get(key) for key in keys))
            assert [record.bins for record in records] == [{"n": number} for number in range(count)]
            await blocker

    asyncio.run(main())


@pytest.mark.parametrize("limit", [0, 2_000])
def test_a_node_that_stops_ends_what_waits_within_its_timeout(server: tuple[int, Any], limit: int) -> None:
    port, process = server

    async def main() -> None:
        config = {"hosts": [("127.0.0.1", port)], "max_concurrent_operations": limit}
        async with aerospike.AsyncClient(config) as client:
            await client.connect()
            await asyncio.gather(*(client.put(("test", "stops", number), {"n": 1}) for number in range(100)))
            process.send_signal(signal.SIGSTOP)
            with stopwatch() as took:
                tasks = [asyncio.ensure_future(client.get(("test", "stops", number % 100))) for number in range(2_000)]
                found = await asyncio.gather(*tasks, return_exceptions=True)
            assert took.within(0.0, 2.5)
            assert {type(error) for error in found} <= {aerospike.AerospikeTimeoutError}
            texts = [str(error) for error in found]
            waited = [text for text in texts if "more requests wait for it" in text]
            assert len(waited) > 500
            assert all(f"127.0.0.1:{port}" in text and "max_concurrent_operations" in text for text in waited)
            process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(10):
                while True:
                    with contextlib.suppress(aerospike.AerospikeError):
                        assert (await client.get(("test", "stops", 1))).bins == {"n": 1}
                        break

    asyncio.run(main())
