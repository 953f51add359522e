"""Orders, write flags, policies and return types of operations on lists and maps.

The numbers are those of the wire (server: as/include/base/proto.h) and of aerospike_py's constants. A plain number is
accepted where a member is expected.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, TypeVar

import attrs

from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike.validation import boolean, member, named_arguments, refused, settle_enum

F = TypeVar("F", bound=IntFlag)
P = TypeVar("P")

PERSIST_INDEX = 0x10
"""The bit of an order that makes the server store the index with the list or map."""


class ListOrder(IntEnum):
    """How the server keeps a list."""

    UNORDERED = 0
    """In the order of the writes."""
    ORDERED = 1
    """Sorted by value."""


class MapOrder(IntEnum):
    """How the server keeps a map."""

    UNORDERED = 0
    """Unspecified."""
    KEY_ORDERED = 1
    """Sorted by key: faster to find by key or by index."""
    KEY_VALUE_ORDERED = 3
    """Sorted by key, with an index of the values: faster to find by value or by rank."""


class ListWrite(IntFlag):
    """What writes to a list may do."""

    DEFAULT = ops.LIST_MODIFY_DEFAULT
    """Anything."""
    ADD_UNIQUE = ops.LIST_ADD_UNIQUE
    """Only add values that the list does not have."""
    INSERT_BOUNDED = ops.LIST_INSERT_BOUNDED
    """Only insert within the list or at its end. Without it, gaps are filled with None."""
    NO_FAIL = ops.LIST_NO_FAIL
    """Leave the list as it is, without an error, where a flag denies the write."""
    PARTIAL = ops.LIST_DO_PARTIAL
    """With NO_FAIL: of several values write those that no flag denies."""


class MapWrite(IntFlag):
    """What writes to a map may do."""

    DEFAULT = ops.MAP_MODIFY_DEFAULT
    """Anything."""
    CREATE_ONLY = ops.MAP_NO_OVERWRITE
    """Only add keys that the map does not have."""
    UPDATE_ONLY = ops.MAP_NO_CREATE
    """Only change keys that the map has."""
    NO_FAIL = ops.MAP_NO_FAIL
    """Leave the map as it is, without an error, where a flag denies the write."""
    PARTIAL = ops.MAP_DO_PARTIAL
    """With NO_FAIL: of several pairs write those that no flag denies."""


class ListSort(IntFlag):
    """How a list is sorted."""

    DEFAULT = ops.SORT_ASCENDING
    """The least value first."""
    DESCENDING = ops.SORT_DESCENDING
    """The greatest value first."""
    DROP_DUPLICATES = ops.SORT_DROP_DUPLICATES
    """Keep one of equal values. Servers up to 8.1 refuse it together with DESCENDING."""


class ListReturn(IntEnum):
    """Return types of operations on elements of a list: what the result holds of each.

    The index counts from the front (0 is the first), the rank from the least value (0 is the least).
    """

    NONE = ops.RETURN_NONE
    """Nothing."""
    INDEX = ops.RETURN_INDEX
    """Its index."""
    REVERSE_INDEX = ops.RETURN_REVINDEX
    """Its index counted from the end (0 is the last)."""
    RANK = ops.RETURN_RANK
    """Its rank."""
    REVERSE_RANK = ops.RETURN_REVRANK
    """Its rank counted from the greatest value (0 is the greatest)."""
    COUNT = ops.RETURN_COUNT
    """The number of elements, for all of them together."""
    VALUE = ops.RETURN_VALUE
    """Its value."""
    INDEX_RANGE = ops.RETURN_INDEX_RANGE
    """``[first index, count]`` for all of them, where they are consecutive."""
    REVERSE_INDEX_RANGE = ops.RETURN_REVINDEX_RANGE
    """As INDEX_RANGE, counted from the end."""
    RANK_RANGE = ops.RETURN_RANK_RANGE
    """``[first rank, count]`` for all of them, where they are consecutive."""
    REVERSE_RANK_RANGE = ops.RETURN_REVRANK_RANGE
    """As RANK_RANGE, counted from the greatest."""
    EXISTS = ops.RETURN_EXISTS
    """Whether there is at least one, as a bool."""


class MapReturn(IntEnum):
    """Return types of operations on entries of a map: what the result holds of each.

    The index counts by key (0 is the least key), the rank by value (0 is the least value).
    """

    NONE = ops.RETURN_NONE
    """Nothing."""
    INDEX = ops.RETURN_INDEX
    """Its index."""
    REVERSE_INDEX = ops.RETURN_REVINDEX
    """Its index counted from the greatest key (0 is the greatest)."""
    RANK = ops.RETURN_RANK
    """Its rank."""
    REVERSE_RANK = ops.RETURN_REVRANK
    """Its rank counted from the greatest value (0 is the greatest)."""
    COUNT = ops.RETURN_COUNT
    """The number of elements, for all of them together."""
    KEY = ops.RETURN_KEY
    """Its key."""
    VALUE = ops.RETURN_VALUE
    """Its value."""
    KEY_VALUE = ops.RETURN_KEY_VALUE_MAP
    """Key and value: all of them as an OrderedMap (order 8) in the order of the answer, which is by rank in operations
    by rank."""
    INDEX_RANGE = ops.RETURN_INDEX_RANGE
    """``[first index, count]`` for all of them."""
    REVERSE_INDEX_RANGE = ops.RETURN_REVINDEX_RANGE
    """As INDEX_RANGE, counted from the greatest key."""
    RANK_RANGE = ops.RETURN_RANK_RANGE
    """``[first rank, count]`` for all of them."""
    REVERSE_RANK_RANGE = ops.RETURN_REVRANK_RANGE
    """As RANK_RANGE, counted from the greatest value."""
    EXISTS = ops.RETURN_EXISTS
    """Whether there is at least one, as a bool."""
    UNORDERED_MAP = ops.RETURN_UNORDERED_MAP
    """Key and value: all of them as a dict."""
    ORDERED_MAP = ops.RETURN_ORDERED_MAP
    """Key and value: all of them as an OrderedMap (order 1), sorted by key."""


class PathSelect(IntEnum):
    """What :func:`select_by_path` returns."""

    MATCHING_TREE = 0
    """The bin's list or map with only the selected elements in it."""
    VALUE = 1
    """A list of the values."""
    MAP_KEY = 2
    """A list of the keys, where the path selects map entries."""
    MAP_KEY_VALUE = 3
    """A list of keys and values, alternating, where the path selects map entries."""


def checked_flags(where: str, value: object, kind: type[F]) -> F:
    """Check flags of ``kind``, or their number, and return the flags.

    Raises:
        InvalidArgError: it is something else, or has an unknown bit.
    """
    if isinstance(value, kind):
        return value
    known = sum(kind)
    # Flags of another class are ints, too, of another meaning.
    if type(value) is int and 0 <= value <= known and not value & ~known:
        return kind(value)
    members = ", ".join(f"{kind.__name__}.{name} ({int(m)})" for name, m in kind.__members__.items())
    raise refused(where, value, f"{members}, or several of them with |")


def _flags_of(kind: type[IntFlag]) -> Any:
    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        flags = checked_flags(f"{type(instance).__name__}.{attribute.name}", value, kind)
        object.__setattr__(instance, attribute.name, flags)

    return check


@named_arguments
@attrs.frozen
class ListPolicy:
    """How to write a list.

    Args:
        order: the order of a list that the write creates; one that exists keeps its own.
        write_flags: what the write may do.

    Raises:
        InvalidArgError: an argument is invalid.
    """

    order: ListOrder = attrs.field(default=ListOrder.UNORDERED, validator=member(ListOrder))
    write_flags: ListWrite = attrs.field(default=ListWrite.DEFAULT, validator=_flags_of(ListWrite))

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "order", ListOrder)


@named_arguments
@attrs.frozen
class MapPolicy:
    """How to write a map.

    Args:
        order: the order of a map that the write creates; one that exists keeps its own.
        write_flags: what the write may do.
        persist_index: store the map's index with it: reads need not build it, writes store more. Only for a map
            that the write creates as a bin, not for one inside others.

    Raises:
        InvalidArgError: an argument is invalid, or the flags exclude each other.
    """

    order: MapOrder = attrs.field(default=MapOrder.UNORDERED, validator=member(MapOrder))
    write_flags: MapWrite = attrs.field(default=MapWrite.DEFAULT, validator=_flags_of(MapWrite))
    persist_index: bool = attrs.field(default=False, validator=boolean)

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "order", MapOrder)
        both = MapWrite.CREATE_ONLY | MapWrite.UPDATE_ONLY
        if self.write_flags & both == both:
            raise refused("MapPolicy.write_flags", self.write_flags, "CREATE_ONLY or UPDATE_ONLY, not both")

    @property
    def _attributes(self) -> int:
        return self.order | PERSIST_INDEX * self.persist_index


_defaults: dict[type, Any] = {}


def checked_policy(where: str, policy: object, kind: type[P]) -> P:
    """Check that a policy is of ``kind``; None is the policy with all defaults.

    Raises:
        InvalidArgError: it is something else.
    """
    if isinstance(policy, kind):
        return policy
    if policy is None:
        if kind not in _defaults:
            _defaults[kind] = kind()
        default: P = _defaults[kind]
        return default
    raise refused(where, policy, f"a {kind.__name__} or None")


__all__ = [
    "ListOrder",
    "ListPolicy",
    "ListReturn",
    "ListSort",
    "ListWrite",
    "MapOrder",
    "MapPolicy",
    "MapReturn",
    "MapWrite",
    "PathSelect",
]
