"""Examples as they are run: in a process of their own, with or without a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
REAL_HOSTS = os.environ.get("AEROSPIKE_HOSTS", "")
PATIENCE = 120.0

with_and_without_real_servers = pytest.mark.parametrize(
    "hosts",
    [
        pytest.param("", id="embedded"),
        pytest.param(
            REAL_HOSTS, id="real", marks=pytest.mark.skipif(not REAL_HOSTS, reason="AEROSPIKE_HOSTS is not set")
        ),
    ],
)


def environment(hosts: str = "", **more: str) -> dict[str, str]:
    """Ours, with these servers."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("AEROSPIKE_HOSTS", "NO_COLOR")}
    return {**inherited, "PYTHONWARNINGS": "error", "COLUMNS": "100", "AEROSPIKE_HOSTS": hosts, **more}


def output_of(name: str, hosts: str, *arguments: str) -> str:
    """What an example prints; it must succeed and leave stderr alone."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=environment(hosts),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    assert done.stderr == "", done.stderr
    assert done.returncode == 0
    return done.stdout


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, *command: str, **more: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            env=environment(**{"TERM": "xterm-256color", **more}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, wanted: str) -> None:
        """Read until the terminal shows this."""
        deadline = time.monotonic() + PATIENCE
        while wanted not in self.text:
            assert self._read(deadline), f"{wanted!r} never came, but {self.text!r}"

    def read_to_the_end(self) -> int:
        """Read everything that is left; the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        os.close(self._ours)
        return self.process.wait(PATIENCE)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more came after {self.text!r}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says EIO once nobody has the other end open
            return False
        self.text += data.decode(errors="replace")
        return bool(data)
