"""Contexts of calls: check their steps, and write them as Python."""

from __future__ import annotations

from trio_aerospike import ctx as contexts
from trio_aerospike._wire import cdt_ops as cdt
from trio_aerospike.ctx import Context, ContextLike
from trio_aerospike.exp._literals import literal_source
from trio_aerospike.exp._types import Kind
from trio_aerospike.validation import refused

Steps = tuple[Context, ...]


def call_steps(where: str, ctx: ContextLike, *, creates: bool) -> Steps:
    """The steps of a call's context.

    Args:
        where: the argument, for error messages.
        ctx: what the caller was given.
        creates: whether steps may create what is missing: only in a call that modifies.

    Raises:
        InvalidArgError: it is not a context, or has a step that is not allowed there.
    """
    steps = contexts.checked_steps(where, ctx, paths=False)
    for place, step in enumerate(steps):
        if step.creates and not creates:
            raise refused(f"{where}[{place}]", step, "steps that create nothing, as this only reads")
    return steps


def outermost(steps: Steps) -> Kind | None:
    """What the first step looks into: a list or a map; None where there is no step, and where it may be either."""
    if not steps or steps[0].kind & cdt.CONTEXT_BASE_MASK == cdt.CONTEXT_EXP:
        return None
    return Kind.LIST if steps[0].kind & cdt.CONTEXT_LIST else Kind.MAP


def context_source(steps: Steps) -> str:
    """A context as a Python list of its steps."""
    texts = []
    for step in steps:
        if step.kind & cdt.CONTEXT_BASE_MASK == cdt.CONTEXT_VALUE:
            name = "list_value" if step.kind & cdt.CONTEXT_LIST else "map_value"
            texts.append(f"ctx.{name}({literal_source(step._packed.data)})")
        else:
            texts.append(repr(step))
            if step.creates:
                # The order is the last argument, and its class is known here as a name of exp.
                order = "ListOrder." if step.kind & cdt.CONTEXT_LIST else "MapOrder."
                texts[-1] = f"exp.{order}".join(texts[-1].rsplit(order, 1))
    if any("exp.from_bytes" in text and "_value(" in text for text in texts):
        return f"ctx.decode({contexts.encode_steps(steps)!r})"
    return f"[{', '.join(texts)}]"
