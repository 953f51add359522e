"""The frame reader: any split, bounds, compression, and an error that is final."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.vectors import VECTORS
from trio_aerospike._wire.constants import PROTO_SIZE_MAX
from trio_aerospike._wire.frames import FrameReader, compress_frame, decompress_body, encode_frame
from trio_aerospike.errors import InvalidArgError, ProtocolError

STREAM = b"".join(vector.frame for vector in VECTORS)


def header(version: int, kind: int, size: int) -> bytes:
    return struct.pack(">Q", version << 56 | kind << 48 | size)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=40).map(sorted))
def test_frames_do_not_depend_on_the_splits_of_the_stream(cuts: list[int]) -> None:
    reader = FrameReader()
    frames = []
    for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        frames += reader.feed(STREAM[start:end])
    assert [(kind, vector.decode(body)) for (kind, body), vector in zip(frames, VECTORS, strict=True)] == [
        (vector.kind, vector.value) for vector in VECTORS
    ]
    assert reader.pending == 0


@settings(deadline=None)
@given(st.lists(st.binary(max_size=64), max_size=20))
def test_arbitrary_bytes_give_frames_or_one_final_protocol_error(pieces: list[bytes]) -> None:
    reader = FrameReader(max_size=1 << 20)
    for piece in pieces:
        if reader.error is None:
            reader.feed(piece)
            assert reader.pending <= sum(map(len, pieces))
        else:
            with pytest.raises(ProtocolError) as caught:
                reader.feed(piece)
            assert caught.value is reader.error


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_an_arbitrary_compressed_body_unpacks_or_is_a_protocol_error(body: bytes) -> None:
    try:
        decompress_body(body, 1 << 16)
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (header(1, 3, 0), "version 2"),
        (header(2, 0, 0), "unknown type 0"),
        (header(2, 5, 0), "unknown type 5"),
        (header(2, 3, 1001), "1001 bytes is larger than the 1000"),
        (b"HTTP/1.1 400 Bad Request\r\n", "version 2"),
    ],
)
def test_a_bad_header_is_refused_at_once_and_names_its_fault(data: bytes, words: str) -> None:
    reader = FrameReader(max_size=1000)
    assert reader.feed(data) == []
    assert words in str(reader.error)
    with pytest.raises(ProtocolError, match=words):
        reader.feed(b"")


def test_frames_before_a_fault_are_returned_and_the_fault_is_final() -> None:
    good = encode_frame(1, b"x\n")
    reader = FrameReader()
    assert reader.feed(good + good + header(9, 9, 9)) == [(1, b"x\n"), (1, b"x\n")]
    assert reader.error is not None
    for _ in range(2):
        with pytest.raises(ProtocolError):
            reader.feed(good)


def test_a_frame_of_exactly_the_largest_size_passes() -> None:
    reader = FrameReader(max_size=1000)
    assert reader.feed(encode_frame(3, bytes(1000))) == [(3, bytes(1000))]
    assert reader.error is None


def test_bytearrays_and_memoryviews_are_copied_before_the_caller_can_reuse_them() -> None:
    buffer = bytearray(encode_frame(1, b"abc"))
    reader = FrameReader()
    [(_, body)] = reader.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert body == b"abc"
    assert type(body) is bytes


def test_a_large_frame_in_small_pieces_comes_out_whole() -> None:
    body = bytes(range(256)) * 4096
    frame = encode_frame(3, body)
    reader = FrameReader()
    frames = []
    for start in range(0, len(frame), 100):
        frames += reader.feed(frame[start : start + 100])
    assert frames == [(3, body)]


def test_a_request_larger_than_the_server_takes_is_refused() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return PROTO_SIZE_MAX + 1

    with pytest.raises(InvalidArgError, match="too large"):
        encode_frame(3, Huge())


def compressed(announced: int, payload: bytes) -> bytes:
    return encode_frame(4, struct.pack(">Q", announced) + payload)


INNER = encode_frame(3, b"hello" * 20)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (encode_frame(4, b"1234567"), "no room"),
        (compressed(len(INNER), b"not zlib"), "does not unpack"),
        (compressed(len(INNER) + 1, zlib.compress(INNER)), "does not unpack to"),
        (compressed(len(INNER) - 1, zlib.compress(INNER)), "does not unpack to"),
        (compressed(len(INNER), zlib.compress(INNER)[:-1]), "does not unpack to"),
        (compressed(len(INNER), zlib.compress(INNER) + b"x"), "does not unpack to"),
        (compressed(1 << 40, zlib.compress(INNER)), "announces"),
        (compressed(4, zlib.compress(b"1234")), "announces"),
        (compressed(len(INNER), zlib.compress(b"\x01" + INNER[1:])), "holds no frame"),
        (compressed(len(INNER) - 1, zlib.compress(INNER[:-1])), "holds no frame"),
    ],
)
def test_a_bad_compressed_frame_is_a_protocol_error(frame: bytes, words: str) -> None:
    reader = FrameReader()
    assert reader.feed(frame) == []
    assert words in str(reader.error)


def test_a_compressed_frame_within_a_compressed_frame_is_refused() -> None:
    reader = FrameReader()
    assert reader.feed(compress_frame(compress_frame(INNER))) == []
    assert "holds no frame" in str(reader.error)


def test_a_zip_bomb_is_not_unpacked_past_the_size_it_announces() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    with pytest.raises(ProtocolError, match="does not unpack to"):
        decompress_body(struct.pack(">Q", 1000) + bomb)


def test_the_reader_tells_its_state() -> None:
    reader = FrameReader()
    reader.feed(encode_frame(3, bytes(10))[:9])
    assert repr(reader) == "<FrameReader 9 of 18 bytes>"
    reader.feed(bytes(9) + b"\xff" * 8)
    assert "failed" in repr(reader)


ADMIN_0 = b"\0" + encode_frame(2, b"admin")[1:]
PACKED = compress_frame(encode_frame(3, b"message"))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_server_reads_admin_frames_of_version_0_and_leaves_compressed_ones_packed(size: int) -> None:
    stream = ADMIN_0 + PACKED + encode_frame(3, b"x") + ADMIN_0
    reader = FrameReader(of_requests=True)
    frames = []
    for start in range(0, len(stream), size):
        frames += reader.feed(stream[start : start + size])
    assert frames == [(2, b"admin"), (4, PACKED[8:]), (3, b"x"), (2, b"admin")]
    assert reader.error is None and reader.pending == 0


@pytest.mark.parametrize("kind", [1, 3, 4])
def test_no_other_frame_may_have_version_0(kind: int) -> None:
    reader = FrameReader(of_requests=True)
    assert reader.feed(b"\0" + encode_frame(kind, b"x")[1:]) == []
    assert "version 2" in str(reader.error)


def test_a_client_takes_no_frame_of_version_0() -> None:
    reader = FrameReader()
    assert reader.feed(ADMIN_0) == []
    assert "version 2" in str(reader.error)
