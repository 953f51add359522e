"""Describe a refused request for the error message: its size, generation or bins.

A server answers with a result code only. The details are in the request, which is parsed again here, so that requests
that succeed cost nothing.
"""

from __future__ import annotations

import struct
from typing import Final

from .constants import (
    BATCH_ROW_GENERATION,
    INFO2_GENERATION,
    INFO2_GENERATION_GT,
    MESSAGE_HEADER_SIZE,
)
from .error_text import shown

_RECORD_GENERATION: Final = 3
_RECORD_TOO_BIG: Final = 13
#: Codes about a bin: it exists, has another type, is missing, has an invalid name, does not allow the operation, its
#: element is missing or exists, its value is not GeoJSON.
_ABOUT_BINS: Final = frozenset((6, 12, 17, 21, 23, 24, 26, 160))
DETAILED: Final = frozenset((_RECORD_GENERATION, _RECORD_TOO_BIG)) | _ABOUT_BINS

_FRAME_HEADER_SIZE: Final = 8
#: Most names in a message.
_NAMES: Final = 5
_unpack_generation = struct.Struct(">I").unpack_from
_unpack_counts = struct.Struct(">HH").unpack_from
_unpack_size = struct.Struct(">I").unpack_from
_unpack_op = struct.Struct(">I3xB").unpack_from


def request_detail(code: int, frame: bytes) -> str:
    """Describe a refused single-record command.

    Args:
        code: the server's result code.
        frame: the request.

    Returns:
        A text to append to the error message; empty if there is nothing to add.
    """
    if code not in DETAILED:
        return ""
    message = _FRAME_HEADER_SIZE
    info2 = frame[message + 2]
    [generation] = _unpack_generation(frame, message + 6)
    n_fields, n_ops = _unpack_counts(frame, message + 18)
    return _detail(code, frame, info2, generation, message + MESSAGE_HEADER_SIZE, n_fields, n_ops)


def row_detail(code: int, rest: bytes) -> str:
    """Describe a refused row of a batch.

    Args:
        code: the row's result code.
        rest: the row behind its digest, as ``batch.encode_row_payload`` makes it.

    Returns:
        As :func:`request_detail`.
    """
    if code not in DETAILED:
        return ""
    # Flags and three bytes of info, two of the generation where there is one, four of the ttl.
    position, generation = 4, 0
    if rest[0] & BATCH_ROW_GENERATION:
        generation = int.from_bytes(rest[4:6], "big")
        position += 2
    n_fields, n_ops = _unpack_counts(rest, position + 4)
    return _detail(code, rest, rest[2], generation, position + 8, n_fields, n_ops)


def _detail(code: int, data: bytes, info2: int, generation: int, position: int, n_fields: int, n_ops: int) -> str:
    if code == _RECORD_TOO_BIG:
        return (
            f": the request has {len(data)} bytes; a record may have as many as max-record-size of its namespace "
            "allows (1 MiB unless configured, 8 MiB at most): split the record, or raise the limit"
        )
    if code == _RECORD_GENERATION:
        if info2 & INFO2_GENERATION:
            return f": expected generation {generation}; read the record again and repeat the change"
        if info2 & INFO2_GENERATION_GT:
            return f": expected a generation below {generation}"
        return ""
    names = _bin_names(data, position, n_fields, n_ops)
    if not names:
        return ""
    listed = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    return f": bin {listed}" if len(names) == 1 else f": one of the bins {listed}"


def _bin_names(data: bytes, position: int, n_fields: int, n_ops: int) -> list[str]:
    """Return the names of the bins in a request, in order, without duplicates."""
    names: dict[str, None] = {}
    for _ in range(n_fields):
        position += 4 + _unpack_size(data, position)[0]
    for _ in range(n_ops):
        size, name_size = _unpack_op(data, position)
        if name_size:
            names[shown(data[position + 8 : position + 8 + name_size].decode(errors="backslashreplace"))] = None
        position += 4 + size
    return list(names)
