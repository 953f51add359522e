"""Expressions for the tests, built from their numbers, and the records that they are asked about."""

from __future__ import annotations

from typing import Any

from trio_aerospike._wire import constants as wire, exp_ops as codes
from trio_aerospike._wire.cdt_calls import list_header
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike.server.clock import ServerClock
from trio_aerospike.server.expressions import UNKNOWN, Scope, compile_expression
from trio_aerospike.server.expressions.packing import particle_of
from trio_aerospike.server.record import StoredRecord

NOW = 500_000_000
CLOCK = ServerClock(lambda: wire.CITRUSLEAF_EPOCH + float(NOW))
DIGEST = bytes(range(20))


class Built(bytes):
    """An expression that is ready."""


def ex(code: int, *arguments: Any) -> Built:
    """An instruction; bytes objects among the arguments that are built stand as they are, all else is packed."""
    parts = [argument if isinstance(argument, Built) else pack_value(argument) for argument in arguments]
    return Built(list_header(1 + len(parts)) + pack_value(code) + b"".join(parts))


def name(text: str) -> Built:
    """A name of a bin or variable: a string without a type."""
    data = text.encode()
    return Built(bytes((0xA0 | len(data),)) + data)


def bin_(text: str, kind: int) -> Built:
    return ex(codes.BIN, kind, name(text))


def quoted(*items: Any) -> Built:
    return ex(codes.QUOTE, list(items))


def call(result: int, system: int, number: int, subject: Any, *arguments: Any) -> Built:
    return ex(codes.CALL, result, system, ex(number, *arguments), subject)


UNK = ex(codes.UNK)


def record(key: bytes | None = None, void_time: int = 0, **bins: Any) -> StoredRecord:
    stored = {name: encode_value(value) for name, value in bins.items()}
    return StoredRecord("set", stored, 1, void_time, 1000 * NOW - 5000, key)


def value(expression: bytes | int | str | float | bool | None, of: StoredRecord | None = None) -> Any:
    """What an expression is worth to a reader of Python values."""
    packed = expression if isinstance(expression, Built) else pack_value(expression)
    scope = Scope(CLOCK) if of is None else Scope.of_record(of, DIGEST, CLOCK)
    result = compile_expression(bytes(packed)).evaluate(scope)
    if result is UNKNOWN:
        return UNKNOWN
    particle = particle_of(result)  # type: ignore[arg-type]
    return None if particle is None else decode_value(*particle)
