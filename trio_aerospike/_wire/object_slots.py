"""Make objects with slots and fill them, without a call of ``__init__``: used by modules that are compiled.

The functions of the same names in ``object_slots.pxd`` write the slots where they are in memory.
"""

from __future__ import annotations

from typing import Any


def place_of(made: type[Any], name: str) -> Any:
    """Return where the slot ``name`` of a class is: what :func:`put` takes; -1, compiled, where that is not known."""
    return getattr(made, name).__set__


def new(made: type[Any]) -> Any:
    """Make an object of a class with empty slots."""
    return object.__new__(made)


def untracked(made: tuple[Any, ...]) -> tuple[Any, ...]:
    """Take a tuple of str, bytes and numbers out of the garbage collector's sight, which would do so itself later."""
    return made


def put(target: Any, place: Any, value: Any) -> None:
    """Fill an empty slot."""
    place(target, value)
