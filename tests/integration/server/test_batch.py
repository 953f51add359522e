"""Batches, row by row and as a whole; what happens after a failure was seen at a real server."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import trio.testing

from tests.integration.server_peer import Peer, connected, message_frame, write_op
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch import encode_batch, encode_batch_read
from trio_aerospike._wire.batch_answers import BatchRow, decode_batch_response
from trio_aerospike._wire.batch_messages import BatchRequest, encode_batch_rows
from trio_aerospike._wire.digests import compute_digest
from trio_aerospike._wire.messages import Field, Message, Op
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import open_embedded_cluster

READ_ALL = wire.INFO1_READ | wire.INFO1_GET_ALL


def row(index: int, key: Any, **fields: Any) -> BatchRequest:
    return BatchRequest(
        **{
            "index": index,
            "digest": compute_digest("set", key),
            "namespace": "test",
            "set_name": "set",
            "info1": READ_ALL,
            **fields,
        }
    )


def write(index: int, key: Any, *ops: Op, info1: int = 0, **fields: Any) -> BatchRequest:
    return row(index, key, info1=info1, info2=wire.INFO2_WRITE | wire.INFO2_RESPOND_ALL_OPS, ops=ops, **fields)


async def ask(peer: Peer, rows: list[BatchRequest], flags: int = 5, **options: Any) -> tuple[list[BatchRow], int, int]:
    """Rows, result, and how many frames they came in."""
    options = {"transaction_ttl": 1000, **options}
    await peer.send(encode_batch(encode_batch_rows(rows), len(rows), flags=flags, **options))
    found: list[BatchRow] = []
    frames = 0
    while True:
        decoded, result = decode_batch_response((await peer.receive())[1])
        found += decoded
        frames += 1
        if result is not None:
            return found, result, frames


async def test_rows_of_every_kind_in_one_batch() -> None:
    async with open_embedded_cluster(3, memory=True) as cluster, connected(cluster) as peer:
        await peer.put("there", a=1, b=2)
        await peer.put("old", a=1)
        rows, result, frames = await ask(
            peer,
            [
                row(0, "there"),
                row(1, "there", info1=wire.INFO1_READ, ops=(Op(wire.OP_READ, 0, "b", b""),)),
                row(2, "there", info1=wire.INFO1_READ | wire.INFO1_GET_NO_BINS),
                row(3, "missing"),
                write(4, "new", write_op("n", 5), Op(wire.OP_READ, 0, "n", b""), info1=wire.INFO1_READ),
                row(5, "old", info1=0, info2=wire.INFO2_WRITE | wire.INFO2_DELETE),
                write(6, "new", write_op("n", "text", wire.OP_APPEND)),
                row(7, "new"),
            ],
        )
        assert (result, frames) == (ResultCode.OK, 2)
        assert [found.index for found in rows] == list(range(8))
        assert [found.result_code for found in rows] == [0, 0, 0, 2, 0, 0, 12, 0]
        assert [found.bins for found in rows] == [{"a": 1, "b": 2}, {"b": 2}, {}, {}, {"n": 5}, {}, {}, {"n": 5}]
        assert await peer.get("old") == ResultCode.RECORD_NOT_FOUND


@pytest.mark.parametrize(
    ("flags", "rows_seen", "result"),
    [
        (wire.BATCH_INLINE | wire.BATCH_RESPOND_ALL, [12, 0, 5], ResultCode.OK),
        (wire.BATCH_INLINE | wire.BATCH_REPORT_ERROR_RECORD, [12, 0, 5], ResultCode.RECORD_EXISTS),
        (wire.BATCH_INLINE, [], ResultCode.RECORD_EXISTS),
    ],
)
async def test_without_respond_all_rows_the_batch_has_the_last_failure(
    flags: int, rows_seen: list[int], result: int
) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        await peer.put("text", a="text")
        batch = [
            write(0, "text", write_op("a", 1, wire.OP_INCR)),
            write(1, "other", write_op("a", 1)),
            row(2, "text", info1=0, info2=wire.INFO2_WRITE | wire.INFO2_CREATE_ONLY, ops=(write_op("a", 1),)),
        ]
        rows, whole, _ = await ask(peer, batch, flags)
        assert ([found.result_code for found in rows], whole) == (rows_seen, result)
        assert await peer.get("other") == {"a": 1}, "all rows are carried out in any case"


async def test_an_unknown_namespace_ends_the_batch() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        batch = [write(0, "k", write_op("a", 1)), row(1, "k", namespace="nope"), write(2, "k", write_op("a", 2))]
        assert (await ask(peer, batch))[:2] == ([], ResultCode.PARAM)
        assert await peer.get("k") == {"a": 1}


async def test_large_answers_come_in_several_frames() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        for number in range(20):
            await peer.put(number, data=bytes(50_000))
        rows, _, frames = await ask(peer, [row(number, number) for number in range(20)])
        assert len(rows) == 20 and frames == 11


async def test_a_thousand_repeated_rows() -> None:
    async with open_embedded_cluster(3, memory=True) as cluster, connected(cluster, 2) as peer:
        await peer.put(7, a=1)
        keys = [(index, "test", "set", compute_digest("set", 7)) for index in range(1000)]
        await peer.send(encode_batch_read(keys, ["a"]))
        rows, _ = decode_batch_response((await peer.receive())[1])
        assert [found.bins for found in rows] == [{"a": 1}] * 1000


async def test_what_is_no_batch() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        await peer.send(message_frame(Message(info1=wire.INFO1_BATCH)))
        assert decode_batch_response((await peer.receive())[1]) == ([], ResultCode.PARAM)
        assert (await ask(peer, []))[:2] == ([], ResultCode.PARAM)
        filtered = await ask(peer, [row(0, "k")], filter_expression=b"\xc1")
        assert filtered[:2] == ([], ResultCode.PARAM), "an invalid filter"


async def ask_raw(peer: Peer, field: bytes) -> tuple[list[BatchRow], int]:
    """The answer to a batch field as it is."""
    message = Message(info1=wire.INFO1_BATCH, transaction_ttl=1000, fields=(Field(wire.FIELD_BATCH_INDEX, field),))
    await peer.send(message_frame(message))
    found: list[BatchRow] = []
    while True:
        decoded, result = decode_batch_response((await peer.receive())[1])
        found += decoded
        if result is not None:
            return found, result


@pytest.mark.parametrize("damage", ["cut off", "fewer than announced", "repeats nothing"])
async def test_rows_before_a_malformed_one_are_carried_out_and_not_answered(damage: str) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        rows = [write(number, number, write_op("a", number)) for number in range(3)]
        data = b"".join(encode_batch_rows(rows))
        count = 3
        if damage == "cut off":
            data = data[:-5]
        elif damage == "fewer than announced":
            count = 4
        else:
            data = struct.pack(">I", 9) + bytes(20) + b"\x01" + data
        assert await ask_raw(peer, struct.pack(">IB", count, 5) + data) == ([], ResultCode.PARAM)
        done = [await peer.get(number) for number in range(3)]
        missing = ResultCode.RECORD_NOT_FOUND
        assert (
            done
            == {
                "cut off": [{"a": 0}, {"a": 1}, missing],
                "fewer than announced": [{"a": 0}, {"a": 1}, {"a": 2}],
                "repeats nothing": [missing] * 3,
            }[damage]
        )


async def test_bytes_behind_the_last_row_are_passed_over() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        data = b"".join(encode_batch_rows([write(0, "k", write_op("a", 1))])) + b"more"
        rows, result = await ask_raw(peer, struct.pack(">IB", 1, 5) + data)
        assert ([found.result_code for found in rows], result) == ([0], 0)
        assert await peer.get("k") == {"a": 1}


async def test_a_row_with_a_user_key_must_not_be_repeated() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        first = write(0, "k", write_op("a", 1), fields=(Field(wire.FIELD_KEY, b"\x03k"),))
        again = struct.pack(">I", 1) + compute_digest("set", "other") + b"\x01"
        data = b"".join(encode_batch_rows([first])) + again
        assert await ask_raw(peer, struct.pack(">IB", 2, 5) + data) == ([], ResultCode.PARAM)
        assert await peer.get("k") == {"a": 1}
        assert await peer.get("other") == ResultCode.RECORD_NOT_FOUND


async def test_conditions_of_one_row_are_no_other_rows() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        for name in ("a", "b", "c"):
            await peer.put(name, n=1)
        generation = wire.INFO2_WRITE | wire.INFO2_GENERATION
        rows, _, _ = await ask(
            peer,
            [
                row(0, "a", info1=0, info2=generation, generation=7, ops=(write_op("n", 2),)),
                row(1, "b", info1=0, info2=generation, generation=1, record_ttl=1000, ops=(write_op("n", 2),)),
                row(2, "c", info1=0, info2=wire.INFO2_WRITE | wire.INFO2_CREATE_ONLY, ops=(write_op("n", 2),)),
                row(3, "d", info1=0, info2=wire.INFO2_WRITE, info3=wire.INFO3_UPDATE_ONLY, ops=(write_op("n", 2),)),
            ],
        )
        assert [found.result_code for found in rows] == [
            ResultCode.RECORD_GENERATION,
            ResultCode.OK,
            ResultCode.RECORD_EXISTS,
            ResultCode.RECORD_NOT_FOUND,
        ]
        assert rows[1].generation == 2 and rows[1].void_time > 0


async def test_a_batch_waits_whole_for_a_lost_node_and_is_done_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_embedded_cluster(2, memory=True, detection_time=0.5) as cluster, connected(cluster) as peer:
        increments = [write(number, number, write_op("n", 1, wire.OP_INCR)) for number in range(50)]
        await ask(peer, increments)
        await cluster.stop_node(1)
        start = trio.current_time()
        rows, result, _ = await ask(peer, increments)
        assert trio.current_time() - start == pytest.approx(0.5)
        assert result == ResultCode.OK and {found.result_code for found in rows} == {0}
        assert [await peer.get(number) for number in range(50)] == [{"n": 2}] * 50
