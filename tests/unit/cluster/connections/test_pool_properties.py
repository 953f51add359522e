"""The pool under whatever happens in whatever order: properties that hold at every step."""

import math

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.effort import examples
from tests.unit.cluster.connections.fake_pool import Opener, Request


class PoolMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: no more connections than allowed, and no request lost, doubled or stuck."""

    limit = 3
    max_depth = 3
    window = 256.0

    def __init__(self):
        super().__init__()
        self.time = 0.0
        self.opener = Opener(self.limit, 1, max_depth=self.max_depth, clock=self)
        self.pool = self.opener.pool
        self.pool.window.size = self.window
        self.requests = []

    def now(self):
        return self.time

    trio_time = now
    iteration = 0

    @property
    def connections(self):
        return self.pool.connections

    def pick(self, data, things):
        return data.draw(st.sampled_from(things))

    @rule(
        exclusive=st.booleans(), write=st.booleans(), time=st.sampled_from([0.5, 2.0, math.inf]), running=st.booleans()
    )
    def submit(self, exclusive, write, time, running):
        request = Request(
            len(self.requests),
            deadline=self.time + (time if running else min(time, 1.0)),
            write=write,
            exclusive=exclusive,
            total=None if running else time,
            arrived=self.time,
        )
        self.requests.append(request)
        self.pool.submit(request)

    @rule()
    @precondition(lambda self: self.opener.asked)
    def open(self):
        self.opener.open()

    @rule()
    @precondition(lambda self: self.opener.asked)
    def open_fails(self):
        self.opener.fail()

    @rule(data=st.data(), count=st.integers(1, 3), elapsed=st.floats(0, 0.1), age=st.sampled_from([0.001, 0.1, 1.0]))
    @precondition(lambda self: any(connection.sent for connection in self.connections))
    def reply(self, data, count, elapsed, age):
        connection = self.pick(data, [connection for connection in self.connections if connection.sent])
        connection.flush()
        connection.reply(count, elapsed, fresh=count == 1, age=age)

    @rule(data=st.data())
    @precondition(lambda self: any(not request.ended for request in self.requests))
    def cancel(self, data):
        request = self.pick(data, [request for request in self.requests if not request.ended])
        request.gone = True
        request.abort(None)

    @rule(data=st.data(), error=st.sampled_from([None, ConnectionResetError()]))
    @precondition(lambda self: self.connections)
    def breaks(self, data, error):
        self.pick(data, self.connections).close(error)

    @rule(data=st.data(), what=st.sampled_from(["retire", "send_fails"]))
    @precondition(lambda self: self.connections)
    def spoil(self, data, what):
        connection = self.pick(data, self.connections)
        if what == "retire":
            connection.retire()
        else:
            connection.send_fails = True

    @rule(seconds=st.sampled_from([0.5, 1.0]))
    def expire(self, seconds):
        self.time += seconds
        self.opener.hurried = math.inf
        due = min(self.pool.expire(self.time), self.opener.hurried)
        ends = [self.end_of(request) for request in self.requests if not request.ended]
        assert due <= min(ends, default=math.inf)
        assert due > self.time

    def end_of(self, request):
        """When a request is given up, if nothing happens before."""
        if request.holder is self.pool and request.total is not None:
            return max(request.deadline, self.pool.progress_at + request.patience)
        return request.deadline

    @rule()
    def reap(self):
        self.pool.reap(self.time, 1.0)
        assert len(self.connections) + self.pool.opening >= self.pool.minimum

    @invariant()
    def never_more_connections_than_allowed(self):
        assert self.pool.opening == self.opener.asked >= 0
        assert len(self.connections) + self.pool.opening <= self.limit

    @invariant()
    def every_request_is_in_one_place_or_has_ended(self):
        places = [id(r) for r in self.pool.waiting]
        for connection in self.connections:
            assert connection.alive
            places += [id(r) for r in connection.sent + connection.unsent]
        assert len(places) == len(set(places))
        lost = [r.number for r in self.requests if not r.ended and id(r) not in places]
        assert not lost
        assert not [r.number for r in self.opener.waiting if r.ended]

    @invariant()
    def requests_in_flight_are_counted(self):
        assert self.pool.in_flight == sum(connection.depth for connection in self.connections)

    @invariant()
    def first_come_first_served(self):
        firsts = list(dict.fromkeys(self.opener.assigned))
        assert firsts == sorted(firsts)

    @invariant()
    def nobody_waits_beside_room(self):
        if self.pool.waiting:
            head = next(iter(self.pool.waiting))
            room = [c for c in self.connections if c.usable and not self.pool._has_long_wait(c)]
            admits = head.exclusive or self.pool._room_in_window > 0
            assert not admits or not [c for c in room if not head.exclusive or not c.depth]
            # There will be progress: a connection is opening, or an open one has requests in flight.
            assert self.pool.opening or any(connection.depth for connection in self.connections)

    @invariant()
    def the_idle_are_known_and_nothing_else_is_kept(self):
        idle = self.pool.chooser._idle
        assert len(idle) == len(set(map(id, idle)))
        assert all(connection.alive and connection.on_idle_stack for connection in idle)
        for connection in self.connections:
            if not connection.depth and connection.usable:
                assert connection in idle

    def teardown(self):
        self.pool.close()
        while self.opener.asked:
            self.opener.fail()
        assert all(request.ended for request in self.requests)
        assert not self.pool.connections
        assert not self.pool.waiting


TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=examples(60), stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class SmallWindow(PoolMachine):
    """The window is soon full: no more is in flight than it was when the last request was admitted."""

    limit = 2
    window = 2.0

    def submit_within(self):
        return self.pool.in_flight <= max(self.pool.window.size, self.window) + sum(r.exclusive for r in self.requests)

    @invariant()
    def the_window_holds(self):
        assert self.submit_within()


TestPoolWithASmallWindow = SmallWindow.TestCase
TestPoolWithASmallWindow.settings = TestPool.settings


class OneAtATime(PoolMachine):
    """As over TLS: a connection carries one request."""

    max_depth = 1


TestPoolOverTls = OneAtATime.TestCase
TestPoolOverTls.settings = settings(
    max_examples=examples(30), stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class OneConnection(PoolMachine):
    limit = 1


TestPoolOfOneConnection = OneConnection.TestCase
TestPoolOfOneConnection.settings = settings(
    max_examples=examples(30), stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
