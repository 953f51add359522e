"""Values of the database inside Lua: List, Map, Bytes and GeoJSON.

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
    """What a function of the library complains about, raised in Lua as an error.

    Attributes:
        text: in the server's words.
        place: which argument is wrong, counted from 1; 0 where it is none.
    """

    def __init__(self, text: str, place: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.place = place


class Userdata:
    """What Lua programs see as userdata; ``NAME`` is what messages call it."""

    __slots__ = ()
    NAME: ClassVar[str] = "userdata"

    def __getitem__(self, key: Any) -> Any:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        raise Fault("attempt to index a userdata value")


class LuaList(Userdata):
    """The List of Lua programs, counted from 1; also what ``l[i]`` and ``#l`` do there.

    Attributes:
        items: what is in it.
        flags: of its order, as stored.
        limit: how many items it can take; None where it grows.
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
        """Put nils behind the last item, as far as there is room."""
        if size > len(self.items) and (self.limit is None or size <= self.limit):
            check_size(size, ITEMS_MAX)
            self.items += [None] * (size - len(self.items))

    def has_room(self, count: int) -> bool:
        """Whether so many more fit."""
        check_size(len(self.items) + count, ITEMS_MAX)
        return self.limit is None or len(self.items) + count <= self.limit

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        return "[" + ", ".join("<NULL>" if item is None else item for item in map(_shown, self.items)) + "]"


class LuaMap(Userdata):
    """The Map of Lua programs, sorted by keys: integers, strings and bytes; also what ``m[k]`` and ``#m`` do there.

    Attributes:
        flags: of its order, as stored.
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
        """Have a key stand for a value; returns whether it can be a key."""
        rank = _rank(key)
        if rank is None:
            return False
        if rank not in self._pairs:
            check_size(len(self._order) + 1, ITEMS_MAX)
            insort(self._order, rank)
        self._pairs[rank] = key, value
        return True

    def remove(self, key: Any) -> None:
        """Take a key out, if it is there."""
        rank = _rank(held(key))
        if rank is not None and self._pairs.pop(rank, None) is not None:
            self._order.remove(rank)

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Keys and values in their order; may be changed on the way, as a list may."""
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
                break  # as in the server, nothing is shown behind empty bytes
            parts.append(f"{shown_key}:{shown}")
        return "{" + ", ".join(parts) + "}"


class LuaBytes(Userdata):
    """The Bytes of Lua programs, counted from 1.

    Attributes:
        memory: for how many there is room, and what stands there, also behind the end.
        size: how many there are.
        type: what they are stored as.
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
        """Have room for so many, zeros at first."""
        check_size(capacity, BYTES_MAX)
        if capacity > len(self.memory):
            self.memory += bytes(capacity - len(self.memory))

    def put(self, place: int, data: bytes) -> None:
        """Write bytes from a place on; what lies before them and had no value yet is zero."""
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
    """A record in the hands of a function; servers say what it does."""

    __slots__ = ()
    NAME: ClassVar[str] = "Record"

    def __str__(self) -> str:
        return f"Record: {id(self):#016x}"


class Iterator_(Userdata):
    """What ``list.iterator`` and its like give besides the function that steps on."""

    __slots__ = ("_ahead", "_left")
    NAME: ClassVar[str] = "Iterator"

    def __init__(self, left: Iterator[Any]) -> None:
        self._left = left
        self._ahead: list[Any] = []

    def step(self) -> Any:
        """The next value, several as a tuple; None at the end."""
        return self._ahead.pop() if self._ahead else next(self._left, None)

    def has_next(self) -> bool:
        """Whether there is one more."""
        if not self._ahead:
            self._ahead = [value for value, _ in zip(self._left, (0,), strict=False)]
        return bool(self._ahead)


class Table(list[Any]):
    """Goes to Lua as a table of its own."""


#: What a value becomes that the database has no type for, such as a table or a function.
NOTHING: Any = type("Nothing", (), {})()
#: How long a list or map may become, and how many bytes: one program shares the process with others.
ITEMS_MAX = 1 << 22
BYTES_MAX = 1 << 26

_Rank = tuple[int, Any]
_SCALARS = (bool, int, float, type(None))
_OBJECTS = (LuaList, LuaMap, LuaBytes, LuaGeoJSON, Record)


def held(value: Any) -> Any:
    """A value of Lua as the database would hold it: strings end at a zero byte, and NOTHING stands for a table."""
    if isinstance(value, bytes):
        return value.partition(b"\0")[0]
    return value if isinstance(value, (*_SCALARS, *_OBJECTS)) else NOTHING


def _rank(key: Any) -> _Rank | None:
    """Where a key stands among others; None for what cannot be one (as_orderedmap.c: is_valid_key_type)."""
    if type(key) is int:
        return 0, key
    if isinstance(key, bytes):
        return 1, key
    if isinstance(key, LuaBytes) and key.type == PARTICLE_BLOB:
        return 2, key.data
    return None


def check_size(size: int, limit: int) -> None:
    """Refuse what would grow too large.

    Raises:
        Fault: it would.
    """
    if size > limit:
        raise Fault("not enough memory")


def text_of(data: bytes) -> str:
    """Bytes as text, with what is not UTF-8 kept."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes of which :func:`text_of` made text."""
    return text.encode("utf-8", "surrogateescape")


def _shown(value: Any) -> str | None:
    """A value inside a list or map, as text; None where the server has none."""
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
    """What Lua's messages call the type of an argument."""
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
    """What Lua calls an object of its own."""
    return str(lua54.lua_type(value) or "userdata")


def integer_at(arguments: tuple[Any, ...], place: int, default: int = 0) -> int:
    """An argument that is an integer, or can be read as one; ``default`` where there is none (luaL_optinteger).

    Raises:
        Fault: it is something else.
    """
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
    """An argument that is a string or a number; None where there is none (luaL_optstring).

    Raises:
        Fault: it is something else.
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
    """An argument of a class of ours.

    Raises:
        Fault: it is something else.
    """
    value = arguments[place - 1] if place <= len(arguments) else None
    if isinstance(value, kind):
        return value
    wanted = kind.NAME if isinstance(value, Userdata) else "userdata"
    raise Fault(f"{wanted} expected, got {name_of(arguments, place)}", place)


def record_at(arguments: tuple[Any, ...], place: int) -> Any:
    """An argument that is a record, as the methods of ``aerospike`` want it.

    Raises:
        Fault: it is something else.
    """
    value = arguments[place - 1] if place <= len(arguments) else None
    if not isinstance(value, Record):
        raise Fault(f"Record expected, got {name_of(arguments, place)}", place)
    return value


Function = Callable[..., Any]
