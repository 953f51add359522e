"""The dicts of operations: their keys, and the functions of trio_aerospike that take the values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

import attrs

from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import Operation
from trio_aerospike.validation import refused, unknown_name

#: Converts a value to an argument. Its first parameter is the value's place, for error messages.
Converter = Callable[[str, Any], Any]
#: No value: the key is required.
REQUIRED: Final = object()
#: No value: the argument is left to the function's own default.
OMIT: Final = object()


def as_given(where: str, value: Any) -> Any:
    """Keep the value; the function checks it."""
    return value


@attrs.frozen
class Entry:
    """A key of a dict.

    Attributes:
        key: its name.
        default: the value of a key that is missing, or is None.
        convert: converts the value to the argument.
        other: another name under which the value may be given.
    """

    key: str
    default: Any = REQUIRED
    convert: Converter = as_given
    other: str = ""


@attrs.frozen
class OperationDict:
    """The dict of one operation.

    Attributes:
        name: the function of aerospike_py that makes it.
        function: the function of trio_aerospike that makes the operation.
        entries: its keys besides ``op`` and ``bin``, by the function's parameters.
        keys: all keys that may be in it.
    """

    name: str
    function: Callable[..., Operation]
    entries: tuple[tuple[str, Entry], ...]
    keys: frozenset[str]

    @classmethod
    def of(cls, name: str, function: Callable[..., Operation], entries: Mapping[str, Entry]) -> OperationDict:
        """The dict with an entry for each parameter of the function that has one in ``entries``."""
        chosen = tuple([(one, entries[one]) for one in inspect.signature(function).parameters if one in entries])
        keys = {"op", "bin"}.union(*[{entry.key, entry.other or entry.key} for _, entry in chosen])
        return cls(name, function, chosen, frozenset(keys))

    def operation(self, where: str, given: Mapping[str, Any]) -> Operation:
        """Convert a dict to the operation.

        Args:
            where: its place, for error messages.
            given: the dict.

        Raises:
            InvalidArgError: a key is missing or unknown, or a value is invalid.
        """
        if not self.keys.issuperset(given):
            self._check_names(where, given)
        bin_name = given.get("bin")
        if bin_name is None:
            raise refused(f"{where}['bin']", bin_name, f"the name of a bin: {self.name} operation requires 'bin'")
        arguments: dict[str, Any] = {}
        for parameter, entry in self.entries:
            key = entry.key
            if key not in given and entry.other in given:
                key = entry.other
            value = given.get(key, entry.default)
            if value is REQUIRED:
                raise refused(where, given, f"a dict with {entry.key!r} in it: {self.name} requires {entry.key!r}")
            if value is None and entry.default is not REQUIRED:
                value = entry.default  # as in aerospike_py
            if value is OMIT:
                continue
            arguments[parameter] = entry.convert(f"{where}[{key!r}]", value)
        try:
            return self.function(bin_name, **arguments)
        except InvalidArgError as error:
            raise InvalidArgError(f"{where} ({self.name}): {error}") from None

    def _check_names(self, where: str, given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            # Programs give reads a "val" of None.
            if name not in self.keys and not (name == "val" and value is None):
                raise unknown_name(f"{where} ({self.name})", name, sorted(self.keys))


def policy_of(kind: Callable[..., Any], names: Mapping[str, str]) -> Converter:
    """Make a converter of a policy dict, or None, to a policy of trio_aerospike.

    Args:
        kind: the policy's class.
        names: the fields of the policy, by their keys in the dict.
    """

    def convert(where: str, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise refused(where, value, f"a dict of {', '.join(names)}, or None")
        fields: dict[str, Any] = {}
        for name, field in value.items():
            if name not in names:
                raise unknown_name(where, name, tuple(names))
            fields[names[name]] = field
        try:
            return kind(**fields)
        except InvalidArgError as error:
            raise InvalidArgError(f"{where}: {error}") from None

    return convert


def operation_dicts(
    prefix: str,
    module: ModuleType,
    codes: ModuleType,
    entries: Mapping[str, Entry],
    special: Mapping[str, Mapping[str, Entry | None]],
) -> dict[int, OperationDict]:
    """The dicts of a family, by their numbers.

    Args:
        prefix: what the names of aerospike_py begin with.
        module: of trio_aerospike, with the functions.
        codes: of aerospike_py, with the numbers as constants such as _OP_LIST_APPEND.
        entries: the entries by parameter.
        special: those that differ, by operation; None for a parameter without a key.
    """
    made = {}
    start = f"_OP_{prefix.upper()}_"
    numbers = {name: code for name, code in vars(codes).items() if name.startswith(start)}
    for constant, code in numbers.items():
        name = constant.removeprefix(start).lower()
        own = {**entries, **special.get(name, {})}
        function = getattr(module, name, None) or getattr(module, f"{name}_")
        made[code] = OperationDict.of(f"{prefix}_{name}", function, {one: entry for one, entry in own.items() if entry})
    return made
