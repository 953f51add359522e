"""get_many and put_many: bounded, in any order, to the end or not; nothing of them is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from tests.unit.cluster.scripted import Request, answer, lines_of, pools_of, scripted_client, stall
from trio_aerospike import BatchPolicy, BatchWrite, Key, errors
from trio_aerospike._wire.batch_messages import decode_batch_request, encode_batch_end, encode_batch_row
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.frames import encode_frame


def key(number: int) -> Key:
    return Key("test", "s", number)


async def ok(request: Request) -> bytes:
    rows = decode_batch_request(request.message)[1]
    body = b"".join([encode_batch_row(row.index, 0, 1, 0) for row in rows])
    return encode_frame(PROTO_MESSAGE, body + encode_batch_end())


async def missing(request: Request) -> bytes:
    rows = decode_batch_request(request.message)[1]
    body = b"".join([encode_batch_row(row.index, 2, 0, 0) for row in rows])
    return encode_frame(PROTO_MESSAGE, body + encode_batch_end())


class Source:
    """Counts what is taken from it, and knows whether it was closed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0
        self.closed = False

    def plain(self) -> Iterator[Key]:
        try:
            for number in range(self.count):
                self.taken += 1
                yield key(number)
        finally:
            self.closed = True

    async def slow(self, pause: float) -> AsyncIterator[Key]:
        try:
            for number in range(self.count):
                await trio.sleep(pause)
                self.taken += 1
                yield key(number)
        finally:
            self.closed = True


@pytest.mark.parametrize("in_flight", [1, 2, 7, 64, 5000])
@pytest.mark.parametrize("nodes", [1, 3])
async def test_each_key_is_answered_once_whatever_the_number_in_flight(
    autojump_clock: Any, in_flight: int, nodes: int
) -> None:
    async with scripted_client(nodes) as (client, cluster):
        for node in cluster.nodes:
            node.default = ok
        seen = []
        async with client.get_many(map(key, range(500)), in_flight=in_flight) as results:
            async for result in results:
                assert result.ok
                seen.append(result.key.user_key)
        assert sorted(seen) == list(range(500))
        assert (results.taken, results.answered, results.delivered, results.failed) == (500, 500, 500, 0)
        assert max(len(decode_batch_request(request.message)[1]) for request in cluster.requests) <= max(
            1, min(256, in_flight)
        )


async def test_no_more_is_taken_from_the_source_than_may_be_in_flight_and_memory_stays(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        source = Source(100_000)
        ahead = 0
        async with client.get_many(source.plain(), in_flight=100) as results:
            async for _ in results:
                ahead = max(ahead, source.taken - results.delivered)
                if results.delivered == 3000:
                    break
        assert ahead <= 100
        assert source.taken <= 3100


async def test_a_consumer_that_pauses_stops_the_source(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        source = Source(1000)
        async with client.get_many(source.plain(), in_flight=50) as results:
            async for _ in results:
                if results.delivered == 1:
                    await trio.sleep(60)
                    assert source.taken == 50
        assert results.delivered == 1000


async def test_a_slow_source_waits_for_nobody(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        began = trio.current_time()
        at = []
        source = Source(5)
        async with client.get_many(source.slow(1.0)) as results:
            async for _ in results:
                at.append(round(trio.current_time() - began))
        assert at == [1, 2, 3, 4, 5], "each goes out as soon as it is there"
        assert source.closed


async def test_leaving_early_ends_the_work_and_gives_everything_back(autojump_clock: Any) -> None:
    async with scripted_client(2, max_concurrent_operations=4) as (client, cluster):
        cluster.nodes[0].default = ok
        cluster.nodes[1].default = stall
        tasks = trio.lowlevel.current_statistics().tasks_living
        source = Source(10_000)
        async with client.get_many(source.slow(0.001), in_flight=64, policy=BatchPolicy(total_timeout=5.0)) as results:
            async for _ in results:
                if results.delivered == 10:
                    break
        assert source.closed
        cluster.nodes[1].default = ok
        await trio.sleep(60)
        assert set(lines_of(client)) <= {(0, 0.0, 0)}
        assert all(not pool.waiting and not pool.opening for pool in pools_of(client))
        assert client._executor.limiter is not None and client._executor.limiter.borrowed_tokens == 0
        assert trio.lowlevel.current_statistics().tasks_living <= tasks + 2 * len(cluster.requests)
        with pytest.raises(KeyError, match="mine"):
            async with client.get_many(map(key, range(100))):
                raise KeyError("mine")


async def test_a_block_that_is_cancelled_ends_it_as_well(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = stall
        policy = BatchPolicy(total_timeout=None, socket_timeout=None)
        with trio.move_on_after(1.0) as scope:
            async with client.get_many(map(key, range(100)), policy=policy) as results:
                async for _ in results:
                    raise AssertionError("nothing answers")
        assert scope.cancelled_caught
        assert results.in_flight == 100


async def test_what_the_source_raises_comes_after_what_was_asked_for_before(autojump_clock: Any) -> None:
    def broken() -> Iterator[Key]:
        yield from map(key, range(10))
        raise OSError("the file ended")

    def wrong() -> Iterator[Any]:
        yield from map(key, range(10))
        yield ("test", "s", 1.5)

    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        for source, kind in ((broken(), OSError), (wrong(), errors.InvalidArgError)):
            count = 0
            with pytest.raises(kind):
                async with client.get_many(source) as results:
                    async for _ in results:
                        count += 1
            assert count == 10


async def test_errors_are_results_and_count_as_failed(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(missing)
        cluster.node.default = stall
        policy = BatchPolicy(total_timeout=0.5, max_retries=0)
        found = []
        async with client.put_many(
            ((key(number), {"a": number}) for number in range(8)), in_flight=8, policy=policy
        ) as results:
            async for result in results:
                found.append((result.result_code, result.in_doubt))
        assert sorted(set(found)) == [(-1, True), (2, False)]
        assert results.failed == 8
        assert results.in_doubt == sum(doubt for _, doubt in found) > 0


async def test_put_many_takes_pairs_and_records_with_policies_of_their_own(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        records: list[Any] = [
            (("test", "s", 1), {"a": 1}),
            BatchWrite(key(2), operations=[aero.increment("n", 1)], ttl=60),
        ]
        async with client.put_many(records, ttl=30) as results:
            assert [result.ok async for result in results] == [True, True]
        rows = [row for request in cluster.requests for row in decode_batch_request(request.message)[1]]
        assert sorted(row.record_ttl for row in rows if row.record_ttl is not None) == [30, 60]


async def test_progress_is_reported_and_its_errors_are_raised(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        told: list[int] = []
        async with client.get_many(
            map(key, range(1000)), in_flight=100, on_progress=lambda stream: told.append(stream.answered)
        ) as results:
            async for _ in results:
                pass
        assert told == sorted(told) and told[-1] == 1000 and len(told) > 5

        def fails(stream: aero.batch.BatchStream) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with client.get_many(map(key, range(1000)), in_flight=100, on_progress=fails) as results:
                async for _ in results:
                    pass


async def test_one_slot_of_the_limit_is_enough_for_a_stream_with_gets_in_its_body(autojump_clock: Any) -> None:
    async with scripted_client(max_concurrent_operations=1) as (client, cluster):

        async def both(request: Request) -> bytes:
            if request.message.info1 & 8:
                return await ok(request)
            return answer()

        cluster.node.default = both
        with trio.fail_after(60):
            async with client.get_many(map(key, range(100)), in_flight=10) as results:
                async for result in results:
                    await client.get(result.key)
        assert results.delivered == 100


async def test_a_client_that_is_closed_ends_the_stream(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(ok)
        cluster.node.default = stall
        with trio.fail_after(60), pytest.raises(errors.ClientClosed):
            async with client.get_many(map(key, range(1000)), in_flight=10) as results:
                async for _ in results:
                    client.close()


async def test_nothing_in_gives_nothing_out(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        async with client.get_many([]) as results:
            assert [result async for result in results] == []
        async with client.put_many(()) as results:
            assert [result async for result in results] == []
        assert cluster.requests == []


async def test_wrong_arguments_are_refused_before_the_block(autojump_clock: Any) -> None:
    async with scripted_client() as (client, _):
        for call, words in (
            (lambda: client.get_many(5), "get_many.keys: got 5"),
            (lambda: client.get_many("abc"), "get_many.keys: got 'abc'"),
            (lambda: client.get_many([], in_flight=0), "get_many.in_flight: got 0"),
            (lambda: client.get_many([], bins="ab"), "get_many.bins: got 'ab'"),
            (lambda: client.put_many({}), "put_many.records: got {}"),
        ):
            with pytest.raises(errors.InvalidArgError) as caught:
                call()
            assert words in str(caught.value)


# -- results that nobody reads ---------------------------------------------------------------------------------------


def pairs(count: int) -> list[Any]:
    return [(key(number), {"a": number}) for number in range(count)]


async def test_drain_writes_everything_and_returns_the_counts(autojump_clock: Any) -> None:
    async with scripted_client(3) as (client, cluster):
        for node in cluster.nodes:
            node.default = ok
        async with client.put_many(pairs(3000), in_flight=100) as results:
            counts = await results.drain()
        assert counts == aero.batch.StreamCounts(3000, 3000, 3000, 0, 0)
        assert sum(len(decode_batch_request(request.message)[1]) for request in cluster.requests) == 3000
        # At the end there is nothing left to do.
        async with client.put_many([]) as results:
            assert (await results.drain()).taken == 0
            assert (await results.drain()).taken == 0


async def test_drain_raises_what_failed_once_everything_else_is_written(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(missing)
        cluster.node.default = ok
        async with client.put_many(pairs(100), in_flight=8) as results:
            with pytest.raises(errors.RecordNotFound) as caught:
                await results.drain()
        failed = results.failed
        assert 0 < failed < 100 and results.delivered == 100
        assert f"put_many: {failed} of 100 records failed; the first was Key(" in caught.value.message
        assert not caught.value.in_doubt

        cluster.node.script.append(missing)
        async with client.put_many(pairs(100), in_flight=8) as results:
            counts = await results.drain(raise_failed=False)
        assert (counts.answered, counts.failed) == (100, results.failed) and results.failed > 0

        cluster.node.default = missing
        async with client.get_many(map(key, range(100))) as results:
            assert (await results.drain()).failed == 100, "that there is no record is an answer"

        cluster.node.default = stall
        policy = BatchPolicy(total_timeout=0.5, max_retries=0)
        async with client.put_many(pairs(10), policy=policy) as results:
            with pytest.raises(errors.AerospikeTimeoutError, match="10 of 10 records failed, 10 of them") as timeout:
                await results.drain()
        assert timeout.value.in_doubt


async def test_drain_raises_what_the_source_raised(autojump_clock: Any) -> None:
    def broken() -> Iterator[Any]:
        yield from pairs(10)
        raise OSError("the file ended")

    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        async with client.put_many(broken()) as results:
            with pytest.raises(OSError, match="the file ended"):
                await results.drain()
        assert results.delivered == 10


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("body", ["reads", "reads in tasks", "sleeps", "is over"])
async def test_an_interrupt_in_the_source_comes_out_of_the_block_as_it_is(
    autojump_clock: Any, interrupt: type[BaseException], body: str
) -> None:
    """And not the Cancelled by which it ends the block, which no scope would catch any more."""

    async def interrupted() -> AsyncIterator[Any]:
        for row in pairs(10):
            yield row
        await trio.sleep(1.0)
        raise interrupt

    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        try:
            async with client.put_many(interrupted()) as results:
                if body == "reads":
                    await results.drain()
                elif body == "reads in tasks":
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(results.drain)
                        nursery.start_soon(results.drain)
                elif body == "sleeps":
                    await trio.sleep_forever()
                else:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(2.0)
        except BaseException as error:
            raised = error
        assert (await client.batch_read([key(1)])).ok
    assert type(raised) is interrupt


async def test_leaving_put_many_with_unwritten_records_warns_and_says_how_many(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        with pytest.warns(errors.UnwrittenRecordsWarning, match="put_many: records not sent: 1000. Read") as caught:
            async with client.put_many(pairs(1000)):
                pass
        assert caught[0].filename == __file__, "it points at the program"
        assert cluster.requests == []

        with pytest.warns(errors.UnwrittenRecordsWarning, match="the source was not read to its end"):
            async with client.put_many(iter(pairs(1000)), in_flight=10) as results:
                await anext(results)

        cluster.node.default = stall
        with pytest.warns(
            errors.UnwrittenRecordsWarning,
            match="records not sent: 984; records sent but not answered, which may have been written: 16",
        ):
            async with client.put_many(pairs(1000), in_flight=16):
                await trio.sleep(0.1)

        cluster.node.default = missing
        with pytest.warns(errors.UnwrittenRecordsWarning, match="unread results of writes that failed: 9"):
            async with client.put_many(pairs(10)) as results:
                await anext(results)


async def test_leaving_put_many_does_not_warn_where_all_is_written_or_the_program_knows(autojump_clock: Any) -> None:
    # Any warning would be an error here.
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        async with client.put_many(pairs(10)):
            await trio.sleep(1)
        async with client.put_many(pairs(10), in_flight=5) as results:
            for _ in range(10):
                await anext(results)
        with pytest.raises(KeyError, match="mine"):
            async with client.put_many(pairs(10)):
                raise KeyError("mine")
        with trio.move_on_after(1) as scope:
            async with client.put_many(pairs(1000), in_flight=10):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            async with client.put_many(pairs(1000), in_flight=10):
                scope.cancel()
        async with client.get_many(map(key, range(1000)), in_flight=10) as found:
            await anext(found)

        def broken() -> Iterator[Any]:
            yield from pairs(10)
            raise OSError("the file ended")

        async with client.put_many(broken()) as results:
            with pytest.raises(OSError, match="the file ended"):
                async for _ in results:
                    pass


async def test_the_warning_as_an_error_is_raised_by_the_block_and_leaves_nothing_behind(autojump_clock: Any) -> None:
    async with scripted_client(2) as (client, cluster):
        for node in cluster.nodes:
            node.default = ok
        with pytest.raises(errors.UnwrittenRecordsWarning):
            async with client.put_many(pairs(1000)):
                pass
        await trio.sleep(60)
        assert set(lines_of(client)) <= {(0, 0.0, 0)}


async def test_the_last_call_of_on_progress_has_the_final_counts(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        told: list[aero.batch.StreamCounts] = []

        def progress(stream: aero.batch.BatchStream) -> None:
            told.append(stream.counts)

        for in_flight in (1, 7, 100):
            told.clear()
            async with client.put_many(pairs(50), in_flight=in_flight, on_progress=progress) as results:
                async for _ in results:
                    pass
                assert told[-1] == aero.batch.StreamCounts(50, 50, 50, 0, 0), "as soon as the reader is at the end"
            assert told.count(told[-1]) == 1

        # Left early, with an error or without: what had come until then.
        told.clear()
        async with client.get_many(map(key, range(50)), on_progress=progress) as results:
            await anext(results)
        assert told[-1] == results.counts and told[-1].delivered == 1
        told.clear()
        with pytest.raises(KeyError):
            async with client.get_many(map(key, range(50)), on_progress=progress) as results:
                await anext(results)
                raise KeyError
        assert told[-1] == results.counts and told[-1].delivered == 1
        told.clear()
        async with client.get_many([], on_progress=progress) as results:
            assert (await results.drain()).taken == 0
        assert told == [aero.batch.StreamCounts(0, 0, 0, 0, 0)]


async def test_on_progress_that_fails_at_the_end_is_raised_once_and_masks_nothing(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok

        def fails_at_the_end(stream: aero.batch.BatchStream) -> None:
            if stream.delivered == 10:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with client.put_many(pairs(10), on_progress=fails_at_the_end) as results:
                await results.drain()
        with pytest.raises(ZeroDivisionError):
            async with client.put_many(pairs(10), on_progress=fails_at_the_end) as results:
                for _ in range(10):
                    await anext(results)
        with pytest.raises(KeyError, match="mine"):
            async with client.put_many(pairs(10), on_progress=fails_at_the_end) as results:
                for _ in range(10):
                    await anext(results)
                raise KeyError("mine")
