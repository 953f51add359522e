"""WaitingQueue against a model: requests are served in order of arrival, also those that come back."""

import math
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.cluster.scripted import after, scripted_client
from trio_aerospike import BatchPolicy, Key, ReadPolicy
from trio_aerospike._cluster.connections.request import Request
from trio_aerospike._cluster.connections.waiting_queue import WaitingQueue
from trio_aerospike._wire.constants import FIELD_DIGEST


def request(arrived):
    return Request(b"", 3, math.inf, math.inf, 1.0, False, arrived=arrived)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.owner = object()
        self.queue = WaitingQueue[Request](self.owner)
        self.time = 0.0
        self.inside = []
        self.outside = []

    def enter(self, pending):
        pending.holder = self.owner
        self.inside.append(pending)

    @rule(seconds=st.sampled_from([0.0, 1.0]))
    def arrive(self, seconds):
        self.time += seconds
        pending = request(self.time)
        self.enter(pending)
        self.queue.add(pending)

    @rule()
    @precondition(lambda self: self.inside)
    def serve(self):
        pending = self.queue.head()
        self.queue.remove(pending)
        self.inside.remove(pending)
        self.outside.append(pending)

    @rule(data=st.data())
    @precondition(lambda self: self.inside)
    def give_up(self, data):
        pending = data.draw(st.sampled_from(self.inside))
        self.queue.remove(pending)
        self.inside.remove(pending)

    @rule(count=st.integers(1, 3))
    @precondition(lambda self: self.outside)
    def come_back(self, count):
        back, self.outside = self.outside[:count], self.outside[count:]
        for pending in back:
            self.enter(pending)
        self.queue.put_back(back)

    @rule()
    @precondition(lambda self: self.outside)
    def try_again(self):
        """A new attempt of a command that arrived long ago."""
        pending = request(self.outside.pop(0).arrived)
        self.enter(pending)
        self.queue.add(pending)

    @invariant()
    def the_first_is_the_one_that_arrived_first(self):
        assert len(self.queue) == self.queue.count == len(self.inside)
        assert set(self.queue) == set(self.inside)
        if self.inside:
            assert self.queue.head().arrived == min(pending.arrived for pending in self.inside)


TestQueue = QueueMachine.TestCase


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), max_size=20))
def test_requests_that_come_back_together_keep_their_order(arrival_times):
    owner = object()
    queue = WaitingQueue[Request](owner)
    pendings = [request(arrived) for arrived in sorted(arrival_times)]
    for pending in pendings:
        pending.holder = owner
    queue.put_back(pendings)
    served = []
    while queue:
        served.append(queue.head())
        queue.remove(served[-1])
    assert served == pendings


@pytest.mark.parametrize("socket_timeout", [0.15, 10.0])
async def test_a_request_that_waits_past_its_socket_timeout_keeps_its_place(autojump_clock, socket_timeout):
    """One connection, which a batch has for itself for a second: those behind it are served as they came."""
    async with scripted_client(max_conns_per_node=1) as (client, cluster):
        patient = ReadPolicy(total_timeout=10.0, socket_timeout=socket_timeout)
        cluster.node.script.append(after(1.0))

        async def get(number: int) -> None:
            await client.get(("test", "s", number), policy=patient)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.batch_read([("test", "s", -1)], policy=BatchPolicy(total_timeout=10.0)))
            await trio.testing.wait_all_tasks_blocked()
            for number in range(8):
                nursery.start_soon(get, number)
                await trio.sleep(0.1)
        digests = [request.message.field(FIELD_DIGEST) for request in cluster.requests[1:]]
        assert digests == [Key("test", "s", number).digest for number in range(8)]


def test_what_is_overdue_is_found_when_it_is_due_and_the_progress_of_the_node_counts():
    owner: Any = object()
    queue = WaitingQueue[Request](owner)

    def add(deadline, total=None, arrived=0.0):
        added = Request(b"", 3, deadline, deadline, 1.0, False, total=total, arrived=arrived)
        added.holder = owner
        queue.add(added)
        return added

    assert queue.due(0.0) == math.inf
    patient, running = add(1.0, total=1.0), add(5.0)
    assert queue.due(-math.inf) == queue.due(0.0) == 1.0
    assert queue.due(3.0) == 4.0
    assert queue.overdue(3.9, 3.0) == []
    assert queue.overdue(4.0, 3.0) == [patient]
    queue.remove(patient)
    assert queue.due(100.0) == 5.0
    assert queue.overdue(5.0, 100.0) == [running]


def test_those_that_have_left_from_behind_a_head_that_stays_are_released():
    owner: Any = object()
    queue = WaitingQueue[Request](owner)
    added = [request(float(number)) for number in range(4001)]
    for one in added:
        one.holder = owner
        queue.add(one)
    for one in added[1:]:
        queue.remove(one)
    assert list(queue) == [added[0]]
    assert len(queue._items) < 100
