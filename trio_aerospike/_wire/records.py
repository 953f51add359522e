"""Decode answers to single-record commands, and the bins of all answers: from a message's bytes to values."""

from __future__ import annotations

from typing import Any

from ..errors import ProtocolError
from . import constants as wire, particles, reading
from .error_text import clipped
from .undecodable import faulty_bin

#: Names of bins, sets and namespaces repeat from record to record. Emptied when it is full.
_names: dict[bytes, str] = {}
_NAMES_MAX = 4096
#: The same, compiled.
_texts: list[Any] = [None] * 2048

#: Whether the hot modules of the package run compiled.
SPEEDUPS: bool = bool(reading.COMPILED)

_FAULTS = (*reading.CUT_OFF, UnicodeDecodeError, ProtocolError)


def repeated_text(body: bytes, start: int, end: int) -> str:
    """Decode text in UTF-8 that is likely to repeat.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    if reading.COMPILED:
        return reading.repeated_text_of(_texts, body, start, end - start)
    data = body[start:end]
    text = _names.get(data)
    if text is None:
        text = _new_name(data)
    return text


def _new_name(data: bytes) -> str:
    name = data.decode()
    if len(_names) >= _NAMES_MAX:
        _names.clear()
    _names[data] = name
    return name


def read_bins(body: bytes, position: int, count: int, bins: dict[str, Any], results: list[Any] | None = None) -> int:
    """Decode bins.

    May raise any of ``reading.CUT_OFF`` and UnicodeDecodeError.

    Args:
        body: the answer.
        position: of the first bin.
        count: their number.
        bins: values are put here by name. It gets fewer than ``count`` items where a name occurs twice or a value is
            nil, which is left out.
        results: in place of ``bins``, gets every name and value, in order.

    Returns:
        The end of the bins.

    Raises:
        ProtocolError: a bin does not fit the answer, or its value is malformed.
    """
    total = len(body)
    names = _names
    value: Any
    for _ in range(count):
        size, particle, flags, name_size = reading.unpack_op(body, position)
        start = position + 8
        value_start = start + name_size
        position += 4 + size
        if reading.COMPILED:
            name = reading.repeated_text_of(_texts, body, start, name_size)
        else:
            data = body[start:value_start]
            name = names.get(data) or _new_name(data)
        if flags:
            value_start += 8
        if value_start > position or position > total:
            raise ProtocolError(f"a bin of size {size} does not fit its message")
        if particle == wire.PARTICLE_STRING:
            value = body[value_start:position].decode()
        elif particle == wire.PARTICLE_INTEGER and position - value_start == 8:
            (value,) = reading.unpack_i64(body, value_start)
        elif particle == wire.PARTICLE_FLOAT and position - value_start == 8:
            (value,) = reading.unpack_f64(body, value_start)
        elif particle == wire.PARTICLE_BLOB:
            value = body[value_start:position]
        elif particle != wire.PARTICLE_NULL:
            value = particles.decode_value(particle, body[value_start:position])
        elif results is None:
            continue
        else:
            value = None
        if results is None:
            bins[name] = value
        else:
            results.append((name, value))
    return position


def bins_of(results: list[tuple[str, Any]]) -> dict[str, Any]:
    """Group results by bin: of several for one bin, the last that is not nil."""
    bins = dict(results)
    if None in bins.values() and len(bins) != len(results):
        bins.update([result for result in results if result[1] is not None])
    return bins


def skip_fields(body: bytes, position: int, count: int) -> int:
    """Return the end of ``count`` fields from ``position`` on (may raise ``reading.CUT_OFF``)."""
    for _ in range(count):
        (size,) = reading.unpack_u32(body, position)
        position += 4 + size
    return position


def skip_bins(body: bytes, position: int, count: int) -> int:
    """Return the end of ``count`` bins from ``position`` on, without decoding values (may raise ``reading.CUT_OFF``).

    Raises:
        ProtocolError: a bin is too short, or they end beyond the answer.
    """
    for _ in range(count):
        size, _particle, flags, name_size = reading.unpack_op(body, position)
        if 4 + name_size + (8 if flags else 0) > size:
            raise ProtocolError(f"a bin of size {size} is shorter than its name")
        position += 4 + size
    if position > len(body):
        raise ProtocolError(f"an answer of {len(body)} bytes is cut off")
    return position


def decode_header(body: bytes) -> tuple[int, int, int]:
    """Decode the header of an answer: result code, generation and void time (seconds since 2010, 0: never expires).

    Raises:
        ProtocolError: it is shorter than a header.
    """
    if len(body) < wire.MESSAGE_HEADER_SIZE:
        raise _cut_off(body)
    header_size, _info3, result_code, generation, void_time, _ttl, _fields, _ops = reading.unpack_head(body, 0)
    if header_size != wire.MESSAGE_HEADER_SIZE:
        raise ProtocolError(f"a message header of {header_size} bytes, expected {wire.MESSAGE_HEADER_SIZE}")
    return result_code, generation, void_time


def decode_record(body: bytes) -> tuple[int, int, int, dict[str, Any]]:
    """Decode an answer that is one message: result code, generation, void time and bins.

    Of several results for one bin, the last that is not nil is used; see :func:`decode_ordered`.

    Raises:
        ProtocolError: it is malformed.
    """
    bins: dict[str, Any] = {}
    try:
        header_size, _info3, result_code, generation, void_time, _ttl, n_fields, n_ops = reading.unpack_head(body, 0)
        position = wire.MESSAGE_HEADER_SIZE
        if n_fields:
            position = skip_fields(body, position, n_fields)
        end = read_bins(body, position, n_ops, bins)
        if len(bins) != n_ops:
            results: list[Any] = []
            end = read_bins(body, position, n_ops, bins, results)
            bins = bins_of(results)
    except _FAULTS as error:
        raise _undecodable(body, error) from None
    if end != len(body) or header_size != wire.MESSAGE_HEADER_SIZE:
        raise ProtocolError(f"an answer of {len(body)} bytes is malformed: its message has {end}")
    return result_code, generation, void_time, bins


def decode_ordered(body: bytes) -> tuple[int, int, int, list[tuple[str, Any]]]:
    """As :func:`decode_record`, but return every result, in the order of the answer.

    Raises:
        ProtocolError: it is malformed.
    """
    result_code, generation, void_time = decode_header(body)
    results: list[tuple[str, Any]] = []
    try:
        n_fields, n_ops = reading.unpack_head(body, 0)[6:]
        end = read_bins(body, skip_fields(body, wire.MESSAGE_HEADER_SIZE, n_fields), n_ops, {}, results)
    except _FAULTS as error:
        raise _undecodable(body, error) from None
    if end != len(body):
        raise ProtocolError(f"an answer of {len(body)} bytes is malformed: its message has {end}")
    return result_code, generation, void_time, results


def decode_failure(body: bytes) -> str | None:
    """Return the error text of a failed user-defined function; None if the answer has none.

    The server puts it into a bin named FAILURE (server: as/src/transaction/udf.c).
    """
    try:
        text = decode_record(body)[3].get("FAILURE")
    except ProtocolError:
        return None
    return clipped(text) if isinstance(text, str) else None


def _cut_off(body: bytes) -> ProtocolError:
    return ProtocolError(f"an answer of {len(body)} bytes is malformed: it is cut off")


def _undecodable(body: bytes, error: Exception) -> ProtocolError:
    """Return the error for an answer whose bins could not be decoded; it names the first invalid bin, if any."""
    try:
        _size, _info3, _code, _generation, _void_time, _ttl, n_fields, n_ops = reading.unpack_head(body, 0)
        position = skip_fields(body, wire.MESSAGE_HEADER_SIZE, n_fields)
    except reading.CUT_OFF:
        return _cut_off(body)
    found = faulty_bin(body, position, n_ops)
    if found is not None:
        return found
    return error if isinstance(error, ProtocolError) else _cut_off(body)
