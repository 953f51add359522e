"""The error for a record that cannot be decoded says which bin it is, and why."""

from __future__ import annotations

import struct

import pytest

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch_answers import decode_batch_response
from trio_aerospike._wire.error_text import clipped, shown
from trio_aerospike._wire.messages import Field, Message, encode_message
from trio_aerospike._wire.object_maker import Maker
from trio_aerospike._wire.query_answers import AnswerDecoder
from trio_aerospike._wire.records import decode_ordered, decode_record
from trio_aerospike.errors import ProtocolError

LATIN = b"caf\xe9!"
FAULT = "is not UTF-8 (invalid continuation byte at byte 3 of 5, in b'caf\\xe9!')"


def bin(name: bytes, particle: int, data: bytes) -> bytes:
    return struct.pack(">I4B", 4 + len(name) + len(data), wire.OP_READ, particle, 0, len(name)) + name + data


def answer(*bins: bytes, fields: tuple[Field, ...] = ()) -> bytes:
    """A message of those bins, which are counted by hand: the encoder takes names in UTF-8 only."""
    message = encode_message(Message(fields=fields))
    return message[:20] + struct.pack(">H", len(bins)) + message[22:] + b"".join(bins)


CASES = {
    "a value": (bin(b"b", 3, LATIN), f"bin 'b': its text {FAULT}; read the other bins"),
    "GeoJSON": (bin(b"b", 23, bytes(3) + LATIN), f"bin 'b': its text {FAULT}"),
    "in a list": (bin(b"b", 20, b"\x91\xa6\x03" + LATIN), f"bin 'b': text in a list or map {FAULT}"),
    "a map key": (bin(b"b", 19, b"\x81\xa6\x03" + LATIN + b"\x01"), f"bin 'b': text in a list or map {FAULT}"),
    "a name": (bin(LATIN, 3, b"text"), f"the name of bin 2 of 2 {FAULT}"),
    "a double of seven bytes": (bin(b"b", 2, bytes(7)), "bin 'b': a double of 7 bytes, expected 8"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_bin_is_named_by_every_decoder(case: str) -> None:
    faulty, text = CASES[case]
    bins = (bin(b"good", 1, bytes(8)), faulty)
    for decode in (decode_record, decode_ordered):
        with pytest.raises(ProtocolError) as caught:
            decode(answer(*bins))
        assert text in caught.value.message
    [row], _ = decode_batch_response(answer(*bins))
    assert row.error is not None and text in row.error.message
    place = (Field(wire.FIELD_NAMESPACE, b"test"), Field(wire.FIELD_DIGEST, bytes(20)))
    decoder = AnswerDecoder(Maker.calling(lambda *made: made), lambda *made: made)
    records = decoder.decode(answer(*bins, fields=place), 0, 10).records
    assert text in records[0][1].message


def test_a_set_whose_name_is_not_utf_8_does_not_end_a_query() -> None:
    fields = (
        Field(wire.FIELD_NAMESPACE, b"test"),
        Field(wire.FIELD_DIGEST, bytes(20)),
        Field(wire.FIELD_SET, LATIN),
    )
    good = (Field(wire.FIELD_NAMESPACE, b"test"), Field(wire.FIELD_DIGEST, bytes(20)), Field(wire.FIELD_SET, b"s"))
    value = bin(b"b", 1, bytes(8))
    body = answer(value, fields=good) + answer(value, fields=fields) * 3 + answer(value, fields=good)
    decoder = AnswerDecoder(
        Maker.calling(lambda place, bins, *_: (place[1], bins)), lambda place, error, *_: (place[1], error)
    )
    records = decoder.decode(body, 0, 10).records
    assert [name for name, _ in records] == ["s", *["caf\\xe9!"] * 3, "s"]
    assert records[0][1] == records[4][1] == {"b": 0}
    assert records[1][1].message.startswith(f"the name of its set {FAULT}")


def test_the_bytes_around_the_fault_are_shown_and_no_more() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_record(answer(bin(b"b", 3, b"x" * 500_000 + LATIN + b"y" * 500_000)))
    assert "at byte 500003 of 1000005" in caught.value.message
    assert "xxxcaf\\xe9!yyy" in caught.value.message
    assert len(caught.value.message) < 400


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


def test_values_and_texts_in_messages_are_bounded() -> None:
    for value in ("x" * 10**6, b"x" * 10**6, ["x" * 10**6], [1] * 10**6, {n: n for n in range(1000)}, 10**5000):
        assert len(shown(value)) < 130, type(value)
    assert "1000000" in shown("x" * 10**6)
    assert "Unprintable" in shown(Unprintable())
    assert shown("short") == "'short'"
    assert clipped("short") == "short"
    assert len(clipped("x" * 10**6)) < 1100
