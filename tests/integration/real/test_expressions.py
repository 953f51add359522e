"""Random expressions as filters and in operations, and random regions, on the embedded and a real server.

Compared are the results, the answers, and what is stored after each request, byte for byte. AEROSPIKE_HOSTS names the
real one (the first host is asked); without it the tests are skipped. The same expressions every time: COMPARE_SEED
picks others, COMPARE_REQUESTS more of them. They write to a set of their own in namespace test.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections import Counter
from typing import Any

import attrs
import pytest

from tests.integration.real.random_expressions import TYPES, RandomExpressions
from tests.integration.real.random_regions import RandomRegions
from tests.integration.real.test_server import REAL, both, timeless
from tests.integration.server_peer import Peer, key_fields, message_frame
from trio_aerospike._wire import constants as wire, exp_ops as codes
from trio_aerospike._wire.batch import encode_batch
from trio_aerospike._wire.batch_messages import BatchRequest, encode_batch_rows
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages
from trio_aerospike._wire.particles import encode_value
from trio_aerospike._wire.value_types import GeoJSON
from trio_aerospike.server.cdt.elements import Malformed, end_of, opened, pairs_of

SEED = int(os.environ.get("COMPARE_SEED", "1"))
REQUESTS = int(os.environ.get("COMPARE_REQUESTS", "400"))
AT_ONCE = 16

pytestmark = pytest.mark.skipif(not REAL, reason="AEROSPIKE_HOSTS names no real server to compare with")

OF_TIMES = range(codes.META_LAST_UPDATE, codes.META_TTL + 1)
"""Instructions that do not give the same twice."""
NIL_AND_EXTENSIONS = b"\xc0\xc7\xc8\xc9\xd4\xd5\xd6\xd7\xd8"
READ_ALL: dict[str, Any] = {"info1": wire.INFO1_READ | wire.INFO1_GET_ALL}


@attrs.frozen
class Asked:
    """A request, and the expression in it."""

    request: dict[str, Any]
    expression: bytes


def difference(mine: list[Message], theirs: list[Message]) -> str:
    """Where two answers differ."""
    for one, other in zip(mine, theirs, strict=True):
        if attrs.evolve(one, ops=()) != attrs.evolve(other, ops=()):
            return f"{attrs.evolve(one, ops=())} instead of {attrs.evolve(other, ops=())}"
        for op, wanted in zip(one.ops, other.ops, strict=False):
            if op != wanted:
                return f"{op} {op.data.hex()} instead of {wanted} {wanted.data.hex()}"
        if len(one.ops) != len(other.ops):
            return f"{[op.name for op in one.ops]} instead of {[op.name for op in other.ops]}"
    return "nothing"


def is_comparable(expression: bytes) -> bool:
    """Whether broken bytes give the same twice, and do not crash the real server.

    It dies of calls of unknown systems on nil, of comparisons of what was removed, of conditions on extensions, and of
    the least integer divided by -1.
    """
    if any(bytes((0x91, code)) in expression for code in (*OF_TIMES, codes.RESULT_REMOVE)):
        return False
    if any(bytes((0x93, code, codes.TYPE_NIL)) in expression for code in (codes.BIN, codes.VAR_BUILTIN)):
        return False
    if any(byte in NIL_AND_EXTENSIONS for byte in expression):
        return False
    if re.search(rb"\xa2\x03(.)[\0-\x7f](\xa2\x03.[\0-\x7f])*\xa2\x03\1|[0-9]\0[],]", expression, re.DOTALL):
        # A key that a map has twice; a number in JSON with a NUL behind it, which the real server does not see.
        return False
    return b"\xff" not in expression or not any(bytes((code,)) in expression for code in (codes.DIV, codes.MOD))


def is_corrupt(op: Op) -> bool:
    """Whether it is a list or map that cannot be read, or a map that has a key twice."""
    if op.particle not in (wire.PARTICLE_LIST, wire.PARTICLE_MAP):
        return False
    try:
        if end_of(op.data) != len(op.data):
            return True
        _, count, _, start = opened(op.data)
        pairs = [] if op.particle == wire.PARTICLE_LIST else pairs_of(op.data, start, count)
    except (Malformed, IndexError):
        return True
    return len({key for key, _ in pairs}) < len(pairs)


class Comparison:
    """A record on both servers, and the random expressions about it."""

    def __init__(self, mine: Peer, theirs: Peer, seed: int) -> None:
        self.peers = (mine, theirs)
        self.random = RandomExpressions(seed)
        self.run = secrets.token_hex(4)
        self.key = 0
        self.mutate = False
        self.results: Counter[tuple[str, int]] = Counter()
        self.stored: dict[str, str] = {}
        self.corrupt = 0
        """Times that the real server answered with what is no list or map: of broken literals, it makes some."""

    async def run_requests(self, count: int, *, mutate: bool) -> None:
        self.mutate = mutate
        await self.new_record()
        for _ in range(0, count, AT_ONCE):
            if self.random.chance(10):
                await self.new_record()
            await self.compare([self.request(mutate=mutate) for _ in range(AT_ONCE)])
            if self.corrupt:
                await self.new_record()

    def fields(self, *more: Field) -> tuple[Field, ...]:
        return (*key_fields(f"{self.run}-{self.key}", "exps-against-real"), *more)

    async def new_record(self) -> None:
        self.key = (self.key + 1) % 50
        self.corrupt = 0
        record = {"info2": wire.INFO2_WRITE, "info3": wire.INFO3_CREATE_OR_REPLACE, "ops": tuple(self.random.record())}
        if self.random.chance(40):
            record["fields"] = self.fields(Field(wire.FIELD_KEY, b"\x03" + f"{self.run}-{self.key}".encode()))
        await self.compare([Asked(record, b"")])

    # Requests -------------------------------------------------------------------------------------------------------

    def request(self, *, mutate: bool) -> Asked:
        pick = self.random.random.choice
        kind = pick(TYPES)
        request_with = pick([self.filtered, self.filtered, self.evaluated, self.evaluated, self.written])
        if request_with == self.filtered and not self.random.chance(3):
            kind = codes.TYPE_BOOL
        expression = self.random.of_type(kind, self.random.random.randint(0, 5))
        if mutate:
            expression = self.random.mutated(expression)
            while not is_comparable(expression):
                expression = self.random.mutated(expression)
        return request_with(expression)

    def filtered(self, expression: bytes) -> Asked:
        fields = self.fields(Field(wire.FIELD_FILTER, expression))
        writing: dict[str, Any] = {
            "info2": wire.INFO2_WRITE,
            "ops": (Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, "w", bytes(8)),),
        }
        request = self.random.random.choice(
            [READ_ALL, {"info1": wire.INFO1_READ | wire.INFO1_GET_NO_BINS}, writing, writing, self.delete()]
        )
        return Asked({**request, "fields": fields}, expression)

    def delete(self) -> dict[str, Any]:
        # Of a generation that the record does not have, most often: what is deleted cannot be asked about.
        return {
            "info2": wire.INFO2_WRITE | wire.INFO2_DELETE | (0 if self.random.chance(3) else wire.INFO2_GENERATION),
            "generation": 60000,
        }

    def evaluated(self, expression: bytes) -> Asked:
        flags = self.random.random.choice((b"", b"\x00", b"\x10", b"\x10", b"\x01", b"\xa1x"))
        op = Op(wire.OP_EXP_READ, wire.PARTICLE_BLOB, "out", self.payload(expression, flags))
        request: dict[str, Any] = {"info1": wire.INFO1_READ, "ops": (op,)}
        if self.random.chance(30):
            other = Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, "i0", pack_value(0).rjust(8, b"\0"))
            request |= {"info2": wire.INFO2_WRITE, "ops": (other, op) if self.random.chance(50) else (op, other)}
        if self.random.chance(30):
            request["info2"] = request.get("info2", 0) | wire.INFO2_RESPOND_ALL_OPS
        return Asked(request, expression)

    def written(self, expression: bytes) -> Asked:
        flags = self.random.random.choice((b"", *(bytes((n,)) for n in (0, 1, 2, 4, 8, 9, 10, 16, 24, 31, 20, 32))))
        # What is not an expression any more may still be a value, but none to go on with.
        name = "new" if self.mutate else self.random.random.choice(("new", "i1", "s1", "l1", "m1", "g1", "f1"))
        op = Op(wire.OP_EXP_MODIFY, wire.PARTICLE_BLOB, name, self.payload(expression, flags))
        request: dict[str, Any] = {"info1": wire.INFO1_READ, "info2": wire.INFO2_WRITE, "ops": (op,)}
        if self.random.chance(20):
            request["ops"] = (op, Op(wire.OP_READ, 0, name, b""))
        if self.random.chance(10):
            request["info3"] = wire.INFO3_CREATE_OR_REPLACE
        if self.random.chance(30):
            request["info2"] |= wire.INFO2_RESPOND_ALL_OPS
        return Asked(request, expression)

    @staticmethod
    def payload(expression: bytes, flags: bytes) -> bytes:
        return (b"\x92" if flags else b"\x91") + expression + flags

    # Answers --------------------------------------------------------------------------------------------------------

    async def compare(self, asked: list[Asked]) -> None:
        """Send requests to both, each followed by a read of the record; everything has to be the same."""
        frames = []
        for one in asked:
            fields = one.request.get("fields", self.fields())
            frames.append(message_frame(Message(transaction_ttl=5000, **{**one.request, "fields": fields})))
            frames.append(message_frame(Message(transaction_ttl=5000, fields=self.fields(), **READ_ALL)))
        for peer in self.peers:
            await peer.send(*frames)
        answers = []
        for peer in self.peers:
            answers.append([timeless(decode_messages((await peer.receive())[1])[0]) for _ in frames])
        mine, theirs = answers
        for number, one in enumerate(asked):
            at = slice(2 * number, 2 * number + 2)
            self.corrupt += any(is_corrupt(op) for message in theirs[at] for op in message.ops)
            if mine[at] != theirs[at] and not self.corrupt:
                raise AssertionError(f"{self.described(one)}: {difference(mine[at], theirs[at])}")
            self.results[("read" if one.request.get("info2", 0) == 0 else "write", theirs[2 * number].result_code)] += 1
            self.stored = {op.name: f"{op.particle}:{op.data[:300].hex()}" for op in theirs[2 * number + 1].ops}

    def described(self, one: Asked) -> str:
        ops = [f"{op.op} {op.particle} {op.name} {op.data.hex()}" for op in one.request.get("ops", ())]
        return f"{one.expression.hex()} in {one.request} {ops}, with {self.stored}"


async def test_well_typed_expressions_give_the_same_on_both() -> None:
    async with both() as (mine, theirs):
        comparison = Comparison(mine, theirs, SEED)
        await comparison.run_requests(REQUESTS, mutate=False)
        results = {result for _, result in comparison.results}
        # Enough of them evaluate, and enough do not.
        assert {0, 26, 27} <= results
        print(comparison.results)


async def test_broken_expressions_are_refused_alike() -> None:
    async with both() as (mine, theirs):
        comparison = Comparison(mine, theirs, SEED + 1_000_000)
        await comparison.run_requests(REQUESTS, mutate=True)
        assert {0, 4} <= {result for _, result in comparison.results}
        print(comparison.results)


async def test_regions_are_stored_and_contain_points_alike() -> None:
    regions = RandomRegions(SEED)
    run = secrets.token_hex(4)
    contained = 0
    async with both() as peers:
        for number in range(REQUESTS // 4):
            shape = regions.shape()
            text = json.dumps(shape)
            fields = key_fields(f"{run}-{number % 50}", "exps-against-real")
            op = Op(wire.OP_WRITE, *named("g", GeoJSON(text)))
            messages = [Message(info2=wire.INFO2_WRITE, ops=(op,), fields=fields), Message(fields=fields, **READ_ALL)]
            for _ in range(8):
                place = pack_value(GeoJSON(regions.place_near(shape)))
                within = b"\x91\x93" + pack_value(codes.CMP_GEO) + place + pack_value(GeoJSON(text))
                read = Op(wire.OP_EXP_READ, wire.PARTICLE_BLOB, "out", within)
                messages.append(Message(info1=wire.INFO1_READ, ops=(read,), fields=fields))
            frames = [message_frame(attrs.evolve(message, transaction_ttl=5000)) for message in messages]
            answers = []
            for peer in peers:
                await peer.send(*frames)
            for peer in peers:
                answers.append([timeless(decode_messages((await peer.receive())[1])[0]) for _ in frames])
            mine, theirs = answers
            assert mine == theirs, f"{text}: {difference(mine, theirs)}"
            contained += sum(op.data == b"\1" for message in theirs[2:] for op in message.ops)
    assert contained >= REQUESTS // 8


def named(name: str, value: Any) -> tuple[int, str, bytes]:
    """Particle type, name and data of a bin."""
    particle, data = encode_value(value)
    return particle, name, data


IS_BIG = (
    b"\x93" + pack_value(codes.CMP_GT) + b"\x93" + pack_value(codes.BIN) + pack_value(codes.TYPE_INT) + b"\xa1i\x05"
)
IS_SMALL = bytes((0x92, codes.NOT)) + IS_BIG
NO_FILTER = b"\x91\x0a"


FILTERS = {"none": None, "big": IS_BIG, "small": IS_SMALL, "broken": NO_FILTER}


@pytest.mark.parametrize("whole", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("own", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("flags", [0, wire.BATCH_RESPOND_ALL])
async def test_filters_of_batches_and_of_their_rows(whole: bytes | None, own: bytes | None, flags: int) -> None:
    run = secrets.token_hex(4)
    fields = () if own is None else (Field(wire.FIELD_FILTER, own),)
    rows = []
    for number in range(6):
        digest = key_fields(f"{run}-{number}", "exps-against-real")[2].data
        row = BatchRequest(
            index=number, digest=digest, namespace="test", set_name="exps-against-real", info1=READ_ALL["info1"]
        )
        if number % 2:
            row = attrs.evolve(row, fields=fields)
        if number == 5:
            op = Op(wire.OP_WRITE, *named("i", 100))
            row = attrs.evolve(row, info1=0, info2=wire.INFO2_WRITE, ops=(op,))
        rows.append(row)
    batch = encode_batch(
        encode_batch_rows(rows),
        len(rows),
        transaction_ttl=5000,
        flags=flags | wire.BATCH_INLINE,
        filter_expression=whole,
    )
    async with both() as peers:
        answers = []
        for peer in peers:
            for number in (1, 2, 3, 9, 12):
                fields_of_row = key_fields(f"{run}-{number % 6}", "exps-against-real")
                op = Op(wire.OP_WRITE, *named("i", number))
                await peer.ask(Message(info2=wire.INFO2_WRITE, ops=(op,), fields=fields_of_row, transaction_ttl=5000))
            await peer.send(batch)
            found: list[Message] = []
            while not found or not found[-1].info3 & wire.INFO3_LAST:
                found += decode_messages((await peer.receive())[1])
            answers.append(sorted(map(timeless, found), key=lambda message: (message.info3, message.transaction_ttl)))
        assert answers[0] == answers[1]
