"""Queries and scans of the synchronous client."""

# Generated from _async/query.py by tools/make_sync.py: change that file, then run the script.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._commands.queries import all_records, close_records, next_records, open_records
from .._query_base import QueryBase
from .._runtime.backends import BlockingBackend
from .._runtime.callbacks import call_blocking
from ..types import Record


class Query(QueryBase):
    """A query or scan, made by ``client.query(namespace, set_name)``. It may be run more than once."""

    @property
    def _backend(self) -> BlockingBackend:
        backend: BlockingBackend = self._client._backend
        return backend

    def results(self, policy: Mapping[str, Any] | None = None) -> list[Record]:
        """Run the query, and return the records.

        Args:
            policy: A QueryPolicy.

        Raises:
            IndexNotFound: There is no index for the predicate.
            InvalidArgError: A value of the policy is not allowed; nothing is sent.
            AerospikeError: The records cannot be read; the message names the missing partitions.
        """
        native = self._client._connected_native()
        return self._backend.call(all_records, native, self._spec(), policy)

    def foreach(self, callback: Callable[[Record], bool | None], policy: Mapping[str, Any] | None = None) -> None:
        """Run the query, and call a function with each record as it arrives.

        Args:
            callback: Called in the calling thread. An asynchronous query awaits its result if that is awaitable.
                Returning False ends the query; so does an exception, which is raised.
            policy: A QueryPolicy.

        Raises:
            AerospikeError: As for :meth:`results`.
        """
        native = self._client._connected_native()
        spec = self._spec()
        backend = self._backend
        records = backend.call(open_records, native, spec, policy)
        try:
            while found := backend.call(next_records, records, spec):
                for record in found:
                    if call_blocking(callback, record) is False:
                        return
        finally:
            try:
                backend.call(close_records, records)
            except BaseException:
                backend.detach(close_records, records)  # interrupted again, perhaps before the close was requested
                raise
