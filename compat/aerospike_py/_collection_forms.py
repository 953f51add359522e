"""Operations on lists and maps, dicts with codes from 1001 and 2001 on, and what they are in trio_aerospike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trio_aerospike.operations import lists, maps
from trio_aerospike.validation import refused

from ._forms import OMIT, Converter, Entry, Form, policy_of


def _several(where: str, value: Any) -> Any:
    """Several values. One that is no list stands for a list of itself, as aerospike_py has it."""
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, bytearray, memoryview, Mapping)):
        return value
    return [value]


def _exclusive(where: str, value: Any) -> Any:
    """A kind of write; ``flags`` say it beside more, and only one of the two can be given."""
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
    """A converter of policies that checks a key and goes on without it: the server takes none for the operation."""

    def convert_rest(where: str, value: Any) -> Any:
        policy = convert(where, value)
        if isinstance(value, Mapping) and key in value:
            return convert(where, {name: given for name, given in value.items() if name != key})
        return policy

    return convert_rest


_VAL: Final = Entry("val")
_VALS: Final = Entry("val", convert=_several)
_INDEX: Final = Entry("index")
_RANK: Final = Entry("rank", other="index")
_MAP_KEY: Final = Entry("map_key")
_RETURN: Final = Entry("return_type", "return_type")
_COUNT: Final = Entry("count")
# A dict that was made by hand and has no count means one.
_COUNT_OR_ONE: Final = Entry("count", default=1)
_COUNT_OR_ALL: Final = Entry("count", default=None)
_BEGIN: Final = Entry("val", default=None)
_END: Final = Entry("val_end", default=None)
_LIST_POLICY: Final = Entry("list_policy", "policy", None, _list_policy)
_INSERT_POLICY: Final = Entry("list_policy", "policy", None, _without("order", _list_policy))
_MAP_POLICY: Final = Entry("map_policy", "policy", None, _map_policy)
_STEP_POLICY: Final = Entry("map_policy", "policy", None, _without("write_mode", _map_policy))
_ORDER: Final = Entry("val", default=maps.MapOrder.UNORDERED)
_STEP: Final = Entry("val", default=OMIT)

_LISTS: Final = [
    (1001, Form.of("list_append", lists.append, _VAL, _LIST_POLICY)),
    (1002, Form.of("list_append_items", lists.append_items, _VALS, _LIST_POLICY)),
    (1003, Form.of("list_insert", lists.insert, _INDEX, _VAL, _INSERT_POLICY)),
    (1004, Form.of("list_insert_items", lists.insert_items, _INDEX, _VALS, _INSERT_POLICY)),
    (1005, Form.of("list_pop", lists.pop, _INDEX)),
    (1006, Form.of("list_pop_range", lists.pop_range, _INDEX, _COUNT_OR_ONE)),
    (1007, Form.of("list_remove", lists.remove, _INDEX)),
    (1008, Form.of("list_remove_range", lists.remove_range, _INDEX, _COUNT_OR_ONE)),
    (1009, Form.of("list_set", lists.set, _INDEX, _VAL)),
    (1010, Form.of("list_trim", lists.trim, _INDEX, _COUNT)),
    (1011, Form.of("list_clear", lists.clear)),
    (1012, Form.of("list_size", lists.size)),
    (1013, Form.of("list_get", lists.get, _INDEX)),
    (1014, Form.of("list_get_range", lists.get_range, _INDEX, _COUNT_OR_ONE)),
    (1015, Form.of("list_get_by_value", lists.get_by_value, _VAL, _RETURN)),
    (1016, Form.of("list_get_by_index", lists.get_by_index, _INDEX, _RETURN)),
    (1017, Form.of("list_get_by_index_range", lists.get_by_index_range, _INDEX, _COUNT_OR_ALL, _RETURN)),
    (1018, Form.of("list_get_by_rank", lists.get_by_rank, _RANK, _RETURN)),
    (1019, Form.of("list_get_by_rank_range", lists.get_by_rank_range, _RANK, _COUNT_OR_ALL, _RETURN)),
    (1020, Form.of("list_get_by_value_list", lists.get_by_value_list, _VALS, _RETURN)),
    (1021, Form.of("list_get_by_value_range", lists.get_by_value_range, _BEGIN, _END, _RETURN)),
    (1022, Form.of("list_remove_by_value", lists.remove_by_value, _VAL, _RETURN)),
    (1023, Form.of("list_remove_by_value_list", lists.remove_by_value_list, _VALS, _RETURN)),
    (1024, Form.of("list_remove_by_value_range", lists.remove_by_value_range, _BEGIN, _END, _RETURN)),
    (1025, Form.of("list_remove_by_index", lists.remove_by_index, _INDEX, _RETURN)),
    (1026, Form.of("list_remove_by_index_range", lists.remove_by_index_range, _INDEX, _COUNT_OR_ALL, _RETURN)),
    (1027, Form.of("list_remove_by_rank", lists.remove_by_rank, _RANK, _RETURN)),
    (1028, Form.of("list_remove_by_rank_range", lists.remove_by_rank_range, _RANK, _COUNT_OR_ALL, _RETURN)),
    (1029, Form.of("list_increment", lists.increment, _INDEX, _STEP, _LIST_POLICY)),
    (1030, Form.of("list_sort", lists.sort, Entry("val", default=lists.ListSort.DEFAULT))),
    (1031, Form.of("list_set_order", lists.set_order, Entry("val", default=lists.ListOrder.UNORDERED))),
]
_MAPS: Final = [
    (2001, Form.of("map_set_order", maps.set_order, _ORDER)),
    (2002, Form.of("map_put", maps.put, _MAP_KEY, _VAL, _MAP_POLICY)),
    (2003, Form.of("map_put_items", maps.put_items, _VAL, _MAP_POLICY)),
    (2004, Form.of("map_increment", maps.increment, _MAP_KEY, _STEP, _STEP_POLICY)),
    (2005, Form.of("map_decrement", maps.decrement, _MAP_KEY, _STEP, _STEP_POLICY)),
    (2006, Form.of("map_clear", maps.clear)),
    (2007, Form.of("map_remove_by_key", maps.remove_by_key, _MAP_KEY, _RETURN)),
    (2008, Form.of("map_remove_by_key_list", maps.remove_by_key_list, _VALS, _RETURN)),
    (2009, Form.of("map_remove_by_key_range", maps.remove_by_key_range, _BEGIN, _END, _RETURN)),
    (2010, Form.of("map_remove_by_value", maps.remove_by_value, _VAL, _RETURN)),
    (2011, Form.of("map_remove_by_value_list", maps.remove_by_value_list, _VALS, _RETURN)),
    (2012, Form.of("map_remove_by_value_range", maps.remove_by_value_range, _BEGIN, _END, _RETURN)),
    (2013, Form.of("map_remove_by_index", maps.remove_by_index, _INDEX, _RETURN)),
    (2014, Form.of("map_remove_by_index_range", maps.remove_by_index_range, _INDEX, _COUNT_OR_ALL, _RETURN)),
    (2015, Form.of("map_remove_by_rank", maps.remove_by_rank, _RANK, _RETURN)),
    (2016, Form.of("map_remove_by_rank_range", maps.remove_by_rank_range, _RANK, _COUNT_OR_ALL, _RETURN)),
    (2017, Form.of("map_size", maps.size)),
    (2018, Form.of("map_get_by_key", maps.get_by_key, _MAP_KEY, _RETURN)),
    (2019, Form.of("map_get_by_key_range", maps.get_by_key_range, _BEGIN, _END, _RETURN)),
    (2020, Form.of("map_get_by_value", maps.get_by_value, _VAL, _RETURN)),
    (2021, Form.of("map_get_by_value_range", maps.get_by_value_range, _BEGIN, _END, _RETURN)),
    (2022, Form.of("map_get_by_index", maps.get_by_index, _INDEX, _RETURN)),
    (2023, Form.of("map_get_by_index_range", maps.get_by_index_range, _INDEX, _COUNT_OR_ALL, _RETURN)),
    (2024, Form.of("map_get_by_rank", maps.get_by_rank, _RANK, _RETURN)),
    (2025, Form.of("map_get_by_rank_range", maps.get_by_rank_range, _RANK, _COUNT_OR_ALL, _RETURN)),
    (2026, Form.of("map_get_by_key_list", maps.get_by_key_list, _VALS, _RETURN)),
    (2027, Form.of("map_get_by_value_list", maps.get_by_value_list, _VALS, _RETURN)),
]

#: The forms by code.
FORMS: Final[Mapping[int, Form]] = dict(_LISTS + _MAPS)
