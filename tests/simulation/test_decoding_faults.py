"""An unexpected error while an answer is decoded fails that request, and nothing else of the client."""

from typing import Any

import pytest
import trio

from trio_aerospike import ProtocolError, open_client
from trio_aerospike._cluster.connections import connection
from trio_aerospike._cluster.execution import batch, frame_buffer
from trio_aerospike._wire.batch_answers import BatchAnswerReader
from trio_aerospike._wire.pipeline import RequestPipeline
from trio_aerospike.testing import open_embedded_cluster

KEYS = [("test", "decoding", number) for number in range(20)]


async def test_no_memory_for_a_batchs_answer_fails_the_batch_only(autojump_clock: Any, monkeypatch: Any) -> None:
    class NoMemory(BatchAnswerReader):
        def read(self, *_: object, **__: object) -> None:
            raise MemoryError

    async with open_embedded_cluster(memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            for key in KEYS:
                await client.put(key, {"a": key[2]})
            with monkeypatch.context() as patch:
                patch.setattr(batch, "BatchAnswerReader", NoMemory)
                with pytest.raises(ProtocolError, match="could not be decoded: MemoryError"):
                    await client.batch_read(KEYS)
                assert (await client.get(KEYS[3]))["a"] == 3
            assert (await client.batch_read(KEYS)).ok


async def test_no_memory_for_a_querys_frame_fails_the_query_only(autojump_clock: Any, monkeypatch: Any) -> None:
    def no_memory(*_: object) -> bool:
        raise MemoryError

    async with open_embedded_cluster(memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            for key in KEYS:
                await client.put(key, {"a": key[2]})
            with monkeypatch.context() as patch:
                patch.setattr(frame_buffer, "is_end", no_memory)
                with pytest.raises(ProtocolError, match="could not be decoded: MemoryError"):
                    async with client.query("test", "decoding") as records:
                        async for _ in records:
                            pass
                assert (await client.get(KEYS[3]))["a"] == 3
            async with client.query("test", "decoding") as records:
                assert len([record async for record in records]) == len(KEYS)


async def test_no_memory_while_frames_are_cut_ends_one_connection(autojump_clock: Any, monkeypatch: Any) -> None:
    fed = 0

    class NoMemoryOnce(RequestPipeline[Any]):
        """Has no memory for the fourth piece that arrives."""

        def receive_data(self, data: bytes | bytearray) -> Any:
            nonlocal fed
            fed += 1
            if fed == 4:
                raise MemoryError
            return super().receive_data(data)

    monkeypatch.setattr(connection, "RequestPipeline", NoMemoryOnce)
    async with open_embedded_cluster(memory=True) as cluster:
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            await client.put(KEYS[0], {"a": 0})
            for _ in range(10):
                assert (await client.get(KEYS[0]))["a"] == 0
                await trio.sleep(0.1)
    assert fed > 10
