"""The recorded exchanges of the official client with a real server, replayed in order against the embedded one.

WIRE_EXCHANGES names another recording in the same form. A step that is not served yet stands in the table below, and
has to be refused with the server's "unsupported" code: never with a made-up success.
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from pathlib import Path

import attrs
import pytest
import trio

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch import decode_batch_request
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.info import decode_info_request, decode_info_response, parse_error
from trio_aerospike._wire.messages import Message, decode_messages
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import NamespaceConfig, open_embedded_cluster

RECORDING = Path(os.environ.get("WIRE_EXCHANGES") or Path(__file__).parent.parent / "data" / "exchanges.jsonl")

# Steps of which the commands themselves are not served yet. Plain reads and writes that the recorder did on the way
# (a step's name is that of the call which caused the exchange) are compared all the same: what counts is the request.
UNSERVED_OPERATIONS: dict[int, str] = {}
UNSERVED_STEPS = {
    "index *": "secondary indexes",
    "query *": "queries",
    "scan partition": "queries",
    "background ops": "queries",
    "udf_*": "UDFs",
    "batch_apply": "UDFs",
}
UNSERVED_INFO = ("sindex-create:*", "udf-put:*")

# Info commands whose answers are other numbers, or fewer of them, but of the same names.
OF_ANOTHER_CLUSTER = {"node", "service-clear-std", "statistics", "namespace/*", "get-config:*", "sets/*", "replicas"}
# Answers that tell of indexes and modules that could not be made.
OF_UNSERVED_THINGS = {"sindex-list*", "udf-list*", "sindex-stat:*"}


@attrs.frozen
class Exchange:
    number: int
    step: str
    kind: int
    request: bytes
    answers: list[tuple[int, bytes]]

    @property
    def label(self) -> str:
        return f"{self.number} {self.step}"


def frames(data: bytes) -> list[tuple[int, bytes]]:
    reader = FrameReader()
    found = reader.feed(data)
    assert reader.error is None
    return found


def exchanges() -> list[Exchange]:
    found = []
    for number, line in enumerate(RECORDING.read_text().splitlines()):
        entry = json.loads(line)
        found.append(
            Exchange(
                number,
                entry["step"],
                entry["type"],
                bytes.fromhex(entry["request"]),
                frames(bytes.fromhex(entry["response"])),
            )
        )
    return found


def is_listed_step(step: str) -> bool:
    return any(fnmatch(step, pattern) for pattern in UNSERVED_STEPS)


def is_unserved(request: Message) -> bool:
    fields = {field.kind for field in request.fields}
    if fields & {wire.FIELD_UDF_FILENAME, wire.FIELD_PID_ARRAY, wire.FIELD_UDF_FUNCTION}:
        return True
    if wire.FIELD_DIGEST not in fields and not request.info1 & wire.INFO1_BATCH:
        return True
    return any(op.op in UNSERVED_OPERATIONS for op in request.ops)


async def ask(stream: trio.SocketStream, exchange: Exchange) -> list[tuple[int, bytes]]:
    """Send a recorded request, and read as many frames as end the answer."""
    await stream.send_all(exchange.request)
    (kind, body) = frames(exchange.request)[0]
    is_batch = kind == wire.PROTO_MESSAGE and bool(decode_messages(body)[0].info1 & wire.INFO1_BATCH)
    reader = FrameReader()
    found: list[tuple[int, bytes]] = []
    with trio.fail_after(10):
        while True:
            data = await stream.receive_some()
            assert data, f"{exchange.label}: the server closed the connection"
            found += reader.feed(data)
            if found and not is_batch:
                return found
            if found and decode_messages(found[-1][1])[-1].info3 & wire.INFO3_LAST:
                return found


def content(answers: list[tuple[int, bytes]]) -> list[Message]:
    """The messages of an answer, without what depends on the time of day."""
    found = []
    for _, body in answers:
        found += [attrs.evolve(message, record_ttl=min(message.record_ttl, 1)) for message in decode_messages(body)]
    return found


def by_index(messages: list[Message]) -> list[Message]:
    return sorted(messages, key=lambda message: (message.info3, message.transaction_ttl))


class Replay:
    """Compares answers, and keeps score of records that unserved commands should have changed."""

    def __init__(self) -> None:
        self.compared = 0
        self.refused = 0
        self.tainted: set[bytes] = set()

    def check(self, exchange: Exchange, answers: list[tuple[int, bytes]]) -> None:
        kind, body = frames(exchange.request)[0]
        assert answers[0][0] == kind, exchange.label
        if kind == wire.PROTO_INFO:
            self.check_info(exchange, decode_info_request(body), answers[0][1])
        else:
            self.check_message(exchange, decode_messages(body)[0], content(answers))

    def check_info(self, exchange: Exchange, names: list[str], body: bytes) -> None:
        expected, given = decode_info_response(exchange.answers[0][1]), decode_info_response(body)
        assert list(given) == names, exchange.label
        for name in names:
            if any(fnmatch(name, pattern) for pattern in UNSERVED_INFO):
                assert is_listed_step(exchange.step), exchange.label
                error = parse_error(given[name])
                assert error is not None and error.code == ResultCode.UNSUPPORTED_FEATURE, exchange.label
                self.refused += 1
            elif any(fnmatch(name, pattern) for pattern in OF_ANOTHER_CLUSTER):
                assert parse_error(given[name]) is None, exchange.label
            elif any(fnmatch(name, pattern) for pattern in OF_UNSERVED_THINGS):
                assert given[name] in ("", "ERROR:201:no index"), exchange.label
            else:
                assert given[name] == expected[name], f"{exchange.label}: {name}"
                self.compared += 1

    def check_message(self, exchange: Exchange, request: Message, given: list[Message]) -> None:
        # The recorder has paired a few queries with the answer of another connection; they are refused in any case.
        expected = content(exchange.answers) if exchange.answers[0][0] == wire.PROTO_MESSAGE else []
        digest = request.field(wire.FIELD_DIGEST) or b""
        if is_unserved(request):
            assert is_listed_step(exchange.step), f"{exchange.label} is not served, but not listed either"
            allowed = {ResultCode.UNSUPPORTED_FEATURE}
            if digest in self.tainted:
                # Earlier steps that would have made the record were not served.
                allowed |= {ResultCode.RECORD_NOT_FOUND}
            assert {message.result_code for message in given} <= allowed, exchange.label
            self.tainted.add(digest)
            self.refused += 1
        elif digest in self.tainted:
            assert is_listed_step(exchange.step), f"{exchange.label} follows unserved steps, but is not listed"
        elif request.info1 & wire.INFO1_BATCH:
            self.check_batch(exchange, request, by_index(expected), by_index(given))
        else:
            assert given == expected, exchange.label
            self.compared += 1

    def check_batch(self, exchange: Exchange, request: Message, expected: list[Message], given: list[Message]) -> None:
        assert len(given) == len(expected), exchange.label
        _, rows = decode_batch_request(request)
        rows_by_index = {row.index: row for row in rows}
        for mine, theirs in zip(given, expected, strict=True):
            label = f"{exchange.label}, row {theirs.transaction_ttl}"
            row = None if theirs.info3 & wire.INFO3_LAST else rows_by_index[theirs.transaction_ttl]
            if row is not None and any(op.op in UNSERVED_OPERATIONS for op in row.ops):
                assert is_listed_step(exchange.step), f"{label} is not served, but not listed either"
                assert mine.result_code == ResultCode.UNSUPPORTED_FEATURE, label
                self.tainted.add(row.digest)
                self.refused += 1
            elif row is None or row.digest not in self.tainted:
                assert mine == theirs, label
                self.compared += 1


@pytest.mark.skipif(not RECORDING.exists(), reason=f"no recording at {RECORDING}")
async def test_recorded_exchanges_get_the_recorded_answers_or_an_honest_refusal() -> None:
    replay = Replay()
    async with open_embedded_cluster(1, namespaces=[NamespaceConfig("test", replication_factor=1)]) as cluster:
        async with await trio.open_tcp_stream(*cluster.hosts[0]) as stream:
            for exchange in exchanges():
                replay.check(exchange, await ask(stream, exchange))
    # Whatever is refused, the core is compared: fewer comparisons mean that the server serves less than it did.
    assert replay.compared >= 130 or "WIRE_EXCHANGES" in os.environ
