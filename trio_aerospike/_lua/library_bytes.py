"""The Lua library ``bytes`` (server: mod_lua_bytes.c).

Each function takes an exact number of arguments; with another number, getters return nothing and setters false.
"""

from __future__ import annotations

from typing import Any, Literal

from .values import Fault, Function, LuaBytes, integer_at, object_at, string_at

_U32 = 0xFFFF_FFFF
#: Where the server reads on in its memory.
_BEYOND = Fault("there are no bytes")
_Order = Literal["big", "little"]


def make_bytes(*arguments: Any) -> LuaBytes | None:
    """``bytes(n)``: empty, with a capacity of ``n``."""
    if not 1 <= len(arguments) <= 2:
        return None
    made = LuaBytes()
    made.make_room(integer_at(arguments, 2) & _U32)
    return made


def _size(*arguments: Any) -> int:
    return len(object_at(LuaBytes, arguments, 1)) if len(arguments) == 1 else 0


def _set_size(*arguments: Any) -> bool:
    if len(arguments) != 2:
        return False
    target, size = object_at(LuaBytes, arguments, 1), integer_at(arguments, 2)
    return bool(0 <= size <= _U32 and size <= len(target.memory))


def _get_type(*arguments: Any) -> int | None:
    return object_at(LuaBytes, arguments, 1).type if arguments else None


def _set_type(*arguments: Any) -> bool:
    if len(arguments) != 2:
        return False
    target, kind = object_at(LuaBytes, arguments, 1), integer_at(arguments, 2)
    if kind:
        target.type = kind
    return bool(kind)


def _getter(size: int, order: _Order) -> Function:
    def get(*arguments: Any) -> int | None:
        if len(arguments) != 2:
            return None
        data, start = object_at(LuaBytes, arguments, 1).data, integer_at(arguments, 2) - 1
        if start < 0 or start + size > len(data):
            return None
        return int.from_bytes(data[start : start + size], order, signed=size > 1)

    return get


def _setter(size: int, order: _Order, *, appends: bool) -> Function:
    low, high = (0, 255) if size == 1 else (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1)
    count = 2 if appends else 3

    def put(*arguments: Any) -> bool:
        if len(arguments) != count:
            return False
        target = object_at(LuaBytes, arguments, 1)
        place = len(target) + 1 if appends else integer_at(arguments, 2)
        number = integer_at(arguments, count)
        if not (1 <= place <= _U32 and low <= number <= high):
            return False
        target.put(place, number.to_bytes(size, order, signed=size > 1))
        return True

    return put


def _var_int(number: int) -> bytes:
    """Seven bits a byte, the lowest first (aerospike-common: as_bytes_set_var_int)."""
    number &= _U32
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _var_int_setter(*, appends: bool) -> Function:
    count = 2 if appends else 3

    def put(*arguments: Any) -> int:
        if len(arguments) != count:
            return 0
        target = object_at(LuaBytes, arguments, 1)
        place = len(target) + 1 if appends else integer_at(arguments, 2)
        number = integer_at(arguments, count)
        if not (1 <= place <= _U32 and -(1 << 31) <= number < 1 << 31):
            return 0
        # As in the server, the size does not grow: get_var_int reads it, and the next append overwrites it.
        data = _var_int(number)
        target.make_room(place + 4)
        target.memory[place - 1 : place - 1 + len(data)] = data
        return len(data)

    return put


def _get_var_int(*arguments: Any) -> Any:
    if len(arguments) != 2:
        return None
    memory, place = object_at(LuaBytes, arguments, 1).memory, integer_at(arguments, 2)
    if not 1 <= place <= _U32:
        return None
    number = 0
    for count, byte in enumerate(memory[place - 1 :]):
        number |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return number & _U32, count + 1
    raise _BEYOND


def _slice(arguments: tuple[Any, ...]) -> bytes | None:
    if len(arguments) != 3:
        return None
    memory, place = object_at(LuaBytes, arguments, 1).memory, integer_at(arguments, 2)
    count = integer_at(arguments, 3)
    if not (1 <= place <= _U32 and 0 <= count <= _U32):
        return None
    if place - 1 + count > len(memory):
        raise _BEYOND
    return bytes(memory[place - 1 : place - 1 + count])


def _get_bytes(*arguments: Any) -> LuaBytes | None:
    data = _slice(arguments)
    return None if data is None else LuaBytes(data)


def _set_text(target: LuaBytes, place: int, data: bytes) -> bool:
    if not data or not 1 <= place <= _U32:
        return False
    target.put(place, data)
    return True


def _set_string(*arguments: Any) -> bool:
    if len(arguments) != 3:
        return False
    target, place, text = object_at(LuaBytes, arguments, 1), integer_at(arguments, 2), string_at(arguments, 3)
    return _set_text(target, place, text or b"")


def _append_string(*arguments: Any) -> bool:
    if len(arguments) != 2:
        return False
    target, text = object_at(LuaBytes, arguments, 1), string_at(arguments, 2)
    return _set_text(target, len(target) + 1, text or b"")


def _set_bytes(*arguments: Any) -> bool:
    if len(arguments) != 4:
        return False
    target, place = object_at(LuaBytes, arguments, 1), integer_at(arguments, 2)
    source, count = object_at(LuaBytes, arguments, 3), integer_at(arguments, 4)
    if not (1 <= place <= _U32 and 0 <= count <= _U32):
        return False
    target.make_room(place - 1 + min(count, len(source)))
    # The server reserves the size of the value, but writes as many bytes as it was told to.
    if place - 1 + count > len(target.memory):
        return False
    target.put(place, source.data[:count].ljust(count, b"\0"))
    return True


def _append_bytes(*arguments: Any) -> bool:
    if len(arguments) != 3:
        return False
    target, source = object_at(LuaBytes, arguments, 1), object_at(LuaBytes, arguments, 2)
    count = integer_at(arguments, 3)
    if not 0 <= count <= _U32:
        return False
    target.put(len(target) + 1, source.data[:count])
    return True


def _functions() -> dict[str, Function]:
    found: dict[str, Function] = {
        "size": _size,
        "set_size": _set_size,
        "get_type": _get_type,
        "set_type": _set_type,
        "get_string": lambda *arguments: _slice(arguments),
        "get_bytes": _get_bytes,
        "get_var_int": _get_var_int,
        "set_string": _set_string,
        "set_bytes": _set_bytes,
        "set_var_int": _var_int_setter(appends=False),
        "append_string": _append_string,
        "append_bytes": _append_bytes,
        "append_var_int": _var_int_setter(appends=True),
        "get_byte": _getter(1, "big"),
        "set_byte": _setter(1, "big", appends=False),
        "append_byte": _setter(1, "big", appends=True),
    }
    orders: tuple[tuple[str, _Order], ...] = (("", "big"), ("_be", "big"), ("_le", "little"))
    for bits in (16, 32, 64):
        for suffix, order in orders:
            found[f"get_int{bits}{suffix}"] = _getter(bits // 8, order)
            found[f"set_int{bits}{suffix}"] = _setter(bits // 8, order, appends=False)
            found[f"append_int{bits}{suffix}"] = _setter(bits // 8, order, appends=True)
    return found


BYTES = _functions()
