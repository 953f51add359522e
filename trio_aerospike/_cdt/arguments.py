"""Check and pack the arguments of calls on lists and maps.

The first parameter of each function is the argument's name, such as ``lists.append.value``, which error messages begin
with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import Packed, value_end
from trio_aerospike._wire.value_types import HyperLogLog
from trio_aerospike.errors import InvalidArgError, ProtocolError
from trio_aerospike.validation import encodes_itself, refused

KEYS_ALLOWED = "a map key: an int of 64 bits, a str or bytes"


@runtime_checkable
class Encodable(Protocol):
    """An object that encodes itself as one packed expression, as those of :mod:`trio_aerospike.exp` do."""

    def encode(self) -> bytes:
        """The expression as MessagePack."""
        ...


def packed_key(where: str, key: object) -> Packed:
    """Pack a map key.

    Raises:
        InvalidArgError: it is not an int of 64 bits, a str or bytes.
    """
    if isinstance(key, (int, str, bytes)) and not isinstance(key, (bool, HyperLogLog)):
        try:
            return Packed(pack_value(key))
        except InvalidArgError as error:
            raise _at(where, error) from None
    raise refused(where, key, KEYS_ALLOWED)


def packed_keys(where: str, keys: object) -> tuple[Packed, list[Any]]:
    """Pack several map keys; returns them packed, and as a list.

    Raises:
        InvalidArgError: it is not a list, or something in it cannot be a map key.
    """
    listed = as_list(where, keys, "keys")
    for place, key in enumerate(listed):
        packed_key(f"{where}[{place}]", key)
    return Packed(pack_value(listed)), listed


def packed_value(where: str, value: object, *, comparison: bool = False) -> Packed:
    """Pack a value that is stored, or one that is compared with (INFINITY and WILDCARD may be in it).

    Raises:
        InvalidArgError: the database cannot hold it.
    """
    try:
        return Packed(pack_value(value, comparison=comparison))
    except InvalidArgError as error:
        raise _at(where, error) from None


def packed_expression(where: str, expression: object, *, condition: bool = False) -> Packed:
    """Pack an expression.

    Args:
        where: the argument, for error messages.
        expression: an expression, or its bytes, which are used as they are.
        condition: whether it has to be true or false.

    Raises:
        InvalidArgError: it is neither an object that encodes itself nor the bytes of one expression; or it is an
            expression with an unbound variable, or of another type.
    """
    data: object = expression
    if encodes_itself(expression):
        # An expression of this package knows whether it is complete; other objects need only encode themselves.
        check = getattr(expression, "_check_complete", None)
        if check is not None:
            check(where, condition=condition)
        data = expression.encode()  # type: ignore[attr-defined]
    if isinstance(data, bytes):
        try:
            if value_end(data, 0) == len(data):
                return Packed(data)
        except ProtocolError:
            pass
    raise refused(where, expression, "an expression of trio_aerospike.exp, or the bytes of one")


def as_list(where: str, values: object, what: str) -> list[Any]:
    """Convert an iterable to a list.

    Raises:
        InvalidArgError: it is not an iterable, or is text, bytes or a mapping.
    """
    if isinstance(values, list):
        return values
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, bytearray, memoryview, dict)):
        return list(values)
    raise refused(where, values, f"a list of {what}")


def _at(where: str, error: InvalidArgError) -> InvalidArgError:
    # The packer's message begins with "value" and the place in it.
    return InvalidArgError(where + str(error).removeprefix("value"))
