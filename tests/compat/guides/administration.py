"""The page on users and roles; for a server that has them."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    for drop, name in ((client.admin_drop_user, "alice"), (client.admin_drop_role, "data_reader")):
        try:
            drop(name)
        except aerospike.AdminError:
            pass

    show("create returns", client.admin_create_user("alice", "secure_password", ["read-write"]))
    show.error("once more", client.admin_create_user, "alice", "secure_password", ["read-write"])
    client.admin_change_password("alice", "new_password")
    client.admin_grant_roles("alice", ["sys-admin"])
    client.admin_revoke_roles("alice", ["read-write"])
    user = client.admin_query_user_info("alice")
    show("a user", {name: user[name] for name in sorted(user) if name in ("user", "roles")})
    show("fields of a user", sorted(user))
    show("all users", sorted(user["user"] for user in client.admin_query_users_info()))
    show.error("nobody", client.admin_query_user_info, "nobody")
    show.error("an unknown role", client.admin_grant_roles, "alice", ["no-such-role"])

    client.admin_create_role("data_reader", [{"code": aerospike.PRIV_READ, "ns": "test", "set": "demo"}])
    client.admin_grant_privileges("data_reader", [{"code": aerospike.PRIV_WRITE, "ns": "test", "set": "demo"}])
    show("a role", client.admin_query_role("data_reader"))
    client.admin_revoke_privileges("data_reader", [{"code": aerospike.PRIV_WRITE, "ns": "test", "set": "demo"}])
    client.admin_set_whitelist("data_reader", ["10.0.0.0/8", "192.168.1.0/24"])
    show("with addresses", client.admin_query_role("data_reader"))
    show.error("quotas", client.admin_set_quotas, "data_reader", read_quota=1000, write_quota=500)
    show("all roles", sorted(role["name"] for role in client.admin_query_roles()))
    show.error("no role", client.admin_query_role, "no-such-role")
    show("dropped", (client.admin_drop_role("data_reader"), client.admin_drop_user("alice")))
    show.error("dropped again", client.admin_drop_user, "alice")
