"""Configuration parameters: names, values, and the rules of `set-config`.

The rules are the server's (as/src/base/cfg_info.c): a number may end with a unit and wraps around as its C type does; a
parameter without a rule can only be set in a configuration file, or by an Enterprise Edition. Parameters without
effect here are stored and returned all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import attrs

Value = bool | int | str

Rule = Callable[[str, "Settings"], Value]
"""Parses a value, given the other settings; raises `ValueError` if it is invalid."""

_NUMBER = re.compile(r"(-?)([0-9]*)([a-zA-Z]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LARGE_UNITS = {**_UNITS, "t": 1 << 40, "p": 1 << 50}
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNSIGNED = 0xFFFF_FFFF
NEVER = _UNSIGNED
"""The value of -1: records of the set never expire, or reads never touch."""


@attrs.frozen
class Setting:
    """One parameter.

    Args:
        name: its name in `get-config`.
        default: its default value.
        rule: parses the value for `set-config`; None if it cannot be set.
    """

    name: str
    default: Value
    rule: Rule | None = None

    @property
    def parameter(self) -> str:
        """Its name in `set-config`, without the section of the configuration file."""
        name = self.name.removeprefix("storage-engine.")
        return name.replace("within.", "within-")


class Settings:
    """The values of one context, in the order of `get-config`.

    Args:
        table: the parameters.
        given: values other than the default.
        above: the settings of the containing context.
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
        """Set the first parameter of the table that a request gives.

        Args:
            param: returns the text of a parameter in the request; None if it is missing.

        Returns:
            The name of the parameter.

        Raises:
            ValueError: the parameter is unknown or cannot be set, or its value is invalid.
        """
        for setting in self._table:
            text = param(setting.parameter)
            if text is None:
                continue
            if setting.rule is None:
                raise ValueError(f"{setting.name} cannot be set")
            self.values[setting.name] = setting.rule(text, self)
            return setting.name
        raise ValueError("unknown parameter")

    def values_with(self, overrides: Mapping[str, Value | None] | None = None) -> dict[str, Value]:
        """All values, with some overridden; None omits one."""
        values = {**self.values, **(overrides or {})}
        return {name: value for name, value in values.items() if value is not None}


# Rules --------------------------------------------------------------------------------------------------------


def flag(text: str, settings: Settings) -> bool:
    """True or false."""
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def number(low: int = -(1 << 31), high: int = (1 << 31) - 1) -> Rule:
    """A 32-bit number within limits, stored unsigned."""

    def rule(text: str, settings: Settings) -> int:
        value = c_int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value & _UNSIGNED

    return rule


def unsigned(low: int = 0, high: int = (1 << 64) - 1) -> Rule:
    """An unsigned 64-bit number within limits."""

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
    """A non-empty text shorter than a size."""

    def rule(text: str, settings: Settings) -> str:
        if not 0 < len(text.encode()) < size:
            raise ValueError(text)
        return text

    return rule


def loose(bits: int) -> Rule:
    """A number parsed leniently, as far as its digits go."""

    def rule(text: str, settings: Settings) -> int:
        found = re.match(r"\s*([+-]?[0-9]+)", text)
        return int(found[1]) & ((1 << bits) - 1) if found else 0

    return rule


def c_int(text: str) -> int:
    """Parse a number with a unit of bytes, which wraps around in 32 bits (server: cf_str_atoi)."""
    sign, digits, unit = _parts(text)
    if unit not in _UNITS:
        raise ValueError(text)
    value = int(digits or 0) * _UNITS[unit] & _UNSIGNED
    value -= (value & 0x8000_0000) << 1
    return -value if sign else value


def c_seconds(text: str) -> int:
    """Parse a time as 32 bits; -1 is the largest (server: cf_str_atoi_seconds)."""
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
