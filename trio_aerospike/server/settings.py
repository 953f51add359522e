"""What of a node can be configured: names, values, and which values `set-config` takes.

The rules are the server's (as/src/base/cfg_info.c): a number may end with a unit and wraps around as its C type does; a
parameter without a rule can only be set in a configuration file, or by an Enterprise Edition. What has no effect here
is kept and told all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import attrs

Value = bool | int | str

Rule = Callable[[str, "Settings"], Value]
"""Makes a value of a text, in view of the other settings; raises `ValueError` where it cannot be."""

_NUMBER = re.compile(r"(-?)([0-9]*)([a-zA-Z]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LARGE_UNITS = {**_UNITS, "t": 1 << 40, "p": 1 << 50}
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNSIGNED = 0xFFFF_FFFF
NEVER = _UNSIGNED
"""What -1 is told as: a set whose records never expire, or whose reads never touch."""


@attrs.frozen
class Setting:
    """One parameter.

    Args:
        name: as `get-config` tells it.
        default: what it is where nobody has said anything.
        rule: what `set-config` makes of a text; None where it refuses.
    """

    name: str
    default: Value
    rule: Rule | None = None

    @property
    def parameter(self) -> str:
        """What `set-config` calls it: without the part of the configuration file that it stands in."""
        name = self.name.removeprefix("storage-engine.")
        return name.replace("within.", "within-")


class Settings:
    """The values of one context, in the order in which they are told.

    Args:
        table: which there are.
        given: those that are not the default.
        above: the settings of what this is part of.
    """

    def __init__(
        self,
        table: Iterable[Setting],
        given: Mapping[str, Value] | None = None,
        above: Settings | None = None,
    ) -> None:
        self._table = table
        self.above = above
        self.values: dict[str, Value] = {setting.name: setting.default for setting in table}
        self.values.update(given or {})

    def number(self, name: str) -> int:
        """The value of a number."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def flag(self, name: str) -> bool:
        """The value of a switch."""
        return self.values[name] is True

    def change(self, param: Callable[[str], str | None]) -> str:
        """Set the first parameter of the table that a request gives, by the rule for it.

        Args:
            param: the text of a parameter; None where the request does not have it.

        Returns:
            Its name.

        Raises:
            ValueError: there is none, or its value cannot be.
        """
        for setting in self._table:
            text = param(setting.parameter)
            if text is None:
                continue
            if setting.rule is None:
                raise ValueError(f"{setting.name} cannot be set")
            self.values[setting.name] = setting.rule(text, self)
            return setting.name
        raise ValueError("no parameter that is known")

    def told(self, known: Mapping[str, Value | None] | None = None) -> dict[str, Value]:
        """All of them, with what is known better; None leaves one out."""
        values = {**self.values, **(known or {})}
        return {name: value for name, value in values.items() if value is not None}


# Rules --------------------------------------------------------------------------------------------------------


def flag(text: str, settings: Settings) -> bool:
    """True or false."""
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def number(low: int = -(1 << 31), high: int = (1 << 31) - 1) -> Rule:
    """A number of 32 bits within limits, told without a sign."""

    def rule(text: str, settings: Settings) -> int:
        value = c_int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value & _UNSIGNED

    return rule


def unsigned(low: int = 0, high: int = (1 << 64) - 1) -> Rule:
    """A number of 64 bits within limits."""

    def rule(text: str, settings: Settings) -> int:
        sign, digits, unit = _parts(text)
        if sign or unit not in _LARGE_UNITS:
            raise ValueError(text)
        value = int(digits or 0) * _LARGE_UNITS[unit] & ((1 << 64) - 1)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return rule


def seconds(high: int = _UNSIGNED) -> Rule:
    """A time, with a unit or in seconds."""

    def rule(text: str, settings: Settings) -> int:
        value = c_seconds(text)
        if value > high:
            raise ValueError(text)
        return value

    return rule


def one_of(*names: str) -> Rule:
    """One of some words."""

    def rule(text: str, settings: Settings) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return rule


def name_of(size: int) -> Rule:
    """A text that is there and shorter than that."""

    def rule(text: str, settings: Settings) -> str:
        if not 0 < len(text.encode()) < size:
            raise ValueError(text)
        return text

    return rule


def loose(bits: int) -> Rule:
    """A number that is read as far as it is one, with so many bits."""

    def rule(text: str, settings: Settings) -> int:
        found = re.match(r"\s*([+-]?[0-9]+)", text)
        return int(found[1]) & ((1 << bits) - 1) if found else 0

    return rule


def c_int(text: str) -> int:
    """A number with a unit of bytes, as it wraps around in 32 bits (server: cf_str_atoi)."""
    sign, digits, unit = _parts(text)
    if unit not in _UNITS:
        raise ValueError(text)
    value = int(digits or 0) * _UNITS[unit] & _UNSIGNED
    value -= (value & 0x8000_0000) << 1
    return -value if sign else value


def c_seconds(text: str) -> int:
    """A time of 32 bits; -1 is the largest (server: cf_str_atoi_seconds)."""
    if text == "-1":
        return NEVER
    sign, digits, unit = _parts(text)
    if sign or unit not in _TIMES:
        raise ValueError(text)
    value = int(digits or 0) * _TIMES[unit]
    if value > _UNSIGNED:
        raise ValueError(text)
    return value


def _parts(text: str) -> tuple[str, str, str]:
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > 64:
        raise ValueError(text)
    return found[1], found[2], found[3].lower()
