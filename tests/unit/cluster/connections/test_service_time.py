"""The service time: reads and writes apart, and no stall taken for one."""

import pytest

from tests.unit.cluster.connections.fake_pool import Opener, busy
from trio_aerospike._cluster.connections.service_time import (
    COST_PER_BYTE,
    MAX_SAMPLE,
    PRIOR_SERVICE_TIME,
    ServiceTime,
)


def learn(times, seconds, *, count=10, writes=0, bursts=40):
    for _ in range(bursts):
        cost = (count - writes) * times.read + writes * times.write
        times.learn(count, seconds * count, cost, writes)


def test_reads_and_writes_are_told_apart():
    times = ServiceTime()
    assert (times.read, times.write, times.measured) == (PRIOR_SERVICE_TIME, PRIOR_SERVICE_TIME, False)
    learn(times, 0.001)
    assert times.read == pytest.approx(0.001, rel=0.01)
    assert times.write == PRIOR_SERVICE_TIME
    learn(times, 0.003, writes=10)
    assert times.read == pytest.approx(0.001, rel=0.01)
    assert times.write == pytest.approx(0.003, rel=0.01)
    assert times.measured


def test_a_mixed_burst_moves_both_by_as_much():
    times = ServiceTime()
    learn(times, 0.001)
    learn(times, 0.003, writes=10)
    learn(times, 0.004, writes=5)
    assert times.write / times.read == pytest.approx(3.0, rel=0.01)
    assert times.read + times.write == pytest.approx(0.008, rel=0.02)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_stall_counts_for_little(writes):
    times = ServiceTime()
    times.learn(2, 60.0, 2 * PRIOR_SERVICE_TIME, writes)
    assert max(times.read, times.write) <= PRIOR_SERVICE_TIME + MAX_SAMPLE / 4


def test_time_that_ran_backwards_is_ignored():
    times = ServiceTime()
    times.learn(1, -1.0, PRIOR_SERVICE_TIME, 0)
    assert 0 <= times.read < PRIOR_SERVICE_TIME


def test_the_bytes_of_a_request_cost_something():
    opener = Opener(limit=1)
    busy(opener, 1, depth=0)
    opener.pool.service_time.write = 0.001
    large, write = opener.submit(size=100_000), opener.submit(size=0, write=True)
    assert large.cost == pytest.approx(PRIOR_SERVICE_TIME + 100_000 * COST_PER_BYTE)
    assert write.cost == 0.001
