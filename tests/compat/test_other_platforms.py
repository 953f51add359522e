"""Features that some platforms lack, Windows above all, are only used behind a guard, in sources and at run time."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import aerospike_py
import trio_aerospike
from tests.compat.background import BackgroundCluster

PACKAGES = [Path(package.__file__ or "").parent for package in (trio_aerospike, aerospike_py)]

#: Modules of the standard library that are not there on Windows.
MODULES = {"fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios", "tty"}

#: Names that are not there on Windows, by module; of what this project could want.
NAMES = {
    module: names.split()
    for module, names in {
        "os": """
            fork forkpty register_at_fork wait wait3 wait4 WNOHANG killpg getuid geteuid getgid getegid getpgid getsid
            setsid setuid setgid nice uname getloadavg sched_getaffinity sched_setaffinity sched_yield posix_spawn
            posix_fadvise pread pwrite preadv pwritev sendfile fchmod fchown mkfifo pipe2 set_blocking get_blocking
            openpty O_NONBLOCK O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_SYNC eventfd memfd_create
        """,
        "signal": """
            SIGALRM SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2
            SIGWINCH SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm pause pthread_kill pthread_sigmask setitimer getitimer
            siginterrupt sigpending sigtimedwait sigwait sigwaitinfo
        """,
        "socket": """
            AF_UNIX AF_NETLINK AF_PACKET AF_VSOCK MSG_DONTWAIT MSG_NOSIGNAL MSG_ERRQUEUE MSG_CMSG_CLOEXEC SCM_RIGHTS
            SOCK_CLOEXEC SOCK_NONBLOCK SO_REUSEPORT SO_BINDTODEVICE SO_PEERCRED SO_PRIORITY TCP_CORK TCP_DEFER_ACCEPT
            TCP_INFO TCP_NOTSENT_LOWAT TCP_QUICKACK TCP_USER_TIMEOUT TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT
            sethostname send_fds recv_fds
        """,
        "select": "poll epoll kqueue devpoll POLLIN POLLOUT EPOLLIN EPOLLOUT PIPE_BUF",
        "time": "clock_gettime clock_gettime_ns CLOCK_MONOTONIC CLOCK_BOOTTIME pthread_getcpuclockid tzset",
        "asyncio": "get_child_watcher ThreadedChildWatcher open_unix_connection start_unix_server",
    }.items()
}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def is_guard(test: ast.expr) -> bool:
    """Whether a condition asks for the platform, or whether a name is there."""
    return any(
        (isinstance(node, ast.Name) and node.id == "hasattr")
        or (isinstance(node, ast.Attribute) and node.attr == "platform")
        for node in ast.walk(test)
    )


def unguarded(tree: ast.AST) -> Iterator[str]:
    """Platform-only names that are used, except within ``if hasattr(...)`` or ``if sys.platform ...``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.If, ast.IfExp)) and is_guard(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if node.module in MODULES:
                yield str(node.module)
            lacking = NAMES.get(str(node.module), ())
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name in lacking)
        elif isinstance(node, ast.Attribute):
            if node.attr in ("add_signal_handler", "remove_signal_handler"):
                yield node.attr
            if isinstance(node.value, ast.Name) and node.attr in NAMES.get(node.value.id, ()):
                yield f"{node.value.id}.{node.attr}"
        yield from unguarded(node)


def test_no_source_uses_what_a_platform_lacks_without_a_guard() -> None:
    found = [f"{path.name}: {name}" for path, tree in sources() for name in unguarded(tree)]
    assert found == []


def test_the_search_finds_what_it_is_for() -> None:
    text = """
        import fcntl
        from signal import SIGHUP
        os.register_at_fork(after_in_child=f)
        if hasattr(os, "fork"):
            os.fork()
        if sys.platform != "win32":
            os.fork()
        def f():
            loop.add_signal_handler(signal.SIGTERM, f)
            return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    """
    found = list(unguarded(ast.parse(textwrap.dedent(text))))
    assert found == ["fcntl", "signal.SIGHUP", "os.register_at_fork", "add_signal_handler", "socket.MSG_DONTWAIT"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_type_checker_finds_every_name_on_windows(tmp_path: Path, package: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--platform", "win32", "--python-version", "3.11", "--config-file="),
            *("--follow-imports=silent", "--disable-error-code=import-not-found", str(package)),
        ],
        cwd=package.parent,
        env=dict(os.environ) | {"MYPY_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    missing = [line for line in done.stdout.splitlines() if "has no attribute" in line]
    assert missing == [], done.stdout
    assert "checked" in done.stdout or "no issues" in done.stdout, done.stdout + done.stderr


# Trio and asyncio take what they need of this platform when they are imported, or find it still there (KEPT).
WITHOUT = """
    import asyncio, asyncio.selector_events, concurrent.futures.thread, logging, multiprocessing, random, select, signal
    import socket, ssl, subprocess, sys, tempfile, threading, time, uuid, os, builtins
    import trio, trio.testing

    NAMES = {names!r}
    KEPT = {{"select.epoll", "select.EPOLLIN", "select.EPOLLOUT", "socket.AF_UNIX", "signal.pthread_sigmask"}}
    for module, names in NAMES.items():
        for name in names:
            if f"{{module}}.{{name}}" not in KEPT and hasattr(sys.modules[module], name):
                delattr(sys.modules[module], name)
    for name in {modules!r}:
        sys.modules[name] = None

    def add_reader(self, *args):
        raise NotImplementedError  # as the proactor of Windows
    asyncio.selector_events.BaseSelectorEventLoop.add_reader = add_reader
    asyncio.selector_events.BaseSelectorEventLoop.add_writer = add_reader
    asyncio.selector_events.BaseSelectorEventLoop.add_signal_handler = add_reader
    assert not hasattr(os, "register_at_fork") and not hasattr(socket, "MSG_DONTWAIT")

    HOSTS = {hosts!r}
    KEYS = [("test", "platforms", number) for number in range(20)]
"""


def run(cluster: BackgroundCluster, program: str) -> str:
    prologue = textwrap.dedent(WITHOUT).format(names=NAMES, modules=sorted(MODULES), hosts=cluster.hosts)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", prologue + textwrap.dedent(program)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_native_client_works_without_what_windows_lacks(shared_cluster: BackgroundCluster) -> None:
    program = """
        import trio_aerospike as aero
        from trio_aerospike.server import open_embedded_cluster

        async def use(hosts):
            async with aero.open_client(hosts) as client:
                for key in KEYS:
                    await client.put(key, {"a": key[2]})
                async with client.get_many(KEYS) as results:
                    found = sorted([result.unwrap()["a"] async for result in results])
                async with client.query("test", "platforms") as records:
                    scanned = [record async for record in records]
                await client.truncate("test", "platforms")
                return found == list(range(20)) and len(scanned) == 20

        async def main():
            assert await use(HOSTS)
            async with open_embedded_cluster(2) as cluster:
                assert await use(cluster.hosts)
            print("all there")

        trio.run(main)
    """
    assert run(shared_cluster, program) == "all there\n"


def test_compat_works_without_what_windows_lacks(shared_cluster: BackgroundCluster) -> None:
    program = """
        import aerospike_py

        client = aerospike_py.client({"hosts": HOSTS}).connect()
        for key in KEYS * 3:
            client.put(key, {"a": key[2]})
            assert client.get(key)[2] == {"a": key[2]}
        assert len(client.batch_read(KEYS)) == 20

        async def main():
            async with aerospike_py.AsyncClient({"hosts": HOSTS}) as other:
                await other.connect()
                await asyncio.gather(*(other.put(key, {"b": 1}) for key in KEYS * 5))
                found = await asyncio.gather(*(other.get(key) for key in KEYS * 5))
                assert all(record[2] == {"a": record[0][2], "b": 1} for record in found), found[0]
                await asyncio.gather(*(other.remove(key) for key in KEYS))

        asyncio.run(main())
        client.close()
        print("all there")
    """
    assert run(shared_cluster, program) == "all there\n"
