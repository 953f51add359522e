"""A record with text that is not UTF-8: the error, the row and the log name the record and the bin."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

import aerospike_py as aerospike
import trio_aerospike
from tests.compat.background import BackgroundCluster
from tests.raw_bins import write_raw
from trio_aerospike._wire.constants import PARTICLE_STRING

KEY = ("test", "undecodable", "latin")
WANTED = (
    "bin 'name': its text is not UTF-8 (invalid continuation byte at byte 3 of 5, in b'caf\\xe9!'); read the other bins"
)


@pytest.fixture
def latin(shared_cluster: BackgroundCluster) -> None:
    async def write() -> None:
        async with trio_aerospike.open_client(shared_cluster.hosts) as native:
            key = trio_aerospike.Key(*KEY)
            await native.put(key, {"other": 1})
            await write_raw(native, key, b"name", PARTICLE_STRING, b"caf\xe9!")

    trio.run(write)


def test_a_read_says_which_bin(client: Any, latin: None) -> None:
    for _ in range(12):
        with pytest.raises(aerospike.AerospikeError) as caught:
            client.get(KEY)
        assert WANTED in str(caught.value)
        assert "Key('test', 'undecodable', 'latin')" in str(caught.value)
    assert client.select(KEY, ["other"]).bins == {"other": 1}


@pytest.mark.parametrize("first", ["rows", "arrays"])
def test_the_row_of_a_batch_has_no_record_and_the_log_says_why(
    client: Any, latin: None, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    found = client.batch_read([KEY])
    with caplog.at_level(logging.WARNING, "aerospike_py"):
        if first == "arrays":
            np = pytest.importorskip("numpy")
            assert found.to_numpy(np.dtype([("other", "i8")])).batch_records["other"].tolist() == [1]
        [row] = found.batch_records
        assert found.to_list() == [None]
        assert (row.result, row.record) == (-1, None)
    messages = [record.getMessage() for record in caplog.records if "cannot be decoded" in record.getMessage()]
    assert len(messages) == 1
    assert WANTED in messages[0]
    assert "batch_read Key('test', 'undecodable', 'latin')" in messages[0]
    assert "[code" not in messages[0]


def test_a_query_logs_why_a_record_has_no_bins(client: Any, latin: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "aerospike_py"):
        records = client.query("test", "undecodable").results()
    assert [record.bins for record in records] == [None]
    [message] = [record.getMessage() for record in caplog.records if "cannot be decoded" in record.getMessage()]
    assert WANTED in message
    assert "latin" in message or repr(records[0].key.digest) in message
