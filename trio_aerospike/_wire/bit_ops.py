"""Operations on the bits of a blob: their numbers (server: as/include/base/proto.h) and their table."""

from typing import Final

from .constants import OP_BITS_MODIFY, OP_BITS_READ
from .operation_rows import Family, table

RESIZE: Final = 0
INSERT: Final = 1
REMOVE: Final = 2
SET: Final = 3
OR: Final = 4
XOR: Final = 5
AND: Final = 6
NOT: Final = 7
LSHIFT: Final = 8
RSHIFT: Final = 9
ADD: Final = 10
SUBTRACT: Final = 11
SET_INT: Final = 12
GET: Final = 50
COUNT: Final = 51
LSCAN: Final = 52
RSCAN: Final = 53
GET_INT: Final = 54

# Flags of writes.
FLAG_CREATE_ONLY: Final = 1 << 0
FLAG_UPDATE_ONLY: Final = 1 << 1
FLAG_NO_FAIL: Final = 1 << 2
FLAG_PARTIAL: Final = 1 << 3

# Flags of arithmetic, and of resize.
INT_SIGNED: Final = 1 << 0
INT_SATURATE: Final = 1 << 1
INT_WRAP: Final = 1 << 2
RESIZE_FROM_FRONT: Final = 1 << 0
RESIZE_GROW_ONLY: Final = 1 << 1
RESIZE_SHRINK_ONLY: Final = 1 << 2

_BIT: Final = Family("bits", "bit", "blob", 1, OP_BITS_READ, OP_BITS_MODIFY, changed="blob")
_FIELD: Final = "bit_offset:int bit_size:int"
# Which flags of a policy the server takes: where bytes come and go, where bits change, where a number is stored.
_CREATES: Final = FLAG_CREATE_ONLY | FLAG_UPDATE_ONLY | FLAG_NO_FAIL
_CHANGES: Final = FLAG_UPDATE_ONLY | FLAG_NO_FAIL | FLAG_PARTIAL
_COUNTS: Final = FLAG_UPDATE_ONLY | FLAG_NO_FAIL

BITS: Final = table(
    _BIT.write("resize", RESIZE, "byte_size:int =flags? =resize_flags?", flags=_CREATES),
    _BIT.write("insert", INSERT, "byte_offset:int value:blob =flags?", flags=_CREATES),
    _BIT.write("remove", REMOVE, "byte_offset:int byte_size:int =flags?", flags=_CHANGES),
    _BIT.write("set", SET, f"{_FIELD} value:blob =flags?", flags=_CHANGES),
    _BIT.write("or_", OR, f"{_FIELD} value:blob =flags?", flags=_CHANGES),
    _BIT.write("xor", XOR, f"{_FIELD} value:blob =flags?", flags=_CHANGES),
    _BIT.write("and_", AND, f"{_FIELD} value:blob =flags?", flags=_CHANGES),
    _BIT.write("not_", NOT, f"{_FIELD} =flags?", flags=_CHANGES),
    _BIT.write("lshift", LSHIFT, f"{_FIELD} shift:int =flags?", flags=_CHANGES),
    _BIT.write("rshift", RSHIFT, f"{_FIELD} shift:int =flags?", flags=_CHANGES),
    _BIT.write("add", ADD, f"{_FIELD} value:int =flags? =action?", flags=_COUNTS),
    _BIT.write("subtract", SUBTRACT, f"{_FIELD} value:int =flags? =action?", flags=_COUNTS),
    _BIT.write("set_int", SET_INT, f"{_FIELD} value:int =flags?", flags=_COUNTS),
    _BIT.read("get", GET, _FIELD, "blob"),
    _BIT.read("count", COUNT, _FIELD, "int"),
    _BIT.read("lscan", LSCAN, f"{_FIELD} value:bool", "int"),
    _BIT.read("rscan", RSCAN, f"{_FIELD} value:bool", "int"),
    _BIT.read("get_int", GET_INT, f"{_FIELD} =signed?", "int"),
)
