"""Random commands sent to the embedded and to a real server: the answers are the same, byte for byte but for times.

AEROSPIKE_HOSTS names the real one (the first host is asked); without it the tests are skipped. They write to a set of
their own in namespace test.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given, settings

from tests.effort import examples
from tests.integration.server_peer import Peer, key_fields, message_frame
from trio_aerospike import GeoJSON
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch import encode_batch
from trio_aerospike._wire.batch_messages import BatchRequest, encode_batch_rows
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages
from trio_aerospike._wire.particles import encode_value
from trio_aerospike.config import ClientConfig
from trio_aerospike.server import open_embedded_cluster

REAL = os.environ.get("AEROSPIKE_HOSTS", "").split(",")[0]

pytestmark = pytest.mark.skipif(not REAL, reason="AEROSPIKE_HOSTS names no real server to compare with")

KEYS = range(3)
BINS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(
    [
        1,
        -5,
        2**63 - 1,
        1.5,
        "text",
        "",
        b"\x00xy",
        True,
        [1, "a"],
        {"k": 1},
        GeoJSON('{"type":"Point","coordinates":[1.0,2.0]}'),
    ]
)
TTLS = st.sampled_from([0, 0, 0, 1000, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 315_360_000, 315_360_001])


def value_op(number: int) -> st.SearchStrategy[Op]:
    return st.builds(lambda name, value: Op(number, *_particle(value, name)), BINS, VALUES)


def _particle(value: Any, name: str) -> tuple[int, str, bytes]:
    kind, data = encode_value(value)
    return kind, name, data


OPS = st.one_of(
    st.builds(lambda name: Op(wire.OP_READ, 0, name, b""), BINS | st.just("")),
    value_op(wire.OP_WRITE),
    st.builds(lambda name: Op(wire.OP_WRITE, wire.PARTICLE_NULL, name, b""), BINS),
    value_op(wire.OP_INCR),
    value_op(wire.OP_APPEND),
    value_op(wire.OP_PREPEND),
    st.just(Op(wire.OP_TOUCH, 0, "", b"")),
    st.just(Op(wire.OP_DELETE, 0, "", b"")),
)
READS = st.builds(
    lambda info1, info2, ops, ttl: {"info1": wire.INFO1_READ | info1, "info2": info2, "ops": ops, "record_ttl": ttl},
    st.sampled_from([0, wire.INFO1_GET_ALL, wire.INFO1_GET_NO_BINS]),
    st.sampled_from([0, 0, wire.INFO2_RESPOND_ALL_OPS]),
    st.lists(OPS, max_size=3).map(tuple),
    st.sampled_from([0, 0, 50, 101, 0xFFFFFFFF]),
)
WRITES = st.builds(
    lambda info1, flags, info3, generation, ttl, ops: {
        "info1": info1,
        "info2": wire.INFO2_WRITE | flags,
        "info3": info3,
        "generation": generation,
        "record_ttl": ttl,
        "ops": ops,
    },
    st.sampled_from([0, wire.INFO1_READ, wire.INFO1_READ, wire.INFO1_READ | wire.INFO1_GET_ALL]),
    st.sampled_from(
        [0, 0, 0, wire.INFO2_CREATE_ONLY, wire.INFO2_GENERATION, wire.INFO2_GENERATION_GT, wire.INFO2_DURABLE_DELETE]
    ).flatmap(lambda flag: st.sampled_from([flag, flag | wire.INFO2_RESPOND_ALL_OPS])),
    st.sampled_from(
        [
            0,
            0,
            0,
            wire.INFO3_UPDATE_ONLY,
            wire.INFO3_CREATE_OR_REPLACE,
            wire.INFO3_REPLACE_ONLY,
            wire.INFO3_COMMIT_LEVEL_MASTER,
        ]
    ),
    st.integers(0, 4),
    TTLS,
    st.lists(OPS, min_size=1, max_size=4).map(tuple),
)
DELETES = st.builds(
    lambda flag, generation: {"info2": wire.INFO2_WRITE | wire.INFO2_DELETE | flag, "generation": generation},
    st.sampled_from([0, 0, wire.INFO2_GENERATION, wire.INFO2_GENERATION_GT, wire.INFO2_DURABLE_DELETE]),
    st.integers(0, 4),
)
COMMANDS = st.tuples(
    st.sampled_from(KEYS),
    st.sampled_from([None, None, None, b"\x03mine", b"\x03other"]),
    READS | WRITES | WRITES | DELETES,
)


@asynccontextmanager
async def both() -> AsyncIterator[tuple[Peer, Peer]]:
    host = ClientConfig(REAL).hosts[0]
    async with open_embedded_cluster(1) as cluster:
        async with await trio.open_tcp_stream(*cluster.hosts[0]) as mine:
            async with await trio.open_tcp_stream(host.name, host.port) as theirs:
                yield Peer(mine), Peer(theirs)


def timeless(message: Message) -> Message:
    return attrs.evolve(message, record_ttl=min(message.record_ttl, 1))


async def answer(peer: Peer, frame: bytes, *, batch: bool) -> list[Message]:
    await peer.send(frame)
    found: list[Message] = []
    while not found or (batch and not found[-1].info3 & wire.INFO3_LAST):
        found += decode_messages((await peer.receive())[1])
    return sorted(map(timeless, found), key=lambda message: (message.info3, message.transaction_ttl))


@settings(max_examples=examples(60))
@given(st.lists(st.lists(COMMANDS, min_size=1, max_size=4), min_size=1, max_size=12), st.sampled_from([1, 5, 9, 13]))
async def test_both_servers_answer_alike(
    history: list[list[tuple[int, bytes | None, dict[str, Any]]]], flags: int
) -> None:
    set_name = f"compare-{secrets.token_hex(4)}"
    async with both() as (mine, theirs):
        if not (await theirs.info_one("peers-clear-std")).endswith("[]"):
            # Other nodes work on their rows of a batch meanwhile: which one fails it is a matter of time.
            history = [[command] for commands in history for command in commands]
        for commands in history:
            batch = len(commands) > 1
            frame = _batch_frame(set_name, commands, flags) if batch else _single_frame(set_name, *commands[0])
            assert await answer(mine, frame, batch=batch) == await answer(theirs, frame, batch=batch), commands


def _fields(set_name: str, key: int, user_key: bytes | None) -> tuple[Field, ...]:
    extra = () if user_key is None else (Field(wire.FIELD_KEY, user_key),)
    return (*key_fields(key, set_name), *extra)


def _single_frame(set_name: str, key: int, user_key: bytes | None, command: dict[str, Any]) -> bytes:
    return message_frame(Message(fields=_fields(set_name, key, user_key), transaction_ttl=1000, **command))


def _batch_frame(set_name: str, commands: list[tuple[int, bytes | None, dict[str, Any]]], flags: int) -> bytes:
    rows = [
        BatchRequest(
            index=index,
            digest=_fields(set_name, key, None)[2].data,
            namespace="test",
            set_name=set_name,
            fields=_fields(set_name, key, user_key)[3:],
            **{"info1": 0, **command},
        )
        for index, (key, user_key, command) in enumerate(commands)
    ]
    return encode_batch(encode_batch_rows(rows), len(rows), transaction_ttl=1000, flags=flags)
