"""Commands on one record, against a store with a clock that the test sets."""

from __future__ import annotations

from typing import Any

import pytest

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Op
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import record_commands as commands
from trio_aerospike.server.clock import ServerClock
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.record import StoredRecord
from trio_aerospike.server.record_commands import CommandResult
from trio_aerospike.server.record_requests import Request
from trio_aerospike.server.store import NamespaceConfig, NamespaceStore, Tree

NOW = wire.CITRUSLEAF_EPOCH + 500_000_000.0
DIGEST = bytes(range(20))
READ_ALL = wire.INFO1_READ | wire.INFO1_GET_ALL


class Bench:
    """One partition of one node, and the clock."""

    def __init__(self, **config: Any) -> None:
        self.now = NOW
        self.store = NamespaceStore(NamespaceConfig("test", **config), ServerClock(lambda: self.now))
        self.tree: Tree = self.store.trees[0]

    def run(self, **request: Any) -> CommandResult:
        fields = {
            "namespace": "test",
            "set_name": "set",
            "digest": DIGEST,
            "key": None,
            "info1": 0,
            "info2": 0,
            "info3": 0,
            "generation": 0,
            "record_ttl": 0,
            "ops": (),
        }
        made = Request(**{**fields, **request})
        command = commands.read if not made.is_write else commands.delete if made.is_delete else commands.write
        outcome = command(self.store, self.tree, made)
        if outcome.change is not None:
            if outcome.change.record is None:
                self.tree.pop(DIGEST, None)
            else:
                self.tree[DIGEST] = outcome.change.record
        return outcome

    def write(self, *ops: Op, info2: int = 0, **request: Any) -> CommandResult:
        return self.run(info2=wire.INFO2_WRITE | info2, ops=ops, **request)

    def put(self, **request: Any) -> CommandResult:
        bins = request.pop("bins", {"a": 1})
        return self.write(*[op(wire.OP_WRITE, name, value) for name, value in bins.items()], **request)

    def read(self, **request: Any) -> CommandResult:
        return self.run(**{"info1": READ_ALL, **request})

    def bins(self) -> dict[str, Any]:
        record = self.tree[DIGEST]
        return {name: decode_value(kind, data) for name, (kind, data) in record.bins.items()}

    def refuses(self, result: ResultCode, **request: Any) -> Refused:
        before = dict(self.tree)
        with pytest.raises(Refused) as caught:
            self.run(**request)
        assert caught.value.result == result
        assert self.tree == before, "a refused command changes nothing"
        return caught.value


def op(number: int, name: str = "", value: Any = None) -> Op:
    particle, data = encode_value(value)
    return Op(number, particle, name, data)


def write_request(*ops: Op, info2: int = 0, **request: Any) -> dict[str, Any]:
    return {"info2": wire.INFO2_WRITE | info2, "ops": ops, **request}


A_PUT = write_request(op(wire.OP_WRITE, "a", 1))


# What exists --------------------------------------------------------------------------------------------------


def test_generations_count_writes_and_skip_zero_when_they_wrap() -> None:
    bench = Bench()
    assert [bench.put().response.generation for _ in range(3)] == [1, 2, 3]
    last = bench.tree[DIGEST]
    bench.tree[DIGEST] = StoredRecord(last.set_name, last.bins, 0xFFFF, last.void_time, last.last_update)
    assert bench.put().response.generation == 1


@pytest.mark.parametrize(
    ("info2", "info3", "there", "expected"),
    [
        (wire.INFO2_CREATE_ONLY, 0, True, ResultCode.RECORD_EXISTS),
        (wire.INFO2_CREATE_ONLY, 0, False, None),
        (0, wire.INFO3_UPDATE_ONLY, True, None),
        (0, wire.INFO3_UPDATE_ONLY, False, ResultCode.RECORD_NOT_FOUND),
        (0, wire.INFO3_CREATE_OR_REPLACE, False, None),
        (0, wire.INFO3_REPLACE_ONLY, True, None),
        (0, wire.INFO3_REPLACE_ONLY, False, ResultCode.RECORD_NOT_FOUND),
    ],
)
def test_existence_policies(info2: int, info3: int, there: bool, expected: ResultCode | None) -> None:
    bench = Bench()
    if there:
        bench.put()
    request = write_request(op(wire.OP_WRITE, "b", 2), info2=info2, info3=info3)
    if expected is not None:
        assert bench.refuses(expected, **request).generation == int(there)
        return
    bench.run(**request)
    replaced = info3 & (wire.INFO3_CREATE_OR_REPLACE | wire.INFO3_REPLACE_ONLY)
    assert bench.bins() == ({"b": 2} if replaced or not there else {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("flag", "generation", "fits"),
    [
        (wire.INFO2_GENERATION, 2, True),
        (wire.INFO2_GENERATION, 1, False),
        (wire.INFO2_GENERATION, 3, False),
        (wire.INFO2_GENERATION_GT, 3, True),
        (wire.INFO2_GENERATION_GT, 2, False),
    ],
)
@pytest.mark.parametrize("deletes", [False, True])
def test_generation_checks(flag: int, generation: int, fits: bool, deletes: bool) -> None:
    bench = Bench()
    bench.put()
    bench.put()
    ops = () if deletes else (op(wire.OP_WRITE, "a", 5),)
    request = write_request(*ops, info2=flag | (wire.INFO2_DELETE if deletes else 0), generation=generation)
    if fits:
        bench.run(**request)
    else:
        bench.refuses(ResultCode.RECORD_GENERATION, **request)


def test_the_set_has_to_be_the_record_s() -> None:
    bench = Bench()
    bench.put()
    bench.refuses(ResultCode.PARAM, **{**A_PUT, "set_name": "other"})
    bench.refuses(ResultCode.PARAM, **{**A_PUT, "set_name": ""})
    bench.refuses(ResultCode.PARAM, info1=READ_ALL, set_name="other")
    assert bench.read(set_name="").response.generation == 1


def test_a_stored_key_stays_and_is_checked() -> None:
    bench = Bench()
    bench.put()
    assert bench.read(key=b"\x03other").response.result == ResultCode.OK, "nothing stored, nothing to compare with"
    bench.put(key=b"\x03mine")
    bench.put()
    assert bench.tree[DIGEST].key == b"\x03mine"
    for request in ({"info1": READ_ALL}, A_PUT, write_request(info2=wire.INFO2_DELETE)):
        bench.refuses(ResultCode.KEY_MISMATCH, **{**request, "key": b"\x03other"})


# Life and death -----------------------------------------------------------------------------------------------


def test_a_record_lives_through_the_second_of_its_void_time() -> None:
    bench = Bench()
    void_time = bench.put(record_ttl=100).response.void_time
    assert void_time == int(NOW - wire.CITRUSLEAF_EPOCH) + 100
    bench.now += 100
    assert bench.read().response.void_time == void_time
    bench.now += 1
    bench.refuses(ResultCode.RECORD_NOT_FOUND, info1=READ_ALL)
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **{**A_PUT, "info3": wire.INFO3_UPDATE_ONLY})
    assert bench.put(info2=wire.INFO2_CREATE_ONLY).response.generation == 1, "an expired record is in nobody's way"


def test_times_to_live() -> None:
    bench = Bench(default_ttl=50)
    start = int(NOW - wire.CITRUSLEAF_EPOCH)
    assert bench.put(record_ttl=wire.TTL_NAMESPACE_DEFAULT).response.void_time == start + 50
    assert bench.put(record_ttl=10).response.void_time == start + 10
    bench.now += 5
    assert bench.put(record_ttl=wire.TTL_DONT_UPDATE).response.void_time == start + 10
    assert bench.put(record_ttl=wire.TTL_NEVER_EXPIRE).response.void_time == 0
    assert bench.put(record_ttl=wire.TTL_DONT_UPDATE).response.void_time == 0
    assert bench.put(record_ttl=commands.MAX_TTL).response.void_time == start + 5 + commands.MAX_TTL
    bench.refuses(ResultCode.PARAM, **{**A_PUT, "record_ttl": commands.MAX_TTL + 1})
    bench.tree.clear()
    assert bench.put(record_ttl=wire.TTL_DONT_UPDATE).response.void_time == start + 55, "nothing to keep: the default"


def test_touch_renews_and_needs_a_record() -> None:
    bench = Bench()
    touch = write_request(Op(wire.OP_TOUCH, 0, "", b""), record_ttl=100)
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **touch)
    bench.put(record_ttl=10)
    answer = bench.run(**touch).response
    assert (answer.generation, answer.void_time) == (2, int(NOW - wire.CITRUSLEAF_EPOCH) + 100)


@pytest.mark.parametrize(
    ("percent", "elapsed", "renewed"),
    [(80, 19, False), (80, 20, True), (100, 0, True), (commands.NEVER_TOUCH, 99, False), (0, 99, False)],
)
def test_reads_renew_a_record_that_is_late_in_its_life(percent: int, elapsed: int, renewed: bool) -> None:
    bench = Bench()
    void_time = bench.put(record_ttl=100).response.void_time
    bench.now += elapsed
    assert bench.read(record_ttl=percent).response.void_time == void_time, "the reader sees what it found"
    assert bench.tree[DIGEST].void_time == void_time + (elapsed if renewed else 0)
    assert bench.tree[DIGEST].generation == 1


def test_a_read_touch_percentage_over_100_is_refused_for_records_that_expire() -> None:
    bench = Bench()
    bench.put()
    assert bench.read(record_ttl=101).response.result == ResultCode.OK
    bench.put(record_ttl=10)
    bench.refuses(ResultCode.PARAM, info1=READ_ALL, record_ttl=101)


def test_truncation_hides_what_is_older() -> None:
    bench = Bench()
    bench.put()
    bench.now += 1
    bench.store.config.truncation.sets["set"] = bench.store.clock.milliseconds()
    refused = bench.refuses(ResultCode.RECORD_NOT_FOUND, info1=READ_ALL)
    assert (refused.generation, refused.void_time) == (0, 0), "it is gone, although it takes room yet"
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **write_request(info2=wire.INFO2_DELETE))
    assert len(bench.tree) == 1
    assert bench.put().response.generation == 1
    assert bench.read().response.generation == 1
    bench.now += 1
    bench.store.config.truncation.namespace = bench.store.clock.milliseconds()
    bench.store.purge()
    assert bench.tree == {}


def test_deleting() -> None:
    bench = Bench()
    delete = write_request(info2=wire.INFO2_DELETE)
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **delete)
    bench.put()
    bench.refuses(ResultCode.ENTERPRISE_ONLY, **write_request(info2=wire.INFO2_DELETE | wire.INFO2_DURABLE_DELETE))
    answer = bench.run(**delete).response
    assert (answer.generation, answer.void_time) == (0, 0)
    assert bench.tree == {}


def test_a_record_without_bins_is_deleted() -> None:
    bench = Bench()
    last_bin = write_request(Op(wire.OP_WRITE, 0, "a", b""))
    bench.refuses(ResultCode.RECORD_NOT_FOUND, **last_bin)
    bench.put()
    bench.refuses(ResultCode.ENTERPRISE_ONLY, **{**last_bin, "info2": wire.INFO2_WRITE | wire.INFO2_DURABLE_DELETE})
    assert bench.run(**last_bin).response.generation == 0
    assert bench.tree == {}


# Bins ---------------------------------------------------------------------------------------------------------


def test_operations_see_what_those_before_them_did() -> None:
    bench = Bench()
    answer = bench.write(
        op(wire.OP_WRITE, "n", 1),
        Op(wire.OP_READ, 0, "n", b""),
        op(wire.OP_INCR, "n", 4),
        Op(wire.OP_READ, 0, "n", b""),
        op(wire.OP_APPEND, "s", "b"),
        op(wire.OP_PREPEND, "s", "a"),
        op(wire.OP_APPEND, "s", "c"),
        Op(wire.OP_READ, 0, "s", b""),
        Op(wire.OP_READ, 0, "none", b""),
        info1=wire.INFO1_READ,
    ).response
    assert [(name, decode_value(kind, data)) for _, kind, name, data in answer.ops] == [
        ("n", 1), ("n", 5), ("s", "abc"),
    ]  # fmt: skip


def test_every_operation_is_answered_where_that_is_asked_for() -> None:
    bench = Bench()
    bench.put()
    answer = bench.write(
        op(wire.OP_INCR, "a", 1),
        Op(wire.OP_READ, 0, "a", b""),
        Op(wire.OP_READ, 0, "none", b""),
        Op(wire.OP_TOUCH, 0, "", b""),
        info1=wire.INFO1_READ,
        info2=wire.INFO2_RESPOND_ALL_OPS,
    ).response
    assert [(number, kind, name) for number, kind, name, _ in answer.ops] == [
        (wire.OP_INCR, wire.PARTICLE_NULL, "a"),
        (wire.OP_READ, wire.PARTICLE_INTEGER, "a"),
        (wire.OP_READ, wire.PARTICLE_NULL, "none"),
    ]


def test_integers_wrap_around() -> None:
    bench = Bench()
    bench.put(bins={"a": 2**63 - 1})
    bench.write(op(wire.OP_INCR, "a", 1))
    assert bench.bins() == {"a": -(2**63)}


@pytest.mark.parametrize(
    ("old", "number", "given"),
    [
        ("text", wire.OP_INCR, 1),
        (1, wire.OP_INCR, 1.5),
        (1.5, wire.OP_INCR, 1),
        (True, wire.OP_INCR, 1),
        (1, wire.OP_APPEND, "x"),
        ("text", wire.OP_APPEND, b"x"),
        ([1], wire.OP_PREPEND, "x"),
    ],
)
def test_types_that_do_not_go_together(old: Any, number: int, given: Any) -> None:
    bench = Bench()
    bench.put(bins={"a": old})
    assert bench.refuses(ResultCode.BIN_TYPE, **write_request(op(number, "a", given))).generation == 1


def test_the_last_bin_takes_the_place_of_a_removed_one() -> None:
    bench = Bench()
    bench.put(bins={"a": 1, "b": 2, "c": 3, "d": 4})
    bench.write(Op(wire.OP_WRITE, 0, "b", b""))
    assert list(bench.bins()) == ["a", "d", "c"]


def test_reading_some_bins_or_none() -> None:
    bench = Bench()
    bench.put(bins={"a": 1, "b": 2})
    named = bench.run(info1=wire.INFO1_READ, ops=(Op(wire.OP_READ, 0, "b", b""), Op(wire.OP_READ, 0, "x", b"")))
    assert [name for _, _, name, _ in named.response.ops] == ["b"]
    assert bench.run(info1=wire.INFO1_READ | wire.INFO1_GET_NO_BINS).response.ops == ()


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        (write_request(), ResultCode.PARAM),
        (write_request(op(wire.OP_WRITE, "sixteen letters_", 1)), ResultCode.BIN_NAME),
        (write_request(op(wire.OP_INCR, "a", 1), info3=wire.INFO3_CREATE_OR_REPLACE), ResultCode.PARAM),
        (write_request(Op(wire.OP_WRITE, 0, "a", b""), info3=wire.INFO3_REPLACE_ONLY), ResultCode.PARAM),
        (write_request(Op(wire.OP_READ, 0, "a", b"")), ResultCode.PARAM),
        (write_request(Op(99, 0, "a", b"")), ResultCode.PARAM),
        (write_request(Op(wire.OP_WRITE, 77, "a", b"")), ResultCode.PARAM),
        (write_request(Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, "a", b"\0\0\0")), ResultCode.PARAM),
        (write_request(Op(wire.OP_WRITE, wire.PARTICLE_BOOL, "a", b"\2")), ResultCode.PARAM),
        (write_request(Op(wire.OP_WRITE, wire.PARTICLE_GEOJSON, "a", b"\0\0\0{}")), ResultCode.GEO_INVALID_GEOJSON),
        (write_request(op(wire.OP_WRITE, "a", bytes(1 << 20))), ResultCode.RECORD_TOO_BIG),
        ({"info1": wire.INFO1_READ}, ResultCode.PARAM),
        ({"info1": wire.INFO1_READ, "ops": (op(wire.OP_WRITE, "a", 1),)}, ResultCode.PARAM),
    ],
)
def test_bad_requests(request_: dict[str, Any], result: ResultCode) -> None:
    bench = Bench()
    bench.put()
    bench.refuses(result, **request_)


def test_what_is_not_served_is_refused_and_changes_nothing() -> None:
    bench = Bench()
    bench.put()
    bench.refuses(ResultCode.ENTERPRISE_ONLY, **{**A_PUT, "in_transaction": True})
    bench.refuses(ResultCode.ENTERPRISE_ONLY, info1=READ_ALL, in_transaction=True)
