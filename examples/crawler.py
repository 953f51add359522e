"""A crawler in small: many fetchers, one record per page, and no page fetched twice.

Fetchers take addresses from a queue. Before one works on a page it claims it by creating its record: of all that try,
the server lets exactly one through, however many processes crawl. The "web" is made up, so this runs anywhere:

    python examples/crawler.py            (AEROSPIKE_HOSTS names servers; an embedded one is started otherwise)
"""

from __future__ import annotations

import contextlib
import math
import os
import random
from collections.abc import AsyncIterator

import trio

import trio_aerospike as aero
from trio_aerospike.testing import open_embedded_cluster

PAGES = 2_000
LINKS_PER_PAGE = 8
FETCHERS = 100

CREATE = aero.WritePolicy(exists=aero.Exists.CREATE_ONLY)


@contextlib.asynccontextmanager
async def servers() -> AsyncIterator[list[str]]:
    """The seeds to connect to."""
    named = os.environ.get("AEROSPIKE_HOSTS", "")
    if named:
        yield [part.strip() for part in named.split(",")]
    else:
        async with open_embedded_cluster() as cluster:
            yield [f"{host}:{port}" for host, port in cluster.hosts]


async def fetch(page: int) -> list[int]:
    """The links on a page; stands for the network and takes a few milliseconds."""
    await trio.sleep(random.uniform(0.001, 0.005))
    return random.Random(page).sample(range(PAGES), LINKS_PER_PAGE)


class Crawl:
    """What the fetchers share.

    Args:
        client: Where pages are kept.
    """

    def __init__(self, client: aero.Client) -> None:
        self.client = client
        self.seen = 0
        self.stored = 0
        self.waiting = 0
        self.queue_in, self.queue_out = trio.open_memory_channel[int](math.inf)

    def add(self, page: int) -> None:
        """Put a page in the queue."""
        self.waiting += 1
        self.queue_in.send_nowait(page)

    async def visit(self, page: int) -> None:
        """Claim a page, fetch it, store it, follow its links; or leave it to whoever claimed it first."""
        key = aero.Key("test", "pages", page)
        self.seen += 1
        try:
            await self.client.put(key, {"state": "claimed"}, policy=CREATE)
        except aero.RecordExistsError:
            return
        links = await fetch(page)
        await self.client.put(key, {"state": "done", "links": links}, ttl=86_400)
        self.stored += 1
        for link in links:
            self.add(link)

    async def fetcher(self) -> None:
        """Take pages until there are none left to take."""
        async for page in self.queue_out:
            await self.visit(page)
            self.waiting -= 1
            if self.waiting == 0:
                self.queue_in.close()


async def main() -> None:
    """Crawl from page 0 on."""
    async with servers() as seeds, aero.open_client(seeds) as client:
        await client.truncate("test", "pages")
        crawl = Crawl(client)
        crawl.add(0)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(FETCHERS):
                nursery.start_soon(crawl.fetcher)
        seconds = trio.current_time() - began
        page = await client.get(("test", "pages", 0))
        print(f"{crawl.seen:,} links seen, {crawl.stored:,} pages fetched once each, in {seconds:.1f} s")
        print(f"page 0 is {page['state']} and links to {page['links']}")


if __name__ == "__main__":
    trio.run(main)
