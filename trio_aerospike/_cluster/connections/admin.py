"""Admin messages of a logged-in user: each on a connection of its own, since they are rare."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import trio

from ..._wire.constants import PROTO_ADMIN
from ..._wire.frames import FrameReader
from ...errors import AerospikeError, AerospikeTimeoutError, ConnectionFailed, ProtocolError
from .loop_clock import loop_clock

if TYPE_CHECKING:
    from .transport import Transport

_RECEIVE = 65536


class AdminNode(Protocol):
    """What an admin message uses of a node."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def open_transport(self) -> Callable[[], Awaitable[Transport]]:
        """Opens a connection and logs in."""


async def administer(node: AdminNode, frame: bytes, is_last: Callable[[bytes], bool], timeout: float) -> list[bytes]:
    """Have a node carry out an admin message.

    Args:
        node: which.
        frame: the request.
        is_last: whether a body ends the answer.
        timeout: seconds for all of it, the login included.

    Returns:
        The bodies of the answer's frames.

    Raises:
        AerospikeTimeoutError: it was not answered in time.
        ConnectionFailed: the node cannot be reached, or closed the connection.
        ProtocolError: the answer is invalid.
        AdminError: the login was refused.

        Of the first two, ``attempts`` is 0 where the request never left.
    """
    label = f"node {node.name} at {node.address}"
    sent = False
    try:
        with loop_clock().fail_after(timeout):
            transport = await node.open_transport()
            try:
                sent = True
                await transport.send_all(frame)
                return await _answer(transport, is_last)
            finally:
                transport.close_now()
    except trio.TooSlowError:
        raise AerospikeTimeoutError(
            f"{label} did not answer an admin message within {timeout} s", node=node.name, attempts=int(sent)
        ) from None
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise ConnectionFailed(f"{label}: {error}", node=node.name, attempts=int(sent)) from error
    except AerospikeError as error:
        error.node = error.node or node.name
        raise


async def _answer(transport: Transport, is_last: Callable[[bytes], bool]) -> list[bytes]:
    reader = FrameReader()
    bodies: list[bytes] = []
    while True:
        data = await transport.receive_some(_RECEIVE)
        if not data:
            raise ConnectionResetError("the server closed the connection before it answered")
        for kind, body in reader.feed(data):
            if kind != PROTO_ADMIN:
                raise ProtocolError(f"an admin message was answered with a frame of type {kind}")
            bodies.append(body)
            if is_last(body):
                return bodies
        if reader.error is not None:
            raise reader.error
