"""What a client that is not connected says of a call's arguments, before it says that it is not connected.

A program that passes what cannot be hears of that, connected or not, as with aerospike_py 0.14.4: of arguments that are
of another kind altogether, of bins that cannot be written. What takes a look at a connected client's ways (keys, what
stands in a policy, operations one by one) is left for when there is a connection.

Methods name alike what is alike, so arguments are looked up by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from trio_aerospike.operations import write
from trio_aerospike.records import checked_bins
from trio_aerospike.validation import checked_int, refused

from ._handle import check_bins
from ._keys import to_key

#: Looks at one argument, whose place it gets for what it refuses.
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
    if value != {}:  # that there must be some is for a client that is connected to say
        for name, one in checked_bins(value).items():
            write(name, one)  # an operation, made to see whether it can be


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
#: Where a name means something else.
_OF_METHODS: Final[Mapping[str, Mapping[str, Check]]] = {
    "put": {"key": _key, "bins": _bins},
    "select": {"bins": _list},
    "admin_create_role": {"whitelist": _list_or_none},
    "admin_set_whitelist": {"whitelist": _list},
    "append": {"val": _anything},
    "prepend": {"val": _anything},
}


def check(method: str, given: Mapping[str, Any]) -> None:
    """Look at the arguments of a call that will not be carried out.

    Args:
        method: of a client.
        given: its arguments by name, ``self`` among them.

    Raises:
        InvalidArgError: one of them cannot be, whatever the client's state.
    """
    own = _OF_METHODS.get(method, {})
    for name, value in given.items():
        looks = own.get(name) or _CHECKS.get(name)
        if looks is not None:
            looks(f"{method}.{name}", value)
    if method in ("put", "increment"):
        given["self"]._policies.write(given["policy"], given["meta"])
