"""The base of both kinds of queries: what a query asks for."""

from __future__ import annotations

from typing import Any

from trio_aerospike.predicates import Predicate
from trio_aerospike.validation import checked_bin_name, refused

from ._client_base import ClientBase
from ._commands.queries import QuerySpec
from ._conversion.predicates import to_predicate


class QueryBase:
    """A query or scan, not run yet.

    Args:
        client: The client that runs it.
        namespace: The namespace.
        set_name: The set; ``""`` for all sets.

    Raises:
        InvalidArgError: The namespace or the set is not a str.
        ClientError: The client is not connected.
    """

    def __init__(self, client: ClientBase, namespace: str, set_name: str) -> None:
        for name, value in (("namespace", namespace), ("set_name", set_name)):
            if not isinstance(value, str):
                raise refused(f"query.{name}", value, "a str")
        client._connected_native()
        self._client = client
        self._namespace = namespace
        self._set_name = set_name
        self._bins: list[str] = []
        self._predicates: list[Predicate] = []

    def __repr__(self) -> str:
        where = "".join(f", where {predicate}" for predicate in self._predicates)
        return f"<{type(self).__name__} of {self._namespace!r}, set {self._set_name!r}{where}>"

    def select(self, *bins: str) -> None:
        """Read only these bins. Each call adds bins.

        Raises:
            InvalidArgError: A name is not a valid bin name.
        """
        for name in bins:
            checked_bin_name(name, "select.bins")
        self._bins += [name for name in dict.fromkeys(bins) if name not in self._bins]

    def where(self, predicate: tuple[Any, ...]) -> None:
        """Find records through a secondary index. Without a predicate, all records are read.

        Args:
            predicate: A predicate made by :mod:`aerospike_py.predicates`. A query takes one.

        Raises:
            InvalidArgError: ``predicate`` is not a predicate, or no index can serve it.
        """
        self._predicates.append(to_predicate(predicate))

    def _spec(self) -> QuerySpec:
        bins, where = tuple(self._bins), tuple(self._predicates)
        client = self._client
        return QuerySpec(self._namespace, self._set_name, bins, where, client._policies, client._for_loop)
