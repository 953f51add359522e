"""Errors of refused requests name what was asked for: the size, the generation, the bin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from trio_aerospike import (
    BatchWrite,
    BatchWritePolicy,
    BinTypeError,
    Client,
    Key,
    RecordGenerationError,
    RecordTooBig,
    operations as op,
)
from trio_aerospike.errors import AerospikeError
from trio_aerospike.policies import GenerationCheck, WritePolicy

pytestmark = pytest.mark.shared_cluster

BIG = b"x" * 2_000_000
CASES: dict[str, tuple[type[AerospikeError], str, Callable[[Client, Key], Awaitable[object]]]] = {
    "put, too big": (RecordTooBig, "the request has 2000", lambda c, k: c.put(k, {"big": BIG})),
    "operate, too big": (RecordTooBig, "max-record-size", lambda c, k: c.operate(k, [op.write("big", BIG)])),
    "put, generation": (
        RecordGenerationError,
        "expected generation 9;",
        lambda c, k: c.put(k, {"n": 1}, generation=9),
    ),
    "put, generation of the policy": (
        RecordGenerationError,
        "expected a generation below 1",
        lambda c, k: c.put(k, {"n": 1}, policy=WritePolicy(generation_check=GenerationCheck.GREATER, generation=1)),
    ),
    "remove, generation": (RecordGenerationError, "expected generation 8;", lambda c, k: c.remove(k, generation=8)),
    "operate, generation": (
        RecordGenerationError,
        "expected generation 7;",
        lambda c, k: c.operate(k, [op.write("n", 2)], generation=7),
    ),
    "append, type": (BinTypeError, "type of the bin: bin 'n'", lambda c, k: c.append(k, "n", "x")),
    "increment, type": (BinTypeError, "type of the bin: bin 's'", lambda c, k: c.increment(k, "s", 1)),
    "operate, type of one bin": (
        BinTypeError,
        "type of the bin: bin 's'",
        lambda c, k: c.operate(k, [op.increment("s", 1), op.read("s")]),
    ),
    "operate, type of one of two": (
        BinTypeError,
        "one of the bins 'n', 's'",
        lambda c, k: c.operate(k, [op.increment("n", 1), op.increment("s", 1)]),
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_refusal_says_what_was_asked(client: Client, key: Key, case: str) -> None:
    kind, text, call = CASES[case]
    await client.put(key, {"n": 1, "s": "text"})
    with pytest.raises(kind) as caught:
        await call(client, key)
    assert text in str(caught.value)
    assert repr(key) in str(caught.value)
    assert len(str(caught.value)) < 500


async def test_rows_of_a_batch_say_it_too(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1, "s": "text"})
    rows = await client.batch(
        [
            BatchWrite(key, operations=[op.increment("s", 1)]),
            BatchWrite(key, {"n": 2}, generation=9),
            BatchWrite(key, {"n": 2}, policy=BatchWritePolicy(send_key=True), generation=8),
            BatchWrite(key, {"big": BIG}),
        ]
    )
    texts = [str(row.error) for row in rows]
    assert "type of the bin: bin 's'" in texts[0]
    assert "expected generation 9;" in texts[1]
    assert "expected generation 8;" in texts[2]
    assert "the request has 2000" in texts[3]
    assert all(repr(key) in text for text in texts)
    assert [row.result_code for row in rows] == [12, 3, 3, 13]
