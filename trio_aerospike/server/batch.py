"""Batches: many rows in one request, each a command on a record of its own.

Facts: the server's as/src/base/batch.c. All rows are answered in the order in which they were sent, in frames of a
limited size, then a frame that ends the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from itertools import takewhile

from .._wire import constants as wire
from .._wire.batch_messages import BatchRequest, decode_batch_rows, encode_batch_end
from .._wire.frames import encode_frame
from .._wire.messages import Message
from ..errors import ProtocolError, ResultCode
from .expressions import compile_filter
from .requests import Answer, Request, request_from_row
from .results import Refused

_FRAME_SIZE = 128 * 1024
_NO_FAILURE = {ResultCode.OK, ResultCode.RECORD_NOT_FOUND, ResultCode.FILTERED_OUT}


def answer_batch(
    message: Message,
    namespaces: Container[str],
    check: Callable[[list[Request]], None],
    execute: Callable[[Request], Answer],
    most: int = 0,
) -> bytes:
    """The frames that answer a batch.

    A row that is malformed or of an unknown namespace ends the batch: those before it have been carried out, but are
    not answered.

    Args:
        message: the request.
        namespaces: those that there are.
        check: called with all rows before any is carried out; may raise.
        execute: carries out one row; never raises.
        most: rows that a batch may have; 0 for any number (server: batch-max-requests).
    """
    try:
        flags, count, rows, _ = decode_batch_rows(message)
    except ProtocolError:
        return batch_error(ResultCode.PARAM)
    if not count:
        return batch_error(ResultCode.PARAM)
    if 0 < most < count:
        return batch_error(ResultCode.BATCH_MAX_REQUESTS)
    data = message.field(wire.FIELD_FILTER)
    try:
        condition = None if data is None else compile_filter(data)
    except Refused as refused:
        return batch_error(refused.result)
    known = list(takewhile(lambda row: row.namespace in namespaces and not _repeats_key(row), rows))
    requests = [request_from_row(row, condition) for row in known]
    check(requests)
    answers = [(row.index, execute(request)) for row, request in zip(known, requests, strict=True)]
    return _gather(answers, flags, ends_early=len(known) < count)


def _repeats_key(row: BatchRequest) -> bool:
    """Whether the row repeats another with its user key, which nobody's second record can have."""
    return row.repeat and row.field(wire.FIELD_KEY) is not None


def _gather(answers: list[tuple[int, Answer]], flags: int, *, ends_early: bool) -> bytes:
    """The frames of the answers to all rows, as many of them as the client wants to see after a failure.

    A client that does not ask for all rows gets the result of the last that failed as that of the whole batch; with
    the flag for it, the rows in the frame of the failure are sent, too, without it not even those.
    """
    frames: list[bytes] = []
    held: list[bytes] = []
    size = result = 0
    for index, answer in answers:
        body = answer.body(index)
        if held and size + len(body) > _FRAME_SIZE:
            if not result:
                frames.append(encode_frame(wire.PROTO_MESSAGE, b"".join(held)))
            elif flags & wire.BATCH_REPORT_ERROR_RECORD:
                break
            held, size = [], 0
        if answer.result not in _NO_FAILURE and not flags & wire.BATCH_RESPOND_ALL:
            result = answer.result
        held.append(body)
        size += len(body)
    if ends_early:
        return b"".join(frames) + batch_error(ResultCode.PARAM)
    if held and (not result or flags & wire.BATCH_REPORT_ERROR_RECORD):
        frames.append(encode_frame(wire.PROTO_MESSAGE, b"".join(held)))
    return b"".join(frames) + batch_error(result)


def batch_error(result: int) -> bytes:
    """The frame that ends a batch."""
    return encode_frame(wire.PROTO_MESSAGE, encode_batch_end(result))
