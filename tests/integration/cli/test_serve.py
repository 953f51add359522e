"""`trio-aerospike serve`, as a shell runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from tests.integration.server_peer import Peer
from trio_aerospike import _cli
from trio_aerospike._wire import admin
from trio_aerospike._wire.info_cluster import parse_peers
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import open_embedded_cluster

COMMAND = [sys.executable, "-c", "import sys; from trio_aerospike._cli import main; sys.exit(main())"]


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[tuple[trio.Process, list[int], str]]:
    """The process, the nodes' ports, and what it said until it was ready."""
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, [*COMMAND, "serve", *arguments], stdout=subprocess.PIPE, check=False)
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None
        text = ""
        with trio.fail_after(30):
            while not text.endswith("stops the server.\n"):
                text += (await process.stdout.receive_some(1000)).decode()
        yield process, [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)], text
        if process.returncode is None:
            process.kill()


async def finish(process: trio.Process, number: signal.Signals) -> tuple[int, str]:
    assert process.stdout is not None
    process.send_signal(number)
    text = ""
    with trio.fail_after(20):
        while data := await process.stdout.receive_some(1000):
            text += data.decode()
        return await process.wait(), text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_told_to_stop_and_ends_well(number: signal.Signals) -> None:
    async with serving("--nodes", "3", "--port", "0") as (process, ports, text):
        assert len(set(ports)) == 3 and "namespace test" in text and "cluster docker" in text
        async with await trio.open_tcp_stream("127.0.0.1", ports[0]) as stream:
            peer = Peer(stream)
            answers = await peer.info("cluster-name", "namespaces", "peers-clear-std", "partition-generation")
            assert answers["cluster-name"] == "docker" and answers["namespaces"] == "test"
            assert {other.hosts[0][1] for other in parse_peers(answers["peers-clear-std"])[2]} == set(ports[1:])
            assert answers["partition-generation"] == "0"
            assert await peer.put("k", a=1) == ResultCode.OK
            code, rest = await finish(process, number)
        assert code == 0 and rest == "Stopped.\n"


async def test_a_user_switches_security_on_and_has_all_rights() -> None:
    async with serving("--port", "0", "--user", "ann:se:cret") as (process, ports, text):
        assert "ann" in text and "se:cret" not in text
        async with await trio.open_tcp_stream("127.0.0.1", ports[0]) as stream:
            peer = Peer(stream)
            assert await peer.put("k", a=1) == ResultCode.NOT_AUTHENTICATED
            hashed = admin.hash_password("se:cret")
            assert await peer.admin_result(admin.encode_login("ann", hashed)) == ResultCode.OK
            assert await peer.put("k", a=1) == ResultCode.OK
            assert await peer.get("k") == {"a": 1}
            assert await peer.info_one("truncate:namespace=test;set=set") == "ok"
            create = admin.encode_create_user("bob", hashed, ["read"])
            assert await peer.admin_result(create) == ResultCode.OK
        assert (await finish(process, signal.SIGTERM))[0] == 0


async def test_a_port_in_use_is_an_error_in_words(capfd: pytest.CaptureFixture[str]) -> None:
    async with open_embedded_cluster(1) as cluster:
        port = cluster.nodes[0].port
        result = await trio.run_process(
            [*COMMAND, "serve", "--port", str(port)], capture_stdout=True, capture_stderr=True, check=False
        )
    assert result.returncode == 1
    assert result.stderr.decode() == f"trio-aerospike: cannot listen on 127.0.0.1:{port}: it is in use\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--nodes", "0"], "allowed: 1 to 128 nodes"),
        (["serve", "--nodes", "many"], "allowed: 1 to 128 nodes"),
        (["serve", "--port", "65536"], "allowed: a port from 0 to 65535"),
        (["serve", "--port", "-1"], "--port"),
        (["serve", "--user", "ann"], "NAME:PASSWORD"),
        (["serve", "--user", ":x"], "NAME:PASSWORD"),
        (["serve", "--user", "a" * 64 + ":x"], "at most 63 bytes"),
        ([], "COMMAND"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_arguments_are_refused_with_what_is_allowed(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        _cli.main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("trio-aerospike ")
