"""An embedded cluster in a thread of its own, for tests that have no Trio, or whose Trio must not be disturbed."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import trio

from trio_aerospike.server import EmbeddedCluster, EmbeddedNode, open_embedded_cluster

T = TypeVar("T")


class BackgroundCluster:
    """Use it as a context manager; ``options`` are those of open_embedded_cluster."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="embedded cluster", daemon=True)
        self._token: trio.lowlevel.TrioToken
        self._stop: trio.Event
        self.cluster: EmbeddedCluster

    def __enter__(self) -> BackgroundCluster:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._token.run_sync_soon(self._stop.set)
        self._thread.join()

    def _main(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        async with open_embedded_cluster(**self._options) as self.cluster:
            self._token = trio.lowlevel.current_trio_token()
            self._stop = trio.Event()
            self._ready.set()
            await self._stop.wait()

    @property
    def hosts(self) -> list[tuple[str, int]]:
        """The addresses of the nodes that are running."""
        return list(self.cluster.hosts)

    @property
    def nodes(self) -> list[EmbeddedNode]:
        """The nodes; what they count may be read from any thread."""
        return self.cluster.nodes

    def run(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run an async function in the cluster's thread, e.g. ``cluster.run(cluster.cluster.stop_node, 0)``."""
        done: Future[T] = Future()

        async def work() -> None:
            try:
                done.set_result(await function(*args))
            except Exception as error:
                done.set_exception(error)

        self._token.run_sync_soon(trio.lowlevel.spawn_system_task, work)
        return done.result()

    def run_sync(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function in the cluster's thread."""
        done: Future[T] = Future()

        def work() -> None:
            try:
                done.set_result(function(*args))
            except Exception as error:
                done.set_exception(error)

        # Not trio.from_thread, which refuses callers that run another Trio themselves.
        self._token.run_sync_soon(work)
        return done.result()

    def set(self, **attributes: Any) -> None:
        """Set attributes of every node, e.g. ``delay``."""

        def change() -> None:
            for node in self.nodes:
                for name, value in attributes.items():
                    setattr(node, name, value)

        self.run_sync(change)

    def total(self, counter: str) -> int:
        """The sum of a counter over all nodes."""
        return self.run_sync(lambda: sum(getattr(node.stats, counter) for node in self.nodes))
