"""The general form of admin messages: header and fields, commands and their ids.

Facts: the C client's ``as_admin.c``; result codes from the server's ``proto.h``. A message has a header of 16 bytes
(result code in the second, command in the third, number of fields in the fourth) and fields as in other messages.
"""

from __future__ import annotations

import struct

import attrs

from ..errors import InvalidArgError, ProtocolError
from .commands import encode_field
from .constants import PROTO_ADMIN
from .frames import encode_frame
from .messages import Field, decode_fields

COMMAND_AUTHENTICATE = 0
COMMAND_CREATE_USER = 1
COMMAND_DROP_USER = 2
COMMAND_SET_PASSWORD = 3
COMMAND_CHANGE_PASSWORD = 4
COMMAND_GRANT_ROLES = 5
COMMAND_REVOKE_ROLES = 6
COMMAND_QUERY_USERS = 9
COMMAND_CREATE_ROLE = 10
COMMAND_DROP_ROLE = 11
COMMAND_GRANT_PRIVILEGES = 12
COMMAND_REVOKE_PRIVILEGES = 13
COMMAND_SET_WHITELIST = 14
COMMAND_SET_QUOTAS = 15
COMMAND_QUERY_ROLES = 16
COMMAND_LOGIN = 20

ADMIN_USER = 0
ADMIN_PASSWORD = 1
ADMIN_OLD_PASSWORD = 2
ADMIN_CREDENTIAL = 3
ADMIN_CLEAR_PASSWORD = 4
ADMIN_SESSION_TOKEN = 5
ADMIN_SESSION_TTL = 6
ADMIN_ROLES = 10
ADMIN_ROLE = 11
ADMIN_PRIVILEGES = 12
ADMIN_WHITELIST = 13
ADMIN_READ_QUOTA = 14
ADMIN_WRITE_QUOTA = 15
ADMIN_READ_INFO = 16
ADMIN_WRITE_INFO = 17
ADMIN_CONNECTIONS = 18

# The result that ends the answers to a query.
RESULT_OK_LAST = 50

PRIVILEGE_USER_ADMIN = 0
PRIVILEGE_SYS_ADMIN = 1
PRIVILEGE_DATA_ADMIN = 2
PRIVILEGE_UDF_ADMIN = 3
PRIVILEGE_SINDEX_ADMIN = 4
PRIVILEGE_READ = 10
PRIVILEGE_READ_WRITE = 11
PRIVILEGE_READ_WRITE_UDF = 12
PRIVILEGE_WRITE = 13
PRIVILEGE_TRUNCATE = 14

USER_MAX = 63
ROLE_MAX = 63

_HEADER_SIZE = 16
pack_u32 = struct.Struct(">I").pack
_read_u32 = struct.Struct(">I").unpack_from

# --- the general form ------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class AdminMessage:
    """An admin request or answer."""

    command: int = 0
    result_code: int = 0
    fields: tuple[Field, ...] = ()

    def field(self, kind: int) -> bytes | None:
        """Return the bytes of the first field of that id, or None."""
        for field in self.fields:
            if field.kind == kind:
                return field.data
        return None

    def text(self, kind: int) -> str | None:
        """Return the first field of that id as text, or None.

        Raises:
            ProtocolError: it is not UTF-8.
        """
        data = self.field(kind)
        return None if data is None else decode_text(data)


def encode_admin_message(message: AdminMessage) -> bytes:
    """Encode a message; a frame of type 2 holds one, or several in answers to queries."""
    header = bytes((0, message.result_code, message.command, len(message.fields))) + bytes(12)
    return header + b"".join([encode_field(field.kind, field.data) for field in message.fields])


def decode_admin_messages(body: bytes) -> list[AdminMessage]:
    """Decode the messages of a frame's body, at least one.

    Raises:
        ProtocolError: a message is malformed, or there is no message.
    """
    messages: list[AdminMessage] = []
    position = 0
    while position < len(body) or not messages:
        if len(body) - position < _HEADER_SIZE:
            raise ProtocolError(f"an admin message of {len(body) - position} bytes is shorter than its header")
        result_code, command, count = body[position + 1 : position + 4]
        fields, position = decode_fields(body, position + _HEADER_SIZE, count)
        messages.append(AdminMessage(command=command, result_code=result_code, fields=fields))
    return messages


def decode_admin_message(body: bytes) -> AdminMessage:
    """Decode the only message of a frame's body.

    Raises:
        ProtocolError: it is malformed, or there is not exactly one.
    """
    messages = decode_admin_messages(body)
    if len(messages) != 1:
        raise ProtocolError(f"{len(messages)} admin messages in a frame, expected one")
    return messages[0]


def encode_admin_frame(*messages: AdminMessage) -> bytes:
    """Encode a frame of messages."""
    return encode_frame(PROTO_ADMIN, b"".join([encode_admin_message(message) for message in messages]))


def admin_request(command: int, *fields: Field) -> bytes:
    """Encode the frame of a request."""
    return encode_admin_frame(AdminMessage(command=command, fields=fields))


def decode_text(data: bytes) -> str:
    """Decode the text of a field.

    Raises:
        ProtocolError: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"text in an admin message is not UTF-8: {error.reason}") from None


def _named(kind: int, what: str, name: str, longest: int) -> Field:
    try:
        data = name.encode()
    except UnicodeEncodeError:
        raise InvalidArgError(f"{what} {name!r:.60} is not valid text: it holds a lone surrogate") from None
    if not 0 < len(data) <= longest:
        raise InvalidArgError(f"{what} {name!r:.60} has {len(data)} bytes: 1 to {longest} are allowed")
    return Field(kind, data)


def user_field(name: str) -> Field:
    """Encode the field of a user's name (1 to 63 bytes)."""
    return _named(ADMIN_USER, "user", name, USER_MAX)


def role_field(name: str) -> Field:
    """Encode the field of a role's name (1 to 63 bytes)."""
    return _named(ADMIN_ROLE, "role", name, ROLE_MAX)


def decode_number(message: AdminMessage, kind: int) -> int | None:
    """Decode a field of four bytes as a number; None if there is no field.

    Raises:
        ProtocolError: it has another size.
    """
    data = message.field(kind)
    if data is None:
        return None
    if len(data) != 4:
        raise ProtocolError(f"admin field {kind} has {len(data)} bytes, expected 4")
    return _read_u32(data, 0)[0]  # type: ignore[no-any-return]
