"""One operation on a list or map: its bin, its context, its arguments, put together.

``lists`` and ``maps`` say the same of elements and entries: by index, rank, value or key, one or a range, to be read or
to be removed. A :class:`Call` is one such operation; its methods check what is said to it, and encode it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import attrs

from trio_aerospike import ctx as contexts
from trio_aerospike._cdt.arguments import as_list, packed_key, packed_keys, packed_value
from trio_aerospike._cdt.types import ListReturn, MapReturn
from trio_aerospike._wire import cdt_ops, constants as wire
from trio_aerospike._wire.cdt import INT_MAX, INT_MIN
from trio_aerospike._wire.cdt_calls import Packed, encode_cdt_call
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_bin_name, checked_enum, checked_int, refused

_ELEMENT = frozenset((0, 1, 2, 3, 4, 5, 7, 13))
_ENTRY = _ELEMENT | {6, 8, 16, 17}
_INDEX_RANGES = frozenset((9, 10))
_RANK_RANGES = frozenset((11, 12))
_RANGES = _INDEX_RANGES | _RANK_RANGES


@attrs.frozen(eq=False)
class Call:
    """What an operation is called and numbered, and how it chooses elements.

    Args:
        what: its name, for refusals.
        opcode: its number on the wire.
        writes: whether it changes the record.
        returns: the kinds of results of its family.
        ranges: which of them are ``[first, count]``; they do not go with ``inverted``.
    """

    what: str
    opcode: int
    writes: bool
    returns: type[IntEnum]
    ranges: frozenset[int] = frozenset()

    def operation(self, bin_name: str, args: Sequence[Any], ctx: contexts.ContextLike, *, create: int = 0) -> Operation:
        """The operation with arguments that are checked; ``create`` goes on top of the context's last step."""
        name = checked_bin_name(bin_name, f"{self.what}.bin_name")
        steps = () if is_empty(ctx) else self.steps(ctx)
        payload = encode_cdt_call(self.opcode, args, contexts.encode_steps(steps, create))
        # As the C client: each operation on a map is answered, also where it has nothing to say (aerospike_key.c).
        info2 = wire.INFO2_RESPOND_ALL_OPS if self.returns is MapReturn else 0
        if self.writes:
            return Operation(wire.OP_CDT_MODIFY, name, payload, info2=info2)
        return Operation(wire.OP_CDT_READ, name, payload, info1=wire.INFO1_READ, info2=info2)

    def steps(self, ctx: contexts.ContextLike) -> tuple[contexts.Context, ...]:
        """The context's steps; those that create are refused where nothing is written."""
        steps = contexts.checked_steps(f"{self.what}.ctx", ctx, paths=False)
        if not self.writes:
            for place, step in enumerate(steps):
                if step.creates:
                    raise refused(f"{self.what}.ctx[{place}]", step, "steps that create nothing, as this only reads")
        return steps

    # -- arguments -----------------------------------------------------------------------------------------------------

    def number(self, field: str, value: object) -> int:
        """An index or a rank."""
        return checked_int(f"{self.what}.{field}", value, INT_MIN, INT_MAX)

    def count(self, count: object) -> list[int]:
        """How many: one argument, or none where None leaves it to the end."""
        if count is None:
            return []
        return [checked_int(f"{self.what}.count", count, 0, INT_MAX, " or None for all that follow")]

    def value(self, field: str, value: object) -> Packed:
        """A value that is stored."""
        return packed_value(f"{self.what}.{field}", value)

    def comparand(self, field: str, value: object) -> Packed:
        """A value that is compared with."""
        return packed_value(f"{self.what}.{field}", value, comparison=True)

    def addend(self, value: object) -> int | float:
        """A number that is added."""
        is_int = isinstance(value, int) and not isinstance(value, bool)
        if isinstance(value, float) or (is_int and INT_MIN <= value <= INT_MAX):  # type: ignore[operator]
            return value  # type: ignore[return-value]
        raise refused(f"{self.what}.value", value, "an int of 64 bits or a float")

    def return_type(self, return_type: object, inverted: object) -> int:
        """What is asked for, as the wire says it."""
        where = f"{self.what}.return_type"
        kind = checked_enum(where, return_type, self.returns)
        allowed = (_ENTRY if self.returns is MapReturn else _ELEMENT) | self.ranges
        if kind not in allowed:
            raise refused(where, kind, self._names(allowed))
        if inverted is False:
            return int(kind)
        if inverted is not True:
            raise refused(f"{self.what}.inverted", inverted, "True or False")
        if kind in _RANGES:
            raise refused(where, kind, f"{self._names(allowed - _RANGES)}: with inverted the selection is not a range")
        return kind | cdt_ops.RETURN_INVERTED

    def _names(self, allowed: frozenset[int]) -> str:
        return ", ".join(member.name for member in self.returns if member in allowed)

    # -- by index, rank, value, key ------------------------------------------------------------------------------------

    def one(
        self, bin_name: str, field: str, number: object, return_type: object, ctx: contexts.ContextLike
    ) -> Operation:
        """The one at an index or a rank."""
        return self.operation(bin_name, (self.return_type(return_type, False), self.number(field, number)), ctx)

    def span(
        self,
        bin_name: str,
        field: str,
        number: object,
        count: object,
        return_type: object,
        inverted: object,
        ctx: contexts.ContextLike,
    ) -> Operation:
        """A number of them from an index or a rank."""
        kind = self.return_type(return_type, inverted)
        return self.operation(bin_name, (kind, self.number(field, number), *self.count(count)), ctx)

    def by_value(
        self, bin_name: str, value: object, return_type: object, inverted: object, ctx: contexts.ContextLike
    ) -> Operation:
        """All with a value."""
        kind = self.return_type(return_type, inverted)
        return self.operation(bin_name, (kind, self.comparand("value", value)), ctx)

    def by_value_list(
        self, bin_name: str, values: object, return_type: object, inverted: object, ctx: contexts.ContextLike
    ) -> Operation:
        """All with one of several values."""
        kind = self.return_type(return_type, inverted)
        listed = as_list(f"{self.what}.values", values, "values")
        return self.operation(bin_name, (kind, self.comparand("values", listed)), ctx)

    def by_value_range(
        self,
        bin_name: str,
        begin: object,
        end: object,
        return_type: object,
        inverted: object,
        ctx: contexts.ContextLike,
    ) -> Operation:
        """All with a value from ``begin`` to ``end``, the latter excluded."""
        kind = self.return_type(return_type, inverted)
        bounds = [self.comparand("begin", begin)]
        if end is not None:
            bounds.append(self.comparand("end", end))
        return self.operation(bin_name, (kind, *bounds), ctx)

    def by_value_relative(
        self,
        bin_name: str,
        value: object,
        rank: object,
        count: object,
        return_type: object,
        inverted: object,
        ctx: contexts.ContextLike,
    ) -> Operation:
        """A number of them by rank, counted from where a value is or would be."""
        kind = self.return_type(return_type, inverted)
        args = (kind, self.comparand("value", value), self.number("rank", rank), *self.count(count))
        return self.operation(bin_name, args, ctx)

    def by_key(self, bin_name: str, key: object, return_type: object, ctx: contexts.ContextLike) -> Operation:
        """The one with a key."""
        kind = self.return_type(return_type, False)
        return self.operation(bin_name, (kind, packed_key(f"{self.what}.key", key)), ctx)

    def by_key_list(
        self, bin_name: str, keys: object, return_type: object, inverted: object, ctx: contexts.ContextLike
    ) -> Operation:
        """All with one of several keys."""
        kind = self.return_type(return_type, inverted)
        return self.operation(bin_name, (kind, packed_keys(f"{self.what}.keys", keys)[0]), ctx)

    def by_key_range(
        self,
        bin_name: str,
        begin: object,
        end: object,
        return_type: object,
        inverted: object,
        ctx: contexts.ContextLike,
    ) -> Operation:
        """All with a key from ``begin`` to ``end``, the latter excluded."""
        kind = self.return_type(return_type, inverted)
        bounds: list[Any] = [None if begin is None else packed_key(f"{self.what}.begin", begin)]
        if end is not None:
            bounds.append(packed_key(f"{self.what}.end", end))
        return self.operation(bin_name, (kind, *bounds), ctx)

    def by_key_relative(
        self,
        bin_name: str,
        key: object,
        index: object,
        count: object,
        return_type: object,
        inverted: object,
        ctx: contexts.ContextLike,
    ) -> Operation:
        """A number of them by index, counted from where a key is or would be."""
        kind = self.return_type(return_type, inverted)
        args = (kind, packed_key(f"{self.what}.key", key), self.number("index", index), *self.count(count))
        return self.operation(bin_name, args, ctx)


def is_empty(ctx: object) -> bool:
    """Whether a context stands for the bin itself: by its type, as what is none may not compare with True or False."""
    return isinstance(ctx, (tuple, list)) and not ctx


def list_call(name: str, opcode: int, *, writes: bool = False, ranges: bool = False) -> Call:
    """A call on elements of a list.

    In a list that is ordered an index is a rank, so that both kinds of ranges can be asked for; in one that is not,
    the server refuses the one that does not fit.
    """
    return Call(f"lists.{name}", opcode, writes, ListReturn, _RANGES if ranges else frozenset())


def map_call(name: str, opcode: int, *, writes: bool = False, ranges: str = "") -> Call:
    """A call on entries of a map; ``ranges`` is "index" or "rank" where these stand side by side."""
    kinds = {"index": _INDEX_RANGES, "rank": _RANK_RANGES, "": frozenset[int]()}[ranges]
    return Call(f"maps.{name}", opcode, writes, MapReturn, kinds)
