"""Translate bracket expressions of POSIX patterns: sets of bytes in the C locale.

Facts: parse_bracket_exp in glibc's posix/regcomp.c.
"""

from __future__ import annotations

import re
import string

_LONGEST_NAME = 31

_CLASSES = {
    b"alpha": string.ascii_letters,
    b"digit": string.digits,
    b"alnum": string.ascii_letters + string.digits,
    b"upper": string.ascii_uppercase,
    b"lower": string.ascii_lowercase,
    b"space": " \t\n\v\f\r",
    b"blank": " \t",
    b"punct": string.punctuation,
    b"print": "".join(map(chr, range(0x20, 0x7F))),
    b"graph": "".join(map(chr, range(0x21, 0x7F))),
    b"cntrl": "".join(map(chr, range(0x20))) + "\x7f",
    b"xdigit": string.hexdigits,
}

_END, _PLAIN, _CLOSE, _RANGE, _SYMBOL = range(5)


class UnsupportedPattern(Exception):
    """glibc refuses the pattern."""


class Bracket:
    """The parser of one bracket expression, after its opening bracket.

    Args:
        pattern: the pattern, in capitals if case is ignored.
        raw: the pattern as it was sent, for names of classes.
        at: the start of the set.
        folds: case is ignored.
    """

    def __init__(self, pattern: bytes, raw: bytes, at: int, *, folds: bool) -> None:
        self._pattern = pattern
        self._raw = raw
        self._folds = folds
        self.at: int = at
        self._members: set[int] = set()
        self._negated = False
        self._read()

    def translated(self, *, excludes_newline: bool) -> bytes:
        """The set in Python's syntax.

        Args:
            excludes_newline: a negated set does not match newline.
        """
        members = set(self._members)
        if self._negated:
            if excludes_newline:
                members.add(ord("\n"))
            members = set(range(256)) - members
        if not members:
            return b"(?!)"
        return b"[" + b"".join(re.escape(bytes((member,))) for member in sorted(members)) + b"]"

    # Reading --------------------------------------------------------------------------------------------------

    def _kind(self) -> tuple[int, int]:
        """The kind of the current token, and its length."""
        rest = self._pattern[self.at :]
        if not rest:
            return _END, 0
        char = rest[:1]
        if char == b"[" and rest[1:2] in (b".", b"=", b":"):
            return _SYMBOL, 2
        if char == b"]":
            return _CLOSE, 1
        if char == b"-":
            # Three in a row stand for one literal character.
            return (_PLAIN, 3) if rest.startswith(b"---") else (_RANGE, 1)
        return _PLAIN, 1

    def _read(self) -> None:
        if self._pattern[self.at : self.at + 1] == b"^":
            self._negated = True
            self.at += 1
        kind, length = self._kind()
        if kind == _CLOSE:
            kind = _PLAIN
        first = True
        while True:
            start = self._element(kind, length, accept_hyphen=first)
            first = False
            kind, length = self._kind()
            if isinstance(start, int) and kind == _RANGE:
                after = self.at + length
                self.at = after
                end_kind, end_length = self._kind()
                if end_kind == _END:
                    raise UnsupportedPattern("a set that is not closed")
                if end_kind == _CLOSE:
                    self.at = after - length
                    kind = _PLAIN
                else:
                    self._add_range(start, self._element(end_kind, end_length, accept_hyphen=True))
                    start = frozenset()
                    kind, length = self._kind()
            self._members |= {start} if isinstance(start, int) else start
            if kind == _END:
                raise UnsupportedPattern("a set that is not closed")
            if kind == _CLOSE:
                self.at += 1
                return

    def _add_range(self, start: int, end: int | frozenset[int]) -> None:
        if not isinstance(end, int) or start > end:
            raise UnsupportedPattern("a range without a beginning or an end")
        self._members |= set(range(start, end + 1))

    def _element(self, kind: int, length: int, *, accept_hyphen: bool) -> int | frozenset[int]:
        """One character, or the members of a class."""
        if kind == _END:
            raise UnsupportedPattern("a set that is not closed")
        start = self.at
        self.at += length
        if kind == _SYMBOL:
            return self._symbol(self._pattern[start + 1])
        if kind == _RANGE and not accept_hyphen and self._kind()[0] != _CLOSE:
            raise UnsupportedPattern("a hyphen in the middle of a set")
        return self._pattern[start]

    def _symbol(self, delimiter: int) -> int | frozenset[int]:
        end = self._pattern.find(bytes((delimiter,)) + b"]", self.at)
        if end < 0 or end - self.at > _LONGEST_NAME:
            raise UnsupportedPattern("a name that does not end")
        name = (self._raw if delimiter == ord(":") else self._pattern)[self.at : end]
        self.at = end + 2
        if delimiter == ord(":"):
            if self._folds and name in (b"upper", b"lower"):
                name = b"alpha"
            if name not in _CLASSES:
                raise UnsupportedPattern("a class that is not known")
            return frozenset(_CLASSES[name].encode())
        if len(name) != 1:
            raise UnsupportedPattern("a name of a character that is not known")
        return name[0] if delimiter == ord(".") else frozenset(name)
