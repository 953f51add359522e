"""The pool's decisions, one by one, over connections that are plain state."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.cluster.connections.fake_pool import FakeConnection, Opener, Request, busy
from trio_aerospike._cluster.connections.admission_window import WINDOW_START
from trio_aerospike._cluster.connections.balancing import FAIR_DEPTH, WAIT_BUDGET
from trio_aerospike._cluster.connections.pool import MAX_OPENING, Pool
from trio_aerospike._cluster.connections.request import Failure

# -- where a request goes --------------------------------------------------------------------------------------------


def test_an_idle_connection_is_preferred_to_a_short_queue():
    opener = Opener()
    first, second = busy(opener, 2, depth=0)
    opener.submit(0)
    first_used = first if first.depth else second
    first_used.load = WAIT_BUDGET * 2
    opener.submit(1)
    assert (first.depth, second.depth) == (1, 1)


def test_queues_grow_while_the_wait_is_within_the_budget_and_only_then_a_connection_is_opened():
    opener = Opener(limit=8)
    opener.submit(0)
    opener.open()
    within = int(WAIT_BUDGET / opener.pool.service_time.read)
    for number in range(1, within):
        opener.submit(number)
    assert opener.asked == 0
    for number in range(5):
        opener.submit(within + number)
    assert opener.asked == 1  # the one being opened counts: not one more per request
    assert len(opener.pool.waiting) == 5  # a queue past the budget takes no request while a connection is opening
    opener.open()
    assert [connection.depth for connection in opener.pool.connections] == [within, 5]


def test_long_queues_are_good_enough_where_no_other_connection_can_be_had():
    opener = Opener(limit=8)
    opener.submit(0)
    connection = opener.open()
    while not opener.asked:
        opener.submit(1)
    waiting = len(opener.pool.waiting)
    assert waiting
    depth = connection.depth
    opener.fail()
    assert connection.depth == depth + waiting
    assert opener.asked == 0  # no further connection is tried at once


def test_idle_connections_do_not_make_the_queues_of_the_others_shorter():
    opener = Opener(limit=64)
    connections = busy(opener, 64, depth=0)
    opener.pool.service_time.read = 0.0
    for number in range(100):
        opener.submit(number)
    assert len([connection for connection in connections if connection.depth]) == 1


def test_a_burst_on_a_cold_pool_spreads_over_connections_before_it_queues():
    opener = Opener(limit=64)
    for number in range(1000):
        opener.submit(number)
    while opener.asked:
        opener.open()
    assert max(c.depth for c in opener.pool.connections) <= WAIT_BUDGET / opener.pool.service_time.read + 2


def test_the_shorter_wait_is_chosen_where_no_connection_is_idle():
    opener = Opener(limit=2)
    connections = busy(opener, 2)
    connections[0].load, connections[1].load = 5 * WAIT_BUDGET, 2 * WAIT_BUDGET
    opener.pool.chooser.current = connections[0]
    opener.submit(7)
    assert connections[1].depth == 2


def test_a_cold_pool_opens_no_more_at_once_than_it_may():
    opener = Opener(limit=256)
    opener.pool.service_time.read = 0.001
    for number in range(1000):
        opener.submit(number)
    assert opener.asked == MAX_OPENING


def test_a_cold_pool_opens_no_more_than_its_window_keeps_busy():
    opener = Opener(limit=256)
    for number in range(100_000):
        opener.submit(number)
    while opener.asked:
        opener.open()
    assert sum(connection.depth for connection in opener.pool.connections) <= 1.2 * WINDOW_START
    assert len(opener.pool.connections) <= WINDOW_START * opener.pool.service_time.read / WAIT_BUDGET + 2


def test_an_exclusive_request_gets_the_only_connection_once_its_queue_is_empty():
    opener = Opener(limit=1)
    [connection] = busy(opener, 1, depth=3)
    stream = opener.submit(1, exclusive=True)
    later = opener.submit(2)
    connection.flush()
    connection.reply(2)
    assert not stream.sent
    connection.reply(1)
    assert stream.sent
    assert not later.sent
    connection.reply(1)
    assert later.sent


@pytest.mark.parametrize("how", ["cancelled", "overdue"])
def test_an_exclusive_request_that_gives_up_waiting_lets_those_behind_it_through(how):
    opener = Opener(limit=1)
    [connection] = busy(opener, 1)
    stream = opener.submit(1, exclusive=True, deadline=1.0)
    opener.submit(2)
    if how == "cancelled":
        stream.abort(None)
    else:
        opener.pool.expire(1.0)
        assert stream.failure is Failure.NO_ROOM
    assert opener.assigned == [-1, 2]
    connection.flush()
    connection.reply(2)
    opener.submit(3)
    assert opener.assigned == [-1, 2, 3]


# -- learning --------------------------------------------------------------------------------------------------------


def test_reads_and_writes_are_learnt_apart():
    opener = Opener()
    [connection] = busy(opener, 1, depth=0)
    before = opener.pool.service_time.read
    for _ in range(40):
        opener.submit(0, write=True)
        connection.reply(1, elapsed=0.002)
    assert opener.pool.service_time.write == pytest.approx(0.002, rel=0.01)
    assert opener.pool.service_time.read == before
    for _ in range(40):
        opener.submit(0)
        connection.reply(1, elapsed=0.0001)
    assert opener.pool.service_time.read == pytest.approx(0.0001, rel=0.01)
    assert opener.pool.service_time.write == pytest.approx(0.002, rel=0.01)


def test_the_round_trip_is_no_part_of_a_service_time():
    opener = Opener(latency=lambda: 0.01)
    [connection] = busy(opener, 1, depth=0)
    for _ in range(40):
        opener.submit(0)
        connection.reply(1, elapsed=0.0101, fresh=True)
    assert opener.pool.service_time.read == pytest.approx(0.0001, rel=0.05)


def test_queues_on_the_path_are_no_part_of_a_service_time():
    """The probe saw 2 ms; under load it is 5 ms, for one request and for a connection of four alike."""
    opener = Opener(limit=64, latency=lambda: 0.002)
    [connection] = busy(opener, 1, depth=0)
    for number in range(200):
        count = 4 if number % 4 == 3 else 1
        for _ in range(count):
            opener.submit(0)
        connection.flush()
        connection.reply(count, elapsed=0.005 + count * 0.00002, fresh=True)
    assert opener.pool.service_time.read < 0.0003


def test_with_a_long_round_trip_the_time_between_two_replies_is_no_service_time():
    """Two requests 1.5 ms apart are answered 1.5 ms apart, each 2.1 ms after it left."""
    opener = Opener(latency=lambda: 0.002)
    [connection] = busy(opener, 1, depth=0)
    for _ in range(40):
        opener.submit(0)
        connection.reply(1, elapsed=0.0015, age=0.0021)
    assert opener.pool.service_time.read == pytest.approx(0.0001, rel=0.05)


def test_with_a_long_round_trip_a_queue_may_take_as_long_as_that():
    opener = Opener(limit=8, latency=lambda: 10 * WAIT_BUDGET)
    opener.submit(0)
    opener.open()
    within = int(10 * WAIT_BUDGET / opener.pool.service_time.read)
    for number in range(1, min(within, 100)):
        opener.submit(number)
    assert opener.asked == 0


def test_one_stall_is_not_taken_for_a_service_time():
    opener = Opener()
    [connection] = busy(opener, 1, depth=0)
    opener.submit(0)
    connection.reply(1, elapsed=30.0)
    assert opener.pool.service_time.read < 0.02


# -- connections that fail -------------------------------------------------------------------------------------------


def test_those_that_wait_fail_when_the_last_connection_cannot_be_had():
    opener = Opener(limit=2)
    first, second = opener.submit(1, exclusive=True), opener.submit(2, exclusive=True)
    opener.fail()
    assert (first.failure, second.failure) == (None, None)  # another connection is opening
    opener.fail()
    assert (first.failure, second.failure) == (Failure.UNREACHABLE, Failure.UNREACHABLE)
    assert isinstance(first.error, ConnectionRefusedError)


def test_those_that_wait_fail_when_only_a_connection_that_does_not_answer_is_left():
    opener = Opener(limit=2)
    [connection] = busy(opener, 1)
    connection.sent[0].deadline = 1.0
    opener.pool.expire(1.0)
    request = opener.submit(1, deadline=50.0)
    opener.fail()
    assert request.failure is Failure.UNREACHABLE


def test_what_a_broken_connection_had_not_sent_goes_to_another_before_those_that_wait():
    opener = Opener(limit=2, max_depth=2)
    connections = busy(opener, 2, depth=0)
    for number in range(6):
        opener.submit(number)
    broken = next(connection for connection in connections if connection.unsent)
    [moved] = broken.unsent
    broken.close(ConnectionResetError())
    assert [request.number for request in opener.waiting] == [moved.number, 4, 5]
    assert moved.failure is None


def test_a_node_whose_idle_connections_are_all_dead_is_noticed_without_running_out_of_stack():
    opener = Opener(limit=400)
    for connection in busy(opener, 400, depth=0):
        connection.send_fails = True
    request = opener.submit(1)
    assert opener.pool.connections == []
    assert request.failure is Failure.BROKEN


def test_closing_fails_what_waits():
    opener = Opener(limit=1)
    request = opener.submit(1)
    opener.pool.close()
    assert request.failure is Failure.BROKEN
    opener.fail()


# -- time and housekeeping -------------------------------------------------------------------------------------------


def test_a_request_that_waited_until_its_deadline_fails_with_no_room():
    opener = Opener(limit=1, max_depth=1)
    busy(opener, 1)
    request = opener.submit(1, deadline=2.0)
    assert opener.pool.expire(1.0) == 2.0
    assert not request.ended
    opener.pool.expire(2.0)
    assert request.failure is Failure.NO_ROOM
    assert not opener.pool.waiting


def test_a_request_from_another_node_has_its_patience_on_one_that_was_idle():
    opener = Opener(limit=1)
    request = opener.submit(1, arrived=0.0, total=1.0, deadline=101.0)
    opener.pool.expire(100.5)
    assert request.failure is None
    assert opener.pool.expire(100.9) == 101.0
    opener.pool.expire(101.0)
    assert request.failure is Failure.EXPIRED


def test_a_connection_that_does_not_answer_is_given_up_when_somebody_needs_room():
    opener = Opener(limit=1)
    [connection] = busy(opener, 1)
    connection.sent[0].deadline = 1.0
    opener.pool.expire(1.0)
    assert connection.alive  # nobody needs it: its reply may still come
    request = opener.submit(1)
    assert not connection.alive
    opener.open()
    assert request.sent


def test_it_is_not_given_up_while_somebody_waits_for_a_reply_on_it():
    opener = Opener(limit=1)
    [connection] = busy(opener, 1, depth=2)
    connection.flush()
    connection.sent[0].deadline = 1.0
    opener.pool.expire(1.0)
    opener.submit(1)
    assert connection.alive
    connection.sent[1].gone = True
    connection.sent[1].abort(None)  # now nobody does
    assert not connection.alive
    assert opener.asked == 1


def all_silent(opener, count, depth=1):
    """Open connections with requests that nobody waits for any more, and of which none is answered in time."""
    connections = busy(opener, count, depth=depth)
    for connection in connections:
        connection.flush()
        for request in connection.sent:
            request.deadline = 1.0
    opener.pool.expire(1.0)
    return connections


def test_of_many_connections_that_do_not_answer_one_is_given_up_for_each_probe():
    opener = Opener(limit=400)
    connections = all_silent(opener, 400)
    requests = [opener.submit(number) for number in range(100)]
    assert sum(not connection.alive for connection in connections) == 1
    probe = opener.open()
    assert probe.depth == 1
    opener.submit(100)
    opener.pool.expire(1.5)
    assert sum(not connection.alive for connection in connections) == 1
    probe.reply()
    assert all(request.sent for request in requests[:2])


def test_connections_full_of_requests_that_nobody_waits_for_are_given_up_until_others_have_room():
    opener = Opener(limit=400, max_depth=1)
    connections = all_silent(opener, 399)
    [other] = busy(opener, 1)
    opener.pool.window.size = 10
    opener.pool.progress_at = 2.0
    opener.pool._silent = False
    other.reply()
    request = opener.submit(1)
    assert sum(connection.alive for connection in connections) == 9
    assert request.sent


def test_a_suspended_connection_hands_over_what_it_had_not_sent():
    opener = Opener(limit=2)
    [connection] = busy(opener, 1, depth=3)
    connection.sent[0].deadline = 1.0
    moved = list(connection.unsent)
    opener.pool.expire(1.0)
    assert not connection.unsent
    other = opener.open()
    # The node has not answered at all: one request finds out whether it does.
    assert other.sent + other.unsent == moved[:1]
    other.reply()
    assert other.sent + other.unsent == moved[1:]


def test_what_is_idle_for_too_long_is_closed_and_the_minimum_opened_anew():
    opener = Opener(limit=4, minimum=2)
    connections = busy(opener, 3, depth=0)
    connections[0].submit(Request())
    connections[1].idle_since = 5.0
    opener.pool.reap(10.0, 6.0)
    assert opener.pool.connections == [connections[0], connections[1]]
    opener.pool.reap(11.0, 6.0)
    assert opener.pool.connections == [connections[0]]
    assert opener.asked == 1


def test_closed_connections_are_forgotten_without_anybody_asking_for_one():
    now = 0.0
    opener = Opener(limit=4, minimum=2, clock=SimpleNamespace(iteration=0, now=lambda: now))
    for _ in range(100):
        now += 100.0
        opener.pool.fill()
        opener.open(2)
        now += 100.0
        opener.pool.reap(now, 1.0)
        assert len(opener.pool.chooser._idle) == 0
        while opener.asked:
            opener.fail()


def test_many_that_give_up_waiting_at_once_cost_no_more_than_one_each(monkeypatch):
    opener = Opener(limit=1, max_depth=1)
    busy(opener, 1)
    requests = [opener.submit(number) for number in range(20_000)]
    looks = 0
    serve = opener.pool._serve_waiting

    def counting(*args):
        nonlocal looks
        looks += 1
        serve(*args)

    monkeypatch.setattr(opener.pool, "_serve_waiting", counting)
    for request in reversed(requests):
        request.abort(None)
    assert not opener.pool.waiting
    assert looks <= 1


def test_what_gets_room_while_deadlines_are_looked_at_is_looked_at_in_time():
    opener = Opener(limit=1)
    [connection] = busy(opener, 1)
    first = opener.submit(1, exclusive=True, deadline=1.0)
    behind = opener.submit(2, deadline=5.0)
    assert opener.waiting == [first, behind]
    assert opener.pool.expire(1.0) <= 5.0
    assert (first.failure, behind in connection.unsent + connection.sent) == (Failure.NO_ROOM, True)


def test_only_the_first_request_of_a_loop_iteration_is_sent_by_itself():
    opener = Opener(limit=1)
    opener.pool._clock = clock = SimpleNamespace(iteration=1)
    opener.submit(0)
    connection = opener.open()
    alone: list[bool] = []
    submit = connection.submit

    def note(request, **how):
        alone.append(how["alone"])
        submit(request)

    connection.submit = note
    opener.submit(1)
    opener.submit(2)
    clock.iteration = 2
    opener.submit(3)
    opener.submit(4)
    assert alone == [True, False, True, False]


def test_writes_do_not_wait_in_deep_queues_where_another_connection_is_idle():
    opener = Opener(limit=2)
    connections = busy(opener, 2, depth=0)
    for number in range(FAIR_DEPTH + 1):
        opener.submit(number, write=True)
    assert sorted(connection.depth for connection in connections) == [1, FAIR_DEPTH]


def connection_of(pool) -> Any:
    return FakeConnection(pool)


def test_leased_connections_are_recalled_only_at_the_limit_of_connections():
    recalled = []
    pool = Pool(100, 1, open_one=lambda pool: None, reclaim=lambda: recalled.append(1))
    pool.service_time.measured = True
    pool.lent = 1
    for _ in range(4):
        pool.opening += 1
        pool.add(connection_of(pool))
    for number in range(400):
        pool.submit(Request(number))
    assert pool.waiting and pool.total < pool.limit
    assert not recalled


def test_the_minimum_is_opened_a_few_at_a_time():
    pool = Pool(200, 100, open_one=lambda pool: None)
    pool.fill()
    assert pool.opening == MAX_OPENING
    for opened in range(1, 101):
        assert pool.opening <= MAX_OPENING
        pool.add(connection_of(pool))
        assert len(pool.connections) + pool.opening == min(100, opened + MAX_OPENING)
    assert pool.opening == 0
