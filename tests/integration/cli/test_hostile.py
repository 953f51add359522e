"""The command line under hostile input, streams, terminals and signals: never a traceback."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import pty
import signal
import socket
import ssl
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.effort import examples
from tests.integration.cli.command_line import COMMAND, environment, hosts_of, run, shell
from tests.integration.conftest import Target
from tests.integration.server_peer import connected, key_fields, put_message
from trio_aerospike import _cli
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Op
from trio_aerospike.server import open_embedded_cluster

BIN = {"namespace": "test", "set": "set", "key": 1}


@pytest.fixture
async def one() -> AsyncIterator[Target]:
    """A node with a few records that fill the buffer of a pipe."""
    async with open_embedded_cluster(1) as cluster:
        async with connected(cluster) as peer:
            for number in range(400):
                assert not await peer.put(number, n=number, text="é" * 500)
        yield Target(cluster.hosts, cluster)


# --- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("$T info namespaces >/dev/full", 4, "the standard output cannot be written: No space left on device"),
        ("$T scan test >/dev/full", 4, "the standard output cannot be written"),
        ("$T scan test --output /dev/full", 4, "/dev/full cannot be written: No space left"),
        ("$T nodes >&-", 4, "the standard output is closed"),
        ("$T scan test >&-", 4, "the standard output is closed"),
        ("$T put test set new a=1 >&-", 0, ""),
        ("$T load </dev/null >&-", 4, "the standard output is closed"),
        ("$T load <&-", 2, "the standard input: it is closed"),
        ("$T nodes --user ann <&-", 2, "there is no password"),
        ("$T get test set nobody 2>&-", 1, ""),
        ("$T get test set nobody 2>/dev/full", 1, ""),
        ("$T get test set nobody <&- >&- 2>&-", 1, ""),
        ("$T --help >/dev/full", 4, "the standard output cannot be written"),
        ("$T load .", 2, ".: Is a directory"),
        ("$T scan test --output .", 2, "--output: .: Is a directory"),
        ("$T nodes --user ann --password-file .", 2, "--password-file: .: Is a directory"),
    ],
)
async def test_streams_that_cannot_be_used(one: Target, line: str, code: int, words: str) -> None:
    result = await shell(one, line)
    assert (result.code, words in result.err) == (code, True), result


@pytest.mark.parametrize("command", ["scan test", "scan test set --no-bins", "--help", "load --help"])
async def test_a_reader_that_has_enough_is_no_news(one: Target, command: str) -> None:
    result = await shell(one, f"$T {command} | head -c 1 >/dev/null; echo $PIPESTATUS")
    assert result.err == "" and result.out.strip() in ("0", "4"), result


async def test_files_and_pipes_are_utf_8_whatever_the_locale_is(one: Target) -> None:
    environments: list[dict[str, Any]] = [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ]
    for variables in environments:
        result = await run(one, "get", "test", "set", "7", "--key-type", "int", **variables)
        assert result.code == 0 and json.loads(result.out)["bins"]["text"] == "é" * 500
        assert "é" in result.out


def on_terminal(target: Target, *arguments: str, **variables: str) -> str:
    """What the command shows on a terminal."""
    assert not isinstance(target.hosts, str)
    (host, port), *_ = target.hosts
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(AEROSPIKE_HOSTS=f"{host}:{port}", TERM="xterm", **variables),
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert process.wait(60) == 0, shown
    return shown.decode()


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
async def test_a_terminal_gets_json_that_it_can_print(one: Target, encoding: str) -> None:
    text = "é😀\x9b31m\u202e"
    assert (await run(one, "put", "test", "set", "odd", f"t={text}")).code == 0
    get = functools.partial(on_terminal, one, "get", "test", "set", "odd", PYTHONIOENCODING=encoding)
    shown = await trio.to_thread.run_sync(get)
    assert json.loads(shown)["bins"]["t"] == text
    assert ("é" in shown) == (encoding == "utf-8")
    assert "\x9b" not in shown and "\u202e" not in shown


async def test_load_shows_progress_on_a_terminal(one: Target, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("".join(json.dumps({**BIN, "key": key, "bins": {"n": 1}}) + "\n" for key in range(3000)))
    shown = await trio.to_thread.run_sync(on_terminal, one, "load", str(file))
    assert "100%" in shown and shown.count("3,000 records") >= 2, shown


# --- input ----------------------------------------------------------------------------------------------------------


def line_of(bins: str) -> bytes:
    return b'{"namespace": "test", "set": "set", "key": 1, "bins": %s}' % bins.encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (line_of('{"a": ' + "[" * 900 + "]" * 900 + "}"), "nested too deeply"),
        (line_of('{"a": ' + "[" * 300 + "]" * 300 + "}"), "nested deeper than the 64 levels"),
        (line_of('{"a": ' + '{"$list": [' * 300 + "]}" * 300 + "}"), "nested"),
        (line_of('{"a": NaN}'), '{"$float": "nan"}'),
        (line_of('{"a": -Infinity}'), '{"$float": "-inf"}'),
        (line_of('{"a": 1e999}'), "bin 'a': a number that no float can hold"),
        (line_of('{"a": %s}' % ("9" * 20)), "64 bits"),
        (line_of('{"a": %s}' % ("9" * 9999)), "64 bits"),
        (line_of('{"a": 1, "a": 2}'), "the key 'a' occurs twice"),
        (line_of('{"a": {"$map": [[1, 2], [1, 3]]}}'), "the key 1 occurs twice"),
        (line_of('{"a": "\\ud800"}'), "lone surrogate"),
        (line_of('{"\\ud800": 1}'), "bin name"),
        (line_of('{"a": {"$blob": {}}}'), "$blob"),
        (line_of('{"a": {"$float": %s}}' % ("1" * 400)), "$float"),
        (line_of('{"a": {"$geojson": {"type": 1e999}}}'), "$geojson"),
        (b"\xff\xfe{\0}\0", "not UTF-8"),
        (b"\0\0\0\0", "not JSON"),
    ],
)
async def test_a_hostile_line_is_refused_with_its_number(one: Target, text: bytes, words: str) -> None:
    result = await run(one, "load", stdin=b"\n" + text + b"\n")
    assert (result.code, result.out) == (2, "0 records written\n"), result
    assert "line 2: " in result.err and words in result.err
    assert len(result.err) < 400


async def test_a_byte_order_mark_and_line_ends_of_windows_do_no_harm(one: Target) -> None:
    result = await run(
        one, "load", stdin=b"\xef\xbb\xbf" + line_of('{"a": 1}') + b"\r\n" + line_of('{"b": 2}') + b"\r\n"
    )
    assert (result.code, result.out, result.err) == (0, "2 records written\n", "")


async def test_a_line_without_end_is_refused_before_it_fills_the_memory(one: Target) -> None:
    result = await run(one, "load", "/dev/zero")
    assert result.code == 2 and "line 1: longer than 64 MiB" in result.err


async def test_nan_is_text_for_put_and_a_float_where_it_is_said(one: Target) -> None:
    floats = {"c": {"$float": "nan"}, "d": {"$float": "0x7ff8000000000123"}, "e": {"$float": "-inf"}}
    values = [f"{name}={json.dumps(value)}" for name, value in floats.items()]
    assert (await run(one, "put", "test", "set", "k", "a=NaN", "b=-Infinity", *values)).code == 0
    bins = json.loads((await run(one, "get", "test", "set", "k")).out)["bins"]
    assert bins == {"a": "NaN", "b": "-Infinity", **floats}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[" * 3000, "nested too deeply"),
        ("1" * 5000, "64 bits"),
        ("1e999", "no float can hold"),
        ('{"a": 1, "a": 2}', "occurs twice"),
        ("\udcff", "lone surrogate"),
    ],
)
async def test_a_hostile_value_is_refused_with_its_bin(one: Target, value: str, words: str) -> None:
    result = await run(one, "put", "test", "set", "k", f"name={value}")
    assert result.code == 2 and words in result.err and "bin 'name'" in result.err and len(result.err) < 400, result
    twice = await run(one, "put", "test", "set", "k", "a=1", "a=2")
    assert twice.code == 2 and "bins: got 'a' twice" in twice.err


async def test_records_that_cannot_be_decoded_are_named_and_passed_over(one: Target) -> None:
    assert one.embedded is not None
    async with connected(one.embedded) as peer:
        for key in ("bad", "worse"):
            fields = key_fields(key)
            message = put_message(key, {}, fields=fields)
            op = Op(wire.OP_WRITE, wire.PARTICLE_STRING, "t", b"\xff\xfe")
            assert not (await peer.ask(type(message)(info2=message.info2, fields=fields, ops=(op,)))).result_code
    result = await run(one, "scan", "test")
    assert result.code == 5 and len(result.out.splitlines()) == 400, result.err
    named, others, last = result.err.splitlines()
    digests = {key_fields(key)[2].data.hex() for key in ("bad", "worse")}
    assert {line.partition("digest ")[2][:40] for line in (named, others)} == digests
    assert "namespace test, set 'set'" in named and last == "trio-aerospike: 2 records could not be decoded"


# --- what is at the address -----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def answering(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[Target]:
    """A server that gives everybody the same answer."""

    async def serve(stream: trio.abc.Stream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, ssl.SSLError):
            if await stream.receive_some(1000):
                await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        if context is None:
            listeners = await nursery.start(trio.serve_tcp, serve, 0)
        else:
            listeners = await nursery.start(trio.serve_ssl_over_tcp, serve, 0, context)
        listener = listeners[0]
        while not hasattr(listener, "socket"):
            listener = listener.transport_listener
        yield Target([("127.0.0.1", listener.socket.getsockname()[1])], None)
        nursery.cancel_scope.cancel()


def certified() -> tuple[trustme.CA, ssl.SSLContext]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return authority, context


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n<html></html>", "is a web server (HTTP)"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "answers b'SSH-2.0"),
        (b"", "closes connections without an answer"),
    ],
)
async def test_another_server_is_recognized(answer: bytes, words: str) -> None:
    async with answering(answer) as target:
        result = await run(target, "nodes", "--timeout", "5")
    assert result.code == 3 and words in result.err and str(target.hosts[0][1]) in result.err, result


async def test_tls_where_none_was_asked_for_and_the_other_way_round(one: Target, tmp_path: Path) -> None:
    authority, context = certified()
    async with answering(b"", context) as target:
        plain = await run(target, "nodes", "--timeout", "5")
        stranger = await run(target, "nodes", "--timeout", "5", "--tls")
    assert plain.code == 3 and "speaks TLS: give --tls" in plain.err, plain
    assert stranger.code == 3 and "a certificate that is not accepted: --tls-ca" in stranger.err, stranger
    other = await run(one, "nodes", "--timeout", "5", "--tls")
    assert other.code == 3 and "does not speak TLS: leave the TLS options out" in other.err, other
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    async with open_embedded_cluster(1, tls=context, tls_name="127.0.0.1") as cluster:
        well = await run(Target(cluster.hosts, cluster), "nodes", "--tls-ca", str(file))
        wrong = await run(Target(cluster.hosts, cluster), "nodes", "--tls-ca", str(file), "--cluster-name", "x")
    assert (well.code, well.err) == (0, "")
    assert wrong.code == 3 and len(wrong.err.splitlines()) == 1, wrong  # nothing is wrong with its TLS


async def test_nobody_at_the_address_and_names_that_are_not_known(one: Target) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refused = await run(Target([unused.getsockname()], None), "nodes", "--timeout", "5")
    assert refused.code == 3 and "refuses connections: is the server running" in refused.err, refused
    assert (await run(Target("a..b:3000", None), "nodes", "--timeout", "5")).code == 3
    node = await run(one, "info", "--node", "NOPE", "node")
    assert (node.code, node.err) == (2, "trio-aerospike: --node: no node is named 'NOPE'; the cluster has A1\n")
    place = await run(one, "scan", "nowhere")
    assert place.code == 1 and "no namespace 'nowhere'" in place.err and "after" not in place.err
    bench = await run(one, "bench", "--set", "x" * 64)
    assert bench.code == 2 and "set_name" in bench.err


# --- signals --------------------------------------------------------------------------------------------------------


async def interrupted(target: Target, *arguments: str, stdout: int, until: Callable[[], bool]) -> int:
    """The exit code after SIGINT while something blocks; nothing may be said."""
    process = await trio.lowlevel.open_process(
        [*COMMAND, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(AEROSPIKE_HOSTS=hosts_of(target)),
    )
    assert process.stderr is not None
    with trio.fail_after(60):
        while not until():
            await trio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = b"".join([chunk async for chunk in process.stderr])
        assert errors == b""
        return await process.wait()


async def test_an_interrupt_ends_a_scan_whose_reader_does_not_read(one: Target) -> None:
    reading, writing = os.pipe()
    # Room for one page: when that is full, the command waits for more.
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    full = unread(reading)
    os.read(reading, 4096)
    try:
        assert await interrupted(one, "scan", "test", stdout=writing, until=lambda: unread(reading) == full) == 130
    finally:
        os.close(reading)
        os.close(writing)


def unread(descriptor: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0])


async def test_an_interrupt_ends_a_command_that_opens_a_named_pipe(one: Target, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert one.embedded is not None
    node = one.embedded.nodes[0]
    for command in (("load", str(pipe)), ("scan", "test", "--output", str(pipe))):
        code = await interrupted(one, *command, stdout=subprocess.DEVNULL, until=lambda: bool(node.connections))
        assert code == 130
        with trio.fail_after(30):
            while node.connections:
                await trio.sleep(0.01)


def test_an_interrupt_before_and_after_the_work_ends_the_process_without_a_traceback() -> None:
    program = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores
from trio_aerospike import _cli
_cli._parser = lambda: os.kill(os.getpid(), signal.SIGINT)
sys.exit(_cli.main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_an_interrupt_at_the_password_prompt_leaves_the_terminal_as_it_was() -> None:
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);" + COMMAND[-1]
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-c", program, "nodes", "--user", "ann"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), start_new_session=True,
    )  # fmt: skip
    shown = b""
    while b"Password of ann: " not in shown:
        shown += os.read(ours, 1000)
    while termios.tcgetattr(theirs)[3] & termios.ECHO:
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    with contextlib.suppress(OSError):
        while data := os.read(ours, 1000):
            shown += data
    os.close(ours)
    assert b"Traceback" not in shown


# --- at random ------------------------------------------------------------------------------------------------------


async def test_the_package_is_a_command() -> None:
    done = await trio.run_process(
        [sys.executable, "-m", "trio_aerospike", "--version"], capture_stdout=True, env=environment()
    )
    assert done.stdout.startswith(b"trio-aerospike ")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server in another process."""
    process = subprocess.Popen([*COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, env=environment(), text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline().rpartition(":")[2])
    process.terminate()
    process.wait(30)
    process.stdout.close()


options = st.sampled_from(
    ["--bins", "--max", "--rate", "--partitions", "--filter", "--no-bins", "--ttl", "--key-type", "--records", "--raw",
     "--in-flight", "--namespace", "--set", "--node", "--no-ttl", "--cluster-name", "--timeout", "--user", "--tls-ca",
     "--password-file", "--auth", "--services-alternate", "--", "-", "-1", "--tls-c", "--output"]
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(["test", "set", "k", "1", "0", "-1", "4095:1", "1:2:3", "nan", "1e999", "9" * 5000, "int",
                     "digest", "bytes", "00" * 20, "a=1", "a=NaN", "=", "a=", "b={\"$map\": [[[],1]]}", "\udcff", "/",
                     "/dev/null", "internal", "pki", "²", "٣", ",", "", "k" * 70, "kgA=", "namespaces",
                     "a=" + "[" * 3000]),
    st.text(st.characters(exclude_characters="\0"), max_size=8),
)  # fmt: skip
commands = st.sampled_from(
    [["nodes"], ["info", "namespaces"], ["get", "test", "s", "1"], ["put", "test", "s", "1", "a=1"], ["scan", "test"],
     ["load", "/dev/null"], ["bench"], ["info"], ["get"], ["put", "test"], ["scan"], ["load"], ["serve"], [""]]
)  # fmt: skip


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands, st.lists(st.one_of(texts, options, st.tuples(options, texts)), max_size=4))
def test_whatever_the_arguments_are_there_is_an_exit_code(
    port: int,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: list[str],
    arguments: list[str | tuple[str, str]],
) -> None:
    given = list(command)
    for argument in arguments:
        given += [argument] if isinstance(argument, str) else argument
    if command == ["bench"]:
        given += ["--records", "2"]
    if command == ["serve"]:
        given += ["--port", "70000"]  # refused: it would serve for ever
    else:
        given[1:1] = ["--hosts", f"127.0.0.1:{port}"]
    with contextlib.chdir(tmp_path):
        try:
            code = _cli.main(given)
        except SystemExit as exited:
            code = int(exited.code or 0)
    out, err = capfd.readouterr()
    assert code in (0, 1, 2, 3, 4), (given, out, err)
    assert "Traceback" not in err and len(err) < 12_000
    assert code == 0 or err or out


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=100), st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.one_of(st.sampled_from(["namespace", "set", "key", "digest", "bins", "ttl", "$map", "$list", "order"]),
                  st.text(max_size=3)), inner, max_size=5)),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode()), st.builds(
    lambda value: json.dumps({**BIN, "bins": {"a": value}}).encode(),
    st.dictionaries(st.sampled_from(["$map", "$list", "$blob", "$float", "$hll", "$geojson", "$bytes", "order"]),
                    st.one_of(st.integers(), st.floats(), st.text(max_size=4), st.lists(st.integers(), max_size=2),
                              st.lists(st.lists(st.one_of(st.text(max_size=2), st.lists(st.none(), max_size=1)),
                                                min_size=2, max_size=2), max_size=2)), max_size=2))))  # fmt: skip
def test_whatever_the_input_is_it_is_loaded_or_refused(
    port: int, capfd: pytest.CaptureFixture[str], tmp_path: Path, data: bytes
) -> None:
    file = tmp_path / "input"
    file.write_bytes(data)
    code = _cli.main(["load", "--hosts", f"127.0.0.1:{port}", str(file)])
    out, err = capfd.readouterr()
    assert code in (0, 1, 2) and out.endswith(" written\n")
    assert "Traceback" not in err and (code == 0) == (err == ""), err
