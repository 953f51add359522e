"""Usage hints: which views of a batch's results a program asks for, so that the next results have them ready.

Records are decoded in the client's Trio run while the answers arrive, so that ``to_dict`` has little to do on an event
loop. For a program that calls only ``to_numpy`` that would be wasted work. A call does not say which view is needed,
but a program mostly asks for the same view of the same bins of the same set again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from trio_aerospike.keys import Key

#: Kinds of batches that are remembered for one client.
_KINDS_MAX: Final = 256
#: From so many rows on, finding them takes longer than an event loop should be blocked.
_MANY: Final = 4096
#: The same for converting them into BatchRecords.
_MANY_ROWS: Final = 1024

Kind = tuple[str, str, tuple[str, ...] | None]


class UsageHint:
    """Which views of the results of one kind of batch have been asked for.

    Args:
        for_loop: Whether the views are made in an event loop, which must not be blocked.

    Attributes:
        arrays: ``to_numpy``.
        records: Any other view.
        rows: ``batch_records``.
    """

    __slots__ = ("_for_loop", "arrays", "records", "rows")

    def __init__(self, for_loop: bool = False) -> None:
        self._for_loop = for_loop
        self.arrays: bool = False
        self.records: bool = False
        self.rows: bool = False

    @property
    def decodes(self) -> bool:
        """Whether to decode the records beforehand. A wrong guess is made once."""
        return self.records or not self.arrays

    def finds_rows(self, count: int) -> bool:
        """Whether to prepare for arrays besides decoding the records."""
        return count >= _MANY and (self.arrays or not self.records) and "numpy" in sys.modules

    def makes_dict(self, count: int) -> bool:
        """Whether to make the dict beforehand."""
        return not self.rows or (self._for_loop and count >= _MANY)

    def makes_rows(self, count: int) -> bool:
        """Whether to make ``batch_records`` beforehand. For a large batch it is the default."""
        if count < _MANY:
            return count >= _MANY_ROWS and self.rows
        return self.rows or (self.records and self._for_loop) or not (self.arrays or self.records)


class UsageHints:
    """The usage hints of a client, by kind of batch: namespace, set and bins.

    Args:
        for_loop: As for :class:`UsageHint`.
    """

    __slots__ = ("_for_loop", "_hints")

    def __init__(self, for_loop: bool) -> None:
        self._for_loop = for_loop
        self._hints: dict[Kind, UsageHint] = {}

    def of(self, keys: Sequence[Key], bins: Sequence[str] | None) -> UsageHint:
        """Return the hint for batches like this one."""
        if not keys:
            return UsageHint(self._for_loop)
        kind = (keys[0].namespace, keys[0].set_name, None if bins is None else tuple(bins))
        hint = self._hints.get(kind)
        if hint is None:
            if len(self._hints) >= _KINDS_MAX:
                self._hints.clear()
            hint = self._hints[kind] = UsageHint(self._for_loop)
        return hint
