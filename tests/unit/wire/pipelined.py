"""Requests and answers for tests of the request pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable

from trio_aerospike._wire.constants import PROTO_MESSAGE, TRANSACTION_TTL_NO_LIMIT, TRANSACTION_TTL_OFFSET
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.messages import Message, encode_message


class Request:
    """The least that the pipeline asks of a request; its number is that of its answer."""

    def __init__(
        self,
        number: int = 0,
        *,
        kind: int = PROTO_MESSAGE,
        deadline: float = math.inf,
        size: int = 0,
        consume: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.number = number
        self.frame = message_frame(number, size)
        self.kind = kind
        self.deadline = deadline
        self.sent = False
        self.sent_at = -math.inf
        self.abandoned = False
        self.consume = consume

    def expires_at(self, now: float) -> float:
        return self.deadline

    def __repr__(self) -> str:
        return f"<request {self.number}>"


def message_frame(number: int, size: int = 0) -> bytes:
    """A message that carries a number, ``size`` bytes longer than it has to be."""
    body = encode_message(Message(generation=number, transaction_ttl=TRANSACTION_TTL_NO_LIMIT))
    return encode_frame(PROTO_MESSAGE, body + b"\x00" * size)


def number_of(body: bytes) -> int:
    """The number that a message carries."""
    return int.from_bytes(body[6:10], "big")


def ttl_of(frame: bytes) -> int:
    return int.from_bytes(frame[TRANSACTION_TTL_OFFSET : TRANSACTION_TTL_OFFSET + 4], "big")
