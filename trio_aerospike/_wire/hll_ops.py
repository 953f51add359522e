"""HyperLogLog operations: their numbers (server: as/include/base/proto.h), their table, and sizes of sketches."""

from typing import Final

from .constants import OP_HLL_MODIFY, OP_HLL_READ
from .operation_rows import Family, table

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

_HLL: Final = Family("hll", "hll", "hll", 2, OP_HLL_READ, OP_HLL_MODIFY, changed="hll")
_WIDTHS: Final = "=index_bit_count? =minhash_bit_count?"
_INITS: Final = FLAG_CREATE_ONLY | FLAG_UPDATE_ONLY | FLAG_NO_FAIL

HLLS: Final = table(
    _HLL.write("init", INIT, f"{_WIDTHS} =flags?", flags=_INITS),
    _HLL.write("add", ADD, f"values:list {_WIDTHS} =flags?", flags=FLAG_CREATE_ONLY | FLAG_NO_FAIL),
    _HLL.write("set_union", UNION, "sketches:list =flags?", flags=_INITS | FLAG_ALLOW_FOLD),
    _HLL.write("refresh_count", UPDATE_COUNT),
    _HLL.write("fold", FOLD, "=index_bit_count"),
    _HLL.read("get_count", COUNT, "", "int"),
    _HLL.read("get_union", GET_UNION, "sketches:list", "hll"),
    _HLL.read("get_union_count", UNION_COUNT, "sketches:list", "int"),
    _HLL.read("get_intersect_count", INTERSECT_COUNT, "sketches:list", "int"),
    _HLL.read("get_similarity", SIMILARITY, "sketches:list", "float"),
    _HLL.read("describe", DESCRIBE, "", "list"),
    _HLL.read("may_contain", MAY_CONTAIN, "values:list", "int"),
)

# Widths of a sketch: bits that select a register, bits of its min-hash (or 0), bits of its count of zeros; and the size
# of the header before the registers (server: as/src/base/particle_hll.c).
INDEX_BITS: Final = range(4, 17)
MINHASH_BITS: Final = range(4, 52)
ZEROS_BITS: Final = 6
INDEX_AND_MINHASH_BITS_MAX: Final = 64
HEADER_SIZE: Final = 11


def is_minhash_width(bits: int) -> bool:
    """Whether a min-hash can have that many bits; 0 is without min-hash."""
    return bits == 0 or bits in MINHASH_BITS


def are_widths(index_bits: int, minhash_bits: int) -> bool:
    """Whether a stored sketch can have that many bits of both."""
    known = index_bits in INDEX_BITS and is_minhash_width(minhash_bits)
    return known and index_bits + minhash_bits <= INDEX_AND_MINHASH_BITS_MAX


def sketch_size(index_bits: int, minhash_bits: int) -> int:
    """The size of a sketch in bytes."""
    return HEADER_SIZE + (((ZEROS_BITS + minhash_bits) << index_bits) + 7) // 8


def is_sketch(data: bytes) -> bool:
    """Whether these are the bytes of a sketch: no flags, valid widths, and the size that these need.

    As in the server's check of sketches within calls, the sum of both widths is not checked.
    """
    if len(data) < HEADER_SIZE or data[0]:
        return False
    known = data[1] in INDEX_BITS and is_minhash_width(data[2])
    return known and len(data) == sketch_size(data[1], data[2])
