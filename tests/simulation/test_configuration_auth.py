"""The fields `auth_mode`, `user` and `password`: who gets in, for how long, and what they may do."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import trio_aerospike as aero
from trio_aerospike import AuthMode, ResultCode, open_client
from trio_aerospike._cluster.connections.transport import Transport
from trio_aerospike._wire.admin_messages import COMMAND_LOGIN, AdminMessage
from trio_aerospike.server import EmbeddedNode, UserSpec, open_embedded_cluster
from trio_aerospike.server.faults import Request, Verdict

from .configuration import KEY, keys, open_on

INTERNAL = {"ann": "secret"}
EXTERNAL = {"ldap_user": UserSpec("ldap_pass", external=True)}


# A password is hashed in a thread, which a clock that jumps would not wait for: these clocks stand still until told.


@pytest.mark.parametrize("nodes", [1, 3])
async def test_an_internal_user_logs_in_on_every_node(mock_clock: MockClock, nodes: int) -> None:
    async with open_embedded_cluster(nodes, memory=True, users=INTERNAL) as cluster:
        async with open_on(cluster, user="ann", password="secret", auth_mode=AuthMode.INTERNAL) as client:
            assert len(client.node_names()) == nodes
            for key in keys(30):
                await client.put(key, {"a": 1})
            assert (await client.get(KEY)).bins == {"a": 1}
            assert all(result.ok for result in await client.batch_read(keys(30)))
            assert len(await client.info_all("namespaces")) == nodes
        assert all(node.stats.requests["admin"] for node in cluster.nodes)


async def test_a_password_may_hold_any_letters(mock_clock: MockClock) -> None:
    async with open_embedded_cluster(1, memory=True, users={"änn": "geheim ✓ {}'"}) as cluster:
        async with open_on(cluster, user="änn", password="geheim ✓ {}'") as client:
            await client.put(KEY, {"a": 1})


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [
        ("ann", "guessed", ResultCode.INVALID_CREDENTIAL),
        ("ann", "", ResultCode.INVALID_CREDENTIAL),
        ("bob", "secret", ResultCode.INVALID_USER),
    ],
    ids=["wrong password", "no password", "unknown user"],
)
async def test_a_login_that_is_refused_gives_the_servers_error(
    mock_clock: MockClock, user: str, password: str, code: ResultCode
) -> None:
    async with open_embedded_cluster(3, memory=True, users=INTERNAL) as cluster:
        with pytest.raises(aero.AdminError) as info:
            async with open_on(cluster, user=user, password=password):
                pytest.fail("the server let anybody in")
        assert info.value.result_code == code
        assert user in str(info.value)
        assert "secret" not in str(info.value)
        assert "guessed" not in str(info.value)
        assert sum(node.stats.requests["message"] for node in cluster.nodes) == 0


async def test_a_client_without_a_user_is_refused_by_a_server_with_security(mock_clock: MockClock) -> None:
    async with open_embedded_cluster(1, memory=True, users=INTERNAL) as cluster:
        with pytest.raises(aero.AdminError, match="not authenticated") as info:
            async with open_on(cluster):
                pytest.fail("the server let anybody in")
        assert info.value.result_code == ResultCode.NOT_AUTHENTICATED
        assert "in-memory.invalid:3000" in str(info.value)


async def test_a_user_is_welcome_where_none_is_wanted(mock_clock: MockClock) -> None:
    """As with the other clients: a server without security takes everybody."""
    async with open_embedded_cluster(3, memory=True) as cluster:
        async with open_on(cluster, user="ann", password="secret") as client:
            await client.put(KEY, {"a": 1})
            assert len(client.node_names()) == 3


async def test_an_external_user_over_plain_tcp_is_warned_that_the_password_travels_in_clear() -> None:
    async with open_embedded_cluster(1, users=EXTERNAL) as cluster:
        with pytest.warns(UserWarning, match="'ldap_user' travels in clear"):
            async with open_client(
                cluster.hosts, user="ldap_user", password="ldap_pass", auth_mode=AuthMode.EXTERNAL
            ) as client:
                await client.put(KEY, {"a": 1})
                assert (await client.get(KEY)).bins == {"a": 1}


async def test_an_internal_user_is_warned_of_nothing(mock_clock: MockClock) -> None:
    async with open_embedded_cluster(1, memory=True, users=INTERNAL) as cluster:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async with open_on(cluster, user="ann", password="secret"):
                pass


@pytest.mark.parametrize("password", ["ldap_pass", "wrong"])
async def test_the_directory_knows_the_password_and_not_its_hash(mock_clock: MockClock, password: str) -> None:
    """An external user cannot come in by the internal mode, nor with a wrong password by the external one."""
    mode = AuthMode.INTERNAL if password == "ldap_pass" else AuthMode.EXTERNAL
    async with open_embedded_cluster(1, memory=True, users=EXTERNAL) as cluster:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with pytest.raises(aero.AdminError) as info:
                async with open_on(cluster, user="ldap_user", password=password, auth_mode=mode):
                    pytest.fail("the server let anybody in")
        assert info.value.result_code == ResultCode.INVALID_CREDENTIAL


async def test_a_user_without_the_permission_gets_the_servers_error(mock_clock: MockClock) -> None:
    users = {"reader": UserSpec("r", roles=["read"]), "writer": UserSpec("w", roles=["write"])}
    async with open_embedded_cluster(3, memory=True, users=users) as cluster:
        async with (
            open_on(cluster, user="reader", password="r") as reader,
            open_on(cluster, user="writer", password="w") as writer,
        ):
            await writer.put(KEY, {"a": 1})
            assert (await reader.get(KEY)).bins == {"a": 1}
            refused = [
                lambda: reader.put(KEY, {"a": 2}),
                lambda: reader.remove(KEY),
                lambda: reader.operate(KEY, [aero.increment("a", 1), aero.read("a")]),
                lambda: writer.get(KEY),
                lambda: writer.exists(KEY),
                lambda: reader.truncate("test", KEY.set_name),
            ]
            for call in refused:
                with pytest.raises(aero.AdminError) as info:
                    await call()
                assert info.value.result_code == ResultCode.ROLE_VIOLATION
                assert not info.value.in_doubt
            [row] = await writer.batch_read([KEY])
            assert row.result_code == ResultCode.ROLE_VIOLATION
            assert (await reader.get(KEY)).bins == {"a": 1}


async def test_connections_that_wait_for_a_login_use_its_session(mock_clock: MockClock) -> None:
    """One of them logs in; the others look again behind it, and do not log in one after the other."""
    async with open_embedded_cluster(memory=True, users=INTERNAL) as cluster:
        seen: list[int] = []

        async def hook(kind: str, request: Request) -> Verdict:
            if isinstance(request, AdminMessage):
                seen.append(request.command)
            return None

        cluster.nodes[0].on_request = hook
        async with open_on(cluster, user="ann", password="secret") as client:
            [node] = client._cluster.active_nodes()
            for stale in (False, True):
                if stale:
                    node.session._token = b"of another server"  # as after a restart: refused, and then forgotten
                else:
                    node.session.invalidate()
                seen.clear()
                transports: list[Transport] = []

                async def connect() -> None:
                    transports.append(await node.open_transport())  # noqa: B023

                async with trio.open_nursery() as nursery:
                    for _ in range(20):
                        nursery.start_soon(connect)
                assert seen.count(COMMAND_LOGIN) == 1
                assert len(transports) == 20
                for transport in transports:
                    await transport.aclose()


@pytest.mark.slow
async def test_the_session_is_renewed_before_it_ends(mock_clock: MockClock) -> None:
    """By the tend loop, whether commands need it or not: no connection is opened with a token about to end."""
    async with open_embedded_cluster(3, memory=True, users=INTERNAL, session_ttl=600) as cluster:
        logins: dict[str, list[float]] = {node.name: [] for node in cluster.nodes}

        def listen(node: EmbeddedNode) -> None:
            async def hook(kind: str, request: Request) -> Verdict:
                if isinstance(request, AdminMessage) and request.command == COMMAND_LOGIN:
                    logins[node.name].append(trio.current_time())
                return None

            node.on_request = hook

        for node in cluster.nodes:
            listen(node)
        async with open_on(cluster, user="ann", password="secret", idle_timeout=5.0) as client:
            mock_clock.autojump_threshold = 0
            began = trio.current_time()
            await trio.sleep(1800)
            for key in keys(30):
                await client.put(key, {"a": 1})
        for times in logins.values():
            times = [began, *(time for time in times if time > began), began + 1800]
            gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
            assert max(gaps) < 600, "never too late"
            assert min(gaps[:-1]) > 400, "and not in every round"


async def test_a_session_that_the_server_ends_early_is_begun_anew(mock_clock: MockClock) -> None:
    async with open_embedded_cluster(1, memory=True, users=INTERNAL) as cluster:
        async with open_on(cluster, user="ann", password="secret", idle_timeout=5.0) as client:
            mock_clock.autojump_threshold = 0
            assert cluster.security is not None
            for _ in range(3):
                await client.put(KEY, {"a": 1})
                cluster.security.expire_sessions()
                await trio.sleep(20)  # the connection has been idle for too long: the next one needs a session
                await client.put(KEY, {"a": 2})


async def test_nodes_that_join_later_are_logged_in_on(mock_clock: MockClock) -> None:
    async with open_embedded_cluster(2, memory=True, users=INTERNAL) as cluster:
        async with open_on(cluster, user="ann", password="secret") as client:
            mock_clock.autojump_threshold = 0
            node = await cluster.add_node()
            await cluster.wait_stable()
            await trio.sleep(2)
            assert client.node_names() == ["A1", "A2", "A3"]
            for key in keys(60):
                await client.put(key, {"a": 1})
            assert node.stats.requests["message"]
            assert node.stats.requests["admin"]


@pytest.mark.parametrize("fields", [{"password": "secret"}, {"auth_mode": aero.AuthMode.EXTERNAL}])
async def test_what_is_given_for_a_login_without_a_name_is_refused(fields: Any, autojump_clock: MockClock) -> None:
    async with open_embedded_cluster(memory=True) as cluster:
        with pytest.raises(aero.InvalidArgError, match=r"ClientConfig\.user"):
            async with aero.open_client(cluster.hosts, connector=cluster.connector, **fields):
                raise AssertionError
        assert cluster.node(0).stats.connections_total == 0
