"""Every vector whole, byte by byte, at every split, and with the next frame behind it."""

from __future__ import annotations

import pytest

from tests.unit.wire.vectors import VECTORS, Vector
from trio_aerospike._wire.constants import PROTO_INFO
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike.errors import ProtocolError

each_vector = pytest.mark.parametrize("vector", VECTORS, ids=str)


@each_vector
def test_the_encoder_gives_the_bytes_of_the_protocol(vector: Vector) -> None:
    if vector.expected_hex:
        assert vector.frame.hex() == vector.expected_hex


@each_vector
def test_a_whole_frame_decodes(vector: Vector) -> None:
    reader = FrameReader()
    [(kind, body)] = reader.feed(vector.frame)
    assert kind == vector.kind
    assert vector.decode(body) == vector.value
    assert reader.pending == 0


@each_vector
def test_a_frame_decodes_when_it_comes_byte_by_byte(vector: Vector) -> None:
    reader = FrameReader()
    for byte in vector.frame[:-1]:
        assert reader.feed(bytes((byte,))) == []
    assert reader.pending == len(vector.frame) - 1
    [(kind, body)] = reader.feed(vector.frame[-1:])
    assert (kind, vector.decode(body)) == (vector.kind, vector.value)


@each_vector
def test_a_frame_decodes_at_every_split(vector: Vector) -> None:
    for split in range(len(vector.frame) + 1):
        reader = FrameReader()
        frames = reader.feed(vector.frame[:split]) + reader.feed(vector.frame[split:])
        assert [(kind, vector.decode(body)) for kind, body in frames] == [(vector.kind, vector.value)]


@each_vector
def test_the_next_frame_behind_it_is_left_for_later(vector: Vector) -> None:
    for follower in VECTORS:
        for length in {0, 1, 7, 8, 9, len(follower.frame) - 1} & set(range(len(follower.frame))):
            reader = FrameReader()
            [(kind, body)] = reader.feed(vector.frame + follower.frame[:length])
            assert (kind, vector.decode(body)) == (vector.kind, vector.value)
            [(kind, body)] = reader.feed(follower.frame[length:])
            assert (kind, follower.decode(body)) == (follower.kind, follower.value)


@each_vector
def test_a_body_cut_at_any_byte_is_a_protocol_error_or_a_shorter_value(vector: Vector) -> None:
    [(_, body)] = FrameReader().feed(vector.frame)
    for cut in range(len(body)):
        try:
            value = vector.decode(body[:cut])
        except ProtocolError:
            continue
        # Text of info messages is as valid without its last line break.
        assert value != vector.value or vector.kind == PROTO_INFO


@each_vector
def test_a_body_with_any_byte_changed_is_a_protocol_error_or_another_value(vector: Vector) -> None:
    [(_, body)] = FrameReader().feed(vector.frame)
    for position in range(len(body)):
        for change in (0x01, 0x80, 0xFF):
            damaged = body[:position] + bytes((body[position] ^ change,)) + body[position + 1 :]
            try:
                vector.decode(damaged)
            except ProtocolError:
                pass
