# mypy: ignore-errors
# (for the published client of that name, which this environment does not have)

"""Administer users and roles with the published `aerospike` client; run in its own environment.

Usage: users.py PORT USER PASSWORD
"""

import sys

import aerospike
from aerospike import exception

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
config = {"hosts": [("127.0.0.1", port)], "policies": {"total_timeout": 10000}, "user": user, "password": password}
client = aerospike.client(config)
policy = {"timeout": 10000}


def fails(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error:
        return
    raise AssertionError(f"{call.__name__} did not raise {error.__name__}")


privileges = [{"code": aerospike.PRIV_READ, "ns": "test", "set": "people"}, {"code": aerospike.PRIV_TRUNCATE}]
client.admin_create_role("clerk", privileges, policy, whitelist=["127.0.0.1"], read_quota=50, write_quota=60)
clerk = client.admin_get_role("clerk", policy)
assert clerk["whitelist"] == ["127.0.0.1"] and (clerk["read_quota"], clerk["write_quota"]) == (50, 60), clerk
assert [privilege["code"] for privilege in clerk["privileges"]] == [aerospike.PRIV_READ, aerospike.PRIV_TRUNCATE]
client.admin_set_whitelist("clerk", [], policy)
client.admin_set_quotas("clerk", 0, 0, policy)
client.admin_grant_privileges("clerk", [{"code": aerospike.PRIV_WRITE}], policy)
client.admin_revoke_privileges("clerk", [{"code": aerospike.PRIV_TRUNCATE}], policy)
clerk = client.admin_get_role("clerk", policy)
assert [privilege["code"] for privilege in clerk["privileges"]] == [aerospike.PRIV_READ, aerospike.PRIV_WRITE], clerk
assert {"clerk", "read-write", "user-admin"} <= set(client.admin_get_roles(policy))

client.admin_create_user("ben", "first", ["clerk"], policy)
fails(exception.UserExistsError, client.admin_create_user, "ben", "first", ["clerk"], policy)
fails(exception.InvalidRole, client.admin_grant_roles, "ben", ["nobody-has-this"], policy)
client.admin_grant_roles("ben", ["read-write"], policy)
client.admin_revoke_roles("ben", ["clerk"], policy)
assert client.admin_query_user_info("ben", policy)["roles"] == ["read-write"]
assert set(client.admin_query_users_info(policy)) >= {user, "ben"}
client.admin_set_password("ben", "second", policy)
ben = aerospike.client({**config, "user": "ben", "password": "second"})
ben.put(("test", "people", 1), {"a": 1})
fails(exception.RoleViolation, ben.admin_drop_user, user, policy)
ben.admin_change_password("ben", "third", policy)
ben.close()
fails(exception.AerospikeError, aerospike.client, {**config, "user": "ben", "password": "second"})
aerospike.client({**config, "user": "ben", "password": "third"}).close()
client.admin_drop_role("clerk", policy)
client.admin_drop_user("ben", policy)
fails(exception.InvalidUser, client.admin_query_user_info, "ben", policy)
client.close()
print("done")
