"""Random operations on random lists, sent to the embedded and to a real server: answers and stored lists are the same.

AEROSPIKE_HOSTS names the real one (the first host is asked); without it the tests are skipped. LIST_OPERATIONS says
how many operations are tried, LIST_SEED where the random numbers begin. Requests are bytes, so that there is nothing
that cannot be asked; `random_lists` and `random_paths` say what is left out because a real server does not survive it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.integration.real.random_lists import BIN, Generator
from tests.integration.real.random_paths import PathGenerator
from tests.integration.server_peer import Peer, key_fields, message_frame
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Message, Op, decode_messages
from trio_aerospike.config import ClientConfig
from trio_aerospike.server import open_embedded_cluster

REAL = os.environ.get("AEROSPIKE_HOSTS", "").split(",")[0]
OPERATIONS = int(os.environ.get("LIST_OPERATIONS", "2000"))
SEED = int(os.environ.get("LIST_SEED", "1"))

pytestmark = pytest.mark.skipif(not REAL, reason="AEROSPIKE_HOSTS names no real server to compare with")


@asynccontextmanager
async def both() -> AsyncIterator[tuple[Peer, Peer]]:
    host = ClientConfig(REAL).hosts[0]
    async with open_embedded_cluster(1) as cluster:
        async with await trio.open_tcp_stream(*cluster.hosts[0]) as mine:
            async with await trio.open_tcp_stream(host.name, host.port) as theirs:
                yield Peer(mine), Peer(theirs)


def request(key: int, op: Op, *, respond_all: bool) -> bytes:
    """A command that does one thing with the bin, and reads the bin afterwards."""
    reads_only = op.op == wire.OP_CDT_READ
    return message_frame(
        Message(
            info1=wire.INFO1_READ,
            info2=(wire.INFO2_RESPOND_ALL_OPS if respond_all else 0) | (0 if reads_only else wire.INFO2_WRITE),
            transaction_ttl=5000,
            fields=key_fields(key, "lists-compared"),
            ops=(op, Op(wire.OP_READ, 0, BIN, b"")),
        )
    )


async def answers(peer: Peer, frames: Sequence[bytes]) -> list[Message]:
    found: list[Message] = []
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, *frames)
            for _ in frames:
                found += decode_messages((await peer.receive())[1])
    return [attrs.evolve(message, record_ttl=0) for message in found]


def shown(message: Message) -> str:
    bins = [(op.op, op.name, op.particle, op.data.hex(" ")) for op in message.ops]
    return f"code {message.result_code}, generation {message.generation}, {bins}"


async def compare(histories: Callable[[int], Sequence[Op]]) -> None:
    """Send history after history to both, and stop at the first difference."""
    # A namespace has few thousand sets at most, so it is the key that is of this run alone.
    key = secrets.randbits(48)
    tried = 0
    seed = SEED
    async with both() as (mine, theirs):
        while tried < OPERATIONS:
            history = histories(seed)
            frames = [request(key, op, respond_all=(seed + at) % 4 > 0) for at, op in enumerate(history)]
            given, expected = await answers(mine, frames), await answers(theirs, frames)
            before = "nothing"
            for op, mine_says, theirs_says in zip(history, given, expected, strict=True):
                assert shown(mine_says) == shown(theirs_says), (
                    f"seed {seed}: {op.op} {op.particle} {op.data.hex(' ')} after {before}"
                )
                if theirs_says.result_code == 0:
                    before = shown(theirs_says)
            tried += len(history)
            seed += 1


async def test_random_operations_on_lists_are_answered_alike_and_leave_the_same_list() -> None:
    await compare(lambda seed: Generator(seed).history(40))


async def test_random_path_expressions_are_answered_alike_and_leave_the_same_value() -> None:
    await compare(lambda seed: PathGenerator(seed).history(40))
