"""Admin commands: user and role administration, registered by command number."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable
from typing import TypeGuard

import attrs

from ..._wire import admin, admin_messages as messages
from ...errors import ResultCode
from ..exceptions import Refused
from .users import PREDEFINED_ROLES, Caller, Session, User, UserDirectory, same_secret

_PASSWORD_MAX = 63
_NAMESPACE_SIZE = 32
_SET_SIZE = 64
_COUNT_MAX = 255


@attrs.frozen(eq=False)
class AdminRequest:
    """An admin message of a client that is logged in.

    Attributes:
        connections: the number of connections of a user.
    """

    directory: UserDirectory
    message: messages.AdminMessage
    session: Session
    connections: Callable[[str], int]


_Handler = Callable[[AdminRequest], bytes | None]
_COMMANDS: dict[int, _Handler] = {}


def admin_command(number: int, *, for_all: bool = False) -> Callable[[_Handler], _Handler]:
    """Register the handler of an admin command. It returns a frame; None for the result OK.

    Args:
        number: the command.
        for_all: users without the permission user-admin may give it; its handler checks what they may.
    """

    def register(handler: _Handler) -> _Handler:
        def checked(request: AdminRequest) -> bytes | None:
            _check_administrator(request)
            return handler(request)

        _COMMANDS[number] = handler if for_all else checked
        return handler

    return register


def _check_administrator(request: AdminRequest) -> None:
    if not request.directory.allows(request.session, "user-admin"):
        raise Refused(ResultCode.ROLE_VIOLATION)


class Security(UserDirectory):
    """The users, roles and sessions of a cluster, and the admin commands on them."""

    def answer(
        self, message: messages.AdminMessage, caller: Caller, connections: Callable[[str], int]
    ) -> tuple[bytes, Session | None]:
        """Execute an admin message.

        Args:
            message: the request.
            caller: the connection.
            connections: returns the number of connections of a user.

        Returns:
            The frame of the response, and the session that the connection has from now on.
        """
        command = message.command
        session = caller.session
        try:
            if command == messages.COMMAND_LOGIN:
                return self.log_in(message, caller)
            if command == messages.COMMAND_AUTHENTICATE:
                return admin.encode_result(ResultCode.OK), self.authenticate(message, caller)
            if session is None:
                raise Refused(ResultCode.NOT_AUTHENTICATED)
            handler = _COMMANDS.get(command)
            if handler is None:
                raise Refused(ResultCode.INVALID_COMMAND)
            frame = handler(AdminRequest(self, message, session, connections))
            return admin.encode_result(ResultCode.OK) if frame is None else frame, session
        except Refused as refused:
            return admin.encode_result(refused.result), session


def _roles_of(request: AdminRequest) -> tuple[str, ...]:
    roles = admin.decode_roles_field(request.message.field(messages.ADMIN_ROLES) or b"\0")
    request.directory.check_roles(roles)
    return roles


def _new_password(request: AdminRequest) -> bytes:
    password = request.message.field(messages.ADMIN_PASSWORD)
    if not password or len(password) > _PASSWORD_MAX:
        raise Refused(ResultCode.INVALID_PASSWORD)
    return password


# Users --------------------------------------------------------------------------------------------------------


@admin_command(messages.COMMAND_CREATE_USER)
def _create_user(request: AdminRequest) -> None:
    name = request.message.text(messages.ADMIN_USER)
    if not _is_name(name, messages.USER_MAX):
        raise Refused(ResultCode.INVALID_USER)
    if name in request.directory.users:
        raise Refused(ResultCode.USER_ALREADY_EXISTS)
    password = _new_password(request)
    request.directory.users[name] = User(name, password, set(_roles_of(request)))


@admin_command(messages.COMMAND_DROP_USER)
def _drop_user(request: AdminRequest) -> None:
    del request.directory.users[request.directory.user_of(request.message).name]


@admin_command(messages.COMMAND_SET_PASSWORD)
def _set_password(request: AdminRequest) -> None:
    request.directory.user_of(request.message).password_hash = _new_password(request)


@admin_command(messages.COMMAND_CHANGE_PASSWORD, for_all=True)
def _change_password(request: AdminRequest) -> None:
    user = request.directory.user_of(request.message)
    if user.name != request.session.user:
        raise Refused(ResultCode.ROLE_VIOLATION)
    old = request.message.field(messages.ADMIN_OLD_PASSWORD)
    if old is None or not same_secret(old, user.password_hash):
        raise Refused(ResultCode.INVALID_PASSWORD)
    user.password_hash = _new_password(request)


@admin_command(messages.COMMAND_GRANT_ROLES)
def _grant_roles(request: AdminRequest) -> None:
    user, given = request.directory.user_of(request.message), _roles_of(request)
    _check_count({*user.roles, *given})
    user.roles.update(given)


@admin_command(messages.COMMAND_REVOKE_ROLES)
def _revoke_roles(request: AdminRequest) -> None:
    request.directory.user_of(request.message).roles.difference_update(_roles_of(request))


@admin_command(messages.COMMAND_QUERY_USERS, for_all=True)
def _query_users(request: AdminRequest) -> bytes:
    directory = request.directory
    wanted = request.message.text(messages.ADMIN_USER)
    if wanted != request.session.user:
        _check_administrator(request)
    users = list(directory.users.values()) if wanted is None else [directory.user_of(request.message)]
    return admin.encode_users(
        admin.User(
            user.name,
            tuple(sorted(user.roles)),
            _usage(directory, user, "read"),
            _usage(directory, user, "write"),
            request.connections(user.name),
        )
        for user in users
    )


def _usage(directory: UserDirectory, user: User, permission: str) -> tuple[int, ...]:
    """Quota, records per second, and two numbers of queries with and without a limit."""
    if not directory.quotas:
        return ()
    return (directory.quota(user, permission), user.meters[permission].rate(directory.now()), 0, 0)


# Roles --------------------------------------------------------------------------------------------------------


def _role(request: AdminRequest) -> admin.Role:
    role = request.directory.roles.get(request.message.text(messages.ADMIN_ROLE) or "")
    if role is None:
        raise Refused(ResultCode.INVALID_ROLE)
    return role


def _changeable_role(request: AdminRequest) -> admin.Role:
    """A role that may be changed: not a predefined one."""
    role = _role(request)
    if role.name in PREDEFINED_ROLES:
        raise Refused(ResultCode.INVALID_ROLE)
    return role


@admin_command(messages.COMMAND_CREATE_ROLE)
def _create_role(request: AdminRequest) -> None:
    directory = request.directory
    role = admin.decode_role(request.message)
    if role is None or not _is_name(role.name, messages.ROLE_MAX):
        raise Refused(ResultCode.INVALID_ROLE)
    if role.name in directory.roles:
        raise Refused(ResultCode.ROLE_ALREADY_EXISTS)
    if (role.read_quota or role.write_quota) and not directory.quotas:
        raise Refused(ResultCode.QUOTAS_NOT_ENABLED)
    if request.message.field(messages.ADMIN_PRIVILEGES) is not None:
        _privileges(request)
    _check_allowlist(role.whitelist)
    directory.roles[role.name] = role


@admin_command(messages.COMMAND_DROP_ROLE)
def _drop_role(request: AdminRequest) -> None:
    name = _changeable_role(request).name
    del request.directory.roles[name]
    for user in request.directory.users.values():
        user.roles.discard(name)


@admin_command(messages.COMMAND_GRANT_PRIVILEGES)
def _grant_privileges(request: AdminRequest) -> None:
    role, given = _changeable_role(request), _privileges(request)
    kept = tuple(dict.fromkeys((*role.privileges, *given)))
    _check_count(kept)
    request.directory.roles[role.name] = attrs.evolve(role, privileges=kept)


@admin_command(messages.COMMAND_REVOKE_PRIVILEGES)
def _revoke_privileges(request: AdminRequest) -> None:
    role, taken = _changeable_role(request), _privileges(request)
    kept = tuple(privilege for privilege in role.privileges if privilege not in taken)
    request.directory.roles[role.name] = attrs.evolve(role, privileges=kept)


@admin_command(messages.COMMAND_SET_WHITELIST)
def _set_allowlist(request: AdminRequest) -> None:
    role = _changeable_role(request)
    addresses = tuple(part for part in (request.message.text(messages.ADMIN_WHITELIST) or "").split(",") if part)
    _check_allowlist(addresses)
    request.directory.roles[role.name] = attrs.evolve(role, whitelist=addresses)


@admin_command(messages.COMMAND_SET_QUOTAS)
def _set_quotas(request: AdminRequest) -> None:
    role = _changeable_role(request)
    if not request.directory.quotas:
        raise Refused(ResultCode.QUOTAS_NOT_ENABLED)
    reads, writes = request.message.field(messages.ADMIN_READ_QUOTA), request.message.field(messages.ADMIN_WRITE_QUOTA)
    request.directory.roles[role.name] = attrs.evolve(
        role,
        read_quota=role.read_quota if reads is None else int.from_bytes(reads, "big"),
        write_quota=role.write_quota if writes is None else int.from_bytes(writes, "big"),
    )


@admin_command(messages.COMMAND_QUERY_ROLES)
def _query_roles(request: AdminRequest) -> bytes:
    wanted = request.message.field(messages.ADMIN_ROLE)
    return admin.encode_roles(list(request.directory.roles.values()) if wanted is None else [_role(request)])


def _privileges(request: AdminRequest) -> tuple[admin.Privilege, ...]:
    privileges = admin.decode_privileges_field(request.message.field(messages.ADMIN_PRIVILEGES) or b"\0")
    if not privileges or not all(map(_is_privilege, privileges)):
        raise Refused(ResultCode.INVALID_PRIVILEGE)
    return privileges


def _is_name(name: str | None, limit: int) -> TypeGuard[str]:
    """Whether a name of a user or a role is valid: it must fit into the messages that list it."""
    return name is not None and 0 < len(name.encode()) <= limit


def _is_privilege(privilege: admin.Privilege) -> bool:
    """Whether a privilege exists and has a valid scope: a set needs a namespace."""
    if privilege.code not in PREDEFINED_ROLES.values() or (privilege.set_name and not privilege.namespace):
        return False
    return len(privilege.namespace.encode()) < _NAMESPACE_SIZE and len(privilege.set_name.encode()) < _SET_SIZE


def _check_count(things: Collection[object]) -> None:
    """Refuse more roles of a user, or privileges of a role, than a message can hold."""
    if len(things) > _COUNT_MAX:
        raise Refused(ResultCode.PARAM)


def _check_allowlist(addresses: Iterable[str]) -> None:
    for address in addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            raise Refused(ResultCode.INVALID_WHITELIST) from None
