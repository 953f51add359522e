"""`aerospike_py.AsyncClient`: the published aerospike-py or the one of compat/, whichever the environment holds."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import aerospike_py
from benchmarks.workers.common import NAMESPACE, SET, bins_of, serve_asyncio


def version() -> str:
    """The version of the distribution that provides `aerospike_py` here."""
    for name in ("trio-aerospike-compat", "aerospike-py"):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


class Contender:
    """See `AsyncContender`."""

    async def start(self, hosts: list[list[Any]], max_conns: int, limit: int = 0) -> str:
        config: Any = {
            "hosts": [tuple(host) for host in hosts],
            "max_conns_per_node": max_conns,
            "max_concurrent_operations": limit,
        }
        self._client = aerospike_py.AsyncClient(config)
        await self._client.connect()
        return version()

    async def get(self, number: int) -> Any:
        return (await self._client.get((NAMESPACE, SET, number))).bins

    async def put(self, number: int) -> Any:
        await self._client.put((NAMESPACE, SET, number), bins_of(number))

    async def batch(self, wanted: list[int]) -> int:
        answer: Any = await self._client.batch_read([(NAMESPACE, SET, number) for number in wanted])
        return len(answer.to_dict())

    async def stop(self) -> None:
        await self._client.close()


if __name__ == "__main__":
    serve_asyncio(Contender())
