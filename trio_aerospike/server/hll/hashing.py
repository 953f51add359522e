"""MurmurHash3 (x64, 128 bits, seed 0), the hash of the elements of a sketch.

Of its two 64-bit halves the server uses one for the register and one for its value. The constants are the algorithm's
own (aerospike-common: citrusleaf/cf_hash_math.h).
"""

from __future__ import annotations

import struct

_M = 0xFFFF_FFFF_FFFF_FFFF
_C1 = 0x87C3_7B91_1142_53D5
_C2 = 0x4CF5_AD43_2745_937F
_blocks = struct.Struct("<QQ").iter_unpack


def _final(k: int) -> int:
    k ^= k >> 33
    k = k * 0xFF51_AFD7_ED55_8CCD & _M
    k ^= k >> 33
    k = k * 0xC4CE_B9FE_1A85_EC53 & _M
    return k ^ k >> 33


def _mix1(k: int) -> int:
    k = k * _C1 & _M
    return (k << 31 | k >> 33) * _C2 & _M


def _mix2(k: int) -> int:
    k = k * _C2 & _M
    return (k << 33 | k >> 31) * _C1 & _M


def murmur3(data: bytes) -> tuple[int, int]:
    """Both halves of the hash."""
    h1 = h2 = 0
    size = len(data)
    whole = size & ~15
    for k1, k2 in _blocks(data[:whole]):
        h1 ^= _mix1(k1)
        h1 = ((h1 << 27 | h1 >> 37) + h2) * 5 + 0x52DC_E729 & _M
        h2 ^= _mix2(k2)
        h2 = ((h2 << 31 | h2 >> 33) + h1) * 5 + 0x3849_5AB5 & _M
    tail = data[whole:]
    h2 ^= _mix2(int.from_bytes(tail[8:], "little"))
    h1 ^= _mix1(int.from_bytes(tail[:8], "little"))
    h1 ^= size
    h2 ^= size
    h1 = h1 + h2 & _M
    h2 = h2 + h1 & _M
    h1, h2 = _final(h1), _final(h2)
    h1 = h1 + h2 & _M
    return h1, h2 + h1 & _M
