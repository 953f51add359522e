"""Shorten values and texts for error messages and log lines."""

from __future__ import annotations

from typing import Final

#: Characters of a value's repr in a message, at most.
VALUE_MAX: Final = 80
#: Characters of a text from a server in a message, at most; the error message of a script fits.
TEXT_MAX: Final = 1000
_AROUND: Final = 16


def shown(value: object) -> str:
    """Return the repr of a value, cut in the middle if it is longer than ``VALUE_MAX`` characters.

    Only as much of a long text or large container is turned into a repr as the message needs.
    """
    if isinstance(value, (str, bytes, bytearray)) and len(value) > 2 * VALUE_MAX:
        text = repr(value[:VALUE_MAX])
        return f"{text[: VALUE_MAX - 20]}... ({type(value).__name__} of length {len(value)})"
    if isinstance(value, (dict, list, tuple, set, frozenset)) and len(value) > VALUE_MAX:
        return f"a {type(value).__name__} of length {len(value)}"
    try:
        text = repr(value)
    except Exception:
        # The repr of a foreign object may raise, but the error message is still needed. Python itself refuses to format
        # ints of more than 4,300 digits.
        return f"<{type(value).__name__} without a printable form>"
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX // 2]}...{text[-VALUE_MAX // 4 :]}"


def kind_of(value: object) -> str:
    """Return the type of a value with its article: ``a str``, ``an int``, ``a NumPy int64``."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy":
        return f"a NumPy {kind.__name__}"
    return with_article(kind.__name__)


def with_article(word: str) -> str:
    """Return a word with "a" or "an" in front."""
    return f"{'an' if word[:1] in tuple('aeioAEIO') else 'a'} {word}"


def conversion_hint(value: object) -> str:
    """Suggest how to convert a NumPy value; empty for any other. NumPy scalars are not converted automatically.

    ``float64``, ``str_`` and ``bytes_`` are Python's own types as well, and need no conversion.
    """
    if type(value).__module__.partition(".")[0] != "numpy":
        return ""
    if getattr(getattr(value, "dtype", None), "kind", "") not in ("b", "i", "u", "f"):
        return ""
    return " (convert it with .tolist())" if getattr(value, "shape", ()) else " (convert it with .item())"


def clipped(text: str, limit: int = TEXT_MAX) -> str:
    """Return a text as it is, or its beginning and its length if it is longer than ``limit`` characters."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def not_utf8(error: UnicodeDecodeError) -> str:
    """Describe text that is not UTF-8: the reason, the byte, and the bytes around it."""
    around = bytes(error.object[max(error.start - _AROUND, 0) : error.start + _AROUND])
    return f"is not UTF-8 ({error.reason} at byte {error.start} of {len(error.object)}, in {around!r})"
