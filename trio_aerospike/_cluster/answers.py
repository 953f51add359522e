"""What result codes mean for a command under way: whether another attempt may help, and whether anything was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .connection import Connection

if TYPE_CHECKING:
    from .node import Node
    from .pending import Pending

#: Where the result code stands in the body of a message.
RESULT_CODE: Final = 5

TIMEOUT: Final = 9
PARTITION_UNAVAILABLE: Final = 11
DEVICE_OVERLOAD: Final = 18
EXPIRED_SESSION: Final = 66
UDF: Final = 100
#: Answers after which another attempt may succeed (C client: ``as_command.c``).
RETRYABLE: Final = frozenset((TIMEOUT, PARTITION_UNAVAILABLE, DEVICE_OVERLOAD, EXPIRED_SESSION))
#: Of these, the ones that say that nothing was done.
NOT_DONE: Final = frozenset((PARTITION_UNAVAILABLE, EXPIRED_SESSION))


def renew_session(node: Node, pending: Pending) -> None:
    """The server answered that the session has ended: see to a new one, unless that has been done since it was sent."""
    connection = pending.holder
    if not isinstance(connection, Connection) or not connection.retired:
        node.session_expired()
