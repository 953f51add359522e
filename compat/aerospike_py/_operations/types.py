"""The types of the dicts that describe operations on lists, maps, bits and HyperLogLog values."""

from __future__ import annotations

from typing import Any, TypeAlias, TypedDict

__all__ = ["HLLPolicy", "ListPolicy", "MapPolicy", "Operation"]

#: An operation: ``op`` (an OPERATOR_ constant, or the number of an operation on a part of a value), ``bin``, and the
#: operation's arguments. The modules list_operations, map_operations, bit_operations and hll_operations make them.
Operation: TypeAlias = dict[str, Any]


class ListPolicy(TypedDict, total=False):
    """How a list is written: the ``order`` of a new list, and ``flags``, a sum of LIST_WRITE_ constants."""

    order: int
    flags: int


class MapPolicy(TypedDict, total=False):
    """How a map is written: the ``order`` of a new map, and ``write_mode``, a constant such as MAP_UPDATE."""

    order: int
    write_mode: int


class HLLPolicy(TypedDict, total=False):
    """How a HyperLogLog value is written: ``flags``, a sum of HLL_WRITE_ constants."""

    flags: int


def build(operation: Operation, **optional: Any) -> Operation:
    """Add to the operation those optional fields that are not None."""
    operation.update((name, value) for name, value in optional.items() if value is not None)
    return operation
