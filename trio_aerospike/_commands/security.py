"""Users, roles and privileges of a cluster with security."""

from __future__ import annotations

import functools
import ipaddress
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Never, TypeAlias, TypeVar

import trio

from .._lazy import LazyModule
from .._observers import instrumented
from ..config import AuthMode
from ..errors import AdminError, AerospikeError, AerospikeTimeoutError, ConnectionFailed, ResultCode, error_from_code
from ..policies import AdminPolicy, chosen
from ..validation import checked_int, checked_text, refused, unknown_argument
from .node_requests import NodeRequests

if TYPE_CHECKING:
    from .. import security
    from .._cluster.connections import admin
    from .._wire import admin as wire
else:
    admin = LazyModule("trio_aerospike._cluster.connections.admin")
    security = LazyModule("trio_aerospike.security")
    wire = LazyModule("trio_aerospike._wire.admin")

Privileges: TypeAlias = "Sequence[security.Privilege | security.PrivilegeCode | str]"
T = TypeVar("T")
_QUOTA_MAX = 0xFFFF_FFFF


class SecurityCommands(NodeRequests):
    """The part of the client that administers users and roles.

    Each command is carried out by one node, which tells the others: another client may see the change a moment later.
    One that was sent and not answered is raised with ``in_doubt`` and is not sent again.

    All of these raise, besides what is named with each:
        InvalidArgError: an argument is wrong; nothing is sent.
        AdminError: what the server refused, such as ROLE_VIOLATION for a user without the right, or
            SECURITY_NOT_SUPPORTED by a Community Edition.
        AerospikeTimeoutError, ConnectionFailed: no answer within the policy's timeout.
        ClientClosed: the client is closed.
    """

    # -- users -------------------------------------------------------------------------------------------------------

    @instrumented
    async def admin_create_user(
        self,
        user: str,
        password: str,
        roles: Sequence[str] = (),
        *,
        policy: AdminPolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Create a user.

        Args:
            user: Its name, 1 to 63 bytes.
            password: What it logs in with.
            roles: Names of its roles: of the server's own (``"read-write"``, ``"user-admin"``, ...) or made ones.
            policy: How long it may take; None for the client's admin policy.
        """
        if unknown:
            raise unknown_argument(self, "admin_create_user", unknown)
        name = security.checked_user("admin_create_user.user", user)
        names = security.checked_roles("admin_create_user.roles", roles, 0)
        self._cluster.trio_run.check("admin_create_user")
        hashed = await _hashed("admin_create_user.password", password)
        await self._change(wire.encode_create_user(name, hashed, names), f"user {name!r}", policy)

    @instrumented
    async def admin_create_pki_user(
        self, user: str, roles: Sequence[str] = (), *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Create a user that logs in by the certificate of its TLS connections alone, and never with a password.

        Args:
            user: Its name, as the certificates say it.
            roles: Names of its roles.
            policy: How long it may take; None for the client's admin policy.
        """
        if unknown:
            raise unknown_argument(self, "admin_create_pki_user", unknown)
        name = security.checked_user("admin_create_pki_user.user", user)
        names = security.checked_roles("admin_create_pki_user.roles", roles, 0)
        # Servers of 8.1 and later take this word for a user without a password (C client: aerospike_create_pki_user).
        self._cluster.trio_run.check("admin_create_pki_user")
        hashed = await trio.to_thread.run_sync(wire.hash_password, "nopassword")
        await self._change(wire.encode_create_user(name, hashed, names), f"user {name!r}", policy)

    @instrumented
    async def admin_drop_user(self, user: str, *, policy: AdminPolicy | None = None, **unknown: Never) -> None:
        """Remove a user."""
        if unknown:
            raise unknown_argument(self, "admin_drop_user", unknown)
        name = security.checked_user("admin_drop_user.user", user)
        await self._change(wire.encode_drop_user(name), f"user {name!r}", policy)

    @instrumented
    async def admin_change_password(
        self, user: str, password: str, *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Give a user another password.

        For the user that this client is logged in as, the server checks the old password, which the client knows, and
        later logins of this client use the new one. For other users it needs the privilege user-admin.

        Args:
            user: Whose.
            password: The new one.
            policy: How long it may take; None for the client's admin policy.
        """
        if unknown:
            raise unknown_argument(self, "admin_change_password", unknown)
        name = security.checked_user("admin_change_password.user", user)
        self._cluster.trio_run.check("admin_change_password")
        hashed = await _hashed("admin_change_password.password", password)
        credentials = self._cluster.credentials
        if credentials is None or name != credentials.user or credentials.auth_mode is AuthMode.PKI:
            await self._change(wire.encode_set_password(name, hashed), f"user {name!r}", policy)
            return
        frame = wire.encode_change_password(name, await credentials.password_hash(), hashed)
        await self._change(frame, f"user {name!r}", policy)
        credentials.change(password, hashed)

    @instrumented
    async def admin_grant_roles(
        self, user: str, roles: Sequence[str], *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Give a user more roles."""
        if unknown:
            raise unknown_argument(self, "admin_grant_roles", unknown)
        name = security.checked_user("admin_grant_roles.user", user)
        names = security.checked_roles("admin_grant_roles.roles", roles)
        await self._change(wire.encode_grant_roles(name, names), f"user {name!r}", policy)

    @instrumented
    async def admin_revoke_roles(
        self, user: str, roles: Sequence[str], *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Take roles from a user."""
        if unknown:
            raise unknown_argument(self, "admin_revoke_roles", unknown)
        name = security.checked_user("admin_revoke_roles.user", user)
        names = security.checked_roles("admin_revoke_roles.roles", roles)
        await self._change(wire.encode_revoke_roles(name, names), f"user {name!r}", policy)

    @instrumented
    async def admin_query_user_info(
        self, user: str, *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> security.User:
        """Ask for a user: its roles, what it reads and writes at present, its connections.

        Raises:
            AdminError: INVALID_USER, there is no such name.
        """
        if unknown:
            raise unknown_argument(self, "admin_query_user_info", unknown)
        name = security.checked_user("admin_query_user_info.user", user)
        users = await self._ask(wire.encode_query_users(name), wire.decode_users, f"user {name!r}", policy)
        if not users:
            raise error_from_code(ResultCode.INVALID_USER, f"user {name!r}: there is no such user")
        return security.User.from_wire(users[0])

    @instrumented
    async def admin_query_users_info(
        self, *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> list[security.User]:
        """Ask for all users, as :meth:`admin_query_user_info` does for one."""
        if unknown:
            raise unknown_argument(self, "admin_query_users_info", unknown)
        users = await self._ask(wire.encode_query_users(), wire.decode_users, "all users", policy)
        return [security.User.from_wire(user) for user in users]

    # -- roles -------------------------------------------------------------------------------------------------------

    @instrumented
    async def admin_create_role(
        self,
        role: str,
        privileges: Privileges,
        *,
        allowlist: Sequence[str] = (),
        read_quota: int = 0,
        write_quota: int = 0,
        policy: AdminPolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Create a role.

        Args:
            role: Its name, 1 to 63 bytes.
            privileges: Its rights: one or more :class:`~trio_aerospike.security.Privilege`.
            allowlist: Addresses and networks (``"10.1.0.0/16"``) from which it may be used; empty for all.
            read_quota, write_quota: Records per second that each user with the role may read and write; 0 for no
                limit. The server refuses others with QUOTAS_NOT_ENABLED where its configuration does not enable quotas.
            policy: How long it may take; None for the client's admin policy.
        """
        if unknown:
            raise unknown_argument(self, "admin_create_role", unknown)
        made = wire.Role(
            _role("admin_create_role.role", role),
            tuple(security.checked_privileges("admin_create_role.privileges", privileges)),
            tuple(_addresses("admin_create_role.allowlist", allowlist)),
            checked_int("admin_create_role.read_quota", read_quota, 0, _QUOTA_MAX),
            checked_int("admin_create_role.write_quota", write_quota, 0, _QUOTA_MAX),
        )
        await self._change(wire.encode_create_role(made), f"role {role!r}", policy)

    @instrumented
    async def admin_drop_role(self, role: str, *, policy: AdminPolicy | None = None, **unknown: Never) -> None:
        """Remove a role; users lose it."""
        if unknown:
            raise unknown_argument(self, "admin_drop_role", unknown)
        name = _role("admin_drop_role.role", role)
        await self._change(wire.encode_drop_role(name), f"role {name!r}", policy)

    @instrumented
    async def admin_grant_privileges(
        self, role: str, privileges: Privileges, *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Give a role more rights."""
        if unknown:
            raise unknown_argument(self, "admin_grant_privileges", unknown)
        name = _role("admin_grant_privileges.role", role)
        given = security.checked_privileges("admin_grant_privileges.privileges", privileges)
        await self._change(wire.encode_grant_privileges(name, given), f"role {name!r}", policy)

    @instrumented
    async def admin_revoke_privileges(
        self, role: str, privileges: Privileges, *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Take rights from a role."""
        if unknown:
            raise unknown_argument(self, "admin_revoke_privileges", unknown)
        name = _role("admin_revoke_privileges.role", role)
        taken = security.checked_privileges("admin_revoke_privileges.privileges", privileges)
        await self._change(wire.encode_revoke_privileges(name, taken), f"role {name!r}", policy)

    @instrumented
    async def admin_set_allowlist(
        self, role: str, allowlist: Sequence[str], *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> None:
        """Say from which addresses a role may be used.

        Args:
            role: Which.
            allowlist: Addresses and networks; empty lifts the limit.
            policy: How long it may take; None for the client's admin policy.
        """
        if unknown:
            raise unknown_argument(self, "admin_set_allowlist", unknown)
        name = _role("admin_set_allowlist.role", role)
        addresses = _addresses("admin_set_allowlist.allowlist", allowlist)
        await self._change(wire.encode_set_whitelist(name, addresses), f"role {name!r}", policy)

    @instrumented
    async def admin_set_quotas(
        self,
        role: str,
        *,
        read_quota: int = 0,
        write_quota: int = 0,
        policy: AdminPolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Limit what each user with a role may do.

        Args:
            role: Which.
            read_quota, write_quota: Records per second; 0 lifts the limit.
            policy: How long it may take; None for the client's admin policy.
        """
        if unknown:
            raise unknown_argument(self, "admin_set_quotas", unknown)
        name = _role("admin_set_quotas.role", role)
        reads = checked_int("admin_set_quotas.read_quota", read_quota, 0, _QUOTA_MAX)
        writes = checked_int("admin_set_quotas.write_quota", write_quota, 0, _QUOTA_MAX)
        await self._change(wire.encode_set_quotas(name, reads, writes), f"role {name!r}", policy)

    @instrumented
    async def admin_query_role(
        self, role: str, *, policy: AdminPolicy | None = None, **unknown: Never
    ) -> security.Role:
        """Ask for a role.

        Raises:
            AdminError: INVALID_ROLE, there is no such name.
        """
        if unknown:
            raise unknown_argument(self, "admin_query_role", unknown)
        name = _role("admin_query_role.role", role)
        roles = await self._ask(wire.encode_query_roles(name), wire.decode_roles, f"role {name!r}", policy)
        if not roles:
            raise error_from_code(ResultCode.INVALID_ROLE, f"role {name!r}: there is no such role")
        return security.Role.from_wire(roles[0])

    @instrumented
    async def admin_query_roles(self, *, policy: AdminPolicy | None = None, **unknown: Never) -> list[security.Role]:
        """Ask for all roles, the server's own included."""
        if unknown:
            raise unknown_argument(self, "admin_query_roles", unknown)
        roles = await self._ask(wire.encode_query_roles(), wire.decode_roles, "all roles", policy)
        return [security.Role.from_wire(role) for role in roles]

    # -- how they travel ---------------------------------------------------------------------------------------------

    async def _change(self, frame: bytes, what: str, policy: AdminPolicy | None) -> None:
        bodies = await self._administer(frame, _always, policy, changes=True)
        code = wire.decode_result(bodies[0])
        if code:
            raise _refusal(code, what)

    async def _ask(
        self,
        frame: bytes,
        decode: Callable[[bytes], tuple[list[T], int | None]],
        what: str,
        policy: AdminPolicy | None,
    ) -> list[T]:
        found: list[T] = []
        code: int | None = None
        for body in await self._administer(frame, lambda body: decode(body)[1] is not None, policy, changes=False):
            part, code = decode(body)
            found += part
        if code:
            raise _refusal(code, what)
        return found

    async def _administer(
        self, frame: bytes, is_last: Callable[[bytes], bool], policy: AdminPolicy | None, *, changes: bool
    ) -> list[bytes]:
        """Ask any node; another one where a node cannot be reached, or where asking twice does no harm."""
        self._cluster.trio_run.check()
        seconds = chosen(policy, self._config.admin_policy, AdminPolicy).timeout
        deadline = trio.current_time() + (math.inf if seconds is None else seconds)
        self._known_nodes()
        problem: AerospikeError | None = None
        for node in self._shuffled():
            left = deadline - trio.current_time()
            if left <= 0:
                break
            ask: Callable[[], Awaitable[list[bytes]]] = functools.partial(admin.administer, node, frame, is_last, left)
            try:
                return await ask()
            except (ConnectionFailed, AerospikeTimeoutError) as error:
                problem = error
                if changes and error.attempts:
                    error.in_doubt = True
                    break
        assert problem is not None
        raise problem


def _always(body: bytes) -> bool:
    return True


def _refusal(code: int, what: str) -> AerospikeError:
    error = error_from_code(code)
    named = error_from_code(code, f"{what}: {error.message}")
    # A code that is no admin's own, a parameter for instance, is an answer to an admin all the same.
    return named if isinstance(named, AdminError) else AdminError(f"{what}: {error.message}", result_code=code)


async def _hashed(where: str, password: str) -> bytes:
    checked_text(where, password)
    return await trio.to_thread.run_sync(wire.hash_password, password)


def _role(where: str, name: str) -> str:
    return checked_text(where, name, 1, security.ROLE_MAX)


def _addresses(where: str, addresses: Sequence[str]) -> list[str]:
    if isinstance(addresses, str) or not isinstance(addresses, Sequence):
        raise refused(where, addresses, "a list of addresses or networks, such as ['10.1.2.3', '10.2.0.0/16']")
    for index, address in enumerate(addresses):
        text = checked_text(f"{where}[{index}]", address, 1)
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise refused(f"{where}[{index}]", address, "an IP address, or a network such as '10.2.0.0/16'") from None
    return list(addresses)
