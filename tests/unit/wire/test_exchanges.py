"""The recorded exchanges: all decode, and those of kinds this client sends are rebuilt to the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.wire.exchanges import Exchange, frames_of, load_exchanges
from trio_aerospike._wire import batch, batch_answers, batch_messages, info, messages
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.commands import encode_command, encode_field, encode_ops, encode_particle_op, key_fields
from trio_aerospike._wire.constants import (
    FIELD_BATCH_INDEX,
    FIELD_DIGEST,
    FIELD_FILTER,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    INFO1_BATCH,
    INFO1_READ,
    OP_APPEND,
    OP_DELETE,
    OP_INCR,
    OP_PREPEND,
    OP_READ,
    OP_TOUCH,
    OP_WRITE,
    PARTICLE_LIST,
    PARTICLE_MAP,
    PROTO_INFO,
    PROTO_MESSAGE,
)
from trio_aerospike._wire.digests import compute_digest
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.messages import Message, Op
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike._wire.records import bins_of, decode_header, decode_ordered, decode_record

EXCHANGES = load_exchanges()
SCALAR_OPS = {OP_READ, OP_WRITE, OP_INCR, OP_APPEND, OP_PREPEND, OP_TOUCH, OP_DELETE}
SINGLE_RECORD_FIELDS = {FIELD_NAMESPACE, FIELD_SET, FIELD_DIGEST, FIELD_KEY, FIELD_FILTER}


def requests() -> Iterator[tuple[Exchange, Message]]:
    for exchange in EXCHANGES:
        [(kind, body)] = frames_of(exchange.request)
        if kind == PROTO_MESSAGE:
            yield exchange, messages.decode_only_message(body)


def is_single_record(message: Message) -> bool:
    kinds = {field.kind for field in message.fields}
    return not message.info1 & INFO1_BATCH and FIELD_DIGEST in kinds and kinds <= SINGLE_RECORD_FIELDS


def encoded(op: Op) -> bytes:
    """A scalar operation from its value; those of lists, maps, bits and expressions from their particle."""
    if op.op in SCALAR_OPS:
        return encode_ops([(op.op, op.name, value_of(op))])
    return encode_particle_op(op.op, op.name, op.particle, op.data)


def test_there_are_538_of_them() -> None:
    assert len(EXCHANGES) == 538


def test_every_frame_decodes_and_is_rebuilt_to_the_same_bytes() -> None:
    rebuilt = 0
    for exchange in EXCHANGES:
        for kind, body in frames_of(exchange.request) + frames_of(exchange.response):
            if kind == PROTO_MESSAGE:
                again = b"".join(map(messages.encode_message, messages.decode_messages(body)))
                assert again == body, exchange
                rebuilt += 1
            else:
                assert kind == PROTO_INFO
    assert rebuilt > 1000


def test_every_stream_decodes_byte_by_byte_to_the_same_frames() -> None:
    for exchange in EXCHANGES[::7]:
        for stream in (exchange.request, exchange.response):
            reader = FrameReader()
            frames = [frame for byte in stream for frame in reader.feed(bytes((byte,)))]
            assert frames == frames_of(stream), exchange


def test_every_value_of_a_bin_decodes_and_lists_and_maps_are_rebuilt_to_the_same_bytes() -> None:
    containers = 0
    for exchange in EXCHANGES:
        for request, stream in ((True, exchange.request), (False, exchange.response)):
            for kind, body in frames_of(stream):
                if kind != PROTO_MESSAGE:
                    continue
                for op in [op for message in messages.decode_messages(body) for op in message.ops]:
                    if request and op.op not in SCALAR_OPS:
                        continue
                    value = decode_value(op.particle, op.data)
                    if op.particle in (PARTICLE_LIST, PARTICLE_MAP):
                        containers += 1
                        assert pack_value(value, keep_order=True) == op.data, exchange
                        if request:
                            # The client sorts maps: what the official one sent is what ours sends.
                            assert encode_value(value) == (op.particle, op.data), exchange
    assert containers > 300


def value_of(op: Op) -> object:
    return decode_value(op.particle, op.data)


def test_single_record_requests_are_rebuilt_from_their_values_to_the_same_bytes() -> None:
    rebuilt = 0
    for exchange, message in requests():
        if not is_single_record(message):
            continue
        namespace, set_name, digest = (message.field(kind) for kind in (FIELD_NAMESPACE, FIELD_SET, FIELD_DIGEST))
        assert namespace is not None and set_name is not None and digest is not None
        key = message.field(FIELD_KEY)
        user_key = None if key is None else decode_value(key[0], key[1:])
        fields, n_fields = key_fields(namespace.decode(), set_name.decode(), digest, user_key)
        expression = message.field(FIELD_FILTER)
        if expression is not None:
            fields += encode_field(FIELD_FILTER, expression)
            n_fields += 1
        frame = encode_command(
            message.info1,
            message.info2,
            message.info3,
            message.info4,
            message.generation,
            message.record_ttl,
            message.transaction_ttl,
            fields,
            n_fields,
            b"".join(map(encoded, message.ops)),
            len(message.ops),
        )
        assert frame == exchange.request, exchange
        rebuilt += 1
    assert rebuilt > 400


def test_digests_of_the_recorded_user_keys_are_the_recorded_ones() -> None:
    checked = set()
    for _, message in requests():
        key, digest, set_name = (message.field(kind) for kind in (FIELD_KEY, FIELD_DIGEST, FIELD_SET))
        if key is not None and digest is not None and set_name is not None:
            assert compute_digest(set_name.decode(), decode_value(key[0], key[1:])) == digest
            checked.add(key[0])
    assert checked == {1, 3, 4}


def test_batch_reads_are_rebuilt_from_their_keys_to_the_same_bytes() -> None:
    rebuilt = 0
    for exchange, message in requests():
        if not message.info1 & INFO1_BATCH:
            continue
        flags, rows = batch_messages.decode_batch_request(message)
        expression = message.field(FIELD_FILTER)
        general = batch.encode_batch(
            batch_messages.encode_batch_rows(rows),
            len(rows),
            flags=flags,
            transaction_ttl=message.transaction_ttl,
            filter_expression=expression,
        )
        assert general == exchange.request, exchange
        first = rows[0]
        if any((row.info1, row.info2, row.ops) != (first.info1, 0, first.ops) for row in rows):
            continue
        bins: list[str] | None = [op.name for op in first.ops]
        if first.info1 == INFO1_READ | 2:
            bins = None
        frame = batch.encode_batch_read(
            [(row.index, row.namespace, row.set_name, row.digest) for row in rows],
            bins,
            flags=flags,
            transaction_ttl=message.transaction_ttl,
            filter_expression=expression,
        )
        assert frame == exchange.request, exchange
        rebuilt += 1
    assert rebuilt >= 4


def test_answers_to_batches_decode_to_a_row_for_every_key_and_an_end() -> None:
    for exchange, message in requests():
        if message.field(FIELD_BATCH_INDEX) is None:
            continue
        _, requested = batch_messages.decode_batch_request(message)
        rows: list[batch_answers.BatchRow] = []
        ends: list[int | None] = []
        for _, body in frames_of(exchange.response):
            decoded, end = batch_answers.decode_batch_response(body)
            rows += decoded
            ends.append(end)
        assert sorted(row.index for row in rows) == [row.index for row in requested], exchange
        assert ends == [None] * (len(ends) - 1) + [0], exchange
        assert all(row.error is None for row in rows), exchange


def test_the_hot_decoders_agree_with_the_general_form_on_every_single_record_answer() -> None:
    compared = 0
    for exchange, request in requests():
        frames = frames_of(exchange.response)
        if not is_single_record(request) or len(frames) != 1 or frames[0][0] != PROTO_MESSAGE:
            continue
        body = frames[0][1]
        message = messages.decode_only_message(body)
        header = (message.result_code, message.generation, message.record_ttl)
        results = [(op.name, value_of(op)) for op in message.ops]
        assert decode_header(body) == header, exchange
        assert decode_ordered(body) == (*header, results), exchange
        assert decode_record(body) == (*header, bins_of(results)), exchange
        compared += 1
    assert compared > 400


def test_info_requests_and_answers_are_rebuilt_to_the_same_bytes() -> None:
    seen = 0
    for exchange in EXCHANGES:
        for stream, is_request in ((exchange.request, True), (exchange.response, False)):
            [(kind, body), *_] = frames_of(stream)
            if kind != PROTO_INFO:
                continue
            if is_request:
                assert info.encode_info_request(*info.decode_info_request(body)) == stream, exchange
            else:
                assert info.encode_info_response(info.decode_info_response(body)) == stream, exchange
            seen += 1
    assert seen > 70


@pytest.mark.parametrize("cut", [1, 5, 22, 30])
def test_every_message_cut_short_is_not_yet_a_frame(cut: int) -> None:
    for exchange in EXCHANGES[::11]:
        reader = FrameReader()
        assert reader.feed(exchange.request[:-cut]) == []
        assert reader.error is None
