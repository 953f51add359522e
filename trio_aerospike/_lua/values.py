"""The types of Lua programs: List, Map, Bytes, GeoJSON, Record; and checks of arguments.

Lua's own strings are bytes here, since both Lua's and the server's have no encoding. Facts: as_arraylist.c,
as_orderedmap.c, as_bytes.c of aerospike-common and their ``*_tostring``; mod_lua_val.c of mod-lua for what a value of
Lua becomes.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from .._lazy import LazyModule
from .._wire.constants import PARTICLE_BLOB

if TYPE_CHECKING:
    from lupa import lua54
else:
    lua54 = LazyModule("lupa.lua54")


class Fault(Exception):
    """An error of a library function, raised in Lua.

    Attributes:
        text: the server's message.
        place: the number of the wrong argument, counted from 1; 0 for none.
    """

    def __init__(self, text: str, place: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.place = place


class Userdata:
    """Userdata of Lua programs; ``NAME`` is its name in messages."""

    __slots__ = ()
    NAME: ClassVar[str] = "userdata"

    def __getitem__(self, key: Any) -> Any:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        raise Fault("attempt to index a userdata value")


class LuaList(Userdata):
    """The List of Lua programs, counted from 1, with ``l[i]`` and ``#l``.

    Attributes:
        items: its items.
        flags: its order, as stored.
        limit: its capacity; None if it grows.
    """

    __slots__ = ("flags", "items", "limit")
    NAME: ClassVar[str] = "List"

    def __init__(self, items: list[Any], flags: int = 0, limit: int | None = None) -> None:
        self.items = items
        self.flags = flags
        self.limit = limit

    def __getitem__(self, index: Any) -> Any:
        place = integer_at((None, index), 2) & 0xFFFF_FFFF
        return self.items[place - 1] if 0 < place <= len(self.items) else None

    def __setitem__(self, index: Any, value: Any) -> None:
        place = integer_at((None, index), 2) & 0xFFFF_FFFF
        kept = held(value)
        if place and kept is not NOTHING and not isinstance(kept, Record):
            self.grow_to(place)
            if place <= len(self.items):
                self.items[place - 1] = kept

    def grow_to(self, size: int) -> None:
        """Append nils, as far as there is room."""
        if size > len(self.items) and (self.limit is None or size <= self.limit):
            check_size(size, ITEMS_MAX)
            self.items += [None] * (size - len(self.items))

    def has_room(self, count: int) -> bool:
        """Whether more items fit."""
        check_size(len(self.items) + count, ITEMS_MAX)
        return self.limit is None or len(self.items) + count <= self.limit

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return "[" + ", ".join("<NULL>" if item is None else item for item in map(_shown, self.items)) + "]"


class LuaMap(Userdata):
    """The Map of Lua programs, sorted by keys: integers, strings and bytes; with ``m[k]`` and ``#m``.

    Attributes:
        flags: its order, as stored.
    """

    __slots__ = ("_order", "_pairs", "flags")
    NAME: ClassVar[str] = "Map"

    def __init__(self, flags: int = 0) -> None:
        self.flags = flags
        self._pairs: dict[_Rank, tuple[Any, Any]] = {}
        self._order: list[_Rank] = []

    def __getitem__(self, key: Any) -> Any:
        rank = _rank(held(key))
        found = None if rank is None else self._pairs.get(rank)
        return None if found is None else found[1]

    def __setitem__(self, key: Any, value: Any) -> None:
        kept = held(value)
        if kept is NOTHING:
            self.remove(key)
        elif not isinstance(kept, Record):
            self.put(held(key), kept)

    def put(self, key: Any, value: Any) -> bool:
        """Set the value of a key; returns whether it is a valid key."""
        rank = _rank(key)
        if rank is None:
            return False
        if rank not in self._pairs:
            check_size(len(self._order) + 1, ITEMS_MAX)
            insort(self._order, rank)
        self._pairs[rank] = key, value
        return True

    def remove(self, key: Any) -> None:
        """Remove a key, if it exists."""
        rank = _rank(held(key))
        if rank is not None and self._pairs.pop(rank, None) is not None:
            self._order.remove(rank)

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Keys and values in order; the map may be changed during the iteration, as a list may."""
        place = 0
        while place < len(self._order):
            yield self._pairs[self._order[place]]
            place += 1

    def __len__(self) -> int:
        return len(self._order)

    def __str__(self) -> str:
        parts = []
        for key, value in self.pairs():
            shown_key, shown = _shown(key), _shown(value)
            if shown_key is None or shown is None:
                break  # as in the server, nothing is shown after empty bytes
            parts.append(f"{shown_key}:{shown}")
        return "{" + ", ".join(parts) + "}"


class LuaBytes(Userdata):
    """The Bytes of Lua programs, counted from 1.

    Attributes:
        memory: the buffer, also past the end.
        size: the number of bytes.
        type: the stored type.
    """

    __slots__ = ("memory", "size", "type")
    NAME: ClassVar[str] = "Bytes"

    def __init__(self, data: bytes = b"", type: int = PARTICLE_BLOB) -> None:
        self.memory: bytearray = bytearray(data)
        self.size: int = len(data)
        self.type: int = type

    @property
    def data(self) -> bytes:
        """The bytes."""
        return bytes(self.memory[: self.size])

    def __getitem__(self, index: Any) -> Any:
        place = integer_at((None, index), 2)
        return self.memory[place - 1] if 1 <= place <= self.size else None

    def __setitem__(self, index: Any, value: Any) -> None:
        place, number = integer_at((None, index), 2), integer_at((None, None, value), 3)
        if 1 <= place <= 0xFFFF_FFFF and 0 <= number <= 255:
            self.put(place, bytes((number,)))

    def make_room(self, capacity: int) -> None:
        """Reserve room, filled with zeros."""
        check_size(capacity, BYTES_MAX)
        if capacity > len(self.memory):
            self.memory += bytes(capacity - len(self.memory))

    def put(self, place: int, data: bytes) -> None:
        """Write bytes at an offset; a gap before them is filled with zeros."""
        end = place - 1 + len(data)
        self.make_room(end)
        self.memory[place - 1 : end] = data
        self.size = max(self.size, end)

    def __len__(self) -> int:
        return self.size

    def __str__(self) -> str:
        return _shown(self) or "Bytes()"


class LuaGeoJSON(Userdata):
    """The GeoJSON of Lua programs."""

    __slots__ = ("text",)
    NAME: ClassVar[str] = "GeoJSON"

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __getitem__(self, key: Any) -> Any:
        raise Fault("attempt to index a userdata value")

    def __str__(self) -> str:
        return f'"{text_of(self.text)}"'


class Record(Userdata):
    """The Record of Lua programs; the server implements it."""

    __slots__ = ()
    NAME: ClassVar[str] = "Record"

    def __str__(self) -> str:
        return f"Record: {id(self):#016x}"


class Iterator_(Userdata):
    """The state of ``list.iterator`` and similar functions, besides the step function."""

    __slots__ = ("_ahead", "_left")
    NAME: ClassVar[str] = "Iterator"

    def __init__(self, left: Iterator[Any]) -> None:
        self._left = left
        self._ahead: list[Any] = []

    def step(self) -> Any:
        """The next value, or a tuple of several; None at the end."""
        return self._ahead.pop() if self._ahead else next(self._left, None)

    def has_next(self) -> bool:
        """Whether there is another value."""
        if not self._ahead:
            self._ahead = [value for value, _ in zip(self._left, (0,), strict=False)]
        return bool(self._ahead)


class Table(list[Any]):
    """A list that Lua gets as a table."""


#: In place of a value that the database cannot have, such as a table or a function.
NOTHING: Any = type("Nothing", (), {})()
#: The largest list or map, and the most bytes: a Lua program shares the process with others.
ITEMS_MAX = 1 << 22
BYTES_MAX = 1 << 26

_Rank = tuple[int, Any]
_SCALARS = (bool, int, float, type(None))
_OBJECTS = (LuaList, LuaMap, LuaBytes, LuaGeoJSON, Record)


def held(value: Any) -> Any:
    """Normalize a Lua value for the database: strings end at a zero byte, and a table becomes NOTHING."""
    if isinstance(value, bytes):
        return value.partition(b"\0")[0]
    return value if isinstance(value, (*_SCALARS, *_OBJECTS)) else NOTHING


def _rank(key: Any) -> _Rank | None:
    """The sort key of a map key; None if it is invalid (as_orderedmap.c: is_valid_key_type)."""
    if type(key) is int:
        return 0, key
    if isinstance(key, bytes):
        return 1, key
    if isinstance(key, LuaBytes) and key.type == PARTICLE_BLOB:
        return 2, key.data
    return None


def check_size(size: int, limit: int) -> None:
    """Check a size limit. Raises `Fault`: the value would be too large."""
    if size > limit:
        raise Fault("not enough memory")


def text_of(data: bytes) -> str:
    """Decode bytes; invalid UTF-8 is kept as surrogates."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Encode text of :func:`text_of`."""
    return text.encode("utf-8", "surrogateescape")


def _shown(value: Any) -> str | None:
    """A value of a list or map as text; None if the server has none."""
    if isinstance(value, bytes):
        return f'"{text_of(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.16g}"
    if isinstance(value, LuaBytes):
        return " ".join(f"{byte:02X}" for byte in value.data) or None
    if value is None:
        return "NIL"
    return "[ REC ]" if isinstance(value, Record) else str(value)


# What functions are called with ----------------------------------------------------------------------------------


def name_of(arguments: tuple[Any, ...], place: int) -> str:
    """The type of an argument in Lua's messages."""
    if place > len(arguments):
        return "no value"
    value = arguments[place - 1]
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, bytes):
        return "string"
    return value.NAME if isinstance(value, Userdata) else lua_type(value)


def lua_type(value: Any) -> str:
    """The type name of a Lua object."""
    return str(lua54.lua_type(value) or "userdata")


def integer_at(arguments: tuple[Any, ...], place: int, default: int = 0) -> int:
    """An argument as an integer; ``default`` if it is missing (luaL_optinteger). Raises `Fault`: it is not a number."""
    value = arguments[place - 1] if place <= len(arguments) else None
    if value is None:
        return default
    if type(value) is int:
        return value
    number: Any = value
    if isinstance(value, bytes):
        number = _number(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise Fault(f"number expected, got {name_of(arguments, place)}", place)
    if isinstance(number, float) and not (number.is_integer() and -(2.0**63) <= number < 2.0**63):
        raise Fault("number has no integer representation", place)
    return int(number)


def _number(text: bytes) -> int | float | None:
    stripped = text.strip(b" \f\n\r\t\v").decode("latin-1")
    if "_" in stripped:
        return None
    for read in (int, lambda digits: int(digits, 16) if "x" in digits.lower() else None, float):
        try:
            number = read(stripped)
        except ValueError:
            continue
        if isinstance(number, int) and not -(1 << 63) <= number < 1 << 63:
            return float(number)
        if number is not None:
            return number
    return None


def string_at(arguments: tuple[Any, ...], place: int) -> bytes | None:
    """An argument as a string, also a number; None if it is missing (luaL_optstring).

    Raises:
        Fault: it is of another type.
    """
    value = arguments[place - 1] if place <= len(arguments) else None
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Fault(f"string expected, got {name_of(arguments, place)}", place)
    if isinstance(value, int):
        return b"%d" % value
    text = f"{value:.14g}"
    return (text if any(mark in text for mark in ".einf") else f"{text}.0").encode()


def object_at(kind: type[Userdata], arguments: tuple[Any, ...], place: int) -> Any:
    """An argument of a userdata class. Raises `Fault`: it is of another type."""
    value = arguments[place - 1] if place <= len(arguments) else None
    if isinstance(value, kind):
        return value
    wanted = kind.NAME if isinstance(value, Userdata) else "userdata"
    raise Fault(f"{wanted} expected, got {name_of(arguments, place)}", place)


def record_at(arguments: tuple[Any, ...], place: int) -> Any:
    """A record argument of a method of ``aerospike``. Raises `Fault`: it is of another type."""
    value = arguments[place - 1] if place <= len(arguments) else None
    if not isinstance(value, Record):
        raise Fault(f"Record expected, got {name_of(arguments, place)}", place)
    return value


Function = Callable[..., Any]
