"""Any number of tasks read one stream, on a mock clock: no result is lost or doubled, whichever task is cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeAlias

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import AerospikeTimeoutError, BackpressureError, Client, errors, open_client, predicates
from trio_aerospike._cluster.execution import retry_rules as retry
from trio_aerospike._commands.aggregate import Values
from trio_aerospike.indexes import IndexType
from trio_aerospike.query import QueryPolicy
from trio_aerospike.server import EmbeddedCluster, Fault, open_embedded_cluster

SET = "shared"
COUNT = 40
#: A frame of a query holds a few of these, so that readers meet at the edges of frames.
DATA = b"x" * 5000

Stream: TypeAlias = AbstractAsyncContextManager[Any]


def keys() -> Iterator[Any]:
    return (("test", SET, number) for number in range(COUNT))


def rows() -> Iterator[Any]:
    return ((key, {"n": key[2], "data": DATA}) for key in keys())


STREAMS: dict[str, Callable[[Client], Stream]] = {
    "get_many": lambda client: client.get_many(keys(), in_flight=8),
    "put_many": lambda client: client.put_many(rows(), in_flight=8),
    "scan": lambda client: client.query("test", SET),
    "query": lambda client: client.query("test", SET, where=predicates.between("n", 0, COUNT)),
}


def number_of(item: Any) -> int:
    """Return the number of the record that a reader got."""
    if hasattr(item, "result_code"):
        assert item.ok, item
        return int(item.key.user_key)
    return int(item["n"])


@asynccontextmanager
async def filled(**config: Any) -> AsyncIterator[tuple[Client, EmbeddedCluster]]:
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector, **config) as client:
            await client.batch_write(list(rows()))
            await (await client.create_index("test", SET, "n", "shared_n", IndexType.NUMERIC)).wait(30)
            yield client, cluster


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope before the n-th step of one task."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.task: trio.lowlevel.Task | None = None
        self.scope = trio.CancelScope()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("readers", [2, 30])
async def test_each_item_goes_to_one_reader_and_all_stop_at_the_end(
    autojump_clock: MockClock, kind: str, readers: int
) -> None:
    async with filled() as (client, _):
        found: Counter[int] = Counter()
        busy = set()

        async def read(stream: Any, reader: int) -> None:
            async for item in stream:
                found[number_of(item)] += 1
                busy.add(reader)
                await trio.sleep(0.01)

        with trio.fail_after(60):
            async with STREAMS[kind](client) as stream, trio.open_nursery() as nursery:
                for reader in range(readers):
                    nursery.start_soon(read, stream, reader)
        assert found == Counter(range(COUNT))
        assert len(busy) > readers // 3, "the work is shared"


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("limit", [0, 1])
async def test_a_reader_that_is_cancelled_at_any_step_loses_nothing(
    autojump_clock: MockClock, kind: str, limit: int
) -> None:
    async with filled(max_concurrent_operations=limit) as (client, _):
        for step in range(1, 400):
            found: Counter[int] = Counter()
            instrument = CancelAtStep(step)

            async def read(stream: Any, scope: trio.CancelScope, found: Counter[int] = found) -> None:
                with scope:
                    async for item in stream:
                        found[number_of(item)] += 1

            async def victim(stream: Any, instrument: CancelAtStep = instrument) -> None:
                instrument.task = trio.lowlevel.current_task()
                await read(stream, instrument.scope)

            trio.lowlevel.add_instrument(instrument)
            try:
                with trio.fail_after(60):
                    async with STREAMS[kind](client) as stream, trio.open_nursery() as nursery:
                        nursery.start_soon(victim, stream)
                        nursery.start_soon(read, stream, trio.CancelScope())
                        nursery.start_soon(read, stream, trio.CancelScope())
            finally:
                trio.lowlevel.remove_instrument(instrument)
            assert found == Counter(range(COUNT)), f"cancelled at step {step}"
            if instrument.left > 0:
                break
        else:
            raise AssertionError("the victim never came to the end of the stream")
        assert step > 2


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_lone_reader_goes_on_after_it_gave_up_waiting(autojump_clock: MockClock, kind: str) -> None:
    async with filled() as (client, cluster):
        for node in cluster.nodes:
            node.delay = 0.01
        found: Counter[int] = Counter()
        gave_up = 0
        async with STREAMS[kind](client) as stream:
            while True:
                item = None
                with trio.move_on_after(0.003) as scope:
                    item = await anext(stream, "end")
                gave_up += scope.cancelled_caught
                if item == "end":
                    break
                if item is not None:
                    found[number_of(item)] += 1
        assert gave_up
        assert found == Counter(range(COUNT))


@pytest.mark.parametrize("kind", STREAMS)
async def test_readers_that_wait_when_the_block_is_left_get_an_error(autojump_clock: MockClock, kind: str) -> None:
    async with filled() as (client, cluster):
        for node in cluster.nodes:
            node.on_request = stalled
        ended: list[str] = []

        async def read(stream: Any) -> None:
            try:
                async for _ in stream:
                    raise AssertionError("nothing answers")
            except trio.ClosedResourceError as error:
                ended.append(str(error))

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                with pytest.warns(errors.UnwrittenRecordsWarning) if kind == "put_many" else nullcontext():
                    async with STREAMS[kind](client) as stream:
                        for _ in range(5):
                            nursery.start_soon(read, stream)
                        await trio.sleep(0.2)
        assert len(ended) == 5 and "has been left" in ended[0]
        for node in cluster.nodes:
            node.on_request = None
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)


async def stalled(kind: str, request: Any) -> None:
    if kind == "message":
        await trio.sleep_forever()


async def fail_all(stream: Any, readers: int) -> list[BaseException]:
    """Read with some tasks and once more afterwards; returns what each got."""
    caught: list[BaseException] = []

    async def read() -> None:
        try:
            async for _ in stream:
                await trio.sleep(0.01)
        except Exception as error:
            caught.append(error)

    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for _ in range(readers):
                nursery.start_soon(read)
        await read()
    return caught


async def test_an_error_of_the_source_reaches_every_reader_and_those_that_come_later(
    autojump_clock: MockClock,
) -> None:
    def broken() -> Iterator[Any]:
        yield from keys()
        raise OSError(5, "the file ended")

    async with filled() as (client, _):
        async with client.get_many(broken(), in_flight=8) as stream:
            caught = await fail_all(stream, 4)
            assert stream.delivered == COUNT
        assert [str(error) for error in caught] == ["[Errno 5] the file ended"] * 5
        assert len(set(map(id, caught))) == 5, "each task has an error of its own"
        assert all(error.__traceback__ is not None for error in caught)


async def test_a_client_that_is_closed_ends_the_stream_for_every_reader(autojump_clock: MockClock) -> None:
    for kind in STREAMS:
        async with filled() as (client, cluster):
            for node in cluster.nodes:
                node.on_request = stalled
            async with trio.open_nursery() as nursery:
                async with STREAMS[kind](client) as stream:
                    nursery.start_soon(close_soon, client)
                    caught = await fail_all(stream, 3)
            assert {type(error) for error in caught} == {errors.ClientClosed}, kind
            assert len(caught) == 4


async def close_soon(client: Client) -> None:
    await trio.sleep(0.5)
    client.close()


async def test_a_query_that_fails_ends_for_every_reader_and_is_not_begun_again(autojump_clock: MockClock) -> None:
    async with filled() as (client, cluster):
        for node in cluster.nodes:
            node.on_request = stalled
        policy = QueryPolicy(total_timeout=2.0)
        async with client.query("test", SET, policy=policy) as records:
            caught = await fail_all(records, 3)
            assert [type(error) for error in caught] == [AerospikeTimeoutError] * 4
            assert len({str(error) for error in caught}) == 1
            for node in cluster.nodes:
                node.on_request = None
            with pytest.raises(AerospikeTimeoutError):
                await records.read_available()


async def test_a_reader_without_a_slot_in_time_is_the_only_one_that_fails(autojump_clock: MockClock) -> None:
    async with filled(max_concurrent_operations=1, operation_queue_timeout=0.5) as (client, cluster):
        found: Counter[int] = Counter()
        failed: list[BackpressureError] = []

        async def read(stream: Any) -> None:
            while True:
                try:
                    item = await anext(stream)
                except StopAsyncIteration:
                    return
                except BackpressureError as error:
                    failed.append(error)
                    return
                found[number_of(item)] += 1

        [limiter] = [client._executor.limiter]
        assert limiter is not None
        async with client.query("test", SET) as records, trio.open_nursery() as nursery:
            await limiter.acquire_on_behalf_of(nursery)
            for _ in range(3):
                nursery.start_soon(read, records)
            await trio.sleep(0.7)
            assert len(failed) == 1, "the next one waits a time of its own"
            limiter.release_on_behalf_of(nursery)
        assert len(failed) == 1
        assert found == Counter(range(COUNT))


async def test_slow_readers_stop_the_source_however_many_they_are(autojump_clock: MockClock) -> None:
    taken = 0

    def counted() -> Iterator[Any]:
        nonlocal taken
        for number in range(5000):
            taken += 1
            yield ("test", SET, number % COUNT)

    async with filled() as (client, _):
        ahead = 0

        async def read(stream: Any) -> None:
            nonlocal ahead
            async for _ in stream:
                ahead = max(ahead, taken - stream.delivered)
                await trio.sleep(1)

        with trio.fail_after(3600):
            async with client.get_many(counted(), in_flight=50) as stream, trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(read, stream)
        assert stream.delivered == 5000
        assert ahead <= 50


async def test_a_cancelled_reader_does_not_make_a_query_forget_its_retries(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_random", lambda: 0.5)  # no jitter: delays of 1 s and 2 s
    async with filled() as (client, cluster):
        asked = 0

        async def reset(kind: str, request: Any) -> Fault | None:
            nonlocal asked
            if kind == "message":
                asked += 1
                return Fault.RESET
            return None

        for node in cluster.nodes:
            node.on_request = reset
        policy = QueryPolicy(max_retries=2, sleep_between_retries=1.0)
        began = trio.current_time()
        async with client.query("test", SET, policy=policy) as records:
            with trio.fail_after(60), pytest.raises(errors.AerospikeError):
                while True:
                    with trio.move_on_after(0.3):
                        await anext(records)
        assert asked == 3 * 3, "each node is asked once and as often again as the policy says"
        assert 2.0 <= trio.current_time() - began < 10.0


async def test_an_interrupt_while_an_aggregation_is_computed_comes_out_of_its_block(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object) -> list[Any]:
        monkeypatch.setattr(Values, "_work", trio.sleep_forever)
        raise KeyboardInterrupt

    async with filled() as (client, _):
        await client.udf_put(b"function f(s) return s end", name="interrupted.lua")
        monkeypatch.setattr(Values, "_work", interrupted)
        try:
            async with client.aggregate("test", SET, "interrupted", "f", []) as values, trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(values.__anext__)
        except BaseException as error:
            raised = error
        assert type(raised) is KeyboardInterrupt
        assert len(await client.query("test", SET).results()) == COUNT
