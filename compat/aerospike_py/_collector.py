"""Large results and Python's collector: many new objects that live on are no reason to look through all there are.

Python looks through its youngest objects after every few hundred, and through all of them when those that lived on have
become a quarter more: then every thread stands still for some tenths of a microsecond an object. Records are named
tuples, which the collector keeps an eye on; 60,000 of them made it stop an event loop for 20 to 150 ms, to find that
nothing had become garbage. What is made here cannot be garbage while it is made: it is on its way to somebody. So it is
put among the old objects, which takes no time (``gc.freeze`` and ``gc.unfreeze`` move whole lists).

Whatever else is young at that moment moves along. The young are looked through before, as Python would have done with
so many; but it does not know that these have grown old, and would put off its next look through all for ever. So such
strangers are counted, and after so many of them Python has its way until it has looked through all.

Nothing is done where a program has switched the collector off, or has frozen objects of its own; nor by a Python whose
lists are moved one object at a time (3.14 and later, and builds without the global lock).
"""

from __future__ import annotations

import gc
import sys
from typing import Final

#: Records of one result from which on they count as many.
MANY: Final = 2048
#: Objects that are not ours that may grow old before Python has its way.
_STRANGERS_MAX: Final = 500_000
_MOVES_LISTS: Final = sys.implementation.name == "cpython" and sys.version_info < (3, 14)


def _allocated() -> int:
    """How many objects have been made so far, less those let go of: as the collector counts for its youngest ones."""
    collections: int = gc.get_stats()[0]["collections"]
    return collections * (gc.get_threshold()[0] + 1) + gc.get_count()[0]


class Promotions:
    """Moves objects that have just been made out of the collector's sight.

    Attributes:
        strangers: how many others have moved along since the collector last looked through all.
    """

    def __init__(self) -> None:
        self.strangers = 0
        self._looks = -1
        self._frozen = False
        self._allocated = 0

    def begin(self) -> None:
        """From now on objects are counted: a result has turned out to be large."""
        self._allocated = _allocated()

    def promote(self, made: int) -> bool:
        """Put all young objects among the old ones.

        Args:
            made: how many of those since the last time, or since :meth:`begin`, are of results.

        Returns:
            Whether it was done.
        """
        if not _MOVES_LISTS or not gc.isenabled():
            return False
        looks: int = gc.get_stats()[-1]["collections"]
        if looks != self._looks:
            self._looks, self.strangers, self._frozen = looks, 0, False
        # To count the frozen takes time where there are many: they are counted once for each look through all.
        self._frozen = self._frozen or gc.get_freeze_count() > 0
        if self._frozen or self.strangers > _STRANGERS_MAX:
            return False
        self.strangers += max(0, _allocated() - self._allocated - made)
        gc.collect(0)
        gc.freeze()
        gc.unfreeze()
        self.begin()
        return True


_promotions = Promotions()
begin = _promotions.begin
promote = _promotions.promote
