"""Info: the server's text protocol, of names in and name-value lines out.

Facts: the server's ``as/src/base/thr_info.c``. What nodes tell of their cluster is read in ``info_cluster``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from ..errors import InvalidArgError, ProtocolError
from .constants import PROTO_INFO
from .frames import encode_frame
from .shown import clipped


def encode_info_request(*names: str) -> bytes:
    """The frame that asks for these values or runs these commands; none asks for the server's default set.

    Raises:
        InvalidArgError: a name is empty or holds a line break, which ends a name.
    """
    for name in names:
        if not name or "\n" in name:
            raise InvalidArgError(f"info command {name!r:.60} is empty or holds a line break")
    return encode_frame(PROTO_INFO, "".join([name + "\n" for name in names]).encode())


def decode_info_request(body: bytes) -> list[str]:
    """The names a request asks for.

    Raises:
        ProtocolError: it is not UTF-8.
    """
    return [name for name in _text(body).split("\n") if name]


def encode_info_response(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    """The frame that answers with these values, in their order."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return encode_frame(PROTO_INFO, "".join([f"{name}\t{value}\n" for name, value in pairs]).encode())


def decode_info_response(body: bytes) -> dict[str, str]:
    """The answer to each name asked for; a value of none is "".

    Raises:
        ProtocolError: it is not UTF-8.
    """
    answers = {}
    for line in _text(body).split("\n"):
        if line:
            name, _, value = line.partition("\t")
            answers[name] = value
    return answers


def decode_info_answers(body: bytes, commands: Sequence[str]) -> dict[str, str]:
    """The answers to these commands: the server answers in order, each command repeated before its value.

    A command may hold a tab, and a value anything, as names of sets may; so each answer begins where the next command
    is repeated.

    Raises:
        ProtocolError: it is not UTF-8, or not the answer to these commands.
    """
    text = _text(body)
    answers: dict[str, str] = {}
    begin = 0
    for place, command in enumerate(commands):
        head = f"{command}\t"
        if not text.startswith(head, begin):
            raise ProtocolError(f"an answer to {command[:80]!r} was expected, and came {text[begin : begin + 80]!r}")
        end = len(text) - text.endswith("\n")
        if place + 1 < len(commands):
            end = text.find(f"\n{commands[place + 1]}\t", begin)
            if end < 0:
                raise ProtocolError(f"{commands[place + 1][:80]!r} was not answered")
        answers[command] = text[begin + len(head) : end]
        begin = end + 1
    return answers


def refusal_of_all(body: bytes) -> InfoError | None:
    """The error with which a server answers a request as a whole, no command repeated; None where it is an answer.

    So it answers a client that has not logged in, and a request that has waited for longer than ``info-max-ms``.
    """
    return None if b"\t" in body else parse_error(body.decode(errors="replace").rstrip("\n"))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"an info message is not UTF-8: {error.reason} at byte {error.start}") from None


@attrs.frozen(slots=True)
class InfoError:
    """An error in place of a value: the result code (1 when the server gave none) and its text, shortened."""

    code: int
    message: str


def parse_error(value: str) -> InfoError | None:
    """The error that a value stands for ("ERROR:4:bad", "FAIL:4:bad", "ERROR"), None when it is a value."""
    kind, _, rest = value.partition(":")
    if kind.upper() not in ("ERROR", "FAIL"):
        return None
    code, colon, message = rest.partition(":")
    if code.isascii() and code.isdigit() and len(code) < 10:
        return InfoError(int(code), clipped(message))
    return InfoError(1, clipped(message if colon and not code else rest))


def is_error(value: str) -> bool:
    """Whether a value is an error of the server (see :func:`parse_error`)."""
    return parse_error(value) is not None


def format_error(code: int, message: str = "") -> str:
    """An error as the server writes it in place of a value."""
    return f"ERROR:{code}:{message}"
