"""Nothing process-global happens by itself: not on import, not by the largest results, not before the first client."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster

PATIENT = {"total_timeout": 120_000, "socket_timeout": 120_000}

IMPORT = """
import atexit, gc, logging, os, signal, sys, threading
hooks = []

def note(*args, **kwargs):
    caller = sys._getframe(1).f_globals["__name__"]
    if caller.startswith("aerospike_py"):
        hooks.append(caller)

os.register_at_fork = atexit.register = note

def settings():
    return (
        gc.get_threshold(), gc.isenabled(), gc.get_freeze_count(), sys.getswitchinterval(), threading.active_count(),
        sys.gettrace(), sys.getprofile(), sys.excepthook, threading.excepthook, signal.getsignal(signal.SIGINT),
        logging.getLogger().handlers, logging.getLevelName(5),
    )

before = settings()
import aerospike_py
assert settings() == before, (before, settings())
assert hooks == [], hooks
aerospike_py.client({"hosts": [("127.0.0.1", 3000)]})
assert settings() == before, (before, settings())
assert hooks == ["aerospike_py._runtime.forking"], hooks
print("as before")
"""


def test_importing_changes_nothing_of_the_process_and_the_fork_hook_comes_with_the_first_client() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("as before\n", "")


def test_large_results_leave_the_garbage_collector_and_the_interpreter_as_they_are(
    shared_cluster: BackgroundCluster, monkeypatch: Any
) -> None:
    called: list[str] = []
    for name in ("collect", "disable", "enable", "freeze", "set_threshold", "unfreeze"):
        monkeypatch.setattr(gc, name, lambda *_, name=name: called.append(f"gc.{name}"))
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: called.append("sys.setswitchinterval"))
    count = 8192
    keys = [("test", "process", number) for number in range(count)]
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        for begin in range(0, count, 2048):
            client.batch_write([(key, {"id": key[2]}) for key in keys[begin : begin + 2048]], PATIENT)
        assert len(client.query("test", "process").results(PATIENT)) == count
        assert len(client.batch_read(keys, policy=PATIENT).batch_records) == count
    assert called == []
