"""Large results and event loops: what is made in which thread, and how much Python's collector has to go through.

Times would say more about the machine than about the code, so what is asserted is work: none of what takes long is done
in the thread of the loop, no stretch of it is long where it is done, and no row leaves objects that are tracked.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py._commands.usage_hints import UsageHint
from aerospike_py._conversion import results
from tests.compat.background import BackgroundCluster
from trio_aerospike._arrays.kept_answers import KeepingReader
from trio_aerospike._batch.keys import KeyColumns
from trio_aerospike.arrays import RecordColumns

COUNT = 4000
PATIENT = {"total_timeout": 120_000, "socket_timeout": 120_000}
PORTAL = "aerospike_py"


@pytest.fixture(scope="module")
def keys(shared_cluster: BackgroundCluster) -> list[Any]:
    """Keys of records that are there."""
    set_name = f"loop-{uuid.uuid4().hex[:8]}"
    keys = [("test", set_name, number) for number in range(COUNT)]
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        for begin in range(0, COUNT, 1000):
            rows = [(key, {"id": key[2], "name": f"n{key[2]}"}) for key in keys[begin : begin + 1000]]
            assert {row.result for row in client.batch_write(rows, PATIENT).batch_records} == {0}
    return keys


def in_loop(cluster: BackgroundCluster, work: Callable[[Any], Awaitable[None]]) -> None:
    async def main() -> None:
        async with aerospike.AsyncClient({"hosts": cluster.hosts}) as client:
            await client.connect()
            await work(client)

    asyncio.run(main())


@pytest.fixture
def stretches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Each stretch of work that grows with the rows: what it was, the thread, and how much of it there was."""
    noted: list[tuple[str, str, int]] = []

    def watch(owner: Any, name: str, size: Callable[..., int]) -> None:
        work = getattr(owner, name)

        def noting(*args: Any, **kwargs: Any) -> Any:
            found = work(*args, **kwargs)
            noted.append((name, threading.current_thread().name, size(found, *args)))
            return found

        monkeypatch.setattr(owner, name, noting)

    watch(KeyColumns, "__init__", lambda _, columns, *__: len(columns))
    watch(KeepingReader, "read", lambda _, __, body: len(body))
    watch(RecordColumns, "to_dict", lambda found, _: len(found))
    watch(results, "batch_rows", lambda found, *_: len(found))
    watch(results, "query_records", lambda found, *_: len(found))
    return noted


def test_a_batch_is_decoded_outside_the_loop(
    shared_cluster: BackgroundCluster, keys: list[Any], stretches: list[tuple[str, str, int]]
) -> None:
    async def work(client: Any) -> None:
        found = await client.batch_read(keys, policy=PATIENT)
        expected = {number: {"id": number, "name": f"n{number}"} for number in range(COUNT)}
        assert found.to_dict() == expected
        assert found.to_list() == list(expected.values())
        assert found.found_count() == COUNT
        assert {what for what, _, _ in stretches} == {"__init__", "read", "to_dict"}
        assert {thread for _, thread, _ in stretches} == {PORTAL}
        # One dict is ready. The next, which is the view of the mapping methods, is made of the columns.
        assert found[17] == expected[17]
        assert stretches[-1][1] != PORTAL

    in_loop(shared_cluster, work)
    # A frame is decoded in one go: no more than a fraction of the batch.
    assert max(size for what, _, size in stretches if what == "read") <= 300_000


def test_rows_are_made_outside_the_loop_once_a_program_has_asked_for_them(
    shared_cluster: BackgroundCluster, keys: list[Any], stretches: list[tuple[str, str, int]]
) -> None:
    async def work(client: Any) -> None:
        first = (await client.batch_read(keys, policy=PATIENT)).batch_records
        made_on_demand = [stretch for stretch in stretches if stretch[0] == "batch_rows"]
        assert [(thread != PORTAL, size) for _, thread, size in made_on_demand] == [(True, COUNT)]
        stretches.clear()
        later = await client.batch_read(keys, policy=PATIENT)
        assert later.batch_records == first
        assert later.batch_records is later.batch_records
        few = await client.batch_read(keys[:10], policy=PATIENT)
        assert stretches[-1][0] == "read", "a few rows are not worth it, and dicts were not asked for"
        assert few.batch_records == first[:10]

    in_loop(shared_cluster, work)
    made = [(thread, size) for what, thread, size in stretches if what == "batch_rows"][:-1]
    assert {thread for thread, _ in made} == {PORTAL}
    assert sum(size for _, size in made) == COUNT
    assert max(size for _, size in made) <= 256


def test_what_is_made_ready_follows_what_was_asked_for() -> None:
    hint = UsageHint()
    assert [hint.makes_rows(count) for count in (1000, 2000, 5000)] == [False, False, True], "nothing is known yet"
    hint.records = True
    assert [hint.makes_rows(count) for count in (1000, 2000, 5000)] == [False, False, False], "to_dict it was"
    hint.rows = True
    assert [hint.makes_rows(count) for count in (1000, 2000, 5000)] == [False, True, True]
    hint = UsageHint()
    hint.arrays = True
    assert not hint.makes_rows(5000)


def test_the_records_of_a_query_are_made_outside_the_loop_in_slices(
    shared_cluster: BackgroundCluster, keys: list[Any], stretches: list[tuple[str, str, int]]
) -> None:
    async def work(client: Any) -> None:
        found = await client.query("test", keys[0][1]).results({"total_timeout": 120_000})
        assert sorted(record.bins["id"] for record in found) == list(range(COUNT))

    in_loop(shared_cluster, work)
    assert {thread for _, thread, _ in stretches} == {PORTAL}
    assert max(size for _, _, size in stretches) <= 256


def tracked_by(make: Callable[[], Any]) -> tuple[int, Any]:
    """How many more objects the collector has to go through when something has been made."""
    gc.collect()
    before = len(gc.get_objects())
    made = make()
    gc.collect()
    return len(gc.get_objects()) - before, made


def test_a_batch_leaves_no_objects_for_the_collector_to_go_through(
    shared_cluster: BackgroundCluster, keys: list[Any]
) -> None:
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        client.batch_read(keys[:10], policy=PATIENT).to_dict()

        def read() -> Any:
            found = client.batch_read(keys, policy=PATIENT)
            return found, found.to_dict(), found.to_list()

        tracked, (found, _, _) = tracked_by(read)
        assert tracked < COUNT / 10
        # What there is to go through of rows are the named tuples that were asked for; those that are alike are one.
        tracked, _ = tracked_by(lambda: found.batch_records)
        assert COUNT * 2.9 < tracked < COUNT * 3.1


def test_the_records_of_a_query_are_two_objects_each_to_the_collector(
    shared_cluster: BackgroundCluster, keys: list[Any]
) -> None:
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        query = client.query("test", keys[0][1])
        query.results({"max_records": 10})
        tracked, found = tracked_by(lambda: query.results({"total_timeout": 120_000}))
        assert len(found) == COUNT
        assert COUNT * 1.9 < tracked < COUNT * 2.1


def test_an_event_loop_goes_on_while_large_results_arrive(shared_cluster: BackgroundCluster, keys: list[Any]) -> None:
    """A bound that a loaded machine keeps; ``make bench BENCH_ARGS='--scenarios loop'`` measures against 5 ms."""

    async def work(client: Any) -> None:
        found: list[float] = []
        finished = False

        async def watch() -> None:
            before = time.perf_counter()
            while not finished:
                await asyncio.sleep(0)
                found.append(time.perf_counter() - before)
                before = time.perf_counter()

        watching = asyncio.ensure_future(watch())
        began = time.perf_counter()
        for _ in range(3):
            await client.query("test", keys[0][1]).results(PATIENT)
            (await client.batch_read(keys, policy=PATIENT)).to_dict()
        took = time.perf_counter() - began
        finished = True
        await watching
        # Conversion in the loop itself would be two or three iterations as long as all that they wait for.
        assert sorted(found)[len(found) // 2] < 0.02
        assert len(found) > 20 * took
        assert max(found) < max(1.0, took / 2)

    in_loop(shared_cluster, work)
