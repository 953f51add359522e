"""Find the rows of a batch's answer, and their values, with array operations.

The rows of an answer stand one behind the other, each as long as its operations say. What may be the head of a row is
found by what all heads have in common; for all of those at once it is worked out where a row of a known layout would
end; and where ends and beginnings meet from the first byte to the last, these are the rows. A row of a kind that has no
layout (``row_layout``) is decoded by itself.

A value that looks like a head does no harm: nothing ends where it begins.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from .._wire import reading
from .._wire.batch_answers import BatchRow, read_row
from .._wire.constants import INFO3_LAST, MESSAGE_HEADER_SIZE
from ..errors import ProtocolError
from .row_layout import VARIABLE, Layout, layout_of

Positions: TypeAlias = npt.NDArray[np.int64]

#: Layouts in one answer past which the rows are decoded one by one.
LAYOUTS_MAX = 64
_UNKNOWN = -1
# Of a message's header (as_msg in the server's as/include/base/proto.h): what a row's index is, among others.
_INFO3, _RESULT_CODE, _GENERATION, _VOID_TIME, _INDEX, _N_FIELDS, _N_OPS = 3, 5, 6, 10, 14, 18, 20


@attrs.frozen(eq=False)
class Column:
    """The values of one bin in all rows of a layout.

    Args:
        particle: their type on the wire.
        positions: where each begins.
        sizes: how long each is; one number where all are the same.
    """

    particle: int
    positions: Positions
    sizes: Positions | int


@attrs.frozen(eq=False)
class Group:
    """All rows of one layout.

    Args:
        indexes: of the rows, in the batch.
        generations, void_times: from their headers.
        columns: by the name of the bin.
    """

    indexes: Positions
    generations: npt.NDArray[np.uint32]
    void_times: npt.NDArray[np.uint32]
    columns: dict[str, Column]


@attrs.frozen(eq=False)
class Rows:
    """What an answer holds.

    Args:
        data: its bytes.
        groups: the rows with bins, by layout.
        empty: indexes, result codes, generations and void times of the rows without any.
        others: the rows that have no layout.
        result: the result of the whole batch; None where its end is not there.
    """

    data: bytes
    groups: list[Group]
    empty: tuple[Positions, Positions, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]
    others: list[BatchRow]
    result: int | None


def find_rows(data: bytes) -> Rows:
    """Find the rows of an answer.

    Args:
        data: frames of an answer to a batch, one behind the other; whole rows.

    Raises:
        ProtocolError: it is malformed. (A mere value that is malformed is its row's error.)
    """
    return _Finder(data).find()


class _Finder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._total = len(data)
        self._bytes = array = np.frombuffer(data, np.uint8)
        starts = np.flatnonzero(array[: max(self._total - MESSAGE_HEADER_SIZE + 1, 0)] == MESSAGE_HEADER_SIZE)
        for offset in (1, 2, 4, _N_FIELDS, _N_FIELDS + 1):
            starts = starts[array[starts + offset] == 0]
        #: What may be rows: where each begins, and where it ends as far as that is known.
        self._starts: Positions = starts
        self._counts = take(data, starts + _N_OPS, ">u2").astype(np.int64)
        self._ends = np.where(self._counts == 0, starts + MESSAGE_HEADER_SIZE, _UNKNOWN)
        self._kinds = np.full(len(starts), _UNKNOWN)
        plain = (array[starts + _INFO3] == 0) & (array[starts + _RESULT_CODE] == 0) & (self._counts > 0)
        self._open = plain
        #: For each layout the candidates that fit it, in order, and where their values are.
        self._learnt: list[tuple[Positions, dict[str, Column]]] = []
        self._others: dict[int, tuple[BatchRow | None, int, int]] = {}

    def find(self) -> Rows:
        chosen = self._chain()
        data, array = self._data, self._bytes
        kinds = self._kinds[chosen]
        groups = []
        for kind, (alike, columns) in enumerate(self._learnt):
            of_kind = chosen[kinds == kind]
            if len(of_kind):
                starts = self._starts[of_kind]
                groups.append(
                    Group(
                        take(data, starts + _INDEX, ">u4").astype(np.int64),
                        take(data, starts + _GENERATION, ">u4").astype(np.uint32),
                        take(data, starts + _VOID_TIME, ">u4").astype(np.uint32),
                        columns if len(of_kind) == len(alike) else _only(columns, np.searchsorted(alike, of_kind)),
                    )
                )
        bare = self._starts[chosen[self._counts[chosen] == 0]]
        last = (array[bare + _INFO3] & INFO3_LAST) != 0
        result = None
        if last.any():
            if not last[-1] or last.sum() > 1 or bare[-1] + MESSAGE_HEADER_SIZE != self._total:
                raise ProtocolError("there are bytes after the end of a batch")
            result = int(array[bare[-1] + _RESULT_CODE])
            bare = bare[:-1]
        others = []
        for row, _, code in self._others.values():
            if row is not None:
                others.append(row)
            else:
                result = code
        empty = (
            take(data, bare + _INDEX, ">u4").astype(np.int64),
            array[bare + _RESULT_CODE].astype(np.int64),
            take(data, bare + _GENERATION, ">u4").astype(np.uint32),
            take(data, bare + _VOID_TIME, ">u4").astype(np.uint32),
        )
        return Rows(data, groups, empty, others, result)

    def _chain(self) -> Positions:
        """Which of the candidates are rows; the ones that are decoded by themselves are left in ``_others``."""
        if self._counts.size and self._open[0]:
            self._learn(0)
        total = self._total
        # What only looks like a head has no end, as a rule, and nothing ends where it begins.
        likely: Positions = np.flatnonzero(self._ends != _UNKNOWN)
        if self._joined(likely):
            return likely
        likely = likely[self._reached(likely)]
        if self._joined(likely):
            return likely
        places = {start: place for place, start in enumerate(self._starts.tolist())}
        known = self._ends.tolist()
        chosen: list[int] = []
        position = 0
        while position < total:
            place = places.get(position)
            if place is not None and known[place] == _UNKNOWN and self._open[place] and self._learn(place):
                known = self._ends.tolist()
            if place is None or known[place] == _UNKNOWN:
                position = self._decode(position)
            else:
                chosen.append(place)
                position = known[place]
        if position != total:
            raise ProtocolError(f"an answer to a batch of {total} bytes is cut off")
        return np.array(chosen, np.int64)

    def _reached(self, likely: Positions) -> npt.NDArray[np.bool_]:
        """Which of these candidates begin where another ends, or at the first byte."""
        starts, ends = self._starts[likely], self._ends[likely]
        reached: npt.NDArray[np.bool_] = starts == 0
        places = np.searchsorted(starts, ends)
        inside = places < len(starts)
        places, ends = places[inside], ends[inside]
        reached[places[starts[places] == ends]] = True
        return reached

    def _joined(self, likely: Positions) -> bool:
        """Whether each of these candidates ends where the next begins, from the first byte to the last."""
        starts, ends = self._starts[likely], self._ends[likely]
        if not len(likely) or starts[0] != 0 or ends[-1] != self._total:
            return False
        return bool(np.array_equal(ends[:-1], starts[1:]))

    def _decode(self, position: int) -> int:
        """A row by itself; returns where it ends."""
        try:
            found = read_row(self._data, position)
        except reading.CUT_OFF:
            raise ProtocolError(f"an answer to a batch is cut off within {self._total} bytes") from None
        self._others[position] = found
        return found[1]

    def _learn(self, place: int) -> bool:
        """Work out for all open candidates where they end, had they the layout of the one at ``place``."""
        self._open[place] = False
        if len(self._learnt) >= LAYOUTS_MAX:
            return False
        start = int(self._starts[place])
        try:
            row, _, _ = read_row(self._data, start)
            # A row with a value that cannot be decoded has a layout all the same: its other bins are read.
            layout = None if row is None else layout_of(self._data, start)
            if layout is None or not all(_is_text(head[4:]) for head, _ in layout):
                return False
        except (*reading.CUT_OFF, ProtocolError):
            return False
        self._open[place] = True
        alike = np.flatnonzero(self._open & (self._counts == len(layout)))
        alike, ends, columns = self._fit(layout, alike)
        self._ends[alike] = ends
        self._kinds[alike] = len(self._learnt)
        self._open[alike] = False
        self._learnt.append((alike, columns))
        return True

    def _fit(self, layout: Layout, alike: Positions) -> tuple[Positions, Positions, dict[str, Column]]:
        """Which of the candidates have a layout, where they end, and where their values are."""
        data, total = self._data, self._total
        at = self._starts[alike] + MESSAGE_HEADER_SIZE
        found: list[tuple[bytes, Positions, Positions | int]] = []
        for head, fixed in layout:
            width = 4 + len(head)
            fits = at + width <= total
            if not fits.all():
                alike, at, found = _keep(fits, alike, at, found)
            seen = gather(data, at, width)
            sizes: Positions | int
            if fixed != VARIABLE:
                expected = (len(head) + fixed).to_bytes(4, "big") + head
                fits = _equal(seen, expected)
                sizes = fixed
            else:
                fits = _equal(np.ascontiguousarray(seen[:, 4:]), head)
                sizes = np.ascontiguousarray(seen[:, :4]).view(">u4").ravel().astype(np.int64) - len(head)
                fits &= sizes >= 0
            if not fits.all():
                alike, at, found = _keep(fits, alike, at, found)
                sizes = sizes if isinstance(sizes, int) else sizes[fits]
            at = at + width
            found.append((head, at, sizes))
            at = at + sizes
        fits = at <= total
        if not fits.all():
            alike, at, found = _keep(fits, alike, at, found)
        return alike, at, {head[4:].decode(): Column(head[1], where, sizes) for head, where, sizes in found}


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _keep(
    fits: npt.NDArray[np.bool_],
    alike: Positions,
    at: Positions,
    found: list[tuple[bytes, Positions, Positions | int]],
) -> tuple[Positions, Positions, list[tuple[bytes, Positions, Positions | int]]]:
    """Drop the candidates that have turned out to be of another layout."""
    kept = [(head, where[fits], sizes if isinstance(sizes, int) else sizes[fits]) for head, where, sizes in found]
    return alike[fits], at[fits], kept


def _only(columns: dict[str, Column], places: Positions) -> dict[str, Column]:
    """Some of the values."""
    return {
        name: Column(
            column.particle,
            column.positions[places],
            column.sizes if isinstance(column.sizes, int) else column.sizes[places],
        )
        for name, column in columns.items()
    }


def _equal(seen: npt.NDArray[np.uint8], expected: bytes) -> npt.NDArray[np.bool_]:
    """Which of the rows of bytes are the ones expected."""
    if seen.tobytes() == expected * len(seen):
        return np.ones(len(seen), np.bool_)
    same: npt.NDArray[np.bool_] = (seen == np.frombuffer(expected, np.uint8)).all(axis=1)
    return same


def take(data: bytes, positions: Positions, dtype: str) -> npt.NDArray[np.generic]:
    """The values of a plain type that stand at some positions."""
    kind: np.dtype[np.generic] = np.dtype(dtype)
    return gather(data, positions, kind.itemsize).view(kind).ravel()


def gather(data: bytes, positions: Positions, width: int) -> npt.NDArray[np.uint8]:
    """``width`` bytes from each of some positions: an array of as many rows. What stands behind the end is zero."""
    count = len(positions)
    if not count or not width:
        return np.zeros((count, width), np.uint8)
    if int(positions.max()) + width > len(data):
        data += bytes(width)
    # One item begins at every byte: picking some of them is one step for NumPy, whatever their width.
    items = np.ndarray((len(data) - width + 1,), f"V{width}", data, 0, (1,))
    return items[positions].view(np.uint8).reshape(count, width)
