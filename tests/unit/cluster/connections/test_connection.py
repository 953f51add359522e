"""One pipelined connection over a scripted wire: who gets which reply, and what becomes of them when it breaks."""

import math
import socket

import pytest
import trio
import trio.lowlevel

from tests.unit.cluster.connections.one_connection import (
    Owner,
    connected,
    number_of,
    numbers_sent,
    reply,
    request,
    settle,
    submit,
)
from trio_aerospike._cluster.connections.connection import GATHER, Connection
from trio_aerospike._cluster.connections.request import Failure
from trio_aerospike._cluster.connections.transport import SocketTransport
from trio_aerospike._wire.commands import TRANSACTION_TTL_OFFSET, transaction_ttl_of
from trio_aerospike._wire.constants import PROTO_MESSAGE, TRANSACTION_TTL_NO_LIMIT
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.info import encode_info_response
from trio_aerospike.errors import ProtocolError

# -- order and cancellation ------------------------------------------------------------------------------------------


async def test_replies_go_out_in_the_order_of_the_requests():
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, object] = {}
        for number in range(5):
            submit(connection, nursery, request(number), results, number)
        await settle()
        assert numbers_sent(wire) == [0, 1, 2, 3, 4]
        wire.reply(reply(100), reply(101))
        await settle()
        assert results == {0: 100, 1: 101}
        assert connection.depth == 3
        wire.reply(reply(102), reply(103), reply(104))
        await settle()
        assert results == {n: 100 + n for n in range(5)}
        assert (connection.depth, connection.load) == (0, 0.0)


async def test_an_idle_connection_sends_at_once_and_what_gathers_behind_goes_out_in_one_send():
    async with connected() as (connection, wire, _, nursery):
        submit(connection, nursery, request(0))
        assert len(wire.sends) == 1  # before any other task has run
        for number in range(1, 6):
            submit(connection, nursery, request(number))
        assert len(wire.sends) == 1
        await settle()
        assert len(wire.sends) == 2
        assert numbers_sent(wire) == [0, 1, 2, 3, 4, 5]


async def test_of_many_submitted_in_one_loop_iteration_the_first_leave_while_the_others_come():
    async with connected() as (connection, wire, _, nursery):
        for number in range(2 * GATHER + 5):
            submit(connection, nursery, request(number))
        assert len(numbers_sent(wire)) == 1 + 2 * GATHER  # before any other task has run
        assert len(wire.sends) == 3
        await settle()
        assert len(wire.sends) == 4
        assert numbers_sent(wire) == list(range(2 * GATHER + 5))


@pytest.mark.parametrize("room", [0, 1, 59, 60, 61, 1000])
async def test_many_that_gather_before_a_socket_with_little_room_go_out_whole_and_in_order(room):
    async with connected() as (connection, wire, _, nursery):
        submit(connection, nursery, request(0))
        wire.room = room
        pendings = [request(number) for number in range(1, 2 * GATHER)]
        for pending in pendings:
            submit(connection, nursery, pending)
        if not room:
            assert not any(pending.sent for pending in pendings)  # free to go elsewhere
        await settle()
        wire.make_room()
        await settle()
        assert numbers_sent(wire) == list(range(2 * GATHER))


async def test_many_that_gather_wait_for_what_the_writer_is_at():
    async with connected() as (connection, wire, _, nursery):
        wire.room = 10
        submit(connection, nursery, request(0))
        await settle()  # the writer waits in the middle of a frame
        wire.room = 1000
        for number in range(1, GATHER + 2):
            submit(connection, nursery, request(number))
        assert len(wire.sent) == 10
        wire.make_room()
        await settle()
        assert numbers_sent(wire) == list(range(GATHER + 2))


async def test_many_that_gather_before_a_broken_socket_are_handed_back_unsent():
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        submit(connection, nursery, request(0), results, 0)
        wire.send_error = error = BrokenPipeError()
        pendings = [request(number) for number in range(1, GATHER + 1)]
        for pending in pendings:
            connection.submit(pending)
        assert owner.closings == [(pendings, error)]
        assert not any(pending.sent or pending.failure for pending in pendings)
        await settle()
        assert results == {0: Failure.BROKEN}


@pytest.mark.parametrize("victim", range(4))
async def test_the_reply_of_a_cancelled_request_is_dropped_and_its_neighbours_get_their_own(victim):
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, object] = {}
        scopes = [submit(connection, nursery, request(n), results, n) for n in range(4)]
        await settle()
        scopes[victim].cancel()
        await settle()
        assert results == {victim: "cancelled"}
        assert connection.depth == 4  # the tombstone keeps its place
        for n in range(4):
            wire.reply(reply(100 + n))
        await settle()
        assert results == {n: "cancelled" if n == victim else 100 + n for n in range(4)}
        submit(connection, nursery, request(9), results, 9)
        await settle()
        wire.reply(reply(109))
        await settle()
        assert results[9] == 109
        assert connection.alive


async def test_an_unsent_request_that_is_cancelled_never_leaves_and_frees_its_place():
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        wire.room = 0
        scopes = [submit(connection, nursery, request(n), results, n) for n in range(3)]
        await settle()  # the writer has all three in hand, of which nothing went out: they count as sent
        late = [submit(connection, nursery, request(n), results, n) for n in (3, 4, 5)]
        await settle()
        late[1].cancel()
        await settle()
        assert results == {4: "cancelled"}
        assert connection.depth == 5
        assert owner.bursts[-1][0] == 0  # the owner is notified of the room
        scopes[0].cancel()
        wire.make_room()
        await settle()
        assert numbers_sent(wire) == [0, 1, 2, 3, 5]
        wire.reply(*(reply(100 + n) for n in (0, 1, 2, 3, 5)))
        await settle()
        assert results == {0: "cancelled", 1: 101, 2: 102, 3: 103, 4: "cancelled", 5: 105}
        assert (connection.depth, connection._pipeline.unsent_bytes) == (0, 0)


async def test_requests_withdrawn_from_a_blocked_connection_leave_nothing_behind():
    async with connected() as (connection, wire, _, nursery):
        wire.room = 0
        submit(connection, nursery, request(0))
        await settle()
        for _ in range(50):
            scope = submit(connection, nursery, request(1))
            await settle()
            scope.cancel()
            await settle()
        assert (connection.depth, len(connection._pipeline.unsent), connection._pipeline.unsent_bytes) == (1, 0, 0)


# -- partial sends and blocked sockets -------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1, 7, 8, 29, 30, 31, 59, 60, 61])
async def test_a_partial_send_is_continued_where_it_stopped(room):
    async with connected() as (connection, wire, _, nursery):
        wire.room = room
        results: dict[int, object] = {}
        for n in range(3):
            submit(connection, nursery, request(n), results, n)
        await settle()
        assert len(wire.sent) == room
        wire.make_room()
        await settle()
        assert numbers_sent(wire) == [0, 1, 2]
        wire.reply(*(reply(100 + n) for n in range(3)))
        await settle()
        assert results == {0: 100, 1: 101, 2: 102}


async def test_nothing_is_sent_into_a_frame_that_is_only_half_out():
    """A server may answer before it has read the whole request; its queue is empty then, the wire is not."""
    async with connected() as (connection, wire, _, nursery):
        wire.room = 10
        results: dict[int, object] = {}
        submit(connection, nursery, request(0), results, 0)
        await settle()
        wire.reply(reply(100))
        await settle()
        assert results == {0: 100}
        wire.room = 20  # the writer still waits for room
        submit(connection, nursery, request(1), results, 1)
        wire.make_room()
        await settle()
        assert numbers_sent(wire) == [0, 1]


async def test_what_waited_behind_a_blocked_socket_gets_its_ttl_anew(autojump_clock):
    async with connected() as (connection, wire, _, nursery):
        wire.room = 0
        submit(connection, nursery, request(0, deadline=trio.current_time() + 1.0))
        await settle()
        submit(connection, nursery, request(1, deadline=trio.current_time() + 1.0))
        submit(connection, nursery, request(2, deadline=math.inf))
        submit(connection, nursery, request(3, deadline=trio.current_time() + 0.2))
        await trio.sleep(0.4)
        wire.make_room()
        await settle()
        size = len(reply(0))
        ttls = []
        for start in range(0, len(wire.sent), size):
            place = start + TRANSACTION_TTL_OFFSET
            ttls.append(int.from_bytes(wire.sent[place : place + 4], "big"))
        # The first had been handed to the socket; no limit stays no limit; what is overdue says 1 and never 0.
        assert ttls == [TRANSACTION_TTL_NO_LIMIT, pytest.approx(600, abs=1), TRANSACTION_TTL_NO_LIMIT, 1]
        assert numbers_sent(wire) == [0, 1, 2, 3]


def test_the_ttl_is_whole_milliseconds_and_never_the_zero_that_means_the_servers_default():
    assert transaction_ttl_of(11.5 - 10.0) == 1500
    assert transaction_ttl_of(10.0 - 10.0) == 1
    assert transaction_ttl_of(9.0 - 10.0) == 1
    assert transaction_ttl_of(10.0004 - 10.0) == 1
    assert transaction_ttl_of(math.inf - 10.0) == TRANSACTION_TTL_NO_LIMIT
    assert transaction_ttl_of(1e12 - 10.0) == TRANSACTION_TTL_NO_LIMIT


# -- replies in pieces, and the end of a connection ------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, 2 * len(reply(0))))
async def test_replies_may_come_split_at_any_byte(cut):
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, object] = {}
        for n in range(2):
            submit(connection, nursery, request(n), results, n)
        await settle()
        data = reply(100) + reply(101)
        wire.back.put(data[:cut])
        await settle()
        assert results == ({0: 100} if cut >= len(reply(0)) else {})
        wire.back.put(data[cut:])
        await settle()
        assert results == {0: 100, 1: 101}


@pytest.mark.parametrize("cut", range(2 * len(reply(0))))
@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_a_stream_that_ends_at_any_byte_gives_whole_replies_and_fails_the_rest(cut, end):
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        for n in range(2):
            submit(connection, nursery, request(n), results, n)
        await settle()
        wire.back.put((reply(100) + reply(101))[:cut])
        await settle()
        if end == "eof":
            wire.back.finish()
        else:
            wire.reset()
        await settle()
        assert results == {0: 100 if cut >= len(reply(0)) else Failure.BROKEN, 1: Failure.BROKEN}
        assert not connection.alive
        assert wire.closed
        [(unsent, error)] = owner.closings
        assert unsent == []
        assert isinstance(error, ConnectionResetError)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x09\x03" + bytes(6), id="protocol version"),
        pytest.param(b"\x02\x07" + bytes(6), id="unknown type"),
        pytest.param(b"\x02\x03\xff\xff\xff\xff\xff\xff", id="size"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="another protocol"),
        pytest.param(encode_info_response({"status": "ok"}), id="wrong kind"),
        pytest.param(encode_frame(PROTO_MESSAGE, b"\x16" + bytes(20)), id="shorter than a header"),
    ],
)
async def test_a_peer_that_breaks_the_protocol_fails_what_is_in_flight_with_a_protocol_error(data):
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        pendings = [request(n) for n in range(3)]
        for n, pending in enumerate(pendings):
            submit(connection, nursery, pending, results, n)
        await settle()
        wire.back.put(reply(100) + data)
        await settle()
        assert results == {0: 100, 1: Failure.BROKEN, 2: Failure.BROKEN}
        assert all(isinstance(pending.error, ProtocolError) for pending in pendings[1:])
        assert isinstance(owner.closings[0][1], ProtocolError)
        assert wire.closed


async def test_a_reply_that_nobody_asked_for_closes_the_connection():
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        submit(connection, nursery, request(0), results, 0)
        await settle()
        wire.reply(reply(100), reply(101))
        await settle()
        assert results == {0: Failure.BROKEN}  # which of the two is its own cannot be told
        assert isinstance(owner.closings[0][1], ProtocolError)
        assert not connection.alive


@pytest.mark.parametrize("size", [1, 8, 20])
async def test_a_part_of_a_reply_that_nobody_asked_for_closes_the_connection(size):
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        submit(connection, nursery, request(0), results, 0)
        await settle()
        wire.reply(reply(100)[:10])
        await settle()
        assert connection.alive
        wire.reply(reply(100)[10:], reply(101)[:size])
        await settle()
        assert isinstance(owner.closings[0][1], ProtocolError)
        assert not connection.alive


@pytest.mark.parametrize("alone", [True, False], ids=["sent at once", "sent by the writer"])
async def test_a_reply_left_over_on_an_idle_connection_is_not_the_next_reply(alone):
    mine, peer = socket.socketpair()
    owner = Owner()
    with peer:
        peer.setblocking(True)
        connection = Connection(SocketTransport(mine), owner, max_depth=8, label="A1 #1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run)
            await settle()
            results: dict[int, object] = {}
            submit(connection, nursery, request(0), results, 0)
            await settle()
            assert peer.recv(1000)
            peer.sendall(reply(100))
            with trio.fail_after(5):
                while not results:
                    await trio.lowlevel.checkpoint()
            assert results == {0: 100} and connection.alive
            peer.sendall(reply(666))  # the reader has not run when the next request comes
            pending = request(1)
            connection.submit(pending, alone=alone)
            with trio.fail_after(5):
                while not owner.closings:
                    await trio.lowlevel.checkpoint()
            assert owner.closings[0][0] == [pending] and not pending.sent and pending.reply is None


async def test_a_broken_connection_hands_back_what_it_had_not_sent():
    async with connected() as (connection, wire, owner, nursery):
        results: dict[int, object] = {}
        pendings = [request(n) for n in range(4)]
        wire.room = 0
        for n in (0, 1):
            submit(connection, nursery, pendings[n], results, n)
        await settle()
        for n in (2, 3):
            submit(connection, nursery, pendings[n], results, n)
        wire.reset()
        wire.make_room()
        await settle()
        [(unsent, _)] = owner.closings
        assert unsent == pendings[2:]
        assert all(not p.sent and p.frame is not None and p.failure is None for p in unsent)
        assert results == {0: Failure.BROKEN, 1: Failure.BROKEN}
        assert connection.depth == 0
        for pending in unsent:
            pending.fail(Failure.BROKEN)


@pytest.mark.parametrize("error", [BrokenPipeError(), trio.BrokenResourceError(), trio.ClosedResourceError()])
async def test_a_send_that_fails_at_once_leaves_the_request_unsent(error):
    async with connected() as (connection, wire, owner, _):
        wire.send_error = error
        pending = request(0)
        connection.submit(pending)
        assert owner.closings == [([pending], error)]
        assert not pending.sent
        assert pending.failure is None
        assert not connection.alive


# -- requests with answers of several frames -------------------------------------------------------------------------


async def test_a_request_of_several_frames_has_the_connection_for_itself():
    async with connected() as (connection, wire, owner, nursery):
        got: list[int] = []

        def consume(body):
            got.append(number_of(body))
            return got[-1] == 3

        results: dict[int, object] = {}
        submit(connection, nursery, request(0, consume=consume), results, 0)
        assert connection.exclusive
        assert not connection.usable
        await settle()
        wire.reply(reply(1))
        await settle()
        assert (got, results) == ([1], {})
        assert not connection.usable
        wire.reply(reply(2), reply(3))
        await settle()
        assert (got, results) == ([1, 2, 3], {0: 3})
        assert connection.usable


async def test_frames_that_the_consumer_cannot_take_break_the_connection():
    async with connected() as (connection, wire, owner, nursery):

        def consume(body):
            raise ProtocolError("no such row")

        pending = request(0, consume=consume)
        results: dict[int, object] = {}
        submit(connection, nursery, pending, results, 0)
        await settle()
        wire.reply(reply(1))
        await settle()
        assert results == {0: Failure.BROKEN}
        assert str(pending.error) == "no such row"
        assert not connection.alive


async def test_a_long_answer_says_nothing_about_what_a_single_request_takes():
    async with connected() as (connection, wire, owner, nursery):
        submit(connection, nursery, request(0, consume=lambda body: True))
        await settle()
        wire.reply(reply(1))
        await settle()
        assert [burst[0] for burst in owner.bursts] == [0]


async def test_nothing_is_sent_any_more_once_the_reader_has_seen_the_end():
    """In the same turn of the loop, behind the reader, a task submits many writes: none of them is to be in doubt."""
    async with connected() as (connection, wire, owner, nursery):
        pendings = [request(number) for number in range(GATHER + 8)]

        async def burst():
            while connection._writer is not None and connection.alive:
                await trio.lowlevel.checkpoint()
            if connection.alive:
                for pending in pendings:
                    connection.submit(pending)

        wire.back.finish()
        nursery.start_soon(burst)
        await settle()
        assert not any(pending.sent for pending in pendings)


async def test_an_answered_request_of_several_frames_holds_nobody_any_more():
    """What takes its frames leads back to it; such a circle would have to wait for Python's collector."""
    async with connected() as (connection, wire, owner, nursery):
        frames: list[bytes] = []

        def consume(body):
            frames.append(body)
            return len(frames) == 2

        pending = request(1, consume=consume)
        submit(connection, nursery, pending)
        await settle()
        wire.reply(reply(1), reply(2))
        await settle()
        assert len(frames) == 2
        assert pending.consume is None
        cut_off = request(2, consume=lambda body: True)
        submit(connection, nursery, cut_off)
        await settle()
        wire.reset()
        await settle()
        assert cut_off.failure is Failure.BROKEN
        assert cut_off.consume is None
