"""Describe the operations on parts of values, lists, maps, bits and HyperLogLog sketches: one row for each.

The tables are LISTS and MAPS in :mod:`cdt_ops`, BITS in :mod:`bit_ops` and HLLS in :mod:`hll_ops`, and all of them in
:mod:`operation_tables`. They feed
:mod:`trio_aerospike.operations` (checks and encoding), :mod:`trio_aerospike.exp` (types, decoding and source code), and
the embedded server (arguments of calls, and names in lists of indexes). A new operation is a row, a function in its
module of ``operations`` and one in its module of ``exp``; a test compares all of them.

A row names the parameters in the order of the wire, as words:

- ``name:kind`` an argument of a kind of KINDS. With ``?`` the server takes a call that ends before it;
- ``=name`` a number that is not an expression in expressions, ``=name?`` one with a default;
- ``return`` the return type of a single element, ``returns`` that of several, to which INVERTED may be added;
- ``list_policy``, ``map_policy`` an order and flags, ``list_flags``, ``map_order`` one of the two. The server takes a
  call that ends before them.
"""

from __future__ import annotations

from typing import Final

import attrs

KINDS: Final = {
    "int": "an int of 64 bits: an index, a rank, an offset, a size",
    "count": "an int of 0 or more; left out for all that follow",
    "number": "an int or float that is added",
    "stored": "a value that is stored",
    "stored_list": "a list of values that are stored",
    "stored_map": "a map that is stored",
    "stored_key": "a map key that is stored",
    "compared": "a value that is compared with",
    "compared_list": "a list of values that are compared with",
    "key": "a map key",
    "keys": "a list of map keys",
    "bound": "a value that begins or ends a range; without an end there is no upper bound",
    "key_bound": "a map key that begins or ends a range; the same holds",
    "blob": "bytes",
    "bool": "true or false",
    "list": "a list of values or sketches",
}
STATIC: Final = "static"
RETURNS: Final = frozenset(("return", "returns"))
POLICIES: Final = {
    "list_policy": ("order", "flags"),
    "list_flags": ("flags",),
    "map_policy": ("order", "flags"),
    "map_order": ("order",),
}
"""The numbers that a policy is on the wire."""

INDEX_RANGES: Final = frozenset((9, 10))
RANK_RANGES: Final = frozenset((11, 12))
"""Return types ``[first, count]``."""
_RANGES: Final = {
    "": frozenset[int](),
    "index": INDEX_RANGES,
    "rank": RANK_RANGES,
    "both": INDEX_RANGES | RANK_RANGES,
}


@attrs.frozen(eq=False)
class Family:
    """Operations of one kind of value.

    Args:
        name: its module in ``operations`` and in ``exp``.
        label: the server's name for it.
        operand: the type that its operations work on.
        system: its number in the calls of expressions.
        read_op, modify_op: the operations that carry its calls.
        changed: what a write gives in an expression: a type, or ``same`` as it is applied to.
        contexts: whether a context may lead to a value inside others.
        answers_all: whether clients ask for a result of each operation, also of one without a result.
    """

    name: str
    label: str
    operand: str
    system: int
    read_op: int
    modify_op: int
    changed: str = "same"
    contexts: bool = False
    answers_all: bool = False

    def write(self, name: str, code: int, parameters: str = "", **columns: object) -> Call:
        """A row of an operation that changes the value."""
        return _row(self, name, code, parameters, True, self.changed, columns)

    def read(self, name: str, code: int, parameters: str = "", answer: str = "", **columns: object) -> Call:
        """A row of an operation that reads."""
        return _row(self, name, code, parameters, False, answer, columns)


@attrs.frozen(eq=False)
class Parameter:
    """A parameter of an operation.

    Args:
        name: its name.
        kind: one of KINDS, STATIC, RETURNS or POLICIES.
        where: its place in error messages.
        optional: whether the server takes a call that ends before it.
    """

    name: str
    kind: str
    where: str
    optional: bool


@attrs.frozen(eq=False)
class Call:
    """An operation on part of a value: a row of the table.

    Args:
        family: what it works on.
        name: its function in ``operations`` and in ``exp``.
        code: its number on the wire.
        writes: whether it changes the value.
        parameters: in the order of the wire.
        answer: what it gives in an expression: a type, ``same`` as it is applied to, ``one`` or ``many`` for what its
            return type says.
        ranges: the return types ``[first, count]`` that it takes, as what it finds stands side by side.
        flags: the write flags that the server takes, where the family's policy has more.
        operation, expression: whether clients have a function for it.
        creates: whether its context may end where something is created.
        shown: the server's name for it in lists of indexes; "" where it knows none.
        since: the release of the server that brought it, (0, 0) where every supported one has it.
    """

    family: Family
    name: str
    code: int
    writes: bool
    parameters: tuple[Parameter, ...]
    answer: str
    ranges: frozenset[int] = frozenset()
    flags: int = 0
    operation: bool = True
    expression: bool = True
    creates: bool = False
    shown: str = ""
    since: tuple[int, int] = (0, 0)
    where: str = attrs.field(init=False)
    """Its place in error messages."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "where", f"{self.family.name}.{self.name}")


def table(*rows: Call) -> dict[str, Call]:
    """The rows by their names."""
    return {row.name: row for row in rows}


def _row(
    family: Family, name: str, code: int, parameters: str, writes: bool, answer: str, columns: dict[str, object]
) -> Call:
    listed = tuple([_parameter(f"{family.name}.{name}", word) for word in parameters.split()])
    if listed and listed[0].kind in RETURNS and not writes:
        answer = "one" if listed[0].kind == "return" else "many"
    columns["ranges"] = _RANGES[str(columns.get("ranges", ""))]
    if columns.get("expression", True):
        columns.setdefault("shown", f"{family.label}_{name.rstrip('_')}")
    return Call(family, name, code, writes, listed, answer, **columns)  # type: ignore[arg-type]


def _parameter(where: str, word: str) -> Parameter:
    name, _, kind = word.rstrip("?").partition(":")
    if name.startswith("="):
        name, kind = name[1:], STATIC
    kind = kind or name
    if kind not in KINDS and kind != STATIC and kind not in RETURNS and kind not in POLICIES:
        raise ValueError(f"{where}: {kind} is not a kind of parameter")
    shown = "policy" if kind in POLICIES else "return_type" if kind in RETURNS else name
    return Parameter(name, kind, f"{where}.{shown}", word.endswith("?") or kind in POLICIES)
