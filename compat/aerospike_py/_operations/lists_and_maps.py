"""Convert dicts of list and map operations, with codes from 1001 and 2001, to operations of trio_aerospike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trio_aerospike.operations import lists, maps
from trio_aerospike.validation import refused

from .. import list_operations, map_operations
from .operation_dicts import OMIT, Converter, Entry, OperationDict, operation_dicts, policy_of


def _several(where: str, value: Any) -> Any:
    """Several values. A single value becomes a list of itself, as in aerospike_py."""
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, bytearray, memoryview, Mapping)):
        return value
    return [value]


def _exclusive(where: str, value: Any) -> Any:
    """Check a ``write_mode``. ``flags`` include it, so that only one of the two can be given."""
    if type(value) is not int or not 0 <= value <= 2:
        raise refused(where, value, "MAP_UPDATE (0), MAP_CREATE_ONLY (1), MAP_UPDATE_ONLY (2)")
    return value


def _map_policy(where: str, value: Any) -> Any:
    if isinstance(value, Mapping) and "write_mode" in value:
        if "flags" in value:
            raise refused(where, value, "a dict with one of write_mode and flags")
        _exclusive(f"{where}['write_mode']", value["write_mode"])
    return _plain_map_policy(where, value)


_plain_map_policy = policy_of(maps.MapPolicy, {"order": "order", "write_mode": "write_flags", "flags": "write_flags"})
_list_policy = policy_of(lists.ListPolicy, {"order": "order", "flags": "write_flags"})


def _without(key: str, convert: Converter) -> Converter:
    """Make a converter that checks a key and then drops it, as the server does not accept it for the operation."""

    def convert_rest(where: str, value: Any) -> Any:
        policy = convert(where, value)
        if isinstance(value, Mapping) and key in value:
            return convert(where, {name: given for name, given in value.items() if name != key})
        return policy

    return convert_rest


_VALUES: Final = Entry("val", convert=_several)
# A dict that was made by hand and has no count means one.
_ONE: Final = Entry("count", default=1)
_OWN_STEP: Final = Entry("val", default=OMIT)

_ENTRIES: Final = {
    "value": Entry("val"),
    "values": _VALUES,
    "keys": _VALUES,
    "items": Entry("val"),
    "index": Entry("index"),
    "rank": Entry("rank", other="index"),
    "key": Entry("map_key"),
    "count": Entry("count", default=None),
    "begin": Entry("val", default=None),
    "end": Entry("val_end", default=None),
    "return_type": Entry("return_type"),
}
_LIST_ENTRIES: Final = {
    **_ENTRIES,
    "flags": Entry("val", default=lists.ListSort.DEFAULT),
    "order": Entry("val", default=lists.ListOrder.UNORDERED),
    "policy": Entry("list_policy", None, _list_policy),
}
_MAP_ENTRIES: Final = {
    **_ENTRIES,
    "order": Entry("val", default=maps.MapOrder.UNORDERED),
    "policy": Entry("map_policy", None, _map_policy),
}
_INSERT: Final = {"policy": Entry("list_policy", None, _without("order", _list_policy))}
_STEP: Final = {"value": _OWN_STEP, "policy": Entry("map_policy", None, _without("write_mode", _map_policy))}

#: The dicts of operations, by code.
OPERATION_DICTS: Final[Mapping[int, OperationDict]] = {
    **operation_dicts(
        "list",
        lists,
        list_operations,
        _LIST_ENTRIES,
        {
            "insert": _INSERT,
            "insert_items": _INSERT,
            "set": {"policy": None},
            "increment": {"value": _OWN_STEP},
            "trim": {"count": Entry("count")},
            **{name: {"count": _ONE} for name in ("pop_range", "remove_range", "get_range")},
        },
    ),
    **operation_dicts("map", maps, map_operations, _MAP_ENTRIES, {"increment": _STEP, "decrement": _STEP}),
}
