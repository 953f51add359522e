"""What programs do with the results of their batches: who only ever makes arrays of them is spared the records.

Records are decoded while the answers arrive, in the thread of the portal, so that ``to_dict`` has next to nothing left
to do on an event loop. For a program that calls ``to_numpy`` alone that would be most of the work, and for nothing.
Nobody says beforehand which it will be, but a program does the same with the same bins of the same set again and again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from trio_aerospike.keys import Key

#: Kinds of batches that are remembered of one client.
_KEPT: Final = 256
#: Rows from which on finding them takes longer than an event loop may be kept waiting.
_MANY: Final = 4096
#: The same for making rows of them.
_MANY_ROWS: Final = 1024

Kind = tuple[str, str, tuple[str, ...] | None]


class Habit:
    """What has been asked for so far of the results of one kind of batch.

    Args:
        for_loop: whether it is asked in an event loop, which must not be kept waiting, whatever is asked for.

    Attributes:
        arrays: ``to_numpy``.
        records: anything else.
        rows: ``batch_records`` among these.
    """

    __slots__ = ("_for_loop", "arrays", "records", "rows")

    def __init__(self, for_loop: bool = False) -> None:
        self._for_loop = for_loop
        self.arrays: bool = False
        self.records: bool = False
        self.rows: bool = False

    @property
    def decodes(self) -> bool:
        """Whether records are to be made beforehand. One that was wrong about it has been so once."""
        return self.records or not self.arrays

    def finds_rows(self, count: int) -> bool:
        """Whether what arrays need is to be made ready beside the records."""
        return count >= _MANY and (self.arrays or not self.records) and "numpy" in sys.modules

    def makes_dict(self, count: int) -> bool:
        """Whether a dict is to be made ready."""
        return not self.rows or (self._for_loop and count >= _MANY)

    def makes_rows(self, count: int) -> bool:
        """Whether ``batch_records`` is to be made ready. Of a large batch it is until something is known."""
        if count < _MANY:
            return count >= _MANY_ROWS and self.rows
        return self.rows or (self.records and self._for_loop) or not (self.arrays or self.records)


class Habits:
    """The habits of a client's callers, by kind of batch.

    Args:
        for_loop: as of :class:`Habit`.
    """

    __slots__ = ("_for_loop", "_habits")

    def __init__(self, for_loop: bool) -> None:
        self._for_loop = for_loop
        self._habits: dict[Kind, Habit] = {}

    def of(self, keys: Sequence[Key], bins: Sequence[str] | None) -> Habit:
        """The habit of batches like this one."""
        if not keys:
            return Habit(self._for_loop)
        kind = (keys[0].namespace, keys[0].set_name, None if bins is None else tuple(bins))
        habit = self._habits.get(kind)
        if habit is None:
            if len(self._habits) >= _KEPT:
                self._habits.clear()
            habit = self._habits[kind] = Habit(self._for_loop)
        return habit
