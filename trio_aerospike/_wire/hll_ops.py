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

# Widths of a sketch: bits that choose a register, bits of its min-hash (or none), bits of its count of zeros; and what
# stands before the registers (server: as/src/base/particle_hll.c).
INDEX_BITS: Final = range(4, 17)
MINHASH_BITS: Final = range(4, 52)
ZEROS_BITS: Final = 6
INDEX_AND_MINHASH_BITS_MAX: Final = 64
HEADER_SIZE: Final = 11


def is_minhash_width(bits: int) -> bool:
    """Whether a min-hash can have so many bits; 0 is none."""
    return bits == 0 or bits in MINHASH_BITS


def are_widths(index_bits: int, minhash_bits: int) -> bool:
    """Whether a sketch that is stored can have so many bits of both."""
    known = index_bits in INDEX_BITS and is_minhash_width(minhash_bits)
    return known and index_bits + minhash_bits <= INDEX_AND_MINHASH_BITS_MAX


def sketch_size(index_bits: int, minhash_bits: int) -> int:
    """The bytes of a sketch."""
    return HEADER_SIZE + (((ZEROS_BITS + minhash_bits) << index_bits) + 7) // 8


def is_sketch(data: bytes) -> bool:
    """Whether these are a sketch's bytes: no flags, known widths, the size that goes with them.

    As the server does for sketches within calls, the sum of both widths is not looked at.
    """
    if len(data) < HEADER_SIZE or data[0]:
        return False
    known = data[1] in INDEX_BITS and is_minhash_width(data[2])
    return known and len(data) == sketch_size(data[1], data[2])
