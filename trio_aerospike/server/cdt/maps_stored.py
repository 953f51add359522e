"""A stored map while an operation works on it: its pairs sorted by key, and their ranks by value.

The server keeps every map sorted by key, whatever its flags say: unordered ones are sorted when they come in and stay
so (server: cdt_untrusted_rewrite, packed_map_find_key_maybe_unordered). Facts: as/src/base/particle_map.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from ...errors import ResultCode
from ..exceptions import Refused
from .content import SMALL, Content, Elements, Mapped, layout_of
from .elements import (
    MAP_KV_ORDERED,
    MAP_V_ORDERED,
    PERSIST_INDEX,
    WILDCARD,
    Malformed,
    kind_of,
    map_start,
    opened,
)
from .order import Key, OddKey, by_rank_range, compare, key_of, sorted_indexes

KNOWN_FLAGS = MAP_KV_ORDERED | PERSIST_INDEX
"""The valid flags of a map (server: cdt_check_flags)."""


class StoredMap:
    """A map's pairs.

    Args:
        flags: its order, and whether its index is kept.
        keys: the keys as MessagePack, sorted.
        values: the value of each key.
        content: keys and values of the stored map; None if the map is not stored.
    """

    def __init__(
        self, flags: int, keys: Sequence[bytes], values: Sequence[bytes], content: Content | None = None
    ) -> None:
        self.flags = flags
        self.keys = keys
        self.values = values
        self._content = content

    @classmethod
    def parse(cls, data: bytes) -> StoredMap:
        """Parse a stored map. Raises `Refused`: it is not a map."""
        try:
            _, count, flags, start = opened(data)
            content = Content(data, start, 2 * count)
        except Malformed:
            raise Refused(ResultCode.PARAM) from None
        return cls(flags, Elements(content, 0, 2), Elements(content, 1, 2), content)

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"<StoredMap of {len(self)}, flags {self.flags:#04x}>"

    @property
    def is_key_ordered(self) -> bool:
        """Whether the server uses binary search: any flag has this effect."""
        return self.flags != 0

    @property
    def is_value_indexed(self) -> bool:
        """Whether it keeps an index of its values, with which some results differ.

        A map of one pair has no index, whatever its flags.
        """
        kept = MAP_V_ORDERED | PERSIST_INDEX
        return self.flags & kept == kept and len(self) > 1

    @cached_property
    def key_keys(self) -> Mapped[Key]:
        """The sort key of each key."""
        return Mapped(key_of, self.keys)

    @cached_property
    def value_keys(self) -> list[Key]:
        """The sort key of each value."""
        return [key_of(value) for value in self.values]

    @cached_property
    def ranked(self) -> list[int]:
        """The positions of the pairs sorted by value; for equal values by key."""
        return sorted_indexes(self.value_keys)

    @cached_property
    def ranks(self) -> list[int]:
        """The rank of each pair."""
        ranks = [0] * len(self)
        for rank, place in enumerate(self.ranked):
            ranks[place] = rank
        return ranks

    def from_rank(self, rank: int, count: int) -> list[int]:
        """The positions of the pairs of these ranks, ascending.

        Without an index, the server takes them off a heap, which matters if a value is NaN: then there is no total
        order.
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
        """Prepare for a number of searches by key, before the map is changed."""
        if 4 * count >= len(self):
            self.key_keys.whole()

    def search(self, key: bytes) -> tuple[bool, int]:
        """Whether the key exists, and its position or insertion point (server: packed_map_find_key_indexed).

        A wildcard is found where the binary search begins.
        """
        wanted = key_of(key)
        known = self.key_keys
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            order = compare(wanted, known[middle])
            if not order:
                return True, middle
            if order > 0:
                low = middle + 1
            else:
                high = middle
        return False, low

    def first_at_least(self, key: bytes) -> int:
        """The number of lower keys."""
        return 0 if kind_of(key) == WILDCARD else self.search(key)[1]

    def find(self, key: bytes) -> tuple[bool, int]:
        """Like :meth:`search`, but an unordered map is searched pair by pair, as in the server.

        That makes a difference for the wildcard only, which equals the first key.
        """
        if not self.is_key_ordered and len(self) and kind_of(key) == WILDCARD:
            return True, 0
        return self.search(key)

    # New versions ---------------------------------------------------------------------------------------------

    def with_pair(self, at: int, key: bytes, value: bytes, *, replaces: bool) -> bytes:
        """The stored map with a pair inserted at a position, or replaced."""
        if self._content is None:
            keys, values = list(self.keys), list(self.values)
            keys[at : at + replaces], values[at : at + replaces] = [key], [value]
            return packed(self.flags, keys, values)
        head = map_start(len(self) + (not replaces), self.flags)
        return self._content.replaced(2 * at, 2 if replaces else 0, (key, value), head)

    def without(self, removed: Iterable[int]) -> bytes:
        """The stored map without the pairs at these positions."""
        gone = set(removed)
        first, count = min(gone), len(gone)
        if self._content is not None and max(gone) - first + 1 == count:
            return self._content.replaced(2 * first, 2 * count, (), map_start(len(self) - count, self.flags))
        left = [place for place in range(len(self)) if place not in gone]
        return packed(self.flags, [self.keys[at] for at in left], [self.values[at] for at in left])


def packed(flags: int, keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """The stored form of a map."""
    flat = [b""] * (2 * len(keys))
    flat[::2] = keys
    flat[1::2] = values
    whole = map_start(len(keys), flags) + b"".join(flat)
    if len(whole) > SMALL and not (layout := layout_of(whole)).is_known:
        layout.note_sizes(flat)
    return whole
