"""Fuzz target of the wire layer: whatever bytes come, each decoder gives a value or a ProtocolError.

Run it as it is for random mutations of the recorded exchanges::

    python tests/fuzz/fuzz_wire.py --iterations 100000 --seed 1

With ``--hot`` only the decoders that are compiled run, on several times as many inputs a second: for a build of theirs
with an address sanitizer. With atheris installed, ``--atheris`` hands over to its coverage-guided engine; arguments
behind ``--`` are libFuzzer's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trio_aerospike._wire import (
    admin,
    batch_answers,
    batch_messages,
    info,
    info_cluster,
    messages,
    particles,
    query_answers,
    records,
)
from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.cdt_unpack import unpack_exactly
from trio_aerospike._wire.frames import FrameReader, decompress_body
from trio_aerospike._wire.object_maker import Maker
from trio_aerospike._wire.pipeline import RequestPipeline
from trio_aerospike.errors import InvalidArgError, ProtocolError
from trio_aerospike.records import Record

MAX_SIZE = 1 << 20
EXCHANGES = Path(__file__).parents[1] / "data" / "exchanges.jsonl"

BODY_DECODERS: dict[int, tuple[Callable[[bytes], Any], ...]] = {
    1: (info.decode_info_request, info.decode_info_response),
    2: (admin.decode_admin_messages, admin.decode_login_response, admin.decode_users, admin.decode_roles),
    3: (
        records.decode_header,
        records.decode_record,
        records.decode_ordered,
        batch_answers.decode_batch_response,
        messages.decode_messages,
    ),
}


def attempt(decode: Callable[..., Any], *args: Any) -> Any:
    """What the decoder gives, None for a ProtocolError; anything else it raises is a finding."""
    try:
        return decode(*args)
    except ProtocolError:
        return None


def check_cdt(data: bytes) -> None:
    """Both list and map decoders agree, and what they give packs and unpacks to itself."""
    value = attempt(unpack_value, data)
    exact = attempt(unpack_exactly, data)
    # NaN is unequal to itself, so compare what a reader sees.
    if repr(value) != repr(exact):
        raise AssertionError(f"decoders differ on {data.hex()}: {value!r} and {exact!r}")


def check_message(message: messages.Message) -> None:
    attempt(batch_messages.decode_batch_request, message)
    for op in message.ops:
        attempt(particles.decode_value, op.particle, op.value)
    for field in message.fields:
        check_cdt(field.data)


def check_text(text: str) -> None:
    for parse in (info_cluster.parse_peers, info_cluster.parse_services, info_cluster.parse_replicas):
        attempt(parse, text)
    info.parse_error(text)


def check_body(kind: int, body: bytes) -> None:
    """Every decoder of that type of frame, and what lies deeper in what it gives."""
    for decode in BODY_DECODERS[kind]:
        attempt(decode, body)
    if kind == 1:
        for value in (attempt(info.decode_info_response, body) or {}).values():
            check_text(value)
    if kind == 3:
        decoded = attempt(messages.decode_messages, body)
        if decoded is not None:
            if b"".join(map(messages.encode_message, decoded)) != body:
                raise AssertionError(f"a message is not rebuilt to its bytes: {body.hex()}")
            for message in decoded:
                check_message(message)


class Request:
    """What a request pipeline asks of a request."""

    frame = b"request"
    deadline = math.inf
    sent = False
    sent_at = 0.0

    def __init__(self, kind: int, frames: int, abandoned: bool) -> None:
        self.kind = kind
        self.left = frames
        self.abandoned = abandoned
        self.consume: Callable[[bytes], bool] | None = self.count if frames > 1 else None

    def count(self, body: bytes) -> bool:
        """Whether that was the last frame of the answer."""
        self.left -= 1
        return not self.left

    def expires_at(self, now: float) -> float:
        """When the command ends."""
        return math.inf


def answered(data: bytes, size: int, seed: int) -> tuple[list[bytes], bool]:
    """Feed a stream in pieces to a pipeline that is owed answers; returns their bodies and whether it failed."""
    chance = random.Random(seed)
    pipeline: RequestPipeline[Request] = RequestPipeline("fuzz")
    requests = [
        Request(chance.choice((1, 2, 3, 3, 3)), chance.choice((1, 1, 1, 3)), chance.random() < 0.2) for _ in range(4)
    ]
    for request in requests:
        pipeline.submit(request)
    pipeline.bytes_sent(len(pipeline.data_to_send(0.0)))
    completed: list[tuple[Request, bytes]] = []
    for start in range(0, len(data), size):
        if pipeline.error is None:
            completed += pipeline.receive_data(data[start : start + size])
    failed = pipeline.error is not None
    owners = [request for request, _ in completed]
    if owners + pipeline.close()[0] != requests:
        raise AssertionError(f"requests are lost or out of order: {data.hex()}")
    if any(bool(body) == request.abandoned and (body or request.kind == 3) for request, body in completed):
        raise AssertionError(f"an answer is dropped, or not dropped: {data.hex()}")
    return [body for _, body in completed], failed


def check_pipeline(data: bytes) -> None:
    """What a pipeline makes of a stream depends on its splits only where there are more answers than requests."""
    seed = sum(data)
    whole, failed = answered(data, max(1, len(data)), seed)
    pieces, also_failed = answered(data, 7, seed)
    if failed != also_failed or pieces[: len(whole)] != whole or (not failed and pieces != whole):
        raise AssertionError(f"answers depend on the split: {data.hex()}")


def check(data: bytes) -> None:
    """One input: as a stream of frames in two splits, and as a body of every type."""
    whole = FrameReader(MAX_SIZE)
    frames = whole.feed(data)
    split = FrameReader(MAX_SIZE)
    again = []
    for start in range(0, len(data), 7):
        if split.error is None:
            again += split.feed(data[start : start + 7])
    if frames != again or (whole.error is None) != (split.error is None):
        raise AssertionError(f"frames depend on the split: {data.hex()}")
    check_pipeline(data)
    for kind, body in frames:
        check_body(kind, body)
    for kind in BODY_DECODERS:
        check_body(kind, data)
    attempt(decompress_body, data, MAX_SIZE)
    attempt(admin.decode_roles_field, data)
    attempt(admin.decode_privileges_field, data)
    attempt(particles.decode_value, data[0] if data else 0, data[1:])
    check_cdt(data)


def check_hot(data: bytes) -> None:
    """One input for each of the compiled decoders."""
    for body in (data, data[8:]):
        attempt(records.decode_record, body)
        attempt(records.decode_ordered, body)
        attempt(batch_answers.decode_batch_response, body)
        attempt(batch_answers.is_batch_end, body)
        attempt(query_answers.is_end, body)
        attempt(query_answers.AnswerDecoder(MAKER, lambda *made: made).decode, body, 0, 100)
        results: list[Any] = [None] * 100
        attempt(batch_answers.BatchAnswerReader(results, results, MAKER, MAKER).read, body, lambda row: None)
        attempt(batch_answers.ColumnReader(batch_answers.Columns(100), results, 1, lambda row: None).read, body)
        attempt(unpack_value, body)
        attempt(particles.decode_value, body[0] if body else 0, body[1:])
    FrameReader(MAX_SIZE).feed(data)
    value = attempt(unpack_value, data)
    try:
        pack_value(value)
    except InvalidArgError:
        pass  # nested too deeply, or a value that exists only in comparisons


MAKER = Maker(Record, ("key", "bins", "generation", "void_time"), {}, Record)


def load_corpus() -> list[bytes]:
    """Frames, bodies and list or map values to start from."""
    corpus = [pack_value([1, "a", {"k": [b"b", 1.5, None, True]}])]
    for line in EXCHANGES.read_text().splitlines():
        exchange = json.loads(line)
        for name in ("request", "response"):
            stream = bytes.fromhex(exchange[name])
            if len(stream) < 2000:
                corpus += [stream, stream[8:]]
                corpus += [op.data for op in _ops(stream) if op.particle in (19, 20)]
    return corpus


def _ops(stream: bytes) -> list[messages.Op]:
    return [
        op
        for kind, body in FrameReader().feed(stream)
        if kind == 3
        for message in messages.decode_messages(body)
        for op in message.ops
    ]


def mutate(data: bytes, corpus: Sequence[bytes], chance: random.Random) -> bytes:
    """The input with a few bytes set, cut, repeated or spliced in from another."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        position = chance.randint(0, len(out))
        match chance.randrange(6):
            case 0 if position < len(out):
                out[position] = chance.randrange(256)
            case 1 if position < len(out):
                out[position] = chance.choice((0, 1, 0x7F, 0x80, 0xC0, 0xC7, 0xD4, 0xDD, 0xDF, 0xFF))
            case 2:
                del out[position : position + chance.randint(1, 16)]
            case 3:
                out[position:position] = chance.randbytes(chance.randint(1, 8))
            case 4:
                other = chance.choice(corpus)
                start = chance.randint(0, len(other))
                out[position:position] = other[start : start + chance.randint(1, 64)]
            case _:
                out[position:position] = out[position : position + chance.randint(1, 32)]
    return bytes(out)


def run(iterations: int, seed: int, checked: Callable[[bytes], None] | None = None) -> int:
    """That many mutated inputs; returns how many were tried. The failing input is in the exception's notes."""
    checked = checked or check
    chance = random.Random(seed)
    corpus = load_corpus()
    for iteration in range(iterations):
        data = mutate(chance.choice(corpus), corpus, chance)
        try:
            checked(data)
        except Exception as error:
            error.add_note(f"input {iteration} of seed {seed}: {data.hex()}")
            raise
    return iterations


def main(argv: Sequence[str] | None = None) -> int:
    """Run the target from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=None, help="the time of day when left out")
    parser.add_argument("--hot", action="store_true", help="run only the decoders that are compiled")
    parser.add_argument("--atheris", action="store_true", help="fuzz by coverage; needs the atheris package")
    parser.add_argument("rest", nargs="*", help="arguments for atheris")
    options = parser.parse_args(argv)
    if options.atheris:
        atheris = importlib.import_module("atheris")
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], *options.rest], check)
        atheris.Fuzz()
        return 0
    seed = int(time.time()) if options.seed is None else options.seed
    tried = run(options.iterations, seed, check_hot if options.hot else None)
    print(f"{tried} inputs of seed {seed}: nothing but values and protocol errors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
