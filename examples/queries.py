"""Queries: secondary indexes, filters, pages with a cursor for another process, and background jobs.

    python examples/queries.py

AEROSPIKE_HOSTS ("host:port,host:port") names servers; without it an embedded cluster of three nodes is started.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from typing import Any

import trio

import trio_aerospike as aero
from trio_aerospike import exp, predicates
from trio_aerospike.indexes import Collection, IndexType
from trio_aerospike.query import Cursor, PartitionFilter
from trio_aerospike.testing import open_servers

NAMESPACE, SET = "test", "people"
PEOPLE = 2_000


async def store_people(client: aero.Client) -> None:
    """Write two thousand people from a stream, a bounded number at a time."""
    dice = random.Random(8)
    cities = {"Graz": (15.44, 47.07), "Linz": (14.29, 48.31), "Wien": (16.37, 48.21)}

    def people() -> Iterator[tuple[tuple[str, str, int], dict[str, Any]]]:
        for number in range(PEOPLE):
            city = dice.choice(sorted(cities))
            longitude, latitude = (round(degree + dice.uniform(-0.1, 0.1), 4) for degree in cities[city])
            yield (
                (NAMESPACE, SET, number),
                {
                    "name": f"person {number}",
                    "age": number % 100,
                    "city": city,
                    "likes": dice.sample(["chess", "hiking", "opera", "skiing", "tea"], 2),
                    "home": aero.GeoJSON({"type": "Point", "coordinates": [longitude, latitude]}),
                },
            )

    keep_keys = aero.BatchWritePolicy(send_key=True)
    async with client.put_many(people(), write_policy=keep_keys) as results:
        async for result in results:
            result.unwrap()
    print(f"{results.delivered:,} people stored")


async def make_indexes(client: aero.Client) -> None:
    """Create indexes on a number, on list elements, and on GeoJSON; the servers build them in the background."""
    jobs = [
        await client.create_index(NAMESPACE, SET, "age", "people_age", IndexType.NUMERIC),
        await client.create_index(
            NAMESPACE, SET, "likes", "people_likes", IndexType.STRING, collection=Collection.LIST
        ),
        await client.create_index(NAMESPACE, SET, "home", "people_home", IndexType.GEO2DSPHERE),
    ]
    for job in jobs:
        await job.wait(60)
    mine = [index.name for index in await client.list_indexes(NAMESPACE) if index.set_name == SET]
    print("indexes that are ready:", ", ".join(sorted(mine)))


async def ask(client: aero.Client) -> None:
    """Predicates use an index; a filter is evaluated for each record found."""
    in_their_twenties = predicates.between("age", 20, 29)
    async with client.query(NAMESPACE, SET, where=in_their_twenties, bins=["age"]) as records:
        count = 0
        async for _ in records:
            count += 1
    print(f"in their twenties: {count}")

    hikers = predicates.contains("likes", Collection.LIST, "hiking")
    of_graz = (exp.str_bin("city") == "Graz") & (exp.int_bin("age") < 30)
    found = await client.query(NAMESPACE, SET, where=hikers, filter=of_graz).results()
    assert all("hiking" in person["likes"] and person["city"] == "Graz" for person in found)
    print(f"hikers of Graz under thirty: {len(found)}")

    around = aero.GeoJSON({"type": "AeroCircle", "coordinates": [[14.29, 48.31], 30_000]})
    near = await client.query(NAMESPACE, SET, where=predicates.within_region("home", around), bins=["city"]).results()
    print(f"within 30 km of Linz: {len(near)}, all of them from {', '.join({person['city'] for person in near})}")


async def leave_early(client: aero.Client) -> None:
    """Leaving the block ends a scan, on the servers too."""
    async with client.query(NAMESPACE, SET, filter=exp.int_bin("age") == 99, bins=["name"]) as records:
        async for person in records:
            assert person["name"].endswith("99")
            print("somebody of 99 has been found, and nobody else is looked for")
            break


async def turn_pages(client: aero.Client) -> None:
    """Read pages of 150 people of up to nine years; another process could continue from the cursor."""
    children = predicates.between("age", 0, 9)
    seen: list[object] = []
    pages: list[int] = []
    luggage = b""
    while True:
        cursor: Cursor | None = pickle.loads(luggage) if luggage else None
        async with client.query(
            NAMESPACE, SET, where=children, bins=["age"], max_records=150, cursor=cursor
        ) as records:
            page = [record.key.user_key async for record in records]
        seen += page
        pages.append(len(page))
        if records.cursor.done:
            break
        luggage = pickle.dumps(records.cursor)
    assert len(seen) == len(set(seen))
    print(f"children: {len(seen)} in {len(pages)} pages, nobody twice")


async def share_partitions(client: aero.Client) -> None:
    """Scan with four tasks (or machines), each with a quarter of the 4,096 partitions."""
    counts = [0] * 4

    async def worker(number: int) -> None:
        quarter = PartitionFilter.by_range(number * 1024, 1024)
        async with client.query(NAMESPACE, SET, bins=["age"], partitions=quarter) as records:
            async for _ in records:
                counts[number] += 1

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(worker, number)
    print(f"four workers have seen {sum(counts):,} people between them")


async def write_in_the_background(client: aero.Client) -> None:
    """A background query: the servers change the records themselves, and the client polls their progress."""
    old = exp.int_bin("age") >= 65
    operations = [aero.write("retired", True), aero.write_expression("years", exp.int_bin("age") - 65)]
    job = await client.query_operate(NAMESPACE, SET, operations, filter=old)
    progress = await job.wait(60)
    years = predicates.equals("age", 70)
    someone = (await client.query(NAMESPACE, SET, where=years).results())[0]
    print(f"retired in the background: {progress.succeeded}; at 70 that makes {someone['years']} years")


async def main() -> None:
    """Run all parts."""
    async with open_servers(nodes=3) as seeds, aero.open_client(seeds) as client:
        await client.truncate(NAMESPACE, SET)
        await store_people(client)
        await make_indexes(client)
        await ask(client)
        await leave_early(client)
        await turn_pages(client)
        await share_partitions(client)
        await write_in_the_background(client)
        for name in ("people_age", "people_likes", "people_home"):
            await (await client.drop_index(NAMESPACE, name)).wait(60)
        await client.truncate(NAMESPACE, SET)


if __name__ == "__main__":
    trio.run(main)
