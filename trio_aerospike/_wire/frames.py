"""Frames: eight bytes of version, type and size, then a body.

Server: ``as_proto`` in ``as/include/base/proto.h``. :class:`FrameReader` is fed bytes in any split and returns whole
frames.
"""

from __future__ import annotations

import struct
import zlib

from ..errors import InvalidArgError, ProtocolError
from . import constants as wire, reading

_header = struct.Struct(">Q")
_pack_header = _header.pack
_unpack_header = _header.unpack_from
#: The version, 2, in the place where it is in a header.
_VERSION_BITS = 0x0200_0000_0000_0000
_SIZE_MASK = (1 << 48) - 1

# First two bytes of a good frame, as a number -> its type. Anything else is a fault.
_KINDS = {
    wire.PROTO_VERSION << 8 | kind: kind
    for kind in (wire.PROTO_INFO, wire.PROTO_ADMIN, wire.PROTO_MESSAGE, wire.PROTO_COMPRESSED)
}

# What a server reads: admin messages also with the older version 0 (server: process_readable in as/src/base/service.c).
_REQUEST_KINDS = {**_KINDS, wire.PROTO_ADMIN: wire.PROTO_ADMIN}


def encode_frame(kind: int, body: bytes) -> bytes:
    """A whole frame of that type around ``body``.

    Raises:
        InvalidArgError: the body is larger than the server accepts (128 MiB).
    """
    size = len(body)
    if size > wire.PROTO_SIZE_MAX:
        raise InvalidArgError(f"a request of {size} bytes is too large: the server takes at most {wire.PROTO_SIZE_MAX}")
    return _pack_header(_VERSION_BITS | kind << 48 | size) + body


def compress_frame(frame: bytes) -> bytes:
    """The frame, packed with zlib into a frame of type "compressed" (server: ``as_comp_proto``)."""
    return encode_frame(wire.PROTO_COMPRESSED, _pack_header(len(frame)) + zlib.compress(frame, 1))


def decompress_body(body: bytes, max_size: int = wire.PROTO_SIZE_MAX) -> tuple[int, bytes]:
    """Type and body of the frame inside the body of a compressed frame.

    Never unpacks more than the size that the frame announces, nor more than ``max_size`` bytes.

    Raises:
        ProtocolError: the size is missing, too large or wrong, or the data is not zlib's.
    """
    if len(body) < 8:
        raise ProtocolError(f"a compressed frame of {len(body)} bytes has no room for its size")
    size: int = _unpack_header(body, 0)[0]
    if not wire.PROTO_HEADER_SIZE <= size <= max_size + wire.PROTO_HEADER_SIZE:
        raise ProtocolError(f"a compressed frame announces {size} bytes; allowed are 8 to {max_size + 8}")
    unpacker = zlib.decompressobj()
    try:
        frame = unpacker.decompress(body[8:], size)
        # A stream of exactly `size` bytes may still owe its checksum: nothing more may come out of it.
        if len(frame) == size and not unpacker.eof:
            frame += unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error as error:
        raise ProtocolError(f"a compressed frame does not unpack: {error}") from None
    if len(frame) != size or not unpacker.eof or unpacker.unused_data:
        raise ProtocolError(f"a compressed frame does not unpack to the {size} bytes it announces")
    head: int = _unpack_header(frame, 0)[0]
    kind = _KINDS.get(head >> 48)
    if kind is None or kind == wire.PROTO_COMPRESSED or head & _SIZE_MASK != size - wire.PROTO_HEADER_SIZE:
        raise ProtocolError(f"a compressed frame holds no frame: header {frame[:8].hex()}")
    return kind, frame[8:]


class FrameReader:
    """Turns a stream of bytes into frames, whatever its splits.

    Args:
        max_size: largest body accepted, in bytes (also after decompression).
        of_requests: read what clients send, as a server does: admin frames may have version 0, and compressed frames
            are returned as they are, since a Community Edition refuses them.

    Attributes:
        error: the fault the stream came to, None while it is sound. Final: from then on every :meth:`feed` raises it.
        partial: what has come of a frame that is not whole yet, always the same object. If it is not empty at the end
            of a stream, the stream was cut off.
    """

    __slots__ = ("_kind", "_kinds", "_need", "_unpacks", "error", "max_size", "partial")

    def __init__(self, max_size: int = wire.PROTO_SIZE_MAX, *, of_requests: bool = False) -> None:
        self._kinds = _REQUEST_KINDS if of_requests else _KINDS
        self._unpacks = not of_requests
        self.max_size = max_size
        self.error: ProtocolError | None = None
        self.partial = bytearray()
        # How much of the incomplete frame is needed before it is looked at again: a large frame in many small pieces
        # is not copied over and over.
        self._need = wire.PROTO_HEADER_SIZE
        #: The type of the incomplete frame; 0 while its header is not whole.
        self._kind = 0

    def __repr__(self) -> str:
        state = f"failed: {self.error}" if self.error else f"{len(self.partial)} of {self._need} bytes"
        return f"<FrameReader {state}>"

    @property
    def pending(self) -> int:
        """How many bytes are held of a frame that is not whole yet."""
        return len(self.partial)

    def feed(self, data: bytes | bytearray | memoryview) -> list[tuple[int, bytes]]:
        """Take bytes, return the frames they complete as (type, body without the frame's header).

        Frames that were whole before a fault are still returned; ``error`` is set then, and the next call raises it.

        Raises:
            ProtocolError: the stream had come to a fault before.
        """
        if self.error is not None:
            raise self.error
        if type(data) is not bytes:
            data = bytes(data)
        buffer = self.partial
        frames: list[tuple[int, bytes]] = []
        if buffer:
            buffer += data
            if len(buffer) < self._need:
                return frames
            with memoryview(buffer) as view:
                body = bytes(view[wire.PROTO_HEADER_SIZE : self._need]) if self._kind else None
                data = bytes(view if body is None else view[self._need :])
            buffer.clear()
            if body is not None and not self._take(frames, self._kind, body):
                return frames
        whole: bytes = data
        total = len(whole)
        position = 0
        self._kind = 0
        while position + wire.PROTO_HEADER_SIZE <= total:
            start = position + wire.PROTO_HEADER_SIZE
            (head,) = reading.unpack_u64(whole, position)
            kind = self._kinds.get(head >> 48)
            size = head & _SIZE_MASK
            if kind is None or size > self.max_size:
                self._fail(self._describe(whole[position:start], kind, size))
                return frames
            end = start + size
            if end > total:
                self._need = end - position
                self._kind = kind
                break
            if not self._take(frames, kind, whole[start:end]):
                return frames
            position = end
        else:
            self._need = wire.PROTO_HEADER_SIZE
        if position < total:
            buffer += whole[position:]
        return frames

    def _take(self, frames: list[tuple[int, bytes]], kind: int, body: bytes) -> bool:
        """Append a frame, decompressed if need be; returns False if that fails."""
        if kind != wire.PROTO_COMPRESSED or not self._unpacks:
            frames.append((kind, body))
            return True
        try:
            frames.append(decompress_body(body, self.max_size))
        except ProtocolError as error:
            self._fail(error)
            return False
        return True

    def _fail(self, error: ProtocolError) -> None:
        self.error = error

    def _describe(self, header: bytes, kind: int | None, size: int) -> ProtocolError:
        if header[0] != wire.PROTO_VERSION:
            return ProtocolError(f"not a frame of protocol version {wire.PROTO_VERSION}: header {header.hex()}")
        if kind is None:
            return ProtocolError(f"a frame of unknown type {header[1]}: header {header.hex()}")
        return ProtocolError(f"a frame of {size} bytes is larger than the {self.max_size} allowed")
