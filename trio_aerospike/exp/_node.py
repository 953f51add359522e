"""The node of an expression's tree, as encoding and source code see it."""

from __future__ import annotations

from typing import Any, Final

from trio_aerospike.exp._types import Kind

VALUE: Final = -1
"""The code of a literal value, which has no number on the wire."""


class Node:
    """An operation, or a literal, and its children. :class:`~trio_aerospike.exp.Expression` is the only subclass."""

    __slots__ = ("_bound", "_children", "_code", "_depth", "_encoded", "_free", "_kind", "_size", "_static")

    _code: int
    """The number on the wire, or VALUE."""
    _static: tuple[Any, ...]
    """What it holds besides expressions."""
    _children: tuple[Node, ...]
    """Expressions, in the order of the wire."""
    _kind: Kind | None
    """What it gives; None where a variable decides that is not bound yet."""
    _depth: int
    _size: int
    """Bytes that the server sets aside for it."""
    _free: frozenset[str]
    """Names of variables that nothing in it binds."""
    _bound: frozenset[str]
    _encoded: bytes | None
