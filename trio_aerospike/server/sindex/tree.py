"""Sorted containers for a secondary index: the entries of each partition, and the partitions of each value.

Both store arrays of plain numbers and bytes, which take 38 bytes per entry, are searched by `bisect`, and hold nothing
for Python's garbage collector to traverse: with at least one Python object per entry, it would traverse all of them in
each full pass.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from ..._wire.constants import DIGEST_SIZE, N_PARTITIONS

SIGNED, UNSIGNED = "q", "Q"
"""Array type codes of 64-bit numbers."""
BLOCK_SIZE = 1024
"""A block of twice as many entries is split."""


class PartitionEntries:
    """The entries of one partition: number and digest of each, in that order.

    Args:
        numbers: SIGNED or UNSIGNED.
    """

    __slots__ = ("_digests", "_numbers")

    def __init__(self, numbers: str) -> None:
        self._numbers = array(numbers)
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return f"<PartitionEntries: {len(self)}>"

    def add(self, number: int, digest: bytes) -> None:
        """Add an entry, which must not exist."""
        at = self._place(number, digest)
        self._numbers.insert(at, number)
        self._digests[at * DIGEST_SIZE : at * DIGEST_SIZE] = digest

    def remove(self, number: int, digest: bytes) -> None:
        """Remove an entry, which must exist."""
        at = self._place(number, digest)
        del self._numbers[at]
        del self._digests[at * DIGEST_SIZE : (at + 1) * DIGEST_SIZE]

    def between(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The entries from one number to another, both included, as they are now."""
        numbers = self._numbers
        low = bisect_left(numbers, begin)
        high = bisect_right(numbers, end, low)
        digests = bytes(self._digests[low * DIGEST_SIZE : high * DIGEST_SIZE])
        return zip(
            numbers[low:high],
            (digests[at : at + DIGEST_SIZE] for at in range(0, len(digests), DIGEST_SIZE)),
            strict=True,
        )

    def _place(self, number: int, digest: bytes) -> int:
        low = bisect_left(self._numbers, number)
        high = bisect_right(self._numbers, number, low)
        return low + bisect_left(range(low, high), digest, key=self._digest_at)

    def _digest_at(self, at: int) -> bytes:
        return bytes(self._digests[at * DIGEST_SIZE : (at + 1) * DIGEST_SIZE])


class _Block:
    """A block of pairs of number and partition, sorted."""

    __slots__ = ("numbers", "partitions")

    def __init__(self, numbers: array[int], partitions: array[int]) -> None:
        self.numbers = numbers
        self.partitions = partitions

    @property
    def last(self) -> tuple[int, int]:
        return self.numbers[-1], self.partitions[-1]

    def place(self, number: int, partition: int) -> int:
        low = bisect_left(self.numbers, number)
        return bisect_left(self.partitions, partition, low, bisect_right(self.numbers, number, low))


class PartitionsByNumber:
    """The partitions of the entries of a number: one pair per entry, in blocks like the leaves of a tree.

    A query with few matches visits only their partitions.

    Attributes:
        distinct: the number of different numbers.
    """

    def __init__(self, numbers: str) -> None:
        self._type = numbers
        self._blocks: list[_Block] = []
        self._lasts: list[tuple[int, int]] = []
        self.distinct: int = 0

    def __len__(self) -> int:
        return sum(len(block.numbers) for block in self._blocks)

    def __repr__(self) -> str:
        return f"<PartitionsByNumber: {len(self)} entries, {self.distinct} numbers>"

    def add(self, number: int, partition: int) -> None:
        """Add an entry."""
        self.distinct += not self._has(number)
        if not self._blocks:
            self._blocks.append(_Block(array(self._type), array("H")))
            self._lasts.append((number, partition))
        which = min(bisect_left(self._lasts, (number, partition)), len(self._blocks) - 1)
        block = self._blocks[which]
        at = block.place(number, partition)
        block.numbers.insert(at, number)
        block.partitions.insert(at, partition)
        self._lasts[which] = block.last
        if len(block.numbers) >= 2 * BLOCK_SIZE:
            upper = _Block(block.numbers[BLOCK_SIZE:], block.partitions[BLOCK_SIZE:])
            del block.numbers[BLOCK_SIZE:], block.partitions[BLOCK_SIZE:]
            self._blocks.insert(which + 1, upper)
            self._lasts[which : which + 1] = block.last, upper.last

    def remove(self, number: int, partition: int) -> None:
        """Remove an entry."""
        which = bisect_left(self._lasts, (number, partition))
        block = self._blocks[which]
        at = block.place(number, partition)
        del block.numbers[at], block.partitions[at]
        if block.numbers:
            self._lasts[which] = block.last
        else:
            del self._blocks[which], self._lasts[which]
        self.distinct -= not self._has(number)

    def partitions(self, begin: int, end: int, most: int) -> set[int] | None:
        """The partitions of the entries in an interval, both ends included; None if there are too many entries."""
        found: set[int] = set()
        n_entries = 0
        for which in range(bisect_left(self._lasts, (begin, -1)), len(self._blocks)):
            block = self._blocks[which]
            low = bisect_left(block.numbers, begin)
            high = bisect_right(block.numbers, end, low)
            n_entries += high - low
            if n_entries > most:
                return None
            found.update(block.partitions[low:high])
            if high < len(block.numbers):
                break
        return found

    def _has(self, number: int) -> bool:
        which = bisect_left(self._lasts, (number, -1))
        if which == len(self._blocks):
            return False
        numbers = self._blocks[which].numbers
        at = bisect_left(numbers, number)
        return at < len(numbers) and numbers[at] == number


class SortedEntries:
    """All entries of an index on one node.

    Args:
        numbers: SIGNED or UNSIGNED.
    """

    MOST_SINGLED_OUT = 2 * N_PARTITIONS
    """The most entries of a range whose partitions are determined: with more, nearly all partitions have some."""

    def __init__(self, numbers: str) -> None:
        self._type = numbers
        self._by_partition: dict[int, PartitionEntries] = {}
        self._by_number = PartitionsByNumber(numbers)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<SortedEntries: {len(self)} of {self.distinct} numbers>"

    @property
    def distinct(self) -> int:
        """The number of different numbers."""
        return self._by_number.distinct

    def add(self, partition: int, number: int, digest: bytes) -> None:
        """Add an entry, which must not exist."""
        entries = self._by_partition.get(partition)
        if entries is None:
            entries = self._by_partition[partition] = PartitionEntries(self._type)
        entries.add(number, digest)
        self._by_number.add(number, partition)
        self._count += 1

    def remove(self, partition: int, number: int, digest: bytes) -> None:
        """Remove an entry, which must exist."""
        entries = self._by_partition[partition]
        entries.remove(number, digest)
        if not entries:
            del self._by_partition[partition]
        self._by_number.remove(number, partition)
        self._count -= 1

    def clear(self) -> None:
        """Remove all entries."""
        self._by_partition.clear()
        self._by_number = PartitionsByNumber(self._type)
        self._count = 0

    def between(self, partition: int, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The entries of a partition from one number to another, both included, as they are now."""
        entries = self._by_partition.get(partition)
        return iter(()) if entries is None else entries.between(begin, end)

    def partitions(self, ranges: list[tuple[int, int]]) -> set[int] | None:
        """The partitions with entries in any of the ranges; None if that may be most of them."""
        found: set[int] = set()
        for begin, end in ranges:
            partitions = self._by_number.partitions(begin, end, self.MOST_SINGLED_OUT)
            if partitions is None:
                return None
            found |= partitions
        return found
