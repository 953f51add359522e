"""Build expressions from their bytes, with type checks: the second pass of the compiler.

Each instruction is built by a function that the module of its family registers with `@builds`. Facts: build_next and
the build_* functions of the server's as/src/base/exp.c.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import attrs

from ..._wire import constants as wire, exp_ops as codes
from ..cdt import elements
from ..cdt.elements import Malformed
from ..cdt.paths import CompileExpression
from .validation import Reader
from .values import Evaluation, Value


class Type(IntEnum):
    """The type of an expression's value, as far as it is known when it is built."""

    NIL = codes.TYPE_NIL
    BOOL = codes.TYPE_BOOL
    INT = codes.TYPE_INT
    STR = codes.TYPE_STR
    LIST = codes.TYPE_LIST
    MAP = codes.TYPE_MAP
    BLOB = codes.TYPE_BLOB
    FLOAT = codes.TYPE_FLOAT
    GEOJSON = codes.TYPE_GEOJSON
    HLL = codes.TYPE_HLL
    REMOVED = 11
    OTHER = 12
    """The type of an extension."""


N_INPUT_TYPES = 10
"""Type numbers that clients may use are below this one."""

PARTICLES = {
    Type.NIL: wire.PARTICLE_NULL,
    Type.BOOL: wire.PARTICLE_BOOL,
    Type.INT: wire.PARTICLE_INTEGER,
    Type.STR: wire.PARTICLE_STRING,
    Type.LIST: wire.PARTICLE_LIST,
    Type.MAP: wire.PARTICLE_MAP,
    Type.BLOB: wire.PARTICLE_BLOB,
    Type.FLOAT: wire.PARTICLE_FLOAT,
    Type.GEOJSON: wire.PARTICLE_GEOJSON,
    Type.HLL: wire.PARTICLE_HLL,
}


@attrs.frozen(eq=False)
class Part:
    """A built part of an expression.

    `is_unknown` is set for the instruction "unknown" itself, whose type matches that of any other branch.
    """

    type: Type
    evaluate: Evaluation
    is_unknown: bool = False


@attrs.define(eq=False)
class Variable:
    """A variable in scope; its type is None while it is being defined."""

    name: bytes
    index: int
    type: Type | None = None


class Builder:
    """Builds one expression."""

    def __init__(self, data: bytes, compile_expression: CompileExpression) -> None:
        self.reader: Reader = Reader(data)
        self.compile_expression = compile_expression
        """For the expressions in paths of lists and maps, which are compiled when they are evaluated."""
        self.variables: list[Variable] = []
        self.n_variables = 0
        """The largest number of variables in scope at once."""
        self.bin_names: set[bytes] = set()

    def next(self) -> Part:
        """Build the instruction or literal that comes next. Raises `Malformed`: the server would refuse to build it."""
        reader = self.reader
        kind = reader.kind()
        if kind != elements.LIST:
            return _BUILDERS[LITERAL](self, kind)
        n_arguments = reader.list_count() - 1
        build = _BUILDERS.get(reader.unsigned())
        if build is None:
            raise Malformed
        return build(self, n_arguments)

    def typed(self, *allowed: Type) -> Part:
        """Build the next part and check its type. Raises `Malformed`: it has another type."""
        part = self.next()
        if part.type not in allowed:
            raise Malformed
        return part


Build = Callable[[Builder, int], Part]
"""Builds an instruction, whose number has been read, from the given number of arguments that follow."""

LITERAL = -1
"""In place of an instruction's number; its builder gets the kind of the element, which has not been read."""
_BUILDERS: dict[int, Build] = {}


def builds(*numbers: int, n_arguments: int | None = None) -> Callable[[Build], Build]:
    """Register the builder of some instructions.

    Args:
        numbers: the numbers of the instructions.
        n_arguments: the number of arguments; None if the builder checks it.
    """

    def register(build: Build) -> Build:
        def checked(builder: Builder, count: int) -> Part:
            if count != n_arguments:
                raise Malformed
            return build(builder, count)

        for number in numbers:
            _BUILDERS[number] = build if n_arguments is None else checked
        return build

    return register


def constant(kind: Type, value: Value) -> Part:
    """A part with a constant value."""
    return Part(kind, lambda frame: value)
