"""Format expressions and contexts as the server does in its list of indexes.

Of strings and collections it shows only the sizes. See rt_display and the functions named display_* in the server's
as/src/base/exp.c, cdt_msgpack_ctx_to_dynbuf in its cdt.c, msgpack_display in its cf/src/msgpack_in.c.
"""

from __future__ import annotations

from typing import Final

from ..._wire import cdt_ops, constants as wire, exp_ops as codes
from ..._wire.operation_tables import ROWS
from ..cdt import elements
from ..cdt.elements import Malformed
from .validation import Reader

_NAMES: Final = {
    codes.UNK: "unknown",
    codes.CMP_EQ: "eq",
    codes.CMP_NE: "ne",
    codes.CMP_GT: "gt",
    codes.CMP_GE: "ge",
    codes.CMP_LT: "lt",
    codes.CMP_LE: "le",
    codes.CMP_REGEX: "cmp_regex",
    codes.CMP_GEO: "cmp_geo",
    codes.IN_LIST: "in_list",
    codes.AND: "and",
    codes.OR: "or",
    codes.NOT: "not",
    codes.EXCLUSIVE: "exclusive",
    codes.ADD: "add",
    codes.SUB: "sub",
    codes.MUL: "mul",
    codes.DIV: "div",
    codes.POW: "pow",
    codes.LOG: "log",
    codes.MOD: "mod",
    codes.ABS: "abs",
    codes.FLOOR: "floor",
    codes.CEIL: "ceil",
    codes.TO_INT: "to_int",
    codes.TO_FLOAT: "to_float",
    codes.INT_AND: "int_and",
    codes.INT_OR: "int_or",
    codes.INT_XOR: "int_xor",
    codes.INT_NOT: "int_not",
    codes.INT_LSHIFT: "int_lshift",
    codes.INT_RSHIFT: "int_rshift",
    codes.INT_ARSHIFT: "int_arshift",
    codes.INT_COUNT: "int_count",
    codes.INT_LSCAN: "int_lscan",
    codes.INT_RSCAN: "int_rscan",
    codes.MIN: "min",
    codes.MAX: "max",
    codes.META_DEVICE_SIZE: "device_size",
    codes.META_LAST_UPDATE: "last_update",
    codes.META_SINCE_UPDATE: "since_update",
    codes.META_VOID_TIME: "void_time",
    codes.META_TTL: "ttl",
    codes.META_SET_NAME: "set_name",
    codes.META_KEY_EXISTS: "key_exists",
    codes.META_IS_TOMBSTONE: "is_tombstone",
    codes.META_MEMORY_SIZE: "memory_size",
    codes.META_RECORD_SIZE: "record_size",
    codes.RESULT_REMOVE: "result_remove",
    codes.MAP_KEYS: "map_keys",
    codes.MAP_VALUES: "map_values",
}
"""Operations that have only expressions for arguments."""

_TYPES: Final = ("nil", "bool", "int", "str", "list", "map", "blob", "float", "geojson", "hll")
_CALLS: Final = {(call.family.system, call.code): call.shown for call in ROWS if call.shown}
"""Names of operations, by the family's number in calls and their own."""

_STEPS: Final = {
    cdt_ops.CONTEXT_INDEX: "index",
    cdt_ops.CONTEXT_RANK: "rank",
    cdt_ops.CONTEXT_KEY: "key",
    cdt_ops.CONTEXT_VALUE: "value",
    cdt_ops.CONTEXT_EXP: "exp",
    cdt_ops.CONTEXT_INDEX_LIST: "index_list",
    cdt_ops.CONTEXT_RANK_LIST: "rank_list",
    cdt_ops.CONTEXT_KEY_LIST: "key_list",
    cdt_ops.CONTEXT_VALUE_LIST: "value_list",
}


def shown_expression(data: bytes) -> str:
    """Format an expression that has been compiled before."""
    return _Shown(Reader(data)).next()


def shown_context(data: bytes) -> str:
    """Format a context that has been checked before; the server closes one of its two brackets."""
    return _context(Reader(data))


def _context(reader: Reader) -> str:
    steps = []
    for _ in range(reader.list_count() // 2):
        number = reader.unsigned()
        where = "list_" if number & cdt_ops.CONTEXT_LIST else "map_" if number & cdt_ops.CONTEXT_MAP else ""
        steps.append(f"{where}{_STEPS[number & cdt_ops.CONTEXT_BASE_MASK]}({_value(reader.take())})")
    return f"[{', '.join(steps)}]"


def _value(element: bytes) -> str:
    """Format a value, or its type and size."""
    kind = elements.kind_of(element)
    if kind in (elements.NIL, elements.FALSE, elements.TRUE):
        return {elements.NIL: "nil", elements.FALSE: "false", elements.TRUE: "true"}[kind]
    if kind in (elements.NEGATIVE, elements.INTEGER):
        return str(elements.signed(element))
    if kind == elements.DOUBLE:
        return f"{elements.double(element):f}"
    if kind == elements.LIST:
        return f"<list#{elements.header_at(element, 0)[1]}>"
    if kind == elements.MAP:
        return f"<map#{elements.header_at(element, 0)[1] // 2}>"
    if kind in (elements.STRING, elements.BYTES, elements.GEOJSON):
        text = elements.text_of(element)
        name = {elements.STRING: "string", elements.GEOJSON: "geojson"}.get(kind, "blob")
        if kind == elements.BYTES and text[:1] == bytes([wire.PARTICLE_HLL]):
            name = "hll"
        return f"<{name}#{max(len(text) - 1, 0)}>"
    return f"<ext#{len(element)}>"


class _Shown:
    """Formats an expression from front to back."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._variables: list[bytes] = []

    def next(self) -> str:
        """Format the next part."""
        reader = self._reader
        if reader.kind() != elements.LIST:
            return _value(reader.take())
        count = reader.list_count() - 1
        code = reader.unsigned()
        if code == codes.CMP_REGEX:
            flags, pattern = reader.unsigned(), reader.text()
            return f"cmp_regex(<string#{len(pattern)}>, {flags}, {self.next()})"
        if code in _NAMES:
            return f"{_NAMES[code]}({', '.join([self.next() for _ in range(count)])})"
        return self._special(code, count)

    def _special(self, code: int, count: int) -> str:
        reader = self._reader
        if code == codes.META_DIGEST_MOD:
            return f"digest_modulo({reader.unsigned()})"
        if code == codes.REC_KEY:
            reader.take()
            return "key()"
        if code == codes.BIN:
            kind = reader.unsigned()
            return f'bin_{_TYPES[kind]}("{reader.text().decode("utf-8", "replace")}")'
        if code == codes.BIN_TYPE:
            return f'bin_type("{reader.text().decode("utf-8", "replace")}")'
        if code == codes.COND:
            return f"cond({', '.join([self.next() for _ in range(count)])})"
        if code == codes.VAR:
            return f'var("var_{self._variables.index(reader.text())}")'
        if code == codes.VAR_BUILTIN:
            reader.take()
            return f"var_builtin({reader.unsigned()})"
        if code == codes.LET:
            return self._let(count)
        if code == codes.QUOTE:
            return _value(reader.take())
        if code == codes.CALL:
            return self._call()
        raise Malformed

    def _let(self, count: int) -> str:
        before = len(self._variables)
        parts = []
        for _ in range(count // 2):
            number = len(self._variables)
            self._variables.append(self._reader.text())
            parts.append(f"def(var_{number}, {self.next()})")
        parts.append(self.next())
        del self._variables[before:]
        return f"let({', '.join(parts)})"

    def _call(self) -> str:
        reader = self._reader
        reader.take()
        system = reader.unsigned() & ~codes.CALL_MODIFY_LOCAL
        count = reader.list_count()
        number = reader.unsigned()
        where = ["NULL"] if system == codes.CALL_CDT else []
        if number == cdt_ops.CONTEXT_EVAL and system == codes.CALL_CDT:
            where = [_context(reader)]
            count = reader.list_count()
            number = reader.unsigned()
        if number == cdt_ops.SELECT and system == codes.CALL_CDT:
            where = [_context(reader), f"0x{reader.unsigned():x}"]
            if count > 3:
                where.append(f"<mod_exp/{len(reader.take())}>")
            return f"select({', '.join([*where, self.next()])})"
        name = _CALLS.get((system, number), "INVALID_CDT_OP")
        arguments = [self.next() for _ in range(count - 1)]
        return f"{name}({', '.join([*where, *arguments, self.next()])})"
