"""Translate POSIX regular expressions to Python's.

The server compiles patterns with glibc's regcomp in the C locale, and searches for a match anywhere. So does this:
bytes are compared, and which of several matches is the longest does not matter. Supported: basic and extended patterns,
bracket expressions with ranges and classes, intervals, back references, and glibc's own escapes
(``\\w \\W \\s \\S \\b \\B \\< \\>`` and the two for the ends of the text); what glibc takes literally, and what it
refuses.

Different: in a group that is repeated, glibc and Python may remember different repetitions for a back reference; an
anchor in the middle of a pattern matches beside newlines for glibc, with or without the flag for them, if the pattern
has consumed the newline; and a pattern may take exponential time where glibc's automaton does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import attrs

from .regex_brackets import Bracket, UnsupportedPattern

__all__ = ["UnsupportedPattern", "compile_pattern"]

# Flags as glibc numbers them; clients send them unchanged.
EXTENDED: Final = 1
IGNORE_CASE: Final = 2
NEWLINE: Final = 4

_MAX_REPEAT = 0x7FFF
_UNBOUNDED = -1

_WORD = b"[A-Za-z0-9_]"
_AFTER, _NOT_AFTER = b"(?<=" + _WORD + b")", b"(?<!" + _WORD + b")"
_BEFORE, _NOT_BEFORE = b"(?=" + _WORD + b")", b"(?!" + _WORD + b")"
_GNU_SETS = {
    ord("w"): _WORD,
    ord("W"): b"[^A-Za-z0-9_]",
    ord("s"): rb"[ \t\n\v\f\r]",
    ord("S"): rb"[^ \t\n\v\f\r]",
}
_GNU_ANCHORS = {
    ord("b"): b"(?:" + _AFTER + _NOT_BEFORE + b"|" + _NOT_AFTER + _BEFORE + b")",
    ord("B"): b"(?:" + _AFTER + _BEFORE + b"|" + _NOT_AFTER + _NOT_BEFORE + b")",
    ord("<"): _NOT_AFTER + _BEFORE,
    ord(">"): _AFTER + _NOT_BEFORE,
    ord("`"): rb"\A",
    ord("'"): rb"\Z",
}

# Kinds of tokens.
_CHARACTER, _SET, _ANCHOR, _REFERENCE, _BRACKET, _REPEAT = range(6)
_INTERVAL, _INTERVAL_END, _OPEN, _CLOSE, _ALTERNATIVE, _END = range(6, 12)
_REPEATS = (_REPEAT, _INTERVAL)


def compile_pattern(pattern: bytes, flags: int) -> Callable[[bytes], bool]:
    """Compile a pattern to a function that searches a text; both end at their first NUL, as in C.

    Raises:
        UnsupportedPattern: glibc refuses the pattern.
    """
    ignore_case = bool(flags & IGNORE_CASE)
    translated = _Translation(pattern.split(b"\0", 1)[0], flags).whole()
    try:
        compiled = re.compile(translated)
    except (re.error, OverflowError, RecursionError) as error:
        raise UnsupportedPattern(str(error)) from error

    def matches(text: bytes) -> bool:
        text = text.split(b"\0", 1)[0]
        # glibc folds text and pattern to capitals; Python's flag does not do so within ranges.
        return compiled.search(text.upper() if ignore_case else text) is not None

    return matches


@attrs.frozen
class _Token:
    kind: int
    end: int
    content: bytes = b""
    """Its translation to Python; of a character, itself."""


class _Translation:
    """The parser of one pattern; its methods follow glibc's (posix/regcomp.c)."""

    def __init__(self, pattern: bytes, flags: int) -> None:
        self.raw = pattern
        self.extended = bool(flags & EXTENDED)
        self.folds = bool(flags & IGNORE_CASE)
        self.newline = bool(flags & NEWLINE)
        self.pattern = pattern.upper() if self.folds else pattern
        self.at = 0
        self.n_groups = 0
        self.completed: frozenset[int] = frozenset()
        """Groups that back references may name so far."""
        self.token = self._peek(after_opening=True)

    def whole(self) -> bytes:
        """Translate the whole pattern."""
        return self._alternatives(0)

    # Tokens ---------------------------------------------------------------------------------------------------

    def _next(self, *, after_opening: bool = False) -> None:
        self.at = self.token.end
        self.token = self._peek(after_opening)

    def _peek(self, after_opening: bool) -> _Token:
        """The current token; `after_opening` if a basic pattern may have an anchor: at the start of a branch."""
        at, pattern = self.at, self.pattern
        if at >= len(pattern):
            return _Token(_END, at)
        char = pattern[at]
        if char == ord("\\"):
            return self._peek_escape(at)
        if char == ord("["):
            return _Token(_BRACKET, at + 1)
        if char == ord("*"):
            return _Token(_REPEAT, at + 1, b"*")
        if char == ord("."):
            return _Token(_SET, at + 1, b"[^\n]" if self.newline else b"(?s:.)")
        if char == ord("^") and (self.extended or after_opening or at == 0):
            return _Token(_ANCHOR, at + 1, b"(?m:^)" if self.newline else rb"\A")
        if char == ord("$") and self._is_end_anchor(at):
            return _Token(_ANCHOR, at + 1, b"(?m:$)" if self.newline else rb"\Z")
        if self.extended:
            kind = self._operator(char)
            if kind is not None:
                return _Token(kind, at + 1, bytes((char,)))
        return _Token(_CHARACTER, at + 1, bytes((char,)))

    @staticmethod
    def _operator(char: int) -> int | None:
        return {
            ord("+"): _REPEAT,
            ord("?"): _REPEAT,
            ord("{"): _INTERVAL,
            ord("}"): _INTERVAL_END,
            ord("("): _OPEN,
            ord(")"): _CLOSE,
            ord("|"): _ALTERNATIVE,
        }.get(char)

    def _peek_escape(self, at: int) -> _Token:
        if at + 1 >= len(self.pattern):
            raise UnsupportedPattern("a backslash at the end")
        # The character after a backslash keeps its case: with folded texts it may never match.
        char, end = self.raw[at + 1], at + 2
        if not self.extended:
            kind = self._operator(char)
            if kind is not None:
                return _Token(kind, end, bytes((char,)))
        if ord("1") <= char <= ord("9"):
            return _Token(_REFERENCE, end, bytes((char,)))
        if char in _GNU_SETS:
            return _Token(_SET, end, _GNU_SETS[char])
        if char in _GNU_ANCHORS:
            return _Token(_ANCHOR, end, _GNU_ANCHORS[char])
        return _Token(_CHARACTER, end, bytes((char,)))

    def _is_end_anchor(self, at: int) -> bool:
        if self.extended or at + 1 == len(self.pattern):
            return True
        return self.raw[at + 1 : at + 3] in (b"\\|", b"\\)")

    # Structure ------------------------------------------------------------------------------------------------

    def _alternatives(self, depth: int) -> bytes:
        known = self.completed
        branches = [self._branch(depth)]
        completed = self.completed
        while self.token.kind == _ALTERNATIVE:
            self._next(after_opening=True)
            self.completed = known
            branches.append(self._branch(depth))
            completed |= self.completed
        self.completed = completed
        return b"|".join(branches)

    def _branch(self, depth: int) -> bytes:
        parts: list[bytes] = []
        while self.token.kind not in (_ALTERNATIVE, _END) and not (depth and self.token.kind == _CLOSE):
            parts.append(self._expression(depth))
        return b"".join(parts)

    def _expression(self, depth: int) -> bytes:
        token = self.token
        kind = token.kind
        if kind == _ANCHOR:
            # An anchor cannot be repeated: the operator belongs to the next part.
            self._next()
            return token.content
        if kind == _OPEN:
            atom = self._group(depth)
        elif kind == _BRACKET:
            atom = self._bracket()
        elif kind == _REFERENCE:
            if int(token.content) not in self.completed:
                raise UnsupportedPattern("a reference to a group that is not there")
            # In a group, so that a digit after it is not part of it.
            atom = b"(?:\\" + token.content + b")"
        elif kind == _SET:
            atom = token.content
        else:
            atom = self._literal(token)
        self._next()
        return self._repeated(atom)

    def _literal(self, token: _Token) -> bytes:
        """A character, or an operator where it is taken literally."""
        kind = token.kind
        if kind in _REPEATS and (self.extended or kind == _INTERVAL):
            raise UnsupportedPattern("nothing to repeat")
        if kind == _CLOSE and not self.extended:
            raise UnsupportedPattern("a group that was not opened")
        return re.escape(token.content)

    def _group(self, depth: int) -> bytes:
        self.n_groups += 1
        number = self.n_groups
        self._next(after_opening=True)
        inside = self._alternatives(depth + 1)
        if self.token.kind != _CLOSE:
            raise UnsupportedPattern("a group that is not closed")
        if number <= 9:
            self.completed |= {number}
        return b"(" + inside + b")"

    def _bracket(self) -> bytes:
        bracket = Bracket(self.pattern, self.raw, self.token.end, folds=self.folds)
        self.token = _Token(_BRACKET, bracket.at)
        return bracket.translated(excludes_newline=self.newline)

    def _repeated(self, atom: bytes) -> bytes:
        while self.token.kind in _REPEATS:
            low, high = self._times()
            bounds = b"%d," % low if high == _UNBOUNDED else b"%d,%d" % (low, high)
            atom = b"(?:" + atom + b"){" + bounds + b"}"
            self._next()
            if not self.extended and (self.token.kind == _INTERVAL or self.token.content == b"*" == self._here()):
                raise UnsupportedPattern("a repetition of a repetition")
        return atom

    def _here(self) -> bytes:
        return self.pattern[self.at : self.token.end]

    def _times(self) -> tuple[int, int]:
        if self.token.kind == _REPEAT:
            return {b"*": (0, _UNBOUNDED), b"+": (1, _UNBOUNDED), b"?": (0, 1)}[self.token.content]
        low = self._number()
        is_list = self.token.kind == _CHARACTER and self.token.content == b","
        if low is None:
            if not is_list:
                raise UnsupportedPattern("an interval without a number")
            low = 0
        high = low
        if is_list:
            found = self._number()
            high = _UNBOUNDED if found is None else found
        if self.token.kind != _INTERVAL_END or (high != _UNBOUNDED and low > high):
            raise UnsupportedPattern("invalid interval")
        if max(low, high) > _MAX_REPEAT:
            raise UnsupportedPattern("too many repetitions")
        return low, high

    def _number(self) -> int | None:
        """The number before a comma or the interval's end, which is then the token; None if there is none."""
        number: int | None = None
        while True:
            self._next()
            token = self.token
            if token.kind == _END:
                raise UnsupportedPattern("an interval that does not end")
            if token.kind == _INTERVAL_END or token.content == b",":
                return number
            if token.kind != _CHARACTER or not token.content.isdigit():
                raise UnsupportedPattern("an interval with something else than numbers")
            number = min(_MAX_REPEAT + 1, (number or 0) * 10 + int(token.content))
