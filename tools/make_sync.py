"""Generate ``aerospike_py._sync`` from ``aerospike_py._async``: ``python tools/make_sync.py [--check]``.

The methods of the two clients are written once, as coroutines. Their blocking forms are the same text without
``async`` and ``await``, and with a few names replaced. The output is committed, so that editors and type checkers read
it like any other module; a test compares it with what this script makes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "compat" / "aerospike_py"
SOURCE, TARGET = PACKAGE / "_async", PACKAGE / "_sync"

#: Patterns and their replacements, in the order of their application.
REPLACEMENTS = (
    (r"\basync (?=def|with|for)", ""),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\bAsyncBackend\b", "BlockingBackend"),
    (r"\basync_backend\b", "blocking_backend"),
    (r"\bcall_async\b", "call_blocking"),
    (r"\bAsync(?=[A-Z])(?!Client\b)", ""),
    (r"\b[Aa]n asyncio client\b", "a synchronous client"),
    (r"\b([Tt]he) asyncio client\b", r"\1 synchronous client"),
)
HEADER = """{docstring}

# Generated from _async/{name} by tools/make_sync.py: change that file, then run the script.
"""


def blocking(text: str, name: str) -> str:
    """Convert the text of a module."""
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    docstring, _, rest = text.partition("\n")
    return HEADER.format(docstring=docstring, name=name) + rest


def main(check: bool) -> int:
    """Write the modules; or only compare them, and return 1 if one differs."""
    made = {path.name: blocking(path.read_text(encoding="utf-8"), path.name) for path in SOURCE.glob("*.py")}
    made["__init__.py"] = (
        '"""The methods of the synchronous client and its queries: generated from ``_async`` by tools/make_sync.py."""'
        "\n"
    )
    found = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob("*.py")}
    if check:
        stale = sorted(name for name in {*made, *found} if made.get(name) != found.get(name))
        if stale:
            print(f"differs from what tools/make_sync.py makes: {', '.join(stale)}", file=sys.stderr)
        return 1 if stale else 0
    TARGET.mkdir(exist_ok=True)
    for name in found.keys() - made.keys():
        (TARGET / name).unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
