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


USE = """
import asyncio, gc, locale, logging, os, signal, socket, sys, threading, warnings

config = {"hosts": HOSTS}

def policy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the function is deprecated in Python 3.14
        return asyncio.get_event_loop_policy()

def wakeup_fd():
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor

def settings():
    root = logging.getLogger()
    return {
        "signal handlers": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "wakeup descriptor": wakeup_fd(),
        "collector": (gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.get_freeze_count(), list(gc.callbacks)),
        "warnings": (list(warnings.filters), warnings.showwarning, warnings.formatwarning),
        "asyncio": (policy(), sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()),
        "exceptions": (sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook),
        "tracing": (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()),
        "logging": (list(root.handlers), list(root.filters), root.level, root.disabled, logging.getLoggerClass()),
        "log records": (logging.getLogRecordFactory(), logging.lastResort, logging.raiseExceptions),
        "log levels": [logging.getLevelName(level) for level in range(60)],
        "imports": (list(sys.path), list(sys.meta_path), list(sys.path_hooks), sys.dont_write_bytecode),
        "interpreter": (sys.getswitchinterval(), sys.getrecursionlimit(), threading.stack_size()),
        "process": (dict(os.environ), os.getcwd(), locale.setlocale(locale.LC_ALL), socket.getdefaulttimeout()),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
    }

def check(when):
    now = settings()
    for name, value in before.items():
        assert now[name] == value, (when, name, value, now[name])

def use(client, number):
    key = ("test", "settings", number)
    client.put(key, {"a": number})
    assert client.get(key).bins == {"a": number}
    try:
        client.get(("test", "settings", "none"))
    except aerospike_py.RecordNotFound:
        pass
    client.batch_write([(key, {"a": number})])
    client.batch_read([key]).to_dict()
    client.query("test", "settings").results()
    check("a client is used")

async def use_async():
    async with aerospike_py.AsyncClient(config) as client:
        await client.connect()
        await asyncio.gather(*(client.put(("test", "settings", number), {"a": number}) for number in range(50)))
        await asyncio.gather(*(client.get(("test", "settings", number)) for number in range(50)))
        await client.batch_read([("test", "settings", 1)])
        await client.query("test", "settings").results()
        async with asyncio.timeout(30):
            task = asyncio.create_task(client.get(("test", "settings", 1)))
            task.cancel()
            await asyncio.wait([task])

before = settings()
import aerospike_py
check("it is imported")
with aerospike_py.client(config).connect() as client:
    use(client, 1)
check("a client is closed")
with asyncio.Runner() as runner:
    runner.get_loop()
    runner.run(use_async())
    check("an asynchronous client is closed")
print("as before")
"""


def test_using_clients_changes_nothing_of_the_process(shared_cluster: BackgroundCluster) -> None:
    program = USE.replace("HOSTS", repr(shared_cluster.hosts))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
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
