"""Types of the dicts of operations on lists, maps, bits and sketches, and of their policies."""

from __future__ import annotations

from typing import Any, TypeAlias, TypedDict

__all__ = ["HLLPolicy", "ListPolicy", "MapPolicy", "Operation"]

#: An operation: ``op`` (an OPERATOR_ constant, or the number of an operation on a part of a value), ``bin``, and the
#: keys of that operation. list_operations, map_operations, bit_operations and hll_operations make them.
Operation: TypeAlias = dict[str, Any]


class ListPolicy(TypedDict, total=False):
    """How to write a list: the ``order`` of a created one, and ``flags`` of the LIST_WRITE_ constants."""

    order: int
    flags: int


class MapPolicy(TypedDict, total=False):
    """How to write a map: the ``order`` of a created one, and ``write_mode``, such as MAP_UPDATE."""

    order: int
    write_mode: int


class HLLPolicy(TypedDict, total=False):
    """How to write a sketch: ``flags`` of the HLL_WRITE_ constants."""

    flags: int


def build(operation: Operation, **optional: Any) -> Operation:
    """Add those optional fields to an operation that are not None."""
    operation.update((name, value) for name, value in optional.items() if value is not None)
    return operation
