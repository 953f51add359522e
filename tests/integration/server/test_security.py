"""Logins, sessions, rights and the administration of users, as an administrator's and a user's client see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from tests.integration.server_peer import Peer, connected, delete_message, get_message, put_message
from trio_aerospike._wire import admin, admin_messages, constants as wire
from trio_aerospike._wire.admin import LoginAnswer, Privilege, Role, hash_password
from trio_aerospike._wire.batch import encode_batch_read
from trio_aerospike._wire.batch_answers import decode_batch_response
from trio_aerospike._wire.digests import compute_digest
from trio_aerospike._wire.messages import Field
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import EmbeddedCluster, UserSpec, open_embedded_cluster

SECRET = hash_password("secret")


@asynccontextmanager
async def secured(**options: Any) -> AsyncIterator[EmbeddedCluster]:
    users: dict[str, str | UserSpec] = {
        "admin": "secret",
        "reader": UserSpec("secret", ["read"]),
        "writer": UserSpec("secret", ["write"]),
        "far": UserSpec("elsewhere", ["read-write"], external=True),
    }
    async with open_embedded_cluster(1, memory=True, users=users, **options) as cluster:
        yield cluster


async def login(peer: Peer, user: str, credential: bytes = SECRET, clear: str | None = None) -> LoginAnswer:
    return admin.decode_login_response(await peer.admin(admin.encode_login(user, credential, clear)))


@asynccontextmanager
async def logged_in(cluster: EmbeddedCluster, user: str) -> AsyncIterator[Peer]:
    async with connected(cluster) as peer:
        assert (await login(peer, user)).result_code == ResultCode.OK
        yield peer


async def test_nothing_goes_without_a_login() -> None:
    async with secured() as cluster, connected(cluster) as peer:
        assert await peer.put("k", a=1) == ResultCode.NOT_AUTHENTICATED
        await peer.send(encode_batch_read([(0, "test", "set", compute_digest("set", "k"))]))
        assert decode_batch_response((await peer.receive())[1]) == ([], ResultCode.NOT_AUTHENTICATED)
        await peer.send(admin.encode_query_users())
        assert admin.decode_users((await peer.receive())[1]) == ([], ResultCode.NOT_AUTHENTICATED)
        answer = await peer.info("node")
        assert list(answer) == ["ERROR:80:not authenticated"]


async def test_a_login_opens_the_connection_and_gives_a_token_for_others() -> None:
    async with secured(session_ttl=60) as cluster, connected(cluster) as first, connected(cluster) as second:
        answer = await login(first, "admin")
        assert (answer.result_code, answer.ttl) == (ResultCode.OK, 60)
        assert await first.put("k", a=1) == ResultCode.OK
        assert answer.token is not None
        assert await second.admin_result(admin.encode_authenticate("admin", answer.token)) == ResultCode.OK
        assert await second.get("k") == {"a": 1}


@pytest.mark.parametrize(
    ("user", "credential", "clear", "expected"),
    [
        ("admin", hash_password("wrong"), None, ResultCode.INVALID_CREDENTIAL),
        ("nobody", SECRET, None, ResultCode.INVALID_USER),
        ("far", hash_password("elsewhere"), None, ResultCode.INVALID_CREDENTIAL),
        ("far", hash_password("elsewhere"), "wrong", ResultCode.INVALID_CREDENTIAL),
        ("far", hash_password("elsewhere"), "elsewhere", ResultCode.OK),
        ("admin", SECRET, "secret", ResultCode.OK),
    ],
)
async def test_internal_and_external_logins(
    user: str, credential: bytes, clear: str | None, expected: ResultCode
) -> None:
    async with secured() as cluster, connected(cluster) as peer:
        assert (await login(peer, user, credential, clear)).result_code == expected


async def test_a_session_token_expires(autojump_clock: trio.testing.MockClock) -> None:
    async with secured(session_ttl=60) as cluster, connected(cluster) as first, connected(cluster) as second:
        token = (await login(first, "admin")).token
        assert token is not None
        await trio.sleep(59)
        assert await second.admin_result(admin.encode_authenticate("admin", token)) == ResultCode.OK
        await trio.sleep(1)
        assert await second.admin_result(admin.encode_authenticate("admin", token)) == ResultCode.EXPIRED_SESSION
        assert await first.put("k", a=1) == ResultCode.OK, "connections that were opened in time go on"
        wrong = admin.encode_authenticate("admin", b"no token of ours")
        assert await second.admin_result(wrong) == ResultCode.INVALID_CREDENTIAL


async def test_each_right_is_needed_for_what_it_is_about() -> None:
    async with secured() as cluster:
        async with logged_in(cluster, "reader") as reader, logged_in(cluster, "writer") as writer:
            assert await writer.put("k", a=1) == ResultCode.OK
            assert await reader.put("k", a=1) == ResultCode.ROLE_VIOLATION
            assert (await reader.ask(delete_message("k"))).result_code == ResultCode.ROLE_VIOLATION
            assert await reader.get("k") == {"a": 1}
            assert await writer.get("k") == ResultCode.ROLE_VIOLATION
            both = put_message("k", {"a": 2}, info1=wire.INFO1_READ)
            assert (await writer.ask(both)).result_code == ResultCode.ROLE_VIOLATION
            for peer in (reader, writer):
                answer = await peer.info_one("truncate:namespace=test;set=set")
                assert answer == "ERROR:81:role violation - requires permission 'truncate'"
                drop = admin.encode_drop_user("admin")
                assert await peer.admin_result(drop) == ResultCode.ROLE_VIOLATION
            assert await reader.get("k") == {"a": 1}
        async with logged_in(cluster, "admin") as administrator:
            assert await administrator.info_one("truncate:namespace=test;set=set") == "ok"


async def test_a_right_may_end_at_a_set() -> None:
    async with secured() as cluster, logged_in(cluster, "admin") as administrator:
        role = Role("only-set", (Privilege(admin_messages.PRIVILEGE_READ_WRITE, "test", "set"),))
        assert await administrator.admin_result(admin.encode_create_role(role)) == ResultCode.OK
        create = admin.encode_create_user("bob", SECRET, ["only-set"])
        assert await administrator.admin_result(create) == ResultCode.OK
        async with logged_in(cluster, "bob") as bob:
            assert await bob.put("k", a=1) == ResultCode.OK
            assert await bob.get("k") == {"a": 1}
            elsewhere = get_message("k", fields=(*put_message("k", {}).fields[:1], *put_message("k", {}).fields[2:]))
            assert (await bob.ask(elsewhere)).result_code == ResultCode.ROLE_VIOLATION
            drop = admin.encode_drop_role("only-set")
            assert await administrator.admin_result(drop) == ResultCode.OK
            assert await bob.put("k", a=1) == ResultCode.ROLE_VIOLATION, "rights end with the role"


async def test_users_are_made_changed_and_dropped() -> None:
    async with secured() as cluster, logged_in(cluster, "admin") as administrator:
        ask = administrator.admin_result
        create = admin.encode_create_user("bob", SECRET, ["read"])
        assert await ask(create) == ResultCode.OK
        assert await ask(create) == ResultCode.USER_ALREADY_EXISTS
        assert await ask(admin.encode_create_user("eve", SECRET, ["nonsense"])) == ResultCode.INVALID_ROLE
        assert await ask(admin.encode_grant_roles("bob", ["write"])) == ResultCode.OK
        assert await ask(admin.encode_grant_roles("nobody", ["write"])) == ResultCode.INVALID_USER
        async with logged_in(cluster, "bob") as bob:
            assert await bob.put("k", a=1) == ResultCode.OK
            users, result = admin.decode_users(await administrator.admin(admin.encode_query_users("bob")))
            assert result == ResultCode.OK
            assert [(user.name, user.roles, user.connections) for user in users] == [("bob", ("read", "write"), 1)]
            users, _ = admin.decode_users(await bob.admin(admin.encode_query_users("bob")))
            assert [user.name for user in users] == ["bob"], "everybody may ask about himself"
            new = hash_password("new")
            change = admin.encode_change_password("bob", hash_password("wrong"), new)
            assert await bob.admin_result(change) == ResultCode.INVALID_PASSWORD
            assert await bob.admin_result(admin.encode_change_password("bob", SECRET, new)) == ResultCode.OK
            assert await ask(admin.encode_revoke_roles("bob", ["write"])) == ResultCode.OK
            assert await bob.put("k", a=1) == ResultCode.ROLE_VIOLATION, "a right ends at once"
        async with connected(cluster) as peer:
            assert (await login(peer, "bob", SECRET)).result_code == ResultCode.INVALID_CREDENTIAL
            assert (await login(peer, "bob", new)).result_code == ResultCode.OK
            assert await ask(admin.encode_set_password("bob", SECRET)) == ResultCode.OK
            assert (await login(peer, "bob", SECRET)).result_code == ResultCode.OK
            assert await ask(admin.encode_drop_user("bob")) == ResultCode.OK
            assert await ask(admin.encode_drop_user("bob")) == ResultCode.INVALID_USER
            assert await peer.get("k") == ResultCode.ROLE_VIOLATION, "a dropped user has no rights"
        users, _ = admin.decode_users(await administrator.admin(admin.encode_query_users()))
        assert {user.name for user in users} == {"admin", "reader", "writer", "far"}


async def test_roles_are_made_changed_and_dropped() -> None:
    async with secured() as cluster, logged_in(cluster, "admin") as administrator:
        ask = administrator.admin_result
        role = Role("mine", (Privilege(admin_messages.PRIVILEGE_READ, "test"),))
        assert await ask(admin.encode_create_role(role)) == ResultCode.OK
        assert await ask(admin.encode_create_role(role)) == ResultCode.ROLE_ALREADY_EXISTS
        more = Privilege(admin_messages.PRIVILEGE_WRITE, "test", "set")
        assert await ask(admin.encode_grant_privileges("mine", [more])) == ResultCode.OK
        assert await ask(admin.encode_grant_privileges("read", [more])) == ResultCode.INVALID_ROLE
        assert await ask(admin.encode_grant_privileges("mine", [Privilege(9)])) == ResultCode.INVALID_PRIVILEGE
        roles, _ = admin.decode_roles(await administrator.admin(admin.encode_query_roles("mine")))
        assert roles == [Role("mine", (*role.privileges, more))]
        assert await ask(admin.encode_revoke_privileges("mine", role.privileges)) == ResultCode.OK
        roles, _ = admin.decode_roles(await administrator.admin(admin.encode_query_roles()))
        assert Role("mine", (more,)) in roles
        assert {"read", "write", "read-write", "user-admin", "truncate"} <= {role.name for role in roles}
        assert await ask(admin.encode_drop_role("mine")) == ResultCode.OK
        assert await ask(admin.encode_drop_role("read")) == ResultCode.INVALID_ROLE
        assert await ask(admin.encode_set_quotas("read", 1, 1)) == ResultCode.INVALID_ROLE  # the server's own stay


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role("x" * 63, (Privilege(admin_messages.PRIVILEGE_READ),)), ResultCode.OK),
        (Role("x" * 64, (Privilege(admin_messages.PRIVILEGE_READ),)), ResultCode.INVALID_ROLE),
        (Role("mine", (Privilege(99),)), ResultCode.INVALID_PRIVILEGE),
        (Role("mine", (Privilege(admin_messages.PRIVILEGE_READ, "", "set"),)), ResultCode.INVALID_PRIVILEGE),
        (Role("mine", (Privilege(admin_messages.PRIVILEGE_READ, "n" * 32),)), ResultCode.INVALID_PRIVILEGE),
        (Role("mine", (Privilege(admin_messages.PRIVILEGE_READ, "test", "s" * 64),)), ResultCode.INVALID_PRIVILEGE),
        (Role("mine"), ResultCode.OK),
    ],
)
async def test_a_role_with_an_invalid_name_or_privilege_is_refused(role: Role, expected: ResultCode) -> None:
    fields = [Field(admin_messages.ADMIN_ROLE, role.name.encode())]
    if role.privileges:
        fields.append(admin.privileges_field(role.privileges))
    async with secured() as cluster, logged_in(cluster, "admin") as administrator:
        frame = admin_messages.admin_request(admin_messages.COMMAND_CREATE_ROLE, *fields)
        assert await administrator.admin_result(frame) == expected
        roles, result = admin.decode_roles(await administrator.admin(admin.encode_query_roles()))
        assert result == ResultCode.OK
        assert (role.name in {known.name for known in roles}) is (expected == ResultCode.OK)


@pytest.mark.parametrize(
    ("name", "password", "expected"),
    [
        ("", SECRET, ResultCode.INVALID_USER),
        ("u" * 64, SECRET, ResultCode.INVALID_USER),
        ("bob", b"", ResultCode.INVALID_PASSWORD),
        ("bob", b"p" * 64, ResultCode.INVALID_PASSWORD),
        ("u" * 63, SECRET, ResultCode.OK),
    ],
)
async def test_a_user_with_an_invalid_name_or_password_is_refused(name: str, password: bytes, expected: int) -> None:
    fields = [Field(admin_messages.ADMIN_USER, name.encode()), Field(admin_messages.ADMIN_PASSWORD, password)]
    async with secured() as cluster, logged_in(cluster, "admin") as administrator:
        frame = admin_messages.admin_request(admin_messages.COMMAND_CREATE_USER, *fields)
        assert await administrator.admin_result(frame) == expected
        assert admin.decode_users(await administrator.admin(admin.encode_query_users()))[1] == ResultCode.OK


async def test_a_server_without_security_says_so_and_serves_everybody() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        assert (await login(peer, "admin")).result_code == ResultCode.SECURITY_NOT_SUPPORTED
        assert await peer.put("k", a=1) == ResultCode.OK
