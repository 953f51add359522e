"""Counters of a set's live records, updated with every write, so that reading them takes constant time.

Expired and truncated records are subtracted at once, all together, and removed one by one later. A record that has been
subtracted must not be subtracted again when it is removed: thresholds tell which records these are.
"""

from __future__ import annotations

from heapq import heappop, heappush


class SetCounts:
    """Live records of one set on one node.

    Attributes:
        objects: their number.
        size: their bytes in storage.
        expirable: how many of them have a void-time.
        cut: records updated before this time are truncated and not removed yet; 0 if there are none.
    """

    __slots__ = (
        "_applied", "_counted_from", "_expired_to", "_expiring", "_expiring_size", "_latest", "_void_times", "cut",
        "expirable", "objects", "size",
    )  # fmt: skip

    def __init__(self) -> None:
        self.objects: int = 0
        self.size: int = 0
        self.expirable: int = 0
        self.cut: int = 0
        # Records and bytes by void-time; the void-times are in a heap as well.
        self._expiring: dict[int, int] = {}
        self._expiring_size: dict[int, int] = {}
        self._void_times: list[int] = []
        self._latest = 0
        self._applied = 0
        # Records updated before the one, or expiring before the other, are not counted any more.
        self._counted_from = 0
        self._expired_to = 0

    def __repr__(self) -> str:
        return f"<SetCounts: {self.objects} objects, {self.size} bytes>"

    def add(self, last_update: int, void_time: int, size: int) -> None:
        """Count a record."""
        if last_update < self._counted_from or 0 < void_time < self._expired_to:
            return
        if last_update > self._latest:
            self._latest = last_update
        self.objects += 1
        self.size += size
        if void_time:
            self.expirable += 1
            if void_time not in self._expiring:
                heappush(self._void_times, void_time)
            self._expiring[void_time] = self._expiring.get(void_time, 0) + 1
            self._expiring_size[void_time] = self._expiring_size.get(void_time, 0) + size

    def remove(self, last_update: int, void_time: int, size: int) -> None:
        """Subtract a record, unless that has been done."""
        if last_update < self._counted_from or 0 < void_time < self._expired_to:
            return
        self.objects -= 1
        self.size -= size
        if void_time:
            self.expirable -= 1
            self._expiring[void_time] -= 1
            self._expiring_size[void_time] -= size

    def expire(self, now: int) -> int:
        """Subtract the records expired at a time, in seconds since the Citrusleaf epoch; returns their number."""
        expired = 0
        while self._void_times and self._void_times[0] < now:
            void_time = heappop(self._void_times)
            expired += self._expiring.pop(void_time)
            self.size -= self._expiring_size.pop(void_time)
            self._expired_to = max(self._expired_to, void_time + 1)
        self.objects -= expired
        self.expirable -= expired
        return expired

    def truncate(self, threshold: int) -> bool:
        """Apply a threshold; returns whether records may have to be removed.

        If all records are older, as after a complete truncation, they are subtracted at once; otherwise when they are
        removed.

        Args:
            threshold: in milliseconds since the Citrusleaf epoch; 0 for none, also if one was undone.
        """
        if threshold == self._applied:
            return False
        is_new = threshold > self._applied
        self._applied = threshold
        if not is_new or not self.objects:
            return False
        self.cut = max(self.cut, threshold)
        if threshold > self._latest:
            self._counted_from = threshold
            self.objects = self.size = self.expirable = 0
            self._expiring.clear()
            self._expiring_size.clear()
            self._void_times.clear()
        return True

    def forget_cut(self) -> None:
        """Note that all truncated records have been removed."""
        self.cut = self._counted_from = 0
