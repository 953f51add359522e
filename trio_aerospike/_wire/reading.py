"""Read numbers at a position within a frame, several at a time.

Modules that run as they are use these functions of ``struct.Struct``. Modules that are compiled use those of the same
names in ``reading.pxd``, which make no tuples. Past the end of the frame either of them raises one of CUT_OFF.
"""

from __future__ import annotations

import struct
from typing import Any, Final

#: Whether the module that asks is compiled: true in ``reading.pxd``, where a C compiler leaves out the other branch.
COMPILED: bool = False
CUT_OFF: Final = (struct.error, IndexError)

#: The head of a message: its size, info3, result code, generation, void time, transaction ttl (in a batch the index of
#: the row), number of fields, number of operations.
unpack_head = struct.Struct(">B2xBxBIIIHH").unpack_from
#: An operation: size, particle type, flags, size of the bin's name.
unpack_op = struct.Struct(">IxBBB").unpack_from
#: A field: size and type.
unpack_field = struct.Struct(">IB").unpack_from
unpack_u16 = struct.Struct(">H").unpack_from
unpack_u32 = struct.Struct(">I").unpack_from
unpack_u64 = struct.Struct(">Q").unpack_from
unpack_i8 = struct.Struct(">b").unpack_from
unpack_i16 = struct.Struct(">h").unpack_from
unpack_i32 = struct.Struct(">i").unpack_from
unpack_i64 = struct.Struct(">q").unpack_from
unpack_f32 = struct.Struct(">f").unpack_from
unpack_f64 = struct.Struct(">d").unpack_from
#: The index value of a record, which the server sends in its own byte order.
unpack_index_value = struct.Struct("<q").unpack_from


def repeated_text_of(cache: list[Any], body: bytes, position: int, size: int) -> str:
    """Decode text in UTF-8 that is likely to repeat; only modules that are compiled remember it in ``cache``."""
    return body[position : position + size].decode()
