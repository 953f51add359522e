"""The two clients: ``AsyncClient`` for asyncio, ``Client`` for programs without an event loop."""

from __future__ import annotations

from ._async.administration import AsyncAdministration
from ._async.batches import AsyncBatchCommands
from ._async.lifecycle import AsyncLifecycle
from ._async.records import AsyncRecordCommands
from ._sync.administration import Administration
from ._sync.batches import BatchCommands
from ._sync.lifecycle import Lifecycle
from ._sync.records import RecordCommands


class AsyncClient(AsyncLifecycle, AsyncRecordCommands, AsyncBatchCommands, AsyncAdministration):
    """A client for asyncio programs; any number of event loops and tasks may use it at once.

    Use it as ``async with AsyncClient(config) as client: await client.connect()``, or connect and close it yourself.
    Cancelling the task that awaits a command cancels the command; a write that was sent may still be applied. Every
    command may raise AerospikeTimeoutError, ClusterError, NoMoreConnections, BackpressureError, InvalidArgError (before
    anything is sent), ClientError if the client is not connected, and the class of error for the server's result code.

    Inside a trio-asyncio loop the client uses the Trio that is running: it works on both sides of that loop, and only
    there. Elsewhere it lives in a thread of its own, and the event loop leases connections from it.

    ``policy`` and ``meta`` are the dicts of :mod:`aerospike_py.types`, with times in milliseconds; a field of a policy
    takes precedence over the same field of a meta.
    """

    _for_loop = True


class Client(Lifecycle, RecordCommands, BatchCommands, Administration):
    """A client for programs without an event loop; any number of threads may use it at once.

    Use it as ``with aerospike_py.client(config).connect() as client:``. Every command may raise AerospikeTimeoutError,
    ClusterError, NoMoreConnections, BackpressureError, InvalidArgError (before anything is sent), ClientError if the
    client is not connected, and the class of error for the server's result code. A KeyboardInterrupt cancels the
    running command.

    ``policy`` and ``meta`` are the dicts of :mod:`aerospike_py.types`, with times in milliseconds; a field of a policy
    takes precedence over the same field of a meta.
    """
