"""Validate the contexts of secondary indexes (server: cdt_context_read_check_peek)."""

from __future__ import annotations

from ..._wire import cdt_ops
from ..._wire.cdt import pack_value, unpack_value
from ...errors import ProtocolError
from ..cdt.calls import Reader
from ..cdt.elements import INTEGER, NEGATIVE, STRING, Malformed, kind_of, unsigned
from ..exceptions import Refused

_LAST = cdt_ops.CONTEXT_MAP | cdt_ops.CONTEXT_VALUE
_KEY_OF_LIST = cdt_ops.CONTEXT_LIST | cdt_ops.CONTEXT_KEY


class BadContext(Exception):
    """The context is invalid, creates elements, or selects more than one."""


class NotNormal(BadContext):
    """The context is valid, but its MessagePack is not in its shortest form."""


def check_context(data: bytes) -> None:
    """Refuse a context that an index cannot have.

    Raises:
        BadContext: it is invalid.
        NotNormal: it is not in its shortest form.
    """
    try:
        reader = Reader(data)
        count = reader.list_count()
        if not count or count % 2:
            raise BadContext
        steps = [reader.element() for _ in range(count)]
        if not all(map(_reads_one, steps[::2])):
            raise BadContext
        normal = all(map(_is_normal, steps))
    except (Refused, Malformed, ProtocolError) as error:
        raise BadContext from error
    if not normal:
        raise NotNormal


def _reads_one(element: bytes) -> bool:
    kind = unsigned(element) & 0xFF
    return kind <= _LAST and kind & 0xF <= cdt_ops.CONTEXT_VALUE and kind != _KEY_OF_LIST


def _is_normal(element: bytes) -> bool:
    """Whether a scalar is in its shortest form."""
    return kind_of(element) not in (INTEGER, NEGATIVE, STRING) or pack_value(unpack_value(element)) == element
