"""Describe which bin of an answer cannot be decoded, why, and what to do, for the error message.

Called after a decoder has failed, so that decoders need not keep track of names for messages.
"""

from __future__ import annotations

import struct

from ..errors import ProtocolError
from .error_text import not_utf8
from .particles import decode_value

_unpack_op = struct.Struct(">IxBBB").unpack_from


def faulty_bin(body: bytes, position: int, count: int) -> ProtocolError | None:
    """Return the error for the first of ``count`` bins whose name or value cannot be decoded.

    Args:
        body: the answer.
        position: of the first bin.
        count: the number of bins.

    Returns:
        An error that names the bin; None if every bin can be decoded, or if their sizes do not fit the answer.
    """
    for number in range(count):
        try:
            size, particle, flags, name_size = _unpack_op(body, position)
        except struct.error:
            return None
        start = position + 8
        value = start + name_size + (8 if flags else 0)
        position += 4 + size
        if value > position or position > len(body):
            return None
        try:
            name = body[start : start + name_size].decode()
        except UnicodeDecodeError as error:
            return ProtocolError(
                f"the name of bin {number + 1} of {count} {not_utf8(error)}; read the other bins by name (select), "
                "and rename this one with the client that wrote it"
            )
        try:
            decode_value(particle, body[value:position])
        except ProtocolError as error:
            return ProtocolError(f"bin {name!r}: {error.message}; {ADVICE}")
        except UnicodeDecodeError as error:
            return ProtocolError(f"bin {name!r}: text {not_utf8(error)}; {ADVICE}")
    return None


ADVICE = "read the other bins by name (select), or write the bin again, as bytes or as text in UTF-8"
