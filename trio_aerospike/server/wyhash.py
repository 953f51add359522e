"""wyhash (final version 3), the hash of strings and blobs in secondary indexes (server: cf_wyhash64)."""

from __future__ import annotations

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_SECRET = (0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3)
_SEED = 0x29FBB14CC886F ^ _SECRET[0]


def _mix(one: int, other: int) -> int:
    product = one * other
    return (product ^ product >> 64) & _MASK


def _read(data: bytes, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "little")


def wyhash(data: bytes) -> int:
    """The unsigned 64-bit hash."""
    length = len(data)
    seed = _SEED
    if length <= 16:
        one, other = _ends_of_short(data)
    else:
        position, left = 0, length
        if left > 48:
            second = third = seed
            while left > 48:
                seed = _mix(_read(data, position, 8) ^ _SECRET[1], _read(data, position + 8, 8) ^ seed)
                second = _mix(_read(data, position + 16, 8) ^ _SECRET[2], _read(data, position + 24, 8) ^ second)
                third = _mix(_read(data, position + 32, 8) ^ _SECRET[3], _read(data, position + 40, 8) ^ third)
                position += 48
                left -= 48
            seed ^= second ^ third
        while left > 16:
            seed = _mix(_read(data, position, 8) ^ _SECRET[1], _read(data, position + 8, 8) ^ seed)
            position += 16
            left -= 16
        one, other = _read(data, length - 16, 8), _read(data, length - 8, 8)
    return _mix(_SECRET[1] ^ length, _mix(one ^ _SECRET[1], other ^ seed))


def _ends_of_short(data: bytes) -> tuple[int, int]:
    length = len(data)
    if length >= 4:
        step = length >> 3 << 2
        one = _read(data, 0, 4) << 32 | _read(data, step, 4)
        other = _read(data, length - 4, 4) << 32 | _read(data, length - 4 - step, 4)
        return one, other
    if length:
        return data[0] << 16 | data[length >> 1] << 8 | data[length - 1], 0
    return 0, 0
