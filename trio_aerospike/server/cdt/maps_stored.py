"""A map while an operation works on it: its pairs apart, in the order of their keys, and ranked by their values.

The server keeps every map sorted by key, whatever its flags say: unordered ones are sorted when they come in and stay
so (server: cdt_untrusted_rewrite, packed_map_find_key_maybe_unordered). Facts: as/src/base/particle_map.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from ...errors import ResultCode
from ..results import Refused
from .elements import (
    MAP_KV_ORDERED,
    MAP_V_ORDERED,
    PERSIST_INDEX,
    WILDCARD,
    Malformed,
    kind_of,
    map_start,
    opened,
    split,
)
from .order import Key, OddKey, by_rank_range, compare, key_of, sorted_indexes

KNOWN_FLAGS = MAP_KV_ORDERED | PERSIST_INDEX
"""What an operation may ask a map to be (server: cdt_check_flags)."""


class StoredMap:
    """A map's pairs.

    Args:
        flags: how it is ordered, and whether its index is kept.
        keys: the keys as they are stored, in their order.
        values: the value of each.
    """

    def __init__(self, flags: int, keys: list[bytes], values: list[bytes]) -> None:
        self.flags = flags
        self.keys = keys
        self.values = values
        self._known: list[Key] | None = None

    @classmethod
    def parse(cls, data: bytes) -> StoredMap:
        """Take a stored map apart.

        Raises:
            Refused: it is none.
        """
        try:
            _, count, flags, start = opened(data)
            flat = split(data, start, 2 * count)
        except Malformed:
            raise Refused(ResultCode.PARAM) from None
        return cls(flags, flat[::2], flat[1::2])

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"<StoredMap of {len(self)}, flags {self.flags:#04x}>"

    @property
    def is_key_ordered(self) -> bool:
        """Whether the server searches it by halves: any flag makes it so."""
        return self.flags != 0

    @property
    def is_value_indexed(self) -> bool:
        """Whether the order of its values is kept with it; it answers a little differently then.

        A map of one pair has no index, whatever its flags say.
        """
        kept = MAP_V_ORDERED | PERSIST_INDEX
        return self.flags & kept == kept and len(self) > 1

    @cached_property
    def key_keys(self) -> list[Key]:
        """What each key is compared by."""
        return [key_of(key) for key in self.keys]

    @cached_property
    def value_keys(self) -> list[Key]:
        """What each value is compared by."""
        return [key_of(value) for value in self.values]

    @cached_property
    def ranked(self) -> list[int]:
        """The places of the pairs from the lowest value to the highest; of equal values the lower key first."""
        return sorted_indexes(self.value_keys)

    @cached_property
    def ranks(self) -> list[int]:
        """The rank of each pair."""
        ranks = [0] * len(self)
        for rank, place in enumerate(self.ranked):
            ranks[place] = rank
        return ranks

    def from_rank(self, rank: int, count: int) -> list[int]:
        """The places of the pairs of these ranks, ascending.

        Where no index is kept, the server takes them off a heap; it matters when a value is no number (NaN), for then
        there is no one order.
        """
        if self.is_value_indexed or not any(type(key) is OddKey for key in self.value_keys):
            return self.ranked[rank : rank + count]
        pairs: list[Key] = [
            OddKey((*value, *key_of(key))) for key, value in zip(self.keys, self.value_keys, strict=True)
        ]
        chosen = by_rank_range(pairs, rank, count)
        return chosen[::-1] if rank <= len(self) - rank - count else chosen

    # Keys -----------------------------------------------------------------------------------------------------

    def expect_searches(self, count: int) -> None:
        """Prepare for so many searches of keys, before the map is changed."""
        if 4 * count >= len(self):
            self._known = self.key_keys

    def search(self, key: bytes) -> tuple[bool, int]:
        """Whether the key is there, and where it is or would be (server: packed_map_find_key_indexed).

        A wildcard is found where the search by halves begins.
        """
        wanted = key_of(key)
        known = self._known
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            order = compare(wanted, known[middle] if known else key_of(self.keys[middle]))
            if not order:
                return True, middle
            if order > 0:
                low = middle + 1
            else:
                high = middle
        return False, low

    def first_at_least(self, key: bytes) -> int:
        """How many keys are below `key`."""
        return 0 if kind_of(key) == WILDCARD else self.search(key)[1]

    def find(self, key: bytes) -> tuple[bool, int]:
        """Like :meth:`search`, but as an unordered map is searched where this is one: pair by pair.

        It makes a difference to the wildcard alone, which is there wherever anything is.
        """
        if not self.is_key_ordered and len(self) and kind_of(key) == WILDCARD:
            return True, 0
        return self.search(key)

    # New versions ---------------------------------------------------------------------------------------------

    def without(self, removed: Iterable[int]) -> bytes:
        """The map as it is stored when the pairs at these places have gone."""
        gone = set(removed)
        left = [place for place in range(len(self)) if place not in gone]
        return packed(self.flags, [self.keys[at] for at in left], [self.values[at] for at in left])


def packed(flags: int, keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """A map as it is stored."""
    flat = [b""] * (2 * len(keys))
    flat[::2] = keys
    flat[1::2] = values
    return map_start(len(keys), flags) + b"".join(flat)
