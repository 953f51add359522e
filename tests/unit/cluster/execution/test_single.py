"""Single-record commands of a whole client against a node that answers by script, on the mock clock."""

import math

import pytest
import trio
import trio.testing

from tests.unit.cluster.scripted import (
    after,
    answer,
    code,
    drop,
    lines_of,
    ok,
    pools_of,
    scripted_client,
    stall,
    when,
)
from trio_aerospike import BatchPolicy, ReadPolicy, WritePolicy, errors
from trio_aerospike._wire.batch_messages import decode_batch_request, encode_batch_end, encode_batch_row
from trio_aerospike._wire.constants import PROTO_MESSAGE, TRANSACTION_TTL_NO_LIMIT
from trio_aerospike._wire.frames import encode_frame

KEY = ("test", "s", 1)
EXISTS, GENERATION, TIMEOUT, UNAVAILABLE, OVERLOAD, SESSION = 5, 3, 9, 11, 18, 66


class Stopwatch:
    def __init__(self):
        self.began = trio.current_time()

    @property
    def seconds(self):
        return trio.current_time() - self.began


def times(cluster, watch):
    return [round(request.at - watch.began, 3) for request in cluster.requests]


# -- timeouts and retries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [0.3, 0.05, 1.0])
async def test_total_timeout_ends_a_command_on_time(autojump_clock, total):
    async with scripted_client() as (client, cluster):
        cluster.node.default = stall
        watch = Stopwatch()
        with pytest.raises(errors.AerospikeTimeoutError, match=f"total_timeout={total}") as caught:
            await client.get(KEY, policy=ReadPolicy(total_timeout=total))
        assert watch.seconds == pytest.approx(total, abs=0.001)
        assert (caught.value.node, caught.value.attempts, caught.value.in_doubt) == ("A1", 1, False)
        watch = Stopwatch()
        with pytest.raises(errors.AerospikeTimeoutError):
            await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=total))
        assert watch.seconds == pytest.approx(total, abs=0.001)


async def test_many_commands_with_deadlines_of_their_own_each_end_at_theirs(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.default = stall
        ended = {}

        async def get(total):
            watch = Stopwatch()
            with pytest.raises(errors.AerospikeTimeoutError):
                await client.get(KEY, policy=ReadPolicy(total_timeout=total))
            ended[total] = watch.seconds

        async with trio.open_nursery() as nursery:
            for number in range(50, 0, -1):
                nursery.start_soon(get, number * 0.1)
        assert all(seconds == pytest.approx(total, abs=0.001) for total, seconds in ended.items())
        assert len(ended) == 50


async def test_socket_timeout_ends_an_attempt_and_retries_follow_at_once(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.default = stall
        watch = Stopwatch()
        with pytest.raises(errors.AerospikeTimeoutError, match=r"socket_timeout=0\.1") as caught:
            await client.get(KEY, policy=ReadPolicy(total_timeout=5.0, socket_timeout=0.1, max_retries=2))
        assert times(cluster, watch) == [0.0, 0.1, 0.2]
        assert watch.seconds == pytest.approx(0.3, abs=0.001)
        assert caught.value.attempts == 3


async def test_retries_back_off_from_sleep_between_retries_on_and_go_to_the_other_replica(autojump_clock, mean_delays):
    async with scripted_client(nodes=2) as (client, cluster):
        cluster.nodes[0].default = stall
        cluster.nodes[1].script.append(code(OVERLOAD))
        cluster.nodes[1].default = stall
        watch = Stopwatch()
        policy = ReadPolicy(total_timeout=5.0, socket_timeout=0.1, max_retries=3, sleep_between_retries=0.05)
        with pytest.raises(errors.AerospikeTimeoutError):
            await client.get(KEY, policy=policy)
        assert times(cluster, watch) == [0.0, 0.15, 0.26, 0.56]
        assert [request.node.name for request in cluster.requests] == ["A1", "A2", "A1", "A2"]


async def test_the_total_deadline_cuts_retries_and_their_sleeps_short(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.default = stall
        watch = Stopwatch()
        with pytest.raises(errors.AerospikeTimeoutError):
            await client.get(KEY, policy=ReadPolicy(total_timeout=0.25, socket_timeout=0.1, max_retries=10))
        assert watch.seconds == pytest.approx(0.25, abs=0.001)
        cluster.node.default = code(OVERLOAD)
        watch = Stopwatch()
        with pytest.raises(errors.AerospikeError) as caught:
            await client.get(KEY, policy=ReadPolicy(total_timeout=0.25, max_retries=10, sleep_between_retries=0.1))
        assert watch.seconds <= 0.25
        assert caught.value.result_code == OVERLOAD


async def test_no_limit_waits_as_long_as_it_takes(autojump_clock):
    async with scripted_client(tend_interval=50.0) as (client, cluster):
        cluster.node.default = after(1000.0)
        watch = Stopwatch()
        await client.get(KEY, policy=ReadPolicy(total_timeout=None, socket_timeout=None))
        assert watch.seconds == pytest.approx(1000.0)


async def test_the_answer_is_a_records_even_when_it_comes_after_retries(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.script.extend([code(OVERLOAD), drop, code(UNAVAILABLE)])
        record = await client.get(KEY, policy=ReadPolicy(total_timeout=5.0))
        assert record.generation == 1


# -- writes and doubt --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reaction", [stall, drop, code(TIMEOUT), code(OVERLOAD)])
async def test_a_write_that_was_sent_is_not_sent_again_by_default(autojump_clock, reaction):
    async with scripted_client() as (client, cluster):
        cluster.node.default = reaction
        with pytest.raises(errors.AerospikeError):
            await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=3.0, socket_timeout=0.1))
        assert len(cluster.requests) == 1


RETRY_ONCE = WritePolicy(total_timeout=1.0, socket_timeout=0.1, max_retries=1)
ONCE = WritePolicy(total_timeout=0.5, socket_timeout=0.1)


@pytest.mark.parametrize(
    "script, policy, kind, doubt, attempts",
    [
        pytest.param([stall], ONCE, errors.AerospikeTimeoutError, True, 1, id="no answer in time"),
        pytest.param([drop], ONCE, errors.ConnectionFailed, True, 1, id="no answer, connection broken"),
        pytest.param([code(TIMEOUT)], ONCE, errors.AerospikeTimeoutError, True, 1, id="the server's own timeout"),
        pytest.param([code(EXISTS)], ONCE, errors.RecordExistsError, False, 1, id="a definite answer"),
        pytest.param([code(GENERATION)], ONCE, errors.RecordGenerationError, False, 1, id="another definite answer"),
        pytest.param([code(OVERLOAD)], ONCE, errors.AerospikeError, False, 1, id="refused for load"),
        pytest.param([stall, code(EXISTS)], RETRY_ONCE, errors.RecordExistsError, True, 2, id="sent twice"),
        pytest.param([code(OVERLOAD), code(EXISTS)], RETRY_ONCE, errors.RecordExistsError, False, 2, id="both refused"),
        pytest.param([code(OVERLOAD)] * 2, RETRY_ONCE, errors.DeviceOverload, False, 2, id="overloaded twice"),
        pytest.param([code(14)] * 2, RETRY_ONCE, errors.KeyBusy, False, 2, id="a hot key twice"),
        pytest.param([drop, code(OVERLOAD)], RETRY_ONCE, errors.DeviceOverload, True, 2, id="broken, overloaded"),
        pytest.param([drop, drop], RETRY_ONCE, errors.ConnectionFailed, True, 2, id="broken twice"),
        pytest.param([code(UNAVAILABLE), code(EXISTS)], ONCE, errors.RecordExistsError, False, 2, id="moved, refused"),
        pytest.param([code(UNAVAILABLE), stall], ONCE, errors.AerospikeTimeoutError, True, 2, id="moved, no answer"),
    ],
)
async def test_in_doubt_is_what_is_known_about_the_write(autojump_clock, script, policy, kind, doubt, attempts):
    async with scripted_client(tend_interval=0.25) as (client, cluster):
        cluster.node.script.extend(script)
        with pytest.raises(kind) as caught:
            await client.put(KEY, {"a": 1}, policy=policy)
        assert (caught.value.in_doubt, caught.value.attempts) == (doubt, attempts)
        assert len(cluster.requests) == attempts


async def refuse():
    raise ConnectionRefusedError("refused by the test")


async def test_a_write_that_never_left_is_not_in_doubt(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.on_connect = refuse
        watch = Stopwatch()
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=0.3))
        assert (caught.value.in_doubt, caught.value.attempts) == (False, 0)
        assert watch.seconds <= 0.4
        assert not cluster.requests


async def test_a_write_that_never_left_is_tried_again_without_a_retry_of_the_policy(autojump_clock):
    async with scripted_client() as (client, cluster):
        refusals = 3

        async def sometimes():
            nonlocal refusals
            refusals -= 1
            if refusals >= 0:
                await refuse()

        cluster.node.on_connect = sometimes
        await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=10.0, max_retries=0))
        assert refusals < 0
        assert len(cluster.requests) == 1


async def test_a_connection_that_died_while_idle_costs_a_write_nothing(autojump_clock):
    async with scripted_client() as (client, cluster):
        await client.put(KEY, {"a": 1})
        cluster.node.command_wires[0].send_error = BrokenPipeError()
        await client.put(KEY, {"a": 2}, policy=WritePolicy(max_retries=0))
        assert [request.connection for request in cluster.requests] == [1, 2]


async def test_a_socket_timeout_is_for_what_was_sent_and_not_for_the_wait_for_a_connection(autojump_clock):
    async with scripted_client(timeout=0.4) as (client, cluster):
        cluster.node.on_connect = trio.sleep_forever
        policy = WritePolicy(total_timeout=1.0, socket_timeout=0.1, max_retries=0)
        with pytest.raises(errors.AerospikeError) as caught:
            await client.put(KEY, {"a": 1}, policy=policy)
        assert (caught.value.in_doubt, caught.value.attempts) == (False, 0)

        async def second_time_lucky():
            cluster.node.on_connect = None
            await trio.sleep_forever()

        cluster.node.on_connect = second_time_lucky
        watch = Stopwatch()
        await client.put(KEY, {"a": 1}, policy=policy)
        assert 0.4 <= watch.seconds <= 1.0


async def test_waiting_for_room_ends_in_no_more_connections_at_the_total_deadline(autojump_clock):
    async with scripted_client(max_conns_per_node=1) as (client, cluster):
        cluster.node.default = stall
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.batch_read, [KEY])
            await trio.testing.wait_all_tasks_blocked()
            watch = Stopwatch()
            with pytest.raises(errors.NoMoreConnections) as caught:
                await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=0.5, socket_timeout=0.2))
            assert watch.seconds == pytest.approx(0.5, abs=0.001)
            assert not caught.value.in_doubt
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("what", ["apply", "batch"])
async def test_answers_to_requests_that_need_a_connection_are_progress_for_those_that_wait(autojump_clock, what):
    async with scripted_client(max_conns_per_node=2) as (client, cluster):
        cluster.node.default = after(0.5)

        async def one():
            if what == "apply":
                await client.apply(KEY, "module", "function", policy=WritePolicy(total_timeout=1.0, socket_timeout=1.0))
            else:
                [result] = await client.batch_read([KEY], policy=BatchPolicy(total_timeout=1.0, socket_timeout=1.0))
                assert result.error is None

        watch = Stopwatch()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(one)
        assert watch.seconds == pytest.approx(20 / 2 * 0.5, abs=0.01)


async def test_a_request_without_an_answer_does_not_lock_others_out_while_a_long_one_runs(autojump_clock):
    async with scripted_client(max_conns_per_node=3) as (client, cluster):
        cluster.node.script.extend([after(5.0), stall])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.batch_read([KEY], policy=BatchPolicy(total_timeout=None)))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(errors.AerospikeTimeoutError):
                await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=0.2, max_retries=0))
            await client.get(KEY)  # over another connection
            assert len(cluster.requests) == 3
            nursery.cancel_scope.cancel()


async def test_a_connection_that_breaks_ends_no_command_whose_time_has_not_begun(autojump_clock):
    async with scripted_client(max_conns_per_node=1, tend_interval=1000.0) as (client, cluster):
        cluster.node.default = after(0.3)
        ends = []

        async def apply(number):
            policy = WritePolicy(total_timeout=1.0, socket_timeout=1.0)
            try:
                await client.apply(("test", "s", number), "module", "function", policy=policy)
                ends.append(number)
            except errors.ConnectionFailed as error:
                assert error.in_doubt
                ends.append(None)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(apply, number)
                await trio.sleep(0.001)
            await trio.sleep(3.1)
            [wire] = cluster.node.command_wires
            wire.reset()
        assert ends[:11] == [*range(10), None]
        assert sorted(ends[11:]) == [*range(11, 20)]
        assert ends[12:] == sorted(ends[12:])  # all come back at once, and one of them finds a connection


async def test_a_batch_that_waited_for_long_has_its_time_on_a_node_that_was_idle(autojump_clock):
    async with scripted_client(2, max_conns_per_node=1) as (client, cluster):
        first, second = cluster.nodes
        first.default = after(0.5)

        async def read():
            policy = BatchPolicy(total_timeout=1.0, socket_timeout=1.0)
            return await client.batch_read([KEY], policy=policy)

        async with trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(read)
            await trio.sleep(3.2)
            [wire] = first.command_wires
            wire.reset()
        assert len(second.requests) > 0


async def test_nobody_waits_in_a_pool_that_a_long_request_holds_while_another_pool_serves(autojump_clock):
    async with scripted_client(max_conns_per_node=2, conn_pools_per_node=2) as (client, cluster):
        cluster.node.script.append(after(5.0))
        cluster.node.default = after(0.001)
        async with trio.open_nursery() as nursery:
            policy = WritePolicy(total_timeout=10.0, socket_timeout=10.0)
            nursery.start_soon(lambda: client.apply(KEY, "module", "function", policy=policy))
            await trio.sleep(0.1)
            for _ in range(1000):
                nursery.start_soon(client.get, KEY)
        assert len(cluster.requests) == 1001


async def test_a_read_is_not_sent_again_behind_itself(autojump_clock):
    async with scripted_client(max_conns_per_node=1) as (client, cluster):
        await client.get(KEY)
        cluster.node.script.append(after(0.2))
        cluster.node.default = after(0.001)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(client.get, KEY)
        await client.get(KEY)
        assert len(cluster.requests) == 52


async def test_garbage_is_a_protocol_error_and_a_write_answered_with_it_is_in_doubt(autojump_clock):
    async def garbage(request):
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"

    async with scripted_client() as (client, cluster):
        cluster.node.script.append(garbage)
        with pytest.raises(errors.ProtocolError) as caught:
            await client.put(KEY, {"a": 1})
        assert caught.value.in_doubt
        await client.put(KEY, {"a": 1})


# -- the transaction ttl -----------------------------------------------------------------------------------------------


async def test_the_transaction_ttl_is_what_is_left_of_the_earlier_of_policy_and_scope(autojump_clock):
    async with scripted_client() as (client, cluster):
        await client.get(KEY, policy=ReadPolicy(total_timeout=0.7))
        with trio.fail_after(0.25):
            await client.get(KEY, policy=ReadPolicy(total_timeout=0.7))
        with trio.fail_after(5):
            await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=0.7))
            await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=None))
        await client.get(KEY, policy=ReadPolicy(total_timeout=None))
        with trio.fail_after(0.0005):
            await client.get(KEY)
        ttls = [request.ttl for request in cluster.requests]
        assert ttls == [pytest.approx(t, abs=1) for t in (700, 250, 700, 5000, TRANSACTION_TTL_NO_LIMIT)] + [1]
        assert 0 not in ttls


async def test_a_commands_time_begins_when_a_connection_takes_it(autojump_clock):
    async with scripted_client() as (client, cluster):

        async def slowly():
            await trio.sleep(0.4)

        cluster.node.on_connect = slowly
        await client.get(KEY, policy=ReadPolicy(total_timeout=1.0))
        assert cluster.requests[0].ttl == pytest.approx(1000, abs=1)


async def test_the_transaction_ttl_leaves_out_the_time_of_the_callers_scope_spent_waiting(autojump_clock):
    async with scripted_client() as (client, cluster):

        async def slowly():
            await trio.sleep(0.4)

        cluster.node.on_connect = slowly
        with trio.fail_after(0.9):
            await client.get(KEY, policy=ReadPolicy(total_timeout=1.0))
        assert cluster.requests[0].ttl == pytest.approx(500, abs=1)


async def test_a_retry_says_what_is_left_then(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(stall)
        await client.get(KEY, policy=ReadPolicy(total_timeout=1.0, socket_timeout=0.3))
        assert [request.ttl for request in cluster.requests] == [pytest.approx(1000, abs=1), pytest.approx(700, abs=1)]


# -- whose time is over ------------------------------------------------------------------------------------------------


async def test_the_servers_timeout_is_the_callers_cancelled_where_the_callers_scope_ends_first(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.default = after(0.4995, code(TIMEOUT))
        watch = Stopwatch()
        with trio.move_on_after(0.5) as scope:
            await client.get(KEY, policy=ReadPolicy(total_timeout=2.0))
        assert scope.cancelled_caught
        assert watch.seconds == pytest.approx(0.5, abs=0.001)
        assert len(cluster.requests) == 1
        with pytest.raises(errors.AerospikeTimeoutError), trio.fail_after(2.0):
            await client.get(KEY, policy=ReadPolicy(total_timeout=0.5, max_retries=0))


@pytest.mark.parametrize("seconds", [60.0, math.inf])
async def test_a_timeout_of_the_servers_own_does_not_wait_for_a_scope_that_ends_much_later(autojump_clock, seconds):
    async with scripted_client() as (client, cluster):
        cluster.node.default = code(TIMEOUT)
        watch = Stopwatch()
        with pytest.raises(errors.AerospikeTimeoutError), trio.move_on_after(seconds):
            await client.get(KEY, policy=ReadPolicy(total_timeout=None, max_retries=0))
        assert watch.seconds < 0.1


async def test_the_servers_error_does_not_hide_the_callers_deadline(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.default = stall
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.2):
            await client.put(KEY, {"a": 1}, policy=WritePolicy(total_timeout=0.5))


# -- sessions ----------------------------------------------------------------------------------------------------------


async def test_an_expired_session_is_renewed_and_the_command_goes_on_as_if_nothing_had_been(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.script.append(code(SESSION))
        await client.put(KEY, {"a": 1}, policy=WritePolicy(max_retries=0))
        assert [request.connection for request in cluster.requests] == [1, 2]
        await trio.testing.wait_all_tasks_blocked()
        assert len(cluster.node.command_wires) == 1  # the one that was logged in with the old session is closed


async def test_late_news_of_an_old_session_leaves_the_new_one_alone(autojump_clock):
    async with scripted_client() as (client, cluster):
        late = trio.Event()
        cluster.node.script.extend([code(SESSION), when(late, code(SESSION))])
        async with trio.open_nursery() as nursery:
            for _ in range(2):  # in one line: the second is answered later
                nursery.start_soon(client.put, KEY, {"a": 1})
            await trio.sleep(0.5)
            [pool] = pools_of(client)
            [fresh] = [connection for connection in pool.connections if not connection.retired]
            late.set()
        assert fresh.alive
        assert len(cluster.requests) == 4
        assert pool.connections == [fresh]


async def test_a_batch_renews_an_expired_session_too(autojump_clock):
    async with scripted_client() as (client, cluster):

        async def expired(request):
            return answer(SESSION, info3=1)

        cluster.node.script.append(expired)
        results = await client.batch_read([KEY])
        assert [result.result_code for result in results] == [0]
        assert [request.connection for request in cluster.requests] == [1, 2]


# -- batches -----------------------------------------------------------------------------------------------------------


async def test_what_of_a_batch_was_not_sent_goes_to_a_copy_without_a_retry_of_the_policy(autojump_clock):
    async with scripted_client(2) as (client, cluster):

        async def refuse():
            raise OSError("refused")

        cluster.node.on_connect = refuse
        [result] = await client.batch_read([KEY], policy=BatchPolicy(max_retries=0))
        assert result.result_code == 0
        assert [request.node.name for request in cluster.requests] == ["A2"]


async def test_what_of_a_batch_was_sent_is_repeated_as_often_as_the_policy_says(autojump_clock):
    async with scripted_client(2) as (client, cluster):
        cluster.nodes[0].default = cluster.nodes[1].default = drop
        for retries in (0, 2):
            before = len(cluster.requests)
            with pytest.raises(errors.ConnectionFailed):
                await client.batch_read([KEY], policy=BatchPolicy(max_retries=retries, total_timeout=60.0))
            assert len(cluster.requests) - before == retries + 1


async def moved(request):
    rows = decode_batch_request(request.message)[1]
    body = b"".join([encode_batch_row(row.index, UNAVAILABLE, 0, 0) for row in rows])
    return encode_frame(PROTO_MESSAGE, body + encode_batch_end())


async def test_rows_of_a_batch_that_no_node_serves_yet_are_asked_for_until_one_does(autojump_clock):
    async with scripted_client(max_conns_per_node=1) as (client, cluster):
        cluster.node.script.extend([moved] * 7)
        began = trio.current_time()
        [result] = await client.batch_read([KEY], policy=BatchPolicy(max_retries=0, total_timeout=5.0))
        assert result.result_code == 0
        assert len(cluster.requests) == 8
        assert trio.current_time() > began  # a look at the cluster lies between two attempts


async def test_rows_of_a_batch_that_no_node_ever_serves_say_so_when_the_time_is_over(autojump_clock):
    async with scripted_client() as (client, cluster):
        cluster.node.default = moved
        for total, least, most in ((2.0, 2.0, 2.1), (None, 10.0, 11.1)):
            began = trio.current_time()
            [result] = await client.batch_read([KEY], policy=BatchPolicy(total_timeout=total))
            assert result.result_code == UNAVAILABLE
            assert least <= trio.current_time() - began <= most


async def test_a_node_that_leaves_a_row_of_a_batch_out_breaks_the_protocol(autojump_clock):
    async with scripted_client() as (client, cluster):

        async def only_the_first(request):
            return encode_frame(PROTO_MESSAGE, encode_batch_row(0, 0, 1, 0) + encode_batch_end())

        cluster.node.default = only_the_first
        first, second = await client.batch_read([KEY, ("test", "s", 2)])
        assert first.result_code == 0
        assert isinstance(second.error, errors.ProtocolError)
        assert len(cluster.requests) == 1


# -- what is left behind -----------------------------------------------------------------------------------------------


async def test_a_thousand_commands_under_every_fault_leave_no_trace(autojump_clock):
    async with scripted_client(max_conns_per_node=4) as (client, cluster):
        faults = [ok, after(0.01), after(0.3), drop, code(OVERLOAD), code(TIMEOUT), code(UNAVAILABLE), stall]
        for _ in range(40):
            cluster.node.script.extend(faults)
        wrong = []

        async def one(number):
            with trio.move_on_after(0.05 * (number % 7) if number % 3 == 0 else math.inf):
                try:
                    await client.get(KEY, policy=ReadPolicy(total_timeout=0.2 + number % 5, socket_timeout=0.2))
                except errors.AerospikeError:
                    pass
                except BaseException as error:
                    wrong.append(error)
                    raise

        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(one, number)
        assert all(isinstance(error, trio.Cancelled) for error in wrong)
        cluster.node.script.clear()
        await trio.sleep(60)
        assert set(lines_of(client)) <= {(0, 0.0, 0)}
        [pool] = pools_of(client)
        assert (len(pool.waiting), pool.opening) == (0, 0)
        assert len(pool.connections) <= 4
        await client.get(KEY)
