"""One program for two packages: run with aerospike-py and with this project's aerospike_py, it prints the same.

``python paired.py PORT [asyncio] [PART_TO_LEAVE_OUT ...]`` prints a line of JSON for each step: its name and what came
of it. Steps in which the two differ on purpose are not here but in docs/differences.md.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import aerospike_py as aerospike
from aerospike_py import (
    bit_operations as bo,
    exp,
    hll_operations as ho,
    list_operations as lo,
    map_operations as mo,
    predicates,
)

SET = "paired"
MODULE = "paired_functions"
LUA = """
function add(rec, x, y) return x + y end
function fail(rec) error("boom") end
function nothing(rec) end
function echo(rec, value) return value end
function keep(rec, value)
    rec["kept"] = value
    if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
    return value
end
"""


def key(name: Any) -> Any:
    return ("test", SET, name)


def plain(value: Any) -> Any:
    """A result as JSON has it; times to live only as being near a tenfold, keys without those of the server."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, float):
        return round(value, 9)
    if hasattr(value, "_fields"):
        fields = {name: plain(field) for name, field in zip(value._fields, value, strict=True)}
        if "ttl" in fields and fields["ttl"] < 4294967295:
            fields["ttl"] = round(fields["ttl"], -1)
        if type(value).__name__ == "AerospikeKey":
            fields["digest"] = len(value.digest)
        return {type(value).__name__: fields}
    if isinstance(value, dict):
        return {repr(name): plain(item) for name, item in sorted(value.items(), key=lambda pair: repr(pair[0]))}
    if isinstance(value, (list, tuple)):
        return ["tuple" if isinstance(value, tuple) else "list", *map(plain, value)]
    return value


def rows(result: Any) -> Any:
    """A batch's rows; the original leaves the keys of their records empty."""
    shown = [
        [
            row.key.user_key,
            row.result,
            None if row.record is None else [row.record.meta and plain(row.record.meta), plain(row.record.bins)],
            row.in_doubt,
        ]
        for row in result.batch_records
    ]
    return [type(result).__name__, shown, plain(result.retry)]


def step(name: str, call: Callable[[], Any]) -> None:
    try:
        outcome = plain(call())
    except aerospike.InvalidArgError:
        outcome = "InvalidArgError"
    except aerospike.AerospikeError as error:
        outcome = [type(error).__name__, error.result_code]
    print(json.dumps([name, outcome], sort_keys=True), flush=True)


def operations(client: Any) -> None:
    fresh: dict[str, Any] = {
        "l": [3, 1, 2, 3],
        "m": {"a": 1, "b": 2, "c": 3},
        "b": bytes([0b11110000, 0, 255, 1]),
        "n": 1,
        "s": "x",
    }

    def on_fresh(name: str, *ops: Any) -> None:
        def call() -> Any:
            client.put(key("ops"), fresh, policy={"exists": aerospike.POLICY_EXISTS_REPLACE})
            result = client.operate(key("ops"), list(ops)).bins
            touched = {op["bin"] for op in ops}
            return [result, {bin: value for bin, value in client.get(key("ops")).bins.items() if bin in touched}]

        step(name, call)

    on_fresh("append", lo.list_append("l", 9))
    on_fresh("append unique", lo.list_append("l", 3, {"flags": aerospike.LIST_WRITE_ADD_UNIQUE}))
    on_fresh("append unique no fail", lo.list_append("l", 3, {"flags": 5}))
    on_fresh("append items", lo.list_append_items("l", [5, "a", None, 1.5, b"x", True, [1], {"k": 1}]))
    on_fresh("append one item", lo.list_append_items("l", 5))  # type: ignore[arg-type]
    on_fresh("insert", lo.list_insert("l", 1, "x"), lo.list_insert_items("l", 0, [7, 8]))
    on_fresh("insert bounded", lo.list_insert("l", 9, "x", {"flags": aerospike.LIST_WRITE_INSERT_BOUNDED}))
    on_fresh("pop", lo.list_pop("l", 0), lo.list_pop("l", -1))
    on_fresh("pop range", lo.list_pop_range("l", 1, 2))
    on_fresh("pop range without a count", {"op": 1006, "bin": "l", "index": 1})
    on_fresh("remove", lo.list_remove("l", 0), lo.list_remove_range("l", 0, 2))
    on_fresh("set and trim", lo.list_set("l", 0, "x"), lo.list_trim("l", 0, 2))
    on_fresh("clear", lo.list_clear("l"))
    on_fresh("size, get, range", lo.list_size("l"), lo.list_get("l", 1), lo.list_get_range("l", 1, 2))
    on_fresh("get beyond the end", lo.list_get("l", 10))
    for kind in (0, 1, 2, 3, 4, 5, 7, 13):
        on_fresh(f"list by value {kind}", lo.list_get_by_value("l", 3, kind))
        on_fresh(f"list by index {kind}", lo.list_get_by_index("l", 1, kind))
        on_fresh(f"list by rank range {kind}", lo.list_get_by_rank_range("l", 1, kind, 2))
        on_fresh(f"list remove by value {kind}", lo.list_remove_by_value("l", 3, kind))
    on_fresh("list ranges", lo.list_get_by_index_range("l", 1, 7), lo.list_get_by_rank_range("l", 1, 7))
    on_fresh("list values", lo.list_get_by_value_list("l", [3, 1], 7), lo.list_get_by_value_range("l", 1, 3, 7))
    on_fresh("list open range", lo.list_get_by_value_range("l", None, None, 7))
    on_fresh("rank by the name of index", {"op": 1018, "bin": "l", "index": 1, "return_type": 7})
    on_fresh("list increment", lo.list_increment("l", 0, 5))
    on_fresh("sort", lo.list_sort("l"))
    on_fresh("sort unique", lo.list_sort("l", aerospike.LIST_SORT_DROP_DUPLICATES))
    on_fresh("set order", lo.list_set_order("l", aerospike.LIST_ORDERED))
    on_fresh("map put", mo.map_put("m", "d", 4), mo.map_put_items("m", {"x": 1, "a": 9}))
    on_fresh("map create only", mo.map_put("m", "a", 4, {"write_mode": aerospike.MAP_CREATE_ONLY}))
    on_fresh("map update only", mo.map_put("m", "z", 4, {"write_mode": aerospike.MAP_UPDATE_ONLY}))
    on_fresh("map sums", mo.map_increment("m", "a", 5), mo.map_decrement("m", "b", 5))
    on_fresh("map clear and size", mo.map_size("m"), mo.map_clear("m"))
    on_fresh("map order", mo.map_set_order("m", aerospike.MAP_KEY_ORDERED))
    for kind in (0, 1, 2, 3, 4, 5, 6, 7, 8, 13):
        on_fresh(f"map by key {kind}", mo.map_get_by_key("m", "b", kind))
        on_fresh(f"map by no key {kind}", mo.map_get_by_key("m", "zz", kind))
        on_fresh(f"map by key range {kind}", mo.map_get_by_key_range("m", "a", "c", kind))
        on_fresh(f"map by rank {kind}", mo.map_get_by_rank("m", -1, kind))
        on_fresh(f"map remove by index {kind}", mo.map_remove_by_index("m", 0, kind))
    on_fresh("map all by index", mo.map_get_by_index_range("m", 0, 6), mo.map_get_by_index_range("m", 0, 6, 2))
    on_fresh("map lists", mo.map_get_by_key_list("m", ["a", "c"], 8), mo.map_get_by_value_list("m", [1, 3], 6))
    on_fresh("map remove ranges", mo.map_remove_by_key_range("m", None, "b", 6), mo.map_remove_by_rank_range("m", 0, 7))
    on_fresh("bits changed", bo.bit_resize("b", 6), bo.bit_insert("b", 1, b"\7"), bo.bit_remove("b", 0, 1))
    on_fresh(
        "bits combined", bo.bit_set("b", 0, 8, b"\1"), bo.bit_or("b", 0, 8, b"\x0f"), bo.bit_xor("b", 8, 8, b"\xff")
    )
    on_fresh("bits moved", bo.bit_not("b", 0, 8), bo.bit_lshift("b", 0, 16, 4), bo.bit_rshift("b", 8, 16, 2))
    on_fresh("bits added", bo.bit_add("b", 0, 8, 1), bo.bit_add("b", 16, 8, 5, False, 2))
    on_fresh("bits overflow", bo.bit_add("b", 16, 8, 5))
    on_fresh("bits set to integers", bo.bit_set_int("b", 0, 16, 513), bo.bit_subtract("b", 0, 8, 5, True, 4))
    on_fresh("bits read", bo.bit_get("b", 0, 12), bo.bit_count("b", 0, 32), bo.bit_lscan("b", 0, 32, True))
    on_fresh("bits read as integers", bo.bit_get_int("b", 0, 8), bo.bit_get_int("b", 0, 8, True))
    on_fresh("bits create only", bo.bit_resize("b", 6, 0, aerospike.BIT_WRITE_CREATE_ONLY))
    on_fresh("bits no fail", bo.bit_set("b", 64, 8, b"\1", aerospike.BIT_WRITE_NO_FAIL))
    on_fresh("several bins", lo.list_append("l", 2), {"op": 5, "bin": "n", "val": 1}, {"op": 1, "bin": "n"})
    step(
        "a result of None",
        lambda: [
            client.put(key("none"), {"l": [None, 1], "m": {"a": None}}),
            client.operate(key("none"), [lo.list_get("l", 0)]).bins,
            client.operate(key("none"), [lo.list_get("l", 0), lo.list_size("l")]).bins,
        ],
    )
    step("sketch", lambda: client.operate(key("hll"), [ho.hll_add("h", ["a", "b"], 8)]).bins)
    step(
        "sketch read",
        lambda: client.operate(key("hll"), [ho.hll_get_count("h"), ho.hll_describe("h"), ho.hll_fold("h", 4)]).bins,
    )
    step("sketch of no size", lambda: client.operate(key("hll2"), [ho.hll_add("h", ["a"])]))
    client.operate(key("hll3"), [ho.hll_add("h", ["b", "c"], 8, 16)])
    client.operate(key("hll4"), [ho.hll_add("h", ["a", "b"], 8, 16)])
    other = bytes(client.get(key("hll3")).bins["h"])
    step(
        "sketches",
        lambda: (
            client.operate(
                key("hll4"),
                [
                    ho.hll_get_union_count("h", [other]),
                    ho.hll_get_intersect_count("h", [other]),
                    ho.hll_get_similarity("h", [other]),
                ],
            ).bins
        ),
    )
    united = [ho.hll_set_union("h", [other]), ho.hll_get_count("h")]
    step("sketch united", lambda: client.operate(key("hll4"), united).bins)


def batches(client: Any) -> None:
    step("write", lambda: rows(client.batch_write([(key(1), {"a": 1}), (key(2), {"a": 2}, {"ttl": 100})])))
    step("write nothing", lambda: rows(client.batch_write([])))
    step("generation", lambda: rows(client.batch_write([(key(1), {"a": 1}, {"gen": 99}), (key(2), {"a": 2})])))
    step("create only", lambda: rows(client.batch_write([(key(1), {"a": 1}), (key(3), {"a": 2})], {"exists": 4})))
    both = [(key(1), {"a": 1}, {"exists": 0}), (key(3), {"a": 2})]
    step("meta first", lambda: rows(client.batch_write(both, {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY})))
    step("ttl", lambda: rows(client.batch_write([(key(1), {"a": 1}, {"ttl": 50}), (key(3), {"a": 2})], {"ttl": 500})))
    step("generation and policy", lambda: rows(client.batch_write([(key(1), {"a": 1}, {"gen": 1})], {"gen": 2})))
    step("a bin removed", lambda: [rows(client.batch_write([(key(1), {"a": None, "b": 1})])), client.get(key(1)).bins])
    step("retry", lambda: rows(client.batch_write([(key(1), {"a": 1})], retry=3)))
    step("retry in vain", lambda: rows(client.batch_write([(key(1), {"a": 1}, {"exists": 4})], retry=3)))
    nothing = {"filter_expression": exp.eq(exp.int_bin("a"), exp.int_val(77))}
    step("filter", lambda: rows(client.batch_write([(key(1), {"a": 1})], nothing)))
    increment = {"op": aerospike.OPERATOR_INCR, "bin": "n", "val": 1}
    read = {"op": aerospike.OPERATOR_READ, "bin": "n"}
    step("operate", lambda: rows(client.batch_operate([key(1), key(2), key(5)], [increment, read])))
    step("operate on one bin", lambda: rows(client.batch_operate([key(1)], [increment, read, read])))
    step("operate, reads", lambda: rows(client.batch_operate([key(1), key(99)], [{"op": 1, "bin": "a"}])))
    step("operate, list", lambda: rows(client.batch_operate([key(1)], [lo.list_append("l", 1), lo.list_size("l")])))
    pairs = [mo.map_put("m", "a", 1), mo.map_get_by_key_range("m", None, None, aerospike.MAP_RETURN_KEY_VALUE)]
    step("operate, map", lambda: rows(client.batch_operate([key(1)], pairs)))
    step("operate on none", lambda: rows(client.batch_operate([], [read])))
    step("operate in vain", lambda: rows(client.batch_operate([key(2)], [{"op": 9, "bin": "a", "val": "x"}])))
    step("remove", lambda: rows(client.batch_remove([key(2), key(98)])))
    step("remove by generation", lambda: rows(client.batch_remove([(key(3), {"gen": 77}), key(3)])))
    step("remove none", lambda: rows(client.batch_remove([])))


def functions(client: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, f"{MODULE}.lua")
        with open(path, "w") as file:
            file.write(LUA)
        step("module put", lambda: client.udf_put(path))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            client.apply(key(1), MODULE, "nothing")
            break
        except aerospike.AerospikeError:
            time.sleep(0.05)
    step("apply", lambda: [client.apply(key(1), MODULE, "add", [1, 2]), client.apply(key(1), MODULE, "nothing")])
    step("apply, values", lambda: client.apply(key(1), MODULE, "echo", [[1, "a", None, 1.5, {"k": [2]}]]))
    step("apply, ttl", lambda: [client.apply(key(1), MODULE, "keep", [5], {"ttl": 500}), client.exists(key(1)).meta])
    step("batch apply", lambda: rows(client.batch_apply([key(1), key(4)], MODULE, "add", [1, 2])))
    metas = [key(1), (key(4), {"args": [5, 5]}), (key(1), {"function": "nothing"})]
    step("batch apply, metas", lambda: rows(client.batch_apply(metas, MODULE, "add", [1, 2])))

    def failures() -> Any:
        failed = client.batch_apply([key(1)], MODULE, "fail").batch_records
        return [[row.result, list(row.record.bins)] for row in failed]

    step("batch apply fails", failures)
    step("batch apply, no function", lambda: client.batch_apply([key(1)], MODULE, "zz").batch_records[0].record.bins)
    step("module removed", lambda: client.udf_remove(MODULE))


def queries(client: Any) -> None:
    for index in ("paired_i", "paired_s"):
        client.index_remove("test", index)
    for number in range(20):
        send = {"key": aerospike.POLICY_KEY_SEND if number % 2 else aerospike.POLICY_KEY_DIGEST}
        client.put(("test", "paired_q", number), {"i": number, "s": f"s{number % 3}", "t": {"k": number}}, policy=send)
    step("index", lambda: client.index_integer_create("test", "paired_q", "i", "paired_i"))
    step("the same index", lambda: client.index_integer_create("test", "paired_q", "i", "paired_i"))
    step("index of text", lambda: client.index_string_create("test", "paired_q", "s", "paired_s"))

    def found(records: Any) -> Any:
        shown = [[plain(record.key), record.meta and record.meta.gen > 0, plain(record.bins)] for record in records]
        return sorted(shown, key=repr)

    def query(*where: Any, select: tuple[str, ...] = (), policy: Any = None) -> Any:
        made = client.query("test", "paired_q")
        if select:
            made.select(*select)
        for predicate in where:
            made.where(predicate)
        return found(made.results(policy))

    step("query", lambda: query(predicates.equals("i", 3)))
    step("query between", lambda: query(predicates.between("i", 3, 5), select=("i",)))
    step("query text", lambda: query(predicates.equals("s", "s1"), select=("i", "s")))
    step("query contains", lambda: query(predicates.contains("i", aerospike.INDEX_TYPE_DEFAULT, 3)))
    step("scan", lambda: query())
    step("scan of no bin", lambda: query(select=("zz",)))
    step("query without index", lambda: query(predicates.equals("zz", 3)))
    step("query filtered", lambda: query(policy={"filter_expression": exp.ge(exp.int_bin("i"), exp.int_val(18))}))
    step("query of some", lambda: len(query(policy={"max_records": 5})))
    halves = [aerospike.partition_filter_by_range(0, 2048), aerospike.partition_filter_by_range(2048, 2048)]
    step("query of halves", lambda: sum(len(query(policy={"partition_filter": half})) for half in halves))
    step("partitions", lambda: [repr(aerospike.partition_filter_all()), repr(aerospike.partition_filter_by_id(7))])
    step("query twice", lambda: query(predicates.equals("i", 3), predicates.equals("s", "s0")))
    step("query for a float", lambda: query(predicates.equals("i", 3.5)))
    step("query for text between", lambda: query(predicates.between("i", "a", "b")))
    step("query of an unknown kind", lambda: query(("zzz", "i", 3)))
    step("no such set", lambda: client.query("test", "paired_none").results())
    seen: list[Any] = []
    step("foreach", lambda: [client.query("test", "paired_q").foreach(seen.append), len(seen)])
    calls: list[int] = []

    def only_one(record: Any) -> bool:
        calls.append(1)
        return False

    step("foreach ends", lambda: [client.query("test", "paired_q").foreach(only_one), len(calls)])
    step("index removed", lambda: [client.index_remove("test", "paired_i"), client.index_remove("test", "paired_s")])


def expressions(client: Any) -> None:
    bins = {"b": True, "s": "abc", "i": 5, "l": [1], "f": 1.5, "y": b"xx"}
    client.put(key("exp"), bins, {"ttl": 1000})
    number, text = exp.int_bin("i"), exp.string_bin("s")
    filters = {
        "bool": exp.eq(exp.bool_bin("b"), exp.bool_val(True)),
        "bool alone": exp.bool_bin("b"),
        "regex": exp.regex_compare("^A", aerospike.REGEX_ICASE, text),
        "list": exp.eq(exp.list_bin("l"), exp.list_val([1])),
        "bytes": exp.eq(exp.blob_bin("y"), exp.blob_val(b"xx")),
        "let": exp.let_(exp.def_("x", number), exp.gt(exp.var("x"), exp.int_val(2))),
        "cond": exp.cond(exp.eq(number, exp.int_val(5)), exp.bool_val(True), exp.bool_val(False)),
        "sum": exp.gt(exp.num_add(number, exp.int_val(2)), exp.int_val(6)),
        "power": exp.eq(exp.num_pow(exp.to_float(number), exp.float_val(2.0)), exp.float_val(25.0)),
        "bits": exp.eq(exp.int_count(exp.int_xor(number, exp.int_val(2))), exp.int_val(3)),
        "metadata": exp.and_(exp.gt(exp.ttl(), exp.int_val(0)), exp.gt(exp.last_update(), exp.int_val(0))),
        "no key": exp.key_exists(),
        "type": exp.eq(exp.bin_type("i"), exp.int_val(1)),
        "set": exp.eq(exp.set_name(), exp.string_val(SET)),
        "least": exp.eq(exp.min_(exp.int_val(1), number), exp.int_val(1)),
        "xor": exp.xor_(exp.bool_val(True), exp.bool_val(False)),
        "false": exp.eq(number, exp.int_val(6)),
        "empty and": exp.and_(),
        "even cond": exp.cond(exp.bool_val(True), exp.bool_val(True)),
    }
    for name, expression in filters.items():
        step(
            f"filter {name}",
            lambda expression=expression: client.get(key("exp"), {"filter_expression": expression}).bins["i"],  # type: ignore[misc]
        )


class Blocking:
    """An asyncio client or query, called like the blocking one."""

    def __init__(self, runner: asyncio.Runner, wrapped: Any) -> None:
        self.runner = runner
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.wrapped, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            async def run() -> Any:
                result = attribute(*args, **kwargs)
                return await result if inspect.isawaitable(result) else result

            result = self.runner.run(run())
            if isinstance(result, tuple) and not result:
                return None  # what the original's asyncio client returns where there is nothing to return
            return Blocking(self.runner, result) if isinstance(result, aerospike.AsyncQuery) else result

        return call


def main() -> None:
    warnings.simplefilter("ignore")
    port = int(sys.argv[1])
    config = {"hosts": [("127.0.0.1", port)], "cluster_name": "docker"}
    if "asyncio" in sys.argv[2:]:
        client: Any = Blocking(asyncio.Runner(), aerospike.AsyncClient(config))
        client.connect()
    else:
        client = aerospike.client(config).connect()
    keys = [*range(1, 6), 98, 99, "ops", "none", "hll", "hll2", "hll3", "hll4", "exp"]
    client.batch_remove([key(name) for name in keys])
    for part in (operations, batches, functions, queries, expressions):
        if part.__name__ not in sys.argv[2:]:
            part(client)
    client.close()
    print("done")


if __name__ == "__main__":
    main()
