"""AsyncClient inside a trio-asyncio loop; see in_trio_asyncio for the scenarios."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Read, not imported: importing the scenarios imports trio_asyncio.
_TREE = ast.parse((Path(__file__).parent / "in_trio_asyncio.py").read_text(encoding="utf-8"))
SCENARIOS = [node.name for node in _TREE.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_trio_asyncio(scenario: str):
    done = subprocess.run(
        [sys.executable, "-m", "tests.compat.in_trio_asyncio", scenario],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
