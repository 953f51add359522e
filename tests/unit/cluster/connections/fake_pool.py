"""A pool over connections that are plain state: no network, no tasks, no clock."""

import math
from typing import Any

from trio_aerospike._cluster.connections.pool import MAX_DEPTH, Pool
from trio_aerospike._cluster.connections.request import Failure, Request as ClientRequest


class Request(ClientRequest):
    def __init__(
        self, number=0, *, deadline=math.inf, write=False, exclusive=False, size=10, total=None, arrived=-math.inf
    ):
        consume = (lambda body: True) if exclusive else None
        super().__init__(bytes(size), 3, deadline, deadline, 1.0, write, consume, total=total, arrived=arrived)
        self.number = number
        self.gone = False

    @property
    def ended(self):
        return self.gone or self.failure is not None or self.reply is not None


class FakeConnection:
    """A connection as the pool sees it."""

    def __init__(self, pool, max_depth=MAX_DEPTH, assigned=None):
        self.pool = pool
        self.max_depth = max_depth
        self.assigned = [] if assigned is None else assigned
        self.sent: list[Request] = []
        self.unsent: list[Request] = []
        self.load = 0.0
        self.alive = True
        self.replied_at = -math.inf
        self.overdue = self.suspended = self.retired = self.exclusive = self.on_idle_stack = self.send_fails = False
        self.idle_since = 0.0

    @property
    def depth(self):
        return len(self.sent) + len(self.unsent)

    @property
    def oldest_sent_at(self):
        return self.sent[0].sent_at

    @property
    def usable(self):
        held = self.suspended or self.retired or self.exclusive
        return self.alive and not held and self.depth < self.max_depth

    @property
    def shareable(self):
        return self.alive and not (self.suspended or self.exclusive or self.retired)

    @property
    def awaited(self):
        return any(not request.ended for request in self.sent + self.unsent)

    def submit(self, request, *, waited=False, alone=True):
        assert self.usable, "given to a connection that takes nothing"
        assert not request.ended
        if request.exclusive:
            assert not self.depth, "an exclusive request behind others"
            self.exclusive = True
        if waited:
            request.admit(self.pool._now())
        self.assigned.append(request.number)
        request.holder = self
        self.load += request.cost
        self.pool.in_flight += 1
        self.unsent.append(request)
        if self.send_fails:
            self.close(ConnectionResetError())
        elif self.depth == 1:
            self.flush()

    def flush(self):
        for request in self.unsent:
            request.sent = True
        self.sent += self.unsent
        self.unsent.clear()

    def _left(self, request):
        self.load -= request.cost
        self.pool.in_flight -= 1
        if request.exclusive:
            self.exclusive = False

    def withdraw(self, request):
        self.unsent.remove(request)
        self._left(request)
        self.pool.replied(self, 0, 0.0, False, 0.0, 0.0, 0)

    def abandon(self, request):
        if self.suspended:
            self.pool.replied(self, 0, 0.0, False, 0.0, 0.0, 0)

    def reply(self, count=1, elapsed=0.0, fresh=False, age=math.inf):
        cost = 0.0
        writes = learnt = 0
        for request in self.sent[:count]:
            self._left(request)
            if not request.exclusive:
                learnt, cost, writes = learnt + 1, cost + request.cost, writes + request.write
            if not request.ended:
                request.reply = b""
        del self.sent[:count]
        self.suspended = self.overdue = False
        self.pool.replied(self, learnt, elapsed, fresh, age, cost, writes)
        if self.retired and not self.depth:
            self.close(None)

    def take_unsent(self):
        moved, self.unsent = self.unsent, []
        for request in moved:
            self._left(request)
        return moved

    def expire(self, now):
        for request in list(self.unsent):
            if request.deadline <= now:
                self.unsent.remove(request)
                self._left(request)
                request.fail(Failure.EXPIRED)
        for request in self.sent:
            if request.deadline <= now:
                request.fail(Failure.EXPIRED)
        if self.sent and self.sent[0].deadline <= now:
            self.suspended = self.overdue = True
        return min([math.inf, *(r.deadline for r in self.sent + self.unsent if r.deadline > now)])

    def retire(self):
        self.retired = True
        if not self.depth:
            self.close(None)

    def close(self, error):
        if self.alive:
            self.alive = False
            unsent = self.take_unsent()
            sent, self.sent = self.sent, []
            for request in sent:
                self._left(request)
                request.fail(Failure.BROKEN, error)
            self.pool.closed(self, unsent, error)


class Opener:
    """Keeps what the pool asked for until the test answers it."""

    def __init__(self, limit=4, minimum=0, **kwargs):
        self.asked = 0
        self.hurried = math.inf
        self.pool = Pool(limit, minimum, open_one=self._ask, hurry=self._hurry, **kwargs)
        self.assigned: list[int] = []

    def _ask(self, pool):
        self.asked += 1

    def _hurry(self, deadline):
        self.hurried = min(self.hurried, deadline)

    def open(self, count=1):
        connections = []
        for _ in range(count):
            assert self.asked
            self.asked -= 1
            connection = FakeConnection(self.pool, self.pool.max_depth, self.assigned)
            connections.append(connection)
            self.pool.add(connection)  # type: ignore[arg-type]
        return connections[0] if count == 1 else connections

    def fail(self):
        self.asked -= 1
        self.pool.open_failed(Failure.UNREACHABLE, ConnectionRefusedError())

    @property
    def waiting(self) -> list[Any]:
        return list(self.pool.waiting)

    def submit(self, *args, **kwargs) -> Any:
        request = Request(*args, **kwargs)
        self.pool.submit(request)
        return request


def busy(opener, count, depth=1) -> Any:
    """Open ``count`` connections and give each ``depth`` requests."""
    for _ in range(count):
        opener.pool._open()
    connections = opener.open(count) if count > 1 else [opener.open()]
    for connection in connections:
        for _ in range(depth):
            request = Request(-1)
            request.cost = opener.pool.service_time.read
            connection.submit(request)
    return connections
