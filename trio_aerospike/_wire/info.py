"""Encode and decode info messages, the server's text protocol: commands in, values out.

Facts: the server's ``as/src/base/thr_info.c``. ``info_cluster`` parses the answers about the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from ..errors import InvalidArgError, ProtocolError
from .constants import PROTO_INFO
from .error_text import clipped
from .frames import encode_frame


def encode_info_request(*names: str) -> bytes:
    """Encode the frame of info commands; without a command the server returns its default set of values.

    Raises:
        InvalidArgError: a name is empty or holds a line break, which ends a name.
    """
    for name in names:
        if not name or "\n" in name:
            raise InvalidArgError(f"info command {name!r:.60} is empty or holds a line break")
    return encode_frame(PROTO_INFO, "".join([name + "\n" for name in names]).encode())


def decode_info_request(body: bytes) -> list[str]:
    """Decode the commands of a request.

    Raises:
        ProtocolError: it is not UTF-8.
    """
    return [name for name in _text(body).split("\n") if name]


def encode_info_response(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    """Encode the frame of an answer, with values in their order."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return encode_frame(PROTO_INFO, "".join([f"{name}\t{value}\n" for name, value in pairs]).encode())


def decode_info_response(body: bytes) -> dict[str, str]:
    """Decode the answer to each command; "" for one without a value.

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
    """Decode the answers to known commands: the server answers in order, and repeats each command before its value.

    A command may contain a tab, and a value any character, as names of sets may; so an answer ends where the next
    command is repeated.

    Raises:
        ProtocolError: it is not UTF-8, or does not match the commands.
    """
    text = _text(body)
    answers: dict[str, str] = {}
    begin = 0
    for place, command in enumerate(commands):
        head = f"{command}\t"
        if not text.startswith(head, begin):
            raise ProtocolError(f"answer to {command[:80]!r}: got {text[begin : begin + 80]!r}")
        end = len(text) - text.endswith("\n")
        if place + 1 < len(commands):
            end = text.find(f"\n{commands[place + 1]}\t", begin)
            if end < 0:
                raise ProtocolError(f"{commands[place + 1][:80]!r} was not answered")
        answers[command] = text[begin + len(head) : end]
        begin = end + 1
    return answers


def refusal_of_all(body: bytes) -> InfoError | None:
    """Return the error of a server that refused a request as a whole, without repeating a command; else None.

    It does so if the client has not logged in, or the request has waited for longer than ``info-max-ms``.
    """
    return None if b"\t" in body else parse_error(body.decode(errors="replace").rstrip("\n"))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"an info message is not UTF-8: {error.reason} at byte {error.start}") from None


@attrs.frozen(slots=True)
class InfoError:
    """An error in place of a value: the result code (1 if the server sent none) and its text, shortened."""

    code: int
    message: str


def parse_error(value: str) -> InfoError | None:
    """Parse a value that is an error ("ERROR:4:bad", "FAIL:4:bad", "ERROR"); None for any other value."""
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
    """Format an error as the server does in place of a value."""
    return f"ERROR:{code}:{message}"
