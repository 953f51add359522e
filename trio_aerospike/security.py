"""Users and roles as a program holds them: privileges, roles, users, and what they have used.

Facts: the C client's ``as_admin.h``. Users and roles are a feature of the Enterprise Edition; a Community Edition
answers with SECURITY_NOT_SUPPORTED, the embedded server serves them when it has users.
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
    """A right that a role can have. Those from READ on may be limited to a namespace, or to a set in one."""

    USER_ADMIN = 0
    """Administer users and roles."""
    SYS_ADMIN = 1
    """Change the configuration, end queries."""
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
    """A right, for the whole cluster or within a namespace or a set.

    Args:
        code: Which: a :class:`PrivilegeCode`, its number or its name, such as ``"read-write"``.
        namespace: Only there; ``""`` for everywhere. Rights of administrators hold for the cluster and take none.
        set_name: Only in this set of the namespace.

    Raises:
        InvalidArgError: there is no such right, or it cannot be limited so.
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
        """The privilege that a server told of; one of a code that is not known here stays as it came."""
        try:
            return cls(privilege.code, privilege.namespace, privilege.set_name)
        except InvalidArgError:
            return privilege


def checked_privileges(where: str, privileges: Sequence[Privilege | PrivilegeCode | str]) -> list[wire.Privilege]:
    """Privileges as they travel.

    Raises:
        InvalidArgError: one is none, or there is none at all.
    """
    if isinstance(privileges, (str, Privilege)) or not isinstance(privileges, Sequence) or not privileges:
        raise refused(where, privileges, "a list of one or more Privilege")
    found = []
    for privilege in privileges:
        one = privilege if isinstance(privilege, Privilege) else Privilege(privilege)
        found.append(wire.Privilege(int(one.code), one.namespace, one.set_name))
    return found


def checked_user(where: str, name: object) -> str:
    """A user's name, 1 to 63 bytes.

    Raises:
        InvalidArgError: nobody can be called so.
    """
    return checked_text(where, name, 1, USER_MAX)


def checked_roles(where: str, roles: Sequence[str], least: int = 1) -> list[str]:
    """Names of roles, each 1 to 63 bytes.

    Raises:
        InvalidArgError: it is no list of them, or a shorter one than ``least``.
    """
    if isinstance(roles, str) or not isinstance(roles, Sequence) or not least <= len(roles) <= 255:
        raise refused(where, roles, f"a list of {least} to 255 names of roles")
    return [checked_text(f"{where}[{index}]", role, 1, ROLE_MAX) for index, role in enumerate(roles)]


@attrs.frozen
class Role:
    """A role as the server tells of it.

    Attributes:
        privileges: its rights.
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
        """The role that a server told of."""
        privileges = tuple(Privilege.from_wire(privilege) for privilege in role.privileges)
        return cls(role.name, privileges, role.whitelist, role.read_quota, role.write_quota)


@attrs.frozen
class Usage:
    """What a user reads or writes now (C client: ``as_user.read_info``).

    Attributes:
        quota: records per second that are allowed; 0 for no limit.
        single_record_rate: single-record commands per second.
        query_rate: records per second of scans and queries that have a limit of their own.
        unlimited_queries: scans and queries that run without such a limit.
    """

    quota: int = 0
    single_record_rate: int = 0
    query_rate: int = 0
    unlimited_queries: int = 0

    @classmethod
    def from_wire(cls, numbers: Sequence[int]) -> Usage:
        """From the numbers that a server told; a newer one may tell more, an older one fewer."""
        return cls(*numbers[:4])


@attrs.frozen
class User:
    """A user as the server tells of it: roles, what it reads and writes, and how many connections it has open."""

    name: str
    roles: tuple[str, ...] = ()
    reads: Usage = Usage()
    writes: Usage = Usage()
    connections: int = 0

    @classmethod
    def from_wire(cls, user: wire.User) -> User:
        """The user that a server told of."""
        reads, writes = Usage.from_wire(user.read_info), Usage.from_wire(user.write_info)
        return cls(user.name, user.roles, reads, writes, user.connections)
