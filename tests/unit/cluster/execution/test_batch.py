"""Batches under way: what is sent again, where and how often; what is never sent twice; what is said of the rest."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import trio
import trio.testing

import trio_aerospike as aero
from tests.unit.cluster.scripted import Request, drop, scripted_client, stall
from trio_aerospike import BatchConcurrency, BatchPolicy, BatchRead, BatchWrite, Key, errors
from trio_aerospike._cluster.execution.batch import PART_SIZE
from trio_aerospike._wire.batch_messages import BatchRequest, decode_batch_request, encode_batch_end, encode_batch_row
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.digests import partition_id
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.messages import Op

TIMEOUT, UNAVAILABLE, OVERLOAD, FULL = 9, 11, 18, 152
KEYS = [Key("test", "s", number) for number in range(20)]
WRITES: list[Any] = [(key, {"a": 1}) for key in KEYS]


def indexes(request: Request) -> list[int]:
    return [row.index for row in decode_batch_request(request.message)[1]]


def answers(*codes: int, end: int = 0) -> Any:
    """Answers rows with these codes, in their order, the last code for all further ones."""

    async def handler(request: Request) -> bytes:
        body = b""
        for place, index in enumerate(indexes(request)):
            body += encode_batch_row(index, codes[min(place, len(codes) - 1)], 1, 0)
        return encode_frame(PROTO_MESSAGE, body + encode_batch_end(end))

    return handler


def only(count: int, then: Any = stall) -> Any:
    """Answers the first rows and then does something else."""

    async def handler(request: Request) -> Any:
        rows = [encode_batch_row(index, 0, 1, 0) for index in indexes(request)[:count]]
        request.wire.reply(encode_frame(PROTO_MESSAGE, b"".join(rows)))
        await trio.sleep(0.001)  # what has been sent arrives before what comes next
        return await then(request)

    return handler


def whole(code: int) -> Any:
    """Answers no row, and a result for the whole batch."""

    async def handler(request: Request) -> bytes:
        return encode_frame(PROTO_MESSAGE, encode_batch_end(code))

    return handler


ok = answers(0)


async def test_only_the_rows_left_over_are_asked_for_again_and_of_another_node(autojump_clock: Any) -> None:
    async with scripted_client(2) as (client, cluster):
        cluster.node.default = only(7, drop)
        cluster.nodes[1].default = ok
        results = await client.batch_read(KEYS)
        assert results.ok
        assert [(request.node.name, len(indexes(request))) for request in cluster.requests] == [("A1", 20), ("A2", 13)]
        assert sorted(indexes(cluster.requests[1])) == list(range(7, 20))


async def test_an_attempt_that_brought_rows_is_no_failed_one(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = only(1, drop)
        results = await client.batch_read(KEYS[:6], policy=BatchPolicy(max_retries=0, total_timeout=60.0))
        assert results.ok
        assert [len(indexes(request)) for request in cluster.requests] == [6, 5, 4, 3, 2, 1]


@pytest.mark.usefixtures("mean_delays")
async def test_between_attempts_lies_the_policys_back_off(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = drop
        for pause, expected in ((0.0, [0.0] * 3), (0.1, [0.1, 0.2, 0.4])):
            before = len(cluster.requests)
            policy = BatchPolicy(max_retries=3, sleep_between_retries=pause, total_timeout=60.0)
            with pytest.raises(errors.ConnectionFailed) as caught:
                await client.batch_read(KEYS, policy=policy)
            at = [request.at for request in cluster.requests[before:]]
            gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
            assert gaps == pytest.approx(expected)
            assert [attempt.node for attempt in caught.value.history] == ["A1"] * 4


@pytest.mark.usefixtures("mean_delays")
@pytest.mark.parametrize("code", [14, OVERLOAD])
@pytest.mark.parametrize("handler", ["rows", "whole"])
async def test_writes_that_an_overloaded_node_refused_are_sent_again_after_a_while(
    autojump_clock: Any, code: int, handler: str
) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = answers(code) if handler == "rows" else whole(code)
        try:
            results = await client.batch_write(WRITES, policy=BatchPolicy(max_retries=2))
        except errors.ServerError as error:
            assert handler == "whole"
            assert (error.result_code, error.in_doubt, error.attempts, len(error.history)) == (code, False, 3, 3)
        else:
            assert [(row.result_code, row.in_doubt) for row in results] == [(code, False)] * len(WRITES)
            assert all(row.error is not None and row.error.retryable for row in results)
        at = [request.at for request in cluster.requests]
        assert [later - earlier for earlier, later in itertools.pairwise(at)] == pytest.approx([0.02, 0.03])


@pytest.mark.parametrize(
    "handler",
    [stall, drop, only(5, stall), only(5, drop), whole(TIMEOUT), whole(4)],
    ids=["silence", "broken", "silence after some", "broken after some", "timeout of the server", "an error"],
)
async def test_a_write_that_may_have_been_applied_is_never_sent_again(autojump_clock: Any, handler: Any) -> None:
    async with scripted_client(2) as (client, cluster):
        cluster.node.default = handler
        cluster.nodes[1].default = ok
        policy = BatchPolicy(max_retries=5, socket_timeout=0.2, total_timeout=5.0)
        try:
            results = await client.batch_write(WRITES, policy=policy)
        except aero.AerospikeError as error:
            assert error.in_doubt
        else:
            done = [result for result in results if result.ok]
            assert len(done) == 5
            assert [result.in_doubt for result in results] == [False] * 5 + [True] * 15
            assert all(result.error is not None and result.error.in_doubt for result in results[5:])
            assert results.in_doubt == results[5:]
        sent = Counter(index for request in cluster.requests for index in indexes(request))
        assert set(sent.values()) == {1}


@pytest.mark.parametrize("code", [UNAVAILABLE, FULL])
async def test_a_write_that_was_not_done_where_it_arrived_is_sent_again(autojump_clock: Any, code: int) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(answers(code) if code == UNAVAILABLE else whole(code))
        cluster.node.default = ok
        results = await client.batch_write(WRITES, policy=BatchPolicy(max_retries=1))
        assert results.ok and not results.in_doubt
        assert len(cluster.requests) == 2


async def test_of_a_mixed_batch_that_broke_the_reads_are_repeated_and_the_writes_in_doubt(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(drop)
        cluster.node.default = ok
        records = [BatchRead(key) if number % 2 else BatchWrite(key, {"a": 1}) for number, key in enumerate(KEYS)]
        results = await client.batch(records)
        assert [result.ok for result in results] == [bool(number % 2) for number in range(20)]
        assert [result.in_doubt for result in results] == [not number % 2 for number in range(20)]
        assert sorted(indexes(cluster.requests[1])) == list(range(1, 20, 2))


async def test_a_write_whose_row_says_timeout_is_in_doubt_and_a_read_is_asked_for_again(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(answers(TIMEOUT, TIMEOUT, OVERLOAD, OVERLOAD, 2, 5))
        cluster.node.default = ok
        kinds = [BatchRead, BatchWrite] * 3
        records = [
            BatchRead(key) if kind is BatchRead else BatchWrite(key, {"a": 1})
            for kind, key in zip(kinds, KEYS, strict=False)
        ]
        results = await client.batch(records)
        assert [result.result_code for result in results] == [0, TIMEOUT, 0, 0, 2, 5]
        assert [result.in_doubt for result in results] == [False, True, False, False, False, False]
        assert [indexes(request) for request in cluster.requests[1:]] == [[0, 2, 3]]


async def test_reads_that_stay_refused_say_why_when_the_retries_are_over(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = answers(OVERLOAD)
        results = await client.batch_read(KEYS[:3], policy=BatchPolicy(max_retries=2))
        assert [result.result_code for result in results] == [OVERLOAD] * 3
        assert "s" in str(results[1].error) and results[1].error is not results[0].error
        assert len(cluster.requests) == 3


async def test_what_comes_after_the_time_is_over_changes_no_result_that_was_handed_out(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):

        async def late(request: Request) -> bytes:
            await trio.sleep(1.0)
            answer: bytes = await ok(request)
            return answer

        cluster.node.default = only(5, late)
        results = await client.batch_read(KEYS, policy=BatchPolicy(total_timeout=0.3, max_retries=0))
        before = [result.result_code for result in results]
        assert before == [0] * 5 + [errors.ResultCode.CLIENT] * 15
        await trio.sleep(5)
        assert [result.result_code for result in results] == before


async def test_a_node_that_stops_at_the_first_error_may_have_written_rows_that_it_did_not_answer(
    autojump_clock: Any,
) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = whole(OVERLOAD)
        with pytest.raises(errors.DeviceOverload) as caught:
            await client.batch_write(WRITES, policy=BatchPolicy(respond_all_keys=False, max_retries=3))
        assert caught.value.in_doubt and len(cluster.requests) == 1


async def test_without_respond_all_rows_those_behind_the_error_fail_with_it(
    autojump_clock: Any,
) -> None:
    async with scripted_client() as (client, cluster):

        async def stops(request: Request) -> bytes:
            rows = [encode_batch_row(0, 0, 1, 0), encode_batch_row(1, 12, 0, 0)]
            return encode_frame(PROTO_MESSAGE, b"".join(rows) + encode_batch_end(12))

        cluster.node.default = stops
        results = await client.batch_write(WRITES, policy=BatchPolicy(respond_all_keys=False, max_retries=3))
        assert [result.result_code for result in results] == [0] + [12] * 19
        assert [result.in_doubt for result in results] == [False] * 2 + [True] * 18
        assert len(cluster.requests) == 1


async def test_one_batch_has_a_few_requests_to_a_node_at_a_time_and_each_is_bounded(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        at_once: list[int] = []
        running = 0

        async def slow(request: Request) -> bytes:
            nonlocal running
            running += 1
            at_once.append(running)
            await trio.sleep(0.1)
            running -= 1
            answer: bytes = await ok(request)
            return answer

        cluster.node.default = slow
        key = KEYS[0]
        results = await client.batch_read([key] * 60_001, policy=BatchPolicy(total_timeout=60.0))
        assert len(results) == 60_001 and results.ok
        assert max(at_once) == 3
        counts = [len(indexes(request)) for request in cluster.requests]
        assert max(counts) == PART_SIZE and sum(counts) == 60_001


async def test_a_batch_that_is_alone_goes_in_several_requests_and_one_beside_others_does_not(
    autojump_clock: Any,
) -> None:
    async with scripted_client() as (client, cluster):

        async def slow(request: Request) -> bytes:
            await trio.sleep(0.1)
            answer: bytes = await ok(request)
            return answer

        async def counts(keys: int, **policy: Any) -> list[int]:
            cluster.node.requests.clear()
            assert (await client.batch_read([KEYS[0]] * keys, policy=BatchPolicy(**policy))).ok
            return sorted(len(indexes(request)) for request in cluster.requests)

        cluster.node.default = slow
        assert await counts(2000) == [666, 667, 667]
        assert await counts(1000) == [500, 500]
        assert await counts(999) == [999]
        assert await counts(1000, concurrency=BatchConcurrency.SEQUENTIAL) == [1000]
        assert await counts(3 * PART_SIZE + 1) == [1] + [PART_SIZE] * 3
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.batch_read, KEYS[:1])
            await trio.testing.wait_all_tasks_blocked()
            assert await counts(1000) == [1000]


@pytest.mark.parametrize("sets", [1, 7], ids=["one set", "many sets"])
async def test_each_key_is_asked_of_the_node_that_serves_its_partition_once(sets: int, autojump_clock: Any) -> None:
    keys = [Key("test", f"s{number % sets}", number) for number in range(300)]
    async with scripted_client(2, split=True) as (client, cluster):
        for node in cluster.nodes:
            node.default = ok
        results = await client.batch_read(keys)
        assert results.ok and [result.key for result in results] == keys
        asked: dict[int, BatchRequest] = {}
        for request in cluster.requests:
            for row in decode_batch_request(request.message)[1]:
                assert partition_id(row.digest) % 2 == cluster.nodes.index(request.node)
                assert asked.setdefault(row.index, row) is row
        assert [(asked[place].digest, asked[place].set_name) for place in range(300)] == [
            (key.digest, key.set_name) for key in keys
        ]
        assert len(asked) == 300


async def test_a_function_that_fails_says_why_in_its_error(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):

        async def lua(request: Request) -> bytes:
            rows = [
                encode_batch_row(0, 0, 1, 0, [Op(1, 3, "SUCCESS", b"fine")]),
                encode_batch_row(1, 100, 0, 0, [Op(1, 3, "FAILURE", b"run.lua:3: no such thing")]),
            ]
            return encode_frame(PROTO_MESSAGE, b"".join(rows) + encode_batch_end())

        cluster.node.default = lua
        good, bad = await client.batch_apply(KEYS[:2], "module", "run")
        assert (good.value, good.ok) == ("fine", True)
        assert isinstance(bad.error, errors.UDFError) and "no such thing" in str(bad.error)
        assert bad.value is None


async def test_results_are_found_by_key_as_well(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = answers(0, 2, 0)
        results = await client.batch_read([KEYS[3], KEYS[1], KEYS[3]])
        assert results.of(KEYS[1]) is results[1]
        assert results.all_of(("test", "s", 3)) == [results[0], results[2]]
        assert results.failed == [results[1]]
        assert not results.ok
        with pytest.raises(KeyError):
            results.of(KEYS[0])


@pytest.mark.parametrize("unlike", [0, 1])
async def test_rows_of_one_key_go_out_one_request_after_the_other(unlike: int, autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        waiting = [5, 4, 3, 2, 1]  # each request is answered sooner than the one before it
        running = 0

        async def slower_at_first(request: Request) -> bytes:
            nonlocal running
            running += 1
            assert running == 1
            await trio.sleep(waiting.pop(0) if waiting else 0)
            running -= 1
            answer: bytes = await ok(request)
            return answer

        cluster.node.default = slower_at_first
        writes = [(KEYS[0], {"a": number * unlike}) for number in range(10_000)]
        results = await client.batch_write(writes, policy=BatchPolicy(total_timeout=60.0))
        assert results.ok
        sent = [index for request in cluster.requests for index in indexes(request)]
        assert sent == sorted(sent) and len(cluster.requests) > 2


async def test_rows_wait_for_the_retries_of_earlier_writes_of_their_key(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(answers(UNAVAILABLE, UNAVAILABLE))
        cluster.node.default = ok
        writes = [(KEYS[place], {"a": number}) for number, place in enumerate([0, 1, 0, 0])]
        results = await client.batch_write(writes)
        assert [result.result_code for result in results] == [0, 0, 0, 0]
        assert [indexes(request) for request in cluster.requests] == [[0, 1], [0, 1], [2], [3]]


async def test_reads_of_a_key_are_in_flight_together_between_its_writes(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = ok
        read, write = BatchRead(KEYS[0]), BatchWrite(KEYS[0], {"a": 1})
        await client.batch([read, read, write, read, read, BatchRead(KEYS[1]), write, write])
        assert [indexes(request) for request in cluster.requests] == [[0, 1, 5], [2], [3, 4], [6], [7]]
