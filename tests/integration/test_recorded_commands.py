"""Commands on one record go out, byte for byte, as the official client sent them to a real server.

The operations of ``operate`` on lists, maps, bits and sketches are in tests/unit/recorded, filters and expressions in
tests/unit/exp; this is everything else of the recording up to its batches.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from fnmatch import fnmatch
from typing import Any

import attrs
import pytest
import trio

from tests.unit.wire.exchanges import frames_of, load_exchanges
from trio_aerospike import AerospikeError, Client, Key, WritePolicy, exp, open_client, operations as op
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Message, decode_messages, encode_message
from trio_aerospike._wire.particles import decode_value
from trio_aerospike.policies import TTL_DONT_UPDATE, TTL_NEVER_EXPIRE, Exists, GenerationCheck
from trio_aerospike.server import open_embedded_cluster
from trio_aerospike.server.faults import Request

Bins = dict[str, Any]
Call = Callable[[Client, Key, Bins], Awaitable[object]]

AGE = exp.int_bin("age")
_TWICE = [op.increment("n", 1), op.read("n")] * 2
_MIXED = [
    op.write("n", 1),
    op.increment("n", 4),
    op.append("s", "ab"),
    op.prepend("s", "x"),
    op.read("n"),
    op.read("s"),
]


def _put(**policy: Any) -> Call:
    return lambda client, key, bins: client.put(key, bins, policy=WritePolicy(**policy))


def _get(client: Client, key: Key, bins: Bins) -> Awaitable[object]:
    return client.get(key)


CALLS: dict[str, Call] = {
    "put types": _put(),
    "put geo": _put(),
    "get types": _get,
    "get geo": _get,
    "select": lambda client, key, bins: client.select(key, ["i", "s"]),
    "select missing bin": lambda client, key, bins: client.select(key, ["nope"]),
    "exists": lambda client, key, bins: client.exists(key),
    "exists missing": lambda client, key, bins: client.exists(key),
    "get missing": _get,
    "int key send": _put(send_key=True),
    "bytes key send": _put(send_key=True),
    "str key send": _put(send_key=True),
    "get sent": _get,
    "no set": _put(),
    "get no set": _get,
    "ttl": lambda client, key, bins: client.put(key, bins, ttl=1000),
    "get ttl": _get,
    "ttl never": lambda client, key, bins: client.put(key, bins, ttl=TTL_NEVER_EXPIRE),
    "ttl dont update": lambda client, key, bins: client.put(key, bins, ttl=TTL_DONT_UPDATE),
    "touch": lambda client, key, bins: client.touch(key),
    "touch missing": lambda client, key, bins: client.touch(key),
    "append": lambda client, key, bins: client.append(key, "s", "!"),
    "prepend": lambda client, key, bins: client.prepend(key, "s", ">"),
    "increment": lambda client, key, bins: client.increment(key, "i", 5),
    "increment float": lambda client, key, bins: client.increment(key, "f", 0.25),
    "increment wrong type": lambda client, key, bins: client.increment(key, "s", 1),
    "append wrong type": lambda client, key, bins: client.append(key, "i", "x"),
    "remove_bin": lambda client, key, bins: client.remove_bin(key, list(bins)),
    "put nil bin": _put(),
    "create only exists": _put(exists=Exists.CREATE_ONLY),
    "create only new": _put(exists=Exists.CREATE_ONLY),
    "update only missing": _put(exists=Exists.UPDATE_ONLY),
    "replace": _put(exists=Exists.REPLACE),
    "replace only missing": _put(exists=Exists.REPLACE_ONLY),
    "get replaced": _get,
    "gen eq bad": lambda client, key, bins: client.put(key, bins, generation=77),
    "gen eq good": lambda client, key, bins: client.put(key, bins, generation=2),
    "gen gt bad": _put(generation_check=GenerationCheck.GREATER, generation=1),
    "bin name 15": _put(),
    "remove gen bad": lambda client, key, bins: client.remove(key, generation=99),
    "remove": lambda client, key, bins: client.remove(key),
    "remove missing": lambda client, key, bins: client.remove(key),
    "operate mixed": lambda client, key, bins: client.operate(key, _MIXED),
    "operate_ordered": lambda client, key, bins: client.operate_ordered(key, _TWICE),
    "operate touch": lambda client, key, bins: client.operate(key, [op.touch(), op.read("n")]),
    "operate read missing bin": lambda client, key, bins: client.operate(key, [op.read("zz")]),
    "operate delete": lambda client, key, bins: client.operate(key, [op.read("n"), op.delete()]),
    "operate on missing read": lambda client, key, bins: client.operate(key, [op.read("n")]),
    "hll read": lambda client, key, bins: client.select(key, list(bins)) if bins else client.get(key),
    "expr put": _put(),
    "remove filtered out": lambda client, key, bins: (
        # Behind it are the records that its batches are about to read.
        client.put(key, bins) if bins else client.remove(key, policy=WritePolicy(filter_expression=AGE == 99))
    ),
}

# The tables of these are those named above.
ELSEWHERE = ("list*", "map*", "bit*", "hll_*", "filter *", "expression_*", "write filtered out")


def recorded() -> list[tuple[str, Message]]:
    """The recorded steps and their requests on one record, up to the first batch."""
    found = []
    for exchange in load_exchanges():
        if exchange.step.startswith("batch_"):
            break
        [(kind, body)] = frames_of(exchange.request)
        if kind == wire.PROTO_MESSAGE and not any(fnmatch(exchange.step, pattern) for pattern in ELSEWHERE):
            found.append((exchange.step, decode_messages(body)[0]))
    return found


def key_of(message: Message) -> Key:
    namespace, set_name, digest = (
        message.field(kind) for kind in (wire.FIELD_NAMESPACE, wire.FIELD_SET, wire.FIELD_DIGEST)
    )
    assert namespace is not None and digest is not None
    sent = message.field(wire.FIELD_KEY)
    group = set_name.decode() if set_name else ""
    if sent is None:
        return Key.from_digest(namespace.decode(), group, digest)
    key = Key(namespace.decode(), group, decode_value(sent[0], sent[1:]))
    assert key.digest == digest
    return key


def as_sent(message: Message) -> bytes:
    """Its bytes, without the time that is left to answer: that depends on how fast it goes out."""
    return encode_message(attrs.evolve(message, transaction_ttl=0))


def test_every_recorded_step_has_a_call_and_every_call_a_step() -> None:
    assert {step for step, _ in recorded()} == set(CALLS)


@pytest.fixture(scope="module")
def sent() -> dict[str, list[bytes]]:
    """What the client sends for each call, the steps in their order."""
    found: dict[str, list[bytes]] = {}

    async def carry_out() -> None:
        requests: list[bytes] = []

        async def note(kind: str, request: Request) -> None:
            if isinstance(request, Message):
                requests.append(as_sent(request))

        with trio.fail_after(60):
            async with open_embedded_cluster(1) as cluster, open_client(cluster.hosts) as client:
                cluster.nodes[0].on_request = note
                for step, message in recorded():
                    bins = {one.name: decode_value(one.particle, one.data) for one in message.ops if one.name}
                    requests.clear()
                    try:
                        await CALLS[step](client, key_of(message), bins)
                    except AerospikeError:
                        pass  # what the server holds is another test's matter
                    found.setdefault(step, []).append(b"".join(requests))

    trio.run(carry_out)
    return found


@pytest.mark.parametrize("step", CALLS)
def test_our_command_is_the_recorded_request(step: str, sent: dict[str, list[bytes]]) -> None:
    assert sent[step] == [as_sent(message) for name, message in recorded() if name == step]
