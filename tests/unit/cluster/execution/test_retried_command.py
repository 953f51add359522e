"""What follows the first failed attempt of a command: doubt and attempts go with every error."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import trio

from trio_aerospike import Key
from trio_aerospike._cluster.connections.loop_clock import loop_clock
from trio_aerospike._cluster.connections.request import Failure, Request
from trio_aerospike._cluster.execution.retried_command import RetriedCommand
from trio_aerospike._cluster.execution.retry_rules import RetryState
from trio_aerospike.errors import ResultCode, ServerError, error_from_code
from trio_aerospike.policies import WritePolicy


class Node:
    name = "A"
    address = "a:1"


class Cluster:
    """A cluster that has lost the namespace."""

    closed = False

    def report_failure(self, node: object) -> None:
        pass

    def replicas_of(self, namespace: str) -> int:
        return 1

    def cause(self, node: object, error: object) -> str:
        return "broke"

    def check_namespace(self, namespace: str) -> None:
        raise error_from_code(ResultCode.INVALID_NAMESPACE, "no such namespace")

    def describe(self) -> str:
        return "none"


def command(retries: int, *, write: bool) -> RetriedCommand:
    now = loop_clock().now()
    state = RetryState(retries, 0.0, began=now, limit=now + 5, patience=5.0)
    return RetriedCommand("put", Key("test", "s", 1), b"", WritePolicy(), write, cast(Any, Cluster()), state)


def sent_request() -> Request:
    now = loop_clock().now()
    request = Request(b"x", 3, now + 1, now + 1, 1.0, True)
    request.sent = True
    return request


async def test_a_write_in_doubt_stays_in_doubt_when_its_namespace_is_gone(autojump_clock: Any) -> None:
    retried = command(1, write=True)
    broken = sent_request()
    broken.fail(Failure.BROKEN, OSError("reset"))
    assert await retried.after(cast(Any, Node()), broken, math.inf) is None
    with pytest.raises(ServerError) as caught:
        await retried.after(None, None, math.inf)
    assert (caught.value.in_doubt, caught.value.attempts) == (True, 1)


@pytest.mark.parametrize(("left", "waits"), [(0.9, False), (0.1, False), (0.02, True)])
async def test_a_timeout_of_the_server_is_the_callers_only_where_that_is_near(
    autojump_clock: Any, left: float, waits: bool
) -> None:
    retried = command(2, write=False)
    request = sent_request()
    request.reply = bytes([22, 0, 0, 0, 0, ResultCode.TIMEOUT]) + bytes(16)
    with trio.move_on_after(left) as scope:
        assert await retried.after(cast(Any, Node()), request, trio.current_effective_deadline()) is None
    assert scope.cancelled_caught == waits
