"""The RTT estimate: the round trip apart from the service time, and that it falls when the path is idle again."""

from __future__ import annotations

import pytest

from tests.unit.cluster.connections.fake_pool import Opener, busy
from trio_aerospike._cluster.connections.loop_clock import latency_of
from trio_aerospike._cluster.connections.rtt import RttEstimate


def congested(rtt: RttEstimate, seconds: float, work: float = 0.0) -> None:
    """Requests alone and in bursts of four, with queues in the network."""
    for _ in range(40):
        for count in (1, 4):
            rtt.learn(count, seconds + count * work, False)


def test_what_a_burst_takes_longer_than_one_request_is_service_time_and_the_rest_the_round_trip() -> None:
    rtt = RttEstimate(lambda: 0.002)
    congested(rtt, 0.010, work=0.001)
    assert rtt.loaded == pytest.approx(0.010, rel=0.02)
    assert rtt.unloaded == 0.002


def test_a_slow_server_does_not_lengthen_the_round_trip() -> None:
    rtt = RttEstimate(lambda: 0.0001)
    for _ in range(1000):
        rtt.learn(1, 0.0021, False)
        rtt.refute(0.004)
    assert rtt.loaded == 0.0001


def test_writes_that_wait_for_a_replica_say_nothing_of_the_round_trip_of_reads() -> None:
    rtt = RttEstimate(lambda: 0.0)
    for _ in range(40):
        rtt.learn(1, 0.005, True)
        rtt.learn(1, 0.001, False)
        rtt.learn(4, 0.001, False)
    assert rtt.loaded == pytest.approx(0.001, rel=0.05)


def test_queues_that_have_gone_are_forgotten_with_single_requests() -> None:
    rtt = RttEstimate(lambda: 0.0001)
    congested(rtt, 0.010)
    assert rtt.loaded > 0.009
    for _ in range(3000):
        rtt.learn(1, 0.0021, False)
    assert rtt.loaded == pytest.approx(0.0001, rel=0.1)


def test_a_queue_that_is_never_empty_is_not_taken_for_a_round_trip_when_the_server_becomes_slow() -> None:
    """Sixteen in connection, each half a millisecond's work: none of them had a way of 10 ms."""
    opener = Opener(latency=lambda: 0.0001)
    [connection] = busy(opener, 1, depth=0)
    congested(opener.pool._rtt, 0.010)
    for _ in range(16):
        opener.submit(0)
    for _ in range(400):
        connection.flush()
        connection.reply(1, elapsed=0.0005, age=16 * 0.0005)
        opener.submit(0)
    assert opener.pool.service_time.read == pytest.approx(0.0005, rel=0.1)
    assert opener.asked, "another connection is worth having"


def test_the_budget_follows_the_probe_while_queues_are_busy() -> None:
    probes = [0.050]
    opener = Opener(latency=lambda: probes[-1])
    [connection] = busy(opener, 1, depth=0)
    for _ in range(64):
        opener.submit(0)
    connection.flush()
    probes.append(0.00025)
    for _ in range(40):
        connection.reply(1, elapsed=0.0004, age=0.02)
        opener.submit(0)
        connection.flush()
    assert opener.asked, "64 in connection take 25 ms, and the way does not"


@pytest.mark.parametrize(
    ("passed", "waited", "latency"),
    [(0.002, 0.002, 0.002), (0.002, 0.0011, 0.002), (0.050, 0.001, 0.0), (0.0, 0.0, 0.0)],
)
def test_a_latency_is_known_only_where_our_own_tasks_did_not_hide_it(passed, waited, latency) -> None:
    assert latency_of(passed, waited) == latency
