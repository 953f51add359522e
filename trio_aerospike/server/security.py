"""Users, roles, logins and sessions.

The protocol is that of an Enterprise Edition; codes and meanings as the C client's as_admin.c and the server's proto.h
tell them. Passwords are known by their hash alone, as they travel.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeGuard

import attrs

from .._wire import admin, admin_messages as messages
from ..errors import ResultCode
from .refused import Refused

ALL_ROLES = ("user-admin", "sys-admin", "data-admin", "read-write-udf", "truncate")

_PASSWORD_MAX = 63
_NAMESPACE_SIZE = 32
_SET_SIZE = 64
_COUNT_MAX = 255

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
    "execute-udf": {messages.PRIVILEGE_READ_WRITE_UDF},
    "user-admin": {messages.PRIVILEGE_USER_ADMIN},
    "truncate": {messages.PRIVILEGE_TRUNCATE, messages.PRIVILEGE_DATA_ADMIN},
    "udf-admin": {messages.PRIVILEGE_UDF_ADMIN, messages.PRIVILEGE_DATA_ADMIN},
    "sindex-admin": {messages.PRIVILEGE_SINDEX_ADMIN, messages.PRIVILEGE_DATA_ADMIN},
    "query-admin": {messages.PRIVILEGE_DATA_ADMIN, messages.PRIVILEGE_SYS_ADMIN},
    "set-config": {messages.PRIVILEGE_SYS_ADMIN},
    "service-ctrl": {messages.PRIVILEGE_SYS_ADMIN},
    "logging-ctrl": {messages.PRIVILEGE_SYS_ADMIN},
    "evict-admin": {messages.PRIVILEGE_DATA_ADMIN, messages.PRIVILEGE_SYS_ADMIN},
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
    meters: dict[str, _Meter] = attrs.field(factory=lambda: {"read": _Meter(), "write": _Meter()}, repr=False)


@attrs.frozen(eq=False)
class Session:
    """Who a connection speaks for."""

    user: str


@attrs.frozen(eq=False)
class Caller:
    """The connection that an admin message came on.

    Attributes:
        session: whom it speaks for; None before the login.
        address: the client's, as the server sees it.
        certificate_name: the common name of the certificate that the client showed over TLS; None without one.
    """

    session: Session | None
    address: str = ""
    certificate_name: str | None = None


class _Meter:
    """Counts a user's records of one kind by the second."""

    def __init__(self) -> None:
        self._second = -math.inf
        self._count = 0
        self._before = 0

    def _turn(self, now: float) -> None:
        second = math.floor(now)
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0

    def take(self, now: float, quota: int) -> bool:
        """Count a record; False where the quota (0: none) of this second is used up."""
        self._turn(now)
        if quota and self._count >= quota:
            return False
        self._count += 1
        return True

    def rate(self, now: float) -> int:
        """Records in the last whole second."""
        self._turn(now)
        return self._before


class Security:
    """The users and roles of a cluster, and the sessions of its clients.

    Args:
        users: passwords, or whole specifications, by name.
        session_ttl: life of a session token in seconds.
        now: the clock, in seconds.
        quotas: whether roles may have quotas, which hold for each user (the real server's enable-quotas).
    """

    def __init__(
        self,
        users: Mapping[str, str | UserSpec],
        *,
        session_ttl: float,
        now: Callable[[], float],
        quotas: bool = False,
    ) -> None:
        self.session_ttl = session_ttl
        self.quotas = quotas
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

    def within_quota(self, session: Session, permission: str) -> bool:
        """Count a record that the session's user reads or writes; False where that exceeds the user's quota."""
        user = self._users.get(session.user)
        if user is None or not self.quotas:
            return True
        return user.meters[permission].take(self._now(), self._quota(user, permission))

    def _quota(self, user: _User, permission: str) -> int:
        """Records per second: the largest of the user's roles' quotas, 0 where none has one."""
        field = "read_quota" if permission == "read" else "write_quota"
        return max((getattr(self._roles[role], field) for role in user.roles if role in self._roles), default=0)

    def _admits(self, user: _User, address: str) -> bool:
        """Whether the user may come from there: a role without an allowlist admits everybody."""
        roles = [self._roles[role] for role in user.roles if role in self._roles]
        return not roles or any(not role.whitelist or _is_listed(address, role.whitelist) for role in roles)

    # Requests -------------------------------------------------------------------------------------------------

    def answer(
        self, message: messages.AdminMessage, caller: Caller, connections: Callable[[str], int]
    ) -> tuple[bytes, Session | None]:
        """The frame that answers an admin message, and whom the connection speaks for from now on."""
        command = message.command
        session = caller.session
        try:
            if command == messages.COMMAND_LOGIN:
                return self._login(message, caller)
            if command == messages.COMMAND_AUTHENTICATE:
                return admin.encode_result(ResultCode.OK), self._authenticate(message, caller)
            if session is None:
                raise Refused(ResultCode.NOT_AUTHENTICATED)
            handler = _COMMANDS.get(command)
            if handler is None:
                raise Refused(ResultCode.INVALID_COMMAND)
            return handler(self, message, session, connections), session
        except Refused as refused:
            return admin.encode_result(refused.result), session

    def _login(self, message: messages.AdminMessage, caller: Caller) -> tuple[bytes, Session]:
        if message.field(messages.ADMIN_USER) is None:
            user = self._certified(caller)
        else:
            user = self._user(message)
            self._check_password(user, message)
        if not self._admits(user, caller.address):
            raise Refused(ResultCode.NOT_WHITELISTED)
        token = secrets.token_bytes(32)
        self._tokens[token] = (user.name, self._now() + self.session_ttl)
        frame = admin.encode_login_response(admin.LoginAnswer(ResultCode.OK, token, int(self.session_ttl)))
        return frame, Session(user.name)

    def _certified(self, caller: Caller) -> _User:
        """The user that the client's certificate names: a login without a name asks for that (PKI)."""
        user = self._users.get(caller.certificate_name or "")
        if user is None:
            raise Refused(ResultCode.INVALID_USER)
        return user

    def _check_password(self, user: _User, message: messages.AdminMessage) -> None:
        clear = message.text(messages.ADMIN_CLEAR_PASSWORD)
        if user.clear_password is not None:
            if clear is None or not _same(clear.encode(), user.clear_password.encode()):
                raise Refused(ResultCode.INVALID_CREDENTIAL)
        else:
            self._check_credential(user, message)

    def _authenticate(self, message: messages.AdminMessage, caller: Caller) -> Session:
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
        if not self._admits(self._users[name], caller.address):
            raise Refused(ResultCode.NOT_WHITELISTED)
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
        if not _is_name(name, messages.USER_MAX):
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
        if not password or len(password) > _PASSWORD_MAX:
            raise Refused(ResultCode.INVALID_PASSWORD)
        return password

    def _grant_roles(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        user, given = self._user(message), self._roles_of(message)
        _check_count({*user.roles, *given})
        user.roles.update(given)
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
            admin.User(
                user.name,
                tuple(sorted(user.roles)),
                self._usage(user, "read"),
                self._usage(user, "write"),
                connections(user.name),
            )
            for user in users
        )

    def _usage(self, user: _User, permission: str) -> tuple[int, ...]:
        """Quota, records per second, and two numbers of queries with and without a limit."""
        if not self.quotas:
            return ()
        return (self._quota(user, permission), user.meters[permission].rate(self._now()), 0, 0)

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
        if role is None or not _is_name(role.name, messages.ROLE_MAX):
            raise Refused(ResultCode.INVALID_ROLE)
        if role.name in self._roles:
            raise Refused(ResultCode.ROLE_ALREADY_EXISTS)
        if (role.read_quota or role.write_quota) and not self.quotas:
            raise Refused(ResultCode.QUOTAS_NOT_ENABLED)
        if message.field(messages.ADMIN_PRIVILEGES) is not None:
            self._privileges(message)
        _check_allowlist(role.whitelist)
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
        _check_count(kept)
        self._roles[role.name] = attrs.evolve(role, privileges=kept)
        return admin.encode_result(ResultCode.OK)

    def _revoke_privileges(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        role, taken = self._own_role(message), self._privileges(message)
        kept = tuple(privilege for privilege in role.privileges if privilege not in taken)
        self._roles[role.name] = attrs.evolve(role, privileges=kept)
        return admin.encode_result(ResultCode.OK)

    def _set_allowlist(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        role = self._own_role(message)
        addresses = tuple(part for part in (message.text(messages.ADMIN_WHITELIST) or "").split(",") if part)
        _check_allowlist(addresses)
        self._roles[role.name] = attrs.evolve(role, whitelist=addresses)
        return admin.encode_result(ResultCode.OK)

    def _set_quotas(self, message: messages.AdminMessage, session: Session, _: Callable[[str], int]) -> bytes:
        self._administrator(session)
        role = self._own_role(message)
        if not self.quotas:
            raise Refused(ResultCode.QUOTAS_NOT_ENABLED)
        reads, writes = message.field(messages.ADMIN_READ_QUOTA), message.field(messages.ADMIN_WRITE_QUOTA)
        self._roles[role.name] = attrs.evolve(
            role,
            read_quota=role.read_quota if reads is None else int.from_bytes(reads, "big"),
            write_quota=role.write_quota if writes is None else int.from_bytes(writes, "big"),
        )
        return admin.encode_result(ResultCode.OK)

    def _privileges(self, message: messages.AdminMessage) -> tuple[admin.Privilege, ...]:
        privileges = admin.decode_privileges_field(message.field(messages.ADMIN_PRIVILEGES) or b"\0")
        if not privileges or not all(map(_is_privilege, privileges)):
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
    messages.COMMAND_SET_WHITELIST: Security._set_allowlist,
    messages.COMMAND_SET_QUOTAS: Security._set_quotas,
    messages.COMMAND_QUERY_ROLES: Security._query_roles,
}


def _same(given: bytes, known: bytes) -> bool:
    return hmac.compare_digest(given, known)


def _is_name(name: str | None, limit: int) -> TypeGuard[str]:
    """Whether a user or a role can have that name: it has to fit into what tells of it."""
    return name is not None and 0 < len(name.encode()) <= limit


def _is_privilege(privilege: admin.Privilege) -> bool:
    """Whether there is such a right, for such a scope: a set is one of a namespace."""
    if privilege.code not in _PREDEFINED.values() or (privilege.set_name and not privilege.namespace):
        return False
    return len(privilege.namespace.encode()) < _NAMESPACE_SIZE and len(privilege.set_name.encode()) < _SET_SIZE


def _check_count(things: Collection[object]) -> None:
    """Refuse more roles of a user, or privileges of a role, than a message can tell of."""
    if len(things) > _COUNT_MAX:
        raise Refused(ResultCode.PARAM)


def _check_allowlist(addresses: Iterable[str]) -> None:
    for address in addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            raise Refused(ResultCode.INVALID_WHITELIST) from None


def _is_listed(address: str, addresses: Iterable[str]) -> bool:
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(place in ipaddress.ip_network(network, strict=False) for network in addresses)
