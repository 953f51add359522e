"""Transactions are an Enterprise Edition's: embedded and real Community Edition servers refuse what is part of one.

Requests are made by hand, since the client has no transactions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio

from trio_aerospike import Client, Key
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch import encode_batch
from trio_aerospike._wire.batch_messages import BatchRequest, encode_batch_rows
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages
from trio_aerospike.errors import ResultCode

from .conftest import Target
from .server_peer import Peer, write_op

ID = Field(wire.FIELD_MRT_ID, (1).to_bytes(8, "little"))
READ_ALL = wire.INFO1_READ | wire.INFO1_GET_ALL
READ_NOTHING = wire.INFO1_READ | wire.INFO1_GET_NO_BINS


@pytest.fixture
async def peer(target: Target) -> AsyncIterator[Peer]:
    if isinstance(target.hosts, str):
        host, _, port = target.hosts.split(",")[0].partition(":")
        address = host, int(port or 3000)
    else:
        address = target.hosts[0]
    stream = await trio.open_tcp_stream(*address)
    async with stream:
        yield Peer(stream)


def message(key: Key, info1: int = 0, info2: int = 0, ops: tuple[Op, ...] = (), *fields: Field) -> Message:
    own = (
        Field(wire.FIELD_NAMESPACE, key.namespace.encode()),
        Field(wire.FIELD_SET, (key.set_name or "").encode()),
        Field(wire.FIELD_DIGEST, key.digest),
        ID,
    )
    return Message(info1=info1, info2=info2, fields=(*own, *fields), ops=ops, transaction_ttl=1000)


def call_of(key: Key) -> Message:
    fields = (
        Field(wire.FIELD_UDF_FILENAME, b"no-such-module"),
        Field(wire.FIELD_UDF_FUNCTION, b"f"),
        Field(wire.FIELD_UDF_ARGLIST, b"\x90"),
    )
    return message(key, 0, wire.INFO2_WRITE, (), *fields)


def row(index: int, key: Key, **parts: Any) -> BatchRequest:
    return BatchRequest(
        index=index, digest=key.digest, namespace=key.namespace, set_name=key.set_name or "", generation=0,
        record_ttl=0, **parts,
    )  # fmt: skip


REQUESTS: dict[str, Callable[[Key], Message]] = {
    "put": lambda key: message(key, 0, wire.INFO2_WRITE, (write_op("a", 2),)),
    "append": lambda key: message(key, 0, wire.INFO2_WRITE, (write_op("s", "x", wire.OP_APPEND),)),
    "touch": lambda key: message(key, 0, wire.INFO2_WRITE, (Op(wire.OP_TOUCH, 0, "", b""),)),
    "get": lambda key: message(key, READ_ALL),
    "exists": lambda key: message(key, READ_NOTHING),
    "select": lambda key: message(key, wire.INFO1_READ, 0, (Op(wire.OP_READ, 0, "a", b""),)),
    "apply": call_of,
}


@pytest.mark.parametrize("is_there", [True, False], ids=["a record", "no record"])
@pytest.mark.parametrize("request_name", REQUESTS)
async def test_what_is_part_of_a_transaction_is_refused(
    client: Client, peer: Peer, key: Key, request_name: str, is_there: bool
) -> None:
    if is_there:
        await client.put(key, {"a": 1, "s": "s"})
    answer = await peer.ask(REQUESTS[request_name](key))
    assert (answer.result_code, answer.generation) == (ResultCode.ENTERPRISE_ONLY, 0)
    if is_there:
        assert (await client.get(key)).bins == {"a": 1, "s": "s"}
    else:
        assert await client.exists(key) is None


async def test_a_delete_ignores_the_transaction_that_it_is_part_of(client: Client, peer: Peer, key: Key) -> None:
    await client.put(key, {"a": 1})
    delete = message(key, 0, wire.INFO2_WRITE | wire.INFO2_DELETE)
    assert (await peer.ask(delete)).result_code == ResultCode.OK
    assert (await peer.ask(delete)).result_code == ResultCode.RECORD_NOT_FOUND


async def test_every_row_that_is_part_of_a_transaction_is_refused(client: Client, peer: Peer, key: Key) -> None:
    await client.put(key, {"a": 1})
    writes, deletes = wire.INFO2_WRITE, wire.INFO2_WRITE | wire.INFO2_DELETE
    rows = [
        row(0, key, info1=READ_ALL, fields=(ID,)),
        row(1, key, info1=0, info2=writes, fields=(ID,), ops=(write_op("a", 2),)),
        row(2, key, info1=0, info2=deletes, fields=(ID,)),
    ]
    flags = wire.BATCH_INLINE | wire.BATCH_RESPOND_ALL
    await peer.send(encode_batch(encode_batch_rows(rows), len(rows), flags=flags, transaction_ttl=1000))
    answers: list[Message] = []
    while not answers or not answers[-1].info3 & wire.INFO3_LAST:
        answers += decode_messages((await peer.receive())[1])
    codes = {answer.transaction_ttl: answer.result_code for answer in answers[:-1]}
    refused = ResultCode.ENTERPRISE_ONLY
    assert codes == {0: refused, 1: refused, 2: ResultCode.OK}
    # Not a row of the batch: while the put is being replicated, such a read overtakes the delete.
    assert await client.exists(key) is None
