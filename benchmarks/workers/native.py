"""The published `aerospike_native`: the official Rust core under asyncio, with the uvloop it installs by itself."""

from __future__ import annotations

from typing import Any

import aerospike_native
from aerospike_native import BatchPolicy, BatchReadPolicy, ClientPolicy, Key, new_client

from benchmarks.workers.common import NAMESPACE, SET, bins_of, serve_asyncio


class Contender:
    """See `AsyncContender`."""

    async def start(self, hosts: list[list[Any]], max_conns: int, limit: int = 0) -> str:
        if limit:
            raise ValueError("aerospike_native has no limit on concurrent operations")
        policy = ClientPolicy()
        policy.max_conns_per_node = max_conns
        self._client = await new_client(policy, ",".join(f"{host}:{port}" for host, port in hosts))
        self._batch = BatchPolicy()
        self._batch_read = BatchReadPolicy()
        return str(aerospike_native.__version__)

    async def get(self, number: int) -> Any:
        return (await self._client.get(Key(NAMESPACE, SET, number))).bins

    async def put(self, number: int) -> Any:
        await self._client.put(Key(NAMESPACE, SET, number), bins_of(number))

    async def batch(self, wanted: list[int]) -> int:
        keys = [Key(NAMESPACE, SET, number) for number in wanted]
        rows = await self._client.batch_read(keys, None, batch_policy=self._batch, read_policy=self._batch_read)
        records = [row.record for row in rows]
        return len([record.bins for record in records if record is not None])

    async def stop(self) -> None:
        await self._client.close()


if __name__ == "__main__":
    serve_asyncio(Contender())
