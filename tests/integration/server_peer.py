"""Minimal client for the tests of the embedded server: sends whole messages and returns whole answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import trio

from trio_aerospike._wire import admin_messages, constants as wire
from trio_aerospike._wire.digests import compute_digest
from trio_aerospike._wire.frames import FrameReader, encode_frame
from trio_aerospike._wire.info import decode_info_response, encode_info_request
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages, encode_message
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike.server import EmbeddedCluster


class Stream(Protocol):
    async def send_all(self, data: bytes) -> None: ...
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray: ...
    async def aclose(self) -> None: ...


def key_fields(key: Any, set_name: str = "set", namespace: str = "test") -> tuple[Field, ...]:
    return (
        Field(wire.FIELD_NAMESPACE, namespace.encode()),
        Field(wire.FIELD_SET, set_name.encode()),
        Field(wire.FIELD_DIGEST, compute_digest(set_name, key)),
    )


def write_op(name: str, value: Any, op: int = wire.OP_WRITE) -> Op:
    particle, data = encode_value(value)
    return Op(op, particle, name, data)


def put_message(key: Any, bins: dict[str, Any], **header: Any) -> Message:
    header = {"info2": wire.INFO2_WRITE, "transaction_ttl": 1000, **header}
    fields = header.pop("fields", key_fields(key))
    return Message(fields=fields, ops=tuple(write_op(name, value) for name, value in bins.items()), **header)


def get_message(key: Any, **header: Any) -> Message:
    header = {"info1": wire.INFO1_READ | wire.INFO1_GET_ALL, "transaction_ttl": 1000, **header}
    fields = header.pop("fields", key_fields(key))
    return Message(fields=fields, **header)


def delete_message(key: Any, **header: Any) -> Message:
    header = {"info2": wire.INFO2_WRITE | wire.INFO2_DELETE, "transaction_ttl": 1000, **header}
    return Message(fields=key_fields(key), **header)


def bins_of(answer: Message) -> dict[str, Any]:
    return {op.name: decode_value(op.particle, op.data) for op in answer.ops}


class Peer:
    """One connection."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._reader = FrameReader()
        self._frames: list[tuple[int, bytes]] = []

    async def send(self, *frames: bytes) -> None:
        await self.stream.send_all(b"".join(frames))

    async def receive(self) -> tuple[int, bytes]:
        while not self._frames:
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError
            self._frames = self._reader.feed(data)
        return self._frames.pop(0)

    async def ask(self, message: Message) -> Message:
        await self.send(message_frame(message))
        return decode_messages((await self.receive())[1])[0]

    async def info(self, *names: str) -> dict[str, str]:
        await self.send(encode_info_request(*names))
        return decode_info_response((await self.receive())[1])

    async def info_one(self, name: str) -> str:
        return (await self.info(name))[name]

    async def admin(self, frame: bytes) -> bytes:
        await self.send(frame)
        return (await self.receive())[1]

    async def admin_result(self, frame: bytes) -> int:
        return admin_messages.decode_admin_messages(await self.admin(frame))[0].result_code

    async def put(self, key: Any, **bins: Any) -> int:
        return (await self.ask(put_message(key, bins))).result_code

    async def get(self, key: Any) -> dict[str, Any] | int:
        answer = await self.ask(get_message(key))
        return answer.result_code or bins_of(answer)


def message_frame(message: Message) -> bytes:
    return encode_frame(wire.PROTO_MESSAGE, encode_message(message))


@asynccontextmanager
async def connected(cluster: EmbeddedCluster, which: int = 0) -> AsyncIterator[Peer]:
    """A connection to a node, over whatever the cluster listens on."""
    address = cluster.nodes[which].listen_address
    stream: Any
    if cluster.network is not None:
        stream = await cluster.connector(*address)
    else:
        stream = await trio.open_tcp_stream(*address)
    try:
        yield Peer(stream)
    finally:
        await stream.aclose()


async def ask_all(peers: Sequence[Peer], message: Message) -> list[Message]:
    return [await peer.ask(message) for peer in peers]
