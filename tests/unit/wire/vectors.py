"""One table of frames: the encoder of one side, the bytes, the decoder of the other side, the value.

Bytes written out here were taken from recordings of the official client or worked out by hand from the server's
sources; the other vectors hold that both sides of this package agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from trio_aerospike._wire import admin, batch, batch_answers, batch_messages, info, messages
from trio_aerospike._wire.commands import encode_command, encode_ops, key_fields, op_name_only
from trio_aerospike._wire.constants import (
    FIELD_DIGEST,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    OP_APPEND,
    OP_READ,
    OP_TOUCH,
    OP_WRITE,
    PARTICLE_FLOAT,
    PARTICLE_INTEGER,
    PARTICLE_STRING,
)
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.messages import Field, Message, Op
from trio_aerospike._wire.records import decode_record

DIGEST = bytes(range(20))
HASH = b"$2a$10$7EqJtq98hPqEX7fNZaFWoO" + b"x" * 31


@attrs.frozen
class Vector:
    name: str
    kind: int
    frame: bytes
    decode: Callable[[bytes], Any]
    value: Any
    expected_hex: str = ""

    def __str__(self) -> str:
        return self.name


def _command(ops: list[tuple[int, str, Any]], *, info1: int = 0, info2: int = 0, **key: Any) -> bytes:
    fields, n_fields = key_fields("test", "wire", DIGEST, **key)
    return encode_command(info1, info2, 0, 0, 0, 0, 1000, fields, n_fields, encode_ops(ops), len(ops))


KEY_FIELDS = (Field(FIELD_NAMESPACE, b"test"), Field(FIELD_SET, b"wire"), Field(FIELD_DIGEST, DIGEST))
KEY_HEX = "0000000500746573740000000501776972650000001504000102030405060708090a0b0c0d0e0f10111213"
ANSWER = Message(
    generation=3,
    record_ttl=700,
    ops=(
        Op(OP_READ, PARTICLE_INTEGER, "i", (42).to_bytes(8, "big")),
        Op(OP_READ, PARTICLE_STRING, "name", "Ann ☃".encode()),
        Op(OP_READ, PARTICLE_FLOAT, "f", bytes.fromhex("3ff8000000000000")),
    ),
)
BITMAP = bytes(range(256)) * 2
ROWS = [
    batch_answers.BatchRow(0, 0, 1, 0, {"i": 1}, None, [("i", 1)]),
    batch_answers.BatchRow(2, 2, 0, 0, {}),
    batch_answers.BatchRow(1, 0, 7, 99, {"s": "x", "i": 2}, None, [("s", "x"), ("i", 2)]),
]
READ_ROWS = [
    batch_messages.BatchRequest(index=index, digest=DIGEST, namespace=namespace, set_name="wire", info1=3, record_ttl=0)
    for index, namespace in ((0, "test"), (4, "test"), (5, "bar"))
]
USERS = [
    admin.User("ann", ("read-write", "data-admin"), (1, 2, 3, 4), (5, 6), 7),
    admin.User("bob"),
]
ROLES = [
    admin.Role("reader", (admin.Privilege(10, "test", "users"), admin.Privilege(1)), ("10.0.0.1", "10.0.0.2"), 50, 60),
    admin.Role("idle"),
]


def _row_ops(row: batch_answers.BatchRow) -> list[Op]:
    return [
        Op(OP_READ, PARTICLE_INTEGER, name, value.to_bytes(8, "big"))
        if isinstance(value, int)
        else Op(OP_READ, PARTICLE_STRING, name, value.encode())
        for name, value in row.results
    ]


_batch_answer = b"".join(
    batch_messages.encode_batch_row(row.index, row.result_code, row.generation, row.void_time, _row_ops(row))
    for row in ROWS
)

VECTORS = [
    Vector(
        "get",
        3,
        _command([], info1=3),
        messages.decode_only_message,
        Message(info1=3, transaction_ttl=1000, fields=KEY_FIELDS),
        "02030000000000411603000000000000000000000000000003e800030000" + KEY_HEX,
    ),
    Vector(
        "put with the user key",
        3,
        _command([(OP_WRITE, "i", 42), (OP_WRITE, "f", 1.5), (OP_APPEND, "s", "!")], info2=1, user_key=7),
        messages.decode_only_message,
        Message(
            info2=1,
            transaction_ttl=1000,
            fields=(*KEY_FIELDS, Field(FIELD_KEY, b"\x01" + (7).to_bytes(8, "big"))),
            ops=(
                Op(OP_WRITE, PARTICLE_INTEGER, "i", (42).to_bytes(8, "big")),
                Op(OP_WRITE, PARTICLE_FLOAT, "f", bytes.fromhex("3ff8000000000000")),
                Op(OP_APPEND, PARTICLE_STRING, "s", b"!"),
            ),
        ),
        "020300000000007b1600010000000000000000000000000003e800040003"
        + KEY_HEX
        + "0000000a02010000000000000007"
        + "0000000d0201000169000000000000002a"
        + "0000000d02020001663ff8000000000000"
        + "00000006090300017321",
    ),
    Vector(
        "select and touch",
        3,
        encode_command(
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            *key_fields("test", None, DIGEST),
            op_name_only(OP_READ, "i") + op_name_only(OP_TOUCH, ""),
            2,
        ),
        messages.decode_only_message,
        Message(
            info1=1,
            fields=(Field(FIELD_NAMESPACE, b"test"), Field(FIELD_SET, b""), Field(FIELD_DIGEST, DIGEST)),
            ops=(Op(OP_READ, 0, "i", b""), Op(OP_TOUCH, 0, "", b"")),
        ),
    ),
    Vector(
        "a record",
        3,
        encode_frame(3, messages.encode_message(ANSWER)),
        decode_record,
        (0, 3, 700, {"i": 42, "name": "Ann ☃", "f": 1.5}),
        "020300000000004b"
        "16000000000000000003000002bc00000000"
        "00000003"
        "0000000d0101000169000000000000002a"
        "0000000f010300046e616d65416e6e20e29883"
        "0000000d01020001663ff8000000000000",
    ),
    Vector(
        "a record that is not there",
        3,
        encode_frame(3, messages.encode_message(Message(result_code=2))),
        decode_record,
        (2, 0, 0, {}),
        "020300000000001616000000000200000000000000000000000000000000",
    ),
    Vector(
        "a compressed record",
        3,
        compress_frame(encode_frame(3, messages.encode_message(ANSWER))),
        decode_record,
        (0, 3, 700, {"i": 42, "name": "Ann ☃", "f": 1.5}),
    ),
    Vector(
        "an info request",
        1,
        info.encode_info_request("build", "node"),
        info.decode_info_request,
        ["build", "node"],
        "020100000000000b" + b"build\nnode\n".hex(),
    ),
    Vector("an info request for all", 1, info.encode_info_request(), info.decode_info_request, [], "0201000000000000"),
    Vector(
        "an info answer",
        1,
        info.encode_info_response({"build": "8.1.2.0", "name:a\\b": "", "x": "a\tb"}),
        info.decode_info_response,
        {"build": "8.1.2.0", "name:a\\b": "", "x": "a\tb"},
    ),
    Vector(
        "a batch read",
        3,
        batch.encode_batch_read(
            [(0, "test", "wire", DIGEST), (4, "test", "wire", DIGEST), (5, "bar", "wire", DIGEST)], flags=13
        ),
        lambda body: batch_messages.decode_batch_request(messages.decode_only_message(body)),
        (13, READ_ROWS),
    ),
    Vector(
        "an answer to a batch",
        3,
        encode_frame(3, _batch_answer + batch_messages.encode_batch_end()),
        batch_answers.decode_batch_response,
        (ROWS, 0),
    ),
    Vector(
        "a part of an answer to a batch",
        3,
        encode_frame(3, _batch_answer),
        batch_answers.decode_batch_response,
        (ROWS, None),
    ),
    Vector(
        "a login",
        2,
        admin.encode_login("ann", HASH, "secret"),
        admin.decode_admin_message,
        admin.AdminMessage(command=20, fields=(Field(0, b"ann"), Field(3, HASH), Field(4, b"secret"))),
        "02020000000000640000140300000000000000000000000000000004"
        "00616e6e"
        "0000003d03" + HASH.hex() + "00000007" + "04" + b"secret".hex(),
    ),
    Vector(
        "a login by certificate",
        2,
        admin.encode_login_pki(),
        admin.decode_admin_message,
        admin.AdminMessage(command=20),
        "0202000000000010" + "00001400" + "00" * 12,
    ),
    Vector(
        "an answer to a login",
        2,
        admin.encode_login_response(admin.LoginAnswer(0, b"token", 86400)),
        admin.decode_login_response,
        admin.LoginAnswer(0, b"token", 86400),
        "0202000000000023" + "00000002" + "00" * 12 + "0000000605" + b"token".hex() + "000000050600015180",
    ),
    Vector(
        "a login refused",
        2,
        admin.encode_result(65),
        admin.decode_login_response,
        admin.LoginAnswer(65),
    ),
    Vector(
        "an authentication",
        2,
        admin.encode_authenticate("ann", b"token"),
        admin.decode_admin_message,
        admin.AdminMessage(command=0, fields=(Field(0, b"ann"), Field(5, b"token"))),
    ),
    Vector("users", 2, admin.encode_users(USERS), admin.decode_users, (USERS, 0)),
    Vector("roles", 2, admin.encode_roles(ROLES), admin.decode_roles, (ROLES, 0)),
    Vector(
        "a new role",
        2,
        admin.encode_create_role(ROLES[0]),
        lambda body: admin.decode_role(admin.decode_admin_message(body)),
        ROLES[0],
    ),
]
