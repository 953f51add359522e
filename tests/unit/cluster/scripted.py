"""A network in memory that does what a test tells it to: one wire, and a server behind many of them.

Unlike the embedded server it knows nothing of records. It answers the tend loop from a table and every other request
by script, so that a test decides when an answer comes, in which pieces, and whether at all.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from trio_aerospike import Client, open_client
from trio_aerospike._wire.batch_messages import decode_batch_request, encode_batch_end, encode_batch_row
from trio_aerospike._wire.constants import FIELD_BATCH_INDEX, PROTO_INFO, PROTO_MESSAGE
from trio_aerospike._wire.frames import FrameReader, encode_frame
from trio_aerospike._wire.info import decode_info_request, encode_info_response
from trio_aerospike._wire.info_cluster import Peer, format_peers, format_replicas
from trio_aerospike._wire.messages import Message, decode_message, encode_message

ALL = b"\xff" * 512
NONE = b"\x00" * 512
EVEN, ODD = b"\xaa" * 512, b"\x55" * 512


class Inbox:
    """Bytes in flight in one direction; an error or the end may follow them."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.end: BaseException | None = None
        self.ended = False
        self._news = trio.Event()

    def put(self, data: bytes) -> None:
        self.data += data
        self._wake()

    def finish(self, error: BaseException | None = None) -> None:
        self.ended = True
        self.end = error
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()

    async def take(self, max_bytes: int) -> bytes:
        while not self.data and not self.ended:
            await self._news.wait()
        if self.data:
            taken = bytes(self.data[:max_bytes])
            del self.data[:max_bytes]
            return taken
        if self.end is not None:
            raise self.end
        return b""


class Wire:
    """The client's end of a scripted connection.

    Attributes:
        sends: what each send that came through handed over.
        room: bytes that are taken before the wire blocks; None for any number.
        send_error: raised by the next attempt to send.
        out: what the client sent and nobody has read.
        back: what the client is going to receive.
    """

    def __init__(self) -> None:
        self.sends: list[bytes] = []
        self.room: int | None = None
        self.send_error: BaseException | None = None
        self.out = Inbox()
        self.back = Inbox()
        self.closed = False
        self._room_made = trio.Event()

    def try_send(self, data: bytes, /) -> int:
        if self.send_error is not None:
            raise self.send_error
        if self.closed:
            raise trio.ClosedResourceError("this end is closed")
        if self.out.ended:
            raise trio.BrokenResourceError("the peer is gone")
        taken = bytes(data if self.room is None else data[: self.room])
        if self.room is not None:
            self.room -= len(taken)
        if taken:
            self.sends.append(taken)
            self.out.put(taken)
        return len(taken)

    async def send_all(self, data: bytes, /) -> None:
        await trio.lowlevel.checkpoint()
        data = data[self.try_send(data) :]
        while data:
            await self._room_made.wait()
            data = data[self.try_send(data) :]

    async def receive_some(self, max_bytes: int, /) -> bytes:
        await trio.lowlevel.checkpoint()
        return await self.back.take(max_bytes)

    async def aclose(self) -> None:
        self.close_now()

    def close_now(self) -> None:
        self.closed = True
        if not self.out.ended:
            self.out.finish()

    # -- the test's side ---------------------------------------------------------------------------------------------

    @property
    def sent(self) -> bytes:
        """Everything that the client sent."""
        return b"".join(self.sends)

    def make_room(self, room: int | None = None) -> None:
        self.room = room
        made, self._room_made = self._room_made, trio.Event()
        made.set()

    def reply(self, *frames: bytes) -> None:
        self.back.put(b"".join(frames))

    def reset(self, error: BaseException | None = None) -> None:
        """Break both directions; what the client has not read is lost."""
        self.back.data.clear()
        self.back.finish(error or ConnectionResetError("reset by the test"))
        self.out.finish()


def message_frame(message: Message) -> bytes:
    return encode_frame(PROTO_MESSAGE, encode_message(message))


def answer(code: int = 0, **fields: int) -> bytes:
    """The frame of an answer without bins."""
    return message_frame(Message(result_code=code, **fields))  # type: ignore[arg-type]


class Request:
    """One message that the server has read."""

    def __init__(self, node: ScriptedNode, wire: Wire, number: int, message: Message) -> None:
        self.node = node
        self.wire = wire
        self.connection = number
        self.message = message
        self.at = trio.current_time()

    @property
    def ttl(self) -> int:
        return self.message.transaction_ttl


Reaction = Callable[[Request], Awaitable[bytes | None]]


async def ok(request: Request) -> bytes:
    """A record without bins, or as many of them as a batch asks for."""
    if request.message.field(FIELD_BATCH_INDEX) is None:
        return answer(0, generation=1)
    rows = decode_batch_request(request.message)[1]
    body = b"".join([encode_batch_row(row.index, 0, 1, 0) for row in rows])
    return encode_frame(PROTO_MESSAGE, body + encode_batch_end())


async def stall(request: Request) -> bytes:
    await trio.sleep_forever()
    raise AssertionError


async def drop(request: Request) -> None:
    request.wire.reset()


def code(number: int) -> Reaction:
    async def react(request: Request) -> bytes:
        return answer(number)

    return react


def after(seconds: float, then: Reaction = ok) -> Reaction:
    async def react(request: Request) -> bytes | None:
        await trio.sleep(seconds)
        return await then(request)

    return react


def when(event: trio.Event, then: Reaction = ok) -> Reaction:
    async def react(request: Request) -> bytes | None:
        await event.wait()
        return await then(request)

    return react


class ScriptedNode:
    """A node: reacts to each message with the next of ``script``, or with ``default`` when that is used up."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.default: Reaction = ok
        self.script: deque[Reaction] = deque()
        self.requests: list[Request] = []
        self.wires: list[Wire] = []
        self.in_flight = 0
        self.peak = 0
        self.on_connect: Callable[[], Awaitable[None]] | None = None
        self.on_info: Callable[[list[str]], Awaitable[None]] | None = None

    @property
    def command_wires(self) -> list[Wire]:
        """Connections that are open and were not opened for info commands."""
        return [wire for wire in self.wires[1:] if not wire.closed]

    async def serve(self, wire: Wire, number: int, infos: Callable[[str], str]) -> None:
        """Work on one request of the connection at a time, as the real server does."""
        reader = FrameReader()
        while data := await wire.out.take(1 << 20):
            for kind, body in reader.feed(data):
                if kind == PROTO_INFO:
                    if self.on_info is not None:
                        await self.on_info(decode_info_request(body))
                    wire.reply(encode_info_response({name: infos(name) for name in decode_info_request(body)}))
                else:
                    await self._react(Request(self, wire, number, decode_message(body)[0]))

    async def _react(self, request: Request) -> None:
        self.requests.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        react = self.script.popleft() if self.script else self.default
        try:
            frame = await react(request)
        finally:
            self.in_flight -= 1
        if frame is not None and not request.wire.closed:
            request.wire.reply(frame)


class ScriptedCluster:
    """Nodes of which the first is master of everything and the second has the copies.

    Args:
        split: two nodes are masters of one half each and keep the other half's copies.
    """

    def __init__(self, nursery: trio.Nursery, nodes: int = 1, split: bool = False) -> None:
        self._nursery = nursery
        self._split = split
        self.nodes = [ScriptedNode(f"A{index + 1}", 3000 + index) for index in range(nodes)]
        self.node = self.nodes[0]

    async def connector(self, host: str, port: int, tls_name: str | None) -> Wire:
        await trio.lowlevel.checkpoint()
        node = next(node for node in self.nodes if node.port == port)
        if node.on_connect is not None and node.wires:
            await node.on_connect()
        wire = Wire()
        node.wires.append(wire)
        self._nursery.start_soon(node.serve, wire, len(node.wires) - 1, functools.partial(self._info, node))
        return wire

    def _info(self, node: ScriptedNode, name: str) -> str:
        bitmaps = [ALL if index == self.nodes.index(node) else NONE for index in range(min(2, len(self.nodes)))]
        if self._split:
            bitmaps = [EVEN, ODD] if node is self.node else [ODD, EVEN]
        peers = [Peer(other.name, "", (("127.0.0.1", other.port),)) for other in self.nodes if other is not node]
        table = {
            "node": node.name,
            "peers-generation": "1",
            "partition-generation": "1",
            "rebalance-generation": "1",
            "cluster-name": "docker",
            "peers-clear-std": format_peers(1, 3000, peers),
            "replicas": format_replicas({"test": (1, bitmaps)}),
            "service-clear-std": f"127.0.0.1:{node.port}",
            "status": "ok",
        }
        return table.get(name, "ERROR:4:no such command")

    @property
    def requests(self) -> list[Request]:
        return sorted((request for node in self.nodes for request in node.requests), key=lambda request: request.at)


@asynccontextmanager
async def scripted_client(nodes: int = 1, *, split: bool = False, **fields: Any):
    """A client of a scripted cluster: ``async with scripted_client() as (client, cluster)``."""
    async with trio.open_nursery() as nursery:
        cluster = ScriptedCluster(nursery, nodes, split)
        async with open_client("127.0.0.1:3000", connector=cluster.connector, **fields) as client:
            yield client, cluster
        nursery.cancel_scope.cancel()


def pools_of(client: Client):
    """Every pool of the client."""
    return [pool for node in client._cluster.active_nodes() for pool in node.pools]


def lines_of(client: Client) -> Iterator[tuple[int, float, int]]:
    """Queue depth, load and unsent bytes of every connection for commands: zeros when nothing is in flight."""
    for pool in pools_of(client):
        for connection in pool.connections:
            yield connection.depth, connection.load, connection._pipeline.unsent_bytes
