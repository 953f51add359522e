"""Code and documents use the terms of docs/GLOSSARY.md: no private synonyms, no wording that has to be translated.

``python tests/unit/test_wording.py`` lists every finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Folders and files that are checked.
CHECKED = (
    "trio_aerospike",
    "compat/aerospike_py",
    "compat/README.md",
    "docs",
    "README.md",
    "CONTRIBUTING.md",
    "examples",
    "benchmarks",
    "tools",
    "tests",
)

#: Wording that is refused in comments, docstrings, messages and documents, and what to write instead.
PHRASES: dict[str, str] = {
    r"\b(?:is|are|was|were) none\b": "is invalid, is not a ..., has no ...",
    r"\bis not one\b": "is invalid, is not a ...",
    r"(?i)\b(?:told|tells?|telling) of\b": "notified, reported, describes",
    r"(?i)\blet(?:s|ting)? go of\b": "release",
    r"(?i)\bwho(?:ever)? wants?\b": "to do X, use Y",
    r"(?i)\bcan(?:not)? be (?:called )?so\b": "is invalid, is valid",
    r"(?i)\b(?:go|goes|take|takes) the (?:long|general) way\b": "use the general decoder, cross into Trio, ...",
    r"(?i)\b(?:has|have|had|having) (?:its|their|a) turn\b": "run, are scheduled, are next",
    r"(?i)\bway to (?:a|the) (?:node|server)\b": "round-trip time, RTT estimate",
    r"(?i)\bway there(?: and back)?\b": "round trip",
    r"(?i)\bon (?:its|their) way\b": "in flight, running",
    r"(?i)\b(?:depth|stands?|waits?|wait|waiting|those|queued?) in (?:a |the |its )?line\b": "queue depth, queued",
    r"(?i)\bhead of (?:a|the|its) line\b": "oldest request in flight",
    r"(?i)\blines? of (?:a|the|its|other|all) connections?\b|\bconnection's line\b": "in-flight queue",
    r"(?i)\bseen? through by itself\b|\bsees? (?:it|them|parts) through\b": "retried by itself, executes",
}

#: Names that are refused in code, and what to call the thing.
NAMES: dict[str, str] = {
    "Lender": "ConnectionLeases",
    "lender": "leases",
    "Link": "BlockingConnection",
    "Holder": "LeaseOwner",
    "Arrivals": "FrameBuffer",
    "arrivals": "frame_buffer",
    "dialing": "probe",
    "together": "run_all",
    "InfoLine": "InfoConnection",
    "info_line": "InfoConnection",
    "Form": "RowEncoder",
    "rests": "row_payloads",
    "encode_rest": "encode_row_payload",
    "Pump": "BatchPipeline",
    "some": "read_available, or a name that says what",
    "Pending": "Request",
    "_Trouble": "RetryState",
    "_Verdict": "RetryDecision",
    "Run": "a name that says what runs",
    "Seen": "Span",
    "_told": "_notified",
    "Handle": "ClientBase",
    "Home": "Backend",
    "Habits": "UsageHints",
    "Slices": "TimeSlices",
    "Turn": "TimeSlice",
    "Rests": "yield_gil",
    "LateModule": "LazyModule",
    "_late": "_lazy",
    "_LATE": "_LAZY",
    "_Line": "a connection",
    "_Lines": "connections of a loop",
    "_Lane": "NodeBuffer",
    "lane": "node buffer",
    "way": "rtt",
    "train": "probe burst",
}

#: Lines that are right as they are: (file, part of the line).
EXCEPTIONS: tuple[tuple[str, str], ...] = (("tests/unit/test_wording.py", ""),)

#: A space of a phrase: it may be broken over lines of a paragraph, a docstring or comments.
_SPACE = r"\\s+(?:#:?\\s*)?"
_PATTERNS = [(re.compile(re.sub(r"(?<!\[) ", _SPACE, pattern)), instead) for pattern, instead in PHRASES.items()]
#: "there is none" is plain English.
_THERE = re.compile(r"\bthere\s+(?:#:?\s*)?$")
#: Strings and comments, which are skipped, or a refused name.
_NAME = re.compile(
    r"""\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\#[^\n]*"""
    rf"|\b(?P<name>{'|'.join(NAMES)})\b"
)

#: Names of functions and classes, whose words may make up a refused phrase: names of tests are sentences.
_DEFINED = re.compile(r"\b(?:def|class) (\w+)")


class Finding(NamedTuple):
    """A refused phrase or name in a file."""

    path: str
    line: int
    kind: str
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r}; write: {self.instead}"


def files() -> Iterator[Path]:
    """Every Python and Markdown file that is checked."""
    for prefix in CHECKED:
        base = ROOT / prefix
        found = [base] if base.is_file() else sorted((*base.rglob("*.py"), *base.rglob("*.md")))
        yield from (path for path in found if "data" not in path.relative_to(ROOT).parts)


def findings_in(path: str, source: str) -> Iterator[Finding]:
    """Every refused phrase in a file, and every refused name in code."""
    for pattern, instead in _PATTERNS:
        for match in pattern.finditer(source):
            if not _THERE.search(source, max(0, match.start() - 40), match.start()):
                found = " ".join(match[0].split())
                yield Finding(path, source.count("\n", 0, match.start()) + 1, "phrase", found, instead)
    if path.endswith(".py"):
        for match in _NAME.finditer(source):
            if name := match["name"]:
                yield Finding(path, source.count("\n", 0, match.start()) + 1, "name", name, NAMES[name])
        for match in _DEFINED.finditer(source):
            words = match[1].replace("_", " ")
            for pattern, instead in _PATTERNS:
                if (hit := pattern.search(words)) and not _THERE.search(words[: hit.start()]):
                    yield Finding(path, source.count("\n", 0, match.start()) + 1, "phrase", hit[0], instead)


def findings() -> Iterator[Finding]:
    """Every finding that is not excepted."""
    for file in files():
        path = file.relative_to(ROOT).as_posix()
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        for finding in findings_in(path, source):
            text = lines[finding.line - 1]
            if not any(path == where and part in text for where, part in EXCEPTIONS):
                yield finding


def test_no_refused_wording() -> None:
    wrong = list(map(str, findings()))
    assert not wrong, f"{len(wrong)} findings\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("a key is none", "is none"),
        ("The name\n    is none: refuse it", "is none"),
        ("whoever wants the records decodes them", "whoever wants"),
        ("Nodes are told of it.", "told of"),
        ("A connection has its turn.", "has its turn"),
        ("the depth in line", "depth in line"),
    ],
)
def test_phrases_are_found_in_docstrings_and_documents(text: str, phrase: str) -> None:
    assert [found.found for found in findings_in("docs/a.md", text)] == [phrase]
    assert [found.found for found in findings_in("trio_aerospike/a.py", f'"""{text}"""\n')] == [phrase]


def test_names_are_found_and_words_of_python_are_not() -> None:
    source = "class Lender:\n    x = None  # is None\n    y = 'x is None'\n"
    assert [(found.line, found.found) for found in findings_in("trio_aerospike/a.py", source)] == [(1, "Lender")]


def test_phrases_are_found_in_names_of_functions() -> None:
    [found] = findings_in("tests/a.py", "\ndef test_a_key_is_none() -> None: ...\n")
    assert (found.line, found.found) == (2, "is none")


def test_a_phrase_over_two_lines_is_found_at_its_line() -> None:
    [found] = findings_in("docs/a.md", "One line.\nA key is\nnone.\n")
    assert (found.line, found.found) == (2, "is none")


if __name__ == "__main__":
    for each in findings():
        print(each)
