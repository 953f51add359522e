"""Result codes: their numbers, a description of each, and which of them say that a command may be repeated."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ResultCode(IntEnum):
    """Result codes: 0 and up are the server's, those below 0 the client's.

    Errors that the client finds have the code CLIENT, as in aerospike_py, whatever their class: an invalid argument,
    a timeout of the client, a cluster that cannot be reached. So a code of 0 and up always comes from a server. The
    only exception is NO_MORE_CONNECTIONS.

    The server's codes are those of its as/include/base/proto.h (210 and up: from the clients, which still have them
    for older servers); the client's are those of aerospike_py's ``AEROSPIKE_ERR_*`` constants.
    """

    CLUSTER = -11
    CONNECTION = -10
    NO_MORE_CONNECTIONS = -7
    INVALID_HOST = -4
    CLIENT = -1

    OK = 0
    SERVER = 1
    RECORD_NOT_FOUND = 2
    RECORD_GENERATION = 3
    PARAM = 4
    RECORD_EXISTS = 5
    BIN_EXISTS = 6
    CLUSTER_KEY_MISMATCH = 7
    SERVER_MEM = 8
    TIMEOUT = 9
    ALWAYS_FORBIDDEN = 10
    PARTITION_UNAVAILABLE = 11
    BIN_TYPE = 12
    RECORD_TOO_BIG = 13
    KEY_BUSY = 14
    SCAN_ABORT = 15
    UNSUPPORTED_FEATURE = 16
    BIN_NOT_FOUND = 17
    DEVICE_OVERLOAD = 18
    KEY_MISMATCH = 19
    INVALID_NAMESPACE = 20
    BIN_NAME = 21
    FAIL_FORBIDDEN = 22
    ELEMENT_NOT_FOUND = 23
    ELEMENT_EXISTS = 24
    ENTERPRISE_ONLY = 25
    OP_NOT_APPLICABLE = 26
    FILTERED_OUT = 27
    LOST_CONFLICT = 28
    INVALID_ENCODING = 29
    XDR_KEY_BUSY = 32

    QUERY_END = 50
    SECURITY_NOT_SUPPORTED = 51
    SECURITY_NOT_ENABLED = 52
    SECURITY_SCHEME_NOT_SUPPORTED = 53
    INVALID_COMMAND = 54
    INVALID_FIELD = 55
    ILLEGAL_STATE = 56
    INVALID_USER = 60
    USER_ALREADY_EXISTS = 61
    INVALID_PASSWORD = 62
    EXPIRED_PASSWORD = 63
    FORBIDDEN_PASSWORD = 64
    INVALID_CREDENTIAL = 65
    EXPIRED_SESSION = 66
    INVALID_ROLE = 70
    ROLE_ALREADY_EXISTS = 71
    INVALID_PRIVILEGE = 72
    INVALID_WHITELIST = 73
    QUOTAS_NOT_ENABLED = 74
    INVALID_QUOTA = 75
    NOT_AUTHENTICATED = 80
    ROLE_VIOLATION = 81
    NOT_WHITELISTED = 82
    QUOTA_EXCEEDED = 83
    LDAP_NOT_CONFIGURED = 90
    LDAP_SETUP = 91
    LDAP_TLS_SETUP = 92
    LDAP_AUTHENTICATION = 93
    LDAP_QUERY = 94

    UDF = 100

    MRT_BLOCKED = 120
    MRT_VERSION_MISMATCH = 121
    MRT_EXPIRED = 122
    MRT_TOO_MANY_WRITES = 123
    MRT_COMMITTED = 124
    MRT_ABORTED = 125
    MRT_ALREADY_LOCKED = 126
    MRT_MONITOR_EXISTS = 127

    BATCH_DISABLED = 150
    BATCH_MAX_REQUESTS = 151
    BATCH_QUEUES_FULL = 152

    GEO_INVALID_GEOJSON = 160

    INDEX_FOUND = 200
    INDEX_NOT_FOUND = 201
    INDEX_OOM = 202
    INDEX_NOT_READABLE = 203
    INDEX_GENERIC = 204
    INDEX_NAME_TOO_LONG = 205
    INDEX_MAX_COUNT = 206

    QUERY_ABORTED = 210
    QUERY_QUEUE_FULL = 211
    QUERY_TIMEOUT = 212
    QUERY_GENERIC = 213

    @property
    def text(self) -> str:
        """A description of the code, e.g. ``"record not found"``."""
        return _TEXTS.get(self) or self.name.lower().replace("_", " ")


# For codes whose name is not a description.
_TEXTS: dict[int, str] = {
    ResultCode.CLUSTER: "the cluster cannot be used",
    ResultCode.CONNECTION: "the connection failed",
    ResultCode.CLIENT: "error in the client",
    ResultCode.SERVER: "unspecified error in the server",
    ResultCode.RECORD_GENERATION: "the record's generation is not the expected one",
    ResultCode.PARAM: "the server refused a parameter of the request",
    ResultCode.RECORD_EXISTS: "the record exists already",
    ResultCode.BIN_EXISTS: "the bin exists already",
    ResultCode.SERVER_MEM: "the server is out of space",
    ResultCode.TIMEOUT: "timed out",
    ResultCode.ALWAYS_FORBIDDEN: "the operation is not allowed in this configuration",
    ResultCode.PARTITION_UNAVAILABLE: "the partition is not available",
    ResultCode.BIN_TYPE: "the operation does not fit the type of the bin",
    ResultCode.RECORD_TOO_BIG: "the record is too big",
    ResultCode.KEY_BUSY: "too many transactions wait for this record (hot key)",
    ResultCode.SCAN_ABORT: "the scan or query was aborted",
    ResultCode.UNSUPPORTED_FEATURE: "the server does not support this",
    ResultCode.DEVICE_OVERLOAD: "the storage device does not keep up",
    ResultCode.KEY_MISMATCH: "the stored key is not the one sent",
    ResultCode.INVALID_NAMESPACE: "no such namespace",
    ResultCode.BIN_NAME: "the bin name is too long or the namespace has too many of them",
    ResultCode.FAIL_FORBIDDEN: "the operation is forbidden at this time",
    ResultCode.ELEMENT_EXISTS: "the element exists already",
    ResultCode.ENTERPRISE_ONLY: "only the Enterprise Edition of the server does this",
    ResultCode.OP_NOT_APPLICABLE: "the operation cannot be applied to the bin's present value",
    ResultCode.FILTERED_OUT: "the filter expression was false",
    ResultCode.LOST_CONFLICT: "the write lost a conflict with another cluster's",
    ResultCode.INVALID_ENCODING: "a string in the bin or in an argument is not valid UTF-8",
    ResultCode.XDR_KEY_BUSY: "the record cannot be written until XDR has shipped it",
    ResultCode.SECURITY_NOT_SUPPORTED: "the server does not support security",
    ResultCode.SECURITY_NOT_ENABLED: "security is not enabled on the server",
    ResultCode.INVALID_USER: "no such user",
    ResultCode.USER_ALREADY_EXISTS: "the user exists already",
    ResultCode.INVALID_PASSWORD: "wrong or missing password",
    ResultCode.EXPIRED_PASSWORD: "the password has expired",
    ResultCode.FORBIDDEN_PASSWORD: "this password may not be used (again)",
    ResultCode.INVALID_CREDENTIAL: "wrong or missing credential",
    ResultCode.EXPIRED_SESSION: "the session has expired",
    ResultCode.INVALID_ROLE: "no such role",
    ResultCode.ROLE_ALREADY_EXISTS: "the role exists already",
    ResultCode.INVALID_PRIVILEGE: "no such privilege",
    ResultCode.ROLE_VIOLATION: "the user's roles do not permit this",
    ResultCode.NOT_WHITELISTED: "the client's address is not on the whitelist",
    ResultCode.UDF: "the user-defined function failed",
    ResultCode.MRT_BLOCKED: "the record is locked by another transaction",
    ResultCode.MRT_VERSION_MISMATCH: "a record that the transaction read was changed outside of it",
    ResultCode.MRT_EXPIRED: "the transaction's deadline passed before it was committed or aborted",
    ResultCode.MRT_TOO_MANY_WRITES: "the transaction writes more than 4,096 records",
    ResultCode.MRT_COMMITTED: "the transaction has been committed already",
    ResultCode.MRT_ABORTED: "the transaction has been aborted already",
    ResultCode.MRT_ALREADY_LOCKED: "the record is locked by an earlier write of the same transaction",
    ResultCode.MRT_MONITOR_EXISTS: "the transaction has been started already",
    ResultCode.BATCH_MAX_REQUESTS: "the batch has too many keys for the server",
    ResultCode.BATCH_QUEUES_FULL: "the server's batch queues are full",
    ResultCode.GEO_INVALID_GEOJSON: "the value is not valid GeoJSON",
    ResultCode.INDEX_FOUND: "the index exists already",
    ResultCode.INDEX_NOT_FOUND: "no such index",
    ResultCode.INDEX_NOT_READABLE: "the index is still being built",
    ResultCode.INDEX_GENERIC: "error in the secondary index",
    ResultCode.QUERY_ABORTED: "the query was aborted",
    ResultCode.QUERY_GENERIC: "error in the query",
}


#: Codes after which the same command may succeed if it is repeated. The retry engine has a rule for each.
RETRYABLE_CODES: Final = frozenset(
    (
        ResultCode.SERVER_MEM,
        ResultCode.TIMEOUT,
        ResultCode.PARTITION_UNAVAILABLE,
        ResultCode.KEY_BUSY,
        ResultCode.DEVICE_OVERLOAD,
        ResultCode.XDR_KEY_BUSY,
        ResultCode.EXPIRED_SESSION,
        ResultCode.MRT_BLOCKED,
        ResultCode.BATCH_QUEUES_FULL,
        ResultCode.INDEX_NOT_READABLE,
    )
)
