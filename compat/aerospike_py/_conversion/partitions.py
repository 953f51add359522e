"""Select the partitions that a query reads: the public filters, and their conversion."""

from __future__ import annotations

from typing import Any, Final

from trio_aerospike import query
from trio_aerospike.validation import refused

_PARTITIONS: Final = 4096

__all__ = ["PartitionFilter", "partition_filter_all", "partition_filter_by_id", "partition_filter_by_range"]


class PartitionFilter:
    """A selection of the 4096 partitions of a namespace, for ``partition_filter`` of a QueryPolicy.

    Make one with :func:`partition_filter_all`, :func:`partition_filter_by_id` or :func:`partition_filter_by_range`.
    """

    __slots__ = ("_begin", "_count")

    _begin: int
    _count: int

    def __init__(self, *args: Any) -> None:
        raise TypeError(
            "cannot create 'aerospike_py.PartitionFilter' instances: use partition_filter_all, _by_id or _by_range"
        )

    def __repr__(self) -> str:
        return f"PartitionFilter(begin={self._begin}, count={self._count})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionFilter) and (other._begin, other._count) == (self._begin, self._count)

    def __hash__(self) -> int:
        return hash((self._begin, self._count))


def _make(begin: int, count: int) -> PartitionFilter:
    made = PartitionFilter.__new__(PartitionFilter)
    made._begin, made._count = begin, count
    return made


def _number(where: str, value: Any, high: int, fault: str) -> int:
    """Check a number from 0 to ``high``; True and False stand for 1 and 0."""
    number = int(value) if isinstance(value, int) else -1
    if not 0 <= number <= high:
        raise refused(where, value, f"an int from 0 to {high}: {fault}")
    return number


def partition_filter_all() -> PartitionFilter:
    """Select all partitions."""
    return _make(0, _PARTITIONS)


def partition_filter_by_id(partition_id: int) -> PartitionFilter:
    """Select one partition.

    Args:
        partition_id: 0 to 4095.

    Raises:
        InvalidArgError: ``partition_id`` is out of range.
    """
    fault = f"partition_id must be in [0, {_PARTITIONS})"
    return _make(_number("partition_filter_by_id.partition_id", partition_id, _PARTITIONS - 1, fault), 1)


def partition_filter_by_range(begin: int, count: int) -> PartitionFilter:
    """Select consecutive partitions.

    Args:
        begin: The first, 0 to 4095.
        count: The number of partitions. A query of 0 partitions is refused.

    Raises:
        InvalidArgError: The range ends after 4095.
    """
    fault = f"begin must be in [0, {_PARTITIONS})"
    first = _number("partition_filter_by_range.begin", begin, _PARTITIONS - 1, fault)
    fault = f"begin + count must be <= {_PARTITIONS}, got begin={first}"
    return _make(first, _number("partition_filter_by_range.count", count, _PARTITIONS - first, fault))


def native_partitions(where: str, value: Any) -> query.PartitionFilter:
    """Convert a partition filter.

    Args:
        where: The field, for error messages.
        value: A PartitionFilter.

    Raises:
        InvalidArgError: ``value`` is not a PartitionFilter, or selects no partition.
    """
    if not isinstance(value, PartitionFilter):
        allowed = "what partition_filter_all, _by_id or _by_range gave: it must be a PartitionFilter instance"
        raise refused(where, value, allowed)
    if not value._count:
        raise refused(where, value, "one partition or more: Invalid partition count 0")
    return query.PartitionFilter.by_range(value._begin, value._count)
