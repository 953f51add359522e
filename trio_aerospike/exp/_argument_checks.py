"""Check numbers and bytes in calls, where they are known when an expression is built.

The limits are those of :mod:`trio_aerospike.operations`. Only the server knows the value of an argument that is an
expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trio_aerospike._wire.cdt import INT_MAX
from trio_aerospike._wire.constants import PROTO_SIZE_MAX
from trio_aerospike._wire.operation_rows import Call
from trio_aerospike.validation import checked_int, refused

_BITS_MAX: Final = PROTO_SIZE_MAX * 8
_INTEGERS: Final = ("add", "subtract", "set_int", "get_int")
_CONTENTS: Final = ("insert", "set", "or_", "xor", "and_")


def check_literals(call: Call, given: Mapping[str, object]) -> None:
    """Refuse what every server would refuse.

    Args:
        call: the operation.
        given: its arguments that are Python values, by name.

    Raises:
        InvalidArgError: one is too small or too large.
    """
    where = f"exp.{call.where}"
    for name, argument in given.items():
        # A wrong type is refused along with the types that the operation takes.
        if isinstance(argument, int) and not isinstance(argument, bool):
            if call.family.name == "bits":
                bounds = _bit_bounds(call.name, name)
                if bounds is not None:
                    checked_int(f"{where}.{name}", argument, *bounds)
            elif name == "count":
                note = "" if call.name == "trim" else " or None for all that follow"
                checked_int(f"{where}.count", argument, 0, INT_MAX, note)
        elif name == "value" and call.family.name == "bits" and call.name in _CONTENTS:
            _check_content(where, argument, given.get("bit_size"))


def _bit_bounds(call: str, name: str) -> tuple[int, int] | None:
    match name:
        case "byte_size":
            return (0, PROTO_SIZE_MAX - 1) if call == "resize" else (1, PROTO_SIZE_MAX)
        case "byte_offset":
            return -PROTO_SIZE_MAX, PROTO_SIZE_MAX
        case "bit_offset":
            return -_BITS_MAX, _BITS_MAX
        case "bit_size":
            return 1, 64 if call in _INTEGERS else _BITS_MAX
        case "shift":
            return 0, _BITS_MAX
    return None


def _check_content(where: str, content: object, size: object) -> None:
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return
    if not len(content):
        raise refused(f"{where}.value", content, "bytes, at least one")
    if isinstance(size, int) and len(content) * 8 < size:
        raise refused(f"{where}.value", content, f"at least the {size} bits of bit_size")
