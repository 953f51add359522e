"""Info answers that do not belong to the request: an error at once, never "", success or a hang."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import AerospikeError, Client, ProtocolError, errors, open_client, write
from trio_aerospike._wire.constants import PROTO_INFO
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.info import encode_info_response
from trio_aerospike.errors import ResultCode
from trio_aerospike.indexes import IndexType
from trio_aerospike.server import open_embedded_cluster
from trio_aerospike.server.faults import Reply, Request

OF_JOBS = ("sindex-stat", "query-show")


@asynccontextmanager
async def answered(make: Callable[[str], bytes | None]) -> AsyncIterator[Client]:
    """A client of a node that answers commands with the frames that ``make`` gives; None leaves them to the server."""
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            await client.put(("test", "s", 1), {"a": 1})
            [node] = cluster.nodes

            async def hook(kind: str, request: Request) -> Reply | None:
                frame = make(request[0]) if kind == "info" and isinstance(request, list) and request else None
                return None if frame is None else Reply(frame)

            node.on_request = hook
            yield client


COMMANDS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "info_random_node": lambda client: client.info_random_node("asked"),
    "info_node": lambda client: client.info_node(client.node_names()[0], "asked"),
    "truncate": lambda client: client.truncate("test", "s"),
    "create_index": lambda client: client.create_index("test", "s", "b", "i", IndexType.NUMERIC),
    "drop_index": lambda client: client.drop_index("test", "i"),
    "list_indexes": lambda client: client.list_indexes("test"),
    "udf_put": lambda client: client.udf_put(b"x = 1", name="x.lua"),
    "udf_list": lambda client: client.udf_list(),
    "namespaces": lambda client: client.namespaces(),
    "sets": lambda client: client.sets("test"),
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_an_answer_to_something_else_is_an_error(autojump_clock: MockClock, command: str) -> None:
    def other(name: str) -> bytes | None:
        if name.startswith(("node", "peers", "partition", "replicas", "status")):
            return None  # what the tend loop asks
        return encode_info_response({"other": "ok"})

    async with answered(other) as client:
        with trio.fail_after(60), pytest.raises(ProtocolError, match=r"node \S+ at .*: .*answer to .*: got "):
            await COMMANDS[command](client)
        [result] = await client.info_all("asked")
        assert result.error_code == ResultCode.CLIENT and isinstance(result.error, ProtocolError)


@pytest.mark.parametrize("command", COMMANDS)
async def test_an_error_in_place_of_all_answers_is_that_error(autojump_clock: MockClock, command: str) -> None:
    def late(name: str) -> bytes | None:
        if name.startswith(("node", "peers", "partition", "replicas", "status")):
            return None
        return encode_frame(PROTO_INFO, b"ERROR:9:timeout\n")  # as of requests older than info-max-ms

    async with answered(late) as client:
        with trio.fail_after(60), pytest.raises(errors.AerospikeTimeoutError, match="timeout"):
            await COMMANDS[command](client)


@pytest.mark.parametrize("answer", ["", "entries=1", "load_pct=", "load_pct=many", "something else"])
async def test_waiting_for_an_index_ends_where_the_answer_tells_nothing(autojump_clock: MockClock, answer: str) -> None:
    def vague(name: str) -> bytes | None:
        return encode_info_response({name: answer}) if name.startswith("sindex-stat") else None

    async with answered(vague) as client:
        job = await client.create_index("test", "s", "b", "i", IndexType.NUMERIC)
        with trio.fail_after(60), pytest.raises(ProtocolError, match="did not report its progress"):
            await job.wait()


@pytest.mark.parametrize("answer", ["", "no-status=here", "something else"])
async def test_waiting_for_work_in_the_background_ends_where_the_answer_tells_nothing(
    autojump_clock: MockClock, answer: str
) -> None:
    def vague(name: str) -> bytes | None:
        return encode_info_response({name: answer}) if name.startswith("query-show") else None

    async with answered(vague) as client:
        job = await client.query_operate("test", "s", [write("a", 1)])
        with trio.fail_after(60), pytest.raises(ProtocolError, match="did not report its progress"):
            await job.wait()


@pytest.mark.parametrize("code", [ResultCode.PARAM, ResultCode.ROLE_VIOLATION])
async def test_waiting_ends_where_a_node_refuses_for_good(autojump_clock: MockClock, code: ResultCode) -> None:
    def refuses(name: str) -> bytes | None:
        return encode_info_response({name: f"ERROR:{code:d}:not for you"}) if name.startswith(OF_JOBS) else None

    async with answered(refuses) as client:
        jobs = [
            await client.create_index("test", "s", "b", "i", IndexType.NUMERIC),
            await client.query_operate("test", "s", [write("a", 1)]),
        ]
        for job in jobs:
            with trio.fail_after(60), pytest.raises(AerospikeError, match="not for you") as caught:
                await job.wait()
            assert caught.value.result_code == code


async def test_a_command_that_changes_something_succeeds_only_where_the_answer_says_so(
    autojump_clock: MockClock,
) -> None:
    def empty(name: str) -> bytes | None:
        return encode_info_response({name: ""}) if name.startswith(("truncate", "sindex-")) else None

    async with answered(empty) as client:
        for command in ("truncate", "create_index", "drop_index"):
            with pytest.raises(ProtocolError, match="expected the answer 'ok', got ''") as caught:
                await COMMANDS[command](client)
            assert caught.value.in_doubt


async def test_the_next_command_has_a_connection_of_its_own(autojump_clock: MockClock) -> None:
    wrong = True

    def sometimes(name: str) -> bytes | None:
        return encode_info_response({"other": "ok"}) if wrong and name == "build" else None

    async with answered(sometimes) as client:
        with pytest.raises(ProtocolError):
            await client.info_random_node("build")
        wrong = False
        assert (await client.info_random_node("build")).startswith("8.")
