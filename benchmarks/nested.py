"""Measure decoding and encoding of a record with lists and maps, without a network.

The published clients decode within a get, where it cannot be measured alone; so the time of our decoding is compared
with the time of their whole get.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import attrs

from benchmarks.workers.common import nested_bins
from trio_aerospike import write
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Message, Op, encode_message
from trio_aerospike._wire.particles import encode_value
from trio_aerospike._wire.records import decode_record

#: Target: our decoding alone, in whole gets of the official client.
DECODE_AIM = 2.0


@attrs.frozen
class Times:
    """Median seconds for one record.

    Attributes:
        decode: From the bytes of an answer to a dict of bins.
        encode: From the values of bins to the bytes of a request.
    """

    decode: float
    encode: float


def median_of(function: Callable[[], object], seconds: float) -> float:
    """Return the median seconds of one call; as many calls as fit the time, at least nine."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    while len(times) < 9 or time.perf_counter() < end:
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def code(seconds: float) -> Times:
    """Measure decoding and encoding for the given time each."""
    bins = nested_bins()
    ops = []
    for name, value in bins.items():
        particle, data = encode_value(value)
        ops.append(Op(wire.OP_READ, particle, name, data))
    answer = encode_message(Message(ops=tuple(ops)))
    assert decode_record(answer)[3] == bins

    def encode() -> list[bytes]:
        return [write(name, value).encode() for name, value in bins.items()]

    return Times(median_of(lambda: decode_record(answer), seconds), median_of(encode, seconds))
