"""The table of Lua snippets on the embedded and on a real server: every answer and every record afterwards is the same.

AEROSPIKE_HOSTS names the real one (the first host is asked); without it the tests are skipped.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.integration.real.lua_snippets import RECORD_SNIPPETS, STATES, VALUE_SNIPPETS, module_of
from tests.integration.server_peer import Peer, get_message, key_fields, message_frame, put_message
from trio_aerospike import GeoJSON, open_client
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages
from trio_aerospike._wire.query import QueryHead, encode_aggregation
from trio_aerospike.config import ClientConfig
from trio_aerospike.server import open_embedded_cluster

REAL = os.environ.get("AEROSPIKE_HOSTS", "").split(",")[0]
SET = f"lua-{secrets.token_hex(4)}"
ARGUMENTS: list[list[Any]] = [
    [1, "text", 2.5],
    [True, None, b"\x01\xff"],
    [[1, [2, "x"], {"a": 1}], {"k": [1], 5: "five"}, GeoJSON('{"type":"Point","coordinates":[1,2]}')],
]
# The path of a module is the server's configuration, lines of its own Lua code are its own, and what Lua says of
# operators on objects calls them userdata in the embedded server, where the other says of which class they are.
NORMAL = [
    (re.compile(rb"(?:\.\.\.|/)[^\s:]*/(?=\w+\.lua)"), b""),
    (re.compile(rb'\[string "\w+.lua"\]:\d+'), b"the server's own"),
    (re.compile(rb"(not found:).*", re.DOTALL), rb"\1"),
    (re.compile(rb"\b(a|two|got) (?:List|Map|Bytes|GeoJSON|Record|Aerospike)( values?)?"), rb"\1 userdata\2"),
    (re.compile(rb"(userdata values?) \(\w+ '\w+'\)"), rb"\1"),
    (re.compile(rb" \(\w+ 'result'\)"), b""),
]

pytestmark = pytest.mark.skipif(not REAL, reason="AEROSPIKE_HOSTS names no real server to compare with")


@asynccontextmanager
async def both(name: str, source: bytes) -> AsyncIterator[list[Peer]]:
    host = ClientConfig(REAL).hosts[0]
    async with open_embedded_cluster(1) as cluster:
        async with await trio.open_tcp_stream(*cluster.hosts[0]) as mine:
            async with await trio.open_tcp_stream(host.name, host.port) as theirs:
                peers = [Peer(mine), Peer(theirs)]
                assert await put_module(peers[0], name, source) == "ok"
                async with open_client(REAL, timeout=10.0) as client:
                    await client.udf_put(source, name=name, wait=30)
                try:
                    yield peers
                finally:
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
                        await Peer(theirs).info_one(f"udf-remove:filename={name};")


async def put_module(peer: Peer, name: str, source: bytes) -> str:
    content = base64.b64encode(source).decode()
    return await peer.info_one(f"udf-put:filename={name};content={content};content-len={len(content)};udf-type=LUA;")


def call(module: str, function: str, key: object, arguments: list[Any], **header: Any) -> bytes:
    fields = (
        *key_fields(key, SET),
        Field(wire.FIELD_KEY, bytes((wire.PARTICLE_STRING,)) + str(key).encode()),
        Field(wire.FIELD_UDF_FILENAME, module.encode()),
        Field(wire.FIELD_UDF_FUNCTION, function.encode()),
        Field(wire.FIELD_UDF_ARGLIST, pack_value(arguments)),
    )
    return message_frame(Message(**{"info2": wire.INFO2_WRITE, "transaction_ttl": 5000, **header}, fields=fields))


def normal(op: Op) -> bytes:
    data = op.data
    for pattern, instead in NORMAL if op.particle == wire.PARTICLE_STRING else ():
        data = pattern.sub(instead, data)
    return data


async def exchange(peer: Peer, frames: list[bytes]) -> list[str]:
    shown = []
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, *frames)
            for _ in frames:
                message = decode_messages((await peer.receive())[1])[0]
                ops = [(op.name, op.particle, normal(op)) for op in message.ops]
                lasts = min(message.record_ttl, 1) if message.record_ttl != 0xFFFF_FFFF else message.record_ttl
                shown.append(f"code {message.result_code}, generation {message.generation}, {lasts}, {ops}")
    return shown


def compare(labels: list[str], answers: list[list[str]]) -> None:
    mine, theirs = answers
    assert len(mine) == len(theirs) == len(labels)
    differences = [
        f"{label}\n  here  {one}\n  there {other}"
        for label, one, other in zip(labels, mine, theirs, strict=True)
        if one != other
    ]
    assert not differences, f"{len(differences)} of {len(labels)} differ:\n" + "\n".join(differences)


async def test_values_and_errors_are_those_of_the_server() -> None:
    name = f"v{secrets.token_hex(3)}"
    async with both(f"{name}.lua", module_of(VALUE_SNIPPETS)) as peers:
        labels, frames = [], []
        for number, body in enumerate(VALUE_SNIPPETS):
            for arguments in ARGUMENTS if "x" in body and body.startswith("return") else ARGUMENTS[:1]:
                labels.append(f"{body}   {arguments}")
                frames.append(call(name, f"s{number}", f"nobody-{number}", arguments))
        compare(labels, [await exchange(peer, frames) for peer in peers])


@pytest.mark.parametrize("state", STATES)
async def test_records_are_what_they_are_in_the_server(state: str) -> None:
    name = f"r{secrets.token_hex(3)}"
    bins = STATES[state]
    async with both(f"{name}.lua", module_of(RECORD_SNIPPETS)) as peers:
        labels, frames = [], []
        for number, body in enumerate(RECORD_SNIPPETS):
            key = f"{state}-{number}"
            if bins is not None:
                labels.append("put")
                frames.append(message_frame(put_message(key, dict(bins), fields=key_fields(key, SET))))
            labels += [body, f"{body}: the record", "delete"]
            frames += [
                call(name, f"s{number}", key, [1]),
                message_frame(get_message(key, fields=key_fields(key, SET))),
                message_frame(Message(info2=wire.INFO2_WRITE | wire.INFO2_DELETE, fields=key_fields(key, SET))),
            ]
        compare(labels, [await exchange(peer, frames) for peer in peers])


STREAMS = b"""
function all(s) return s:map(function(r) return r.n end) end
function whole(s) return s end
function sums(s) return s:aggregate(0, function(sum, r) return sum + r.n end) end
function maps(s) return s:aggregate(map{n = 0}, function(m, r) m.n = m.n + r.n m[r.n] = list{r.n} return m end) end
function tables(s)
  return s:aggregate({n = 0}, function(m, r) m.n = m.n + r.n return m end):map(function(m) return m.n end) end
function large(s) return s:aggregate(0, function(sum, r) return sum + 1000 end) end
function groups(s) return s:groupby(function(r) return r.n % 2 end):map(function(m) return 1 end) end
function false_values(s) return s:map(function(r) return r.n % 2 == 0 end) end
function some_nil(s) return s:map(function(r) if r.n % 2 == 0 then return nil end return r.n end) end
function some_tables(s) return s:map(function(r) if r.n % 2 == 0 then return {} end return r.n end) end
function none(s) return s:filter(function(r) return false end) end
function facts(s) return s:map(function(r) return list{record.gen(r), record.setname(r), record.numbins(r),
  record.ttl(r), record.digest(r), list(record.bin_names(r)),
  aerospike:create(r), aerospike:exists(r), aerospike:remove(r)} end) end
function writes(s) return s:map(function(r) r.n = 99 record.set_ttl(r, 5) record.drop_key(r) return r.n end) end
function bad_write(s) return s:map(function(r) r.n = {} return r.n end) end
function broken(s) return s:map(function(r) return r.no.no end) end
function error_text(s) error("while asking") end
function no_stream(s) return 5 end
function nothing(s) end
function given(s, a, b) return s:map(function(r) return list{a, b} end) end
""".replace(b"\n  ", b" ")


async def test_streams_of_aggregations_are_those_of_the_server() -> None:
    name = f"a{secrets.token_hex(3)}"
    async with both(f"{name}.lua", STREAMS) as peers:
        if "cluster_size=1;" not in await peers[1].info_one("statistics"):
            pytest.skip("each node of a cluster reads only its own partitions")
        functions = [line.split()[1].split("(")[0] for line in STREAMS.decode().splitlines() if line]
        answers: list[list[str]] = [[], []]
        for peer, found in zip(peers, answers, strict=True):
            # Keys of partitions of their own: what comes out of one stream is not mixed with that of another.
            for number in range(8):
                put = put_message(number, {"n": number, "s": "x"}, fields=key_fields(number, f"{SET}-s"))
                assert not (await peer.ask(put)).result_code
            for number, function in enumerate([*functions, "no_such"]):
                head = QueryHead(namespace="test", set_name=f"{SET}-s", trid=number + 1 + secrets.randbits(40))
                await peer.send(encode_aggregation(head, (name, function, pack_value([1, "two"]))))
                messages: list[Message] = []
                with trio.fail_after(30):
                    while not messages or not messages[-1].info3 & wire.INFO3_LAST:
                        messages += decode_messages((await peer.receive())[1])
                values = [(op.name, op.particle, normal(op)) for message in messages for op in message.ops]
                # The real server works on several partitions at once, and goes on with some after a failure.
                failed = sorted({value for value in values if value[0] == "FAILURE"})
                found.append(f"{failed or sorted(values)}, ends with {messages[-1].result_code}")
        compare([*functions, "no_such"], answers)
