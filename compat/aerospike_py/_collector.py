"""Large results and Python's collector: many new objects that live on are no reason to look through all there are.

Python looks through its youngest objects after every few hundred, and through all of them when those that lived on have
become a quarter more: then every thread stands still for some tenths of a microsecond an object. Records are named
tuples, which the collector keeps an eye on; 60,000 of them made it stop an event loop for 20 to 150 ms, to find that
nothing had become garbage. What is made here cannot be garbage while it is made: it is on its way to somebody. So it is
put among the old objects as it is, which takes no time (``gc.freeze`` and ``gc.unfreeze`` move whole lists).

Whatever else is young at that moment moves along, and what of it is garbage in a cycle waits for the next look through
all. That is bounded: after so many of such strangers Python does as it always does, until it has looked through all.
Nothing is done where a program has switched the collector off, or has frozen objects of its own.
"""

from __future__ import annotations

import gc
from typing import Final

#: Records of one result from which on they count as many.
MANY: Final = 2048
#: Objects that are not ours that may move along before Python has its way.
_STRANGERS_MAX: Final = 100_000


class Promotions:
    """Moves objects that have just been made out of the collector's sight.

    Attributes:
        strangers: how many others have moved along since the collector last looked through all.
    """

    def __init__(self) -> None:
        self.strangers = 0
        self._looks = 0

    def promote(self, made: int) -> bool:
        """Put all young objects among the old ones.

        Args:
            made: how many of them are results of ours.

        Returns:
            Whether it was done.
        """
        if not gc.isenabled() or gc.get_freeze_count():
            return False
        looks: int = gc.get_stats()[-1]["collections"]
        if looks != self._looks:
            self._looks, self.strangers = looks, 0
        if self.strangers > _STRANGERS_MAX:
            return False
        self.strangers += max(0, gc.get_count()[0] - made)
        gc.freeze()
        gc.unfreeze()
        return True


_promotions = Promotions()
promote = _promotions.promote
