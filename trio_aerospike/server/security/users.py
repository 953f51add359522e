"""Users, roles and sessions of a cluster: authentication, permissions and quotas.

The protocol is that of an Enterprise Edition; codes and meanings as in the C client's as_admin.c and the server's
proto.h. Passwords are kept as hashes only, as they are sent.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ..._wire import admin, admin_messages as messages
from ...errors import ResultCode
from ..exceptions import Refused

ALL_ROLES = ("user-admin", "sys-admin", "data-admin", "read-write-udf", "truncate")

PREDEFINED_ROLES = {
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
    """A user that a cluster is made with.

    Args:
        password: in clear text.
        roles: names of roles; all rights by default.
        external: the server has no hash of the password but has it checked elsewhere (a real one: by LDAP); such a
            user logs in with the external mode only.
    """

    password: str = attrs.field(repr=False)
    roles: Sequence[str] = ALL_ROLES
    external: bool = False


@attrs.define(eq=False)
class User:
    """A user of the cluster."""

    name: str
    password_hash: bytes = attrs.field(repr=False)
    roles: set[str]
    clear_password: str | None = attrs.field(default=None, repr=False)
    meters: dict[str, Meter] = attrs.field(factory=lambda: {"read": Meter(), "write": Meter()}, repr=False)


@attrs.frozen(eq=False)
class Session:
    """The user that a connection is logged in as."""

    user: str


@attrs.frozen(eq=False)
class Caller:
    """The connection that an admin message came on.

    Attributes:
        session: None before the login.
        address: the client's, as the server sees it.
        certificate_name: the common name of the client's TLS certificate; None without one.
    """

    session: Session | None
    address: str = ""
    certificate_name: str | None = None


class Meter:
    """Counts the records that a user reads or writes per second."""

    def __init__(self) -> None:
        self._second = -math.inf
        self._count = 0
        self._before = 0

    def _advance(self, now: float) -> None:
        second = math.floor(now)
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0

    def take(self, now: float, quota: int) -> bool:
        """Count a record; False if the quota of this second (0: none) is exhausted."""
        self._advance(now)
        if quota and self._count >= quota:
            return False
        self._count += 1
        return True

    def rate(self, now: float) -> int:
        """Records in the last whole second."""
        self._advance(now)
        return self._before


class UserDirectory:
    """The users and roles of a cluster, and the sessions of its clients.

    Args:
        users: passwords, or whole specifications, by name.
        session_ttl: lifetime of a session token in seconds.
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
        self.now = now
        self.roles: dict[str, admin.Role] = {
            name: admin.Role(name, (admin.Privilege(code),)) for name, code in PREDEFINED_ROLES.items()
        }
        self.users: dict[str, User] = {}
        self._tokens: dict[bytes, tuple[str, float]] = {}
        for name, given in users.items():
            spec = UserSpec(given) if isinstance(given, str) else given
            self.check_roles(spec.roles)
            hashed = b"" if spec.external else admin.hash_password(spec.password)
            self.users[name] = User(name, hashed, set(spec.roles), spec.password if spec.external else None)

    # Rights ---------------------------------------------------------------------------------------------------

    def allows(self, session: Session, permission: str, namespace: str = "", set_name: str = "") -> bool:
        """Whether the session's user has a permission, for data on the set of the namespace."""
        user = self.users.get(session.user)
        if user is None:
            return False
        wanted = _GRANTED_BY[permission]
        for role in user.roles:
            for privilege in self.roles[role].privileges if role in self.roles else ():
                if (
                    privilege.code in wanted
                    and privilege.namespace in ("", namespace)
                    and privilege.set_name in ("", set_name)
                ):
                    return True
        return False

    def within_quota(self, session: Session, permission: str) -> bool:
        """Count a record that the session's user reads or writes; False if that exceeds the user's quota."""
        user = self.users.get(session.user)
        if user is None or not self.quotas:
            return True
        return user.meters[permission].take(self.now(), self.quota(user, permission))

    def quota(self, user: User, permission: str) -> int:
        """Records per second: the largest quota of the user's roles, 0 if none has one."""
        field = "read_quota" if permission == "read" else "write_quota"
        return max((getattr(self.roles[role], field) for role in user.roles if role in self.roles), default=0)

    def _admits(self, user: User, address: str) -> bool:
        """Whether the user may connect from an address: a role without an allowlist admits all."""
        roles = [self.roles[role] for role in user.roles if role in self.roles]
        return not roles or any(not role.whitelist or _is_listed(address, role.whitelist) for role in roles)

    # Sessions -------------------------------------------------------------------------------------------------

    def log_in(self, message: messages.AdminMessage, caller: Caller) -> tuple[bytes, Session]:
        """Log a user in; returns the frame with the session token, and the session. Raises `Refused`."""
        if message.field(messages.ADMIN_USER) is None:
            user = self._certified(caller)
        else:
            user = self.user_of(message)
            self._check_password(user, message)
        if not self._admits(user, caller.address):
            raise Refused(ResultCode.NOT_WHITELISTED)
        token = secrets.token_bytes(32)
        self._tokens[token] = (user.name, self.now() + self.session_ttl)
        frame = admin.encode_login_response(admin.LoginAnswer(ResultCode.OK, token, int(self.session_ttl)))
        return frame, Session(user.name)

    def _certified(self, caller: Caller) -> User:
        """The user named by the client's certificate, for a login without a user name (PKI)."""
        user = self.users.get(caller.certificate_name or "")
        if user is None:
            raise Refused(ResultCode.INVALID_USER)
        return user

    def _check_password(self, user: User, message: messages.AdminMessage) -> None:
        clear = message.text(messages.ADMIN_CLEAR_PASSWORD)
        if user.clear_password is not None:
            if clear is None or not same_secret(clear.encode(), user.clear_password.encode()):
                raise Refused(ResultCode.INVALID_CREDENTIAL)
        else:
            self._check_credential(user, message)

    def authenticate(self, message: messages.AdminMessage, caller: Caller) -> Session:
        """Log a connection in with a session token or a credential. Raises `Refused`."""
        token = message.field(messages.ADMIN_SESSION_TOKEN)
        if token is None:
            user = self.user_of(message)
            self._check_credential(user, message)
            return Session(user.name)
        name, expires = self._tokens.get(token, ("", 0.0))
        if not name or message.text(messages.ADMIN_USER) not in (None, name) or name not in self.users:
            raise Refused(ResultCode.INVALID_CREDENTIAL)
        if self.now() >= expires:
            raise Refused(ResultCode.EXPIRED_SESSION)
        if not self._admits(self.users[name], caller.address):
            raise Refused(ResultCode.NOT_WHITELISTED)
        return Session(name)

    def expire_sessions(self) -> None:
        """Make all session tokens expire now."""
        self._tokens = {token: (user, self.now()) for token, (user, _) in self._tokens.items()}

    def _check_credential(self, user: User, message: messages.AdminMessage) -> None:
        credential = message.field(messages.ADMIN_CREDENTIAL)
        if credential is None or user.clear_password is not None or not same_secret(credential, user.password_hash):
            raise Refused(ResultCode.INVALID_CREDENTIAL)

    def user_of(self, message: messages.AdminMessage) -> User:
        """The user that a message names. Raises `Refused`."""
        user = self.users.get(message.text(messages.ADMIN_USER) or "")
        if user is None:
            raise Refused(ResultCode.INVALID_USER)
        return user

    def check_roles(self, roles: Sequence[str]) -> None:
        """Refuse unknown roles."""
        if not all(role in self.roles for role in roles):
            raise Refused(ResultCode.INVALID_ROLE)


def same_secret(given: bytes, known: bytes) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given, known)


def _is_listed(address: str, addresses: Iterable[str]) -> bool:
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(place in ipaddress.ip_network(network, strict=False) for network in addresses)
