"""Info: the server's text protocol, of names in and name-value lines out.

Facts: the server's ``as/src/base/thr_info.c``. What nodes tell of their cluster is read in ``info_cluster``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
