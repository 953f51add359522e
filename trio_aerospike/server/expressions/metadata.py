"""Build access to record metadata, which is unknown if there is no record in scope."""

from __future__ import annotations

from collections.abc import Callable

from ..._wire import exp_ops as codes
from ..._wire.constants import CITRUSLEAF_EPOCH
from ..cdt.elements import Malformed
from ..clock import ServerClock
from .building import Builder, Part, Type, builds
from .values import UNKNOWN, Frame, Metadata, Value, text_value

_NS_PER_SECOND = 1_000_000_000
_NS_PER_MS = 1_000_000

_Look = Callable[[Metadata, ServerClock], Value]


def _instruction(kind: Type, number: int) -> Callable[[_Look], _Look]:
    """Register an instruction without arguments."""

    def register(look: _Look) -> _Look:
        @builds(number, n_arguments=0)
        def build(_builder: Builder, _count: int) -> Part:
            return _part(kind, look)

        return look

    return register


def _part(kind: Type, look: _Look) -> Part:
    def evaluate(frame: Frame) -> Value:
        scope = frame.scope
        if scope.metadata is None or scope.clock is None:
            return UNKNOWN
        return look(scope.metadata, scope.clock)

    return Part(kind, evaluate)


@builds(codes.META_DIGEST_MOD, n_arguments=1)
def _digest_modulo(builder: Builder, _count: int) -> Part:
    divisor = builder.reader.integer() & 0xFFFF_FFFF
    if divisor == 0:
        raise Malformed
    # The server reads it as signed 32 bits; as the dividend is positive, its sign does not matter.
    size = min(divisor, (1 << 32) - divisor)
    return _part(Type.INT, lambda record, clock: int.from_bytes(record.digest[16:20], "little") % size)


@_instruction(Type.INT, codes.META_DEVICE_SIZE)
def _device_size(record: Metadata, clock: ServerClock) -> Value:
    """The size on a device: 0, as records are in memory only. Deprecated in the server."""
    return 0


@_instruction(Type.INT, codes.META_MEMORY_SIZE)
@_instruction(Type.INT, codes.META_RECORD_SIZE)
def _size(record: Metadata, clock: ServerClock) -> Value:
    return record.stored_size


@_instruction(Type.INT, codes.META_LAST_UPDATE)
def _last_update(record: Metadata, clock: ServerClock) -> Value:
    """The last update, in nanoseconds since the Unix epoch."""
    return record.last_update * _NS_PER_MS + CITRUSLEAF_EPOCH * _NS_PER_SECOND


@_instruction(Type.INT, codes.META_SINCE_UPDATE)
def _since_update(record: Metadata, clock: ServerClock) -> Value:
    """Milliseconds since the last update."""
    return max(0, clock.milliseconds() - record.last_update)


@_instruction(Type.INT, codes.META_VOID_TIME)
def _void_time(record: Metadata, clock: ServerClock) -> Value:
    """The void-time in nanoseconds since the Unix epoch; -1 for a record that never expires."""
    return (record.void_time + CITRUSLEAF_EPOCH) * _NS_PER_SECOND if record.void_time else -1


@_instruction(Type.INT, codes.META_TTL)
def _ttl(record: Metadata, clock: ServerClock) -> Value:
    """The remaining time to live in seconds, at least 1; -1 for a record that never expires."""
    return max(1, record.void_time - clock.seconds()) if record.void_time else -1


@_instruction(Type.STR, codes.META_SET_NAME)
def _set_name(record: Metadata, clock: ServerClock) -> Value:
    return text_value(record.set_name.encode())


@_instruction(Type.BOOL, codes.META_KEY_EXISTS)
def _key_exists(record: Metadata, clock: ServerClock) -> Value:
    return record.key_is_stored


@_instruction(Type.BOOL, codes.META_IS_TOMBSTONE)
def _is_tombstone(record: Metadata, clock: ServerClock) -> Value:
    """Whether it is a tombstone: never, as the Community Edition has none."""
    return False
