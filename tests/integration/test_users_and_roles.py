"""Users and roles through the client, against an embedded cluster with security (a Community Edition has none)."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from tests.integration.peers.test_server import PYTHON, SCRIPTS
from trio_aerospike import AdminError, Client, InvalidArgError, RecordNotFound, open_client
from trio_aerospike.config import AuthMode
from trio_aerospike.errors import AerospikeTimeoutError, ResultCode
from trio_aerospike.policies import AdminPolicy
from trio_aerospike.security import Privilege, PrivilegeCode, Role, Usage, User
from trio_aerospike.server import EmbeddedCluster, Fault, UserSpec, open_embedded_cluster

KEY = ("test", "people", "ann")


@pytest.fixture(params=[1, 3], ids=["one node", "three nodes"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[EmbeddedCluster]:
    users: dict[str, str | UserSpec] = {"admin": "secret", "reader": UserSpec("secret", ["read"])}
    async with open_embedded_cluster(request.param, memory=True, users=users, quotas=True) as cluster:
        yield cluster


@pytest.fixture
async def admin(cluster: EmbeddedCluster) -> AsyncIterator[Client]:
    async with open_client(cluster.hosts, connector=cluster.connector, user="admin", password="secret") as client:
        yield client


def as_user(cluster: EmbeddedCluster, user: str, password: str) -> Any:
    return open_client(cluster.hosts, connector=cluster.connector, user=user, password=password)


async def refused(command: Any, code: ResultCode, *words: str) -> None:
    with pytest.raises(AdminError) as caught:
        await command
    assert caught.value.result_code == code
    assert all(word in str(caught.value) for word in words), caught.value


async def test_a_new_user_logs_in_and_does_what_its_roles_permit(cluster: EmbeddedCluster, admin: Client) -> None:
    await admin.admin_create_user("ann", "pass", ["read-write"])
    async with as_user(cluster, "ann", "pass") as client:
        await client.put(KEY, {"a": 1})
        await refused(client.admin_drop_user("reader"), ResultCode.ROLE_VIOLATION, "reader")
    await admin.admin_revoke_roles("ann", ["read-write"])
    await admin.admin_grant_roles("ann", ["read"])
    assert await admin.admin_query_user_info("ann") == User("ann", ("read",))
    async with as_user(cluster, "ann", "pass") as client:
        assert (await client.get(KEY))["a"] == 1
        await refused(client.put(KEY, {"a": 2}), ResultCode.ROLE_VIOLATION)
    await admin.admin_drop_user("ann")
    await refused(admin.admin_query_user_info("ann"), ResultCode.INVALID_USER, "'ann'")
    with pytest.raises(AdminError):
        async with as_user(cluster, "ann", "pass"):
            pass


async def test_all_users_are_listed_with_roles_and_open_connections(cluster: EmbeddedCluster, admin: Client) -> None:
    async with as_user(cluster, "reader", "secret"):
        users = {user.name: user for user in await admin.admin_query_users_info()}
    assert set(users) == {"admin", "reader"}
    assert users["reader"].roles == ("read",)
    assert users["reader"].connections > 0


async def test_a_password_changed_by_its_user_is_used_for_later_logins(cluster: EmbeddedCluster) -> None:
    async with as_user(cluster, "reader", "secret") as client:
        await client.admin_change_password("reader", "another")
        assert cluster.security is not None
        cluster.security.expire_sessions()
        with pytest.raises(AdminError):
            async with as_user(cluster, "reader", "secret"):
                pass
        # The session is over, so the client logs in again, with what it knows now.
        with pytest.raises(RecordNotFound):
            await client.get(KEY)
    async with as_user(cluster, "reader", "another"):
        pass


async def test_an_administrator_gives_others_a_password(cluster: EmbeddedCluster, admin: Client) -> None:
    await admin.admin_change_password("reader", "given")
    async with as_user(cluster, "reader", "given") as client:
        await refused(client.admin_change_password("admin", "mine"), ResultCode.ROLE_VIOLATION)


async def test_a_role_is_made_changed_and_dropped(admin: Client) -> None:
    await admin.admin_create_role(
        "clerk",
        [Privilege("read", "test"), Privilege(PrivilegeCode.WRITE, "test", "people")],
        allowlist=["10.0.0.0/8"],
        read_quota=100,
    )
    clerk = Role(
        "clerk",
        (Privilege(PrivilegeCode.READ, "test"), Privilege(PrivilegeCode.WRITE, "test", "people")),
        ("10.0.0.0/8",),
        read_quota=100,
    )
    assert await admin.admin_query_role("clerk") == clerk
    await admin.admin_grant_privileges("clerk", ["truncate"])
    await admin.admin_revoke_privileges("clerk", [Privilege("write", "test", "people")])
    await admin.admin_set_allowlist("clerk", [])
    await admin.admin_set_quotas("clerk", read_quota=5, write_quota=7)
    changed = Role("clerk", (Privilege("read", "test"), Privilege("truncate")), (), 5, 7)
    assert await admin.admin_query_role("clerk") == changed
    assert changed in await admin.admin_query_roles()
    await admin.admin_drop_role("clerk")
    await refused(admin.admin_query_role("clerk"), ResultCode.INVALID_ROLE, "'clerk'")


async def test_a_user_comes_only_from_where_its_role_may_be_used(cluster: EmbeddedCluster, admin: Client) -> None:
    await admin.admin_create_role("far", ["read"], allowlist=["192.0.2.0/24"])
    await admin.admin_create_user("ann", "pass", ["far"])
    with pytest.raises(AdminError) as caught:
        async with as_user(cluster, "ann", "pass"):
            pass
    assert caught.value.result_code == ResultCode.NOT_WHITELISTED
    await admin.admin_set_allowlist("far", ["127.0.0.1"])
    async with as_user(cluster, "ann", "pass"):
        pass


async def test_a_quota_ends_what_a_user_may_read_in_a_second(
    mock_clock: trio.testing.MockClock,
) -> None:
    users = {"admin": "secret"}
    async with open_embedded_cluster(1, memory=True, users=users, quotas=True) as cluster:
        async with as_user(cluster, "admin", "secret") as admin:
            await admin.put(KEY, {"a": 1})
            await admin.admin_create_role("slow", ["read"], read_quota=3)
            await admin.admin_create_user("ann", "pass", ["slow"])
            async with as_user(cluster, "ann", "pass") as client:
                # Logins are over: they work out hashes in threads, during which no time must be skipped.
                mock_clock.autojump_threshold = 0
                await trio.sleep(1 - trio.current_time() % 1)
                for _ in range(3):
                    await client.get(KEY)
                with pytest.raises(AdminError) as caught:
                    await client.get(KEY)
                assert caught.value.result_code == ResultCode.QUOTA_EXCEEDED
                await trio.sleep(1)
                await client.get(KEY)
                assert (await admin.admin_query_user_info("ann")).reads == Usage(3, 3)


async def test_quotas_that_the_server_does_not_enable_are_refused() -> None:
    async with (
        open_embedded_cluster(1, memory=True, users={"admin": "secret"}) as cluster,
        as_user(cluster, "admin", "secret") as admin,
    ):
        await refused(admin.admin_create_role("r", ["read"], read_quota=1), ResultCode.QUOTAS_NOT_ENABLED, "'r'")


async def test_a_cluster_without_security_says_so() -> None:
    async with (
        open_embedded_cluster(1, memory=True) as cluster,
        open_client(cluster.hosts, connector=cluster.connector) as client,
    ):
        await refused(client.admin_query_users_info(), ResultCode.SECURITY_NOT_SUPPORTED)
        await refused(client.admin_drop_user("ann"), ResultCode.SECURITY_NOT_SUPPORTED)


async def test_a_change_that_is_not_answered_is_in_doubt_and_not_sent_again(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_embedded_cluster(3, memory=True, users={"admin": "secret"}) as cluster:
        async with as_user(cluster, "admin", "secret") as admin:
            seen: list[str] = []

            async def silent(kind: str, message: Any) -> Fault | None:
                if getattr(message, "command", 0) == 11:  # drop role; logins go on
                    seen.append("drop")
                    return Fault.SILENCE
                return None

            for node in cluster.nodes:
                node.on_request = silent
            mock_clock.autojump_threshold = 0
            began = trio.current_time()
            with pytest.raises(AerospikeTimeoutError) as caught:
                await admin.admin_drop_role("r", policy=AdminPolicy(timeout=0.3))
            assert 0.3 <= trio.current_time() - began < 0.4
            assert caught.value.in_doubt
            assert seen == ["drop"]


async def test_a_user_is_who_its_certificate_says() -> None:
    authority = trustme.CA()
    server, ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    authority.configure_trust(ours)
    server.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("ann@example.org", common_name="ann").configure_cert(ours)
    users: dict[str, str | UserSpec] = {"admin": "secret", "ann": UserSpec("unused", ["read-write"])}
    async with open_embedded_cluster(1, users=users, tls=server) as cluster:
        async with open_client(cluster.hosts, auth_mode=AuthMode.PKI, tls=ours, timeout=10.0) as client:
            await client.put(KEY, {"a": 1})
            with pytest.raises(AdminError):
                await client.admin_create_user("ben", "pass")
        async with open_client(cluster.hosts, user="admin", password="secret", tls=ours, timeout=10.0) as admin:
            await admin.admin_create_pki_user("ben", ["read"])
            assert (await admin.admin_query_user_info("ben")).roles == ("read",)
            await admin.admin_drop_user("ann")
        with pytest.raises(AdminError):
            async with open_client(cluster.hosts, auth_mode=AuthMode.PKI, tls=ours, timeout=10.0):
                pass


WRONG: dict[str, tuple[Any, str]] = {
    "no name": (lambda c: c.admin_create_user("", "x"), "admin_create_user.user: got ''"),
    "a long name": (lambda c: c.admin_drop_user("u" * 64), "1 to 63 bytes"),
    "roles as text": (lambda c: c.admin_grant_roles("ann", "read"), "admin_grant_roles.roles: got 'read'"),
    "no roles": (lambda c: c.admin_revoke_roles("ann", []), "admin_revoke_roles.roles: got []"),
    "no privileges": (lambda c: c.admin_create_role("r", []), "admin_create_role.privileges: got []"),
    "an unknown right": (lambda c: c.admin_grant_privileges("r", ["rule"]), "Privilege.code: got 'rule'"),
    "no address": (lambda c: c.admin_set_allowlist("r", ["here"]), "admin_set_allowlist.allowlist[0]: got 'here'"),
    "a negative quota": (lambda c: c.admin_set_quotas("r", read_quota=-1), "admin_set_quotas.read_quota: got -1"),
    "a zero byte": (lambda c: c.admin_create_user("u", "a\0"), "admin_create_user.password: got"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_arguments_are_refused_by_name_before_anything_is_sent(admin: Client, case: str) -> None:
    command, words = WRONG[case]
    with pytest.raises(InvalidArgError) as caught:
        await command(admin)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("user-admin", "test"),
            "Privilege.namespace: got 'test', allowed: '', as USER_ADMIN is for",
        ),
        (("read", "", "people"), "Privilege.set_name: got 'people'"),
        ((99,), "Privilege.code: got 99"),
    ],
)
def test_a_right_that_cannot_be_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        Privilege(*arguments)
    assert words in str(caught.value)


@pytest.mark.peers
@pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}: make peers installs the published clients")
@pytest.mark.parametrize("nodes", [1, 3])
async def test_the_published_client_administers_users_and_roles(nodes: int) -> None:
    async with open_embedded_cluster(nodes, users={"admin": "secret"}, quotas=True) as cluster:
        command = [str(PYTHON), str(SCRIPTS / "users.py"), str(cluster.nodes[0].port), "admin", "secret"]
        with trio.fail_after(60):
            result = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert result.stdout.decode().splitlines()[-1:] == ["done"], result.stderr.decode()
