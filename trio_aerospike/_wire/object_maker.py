"""Make many objects of one class, without a call of its ``__init__`` for each where the module is compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import object_slots, reading


class Maker:
    """Make objects of a class from four of its fields.

    Compiled, it fills the slots of the class itself. That is a third of the time of a call.

    Args:
        made: a class with slots.
        fields: the names of the four fields.
        others: the values of all other slots, by name.
        plain: makes such an object from the four; called where the slots cannot be filled.
    """

    def __init__(
        self, made: type[Any], fields: Sequence[str], others: dict[str, Any], plain: Callable[[Any, Any, Any, Any], Any]
    ) -> None:
        self._class = made
        self._plain = plain
        self._direct = False
        if reading.COMPILED:
            self._first, self._second, self._third, self._fourth = [
                object_slots.place_of(made, name) for name in fields
            ]
            self._others = [(object_slots.place_of(made, name), value) for name, value in others.items()]
            places = [self._first, self._second, self._third, self._fourth, *[place for place, _ in self._others]]
            self._direct = min(places) >= 0

    @classmethod
    def calling(cls, function: Callable[[Any, Any, Any, Any], Any]) -> Maker:
        """Return one that calls a function for each object."""
        return cls(object, ("__class__",) * 4, {}, function)

    def make(self, first: Any, second: Any, third: Any, fourth: Any) -> Any:
        """Make an object."""
        if not self._direct:
            return self._plain(first, second, third, fourth)
        made = object_slots.new(self._class)
        object_slots.put(made, self._first, first)
        object_slots.put(made, self._second, second)
        object_slots.put(made, self._third, third)
        object_slots.put(made, self._fourth, fourth)
        for place, value in self._others:
            object_slots.put(made, place, value)
        return made
