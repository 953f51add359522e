"""Arithmetic on integers and floats, and bitwise operations on integers, with the semantics of C.

Integers wrap around at 64 bits; an integer division by zero is unknown. Floats follow IEEE 754; a NaN has the sign that
x86 gives it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from ..._wire import exp_ops as codes
from ..cdt.elements import Malformed, wrapped
from .building import Builder, Part, Type, builds
from .values import UNKNOWN, Evaluation, Frame, Value

_INT_MIN = -(1 << 63)
_MASK = (1 << 64) - 1
# The NaN of x86 for 0/0, infinity - infinity, log(-1): its sign bit is set.
NOT_A_NUMBER: float = struct.unpack(">d", b"\xff\xf8" + bytes(6))[0]

_Function = Callable[..., Any]
"""A function of numbers; returns a number, or UNKNOWN."""


def _applied(kind: Type, arguments: Sequence[Evaluation], function: _Function) -> Part:
    """A part that calls a function with the values of its arguments, in order, if all are known."""
    if len(arguments) == 1:
        (only,) = arguments

        def of_one(frame: Frame) -> Value:
            value = only(frame)
            return value if value is UNKNOWN else function(value)

        return Part(kind, of_one)

    def of_many(frame: Frame) -> Value:
        values: list[Value] = []
        for argument in arguments:
            value = argument(frame)
            if value is UNKNOWN:
                return UNKNOWN
            values.append(value)
        return function(*values)  # type: ignore[no-any-return]

    return Part(kind, of_many)


# Any number of integers or floats -----------------------------------------------------------------------------


def _numbers(builder: Builder, count: int) -> tuple[Type, list[Evaluation]]:
    if count < 1:
        raise Malformed
    first = builder.typed(Type.INT, Type.FLOAT)
    return first.type, [first.evaluate, *(builder.typed(first.type).evaluate for _ in range(count - 1))]


def _of_numbers(number: int, of_integers: _Function, of_floats: _Function) -> None:
    @builds(number)
    def build(builder: Builder, count: int) -> Part:
        kind, arguments = _numbers(builder, count)
        return _applied(kind, arguments, of_integers if kind is Type.INT else of_floats)


def _sum(*values: int) -> int:
    return wrapped(sum(values))


def _float_sum(first: float, *others: float) -> float:
    for other in others:
        first = _first_without_value(first, other) or first + other
    return first


def _first_without_value(one: float, other: float) -> float:
    """The first NaN of two numbers, which is the result on x86; 0 if neither is NaN.

    Python may swap the operands of sums and products.
    """
    if one != one:
        return quiet(one)
    return quiet(other) if other != other else 0.0


def quiet(number: float) -> float:
    """The quiet form of a NaN, as arithmetic returns it."""
    return number * 1.0


def _difference(first: int, *others: int) -> int:
    return wrapped(first - sum(others)) if others else wrapped(-first)


def _float_difference(first: float, *others: float) -> float:
    if not others:
        return 0.0 - first
    for other in others:
        first -= other
    return first


def _product(*values: int) -> int:
    product = 1
    for value in values:
        product = wrapped(product * value)
    return product


def _float_product(first: float, *others: float) -> float:
    for other in others:
        first = _first_without_value(first, other) or first * other
    return first


def _quotient(first: int, *others: int) -> Value:
    """Divide the first integer by the product of the others, or 1 by the first; truncates towards zero."""
    dividend, divisor = (first, _product(*others)) if others else (1, first)
    if divisor == 0:
        return UNKNOWN
    quotient = abs(dividend) // abs(divisor)
    # The least integer divided by -1 overflows 64 bits: the real server crashes.
    return wrapped(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def _float_quotient(first: float, *others: float) -> float:
    return divided(first, _float_product(1.0, *others)) if others else divided(1.0, first)


def divided(dividend: float, divisor: float) -> float:
    """Divide floats, also by zero."""
    if divisor != 0.0:
        return dividend / divisor
    if math.isnan(dividend):
        return quiet(dividend)
    if dividend == 0.0:
        return NOT_A_NUMBER
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def _least(first: Any, *others: Any) -> Any:
    for other in others:
        if first > other:
            first = other
    return first


def _greatest(first: Any, *others: Any) -> Any:
    for other in others:
        if first < other:
            first = other
    return first


_of_numbers(codes.ADD, _sum, _float_sum)
_of_numbers(codes.SUB, _difference, _float_difference)
_of_numbers(codes.MUL, _product, _float_product)
_of_numbers(codes.DIV, _quotient, _float_quotient)
_of_numbers(codes.MIN, _least, _least)
_of_numbers(codes.MAX, _greatest, _greatest)


# One or two numbers -------------------------------------------------------------------------------------------


def _fixed(number: int, result: Type, arguments: tuple[Type, ...], function: _Function) -> None:
    @builds(number, n_arguments=len(arguments))
    def build(builder: Builder, _count: int) -> Part:
        return _applied(result, [builder.typed(kind).evaluate for kind in arguments], function)


@builds(codes.ABS, n_arguments=1)
def _abs(builder: Builder, _count: int) -> Part:
    argument = builder.typed(Type.INT, Type.FLOAT)
    function: _Function = _absolute if argument.type is Type.INT else math.fabs
    return _applied(argument.type, [argument.evaluate], function)


def _absolute(value: int) -> int:
    return wrapped(abs(value))


def _power(base: float, exponent: float) -> float:
    if math.isnan(base) and exponent % 2 == 1:
        # In glibc an odd power removes the sign of a NaN.
        return quiet(math.fabs(base))
    try:
        return quiet(math.pow(base, exponent))
    except OverflowError:
        odd = math.isfinite(exponent) and exponent % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base != 0:
            return NOT_A_NUMBER
        # Zero to a negative power.
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


def _natural_logarithm(value: float) -> float:
    if value > 0 or math.isnan(value):
        return quiet(math.log(value))
    return -math.inf if value == 0 else NOT_A_NUMBER


def _logarithm(value: float, base: float) -> float:
    return divided(_natural_logarithm(value), _natural_logarithm(base))


def _remainder(dividend: int, divisor: int) -> Value:
    """The remainder, with the sign of the dividend."""
    if divisor == 0:
        return UNKNOWN
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def _rounded(function: Callable[[float], int]) -> _Function:
    def rounded(value: float) -> float:
        if not math.isfinite(value):
            return value
        # A zero has the sign of the argument.
        return math.copysign(float(function(value)), value)

    return rounded


def _to_int(value: float) -> int:
    """The number without its fraction; if it does not fit, the least integer, as on x86."""
    if not -(2.0**63) <= value < 2.0**63:
        return _INT_MIN
    return int(value)


_fixed(codes.POW, Type.FLOAT, (Type.FLOAT, Type.FLOAT), _power)
_fixed(codes.LOG, Type.FLOAT, (Type.FLOAT, Type.FLOAT), _logarithm)
_fixed(codes.MOD, Type.INT, (Type.INT, Type.INT), _remainder)
_fixed(codes.FLOOR, Type.FLOAT, (Type.FLOAT,), _rounded(math.floor))
_fixed(codes.CEIL, Type.FLOAT, (Type.FLOAT,), _rounded(math.ceil))
_fixed(codes.TO_INT, Type.INT, (Type.FLOAT,), _to_int)
_fixed(codes.TO_FLOAT, Type.FLOAT, (Type.INT,), float)


# Bits of integers ---------------------------------------------------------------------------------------------


def _of_bits(number: int, function: Callable[[int, int], int]) -> None:
    @builds(number)
    def build(builder: Builder, count: int) -> Part:
        if count < 1:
            raise Malformed
        arguments = [builder.typed(Type.INT).evaluate for _ in range(count)]

        def combined(first: int, *others: int) -> int:
            for other in others:
                first = function(first, other)
            return first

        return _applied(Type.INT, arguments, combined)


# A shift counts by its lowest six bits, as the instructions of x86 do.


def _left(value: int, shift: int) -> int:
    return wrapped(value << (shift & 63))


def _right(value: int, shift: int) -> int:
    return wrapped((value & _MASK) >> (shift & 63))


def _arithmetic_right(value: int, shift: int) -> int:
    return value >> (shift & 63)


def _bits_set(value: int, bit: bool) -> int:
    return (value if bit else ~value) & _MASK


def _first_from_left(value: int, bit: bool) -> int:
    """The position of the first such bit, counted from the left; -1 if there is none."""
    bits = _bits_set(value, bit)
    return 64 - bits.bit_length() if bits else -1


def _first_from_right(value: int, bit: bool) -> int:
    """The position of the last such bit, counted from the left; -1 if there is none."""
    bits = _bits_set(value, bit)
    return 63 - ((bits & -bits).bit_length() - 1) if bits else -1


_of_bits(codes.INT_AND, lambda one, other: one & other)
_of_bits(codes.INT_OR, lambda one, other: one | other)
_of_bits(codes.INT_XOR, lambda one, other: one ^ other)
_fixed(codes.INT_NOT, Type.INT, (Type.INT,), lambda value: ~value)
_fixed(codes.INT_LSHIFT, Type.INT, (Type.INT, Type.INT), _left)
_fixed(codes.INT_RSHIFT, Type.INT, (Type.INT, Type.INT), _right)
_fixed(codes.INT_ARSHIFT, Type.INT, (Type.INT, Type.INT), _arithmetic_right)
_fixed(codes.INT_COUNT, Type.INT, (Type.INT,), lambda value: (value & _MASK).bit_count())
_fixed(codes.INT_LSCAN, Type.INT, (Type.INT, Type.BOOL), _first_from_left)
_fixed(codes.INT_RSCAN, Type.INT, (Type.INT, Type.BOOL), _first_from_right)
