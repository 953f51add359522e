"""The programs of docs/guide run as they stand there, but for the port, and print what stands below them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.compat.background import BackgroundCluster
from tests.examples.running import PATIENCE, ROOT, environment

GUIDE = ROOT / "docs" / "guide"
_BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
PROGRAMS = [
    pytest.param(program, output, id=f"{page.stem}-{number}")
    for page in sorted(GUIDE.glob("*.md"))
    for number, (program, output) in enumerate(_BLOCK.findall(page.read_text()), 1)
]


@pytest.fixture
def address() -> Iterator[str]:
    """A server of the program's own."""
    with BackgroundCluster(nodes=1) as cluster:
        host, port = cluster.hosts[0]
        yield f"{host}:{port}"


@pytest.mark.parametrize(("program", "output"), PROGRAMS)
def test_a_program_prints_what_stands_below_it(program: str, output: str, address: str) -> None:
    host, port = address.split(":")
    text = program.replace("127.0.0.1:3000", address).replace('("127.0.0.1", 3000)', f'("{host}", {port})')
    assert text != program
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.stderr, done.returncode) == ("", 0)
    if output:
        # A time to live may have lost a second or two by the time it is read.
        assert re.sub(r"\b35\d\d\b", "3600", done.stdout) == output
    else:
        assert done.stdout


def test_links_lead_somewhere_and_every_page_is_in_the_list() -> None:
    pages = sorted(GUIDE.glob("*.md"))
    for page in pages:
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == []
    listed = re.findall(r"^- \[.*?\]\((.*?)\)", (GUIDE / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in pages if page.name != "README.md")
