"""The types as users see them: through the installed packages, with the checkers that users run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import aerospike_py
import trio_aerospike

PROGRAMS = Path(__file__).parent / "programs"
#: Where the packages are; a checker that knows no editable installation finds them with this.
PACKAGES = os.pathsep.join(
    str(Path(package.__file__ or "").resolve().parents[1]) for package in (trio_aerospike, aerospike_py)
)


def run(tmp_path: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a checker where no settings of this project are found."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        | {"PYTHONPATH": PACKAGES, "PYTHONWARNINGS": ""},
    )


def test_mypy_knows_every_name_and_flags_every_wrong_use(tmp_path: Path) -> None:
    programs = sorted(map(str, PROGRAMS.glob("*.py")))
    assert len(programs) == 6
    done = run(tmp_path, "mypy", "--strict", "--config-file=", *programs)
    assert done.stdout.splitlines() == ["Success: no issues found in 6 source files"]
    assert done.returncode == 0


@pytest.mark.parametrize("program", ["native.py", "many.py", "compat.py"])
def test_pyright_agrees_on_right_uses(tmp_path: Path, program: str) -> None:
    pytest.importorskip("basedpyright")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    copy = tmp_path / program
    copy.write_bytes((PROGRAMS / program).read_bytes())
    done = run(tmp_path, "basedpyright", "--outputjson", program)
    diagnostics = json.loads(done.stdout)["generalDiagnostics"]
    assert [f"{found['range']['start']['line'] + 1}: {found['message']}" for found in diagnostics] == []


@pytest.mark.parametrize("package", ["trio_aerospike", "aerospike_py"])
def test_the_types_of_the_public_interface_are_complete(tmp_path: Path, package: str) -> None:
    pytest.importorskip("basedpyright")
    done = run(tmp_path, "basedpyright", "--verifytypes", package, "--ignoreexternal", "--outputjson")
    report = json.loads(done.stdout)["typeCompleteness"]
    # What is "partially unknown" is so for a gap elsewhere, in a private class perhaps: one of these.
    gaps = {
        f"{symbol['name']}: {found['message'].splitlines()[0]}"
        for symbol in report["symbols"]
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
        for found in symbol["diagnostics"]
        if "partially unknown" not in found["message"]
    }
    counts = report["exportedSymbolCounts"]
    assert counts["withAmbiguousType"] == counts["withUnknownType"] == 0, sorted(gaps)
    assert counts["withKnownType"] > 500
