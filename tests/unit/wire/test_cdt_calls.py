"""Calls and contexts as bytes; bytes of whole operations are compared with recorded ones elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import (
    Packed,
    decode_context,
    encode_cdt_call,
    encode_context,
    list_header,
    value_end,
)
from trio_aerospike.errors import InvalidArgError, ProtocolError

from . import strategies


def test_a_call_is_a_list_of_its_number_and_arguments() -> None:
    assert encode_cdt_call(1, (5, "a")).hex() == "930105a20361"


def test_a_call_with_a_context_stands_behind_255_and_the_context() -> None:
    context = encode_context([(0x10, -1), (0x22, "k")])
    assert context.hex() == "9410ff22a2036b"
    assert encode_cdt_call(16, (), context).hex() == "93ccff" + context.hex() + "9110"


def test_what_is_packed_goes_into_a_call_as_it_is() -> None:
    assert encode_cdt_call(1, (Packed(b"\x93\x51\x02\xa1a"),)).hex() == "9201935102a161"


def test_packed_is_never_stored() -> None:
    with pytest.raises(InvalidArgError, match="Packed"):
        encode_cdt_call(1, ([Packed(b"\x01")],))
    with pytest.raises(InvalidArgError, match="Packed"):
        pack_value(Packed(b"\x01"))


@pytest.mark.parametrize("count", [0, 1, 15, 16, 0xFFFF, 0x10000])
def test_a_context_of_any_length_comes_back(count: int) -> None:
    header = list_header(count)
    assert value_end(header + b"\x00" * count, 0) == len(header) + count
    if count % 2 == 0 and count < 0x10000:
        steps = [(0x10, index % 100) for index in range(count // 2)]
        assert decode_context(encode_context(steps)) == [(number, Packed(pack_value(v))) for number, v in steps]


@given(strategies.elements, st.data())
def test_the_end_of_a_value_is_found(value: Any, draw: st.DataObject) -> None:
    data = pack_value(value)
    assert value_end(data, 0) == len(data)
    assert value_end(b"\xc0" + data + b"\x05", 1) == 1 + len(data)
    with pytest.raises(ProtocolError):
        value_end(data[: draw.draw(st.integers(0, len(data) - 1))], 0)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "01",
        "9110",
        "92c201",
        "92a2036101",
        "921001ff",
        "9210",
        "9210c1",
        "dc",
        "dd000000",
        "dd7fffffff10",
        "9210d9",
        "9210c705",
        "9210cd01",
    ],
)
def test_bytes_that_are_no_context_are_a_protocol_error(data: str) -> None:
    with pytest.raises(ProtocolError):
        decode_context(bytes.fromhex(data))


@pytest.mark.parametrize(
    "data",
    (
        f"ca{'00' * 4} cb{'00' * 8} cc00 cd0000 ce{'00' * 4} cf{'00' * 8} d000 d10000 d2{'00' * 4} d3{'00' * 8} "
        f"d4ff01 d5ff0000 d6ff{'00' * 4} d7ff{'00' * 8} d8ff{'00' * 16} c701ff00 c80001ff00 c900000001ff00 "
        "c40100 c5000100 c60000000100 d90100 da000100 db0000000100 a100 "
        "dc000101 dd0000000101 9101 de00010102 df000000010102 810102"
    ).split(),
)
def test_every_form_of_messagepack_has_its_length(data: str) -> None:
    raw = bytes.fromhex(data)
    assert value_end(raw + b"\x00", 0) == len(raw)
    with pytest.raises(ProtocolError):
        value_end(raw[:-1], 0)
