"""A value that cannot be decoded: every way to read it gives an error that names the record and the bin."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import trio_aerospike as aero
from tests.raw_bins import write_raw
from trio_aerospike import BatchRead, Client, Key, operations as op
from trio_aerospike._wire import constants as wire
from trio_aerospike.errors import ProtocolError

from .conftest import Keys, Target

_LATIN = "café!".encode("latin-1")
# A map particle of one pair, and a list of one element: strings carry their particle type (3) in front.
_TEXT = bytes((0xA0 + 1 + len(_LATIN), 3)) + _LATIN
_SHAPES = {
    "value": (b"name", wire.PARTICLE_STRING, _LATIN, "bin 'name'"),
    "in a list": (b"name", wire.PARTICLE_LIST, b"\x91" + _TEXT, "bin 'name'"),
    "map key": (b"name", wire.PARTICLE_MAP, b"\x81" + _TEXT + b"\x01", "bin 'name'"),
    "nested": (b"name", wire.PARTICLE_MAP, b"\x81\x01\x91" + _TEXT, "bin 'name'"),
    "bin name": (_LATIN, wire.PARTICLE_STRING, b"text", "the name of bin "),
}


def check(error: BaseException | None, key: Key, part: str) -> None:
    assert isinstance(error, ProtocolError)
    text = str(error)
    assert repr(key) in text or repr(Key.from_digest(key.namespace, key.set_name, key.digest)) in text, text
    assert part in text, text
    assert "is not UTF-8 (invalid continuation byte at byte 3 of 5, in b'caf\\xe9!')" in text, text
    assert "write the bin again, as bytes or as text in UTF-8" in text or "rename this one" in text, text


async def failure(call: Callable[[], Any]) -> BaseException:
    with pytest.raises(ProtocolError) as caught:
        await call()
    return caught.value


async def write_undecodable(client: Client, target: Target, key: Key, shape: str) -> str:
    """Write a record with an undecodable bin beside a good one; return what the error has to say about that bin."""
    if shape == "bin name" and target.embedded is not None:
        pytest.skip("the embedded server takes bin names in UTF-8 only")
    name, particle, data, part = _SHAPES[shape]
    await client.put(key, {"other": 1})
    await write_raw(client, key, name, particle, data)
    return part


@pytest.mark.parametrize("shape", _SHAPES)
async def test_text_that_is_not_utf_8_is_named_with_its_record(
    client: Client, target: Target, keys: Keys, shape: str
) -> None:
    key = keys()
    part = await write_undecodable(client, target, key, shape)
    for attempt in range(12):  # by then decoders made for the layout have been tried
        check(await failure(lambda: client.get(key)), key, part)
        assert (await client.select(key, ["other"])).bins == {"other": 1}, attempt
    check(await failure(lambda: client.operate(key, [op.read("other"), op.read_all()])), key, part)
    check(await failure(lambda: client.operate_ordered(key, [op.read_all()])), key, part)
    rows = [await client.batch_read([key, key]), await client.batch([BatchRead(key)])]
    rows.append((await client.batch_read_lazy([key])).results())
    rows.append((await client.batch_read_lazy([key], decode=False)).results())
    for results in rows:
        for row in results:
            assert (row.ok, row.record, row.result_code) == (False, None, -1)
            check(row.error, key, part)
    async with client.get_many([key]) as results_of_stream:
        check((await anext(results_of_stream)).error, key, part)


@pytest.mark.parametrize("shape", _SHAPES)
async def test_a_query_goes_on_past_such_a_record_and_names_it(
    client: Client, target: Target, keys: Keys, shape: str
) -> None:
    key = keys()
    part = await write_undecodable(client, target, key, shape)
    partitions = aero.PartitionFilter.by_id(partition(key))
    async with client.query(key.namespace, key.set_name, partitions=partitions) as found:
        record = next(record for record in await found.results() if record.key == key)
    assert isinstance(record, aero.UnreadableRecord)
    with pytest.raises(ProtocolError) as caught:
        record["other"]
    check(caught.value, key, part)


async def test_arrays_name_the_record_and_the_field(client: Client, keys: Keys) -> None:
    np = pytest.importorskip("numpy")
    key = keys()
    await client.put(key, {"age": 7})
    await write_raw(client, key, b"name", wire.PARTICLE_LIST, b"\x91" + _TEXT)
    dtype = np.dtype([("name", "i8", (1,))])
    for call in (lambda: client.batch_read_numpy([key], dtype), lambda: lazily(client, key, dtype)):
        with pytest.raises(ValueError, match="dtype field 'name'.*" + re.escape(repr(key)) + ".*is not UTF-8"):
            await call()
    others = np.dtype([("age", "i8")])
    assert (await client.batch_read_numpy([key], others))["age"].tolist() == [7]
    assert (await client.batch_read_lazy([key], decode=False)).to_numpy(others)["age"].tolist() == [7]


async def lazily(client: Client, key: Key, dtype: Any) -> None:
    (await client.batch_read_lazy([key], decode=False)).to_numpy(dtype)


def partition(key: Key) -> int:
    return (key.digest[0] | key.digest[1] << 8) & 4095
