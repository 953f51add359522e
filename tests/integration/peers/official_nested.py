# mypy: ignore-errors
# (for the published client of that name, which this environment does not have)

"""Every operation of the published `aerospike` client on lists, maps, bits and sketches, and what comes of each.

Usage: official_nested.py PORT

It prints a line for each step: its name, what the operation gave back or the number of the error, the bin after it.
test_server.py compares the lines with those that a real server gave (CE 8.1.2, tests/data/official_nested.txt).
To make that file anew, run this with the port of a real one.
"""

import hashlib
import sys
import warnings

import aerospike
from aerospike import exception
from aerospike_helpers import HyperLogLog, cdt_ctx
from aerospike_helpers.operations import (
    bitwise_operations as bit,
    hll_operations as hll,
    list_operations as lists,
    map_operations as maps,
    operations,
)

warnings.simplefilter("ignore", DeprecationWarning)
client = aerospike.client({"hosts": [("127.0.0.1", int(sys.argv[1]))], "policies": {"total_timeout": 10000}})
KEY = ("test", "peer-nested", "key")
LIST = [5, 1, "a", 4, 1.5, None, [2], 1, b"x", True]
MAP = {"b": 2, "a": 5, 3: "x", "d": 2, "c": [1], b"k": None}
NESTED = {"l": [[3, 1, 2], {"x": {"y": [9, 8]}}], "m": {"k": {"i": 1, "j": 2}}}
BLOB = b"\x01\x42\x03\x04\x05"
RETURNS = {
    name.removeprefix("LIST_RETURN_"): getattr(aerospike, name)
    for name in sorted(dir(aerospike))
    if name.startswith("LIST_RETURN_")
}
MAP_RETURNS = {
    name.removeprefix("MAP_RETURN_"): getattr(aerospike, name)
    for name in sorted(dir(aerospike))
    if name.startswith("MAP_RETURN_")
}


def shown(value):
    """A value as text; of a sketch a part of its hash."""
    if isinstance(value, HyperLogLog):
        return f"sketch {hashlib.sha256(bytes(value)).hexdigest()[:12]}"
    return repr(value)


def step(name, start, *ops):
    """Carry operations out on a bin that holds `start`, and say what came of them."""
    client.put(KEY, {"b": start, "n": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE})
    try:
        answer = client.operate_ordered(KEY, list(ops))[2]
        came = "; ".join(f"{name} {shown(value)}" for name, value in answer)
    except exception.AerospikeError as error:
        came = f"error {error.code}"
    left = shown(client.get(KEY)[2].get("b"))
    print(f"{name}: {came} -> {'as before' if left == shown(start) else left}")


def list_steps():
    for order, name in ((aerospike.LIST_UNORDERED, "list"), (aerospike.LIST_ORDERED, "sorted list")):

        def on(what, *ops, order=order, name=name):
            before = [lists.list_set_order("b", order)] if order else []
            step(f"{name} {what}", LIST, *before, *ops)

        on("append", lists.list_append("b", 2))
        on("append_items", lists.list_append_items("b", [3, "b"]))
        on("insert", lists.list_insert("b", 2, 7))
        on("insert beyond", lists.list_insert("b", 12, 7))
        on("insert_items", lists.list_insert_items("b", -1, [7, 8]))
        on("increment", lists.list_increment("b", 0, 3), lists.list_increment("b", 3, 1))
        on("increment text", lists.list_increment("b", 2, 1))
        on("pop", lists.list_pop("b", 1))
        on("pop_range", lists.list_pop_range("b", 1, 2))
        on("remove", lists.list_remove("b", 0))
        on("remove_range", lists.list_remove_range("b", 6, 9))
        on("clear", lists.list_clear("b"))
        on("set", lists.list_set("b", 3, "new"))
        on("set out of bounds", lists.list_set("b", 30, "new"))
        on("get", lists.list_get("b", -1), lists.list_get_range("b", 2, 3), lists.list_size("b"))
        on("get out of bounds", lists.list_get("b", 10))
        on("trim", lists.list_trim("b", 1, 3))
        on("sort", lists.list_sort("b", aerospike.LIST_SORT_DEFAULT))
        on("sort and drop", lists.list_sort("b", aerospike.LIST_SORT_DROP_DUPLICATES))
        for flags in range(16):
            policy = {"write_flags": flags, "list_order": order}
            on(f"append flags {flags}", lists.list_append("b", 1, policy=policy))
            on(f"append_items flags {flags}", lists.list_append_items("b", [1, 77, 77], policy=policy))
            on(f"insert flags {flags}", lists.list_insert("b", 15, 77, policy=policy))
            on(f"insert_items flags {flags}", lists.list_insert_items("b", 1, [1, 77], policy=policy))
        for shown, returns in RETURNS.items():
            for inverted in (False, True):
                label = f"{shown} inverted" if inverted else shown
                more = {"inverted": inverted}
                for verb in ("get", "remove"):
                    chosen = {
                        "by_value": (1, returns, inverted),
                        "by_value_list": ([1, "a", "none"], returns, inverted),
                        "by_index_range": (2, returns, 3, inverted),
                        "by_rank_range": (-3, returns, 2, inverted),
                    }
                    for kind, args in chosen.items():
                        on(f"{verb}_{kind} {label}", getattr(lists, f"list_{verb}_{kind}")("b", *args))
                    by_value = getattr(lists, f"list_{verb}_by_value_range")
                    on(f"{verb}_by_value_range {label}", by_value("b", returns, 1, "b", **more))
                    relative = getattr(lists, f"list_{verb}_by_value_rank_range_relative")
                    on(f"{verb}_relative {label}", relative("b", 4, -1, returns, 2, **more))
            for verb in ("get", "remove"):
                on(f"{verb}_by_index {shown}", getattr(lists, f"list_{verb}_by_index")("b", -2, returns))
                on(f"{verb}_by_rank {shown}", getattr(lists, f"list_{verb}_by_rank")("b", 2, returns))
    ctx = [cdt_ctx.cdt_ctx_list_index(0)]
    deep = [[3, 1, 2], [[7, 8], 9]]
    step("list in list", deep, lists.list_append("b", 4, ctx=ctx), lists.list_size("b", ctx=ctx))
    step("list in list by rank", deep, lists.list_sort("b", 0, ctx=[cdt_ctx.cdt_ctx_list_rank(0)]))
    step("list in list by value", deep, lists.list_pop("b", 0, ctx=[cdt_ctx.cdt_ctx_list_value([3, 1, 2])]))
    step("list in list missing", deep, lists.list_size("b", ctx=[cdt_ctx.cdt_ctx_list_index(5)]))
    created = [cdt_ctx.cdt_ctx_list_index_create(4, aerospike.LIST_ORDERED, True)]
    step("list in list created", deep, lists.list_append("b", 4, ctx=created))
    step("list where text is", "text", lists.list_append("b", 4))
    step("list create", LIST, operations.write("b", None), lists.list_create("b", aerospike.LIST_ORDERED, False, False))


def map_steps():
    for order in (aerospike.MAP_UNORDERED, aerospike.MAP_KEY_ORDERED, aerospike.MAP_KEY_VALUE_ORDERED):

        def on(what, *ops, order=order):
            before = [maps.map_set_policy("b", {"map_order": order})] if order else []
            step(f"map {order} {what}", MAP, *before, *ops)

        policy = {"map_order": order}
        on("put", maps.map_put("b", "z", 1, policy), maps.map_put("b", "a", 6, policy), maps.map_size("b"))
        on("put_items", maps.map_put_items("b", {"z": 1, "a": 6}, policy))
        on("increment", maps.map_increment("b", "a", 2, policy), maps.map_increment("b", "new", 2, policy))
        on("increment text", maps.map_increment("b", 3, 2, policy))
        on("decrement", maps.map_decrement("b", "a", 2, policy))
        on("clear", maps.map_clear("b"))
        for flags in range(16):
            policy = {"map_order": order, "map_write_flags": flags}
            on(f"put old flags {flags}", maps.map_put("b", "a", 7, policy))
            on(f"put new flags {flags}", maps.map_put("b", "q", 7, policy))
            on(f"put_items flags {flags}", maps.map_put_items("b", {"a": 7, "q": 8}, policy))
        for shown, returns in MAP_RETURNS.items():
            for inverted in (False, True):
                label = f"{shown} inverted" if inverted else shown
                for verb in ("get", "remove"):
                    chosen = {
                        "by_key_list": (["a", "none", 3], returns, inverted),
                        "by_key_range": ("b", "d", returns, inverted),
                        "by_value": (2, returns, inverted),
                        "by_value_list": ([2, [1], 99], returns, inverted),
                        "by_value_range": (2, "z", returns, inverted),
                        "by_index_range": (1, 2, returns, inverted),
                        "by_rank_range": (-2, 2, returns, inverted),
                        "by_value_rank_range_relative": (2, 1, returns, 2, inverted),
                        "by_key_index_range_relative": ("b", 1, returns, 2, inverted),
                    }
                    for kind, args in chosen.items():
                        function = getattr(maps, f"map_{verb}_{kind}")
                        on(f"{verb}_{kind} {label}", function("b", *args))
            for verb in ("get", "remove"):
                for kind, place in (("by_key", "b"), ("by_index", 1), ("by_rank", -1)):
                    on(f"{verb}_{kind} {shown}", getattr(maps, f"map_{verb}_{kind}")("b", place, returns))
    key = cdt_ctx.cdt_ctx_map_key
    inner = [key("m"), key("k")]
    step("map in map", NESTED, maps.map_put("b", "new", 1, ctx=inner), maps.map_size("b", ctx=inner))
    step("map in map by index", NESTED, maps.map_size("b", ctx=[cdt_ctx.cdt_ctx_map_index(1)]))
    step("map in map by rank", NESTED, maps.map_size("b", ctx=[cdt_ctx.cdt_ctx_map_rank(-1)]))
    step(
        "map in map by value", NESTED, maps.map_clear("b", ctx=[key("m"), cdt_ctx.cdt_ctx_map_value({"i": 1, "j": 2})])
    )
    step("map in map missing", NESTED, maps.map_put("b", 1, 1, ctx=[key("none")]))
    created = [cdt_ctx.cdt_ctx_map_key_create("new", aerospike.MAP_KEY_ORDERED)]
    step("map in map created", NESTED, maps.map_put("b", 1, 1, ctx=created))
    path = [key("l"), cdt_ctx.cdt_ctx_list_index(1), key("x"), key("y")]
    step("list in map in list", NESTED, lists.list_append("b", 7, ctx=path), lists.list_size("b", ctx=path))
    step("list where a map is", NESTED, lists.list_append("b", 7, ctx=inner))
    step("map where a list is", NESTED, maps.map_put("b", 1, 1, ctx=path))
    step("map where text is", "text", maps.map_put("b", 1, 1))
    step("map create", MAP, operations.write("b", None), maps.map_create("b", aerospike.MAP_KEY_ORDERED, False))


def bit_steps():
    def on(what, *ops):
        step(f"bits {what}", BLOB, *ops)

    for flags in (0, aerospike.BIT_WRITE_NO_FAIL, aerospike.BIT_WRITE_PARTIAL, aerospike.BIT_WRITE_UPDATE_ONLY):
        policy = {"bit_write_flags": flags}
        for offset, size in ((0, 8), (4, 12), (-12, 9), (36, 8), (40, 8), (-48, 8)):
            label = f"{offset} {size} flags {flags}"
            on(f"set {label}", bit.bit_set("b", offset, size, 2, b"\xaa\x5a", policy))
            on(f"or {label}", bit.bit_or("b", offset, size, 2, b"\xaa\x5a", policy))
            on(f"xor {label}", bit.bit_xor("b", offset, size, 2, b"\xaa\x5a", policy))
            on(f"and {label}", bit.bit_and("b", offset, size, 2, b"\xaa\x5a", policy))
            on(f"not {label}", bit.bit_not("b", offset, size, policy))
            on(f"lshift {label}", bit.bit_lshift("b", offset, size, 3, policy))
            on(f"rshift {label}", bit.bit_rshift("b", offset, size, 3, policy))
            for action in (aerospike.BIT_OVERFLOW_FAIL, aerospike.BIT_OVERFLOW_SATURATE, aerospike.BIT_OVERFLOW_WRAP):
                for sign in (False, True):
                    how = f"{label} {action} {sign}"
                    on(f"add {how}", bit.bit_add("b", offset, size, 200, sign, action, policy))
                    on(f"subtract {how}", bit.bit_subtract("b", offset, size, 200, sign, action, policy))
            on(f"set_int {label}", bit.bit_set_int("b", offset, size, 77, policy))
        on(f"remove flags {flags}", bit.bit_remove("b", 1, 2, policy))
        on(f"remove too much flags {flags}", bit.bit_remove("b", 3, 9, policy))
        on(f"insert flags {flags}", bit.bit_insert("b", 1, 2, b"xy", policy))
        for how in range(5):
            on(f"resize {how} shorter flags {flags}", bit.bit_resize("b", 2, policy, how))
            on(f"resize {how} longer flags {flags}", bit.bit_resize("b", 9, policy, how))
    for offset, size in ((0, 40), (4, 12), (-12, 9), (36, 8)):
        label = f"{offset} {size}"
        on(f"get {label}", bit.bit_get("b", offset, size))
        on(f"count {label}", bit.bit_count("b", offset, size))
        on(f"get_int {label}", bit.bit_get_int("b", offset, size, False), bit.bit_get_int("b", offset, size, True))
        on(
            f"scan {label}",
            *[scan("b", offset, size, v) for scan in (bit.bit_lscan, bit.bit_rscan) for v in (True, False)],
        )
    step("bits where text is", "text", bit.bit_count("b", 0, 8))
    step("bits of nothing", BLOB, bit.bit_resize("new", 2), bit.bit_set_int("new", 0, 16, 515), operations.read("new"))


def hll_steps():
    def sketch(start, end, index_bits, minhash_bits):
        values = [n if n % 3 else f"value {n}" for n in range(start, end)]
        ops = [operations.write("b", None), hll.hll_add("b", values, index_bits, minhash_bits), operations.read("b")]
        return client.operate_ordered(KEY, ops)[2][-1][1]

    client.put(KEY, {"b": 1})
    for index_bits, minhash_bits in ((4, 0), (8, 0), (8, 20), (10, 51), (12, 4)):
        one = sketch(0, 300, index_bits, minhash_bits)
        other = sketch(200, 600, index_bits, minhash_bits)
        small = sketch(1, 9, 4, 0)
        label = f"sketch {index_bits} {minhash_bits}"
        step(f"{label} count", one, hll.hll_get_count("b"), hll.hll_describe("b"), hll.hll_refresh_count("b"))
        step(f"{label} add", one, hll.hll_add("b", ["value 3", 1, 1.5, b"new", "new"]))
        step(f"{label} union", one, hll.hll_get_union("b", [other]), hll.hll_get_union_count("b", [other]))
        step(f"{label} both", one, hll.hll_get_intersect_count("b", [other]), hll.hll_get_similarity("b", [other]))
        step(f"{label} three", one, hll.hll_get_intersect_count("b", [other, small]))
        step(f"{label} four", one, hll.hll_get_similarity("b", [other, one, other]))
        step(f"{label} set_union", one, hll.hll_set_union("b", [other]))
        step(f"{label} set_union small", one, hll.hll_set_union("b", [small]))
        step(
            f"{label} set_union folded", one, hll.hll_set_union("b", [small], {"flags": aerospike.HLL_WRITE_ALLOW_FOLD})
        )
        step(f"{label} fold", one, hll.hll_fold("b", 4))
        step(f"{label} init", one, hll.hll_init("b", 5, 6), hll.hll_describe("b"))
        for flags in (1, 2, 4, 5, 6):
            step(f"{label} init flags {flags}", one, hll.hll_init("b", 6, 4, {"flags": flags}))
            step(
                f"new {label} init flags {flags}",
                1,
                hll.hll_init("new", 6, 4, {"flags": flags}),
                operations.read("new"),
            )
    step("sketch where text is", "text", hll.hll_add("b", [1], 8))
    assert isinstance(one, HyperLogLog)


list_steps()
map_steps()
bit_steps()
hll_steps()
client.remove(KEY)
client.close()
print("done")
