"""Normalize lists and maps that clients send: validate, shorten, sort maps by key.

Server: cdt_untrusted_rewrite in as/src/base/cdt.c.
"""

from __future__ import annotations

from itertools import pairwise

import attrs

from ..._wire import constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
from .content import SMALL, layout_of
from .elements import (
    BYTES,
    COMPARISON_EXT,
    EXT,
    FIXED_SIZES,
    INTEGER,
    LIST,
    LIST_ORDERED,
    MAP,
    MAP_K_ORDERED,
    MAP_KV_ORDERED,
    NEGATIVE,
    PERSIST_INDEX,
    STRING,
    Malformed,
    end_of,
    ext_at,
    header_at,
    is_ext,
    kind_of,
    list_start,
    map_start,
    packed_int,
    text_of,
)
from .order import Key, compare, key_of, sorted_indexes

_TEXT_LIMITS = {0xC4: 0x1F, 0xD9: 0x1F, 0xC5: 0xFF, 0xDA: 0xFF, 0xC6: 0xFFFF, 0xDB: 0xFFFF}
"""The longest text or blob that fits the next shorter header."""
_EXT_SIZES = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}


@attrs.define(eq=False)
class _Level:
    """A list or map while it is read."""

    kind: int
    flags: int
    left: int
    """Elements that remain to be read, keys and values alike."""
    parts: list[bytes] = attrs.Factory(list)
    previous: Key | None = None
    is_unsorted: bool = False

    def closed(self) -> bytes:
        """The normalized list or map. Raises `Malformed`: a key is repeated."""
        if self.kind == LIST:
            return self._joined(list_start(len(self.parts), self.flags))
        if self.is_unsorted:
            keys = [key_of(part) for part in self.parts[::2]]
            order = sorted_indexes(keys)
            if any(compare(keys[one], keys[two]) >= 0 for one, two in pairwise(order)):
                raise Malformed
            self.parts = [part for at in order for part in self.parts[2 * at : 2 * at + 2]]
        return self._joined(map_start(len(self.parts) // 2, self.flags))

    def _joined(self, head: bytes) -> bytes:
        whole = head + b"".join(self.parts)
        if len(whole) > SMALL:
            layout = layout_of(whole)
            layout.note_sizes(self.parts)
            layout.in_order = True
        return whole

    def expect(self, data: bytes, pos: int) -> None:
        """Check whether the next element may be a key, and is in order. Raises `Malformed`: it is invalid there."""
        if self.kind == LIST:
            if not self.flags & LIST_ORDERED:
                return
        else:
            if self.left % 2:
                return
            if not is_map_key(data, pos):
                raise Malformed
            if self.is_unsorted:
                return
        end = _scalar_end(data, pos) if self.kind == MAP else end_of(data, pos)
        key = key_of(data[pos:end])
        if self.previous is not None:
            result = compare(self.previous, key)
            if result > 0:
                if self.kind == LIST or self.flags & MAP_K_ORDERED:
                    raise Malformed
                self.is_unsorted = True
            elif result == 0 and self.kind == MAP:
                raise Malformed
        self.previous = key


def checked(data: bytes, *, keeps_index: bool = False) -> bytes:
    """Normalize one element.

    Args:
        data: the element as a client sent it.
        keeps_index: it is a bin's whole value, which may keep an index; nested ones may not.

    Raises:
        Malformed: it cannot be stored.
    """
    stack: list[_Level] = []
    pos = 0
    while True:
        kind = kind_of(data, pos)
        if kind in (LIST, MAP):
            level, pos = _begun(data, pos, kind, keeps_index=keeps_index and not stack and not pos)
            if level.left:
                stack.append(level)
                level.expect(data, pos)
                continue
            piece = level.closed()
        else:
            piece, pos = _scalar(data, pos)
        while stack:
            level = stack[-1]
            level.parts.append(piece)
            level.left -= 1
            if level.left:
                level.expect(data, pos)
                break
            piece = level.closed()
            stack.pop()
        else:
            if pos != len(data):
                raise Malformed
            return piece


def _begun(data: bytes, pos: int, kind: int, *, keeps_index: bool) -> tuple[_Level, int]:
    """The list or map that begins here, and the offset of its elements."""
    pos, inside = header_at(data, pos)
    if not inside or kind_of(data, pos) != EXT:
        return _Level(kind, 0, inside), pos
    flags, _, pos = ext_at(data, pos)
    flags &= (LIST_ORDERED if kind == LIST else MAP_KV_ORDERED) | (PERSIST_INDEX if keeps_index else 0)
    if kind == LIST:
        return _Level(kind, flags, inside - 1), pos
    # Of the value beside a map's flags, usually nil, the server skips only the header.
    pos = header_at(data, pos)[0] if kind_of(data, pos) in (LIST, MAP) else _scalar_end(data, pos)
    return _Level(kind, flags, inside - 2), pos


def _scalar(data: bytes, pos: int) -> tuple[bytes, int]:
    """The shortest form of an element that is neither list nor map, and its end."""
    end = _scalar_end(data, pos)
    first = data[pos]
    element = data[pos:end]
    if 0xCC <= first <= 0xD3:
        # A negative number stays signed, a large unsigned one unsigned.
        number = int.from_bytes(element[1:], "big", signed=first >= 0xD0)
        return packed_int(number), end
    limit = _TEXT_LIMITS.get(first)
    if limit is not None:
        text = text_of(element)
        return (_text_header(len(text)) + text if len(text) <= limit else element), end
    if is_ext(data, pos):
        kind, size, _ = ext_at(data, pos)
        if kind == COMPARISON_EXT and 0 < size < 4:
            raise Malformed
        if first in (0xC7, 0xC8, 0xC9):
            return _ext_header(size, kind) + element[len(element) - size :], end
    return element, end


def _scalar_end(data: bytes, pos: int) -> int:
    if pos >= len(data):
        raise Malformed
    size = FIXED_SIZES[data[pos]]
    end = pos + size if size else header_at(data, pos)[0]
    if end > len(data):
        raise Malformed
    return end


def _text_header(length: int) -> bytes:
    if length < 0x20:
        return bytes((0xA0 | length,))
    if length < 0x100:
        return bytes((0xD9, length))
    return b"\xda" + length.to_bytes(2, "big") if length < 0x1_0000 else b"\xdb" + length.to_bytes(4, "big")


def _ext_header(size: int, kind: int) -> bytes:
    if size in _EXT_SIZES:
        return bytes((_EXT_SIZES[size], kind))
    if size < 0x100:
        return bytes((0xC7, size, kind))
    head = b"\xc8" + size.to_bytes(2, "big") if size < 0x1_0000 else b"\xc9" + size.to_bytes(4, "big")
    return head + bytes((kind,))


def is_map_key(data: bytes, pos: int = 0) -> bool:
    """Whether the element may be a map key: an integer, a string or a plain blob."""
    kind = kind_of(data, pos)
    if kind == BYTES:
        text = text_of(data[pos : _scalar_end(data, pos)])
        return text[:1] == bytes((wire.PARTICLE_BLOB,))
    return kind in (INTEGER, NEGATIVE, STRING)


def stored_value(particle: int, data: bytes) -> bytes:
    """Normalize a list or map that is written to a bin.

    Raises:
        Refused: SERVER, it is malformed, claims to be sorted but is not, or repeats a key.
    """
    try:
        value = checked(data, keeps_index=True)
    except Malformed:
        raise Refused(ResultCode.SERVER) from None
    if kind_of(value) != (LIST if particle == wire.PARTICLE_LIST else MAP):
        raise Refused(ResultCode.SERVER)
    return value
