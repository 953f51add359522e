"""Operations on bits: each once at least, with what it gives back and what it leaves."""

from __future__ import annotations

from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import AerospikeError, BinTypeError, Client, Key, ResultCode, bits
from trio_aerospike.operations import Operation
from trio_aerospike.operations.bits import BitOverflow, BitPolicy, BitResize, BitWrite

pytestmark = pytest.mark.shared_cluster

START = b"\x01\x42\x03\x04\x05"
NO_FAIL = BitPolicy(BitWrite.NO_FAIL)
PARTIAL = BitPolicy(BitWrite.PARTIAL)

WRITES: list[tuple[Operation, bytes]] = [
    (bits.resize("b", 7), START + b"\0\0"),
    (bits.resize("b", 7, BitResize.FROM_FRONT), b"\0\0" + START),
    (bits.resize("b", 2), START[:2]),
    (bits.resize("b", 2, BitResize.FROM_FRONT | BitResize.SHRINK_ONLY), START[3:]),
    (bits.resize("b", 2, BitResize.GROW_ONLY, NO_FAIL), START),
    (bits.insert("b", 1, b"xy"), b"\x01xy\x42\x03\x04\x05"),
    (bits.insert("b", -1, b"x"), b"\x01\x42\x03\x04x\x05"),
    (bits.insert("b", 7, b"x"), START + b"\0\0x"),
    (bits.insert("b", 0, b"x", BitPolicy(BitWrite.CREATE_ONLY | BitWrite.NO_FAIL)), START),
    (bits.remove("b", 0, 2), START[2:]),
    (bits.remove("b", 3, 9, PARTIAL), START[:3]),
    (bits.remove("b", 3, 9, NO_FAIL), START),
    (bits.set("b", 4, 8, b"\xff"), b"\x0f\xf2\x03\x04\x05"),
    (bits.set("b", -8, 4, b"\xf0"), b"\x01\x42\x03\x04\xf5"),
    (bits.or_("b", 8, 8, b"\x18"), b"\x01\x5a\x03\x04\x05"),
    (bits.xor("b", 8, 8, b"\xff"), b"\x01\xbd\x03\x04\x05"),
    (bits.and_("b", 8, 16, b"\x40\x01"), b"\x01\x40\x01\x04\x05"),
    (bits.not_("b", 0, 12), b"\xfe\xb2\x03\x04\x05"),
    (bits.not_("b", 32, 99, PARTIAL), b"\x01\x42\x03\x04\xfa"),
    (bits.lshift("b", 0, 16, 3), b"\x0a\x10\x03\x04\x05"),
    (bits.rshift("b", 0, 16, 3), b"\x00\x28\x03\x04\x05"),
    (bits.add("b", 8, 16, 0x1234), b"\x01\x54\x37\x04\x05"),
    (bits.add("b", 8, 8, -1, signed=True), b"\x01\x41\x03\x04\x05"),
    (bits.add("b", 8, 8, 0xFF, action=BitOverflow.WRAP), b"\x01\x41\x03\x04\x05"),
    (bits.add("b", 8, 8, 0xFF, action=BitOverflow.SATURATE), b"\x01\xff\x03\x04\x05"),
    (bits.add("b", 8, 8, 0x7F, True, BitOverflow.SATURATE), b"\x01\x7f\x03\x04\x05"),
    (bits.add("b", 8, 8, 0xFF, policy=NO_FAIL), START),
    (bits.subtract("b", 8, 8, 2), b"\x01\x40\x03\x04\x05"),
    (bits.subtract("b", 8, 8, 0x43, action=BitOverflow.SATURATE), b"\x01\x00\x03\x04\x05"),
    (bits.subtract("b", 8, 8, 0x43, action=BitOverflow.WRAP), b"\x01\xff\x03\x04\x05"),
    (bits.set_int("b", 8, 16, -2), b"\x01\xff\xfe\x04\x05"),
    (bits.set_int("b", 4, 4, 0xF), b"\x0f\x42\x03\x04\x05"),
]


async def test_what_each_write_leaves(client: Client, key: Key) -> None:
    for operation, after in WRITES:
        await client.put(key, {"b": START})
        result = await client.operate_ordered(key, [operation, aero.read("b")])
        assert result.ordered[-1] == ("b", after), operation
        assert result.ordered[:-1] in ([], [("b", None)]), operation
        assert (await client.get(key))["b"] == after, operation


READS: list[tuple[Operation, Any]] = [
    (bits.get("b", 4, 12), b"\x14\x20"),
    (bits.get("b", -8, 8), b"\x05"),
    (bits.count("b", 0, 40), 8),
    (bits.lscan("b", 8, 8, True), 1),
    (bits.lscan("b", 0, 8, False), 0),
    (bits.lscan("b", 0, 7, True), -1),
    (bits.rscan("b", 8, 8, True), 6),
    (bits.rscan("b", 0, 8, False), 6),
    (bits.get_int("b", 8, 16), 0x4203),
    (bits.get_int("b", 9, 2, signed=True), -2),
    (bits.get_int("b", 0, 40), 0x0142030405),
]


async def test_what_each_read_gives_back(client: Client, key: Key) -> None:
    await client.put(key, {"b": START})
    for operation, answer in READS:
        assert (await client.operate(key, [operation])).bins == {"b": answer}, operation


async def test_several_operations_work_one_after_the_other(client: Client, key: Key) -> None:
    result = await client.operate_ordered(
        key,
        [
            bits.resize("b", 2),
            bits.set_int("b", 0, 16, 500),
            bits.get_int("b", 0, 16),
            bits.add("b", 0, 16, 1),
            bits.get_int("b", 0, 16),
        ],
    )
    assert [value for _, value in result.ordered if value is not None] == [500, 501]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (bits.get("b", 36, 8), ResultCode.OP_NOT_APPLICABLE),
        (bits.get("b", -41, 8), ResultCode.PARAM),
        (bits.not_("b", 36, 8), ResultCode.OP_NOT_APPLICABLE),
        (bits.add("b", 8, 8, 0xFF), ResultCode.OP_NOT_APPLICABLE),
        (bits.remove("b", 4, 2), ResultCode.PARAM),
        (bits.resize("b", 1, BitResize.GROW_ONLY), ResultCode.PARAM),
        (bits.insert("b", 0, b"x", BitPolicy(BitWrite.CREATE_ONLY)), ResultCode.BIN_EXISTS),
        (bits.not_("none", 0, 8), ResultCode.BIN_NOT_FOUND),
        (bits.resize("none", 8, policy=BitPolicy(BitWrite.UPDATE_ONLY)), ResultCode.BIN_NOT_FOUND),
    ],
)
async def test_a_refused_operation_leaves_everything_as_it_was(
    client: Client, key: Key, operation: Operation, code: ResultCode
) -> None:
    await client.put(key, {"b": START, "n": 1})
    with pytest.raises(AerospikeError) as caught:
        await client.operate(key, [bits.set_int("b", 0, 8, 9), aero.increment("n", 1), operation])
    assert caught.value.result_code == code
    assert not caught.value.in_doubt
    record = await client.get(key)
    assert (record.bins, record.generation) == ({"b": START, "n": 1}, 1)


@pytest.mark.parametrize("value", ["text", 5, [1], {"a": b"blob"}])
async def test_a_bin_that_holds_no_blob_is_refused(client: Client, key: Key, value: Any) -> None:
    await client.put(key, {"b": value})
    for operation in (bits.get("b", 0, 8), bits.not_("b", 0, 8)):
        with pytest.raises(BinTypeError):
            await client.operate(key, [operation])


async def test_a_read_of_a_bin_that_does_not_exist_gives_nothing(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1})
    assert (await client.operate(key, [bits.count("b", 0, 8)])).bins == {"b": None}


async def test_bits_are_written_and_read_in_a_batch(client: Client, keys: Any) -> None:
    chosen = [keys() for _ in range(5)]
    for row in await client.batch_operate(chosen, [bits.resize("b", 1), bits.set_int("b", 0, 8, 77)]):
        assert row.result_code == ResultCode.OK
    for row in await client.batch_operate(chosen, [bits.get_int("b", 0, 8)]):
        assert row.record is not None and row.record["b"] == 77
