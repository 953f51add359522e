"""Exceptions: one tree of classes, registered by result code.

The names and bases are those of aerospike_py, so that an ``except`` clause written for one works for the
other. Every error has the facts that a program needs to handle it: ``result_code``, ``node``, ``in_doubt`` and
``attempts``.

* ``InvalidArgError`` is raised by the client, before anything is sent. If a server refuses a request's
  parameters (code 4), a plain ``ServerError`` is raised.
* ``result_code`` is the server's; an error without an answer from a server has -1 (NoMoreConnections: -7).
* ``ProtocolError`` means that the peer broke the protocol; nothing it sent is used.

``trio.Cancelled`` is never converted to one of these.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from ._result_codes import RETRYABLE_CODES, ResultCode

__all__ = [
    "AdminError",
    "AerospikeError",
    "AerospikeIndexError",
    "AerospikeTimeoutError",
    "Attempt",
    "BackpressureError",
    "BinExistsError",
    "BinNameError",
    "BinNotFound",
    "BinTypeError",
    "ClientClosed",
    "ClientError",
    "ClusterError",
    "ConnectionFailed",
    "DeviceOverload",
    "FilteredOut",
    "IndexFoundError",
    "IndexNotFound",
    "InvalidArgError",
    "InvalidEncoding",
    "KeyBusy",
    "NoMoreConnections",
    "ProtocolError",
    "QueryAbortedError",
    "QueryError",
    "RecordError",
    "RecordExistsError",
    "RecordGenerationError",
    "RecordNotFound",
    "RecordTooBig",
    "ResultCode",
    "RustPanicError",
    "ServerError",
    "TransactionAborted",
    "TransactionAlreadyLocked",
    "TransactionBlocked",
    "TransactionCommitted",
    "TransactionError",
    "TransactionExpired",
    "TransactionMonitorExists",
    "TransactionTooManyWrites",
    "TransactionVersionMismatch",
    "UDFError",
    "UnwrittenRecordsWarning",
    "error_from_code",
]


#: Most attempts in the text of an error.
_ATTEMPTS_SHOWN = 4


class Attempt(NamedTuple):
    """One failed attempt of a command.

    Attributes:
        node: The name of the node that was asked; None if no node serves the partition.
        cause: Why it failed, e.g. ``"timed out"`` or ``"code 18"``.
        seconds: How long it took.
    """

    node: str | None
    cause: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.node or 'no node'}: {self.cause} after {self.seconds:.3f} s"


class AerospikeError(Exception):
    """The base class of all exceptions of this package.

    Args:
        args: The message; further arguments are kept, as by any exception.
        result_code: The server's code, or one of the client's below zero; by default that of the class, which is -1
            for most. A plain int.
        node: Name or address of the node that answered, or failed to, if there was one.
        in_doubt: True if a write may or may not have been applied: one of its attempts was sent and ended in a timeout
            or without an answer.
        attempts: How often the request was sent; 0 if it never was.
        history: The failed attempts: node, cause and seconds of each. The first and the last ones of many.
    """

    default_code: ClassVar[int] = ResultCode.CLIENT
    result_code: int = -1
    node: str | None
    in_doubt: bool
    attempts: int
    history: tuple[Attempt, ...] = ()
    _retryable: ClassVar[bool] = False

    def __init__(
        self,
        *args: object,
        result_code: int | None = None,
        node: str | None = None,
        in_doubt: bool = False,
        attempts: int = 0,
    ) -> None:
        # Positional arguments and plain attributes: Exception's own pickling and copying keep all of them.
        super().__init__(*args)
        self.result_code = int(self.default_code if result_code is None else result_code)
        self.node = node
        self.in_doubt = in_doubt
        self.attempts = attempts

    def __init_subclass__(
        cls,
        *,
        codes: tuple[int, ...] = (),
        default_code: int | None = None,
        retryable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Register the class for ``codes``.

        Args:
            codes: Result codes that ``error_from_code`` converts to this class.
            default_code: The code of instances without a server's answer; None for that of the base class.
            retryable: Whether a repeated command may succeed, whatever the code; None for the base class's value.

        Raises:
            TypeError: Another class is registered for one of the codes.
        """
        super().__init_subclass__(**kwargs)
        for code in codes:
            if code in _registry:
                owner = _registry[code].__name__
                raise TypeError(f"result code {code} of {cls.__name__} belongs to {owner} already")
        _registry.update(dict.fromkeys(codes, cls))
        if default_code is not None:
            cls.default_code = default_code
        if retryable is not None:
            cls._retryable = retryable

    @property
    def retryable(self) -> bool:
        """Whether the same command may succeed if it is repeated later: a timeout, overload, a broken connection.

        False if it would fail again, as with an invalid argument or a record that exists. A write that is
        ``in_doubt`` may have been applied already: repeat it only if it is idempotent.
        """
        return self._retryable or self.result_code in RETRYABLE_CODES

    @property
    def message(self) -> str:
        """The message, without the notes that ``str()`` adds."""
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        notes = [f"node {self.node}"] if self.node is not None else []
        if notes or self.attempts:
            notes.insert(0, f"code {self.result_code}")
        if self.attempts > 1:
            notes.append(f"{self.attempts} attempts")
        if self.in_doubt:
            notes.append("in doubt")
        if len(self.history) > 1:
            notes.append(_shown(self.history))
        text = super().__str__()
        note = f"[{', '.join(notes)}]"
        # A message made from another error's text has the notes already.
        return f"{text} {note}" if notes and note not in text else text


def _shown(history: tuple[Attempt, ...]) -> str:
    """Format attempts: all of a few, the first and the last ones of many."""
    words = list(map(str, history))
    if len(words) > _ATTEMPTS_SHOWN:
        half = _ATTEMPTS_SHOWN // 2
        words[half:-half] = ["..."]
    return f"tried {'; '.join(words)}"


_registry: dict[int, type[AerospikeError]] = {}


class ClientError(AerospikeError, codes=(ResultCode.CLIENT,)):
    """An error found by the client, not reported by a server."""


class ClientClosed(ClientError):
    """The client is closed, or was never connected."""


class BackpressureError(ClientError, retryable=True):
    """No slot of ``max_concurrent_operations`` came free in ``operation_queue_timeout``; nothing was sent."""


class ProtocolError(ClientError):
    """The peer sent what the protocol does not allow, or what cannot be decoded."""


class RustPanicError(ClientError):
    """Part of aerospike_py's tree, for programs that catch it. Nothing here raises it."""


class InvalidArgError(AerospikeError):
    """An invalid argument, raised before anything is sent; names the field, its value and what is allowed.

    Instances are ClientErrors and also ValueErrors, TypeErrors and OverflowErrors (of a subclass with the same name),
    so that programs which catch Python's own exceptions for invalid arguments, or those of aerospike_py, work as they
    are.
    """

    def __new__(cls, *args: object, **_fields: object) -> InvalidArgError:
        # The class has the bases that it has in aerospike_py; its instances have more.
        return super().__new__(_WrongArgument if cls is InvalidArgError else cls, *args)

    def __reduce__(self) -> Any:
        made = InvalidArgError if type(self) is _WrongArgument else type(self)
        return (made, *super().__reduce__()[1:])


class _WrongArgument(InvalidArgError, ClientError, ValueError, TypeError, OverflowError):
    """The class of InvalidArgError's instances."""


_WrongArgument.__name__ = _WrongArgument.__qualname__ = InvalidArgError.__name__


class AerospikeTimeoutError(AerospikeError, codes=(ResultCode.TIMEOUT,), retryable=True):
    """A timeout of the policy has passed: in the server if ``result_code`` is TIMEOUT, else in the client."""


class ClusterError(AerospikeError, codes=(ResultCode.CLUSTER, ResultCode.INVALID_HOST), retryable=True):
    """The cluster as a whole cannot be used: no seed answers, the wrong name, no node for a partition."""


class ConnectionFailed(ClusterError, codes=(ResultCode.CONNECTION,)):
    """A connection could not be opened, or broke while a request waited for its answer."""


class NoMoreConnections(
    ClientError,
    ClusterError,
    codes=(ResultCode.NO_MORE_CONNECTIONS,),
    default_code=ResultCode.NO_MORE_CONNECTIONS,
    retryable=True,
):
    """All connections that the node may have were full until the command's deadline; nothing was sent.

    A ClusterError as well, because that is what aerospike_py raises for it.
    """


class ServerError(
    AerospikeError,
    codes=(
        ResultCode.SERVER,
        ResultCode.PARAM,
        ResultCode.CLUSTER_KEY_MISMATCH,
        ResultCode.SERVER_MEM,
        ResultCode.ALWAYS_FORBIDDEN,
        ResultCode.PARTITION_UNAVAILABLE,
        ResultCode.UNSUPPORTED_FEATURE,
        ResultCode.KEY_MISMATCH,
        ResultCode.INVALID_NAMESPACE,
        ResultCode.FAIL_FORBIDDEN,
        ResultCode.ENTERPRISE_ONLY,
        ResultCode.OP_NOT_APPLICABLE,
        ResultCode.LOST_CONFLICT,
        ResultCode.XDR_KEY_BUSY,
        ResultCode.BATCH_DISABLED,
        ResultCode.BATCH_MAX_REQUESTS,
        ResultCode.BATCH_QUEUES_FULL,
        ResultCode.GEO_INVALID_GEOJSON,
    ),
):
    """The server refused the command or failed, with a result code that has no class of its own."""


class KeyBusy(ServerError, codes=(ResultCode.KEY_BUSY,)):
    """Too many requests for the record wait in the server (a hot key); nothing was done. ``retryable``."""


class DeviceOverload(ServerError, codes=(ResultCode.DEVICE_OVERLOAD,)):
    """The server's storage device cannot keep up with the writes; nothing was done. ``retryable``."""


class InvalidEncoding(ServerError, codes=(ResultCode.INVALID_ENCODING,)):
    """A string operation found text that is not valid UTF-8, in the bin or an argument (servers 8.2 and later)."""


class TransactionError(ServerError):
    """The server refused a command because of a transaction (Enterprise Edition, strong consistency)."""


class TransactionBlocked(TransactionError, codes=(ResultCode.MRT_BLOCKED,)):
    """Another transaction holds the lock of the record. ``retryable``."""


class TransactionVersionMismatch(TransactionError, codes=(ResultCode.MRT_VERSION_MISMATCH,)):
    """A record that the transaction read was changed outside of it, so that it cannot be committed."""


class TransactionExpired(TransactionError, codes=(ResultCode.MRT_EXPIRED,)):
    """The transaction's deadline passed before it was committed or aborted."""


class TransactionTooManyWrites(TransactionError, codes=(ResultCode.MRT_TOO_MANY_WRITES,)):
    """The transaction writes more records than the server allows (4,096)."""


class TransactionCommitted(TransactionError, codes=(ResultCode.MRT_COMMITTED,)):
    """The transaction has been committed already."""


class TransactionAborted(TransactionError, codes=(ResultCode.MRT_ABORTED,)):
    """The transaction has been aborted already."""


class TransactionAlreadyLocked(TransactionError, codes=(ResultCode.MRT_ALREADY_LOCKED,)):
    """An earlier write of the same transaction holds the lock of the record."""


class TransactionMonitorExists(TransactionError, codes=(ResultCode.MRT_MONITOR_EXISTS,)):
    """The transaction has been started already, perhaps by another thread or task."""


class RecordError(
    AerospikeError,
    codes=(ResultCode.ELEMENT_NOT_FOUND, ResultCode.ELEMENT_EXISTS),
):
    """An error of the server about the record, a bin or an element of a bin."""


class RecordNotFound(RecordError, codes=(ResultCode.RECORD_NOT_FOUND,)):
    """The record does not exist."""


class RecordGenerationError(RecordError, codes=(ResultCode.RECORD_GENERATION,)):
    """The record's generation is not the expected one."""


class RecordExistsError(RecordError, codes=(ResultCode.RECORD_EXISTS,)):
    """A record that was to be created exists."""


class RecordTooBig(RecordError, codes=(ResultCode.RECORD_TOO_BIG,)):
    """The record would be larger than the namespace allows."""


class BinNameError(RecordError, codes=(ResultCode.BIN_NAME,)):
    """The server refused the name of a bin."""


class BinExistsError(RecordError, codes=(ResultCode.BIN_EXISTS,)):
    """A bin that was to be created exists."""


class BinNotFound(RecordError, codes=(ResultCode.BIN_NOT_FOUND,)):
    """The record has no such bin."""


class BinTypeError(RecordError, codes=(ResultCode.BIN_TYPE,)):
    """The operation does not fit the type of the bin's value."""


class FilteredOut(RecordError, codes=(ResultCode.FILTERED_OUT,)):
    """The filter expression was false for this record, so nothing was done."""


class AerospikeIndexError(
    ServerError,
    codes=(
        ResultCode.INDEX_GENERIC,
        ResultCode.INDEX_OOM,
        ResultCode.INDEX_NOT_READABLE,
        ResultCode.INDEX_NAME_TOO_LONG,
        ResultCode.INDEX_MAX_COUNT,
    ),
):
    """An error of a secondary index."""


class IndexNotFound(AerospikeIndexError, codes=(ResultCode.INDEX_NOT_FOUND,)):
    """The secondary index does not exist."""


class IndexFoundError(AerospikeIndexError, codes=(ResultCode.INDEX_FOUND,)):
    """A secondary index that was to be created exists."""


class QueryError(
    ServerError,
    codes=(ResultCode.QUERY_GENERIC, ResultCode.QUERY_QUEUE_FULL, ResultCode.QUERY_TIMEOUT),
):
    """An error of a query or scan."""


class QueryAbortedError(QueryError, codes=(ResultCode.QUERY_ABORTED, ResultCode.SCAN_ABORT)):
    """The query or scan was aborted, by an administrator or because its client did not read."""


class AdminError(
    ServerError,
    codes=(
        ResultCode.SECURITY_NOT_SUPPORTED,
        ResultCode.SECURITY_NOT_ENABLED,
        ResultCode.SECURITY_SCHEME_NOT_SUPPORTED,
        ResultCode.INVALID_COMMAND,
        ResultCode.INVALID_FIELD,
        ResultCode.ILLEGAL_STATE,
        ResultCode.INVALID_USER,
        ResultCode.USER_ALREADY_EXISTS,
        ResultCode.INVALID_PASSWORD,
        ResultCode.EXPIRED_PASSWORD,
        ResultCode.FORBIDDEN_PASSWORD,
        ResultCode.INVALID_CREDENTIAL,
        ResultCode.EXPIRED_SESSION,
        ResultCode.INVALID_ROLE,
        ResultCode.ROLE_ALREADY_EXISTS,
        ResultCode.INVALID_PRIVILEGE,
        ResultCode.INVALID_WHITELIST,
        ResultCode.QUOTAS_NOT_ENABLED,
        ResultCode.INVALID_QUOTA,
        ResultCode.NOT_AUTHENTICATED,
        ResultCode.ROLE_VIOLATION,
        ResultCode.NOT_WHITELISTED,
        ResultCode.QUOTA_EXCEEDED,
        ResultCode.LDAP_NOT_CONFIGURED,
        ResultCode.LDAP_SETUP,
        ResultCode.LDAP_TLS_SETUP,
        ResultCode.LDAP_AUTHENTICATION,
        ResultCode.LDAP_QUERY,
    ),
):
    """An error about users, passwords, roles or permissions."""


class UDFError(ServerError, codes=(ResultCode.UDF,)):
    """A user-defined function failed, or could not be registered or found."""


class UnwrittenRecordsWarning(RuntimeWarning):
    """The block of ``put_many`` was left before all of its records were written; the message says how many.

    Issued where the block is left without an error, and the program has not read the results to their end.
    """


# The class of unknown codes, by the server's ranges of codes (proto.h).
_FAMILIES: tuple[tuple[range, type[AerospikeError]], ...] = (
    (range(51, 100), AdminError),
    (range(100, 110), UDFError),
    (range(120, 130), TransactionError),
    (range(200, 210), AerospikeIndexError),
    (range(210, 220), QueryError),
)


def _family_of(code: int) -> type[AerospikeError]:
    if code < 0:
        return ClientError
    for block, family in _FAMILIES:
        if code in block:
            return family
    return ServerError


def error_from_code(
    code: int,
    message: str | None = None,
    *,
    node: str | None = None,
    in_doubt: bool = False,
    attempts: int = 0,
) -> AerospikeError:
    """Return the error for a result code.

    Args:
        code: A result code other than OK, the server's or the client's.
        message: The message; None for the description of the code.
        node, in_doubt, attempts: As in AerospikeError.

    Returns:
        An instance of the class registered for the code; for an unknown code, of its range's class, or ServerError.

    Raises:
        ValueError: The code is 0, which means success.
    """
    if code == 0:
        raise ValueError("result code 0 means success: it is not an error")
    cls = _registry.get(code) or _family_of(code)
    if message is None:
        try:
            message = ResultCode(code).text
        except ValueError:
            message = f"result code {code}, which this client does not know"
    return cls(message, result_code=code, node=node, in_doubt=in_doubt, attempts=attempts)
