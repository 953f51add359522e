"""What result codes mean for a command under way: whether another attempt may help, and whether anything was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ResultCode, error_from_code
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


def query_error_text(code: int) -> str:
    """What a query's result code means, with what to do about it."""
    text = error_from_code(code).message
    if code == ResultCode.FAIL_FORBIDDEN:
        return (
            f"{text}: all of the node's query threads are in use (query-threads-limit, 128 by default; a query takes "
            "up to single-query-threads of them, 4 by default); run fewer queries at a time, or raise the limit"
        )
    return text
