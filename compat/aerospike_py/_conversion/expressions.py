"""Convert filter expressions: dicts with ``__expr__``, as the functions of ``aerospike_py.exp`` make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from trio_aerospike import exp
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.validation import refused, shown, unknown_name

#: Operators by the arguments that they take: plain values ...
_PLAIN: Final[Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]]] = {
    "int_val": (exp.int_val, ("val",)),
    "float_val": (exp.float_val, ("val",)),
    "string_val": (exp.string_val, ("val",)),
    "bool_val": (exp.bool_val, ("val",)),
    "blob_val": (exp.blob_val, ("val",)),
    "list_val": (exp.list_val, ("val",)),
    "map_val": (exp.map_val, ("val",)),
    "geo_val": (exp.geo_val, ("val",)),
    "nil": (exp.nil, ()),
    "infinity": (exp.infinity, ()),
    "wildcard": (exp.wildcard, ()),
    "int_bin": (exp.int_bin, ("name",)),
    "float_bin": (exp.float_bin, ("name",)),
    "string_bin": (exp.string_bin, ("name",)),
    "bool_bin": (exp.bool_bin, ("name",)),
    "blob_bin": (exp.blob_bin, ("name",)),
    "list_bin": (exp.list_bin, ("name",)),
    "map_bin": (exp.map_bin, ("name",)),
    "geo_bin": (exp.geo_bin, ("name",)),
    "hll_bin": (exp.hll_bin, ("name",)),
    "bin_exists": (exp.bin_exists, ("name",)),
    "bin_type": (exp.bin_type, ("name",)),
    "key": (exp.key, ("exp_type",)),
    "key_exists": (exp.key_exists, ()),
    "set_name": (exp.set_name, ()),
    "record_size": (exp.record_size, ()),
    "last_update": (exp.last_update, ()),
    "since_update": (exp.since_update, ()),
    "void_time": (exp.void_time, ()),
    "ttl": (exp.ttl, ()),
    "is_tombstone": (exp.is_tombstone, ()),
    "digest_modulo": (exp.digest_modulo, ("modulo",)),
    "var": (exp.var, ("name",)),
}
#: ... expressions by name ...
_NAMED: Final[Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]]] = {
    "eq": (exp.eq, ("left", "right")),
    "ne": (exp.ne, ("left", "right")),
    "gt": (exp.gt, ("left", "right")),
    "ge": (exp.ge, ("left", "right")),
    "lt": (exp.lt, ("left", "right")),
    "le": (exp.le, ("left", "right")),
    "geo_compare": (exp.geo_compare, ("left", "right")),
    "not": (exp.not_, ("expr",)),
}
#: ... or a list of expressions, with its length (0: any).
_LISTED: Final[Mapping[str, tuple[Callable[..., Any], int]]] = {
    "and": (exp.and_, 0),
    "or": (exp.or_, 0),
    "xor": (exp.xor_, 0),
    "num_add": (exp.num_add, 0),
    "num_sub": (exp.num_sub, 0),
    "num_mul": (exp.num_mul, 0),
    "num_div": (exp.num_div, 0),
    "num_mod": (exp.num_mod, 2),
    "num_pow": (exp.num_pow, 2),
    "num_log": (exp.num_log, 2),
    "num_abs": (exp.num_abs, 1),
    "num_floor": (exp.num_floor, 1),
    "num_ceil": (exp.num_ceil, 1),
    "to_int": (exp.to_int, 1),
    "to_float": (exp.to_float, 1),
    "min": (exp.min_, 0),
    "max": (exp.max_, 0),
    "int_and": (exp.int_and, 0),
    "int_or": (exp.int_or, 0),
    "int_xor": (exp.int_xor, 0),
    "int_not": (exp.int_not, 1),
    "int_lshift": (exp.int_lshift, 2),
    "int_rshift": (exp.int_rshift, 2),
    "int_arshift": (exp.int_arshift, 2),
    "int_count": (exp.int_count, 1),
    "int_lscan": (exp.int_lscan, 2),
    "int_rscan": (exp.int_rscan, 2),
    "cond": (exp.cond, 0),
    "let": (exp.let_, 0),
}
_ALL: Final = (*_PLAIN, *_NAMED, *_LISTED, "regex_compare", "def")
_ALLOWED: Final = "an expression made by aerospike_py.exp"


def to_expression(where: str, given: Any, depth: int = 0) -> Any:
    """Convert a dict into an expression.

    Args:
        where: The place of the dict, for error messages.
        given: The dict, or an expression of trio_aerospike, which is returned as it is.
        depth: The number of enclosing expressions.

    Raises:
        InvalidArgError: ``given`` is not an expression, or the server would refuse it.
    """
    if isinstance(given, exp.Expression):
        return given
    if not isinstance(given, Mapping) or "__expr__" not in given:
        raise refused(where, given, f"{_ALLOWED}: it must be a dict with '__expr__' key")
    if depth > exp.DEPTH_MAX:
        raise InvalidArgError(f"{where}: got more than {exp.DEPTH_MAX} expressions within each other")
    name = given["__expr__"]
    try:
        if not isinstance(name, str) or name not in _ALL:
            raise InvalidArgError(f"{unknown_name(where, name, _ALL)}. Unknown expression type: {shown(name)}")
        return _build(f"{where}.{name}", name, given, depth + 1)
    except InvalidArgError as error:
        if str(error).startswith(where):
            raise
        raise InvalidArgError(f"{where}.{name}: {error}") from None


def _build(where: str, name: str, given: Mapping[str, Any], depth: int) -> Any:
    if name in _PLAIN:
        function, keys = _PLAIN[name]
        return function(*_values(where, given, keys))
    if name in _NAMED:
        function, keys = _NAMED[name]
        parts = _values(where, given, keys)
        return function(*[to_expression(f"{where}.{key}", part, depth) for key, part in zip(keys, parts, strict=True)])
    if name == "regex_compare":
        regex, flags, subject = _values(where, given, ("regex", "flags", "bin"))
        return exp.regex_compare(regex, flags, to_expression(f"{where}.bin", subject, depth))
    if name == "def":
        variable, value = _values(where, given, ("name", "value"))
        return exp.def_(variable, to_expression(f"{where}.value", value, depth))
    function, count = _LISTED[name]
    (listed,) = _values(where, given, ("exprs",))
    if not isinstance(listed, (list, tuple)) or not listed or (count and len(listed) != count):
        number = {0: "one or more", 1: "one", 2: "two"}[count]
        raise refused(f"{where}.exprs", listed, f"a list of {number} expressions")
    parts = [to_expression(f"{where}[{place}]", part, depth) for place, part in enumerate(listed)]
    # The server refuses the operator with one operand; the operand alone has the same meaning.
    if len(parts) == 1 and name in ("and", "or"):
        return parts[0]
    return function(*parts)


def _values(where: str, given: Mapping[str, Any], keys: tuple[str, ...]) -> list[Any]:
    """Return the values of the keys; the dict must have these and no others."""
    if len(given) != len(keys) + 1:
        for name in given:
            if name != "__expr__" and name not in keys:
                raise unknown_name(where, name, keys)
    for key in keys:
        if key not in given:
            raise refused(where, given, f"a dict with {key!r} in it: missing required field: {key!r}")
    return [given[key] for key in keys]


def packed_filter(where: str, given: Any) -> bytes | None:
    """Convert a filter into the bytes that a policy of trio_aerospike holds.

    Args:
        where: The policy's field, for error messages.
        given: A dict, an expression, a packed expression as bytes, or None.

    Raises:
        InvalidArgError: ``given`` is something else, or does not evaluate to a bool.
    """
    if given is None or (isinstance(given, bytes) and given):
        return given
    if not isinstance(given, (Mapping, exp.Expression)):
        raise refused(where, given, f"{_ALLOWED}, a packed expression as bytes, not empty, or None")
    expression = to_expression(where, given)
    if not isinstance(expression, exp.Expression):
        raise refused(where, given, f"{_ALLOWED} that gives true or false")
    if expression.free_variables:
        raise InvalidArgError(f"{where}: nothing binds the variables {', '.join(sorted(expression.free_variables))}")
    if expression.type is not exp.ExpType.BOOL:
        kind = "nothing" if expression.type is None else exp.ExpType(expression.type).name
        raise InvalidArgError(f"{where}: got {shown(given)}, which gives {kind}, allowed: what gives true or false")
    return expression.encode()
