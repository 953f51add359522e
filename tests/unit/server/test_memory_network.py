"""Connections in memory behave as sockets do."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_aerospike.server.memory_network import MemoryNetwork, MemoryStream, memory_stream_pair


async def test_what_one_end_sends_the_other_receives() -> None:
    client, server = memory_stream_pair()
    await client.send_all(b"hello ")
    assert client.try_send(b"world") == 5
    assert await server.receive_some(8) == b"hello wo"
    assert await server.receive_some(100) == b"rld"


async def test_a_full_buffer_takes_no_more_and_blocks_the_writer(autojump_clock: trio.testing.MockClock) -> None:
    client, server = memory_stream_pair(buffer_size=10)
    assert client.try_send(b"x" * 12) == 10
    assert client.try_send(b"x") == 0
    with trio.move_on_after(1) as scope:
        await client.send_all(b"y")
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"y" * 25)
        received = b""
        while len(received) < 35:
            received += await server.receive_some(7)
    assert received == b"x" * 10 + b"y" * 25


async def test_a_close_is_the_end_of_the_stream_behind_what_was_sent() -> None:
    client, server = memory_stream_pair()
    await client.send_all(b"last")
    client.close_now()
    assert await server.receive_some(100) == b"last"
    assert await server.receive_some(100) == b""
    with pytest.raises(trio.BrokenResourceError):
        await server.send_all(b"too late")
    with pytest.raises(trio.ClosedResourceError):
        await client.receive_some(1)
    with pytest.raises(trio.ClosedResourceError):
        client.try_send(b"x")


async def test_a_reset_loses_bytes_in_flight_and_wakes_all_tasks() -> None:
    client, server = memory_stream_pair(buffer_size=4)

    async def broken(end: MemoryStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await end.receive_some(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(broken, client)
        await trio.testing.wait_all_tasks_blocked()
        server.try_send(b"lost")
        server.abort()
    with pytest.raises(trio.BrokenResourceError):
        client.try_send(b"x")


async def test_a_parked_reader_notices_that_its_own_end_is_closed() -> None:
    client, _ = memory_stream_pair()

    async def reader() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await client.receive_some(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        await client.aclose()


async def test_connections_reach_the_listener_at_their_address_only() -> None:
    network = MemoryNetwork()
    accepted: list[MemoryStream] = []
    network.listen(("a", 1), accepted.append)
    stream = await network.connect("a", 1)
    await stream.send_all(b"hi")
    assert await accepted[0].receive_some(10) == b"hi"
    with pytest.raises(ConnectionRefusedError, match="nobody listens at a:2"):
        await network.connect("a", 2)
    network.unlisten(("a", 1))
    with pytest.raises(ConnectionRefusedError):
        await network.connect("a", 1)
