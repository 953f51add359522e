"""Encode and decode admin messages: logins, session tokens, users and roles.

Facts: the C client's ``as_admin.c``. The messages' general form, with their commands and field ids,
is in ``admin_messages``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import attrs
import bcrypt

from ..errors import InvalidArgError, ProtocolError
from .admin_messages import (
    ADMIN_CLEAR_PASSWORD,
    ADMIN_CONNECTIONS,
    ADMIN_CREDENTIAL,
    ADMIN_OLD_PASSWORD,
    ADMIN_PASSWORD,
    ADMIN_PRIVILEGES,
    ADMIN_READ_INFO,
    ADMIN_READ_QUOTA,
    ADMIN_ROLE,
    ADMIN_ROLES,
    ADMIN_SESSION_TOKEN,
    ADMIN_SESSION_TTL,
    ADMIN_USER,
    ADMIN_WHITELIST,
    ADMIN_WRITE_INFO,
    ADMIN_WRITE_QUOTA,
    COMMAND_AUTHENTICATE,
    COMMAND_CHANGE_PASSWORD,
    COMMAND_CREATE_ROLE,
    COMMAND_CREATE_USER,
    COMMAND_DROP_ROLE,
    COMMAND_DROP_USER,
    COMMAND_GRANT_PRIVILEGES,
    COMMAND_GRANT_ROLES,
    COMMAND_LOGIN,
    COMMAND_QUERY_ROLES,
    COMMAND_QUERY_USERS,
    COMMAND_REVOKE_PRIVILEGES,
    COMMAND_REVOKE_ROLES,
    COMMAND_SET_PASSWORD,
    COMMAND_SET_QUOTAS,
    COMMAND_SET_WHITELIST,
    PRIVILEGE_READ,
    RESULT_OK_LAST,
    AdminMessage as AdminMessage,
    admin_request,
    decode_admin_message as decode_admin_message,
    decode_admin_messages as decode_admin_messages,
    decode_number,
    decode_text,
    encode_admin_frame as encode_admin_frame,
    pack_u32,
    role_field,
    user_field,
)
from .messages import Field

# All clients and servers use one salt: the hash is the credential, and the server hashes it again with its own salts.
_SALT = b"$2a$10$7EqJtq98hPqEX7fNZaFWoO"


def hash_password(password: str) -> bytes:
    """Hash a password for the wire (bcrypt, ten rounds, the protocol's constant salt).

    Takes about 50 ms of processor time by design: call it in a thread.

    Raises:
        InvalidArgError: the password holds a zero byte or a lone surrogate.
    """
    try:
        data = password.encode()
    except UnicodeEncodeError:
        raise InvalidArgError("password is not valid text: it holds a lone surrogate") from None
    if b"\x00" in data:
        raise InvalidArgError("password holds a zero byte, which the protocol's hash does not allow")
    # bcrypt uses at most 72 bytes; newer versions of the package raise an error for more instead of ignoring them.
    return bcrypt.hashpw(data[:72], _SALT)


# --- login -----------------------------------------------------------------------------------------------------------


def encode_login(user: str, credential: bytes, clear_password: str | None = None) -> bytes:
    """Encode the login of a user.

    Args:
        user: the name.
        credential: :func:`hash_password` of the password.
        clear_password: for external authentication: sent in clear text.
    """
    fields = [user_field(user), Field(ADMIN_CREDENTIAL, credential)]
    if clear_password is not None:
        fields.append(Field(ADMIN_CLEAR_PASSWORD, clear_password.encode()))
    return admin_request(COMMAND_LOGIN, *fields)


def encode_login_pki() -> bytes:
    """Encode the login of the user that the TLS certificate names."""
    return admin_request(COMMAND_LOGIN)


def encode_authenticate(user: str | None, token: bytes) -> bytes:
    """Encode the authentication of a connection with a session token; ``user`` is None with certificates."""
    fields = [user_field(user)] if user is not None else []
    return admin_request(COMMAND_AUTHENTICATE, *fields, Field(ADMIN_SESSION_TOKEN, token))


@attrs.frozen(slots=True)
class LoginAnswer:
    """The answer to a login: a result code, and with 0 a session token and its ttl in seconds (None: not sent)."""

    result_code: int
    token: bytes | None = None
    ttl: int | None = None

    def __repr__(self) -> str:
        token = None if self.token is None else f"<{len(self.token)} bytes>"
        return f"LoginAnswer(result_code={self.result_code}, token={token}, ttl={self.ttl})"


def decode_login_response(body: bytes) -> LoginAnswer:
    """Decode the answer to a login: result code, session token and its ttl.

    Raises:
        ProtocolError: it is malformed, or reports success without a token.
    """
    message = decode_admin_message(body)
    if message.result_code:
        return LoginAnswer(message.result_code)
    token = message.field(ADMIN_SESSION_TOKEN)
    if not token:
        raise ProtocolError("an answer to a login holds no session token")
    return LoginAnswer(0, token, decode_number(message, ADMIN_SESSION_TTL))


def encode_login_response(answer: LoginAnswer) -> bytes:
    """Encode the answer to a login; the inverse of :func:`decode_login_response`."""
    fields = []
    if answer.token is not None:
        fields.append(Field(ADMIN_SESSION_TOKEN, answer.token))
    if answer.ttl is not None:
        fields.append(Field(ADMIN_SESSION_TTL, pack_u32(answer.ttl)))
    return encode_admin_frame(AdminMessage(result_code=answer.result_code, fields=tuple(fields)))


def decode_result(body: bytes) -> int:
    """Decode an answer that is a result code only.

    Raises:
        ProtocolError: it is malformed.
    """
    return decode_admin_message(body).result_code


def encode_result(result_code: int) -> bytes:
    """Encode an answer that is a result code only."""
    return encode_admin_frame(AdminMessage(result_code=result_code))


# --- users -----------------------------------------------------------------------------------------------------------


def encode_create_user(user: str, password_hash: bytes, roles: Sequence[str] = ()) -> bytes:
    """Encode the creation of a user with roles."""
    return admin_request(
        COMMAND_CREATE_USER, user_field(user), Field(ADMIN_PASSWORD, password_hash), roles_field(roles)
    )


def encode_drop_user(user: str) -> bytes:
    """Encode the removal of a user."""
    return admin_request(COMMAND_DROP_USER, user_field(user))


def encode_set_password(user: str, password_hash: bytes) -> bytes:
    """Encode the change of another user's password, by an administrator."""
    return admin_request(COMMAND_SET_PASSWORD, user_field(user), Field(ADMIN_PASSWORD, password_hash))


def encode_change_password(user: str, old_hash: bytes, password_hash: bytes) -> bytes:
    """Encode the change of the user's own password."""
    return admin_request(
        COMMAND_CHANGE_PASSWORD,
        user_field(user),
        Field(ADMIN_OLD_PASSWORD, old_hash),
        Field(ADMIN_PASSWORD, password_hash),
    )


def encode_grant_roles(user: str, roles: Sequence[str]) -> bytes:
    """Encode the grant of roles to a user."""
    return admin_request(COMMAND_GRANT_ROLES, user_field(user), roles_field(roles))


def encode_revoke_roles(user: str, roles: Sequence[str]) -> bytes:
    """Encode the revocation of roles from a user."""
    return admin_request(COMMAND_REVOKE_ROLES, user_field(user), roles_field(roles))


def encode_query_users(user: str | None = None) -> bytes:
    """Encode the query of one user, or of all."""
    return admin_request(COMMAND_QUERY_USERS, *([user_field(user)] if user is not None else []))


@attrs.frozen(slots=True)
class User:
    """A user, as the server reports it: roles, statistics of reads and writes, connections in use."""

    name: str
    roles: tuple[str, ...] = ()
    read_info: tuple[int, ...] = ()
    write_info: tuple[int, ...] = ()
    connections: int = 0


def decode_users(body: bytes) -> tuple[list[User], int | None]:
    """Decode the users of one frame of the answer, and the result of the query: None while more frames follow.

    Raises:
        ProtocolError: it is malformed.
    """
    users: list[User] = []
    for message in decode_admin_messages(body):
        if message.result_code:
            return users, 0 if message.result_code == RESULT_OK_LAST else message.result_code
        name = message.text(ADMIN_USER)
        if name is None:
            continue
        users.append(
            User(
                name,
                decode_roles_field(message.field(ADMIN_ROLES) or b"\x00"),
                _counts(message.field(ADMIN_READ_INFO)),
                _counts(message.field(ADMIN_WRITE_INFO)),
                decode_number(message, ADMIN_CONNECTIONS) or 0,
            )
        )
    return users, None


def encode_users(users: Iterable[User]) -> bytes:
    """Encode the answer to a query of users, including its end."""
    messages = []
    for user in users:
        fields = [Field(ADMIN_USER, user.name.encode()), roles_field(user.roles)]
        if user.read_info:
            fields.append(Field(ADMIN_READ_INFO, _pack_counts(user.read_info)))
        if user.write_info:
            fields.append(Field(ADMIN_WRITE_INFO, _pack_counts(user.write_info)))
        fields.append(Field(ADMIN_CONNECTIONS, pack_u32(user.connections)))
        messages.append(AdminMessage(fields=tuple(fields)))
    return encode_admin_frame(*messages, AdminMessage(result_code=RESULT_OK_LAST))


def roles_field(roles: Sequence[str]) -> Field:
    """Encode a list of role names: a count, then each with its length in a byte before it."""
    if len(roles) > 255:
        raise InvalidArgError(f"{len(roles)} roles are too many: at most 255 are allowed")
    names = [role_field(role).data for role in roles]
    return Field(ADMIN_ROLES, bytes((len(names),)) + b"".join([bytes((len(name),)) + name for name in names]))


def decode_roles_field(data: bytes) -> tuple[str, ...]:
    """Decode the role names of a field.

    Raises:
        ProtocolError: it is malformed.
    """
    reader = _Reader(data, "a list of roles")
    roles = tuple(reader.text() for _ in range(reader.byte()))
    reader.finish()
    return roles


def _counts(data: bytes | None) -> tuple[int, ...]:
    if not data:
        return ()
    if len(data) != 1 + 4 * data[0]:
        raise ProtocolError(f"statistics of {data[0]} numbers have {len(data)} bytes")
    return struct.unpack_from(f">{data[0]}I", data, 1)


def _pack_counts(counts: Sequence[int]) -> bytes:
    return struct.pack(f">B{len(counts)}I", len(counts), *counts)


class _Reader:
    """Reads the bytes of a field in order."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._position = 0
        self._what = what

    def byte(self) -> int:
        if self._position >= len(self._data):
            raise ProtocolError(f"{self._what} is cut off")
        self._position += 1
        return self._data[self._position - 1]

    def text(self) -> str:
        size = self.byte()
        start = self._position
        self._position += size
        if self._position > len(self._data):
            raise ProtocolError(f"{self._what} is cut off")
        return decode_text(self._data[start : self._position])

    def finish(self) -> None:
        if self._position != len(self._data):
            raise ProtocolError(f"{len(self._data) - self._position} bytes follow {self._what}")


# --- roles -----------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class Privilege:
    """A privilege; those from "read" (10) on may be limited to a namespace, or to a set in it."""

    code: int
    namespace: str = ""
    set_name: str = ""


@attrs.frozen(slots=True)
class Role:
    """A role: its privileges, the addresses it may be used from (empty: all), limits in operations per second."""

    name: str
    privileges: tuple[Privilege, ...] = ()
    whitelist: tuple[str, ...] = ()
    read_quota: int = 0
    write_quota: int = 0


def privileges_field(privileges: Sequence[Privilege]) -> Field:
    """Encode a list of privileges: a count, then each as a code and, from "read" on, namespace and set."""
    if len(privileges) > 255:
        raise InvalidArgError(f"{len(privileges)} privileges are too many: at most 255 are allowed")
    parts = [bytes((len(privileges),))]
    for privilege in privileges:
        parts.append(bytes((privilege.code,)))
        if privilege.code >= PRIVILEGE_READ:
            for name in (privilege.namespace.encode(), privilege.set_name.encode()):
                if len(name) > 255:
                    raise InvalidArgError(f"scope {name!r:.60} of a privilege has {len(name)} bytes: at most 255")
                parts.append(bytes((len(name),)) + name)
        elif privilege.namespace or privilege.set_name:
            raise InvalidArgError(f"privilege {privilege.code} is for the whole cluster: it takes no namespace or set")
    return Field(ADMIN_PRIVILEGES, b"".join(parts))


def decode_privileges_field(data: bytes) -> tuple[Privilege, ...]:
    """Decode the privileges of a field.

    Raises:
        ProtocolError: it is malformed.
    """
    reader = _Reader(data, "a list of privileges")
    privileges = []
    for _ in range(reader.byte()):
        code = reader.byte()
        if code >= PRIVILEGE_READ:
            privileges.append(Privilege(code, reader.text(), reader.text()))
        else:
            privileges.append(Privilege(code))
    reader.finish()
    return tuple(privileges)


def _role_fields(role: Role) -> list[Field]:
    fields = [role_field(role.name)]
    if role.privileges:
        fields.append(privileges_field(role.privileges))
    if role.whitelist:
        fields.append(Field(ADMIN_WHITELIST, ",".join(role.whitelist).encode()))
    if role.read_quota:
        fields.append(Field(ADMIN_READ_QUOTA, pack_u32(role.read_quota)))
    if role.write_quota:
        fields.append(Field(ADMIN_WRITE_QUOTA, pack_u32(role.write_quota)))
    return fields


def decode_role(message: AdminMessage) -> Role | None:
    """Decode the role of a message; None if it names no role.

    Raises:
        ProtocolError: it is malformed.
    """
    name = message.text(ADMIN_ROLE)
    if name is None:
        return None
    return Role(
        name,
        decode_privileges_field(message.field(ADMIN_PRIVILEGES) or b"\x00"),
        tuple(address for address in (message.text(ADMIN_WHITELIST) or "").split(",") if address),
        decode_number(message, ADMIN_READ_QUOTA) or 0,
        decode_number(message, ADMIN_WRITE_QUOTA) or 0,
    )


def encode_create_role(role: Role) -> bytes:
    """Encode the creation of a role."""
    return admin_request(COMMAND_CREATE_ROLE, *_role_fields(role))


def encode_drop_role(name: str) -> bytes:
    """Encode the removal of a role."""
    return admin_request(COMMAND_DROP_ROLE, role_field(name))


def encode_grant_privileges(name: str, privileges: Sequence[Privilege]) -> bytes:
    """Encode the grant of privileges to a role."""
    return admin_request(COMMAND_GRANT_PRIVILEGES, role_field(name), privileges_field(privileges))


def encode_revoke_privileges(name: str, privileges: Sequence[Privilege]) -> bytes:
    """Encode the revocation of privileges from a role."""
    return admin_request(COMMAND_REVOKE_PRIVILEGES, role_field(name), privileges_field(privileges))


def encode_set_whitelist(name: str, whitelist: Sequence[str]) -> bytes:
    """Encode the addresses that a role may be used from; an empty list removes the limit."""
    fields = [Field(ADMIN_WHITELIST, ",".join(whitelist).encode())] if whitelist else []
    return admin_request(COMMAND_SET_WHITELIST, role_field(name), *fields)


def encode_set_quotas(name: str, read_quota: int, write_quota: int) -> bytes:
    """Encode the limits of a role's operations per second; 0 removes a limit."""
    return admin_request(
        COMMAND_SET_QUOTAS,
        role_field(name),
        Field(ADMIN_READ_QUOTA, pack_u32(read_quota)),
        Field(ADMIN_WRITE_QUOTA, pack_u32(write_quota)),
    )


def encode_query_roles(name: str | None = None) -> bytes:
    """Encode the query of one role, or of all."""
    return admin_request(COMMAND_QUERY_ROLES, *([role_field(name)] if name is not None else []))


def decode_roles(body: bytes) -> tuple[list[Role], int | None]:
    """Decode the roles of one frame of the answer, and the result of the query: None while more frames follow.

    Raises:
        ProtocolError: it is malformed.
    """
    roles: list[Role] = []
    for message in decode_admin_messages(body):
        if message.result_code:
            return roles, 0 if message.result_code == RESULT_OK_LAST else message.result_code
        role = decode_role(message)
        if role is not None:
            roles.append(role)
    return roles, None


def encode_roles(roles: Iterable[Role]) -> bytes:
    """Encode the answer to a query of roles, including its end."""
    messages = [AdminMessage(fields=tuple(_role_fields(role))) for role in roles]
    return encode_admin_frame(*messages, AdminMessage(result_code=RESULT_OK_LAST))
