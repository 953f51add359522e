"""Numbers of the operations on the bits of a blob (server: as/include/base/proto.h)."""

from typing import Final

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
