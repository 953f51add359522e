"""Which of a namespace's 4096 partitions a query looks at."""

from __future__ import annotations

from typing import Any

from trio_aerospike import query
from trio_aerospike.validation import refused

__all__ = ["PartitionFilter", "partition_filter_all", "partition_filter_by_id", "partition_filter_by_range"]


class PartitionFilter:
    """Some of the 4096 partitions of a namespace, for ``partition_filter`` of a QueryPolicy.

    Made by :func:`partition_filter_all`, :func:`partition_filter_by_id` and :func:`partition_filter_by_range`.
    """

    __slots__ = ("_native",)

    _native: query.PartitionFilter

    def __init__(self, *args: Any) -> None:
        raise TypeError("a PartitionFilter is made by partition_filter_all, _by_id or _by_range")

    def __repr__(self) -> str:
        return f"PartitionFilter(begin={self._native.begin}, count={self._native.count})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionFilter) and other._native == self._native

    def __hash__(self) -> int:
        return hash(self._native)


def _made(native: query.PartitionFilter) -> PartitionFilter:
    made = PartitionFilter.__new__(PartitionFilter)
    made._native = native
    return made


def partition_filter_all() -> PartitionFilter:
    """All partitions."""
    return _made(query.PartitionFilter.all())


def partition_filter_by_id(partition_id: int) -> PartitionFilter:
    """One partition.

    Args:
        partition_id: 0 to 4095.

    Raises:
        InvalidArgError: There is none of that number.
    """
    return _made(query.PartitionFilter.by_id(partition_id))


def partition_filter_by_range(begin: int, count: int) -> PartitionFilter:
    """Several partitions in a row.

    Args:
        begin: The first, 0 to 4095.
        count: How many, at least one.

    Raises:
        InvalidArgError: There are not so many.
    """
    return _made(query.PartitionFilter.by_range(begin, count))


def native_partitions(where: str, value: Any) -> query.PartitionFilter:
    """The filter as trio_aerospike has it.

    Raises:
        InvalidArgError: it is none.
    """
    if isinstance(value, PartitionFilter):
        return value._native
    raise refused(where, value, "what partition_filter_all, _by_id or _by_range gave")
