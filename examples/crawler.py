"""A polite crawler with all its state in the database, so that it can be stopped and resumed.

It crawls a small web of eight hosts that it serves itself on 127.0.0.1: pages with links, redirects, missing pages,
pages that are busy at first, and pages that robots.txt disallows. It uses no network.

    python examples/crawler.py                  the tour: stop half way, then resume
    python examples/crawler.py --stop-after 100 stop after 100 pages
    python examples/crawler.py --fresh          delete the state of earlier runs

AEROSPIKE_HOSTS ("host:port,host:port") names servers, and then runs can be spread over processes and days; without it
an embedded cluster is started. Ctrl-C stops cleanly: addresses in hand go back to the queues. Needs rich:

    pip install 'trio-aerospike[cli]'

The web and the parsing of pages are in the folder crawling. The sets, for --crawl NAME:

    NAME_pages   a record for each known address: the seen-set. `put_many` creates them, `get_many` looks up many
                 addresses at once.
    NAME_hosts   a record for each host: its queue (a list), addresses in hand (a map), the time of the next request,
                 and counts. A crawler leases a host with a write that checks the generation it has read: if several
                 try, one succeeds. So there is one request at a time to a host, with pauses, however many crawlers
                 there are. A secondary index finds hosts that are due. If a crawler dies, its lease expires, and
                 others find the addresses that it had in hand.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import secrets
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from urllib.parse import urljoin, urlsplit

import trio
from crawling.pages import PAUSE, LinkReader, Rules, Visit
from crawling.web import CRAWL_DELAY, SmallWeb
from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live
from rich.table import Table

import trio_aerospike as aero
from trio_aerospike import exp, lists, maps, predicates
from trio_aerospike.indexes import IndexType
from trio_aerospike.testing import open_servers

NAMESPACE = "test"
START = "http://alpha.example/"

console = Console(highlight=False)


# The state in the database --------------------------------------------------------------------------------------

LEASE_MS = 30_000
CREATE = aero.WritePolicy(exists=aero.Exists.CREATE_ONLY, send_key=True)
CREATE_MANY = aero.BatchWritePolicy(exists=aero.Exists.CREATE_ONLY, send_key=True)
ONCE = exp.ListPolicy(write_flags=exp.ListWrite.ADD_UNIQUE | exp.ListWrite.NO_FAIL | exp.ListWrite.PARTIAL)
HAS_WORK = (exp.lists.size(exp.list_bin("queue")) > 0) | (exp.maps.size(exp.map_bin("in_hand")) > 0)


def now_ms() -> int:
    """Wall-clock time in milliseconds, shared by crawlers on several machines."""
    return int(time.time() * 1000)


def host_of(url: str) -> str:
    """The host of an address."""
    return urlsplit(url).netloc


class Frontier:
    """The known addresses, and those to be visited.

    Args:
        client: The database client.
        name: The name of the crawl: several can share a database.
    """

    def __init__(self, client: aero.Client, name: str) -> None:
        self.client = client
        self.pages = f"{name}_pages"
        self.hosts = f"{name}_hosts"
        self._index = f"{name}_due"
        self._me = secrets.token_hex(4)
        self._known_hosts: set[str] = set()

    def page(self, url: str) -> aero.Key:
        """Return the key of an address."""
        return aero.Key(NAMESPACE, self.pages, url)

    def host(self, name: str) -> aero.Key:
        """Return the key of a host."""
        return aero.Key(NAMESPACE, self.hosts, name)

    async def prepare(self, *, fresh: bool) -> None:
        """Create the index, and delete old state on request."""
        if fresh:
            for set_name in (self.pages, self.hosts):
                await self.client.truncate(NAMESPACE, set_name)
        job = await self.client.create_index(NAMESPACE, self.hosts, "next_at", self._index, IndexType.NUMERIC)
        await job.wait(60)

    async def add(self, urls: Iterable[str], depth: int) -> int:
        """Add unseen addresses to the queues of their hosts; return how many.

        The queue is written first, the seen-set second. If a crawler dies in between, no address is lost: it is found
        again with the page that it came from, and not queued twice, as a queue takes each address once.
        """
        new = defaultdict(list)
        async with self.client.get_many({self.page(url) for url in urls}, bins=[]) as results:
            async for result in results:
                if isinstance(result.error, aero.RecordNotFound):
                    url = str(result.key.user_key)
                    new[host_of(url)].append(url)
                elif result.error is not None:
                    raise result.error
        for host, found in new.items():
            if host not in self._known_hosts:
                with contextlib.suppress(aero.RecordExistsError):
                    empty = {"queue": [], "in_hand": {}, "counts": {}, "next_at": 0}
                    await self.client.put(self.host(host), empty, policy=CREATE)
                self._known_hosts.add(host)
            await self.client.operate(self.host(host), [lists.append_items("queue", found, policy=ONCE)])
        records = ((self.page(url), {"state": "waiting", "depth": depth}) for found in new.values() for url in found)
        created = 0
        async with self.client.put_many(records, write_policy=CREATE_MANY) as results:
            async for result in results:
                if result.error is not None and not isinstance(result.error, aero.RecordExistsError):
                    raise result.error
                created += result.ok
        return created

    async def due_hosts(self) -> list[str]:
        """Return hosts that are due and have addresses in their queue."""
        due = predicates.between("next_at", 0, now_ms())
        query = self.client.query(NAMESPACE, self.hosts, where=due, filter=HAS_WORK, bins=["next_at"])
        return [str(record.key.user_key) for record in await query.results()]

    async def all_hosts(self) -> list[aero.Record]:
        """Return every host with its queue and its counts."""
        records = await self.client.query(NAMESPACE, self.hosts).results()
        return sorted(records, key=lambda record: str(record.key.user_key))

    async def is_finished(self) -> bool:
        """Whether no host has addresses left, in its queue or in hand of a crawler."""
        return not await self.client.query(NAMESPACE, self.hosts, filter=HAS_WORK, bins=["next_at"]).results()

    async def take(self, host: str, most: int) -> list[aero.Record]:
        """Lease a host with some addresses of its queue; return nothing if another crawler was faster."""
        key = self.host(host)
        reads = [lists.get_range("queue", 0, most), aero.read("in_hand"), aero.read("next_at")]
        seen = await self.client.operate(key, reads)
        if seen["next_at"] > now_ms():
            return []
        taken = [*seen["in_hand"], *seen["queue"]]
        writes = [_until(now_ms() + LEASE_MS), aero.write("taken_by", self._me)]
        if seen["queue"]:
            writes += [
                lists.remove_range("queue", 0, len(seen["queue"])),
                maps.put_items("in_hand", dict.fromkeys(seen["queue"], now_ms())),
            ]
        try:
            await self.client.operate(key, writes, generation=seen.generation)
        except aero.RecordGenerationError:
            return []
        found = {}
        async with self.client.get_many([self.page(url) for url in taken]) as results:
            async for result in results:
                # One without a record was queued by a crawler that died before it could note the address as seen.
                found[str(result.key.user_key)] = result.record or aero.Record(result.key, {}, 0, 0)
        return [found[url] for url in taken]

    async def finish(self, page: aero.Record, bins: dict[str, object], count: str) -> None:
        """Store the result of a page, and remove it from the addresses in hand."""
        await self.client.put(page.key, bins, policy=aero.WritePolicy(send_key=True))
        url = str(page.key.user_key)
        done = [maps.remove_by_key("in_hand", url), maps.increment("counts", count), _until(now_ms() + LEASE_MS)]
        await self.client.operate(self.host(host_of(url)), done)

    async def put_off(self, page: aero.Record) -> None:
        """Put an address back at the end of its queue."""
        url = str(page.key.user_key)
        tried = [aero.increment("attempts", 1), aero.write("state", "waiting")]
        await self.client.operate(page.key, tried, policy=aero.WritePolicy(send_key=True))
        later = [
            maps.remove_by_key("in_hand", url),
            lists.append("queue", url, policy=ONCE),
            maps.increment("counts", "put off"),
        ]
        await self.client.operate(self.host(host_of(url)), later)

    async def leave(self, host: str, pause: float) -> None:
        """Release the host, to be visited again after a pause of some seconds."""
        ours = aero.WritePolicy(filter_expression=exp.str_bin("taken_by") == self._me)
        with contextlib.suppress(aero.FilteredOut, aero.RecordNotFound):
            await self.client.operate(self.host(host), [_until(now_ms() + round(pause * 1000) + 1)], policy=ours)


def _until(moment: int) -> aero.Operation:
    return aero.write("next_at", moment)


# The crawler ----------------------------------------------------------------------------------------------------


class Crawler:
    """Visits many hosts concurrently, one page of a host at a time.

    Args:
        frontier: The addresses to visit.
        web: The web that serves the hosts.
        at_once: The number of hosts to visit concurrently.
        stop_after: Pages after which to stop; None for never.
    """

    TURN = 8
    ATTEMPTS = 3

    def __init__(self, frontier: Frontier, web: SmallWeb, *, at_once: int = 16, stop_after: int | None = None) -> None:
        self.frontier = frontier
        self.fetched = 0
        self._web = web
        self._at_once = at_once
        self._stop_after = stop_after
        self._visiting: set[str] = set()
        self._rules: dict[str, Rules] = {}
        self._turn_ended = trio.Event()

    async def run(self) -> bool:
        """Crawl until nothing is left (return True) or ``stop_after`` is reached (return False)."""
        await self.frontier.add([START], depth=0)
        async with trio.open_nursery() as nursery:
            while not self._has_enough():
                self._turn_ended = trio.Event()
                for host in await self.frontier.due_hosts():
                    if host not in self._visiting and len(self._visiting) < self._at_once:
                        self._visiting.add(host)
                        nursery.start_soon(self._visit, host)
                if not self._visiting and await self.frontier.is_finished():
                    return True
                with trio.move_on_after(0.05):
                    await self._turn_ended.wait()
            nursery.cancel_scope.cancel()
        return False

    def _has_enough(self) -> bool:
        return self._stop_after is not None and self.fetched >= self._stop_after

    async def _visit(self, host: str) -> None:
        """Visit some pages of a host, with pauses between them."""
        pause = PAUSE
        pages: list[aero.Record] = []
        try:
            pages = await self.frontier.take(host, self.TURN)
            if pages:
                async with await trio.open_tcp_stream("127.0.0.1", self._web.port) as stream:
                    visit = Visit(host, stream)
                    rules = await self._rules_of(host, visit)
                    pause = rules.pause
                    while pages and not self._has_enough():
                        await self._see_to(pages[0], visit, rules)
                        del pages[0]
        except (OSError, trio.TooSlowError):
            for page in pages:
                await self._try_again(page, "unreachable")
        finally:
            # Also if the crawler is cancelled, so that others need not wait for the lease to expire.
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await self.frontier.leave(host, pause)
            self._visiting.discard(host)
            self._turn_ended.set()

    async def _rules_of(self, host: str, visit: Visit) -> Rules:
        if host not in self._rules:
            answer = await visit.get("/robots.txt")
            self._rules[host] = Rules(answer.body if answer.status == 200 else "")
        return self._rules[host]

    async def _try_again(self, page: aero.Record, why: str) -> None:
        if page.get("attempts", 0) + 1 < self.ATTEMPTS:
            await self.frontier.put_off(page)
        else:
            await self.frontier.finish(page, {"state": "failed", "status": why}, "failed")

    async def _see_to(self, page: aero.Record, visit: Visit, rules: Rules) -> None:
        url = str(page.key.user_key)
        if page.get("state") in ("done", "failed", "forbidden"):
            # A crawler had finished it, and was stopped before it updated the host.
            await self.frontier.finish(page, {"state": page["state"]}, "seen again")
            return
        if not rules.allow(url):
            await self.frontier.finish(page, {"state": "forbidden"}, "forbidden")
            return
        await trio.sleep(rules.pause)
        answer = await visit.get(urlsplit(url).path)
        if answer.status >= 500:
            await self._try_again(page, str(answer.status))
            return
        facts: dict[str, object] = {"state": "done" if answer.status < 400 else "failed", "status": str(answer.status)}
        found: Sequence[str] = ()
        if answer.status == 200:
            reader = LinkReader(url, answer.body)
            found = reader.links
            facts |= {"title": reader.title, "links": found, "sha": hashlib.sha256(answer.body.encode()).digest()}
        elif "location" in answer.fields:
            found = [urljoin(url, answer.fields["location"])]
        # Links first: a page is done when all its links are in the queues.
        await self.frontier.add(found, page.get("depth", 0) + 1)
        await self.frontier.finish(page, facts, "fetched" if answer.status < 400 else "failed")
        self.fetched += 1


# What is shown --------------------------------------------------------------------------------------------------


def picture(hosts: Sequence[aero.Record]) -> Table:
    """Show the hosts as they are in the database."""
    columns = ("fetched", "failed", "forbidden", "put off", "in hand", "waiting")
    table = Table("host", *columns, "", box=SIMPLE, padding=(0, 1, 0, 0))
    sums = dict.fromkeys(columns, 0)
    for record in hosts:
        counts = {**record["counts"], "in hand": len(record["in_hand"]), "waiting": len(record["queue"])}
        row = {column: counts.get(column, 0) for column in columns}
        over = row["fetched"] + row["failed"] + row["forbidden"]
        bar = "█" * round(16 * over / max(1, over + row["in hand"] + row["waiting"]))
        table.add_row(str(record.key.user_key).removesuffix(".example"), *map(str, row.values()), f"[green]{bar}")
        sums = {column: sums[column] + row[column] for column in columns}
    table.add_section()
    table.add_row("all", *map(str, sums.values()))
    return table


async def crawl(crawler: Crawler) -> bool:
    """Run a crawler with a live table of the database; return whether everything has been crawled."""
    finished = False
    with Live(console=console, auto_refresh=False, transient=False) as live:

        async def show() -> None:
            while True:
                live.update(picture(await crawler.frontier.all_hosts()), refresh=True)
                await trio.sleep(0.2)

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(show)
                finished = await crawler.run()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                live.update(picture(await crawler.frontier.all_hosts()), refresh=True)
    if not console.is_terminal:
        console.print()  # rich does not end the line there
    return finished


async def summary(frontier: Frontier, web: SmallWeb, seconds: float) -> None:
    """Summarize the crawl with queries."""
    client = frontier.client
    states: defaultdict[str, int] = defaultdict(int)
    deepest, dangling = 0, 0
    async with client.query(NAMESPACE, frontier.pages, bins=["state", "depth"]) as pages:
        async for page in pages:
            states[page["state"]] += 1
            deepest = max(deepest, page["depth"])
    gone = exp.str_bin("status") == "404"
    missing = await client.query(NAMESPACE, frontier.pages, filter=gone, bins=["status"]).results()
    home = await client.get(frontier.page(START))
    async with client.get_many([frontier.page(url) for url in home["links"]], bins=["state"]) as results:
        async for result in results:
            dangling += not result.ok or result.unwrap()["state"] == "waiting"
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    wanted, pause = CRAWL_DELAY * 1000, web.shortest_pause * 1000
    for line in (
        "\n[bold]Summary",
        f"  {sum(states.values())} addresses known: {told}; {len(missing)} of them are gone (404)",
        f"  {home['title']} links to {len(home['links'])} pages, {dangling} of them still to be visited",
        f"  the page farthest from there is {deepest} links away",
        f"  {web.requests} requests in {seconds:.1f} s, never more than {web.busiest} at a time to a host",
        f"  at least {pause:.0f} ms between two requests to a host, which asks for {wanted:.0f} ms",
    ):
        console.print(line, soft_wrap=True)


# The program ----------------------------------------------------------------------------------------------------


async def tour(options: argparse.Namespace, crawling: trio.CancelScope) -> bool:
    """Crawl; without --stop-after, stop half way and resume with a second crawler.

    Cancelling ``crawling`` stops the crawlers while the client is still connected, so that they can release their
    leases. Returns whether that happened.
    """
    web = SmallWeb()
    async with open_servers() as seeds, aero.open_client(seeds) as client, trio.open_nursery() as nursery:
        await nursery.start(web.serve)
        frontier = Frontier(client, options.crawl)
        began = trio.current_time()
        with crawling:
            await frontier.prepare(fresh=options.fresh)
            first = Crawler(frontier, web, stop_after=options.stop_after or 120)
            finished = await crawl(first)
            if finished:
                console.print(f"This run has fetched {first.fetched} pages, and nothing is left.")
            else:
                console.print(f"Stopped after {first.fetched} pages; everything else is in the database.")
            if not finished and options.stop_after is None:
                console.print("\nA new crawler goes on from there.")
                second = Crawler(Frontier(client, options.crawl), web)
                await crawl(second)
                console.print(f"The second has fetched {second.fetched} pages, and nothing is left.")
            await summary(frontier, web, trio.current_time() - began)
        nursery.cancel_scope.cancel()
    return crawling.cancelled_caught


async def main() -> int:
    """Run; after Ctrl-C or SIGTERM the crawlers put addresses in hand back, and a second signal ends that."""
    parser = argparse.ArgumentParser(description="A polite crawler whose whole state is in the database.")
    parser.add_argument(
        "--crawl", default="crawl", metavar="NAME", help="which crawl; its sets are NAME_pages, NAME_hosts"
    )
    parser.add_argument("--stop-after", type=int, metavar="PAGES", help="stop when so many pages have been fetched")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs have left")
    options = parser.parse_args()
    crawling = trio.CancelScope()
    status = 130
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def stop_on_signal() -> None:
                async for _ in signals:
                    if crawling.cancel_called:
                        nursery.cancel_scope.cancel()
                    crawling.cancel()

            nursery.start_soon(stop_on_signal)
            try:
                if not await tour(options, crawling):
                    status = 0
            except aero.ClusterError as error:
                console.print(f"[red]There is no database to crawl with:[/] {error}", soft_wrap=True)
                status = 1
            nursery.cancel_scope.cancel()
    if status == 130:
        console.print("\nInterrupted: what was in hand has been given back. With AEROSPIKE_HOSTS, run again to go on.")
    return status


if __name__ == "__main__":
    sys.exit(trio.run(main))
