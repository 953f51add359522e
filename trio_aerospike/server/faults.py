"""Fault injection: request hooks and what they may return; counters of connections and requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Literal

import attrs

from .._wire.admin_messages import AdminMessage
from .._wire.messages import Message
from ..errors import ResultCode


class Fault(Enum):
    """Ends a request without a response."""

    RESET = "reset"
    """The connection is reset."""
    SILENCE = "silence"
    """The request is never answered, nor any after it on its connection, which stays open."""
    CLOSE = "close"
    """The connection is closed in good order, in place of a response."""


@attrs.frozen
class Reply:
    """Bytes in place of a response; the request is not executed.

    Args:
        data: sent as they are.
        close: close the connection after them.
    """

    data: bytes
    close: bool = False


RequestKind = Literal["info", "admin", "message"]
"""Kinds of requests, for hooks and `NodeStats.requests`.

"message" is every command on records: single, batch, query; "admin" is logins and user administration.
"""

Request = Message | AdminMessage | list[str]
"""A request as a hook gets it: `Message` for kind "message", `AdminMessage` for "admin", info commands for "info"."""

Verdict = None | Fault | Reply | ResultCode
"""None lets the request be served; a result code refuses a message with it."""

RequestHook = Callable[[RequestKind, Request], Awaitable[Verdict]]
"""Called with the kind of a request and the request, before it is served."""


@attrs.define(eq=False)
class NodeStats:
    """Counters of a node. `requests` counts by `RequestKind`.

    A connection counts as a command connection once it has sent a message; connections that only send info commands
    (tend loops) never do. `commands_in_flight` are messages read and not yet answered.
    """

    connections_open: int = 0
    connections_peak: int = 0
    connections_total: int = 0
    command_connections_open: int = 0
    command_connections_peak: int = 0
    command_connections_total: int = 0
    commands_in_flight: int = 0
    commands_peak: int = 0
    requests: Counter[RequestKind] = attrs.Factory(Counter)
    dialled: Counter[tuple[str, int]] = attrs.Factory(Counter)
    """Connections by the address that clients connected to."""

    def reset(self) -> None:
        """Reset the counters, except for open connections and commands in flight."""
        self.connections_peak = self.connections_open
        self.command_connections_peak = self.command_connections_open
        self.commands_peak = self.commands_in_flight
        self.connections_total = self.command_connections_total = 0
        self.requests.clear()
        self.dialled.clear()
