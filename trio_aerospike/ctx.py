"""Contexts: name a list or map inside others.

Every operation on lists and maps takes ``ctx=``, one step or several, outermost first::

    from trio_aerospike import ctx, lists

    # record["teams"]["red"][0].append("Ann"), executed by the server
    lists.append("teams", "Ann", ctx=[ctx.map_key("red"), ctx.list_index(0)])

The creating steps (:func:`list_index_create`, :func:`map_key_create`) create missing elements in a write. Their order
is that of the list or map that the step looks into, where that is missing as well. The steps that select several
elements (:func:`all_children`, :func:`all_children_where`, :func:`map_keys`, :func:`and_where`) are for path
expressions only: :func:`trio_aerospike.operations.select_by_path` and ``modify_by_path``.

:func:`encode` and :func:`to_base64` encode a context by itself, as secondary indexes and expressions hold it, byte for
byte as the C client does (as_cdt_ctx.c; server: cdt.c).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from trio_aerospike._cdt.arguments import (
    Encodable as Encodable,
    packed_expression,
    packed_key,
    packed_keys,
    packed_value,
)
from trio_aerospike._cdt.lists_and_maps import ListOrder, MapOrder
from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike._wire.cdt import INT_MAX, INT_MIN, pack_value, unpack_value
from trio_aerospike._wire.cdt_calls import Packed, decode_context, encode_context
from trio_aerospike._wire.constants import CDT_DEPTH_MAX
from trio_aerospike.errors import InvalidArgError, ProtocolError
from trio_aerospike.validation import checked_enum, checked_int, refused

__all__ = [
    "Context",
    "ContextLike",
    "Encodable",
    "all_children",
    "all_children_where",
    "and_where",
    "decode",
    "encode",
    "from_base64",
    "list_index",
    "list_index_create",
    "list_rank",
    "list_value",
    "map_index",
    "map_key",
    "map_key_create",
    "map_keys",
    "map_rank",
    "map_value",
    "to_base64",
]


@attrs.frozen
class Context:
    """One step of a context. Use the functions of this module to make one."""

    kind: int
    """The number on the wire, with the flags of creation."""
    value: Any = attrs.field(eq=False)
    """The argument: an index, a rank, a key, a value, a list of keys or an expression."""
    _packed: Packed
    _text: str = attrs.field(eq=False)

    @property
    def creates(self) -> bool:
        """Whether it creates a missing element."""
        return bool(self.kind & ops.CONTEXT_CREATE_MASK)

    @property
    def selects(self) -> bool:
        """Whether it selects several elements, which only path expressions can use."""
        return self.kind & ops.CONTEXT_BASE_MASK > ops.CONTEXT_VALUE

    def __repr__(self) -> str:
        return f"ctx.{self._text}"


ContextLike: TypeAlias = Context | Sequence[Context]
"""One step, or several in their order; an empty sequence means the bin's own value."""


def list_index(index: int) -> Context:
    """The element of a list at an index.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.

    Raises:
        InvalidArgError: ``index`` is not an int of 64 bits.
    """
    return _numbered("list_index", ops.CONTEXT_LIST | ops.CONTEXT_INDEX, "index", index)


def list_index_create(index: int, order: ListOrder = ListOrder.UNORDERED, *, pad: bool = False) -> Context:
    """The element of a list at an index; a write creates a missing one.

    Args:
        index: as for :func:`list_index`.
        order: the order of the list that holds the element, where that is missing as well.
        pad: allow an index beyond the end of an unordered list, and fill the gap with None.

    Raises:
        InvalidArgError: an argument is invalid, or ``pad`` is True for an ordered list.
    """
    order = checked_enum("list_index_create.order", order, ListOrder)
    flag = list_create_flag("list_index_create", order, pad)
    kind = ops.CONTEXT_LIST | ops.CONTEXT_INDEX | flag
    step = _numbered("list_index_create", kind, "index", index)
    return attrs.evolve(step, text=f"list_index_create({index!r}, ListOrder.{order.name}{', pad=True' * pad})")


def list_rank(rank: int) -> Context:
    """The element of a list at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.

    Raises:
        InvalidArgError: ``rank`` is not an int of 64 bits.
    """
    return _numbered("list_rank", ops.CONTEXT_LIST | ops.CONTEXT_RANK, "rank", rank)


def list_value(value: Any) -> Context:
    """The first element of a list with a value.

    Args:
        value: the value, usually a list or dict; WILDCARD and INFINITY may be in it.

    Raises:
        InvalidArgError: no element can have the value.
    """
    return _valued("list_value", ops.CONTEXT_LIST | ops.CONTEXT_VALUE, value)


def map_index(index: int) -> Context:
    """The value of a map at an index.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.

    Raises:
        InvalidArgError: ``index`` is not an int of 64 bits.
    """
    return _numbered("map_index", ops.CONTEXT_MAP | ops.CONTEXT_INDEX, "index", index)


def map_rank(rank: int) -> Context:
    """The value of a map at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.

    Raises:
        InvalidArgError: ``rank`` is not an int of 64 bits.
    """
    return _numbered("map_rank", ops.CONTEXT_MAP | ops.CONTEXT_RANK, "rank", rank)


def map_key(key: int | str | bytes) -> Context:
    """The value of a map at a key.

    Raises:
        InvalidArgError: ``key`` is not an int of 64 bits, a str or bytes.
    """
    packed = packed_key("map_key.key", key)
    return Context(ops.CONTEXT_MAP | ops.CONTEXT_KEY, key, packed, f"map_key({key!r})")


def map_key_create(key: int | str | bytes, order: MapOrder = MapOrder.UNORDERED) -> Context:
    """The value of a map at a key; a write creates a missing one.

    Args:
        key: an int of 64 bits, a str or bytes.
        order: the order of the map that holds the key, where that is missing as well.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    packed = packed_key("map_key_create.key", key)
    order = checked_enum("map_key_create.order", order, MapOrder)
    kind = ops.CONTEXT_MAP | ops.CONTEXT_KEY | map_create_flag(order)
    return Context(kind, key, packed, f"map_key_create({key!r}, MapOrder.{order.name})")


def map_value(value: Any) -> Context:
    """The first entry of a map with a value.

    Args:
        value: the value, usually a list or dict; WILDCARD and INFINITY may be in it.

    Raises:
        InvalidArgError: no entry can have the value.
    """
    return _valued("map_value", ops.CONTEXT_MAP | ops.CONTEXT_VALUE, value)


def map_keys(keys: Iterable[int | str | bytes]) -> Context:
    """The values of a map at several keys, for path expressions.

    Args:
        keys: one or more, each an int of 64 bits, a str or bytes.

    Raises:
        InvalidArgError: the list is empty, or something in it cannot be a map key.
    """
    packed, listed = packed_keys("map_keys.keys", keys)
    if not listed:
        raise refused("map_keys.keys", keys, "one key or more")
    return Context(ops.CONTEXT_MAP | ops.CONTEXT_KEY_LIST, listed, packed, f"map_keys({listed!r})")


def all_children() -> Context:
    """All elements of a list, all values of a map, for path expressions."""
    return Context(ops.CONTEXT_EXP, True, Packed(b"\xc3"), "all_children()")


def all_children_where(expression: Encodable | bytes) -> Context:
    """The elements of a list or values of a map for which an expression is true, for path expressions.

    Args:
        expression: a condition of :mod:`trio_aerospike.exp` on the loop variables of a path, or its bytes. It cannot
            use variables of a ``let_`` around it.

    Raises:
        InvalidArgError: ``expression`` is not a complete condition.
    """
    packed = _packed_filter("all_children_where.expression", expression)
    return Context(ops.CONTEXT_EXP, expression, packed, f"all_children_where({expression!r})")


def and_where(expression: Encodable | bytes) -> Context:
    """Those elements of the step before for which an expression is true, for path expressions.

    It follows any step but :func:`all_children` and :func:`all_children_where`, and not another ``and_where``.

    Args:
        expression: a condition of :mod:`trio_aerospike.exp` on the loop variables of a path, or its bytes. It cannot
            use variables of a ``let_`` around it.

    Raises:
        InvalidArgError: ``expression`` is not a complete condition.
    """
    packed = _packed_filter("and_where.expression", expression)
    return Context(ops.CONTEXT_AND | ops.CONTEXT_EXP, expression, packed, f"and_where({expression!r})")


# --- whole contexts ---------------------------------------------------------------------------------------------------


def encode(contexts: ContextLike) -> bytes:
    """A context as MessagePack, as indexes on nested elements and expressions hold it.

    Raises:
        InvalidArgError: there is no step, there are more than 64, or one cannot follow another.
    """
    steps = checked_steps("encode.contexts", contexts, paths=True)
    if not steps:
        raise refused("encode.contexts", contexts, "one step or more")
    return encode_steps(steps)


def decode(data: bytes) -> tuple[Context, ...]:
    """The steps of a context that :func:`encode` or another client has encoded; expressions stay bytes.

    Raises:
        InvalidArgError: ``data`` is not a context.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise refused("decode.data", data, "the bytes of a context")
    data = bytes(data)
    try:
        steps = [_decoded(number, packed) for number, packed in decode_context(data)]
    except ProtocolError as error:
        raise InvalidArgError(f"decode.data: {error}") from None
    return checked_steps("decode.data", steps, paths=True)


def to_base64(contexts: ContextLike) -> str:
    """A context as base64, as tools and commands on indexes take it.

    Raises:
        InvalidArgError: as for :func:`encode`.
    """
    return base64.b64encode(encode(contexts)).decode()


def from_base64(text: str) -> tuple[Context, ...]:
    """The steps of a context in base64.

    Raises:
        InvalidArgError: ``text`` is not base64, or not a context.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise refused("from_base64.text", text, "a context in base64") from None
    return decode(data)


# --- for the modules of operations ------------------------------------------------------------------------------------


def encode_steps(steps: Sequence[Context], flag: int = 0) -> bytes:
    """Checked steps as bytes, b"" for none; ``flag`` is added to the number of the last one."""
    if not steps:
        return b""
    pairs = [(step.kind, step._packed) for step in steps]
    pairs[-1] = (pairs[-1][0] | flag, pairs[-1][1])
    return encode_context(pairs)


def checked_steps(where: str, contexts: object, *, paths: bool) -> tuple[Context, ...]:
    """Check that ``contexts`` are steps that can follow each other, and return them.

    Args:
        where: the argument, for error messages.
        contexts: what the caller was given.
        paths: whether it is for a path expression, in which steps may select several elements.

    Raises:
        InvalidArgError: it is neither a step nor a sequence of steps, there are more than 64, a step is for path
            expressions only, or an ``and_where`` follows a step that it cannot follow.
    """
    steps = (contexts,) if isinstance(contexts, Context) else contexts
    if not isinstance(steps, (tuple, list)):
        raise refused(where, contexts, "a step made by trio_aerospike.ctx, or a list of them")
    for place, step in enumerate(steps):
        if not isinstance(step, Context):
            raise refused(f"{where}[{place}]", step, "a step made by trio_aerospike.ctx")
        if step.selects and not paths:
            raise refused(f"{where}[{place}]", step, "steps to one element; this one is for select_by_path and others")
        if step.kind & ops.CONTEXT_AND:
            before = steps[place - 1] if place else None
            if before is None or before.kind & ops.CONTEXT_BASE_MASK == ops.CONTEXT_EXP:
                raise refused(f"{where}[{place}]", step, "and_where once, after a step by index, rank, key or value")
    if len(steps) > CDT_DEPTH_MAX:
        raise refused(where, contexts, f"at most {CDT_DEPTH_MAX} steps, as deep as values nest")
    return tuple(steps)


def path_steps(where: str, contexts: ContextLike) -> tuple[Context, ...]:
    """Check the steps of a path expression: one or more, of which none creates.

    Raises:
        InvalidArgError: there is no step, or one is invalid or creates.
    """
    steps = checked_steps(where, contexts, paths=True)
    if not steps:
        raise refused(where, contexts, "one step or more, made by trio_aerospike.ctx")
    for place, step in enumerate(steps):
        if step.creates:
            # The server would ignore the flag without an error.
            raise refused(f"{where}[{place}]", step, "steps that create nothing")
    return steps


def require_creatable(where: str, contexts: ContextLike) -> None:
    """Check that a context ends where something can be created: at an index of a list or a key of a map.

    Raises:
        InvalidArgError: it ends elsewhere, or is invalid.
    """
    steps = checked_steps(where, contexts, paths=False)
    if not steps or steps[-1].kind & ops.CONTEXT_TYPE_MASK not in _CREATABLE:
        raise refused(where, contexts, "a context that ends with list_index or map_key, where something can be made")


def list_create_flag(where: str, order: ListOrder, pad: object) -> int:
    """The flag of a step that creates a list.

    Raises:
        InvalidArgError: ``pad`` is not a bool, or True for an ordered list.
    """
    if not isinstance(pad, bool):
        raise refused(f"{where}.pad", pad, "True or False")
    if order is ListOrder.ORDERED:
        if pad:
            raise refused(f"{where}.pad", pad, "False: an ordered list has no gaps to fill")
        return ops.CONTEXT_CREATE_LIST_ORDERED
    return ops.CONTEXT_CREATE_LIST_UNORDERED_UNBOUND if pad else ops.CONTEXT_CREATE_LIST_UNORDERED


def map_create_flag(order: MapOrder) -> int:
    """The flag of a step that creates a map."""
    return _MAP_FLAGS[order]


_CREATABLE = (ops.CONTEXT_LIST | ops.CONTEXT_INDEX, ops.CONTEXT_MAP | ops.CONTEXT_KEY)
_MAP_FLAGS = {
    MapOrder.UNORDERED: ops.CONTEXT_CREATE_MAP_UNORDERED,
    MapOrder.KEY_ORDERED: ops.CONTEXT_CREATE_MAP_K_ORDERED,
    MapOrder.KEY_VALUE_ORDERED: ops.CONTEXT_CREATE_MAP_KV_ORDERED,
}
_LIST_FLAGS = {
    ops.CONTEXT_CREATE_LIST_UNORDERED: (ListOrder.UNORDERED, False),
    ops.CONTEXT_CREATE_LIST_UNORDERED_UNBOUND: (ListOrder.UNORDERED, True),
    ops.CONTEXT_CREATE_LIST_ORDERED: (ListOrder.ORDERED, False),
}
_MAP_ORDERS = {flag: order for order, flag in _MAP_FLAGS.items()}


def _numbered(what: str, kind: int, name: str, number: object) -> Context:
    checked = checked_int(f"{what}.{name}", number, INT_MIN, INT_MAX)
    return Context(kind, checked, Packed(pack_value(checked)), f"{what}({checked!r})")


def _valued(what: str, kind: int, value: Any) -> Context:
    return Context(kind, value, packed_value(f"{what}.value", value, comparison=True), f"{what}({value!r})")


def _packed_filter(where: str, expression: object) -> Packed:
    packed = packed_expression(where, expression, condition=True)
    # The server takes a list, or true as all_children sends it (cdt.c, select_stack_init).
    if packed.data[0] & 0xF0 != 0x90 and packed.data[0] not in (0xC3, 0xDC, 0xDD):
        raise refused(where, expression, "an expression that calculates something")
    return packed


def _decoded(number: int, packed: Packed) -> Context:
    kind = number & ~ops.CONTEXT_CREATE_MASK
    flags = number & ops.CONTEXT_CREATE_MASK
    data = packed.data
    if kind == ops.CONTEXT_EXP and data == b"\xc3":
        return all_children()
    if number in _DECODED_EXPRESSIONS:
        return _DECODED_EXPRESSIONS[number](data)
    value = unpack_value(data)
    if kind == ops.CONTEXT_LIST | ops.CONTEXT_INDEX and flags in _LIST_FLAGS:
        order, pad = _LIST_FLAGS[flags]
        return list_index_create(value, order, pad=pad)
    if kind == ops.CONTEXT_MAP | ops.CONTEXT_KEY and flags in _MAP_ORDERS:
        return map_key_create(value, _MAP_ORDERS[flags])
    if number in _DECODED:
        return _DECODED[number](value)
    raise ProtocolError(f"{number:#x} is not a step of a context")


_DECODED_EXPRESSIONS = {
    ops.CONTEXT_EXP: all_children_where,
    ops.CONTEXT_AND | ops.CONTEXT_EXP: and_where,
}
_DECODED: dict[int, Callable[[Any], Context]] = {
    ops.CONTEXT_LIST | ops.CONTEXT_INDEX: list_index,
    ops.CONTEXT_LIST | ops.CONTEXT_RANK: list_rank,
    ops.CONTEXT_LIST | ops.CONTEXT_VALUE: list_value,
    ops.CONTEXT_MAP | ops.CONTEXT_INDEX: map_index,
    ops.CONTEXT_MAP | ops.CONTEXT_RANK: map_rank,
    ops.CONTEXT_MAP | ops.CONTEXT_KEY: map_key,
    ops.CONTEXT_MAP | ops.CONTEXT_VALUE: map_value,
    ops.CONTEXT_MAP | ops.CONTEXT_KEY_LIST: map_keys,
}
