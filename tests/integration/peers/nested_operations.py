# mypy: ignore-errors
# (for the published client of that name, which this environment does not have)

"""Send operations on lists and maps that the recording does not have; run by test_nested_operations_peers.py.

Usage: nested_operations.py PORT

Each operation goes alone, on a bin that is named after its row there; what the server says of it does not count.
"""

import sys

import aerospike
from aerospike import exception
from aerospike_helpers import cdt_ctx, expressions as exp
from aerospike_helpers.operations import list_operations as lists, map_operations as maps, operations

client = aerospike.client({"hosts": [("127.0.0.1", int(sys.argv[1]))], "policies": {"total_timeout": 10000}})
key = ("test", "peer", "nested")
INFINITE, WILDCARD = aerospike.CDTInfinite(), aerospike.CDTWildcard()
L, M = aerospike.LIST_RETURN_VALUE, aerospike.MAP_RETURN_VALUE
STEPS = [cdt_ctx.cdt_ctx_map_key("a"), cdt_ctx.cdt_ctx_list_index(-1)]
ORDERED = {"list_order": aerospike.LIST_ORDERED, "write_flags": aerospike.LIST_WRITE_ADD_UNIQUE}
PERSISTED = {"map_order": aerospike.MAP_KEY_VALUE_ORDERED, "persist_index": True}
UPDATE = {"map_order": aerospike.MAP_KEY_ORDERED, "map_write_flags": aerospike.MAP_WRITE_FLAGS_UPDATE_ONLY}
ALL = cdt_ctx.cdt_ctx_all_children()
MORE = exp.GT(exp.IntBin("n"), 5).compile()

ROWS = {
    "l create pad": lists.list_create("l create pad", 0, True, False, [cdt_ctx.cdt_ctx_list_index(3)]),
    "l create order": lists.list_create("l create order", 1, False, False, STEPS),
    "l create keep": lists.list_create("l create keep", 1, False, True),
    "l order ctx": lists.list_set_order("l order ctx", 1, STEPS),
    "l append": lists.list_append("l append", {"b": 1, "a": [b"x", None, True]}, ORDERED, STEPS),
    "l append items": lists.list_append_items("l append items", [300, -40, 2**40, 1.5], ORDERED),
    "l insert ctx": lists.list_insert("l insert ctx", -1, "x", {"write_flags": 3}, STEPS),
    "l increment": lists.list_increment("l increment", 0, 1.5, ORDERED),
    "l sort ctx": lists.list_sort("l sort ctx", 1, STEPS),
    "l trim ctx": lists.list_trim("l trim ctx", 70000, 300, STEPS),
    "l rank to end": lists.list_get_by_rank_range("l rank to end", -1, L),
    "l index to end": lists.list_get_by_index_range("l index to end", 1, L, None, True, STEPS),
    "l relative": lists.list_get_by_value_rank_range_relative("l relative", "v", -2, L),
    "l relative 2": lists.list_get_by_value_rank_range_relative("l relative 2", 5, 1, L, 300, True, STEPS),
    "l value": lists.list_get_by_value("l value", [1, WILDCARD], L, True),
    "l values": lists.list_get_by_value_list("l values", [[1, WILDCARD], "a"], L, True, STEPS),
    "l range": lists.list_get_by_value_range("l range", L, [1, None], [1, INFINITE]),
    "l below": lists.list_get_by_value_range("l below", L, None, 9, True),
    "r l range": lists.list_remove_by_value_range("r l range", L, 3, None),
    "r l rank": lists.list_remove_by_rank_range("r l rank", 1, L, None, True),
    "r l relative": lists.list_remove_by_value_rank_range_relative("r l relative", 5, 0, L, 3),
    "c rank value": lists.list_size("c rank value", [cdt_ctx.cdt_ctx_list_rank(-1), cdt_ctx.cdt_ctx_list_value([2])]),
    "c create": lists.list_append(
        "c create", 1, None, [cdt_ctx.cdt_ctx_list_index_create(9, 0, True), cdt_ctx.cdt_ctx_list_index_create(0, 1)]
    ),
    "m create": maps.map_create("m create", aerospike.MAP_KEY_ORDERED, False, STEPS),
    "m create kv": maps.map_create("m create kv", aerospike.MAP_KEY_VALUE_ORDERED, False, STEPS[:1]),
    "m create keep": maps.map_create("m create keep", aerospike.MAP_KEY_ORDERED, True),
    "m policy keep": maps.map_set_policy("m policy keep", PERSISTED),
    "m policy ctx": maps.map_set_policy("m policy ctx", {"map_order": aerospike.MAP_KEY_ORDERED}, STEPS),
    "m put": maps.map_put("m put", b"k", {"z": 1, 5: 2, b"y": 3}, UPDATE, STEPS),
    "m put keep": maps.map_put("m put keep", -7, "v", PERSISTED),
    "m put items": maps.map_put_items("m put items", {"z": 1, "a": {"c": 1, "b": 2}}, UPDATE),
    "m increment": maps.map_increment("m increment", "k", 2.5, {"map_order": aerospike.MAP_KEY_ORDERED}, STEPS),
    "m relative": maps.map_get_by_key_index_range_relative("m relative", "k", -2, M),
    "m relative 2": maps.map_get_by_value_rank_range_relative("m relative 2", 5, 1, M, 300, True, STEPS),
    "m keys": maps.map_get_by_key_list("m keys", ["k", 1, b"b"], M, True, STEPS),
    "m range": maps.map_get_by_value_range("m range", [1, WILDCARD], [2, INFINITE], M, True),
    "r m key": maps.map_remove_by_key_index_range_relative("r m key", "k", 1, M, 2, True),
    "r m value": maps.map_remove_by_value_rank_range_relative("r m value", 5, 1, M),
    "r m keys": maps.map_remove_by_key_range("r m keys", "a", "b", M, True, STEPS),
    "c map": maps.map_size("c map", [cdt_ctx.cdt_ctx_map_rank(0), cdt_ctx.cdt_ctx_map_value({"b": 1, "a": 2})]),
    "c map create": maps.map_put("c map create", 1, 2, None, [cdt_ctx.cdt_ctx_map_key_create("k", 3)]),
    "p tree": operations.select_by_path("p tree", [ALL, *STEPS], aerospike.EXP_PATH_SELECT_MATCHING_TREE),
    "p keys": operations.select_by_path(
        "p keys",
        [cdt_ctx.cdt_ctx_map_keys_in(["b", "a"]), ALL],
        aerospike.EXP_PATH_SELECT_MAP_KEY_VALUE | aerospike.EXP_PATH_SELECT_NO_FAIL,
    ),
    "p filter": operations.select_by_path(
        "p filter",
        [STEPS[0], cdt_ctx.cdt_ctx_and_filter(MORE), cdt_ctx.cdt_ctx_all_children_with_filter(MORE)],
        aerospike.EXP_PATH_SELECT_VALUE,
    ),
    "p modify": operations.modify_by_path(
        "p modify", [ALL], exp.Add(exp.IntBin("n"), 1).compile(), aerospike.EXP_PATH_MODIFY_NO_FAIL
    ),
}

for name, operation in ROWS.items():
    assert operation["bin"] == name
    try:
        client.operate(key, [operation])
    except exception.ServerError:
        pass
print("done")
