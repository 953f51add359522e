"""Generate decoders for records of a query's answer that share a layout.

As `batch_layouts` for the rows of batches; a record of a query also has its namespace, set and digest, perhaps its user
key, and the index value under which it was found.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from .constants import (
    DIGEST_SIZE,
    FIELD_BVAL_ARRAY,
    FIELD_DIGEST,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    MESSAGE_HEADER_SIZE,
    PARTICLE_BLOB,
    PARTICLE_INTEGER,
    PARTICLE_STRING,
)
from .layouts import BINS_MAX, LAYOUTS_KEPT, Layout, LayoutWriter, bins_layout

#: The parts of a record's key: namespace, set name, user key (None if it is not known), digest.
Place: TypeAlias = tuple[str, str, Any, bytes]
#: (place, bins, generation, void time) -> a record.
MakeRecord: TypeAlias = Callable[[Place, dict[str, Any], int, int], Any]
#: Decodes consecutive records of the layout until there are ``count``: (body, position, count, records, values,
#: make_record) -> the position of the first record that is left.
RunDecoder: TypeAlias = Callable[[bytes, int, int, list[Any], list[int], MakeRecord], int]

#: A field of a layout: its id, and the bytes that are the same in every record (of a key, its particle type).
FieldLayout: TypeAlias = tuple[int, bytes]
RecordLayout: TypeAlias = tuple[bytes, tuple[FieldLayout, ...], Layout]

_KEY_OF_INTEGER = b"\x00\x00\x00\x0a\x02\x01"
_unpack_counts = struct.Struct(">HH").unpack_from
_pack_counts = struct.Struct(">HH").pack
_unpack_field = struct.Struct(">IB").unpack_from


def layout_of(body: bytes, position: int) -> RecordLayout | None:
    """Return the layout of the record at ``position``, decoded before; None if it is not worth a decoder."""
    head = body[position : position + 6]
    n_fields, n_ops = _unpack_counts(body, position + 18)
    if n_ops > BINS_MAX:
        return None
    position += MESSAGE_HEADER_SIZE
    fields: list[FieldLayout] = []
    for _ in range(n_fields):
        size, kind = _unpack_field(body, position)
        data = body[position + 5 : position + 4 + size]
        position += 4 + size
        if kind in (FIELD_NAMESPACE, FIELD_SET):
            fields.append((kind, data))
        elif kind == FIELD_KEY and data[:1] in _KEYS and (data[0] != PARTICLE_INTEGER or len(data) == 9):
            fields.append((kind, data[:1]))
        elif kind in (FIELD_DIGEST, FIELD_BVAL_ARRAY):
            fields.append((kind, b""))
        else:
            return None
    kinds = [kind for kind, _ in fields]
    if len(set(kinds)) != len(kinds) or FIELD_DIGEST not in kinds:
        return None
    bins = bins_layout(body, position, n_ops)
    return None if bins is None else (head, tuple(fields), bins)


_KEYS = {bytes((particle,)) for particle in (PARTICLE_INTEGER, PARTICLE_STRING, PARTICLE_BLOB)}


@functools.lru_cache(maxsize=LAYOUTS_KEPT)
def decoder_of(layout: RecordLayout) -> RunDecoder:
    """Return the decoder for records of a layout."""
    head, fields, bins = layout
    writer = LayoutWriter()
    writer.constant(head)
    generation, void_time = writer.field("I"), writer.field("I")
    writer.constant(bytes(4) + _pack_counts(len(fields), len(bins)))
    namespace = set_name = ""
    user_key, digest, value = "None", "", ""
    for kind, data in fields:
        if kind == FIELD_NAMESPACE:
            namespace = data.decode()
            writer.constant(struct.pack(">IB", len(data) + 1, kind) + data)
        elif kind == FIELD_SET:
            set_name = data.decode()
            writer.constant(struct.pack(">IB", len(data) + 1, kind) + data)
        elif kind == FIELD_DIGEST:
            writer.constant(struct.pack(">IB", DIGEST_SIZE + 1, kind))
            digest = writer.field(f"{DIGEST_SIZE}s")
        elif kind == FIELD_BVAL_ARRAY:
            writer.constant(struct.pack(">IB", 9, kind))
            value = f"int.from_bytes({writer.field('8s')}, 'little', signed=True)"
        elif data[0] == PARTICLE_INTEGER:
            writer.constant(_KEY_OF_INTEGER)
            user_key = writer.field("q")
        else:
            size = writer.field("I")
            writer.constant(bytes((FIELD_KEY,)) + data)
            start, end = writer.end_segment(size, 2)
            user_key = f"body[{start}:{end}]" + (".decode()" if data[0] == PARTICLE_STRING else "")
    writer.bins(bins)
    writer.end_segment()
    arguments = (
        f"({namespace!r}, {set_name!r}, {user_key}, {digest}), {{{', '.join(writer.items)}}}, {generation}, {void_time}"
    )
    source = "\n".join(
        [
            "def decode_run(body, position, count, records, values, make_record):",
            " total = len(body)",
            " append = records.append",
            " left = count - len(records)",
            " try:",
            "  while left > 0 and position < total:",
            *(f"   {line}" for line in writer.lines),
            f"   if {writer.end} > total: break",
            f"   append(make_record({arguments}))",
            *([f"   values.append({value})"] if value else []),
            "   left -= 1",
            f"   position = {writer.end}",
            " except faults:",
            "  pass",
            " return position",
        ]
    )
    space = writer.names
    exec(source, space)
    decode_run: RunDecoder = space["decode_run"]
    return decode_run
