"""Convert operations of aerospike_py, dicts with ``op``, to those of trio_aerospike.

Those on whole bins have ``bin`` and ``val``; those on lists, maps, bits and sketches come from the modules of these
names, and are identified by their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from trio_aerospike import operations
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import Operation
from trio_aerospike.validation import refused, unknown_name

from .. import _constants as constants
from .operation_dicts import OperationDict

_ALLOWED: Final = frozenset(("op", "bin", "val"))
#: Codes of operations with a bin and a value ...
_WITH_VALUE: Final[Mapping[int, Callable[[str, Any], Operation]]] = {
    constants.OPERATOR_WRITE: operations.write,
    constants.OPERATOR_APPEND: operations.append,
    constants.OPERATOR_PREPEND: operations.prepend,
    constants.OPERATOR_INCR: operations.increment,
}
#: ... and with neither.
_WHOLE_RECORD: Final[Mapping[int, Callable[[], Operation]]] = {
    constants.OPERATOR_TOUCH: operations.touch,
    constants.OPERATOR_DELETE: operations.delete,
}
_CODES: Final = (
    ", ".join(
        f"{name} ({getattr(constants, name)})"
        for name in (
            "OPERATOR_READ",
            "OPERATOR_WRITE",
            "OPERATOR_INCR",
            "OPERATOR_APPEND",
            "OPERATOR_PREPEND",
            "OPERATOR_TOUCH",
            "OPERATOR_DELETE",
        )
    )
    + ", or the number of an operation on lists (1001 to 1031), maps (2001 to 2027), sketches (3001 to 3010) or bits "
    "(4001 to 4013, 4050 to 4054)"
)


def to_operations(ops: Iterable[Mapping[str, Any]]) -> list[Operation]:
    """Convert dicts to operations.

    A read without a bin reads all bins; a touch and a delete are on the whole record, with any bin. The time to live
    that a touch sets is part of the command, see :func:`with_ttl`.

    Raises:
        InvalidArgError: There is no operation, or one of them is invalid.
    """
    if isinstance(ops, (str, bytes, Mapping)) or not isinstance(ops, Iterable):
        raise refused("ops", ops, "a list of operations")
    converted = [_operation(f"ops[{index}]", op) for index, op in enumerate(ops)]
    if not converted:
        raise refused("ops", ops, "at least one operation")
    return converted


def with_ttl(ops: Iterable[Mapping[str, Any]]) -> tuple[list[Operation], int]:
    """Convert dicts to operations, and find the time to live that a touch among them sets.

    Returns:
        The operations; the ``val`` of the last OPERATOR_TOUCH that has one, or 0.

    Raises:
        InvalidArgError: There is no operation, or one of them is invalid.
    """
    if isinstance(ops, Iterable) and not isinstance(ops, (list, tuple, str, bytes, Mapping)):
        ops = list(ops)
    operations = to_operations(ops)
    ttl = 0
    for op in ops:
        if type(op) is dict and op.get("op") == constants.OPERATOR_TOUCH and op.get("val") is not None:
            ttl = op["val"]
    return operations, ttl


def _operation_dict(code: int) -> OperationDict | None:
    """The dict of an operation on part of a value. Its module is imported with the first use of its family."""
    if code < 3000:
        from .lists_and_maps import OPERATION_DICTS
    else:
        from .bits_and_hll import OPERATION_DICTS
    return OPERATION_DICTS.get(code)


def _operation(where: str, op: Mapping[str, Any]) -> Operation:
    if isinstance(op, Operation):
        return op
    if not isinstance(op, Mapping):
        raise refused(where, op, "a dict of op, bin and val")
    if "op" not in op:
        raise refused(where, op, f"a dict of op, bin and val: it must have 'op' key, {_CODES}")
    code = op["op"]
    if type(code) is bool:
        code = int(code)
    if type(code) is not int:
        raise refused(f"{where}['op']", code, _CODES)
    if code > 1000:
        operation_dict = _operation_dict(code)
        if operation_dict is None:
            raise _no_code(where, code)
        return operation_dict.operation(where, op)
    if not _ALLOWED.issuperset(op):
        raise unknown_name(where, next(name for name in op if name not in _ALLOWED), sorted(_ALLOWED))
    bin_name = op.get("bin")
    if code == constants.OPERATOR_READ:
        return operations.read_all() if bin_name is None else operations.read(bin_name)
    with_value = _WITH_VALUE.get(code)
    if with_value is not None:
        if bin_name is None:
            raise refused(f"{where}['bin']", bin_name, "the name of a bin: the operation requires 'bin'")
        if "val" not in op:
            raise refused(where, op, "a dict with 'val' in it")
        return with_value(bin_name, op["val"])
    whole_record = _WHOLE_RECORD.get(code)
    if whole_record is None:
        raise _no_code(where, code)
    return whole_record()


def _no_code(where: str, code: int) -> InvalidArgError:
    return refused(f"{where}['op']", code, f"{_CODES}. Unsupported operation code: {code}")
