"""Validate arguments: shared rules, and one wording for every error.

The error is an ``InvalidArgError`` with the text ``<owner>.<field>: got <value>, allowed: <what is allowed>``. Value
classes use the attrs validators below; checks that run for every command (bin names) cache valid values.

Public for packages on top of this one, such as ``aerospike_py``, which raise the same errors.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import IntEnum
from typing import Any, ClassVar, NoReturn, SupportsIndex, TypeVar

import attrs

from trio_aerospike._wire.constants import BIN_NAME_MAX
from trio_aerospike._wire.error_text import (
    conversion_hint,
    kind_of as kind_of,
    shown as shown,
    with_article as with_article,
)
from trio_aerospike.errors import InvalidArgError

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)
#: Of attrs: called with the object, the attribute and the value.
Validator = Callable[[Any, Any, Any], None]

# Most bins of a record (server: as/include/base/datamodel.h, RECORD_MAX_BINS).
BINS_MAX = 0x7FFF
BIN_NAME_ALLOWED = f"a str of 1 to {BIN_NAME_MAX} bytes in UTF-8"
SECONDS_MAX = 1_000_000_000


class Uncopyable:
    """Base class of objects that own connections or tasks: copying or pickling one raises TypeError.

    A copy would share the sockets of the original, and close them when it is closed.
    """

    __slots__ = ()

    #: What a program does instead.
    _instead_of_copy: ClassVar[str] = "use the object itself"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse: ``copy`` and ``pickle`` both come here.

        Raises:
            TypeError: always; says what to do instead.
        """
        name = type(self).__qualname__
        raise TypeError(f"a {name} cannot be copied or pickled, as it owns connections: {self._instead_of_copy}")


def refused(where: str, value: object, allowed: str) -> InvalidArgError:
    """Return the error for an invalid ``value`` at ``where`` (``"Class.field"`` or the name of an argument)."""
    return InvalidArgError(f"{where}: got {shown(value)}, allowed: {allowed}{conversion_hint(value)}")


def unknown_name(owner: str, name: object, known: Collection[str]) -> InvalidArgError:
    """Return the error for a field that does not exist, with the nearest valid name."""
    hint = _nearest(name, known)
    near = f", {hint}" if hint else ","
    return InvalidArgError(f"{owner}: unknown field {shown(name)}{near} allowed: {', '.join(known)}")


def unknown_argument(owner: object, method: str, given: Mapping[str, object]) -> InvalidArgError:
    """Return the error for unknown keyword arguments of a method: a TypeError, like Python's own.

    Args:
        owner: the object that has the method.
        method: its name; one of its parameters is ``policy``.
        given: the unknown arguments.
    """
    function = inspect.unwrap(getattr(type(owner), method))
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    name = next(iter(given))
    policy_name = str(parameters["policy"].annotation).partition(" ")[0]
    fields = field_names(function.__globals__[policy_name])
    limit = "timeout" if "timeout" in fields else "total_timeout"
    if name in fields:
        hint = f"a field of {policy_name}: pass policy={policy_name}({name}={shown(given[name])})"
    elif "timeout" in name:
        hint = f"for a time limit pass policy={policy_name}({limit}=seconds), or use `with trio.fail_after(seconds):`"
    else:
        hint = _nearest(name, tuple(parameters))
    listed = ", ".join(parameters)
    return InvalidArgError(f"{method}: unknown argument {shown(name)}{f', {hint}' if hint else ''}, allowed: {listed}")


def _nearest(name: object, known: Collection[str]) -> str:
    """Suggest the nearest of the known names; empty if none is near."""
    text = str(name)[:100]
    near = [one for one in known if len(text) > 2 and one.startswith(text)]
    near = near or difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def checked_int(where: str, value: object, low: int, high: int | None = None, note: str = "") -> int:
    """Return ``value`` if it is an int, and not a bool, from ``low`` to ``high``, both included."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if is_int and low <= value and (high is None or value <= high):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    bounds = f"an int of {low} or more" if high is None else f"an int from {low} to {high}"
    raise refused(where, value, bounds + note)


def checked_enum(where: str, value: object, kind: type[E]) -> E:
    """Return the member of ``kind`` for a member or its number."""
    if isinstance(value, kind):
        return value
    # A member of another enum may be a valid int with another meaning.
    if type(value) is int:
        try:
            return kind(value)
        except ValueError:
            pass
    members = ", ".join(f"{kind.__name__}.{m.name} ({m.value})" for m in kind)
    raise refused(where, value, members)


def checked_text(where: str, value: object, low: int = 0, high: int | None = None) -> str:
    """Return ``value`` if it is a str of ``low`` to ``high`` bytes in UTF-8, without NUL."""
    if isinstance(value, str) and "\0" not in value:
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            size = -1
        if low <= size and (high is None or size <= high):
            return value
    if high is not None:
        raise refused(where, value, f"a str of {low} to {high} bytes in UTF-8, without NUL")
    raise refused(where, value, "a str that UTF-8 can encode, without NUL" + (", not empty" if low else ""))


#: Characters that end a name in info commands and their answers (server: thr_info.c).
INFO_SEPARATORS = {";": "';'", ":": "':'", "=": "'='", "\t": "tabs", "\n": "line breaks"}


def checked_info_name(where: str, value: object, high: int, *, also: str = "") -> str:
    """Return ``value`` if it is a valid name in an info command, of 1 to ``high`` bytes in UTF-8.

    The server accepts any name in a command on a record, but in an info command a separator ends the name: the command
    would apply to another object.

    Args:
        where: the argument, for messages.
        value: the name.
        high: bytes in UTF-8, at the most.
        also: further separators of this command.

    Raises:
        InvalidArgError: it is not a str, has another length, or contains a separator or NUL.
    """
    name = checked_text(where, value, 1, high)
    if any(c in name for c in (*INFO_SEPARATORS, *also)):
        words = [*[f"{c!r}" for c in also], *INFO_SEPARATORS.values()]
        raise refused(where, value, f"a name of 1 to {high} bytes without {', '.join(words[:-1])} and {words[-1]}")
    return name


def _where(instance: object, attribute: Any) -> str:
    return f"{type(instance).__name__}.{attribute.name}"


def integer(low: int, high: int | None = None, note: str = "") -> Validator:
    """Return a validator for an int within the bounds; ``note`` is added to the error text."""

    def check(instance: Any, attribute: Any, value: Any) -> None:
        checked_int(_where(instance, attribute), value, low, high, note)

    return check


def seconds(*, none: str | None = None, zero: bool = False) -> Validator:
    """Return a validator for a finite number of seconds; ``none`` says what None means, if None is allowed."""
    allowed = f"a number of seconds {'of 0 or more' if zero else 'above 0'} (at most {SECONDS_MAX})"
    if none is not None:
        allowed += f", or None for {none}"

    def check(instance: Any, attribute: Any, value: Any) -> None:
        if value is None and none is not None:
            return
        # Comparing refuses NaN, infinity and integers that no float can hold, too.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and (0 < value <= SECONDS_MAX or (zero and value == 0)):
            return
        raise refused(_where(instance, attribute), value, allowed)

    return check


def boolean(instance: Any, attribute: Any, value: Any) -> None:
    """Validate that a field is True or False, not merely truthy or falsy."""
    if not isinstance(value, bool):
        raise refused(_where(instance, attribute), value, "True or False")


def text(low: int = 0, high: int | None = None) -> Validator:
    """Return a validator for a str of ``low`` to ``high`` bytes in UTF-8."""

    def check(instance: Any, attribute: Any, value: Any) -> None:
        checked_text(_where(instance, attribute), value, low, high)

    return check


def member(kind: type[IntEnum]) -> Validator:
    """Return a validator for a member of ``kind`` or its number; ``settle_enum`` converts numbers to members."""

    def check(instance: Any, attribute: Any, value: Any) -> None:
        checked_enum(_where(instance, attribute), value, kind)

    return check


def settle_enum(instance: object, field: str, kind: type[IntEnum]) -> None:
    """Replace the number in a field of a frozen instance by the member (the constants of aerospike_py are ints)."""
    value = getattr(instance, field)
    if type(value) is not kind:
        object.__setattr__(instance, field, kind(value))


def instance_of(kind: type, allowed: str | None = None, *, none: bool = False) -> Validator:
    """Return a validator for an instance of ``kind``, or None if that is allowed."""
    description = (allowed or f"an instance of {kind.__name__}") + (", or None" if none else "")

    def check(instance: Any, attribute: Any, value: Any) -> None:
        if not (isinstance(value, kind) or (none and value is None)):
            raise refused(_where(instance, attribute), value, description)

    return check


def field_names(cls: type) -> tuple[str, ...]:
    """Return the names of an attrs class's constructor arguments, in order."""
    return tuple(a.name for a in attrs.fields(cls) if a.init)


def named_arguments(cls: type[T]) -> type[T]:
    """Class decorator for attrs classes: unknown argument names raise InvalidArgError, with the nearest valid name.

    Python's own TypeError has no suggestion.
    """
    init: Callable[..., None] = cls.__init__
    required = [a.name for a in attrs.fields(cls) if a.init and a.default is attrs.NOTHING]  # type: ignore[arg-type]

    @functools.wraps(init)
    def __init__(self: T, *args: Any, **kwargs: Any) -> None:
        names = field_names(type(self))
        for name in kwargs:
            if name not in names:
                raise unknown_name(type(self).__name__, name, names)
        for name in required[len(args) :]:
            if name not in kwargs:
                raise InvalidArgError(f"{type(self).__name__}.{name}: missing, it has no default")
        init(self, *args, **kwargs)

    cls.__init__ = __init__  # type: ignore[method-assign, assignment]
    return cls


# Valid bin names. A program has a few dozen; the bound is for one that creates names without end.
_bin_names: set[str] = set()
_BIN_NAMES_KEPT = 16384
_all_known = _bin_names.issuperset


def checked_bin_name(name: object, where: str = "bin name") -> str:
    """Return ``name`` if it is a valid bin name (server: AS_BIN_NAME_MAX_SZ less its NUL).

    Raises:
        InvalidArgError: It is not a str, is empty, is longer than 15 bytes in UTF-8, or contains NUL.
    """
    if not (isinstance(name, str) and name in _bin_names):
        try:
            checked_text(where, name, 1, BIN_NAME_MAX)
        except InvalidArgError:
            raise refused(where, name, BIN_NAME_ALLOWED + _bin_name_fault(name)) from None
        if len(_bin_names) < _BIN_NAMES_KEPT:
            _bin_names.add(str(name))
    return name  # type: ignore[return-value]


def _bin_name_fault(name: object) -> str:
    if name == "":
        return ": a bin name must not be empty"
    size = len(name.encode(errors="replace")) if isinstance(name, str) else 0
    return f": it exceeds the {BIN_NAME_MAX}-byte limit ({size} bytes)" if size > BIN_NAME_MAX else ""


def checked_bins(bins: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``bins`` if it is a non-empty mapping with valid bin names.

    The encoder checks the values. Names that were valid before cost one set comparison for all of them.

    Raises:
        InvalidArgError: ``bins`` is not a mapping, is empty or too large, or has an invalid bin name.
    """
    if type(bins) is not dict and not isinstance(bins, Mapping):
        raise refused("bins", bins, "a mapping of bin names to values")
    if not bins or len(bins) > BINS_MAX:
        raise refused("bins", bins, f"1 to {BINS_MAX} bins; to delete a record use remove")
    if not _all_known(bins):
        for name in bins:
            checked_bin_name(name)
    return bins


def checked_bin_names(names: Iterable[str], where: str = "bins") -> list[str]:
    """Return bin names as a list, if there is at least one and all are valid.

    Raises:
        InvalidArgError: ``names`` is a str (a common mistake), is not iterable, is empty or too long, or has an invalid
            name.
    """
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise refused(where, names, "a list of bin names")
    listed = list(names)
    if not listed or len(listed) > BINS_MAX:
        raise refused(where, listed, f"1 to {BINS_MAX} bin names")
    for name in listed:
        checked_bin_name(name)
    return listed


def encodes_itself(value: object) -> bool:
    """Whether ``value`` has an ``encode()`` without arguments, as expressions have; str does not count."""
    if isinstance(value, (str, bytes, type)):
        return False
    encode = getattr(value, "encode", None)
    if not callable(encode):
        return False
    try:
        inspect.signature(encode).bind()
    except (TypeError, ValueError):
        return False
    return True
