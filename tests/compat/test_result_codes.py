"""Which error has which ``result_code``: what a server answered has the server's, all else has -1.

The codes are those that aerospike-py 0.14.4 gave for the same steps, with a real server of version 8.1.2, and with the
embedded one where it is silent, breaks a connection or answers with a code.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import exception
from tests.compat.background import BackgroundCluster
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import Fault

KEY = ("test", "result-codes", "k")
#: One attempt, and not for long: the server is not going to answer.
SHORT = {"total_timeout": 300, "socket_timeout": 300, "max_retries": 0}


def error_of(call: Callable[[], Any]) -> tuple[type[Exception], int]:
    with pytest.raises(exception.AerospikeError) as caught:
        call()
    assert type(caught.value.result_code) is int
    return type(caught.value), caught.value.result_code


@pytest.mark.parametrize("name", sorted(name for name in exception.__all__ if name != "AerospikeError"))
def test_every_class_has_the_code_of_an_error_without_an_answer(name: str):
    assert getattr(exception, name).result_code == -1


@pytest.mark.parametrize(
    "command",
    [
        lambda client: client.put(KEY, {"a": 1}, meta={"ttl": -5}),
        lambda client: client.put(KEY, {"a": object()}),
        lambda client: client.get(("test", "s", 1.5)),
        lambda client: client.get(KEY, policy={"total_timeout": -1}),
        lambda client: client.operate(KEY, []),
        lambda client: client.batch_read([1]),
        lambda client: client.udf_put("/no/such/module.lua"),
    ],
)
def test_a_wrong_argument_has_no_code_of_a_servers(client: Any, command: Callable[[Any], Any]):
    kind, code = error_of(lambda: command(client))
    assert all(issubclass(kind, base) for base in (exception.InvalidArgError, ValueError, TypeError))
    assert code == -1


def test_a_client_that_is_not_connected(make_client: Callable[..., Any], shared_cluster: BackgroundCluster):
    client = make_client(hosts=shared_cluster.hosts)
    assert error_of(lambda: client.get(KEY)) == (exception.ClientError, -1)


def test_a_cluster_that_cannot_be_used(make_client: Callable[..., Any], shared_cluster: BackgroundCluster):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert error_of(make_client(hosts=[nobody.getsockname()]).connect) == (exception.ClusterError, -1)
    other = make_client(hosts=shared_cluster.hosts, cluster_name="another")
    assert error_of(other.connect) == (exception.ClusterError, -1)


@pytest.mark.parametrize(
    ("verdict", "kind", "code"),
    [
        (Fault.SILENCE, exception.AerospikeTimeoutError, -1),
        (Fault.RESET, exception.ClusterError, -1),
        (Fault.CLOSE, exception.ClusterError, -1),
        (ResultCode.TIMEOUT, exception.AerospikeTimeoutError, 9),
        (ResultCode.KEY_BUSY, exception.ServerError, 14),
        (ResultCode.DEVICE_OVERLOAD, exception.ServerError, 18),
        (ResultCode.QUERY_ABORTED, exception.QueryAbortedError, 210),
    ],
)
def test_what_a_server_does(
    make_client: Callable[..., Any],
    start_cluster: Callable[..., BackgroundCluster],
    verdict: Fault | ResultCode,
    kind: type[Exception],
    code: int,
):
    cluster = start_cluster()
    client = make_client(hosts=cluster.hosts).connect()
    client.put(KEY, {"a": 1})

    async def hook(request_kind: str, request: object) -> Fault | ResultCode | None:
        return verdict if request_kind == "message" else None

    cluster.set(on_request=hook)
    for command in (lambda: client.get(KEY, policy=SHORT), lambda: client.put(KEY, {"a": 2}, policy=SHORT)):
        found, result_code = error_of(command)
        assert issubclass(found, kind)
        assert result_code == code


def test_no_slot_came_free(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster()
    taken = threading.Event()

    async def hook(request_kind: str, request: object) -> Fault | None:
        if request_kind != "message":
            return None
        taken.set()
        return Fault.SILENCE

    async def main() -> object:
        limits = {"max_concurrent_operations": 1, "operation_queue_timeout_ms": 50}
        policy = {"total_timeout": 30_000, "socket_timeout": 0}

        async def take_the_slot() -> None:
            while True:
                # On a machine under load the slot may take longer than 50 ms to arrive.
                with contextlib.suppress(exception.BackpressureError):
                    await client.get(KEY, policy)

        async with await aerospike.AsyncClient({"hosts": cluster.hosts, **limits}).connect() as client:
            cluster.set(on_request=hook)
            first = asyncio.ensure_future(take_the_slot())
            assert await asyncio.to_thread(taken.wait, 10)
            (second,) = await asyncio.gather(client.get(KEY, policy), return_exceptions=True)
            first.cancel()
            await asyncio.wait([first])
            return second

    error = asyncio.run(main())
    assert isinstance(error, exception.BackpressureError)
    assert error.result_code == -1
