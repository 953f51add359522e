"""Contexts of calls: checked and encoded on the way in, written as Python on the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio_aerospike import ctx as contexts
from trio_aerospike._wire import cdt_ops as cdt
from trio_aerospike._wire.cdt_calls import decode_context
from trio_aerospike.exp._literals import literal_source
from trio_aerospike.exp._types import Kind
from trio_aerospike.validation import refused, with_article

if TYPE_CHECKING:
    from trio_aerospike.ctx import ContextLike


def encoded_context(where: str, ctx: ContextLike, *, creates: bool) -> bytes:
    """A context of a call, b"" for none.

    Args:
        where: the argument, for refusals.
        ctx: what the caller was given.
        creates: whether the call may make what is missing: only one that modifies.

    Raises:
        InvalidArgError: it is none, or has a step that cannot be there.
    """
    steps = contexts.checked_steps(where, ctx, paths=False)
    for place, step in enumerate(steps):
        if step.creates and not creates:
            raise refused(f"{where}[{place}]", step, "steps that create nothing, as this only reads")
    return contexts.encode_steps(steps)


def encoded_path(where: str, ctx: ContextLike) -> bytes:
    """A context of a path expression, which has one step or more.

    Raises:
        InvalidArgError: it is none, or a step in it would create something.
    """
    steps = contexts.checked_steps(where, ctx, paths=True)
    if not steps:
        raise refused(where, ctx, "one step or more, made by trio_aerospike.ctx")
    for place, step in enumerate(steps):
        if step.creates:
            # The server would pass over the flag in silence.
            raise refused(f"{where}[{place}]", step, "steps that create nothing")
    return contexts.encode_steps(steps)


def check_whole(where: str, expression: object, kind: Kind | None = None) -> None:
    """Refuse an expression that the server cannot evaluate by itself.

    Args:
        where: the argument, for refusals.
        expression: it.
        kind: what it has to give, if that matters.

    Raises:
        InvalidArgError: a variable in it is bound nowhere, or it gives something else.
    """
    from trio_aerospike.exp._expression import Expression

    assert isinstance(expression, Expression)
    if expression.free_variables:
        names = ", ".join(sorted(expression.free_variables))
        raise refused(where, expression, f"a complete expression; nothing in it binds {names}")
    given = Kind.BOOL if expression._kind is Kind.UNKNOWN else expression._kind
    if given is Kind.EXTREME:
        raise refused(
            where, expression, "an expression that gives a value; INFINITY and WILDCARD are only compared with"
        )
    if kind is not None and given is not kind and given is not None:
        wanted, got = with_article(kind.label), with_article(given.label)
        raise refused(where, expression, f"an expression that gives {wanted}, and this gives {got}")


def outermost(context: bytes) -> Kind | None:
    """What the first step of an encoded context looks into: a list or a map; None for no context, and for both."""
    if not context:
        return None
    number, _ = decode_context(context)[0]
    if number & cdt.CONTEXT_BASE_MASK == cdt.CONTEXT_EXP:
        return None
    return Kind.LIST if number & cdt.CONTEXT_LIST else Kind.MAP


def context_source(context: bytes) -> str:
    """An encoded context as a Python list of its steps."""
    from trio_aerospike.exp._decode import from_bytes

    texts = []
    for step in contexts.decode(context):
        if isinstance(step.value, bytes) and step.selects:
            name = "and_where" if step.kind & cdt.CONTEXT_AND else "all_children_where"
            texts.append(f"ctx.{name}({from_bytes(step.value)!r})")
        elif step.kind & cdt.CONTEXT_BASE_MASK == cdt.CONTEXT_VALUE:
            name = "list_value" if step.kind & cdt.CONTEXT_LIST else "map_value"
            texts.append(f"ctx.{name}({literal_source(step._packed.data)})")
        else:
            texts.append(repr(step))
            if step.creates:
                # The order is the last that is said, and its class is known here as a name of exp.
                order = "ListOrder." if step.kind & cdt.CONTEXT_LIST else "MapOrder."
                texts[-1] = f"exp.{order}".join(texts[-1].rsplit(order, 1))
    if any("exp.from_bytes" in text and "_value(" in text for text in texts):
        return f"ctx.decode({context!r})"
    return f"[{', '.join(texts)}]"
