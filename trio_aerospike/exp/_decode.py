"""Decode expressions, of :meth:`Expression.encode` or of another client."""

from __future__ import annotations

import base64
import binascii
import copyreg
from collections.abc import Callable
from typing import Any, Final

from trio_aerospike import ctx
from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike._wire.cdt import unpack_value
from trio_aerospike._wire.cdt_calls import value_end
from trio_aerospike._wire.constants import PARTICLE_BLOB, PARTICLE_GEOJSON, PARTICLE_HLL, PARTICLE_STRING
from trio_aerospike.errors import InvalidArgError, ProtocolError
from trio_aerospike.exp import _bins_and_metadata, _conditions, _operators
from trio_aerospike.exp._call_types import CALL_ARGUMENTS_MAX
from trio_aerospike.exp._context import Steps
from trio_aerospike.exp._expression import VALUE, Expression, bind, make
from trio_aerospike.exp._type_rules import PLAIN
from trio_aerospike.exp._types import DEPTH_MAX, ExpType, Kind
from trio_aerospike.validation import checked_bin_name, refused

_INTS: Final = frozenset((*range(0x80), *range(0xE0, 0x100), *range(0xCC, 0xD0), *range(0xD0, 0xD4)))
_TEXTS: Final = frozenset((*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB, 0xC4, 0xC5, 0xC6))
_MAPS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_BLOBS: Final = {
    PARTICLE_STRING: Kind.STRING,
    PARTICLE_BLOB: Kind.BLOB,
    PARTICLE_GEOJSON: Kind.GEO,
    PARTICLE_HLL: Kind.HLL,
}
_EXTREMES: Final = (b"\xd4\xff\x01", b"\xd4\xff\x00")


def from_bytes(data: bytes) -> Expression:
    """Decode an expression.

    Args:
        data: from :meth:`Expression.encode`, or from another client.

    Returns:
        The expression; it encodes to the same bytes, unless these are longer than needed.

    Raises:
        InvalidArgError: the bytes are not an expression, or not one that a server would accept.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)) or not data:
        raise refused("exp.from_bytes", data, "the bytes of an expression")
    try:
        return _Reader(bytes(data)).whole()
    except (ProtocolError, UnicodeDecodeError) as error:
        raise InvalidArgError(f"exp.from_bytes: {error}") from None
    except RecursionError:
        raise InvalidArgError("exp.from_bytes: got conditions of paths nested too deeply to be read") from None


def from_base64(text: str) -> Expression:
    """Decode an expression in base64.

    Args:
        text: from :meth:`Expression.to_base64`, or from another client.

    Raises:
        InvalidArgError: ``text`` is not base64, or not an expression.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise refused("exp.from_base64", text, "an expression in base64") from None
    return from_bytes(data)


class _Reader:
    """Reads an expression from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def whole(self) -> Expression:
        expression = self.expression(1)
        if self.position != len(self.data):
            raise ProtocolError(f"{len(self.data) - self.position} bytes follow an expression")
        return expression

    # -- elements ------------------------------------------------------------------------------------------------------

    def element(self) -> bytes:
        """The next MessagePack value, packed."""
        start = self.position
        self.position = value_end(self.data, start)
        return self.data[start : self.position]

    def peek(self) -> int:
        if self.position >= len(self.data):
            raise ProtocolError("an expression is cut off")
        return self.data[self.position]

    def count(self) -> int | None:
        """The number of elements of the list that begins here, None where there is no list; moves into it."""
        code = self.peek()
        if 0x90 <= code < 0xA0:
            self.position += 1
            return code & 0x0F
        if code not in (0xDC, 0xDD):
            return None
        width = 2 if code == 0xDC else 4
        number = self.data[self.position + 1 : self.position + 1 + width]
        self.position += 1 + width
        return int.from_bytes(number, "big")

    def number(self, what: str) -> int:
        if self.peek() not in _INTS:
            raise ProtocolError(f"{what} is not an int")
        return int(unpack_value(self.element()))

    def name(self, what: str) -> str:
        """A str without a particle type: the name of a bin or variable, or a pattern."""
        code = self.peek()
        if code not in _TEXTS:
            raise ProtocolError(f"{what} is not a str")
        element = self.element()
        head = 1 if 0xA0 <= code < 0xC0 else 1 + {0xD9: 1, 0xC4: 1, 0xDA: 2, 0xC5: 2}.get(code, 4)
        return element[head:].decode()

    def kind(self) -> Kind:
        number = self.number("a type")
        if not 0 <= number <= Kind.HLL:
            raise ProtocolError(f"{number} is not a type of an expression")
        return Kind(number)

    # -- expressions ---------------------------------------------------------------------------------------------------

    def expression(self, depth: int) -> Expression:
        if depth > DEPTH_MAX:
            raise ProtocolError(f"it is nested deeper than the {DEPTH_MAX} levels allowed")
        count = self.count()
        if count is None:
            return self.value()
        if count == 0:
            raise ProtocolError("an empty list is not an expression")
        code = self.number("an operation")
        left = count - 1
        if code == ops.QUOTE:
            return self.quoted(left)
        if code in PLAIN:
            # One by one, as the count of the header may be wrong.
            children = []
            for _ in range(left):
                children.append(self.expression(depth + 1))
            return make(code, (), tuple(children))
        if code == ops.LET:
            return self.let(left, depth)
        if code == ops.CALL:
            self.expect(code, left, 4)
            return self.call(depth)
        if code == ops.CMP_REGEX:
            self.expect(code, left, 3)
            flags, pattern = self.number("the flags of a regular expression"), self.name("a regular expression")
            return _operators.regex_compare(pattern, flags, self.expression(depth + 1))
        return self.leaf(code, left)

    def expect(self, code: int, left: int, count: int) -> None:
        if left != count:
            raise ProtocolError(f"operation {code} has {left} arguments, allowed: {count}")

    def leaf(self, code: int, left: int) -> Expression:
        if code == ops.BIN:
            self.expect(code, left, 2)
            kind = self.kind()
            if kind is Kind.NIL:
                raise ProtocolError("a bin cannot be of type nil")
            return make(code, (kind, checked_bin_name(self.name("the name of a bin"))), ())
        if code == ops.BIN_TYPE:
            self.expect(code, left, 1)
            return _bins_and_metadata.bin_type(self.name("the name of a bin"))
        if code == ops.VAR:
            self.expect(code, left, 1)
            return _conditions.var(self.name("the name of a variable"))
        if code == ops.META_DIGEST_MOD:
            self.expect(code, left, 1)
            return _bins_and_metadata.digest_modulo(self.number("a modulo"))
        if code == ops.REC_KEY:
            self.expect(code, left, 1)
            return _bins_and_metadata.key(ExpType(self.kind()))
        if code == ops.VAR_BUILTIN:
            self.expect(code, left, 2)
            kind, part = self.kind(), self.number("a loop variable")
            if part not in (ops.BUILTIN_KEY, ops.BUILTIN_VALUE, ops.BUILTIN_INDEX):
                raise ProtocolError(f"{part} is not a loop variable")
            if part == ops.BUILTIN_INDEX and kind is not Kind.INT:
                raise ProtocolError("the index of a loop is an int")
            return make(code, (kind, part), ())
        raise ProtocolError(f"{code} is not an operation of an expression")

    def let(self, left: int, depth: int) -> Expression:
        if left < 3 or left % 2 == 0:
            raise ProtocolError(f"let has {left} arguments, allowed: pairs of a name and a value, then an expression")
        definitions: list[_conditions.Definition] = []
        for _ in range(left // 2):
            name = self.name("the name of a variable")
            definitions.append(_conditions.def_(name, self.expression(depth + 1)))
        body = self.expression(depth + 1)
        return bind(tuple([one.name for one in definitions]), (*[one.value for one in definitions], body))

    def quoted(self, left: int) -> Expression:
        self.expect(ops.QUOTE, left, 1)
        start = self.position
        if self.count() is None:
            raise ProtocolError("a quoted value must be a list")
        self.position = start
        data = self.element()
        unpack_value(data)
        return make(VALUE, (Kind.LIST, data), ())

    def value(self) -> Expression:
        data = self.element()
        return make(VALUE, (_value_kind(data), data), ())

    # -- calls ---------------------------------------------------------------------------------------------------------

    def call(self, depth: int) -> Expression:
        kind, system = self.kind(), self.number("a family of operations")
        if system & ~ops.CALL_MODIFY_LOCAL not in (ops.CALL_CDT, ops.CALL_BITS, ops.CALL_HLL):
            raise ProtocolError(f"{system} is not a family of operations")
        count = self.count()
        if not count:
            raise ProtocolError("a call must be a list")
        opcode = self.number("an operation")
        steps: Steps = ()
        if opcode == cdt.SELECT:
            return self.path(kind, system, count, depth)
        if opcode == cdt.CONTEXT_EVAL:
            if count != 3:
                raise ProtocolError(f"a call in a context has {count} elements, allowed: 3")
            steps = self.context()
            count = self.count()
            if not count:
                raise ProtocolError("a call must be a list")
            opcode = self.number("an operation")
        if count - 1 > CALL_ARGUMENTS_MAX:
            raise ProtocolError(f"a call has {count - 1} arguments, allowed: at most {CALL_ARGUMENTS_MAX}")
        arguments = []
        for _ in range(count - 1):
            arguments.append(self.expression(depth + 1))
        operand = self.expression(depth + 1)
        if not 0 <= opcode < cdt.SELECT:
            raise ProtocolError(f"{opcode} is not an operation of a call, allowed: 0 to {cdt.SELECT - 1}")
        return make(ops.CALL, (kind, system, opcode, steps, None, None), (*arguments, operand))

    def context(self) -> Steps:
        steps = ctx.decode(self.element())
        if not steps:
            raise ProtocolError("a context has no step")
        return tuple([_with_condition(step) for step in steps])

    def path(self, kind: Kind, system: int, count: int, depth: int) -> Expression:
        if system & ~ops.CALL_MODIFY_LOCAL != ops.CALL_CDT or count not in (3, 4):
            raise ProtocolError("a path expression is on a list or map, and has a context and flags")
        steps = self.context()
        flags = self.number("the flags of a path expression")
        modifier: Any = self.expression(depth + 1) if count == 4 else None
        if (modifier is not None) != bool(flags & 4) or (modifier is not None) != bool(system & ops.CALL_MODIFY_LOCAL):
            raise ProtocolError(f"a path expression with flags {flags:#x} does not go with its arguments")
        if flags & ~0x17 or flags & 7 > 4:
            raise ProtocolError(f"{flags:#x} are not flags of a path expression")
        operand = self.expression(depth + 1)
        return make(ops.CALL, (kind, system, cdt.SELECT, steps, flags, modifier), (operand,))


def _with_condition(step: ctx.Context) -> ctx.Context:
    """The step with its condition as an expression, where that is bytes."""
    if not (isinstance(step.value, bytes) and step.selects):
        return step
    where = ctx.and_where if step.kind & cdt.CONTEXT_AND else ctx.all_children_where
    return where(from_bytes(step.value))


def readable_steps(steps: Steps) -> Steps:
    """Steps whose conditions are expressions, for source code, as far as that leaves the bytes as they are."""
    readable = []
    for step in steps:
        try:
            decoded = _with_condition(step)
        except InvalidArgError:
            decoded = step
        readable.append(decoded if decoded == step else step)
    return tuple(readable)


def _value_kind(data: bytes) -> Kind:
    code = data[0]
    if code == 0xC0:
        return Kind.NIL
    if code in (0xC2, 0xC3):
        return Kind.BOOL
    if code in _INTS:
        unpacked = unpack_value(data)
        if unpacked >= 1 << 63:
            raise ProtocolError(f"{unpacked} is not an int of 64 bits")
        return Kind.INT
    if code in (0xCA, 0xCB):
        return Kind.FLOAT
    if data in _EXTREMES:
        return Kind.EXTREME
    unpack_value(data)
    if code in _MAPS:
        return Kind.MAP
    if code in _TEXTS:
        kind = _BLOBS.get(data[len(data) - _content_size(data)]) if _content_size(data) else None
        if kind is not None:
            return kind
    raise ProtocolError(f"byte {code:#04x} starts no value of an expression")


def _content_size(data: bytes) -> int:
    code = data[0]
    if 0xA0 <= code < 0xC0:
        return len(data) - 1
    return len(data) - 1 - {0xD9: 1, 0xC4: 1, 0xDA: 2, 0xC5: 2}.get(code, 4)


def _reduced(expression: Expression) -> tuple[Callable[[bytes], Expression], tuple[bytes]]:
    return from_bytes, (expression.encode(),)


# Registered here, as reading bytes needs the class and the class does not need it.
copyreg.pickle(Expression, _reduced)
