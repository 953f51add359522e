"""Bytes of expressions: recorded from the official client, and from its exchanges with a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.exp.evaluated import evaluated
from trio_aerospike import exp, operations
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import decode_only_message, encode_raw_op

DATA = Path(__file__).parents[2] / "data"
VECTORS: list[tuple[str, str]] = [
    tuple(json.loads(line)) for line in (DATA / "expression_vectors.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(("source", "base64"), VECTORS, ids=[source[:80] for source, _ in VECTORS])
def test_an_expression_has_the_bytes_that_the_official_client_gives_it(source, base64):
    assert evaluated(source).to_base64() == base64


@pytest.mark.parametrize(("source", "base64"), VECTORS, ids=[source[:80] for source, _ in VECTORS])
def test_bytes_of_the_official_client_read_back_into_the_same_expression(source, base64):
    read = exp.from_base64(base64)
    assert read.to_base64() == base64
    assert evaluated(repr(read)).to_base64() == base64
    assert read.type == evaluated(source).type


def recorded_steps():
    for line in (DATA / "exchanges.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        step = exchange["step"]
        if exchange["type"] == 3 and step.startswith(("filter ", "expression_", "batch filter", "write filtered out")):
            yield step, decode_only_message(bytes.fromhex(exchange["request"])[8:])


AGE, NAME, F = exp.int_bin("age"), exp.str_bin("name"), exp.float_bin("f")
CIRCLE = '{"type": "AeroCircle", "coordinates": [[-122.0, 37.5], 1000.0]}'
FILTERS = {
    "filter eq int": AGE == 30,
    "filter eq int no": AGE == 31,
    "filter ne": AGE != 31,
    "filter gt": AGE > 18,
    "filter ge": AGE >= 30,
    "filter lt": AGE < 31,
    "filter le": F <= 2.5,
    "filter and": (AGE > 18) & (NAME == "Ann"),
    "filter or": (AGE > 100) | (NAME == "Ann"),
    "filter not": ~(NAME == "Bob"),
    "filter exclusive": (AGE == 30) ^ (AGE == 31),
    "filter bool bin": exp.bool_bin("t"),
    "filter bin exists": exp.bin_exists("age"),
    "filter bin exists no": exp.bin_exists("zz"),
    "filter regex": exp.regex_compare("^an.*", exp.RegexFlag.ICASE, NAME),
    "filter bin type": exp.bin_type("age") == exp.BinType.INTEGER,
    "filter ttl": exp.ttl() == -1,
    "filter void time": exp.void_time() == -1,
    "filter set name": exp.set_name() == "wire",
    "filter key exists": exp.key_exists(),
    "filter is tombstone": ~exp.is_tombstone(),
    "filter digest mod": exp.digest_modulo(3) >= 0,
    "filter device size": exp.device_size() >= 0,
    "filter record size": exp.record_size() > 0,
    "filter last update": exp.last_update() > 0,
    "filter since update": exp.since_update() >= 0,
    "filter add": AGE + 5 == 35,
    "filter sub": AGE - 5 - 5 == 20,
    "filter mul": AGE * 2 == 60,
    "filter div": AGE / 4 == 7,
    "filter mod": AGE % 4 == 2,
    "filter pow": F**2 == 6.25,
    "filter log": exp.num_log(F, 2) > 1,
    "filter abs": exp.num_abs(-5) == 5,
    "filter floor": exp.num_floor(F) == 2,
    "filter ceil": exp.num_ceil(F) == 3.0,
    "filter to int": exp.to_int(F) == 2,
    "filter to float": exp.to_float(AGE) == 30,
    "filter int and": AGE & 6 == 6,
    "filter int or": AGE | 1 == 31,
    "filter int xor": AGE ^ 1 == 31,
    "filter int not": ~AGE == -31,
    "filter lshift": AGE << 1 == 60,
    "filter rshift": exp.int_rshift(AGE, 1) == 15,
    "filter arshift": AGE >> 1 == 15,
    "filter int count": exp.int_count(AGE) == 4,
    "filter int lscan": exp.int_lscan(AGE, True) >= 0,
    "filter int rscan": exp.int_rscan(AGE, True) >= 0,
    "filter min": exp.min_(AGE, 7) == 7,
    "filter max": exp.max_(AGE, 7) == 30,
    "filter let": exp.let_(exp.def_("v", AGE + 1), exp.var("v") == 31),
    "filter cond": exp.cond(AGE > 18, "adult", "minor") == "adult",
    "filter list size": exp.lists.size("l") == 3,
    "filter list get by index": exp.lists.get_by_index("l", 1, exp.ExpType.INT) == 2,
    "filter list get by value count": exp.lists.get_by_value("l", 2, return_type=exp.ListReturn.COUNT) == 1,
    "filter map size": exp.maps.size("m") == 2,
    "filter map get by key": exp.maps.get_by_key("m", "b", exp.ExpType.INT) == 2,
    "filter list eq": exp.list_bin("l") == [1, 2, 3],
    "filter blob eq": exp.blob_bin("bl") == b"\x0f\xf0",
    "filter bit count": exp.bits.count("bl", 0, 16) == 8,
    "filter geo within": exp.geo_compare(exp.geo_bin("loc"), exp.geo_val(CIRCLE)),
    "filter unknown type": exp.str_bin("age") == "x",
    "write filtered out": AGE == 99,
}


@pytest.mark.parametrize("step", FILTERS)
def test_the_filters_of_recorded_exchanges_are_built_byte_for_byte(step):
    sent = [message.field(wire.FIELD_FILTER) for name, message in recorded_steps() if name == step]
    assert sent == [FILTERS[step].encode()]


def test_every_recorded_filter_reads_back_and_has_been_compared():
    filters = [(step, message.field(wire.FIELD_FILTER)) for step, message in recorded_steps()]
    filters = [(step, data) for step, data in filters if data is not None]
    assert len(filters) > 60
    assert {step for step, _ in filters} - FILTERS.keys() == {"batch filter"}
    for _, data in filters:
        read = exp.from_bytes(data)
        assert read.encode() == data
        assert evaluated(repr(read)).same_as(read)


L = exp.list_bin("l")
OPERATIONS = {
    "expression_read": operations.read_expression("r", AGE + AGE),
    "expression_write": operations.write_expression("w", AGE * 2),
    "expression_write list": operations.write_expression("lw", exp.lists.append(L, 9)),
    "expression_read no fail": operations.read_expression("r", exp.int_bin("zz") + 1, operations.ExpRead.EVAL_NO_FAIL),
    "expression_read fail": operations.read_expression("r", exp.int_bin("zz") + 1),
}


@pytest.mark.parametrize("step", OPERATIONS)
def test_the_expression_operations_of_recorded_exchanges_are_built_byte_for_byte(step):
    [message] = [message for name, message in recorded_steps() if name == step]
    assert encode_raw_op(message.ops[0]) == OPERATIONS[step].encode()
