"""Users and roles: privileges, refused commands, and changes while users are logged in.

    python examples/security.py

The Community Edition of the server has no users, so this runs on an embedded cluster, which has. AEROSPIKE_HOSTS with
AEROSPIKE_ADMIN ("user:password" of a user administrator) names an Enterprise cluster instead.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

import trio

import trio_aerospike as aero
from trio_aerospike.security import Privilege, PrivilegeCode
from trio_aerospike.testing import UserSpec, open_embedded_cluster

ADMIN = ("admin", "tower-of-song")


@contextlib.asynccontextmanager
async def servers() -> AsyncIterator[tuple[list[str], str, str]]:
    """Yield the seeds, and the name and password of an administrator."""
    administrator = os.environ.get("AEROSPIKE_ADMIN", "")
    if administrator:
        name, _, password = administrator.partition(":")
        yield [part.strip() for part in os.environ["AEROSPIKE_HOSTS"].split(",")], name, password
    else:
        name, password = ADMIN
        roles = ("user-admin", "sys-admin", "data-admin", "read-write")
        async with open_embedded_cluster(nodes=2, users={name: UserSpec(password, roles=roles)}) as cluster:
            yield [f"{host}:{port}" for host, port in cluster.hosts], name, password


async def set_up(admin: aero.Client) -> None:
    """Create two roles: one that may only write sales, and one that may only read."""
    await admin.admin_create_role("till", [Privilege("read-write", "test", "sales")])
    await admin.admin_create_role("auditor", [Privilege("read", "test")], allowlist=["127.0.0.0/8"])
    await admin.admin_create_user("lou", "walk-on-the-wild-side", ["till"])
    await admin.admin_create_user("nico", "all-tomorrows-parties", ["auditor"])
    for role in ("till", "auditor"):
        found = await admin.admin_query_role(role)
        rights = [
            f"{PrivilegeCode(right.code).name} on {right.namespace}/{right.set_name or '*'}"
            for right in found.privileges
        ]
        print(f"role {role}: {', '.join(rights)}; from {', '.join(found.allowlist) or 'anywhere'}")


async def attempt(what: str, command: object) -> None:
    """Print the result of a command."""
    try:
        await command  # type: ignore[misc]
    except aero.AdminError as error:
        print(f"  {what}: {aero.ResultCode(error.result_code).name}")
    else:
        print(f"  {what}: done")


async def at_the_till(seeds: list[str]) -> None:
    """Try commands as lou, who may write sales."""
    async with aero.open_client(seeds, user="lou", password="walk-on-the-wild-side") as client:
        print("lou, at the till:")
        await attempt("writes a sale", client.put(("test", "sales", 1), {"euro": 12}))
        await attempt("reads it", client.get(("test", "sales", 1)))
        await attempt("writes a salary", client.put(("test", "salaries", "lou"), {"euro": 90_000}))
        await attempt("makes himself an administrator", client.admin_grant_roles("lou", ["user-admin"]))
        await attempt("changes his own password", client.admin_change_password("lou", "perfect-day"))


async def at_the_desk(seeds: list[str]) -> None:
    """Try commands as nico, who may only read."""
    async with aero.open_client(seeds, user="nico", password="all-tomorrows-parties") as client:
        print("nico, at her desk:")
        await attempt("reads a sale", client.get(("test", "sales", 1)))
        await attempt("changes it", client.put(("test", "sales", 1), {"euro": 1}))
        await attempt("removes it", client.remove(("test", "sales", 1)))


async def change_rights(admin: aero.Client, seeds: list[str]) -> None:
    """Change roles while users are logged in; a dropped user is logged out."""
    async with aero.open_client(seeds, user="nico", password="all-tomorrows-parties") as client:
        await admin.admin_grant_privileges("auditor", [Privilege("write", "test", "sales")])
        print("nico's role may write sales now:")
        await attempt("changes a sale", client.put(("test", "sales", 1), {"euro": 1}))
    for user in sorted(await admin.admin_query_users_info(), key=lambda user: user.name):
        print(f"user {user.name}: {', '.join(sorted(user.roles))}")
    await admin.admin_drop_user("lou")
    try:
        async with aero.open_client(seeds, user="lou", password="perfect-day"):
            print("lou is still let in")
    except aero.AdminError as error:
        print(f"lou is dropped and tries to log in: {aero.ResultCode(error.result_code).name}")


async def main() -> None:
    """Run all parts."""
    async with servers() as (seeds, name, password):
        try:
            async with aero.open_client(seeds, user=name, password="wrong"):
                print("anybody is let in")
        except aero.AdminError as error:
            print(f"with a wrong password: {aero.ResultCode(error.result_code).name}")
        async with aero.open_client(seeds, user=name, password=password) as admin:
            await set_up(admin)
            await at_the_till(seeds)
            await at_the_desk(seeds)
            await change_rights(admin, seeds)
            await admin.remove(("test", "sales", 1))
            await admin.admin_drop_user("nico")
            for role in ("till", "auditor"):
                await admin.admin_drop_role(role)


if __name__ == "__main__":
    trio.run(main)
