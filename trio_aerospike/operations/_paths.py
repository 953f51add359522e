"""Path expressions: one operation on several elements of a nested list or map.

The context selects them: a step such as ``ctx.all_children_where(...)`` selects several elements at once.
"""

from __future__ import annotations

from trio_aerospike import ctx as contexts
from trio_aerospike._cdt.arguments import Encodable, packed_expression
from trio_aerospike._cdt.lists_and_maps import PathSelect as PathSelect
from trio_aerospike._wire import cdt_ops, constants as wire
from trio_aerospike._wire.cdt_calls import Packed, encode_cdt_call
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_bin_name, checked_enum, refused


def select_by_path(
    bin_name: str,
    ctx: contexts.ContextLike,
    select: PathSelect = PathSelect.MATCHING_TREE,
    *,
    no_fail: bool = False,
) -> Operation:
    """Read the elements that a path selects.

    Args:
        bin_name: the bin, a list or map.
        ctx: the path, one step or more; see :mod:`trio_aerospike.ctx`.
        select: what to return.
        no_fail: skip elements for which an expression of the path is unknown, instead of failing.

    Raises:
        InvalidArgError: an argument is invalid, or a step of the path creates something.
    """
    kind = checked_enum("select_by_path.select", select, PathSelect)
    args = (_path("select_by_path", ctx), kind | _flag("select_by_path", no_fail))
    name = checked_bin_name(bin_name, "select_by_path.bin_name")
    return Operation(wire.OP_CDT_READ, name, encode_cdt_call(cdt_ops.SELECT, args), info1=wire.INFO1_READ)


def modify_by_path(
    bin_name: str, ctx: contexts.ContextLike, expression: Encodable | bytes, *, no_fail: bool = False
) -> Operation:
    """Replace each element that a path selects by the result of an expression.

    Args:
        bin_name: the bin, a list or map.
        ctx: the path, one step or more; see :mod:`trio_aerospike.ctx`.
        expression: the new value, of :mod:`trio_aerospike.exp` with the loop variables of a path, or
            ``exp.remove_result()``; or its bytes.
        no_fail: skip elements for which an expression of the path is unknown, instead of failing.

    Raises:
        InvalidArgError: an argument is invalid, or a step of the path creates something.
    """
    flags = cdt_ops.SELECT_APPLY | _flag("modify_by_path", no_fail)
    args = (_path("modify_by_path", ctx), flags, packed_expression("modify_by_path.expression", expression))
    name = checked_bin_name(bin_name, "modify_by_path.bin_name")
    return Operation(wire.OP_CDT_MODIFY, name, encode_cdt_call(cdt_ops.SELECT, args))


def _path(what: str, ctx: contexts.ContextLike) -> Packed:
    return Packed(contexts.encode_steps(contexts.path_steps(f"{what}.ctx", ctx)))


def _flag(what: str, no_fail: object) -> int:
    if not isinstance(no_fail, bool):
        raise refused(f"{what}.no_fail", no_fail, "True or False")
    return cdt_ops.SELECT_NO_FAIL if no_fail else 0
