"""The page on expressions: which records each kind of filter selects, in every command that takes one."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py import exp

SET = "guide-expressions"
RECORDS: dict[str, dict[str, Any]] = {
    "ann": {"name": "Alice", "age": 41, "active": True, "tier": "gold", "price": 12, "quantity": 100, "flags": 0b1010},
    "bob": {"name": "Bob", "age": 17, "active": True, "tier": "silver", "price": 7, "quantity": 3, "flags": 0b0001},
    "cid": {"name": "alicia", "age": 66, "active": False, "tier": "platinum", "price": 2, "quantity": 2, "flags": 0},
    "dan": {"name": "Dan", "amount": 99.5, "quantity": 200, "data": [1, 2], "map": {"a": 1}, "bytes": b"\x01"},
}


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    keys = {name: ("test", SET, name) for name in RECORDS}
    for name, key in keys.items():
        client.put(key, RECORDS[name], policy={"key": aerospike.POLICY_KEY_SEND}, meta={"ttl": 3000})

    def passed(label: str, expression: Any) -> None:
        policy = {"filter_expression": expression}
        through = []
        for name, key in keys.items():
            try:
                client.get(key, policy=policy)
            except aerospike.FilteredOut:
                continue
            through.append(name)
        scanned = sorted(record.key[2] for record in client.query("test", SET).results(policy))
        batch = sorted(client.batch_read([*keys.values()], [], policy=policy).to_dict())
        show(label, (through, scanned, batch))

    age, integer, text = exp.int_bin("age"), exp.int_val, exp.string_val
    for name in ("eq", "ne", "gt", "ge", "lt", "le"):
        passed(name, getattr(exp, name)(age, integer(41)))
    adult = exp.ge(age, integer(18))
    active = exp.eq(exp.bool_bin("active"), exp.bool_val(True))
    passed("and", exp.and_(adult, active))
    passed("or", exp.or_(adult, active))
    passed("not", exp.not_(active))
    passed("xor", exp.xor_(adult, active))

    price, quantity = exp.int_bin("price"), exp.int_bin("quantity")
    passed("times", exp.gt(exp.num_mul(price, quantity), integer(20)))
    passed("plus", exp.eq(exp.num_add(price, quantity, integer(1)), integer(113)))
    passed("minus", exp.lt(exp.num_sub(price, quantity), integer(0)))
    passed("divided", exp.eq(exp.num_div(quantity, price), integer(8)))
    passed("modulo", exp.eq(exp.num_mod(quantity, integer(2)), integer(0)))
    passed("power", exp.eq(exp.num_pow(exp.to_float(price), exp.float_val(2.0)), exp.float_val(49.0)))
    passed("absolute", exp.eq(exp.num_abs(exp.num_sub(price, quantity)), integer(88)))
    passed("min and max", exp.eq(exp.min_(price, quantity), exp.max_(integer(2), integer(1))))
    passed("to int", exp.eq(exp.to_int(exp.num_floor(exp.float_bin("amount"))), integer(99)))
    passed("ceil", exp.eq(exp.num_ceil(exp.float_bin("amount")), exp.float_val(100.0)))
    large = exp.gt(exp.num_mul(exp.float_bin("amount"), exp.to_float(quantity)), exp.float_val(10000.0))
    passed("large amounts", large)

    passed("key", exp.eq(exp.key(exp.EXP_TYPE_STRING), text("bob")))
    passed("key exists", exp.key_exists())
    passed("set name", exp.eq(exp.set_name(), text(SET)))
    passed("expires soon", exp.and_(exp.gt(exp.ttl(), integer(0)), exp.lt(exp.ttl(), integer(3600))))
    passed("expires very soon", exp.lt(exp.ttl(), integer(60)))
    passed("updated since", exp.lt(exp.since_update(), integer(3_600_000)))
    passed("no tombstone", exp.not_(exp.is_tombstone()))
    passed("a third", exp.eq(exp.digest_modulo(3), integer(1)))
    passed("bin exists", exp.bin_exists("data"))
    passed("type of a bin", exp.eq(exp.bin_type("bytes"), integer(4)))

    passed("regex", exp.regex_compare("^ali.*", 2, exp.string_bin("name")))
    passed("strict regex", exp.regex_compare("^ali.*", 0, exp.string_bin("name")))
    stage = exp.cond(exp.lt(age, integer(18)), text("minor"), exp.lt(age, integer(65)), text("adult"), text("senior"))
    passed("conditional", exp.eq(stage, text("senior")))
    total = exp.def_("total", exp.num_mul(price, quantity))
    passed("variables", exp.let_(total, exp.gt(exp.var("total"), integer(1000))))
    gold = exp.or_(exp.eq(exp.string_bin("tier"), text("gold")), exp.eq(exp.string_bin("tier"), text("platinum")))
    passed("active premium users", exp.and_(active, gold, adult))
    flags = exp.int_bin("flags")
    passed("a bit", exp.ne(exp.int_and(flags, integer(0b1000)), integer(0)))
    passed("two bits", exp.eq(exp.int_count(flags), integer(2)))
    passed("shifted", exp.eq(exp.int_rshift(exp.int_lshift(flags, integer(4)), integer(3)), integer(0b10)))
    passed("or of bits", exp.eq(exp.int_or(flags, integer(1)), integer(0b1011)))
    passed("a list", exp.eq(exp.list_bin("data"), exp.list_val([1, 2])))

    refuse = {"filter_expression": exp.ge(age, integer(99))}
    ann = keys["ann"]
    show.error("put", client.put, ann, {"visits": 1}, policy=refuse)
    show.error("remove", client.remove, ann, policy=refuse)
    show.error("operate", client.operate, ann, [{"op": aerospike.OPERATOR_INCR, "bin": "age", "val": 1}], policy=refuse)
    show.error("exists", client.exists, ann, policy=refuse)
    client.put(ann, {"visits": 1}, policy={"filter_expression": adult})
    show("written", client.get(ann).bins["visits"])
    show.error("the other's", client.get, keys["dan"], policy={"filter_expression": adult})
    client.batch_remove([*keys.values()])
