"""How long a connection lives: overdue replies, retirement, full queues, and the end of its tasks."""

import trio

from tests.unit.cluster.connections.one_connection import Owner, connected, numbers_sent, reply, request, settle, submit
from tests.unit.cluster.scripted import Wire
from trio_aerospike._cluster.connections.connection import Connection
from trio_aerospike._cluster.connections.request import Failure
from trio_aerospike._wire.constants import PROTO_INFO
from trio_aerospike._wire.info import encode_info_response
from trio_aerospike._wire.pipeline import ABANDONED_SECONDS, SEND_SIZE, UNSENT_LIMIT

# -- time ------------------------------------------------------------------------------------------------------------


async def test_a_head_that_is_overdue_suspends_the_connection_and_its_late_reply_resumes_it(autojump_clock):
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, object] = {}
        now = trio.current_time()
        submit(connection, nursery, request(0, deadline=now + 0.3, socket_timeout=10.0), results, 0)
        submit(connection, nursery, request(1, deadline=now + 5.0, socket_timeout=10.0), results, 1)
        await settle()
        assert connection.expire(now) == now + 0.3
        await trio.sleep(0.3)
        assert connection.expire(trio.current_time()) == now + 5.0
        await settle()
        assert results == {0: Failure.EXPIRED}
        assert connection.suspended
        assert not connection.usable
        assert connection.alive
        wire.reply(reply(100))
        await settle()
        assert connection.usable
        wire.reply(reply(101))
        await settle()
        assert results == {0: Failure.EXPIRED, 1: 101}


async def test_a_suspended_connection_closes_when_its_budget_is_over_and_nobody_waits_any_more(autojump_clock):
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        now = trio.current_time()
        submit(connection, nursery, request(0, deadline=now + 0.3, socket_timeout=1.0), results, 0)
        submit(connection, nursery, request(1, deadline=now + 3.0, socket_timeout=1.0), results, 1)
        await settle()
        await trio.sleep(0.3)
        assert connection.expire(trio.current_time()) == now + 1.0
        await trio.sleep(0.7)
        assert connection.expire(trio.current_time()) == now + 3.0
        assert connection.alive  # somebody behind the head still waits
        await trio.sleep(2.0)
        connection.expire(trio.current_time())
        assert not connection.alive
        await settle()
        assert results == {0: Failure.EXPIRED, 1: Failure.EXPIRED}
        assert owner.closings == [([], None)]


async def test_a_request_that_ran_out_of_time_is_not_made_a_broken_one_by_the_close_that_follows(autojump_clock):
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, object] = {}
        submit(connection, nursery, request(0, deadline=trio.current_time() + 0.3, socket_timeout=0.3), results, 0)
        await trio.sleep(0.3)
        connection.expire(trio.current_time())
        assert not connection.alive
        await settle()
        assert results == {0: Failure.EXPIRED}


async def test_an_unsent_request_that_is_overdue_is_withdrawn(autojump_clock):
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, object] = {}
        now = trio.current_time()
        wire.room = 0
        submit(connection, nursery, request(0, deadline=now + 9), results, 0)
        await settle()
        submit(connection, nursery, request(1, deadline=now + 0.1), results, 1)
        submit(connection, nursery, request(2, deadline=now + 9), results, 2)
        await trio.sleep(0.1)
        assert connection.expire(trio.current_time()) == now + 9
        await settle()
        assert results == {1: Failure.EXPIRED}
        assert connection.depth == 2
        wire.make_room()
        await settle()
        assert numbers_sent(wire) == [0, 2]


# -- retirement and bounds -------------------------------------------------------------------------------------------


async def test_a_retired_connection_answers_what_is_in_flight_and_closes():
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        for n in range(2):
            submit(connection, nursery, request(n), results, n)
        connection.retire()
        assert not connection.usable
        await settle()
        wire.reply(reply(100))
        await settle()
        assert connection.alive
        wire.reply(reply(101))
        await settle()
        assert results == {0: 100, 1: 101}
        assert owner.closings == [([], None)]
        assert wire.closed


async def test_an_idle_connection_retires_at_once():
    async with connected() as (connection, wire, owner, _):
        connection.retire()
        assert owner.closings == [([], None)]


async def test_a_retired_connection_closes_when_its_last_request_is_withdrawn():
    async with connected(running=False) as (connection, wire, owner, nursery):
        wire.room = 0
        scope = submit(connection, nursery, request(0))
        await settle()
        connection.retire()
        scope.cancel()
        await settle()
        assert not connection.alive


async def test_a_connection_takes_no_more_requests_than_its_depth():
    async with connected(max_depth=3) as (connection, wire, _, nursery):
        for n in range(3):
            assert connection.usable
            submit(connection, nursery, request(n))
        assert not connection.usable
        await settle()
        wire.reply(reply(100))
        await settle()
        assert connection.usable


async def test_a_connection_with_too_many_unsent_bytes_takes_nothing_until_they_are_out():
    async with connected() as (connection, wire, _, nursery):
        wire.room = 0
        submit(connection, nursery, request(0))
        await settle()
        while connection.usable:
            submit(connection, nursery, request(1, size=SEND_SIZE))
        assert UNSENT_LIMIT <= connection._pipeline.unsent_bytes < UNSENT_LIMIT + 2 * SEND_SIZE
        wire.make_room()
        await settle()
        assert connection._pipeline.unsent_bytes == 0
        assert connection.usable
        assert max(map(len, wire.sends)) < 2 * SEND_SIZE + 1000


async def test_the_tasks_of_a_connection_end_with_it():
    wire, owner = Wire(), Owner()
    connection = Connection(wire, owner, max_depth=4, label="A1 #1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await settle()
        connection.close(None)
    assert wire.closed
    wire = Wire()
    connection = Connection(wire, owner, max_depth=4, label="A1 #2")
    with trio.move_on_after(0) as scope:
        await connection.run()
    assert scope.cancelled_caught
    assert wire.closed
    assert not connection.alive


async def test_info_and_messages_are_told_apart():
    async with connected() as (connection, wire, _, nursery):
        pending = request(0, kind=PROTO_INFO)
        connection.submit(pending)
        nursery.start_soon(pending.wait)
        await settle()
        wire.reply(encode_info_response({"status": "ok"}))
        await settle()
        assert pending.reply is not None


async def test_an_abandoned_request_without_a_limit_does_not_hold_up_others_for_ever(autojump_clock):
    async with connected() as (connection, _, owner, nursery):
        scope = submit(connection, nursery, request(0))
        await settle()
        scope.cancel()
        await settle()
        assert connection.usable
        due = trio.current_time() + ABANDONED_SECONDS
        assert owner.dues == [due]
        connection.expire(due)
        assert not connection.usable
        assert connection.alive
