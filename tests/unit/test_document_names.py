"""Documents for contributors name modules and packages that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("docs/ARCHITECTURE.md", "docs/GLOSSARY.md", "CONTRIBUTING.md")
#: A path in backticks: it has a slash or ends in .py, and is nothing but a path.
PATH = re.compile(r"`((?:[\w.]+/)*[\w.]*)`")


def named_paths(document: str) -> Iterator[tuple[int, str]]:
    """Every path in a document, with its line number."""
    for number, line in enumerate((ROOT / document).read_text(encoding="utf-8").splitlines(), 1):
        for match in PATH.finditer(line):
            if "/" in match[1] or match[1].endswith(".py"):
                yield number, match[1]


def exists(path: str) -> bool:
    """Whether a path leads to a file, a folder, or a module without its suffix."""
    bases = (ROOT / "trio_aerospike", ROOT)
    return any((base / candidate).exists() for base in bases for candidate in (path, f"{path.rstrip('/')}.py"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_a_document_exists(document: str) -> None:
    missing = [f"{document}:{number}: {path}" for number, path in named_paths(document) if not exists(path)]
    assert not missing, "\n".join(missing)


def test_paths_are_found_and_checked() -> None:
    assert len(list(named_paths("docs/ARCHITECTURE.md"))) > 60
    assert exists("_wire/frames.py") and exists("server/info/") and exists("tests/data/")
    assert not exists("_wire/no_such_module.py") and not exists("no_such_package/")


def test_every_term_of_the_glossary_has_a_meaning_and_terms_are_in_order() -> None:
    terms: list[str] = []
    for line in (ROOT / "docs/GLOSSARY.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            terms = []
        elif line.startswith("| ") and not line.startswith("| term "):
            term, meaning, _ = (cell.strip() for cell in line.strip("|").split("|"))
            assert meaning.endswith("."), term
            assert not terms or terms[-1].casefold() < term.casefold(), term
            terms.append(term)


def test_architecture_is_short() -> None:
    assert len((ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) < 200
