"""Requests: hot encoders against the general form, refusals, caches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import bin_names, int64, same, text, u8, u32, values
from trio_aerospike._wire import commands, writing
from trio_aerospike._wire.commands import (
    TRANSACTION_TTL_OFFSET,
    encode_command,
    encode_field,
    encode_op,
    encode_ops,
    encode_particle_op,
    key_fields,
    op_name_only,
)
from trio_aerospike._wire.constants import PROTO_SIZE_MAX
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.messages import Field, Message, Op, decode_only_message, decode_ops
from trio_aerospike._wire.particles import decode_value
from trio_aerospike.errors import InvalidArgError

DIGEST = bytes(range(20))


@settings(deadline=None)
@given(u8, bin_names, values)
def test_any_operation_reads_back_as_it_was_written(op: int, name: str, value: Any) -> None:
    for _ in range(2):  # from scratch, and from the cache
        data = encode_op(op, name, value)
        [decoded], end = decode_ops(data, 0, 1)
        assert end == len(data)
        assert (decoded.op, decoded.name, decoded.flags) == (op, name, 0)
        assert same(decode_value(decoded.particle, decoded.data), value)
    assert encode_particle_op(op, name, decoded.particle, decoded.data) == data


@settings(deadline=None)
@given(u8, u8, u8, u8, u32, u32, u32, st.lists(st.tuples(bin_names, values), max_size=4))
def test_any_command_reads_back_as_it_was_written(
    info1: int,
    info2: int,
    info3: int,
    info4: int,
    generation: int,
    record_ttl: int,
    transaction_ttl: int,
    bins: list[tuple[str, Any]],
) -> None:
    fields, n_fields = key_fields("test", "users", DIGEST)
    ops = [(2, name, value) for name, value in bins]
    header = (info1, info2, info3, info4, generation, record_ttl, transaction_ttl)
    frame = encode_command(*header, fields, n_fields, encode_ops(ops), len(ops))
    [(kind, body)] = FrameReader().feed(frame)
    message = decode_only_message(body)
    assert kind == 3
    assert header == (
        message.info1,
        message.info2,
        message.info3,
        message.info4,
        message.generation,
        message.record_ttl,
        message.transaction_ttl,
    )
    assert message.fields == (Field(0, b"test"), Field(1, b"users"), Field(4, DIGEST))
    assert [op.name for op in message.ops] == [name for name, _ in bins]
    assert frame[TRANSACTION_TTL_OFFSET : TRANSACTION_TTL_OFFSET + 4] == transaction_ttl.to_bytes(4, "big")


@settings(deadline=None)
@given(text, st.one_of(st.none(), text), st.one_of(int64, text, st.binary(max_size=40)))
def test_any_key_reads_back_as_it_was_written(
    namespace: str, set_name: str | None, user_key: int | str | bytes
) -> None:
    fields, count = key_fields(namespace, set_name, DIGEST, user_key)
    assert count == 4
    message = decode_only_message(encode_command(0, 0, 0, 0, 0, 0, 0, fields, count, b"", 0)[8:])
    names = [Field(0, namespace.encode()), Field(1, (set_name or "").encode()), Field(4, DIGEST)]
    assert list(message.fields[:3]) == names
    key = message.fields[3]
    assert key.kind == 2
    assert same(decode_value(key.data[0], key.data[1:]), user_key)


def test_an_operation_without_value_is_one_with_the_value_none() -> None:
    assert op_name_only(1, "age") == encode_op(1, "age", None) == bytes.fromhex("0000000701000003616765")
    assert op_name_only(11, "") == bytes.fromhex("000000040b000000")


def test_a_field_is_its_size_id_and_data() -> None:
    assert encode_field(43, b"\x93").hex() == "000000022b93"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("a_name_16_bytes_", 1, "bin name 'a_name_16_bytes_' has 16 bytes: at most 15"),
        ("éééééééé", "x", "has 16 bytes"),
        ("n" * 16, 1.5, "has 16 bytes"),
        ("n" * 16, True, "has 16 bytes"),
        ("n" * 16, None, "has 16 bytes"),
        ("\ud800", 1, "bin name '.*' is not valid text"),
        (7, 1, "bin name: got an int 7, allowed: a str"),
        ("age", 1 << 63, "bin 'age': value 9223372036854775808 does not fit"),
        ("age", "\ud800", "bin 'age': value .* lone surrogate"),
        ("age", {1}, r"bin 'age': value: \{1\} is a set: allowed are"),
        ("age", [0, {"k": {1}}], r"bin 'age': value at \[1\]\['k'\]: \{1\} is a set"),
    ],
)
def test_a_bad_name_or_value_is_refused_and_named(name: Any, value: Any, words: str) -> None:
    with pytest.raises(InvalidArgError, match=words):
        encode_op(2, name, value)


def test_a_name_of_15_bytes_passes() -> None:
    assert encode_op(2, "n" * 15, 1)


def test_a_user_key_past_64_bits_is_refused() -> None:
    with pytest.raises(InvalidArgError, match="user key 9223372036854775808 does not fit"):
        key_fields("test", "users", DIGEST, 1 << 63)


def test_a_request_past_the_servers_limits_is_refused() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return PROTO_SIZE_MAX

    with pytest.raises(InvalidArgError, match="too large"):
        encode_command(0, 0, 0, 0, 0, 0, 0, b"", 0, Huge(), 1)
    with pytest.raises(InvalidArgError, match="65536 operations"):
        encode_command(0, 0, 0, 0, 0, 0, 0, b"", 0, b"", 65536)


def test_caches_are_bounded_and_do_not_mix_names_up() -> None:
    for number in range(commands._CACHE_MAX + 10):
        name = f"bin{number}"
        [op], _ = decode_ops(encode_op(2, name, number), 0, 1)
        assert op == Op(2, 1, name, number.to_bytes(8, "big"))
        [op], _ = decode_ops(encode_op(2, name, name), 0, 1)
        assert op == Op(2, 3, name, name.encode())
        fields, count = key_fields("test", name, DIGEST)
        message = decode_only_message(encode_command(0, 0, 0, 0, 0, 0, 0, fields, count, b"", 0)[8:])
        assert message == Message(fields=(Field(0, b"test"), Field(1, name.encode()), Field(4, DIGEST)))
    for cache in (writing._heads, commands._tails, commands._key_prefixes):
        assert len(cache) <= commands._CACHE_MAX
