"""Use of a client outside of the Trio run that opened it: an error at once that says what to use instead."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import numpy as np
import pytest
import trio

import trio_aerospike as aero
from tests.integration.stage import KEY, Stage
from trio_aerospike import Client, operations as op
from trio_aerospike.indexes import IndexType
from trio_aerospike.security import Privilege
from trio_aerospike.server import open_embedded_cluster

OTHER_RUN = r"another Trio run.*trio\.from_thread\.run.*aerospike_py"
ASYNCIO = r'this is asyncio: use aerospike_py\.AsyncClient .*backend="trio"'
NO_LOOP = r"no event loop is running here.*trio\.from_thread\.run.*aerospike_py\.client"

Use = Callable[[Client], Awaitable[Any]]

READ = Privilege("read")


def commands() -> dict[str, Use]:
    """A valid use of every public method of the client that has to be awaited, and of its streams."""
    rows = np.zeros(1, dtype=[("_key", "i8"), ("a", "i8")])
    table: dict[str, Use] = {
        "get": lambda c: c.get(KEY),
        "select": lambda c: c.select(KEY, ["a"]),
        "exists": lambda c: c.exists(KEY),
        "find_key": lambda c: c.find_key("test", "threads", 1),
        "put": lambda c: c.put(KEY, {"a": 1}),
        "append": lambda c: c.append(KEY, "s", "x"),
        "prepend": lambda c: c.prepend(KEY, "s", "x"),
        "increment": lambda c: c.increment(KEY, "a", 1),
        "touch": lambda c: c.touch(KEY),
        "remove_bin": lambda c: c.remove_bin(KEY, ["b"]),
        "remove": lambda c: c.remove(KEY),
        "operate": lambda c: c.operate(KEY, [op.read("a")]),
        "operate_ordered": lambda c: c.operate_ordered(KEY, [op.read("a")]),
        "apply": lambda c: c.apply(KEY, "module", "function"),
        "batch_read": lambda c: c.batch_read([KEY] * 5000),
        "batch_write": lambda c: c.batch_write([(KEY, {"a": 1})] * 5000),
        "batch_operate": lambda c: c.batch_operate([KEY] * 5000, [op.read("a")]),
        "batch_remove": lambda c: c.batch_remove([KEY] * 5000),
        "batch_apply": lambda c: c.batch_apply([KEY] * 5000, "module", "function"),
        "batch": lambda c: c.batch([]),
        "batch_read_numpy": lambda c: c.batch_read_numpy([KEY], np.dtype([("a", "i8")])),
        "batch_read_lazy": lambda c: c.batch_read_lazy([]),
        "batch_write_numpy": lambda c: c.batch_write_numpy(rows, "test", "threads"),
        "ping": lambda c: c.ping(),
        "info_all": lambda c: c.info_all("build"),
        "info_random_node": lambda c: c.info_random_node("build"),
        "info_node": lambda c: c.info_node("A1", "build"),
        "truncate": lambda c: c.truncate("test", "other"),
        "statistics": lambda c: c.statistics(),
        "node_statistics": lambda c: c.node_statistics("A1"),
        "namespaces": lambda c: c.namespaces(),
        "namespace_info": lambda c: c.namespace_info("test"),
        "sets": lambda c: c.sets("test"),
        "set_info": lambda c: c.set_info("test", "threads"),
        "index_statistics": lambda c: c.index_statistics("test", "index"),
        "create_index": lambda c: c.create_index("test", "threads", "a", "index", IndexType.NUMERIC),
        "create_set_index": lambda c: c.create_set_index("test", "threads", "index"),
        "drop_index": lambda c: c.drop_index("test", "index"),
        "list_indexes": lambda c: c.list_indexes(),
        "query_operate": lambda c: c.query_operate("test", "threads", [op.write("a", 1)]),
        "query_apply": lambda c: c.query_apply("test", "threads", "module", "function"),
        "udf_put": lambda c: c.udf_put(__file__, name="m.lua"),
        "udf_remove": lambda c: c.udf_remove("m.lua"),
        "udf_list": lambda c: c.udf_list(),
        "udf_get": lambda c: c.udf_get("m.lua"),
        "admin_create_user": lambda c: c.admin_create_user("ann", "secret"),
        "admin_create_pki_user": lambda c: c.admin_create_pki_user("ann"),
        "admin_drop_user": lambda c: c.admin_drop_user("ann"),
        "admin_change_password": lambda c: c.admin_change_password("ann", "secret"),
        "admin_grant_roles": lambda c: c.admin_grant_roles("ann", ["read"]),
        "admin_revoke_roles": lambda c: c.admin_revoke_roles("ann", ["read"]),
        "admin_query_user_info": lambda c: c.admin_query_user_info("ann"),
        "admin_query_users_info": lambda c: c.admin_query_users_info(),
        "admin_create_role": lambda c: c.admin_create_role("role", [READ]),
        "admin_drop_role": lambda c: c.admin_drop_role("role"),
        "admin_grant_privileges": lambda c: c.admin_grant_privileges("role", [READ]),
        "admin_revoke_privileges": lambda c: c.admin_revoke_privileges("role", [READ]),
        "admin_set_allowlist": lambda c: c.admin_set_allowlist("role", ["127.0.0.1"]),
        "admin_set_quotas": lambda c: c.admin_set_quotas("role", read_quota=1),
        "admin_query_role": lambda c: c.admin_query_role("role"),
        "admin_query_roles": lambda c: c.admin_query_roles(),
    }
    return table


def streams() -> dict[str, Use]:
    async def enter(context: Any) -> None:
        async with context:
            raise AssertionError("it was entered")

    async def nothing(_: object) -> None: ...

    return {
        "get_many": lambda c: enter(c.get_many([KEY])),
        "put_many": lambda c: enter(c.put_many([(KEY, {"a": 1})])),
        "query": lambda c: enter(c.query("test", "threads")),
        "query.results": lambda c: c.query("test", "threads").results(),
        "query.foreach": lambda c: c.query("test", "threads").foreach(nothing),
        "aggregate": lambda c: enter(c.aggregate("test", "threads", "m", "f")),
        "aggregate.results": lambda c: c.aggregate("test", "threads", "m", "f").results(),
        "close": lambda c: nothing(c.close()),
    }


USES = commands() | streams()


def test_every_public_method_is_among_them() -> None:
    methods = [name for name in dir(Client) if not name.startswith("_")]
    assert sorted(commands()) == [name for name in methods if inspect.iscoroutinefunction(getattr(Client, name))]


def in_another_run(use: Use, client: Client) -> None:
    trio.run(use, client)


def in_asyncio(use: Use, client: Client) -> None:
    async def main() -> None:
        await use(client)

    asyncio.run(main())


def in_default_anyio(use: Use, client: Client) -> None:
    anyio.run(use, client)


def without_a_loop(use: Use, client: Client) -> None:
    command: Any = use(client)
    try:
        command.send(None)
    finally:
        command.close()


PLACES = [
    pytest.param(in_another_run, OTHER_RUN, id="another run"),
    pytest.param(in_asyncio, ASYNCIO, id="asyncio"),
    pytest.param(in_default_anyio, ASYNCIO, id="anyio"),
    pytest.param(without_a_loop, NO_LOOP, id="no loop"),
]


@pytest.fixture(scope="module", params=[0, 2], ids=["unlimited", "limited"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(timeout=5.0, max_concurrent_operations=request.param)
    try:
        stage.in_trio(stage.client.put, KEY, {"a": 1})
        yield stage
    finally:
        stage.end()


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize(("place", "text"), PLACES)
def test_a_client_used_elsewhere_refuses_at_once_and_goes_on(stage, place, text, name) -> None:
    with pytest.raises(aero.ClientError, match=text):
        place(USES[name], stage.client)
    assert stage.in_trio(stage.client.get, KEY)["a"] == 1


@pytest.mark.parametrize(("place", "text"), PLACES)
def test_streams_and_jobs_that_are_open_refuse_elsewhere_and_go_on(stage, place, text) -> None:
    """Opened in the client's run, used in another thread while the block is open."""
    keys = [aero.Key("test", "open", number) for number in range(20)]

    async def read_on(stream: Any) -> list[Any]:
        return [item async for item in stream]

    async def main() -> None:
        client = stage.client
        for key in keys:
            await client.put(key, {"a": 1})

        async def refused(use: Use) -> None:
            def elsewhere() -> None:
                with pytest.raises(aero.ClientError, match=text):
                    place(use, client)

            await trio.to_thread.run_sync(elsewhere)

        async with client.query("test", "open") as records:
            for use in (
                lambda _: records.__anext__(),
                lambda _: records.read_available(),
                lambda _: read_on(records),
                lambda _: records.results(),
                lambda _: records.foreach(print),
                lambda _: records.__aexit__(None, None, None),
            ):
                await refused(use)
            assert len(await records.results()) == 20
        async with client.get_many(keys) as results:
            await refused(lambda _: read_on(results))
            assert len(await read_on(results)) == 20
        async with client.aggregate("test", "open", "m", "f", source=b"function f(s) return s end") as values:
            for use in (
                lambda _: values.__anext__(),
                lambda _: read_on(values),
                lambda _: values.results(),
                lambda _: values.__aexit__(None, None, None),
            ):
                await refused(use)
        job = await client.query_operate("test", "open", [op.write("b", 1)])
        for use in (lambda _: job.wait(), lambda _: job.wait(5.0), lambda _: job.poll(), lambda _: job.cancel()):
            await refused(use)
        assert (await job.wait(10.0)).done

    stage.in_trio(main)


OPENERS = {
    "open_client": lambda: aero.open_client("127.0.0.1:3000"),
    "open_embedded_cluster": lambda: open_embedded_cluster(),
}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(("place", "text"), PLACES[1:])
def test_opening_outside_of_trio_says_what_to_use(place, text, opener) -> None:
    async def use(_: object) -> None:
        async with OPENERS[opener]():
            raise AssertionError("it was entered")

    with pytest.raises(aero.ClientError, match=f"{opener} .*{text}"):
        place(use, None)


def test_what_the_error_advises_works(stage) -> None:
    async def from_thread() -> Any:
        return await trio.to_thread.run_sync(lambda: trio.from_thread.run(stage.client.get, KEY))

    assert stage.in_trio(from_thread)["a"] == 1

    async def in_anyio() -> None:
        async with open_embedded_cluster() as cluster, aero.open_client(cluster.hosts) as client:
            await client.put(KEY, {"a": 1})

    anyio.run(in_anyio, backend="trio")
