"""Operations on the bins of a record: one handler per operation code.

An unknown code is refused with PARAMETER.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from .._wire import constants as wire
from .._wire.messages import Op
from ..errors import ResultCode
from . import bits as bit_calls, cdt, hll as sketch_calls
from .cdt.elements import to_wire
from .exceptions import Refused
from .expressions import Scope, compile_expression, operations as expression_operations
from .particles import appended, incremented, is_stored_type, prepended, stored
from .values import Particle


@attrs.define(eq=False)
class Bins:
    """The bins of a record while operations work on them, and their results."""

    bins: dict[str, Particle]
    respond_all: bool
    get_all: bool = False
    is_write: bool = False
    scope: Scope = attrs.Factory(Scope)
    """The record for expressions; its bins are these ones."""
    answers: list[tuple[int, int, str, bytes]] = attrs.Factory(list)

    def done(self, op: Op) -> None:
        """Add the result of a write, if the client asked for a result of every operation."""
        if self.respond_all:
            self.answers.append((op.op, wire.PARTICLE_NULL, op.name, b""))

    def answer(self, op: Op, value: Particle | None) -> None:
        """Add the result of an operation, with or without a value."""
        if value is None:
            self.done(op)
        else:
            self.answers.append((op.op, value[0], op.name, value[1]))

    def read(self, op: Op, value: Particle | None) -> None:
        """Add the result of a read; within a write it is returned even without a value (server: write_master)."""
        if value is not None or self.is_write or self.respond_all:
            self.answers.append((op.op, *_named(op.name, value)))

    def remove(self, name: str) -> None:
        """Delete a bin; the last one takes its position (server: as_bin_remove)."""
        if name not in self.bins:
            return
        items = list(self.bins.items())
        place = list(self.bins).index(name)
        last = items.pop()
        if place < len(items):
            items[place] = last
        self.bins = dict(items)


def _named(name: str, value: Particle | None) -> tuple[int, str, bytes]:
    kind, data = value or (wire.PARTICLE_NULL, b"")
    return kind, name, data


_Handler = Callable[[Bins, Op], None]
_HANDLERS: dict[int, _Handler] = {}


def _handles(number: int) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        _HANDLERS[number] = handler
        return handler

    return register


def apply(bins: Bins, op: Op) -> None:
    """Carry out one operation. Raises `Refused`: the operation fails, and with it the whole command."""
    handler = _HANDLERS.get(op.op)
    if handler is None:
        raise Refused(ResultCode.PARAM)
    handler(bins, op)


@_handles(wire.OP_READ)
def _read(bins: Bins, op: Op) -> None:
    if not op.name and bins.get_all:
        bins.answers += [(wire.OP_READ, kind, name, to_wire(kind, data)) for name, (kind, data) in bins.bins.items()]
        return
    value = bins.bins.get(op.name)
    if value is not None:
        bins.answers.append((wire.OP_READ, value[0], op.name, to_wire(*value)))
    else:
        bins.done(op)


@_handles(wire.OP_WRITE)
def _write(bins: Bins, op: Op) -> None:
    if op.particle == wire.PARTICLE_NULL:
        bins.remove(op.name)
    else:
        bins.bins[op.name] = stored(op.particle, op.data)
    bins.done(op)


def _modifies(change: Callable[[Particle, int, bytes], Particle]) -> _Handler:
    def handler(bins: Bins, op: Op) -> None:
        if not is_stored_type(op.particle):
            raise Refused(ResultCode.PARAM)  # before the bin is looked at (server: as_bin_particle_modify_from_client)
        checked = stored(op.particle, op.data) if op.name not in bins.bins else None
        # Every modification of a missing bin creates it.
        bins.bins[op.name] = checked or change(bins.bins[op.name], op.particle, op.data)
        bins.done(op)

    return handler


_handles(wire.OP_INCR)(_modifies(incremented))
_handles(wire.OP_APPEND)(_modifies(appended))
_handles(wire.OP_PREPEND)(_modifies(prepended))


@_handles(wire.OP_TOUCH)
def _touch(bins: Bins, op: Op) -> None:
    """Do nothing: every write renews generation and void-time."""


@_handles(wire.OP_DELETE)
def _delete(bins: Bins, op: Op) -> None:
    bins.bins = {}
    bins.done(op)


_ReadCall = Callable[[Particle | None, bytes], Particle | None]
_ModifyCall = Callable[[Particle | None, bytes], tuple[Particle | None, Particle | None]]


def _reads_with(call: _ReadCall) -> _Handler:
    def handler(bins: Bins, op: Op) -> None:
        bins.answer(op, call(bins.bins.get(op.name), op.data))

    return handler


def _modifies_with(call: _ModifyCall) -> _Handler:
    def handler(bins: Bins, op: Op) -> None:
        value, answer = call(bins.bins.get(op.name), op.data)
        if value is not None:
            bins.bins[op.name] = value
        bins.answer(op, answer)

    return handler


def _of_a_blob(handler: _Handler) -> _Handler:
    def checked(bins: Bins, op: Op) -> None:
        # Without the bin, the server does not check the operation.
        reads = op.op == wire.OP_BITS_READ
        if op.particle != wire.PARTICLE_BLOB and not (reads and op.name not in bins.bins):
            raise Refused(ResultCode.BIN_TYPE)
        handler(bins, op)

    return checked


_handles(wire.OP_BITS_READ)(_of_a_blob(_reads_with(bit_calls.read)))
_handles(wire.OP_BITS_MODIFY)(_of_a_blob(_modifies_with(bit_calls.modify)))
_handles(wire.OP_HLL_READ)(_reads_with(sketch_calls.read))
_handles(wire.OP_HLL_MODIFY)(_modifies_with(sketch_calls.modify))


@_handles(wire.OP_CDT_READ)
def _read_inside(bins: Bins, op: Op) -> None:
    value = bins.bins.get(op.name)
    if value is None:
        # Without the bin, the server does not check the operation.
        bins.done(op)
    else:
        bins.read(op, cdt.read(value, op.data, compile_expression))


_handles(wire.OP_CDT_MODIFY)(_modifies_with(lambda value, payload: cdt.modify(value, payload, compile_expression)))


@_handles(wire.OP_EXP_READ)
def _evaluate(bins: Bins, op: Op) -> None:
    value = expression_operations.read(_scope(bins), op.data)
    bins.read(op, None if value is None else (value[0], to_wire(*value)))


@_handles(wire.OP_EXP_MODIFY)
def _write_evaluated(bins: Bins, op: Op) -> None:
    value = expression_operations.modify(_scope(bins), bins.bins.get(op.name), op.data)
    if value is None:
        bins.remove(op.name)
    else:
        bins.bins[op.name] = value
    bins.done(op)


def _scope(bins: Bins) -> Scope:
    return attrs.evolve(bins.scope, bins=bins.bins)
