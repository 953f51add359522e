"""Decode answers to single-record commands: the client's hot path from a message's bytes to a record.

Bounds are checked once at the end: after an operation that extends past the body the next read fails, or the last
position is not the body's end.
"""

from __future__ import annotations

import struct
from typing import Any

from ..errors import ProtocolError
from .error_text import clipped
from .particles import decode_value
from .undecodable import faulty_bin

# Header size, result code, generation, void time, number of fields, number of operations.
_unpack_header = struct.Struct(">B4xBII4xHH").unpack_from
# Size, particle type, flags, size of the name.
_unpack_op = struct.Struct(">IxBBB").unpack_from
_unpack_size = struct.Struct(">I").unpack_from
_unpack_int = struct.Struct(">q").unpack_from
_unpack_float = struct.Struct(">d").unpack_from

# Cache of decoded bin names, which repeat from record to record. Emptied when it is full.
_names: dict[bytes, str] = {}
_NAMES_MAX = 4096

_FAULTS = (struct.error, IndexError, UnicodeDecodeError, ProtocolError)


def _name(data: bytes) -> str:
    name = data.decode()
    if len(_names) >= _NAMES_MAX:
        _names.clear()
    _names[data] = name
    return name


def _malformed(body: bytes, error: Exception) -> ProtocolError:
    return ProtocolError(f"an answer of {len(body)} bytes is malformed: {error}")


def _undecodable(body: bytes, error: Exception) -> ProtocolError:
    """Return the error for an answer whose bins could not be decoded; it names the first invalid bin, if any."""
    try:
        n_fields, n_ops = _unpack_header(body, 0)[4:]
        position = skip_fields(body, 22, n_fields)
    except struct.error:
        return _malformed(body, error)
    found = faulty_bin(body, position, n_ops)
    if found is not None:
        return found
    return error if isinstance(error, ProtocolError) else _malformed(body, error)


def decode_header(body: bytes) -> tuple[int, int, int]:
    """Decode the header of an answer: result code, generation and void time (seconds since 2010, 0: never expires).

    Raises:
        ProtocolError: it is shorter than a header.
    """
    try:
        header_size, result_code, generation, void_time, _, _ = _unpack_header(body, 0)
    except struct.error as error:
        raise _malformed(body, error) from None
    if header_size != 22:
        raise ProtocolError(f"a message header of {header_size} bytes, expected 22")
    return result_code, generation, void_time


def decode_record(body: bytes) -> tuple[int, int, int, dict[str, Any]]:
    """Decode an answer that is one message: result code, generation, void time and bins.

    Of several results for one bin, the last that is not nil is used; see :func:`decode_ordered`.

    Raises:
        ProtocolError: it is malformed.
    """
    try:
        header_size, result_code, generation, void_time, n_fields, n_ops = _unpack_header(body, 0)
        position = 22
        while n_fields:
            position += 4 + _unpack_size(body, position)[0]
            n_fields -= 1
        bins: dict[str, Any] = {}
        names = _names
        while n_ops:
            size, particle, flags, name_size = _unpack_op(body, position)
            start = position + 8
            value = start + name_size
            position += 4 + size
            data = body[start:value]
            name = names.get(data)
            if name is None:
                name = _name(data)
            if flags:
                value += 8
            if particle == 1 and position - value == 8:
                bins[name] = _unpack_int(body, value)[0]
            elif value > position:
                raise ProtocolError(f"a bin of size {size} is shorter than its name")
            elif particle == 3:
                bins[name] = body[value:position].decode()
            elif particle == 2 and position - value == 8:
                bins[name] = _unpack_float(body, value)[0]
            elif particle:
                bins[name] = decode_value(particle, body[value:position])
            else:
                # The nil result of a write does not replace the result of a read of the same bin.
                bins.setdefault(name, None)
            n_ops -= 1
    except _FAULTS as error:
        raise _undecodable(body, error) from None
    if position != len(body) or header_size != 22:
        raise ProtocolError(f"an answer of {len(body)} bytes is malformed: its message has {position}")
    return result_code, generation, void_time, bins


def decode_ordered(body: bytes) -> tuple[int, int, int, list[tuple[str, Any]]]:
    """As :func:`decode_record`, but return every result, in the order of the answer.

    Raises:
        ProtocolError: it is malformed.
    """
    result_code, generation, void_time = decode_header(body)
    try:
        n_fields, n_ops = _unpack_header(body, 0)[4:]
        position = skip_fields(body, 22, n_fields)
        results, position = read_bins(body, position, n_ops)
    except _FAULTS as error:
        raise _undecodable(body, error) from None
    if position != len(body):
        raise ProtocolError(f"an answer of {len(body)} bytes is malformed: its message has {position}")
    return result_code, generation, void_time, results


def skip_fields(body: bytes, position: int, count: int) -> int:
    """Return the end of ``count`` fields from ``position`` on (may raise struct.error)."""
    for _ in range(count):
        position += 4 + _unpack_size(body, position)[0]
    return position


def read_bins(body: bytes, position: int, count: int) -> tuple[list[tuple[str, Any]], int]:
    """Decode ``count`` bins from ``position`` on; return them and their end.

    May raise struct.error or UnicodeDecodeError.
    """
    results: list[tuple[str, Any]] = []
    append = results.append
    names = _names
    total = len(body)
    for _ in range(count):
        size, particle, flags, name_size = _unpack_op(body, position)
        start = position + 8
        value = start + name_size
        position += 4 + size
        data = body[start:value]
        if flags:
            value += 8
        if value > position or position > total:
            raise ProtocolError(f"a bin of size {size} does not fit its message")
        name = names.get(data)
        if name is None:
            name = _name(data)
        if particle == 1 and position - value == 8:
            append((name, _unpack_int(body, value)[0]))
        elif particle == 3:
            append((name, body[value:position].decode()))
        else:
            append((name, decode_value(particle, body[value:position])))
    return results, position


def skip_bins(body: bytes, position: int, count: int) -> int:
    """Return the end of ``count`` bins from ``position`` on, without decoding values (may raise struct.error).

    Raises:
        ProtocolError: a bin is too short, or they end beyond the answer.
    """
    for _ in range(count):
        size, _, flags, name_size = _unpack_op(body, position)
        if 4 + name_size + (8 if flags else 0) > size:
            raise ProtocolError(f"a bin of size {size} is shorter than its name")
        position += 4 + size
    if position > len(body):
        raise ProtocolError(f"an answer of {len(body)} bytes is cut off")
    return position


def bins_of(results: list[tuple[str, Any]]) -> dict[str, Any]:
    """Group results by bin: of several for one bin, the last that is not nil."""
    bins = dict(results)
    if None in bins.values() and len(bins) != len(results):
        bins.update([result for result in results if result[1] is not None])
    return bins


def decode_failure(body: bytes) -> str | None:
    """Return the error text of a failed user-defined function; None if the answer has none.

    The server puts it into a bin named FAILURE (server: as/src/transaction/udf.c).
    """
    try:
        text = decode_record(body)[3].get("FAILURE")
    except ProtocolError:
        return None
    return clipped(text) if isinstance(text, str) else None
