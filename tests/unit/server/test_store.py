"""Records as trees store them: encoding, decoding, and no work for the garbage collector."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given, strategies as st

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.particles import encode_value
from trio_aerospike.server.cdt.elements import to_wire
from trio_aerospike.server.clock import ServerClock
from trio_aerospike.server.record import StoredRecord
from trio_aerospike.server.record_requests import Response
from trio_aerospike.server.store import NamespaceConfig, NamespaceStore

PARTICLES = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(encode_value),
    st.text(max_size=20).map(encode_value),
    st.binary(max_size=20).map(encode_value),
    st.floats(allow_nan=False).map(encode_value),
    st.lists(st.integers(0, 9), max_size=5).map(encode_value),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=5).map(encode_value),
    # Ordered, and with an index that is kept: flags that clients see, and do not see.
    st.sampled_from([1, 3, 0x10, 0x11, 0x13]).map(
        lambda flags: (wire.PARTICLE_MAP, bytes((0x82, 0xC7, 0, flags)) + b"\xc0\x01\x02")
    ),
    st.sampled_from([1, 0x10, 0x11]).map(lambda flags: (wire.PARTICLE_LIST, bytes((0x92, 0xC7, 0, flags, 7)))),
)
RECORDS = st.builds(
    StoredRecord,
    st.text(max_size=20),
    st.dictionaries(st.text(min_size=1, max_size=5), PARTICLES, max_size=5),
    st.integers(1, 0xFFFF),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**45),
    st.none() | st.binary(max_size=20),
)


@given(RECORDS)
def test_a_record_comes_back_as_it_was(record: StoredRecord) -> None:
    again = StoredRecord.of_row(record.row)
    for name in ("set_name", "generation", "void_time", "last_update", "key", "bins"):
        assert getattr(again, name) == getattr(record, name)
    assert list(again.bins) == list(record.bins)
    assert again == record and hash(again) == hash(record) and again.size() == record.size()
    fresh = StoredRecord.of_row(record.row)
    assert [fresh.bin(name) for name in record.bins] == list(record.bins.values())
    assert fresh.bin("no such bin") is None


@given(RECORDS)
def test_a_read_of_all_is_answered_bin_by_bin(record: StoredRecord) -> None:
    ops = [(wire.OP_READ, kind, name, to_wire(kind, data)) for name, (kind, data) in record.bins.items()]
    expected = Response(0, record.generation, record.void_time, ops).body(5)
    assert Response(0, record.generation, record.void_time, whole=StoredRecord.of_row(record.row)).body(5) == expected
    if all(to_wire(kind, data) == data for kind, data in record.bins.values()):
        assert record.read_response() is not None


@pytest.mark.parametrize("data", [b"\x82\xc7\x00\x10\xc0\x01\x02", b"\x82\xc7\x00\x13\xc0\x01\x02"])
def test_an_index_that_is_kept_is_not_sent(data: bytes) -> None:
    record = StoredRecord("set", {"m": (wire.PARTICLE_MAP, data)}, 1, 0, 0)
    assert record.read_response() is None


def test_the_collector_does_not_look_at_records() -> None:
    store = NamespaceStore(NamespaceConfig("test"), ServerClock(lambda: wire.CITRUSLEAF_EPOCH + 1.0))
    bins = {"l": encode_value([1, [2]]), "s": encode_value("text")}
    for number in range(100):
        store.trees[7][number.to_bytes(20, "big")] = StoredRecord("set", bins, 1, 0, number, b"\x03key")
    held = store.trees[7]._rows
    assert not gc.is_tracked(held) and not any(map(gc.is_tracked, held.values()))
