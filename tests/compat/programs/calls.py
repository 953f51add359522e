"""Random calls of every function, valid and invalid, for two packages: aerospike-py and this project's aerospike_py.

``python calls.py PORT SEED COUNT [asyncio] [brief] [LEFT_OUT ...]`` makes the same calls with either package, on a
server where nobody else uses the set, and prints a line of JSON for each: the call and what came of it. ``functions``
may be left out; ``brief`` leaves out the descriptions of calls. Every call finds the same records, so that a difference
in one has no part in the next.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
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

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from paired import LUA, MODULE, Blocking, plain  # type: ignore[import-not-found]

SET = "calls"
NAMES = ("i", "s", "f", "l", "m", "b", "y")
USER_KEYS = (1, 2, -5, "a", "b", "é", b"x", b"\xff\x00", "")
#: How often an argument is invalid.
WRONG = 0.04


class Maker:
    """Generate arguments."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one(self, *of: Any) -> Any:
        return self.random.choice(of)

    def several(self, of: Callable[[], Any], most: int = 3, least: int = 0) -> list[Any]:
        return [of() for _ in range(self.random.randint(least, most))]

    # -- keys, bins, values

    def key(self) -> Any:
        if self.chance(WRONG):
            return self.one(
                5, None, "test", [], ("test", SET), ["test", SET, 1], ("test", SET, 1, None, 5), ("test", SET, 1.5),
                ("test", SET, None), ("test", SET, [1]), ("test", 5, 1), (5, SET, 1), ("test", SET, None, b"short"),
                ("test", SET, 1 << 64), ("test", SET, True), ("test", SET, None, None),
            )  # fmt: skip
        user_key = self.one(*USER_KEYS)
        if self.chance(0.05):
            return ("test", SET, user_key, None)
        return ("test", SET, user_key)

    def name(self) -> Any:
        return self.one("", "a" * 16, 5, None, "zz") if self.chance(WRONG) else self.one(*NAMES)

    def value(self, depth: int = 0) -> Any:
        if self.chance(WRONG / 4):
            return self.one(object(), {1}, 1 << 64, 1j)
        kind = self.random.randrange(9 if depth < 2 else 7)
        if kind == 0:
            return self.one(0, 1, -1, 7, 300, (1 << 63) - 1, -(1 << 63))
        if kind == 1:
            return self.one(0.0, 1.5, -2.25, 1e300, float("inf"))
        if kind == 2:
            return self.one("", "x", "héllo", "a" * 100)
        if kind == 3:
            return self.one(b"", b"\x00\x01", bytes(range(20)))
        if kind == 4:
            return self.one(True, False)
        if kind == 5:
            return None
        if kind == 6:
            return bytearray(b"array")
        if kind == 7:
            return self.several(lambda: self.value(depth + 1), 4)
        keys = self.several(lambda: self.one(1, 2, "a", "b", b"k"), 4)
        return {key: self.value(depth + 1) for key in keys}

    def bins(self) -> Any:
        if self.chance(WRONG):
            return self.one(5, None, {}, [("i", 1)], {"": 1}, {"a" * 16: 1}, {5: 1}, {"é" * 8: 1})
        typed: dict[str, Any] = {
            "i": self.one(0, 1, 41, -3),
            "s": self.one("x", "", "text"),
            "f": self.one(0.5, -1.0),
            "l": [self.one(1, 2, 3, "a") for _ in range(self.random.randint(0, 5))],
            "m": {self.one("a", "b", "c", 1): self.one(1, 2, 3) for _ in range(self.random.randint(0, 4))},
            "b": self.one(bytes(4), b"\xf0\x0f\xff\x01"),
            "y": self.value(),
        }
        return {name: typed[name] for name in self.random.sample(NAMES, self.random.randint(1, 5))}

    # -- policies

    def policy(self, kinds: str) -> Any:
        """A policy or None; ``kinds`` are its families: b(ase), w(rite), B(atch), q(uery), a(dmin), m(eta)."""
        if self.chance(0.5):
            return None
        if self.chance(WRONG):
            return self.one(5, "x", [], [("total_timeout", 5)])
        fields: dict[str, list[Any]] = {}
        if "b" in kinds:
            fields |= {
                "socket_timeout": [0, 5000, 4294967295],
                "total_timeout": [0, 5000, 4294967295],
                "max_retries": [0, 2],
                "sleep_between_retries": [0, 5],
                "timeout_delay": [0, 3000],
                "replica": [0, 1],
                "read_mode_ap": [0, 1],
                "read_touch_ttl_percent": [0, -1, 50],
                "filter_expression": [None, self.filter(), self.filter()],
            }
        if "w" in kinds or "m" in kinds:
            fields |= {
                "key": [0, 1],
                "exists": [0, 0, 1, 2, 3, 4],
                "commit_level": [0, 1],
                "durable_delete": [False],
                "ttl": [0, -1, -2, -3, 1000, 5000, 4294967295],
                "gen": [0, 1, 2, 3] if "m" in kinds else [0, 1, 2],
            }
        if "B" in kinds:
            fields |= {
                "allow_inline": [True],  # without it the server takes the rows of a batch in any order
                "allow_inline_ssd": [True, False],
                "respond_all_keys": [True],
                "concurrency": [0, 1],
            }
        if "q" in kinds:
            fields |= {
                "max_records": [0, 1000],
                "records_per_second": [0],
                "include_bin_data": [True],
                "expected_duration": [0, 1, 2],
                "max_concurrent_nodes": [0, 1],
                "record_queue_size": [0, 100],
                "partition_filter": [aerospike.partition_filter_all(), aerospike.partition_filter_by_range(0, 4096)],
            }
        if "a" in kinds:
            fields |= {"timeout": [0, 1000, 5000]}
        chosen = self.random.sample(sorted(fields), min(len(fields), self.random.randint(0, 3)))
        policy = {name: self.one(*fields[name]) for name in chosen}
        if self.chance(0.1):  # fields that have no effect
            policy |= self.one({"key": 1}, {"timeout": 5000}, {"zz": 1}, {"max_records": "x"}, {"allow_inline": True})
        if self.chance(WRONG):
            name = self.one(*sorted(fields))
            policy[name] = self.one("x", -5, 1.5, 1 << 40, [])
        return policy

    def filter(self) -> Any:
        i = exp.int_bin("i")
        return self.one(
            exp.eq(i, exp.int_val(1)),
            exp.gt(i, exp.int_val(0)),
            exp.bin_exists("i"),
            exp.not_(exp.bin_exists("zz")),
            exp.and_(exp.bin_exists("i"), exp.ge(i, exp.int_val(-10))),
            exp.or_(exp.eq(exp.string_bin("s"), exp.string_val("x")), exp.lt(i, exp.int_val(40))),
            exp.regex_compare("^te", 0, exp.string_bin("s")),
            exp.gt(exp.record_size(), exp.int_val(0)),
            exp.eq(exp.set_name(), exp.string_val(SET)),
            exp.eq(exp.num_add(i, exp.int_val(1)), exp.int_val(42)),
            exp.let_(exp.def_("x", i), exp.gt(exp.var("x"), exp.int_val(1))),
            exp.cond(exp.bin_exists("s"), exp.bool_val(True), exp.bool_val(False)),
        )

    # -- operations

    def operation(self) -> Any:
        if self.chance(WRONG):
            return self.one(
                5, {}, {"op": 99, "bin": "i"}, {"op": "x"}, {"op": 1005, "bin": "l"}, {"op": 1001, "val": 1},
                {"op": 2, "val": 1}, {"op": 1999, "bin": "l"}, {"op": 1, "bin": "a" * 16}, {"op": 4001, "bin": "b"},
                {"op": 2, "bin": "i", "val": object()}, {"op": True, "bin": "i"},
            )  # fmt: skip
        plain_operation = self.plain_operation
        return self.one(plain_operation, plain_operation, self.on_list, self.on_map, self.on_bits, self.on_hll)()

    def plain_operation(self) -> Any:
        name = self.one(*NAMES)
        return self.one(
            {"op": aerospike.OPERATOR_READ, "bin": name},
            {"op": aerospike.OPERATOR_READ, "bin": name, "val": None},
            {"op": aerospike.OPERATOR_READ, "bin": None},
            {"op": aerospike.OPERATOR_WRITE, "bin": name, "val": self.value()},
            {"op": aerospike.OPERATOR_INCR, "bin": self.one("i", "f"), "val": self.one(1, -2, 0.5)},
            {"op": aerospike.OPERATOR_APPEND, "bin": self.one("s", "b"), "val": self.one("z", b"z")},
            {"op": aerospike.OPERATOR_PREPEND, "bin": self.one("s", "b"), "val": self.one("z", b"z")},
            {"op": aerospike.OPERATOR_TOUCH, "bin": ""},
            {"op": aerospike.OPERATOR_TOUCH},
        )

    def argument(self, name: str) -> Any:
        small: dict[str, Callable[[], Any]] = {
            "val": lambda: self.one(1, 2, "a", 1.5, None, [1]),
            "values": lambda: self.several(lambda: self.one(1, 2, "a"), 3, 1),
            "index": lambda: self.one(0, 1, -1, 9),
            "rank": lambda: self.one(0, 1, -1),
            "count": lambda: self.one(0, 1, 2, 10),
            "return_type": lambda: self.one(0, 1, 2, 3, 4, 5, 7, 13),
            "begin": lambda: self.one(1, "a", None),
            "end": lambda: self.one(3, "c", None),
            "sort_flags": lambda: self.one(0, 2),
            "list_order": lambda: self.one(0, 1),
            "map_order": lambda: self.one(0, 1, 3),
            "key": lambda: self.one("a", "b", 1, "zz"),
            "items": lambda: {self.one("a", "d"): self.one(1, 5)},
            "incr": lambda: self.one(1, 5),
            "decr": lambda: self.one(1, 5),
            "keys": lambda: self.several(lambda: self.one("a", "b", 1), 3, 1),
            "byte_size": lambda: self.one(1, 4, 8),
            "resize_flags": lambda: self.one(0, 1, 2, 4),
            "byte_offset": lambda: self.one(0, 1, 3, 9),
            "value": lambda: b"\x0f\x01",
            "bit_offset": lambda: self.one(0, 4, 8, 100),
            "bit_size": lambda: self.one(4, 8, 16),
            "shift": lambda: self.one(1, 3),
            "signed": lambda: self.one(True, False),
            "action": lambda: self.one(0, 2, 4),
            "index_bit_count": lambda: self.one(4, 8, 99),
            "minhash_bit_count": lambda: self.one(4, 16),
        }
        return small[name]()

    def made_by(self, module: Any, bin_name: str, skipped: tuple[str, ...] = ()) -> Any:
        names = sorted(set(module.__all__) - {"Operation", *skipped})
        function = getattr(module, self.one(*names))
        code = function.__code__
        chosen = {}
        for name in sorted(code.co_varnames[1 : code.co_argcount]):
            if name == "policy":
                continue
            if name == "count" and "range" in code.co_name and self.chance(0.3):
                continue
            chosen[name] = self.argument(name)
        if "value" in chosen and code.co_name in ("bit_add", "bit_subtract", "bit_set_int"):
            chosen["value"] = self.one(1, 5, 200)
        elif "value" in chosen and code.co_name in ("bit_lscan", "bit_rscan"):
            chosen["value"] = self.one(True, False)
        if self.chance(0.3) and "policy" in code.co_varnames[: code.co_argcount]:
            if module is lo:
                chosen["policy"] = self.one({"flags": 1}, {"flags": 4}, {"order": 1}, {})
            elif module is mo:
                chosen["policy"] = self.one({"order": 1}, {"write_mode": 1}, {"write_mode": 2}, {})
        return function(bin_name, **chosen)

    def on_list(self) -> Any:
        # A list_set of None makes the original panic; with floats list_increment differs.
        return self.made_by(lo, self.one("l", "l", "l", "i"), ("list_set",))

    def on_map(self) -> Any:
        return self.made_by(mo, self.one("m", "m", "m", "i"))

    def on_bits(self) -> Any:
        return self.made_by(bo, self.one("b", "b", "b", "i"))

    def on_hll(self) -> Any:
        several = (
            "hll_get_union",
            "hll_get_union_count",
            "hll_get_intersect_count",
            "hll_get_similarity",
            "hll_set_union",
        )
        return self.made_by(ho, "h", several)

    def operations(self) -> Any:
        if self.chance(WRONG):
            return self.one([], 5, None, {"op": 1})
        return self.several(self.operation, 3, 1)


#: The records that each call finds.
RECORDS: list[dict[str, Any]] = [
    {"i": 1, "s": "x"},
    {"i": 41, "f": 0.5, "l": [3, 1, 2, 3]},
    {"m": {"a": 1, "b": 2, "c": 3}, "b": b"\xf0\x0f\xff\x01"},
    {"i": -3, "s": "text", "l": [], "m": {}, "y": [1, {"a": None}]},
    {"f": -1.0, "y": "x" * 50},
    {"i": 5, "l": [1, "a", None], "m": {1: "one"}},
    {"b": bytes(4), "s": ""},
]


class Caller(Maker):
    """Makes calls, and does them."""

    def __init__(self, seed: int, client: Any, hosts: list[tuple[str, int]], left_out: list[str]) -> None:
        super().__init__(seed)
        self.seed = seed
        self.client = client
        self.client_hosts = hosts
        self.left_out = left_out

    def step(self, number: int) -> list[Any]:
        self.random.seed(f"{self.seed} {number}")
        self.reset()
        name = self.one(*CALLS)
        described: list[Any] = []
        if name in self.left_out:
            return [number, name, "left out", described]
        try:
            outcome = getattr(self, name)(described)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome = ["!", [kind.__name__ for kind in type(error).__mro__[:-2]], getattr(error, "result_code", None)]
            described.append(str(error)[:300])
        return [number, name, outcome, described]

    def reset(self) -> None:
        """Remove what earlier calls wrote; write some records, of generations 1 to 3."""
        self.client.batch_remove([("test", SET, user_key) for user_key in USER_KEYS])
        first = [(("test", SET, user_key), bins) for user_key, bins in zip(USER_KEYS, RECORDS, strict=False)]
        for written in (first, first[2:], first[4:]):
            self.client.batch_write(written, {"key": 1})

    def call(self, described: list[Any], method: str, *args: Any, **kwargs: Any) -> Any:
        described.append(f"{method}{args!r}{kwargs or ''}"[:600])
        return getattr(self.client, method)(*args, **kwargs)

    def record_command(self, described: list[Any], method: str, *args: Any) -> Any:
        return shown(self.call(described, method, self.key(), *args, self.policy("m"), self.policy("bw")))

    def put(self, described: list[Any]) -> Any:
        return self.record_command(described, "put", self.bins())

    def get(self, described: list[Any]) -> Any:
        return shown(self.call(described, "get", self.key(), self.policy("b")))

    def select(self, described: list[Any]) -> Any:
        return shown(self.call(described, "select", self.key(), self.names(), self.policy("b")))

    def names(self) -> Any:
        return self.one(5, None, [5], "i", [None]) if self.chance(WRONG) else self.several(self.name, 3, 1)

    def exists(self, described: list[Any]) -> Any:
        return shown(self.call(described, "exists", self.key(), self.policy("b")))

    def remove(self, described: list[Any]) -> Any:
        return self.record_command(described, "remove")

    def touch(self, described: list[Any]) -> Any:
        val = self.one("x", None, 1.5, 1 << 40) if self.chance(WRONG) else self.one(0, 100, 5000, 4294967295)
        return self.record_command(described, "touch", val)

    def append(self, described: list[Any]) -> Any:
        return self.record_command(described, "append", self.name(), self.one("x", b"x", ""))

    def prepend(self, described: list[Any]) -> Any:
        return self.record_command(described, "prepend", self.name(), self.one("x", b"x", ""))

    def increment(self, described: list[Any]) -> Any:
        offset = self.one("x", None) if self.chance(WRONG) else self.one(1, -5, 0.5, True)
        return self.record_command(described, "increment", self.name(), offset)

    def remove_bin(self, described: list[Any]) -> Any:
        return self.record_command(described, "remove_bin", self.names())

    def operate(self, described: list[Any]) -> Any:
        return self.record_command(described, "operate", self.operations())

    def operate_ordered(self, described: list[Any]) -> Any:
        return self.record_command(described, "operate_ordered", self.operations())

    def keys(self, most: int = 5) -> Any:
        return self.one(5, None, "x", [5]) if self.chance(WRONG) else self.several(self.key, most)

    def batch_read(self, described: list[Any]) -> Any:
        bins = self.one(None, None, [], self.names())
        found = self.call(described, "batch_read", self.keys(), bins, self.policy("bBw"))
        rows = [
            [shown(row.key), row.result, row.record and [plain(meta_of(row)), shown(row.record[2])]]
            for row in found.batch_records
        ]
        return [rows, shown(found.to_dict()), shown(found.to_list()), found.found_count(), len(found)]

    def rows(self, result: Any) -> Any:
        return [
            [shown(row.key), row.result, row.record and [shown(row.record.meta), shown(row.record.bins)], row.in_doubt]
            for row in result.batch_records
        ] + [shown(result.retry)]

    def batch_write(self, described: list[Any]) -> Any:
        def record() -> Any:
            if self.chance(WRONG):
                return self.one(5, (self.key(),), (self.key(), {"i": 1}, 5), [self.key()])
            return self.one((self.key(), self.bins()), (self.key(), self.bins(), self.policy("m") or {}))

        records = self.one(5, None) if self.chance(WRONG) else self.several(record, 5)
        retry = self.one("x", -1) if self.chance(WRONG) else self.one(0, 0, 2)
        return self.rows(self.call(described, "batch_write", records, self.policy("bBw"), retry))

    def batch_operate(self, described: list[Any]) -> Any:
        return self.rows(self.call(described, "batch_operate", self.keys(), self.operations(), self.policy("bB")))

    def batch_remove(self, described: list[Any]) -> Any:
        def item() -> Any:
            return self.one(self.key, lambda: (self.key(), self.policy("m") or {}))()

        keys = self.one(5, None) if self.chance(WRONG) else self.several(item, 4)
        return self.rows(self.call(described, "batch_remove", keys, self.policy("bBw")))

    def query(self, described: list[Any]) -> Any:
        query = self.call(described, "query", "test", SET)
        if self.chance(0.3):
            query.select(*self.several(lambda: self.one(*NAMES), 3, 1))
        if self.chance(0.5):
            predicate = self.one(
                predicates.equals("i", self.one(1, 41, "x", 1.5, None)),
                predicates.equals("s", self.one("x", "text", 5)),
                predicates.equals("zz", 1),
                predicates.between("i", -5, 5),
                predicates.contains("i", self.one(0, 9, "x"), 1),
                *(("equals", "i"), ("zz", "i", 1), 5, (), ("equals", "", 1)),
            )
            described.append(repr(predicate))
            query.where(predicate)
        policy = self.policy("bq")
        described.append(repr(policy)[:300])
        if self.chance(0.3):
            found: list[Any] = []
            query.foreach(found.append, policy)
        else:
            found = query.results(policy)
        return sorted((shown(record) for record in found), key=repr)

    def partitions(self, described: list[Any]) -> Any:
        begin, count = (self.one(0, 1, 4095, 4096, -1, "x", None, True, 1 << 70) for _ in range(2))
        described.append(repr((begin, count)))
        return repr(
            self.one(aerospike.partition_filter_by_range(begin, count), aerospike.partition_filter_by_id(begin))
        )

    def info_all(self, described: list[Any]) -> Any:
        command = self.one(5, None) if self.chance(WRONG) else self.one("build", "namespaces", "zz", "")
        return len(self.call(described, "info_all", command, self.policy("a")))

    def info_random_node(self, described: list[Any]) -> Any:
        command = self.one(5, None) if self.chance(WRONG) else self.one("build", "namespaces")
        return type(self.call(described, "info_random_node", command, self.policy("a"))).__name__

    def truncate(self, described: list[Any]) -> Any:
        nanos = self.one(0, 0, 1, -1, "x", None, 1.5, time.time_ns() + 10**16)
        described.append("in the future" if isinstance(nanos, int) and nanos > 1 else repr(nanos))
        return self.client.truncate("test", "calls_none", nanos, self.policy("a"))

    def index(self, described: list[Any]) -> Any:
        kind, name = self.one(*INDEXES, ("integer", "s"), ("string", "i"))
        arguments = ["test", SET, name, f"calls_{kind}_{name}"]
        if self.chance(0.2):
            arguments[self.random.randrange(4)] = self.one("", 5, None, "a" * 300)
        try:
            if self.chance(0.4):
                return self.call(described, "index_remove", arguments[0], arguments[3], self.policy("a"))
            return self.call(described, f"index_{kind}_create", *arguments, self.policy("a"))
        finally:
            self.client.index_remove("test", f"calls_{kind}_{name}")
            create_indexes(self.client)

    def administration(self, described: list[Any]) -> Any:
        method, arguments = self.one(
            ("admin_create_user", ("u", "p", ["read"])),
            ("admin_drop_user", ("u",)),
            ("admin_change_password", ("u", "p")),
            ("admin_grant_roles", ("u", ["read"])),
            ("admin_revoke_roles", ("u", ["read"])),
            ("admin_query_user_info", ("u",)),
            ("admin_query_users_info", ()),
            ("admin_create_role", ("r", [{"code": aerospike.PRIV_READ, "ns": "test"}])),
            ("admin_drop_role", ("r",)),
            ("admin_grant_privileges", ("r", [{"code": aerospike.PRIV_READ}])),
            ("admin_revoke_privileges", ("r", [{"code": "read"}])),
            ("admin_query_role", ("r",)),
            ("admin_query_roles", ()),
            ("admin_set_whitelist", ("r", ["127.0.0.1"])),
            ("admin_set_quotas", ("r", 1, 2)),
        )
        changed = list(arguments)
        if changed and self.chance(0.3):
            changed[self.random.randrange(len(changed))] = self.one(
                5, None, [5], [{}], [{"code": 99}], [{"code": "zz"}]
            )
        return self.call(described, method, *changed)

    def functions(self, described: list[Any]) -> Any:
        function = self.one("add", "fail", "nothing", "echo", "missing")
        args = self.one(None, [1, 2], [], [self.value()], 5 if self.chance(WRONG) else [3, 4])
        if self.chance(0.5):
            return shown(self.call(described, "apply", self.key(), MODULE, function, args, self.policy("bw")))
        done = self.call(described, "batch_apply", self.keys(), MODULE, function, args, self.policy("bB"))
        return [[shown(row.key), row.result, row.record and sorted(row.record.bins)] for row in done.batch_records]

    def not_connected(self, described: list[Any]) -> Any:
        client = aerospike.client({"hosts": [("127.0.0.1", 1)]})
        method, arguments = self.one(
            ("get", (self.key(),)),
            ("put", (self.key(), self.bins())),
            ("exists", (self.key(),)),
            ("select", (self.key(), ["i"])),
            ("remove", (self.key(),)),
            ("operate", (self.key(), [])),
            ("batch_read", (self.one([], 5, [self.key()]),)),
            ("batch_write", (self.one([], 5),)),
            ("query", ("test", self.one(SET, 5))),
            ("get_node_names", ()),
            ("info_all", (self.one("build", 5),)),
        )
        described.append(f"{method}{arguments!r}"[:300])
        return shown(getattr(client, method)(*arguments))

    def configuration(self, described: list[Any]) -> Any:
        config: Any = {"hosts": self.client_hosts}
        field = self.one(
            "hosts", "timeout", "idle_timeout", "max_conns_per_node", "min_conns_per_node", "tend_interval",
            "use_services_alternate", "cluster_name", "max_concurrent_operations", "operation_queue_timeout_ms", "zz",
            "user", "conn_pools_per_node", "policies",
        )  # fmt: skip
        # A very large number of connections stops the original's process.
        large = 1000 if "conn" in field else self.one(1 << 33, 4294967295)
        config[field] = self.one(None, 5, -1, "x", [], large, True, {}, 1.5, *([1] * 4))
        if field == "hosts":
            config[field] = self.one([], 5, None, [5], [()], ["x:y"], self.client_hosts, [(*self.client_hosts[0], "x")])
        described.append(repr({field: config[field]}))
        with aerospike.client(config).connect() as client:
            return client.is_connected()


#: The indexes that each call finds, by kind and bin.
INDEXES = (("integer", "i"), ("string", "s"))


def create_indexes(client: Any) -> None:
    for kind, name in INDEXES:
        try:
            getattr(client, f"index_{kind}_create")("test", SET, name, f"calls_{kind}_{name}")
        except aerospike.IndexFoundError:
            pass


def meta_of(row: Any) -> Any:
    meta = row.record[1]
    gen, ttl = (meta["gen"], meta["ttl"]) if isinstance(meta, dict) else meta
    return {"gen": gen, "ttl": ttl if ttl == 4294967295 else round(ttl, -1)}


def shown(value: Any) -> Any:
    """A result as JSON has it; keys with their digests."""
    if type(value).__name__ == "AerospikeKey" or (isinstance(value, tuple) and len(value) == 4 and value[0] == "test"):
        return [value[0], value[1], plain(value[2]), bytes(value[3]).hex()]
    if hasattr(value, "_fields") and type(value).__name__ in ("Record", "ExistsResult", "OperateOrderedResult"):
        rest = value[2:] if type(value).__name__ != "OperateOrderedResult" else ([list(pair) for pair in value[2]],)
        return [type(value).__name__, shown(value[0]), plain(value[1]), *map(plain, rest)]
    return plain(value)


CALLS = (
    *(["put"] * 4), *(["get"] * 2), "select", "exists", "remove", "touch", "append", "prepend", "increment",
    "remove_bin", *(["operate"] * 3), "operate_ordered", *(["batch_read"] * 2), *(["batch_write"] * 2),
    "batch_operate", "batch_remove", *(["query"] * 2), "partitions", "info_all", "info_random_node", "truncate",
    "index", "administration", "functions", "not_connected", "configuration",
)  # fmt: skip


def main() -> None:
    warnings.simplefilter("ignore")
    port, seed, count = map(int, sys.argv[1:4])
    left_out = sys.argv[4:]
    hosts = [("127.0.0.1", port)]
    config = {"hosts": hosts, "cluster_name": "docker"}
    if "asyncio" in left_out:
        client: Any = Blocking(asyncio.Runner(), aerospike.AsyncClient(config))
        client.connect()
    else:
        client = aerospike.client(config).connect()
    for user_key in USER_KEYS:
        client.batch_remove([("test", SET, user_key)])
    for kind in ("integer", "string"):
        for name in NAMES[:2]:
            client.index_remove("test", f"calls_{kind}_{name}")
    create_indexes(client)
    if "functions" not in left_out:
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, f"{MODULE}.lua")
            with open(path, "w") as file:
                file.write(LUA)
            client.udf_put(path)
            # A node may not have the module yet when the call returns.
            give_up = time.monotonic() + 10
            while not all(f"{MODULE}.lua" in answer for _, _, answer in client.info_all("udf-list")):
                assert time.monotonic() < give_up, "a node does not get the module"
                time.sleep(0.01)
    caller = Caller(seed, client, hosts, left_out)
    for number in range(count):
        line = caller.step(number)
        print(json.dumps(line[:3] if "brief" in left_out else line, ensure_ascii=False, default=repr), flush=True)
    client.close()
    print('"done"')


if __name__ == "__main__":
    main()
