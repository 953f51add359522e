"""Single-record commands for the tasks of an asyncio loop, on a client whose Trio run is in another thread.

A program whose client runs Trio in a thread of its own, as the asyncio half of the ``aerospike_py`` package does, would
pay two hops between threads for each record. Instead the loop leases connections from the client and reads and writes
them itself, pipelined. What needs more (no connection to be had, another attempt, a server so slow that it takes many
connections) is executed in Trio.

An admission window limits how many commands are in flight, as in the client's own pools; commands past it wait in order
of arrival. A command's time runs from its admission, and not while the loop is blocked by its own tasks.
"""

from __future__ import annotations

import asyncio
import weakref

from .._commands.records import RecordCommands
from ..validation import Uncopyable
from .first_attempt import ConnectedClient
from .loop_executor import LoopExecutor, RunInTrio


class LoopCommands(RecordCommands, Uncopyable):
    """The single-record commands of a client, for the tasks of one asyncio loop.

    The methods are those of the client. When a task is cancelled, its request is withdrawn, or its answer is dropped.

    Args:
        client: a connected client of another thread's Trio run.
        run_in_trio: runs an async function in that Trio run while the loop continues.
        loop: the loop whose tasks use this object, which does not keep the loop alive.
    """

    _instead_of_copy = "make another from the client"

    def __init__(self, client: ConnectedClient, run_in_trio: RunInTrio, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: weakref.ref[asyncio.AbstractEventLoop] = weakref.ref(loop)
        runner = LoopExecutor(client, run_in_trio, loop)
        super().__init__(client.config, client._cluster, client._executor, runner=runner)
