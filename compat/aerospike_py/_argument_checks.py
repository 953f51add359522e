"""Check the arguments of a call on a client that is not connected.

As in aerospike_py 0.14.4, an argument of a wrong type, or bins that cannot be written, raise an error whether or not
the client is connected. Keys, the fields of policies and single operations are checked only once there is a
connection.

Arguments of the same name have the same type in all methods but a few, so the checks are found by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from trio_aerospike.operations import write
from trio_aerospike.records import checked_bins
from trio_aerospike.validation import checked_int, refused

from ._conversion.bins import check_bins
from ._conversion.keys import to_key
from ._conversion.policies import PolicyReader

#: Checks one argument; gets its name, for error messages.
Check = Callable[[str, Any], object]


def _text(where: str, value: Any) -> None:
    if not isinstance(value, str):
        raise refused(where, value, "a str")


def _int(where: str, value: Any) -> None:
    if not isinstance(value, int):
        raise refused(where, value, "an int")


def _count(where: str, value: Any) -> None:
    checked_int(where, value, 0)


def _number(where: str, value: Any) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise refused(where, value, "an int or a float")


def _dict(where: str, value: Any) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise refused(where, value, "a dict or None")


def _list(where: str, value: Any) -> None:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, bytearray, Mapping)):
        raise refused(where, value, "a list")


def _list_or_none(where: str, value: Any) -> None:
    if value is not None:
        _list(where, value)


def _anything(where: str, value: Any) -> None:
    pass


def _key(where: str, value: Any) -> None:
    to_key(value)


def _bins(where: str, value: Any) -> None:
    check_bins("bins", value)
    if value != {}:  # empty bins are an error only once there is a connection
        for name, one in checked_bins(value).items():
            write(name, one)  # raises if the bin or the value is invalid


_CHECKS: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("policy", "meta"), _dict),
    **dict.fromkeys(("ops", "keys", "records", "bin_names", "roles", "privileges"), _list),
    **dict.fromkeys(("bins", "args"), _list_or_none),
    **dict.fromkeys(("retry", "udf_type", "read_quota", "write_quota"), _count),
    **dict.fromkeys(("val", "nanos"), _int),
    "offset": _number,
    **dict.fromkeys(
        (
            *("bin", "module", "function", "command", "namespace", "set_name", "bin_name", "index_name", "key_field"),
            *("filename", "username", "password", "role"),
        ),
        _text,
    ),
}
#: Checks of methods in which a name has another type.
_OF_METHODS: Final[Mapping[str, Mapping[str, Check]]] = {
    "put": {"key": _key, "bins": _bins},
    "select": {"bins": _list},
    "admin_create_role": {"whitelist": _list_or_none},
    "admin_set_whitelist": {"whitelist": _list},
    "append": {"val": _anything},
    "prepend": {"val": _anything},
}


def check_arguments(method: str, given: Mapping[str, Any], policies: PolicyReader) -> None:
    """Check the arguments of a call.

    Args:
        method: The name of a client's method.
        given: Its arguments by name, and ``self``.
        policies: The client's policy reader.

    Raises:
        InvalidArgError: An argument is invalid, whatever the client's state.
    """
    own = _OF_METHODS.get(method, {})
    for name, value in given.items():
        check = own.get(name) or _CHECKS.get(name)
        if check is not None:
            check(f"{method}.{name}", value)
    if method in ("put", "increment"):
        policies.write(given["policy"], given["meta"])
