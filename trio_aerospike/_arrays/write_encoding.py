"""Encode a structured array as a batch of writes, all rows of which have the same length.

So the rows are written as one matrix of bytes: what is the same in all of them once, and the values column by column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from .._wire import constants as wire
from .._wire.commands import encode_op
from ..errors import InvalidArgError
from ..keys import Key, UserKey
from ..validation import checked_bin_name, kind_of, refused
from .fields import AnyArray, Field, fields_of

_KEY_ALLOWED = "an integer field, or one of bytes (S, V)"


@attrs.frozen(eq=False)
class ArrayWrites:
    """The records of an array.

    Args:
        keys: of each.
        template: the operations that write one, with zeros for values.
        count: of the operations.
    """

    keys: list[Key]
    template: bytes
    count: int
    _columns: list[tuple[int, AnyArray]]

    def behind(self, head_of: Callable[[Key], bytes], *, alike: bool) -> list[bytes]:
        """What each row says: a head, and its operations.

        Args:
            head_of: what stands before the operations of a key.
            alike: it is the same for all keys.
        """
        rows = len(self.keys)
        if not rows:
            return []
        head = head_of(self.keys[0]) if alike else b""
        width = len(head) + len(self.template)
        matrix = np.empty((rows, width), np.uint8)
        matrix[:] = np.frombuffer(head + self.template, np.uint8)
        for offset, column in self._columns:
            start = len(head) + offset
            matrix[:, start : start + column.shape[1]] = column
        data = matrix.tobytes()
        payloads = [data[at : at + width] for at in range(0, rows * width, width)]
        return payloads if alike else [head_of(key) + rest for key, rest in zip(self.keys, payloads, strict=True)]


def writes_of_array(
    data: object,
    namespace: str,
    set_name: str,
    key_field: str,
    text_keys: bool = False,
    text_digests: bool = False,
) -> ArrayWrites:
    """The records that an array stands for.

    Args:
        data: a structured array of one dimension, a row for each record.
        namespace, set_name: where they live.
        key_field: the field with the user keys. Other fields become bins, except those that begin with "_".
        text_keys: keys in a field of kind S are text in UTF-8.
        text_digests: keys of bytes are hashed as text, see Key.with_text_digest.

    Raises:
        TypeError: it is no such array, or a field is of a kind that the database does not hold.
        ValueError: it has other dimensions, no field of that name, or another byte order than the machine.
        OverflowError: an unsigned integer is larger than the database's, which are signed.
        InvalidArgError: a field's name cannot be a bin's, or no field is left for bins; a key is not UTF-8 text.
    """
    where = "batch_write_numpy.data"
    if not isinstance(data, np.ndarray):
        raise TypeError(f"{where}: got {kind_of(data)}, allowed: a structured numpy array")
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{where}: got a masked array, allowed: one without a mask (see numpy.ma.filled)")
    fields = fields_of(data.dtype, f"{where}.dtype")
    if data.ndim != 1:
        raise ValueError(f"{where}: got an array of shape {data.shape}, allowed: one dimension, a row for each record")
    names = {field.name for field in fields}
    if key_field not in names:
        raise ValueError(f"batch_write_numpy.key_field: got {key_field!r}, allowed: a field of the dtype, {names}")
    user_keys: list[UserKey] = []
    offset = 0
    template = b""
    columns: list[tuple[int, AnyArray]] = []
    bins = 0
    for field in fields:
        column = data[field.name]
        if field.name == key_field:
            user_keys = _user_keys(field, column, text_keys)
        if field.name == key_field or field.name.startswith("_"):
            continue
        checked_bin_name(field.name, f"{where}.dtype")
        value = _wire_values(field, column)
        width = value.shape[1]
        op = _op(field, width)
        template += op
        offset += len(op)
        columns.append((offset - width, value))
        bins += 1
    if not bins:
        raise InvalidArgError(f"{where}.dtype: got no field besides {key_field!r}, allowed: one or more for bins")
    make = Key.with_text_digest if text_digests else Key
    return ArrayWrites([make(namespace, set_name, user_key) for user_key in user_keys], template, bins, columns)


def _op(field: Field, width: int) -> bytes:
    """The operation that writes a field, its value zero; the value stands at the end."""
    value: Any = bytes(width)
    if field.is_numeric and not field.shape:
        value = 0.0 if field.base.kind == "f" else 0
    return encode_op(wire.OP_WRITE, field.name, value)


def _wire_values(field: Field, column: AnyArray) -> AnyArray:
    """The values of a field as they go over the wire, a row of bytes for each."""
    rows = len(column)
    if field.shape or not field.is_numeric:
        plain = np.ascontiguousarray(column)
        return np.frombuffer(plain.tobytes(), np.uint8).reshape(rows, field.dtype.itemsize)
    if field.base.kind == "f":
        return column.astype(">f8").view(np.uint8).reshape(rows, 8)
    _check_signed(field, column)
    return column.astype(">i8").view(np.uint8).reshape(rows, 8)


def _check_signed(field: Field, column: AnyArray) -> None:
    if field.base.kind == "u" and field.base.itemsize == 8:
        wrong = column > np.iinfo(np.int64).max
        if wrong.any():
            place = int(np.argmax(wrong))
            raise OverflowError(
                f"batch_write_numpy.data: row {place}, field {field.name!r}: got {column[place]}, allowed: an int of "
                f"64 bits with a sign, as the database has them"
            )


def _user_keys(field: Field, column: AnyArray, text: bool) -> list[UserKey]:
    if field.shape or field.base.kind == "f" or field.base.names is not None:
        raise ValueError(f"batch_write_numpy.key_field: got {field.name!r} of {field.dtype}, allowed: {_KEY_ALLOWED}")
    if field.base.kind in "iu":
        _check_signed(field, column)
        keys: list[UserKey] = column.tolist()
        return keys
    # A field of bytes is filled up with zeros, which are no part of the key.
    values = [bytes(value).rstrip(b"\0") for value in column.tolist()]
    return [_decoded(*row, field) for row in enumerate(values)] if text and field.base.kind == "S" else [*values]


def _decoded(place: int, value: bytes, field: Field) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise refused(f"batch_write_numpy.data: row {place}, field {field.name!r}", value, "text in UTF-8") from None
