"""What the calls on many records send: where it is canonical, the very bytes of the official client's recording."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

import trio_aerospike as aero
from tests.unit.cluster.scripted import Request, scripted_client
from tests.unit.wire.exchanges import frames_of, load_exchanges
from trio_aerospike import BatchRead, BatchRemove, BatchWrite, Client, Key
from trio_aerospike._wire.batch_messages import BatchRequest, decode_batch_request, encode_batch_end, encode_batch_row
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.messages import Field, Message, decode_only_message, encode_message

Call = Callable[[Client, list[Key]], Awaitable[Any]]


def recorded(step: str) -> Message:
    """The first batch of a recorded step."""
    for exchange in load_exchanges():
        if exchange.step == step:
            return decode_only_message(frames_of(exchange.request)[0][1])
    raise AssertionError(step)


def keys_of(message: Message) -> list[Key]:
    """The keys of a recorded batch, in the order of their indexes."""
    rows = sorted(decode_batch_request(message)[1], key=lambda row: row.index)
    assert [row.index for row in rows] == list(range(len(rows)))
    return [Key.from_digest(row.namespace, row.set_name, row.digest) for row in rows]


async def answered(request: Request) -> bytes:
    rows = decode_batch_request(request.message)[1]
    body = b"".join([encode_batch_row(row.index, 0, 1, 0) for row in rows])
    return encode_frame(PROTO_MESSAGE, body + encode_batch_end())


async def sent(call: Callable[[Client], Awaitable[Any]], **config: Any) -> Message:
    """The one request that a call sends."""
    async with scripted_client(**config) as (client, cluster):
        cluster.node.default = answered
        await call(client)
        [request] = cluster.requests
        message: Message = request.message
        return message


async def rows_sent(call: Callable[[Client], Awaitable[Any]]) -> list[BatchRequest]:
    return decode_batch_request(await sent(call))[1]


ALL = aero.BatchPolicy(total_timeout=1.0)
CALLS: dict[str, Call] = {
    "batch_read all": lambda client, keys: client.batch_read(keys, policy=ALL),
    "batch_read bins": lambda client, keys: client.batch_read(keys, ["i"], policy=ALL),
    "batch_read exists": lambda client, keys: client.batch_read(keys, [], policy=ALL),
    "batch_operate write": lambda client, keys: client.batch_operate(
        keys, [aero.increment("i", 10), aero.read("i")], policy=ALL
    ),
    "batch_remove": lambda client, keys: client.batch_remove(keys, policy=ALL),
    "batch_write mixed": lambda client, keys: client.batch(
        [
            BatchRead(keys[0], ["i"]),
            BatchWrite(keys[1], {"n": 5}),
            BatchRead(keys[2], []),
            BatchRemove(keys[3]),
            BatchRead(keys[4], ["i"]),
        ],
        policy=ALL,
    ),
}


@pytest.mark.parametrize("step", CALLS)
async def test_requests_are_those_of_the_official_client(autojump_clock: Any, step: str) -> None:
    theirs = recorded(step)
    keys = keys_of(theirs)
    ours = await sent(lambda client: CALLS[step](client, keys))
    if step == "batch_write mixed":
        # Their fifth row reads by an operation or a name as the recorder had it; all else has to be the same.
        assert decode_batch_request(ours)[1][:4] == decode_batch_request(theirs)[1][:4]
        return
    # They send the policy's time as it is.
    rows = sorted(decode_batch_request(theirs)[1], key=lambda row: row.index)
    flags, ours_rows = decode_batch_request(ours)
    assert ours_rows == rows
    assert attrs.evolve(ours, fields=(), transaction_ttl=0) == attrs.evolve(theirs, fields=(), transaction_ttl=0)
    assert flags == decode_batch_request(theirs)[0]
    if [row.index for row in decode_batch_request(theirs)[1]] == list(range(len(rows))):
        assert encode_message(attrs.evolve(ours, transaction_ttl=theirs.transaction_ttl)) == encode_message(theirs)


KEY = Key("test", "s", "k")
READ_ALL_COPIES = aero.BatchReadPolicy(read_mode_ap=aero.ReadModeAP.ALL, read_touch_ttl_percent=-1)
OTHER = Key("test", "s", "l")


async def test_a_call_of_a_function_has_its_fields_behind_the_place(autojump_clock: Any) -> None:
    [row, again] = await rows_sent(lambda client: client.batch_apply([KEY, OTHER], "module", "run", [1, "a"]))
    assert (row.info1, row.info2, row.info3, row.generation, row.record_ttl) == (0, 1, 0, 0, 0)
    assert row.fields == (Field(30, b"module"), Field(31, b"run"), Field(32, b"\x92\x01\xa2\x03a"))
    assert again.repeat


async def test_policies_of_single_records_stand_in_their_rows(autojump_clock: Any) -> None:
    condition = b"\x93\x01\x02\x03"
    keys = [Key("test", "s", f"k{number}") for number in range(6)]
    rows = await rows_sent(
        lambda client: client.batch(
            [
                BatchRead(keys[0], policy=READ_ALL_COPIES),
                BatchRead(keys[1], policy=aero.BatchReadPolicy(filter_expression=condition)),
                BatchWrite(
                    keys[2],
                    {"a": 1},
                    ttl=60,
                    generation=3,
                    policy=aero.BatchWritePolicy(
                        exists=aero.Exists.REPLACE_ONLY,
                        commit_level=aero.CommitLevel.MASTER,
                        send_key=True,
                        filter_expression=condition,
                    ),
                ),
                BatchWrite(keys[3], operations=[aero.read_all(), aero.write("a", 1)]),
                BatchRemove(keys[4], generation=9, policy=aero.BatchRemovePolicy(durable_delete=True)),
                BatchRead(keys[5], operations=[aero.read("a"), aero.read("b")]),
            ]
        )
    )
    assert [(row.info1, row.info2, row.info3, row.generation, row.record_ttl) for row in rows] == [
        (0x43, 0, 0, None, 0xFFFFFFFF),
        (0x03, 0, 0, None, 0),
        (0, 0x85, 0x22, 3, 60),
        (0x03, 0x01, 0, 0, 0),
        (0, 0x97, 0, 9, 0),
        (0x01, 0, 0, None, 0),
    ]
    assert [row.fields for row in rows] == [
        (),
        (Field(43, condition),),
        (Field(43, condition), Field(2, b"\x03k2")),
        (),
        (),
        (),
    ]


async def test_rows_that_carry_a_user_key_never_repeat(autojump_clock: Any) -> None:
    policy = aero.BatchWritePolicy(send_key=True)
    writes = [(Key("test", "s", number), {"a": 1}) for number in range(3)]
    rows = await rows_sent(lambda client: client.batch_write(writes, write_policy=policy))
    assert [row.repeat for row in rows] == [False] * 3
    rows = await rows_sent(lambda client: client.batch_write(writes))
    assert [row.repeat for row in rows] == [False, True, True]


async def test_what_concerns_the_whole_batch_stands_in_its_head(autojump_clock: Any) -> None:
    policy = aero.BatchPolicy(
        compress=True, allow_inline=False, allow_inline_ssd=True, respond_all_keys=False, read_touch_ttl_percent=50
    )
    message = await sent(lambda client: client.batch_read([KEY], policy=policy))
    flags, [row] = decode_batch_request(message)
    assert (message.info1, flags) == (0x88, 0x0A)
    assert (row.info1, row.record_ttl) == (0x03, 50)
    row_policy = aero.BatchReadPolicy(filter_expression=b"\x93\x01\x02\x03")
    message = await sent(lambda client: client.batch([BatchRead(KEY, policy=row_policy)]))
    assert message.field(43) is None
    message = await sent(
        lambda client: client.batch_read([KEY], policy=aero.BatchPolicy(filter_expression=b"\x93\x01\x02\x03"))
    )
    assert message.field(43) == b"\x93\x01\x02\x03"
    assert decode_batch_request(message)[1][0].fields == ()


async def test_large_batches_of_writes_go_in_requests_of_a_bounded_size(autojump_clock: Any) -> None:
    async with scripted_client() as (client, cluster):
        cluster.node.default = answered
        records = [(Key("test", "s", number), {"a": bytes([number]) * 300_000}) for number in range(10)]
        results = await client.batch_write(records)
        assert results.ok
        counts = [len(decode_batch_request(request.message)[1]) for request in cluster.requests]
        assert sum(counts) == 10
        assert max(counts) <= 4
