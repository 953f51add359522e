"""The recorded exchanges of the official client with a real server, replayed in order against the embedded one.

WIRE_EXCHANGES names another recording in the same form.
"""

from __future__ import annotations

import json
import os
import re
from fnmatch import fnmatch
from pathlib import Path

import attrs
import pytest
import trio

from tests.integration.server_peer import connected, message_frame, put_message
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.batch import encode_batch
from trio_aerospike._wire.batch_messages import BatchRequest, encode_batch_rows
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.info import decode_info_request, decode_info_response, parse_error
from trio_aerospike._wire.messages import Field, Message, decode_messages
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import EmbeddedCluster, NamespaceConfig, open_embedded_cluster
from trio_aerospike.server.udf.modules import DIRECTORY

RECORDING = Path(os.environ.get("WIRE_EXCHANGES") or Path(__file__).parents[2] / "data" / "exchanges.jsonl")

# Info commands whose answers are other numbers, or fewer of them, but of the same names.
OF_ANOTHER_CLUSTER = {"node", "service-clear-std", "statistics", "namespace/*", "get-config:*", "sets/*", "replicas"}
# The recorder listened to the client's threads at once. The client asked six times for an index that was not there, and
# these refusals stand together in the first one's entry. From there on a query's answer stands six entries before it,
# and what stands in the last six queries' own entries are the answers of info commands that were not kept.
REFUSED_QUERIES = range(500, 506)
DISPLACED_QUERIES = range(506, 512)
DISPLACEMENT = 6
# Of the calls of functions the answers were kept, and of what went before them the answers with the commands in them.
PUT_OF_MODULE, LIST_OF_MODULES, CALLS_OF_FUNCTIONS = 508, 509, 511


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


def is_query(request: Message) -> bool:
    return request.field(wire.FIELD_DIGEST) is None and not request.info1 & wire.INFO1_BATCH


async def ask(stream: trio.SocketStream, exchange: Exchange) -> list[tuple[int, bytes]]:
    """Send a recorded request, and read as many frames as end the answer."""
    await stream.send_all(exchange.request)
    (kind, body) = frames(exchange.request)[0]
    has_end = kind == wire.PROTO_MESSAGE
    if has_end:
        request = decode_messages(body)[0]
        has_end = is_query(request) or bool(request.info1 & wire.INFO1_BATCH)
    reader = FrameReader()
    found: list[tuple[int, bytes]] = []
    with trio.fail_after(10):
        while True:
            data = await stream.receive_some()
            assert data, f"{exchange.label}: the server closed the connection"
            found += reader.feed(data)
            if found and not has_end:
                return found
            if found:
                last = decode_messages(found[-1][1])[-1]
                if last.info3 & wire.INFO3_LAST or (last.result_code and not last.fields):
                    return found


def content(answers: list[tuple[int, bytes]]) -> list[Message]:
    """The messages of an answer, without what depends on the time of day."""
    found = []
    for _, body in answers:
        found += [attrs.evolve(message, record_ttl=min(message.record_ttl, 1)) for message in decode_messages(body)]
    return found


def by_index(messages: list[Message]) -> list[Message]:
    return sorted(messages, key=lambda message: (message.info3, message.transaction_ttl))


def by_partition(messages: list[Message]) -> list[Message]:
    """The records of a query's answer partition by partition: the server works on several partitions at once."""

    def partition(message: Message) -> int:
        digest = message.field(wire.FIELD_DIGEST)
        return wire.N_PARTITIONS if digest is None else (digest[0] | digest[1] << 8) & (wire.N_PARTITIONS - 1)

    return sorted(messages, key=partition)


def without_load_time(statistics: str) -> list[str]:
    return [pair for pair in statistics.split(";") if not pair.startswith("load_time=")]


class Replay:
    """Compares answers."""

    def __init__(self, recorded: list[Exchange]) -> None:
        self.recorded = recorded
        self.compared = 0

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
            if any(fnmatch(name, pattern) for pattern in OF_ANOTHER_CLUSTER):
                assert parse_error(given[name]) is None, exchange.label
            elif name.startswith("sindex-stat:"):
                assert without_load_time(given[name]) == without_load_time(expected[name]), exchange.label
                self.compared += 1
            elif name.startswith("sindex-list:"):
                # That an index was dropped is among what was not kept.
                assert set(expected[name].split(";")) <= set(given[name].split(";")), exchange.label
                self.compared += 1
            else:
                assert given[name] == expected[name], f"{exchange.label}: {name}"
                self.compared += 1

    def check_message(self, exchange: Exchange, request: Message, given: list[Message]) -> None:
        if is_query(request):
            self.check_query(exchange, given)
        elif request.info1 & wire.INFO1_BATCH:
            self.check_batch(exchange, by_index(content(exchange.answers)), by_index(given))
        else:
            assert given == content(exchange.answers), exchange.label
            self.compared += 1

    def check_query(self, exchange: Exchange, given: list[Message]) -> None:
        number = exchange.number if "WIRE_EXCHANGES" not in os.environ else -1
        if number in REFUSED_QUERIES:
            assert [message.result_code for message in given] == [ResultCode.INDEX_NOT_FOUND], exchange.label
            return
        answered = self.recorded[number - DISPLACEMENT] if number in DISPLACED_QUERIES else exchange
        expected = [message for message in content(answered.answers) if message.result_code == ResultCode.OK]
        assert by_partition(given) == by_partition(expected), exchange.label
        self.compared += len(given)

    def check_batch(self, exchange: Exchange, expected: list[Message], given: list[Message]) -> None:
        assert given == expected, exchange.label
        self.compared += len(given)


async def all_indexes_filled(cluster: EmbeddedCluster) -> None:
    """The program that was recorded waited for them, which was not kept."""
    entries = [cluster.nodes[0].indexes.entries(definition) for definition, _ in cluster.indexes.of("test")]
    with trio.fail_after(10):
        while not all(found.is_readable for found in entries):
            await trio.sleep(0.001)


@pytest.mark.skipif(not RECORDING.exists(), reason=f"no recording at {RECORDING}")
async def test_recorded_exchanges_get_the_recorded_answers() -> None:
    recorded = exchanges()
    replay = Replay(recorded)
    async with open_embedded_cluster(1, namespaces=[NamespaceConfig("test", replication_factor=1)]) as cluster:
        async with await trio.open_tcp_stream(*cluster.hosts[0]) as stream:
            for exchange in recorded:
                replay.check(exchange, await ask(stream, exchange))
                if b"sindex-create:" in exchange.request:
                    await all_indexes_filled(cluster)
    # Fewer comparisons mean that the server serves less than it did.
    assert replay.compared >= 650 or "WIRE_EXCHANGES" in os.environ


def echoed(exchange: Exchange) -> tuple[str, str]:
    """The command that an answer is to, and the answer."""
    ((command, answer),) = decode_info_response(exchange.answers[0][1]).items()
    return command, answer


def call(digest: bytes, function: str, arguments: list[object], module: str = "wire_udf") -> Message:
    fields = (
        Field(wire.FIELD_NAMESPACE, b"test"),
        Field(wire.FIELD_SET, b"wire"),
        Field(wire.FIELD_DIGEST, digest),
        Field(wire.FIELD_UDF_FILENAME, module.encode()),
        Field(wire.FIELD_UDF_FUNCTION, function.encode()),
        Field(wire.FIELD_UDF_ARGLIST, pack_value(arguments)),
    )
    return Message(info2=wire.INFO2_WRITE, transaction_ttl=10_000, fields=fields)


@pytest.mark.skipif(not RECORDING.exists() or "WIRE_EXCHANGES" in os.environ, reason=f"no recording at {RECORDING}")
async def test_calls_of_functions_get_the_recorded_answers() -> None:
    """The calls themselves were not kept; these are what their answers and the module's text show."""
    recorded = exchanges()
    put, stored = echoed(recorded[PUT_OF_MODULE])
    listing, modules = echoed(recorded[LIST_OF_MODULES])
    async with open_embedded_cluster(1, namespaces=[NamespaceConfig("test", replication_factor=1)]) as cluster:
        async with connected(cluster) as peer:
            assert await peer.info_one(put) == stored
            assert await peer.info_one(listing) == modules  # with the module's hash
            answers = []
            digests = [bytes((number,)) * 20 for number in range(3)]
            # Records with the generations of the recorded answers, and with the bins that `bump` reads.
            for digest, writes, count in ((digests[0], 4, 1), (digests[1], 5, 0), (digests[2], 4, 0)):
                fields = (
                    Field(wire.FIELD_NAMESPACE, b"test"),
                    Field(wire.FIELD_SET, b"wire"),
                    Field(wire.FIELD_DIGEST, digest),
                )
                for _ in range(writes):
                    assert not (await peer.ask(put_message("", {"n": count}, fields=fields))).result_code
            for asked in (
                call(digests[0], "echo", [[1, "a", {"k": 2.5}]]),
                call(digests[0], "bump", ["n", 2]),
                call(b"\x77" * 20, "bump", ["n", 3]),
                call(digests[0], "boom", []),
                call(digests[0], "echo", [], "no_such"),
            ):
                await peer.send(message_frame(asked))
                answers.append(await peer.receive())
            row = call(b"", "bump", ["n", 1])
            rows = [
                BatchRequest(
                    index=number,
                    digest=digest,
                    namespace="test",
                    set_name="wire",
                    info1=0,
                    info2=wire.INFO2_WRITE,
                    fields=row.fields[3:],
                )
                for number, digest in enumerate(digests)
            ]
            await peer.send(encode_batch(encode_batch_rows(rows), len(rows), transaction_ttl=10_000))
            answers += [await peer.receive(), await peer.receive()]
    assert by_index(content(answers)) == by_index(with_path(content(recorded[CALLS_OF_FUNCTIONS].answers)))


def with_path(messages: list[Message]) -> list[Message]:
    """The same, with the default folder of modules in what functions said of their failures: another was recorded."""
    found = []
    for message in messages:
        ops = [attrs.evolve(op, data=re.sub(rb"^/\S*/", DIRECTORY.encode(), op.data)) for op in message.ops]
        found.append(attrs.evolve(message, ops=tuple(ops)))
    return found
