"""Random operations on bits and sketches, sent to the embedded and to a real server: nothing differs.

Compared are the results, the answers, and what is stored after each request, byte for byte. AEROSPIKE_HOSTS names the
real one (the first host is asked); without it the tests are skipped. The same operations every time: COMPARE_SEED picks
others, COMPARE_REQUESTS more of them. They write to a set of their own in namespace test.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from typing import Any

import pytest
import trio

from tests.integration.real.random_calls import RandomCalls
from tests.integration.real.test_server import REAL, both, timeless
from tests.integration.server_peer import Peer, key_fields, message_frame
from trio_aerospike._wire import constants as wire, hll_ops
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages
from trio_aerospike._wire.particles import encode_value

SEED = int(os.environ.get("COMPARE_SEED", "1"))
REQUESTS = int(os.environ.get("COMPARE_REQUESTS", "400"))

pytestmark = pytest.mark.skipif(not REAL, reason="AEROSPIKE_HOSTS names no real server to compare with")

START: dict[str, Any] = {"i": 7, "s": "text", "l": [1, 2]}
READ_ALL = {"info1": wire.INFO1_READ | wire.INFO1_GET_ALL}


class Comparison:
    """A record on both servers, and the random calls on it."""

    def __init__(self, mine: Peer, theirs: Peer, seed: int) -> None:
        self.peers = (mine, theirs)
        self.calls = RandomCalls(seed)
        self.run = secrets.token_hex(4)
        self.key = 0
        self.operations = 0
        self.results: Counter[int] = Counter()
        self.bins: dict[str, bytes] = {}

    @property
    def fields(self) -> tuple[Field, ...]:
        return key_fields(f"{self.run}-{self.key}", "bits-against-real")

    async def ask(self, **request: Any) -> Message:
        """Send a request to both, then read the record from both; everything has to be the same."""
        frames = [
            message_frame(Message(fields=self.fields, transaction_ttl=5000, **message))
            for message in (request, READ_ALL)
        ]
        answers = []
        for peer in self.peers:
            await peer.send(*frames)
        for peer in self.peers:
            received = [decode_messages((await peer.receive())[1])[0] for _ in frames]
            answers.append([timeless(message) for message in received])
        mine, theirs = answers
        described = [f"{op.op} {op.particle} {op.name} {op.data[:400].hex()}" for op in request["ops"]]
        before = {name: data[:400].hex() for name, data in self.bins.items()}
        assert mine == theirs, (described, before)
        self.bins = {op.name: op.data for op in theirs[1].ops}
        self.operations += len(request["ops"])
        self.results[theirs[0].result_code] += 1
        for message in theirs:
            for op in message.ops:
                if (
                    op.particle == wire.PARTICLE_HLL
                    and hll_ops.are_widths(op.data[1], op.data[2])
                    and len(op.data) < 20000
                ):
                    self.calls.sketches = [*self.calls.sketches[-29:], op.data]
        return theirs[0]

    async def start_over(self) -> None:
        """Another record, with bins of other types and with a blob of some size."""
        self.key += 1
        random = self.calls.random
        size = random.choice([1, 2, 3, 8, 9, 20, 64, 65, 200, random.randint(1, 700)])
        bins = {**START, "b": random.randbytes(size)}
        ops = [Op(wire.OP_WRITE, *_named(name, value)) for name, value in bins.items()]
        await self.ask(info2=wire.INFO2_WRITE, ops=tuple(ops))

    async def operate(self, ops: list[Op]) -> None:
        random = self.calls.random
        info1 = wire.INFO1_READ if any(op.op in (wire.OP_BITS_READ, wire.OP_HLL_READ) for op in ops) else 0
        only_reads = all(op.op in (wire.OP_BITS_READ, wire.OP_HLL_READ) for op in ops)
        info2 = 0 if only_reads and random.random() < 0.8 else wire.INFO2_WRITE
        info2 |= random.choice([0, wire.INFO2_RESPOND_ALL_OPS])
        await self.ask(info1=info1, info2=info2, ops=tuple(ops))

    def bits_op(self) -> Op:
        reads = self.calls.chance(35)
        name = "b" if self.calls.chance(95) else self.calls.random.choice(["i", "s", "l", "h", "none"])
        payload = self.calls.bits(len(self.bins.get(name, b"")), reads=reads)
        particle = wire.PARTICLE_BLOB if self.calls.chance(99) else self.calls.random.choice([0, 1, 3, 20])
        return Op(wire.OP_BITS_READ if reads else wire.OP_BITS_MODIFY, particle, name, payload)

    def hll_op(self) -> Op:
        reads = self.calls.chance(40)
        name = "h" if self.calls.chance(95) else self.calls.random.choice(["i", "s", "l", "b", "none"])
        particle = wire.PARTICLE_BLOB if self.calls.chance(99) else self.calls.random.choice([0, 1, 3, 20])
        return Op(wire.OP_HLL_READ if reads else wire.OP_HLL_MODIFY, particle, name, self.calls.hll(reads=reads))


def _named(name: str, value: Any) -> tuple[int, str, bytes]:
    kind, data = encode_value(value)
    return kind, name, data


@pytest.mark.parametrize("family", ["bits", "hll"])
async def test_both_servers_do_the_same_with_random_operations(family: str) -> None:
    async with both() as (mine, theirs):
        comparison = Comparison(mine, theirs, SEED)
        make = comparison.bits_op if family == "bits" else comparison.hll_op
        for number in range(REQUESTS):
            if number % 40 == 0:
                await comparison.start_over()
            await comparison.operate([make() for _ in range(comparison.calls.random.choice([1, 1, 1, 2, 3]))])
        assert comparison.results[0] > REQUESTS * 0.3
        print(f"{family}: {comparison.operations} operations alike, results {sorted(comparison.results.items())}")


async def test_sketches_of_all_widths_count_the_same() -> None:
    """Every width of index and min-hash with REQUESTS at 10,000 or more, a part of them otherwise."""
    async with both() as (mine, theirs):
        comparison = Comparison(mine, theirs, SEED)
        random = comparison.calls.random
        widths = [(i, m) for i in range(4, 17) for m in (0, *range(4, 52)) if hll_ops.are_widths(i, m)]
        if REQUESTS < 10_000:
            widths = [*random.sample([w for w in widths if w[0] < 12], 20), (16, 0), (14, 20)]
        for index_bits, minhash_bits in widths:
            comparison.key += 1
            numbers = pack_value(index_bits) + pack_value(minhash_bits) + b"\x00"
            for count in (3000, 2000):
                elements = comparison.calls.many_elements(count)
                ops = [
                    Op(wire.OP_HLL_MODIFY, 4, "h", b"\x95\x01" + elements + numbers),
                    Op(wire.OP_HLL_READ, 4, "h", b"\x91" + bytes((hll_ops.COUNT,))),
                    Op(wire.OP_HLL_MODIFY, 4, "h", b"\x91" + bytes((hll_ops.UPDATE_COUNT,))),
                    Op(wire.OP_HLL_READ, 4, "h", b"\x92" + bytes((hll_ops.MAY_CONTAIN,)) + b"\x91" + elements[3:12]),
                ]
                with trio.fail_after(60):
                    await comparison.ask(info1=wire.INFO1_READ, info2=wire.INFO2_WRITE, ops=tuple(ops))
        assert set(comparison.results) == {0}
        print(f"widths: {len(widths)}, {comparison.operations} operations alike")
