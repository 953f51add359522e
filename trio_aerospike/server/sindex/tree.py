"""The sorted structures of a secondary index: entries of each partition, and the partitions of each value.

Both keep their content in arrays of plain numbers and bytes. That takes 38 bytes an entry, is searched by `bisect`, and
gives Python's garbage collector nothing to walk: a sorted container of Python objects, of which each entry needs at
least one, would be walked as a whole in each full pass.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from ..._wire.constants import DIGEST_SIZE, N_PARTITIONS

SIGNED, UNSIGNED = "q", "Q"
"""The type of an index's numbers, of 64 bits."""
BLOCK_SIZE = 1024
"""Entries of a block are divided when there are twice as many."""


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
        """Put in an entry that is not there."""
        at = self._place(number, digest)
        self._numbers.insert(at, number)
        self._digests[at * DIGEST_SIZE : at * DIGEST_SIZE] = digest

    def remove(self, number: int, digest: bytes) -> None:
        """Take out an entry that is there."""
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
    """Some pairs of number and partition, in order."""

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
    """In which partitions the entries of a number are; one pair for each entry, in blocks as in the leaves of a tree.

    A query of few entries looks at their partitions alone, however many there are.

    Attributes:
        distinct: how many different numbers there are.
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
        """Count in an entry."""
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
        """Take out an entry that was counted in."""
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
        """The partitions of the entries from one number to another, both included; None for more of them."""
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
    """Entries up to which the partitions of a range are found out: with more of them nearly all have some."""

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
        """How many different numbers there are."""
        return self._by_number.distinct

    def add(self, partition: int, number: int, digest: bytes) -> None:
        """Put in an entry that is not there."""
        entries = self._by_partition.get(partition)
        if entries is None:
            entries = self._by_partition[partition] = PartitionEntries(self._type)
        entries.add(number, digest)
        self._by_number.add(number, partition)
        self._count += 1

    def remove(self, partition: int, number: int, digest: bytes) -> None:
        """Take out an entry that is there."""
        entries = self._by_partition[partition]
        entries.remove(number, digest)
        if not entries:
            del self._by_partition[partition]
        self._by_number.remove(number, partition)
        self._count -= 1

    def clear(self) -> None:
        """Take out everything."""
        self._by_partition.clear()
        self._by_number = PartitionsByNumber(self._type)
        self._count = 0

    def between(self, partition: int, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The entries of a partition from one number to another, both included, as they are now."""
        entries = self._by_partition.get(partition)
        return iter(()) if entries is None else entries.between(begin, end)

    def partitions(self, ranges: list[tuple[int, int]]) -> set[int] | None:
        """The partitions that have entries in any of the ranges; None if that may be most partitions."""
        found: set[int] = set()
        for begin, end in ranges:
            some = self._by_number.partitions(begin, end, self.MOST_SINGLED_OUT)
            if some is None:
                return None
            found |= some
        return found
