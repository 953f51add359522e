"""Operations on maps, replayed: what server 8.1.2 answered, and what it left in the bin.

A line of the recording is the history of one bin, each entry of it [operation of the protocol, particle type, data,
result code], and where it worked [answer's particle type, answer], and where the bin is another one afterwards
[its particle type, its data]. The requests are those of tests/integration/real/test_maps.py, which compares
many more with a server that runs.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from trio_aerospike._wire import constants as wire
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import cdt
from trio_aerospike.server.cdt.elements import to_wire
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.expressions import compile_expression
from trio_aerospike.server.particles import stored
from trio_aerospike.server.values import Particle

read_cdt = partial(cdt.read, compile_expression=compile_expression)
modify_cdt = partial(cdt.modify, compile_expression=compile_expression)

RECORDING = Path(__file__).parents[3] / "data" / "map-operations.jsonl"
HISTORIES: list[list[list[Any]]] = [json.loads(line) for line in RECORDING.read_text().splitlines()]


def carried_out(op: int, particle: int, data: bytes, value: Particle | None) -> tuple[Particle | None, Particle | None]:
    """What is in the bin then, and what is answered."""
    if op == wire.OP_CDT_READ:
        if value is None:
            raise Refused(ResultCode.RECORD_NOT_FOUND)
        return value, read_cdt(value, data)
    if op == wire.OP_CDT_MODIFY:
        changed, answer = modify_cdt(value, data)
    else:
        changed, answer = (None if particle == wire.PARTICLE_NULL else stored(particle, data)), None
    if changed is None and value is None:
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    return changed, answer


@pytest.mark.parametrize("number", range(len(HISTORIES)))
def test_what_a_real_server_answered_is_answered_and_what_it_stored_is_stored(number: int) -> None:
    value: Particle | None = None
    expected: list[Any] = [0, ""]
    for op, particle, data, code, *rest in HISTORIES[number]:
        said = f"{op} {data} on {expected}"
        try:
            value, answer = carried_out(op, particle, bytes.fromhex(data), value)
        except Refused as error:
            assert error.result == code, said
            continue
        assert code == ResultCode.OK, said
        expected = rest[2:] or expected
        assert shown(answer) == rest[:2], said
        assert shown(value) == expected, said


def shown(value: Particle | None) -> list[Any]:
    return [0, ""] if value is None else [value[0], to_wire(*value).hex()]
