"""The crawler visits every page once, politely, however often it is stopped and however many there are."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.compat.background import BackgroundCluster
from tests.examples.running import (
    EXAMPLES,
    PATIENCE,
    Terminal,
    environment,
    output_of,
    with_and_without_real_servers,
)

EVERYTHING = "424 addresses known: 392 done, 24 failed, 8 forbidden; 24 of them are gone (404)"
CRAWLER = str(EXAMPLES / "crawler.py")


@pytest.fixture
def database() -> Iterator[str]:
    """A database that outlives crawlers."""
    with BackgroundCluster() as cluster:
        yield ",".join(f"{host}:{port}" for host, port in cluster.hosts)


@with_and_without_real_servers
def test_the_tour_stops_half_way_and_a_second_crawler_visits_the_rest_politely(hosts: str) -> None:
    text = output_of("crawler.py", hosts, "--crawl", f"tour{secrets.token_hex(3)}")
    stopped = re.search(r"Stopped after (\d+) pages", text)
    went_on = re.search(r"The second has fetched (\d+) pages, and nothing is left", text)
    assert stopped and went_on
    assert int(stopped[1]) >= 120
    assert int(went_on[1]) >= 424 - 8 - int(stopped[1]) - 8  # one per host may be done and not be counted
    assert EVERYTHING in text
    assert "alpha 0 links to 9 pages, 0 of them still to be visited" in text
    assert "never more than 1 at a time to a host" in text
    pause = re.search(r"at least (\d+) ms between two requests to a host, which asks for 10 ms", text)
    assert pause and int(pause[1]) >= 10


def slowly(*arguments: str) -> list[str]:
    """A command for a crawler whose hosts ask for much patience, so that there is time to stop it."""
    program = (
        "import sys, trio, crawler, crawling.web as web; web.ROBOTS = web.ROBOTS.replace('0.01', '0.5'); "
        f"sys.argv[1:] = {list(arguments)!r}; sys.exit(trio.run(crawler.main))"
    )
    return [sys.executable, "-c", program]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_an_interrupted_crawler_had_in_hand_is_there_for_the_next_at_once(number: int, database: str) -> None:
    path = os.pathsep.join([str(EXAMPLES), *sys.path])
    terminal = Terminal(*slowly(), AEROSPIKE_HOSTS=database, PYTHONPATH=path)
    terminal.read_until("theta")  # the last of the hosts has been found
    terminal.process.send_signal(number)
    assert terminal.read_to_the_end() == 130
    assert "Interrupted" in terminal.text
    assert "Traceback" not in terminal.text
    text = output_of("crawler.py", database, "--stop-after", "1000")
    assert "and nothing is left" in text
    assert EVERYTHING in text


def test_two_crawlers_share_the_work_and_no_page_is_fetched_twice(database: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, CRAWLER, "--stop-after", "1000"],
            env=environment(database),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        said = [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0]
    assert [errors for _, errors in said] == ["", ""]
    counts = [re.search(r"This run has fetched (\d+) pages, and nothing is left", text) for text, _ in said]
    assert all(EVERYTHING in text for text, _ in said)
    assert sum(int(count[1]) for count in counts if count) == 392 + 24


def test_a_crawl_that_is_over_has_nothing_left_to_do_until_it_is_begun_afresh(database: str) -> None:
    assert "has fetched 416 pages" in output_of("crawler.py", database, "--stop-after", "1000")
    again = output_of("crawler.py", database)
    assert "This run has fetched 0 pages, and nothing is left." in again
    assert EVERYTHING in again
    assert "Stopped after 5" in output_of("crawler.py", database, "--fresh", "--stop-after", "50")
