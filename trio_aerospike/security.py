"""Users, roles, privileges and quotas.

Facts: the C client's ``as_admin.h``. Users and roles are a feature of the Enterprise Edition; a Community Edition
answers with SECURITY_NOT_SUPPORTED, and the embedded server supports them if it is opened with users.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import attrs

from trio_aerospike._wire import admin as wire
from trio_aerospike._wire.admin_messages import ROLE_MAX as ROLE_MAX, USER_MAX
from trio_aerospike._wire.constants import NAMESPACE_MAX, SET_NAME_MAX
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.validation import checked_text, refused

__all__ = ["Privilege", "PrivilegeCode", "Role", "Usage", "User"]


class PrivilegeCode(enum.IntEnum):
    """Codes of privileges. Those from READ on may be limited to a namespace, or to a set in it."""

    USER_ADMIN = 0
    """Administer users and roles."""
    SYS_ADMIN = 1
    """Change the configuration, abort queries."""
    DATA_ADMIN = 2
    """Manage indexes and UDFs, truncate."""
    UDF_ADMIN = 3
    """Put and remove UDF modules."""
    SINDEX_ADMIN = 4
    """Create and drop secondary indexes."""
    READ = 10
    READ_WRITE = 11
    READ_WRITE_UDF = 12
    WRITE = 13
    TRUNCATE = 14


_NAMES = {code.name.lower().replace("_", "-"): code for code in PrivilegeCode}
_ALLOWED = f"a PrivilegeCode, its number, or one of {', '.join(map(repr, _NAMES))}"


def _code(value: Any) -> PrivilegeCode:
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return PrivilegeCode(value)
        except ValueError:
            pass
    raise refused("Privilege.code", value, _ALLOWED)


@attrs.frozen
class Privilege:
    """A privilege, for the whole cluster or within a namespace or a set.

    Args:
        code: A :class:`PrivilegeCode`, its number or its name, such as ``"read-write"``.
        namespace: Only in this namespace; ``""`` for all. Administrators' privileges are for the whole cluster.
        set_name: Only in this set of the namespace.

    Raises:
        InvalidArgError: there is no such privilege, or it cannot be limited to a namespace or set.
    """

    code: PrivilegeCode = attrs.field(converter=_code)
    namespace: str = ""
    set_name: str = ""

    def __attrs_post_init__(self) -> None:
        checked_text("Privilege.namespace", self.namespace, 0, NAMESPACE_MAX)
        checked_text("Privilege.set_name", self.set_name, 0, SET_NAME_MAX)
        if self.namespace and self.code < PrivilegeCode.READ:
            raise refused("Privilege.namespace", self.namespace, f"'', as {self.code.name} is for the whole cluster")
        if self.set_name and not self.namespace:
            raise refused("Privilege.set_name", self.set_name, "'' where no namespace is given")

    @classmethod
    def from_wire(cls, privilege: wire.Privilege) -> Privilege | wire.Privilege:
        """Convert a privilege from the server; an unknown code stays as it is."""
        try:
            return cls(privilege.code, privilege.namespace, privilege.set_name)
        except InvalidArgError:
            return privilege


def checked_privileges(where: str, privileges: Sequence[Privilege | PrivilegeCode | str]) -> list[wire.Privilege]:
    """Validate privileges and convert them to their wire form.

    Raises:
        InvalidArgError: the list is empty, or an item is not a privilege.
    """
    if isinstance(privileges, (str, Privilege)) or not isinstance(privileges, Sequence) or not privileges:
        raise refused(where, privileges, "a list of one or more Privilege")
    found = []
    for privilege in privileges:
        one = privilege if isinstance(privilege, Privilege) else Privilege(privilege)
        found.append(wire.Privilege(int(one.code), one.namespace, one.set_name))
    return found


def checked_user(where: str, name: object) -> str:
    """Validate a user's name, 1 to 63 bytes.

    Raises:
        InvalidArgError: the name is invalid.
    """
    return checked_text(where, name, 1, USER_MAX)


def checked_roles(where: str, roles: Sequence[str], least: int = 1) -> list[str]:
    """Validate names of roles, each 1 to 63 bytes.

    Raises:
        InvalidArgError: it is not a list of names, or has fewer than ``least``.
    """
    if isinstance(roles, str) or not isinstance(roles, Sequence) or not least <= len(roles) <= 255:
        raise refused(where, roles, f"a list of {least} to 255 names of roles")
    return [checked_text(f"{where}[{index}]", role, 1, ROLE_MAX) for index, role in enumerate(roles)]


@attrs.frozen
class Role:
    """A role, as the server reports it.

    Attributes:
        privileges: its privileges.
        allowlist: addresses or networks (CIDR) from which it may be used; empty for all.
        read_quota, write_quota: records per second that each of its users may read and write; 0 for no limit.
    """

    name: str
    privileges: tuple[Privilege | wire.Privilege, ...] = ()
    allowlist: tuple[str, ...] = ()
    read_quota: int = 0
    write_quota: int = 0

    @classmethod
    def from_wire(cls, role: wire.Role) -> Role:
        """Convert a role from the server."""
        privileges = tuple(Privilege.from_wire(privilege) for privilege in role.privileges)
        return cls(role.name, privileges, role.whitelist, role.read_quota, role.write_quota)


@attrs.frozen
class Usage:
    """The present read or write rates of a user (C client: ``as_user.read_info``).

    Attributes:
        quota: allowed records per second; 0 for no limit.
        single_record_rate: single-record commands per second.
        query_rate: records per second of scans and queries with a ``records_per_second`` limit.
        unlimited_queries: number of scans and queries without such a limit.
    """

    quota: int = 0
    single_record_rate: int = 0
    query_rate: int = 0
    unlimited_queries: int = 0

    @classmethod
    def from_wire(cls, numbers: Sequence[int]) -> Usage:
        """Convert the numbers from the server; a newer one may report more, an older one fewer."""
        return cls(*numbers[:4])


@attrs.frozen
class User:
    """A user, as the server reports it: roles, read and write rates, and the number of open connections."""

    name: str
    roles: tuple[str, ...] = ()
    reads: Usage = Usage()
    writes: Usage = Usage()
    connections: int = 0

    @classmethod
    def from_wire(cls, user: wire.User) -> User:
        """Convert a user from the server."""
        reads, writes = Usage.from_wire(user.read_info), Usage.from_wire(user.write_info)
        return cls(user.name, user.roles, reads, writes, user.connections)
