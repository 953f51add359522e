"""What tests turn on a node: delays, pauses, hooks; and what the server itself does to bad or slow requests."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter

import pytest
import trio
import trio.testing

from tests.integration.server_peer import Peer, connected, get_message, message_frame, put_message
from trio_aerospike._wire import admin, admin_messages, constants as wire
from trio_aerospike._wire.admin import hash_password
from trio_aerospike._wire.batch import encode_batch_read
from trio_aerospike._wire.batch_answers import decode_batch_response
from trio_aerospike._wire.digests import compute_digest
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.info import encode_info_request
from trio_aerospike._wire.messages import Message, decode_messages
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import AdminMessage, Fault, Reply, Request, RequestKind, open_embedded_cluster


async def test_a_delay_serves_one_request_of_a_connection_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with connected(cluster) as first, connected(cluster) as second:
            node = cluster.nodes[0]
            node.delay = 0.1
            start = trio.current_time()
            frame = message_frame(get_message("k"))
            await first.send(frame, frame, frame)
            await second.send(frame, frame)
            times = []
            for peer, count in ((first, 3), (second, 2)):
                for _ in range(count):
                    await peer.receive()
                    times.append(round(trio.current_time() - start, 3))
            assert times[:3] == [0.1, 0.2, 0.3] and max(times[3:]) <= 0.3
            assert node.stats.commands_peak == 5 and node.stats.commands_in_flight == 0
            assert await first.info_one("node") == "A1"
            assert trio.current_time() - start < 0.301, "only messages are delayed"


async def test_answers_are_out_before_the_next_request_is_served(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        cluster.nodes[0].delay = 1
        frame = message_frame(get_message("k", transaction_ttl=5000))
        await peer.send(frame, frame)
        with trio.fail_after(1.5):
            await peer.receive()


async def test_a_request_older_than_its_ttl_is_answered_with_a_timeout(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        cluster.nodes[0].delay = 3
        start = trio.current_time()
        answer = await peer.ask(put_message("k", {"a": 1}, transaction_ttl=250))
        assert answer.result_code == ResultCode.TIMEOUT
        assert trio.current_time() - start == pytest.approx(0.25)
        answer = await peer.ask(get_message("k", transaction_ttl=0))
        assert answer.result_code == ResultCode.TIMEOUT, "without a ttl of its own it has a second"
        assert trio.current_time() - start == pytest.approx(1.25)
        cluster.nodes[0].delay = 0
        assert await peer.get("k") == ResultCode.RECORD_NOT_FOUND, "what timed out was not done"


async def test_a_paused_node_accepts_and_never_answers(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        cluster.pause_node(0)
        async with connected(cluster) as peer:
            await peer.send(encode_info_request("node"))
            with trio.move_on_after(1000) as scope:
                await peer.receive()
            assert scope.cancelled_caught
            await peer.send(message_frame(get_message("k", transaction_ttl=500)))
            await trio.sleep(1)
            cluster.resume_node("A1")
            assert (await peer.receive())[0] == wire.PROTO_INFO
            assert decode_messages((await peer.receive())[1])[0].result_code == ResultCode.RECORD_NOT_FOUND


async def test_a_hook_sees_each_request_and_may_fail_it(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        seen: list[tuple[RequestKind, object]] = []
        verdicts: list[Fault | Reply | ResultCode | None] = []

        async def hook(kind: RequestKind, request: object) -> Fault | Reply | ResultCode | None:
            seen.append((kind, request))
            return verdicts.pop(0)

        node = cluster.nodes[0]
        node.on_request = hook
        get = message_frame(get_message("k"))
        async with connected(cluster) as peer:
            verdicts += [None, None, ResultCode.DEVICE_OVERLOAD, Reply(encode_frame(wire.PROTO_INFO, b"mine\t1\n"))]
            assert await peer.info_one("node") == "A1"
            assert await peer.get("k") == ResultCode.RECORD_NOT_FOUND
            assert await peer.get("k") == ResultCode.DEVICE_OVERLOAD
            assert await peer.info("node") == {"mine": "1"}
            verdicts.append(None)
            await peer.admin(admin_messages.admin_request(admin_messages.COMMAND_QUERY_USERS))
        assert [kind for kind, _ in seen] == ["info", "message", "message", "info", "admin"]
        assert Counter(kind for kind, _ in seen) == node.stats.requests
        assert isinstance(seen[-1][1], AdminMessage)
        assert seen[0][1] == ["node"] and isinstance(seen[1][1], Message)
        for verdict, error in ((Fault.RESET, trio.BrokenResourceError), (Fault.CLOSE, EOFError)):
            async with connected(cluster) as peer:
                verdicts.append(verdict)
                await peer.send(get)
                with pytest.raises(error):
                    await peer.receive()
        async with connected(cluster) as peer:
            verdicts.append(Reply(b"\x02\x03\x00", close=True))
            await peer.send(get)
            with pytest.raises(EOFError):
                await peer.receive()
        async with connected(cluster) as peer:
            verdicts.append(Fault.SILENCE)
            await peer.send(get, get)
            with trio.move_on_after(100) as scope:
                await peer.receive()
            assert scope.cancelled_caught and verdicts == [] and node.stats.commands_in_flight == 2
        node.on_request = None
        await trio.testing.wait_all_tasks_blocked()


async def test_command_connections_are_counted_apart() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        stats = cluster.nodes[0].stats
        async with connected(cluster) as commands, connected(cluster) as tend:
            for _ in range(3):
                await commands.get("k")
                await tend.info_one("node")
            assert (stats.connections_open, stats.command_connections_open) == (2, 1)
            assert stats.requests == {"message": 3, "info": 3}
        await trio.testing.wait_all_tasks_blocked()
        assert (stats.connections_open, stats.connections_peak, stats.connections_total) == (0, 2, 2)
        assert (stats.command_connections_open, stats.command_connections_peak) == (0, 1)
        stats.reset()
        assert stats.connections_total == 0 and not stats.requests


async def test_a_stopped_node_resets_its_connections_and_refuses_new_ones() -> None:
    async with open_embedded_cluster(2) as cluster, connected(cluster, 1) as peer:
        assert await peer.info_one("node") == "A2"
        port = cluster.nodes[1].port
        await cluster.stop_node(1)
        with pytest.raises(trio.BrokenResourceError):
            await peer.receive()
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", port)
        await cluster.start_node(1)
        assert cluster.nodes[1].port == port
        async with connected(cluster, 1) as again:
            assert await again.info_one("node") == "A2"


async def test_dropped_connections_leave_the_node_running() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        await peer.put("k", a=1)
        cluster.nodes[0].drop_connections()
        with pytest.raises(trio.BrokenResourceError):
            await peer.get("k")
        async with connected(cluster) as again:
            assert await again.get("k") == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x02\x09" + bytes(6),
        b"\x02\x03\x00\xff" + bytes(4),
        encode_frame(wire.PROTO_MESSAGE, b"short"),
        encode_frame(wire.PROTO_MESSAGE, b"\x16" + bytes(17) + b"\x00\x05\x00\x00"),
        encode_frame(wire.PROTO_INFO, b"\xff\xfe\n"),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_disconnected(data: bytes) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with connected(cluster) as peer:
            await peer.send(encode_info_request("node"), data)
            assert (await peer.receive())[0] == wire.PROTO_INFO, "what came before is answered"
            with pytest.raises(EOFError):
                await peer.receive()
        async with connected(cluster) as peer:
            assert await peer.info_one("node") == "A1"


async def test_requests_come_in_any_split_and_compressed(autojump_clock: trio.testing.MockClock) -> None:
    """A Community Edition refuses compressed requests, without a look inside, and goes on."""
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        frames = (
            message_frame(put_message("k", {"a": 1}))
            + compress_frame(message_frame(get_message("k")))
            + encode_frame(wire.PROTO_COMPRESSED, bytes(8) + b"not zlib")
            + message_frame(get_message("k"))
        )
        for byte in frames:
            await peer.send(bytes((byte,)))
        answers = [decode_messages((await peer.receive())[1])[0] for _ in range(4)]
        assert [answer.result_code for answer in answers] == [0, ResultCode.ENTERPRISE_ONLY, 25, 0]
        assert len(answers[3].ops) == 1
        stats = cluster.nodes[0].stats
        assert stats.requests == {"message": 4} and stats.commands_in_flight == 0
        assert "demarshal_error=2;" in await peer.info_one("statistics")
        seen = []

        async def hook(kind: RequestKind, request: object) -> None:
            seen.append((kind, request))

        cluster.nodes[0].on_request = hook
        await peer.send(compress_frame(message_frame(get_message("k"))))
        assert decode_messages((await peer.receive())[1])[0].result_code == ResultCode.ENTERPRISE_ONLY
        assert [(kind, type(request)) for kind, request in seen] == [("message", Message)]


async def test_an_enterprise_edition_takes_compressed_requests() -> None:
    async with open_embedded_cluster(1, memory=True, users={"admin": "secret"}) as cluster, connected(cluster) as peer:
        await peer.send(compress_frame(message_frame(get_message("k"))))
        assert decode_messages((await peer.receive())[1])[0].result_code == ResultCode.NOT_AUTHENTICATED
        await peer.send(compress_frame(encode_frame(wire.PROTO_INFO, b"node\n")))
        with pytest.raises(EOFError):
            await peer.receive()


async def test_admin_messages_may_have_version_0_and_no_others_may() -> None:
    """asadm logs in with them (server: process_readable in service.c)."""
    query = admin_messages.admin_request(admin_messages.COMMAND_QUERY_USERS)
    async with open_embedded_cluster(1, memory=True) as cluster:
        async with connected(cluster) as peer:
            assert await peer.admin_result(b"\0" + query[1:]) == ResultCode.SECURITY_NOT_SUPPORTED
            assert await peer.admin_result(query) == ResultCode.SECURITY_NOT_SUPPORTED
        for frame in (b"\1" + query[1:], b"\0" + message_frame(get_message("k"))[1:], b"\0\1" + query[2:]):
            async with connected(cluster) as peer:
                await peer.send(frame)
                with pytest.raises(EOFError):
                    await peer.receive()


async def test_what_is_no_command_on_a_record_is_refused() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        fields = get_message("k").fields
        cases = {
            ResultCode.UNSUPPORTED_FEATURE: get_message("k", fields=fields[:2]),
            ResultCode.INVALID_NAMESPACE: get_message("k", fields=fields[1:]),
            ResultCode.PARAM: get_message("k", info1=0),
        }
        for expected, message in cases.items():
            assert (await peer.ask(message)).result_code == expected
        short = type(fields[2])(wire.FIELD_DIGEST, b"short")
        assert (await peer.ask(get_message("k", fields=(fields[0], short)))).result_code == ResultCode.PARAM


async def test_thousands_of_requests_in_one_go() -> None:
    async with open_embedded_cluster(1) as cluster, connected(cluster) as peer:
        await peer.put("k", a=1)
        frame = message_frame(get_message("k"))

        async def send(peer: Peer) -> None:
            await peer.send(frame * 5000)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, peer)
            for _ in range(5000):
                assert len(decode_messages((await peer.receive())[1])[0].ops) == 1


@pytest.mark.parametrize("attentive", [False, True])
async def test_a_failure_inside_the_server_ends_no_more_than_its_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, attentive: bool
) -> None:
    users = {"admin": "secret"}
    async with open_embedded_cluster(1, memory=True, users=users) as cluster, connected(cluster) as peer:
        if attentive:

            async def hook(kind: str, request: Request) -> None:
                await trio.lowlevel.checkpoint()

            cluster.nodes[0].on_request = hook
        login = admin.encode_login("admin", hash_password("secret"))
        assert await peer.admin_result(login) == ResultCode.OK
        assert await peer.put("k", a=1) == ResultCode.OK
        with monkeypatch.context() as broken:
            broken.setattr("trio_aerospike.server.record_commands.read", _fail)
            broken.setattr("trio_aerospike.server.command_executor.Batch", _fail)
            broken.setattr("trio_aerospike.server.security.Security.answer", _fail)
            broken.setattr("trio_aerospike.server.node.answer_info", _fail)
            assert await peer.get("k") == ResultCode.SERVER
            await peer.send(encode_batch_read([(0, "test", "set", compute_digest("set", "k"))]))
            assert decode_batch_response((await peer.receive())[1]) == ([], ResultCode.SERVER)
            assert await peer.admin_result(login) == ResultCode.SERVER
            with pytest.raises(EOFError):
                await peer.info("node")
        assert caplog.text.count("ZeroDivisionError") >= 4
        async with connected(cluster) as other:
            assert await other.admin_result(login) == ResultCode.OK
            assert await other.get("k") == {"a": 1}


def _fail(*args: object, **options: object) -> object:
    raise ZeroDivisionError


async def test_a_busy_node_accepts_all_connections_that_wait_at_once() -> None:
    """A node that accepted one in each iteration of a busy event loop would leave others unserved for seconds."""
    async with open_embedded_cluster(1) as cluster:
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(contextlib.closing(socket.create_connection(cluster.hosts[0])))
            for _ in range(6):
                await trio.lowlevel.checkpoint()
            assert cluster.nodes[0].stats.connections_open == 50
