"""Encode the call of a user-defined function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._wire import constants as wire
from .._wire.cdt_pack import pack_value
from .._wire.commands import encode_field
from ..errors import InvalidArgError
from ..policies import WritePolicy
from ..validation import checked_text, refused

__all__ = ["FUNCTION_MAX", "MODULE_MAX", "check_policy", "checked_call", "udf_fields"]

# What the server refuses for functions (server: udf.c: has_forbidden_policy).
_FORBIDDEN_2 = wire.INFO2_GENERATION | wire.INFO2_GENERATION_GT | wire.INFO2_CREATE_ONLY
_FORBIDDEN_3 = wire.INFO3_UPDATE_ONLY | wire.INFO3_CREATE_OR_REPLACE | wire.INFO3_REPLACE_ONLY

MODULE_MAX = FUNCTION_MAX = 127
"""Bytes of a module's name and of a function's (server: udf_cask.c, udf.h: of 128 the last ends the text)."""


def checked_call(where: str, module: str, function: str, arguments: Iterable[Any]) -> tuple[str, str, bytes]:
    """Module, function and packed arguments.

    Raises:
        InvalidArgError: one of them is invalid; names ``where``.
    """
    if isinstance(arguments, (str, bytes, bytearray, Mapping)) or not isinstance(arguments, Iterable):
        raise refused(f"{where}.arguments", arguments, "a list of arguments")
    try:
        packed = pack_value(list(arguments))
    except InvalidArgError as error:
        raise InvalidArgError(f"{where}.arguments: {error}") from None
    return (
        checked_text(f"{where}.module", module, 1, MODULE_MAX),
        checked_text(f"{where}.function", function, 1, FUNCTION_MAX),
        packed,
    )


def check_policy(where: str, policy: WritePolicy) -> None:
    """Refuse a policy with checks of existence or generation, as the server does.

    Raises:
        InvalidArgError: it has such checks.
    """
    if policy._info2 & _FORBIDDEN_2 or policy._info3 & _FORBIDDEN_3:
        raise refused(f"{where}.policy", policy, "a policy without checks of existence and generation")


def udf_fields(where: str, module: str, function: str, arguments: Iterable[Any]) -> bytes:
    """The three fields of a request that call a function.

    Raises:
        InvalidArgError: one of them is invalid; names ``where``.
    """
    module, function, packed = checked_call(where, module, function, arguments)
    return (
        encode_field(wire.FIELD_UDF_FILENAME, module.encode())
        + encode_field(wire.FIELD_UDF_FUNCTION, function.encode())
        + encode_field(wire.FIELD_UDF_ARGLIST, packed)
    )
