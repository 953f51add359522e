"""Operations on lists and maps: their numbers (server: as/include/base/proto.h) and their tables.

:mod:`operation_rows` explains the columns and words of a row.
"""

from typing import Final

from .constants import OP_CDT_MODIFY, OP_CDT_READ
from .operation_rows import Family, table

# Operations. The names are the server's, without its AS_CDT_OP_.
LIST_SET_TYPE: Final = 0
LIST_APPEND: Final = 1
LIST_APPEND_ITEMS: Final = 2
LIST_INSERT: Final = 3
LIST_INSERT_ITEMS: Final = 4
LIST_POP: Final = 5
LIST_POP_RANGE: Final = 6
LIST_REMOVE: Final = 7
LIST_REMOVE_RANGE: Final = 8
LIST_SET: Final = 9
LIST_TRIM: Final = 10
LIST_CLEAR: Final = 11
LIST_INCREMENT: Final = 12
LIST_SORT: Final = 13
LIST_SIZE: Final = 16
LIST_GET: Final = 17
LIST_GET_RANGE: Final = 18
LIST_GET_BY_INDEX: Final = 19
LIST_GET_BY_VALUE: Final = 20
LIST_GET_BY_RANK: Final = 21
LIST_GET_ALL_BY_VALUE: Final = 22
LIST_GET_ALL_BY_VALUE_LIST: Final = 23
LIST_GET_BY_INDEX_RANGE: Final = 24
LIST_GET_BY_VALUE_INTERVAL: Final = 25
LIST_GET_BY_RANK_RANGE: Final = 26
LIST_GET_BY_VALUE_REL_RANK_RANGE: Final = 27
LIST_REMOVE_BY_INDEX: Final = 32
LIST_REMOVE_BY_VALUE: Final = 33
LIST_REMOVE_BY_RANK: Final = 34
LIST_REMOVE_ALL_BY_VALUE: Final = 35
LIST_REMOVE_ALL_BY_VALUE_LIST: Final = 36
LIST_REMOVE_BY_INDEX_RANGE: Final = 37
LIST_REMOVE_BY_VALUE_INTERVAL: Final = 38
LIST_REMOVE_BY_RANK_RANGE: Final = 39
LIST_REMOVE_BY_VALUE_REL_RANK_RANGE: Final = 40
MAP_SET_TYPE: Final = 64
MAP_ADD: Final = 65
MAP_ADD_ITEMS: Final = 66
MAP_PUT: Final = 67
MAP_PUT_ITEMS: Final = 68
MAP_REPLACE: Final = 69
MAP_REPLACE_ITEMS: Final = 70
MAP_INCREMENT: Final = 73
MAP_DECREMENT: Final = 74
MAP_CLEAR: Final = 75
MAP_REMOVE_BY_KEY: Final = 76
MAP_REMOVE_BY_INDEX: Final = 77
MAP_REMOVE_BY_VALUE: Final = 78
MAP_REMOVE_BY_RANK: Final = 79
MAP_REMOVE_BY_KEY_LIST: Final = 81
MAP_REMOVE_ALL_BY_VALUE: Final = 82
MAP_REMOVE_BY_VALUE_LIST: Final = 83
MAP_REMOVE_BY_KEY_INTERVAL: Final = 84
MAP_REMOVE_BY_INDEX_RANGE: Final = 85
MAP_REMOVE_BY_VALUE_INTERVAL: Final = 86
MAP_REMOVE_BY_RANK_RANGE: Final = 87
MAP_REMOVE_BY_KEY_REL_INDEX_RANGE: Final = 88
MAP_REMOVE_BY_VALUE_REL_RANK_RANGE: Final = 89
MAP_SIZE: Final = 96
MAP_GET_BY_KEY: Final = 97
MAP_GET_BY_INDEX: Final = 98
MAP_GET_BY_VALUE: Final = 99
MAP_GET_BY_RANK: Final = 100
MAP_GET_ALL_BY_VALUE: Final = 102
MAP_GET_BY_KEY_INTERVAL: Final = 103
MAP_GET_BY_INDEX_RANGE: Final = 104
MAP_GET_BY_VALUE_INTERVAL: Final = 105
MAP_GET_BY_RANK_RANGE: Final = 106
MAP_GET_BY_KEY_LIST: Final = 107
MAP_GET_BY_VALUE_LIST: Final = 108
MAP_GET_BY_KEY_REL_INDEX_RANGE: Final = 109
MAP_GET_BY_VALUE_REL_RANK_RANGE: Final = 110
SELECT: Final = 0xFE
CONTEXT_EVAL: Final = 0xFF

# Return types. INVERTED is added to select everything but what was found.
RETURN_NONE: Final = 0
RETURN_INDEX: Final = 1
RETURN_REVINDEX: Final = 2
RETURN_RANK: Final = 3
RETURN_REVRANK: Final = 4
RETURN_COUNT: Final = 5
RETURN_KEY: Final = 6
RETURN_VALUE: Final = 7
RETURN_KEY_VALUE_MAP: Final = 8
RETURN_INDEX_RANGE: Final = 9
RETURN_REVINDEX_RANGE: Final = 10
RETURN_RANK_RANGE: Final = 11
RETURN_REVRANK_RANGE: Final = 12
RETURN_EXISTS: Final = 13
RETURN_UNORDERED_MAP: Final = 16
RETURN_ORDERED_MAP: Final = 17
RETURN_INVERTED: Final = 0x10000

# Flags of SELECT, besides what it returns (server: cdt.c).
SELECT_APPLY: Final = 0x04
SELECT_NO_FAIL: Final = 0x10

# Flags of sort.
SORT_ASCENDING: Final = 0
SORT_DESCENDING: Final = 1
SORT_DROP_DUPLICATES: Final = 2

# Flags of writes to a list, and of writes to a map.
LIST_MODIFY_DEFAULT: Final = 0x00
LIST_ADD_UNIQUE: Final = 0x01
LIST_INSERT_BOUNDED: Final = 0x02
LIST_NO_FAIL: Final = 0x04
LIST_DO_PARTIAL: Final = 0x08
MAP_MODIFY_DEFAULT: Final = 0x00
MAP_NO_OVERWRITE: Final = 0x01
MAP_NO_CREATE: Final = 0x02
MAP_NO_FAIL: Final = 0x04
MAP_DO_PARTIAL: Final = 0x08

# Steps of a context.
CONTEXT_INDEX: Final = 0
CONTEXT_RANK: Final = 1
CONTEXT_KEY: Final = 2
CONTEXT_VALUE: Final = 3
CONTEXT_EXP: Final = 4
CONTEXT_INDEX_LIST: Final = 8
CONTEXT_RANK_LIST: Final = 9
CONTEXT_KEY_LIST: Final = 10
CONTEXT_VALUE_LIST: Final = 11
CONTEXT_LIST: Final = 0x10
CONTEXT_MAP: Final = 0x20
CONTEXT_BASE_MASK: Final = 0x0F
CONTEXT_CDT_TYPE_MASK: Final = 0x30
CONTEXT_TYPE_MASK: Final = 0x3F
CONTEXT_CREATE_MASK: Final = 0x1C0
CONTEXT_CREATE_LIST_UNORDERED: Final = 0x40
CONTEXT_CREATE_LIST_UNORDERED_UNBOUND: Final = 0x80
CONTEXT_CREATE_LIST_ORDERED: Final = 0xC0
CONTEXT_CREATE_MAP_UNORDERED: Final = 0x40
CONTEXT_CREATE_MAP_K_ORDERED: Final = 0x80
CONTEXT_CREATE_MAP_KV_ORDERED: Final = 0xC0
CONTEXT_CREATE_PERSIST_INDEX: Final = 0x100
CONTEXT_AND: Final = 0x200

_LIST: Final = Family("lists", "list", "list", 0, OP_CDT_READ, OP_CDT_MODIFY, contexts=True)
_MAP: Final = Family("maps", "map", "map", 0, OP_CDT_READ, OP_CDT_MODIFY, contexts=True, answers_all=True)

LISTS: Final = table(
    _LIST.write("create", LIST_SET_TYPE, "=order", creates=True, expression=False),
    _LIST.write("set_order", LIST_SET_TYPE, "=order", shown=""),
    _LIST.write("append", LIST_APPEND, "value:stored list_policy"),
    _LIST.write("append_items", LIST_APPEND_ITEMS, "values:stored_list list_policy"),
    _LIST.write("insert", LIST_INSERT, "index:int value:stored list_flags"),
    _LIST.write("insert_items", LIST_INSERT_ITEMS, "index:int values:stored_list list_flags"),
    _LIST.write("set", LIST_SET, "index:int value:stored list_flags"),
    _LIST.write("increment", LIST_INCREMENT, "index:int value:number? list_policy"),
    _LIST.write("sort", LIST_SORT, "=flags?"),
    _LIST.write("clear", LIST_CLEAR),
    _LIST.write("pop", LIST_POP, "index:int", expression=False),
    _LIST.write("pop_range", LIST_POP_RANGE, "index:int count:count?", expression=False),
    _LIST.write("remove", LIST_REMOVE, "index:int", expression=False),
    _LIST.write("remove_range", LIST_REMOVE_RANGE, "index:int count:count?", expression=False),
    _LIST.write("trim", LIST_TRIM, "index:int count:count", shown=""),
    _LIST.write("remove_by_index", LIST_REMOVE_BY_INDEX, "return index:int"),
    _LIST.write("remove_by_index_range", LIST_REMOVE_BY_INDEX_RANGE, "returns index:int count:count?", ranges="both"),
    _LIST.write("remove_by_rank", LIST_REMOVE_BY_RANK, "return rank:int"),
    _LIST.write("remove_by_rank_range", LIST_REMOVE_BY_RANK_RANGE, "returns rank:int count:count?", ranges="both"),
    _LIST.write("remove_by_value", LIST_REMOVE_ALL_BY_VALUE, "returns value:compared", ranges="both"),
    _LIST.write("remove_by_value_list", LIST_REMOVE_ALL_BY_VALUE_LIST, "returns values:compared_list"),
    _LIST.write(
        "remove_by_value_range", LIST_REMOVE_BY_VALUE_INTERVAL, "returns begin:bound end:bound?", ranges="both"
    ),
    _LIST.write(
        "remove_by_value_rank_range_relative",
        LIST_REMOVE_BY_VALUE_REL_RANK_RANGE,
        "returns value:compared rank:int count:count?",
        ranges="both",
        shown="list_remove_by_rel_rank_range",
    ),
    _LIST.read("size", LIST_SIZE, answer="int"),
    _LIST.read("get", LIST_GET, "index:int", expression=False),
    _LIST.read("get_range", LIST_GET_RANGE, "index:int count:count?", expression=False),
    _LIST.read("get_by_index", LIST_GET_BY_INDEX, "return index:int"),
    _LIST.read("get_by_index_range", LIST_GET_BY_INDEX_RANGE, "returns index:int count:count?", ranges="both"),
    _LIST.read("get_by_rank", LIST_GET_BY_RANK, "return rank:int"),
    _LIST.read("get_by_rank_range", LIST_GET_BY_RANK_RANGE, "returns rank:int count:count?", ranges="both"),
    _LIST.read("get_by_value", LIST_GET_ALL_BY_VALUE, "returns value:compared", ranges="both", shown=""),
    _LIST.read("get_by_value_list", LIST_GET_ALL_BY_VALUE_LIST, "returns values:compared_list"),
    _LIST.read("get_by_value_range", LIST_GET_BY_VALUE_INTERVAL, "returns begin:bound end:bound?", ranges="both"),
    _LIST.read(
        "get_by_value_rank_range_relative",
        LIST_GET_BY_VALUE_REL_RANK_RANGE,
        "returns value:compared rank:int count:count?",
        ranges="both",
        shown="list_get_by_rel_rank_range",
    ),
    # What other clients may send, and no function here.
    _LIST.read(
        "get_first_by_value",
        LIST_GET_BY_VALUE,
        "return value:compared",
        operation=False,
        expression=False,
        shown="list_get_by_value",
    ),
    _LIST.write(
        "remove_first_by_value", LIST_REMOVE_BY_VALUE, "return value:compared", operation=False, expression=False
    ),
)

MAPS: Final = table(
    _MAP.write("create", MAP_SET_TYPE, "=order", creates=True, expression=False),
    _MAP.write("set_order", MAP_SET_TYPE, "=order", shown=""),
    _MAP.write("put", MAP_PUT, "key:stored_key value:stored map_policy"),
    _MAP.write("put_items", MAP_PUT_ITEMS, "items:stored_map map_policy"),
    _MAP.write("increment", MAP_INCREMENT, "key:key value:number? map_order"),
    _MAP.write("decrement", MAP_DECREMENT, "key:key value:number? map_order", shown=""),
    _MAP.write("clear", MAP_CLEAR),
    _MAP.write("remove_by_key", MAP_REMOVE_BY_KEY, "return key:key"),
    _MAP.write("remove_by_key_list", MAP_REMOVE_BY_KEY_LIST, "returns keys:keys"),
    _MAP.write(
        "remove_by_key_range", MAP_REMOVE_BY_KEY_INTERVAL, "returns begin:key_bound end:key_bound?", ranges="index"
    ),
    _MAP.write(
        "remove_by_key_index_range_relative",
        MAP_REMOVE_BY_KEY_REL_INDEX_RANGE,
        "returns key:key index:int count:count?",
        ranges="index",
        shown="map_remove_by_rel_index_range",
    ),
    _MAP.write("remove_by_index", MAP_REMOVE_BY_INDEX, "return index:int"),
    _MAP.write("remove_by_index_range", MAP_REMOVE_BY_INDEX_RANGE, "returns index:int count:count?", ranges="index"),
    _MAP.write("remove_by_rank", MAP_REMOVE_BY_RANK, "return rank:int"),
    _MAP.write("remove_by_rank_range", MAP_REMOVE_BY_RANK_RANGE, "returns rank:int count:count?", ranges="rank"),
    _MAP.write("remove_by_value", MAP_REMOVE_ALL_BY_VALUE, "returns value:compared", ranges="rank", shown=""),
    _MAP.write("remove_by_value_list", MAP_REMOVE_BY_VALUE_LIST, "returns values:compared_list"),
    _MAP.write("remove_by_value_range", MAP_REMOVE_BY_VALUE_INTERVAL, "returns begin:bound end:bound?", ranges="rank"),
    _MAP.write(
        "remove_by_value_rank_range_relative",
        MAP_REMOVE_BY_VALUE_REL_RANK_RANGE,
        "returns value:compared rank:int count:count?",
        ranges="rank",
        shown="map_remove_by_rel_rank_range",
    ),
    _MAP.read("size", MAP_SIZE, answer="int"),
    _MAP.read("get_by_key", MAP_GET_BY_KEY, "return key:key"),
    _MAP.read("get_by_key_list", MAP_GET_BY_KEY_LIST, "returns keys:keys"),
    _MAP.read("get_by_key_range", MAP_GET_BY_KEY_INTERVAL, "returns begin:key_bound end:key_bound?", ranges="index"),
    _MAP.read(
        "get_by_key_index_range_relative",
        MAP_GET_BY_KEY_REL_INDEX_RANGE,
        "returns key:key index:int count:count?",
        ranges="index",
        shown="map_get_by_rel_index_range",
    ),
    _MAP.read("get_by_index", MAP_GET_BY_INDEX, "return index:int"),
    _MAP.read("get_by_index_range", MAP_GET_BY_INDEX_RANGE, "returns index:int count:count?", ranges="index"),
    _MAP.read("get_by_rank", MAP_GET_BY_RANK, "return rank:int"),
    _MAP.read("get_by_rank_range", MAP_GET_BY_RANK_RANGE, "returns rank:int count:count?", ranges="rank"),
    _MAP.read("get_by_value", MAP_GET_ALL_BY_VALUE, "returns value:compared", ranges="rank"),
    _MAP.read("get_by_value_list", MAP_GET_BY_VALUE_LIST, "returns values:compared_list"),
    _MAP.read("get_by_value_range", MAP_GET_BY_VALUE_INTERVAL, "returns begin:bound end:bound?", ranges="rank"),
    _MAP.read(
        "get_by_value_rank_range_relative",
        MAP_GET_BY_VALUE_REL_RANK_RANGE,
        "returns value:compared rank:int count:count?",
        ranges="rank",
        shown="map_get_by_rel_rank_range",
    ),
    # What other clients may send, and no function here.
    _MAP.write("add", MAP_ADD, "key:stored_key value:stored map_order", operation=False, expression=False),
    _MAP.write("add_items", MAP_ADD_ITEMS, "items:stored_map map_order", operation=False, expression=False),
    _MAP.write("replace", MAP_REPLACE, "key:stored_key value:stored", operation=False, expression=False),
    _MAP.write("replace_items", MAP_REPLACE_ITEMS, "items:stored_map", operation=False, expression=False),
    _MAP.read("get_first_by_value", MAP_GET_BY_VALUE, "return value:compared", operation=False, expression=False),
    _MAP.write(
        "remove_first_by_value",
        MAP_REMOVE_BY_VALUE,
        "return value:compared",
        operation=False,
        expression=False,
        shown="map_remove_by_value",
    ),
)
