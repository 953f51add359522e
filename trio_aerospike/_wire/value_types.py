"""Types for values without a Python counterpart: GeoJSON, HyperLogLog, typed blobs, ordered lists and maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from .._lazy import LazyModule
from .constants import LIST_ORDERED, MAP_KEY_ORDERED

if TYPE_CHECKING:
    import json
else:
    json = LazyModule("json")

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def _geo_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return json.dumps(value)
    raise TypeError(f"GeoJSON takes its text or a mapping, not {type(value).__name__}")


@attrs.frozen(slots=True)
class GeoJSON:
    """A point or region in GeoJSON, which the server can index.

    Args:
        text: the GeoJSON document as text, or as a mapping that is turned into text.
    """

    text: str = attrs.field(converter=_geo_text)

    @property
    def data(self) -> Any:
        """The document, parsed."""
        return json.loads(self.text)

    def __str__(self) -> str:
        return self.text


class HyperLogLog(bytes):
    """A HyperLogLog sketch from the server; opaque here, and can be written back.

    It is a bytes object with the bytes of the sketch, but not equal to plain bytes, which would be a blob in a bin.

    Args:
        data: the bytes.
    """

    __slots__ = ()

    def __new__(cls, data: Any) -> HyperLogLog:
        return super().__new__(cls, bytes(data))

    @property
    def data(self) -> bytes:
        """The bytes as a plain object, which is written as a blob."""
        return bytes(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HyperLogLog) and bytes.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((HyperLogLog, bytes(self)))

    def __repr__(self) -> str:
        return f"HyperLogLog(data={bytes.__repr__(self)})"

    __str__ = __repr__


@attrs.frozen(slots=True)
class TypedBlob:
    """Bytes of a particle type without a Python type.

    These are the language-specific blobs of old clients (types 7 to 12: Java, C#, Python, Ruby, PHP, Erlang) and values
    of servers newer than this library. Only the former can be written.
    """

    type: int
    data: bytes = attrs.field(converter=bytes)

    def __bytes__(self) -> bytes:
        return self.data


class OrderedMap(dict[K, V]):
    """A map with its order in the server; otherwise a dict, equal to any dict with the same items.

    ``order`` holds the server's flags: 1 ordered by key, 3 by key and value, 8 in the order of a ranked answer (as a
    map read by rank is returned). Writing it back restores the flag.
    """

    __slots__ = ("order",)

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = (), order: int = MAP_KEY_ORDERED) -> None:
        super().__init__(items)
        self.order: int = order

    def copy(self) -> OrderedMap[K, V]:
        """A shallow copy with the same order."""
        return OrderedMap(self, self.order)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return (OrderedMap, (dict(self), self.order))

    def __repr__(self) -> str:
        return f"OrderedMap({dict.__repr__(self)}, order={self.order})"


class OrderedList(list[T]):
    """A list that the server keeps sorted; otherwise a list, equal to any list with the same items.

    ``order`` holds the server's flags (1: ordered). Writing it back restores the flag.
    """

    __slots__ = ("order",)

    def __init__(self, items: Iterable[T] = (), order: int = LIST_ORDERED) -> None:
        super().__init__(items)
        self.order: int = order

    def copy(self) -> OrderedList[T]:
        """A shallow copy with the same order."""
        return OrderedList(self, self.order)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return (OrderedList, (list(self), self.order))

    def __repr__(self) -> str:
        return f"OrderedList({list.__repr__(self)}, order={self.order})"


class Special:
    """A value for comparisons only: never stored, one instance of each (compare with ``is``)."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def __copy__(self) -> Special:
        return self

    def __deepcopy__(self, memo: object) -> Special:
        return self


INFINITY: Final = Special("INFINITY")
"""Greater than every value: the open end of a range."""

WILDCARD: Final = Special("WILDCARD")
"""Equal to every value: matches the rest of a list in a comparison by value."""
