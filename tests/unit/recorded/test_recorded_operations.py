"""Our operations are, byte for byte, what the official client sent to a real server for the same.

Each module ``calls_*.py`` beside this one is a family: ``STEPS`` are patterns of the recorded steps it answers for,
``CALLS`` has the operations of each step in our words. A new family is a new module, nothing here changes.
"""

from __future__ import annotations

import functools
import importlib
from fnmatch import fnmatch
from operator import or_
from pathlib import Path
from types import ModuleType

import pytest

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import decode_messages
from trio_aerospike._wire.records import skip_fields
from trio_aerospike.operations import Operation

from ..wire.exchanges import Exchange, frames_of, load_exchanges

FAMILIES: list[ModuleType] = [
    importlib.import_module(f"{__package__}.{path.stem}") for path in sorted(Path(__file__).parent.glob("calls_*.py"))
]


def recorded_steps(family: ModuleType) -> list[Exchange]:
    return [
        exchange
        for exchange in load_exchanges()
        if exchange.type == wire.PROTO_MESSAGE and any(fnmatch(exchange.step, pattern) for pattern in family.STEPS)
    ]


def operations_on_the_wire(exchange: Exchange) -> bytes:
    ((_, body),) = frames_of(exchange.request)
    (message,) = decode_messages(body)
    return body[skip_fields(body, 22, len(message.fields)) :]


RECORDED = [
    pytest.param(family.CALLS, exchange, id=f"{family.__name__.rpartition('_')[2]}-{exchange}")
    for family in FAMILIES
    for exchange in recorded_steps(family)
]


def test_lists_and_maps_are_among_the_families() -> None:
    names = {family.__name__.rpartition("calls_")[2] for family in FAMILIES}
    assert {"lists", "maps"} <= names
    assert len(RECORDED) >= 290


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.rpartition("calls_")[2])
def test_every_step_in_the_table_has_been_recorded(family: ModuleType) -> None:
    # A step that is misspelt would be a row that is never compared.
    assert set(family.CALLS) <= {exchange.step for exchange in recorded_steps(family)}


@pytest.mark.parametrize(("calls", "exchange"), RECORDED)
def test_our_operations_are_the_recorded_bytes(calls: dict[str, list[Operation]], exchange: Exchange) -> None:
    ours = b"".join(operation.encode() for operation in calls[exchange.step])
    assert ours == operations_on_the_wire(exchange)


@pytest.mark.parametrize(("calls", "exchange"), RECORDED)
def test_our_operations_ask_for_what_was_asked_for_in_the_recording(
    calls: dict[str, list[Operation]], exchange: Exchange
) -> None:
    ((_, body),) = frames_of(exchange.request)
    (message,) = decode_messages(body)
    operations = calls[exchange.step]
    assert bool(message.info1 & wire.INFO1_READ) == any(operation.info1 & wire.INFO1_READ for operation in operations)
    assert bool(message.info2 & wire.INFO2_WRITE) == any(operation.is_write for operation in operations)
    answered = message.info2 & wire.INFO2_RESPOND_ALL_OPS
    assert answered == wire.INFO2_RESPOND_ALL_OPS & functools.reduce(or_, (op.info2 for op in operations))
