"""Find and replace elements of a list or map without decoding the whole value.

To find an element in MessagePack, all elements before it have to be read. For large values a cached layout has the
offsets of some elements, so that reading or inserting one of 50,000 elements costs microseconds. Layouts are computed
when a value is stored, updated by single changes, and computed again for a value that has left the cache.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, TypeVar, overload

from .elements import FIXED_SIZES, Malformed, end_of, split

SMALL: Final = 2048
"""Bytes of a value up to which it is split as a whole."""
KEPT: Final = 32
"""Cached layouts, with their values: a few megabytes at most."""
_STEP: Final = 64
_LARGE: Final = 1024
_SHORT_TEXT: Final = 0xD9

_T = TypeVar("_T")


class Layout:
    """Marks within a value: the numbers of some elements and their offsets from the first one.

    Marks are some tens of elements apart; a large element is followed by a mark, too, so that it never has to be read
    to skip it.

    Attributes:
        in_order: the keys of the map are known to be sorted.
    """

    __slots__ = ("_count", "_numbers", "_offsets", "ends_at", "in_order")

    def __init__(self) -> None:
        self._numbers = array("I")
        self._offsets = array("I")
        self._count = 0
        self.ends_at: int = -1
        """The end of the last element; -1 if unknown."""
        self.in_order: bool = False

    def __repr__(self) -> str:
        return f"<Layout of {self._count} elements, {len(self._numbers)} marks>"

    @property
    def is_known(self) -> bool:
        return self.ends_at >= 0

    def read(self, data: bytes, start: int, count: int) -> None:
        """Read all elements.

        Args:
            data: the value.
            start: the offset of its elements.
            count: how many there are.

        Raises:
            Malformed: they are invalid MessagePack, or truncated.
        """
        numbers, places, end = _marks(data, start, count)
        self._numbers = array("I", numbers)
        self._offsets = array("I", [place - start for place in places])
        self._count, self.ends_at = count, end - start

    def note_sizes(self, elements: Sequence[bytes]) -> None:
        """Set the layout from the sizes of all elements."""
        sizes = list(map(len, elements))
        offsets = list(accumulate(sizes, initial=0))
        numbers: Sequence[int] = range(0, len(sizes), _STEP)
        if max(sizes, default=0) >= _LARGE:
            behind = {number + 1 for number, size in enumerate(sizes) if size >= _LARGE}
            numbers = sorted({*numbers, *behind.difference((len(sizes),))})
        self._numbers = array("I", numbers)
        self._offsets = array("I", [offsets[number] for number in numbers])
        self._count, self.ends_at = len(sizes), offsets[-1]

    def note_change(
        self, old: Layout, first: int, removed: int, before: int, behind: int, added: Sequence[bytes]
    ) -> None:
        """Derive the layout from that of the value before some elements were replaced.

        Args:
            old: that layout.
            first: the number of the first replaced element.
            removed: how many were replaced.
            before, behind: the offsets where they began and ended.
            added: the new elements.
        """
        kept = bisect_right(old._numbers, first)
        rest = bisect_left(old._numbers, first + removed, kept)
        numbers, offsets = old._numbers[:kept], old._offsets[:kept]
        places = list(accumulate(map(len, added), initial=before))
        n_elements, n_bytes = len(added) - removed, places[-1] - behind
        self._count, self.ends_at = old._count + n_elements, old.ends_at + n_bytes
        following = old._numbers[rest] + n_elements if rest < len(old._numbers) else self._count
        for number, place in enumerate(places[1:], first + 1):
            if number >= following:
                break
            elements, size = (number - numbers[-1], place - offsets[-1]) if numbers else (number, place)
            is_last_chance = number == first + len(added) and following - number + elements > 2 * _STEP
            if elements >= _STEP or size >= _LARGE or is_last_chance:
                numbers.append(number)
                offsets.append(place)
        numbers.extend([number + n_elements for number in old._numbers[rest:]])
        offsets.extend([offset + n_bytes for offset in old._offsets[rest:]])
        self._numbers, self._offsets, self.in_order = numbers, offsets, old.in_order

    def place(self, data: bytes, start: int, number: int) -> int:
        """The offset of an element; for the number after the last one, its end."""
        if number == self._count:
            return start + self.ends_at
        mark = bisect_right(self._numbers, number) - 1
        if mark < 0:
            return end_of(data, start, number)
        return end_of(data, start + self._offsets[mark], number - self._numbers[mark])


def _marks(data: bytes, pos: int, count: int) -> tuple[list[int], list[int], int]:
    """Numbers and offsets of marks, and the end of the last element, by reading every element."""
    fixed = FIXED_SIZES
    numbers: list[int] = []
    places: list[int] = []
    if count > len(data) - pos:
        raise Malformed
    try:
        for first in range(0, count, _STEP):
            if not numbers or numbers[-1] != first:
                numbers.append(first)
                places.append(pos)
            for number in range(first, min(first + _STEP, count)):
                kind = data[pos]
                size = fixed[kind]
                if size:
                    pos += size
                elif kind == _SHORT_TEXT:
                    pos += 2 + data[pos + 1]
                else:
                    before, pos = pos, end_of(data, pos)
                    if pos - before >= _LARGE and number + 1 < count:
                        numbers.append(number + 1)
                        places.append(pos)
    except IndexError:
        raise Malformed from None
    if pos > len(data):
        raise Malformed
    return numbers, places, pos


@lru_cache(KEPT)
def layout_of(data: bytes) -> Layout:
    """Return the layout of a large value, from a cache; empty if it has not been computed yet."""
    return Layout()


class Content:
    """The elements of a list, or the alternating keys and values of a map.

    Args:
        data: the whole value.
        start: the offset of its elements.
        count: how many there are.

    Raises:
        Malformed: they are invalid MessagePack, or truncated.
    """

    def __init__(self, data: bytes, start: int, count: int) -> None:
        self._data = data
        self._start = start
        self._count = count
        self._all: list[bytes] | None = None
        self._layout: Layout | None = None
        if len(data) <= SMALL:
            self._all = split(data, start, count)
        else:
            self._layout = layout_of(data)
            if not self._layout.is_known:
                self._layout.read(data, start, count)

    def __len__(self) -> int:
        return self._count

    def all(self) -> list[bytes]:
        """All elements."""
        if self._all is None:
            self._all = split(self._data, self._start, self._count)
        return self._all

    def one(self, number: int) -> bytes:
        """An element by its number, counted from 0."""
        if self._all is not None:
            return self._all[number]
        return self._data[self._place(number) : self._place(number + 1)]

    def between(self, first: int, end: int) -> list[bytes]:
        """The elements from number ``first`` up to number ``end``, excluded."""
        if self._all is not None:
            return self._all[first:end]
        return split(self._data, self._place(first), max(end - first, 0))

    def raw(self) -> bytes:
        """The bytes of all elements."""
        return self._data[self._start : self._end]

    def replaced(self, first: int, removed: int, added: Sequence[bytes], head: bytes) -> bytes:
        """The value with some elements replaced.

        Args:
            first: the number of the first replaced element.
            removed: how many are replaced.
            added: the new elements.
            head: the header of the new value.
        """
        data = self._data
        before, behind = self._place(first), self._place(first + removed)
        changed = b"".join((head, data[self._start : before], *added, data[behind : self._end]))
        if self._layout is not None and len(changed) > SMALL:
            layout = layout_of(changed)
            if not layout.is_known:
                start = self._start
                layout.note_change(self._layout, first, removed, before - start, behind - start, added)
        return changed

    @property
    def _end(self) -> int:
        return self._place(self._count)

    def _place(self, number: int) -> int:
        if self._layout is None:
            return self._start + sum(map(len, self.all()[:number]))
        return self._layout.place(self._data, self._start, number)


class Elements(Sequence[bytes]):
    """A view on the elements of a list, or on the keys or values of a map."""

    __slots__ = ("_content", "_first", "_list", "_step")

    def __init__(self, content: Content, first: int = 0, step: int = 1) -> None:
        self._content = content
        self._first = first
        self._step = step
        self._list: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self._content) // self._step

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if self._list is not None:
            return self._list[at]
        if isinstance(at, int):
            return self._content.one(self._first + self._step * (at if at >= 0 else at + len(self)))
        start, stop, step = at.indices(len(self))
        if step != 1 or 4 * (stop - start) > len(self):
            return self._whole()[at]
        return self._content.between(start * self._step, stop * self._step)[self._first :: self._step]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._whole())

    def _whole(self) -> list[bytes]:
        if self._list is None:
            self._list = self._content.all()[self._first :: self._step]
        return self._list


class Mapped(Sequence[_T]):
    """The results of a function for each element, computed on demand.

    Args:
        function: called with an element.
        elements: the elements.
    """

    __slots__ = ("_elements", "_function", "_list")

    def __init__(self, function: Callable[[bytes], _T], elements: Sequence[bytes]) -> None:
        self._function = function
        self._elements = elements
        self._list: list[_T] | None = None

    def __len__(self) -> int:
        return len(self._elements)

    @overload
    def __getitem__(self, at: int) -> _T: ...
    @overload
    def __getitem__(self, at: slice) -> list[_T]: ...
    def __getitem__(self, at: int | slice) -> _T | list[_T]:
        if self._list is not None:
            return self._list[at]
        if isinstance(at, int):
            return self._function(self._elements[at])
        return self.whole()[at]

    def __iter__(self) -> Iterator[_T]:
        return iter(self.whole())

    def whole(self) -> list[_T]:
        """All results."""
        if self._list is None:
            self._list = [self._function(element) for element in self._elements]
        return self._list
