"""The layout of a row: what similar rows of a batch's answer have in common.

That is the headers of their bins, and the types and fixed sizes of the values, compared for many rows at once.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

from .._wire.constants import (
    MESSAGE_HEADER_SIZE,
    PARTICLE_BOOL,
    PARTICLE_FLOAT,
    PARTICLE_INTEGER,
    PARTICLE_NULL,
)

#: One bin of a layout: the header of the operation without its size, which ends in the bin's name, and the size of the
#: value, or VARIABLE if it differs.
Bin: TypeAlias = tuple[bytes, int]
Layout: TypeAlias = tuple[Bin, ...]

#: With more bins in a row, decoding rows one by one takes no longer.
BINS_MAX: Final = 64
VARIABLE: Final = -1
#: Types whose values always have that size.
FIXED: Final = frozenset(((PARTICLE_INTEGER, 8), (PARTICLE_FLOAT, 8), (PARTICLE_BOOL, 1)))

# The start of a successful row's message: its header's size, four bytes of flags, result code 0.
_HEAD = bytes((MESSAGE_HEADER_SIZE, 0, 0, 0, 0, 0))
_unpack_counts = struct.Struct(">HH").unpack_from
_unpack_op = struct.Struct(">IxBBB").unpack_from


def layout_of(body: bytes, position: int) -> Layout | None:
    """Return the layout of the row at ``position``; None for a row that is decoded by itself.

    These are rows without bins or with too many, with fields, and with a bin that occurs twice, has no value or has its
    last-update time. The row has been decoded before, so its sizes are valid.
    """
    if body[position : position + 6] != _HEAD:
        return None
    n_fields, n_ops = _unpack_counts(body, position + 18)
    if n_fields or not n_ops or n_ops > BINS_MAX:
        return None
    position += MESSAGE_HEADER_SIZE
    bins: list[Bin] = []
    for _ in range(n_ops):
        size, particle, flags, name_size = _unpack_op(body, position)
        if flags or particle == PARTICLE_NULL:
            return None
        value_size = size - 4 - name_size
        bins.append(
            (body[position + 4 : position + 8 + name_size], value_size if (particle, value_size) in FIXED else VARIABLE)
        )
        position += 4 + size
    return tuple(bins) if len({head[4:] for head, _ in bins}) == n_ops else None
