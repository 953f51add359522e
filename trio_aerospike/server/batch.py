"""Parse batches, execute their rows, and encode the response.

Facts: the server's as/src/base/batch.c. All rows are answered in the order in which they were sent, in frames of a
limited size, followed by a frame that ends the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from .._wire import constants as wire
from .._wire.batch_messages import BatchRequest, BatchRowReader, encode_batch_end
from .._wire.frames import encode_frame
from .._wire.messages import Message
from ..errors import ProtocolError, ResultCode
from .exceptions import Refused
from .expressions import compile_filter
from .record_requests import Request, Response, request_from_row

_FRAME_SIZE = 128 * 1024
_NO_FAILURE = {ResultCode.OK, ResultCode.RECORD_NOT_FOUND, ResultCode.FILTERED_OUT}


class Batch:
    """A batch that is executed step by step: first `read`, then `execute`, then `frames`.

    A malformed row, or one of an unknown namespace, ends the batch: the rows before it are executed, but not answered.

    Args:
        message: the request.
        namespaces: the known namespaces.
        most: the most rows of a batch; 0 for no limit (server: batch-max-requests).

    Raises:
        Refused: the whole batch is refused.
    """

    def __init__(self, message: Message, namespaces: Container[str], most: int = 0) -> None:
        try:
            self._reader = BatchRowReader(message)
        except ProtocolError as error:
            raise Refused(ResultCode.PARAM) from error
        if not self._reader.count:
            raise Refused(ResultCode.PARAM)
        if 0 < most < self._reader.count:
            raise Refused(ResultCode.BATCH_MAX_REQUESTS)
        data = message.field(wire.FIELD_FILTER)
        self._condition = None if data is None else compile_filter(data)
        self._namespaces = namespaces
        self._indexes: list[int] = []
        self._responses = _Frames(self._reader.flags)
        self.requests: list[Request] = []

    @property
    def count(self) -> int:
        """The announced number of rows."""
        return self._reader.count

    def read(self) -> Iterator[None]:
        """Parse the rows, one at each step."""
        for row in self._reader:
            if row.namespace not in self._namespaces or _repeats_key(row):
                return
            self._indexes.append(row.index)
            self.requests.append(request_from_row(row, self._condition))
            yield

    def execute(self, execute: Callable[[Request], Response]) -> Iterator[None]:
        """Execute the rows, one at each step.

        Args:
            execute: executes one row; never raises.
        """
        for index, request in zip(self._indexes, self.requests, strict=True):
            self._responses.add(index, execute(request))
            yield

    def frames(self) -> bytes:
        """The frames of the response."""
        return self._responses.whole(ends_early=len(self.requests) < self.count)


def _repeats_key(row: BatchRequest) -> bool:
    """Whether the row repeats the previous one, but has a user key, which is invalid."""
    return row.repeat and row.field(wire.FIELD_KEY) is not None


class _Frames:
    """The frames of the responses to all rows, up to a failure unless the client asks for all.

    A client that does not ask for all rows gets the result of the last failed row as that of the whole batch; the rows
    in the frame of the failure are sent only with the flag REPORT_ERROR_RECORD.
    """

    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._frames: list[bytes] = []
        self._buffer: list[bytes] = []
        self._size = 0
        self._result = 0
        self._is_full = False

    def add(self, index: int, response: Response) -> None:
        """Add the response to the next row."""
        if self._is_full:
            return
        body = response.body(index)
        if self._buffer and self._size + len(body) > _FRAME_SIZE:
            if not self._result:
                self._frames.append(encode_frame(wire.PROTO_MESSAGE, b"".join(self._buffer)))
            elif self._flags & wire.BATCH_REPORT_ERROR_RECORD:
                self._is_full = True
                return
            self._buffer, self._size = [], 0
        if response.result not in _NO_FAILURE and not self._flags & wire.BATCH_RESPOND_ALL:
            self._result = response.result
        self._buffer.append(body)
        self._size += len(body)

    def whole(self, *, ends_early: bool) -> bytes:
        """All frames, including the one that ends the batch."""
        frames = b"".join(self._frames)
        if ends_early:
            return frames + batch_error(ResultCode.PARAM)
        if self._buffer and (not self._result or self._flags & wire.BATCH_REPORT_ERROR_RECORD):
            frames += encode_frame(wire.PROTO_MESSAGE, b"".join(self._buffer))
        return frames + batch_error(self._result)


def batch_error(result: int) -> bytes:
    """The frame that ends a batch."""
    return encode_frame(wire.PROTO_MESSAGE, encode_batch_end(result))
