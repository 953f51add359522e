"""Batches that write: retries within the time limit, rows in doubt, and an event loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import exp
from aerospike_py._conversion import results
from aerospike_py.types import BatchRetryInfo, BatchWriteResult
from tests.compat.background import BackgroundCluster
from trio_aerospike import ResultCode
from trio_aerospike.server.faults import Fault

PATIENT: dict[str, Any] = {"total_timeout": 60_000, "socket_timeout": 60_000}


class Trouble:
    """Has a node answer its first messages with faults, and counts them all."""

    def __init__(self, cluster: BackgroundCluster, *faults: Any) -> None:
        self.left = list(faults)
        self.seen = 0

        async def hook(kind: str, request: object) -> Any:
            if kind != "message":
                return None
            self.seen += 1
            return self.left.pop(0) if self.left else None

        cluster.set(on_request=hook)


@pytest.fixture
def one(start_cluster: Callable[..., BackgroundCluster], make_client: Callable[..., Any]) -> Any:
    cluster = start_cluster(nodes=1)
    return cluster, make_client(hosts=cluster.hosts).connect()


def records(count: int = 3) -> list[Any]:
    stem = uuid.uuid4().hex
    return [(("test", "writes", f"{stem}-{number}"), {"a": number}) for number in range(count)]


def test_what_fails_in_passing_is_written_again(one: Any):
    cluster, client = one
    trouble = Trouble(cluster, ResultCode.DEVICE_OVERLOAD, ResultCode.KEY_BUSY)
    written = records()
    result = client.batch_write(written, PATIENT, 5)
    assert type(result) is BatchWriteResult
    assert [row.result for row in result.batch_records] == [0, 0, 0]
    assert result.retry == BatchRetryInfo(3, 6, False, 0)
    assert trouble.seen == 3
    assert client.batch_read([key for key, _ in written]).to_list() == [bins for _, bins in written]


def test_without_retries_nothing_is_written_again(one: Any):
    cluster, client = one
    trouble = Trouble(cluster, ResultCode.DEVICE_OVERLOAD)
    with pytest.raises(aerospike.ServerError) as caught:
        client.batch_write(records(), {**PATIENT, "max_retries": 0})
    assert caught.value.result_code == aerospike.AEROSPIKE_ERR_DEVICE_OVERLOAD
    assert not caught.value.in_doubt
    assert trouble.seen == 1


def test_the_policys_own_retries_write_again_what_was_refused(one: Any):
    cluster, client = one
    trouble = Trouble(cluster, ResultCode.DEVICE_OVERLOAD, ResultCode.KEY_BUSY)
    result = client.batch_write(records(), {**PATIENT, "max_retries": 2})
    assert [row.result for row in result.batch_records] == [0, 0, 0]
    assert trouble.seen == 3


def test_what_fails_for_good_is_not_written_again(one: Any):
    cluster, client = one
    written = records()
    client.batch_write(written[:1])
    trouble = Trouble(cluster)
    result = client.batch_write(written, {**PATIENT, "exists": aerospike.POLICY_EXISTS_CREATE_ONLY}, 5)
    assert [row.result for row in result.batch_records] == [aerospike.AEROSPIKE_ERR_RECORD_EXISTS, 0, 0]
    assert result.retry == BatchRetryInfo(1, 6, False, 0)
    assert trouble.seen == 1


def test_retries_end_with_their_number_and_raise_where_nothing_was_ever_written(one: Any):
    cluster, client = one
    trouble = Trouble(cluster, *[ResultCode.DEVICE_OVERLOAD] * 50)
    with pytest.raises(aerospike.ServerError):
        client.batch_write(records(), PATIENT, 2)
    assert trouble.seen == 3


def test_retries_end_with_the_time_there_is(one: Any):
    cluster, client = one
    Trouble(cluster, *[ResultCode.KEY_BUSY] * 10_000)
    began = time.monotonic()
    with pytest.raises(aerospike.AerospikeError):
        client.batch_write(records(), {"total_timeout": 300}, 10_000)
    assert time.monotonic() - began < 30


def test_a_broken_connection_is_another_attempt(one: Any):
    cluster, client = one
    trouble = Trouble(cluster, Fault.CLOSE)
    result = client.batch_write(records(), {**PATIENT, "max_retries": 0}, 5)
    assert [(row.result, row.in_doubt) for row in result.batch_records] == [(0, False)] * 3
    assert (result.retry.attempts, trouble.seen) == (2, 2)


@pytest.mark.parametrize(
    "meta", [{"gen": 1}, {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY}], ids=["generation", "create only"]
)
def test_what_may_have_been_written_under_a_condition_is_not_written_again(one: Any, meta: Any):
    cluster, client = one
    trouble = Trouble(cluster, Fault.CLOSE)
    written = [(key, bins, meta) for key, bins in records()]
    with pytest.raises(aerospike.AerospikeError) as caught:
        client.batch_write(written, {**PATIENT, "max_retries": 0}, 5)
    assert caught.value.in_doubt
    assert trouble.seen == 1


def test_a_retry_writes_only_what_is_left(one: Any, start_cluster: Any, make_client: Any):
    cluster = start_cluster(nodes=2)
    client = make_client(hosts=cluster.hosts).connect()
    seen: list[int] = []
    left = [ResultCode.DEVICE_OVERLOAD]

    def hook_of(number: int) -> Any:
        async def hook(kind: str, request: object) -> Any:
            if kind != "message":
                return None
            seen.append(number)
            return left.pop() if number == 0 and left else None

        return hook

    for number, node in enumerate(cluster.nodes):
        cluster.run_sync(setattr, node, "on_request", hook_of(number))
    result = client.batch_write(records(200), PATIENT, 3)
    assert {row.result for row in result.batch_records} == {0}
    assert result.retry == BatchRetryInfo(2, 4, False, 0)
    assert sorted(seen) == [0, 0, 1]


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda c: c.batch_write([(("test", "s", 1),)]), r"records\[0\]: got .*\(key, bins, meta\)"),
        (lambda c: c.batch_write([(("test", "s", 1), {"a": 1}, 5)]), r"records\[0\]\[2\]: got 5"),
        (lambda c: c.batch_write([(("test", "s", 1), {"a": {1}})]), r"set"),
        (lambda c: c.batch_write({"a": 1}), r"batch_write\.records: got"),
        (lambda c: c.batch_write([], retry=-1), r"retry: got -1"),
        (lambda c: c.batch_operate([("test", "s", 1)], []), r"at least one operation"),
        (lambda c: c.batch_operate("abc", [{"op": 1}]), r"batch_operate\.keys: got 'abc'"),
        (lambda c: c.batch_remove([("test", "s")]), r"at least 3 elements"),
        (lambda c: c.batch_apply([("test", "s", 1)], "m", "f", [{1}]), r"set"),
    ],
)
def test_slips_are_refused_before_anything_is_sent(client: Any, call: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError, match=message):
        call(client)


def test_policies_of_batches_reach_the_server(client: Any):
    (key, bins), *_ = records()
    operations = [{"op": aerospike.OPERATOR_WRITE, "bin": "a", "val": 1}]
    client.batch_operate([key], operations, {"ttl": 700})
    assert 690 <= client.exists(key).meta.ttl <= 700
    create = {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY}
    assert client.batch_operate([key], operations, create).batch_records[0].result == 5
    no = exp.eq(exp.int_bin("a"), exp.int_val(99))
    assert client.batch_remove([key], {"filter_expression": no}).batch_records[0].result == 27
    assert client.batch_remove([(key, {"gen": 1})]).batch_records[0].result == 0


async def in_loop(cluster: BackgroundCluster, work: Callable[[Any], Any]) -> Any:
    async with aerospike.AsyncClient({"hosts": cluster.hosts}) as client:
        await client.connect()
        return await work(client)


def test_rows_are_not_converted_on_the_event_loop(shared_cluster: BackgroundCluster, monkeypatch: pytest.MonkeyPatch):
    threads: set[str] = set()
    for name in ("written_row", "query_records"):
        convert = getattr(results, name)

        def noting(row: Any, convert: Any = convert) -> Any:
            threads.add(threading.current_thread().name)
            return convert(row)

        monkeypatch.setattr(results, name, noting)
    written = records(2000)
    keys = [key for key, _ in written]

    async def work(client: Any) -> None:
        for result in (
            await client.batch_write(written, PATIENT),
            await client.batch_write(written, PATIENT, 1),
            await client.batch_operate(keys, [{"op": 1, "bin": "a"}], PATIENT),
            await client.batch_remove(keys[1000:], PATIENT),
        ):
            assert {row.result for row in result.batch_records} == {0}
        assert len(await client.query("test", "writes").results()) >= 1000

    asyncio.run(in_loop(shared_cluster, work))
    assert threads == {"aerospike_py"}


def test_the_event_loop_goes_on_during_a_large_batch(shared_cluster: BackgroundCluster):
    written = records(5000)

    async def work(client: Any) -> int:
        turns = 0
        task = asyncio.ensure_future(client.batch_write(written, PATIENT))
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert {row.result for row in (await task).batch_records} == {0}
        return turns

    assert asyncio.run(in_loop(shared_cluster, work)) > 20


def test_cancelling_the_task_cancels_the_batch(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster(nodes=1)

    async def work(client: Any) -> None:
        trouble = Trouble(cluster, *[ResultCode.KEY_BUSY] * 10_000)
        task = asyncio.ensure_future(client.batch_write(records(), PATIENT, 10_000))
        while trouble.seen < 2:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # One may still have been in flight. A call that continues retries after half a second at the most.
        for _ in range(8):
            seen = trouble.seen
            await asyncio.sleep(1.2)
            if trouble.seen == seen:
                return
        raise AssertionError("attempts go on")

    asyncio.run(in_loop(cluster, work))


@pytest.mark.parametrize("rows", [100, 5000])
def test_of_rows_of_one_key_the_last_wins(client: Any, rows: int):
    key = ("test", "one_key", rows)
    result = client.batch_write([(key, {"a": number}) for number in range(rows)], {"total_timeout": 60_000})
    assert {row.result for row in result.batch_records} == {0}
    assert client.get(key).bins == {"a": rows - 1}
    generations = [row.record.meta.gen for row in result.batch_records]
    assert generations == sorted(generations)
