"""The recorded exchanges of the official client with a real server, decoded into frames."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import attrs

from trio_aerospike._wire.frames import FrameReader

DATA = Path(__file__).parents[2] / "data"


@attrs.frozen
class Exchange:
    number: int
    step: str
    type: int
    request: bytes
    response: bytes

    def __str__(self) -> str:
        return f"{self.number} {self.step}"


@cache
def load_exchanges() -> list[Exchange]:
    lines = (DATA / "exchanges.jsonl").read_text().splitlines()
    return [
        Exchange(number, row["step"], row["type"], bytes.fromhex(row["request"]), bytes.fromhex(row["response"]))
        for number, row in enumerate(map(json.loads, lines))
    ]


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of a recording, which holds nothing else."""
    reader = FrameReader()
    frames = reader.feed(data)
    assert reader.error is None
    assert reader.pending == 0
    return frames
