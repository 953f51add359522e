"""The published `aerospike` client: the official one, over the C library, used from threads."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import aerospike

from benchmarks.workers.common import NAMESPACE, SET, bins_of, serve_threads


class Contender:
    """See `SyncContender`."""

    def start(self, hosts: list[list[Any]], max_conns: int) -> str:
        config = {"hosts": [tuple(host) for host in hosts], "max_conns_per_node": max_conns}
        self._client = aerospike.client(config).connect()
        return metadata.version("aerospike")

    def get(self, number: int) -> Any:
        return self._client.get((NAMESPACE, SET, number))[2]

    def put(self, number: int) -> Any:
        self._client.put((NAMESPACE, SET, number), bins_of(number))

    def batch(self, wanted: list[int]) -> int:
        answer = self._client.batch_read([(NAMESPACE, SET, number) for number in wanted])
        return len([row.record[2] for row in answer.batch_records if row.result == 0])

    def stop(self) -> None:
        self._client.close()


if __name__ == "__main__":
    serve_threads(Contender())
