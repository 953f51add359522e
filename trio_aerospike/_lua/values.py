"""Values of the database inside Lua: List, Map, Bytes and GeoJSON, and the way in and out.

Lua's own strings are bytes here, since both Lua's and the server's have no encoding. What each function does with
arguments that it cannot use (nothing, in most cases) is as in the server's mod-lua.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .._wire.constants import PARTICLE_BLOB, PARTICLE_HLL
from .._wire.values import GeoJSON, HyperLogLog, TypedBlob


class Unsupported(Exception):
    """A Lua value, such as a table or a function, that the database has no type for."""


class LuaList:
    """The List of Lua programs, counted from 1; also what ``l[i]`` and ``#l`` do there."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and 1 <= index <= len(self.items):
            return self.items[index - 1]
        return None

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, int) and index >= 1:
            kept = usable(value)
            self.items += [None] * (index - len(self.items))
            self.items[index - 1] = kept

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return f"[{', '.join(map(_shown, self.items))}]"


class LuaMap:
    """The Map of Lua programs; also what ``m[k]`` and ``#m`` do there."""

    __slots__ = ("items",)

    def __init__(self, items: dict[Any, Any]) -> None:
        self.items = items

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.items.get(key)
        except TypeError:
            return None

    def __setitem__(self, key: Any, value: Any) -> None:
        try:
            hash(key)
        except TypeError:
            return
        if key is not None:
            self.items[key] = usable(value)

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return f"{{{', '.join(f'{_shown(key)}:{_shown(value)}' for key, value in self.items.items())}}}"


class LuaBytes:
    """The Bytes of Lua programs, counted from 1; ``type`` is the particle type under which they are stored."""

    __slots__ = ("data", "type")

    def __init__(self, data: bytes | bytearray = b"", type: int = PARTICLE_BLOB) -> None:
        self.data = bytearray(data)
        self.type = type

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and 1 <= index <= len(self.data):
            return self.data[index - 1]
        return None

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, int) and index >= 1 and isinstance(value, int) and 0 <= value <= 255:
            self.put(index, bytes((value,)))

    def __len__(self) -> int:
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LuaBytes) and (self.data, self.type) == (other.data, other.type)

    def __hash__(self) -> int:
        return hash((bytes(self.data), self.type))

    def __str__(self) -> str:
        return " ".join(f"{byte:02X}" for byte in self.data)

    def put(self, index: int, data: bytes) -> bool:
        """Write bytes from a place on, with zeros up to there where it lies behind the end."""
        start = index - 1
        if len(self.data) < start:
            self.data += bytes(start - len(self.data))
        self.data[start : start + len(data)] = data
        return True


class LuaGeoJSON:
    """The GeoJSON of Lua programs."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __getitem__(self, index: Any) -> None:
        """Nothing can be taken from it."""

    def __str__(self) -> str:
        return self.text


_SCALARS = (bool, int, float, bytes, type(None))
_OBJECTS = (LuaList, LuaMap, LuaBytes, LuaGeoJSON)


def usable(value: Any) -> Any:
    """A value that a list, map or bin may hold.

    Raises:
        Unsupported: it is a table, a function, a record or the like.
    """
    if isinstance(value, (*_SCALARS, *_OBJECTS)):
        return value
    raise Unsupported(f"unsupported type {type(value).__name__}")


def to_lua(value: Any) -> Any:
    """A value of a bin or an argument as Lua sees it."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return LuaBytes(bytes(value))
    if isinstance(value, dict):
        return LuaMap({to_lua(key): to_lua(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return LuaList([to_lua(item) for item in value])
    if isinstance(value, GeoJSON):
        return LuaGeoJSON(value.text)
    if isinstance(value, HyperLogLog):
        return LuaBytes(value.data, PARTICLE_HLL)
    if isinstance(value, TypedBlob):
        return LuaBytes(value.data, value.type)
    return value


def from_lua(value: Any) -> Any:
    """A value that came out of Lua as one that the database can hold.

    Raises:
        Unsupported: it is a table, a function, a record or the like.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, LuaList):
        return [from_lua(item) for item in value.items]
    if isinstance(value, LuaMap):
        return {from_lua(key): from_lua(item) for key, item in value.items.items()}
    if isinstance(value, LuaGeoJSON):
        return GeoJSON(value.text)
    if isinstance(value, LuaBytes):
        data = bytes(value.data)
        if value.type == PARTICLE_BLOB:
            return data
        return HyperLogLog(data) if value.type == PARTICLE_HLL else TypedBlob(value.type, data)
    return usable(value)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return '"' + value.decode("utf-8", "replace") + '"'
    return "NIL" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def stepping(iterator: Iterator[Any]) -> Callable[..., Any]:
    """What a generic ``for`` of Lua calls for each step: nil ends it."""
    return lambda *_: next(iterator, None)
