"""Every example runs with no set-up, says what it should, says nothing on stderr, and stops cleanly."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.running import (
    EXAMPLES,
    PATIENCE,
    Terminal,
    environment,
    output_of,
    with_and_without_real_servers,
)


def test_every_example_has_a_test() -> None:
    tested = {"quickstart.py", "client_configuration.py", "crawler.py", "fastapi_app.py"}
    tested |= {"data_model.py", "queries.py", "security.py", "udf.py", "migrate_from_aerospike_py.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


# quickstart -----------------------------------------------------------------------------------------------------


@with_and_without_real_servers
def test_quickstart_tells_what_it_does_where_there_is_no_terminal(hosts: str) -> None:
    text = output_of("quickstart.py", hosts)
    assert "aged 41" in text
    assert "RecordNotFound (result code 2)" in text
    for verb in ("write", "read "):
        assert re.search(rf"  {verb} ━+ 10000/10000", text)
        assert re.search(rf"  {verb}  10,000 records in [\d.]+ s: [\d,]+ per second", text)
    if not hosts:
        nodes = re.findall(r"│ (\w+) +│ 127\.0\.0\.1:\d+ +│ ([\d,]+) ", text)
        assert len(nodes) == 3
        assert sum(int(count.replace(",", "")) for _, count in nodes) == 10_000
    assert "\x1b" not in text


def test_quickstart_moves_a_progress_bar_at_a_terminal() -> None:
    terminal = Terminal(sys.executable, str(EXAMPLES / "quickstart.py"))
    assert terminal.read_to_the_end() == 0
    shown = set(re.findall(r"(\d+)/10000", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", terminal.text)))
    assert "10000" in shown
    assert len(shown) > 2
    assert "Summary" in terminal.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["Connected:", "  write"])
def test_quickstart_stops_cleanly_when_told(number: int, moment: str) -> None:
    endless = "import sys, trio, quickstart; quickstart.KEYS = 200_000; sys.exit(trio.run(quickstart.main))"
    terminal = Terminal(sys.executable, "-c", endless, PYTHONPATH=os.pathsep.join([str(EXAMPLES), *sys.path]))
    terminal.read_until(moment)
    terminal.process.send_signal(number)
    assert terminal.read_to_the_end() == 130
    assert "Interrupted" in terminal.text
    assert "Traceback" not in terminal.text


def test_quickstart_says_so_where_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "quickstart.py")],
            env=environment(address),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.stdout.startswith("There is no cluster to show: ")
    assert address in done.stdout
    assert (done.stderr, done.returncode) == ("", 1)


# The client configuration page ----------------------------------------------------------------------------------


@with_and_without_real_servers
def test_the_configuration_page_runs(hosts: str) -> None:
    lines = output_of("client_configuration.py", hosts).splitlines()
    for title in ("basic configuration", "per-operation timeouts", "cluster info", "context manager", "manual"):
        assert any(line.startswith(f"{title}: ") for line in lines)
    for title in ("multi-node cluster", "connection pool", "backpressure"):
        assert any(line.startswith(f"{title}: {{'name': 'Ann', 'age': 41}}") for line in lines)
        assert any(line.startswith(f"asyncio, {title}: 1000 reads at once") for line in lines)
    for title in ("internal", "external"):
        assert f"{title} authentication: ping is True" in lines
        assert f"asyncio, {title} authentication: ping is True" in lines
    assert any(line.startswith("wrong password: ") for line in lines)
    if not hosts:
        assert "multi-node cluster: {'name': 'Ann', 'age': 41} from one of 3 node(s)" in lines


def _normal(line: str) -> str:
    """A line without indentation, and with one word for any address."""
    line = re.sub(r'\("[\w.]+", \d+\)|\bhost\b|\bnode\d\b', "ADDRESS", line)
    return re.sub(r"\s+", " ", line).strip()


def _page() -> list[list[str]]:
    text = (Path(__file__).parent / "page_snippets.txt").read_text()
    snippets = [part.splitlines() for part in text.split("\n\n")[1:]]
    return [[_normal(line) for line in snippet if line.strip()] for snippet in snippets]


@pytest.mark.parametrize("snippet", _page(), ids=lambda snippet: snippet[0][:40])
def test_the_page_stands_in_the_example_as_written(snippet: list[str]) -> None:
    example = [_normal(line) for line in (EXAMPLES / "client_configuration.py").read_text().splitlines()]

    def follows(at: int) -> bool:
        """Whether the snippet stands from here on in order, with at most a few lines of the example's own between."""
        rest = iter(example[at : at + len(snippet) + 8])
        return all(any(line == wanted for line in rest) for wanted in snippet)

    assert any(line == snippet[0] and follows(at) for at, line in enumerate(example))
