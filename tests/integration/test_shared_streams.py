"""Several tasks read one stream, some of which give up: on embedded clusters and on real ones."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio

from trio_aerospike import BatchPolicy, Client, Key, predicates
from trio_aerospike.errors import UDFError
from trio_aerospike.indexes import IndexType

from .conftest import NAMESPACE

COUNT = 400
SETS = [f"shared-{number}" for number in range(4)]
LIMIT = BatchPolicy(total_timeout=60.0)

SOURCE = b"""
local function number(rec) return rec.n end
local function checked(rec)
  if rec.n == 7 then error("seven") end
  return rec.n
end
function numbers(stream) return stream : map(number) end
function fails(stream) return stream : map(checked) end
"""


class Filled:
    """Records 0 to COUNT - 1 of a set of their own, with an index and a module of functions."""

    def __init__(self, client: Client, set_name: str, name: str) -> None:
        self.client = client
        self.set_name = set_name
        self.name = name

    def key(self, number: int) -> Key:
        return Key(NAMESPACE, self.set_name, number)

    def open(self, kind: str) -> Any:
        client, numbers = self.client, range(COUNT)
        match kind:
            case "get_many":
                return client.get_many(map(self.key, numbers), in_flight=16, policy=LIMIT)
            case "put_many":
                rows = ((self.key(number), {"n": number}) for number in numbers)
                return client.put_many(rows, in_flight=16, policy=LIMIT)
            case "scan":
                return client.query(NAMESPACE, self.set_name)
            case "query":
                return client.query(NAMESPACE, self.set_name, where=predicates.between("n", 0, COUNT))
        return client.aggregate(NAMESPACE, self.set_name, self.name, "numbers", source=SOURCE)


@pytest.fixture
async def filled(client: Client) -> AsyncIterator[Filled]:
    there = Filled(client, secrets.choice(SETS), f"shared_{secrets.token_hex(4)}")
    await client.truncate(NAMESPACE, there.set_name)
    await trio.sleep(0.01)  # truncation is by the millisecond
    async with there.open("put_many") as written:
        await written.drain()
    await (await client.create_index(NAMESPACE, there.set_name, "n", there.name, IndexType.NUMERIC)).wait(60)
    await client.udf_put(SOURCE, name=f"{there.name}.lua")
    yield there
    await client.drop_index(NAMESPACE, there.name)
    await client.udf_remove(f"{there.name}.lua")
    await client.truncate(NAMESPACE, there.set_name)


def number_of(item: Any) -> int:
    if isinstance(item, int):
        return item
    if hasattr(item, "result_code"):
        assert item.ok, item
        return int(item.key.user_key)
    return int(item["n"])


KINDS = ["get_many", "put_many", "scan", "query", "aggregate"]


@pytest.mark.parametrize("kind", KINDS)
async def test_readers_share_a_stream_and_each_item_goes_to_one(filled: Filled, kind: str) -> None:
    found: Counter[int] = Counter()

    async def read(stream: Any) -> None:
        async for item in stream:
            found[number_of(item)] += 1
            await trio.lowlevel.checkpoint()

    with trio.fail_after(60):
        async with filled.open(kind) as stream, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(read, stream)
    assert found == Counter(range(COUNT))


@pytest.mark.parametrize("kind", KINDS)
async def test_readers_that_are_cancelled_again_and_again_lose_nothing(filled: Filled, kind: str) -> None:
    found: Counter[int] = Counter()
    rng = random.Random(7)
    gave_up = 0

    async def read(stream: Any, wait: Callable[[], float]) -> None:
        nonlocal gave_up
        over = False
        while not over:
            with trio.move_on_after(wait()) as scope:
                async for item in stream:
                    found[number_of(item)] += 1
                over = True
            gave_up += scope.cancelled_caught

    with trio.fail_after(60):
        async with filled.open(kind) as stream, trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(read, stream, lambda: rng.choice([0, 0.0001, 0.001, 0.01]))
    assert gave_up
    assert found == Counter(range(COUNT))


@pytest.mark.parametrize("kind", KINDS)
async def test_leaving_the_block_ends_the_readers_outside(filled: Filled, kind: str) -> None:
    ended = []

    async def read(stream: Any) -> None:
        try:
            while True:
                await anext(stream)
                await trio.sleep(0.001)
        except trio.ClosedResourceError as error:
            ended.append(error)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            try:
                async with filled.open(kind) as stream:
                    for _ in range(5):
                        nursery.start_soon(read, stream)
                    await anext(stream)
                    raise KeyError(kind)
            except KeyError:
                pass
    assert len(ended) == 5


async def test_an_aggregation_that_fails_ends_for_every_reader(filled: Filled) -> None:
    caught: list[UDFError] = []

    async def read(values: Any) -> None:
        try:
            async for _ in values:
                pass
        except UDFError as error:
            caught.append(error)

    with trio.fail_after(60):
        stream = filled.client.aggregate(NAMESPACE, filled.set_name, filled.name, "fails", source=SOURCE)
        async with stream as values:
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(read, values)
            await read(values)
    assert len(caught) == 5 and len(set(map(id, caught))) == 5
    assert all("seven" in str(error) for error in caught)


async def test_one_may_read_while_another_gives_up_in_the_midst_of_an_aggregation(filled: Filled) -> None:
    # The first reader has the work begun and is gone before there is anything.
    async with filled.open("aggregate") as values:
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(values)
        with trio.move_on_after(0.0005):
            await anext(values)
        with trio.fail_after(60):
            rest = [number async for number in values]
    assert len(rest) >= COUNT - 1 and len(set(rest)) == len(rest)
