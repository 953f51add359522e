"""Users, roles, logins and sessions.

The protocol is that of an Enterprise Edition; codes and meanings as the C client's as_admin.c and the server's proto.h
tell them. Passwords are known by their hash alone, as they travel.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence

import attrs

from .._wire import admin, admin_messages as messages
from ..errors import ResultCode
from .results import Refused

ALL_ROLES = ("user-admin", "sys-admin", "data-admin", "read-write-udf", "truncate")

_PREDEFINED = {
    "user-admin": messages.PRIVILEGE_USER_ADMIN,
    "sys-admin": messages.PRIVILEGE_SYS_ADMIN,
    "data-admin": messages.PRIVILEGE_DATA_ADMIN,
    "udf-admin": messages.PRIVILEGE_UDF_ADMIN,
    "sindex-admin": messages.PRIVILEGE_SINDEX_ADMIN,
    "read": messages.PRIVILEGE_READ,
    "read-write": messages.PRIVILEGE_READ_WRITE,
    "read-write-udf": messages.PRIVILEGE_READ_WRITE_UDF,
    "write": messages.PRIVILEGE_WRITE,
    "truncate": messages.PRIVILEGE_TRUNCATE,
}

_READERS = {messages.PRIVILEGE_READ, messages.PRIVILEGE_READ_WRITE, messages.PRIVILEGE_READ_WRITE_UDF}
_WRITERS = {messages.PRIVILEGE_WRITE, messages.PRIVILEGE_READ_WRITE, messages.PRIVILEGE_READ_WRITE_UDF}

_GRANTED_BY = {
    "read": _READERS,
    "write": _WRITERS,
    "user-admin": {messages.PRIVILEGE_USER_ADMIN},
    "truncate": {messages.PRIVILEGE_TRUNCATE, messages.PRIVILEGE_DATA_ADMIN},
    "udf-admin": {messages.PRIVILEGE_UDF_ADMIN, messages.PRIVILEGE_DATA_ADMIN},
    "sindex-admin": {messages.PRIVILEGE_SINDEX_ADMIN, messages.PRIVILEGE_DATA_ADMIN},
    "query-admin": {messages.PRIVILEGE_DATA_ADMIN, messages.PRIVILEGE_SYS_ADMIN},
    "set-config": {messages.PRIVILEGE_SYS_ADMIN},
    "service-ctrl": {messages.PRIVILEGE_SYS_ADMIN},
}


@attrs.frozen
class UserSpec:
    """A user to begin with.

    Args:
        password: in clear.
        roles: names of roles; all rights by default.
        external: the server does not know the password's hash but has it checked elsewhere (LDAP with the real
            one): such a user logs in with the external mode only.
    """

    password: str = attrs.field(repr=False)
    roles: Sequence[str] = ALL_ROLES
    external: bool = False


@attrs.define(eq=False)
class _User:
    name: str
    password_hash: bytes = attrs.field(repr=False)
    roles: set[str]
    clear_password: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(eq=False)
class Session:
    """Who a connection speaks for."""

    user: str


class Security:
    """The users and roles of a cluster, and the sessions of its clients.

    Args:
        users: passwords, or whole specifications, by name.
        session_ttl: life of a session token in seconds.
        now: the clock, in seconds.
    """

    def __init__(self, users: Mapping[str, str | UserSpec], *, session_ttl: float, now: Callable[[], float]) -> None:
        self.session_ttl = session_ttl
        self._now = now
        self._roles = {name: admin.Role(name, (admin.Privilege(code),)) for name, code in _PREDEFINED.items()}
        self._users: dict[str, _User] = {}
        self._tokens: dict[bytes, tuple[str, float]] = {}
        for name, given in users.items():
            spec = UserSpec(given) if isinstance(given, str) else given
            self._known_roles(spec.roles)
            hashed = b"" if spec.external else admin.hash_password(spec.password)
            self._users[name] = _User(name, hashed, set(spec.roles), spec.password if spec.external else None)

    # Rights ---------------------------------------------------------------------------------------------------

    def allows(self, session: Session, permission: str, namespace: str = "", set_name: str = "") -> bool:
        """Whether the session's user has a right, on the set of the namespace where it is about data."""
        user = self._users.get(session.user)
        if user is None:
            return False
        wanted = _GRANTED_BY[permission]
        for role in user.roles:
            for privilege in self._roles[role].privileges if role in self._roles else ():
                if (
                    privilege.code in wanted
                    and privilege.namespace in ("", namespace)
                    and privilege.set_name in ("", set_name)
                ):
                    return True
        return False

    # Requests -------------------------------------------------------------------------------------------------

    def answer(
        self, message: messages.AdminMessage, session: Session | None, connections: Callable[[str], int]
    ) -> tuple[bytes, Session | None]:
        """The frame that answers an admin message, and whom the connection speaks for from now on."""
        command = message.command
        try:
            if command == messages.COMMAND_LOGIN:
                return self._login(message)
            if command == messages.COMMAND_AUTHENTICATE:
                return admin.encode_result(ResultCode.OK), self._authenticate(message)
            if session is None:
                raise Refused(ResultCode.NOT_AUTHENTICATED)
            handler = _COMMANDS.get(command)
            if handler is None:
                raise Refused(ResultCode.INVALID_COMMAND)
            return handler(self, message, session, connections), session
        except Refused as refused:
            return admin.encode_result(refused.result), session

    def _login(self, message: messages.AdminMessage) -> tuple[bytes, Session]:
        user = self._user(message)
        clear = message.text(messages.ADMIN_CLEAR_PASSWORD)
        if user.clear_password is not None:
            if clear is None or not _same(clear.encode(), user.clear_password.encode()):
                raise Refused(ResultCode.INVALID_CREDENTIAL)
        else:
            self._check_credential(user, message)
        token = secrets.token_bytes(32)
        self._tokens[token] = (user.name, self._now() + self.session_ttl)
        frame = admin.encode_login_response(admin.LoginAnswer(ResultCode.OK, token, int(self.session_ttl)))
        return frame, Session(user.name)

    def _authenticate(self, message: messages.AdminMessage) -> Session:
        token = message.field(messages.ADMIN_SESSION_TOKEN)
        if token is None:
            user = self._user(message)
            self._check_credential(user, message)
            return Session(user.name)
        name, expires = self._tokens.get(token, ("", 0.0))
        if not name or message.text(messages.ADMIN_USER) not in (None, name) or name not in self._users:
            raise Refused(ResultCode.INVALID_CREDENTIAL)
        if self._now() >= expires:
            raise Refused(ResultCode.EXPIRED_SESSION)
        return Session(name)

    def expire_sessions(self) -> None:
        """Let every session token given so far expire now."""
        self._tokens = {token: (user, self._now()) for token, (user, _) in self._tokens.items()}

    def _check_credential(self, user: _User, message: messages.AdminMessage) -> None:
        credential = message.field(messages.ADMIN_CREDENTIAL)
        if credential is None or user.clear_password is not None or not _same(credential, user.password_hash):
            raise Refused(ResultCode.INVALID_CREDENTIAL)

    def _user(self, message: messages.AdminMessage) -> _User:
        user = self._users.get(message.text(messages.ADMIN_USER) or "")
        if user is None:
            raise Refused(ResultCode.INVALID_USER)
        return user

    def _known_roles(self, roles: Sequence[str]) -> None:
        if not all(role in self._roles for role in roles):
            raise Refused(ResultCode.INVALID_ROLE)

    def _administrator(self, session: Session) -> None:
        if not self.allows(session, "user-admin"):
            raise Refused(ResultCode.ROLE_VIOLATION)

    def _roles_of(self, message: messages.AdminMessage) -> tuple[str, ...]:
        roles = admin.decode_roles_field(message.field(messages.ADMIN_ROLES) or b"\0")
        self._known_roles(roles)
        return roles

    # Users ----------------------------------------------------------------------------------------------------

    def _create_user(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        name = message.text(messages.ADMIN_USER)
        if not name:
            raise Refused(ResultCode.INVALID_USER)
        if name in self._users:
            raise Refused(ResultCode.USER_ALREADY_EXISTS)
        password = self._new_password(message)
        self._users[name] = _User(name, password, set(self._roles_of(message)))
        return admin.encode_result(ResultCode.OK)

    def _drop_user(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        del self._users[self._user(message).name]
        return admin.encode_result(ResultCode.OK)

    def _set_password(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        self._user(message).password_hash = self._new_password(message)
        return admin.encode_result(ResultCode.OK)

    def _change_password(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        user = self._user(message)
        if user.name != session.user:
            raise Refused(ResultCode.ROLE_VIOLATION)
        old = message.field(messages.ADMIN_OLD_PASSWORD)
        if old is None or not _same(old, user.password_hash):
            raise Refused(ResultCode.INVALID_PASSWORD)
        user.password_hash = self._new_password(message)
        return admin.encode_result(ResultCode.OK)

    def _new_password(self, message: messages.AdminMessage) -> bytes:
        password = message.field(messages.ADMIN_PASSWORD)
        if not password:
            raise Refused(ResultCode.INVALID_PASSWORD)
        return password

    def _grant_roles(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        self._user(message).roles.update(self._roles_of(message))
        return admin.encode_result(ResultCode.OK)

    def _revoke_roles(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        self._user(message).roles.difference_update(self._roles_of(message))
        return admin.encode_result(ResultCode.OK)

    def _query_users(
        self, message: messages.AdminMessage, session: Session, connections: Callable[[str], int]
    ) -> bytes:
        wanted = message.text(messages.ADMIN_USER)
        if wanted != session.user:
            self._administrator(session)
        users = list(self._users.values()) if wanted is None else [self._user(message)]
        return admin.encode_users(
            admin.User(user.name, tuple(sorted(user.roles)), connections=connections(user.name)) for user in users
        )

    # Roles ----------------------------------------------------------------------------------------------------

    def _role(self, message: messages.AdminMessage) -> admin.Role:
        role = self._roles.get(message.text(messages.ADMIN_ROLE) or "")
        if role is None:
            raise Refused(ResultCode.INVALID_ROLE)
        return role

    def _own_role(self, message: messages.AdminMessage) -> admin.Role:
        """A role that may be changed: not one of the server's own."""
        role = self._role(message)
        if role.name in _PREDEFINED:
            raise Refused(ResultCode.INVALID_ROLE)
        return role

    def _create_role(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        role = admin.decode_role(message)
        if role is None:
            raise Refused(ResultCode.INVALID_ROLE)
        if role.name in self._roles:
            raise Refused(ResultCode.ROLE_ALREADY_EXISTS)
        if role.read_quota or role.write_quota:
            raise Refused(ResultCode.QUOTAS_NOT_ENABLED)
        self._roles[role.name] = role
        return admin.encode_result(ResultCode.OK)

    def _drop_role(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        name = self._own_role(message).name
        del self._roles[name]
        for user in self._users.values():
            user.roles.discard(name)
        return admin.encode_result(ResultCode.OK)

    def _grant_privileges(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        role, given = self._own_role(message), self._privileges(message)
        kept = tuple(dict.fromkeys((*role.privileges, *given)))
        self._roles[role.name] = attrs.evolve(role, privileges=kept)
        return admin.encode_result(ResultCode.OK)

    def _revoke_privileges(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        role, taken = self._own_role(message), self._privileges(message)
        kept = tuple(privilege for privilege in role.privileges if privilege not in taken)
        self._roles[role.name] = attrs.evolve(role, privileges=kept)
        return admin.encode_result(ResultCode.OK)

    def _privileges(self, message: messages.AdminMessage) -> tuple[admin.Privilege, ...]:
        privileges = admin.decode_privileges_field(message.field(messages.ADMIN_PRIVILEGES) or b"\0")
        if not privileges or not all(privilege.code in _PREDEFINED.values() for privilege in privileges):
            raise Refused(ResultCode.INVALID_PRIVILEGE)
        return privileges

    def _query_roles(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        wanted = message.field(messages.ADMIN_ROLE)
        self._administrator(session)
        return admin.encode_roles(list(self._roles.values()) if wanted is None else [self._role(message)])


_Handler = Callable[[Security, messages.AdminMessage, Session, Callable[[str], int]], bytes]

_COMMANDS: dict[int, _Handler] = {
    messages.COMMAND_CREATE_USER: Security._create_user,
    messages.COMMAND_DROP_USER: Security._drop_user,
    messages.COMMAND_SET_PASSWORD: Security._set_password,
    messages.COMMAND_CHANGE_PASSWORD: Security._change_password,
    messages.COMMAND_GRANT_ROLES: Security._grant_roles,
    messages.COMMAND_REVOKE_ROLES: Security._revoke_roles,
    messages.COMMAND_QUERY_USERS: Security._query_users,
    messages.COMMAND_CREATE_ROLE: Security._create_role,
    messages.COMMAND_DROP_ROLE: Security._drop_role,
    messages.COMMAND_GRANT_PRIVILEGES: Security._grant_privileges,
    messages.COMMAND_REVOKE_PRIVILEGES: Security._revoke_privileges,
    messages.COMMAND_QUERY_ROLES: Security._query_roles,
}


def _same(given: bytes, known: bytes) -> bool:
    return hmac.compare_digest(given, known)
