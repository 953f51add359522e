"""Patterns match as those of the C library."""

from __future__ import annotations

import ctypes
import random
import sys

import pytest

from trio_aerospike.server.expressions.regex import EXTENDED, IGNORE_CASE, NEWLINE, UnsupportedPattern, compile_pattern

BASIC = 0


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "matches"),
    [
        (b"a+b", BASIC, b"a+b", True),
        (b"a\\+b", BASIC, b"aab", True),
        (b"a+b", EXTENDED, b"aab", True),
        (b"\\(a\\)\\1", BASIC, b"xaax", True),
        (b"(a|b)\\1", EXTENDED, b"ab", False),
        (b"*a", BASIC, b"*a", True),
        (b"a\\{2\\}", BASIC, b"caab", True),
        (b"a{,2}b", EXTENDED, b"b", True),
        (b"x\\|y", BASIC, b"y", True),
        (b"a^b", BASIC, b"a^b", True),
        (b"a$b", BASIC, b"a$b", True),
        (b"a^b", EXTENDED, b"a^b", False),
        (b"^b", EXTENDED, b"a\nb", False),
        (b"^b", EXTENDED | NEWLINE, b"a\nb", True),
        (b"a.b", EXTENDED, b"a\nb", True),
        (b"a.b", EXTENDED | NEWLINE, b"a\nb", False),
        (b"[^a]", EXTENDED | NEWLINE, b"\n", False),
        (b"a$", EXTENDED, b"a\n", False),
        (b"[[:alpha:]]+", EXTENDED, b"123", False),
        (b"[[:upper:]]", EXTENDED | IGNORE_CASE, b"a", True),
        (b"[]a]", EXTENDED, b"]", True),
        (b"[a-]", EXTENDED, b"-", True),
        (b"[[.-.]]", EXTENDED, b"-", True),
        (b"[[=a=]]", EXTENDED, b"a", True),
        (b"[A-z]", EXTENDED | IGNORE_CASE, b"_", False),
        (b"\\<wor", EXTENDED, b"hello word", True),
        (b"\\d", EXTENDED, b"5", False),
        (b"a)", EXTENDED, b"a)", True),
        (b"", EXTENDED, b"", True),
        (b"a\0b", EXTENDED, b"a", True),
        (b"b", EXTENDED, b"a\0b", False),
        (b".", EXTENDED, b"\xe9", True),
    ],
)
def test_matches(pattern: bytes, flags: int, text: bytes, matches: bool) -> None:
    assert compile_pattern(pattern, flags)(text) is matches


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [
        (b"(", EXTENDED), (b"*", EXTENDED), (b"a|*b", EXTENDED), (b"a{", EXTENDED), (b"a{2,1}", EXTENDED),
        (b"a{99999}", EXTENDED), (b"[a", EXTENDED), (b"[z-a]", EXTENDED), (b"[[:none:]]", EXTENDED), (b"\\", EXTENDED),
        (b"(a)\\2", EXTENDED), (b"(a\\1)", EXTENDED), (b"\\(a", BASIC), (b"\\)", BASIC), (b"a**", BASIC),
        (b"\\{1\\}", BASIC), (b"[a-[:digit:]]", EXTENDED), (b"[[.space.]]", EXTENDED), (b"^*", EXTENDED),
        (b"[_-b]", EXTENDED | IGNORE_CASE),
    ],
)  # fmt: skip
def test_what_is_no_pattern(pattern: bytes, flags: int) -> None:
    with pytest.raises(UnsupportedPattern):
        compile_pattern(pattern, flags)


PIECES = (
    b"a", b"b", b"A", b"Z", b"_", b"-", b"*", b"+", b"?", b"{", b"}", b"1", b"2", b",", b"(", b")", b"|", b"[", b"]",
    b"[:alpha:]", b"[:upper:]", b"[=a=]", b"[.-.]", b"\\", b"\\(", b"\\)", b"\\{", b"\\}", b"\\|", b"\\1", b"\\2",
    b"\\b",
    b"\\<", b"\\>", b"\\B", b"\\w", b"\\W", b"\\s", b"\\`", b"\\'", b".", b"\xe9", b"[a-c]", b"[^a]", b"{1,2}",
    b"\\{1,2\\}", b"^", b"$",
)  # fmt: skip
CHARACTERS = (b"a", b"b", b"A", b"Z", b"_", b"1", b"-", b" ", b"^", b"$", b"*", b"{", b"\xe9", b"c")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compares with glibc")
def test_random_patterns_match_as_those_of_glibc() -> None:
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        pytest.skip("no glibc here")
    library.newlocale.restype = library.uselocale.restype = ctypes.c_void_p
    library.uselocale.argtypes = [ctypes.c_void_p]
    library.newlocale.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p]
    before = library.uselocale(library.newlocale(0x1FBF, b"C", None))
    try:
        chance = random.Random(5)
        for _ in range(3000):
            pattern = b"".join(chance.choices(PIECES, k=chance.randrange(7)))
            texts = [b"".join(chance.choices(CHARACTERS, k=chance.randrange(5))) for _ in range(5)]
            flags = chance.randrange(8)
            assert ours(pattern, flags, texts) == theirs(library, pattern, flags, texts), (pattern, flags, texts)
    finally:
        library.uselocale(before)


def ours(pattern: bytes, flags: int, texts: list[bytes]) -> list[bool] | None:
    try:
        matches = compile_pattern(pattern, flags)
    except UnsupportedPattern:
        return None
    return [matches(text) for text in texts]


def theirs(library: ctypes.CDLL, pattern: bytes, flags: int, texts: list[bytes]) -> list[bool] | None:
    compiled = ctypes.create_string_buffer(256)
    if library.regcomp(compiled, pattern, flags):
        return None
    found = [library.regexec(compiled, text, 0, None, 0) == 0 for text in texts]
    library.regfree(compiled)
    return found
