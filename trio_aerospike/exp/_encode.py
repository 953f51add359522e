"""Encode expressions, and compute their size in the server (C client: as_exp.h; server: exp.c)."""

from __future__ import annotations

from typing import Any, Final

from trio_aerospike._wire import exp_ops as ops
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import list_header
from trio_aerospike._wire.cdt_ops import CONTEXT_EVAL, SELECT
from trio_aerospike.ctx import encode_steps
from trio_aerospike.exp._node import VALUE, Node
from trio_aerospike.exp._types import Kind

_QUOTE: Final = list_header(2) + pack_value(ops.QUOTE)
_LIST_FIRST: Final = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))


def encode(node: Node) -> bytes:
    """Encode an expression."""
    out: list[bytes] = []
    _write(node, out)
    return b"".join(out)


def quoted_list(data: bytes) -> bytes:
    """Quote a packed list, as a bare list is an operation; other values stay as they are."""
    return _QUOTE + data if data[0] in _LIST_FIRST else data


def raw_text(text: str) -> bytes:
    """Pack a name or a pattern: a MessagePack string without the particle type of values."""
    data = text.encode()
    size = len(data)
    if size < 32:
        return b"%c" % (0xA0 | size) + data
    if size < 0x100:
        return b"\xd9%c" % size + data
    if size < 0x10000:
        return b"\xda" + size.to_bytes(2, "big") + data
    return b"\xdb" + size.to_bytes(4, "big") + data


def _write(node: Node, out: list[bytes]) -> None:
    if node._encoded is not None:
        out.append(node._encoded)
        return
    code, static, children = node._code, node._static, node._children
    if code == VALUE:
        out.append(quoted_list(static[1]))
        return
    if code == ops.CALL:
        _write_call(node, out)
        return
    if code == ops.LET:
        out.append(list_header(1 + 2 * len(children) - 1) + pack_value(code))
        for name, child in zip(static[0], children[:-1], strict=True):
            out.append(raw_text(name))
            _write(child, out)
        _write(children[-1], out)
        return
    parts = [raw_text(part) if isinstance(part, str) else pack_value(int(part)) for part in static]
    out.append(list_header(1 + len(parts) + len(children)) + pack_value(code) + b"".join(parts))
    for child in children:
        _write(child, out)


def _write_call(node: Node, out: list[bytes]) -> None:
    kind, system, opcode, steps, flags, modifier = node._static
    context = encode_steps(steps)
    arguments = node._children[:-1]
    out.append(list_header(5) + pack_value(ops.CALL) + pack_value(int(kind)) + pack_value(system))
    if opcode == SELECT:
        count = 3 if modifier is None else 4
        out.append(list_header(count) + pack_value(SELECT) + context + pack_value(flags))
        if modifier is not None:
            _write(modifier, out)
    else:
        if context:
            out.append(list_header(3) + pack_value(CONTEXT_EVAL) + context)
        out.append(list_header(1 + len(arguments)) + pack_value(opcode))
        for child in arguments:
            _write(child, out)
    _write(node._children[-1], out)


# Size of the server's structure for each operation, in bytes (on its 64-bit platforms).
_BASE: Final = 8
_SIZES: Final = {
    ops.CMP_REGEX: 80,
    ops.META_DIGEST_MOD: 12,
    ops.REC_KEY: 12,
    ops.BIN: 24,
    ops.BIN_TYPE: 24,
    ops.VAR_BUILTIN: 16,
    ops.VAR: 16,
    ops.LET: 20,
    ops.CALL: 344,
}
_VALUE_SIZES: Final = {Kind.NIL: 8, Kind.INT: 16, Kind.FLOAT: 16, Kind.GEO: 40}
_VALUE_SIZE: Final = 24


def compiled_size(code: int, static: tuple[Any, ...], children: tuple[Node, ...]) -> int:
    """The size that the server computes for an expression before it builds it (exp.c, build_count_sz)."""
    if code == VALUE:
        return _VALUE_SIZES.get(static[0], _VALUE_SIZE)
    if code == ops.COND:
        return 12 + len(children) // 2 * _BASE + sum([child._size for child in children])
    if code == ops.CALL:
        # Plain arguments in front of the first that is an expression, or a list, are not counted.
        first = 0
        while first < len(children) - 1 and _is_plain(children[first]):
            first += 1
        children = children[first:]
    return _SIZES.get(code, _BASE) + sum([child._size for child in children])


def _is_plain(node: Node) -> bool:
    return node._code == VALUE and node._static[0] is not Kind.LIST
