"""Two distributions that belong together, and an environment that is refused where it cannot work."""

from __future__ import annotations

import importlib.metadata
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import trio_aerospike

ROOT = Path(__file__).resolve().parents[2]


def settings(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def test_both_distributions_have_the_version_of_the_package() -> None:
    assert importlib.metadata.version("trio-aerospike") == trio_aerospike.__version__
    assert settings("compat/pyproject.toml")["project"]["version"] == trio_aerospike.__version__


def test_the_drop_in_is_only_in_its_own_distribution() -> None:
    assert settings("pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["trio_aerospike"]
    assert settings("compat/pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        "aerospike_py"
    ]


def test_both_distributions_carry_the_license_and_their_types() -> None:
    assert (ROOT / "compat" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / "trio_aerospike" / "py.typed").exists()
    assert (ROOT / "compat" / "aerospike_py" / "py.typed").exists()


def test_the_command_and_the_pytest_plugin_are_announced() -> None:
    announced = {(point.group, point.value) for point in importlib.metadata.distribution("trio-aerospike").entry_points}
    assert ("console_scripts", "trio_aerospike._cli:main") in announced
    assert ("pytest11", "trio_aerospike.testing.plugin") in announced


def test_an_older_python_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_venv.py"))
    tool["refuse_old_python"]()
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit) as refusal:
        tool["refuse_old_python"]()
    assert "Python 3.11 or newer is needed, found Python 3.10.13" in str(refusal.value)
    assert "make PYTHON=" in str(refusal.value)
