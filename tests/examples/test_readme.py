"""The programs of the README run as they stand there, but for the port of the server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
OUTPUT = {"trio.run": "Ann 41 1\n42\n", "asyncio.run": "332833500\n", ".connect() as": "{'name': 'Ann', 'age': 41}\n"}


def program(word: str) -> str:
    """The one program that has this in it."""
    (found,) = [text for text in PROGRAMS if word in text]
    return found


@pytest.fixture
def address() -> Iterator[str]:
    """Where `trio-aerospike serve` listens, started as the README says."""
    command = Path(sys.executable).with_name("trio-aerospike")
    process = subprocess.Popen([command, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        yield found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("word", OUTPUT)
def test_a_first_program_prints_what_it_should(word: str, address: str) -> None:
    host, port = address.split(":")
    text = program(word).replace("127.0.0.1:3000", address).replace('("127.0.0.1", 3000)', f'("{host}", {port})')
    assert "3000" not in text
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (OUTPUT[word], "", 0)


@pytest.mark.parametrize("settings", ["", "trio_mode = true\n"])
def test_the_tests_of_the_readme_pass(tmp_path: Path, settings: str) -> None:
    tests = [text for text in PROGRAMS if "async def test_" in text]
    assert len(tests) == 2
    for number, text in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(text)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{settings}filterwarnings = error\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_program_of_the_readme_is_tried() -> None:
    assert len(PROGRAMS) == len(OUTPUT) + 2


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
