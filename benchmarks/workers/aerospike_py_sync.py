"""`aerospike_py.Client` used from threads: the published aerospike-py or the one of compat/."""

from __future__ import annotations

from typing import Any

import aerospike_py
from benchmarks.workers.aerospike_py_async import version
from benchmarks.workers.common import NAMESPACE, SET, bins_of, serve_threads


class Contender:
    """See `SyncContender`."""

    def start(self, hosts: list[list[Any]], max_conns: int) -> str:
        config: Any = {"hosts": [tuple(host) for host in hosts], "max_conns_per_node": max_conns}
        self._client = aerospike_py.client(config).connect()
        return version()

    def get(self, number: int) -> Any:
        return self._client.get((NAMESPACE, SET, number)).bins

    def put(self, number: int) -> Any:
        self._client.put((NAMESPACE, SET, number), bins_of(number))

    def batch(self, wanted: list[int]) -> int:
        answer: Any = self._client.batch_read([(NAMESPACE, SET, number) for number in wanted])
        return len(answer.to_dict())

    def stop(self) -> None:
        self._client.close()


if __name__ == "__main__":
    serve_threads(Contender())
