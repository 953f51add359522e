"""Histories of one bin, operation by operation, sent to the embedded and to a real server: both have to say the same.

Each operation is a command of its own that reads the bin afterwards, so that what is stored is compared as well. The
commands of a history go out together, since a server answers those of one connection in order.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import attrs
import trio

from tests.integration.real.test_server import both
from tests.integration.server_peer import Peer, key_fields, message_frame
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Message, Op, decode_messages


async def compare_histories(set_name: str, history_of: Callable[[int], list[Op]], operations: int, seed: int) -> None:
    """Try as many operations as wanted; the first that is answered differently is an AssertionError.

    Args:
        set_name: where the records are; they are deleted again.
        history_of: the operations on one bin, by a seed.
        operations: how many are tried.
        seed: the first one.
    """
    run = secrets.token_hex(4)
    async with both() as (mine, theirs):
        while operations > 0:
            history = history_of(seed)
            fields = key_fields(f"{run}-{seed}", set_name)
            frames = [_frame(Message(fields=fields, ops=(op, _read(op)), **_header(op))) for op in history]
            frames.append(_frame(Message(fields=fields, info2=wire.INFO2_WRITE | wire.INFO2_DELETE)))
            given, expected = await _answers(mine, frames), await _answers(theirs, frames)
            before = "nothing"
            for op, mine_says, theirs_says in zip(history, given, expected, strict=False):
                said = f"seed {seed}: {op.op} {op.particle} {op.data.hex(' ')} after {before}"
                assert _shown(mine_says) == _shown(theirs_says), said
                if theirs_says.result_code == 0:
                    before = _shown(theirs_says)
            operations -= len(history)
            seed += 1


def _frame(message: Message) -> bytes:
    return message_frame(attrs.evolve(message, transaction_ttl=5000))


def _read(op: Op) -> Op:
    return Op(wire.OP_READ, 0, op.name, b"")


def _header(op: Op) -> dict[str, int]:
    changes = op.op != wire.OP_CDT_READ
    return {"info1": wire.INFO1_READ, "info2": wire.INFO2_RESPOND_ALL_OPS | (wire.INFO2_WRITE if changes else 0)}


async def _answers(peer: Peer, frames: Sequence[bytes]) -> list[Message]:
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, *frames)
            return [decode_messages((await peer.receive())[1])[0] for _ in frames]


def _shown(message: Message) -> str:
    bins = [(op.op, op.name, op.particle, op.data.hex(" ")) for op in message.ops]
    return f"code {message.result_code}, generation {message.generation}, {bins}"
