"""The transports over real sockets on the loopback: sends that do not block, ends of every kind, TLS."""

import contextlib
import os
import socket
import ssl
import struct
from functools import partial

import pytest
import trio
import trio.testing
import trustme

from trio_aerospike._cluster.connections.transport import (
    SocketTransport,
    StreamTransport,
    _living,
    resolve,
    tcp_connector,
)


@pytest.fixture
async def pair():
    ours, theirs = socket.socketpair()
    transport = SocketTransport(ours)
    peer = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    yield transport, peer
    await transport.aclose()
    await peer.aclose()


def fill(transport):
    """Send until the socket takes no more; returns what it took."""
    total = 0
    while taken := transport.try_send(b"x" * 65536):
        total += taken
    return total


async def test_try_send_takes_what_fits_and_never_blocks(pair):
    transport, peer = pair
    total = fill(transport)
    assert total > 0
    assert transport.try_send(b"more") == 0
    received = 0
    while received < total:
        received += len(await peer.receive_some(1 << 20))
    assert transport.try_send(b"more") == 4


async def test_send_all_waits_for_room_and_sends_every_byte_once(pair):
    transport, peer = pair
    total = fill(transport)
    data = bytes(range(256)) * 4096
    got = bytearray()

    async def read():
        while len(got) < total + len(data):
            got.extend(await peer.receive_some(1 << 20))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.send_all, data)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(read)
    assert bytes(got[total:]) == data


async def test_receive_some_gives_bytes_and_then_the_end(pair):
    transport, peer = pair
    await peer.send_all(b"hello")
    assert await transport.receive_some(3) == b"hel"
    assert await transport.receive_some(100) == b"lo"
    await peer.send_eof()
    assert await transport.receive_some(100) == b""


async def test_a_receive_can_be_cancelled_without_losing_bytes(pair):
    transport, peer = pair
    with trio.move_on_after(0.01):
        await transport.receive_some(100)
    await peer.send_all(b"late")
    assert await transport.receive_some(100) == b"late"


@pytest.mark.parametrize("act", ["receive", "send"])
async def test_closing_wakes_whoever_waits(pair, act):
    transport, _ = pair
    fill(transport)
    failures = []

    async def wait():
        try:
            await (transport.receive_some(100) if act == "receive" else transport.send_all(b"x"))
        except (trio.ClosedResourceError, OSError) as error:
            failures.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await transport.aclose()
    assert len(failures) == 1
    await transport.aclose()  # a second time does no harm
    assert "closed" in repr(transport)
    with pytest.raises(OSError):
        transport.try_send(b"x")


async def test_close_now_releases_the_descriptor_at_once(pair):
    transport, peer = pair
    transport.close_now()
    assert await peer.receive_some(1) == b""
    transport.close_now()
    await transport.aclose()


async def test_a_reset_is_an_error_that_a_connection_knows():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    transport = await tcp_connector(None)("127.0.0.1", port, None)
    server = await listeners[0].accept()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(server)
    with pytest.raises(ConnectionResetError):
        await transport.receive_some(100)
    with pytest.raises(OSError):
        transport.try_send(b"x")
    await transport.aclose()
    await listeners[0].aclose()


async def test_the_connector_makes_sockets_that_send_at_once_and_notice_dead_peers():
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    transport = await tcp_connector(None)("127.0.0.1", listener.socket.getsockname()[1], None)
    server = await listener.accept()
    assert isinstance(transport, SocketTransport)
    sock = transport._sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert transport.try_send(b"ping") == 4
    assert await server.receive_some(4) == b"ping"
    for closing in (transport, server, listener):
        await closing.aclose()


async def test_the_connector_says_why_it_could_not_connect():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError):
        await tcp_connector(None)("127.0.0.1", port, None)


@pytest.mark.parametrize("name", ["a..b", "x" * 64, ".example.com"])
async def test_a_name_that_no_resolver_takes_is_an_os_error_that_shows_it(name):
    with pytest.raises(OSError, match="cannot be a host name"):
        await tcp_connector(None)(name, 3000, None)
    with pytest.raises(OSError, match="cannot be a host name"):
        await resolve(name, 3000)


async def test_a_memory_stream_serves_as_a_transport():
    ours, theirs = trio.testing.memory_stream_pair()
    transport = StreamTransport(ours)
    assert transport.try_send(b"x") == 0
    await transport.send_all(b"hello")
    assert await theirs.receive_some(100) == b"hello"
    await theirs.send_all(b"back")
    assert await transport.receive_some(100) == b"back"
    await transport.aclose()
    assert await theirs.receive_some(100) == b""


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
async def tls_port(authority, nursery):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("aerospike.test").configure_cert(context)

    async def echo(stream):
        try:
            while data := await stream.receive_some():
                await stream.send_all(data)
        except trio.BrokenResourceError:
            pass

    listeners = await nursery.start(partial(trio.serve_ssl_over_tcp, echo, 0, context, host="127.0.0.1"))
    return listeners[0].transport_listener.socket.getsockname()[1]


async def test_tls_carries_bytes_both_ways(authority, tls_port):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = await tcp_connector(context)("127.0.0.1", tls_port, "aerospike.test")
    assert transport.try_send(b"x") == 0  # encrypting may have to wait for the peer
    await transport.send_all(b"hello")
    assert await transport.receive_some(100) == b"hello"
    await transport.aclose()


@pytest.mark.parametrize("trusted, name", [(False, "aerospike.test"), (True, "another.test"), (True, None)])
async def test_a_certificate_that_does_not_fit_is_an_os_error_with_its_reason(authority, tls_port, trusted, name):
    context = ssl.create_default_context()
    if trusted:
        authority.configure_trust(context)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        await tcp_connector(context)("127.0.0.1", tls_port, name)


async def test_a_tls_name_that_cannot_be_one_is_an_os_error(tls_port):
    with pytest.raises(OSError, match="cannot be a host name"):
        await tcp_connector(ssl.create_default_context())("127.0.0.1", tls_port, ".aerospike.test")


async def test_a_peer_that_speaks_no_tls_is_an_os_error():
    async def greet(stream):
        await stream.send_all(b"no TLS here, and this is long enough to be read as a record")

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, greet, 0, host="127.0.0.1"))
        with pytest.raises(OSError):
            await tcp_connector(ssl.create_default_context())(
                "127.0.0.1", listener.socket.getsockname()[1], "aerospike.test"
            )
        nursery.cancel_scope.cancel()


async def test_a_peer_that_closes_in_the_handshake_is_an_error_that_callers_know():
    async def leave(stream):
        await stream.receive_some(1)

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, leave, 0, host="127.0.0.1"))
        with pytest.raises((OSError, trio.BrokenResourceError)):
            await tcp_connector(ssl.create_default_context())(
                "127.0.0.1", listener.socket.getsockname()[1], "aerospike.test"
            )
        nursery.cancel_scope.cancel()


async def test_a_handshake_that_is_cancelled_leaves_no_socket_open():
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    with trio.move_on_after(0.1) as scope:
        await tcp_connector(ssl.create_default_context())("127.0.0.1", listener.socket.getsockname()[1], "x.test")
    assert scope.cancelled_caught
    server = await listener.accept()
    with trio.fail_after(2):
        while await server.receive_some(1000):
            pass
    await server.aclose()
    await listener.aclose()


def open_sockets():
    return [each for each in _living if isinstance(each, SocketTransport) and each.sock.fileno() >= 0]


def open_sockets_in_a_child():
    child = os.fork()
    if child == 0:
        os._exit(len(open_sockets()))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_a_forked_child_holds_no_connection_not_even_one_that_is_being_made(nursery):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        host, port = server.getsockname()
        connect = tcp_connector(None)
        ready = await connect(host, port, None)
        # Connections that nobody accepts, until the next is not answered any more.
        for _ in range(16):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        nursery.start_soon(connect, host, port, None)
        await trio.testing.wait_all_tasks_blocked()
        assert len(open_sockets()) == 2
        assert open_sockets_in_a_child() == 0
        assert len(open_sockets()) == 2
        await ready.aclose()
        nursery.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert open_sockets() == []
