"""Lists, maps, bits and arithmetic as plain Python does them: what a server is to answer, worked out another way.

Each function takes the value of a bin and arguments, and returns the answer and the new value. Values are ordered as
the server orders them: by type (nil, booleans, integers, strings, ..., doubles), then by value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Value = Any
_TYPES = (type(None), bool, int, str, float)


def order(value: Value) -> tuple[Any, ...]:
    return _TYPES.index(type(value)), 0 if value is None else value


def same(one: Value, other: Value) -> bool:
    return type(one) is type(other) and one == other


def span(size: int, start: int, count: int | None) -> range:
    """The places that a range takes up: a negative start counts from the end, and what sticks out is cut off."""
    if start < 0:
        start += size
    stop = size if count is None else start + count
    return range(min(max(start, 0), size), min(max(stop, 0), size))


def ranked(values: list[Value]) -> list[int]:
    """Places by rank."""
    return sorted(range(len(values)), key=lambda place: (order(values[place]), place))


def between(values: list[Value], begin: Value, end: Value) -> list[int]:
    """Places of the values from ``begin`` on (None: from the least) and below ``end`` (None: without end)."""
    return [
        place
        for place, value in enumerate(values)
        if (begin is None or order(begin) <= order(value)) and (end is None or order(value) < order(end))
    ]


def relative(values: list[Value], value: Value, rank: int, count: int | None) -> list[int]:
    """Places by rank relative to where ``value`` stands or would stand."""
    places = ranked(values)
    start = sum(order(values[place]) < order(value) for place in places) + rank
    stop = len(values) if count is None else start + count
    return places[max(start, 0) : max(stop, 0)]


def without(values: list[Value], places: list[int]) -> list[Value]:
    return [value for place, value in enumerate(values) if place not in places]


# Bits: a blob as one large number ------------------------------------------------------------------------------------


def bits_of(blob: bytes, offset: int, size: int) -> int:
    return int.from_bytes(blob, "big") >> len(blob) * 8 - offset - size & (1 << size) - 1


def with_bits(blob: bytes, offset: int, size: int, change: Callable[[int], int]) -> bytes:
    shift = len(blob) * 8 - offset - size
    mask = (1 << size) - 1
    number = int.from_bytes(blob, "big")
    new = change(number >> shift & mask) & mask
    return (number & ~(mask << shift) | new << shift).to_bytes(len(blob), "big")


def argument(data: bytes, size: int) -> int:
    """The bits of an argument: its first ``size`` ones."""
    return int.from_bytes(data, "big") >> len(data) * 8 - size


def scan(blob: bytes, offset: int, size: int, value: bool, *, from_right: bool) -> int:
    text = format(bits_of(blob, offset, size), f"0{size}b")
    return text.rfind("1" if value else "0") if from_right else text.find("1" if value else "0")


def packed(number: int, size: int) -> bytes:
    """Bits as a blob, from the left."""
    length = (size + 7) // 8
    return (number << length * 8 - size).to_bytes(length, "big")


# Arithmetic of expressions -------------------------------------------------------------------------------------------


def wrapped(number: int) -> int:
    """To 64 bits, signed."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def quotient(one: int, other: int) -> int:
    return wrapped(abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1))


def remainder(one: int, other: int) -> int:
    """With the sign of the first, as C has it."""
    return abs(one) % abs(other) * (-1 if one < 0 else 1)
