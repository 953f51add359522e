"""The expression: a tree that is checked as it is built.

Every node has a kind, but for unbound variables and what depends on them. When :func:`let_` binds a variable, the
rules are applied again to those nodes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from trio_aerospike._wire import exp_ops as ops
from trio_aerospike._wire.value_types import GeoJSON, HyperLogLog, Special
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.exp import _source
from trio_aerospike.exp._call_types import call_kind
from trio_aerospike.exp._encode import compiled_size, encode
from trio_aerospike.exp._literals import literal_kind, packed
from trio_aerospike.exp._node import VALUE as VALUE, Node
from trio_aerospike.exp._type_rules import PLAIN, Kinds, Mismatch, demand
from trio_aerospike.exp._types import DEPTH_MAX, SIZE_MAX, ExpType, Kind
from trio_aerospike.validation import refused, with_article

_NO_NAMES: Final[frozenset[str]] = frozenset()
_SHOWN_MAX: Final = 300


class Expression(Node):
    """A filter, a computed value or the source of an index, which the server evaluates on a record.

    The functions of :mod:`trio_aerospike.exp` and operators make and check it. It is immutable.

    Comparisons and arithmetic are Python's operators. ``& | ~ ^`` are logic for bools, and work on bits of ints; ``>>``
    keeps the sign. ``and``, ``or``, ``not`` and chains such as ``1 < x < 5`` raise InvalidArgError: Python needs a
    truth value there, which an expression does not have before the server evaluates it.

    Compare two expressions with :meth:`same_as`, since ``==`` builds a third. Their hash is by identity.
    """

    __slots__ = ()

    _children: tuple[Expression, ...]

    def __init__(self) -> None:
        raise InvalidArgError("Expression: it is made by the functions of trio_aerospike.exp, as exp.int_bin('age')")

    # -- properties -------------------------------------------------------------------------------------------------

    @property
    def type(self) -> ExpType | None:
        """The type of its result; None where an unbound variable decides it."""
        if self._kind is Kind.UNKNOWN:
            return ExpType.BOOL
        return ExpType(self._kind) if self._kind is not None and self._kind < Kind.REMOVE else None

    @property
    def free_variables(self) -> frozenset[str]:
        """Names of its unbound variables, with which the server refuses it."""
        return self._free

    def encode(self) -> bytes:
        """The packed expression, as requests carry it."""
        if self._encoded is None:
            self._encoded = encode(self)
        return self._encoded

    def to_base64(self) -> str:
        """The packed expression in base64, which every Aerospike client can read."""
        return base64.b64encode(self.encode()).decode()

    def same_as(self, other: object) -> bool:
        """Whether ``other`` is an expression with the same bytes."""
        return isinstance(other, Expression) and self.encode() == other.encode()

    def __repr__(self) -> str:
        return _source.source(self)

    def _check_complete(self, where: str, *, condition: bool = False) -> None:
        """Check that the server can evaluate it by itself.

        Args:
            where: the argument, for error messages.
            condition: whether it has to be true or false.

        Raises:
            InvalidArgError: it has an unbound variable, or another type.
        """
        if self._free:
            names = ", ".join(sorted(self._free))
            raise refused(where, self, f"a complete expression; nothing in it binds {names}")
        given = Kind.BOOL if self._kind is Kind.UNKNOWN else self._kind
        if given is Kind.EXTREME:
            allowed = "an expression that gives a value; INFINITY and WILDCARD are only compared with"
            raise refused(where, self, allowed)
        if condition and given is not Kind.BOOL and given is not None:
            got = with_article(given.label)
            raise refused(where, self, f"an expression that gives a bool, and this gives {got}")

    # -- Python protocols ----------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        raise InvalidArgError(
            f"an expression is neither true nor false before the server evaluates it: got {_cut(repr(self))} where "
            "Python asks for a truth value, allowed: & | ~ for and, or, not, two comparisons for a chain, same_as for "
            "equality"
        )

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __copy__(self) -> Expression:
        return self

    def __deepcopy__(self, memo: object) -> Expression:
        return self

    # -- operators ---------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return build(ops.CMP_EQ, self, other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return build(ops.CMP_NE, self, other)

    def __lt__(self, other: object) -> Expression:
        return build(ops.CMP_LT, self, other)

    def __le__(self, other: object) -> Expression:
        return build(ops.CMP_LE, self, other)

    def __gt__(self, other: object) -> Expression:
        return build(ops.CMP_GT, self, other)

    def __ge__(self, other: object) -> Expression:
        return build(ops.CMP_GE, self, other)

    def __and__(self, other: object) -> Expression:
        return _either("&", ops.AND, ops.INT_AND, self, other)

    def __rand__(self, other: object) -> Expression:
        return _either("&", ops.AND, ops.INT_AND, other, self)

    def __or__(self, other: object) -> Expression:
        return _either("|", ops.OR, ops.INT_OR, self, other)

    def __ror__(self, other: object) -> Expression:
        return _either("|", ops.OR, ops.INT_OR, other, self)

    def __xor__(self, other: object) -> Expression:
        return _either("^", ops.EXCLUSIVE, ops.INT_XOR, self, other)

    def __rxor__(self, other: object) -> Expression:
        return _either("^", ops.EXCLUSIVE, ops.INT_XOR, other, self)

    def __invert__(self) -> Expression:
        if self._kind is None:
            raise _undecided("~", "not_ or int_not", self)
        return build(ops.INT_NOT if self._kind is Kind.INT else ops.NOT, self)

    def __add__(self, other: object) -> Expression:
        return chain(ops.ADD, self, other)

    def __radd__(self, other: object) -> Expression:
        return chain(ops.ADD, other, self)

    def __sub__(self, other: object) -> Expression:
        return chain(ops.SUB, self, other)

    def __rsub__(self, other: object) -> Expression:
        return chain(ops.SUB, other, self)

    def __mul__(self, other: object) -> Expression:
        return chain(ops.MUL, self, other)

    def __rmul__(self, other: object) -> Expression:
        return chain(ops.MUL, other, self)

    def __truediv__(self, other: object) -> Expression:
        return build(ops.DIV, self, other)

    def __rtruediv__(self, other: object) -> Expression:
        return build(ops.DIV, other, self)

    def __floordiv__(self, other: object) -> Expression:
        return build(ops.FLOOR, build(ops.DIV, self, other))

    def __rfloordiv__(self, other: object) -> Expression:
        return build(ops.FLOOR, build(ops.DIV, other, self))

    def __mod__(self, other: object) -> Expression:
        return build(ops.MOD, self, other)

    def __rmod__(self, other: object) -> Expression:
        return build(ops.MOD, other, self)

    def __pow__(self, other: object) -> Expression:
        return build(ops.POW, self, other)

    def __rpow__(self, other: object) -> Expression:
        return build(ops.POW, other, self)

    def __lshift__(self, other: object) -> Expression:
        return build(ops.INT_LSHIFT, self, other)

    def __rlshift__(self, other: object) -> Expression:
        return build(ops.INT_LSHIFT, other, self)

    def __rshift__(self, other: object) -> Expression:
        return build(ops.INT_ARSHIFT, self, other)

    def __rrshift__(self, other: object) -> Expression:
        return build(ops.INT_ARSHIFT, other, self)

    def __neg__(self) -> Expression:
        return build(ops.SUB, self)

    def __pos__(self) -> Expression:
        return build(ops.ADD, self)

    def __abs__(self) -> Expression:
        return build(ops.ABS, self)

    def __floor__(self) -> Expression:
        return build(ops.FLOOR, self)

    def __ceil__(self) -> Expression:
        return build(ops.CEIL, self)


Operand: TypeAlias = (
    Expression
    | bool
    | int
    | float
    | str
    | bytes
    | bytearray
    | memoryview
    | list[Any]
    | tuple[Any, ...]
    | dict[Any, Any]
    | GeoJSON
    | HyperLogLog
    | Special
    | None
)
"""An expression, or a value that becomes a literal."""


def value(content: object, where: str = "value") -> Expression:
    """Make a literal of a value; an expression stays as it is.

    Raises:
        InvalidArgError: the database cannot hold the value.
    """
    if isinstance(content, Expression):
        return content
    return make(VALUE, (literal_kind(content, where), packed(content, where)), ())


def build(code: int, *args: object) -> Expression:
    """Build an operation of PLAIN: arguments become expressions, and an int beside a float becomes a float.

    Raises:
        InvalidArgError: an argument is invalid or has the wrong type; the message has its place.
    """
    name = PLAIN[code].name
    children = tuple([value(arg, f"{name}, argument {index}") for index, arg in enumerate(args, 1)])
    if code in _NUMERIC and any(child._kind is Kind.FLOAT for child in children):
        children = tuple([_promoted(child, arg) for child, arg in zip(children, args, strict=True)])
    return make(code, (), children)


_NUMERIC: Final = frozenset(range(ops.CMP_EQ, ops.CMP_LE + 1)) | {
    ops.ADD,
    ops.SUB,
    ops.MUL,
    ops.DIV,
    ops.POW,
    ops.LOG,
    ops.MIN,
    ops.MAX,
}


def _promoted(child: Expression, given: object) -> Expression:
    # Only Python ints, and only where the float is the same number.
    if type(given) is int and child._kind is Kind.INT and abs(given) <= 1 << 53:
        return value(float(given))
    return child


def chain(code: int, left: object, right: object) -> Expression:
    """Build ``left <operator> right``, as one operation with that of ``left``: ``a + b + c`` adds three.

    The server works from left to right, so that this changes no result.
    """
    if not isinstance(left, Expression) or left._code != code or (code == ops.SUB and len(left._children) == 1):
        return build(code, left, right)
    child = value(right, f"{PLAIN[code].name}, argument {len(left._children) + 1}")
    if left._kind is Kind.FLOAT:
        child = _promoted(child, right)
    try:
        kind = PLAIN[code].rule((left._kind, child._kind))
    except Mismatch:
        return make(code, (), (*left._children, child))
    # Earlier operands are not checked again, so that a filter of a thousand terms takes a thousand steps.
    return _grown(left, child, kind)


def _grown(left: Expression, child: Expression, kind: Kind | None) -> Expression:
    return _finished(
        left._code,
        (),
        (*left._children, child),
        kind,
        depth=max(left._depth, 1 + child._depth),
        size=left._size + child._size,
        free=left._free | child._free if child._free else left._free,
        bound=left._bound | child._bound if child._bound else left._bound,
    )


def _either(symbol: str, logical: int, bitwise: int, left: object, right: object) -> Expression:
    """Logic or bits, by the kinds of the operands."""
    sides = [side if isinstance(side, Expression) else value(side, f"operand of {symbol}") for side in (left, right)]
    kinds = [side._kind for side in sides]
    if kinds[0] is None and kinds[1] is None:
        raise _undecided(symbol, f"{PLAIN[logical].name} or {PLAIN[bitwise].name}", *sides)
    code = bitwise if Kind.INT in kinds else logical
    if not PLAIN[code].chains:
        return build(code, left, right)
    # Merging a side that is the same operation does not change the result, and keeps long ones flat.
    right_side = sides[1]
    if isinstance(right, Expression) and right_side._code == code and code == logical:
        parts = sides[0]._children if sides[0]._code == code else (sides[0],)
        return build(code, *parts, *right_side._children)
    return chain(code, left, right)


def _undecided(symbol: str, functions: str, *sides: Expression) -> InvalidArgError:
    shown = " and ".join(_cut(repr(side)) for side in sides)
    return InvalidArgError(
        f"{symbol}: whether {shown} is true or false or an int is not known before let_ binds it, allowed: {functions}"
    )


def make(code: int, static: tuple[Any, ...], children: tuple[Expression, ...]) -> Expression:
    """Make a node of the tree.

    Args:
        code: its number on the wire, or VALUE.
        static: its arguments that are not expressions.
        children: expressions in the order of the wire.

    Raises:
        InvalidArgError: a type is wrong, or the nesting or the size exceeds the limit.
    """
    try:
        kind = _kind_of(code, static, children, [child._kind for child in children])
    except Mismatch as error:
        raise _mismatch_error(code, static, children, error) from None
    return _node(code, static, children, kind)


def _node(
    code: int, static: tuple[Any, ...], children: tuple[Expression, ...], kind: Kind | None, names: Sequence[str] = ()
) -> Expression:
    depth = 1 + max([child._depth for child in children], default=0)
    if code == ops.CALL and static[-1] is not None:
        depth = max(depth, 1 + static[-1]._depth)
    free = frozenset(static) if code == ops.VAR else _NO_NAMES
    bound = _NO_NAMES
    if children:
        free = free.union(*[child._free for child in children])
        bound = bound.union(names, *[child._bound for child in children])
    size = compiled_size(code, static, children)
    return _finished(code, static, children, kind, depth=depth, size=size, free=free, bound=bound)


def _finished(
    code: int,
    static: tuple[Any, ...],
    children: tuple[Expression, ...],
    kind: Kind | None,
    *,
    depth: int,
    size: int,
    free: frozenset[str],
    bound: frozenset[str],
) -> Expression:
    if depth > DEPTH_MAX:
        raise InvalidArgError(
            f"an expression is nested {depth} levels deep, allowed: {DEPTH_MAX}; and_, or_ and num_add take any number "
            "of arguments, and let_ names what is used inside"
        )
    if size >= SIZE_MAX:
        raise InvalidArgError(
            f"an expression takes {size} bytes in the server, allowed: less than {SIZE_MAX}; a long list is one "
            "value, many comparisons are not"
        )
    node = object.__new__(Expression)
    node._code = code
    node._static = static
    node._children = children
    node._kind = kind
    node._depth = depth
    node._size = size
    node._free = free
    node._bound = bound
    node._encoded = None
    return node


def bind(names: tuple[str, ...], children: tuple[Expression, ...]) -> Expression:
    """Make a let: one child for each name, then the body, to which the rules are applied again.

    Raises:
        InvalidArgError: a name is bound twice, or used where it is not bound; or a type is wrong.
    """
    scope: dict[str, Kind | None] = {}
    free: set[str] = set()
    for index, child in enumerate(children):
        name = names[index] if index < len(names) else None
        for bound in (*names[: index + 1],):
            if bound in child._bound:
                raise InvalidArgError(f"let_: variable {bound!r} is bound a second time within {_cut(repr(child))}")
        if name is not None and name in names[:index]:
            raise InvalidArgError(f"let_: variable {name!r} is bound a second time")
        early = sorted(child._free.intersection(names[index:]))
        if early:
            raise InvalidArgError(f"let_: {_cut(repr(child))} uses variable {early[0]!r} before it is bound")
        free |= child._free - scope.keys()
        kind = _kind_in(child, scope)
        if name is not None:
            if kind is Kind.EXTREME:
                raise InvalidArgError(f"let_: variable {name!r} is {kind.label}, allowed: a value")
            scope[name] = Kind.BOOL if kind is Kind.UNKNOWN else kind
    node = _node(ops.LET, (names,), children, kind, names)
    node._free = frozenset(free) or _NO_NAMES
    return node


def _kind_in(node: Expression, scope: Mapping[str, Kind | None]) -> Kind | None:
    """The kind of ``node`` with the variables of ``scope``; raises InvalidArgError for a wrong type."""
    if node._free.isdisjoint(scope):
        return node._kind
    if node._code == ops.VAR:
        return scope[node._static[0]]
    kinds: list[Kind | None] = []
    inner = dict(scope)
    for index, child in enumerate(node._children):
        kinds.append(_kind_in(child, inner))
        if node._code == ops.LET and index < len(node._static[0]):
            inner[node._static[0][index]] = kinds[-1]
    try:
        return _kind_of(node._code, node._static, node._children, kinds)
    except Mismatch as error:
        raise _mismatch_error(node._code, node._static, node._children, error) from None


def _kind_of(code: int, static: tuple[Any, ...], children: tuple[Expression, ...], kinds: Kinds) -> Kind | None:
    if code == VALUE:
        return static[0]  # type: ignore[no-any-return]
    plain = PLAIN.get(code)
    if plain is not None:
        if plain.count is not None and len(children) != plain.count:
            raise Mismatch(None, f"{len(children)} arguments", str(plain.count))
        return plain.rule(kinds)
    if code == ops.CALL:
        return call_kind(static, kinds)
    if code == ops.LET:
        return kinds[-1]
    if code == ops.VAR:
        return None
    if code == ops.CMP_REGEX:
        demand(kinds[0], 0, Kind.STRING)
        return Kind.BOOL
    if code in (ops.META_DIGEST_MOD, ops.BIN_TYPE):
        return Kind.INT
    return Kind(static[0])  # a key, a bin or a loop variable, with its type


def _mismatch_error(
    code: int, static: tuple[Any, ...], children: tuple[Expression, ...], error: Mismatch
) -> InvalidArgError:
    return InvalidArgError(f"in: {_cut(_source.node_source(code, static, children))}: {error}")


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_MAX:
        return text
    return f"{text[: 2 * _SHOWN_MAX // 3]} ... {text[-_SHOWN_MAX // 3 :]}"
