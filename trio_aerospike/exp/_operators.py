"""Comparisons, logic, arithmetic, bits of ints, regular expressions and geography.

Arguments are expressions or values. Beside a float, a Python int is a float, in comparisons and in arithmetic. Where an
argument is unknown, because its bin does not exist for example, the result is unknown as well, but for ``and_`` and
``or_`` where the others decide.
"""

from __future__ import annotations

from trio_aerospike._wire import exp_ops as ops
from trio_aerospike.exp._expression import Expression, Operand, build, make, value
from trio_aerospike.exp._types import RegexFlag
from trio_aerospike.validation import checked_text, refused

# -- comparisons -------------------------------------------------------------------------------------------------------


def eq(left: Operand, right: Operand) -> Expression:
    """``left == right``. Both have the same type, which is not geojson or hll."""
    return build(ops.CMP_EQ, left, right)


def ne(left: Operand, right: Operand) -> Expression:
    """``left != right``."""
    return build(ops.CMP_NE, left, right)


def gt(left: Operand, right: Operand) -> Expression:
    """``left > right``."""
    return build(ops.CMP_GT, left, right)


def ge(left: Operand, right: Operand) -> Expression:
    """``left >= right``."""
    return build(ops.CMP_GE, left, right)


def lt(left: Operand, right: Operand) -> Expression:
    """``left < right``."""
    return build(ops.CMP_LT, left, right)


def le(left: Operand, right: Operand) -> Expression:
    """``left <= right``."""
    return build(ops.CMP_LE, left, right)


def regex_compare(regex: str, flags: int, bin_expr: Operand) -> Expression:
    """Whether a POSIX regular expression matches somewhere in a str.

    Args:
        regex: the pattern, without NUL; the server compiles it with regcomp(3).
        flags: of RegexFlag, or their number.
        bin_expr: the str.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    pattern = checked_text("exp.regex_compare.regex", regex)
    if not isinstance(flags, int) or isinstance(flags, bool) or not 0 <= flags <= 15:
        names = ", ".join(f"RegexFlag.{flag.name} ({flag:d})" for flag in RegexFlag)
        raise refused("exp.regex_compare.flags", flags, f"{names}, or several of them with |")
    return make(ops.CMP_REGEX, (int(flags), pattern), (value(bin_expr, "regex_compare, argument 3"),))


def geo_compare(left: Operand, right: Operand) -> Expression:
    """Whether one of two points or regions lies within the other."""
    return build(ops.CMP_GEO, left, right)


def in_list(item: Operand, values: Operand) -> Expression:
    """Whether a list has a value."""
    return build(ops.IN_LIST, item, values)


def map_keys(map_: Operand) -> Expression:
    """The keys of a map, as a list."""
    return build(ops.MAP_KEYS, map_)


def map_values(map_: Operand) -> Expression:
    """The values of a map, as a list."""
    return build(ops.MAP_VALUES, map_)


# -- logic -------------------------------------------------------------------------------------------------------------


def and_(*exprs: Operand) -> Expression:
    """Whether all of two or more are true: ``a & b``."""
    return build(ops.AND, *exprs)


def or_(*exprs: Operand) -> Expression:
    """Whether any of two or more is true: ``a | b``."""
    return build(ops.OR, *exprs)


def not_(expr: Operand) -> Expression:
    """Whether it is false: ``~a``."""
    return build(ops.NOT, expr)


def xor_(*exprs: Operand) -> Expression:
    """Whether exactly one of two or more is true: ``a ^ b``."""
    return build(ops.EXCLUSIVE, *exprs)


# -- arithmetic --------------------------------------------------------------------------------------------------------


def num_add(*exprs: Operand) -> Expression:
    """The sum of ints, or of floats: ``a + b``. Ints overflow to the other end of their range."""
    return build(ops.ADD, *exprs)


def num_sub(*exprs: Operand) -> Expression:
    """The first less all others: ``a - b``; of a single one its negative: ``-a``."""
    return build(ops.SUB, *exprs)


def num_mul(*exprs: Operand) -> Expression:
    """The product of ints, or of floats: ``a * b``."""
    return build(ops.MUL, *exprs)


def num_div(*exprs: Operand) -> Expression:
    """The first divided by the product of all others: ``a / b``; of a single one its inverse.

    Ints give an int, rounded towards 0: -7 / 2 is -3. An int divided by 0 is unknown.
    """
    return build(ops.DIV, *exprs)


def num_mod(numerator: Operand, denominator: Operand) -> Expression:
    """The remainder of a division of ints, with the sign of the first: ``a % b``, where -7 % 2 is -1."""
    return build(ops.MOD, numerator, denominator)


def num_pow(base: Operand, exponent: Operand) -> Expression:
    """A float to the power of a float: ``a ** b``."""
    return build(ops.POW, base, exponent)


def num_log(num: Operand, base: Operand) -> Expression:
    """The logarithm of a float, to a base that is a float."""
    return build(ops.LOG, num, base)


def num_abs(value: Operand) -> Expression:
    """An int or a float without its sign: ``abs(a)``."""
    return build(ops.ABS, value)


def num_floor(num: Operand) -> Expression:
    """The greatest whole float that is not greater: ``math.floor(a)``."""
    return build(ops.FLOOR, num)


def num_ceil(num: Operand) -> Expression:
    """The least whole float that is not less: ``math.ceil(a)``."""
    return build(ops.CEIL, num)


def to_int(num: Operand) -> Expression:
    """A float as an int, rounded towards 0."""
    return build(ops.TO_INT, num)


def to_float(num: Operand) -> Expression:
    """An int as a float."""
    return build(ops.TO_FLOAT, num)


def min_(*exprs: Operand) -> Expression:
    """The least of ints, or of floats."""
    return build(ops.MIN, *exprs)


def max_(*exprs: Operand) -> Expression:
    """The greatest of ints, or of floats."""
    return build(ops.MAX, *exprs)


# -- bits of ints ------------------------------------------------------------------------------------------------------


def int_and(*exprs: Operand) -> Expression:
    """The bits that all ints have set: ``a & b``."""
    return build(ops.INT_AND, *exprs)


def int_or(*exprs: Operand) -> Expression:
    """The bits that any int has set: ``a | b``."""
    return build(ops.INT_OR, *exprs)


def int_xor(*exprs: Operand) -> Expression:
    """The bits that an odd number of ints have set: ``a ^ b``."""
    return build(ops.INT_XOR, *exprs)


def int_not(expr: Operand) -> Expression:
    """An int with all its bits inverted: ``~a``."""
    return build(ops.INT_NOT, expr)


def int_lshift(value: Operand, shift: Operand) -> Expression:
    """An int shifted up by a number of bits: ``a << b``."""
    return build(ops.INT_LSHIFT, value, shift)


def int_rshift(value: Operand, shift: Operand) -> Expression:
    """An int shifted down by a number of bits, with 0 in front, whatever its sign."""
    return build(ops.INT_RSHIFT, value, shift)


def int_arshift(value: Operand, shift: Operand) -> Expression:
    """An int shifted down by a number of bits, with its sign: ``a >> b``."""
    return build(ops.INT_ARSHIFT, value, shift)


def int_count(expr: Operand) -> Expression:
    """How many bits of an int are set."""
    return build(ops.INT_COUNT, expr)


def int_lscan(value: Operand, search: Operand) -> Expression:
    """The position, from the highest bit, of the first bit that equals ``search``; -1 where there is none."""
    return build(ops.INT_LSCAN, value, search)


def int_rscan(value: Operand, search: Operand) -> Expression:
    """As :func:`int_lscan`, searching from the lowest bit; the position is from the highest bit as well."""
    return build(ops.INT_RSCAN, value, search)
