"""The dicts that operations on lists, maps, bits and sketches are made of."""

from __future__ import annotations

from typing import Any, TypeAlias, TypedDict

__all__ = ["HLLPolicy", "ListPolicy", "MapPolicy", "Operation"]

#: An operation: ``op`` (an OPERATOR_ constant, or the number of an operation on a part of a value), ``bin``, and what
#: that operation takes besides. The modules that make them are list_operations, map_operations, bit_operations and
#: hll_operations.
Operation: TypeAlias = dict[str, Any]


class ListPolicy(TypedDict, total=False):
    """How a list is written: the ``order`` of one that is made, and ``flags`` of the LIST_WRITE_ constants."""

    order: int
    flags: int


class MapPolicy(TypedDict, total=False):
    """How a map is written: the ``order`` of one that is made, and as ``write_mode`` MAP_UPDATE or the like."""

    order: int
    write_mode: int


class HLLPolicy(TypedDict, total=False):
    """How a sketch is written: ``flags`` of the HLL_WRITE_ constants."""

    flags: int


def build(operation: Operation, **optional: Any) -> Operation:
    """The operation with those of the optional fields that are not None."""
    operation.update((name, value) for name, value in optional.items() if value is not None)
    return operation
