"""A forgotten ``async with`` gives an error that shows the right line of code."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import Client
from trio_aerospike._async_with import entered_with
from trio_aerospike.server import open_embedded_cluster

USAGES: dict[str, tuple[Callable[[Client], Any], str]] = {
    "open_client": (
        lambda client: aero.open_client("127.0.0.1"),
        '`async with trio_aerospike.open_client("127.0.0.1:3000") as client:`',
    ),
    "get_many": (
        lambda client: client.get_many([]),
        "`async with client.get_many(keys) as results: async for result in results:`",
    ),
    "put_many": (
        lambda client: client.put_many([]),
        "`async with client.put_many(records) as results: async for result in results:`",
    ),
    "query": (
        lambda client: client.query("test"),
        "`async with client.query(...) as records: async for record in records:`",
    ),
    "aggregate": (
        lambda client: client.aggregate("test", None, "module", "function"),
        "`async with client.aggregate(...) as values: async for value in values:`",
    ),
}


async def awaited(thing: Any) -> None:
    await thing


async def iterated(thing: Any) -> None:
    async for _ in thing:
        pass


async def looped(thing: Any) -> None:
    for _ in thing:
        pass


async def entered(thing: Any) -> None:
    with thing:
        pass


@pytest.mark.parametrize("slip", [awaited, iterated, looped, entered])
@pytest.mark.parametrize("name", USAGES)
async def test_the_error_shows_the_right_line(name: str, slip: Callable[[Any], Any]) -> None:
    make, usage = USAGES[name]
    async with (
        open_embedded_cluster(1, memory=True) as cluster,
        aero.open_client(cluster.hosts, connector=cluster.connector) as client,
    ):
        with pytest.raises((TypeError, RuntimeError)) as caught:
            await slip(make(client))
    assert usage in str(caught.value)


async def test_a_client_that_was_not_entered_has_no_commands() -> None:
    client: Any = aero.open_client("127.0.0.1")
    with pytest.raises(AttributeError, match="no attribute 'get' before the block is entered: use `async with"):
        await client.get(("test", "demo", 1))
    assert "use `async with" in repr(client)


@pytest.mark.parametrize("arguments", [("127.0.0.1:3000",), ({"hosts": [("127.0.0.1", 3000)]},), ()])
def test_a_client_is_not_made_by_its_class(arguments: tuple[Any, ...]) -> None:
    cls: Any = Client
    with pytest.raises(TypeError, match=r"use `async with trio_aerospike.open_client"):
        cls(*arguments)
    with pytest.raises(TypeError, match=r"use `async with trio_aerospike.open_client"):
        cls(*arguments, timeout=1.0)


async def test_blocks_are_entered_and_left_as_ever() -> None:
    left: list[str] = []
    nothing: dict[str, str] = {}

    @entered_with("async with opened() as it:")
    async def opened(value: int) -> AsyncIterator[int]:
        """Doc."""
        try:
            yield value
        except KeyError:
            left.append("swallowed")
        finally:
            left.append("left")

    async with opened(3) as value:
        assert value == 3
    async with opened(4):
        left.append(nothing["missing"])
    async with contextlib.AsyncExitStack() as stack:
        assert await stack.enter_async_context(opened(5)) == 5
    assert left == ["left", "swallowed", "left", "left"]
    assert opened.__doc__ == "Doc."
    assert list(inspect.signature(opened).parameters) == ["value"]
    assert isinstance(opened(1), contextlib.AbstractAsyncContextManager)
