"""Users, roles, indexes and modules of functions, with both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster


@pytest.fixture
def admin(make_client: Callable[..., Any]) -> Iterator[Any]:
    with BackgroundCluster(users={"admin": "secret"}, quotas=True) as cluster:
        client = make_client(hosts=cluster.hosts, user="admin", password="secret").connect()
        client.hosts = cluster.hosts
        yield client
        client.close()


def test_users(admin: Any, make_client: Callable[..., Any]):
    assert admin.admin_create_user("ann", "pw", ["read"]) is None
    assert admin.admin_grant_roles("ann", ["write"]) is None
    info = admin.admin_query_user_info("ann")
    assert (info["user"], info["roles"], info["conns_in_use"]) == ("ann", ["read", "write"], 0)
    assert (info["read_info"], info["write_info"]) == ([0, 0, 0, 0], [0, 0, 0, 0])
    assert admin.admin_revoke_roles("ann", ["read"]) is None
    assert sorted(user["user"] for user in admin.admin_query_users_info()) == ["admin", "ann"]
    assert admin.admin_change_password("ann", "new", {"timeout": 5000}) is None
    ann = make_client(hosts=admin.hosts).connect("ann", "new")
    ann.put(("test", "s", 1), {"a": 1})
    with pytest.raises(aerospike.AdminError) as caught:
        ann.admin_create_user("bob", "pw", [])
    assert caught.value.result_code == aerospike.AEROSPIKE_ERR_ROLE_VIOLATION
    ann.close()
    assert admin.admin_drop_user("ann") is None
    with pytest.raises(aerospike.AdminError) as caught:
        admin.admin_drop_user("ann")
    assert caught.value.result_code == aerospike.AEROSPIKE_ERR_INVALID_USER


def test_roles(admin: Any):
    privileges = [
        {"code": aerospike.PRIV_READ, "ns": "test", "set": "s"},
        {"code": "write"},
        {"code": aerospike.PRIV_USER_ADMIN, "ns": None, "set": None},
    ]
    assert admin.admin_create_role("clerk", privileges, None, ["10.0.0.0/8"], 1, 2) is None
    assert admin.admin_query_role("clerk") == {
        "name": "clerk",
        "privileges": [
            {"code": aerospike.PRIV_READ, "ns": "test", "set": "s"},
            {"code": aerospike.PRIV_WRITE, "ns": "", "set": ""},
            {"code": aerospike.PRIV_USER_ADMIN},
        ],
        "allowlist": ["10.0.0.0/8"],
        "read_quota": 1,
        "write_quota": 2,
    }
    assert admin.admin_grant_privileges("clerk", [{"code": aerospike.PRIV_TRUNCATE}]) is None
    assert admin.admin_revoke_privileges("clerk", privileges) is None
    assert admin.admin_set_whitelist("clerk", []) is None
    assert admin.admin_set_quotas("clerk", write_quota=20) is None
    changed = admin.admin_query_role("clerk")
    assert [privilege["code"] for privilege in changed["privileges"]] == [aerospike.PRIV_TRUNCATE]
    assert (changed["allowlist"], changed["read_quota"], changed["write_quota"]) == ([], 0, 20)
    assert "clerk" in [role["name"] for role in admin.admin_query_roles()]
    assert admin.admin_drop_role("clerk") is None
    with pytest.raises(aerospike.AdminError):
        admin.admin_query_role("clerk")


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda c: c.admin_create_role("r", [{}]), r"privileges\[0\]: got \{\}, allowed: a dict of code, ns and set"),
        (lambda c: c.admin_create_role("r", [{"code": 99}]), r"Privilege\.code: got 99"),
        (lambda c: c.admin_create_role("r", [{"code": 10, "namespace": "x"}]), r"unknown field 'namespace'"),
        (lambda c: c.admin_create_role("r", {"code": 10}), r"privileges: got"),
        (lambda c: c.admin_create_user("", "pw", []), r"user: got ''"),
        (lambda c: c.admin_set_quotas("r", -1), r"read_quota: got -1"),
        (lambda c: c.index_integer_create("test", "s", "b" * 16, "i"), r"bbbbbbbbbbbbbbbb"),
        (lambda c: c.index_remove("test", ""), r"name: got ''"),
        (lambda c: c.udf_put("x.lua", 1), r"udf_type: got 1"),
        (lambda c: c.udf_put("/there/is/no/such/file.lua"), r"cannot be read"),
        (lambda c: c.apply(("test", "s", 1), "", "f"), r"module: got ''"),
        (lambda c: c.apply(("test", "s", 1), "m", "f", 5), r"arguments: got 5"),
        (lambda c: c.apply(("test", "s", 1), "m", "f", [], {"exists": 4}), r"without checks of existence"),
    ],
)
def test_slips_are_refused_before_anything_is_sent(client: Any, call: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError, match=message):
        call(client)


def test_indexes_are_ready_when_they_have_been_made(client: Any):
    client.put(("test", "indexed", 1), {"i": 1, "g": 1})
    assert client.index_integer_create("test", "indexed", "i", "compat_i") is None
    found = client.query("test", "indexed")
    found.where(aerospike.predicates.equals("i", 1))
    assert len(found.results()) == 1
    with pytest.raises(aerospike.IndexFoundError) as caught:
        client.index_integer_create("test", "indexed", "other", "compat_i")
    assert caught.value.result_code == aerospike.AEROSPIKE_ERR_INDEX_FOUND
    assert client.index_remove("test", "compat_i") is None
    assert client.index_remove("test", "compat_i") is None
    with pytest.raises(aerospike.IndexNotFound):
        found.results()


def test_an_index_in_no_namespace_is_an_error_and_nothing_to_wait_for(client: Any):
    for call in (
        lambda: client.index_integer_create("nope", "s", "i", "compat_nope"),
        lambda: client.index_remove("nope", "compat_nope"),
    ):
        with pytest.raises(aerospike.ServerError) as caught:
            call()
        assert caught.value.result_code == aerospike.AEROSPIKE_ERR_INVALID_NAMESPACE


def test_modules_of_functions(client: Any, tmp_path: Path):
    pytest.importorskip("lupa")
    module = tmp_path / f"m{tmp_path.name.replace('-', '_')[-20:]}.lua"
    module.write_text("function add(rec, a, b) return a + b end\nfunction fail(rec) error('boom') end\n")
    key = ("test", "applied", 1)
    assert client.udf_put(str(module)) is None
    assert client.apply(key, module.stem, "add", (1, 2)) == 3
    with pytest.raises(aerospike.UDFError, match="boom") as caught:
        client.apply(key, module.stem, "fail")
    assert caught.value.result_code == aerospike.AEROSPIKE_ERR_UDF
    row = client.batch_apply([key], module.stem, "fail").batch_records[0]
    assert row.result == aerospike.AEROSPIKE_ERR_UDF
    assert row.record.bins["FAILURE"].endswith("boom")
    assert not row.record.bins["FAILURE"].startswith("batch")
    assert client.udf_remove(module.name) is None
    assert client.udf_remove(module.stem) is None
    with pytest.raises(aerospike.UDFError):
        client.apply(key, module.stem, "add", [1, 2])
    module.write_text("function (")
    with pytest.raises(aerospike.UDFError, match="does not compile"):
        client.udf_put(str(module))


@pytest.mark.parametrize("separator", ["\t", "\n", ";", ":", "="])
def test_separators_in_names_are_refused_before_anything_is_sent(client: Any, separator: str):
    name = f"a{separator}b"
    for call in (
        lambda: client.truncate("test", name),
        lambda: client.truncate(name, "s"),
        lambda: client.index_integer_create("test", name, "b", "i"),
        lambda: client.index_integer_create("test", "s", name, "i"),
        lambda: client.index_string_create("test", "s", "b", name),
        lambda: client.index_geo2dsphere_create(name, "s", "b", "i"),
        lambda: client.index_remove("test", name),
        lambda: client.udf_remove(name),
    ):
        with pytest.raises(aerospike.InvalidArgError, match="got 'a"):
            call()


def test_a_command_that_holds_a_tab_gets_its_own_answer(client: Any):
    assert client.info_random_node("truncate:namespace=test;set=a\tb") == "ok"
    assert {result.response for result in client.info_all("namespace/a\tb")} == {"type=unknown"}
