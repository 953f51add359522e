"""Numbers of the operations on HyperLogLog sketches (server: as/include/base/proto.h)."""

from typing import Final

INIT: Final = 0
ADD: Final = 1
UNION: Final = 2
UPDATE_COUNT: Final = 3
FOLD: Final = 4
COUNT: Final = 50
GET_UNION: Final = 51
UNION_COUNT: Final = 52
INTERSECT_COUNT: Final = 53
SIMILARITY: Final = 54
DESCRIBE: Final = 55
MAY_CONTAIN: Final = 56

# Flags of writes.
FLAG_CREATE_ONLY: Final = 1 << 0
FLAG_UPDATE_ONLY: Final = 1 << 1
FLAG_NO_FAIL: Final = 1 << 2
FLAG_ALLOW_FOLD: Final = 1 << 3
