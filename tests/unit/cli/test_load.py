"""`load`: order of the lines of one key, and which lines are written after an error."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from trio_aerospike import ClientConfig, ClusterError, InvalidArgError, Key, _cli
from trio_aerospike._cli.load import _Loader
from trio_aerospike._cli.terminal import progress
from trio_aerospike.policies import WritePolicy


@attrs.define
class Store:
    """A client whose puts wait as long as a test wants."""

    put_one: Callable[[Key, int], Coroutine[Any, Any, None]]
    written: list[tuple[Key, int]] = attrs.Factory(list)
    in_flight: int = 0
    peak: int = 0
    config: ClientConfig = attrs.Factory(lambda: ClientConfig("127.0.0.1:3000"))

    async def put(self, key: Key, bins: dict[str, Any], *, ttl: int, policy: WritePolicy) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await self.put_one(key, bins["n"])
        finally:
            self.in_flight -= 1
        self.written.append((key, bins["n"]))

    def numbers(self, key: Key) -> list[int]:
        return [number for other, number in self.written if other == key]


def line(key: Key, number: int) -> str:
    return json.dumps({"namespace": key.namespace, "set": key.set_name, "key": key.user_key, "bins": {"n": number}})


async def load(store: Store, lines: list[str], tmp_path: Path, in_flight: int = 8) -> _Loader:
    file = tmp_path / "lines"
    file.write_text("\n".join(lines))
    options = argparse.Namespace(file=str(file), namespace=None, set=None, no_ttl=False, in_flight=in_flight)
    loader = _Loader(store, options)  # type: ignore[arg-type]
    with file.open("rb") as source:
        await loader.run(source.fileno(), lambda done, count: None)
    return loader


HOT = Key("test", "s", "hot")
OTHERS = [Key("test", "s", number) for number in range(100)]


async def test_lines_of_other_keys_overtake_one_that_waits_for_its_key(tmp_path: Path, autojump_clock: Any) -> None:
    others_done = trio.Event()

    async def put(key: Key, number: int) -> None:
        if key == HOT:
            await others_done.wait()
        elif number == 99:
            others_done.set()
        else:
            await trio.sleep(1)

    store = Store(put)
    lines = [line(key, number) for number, other in enumerate(OTHERS) for key in (HOT, other)]
    loader = await load(store, lines, tmp_path)
    assert loader.written == 200 and loader.problem is None
    assert store.numbers(HOT) == list(range(100))
    assert store.peak == 8


async def test_in_flight_is_the_most_writes_at_a_time(tmp_path: Path, autojump_clock: Any) -> None:
    async def put(key: Key, number: int) -> None:
        await trio.sleep(1)

    store = Store(put)
    began = trio.current_time()
    await load(store, [line(key, 0) for key in OTHERS], tmp_path, in_flight=25)
    assert store.peak == 25
    # 100 writes of 1 s, 25 at a time. A thread reads the file, and the clock does not wait for it: a little more.
    assert 4 <= trio.current_time() - began < 8


async def test_nothing_is_begun_after_an_error_of_the_cluster(tmp_path: Path, autojump_clock: Any) -> None:
    async def put(key: Key, number: int) -> None:
        await trio.sleep(1)
        if number == 5:
            raise ClusterError("gone")

    store = Store(put)
    loader = await load(store, [line(HOT, number) for number in range(50)], tmp_path)
    assert isinstance(loader.problem, ClusterError) and loader.problem_line == 6
    assert store.numbers(HOT) == list(range(5))


@pytest.mark.parametrize("wrong", ["{", '{"namespace": "test", "set": "s", "key": "hot", "bins": {"n": 1e999}}'])
async def test_lines_before_a_wrong_one_are_written_and_none_after(
    wrong: str, tmp_path: Path, autojump_clock: Any
) -> None:
    async def put(key: Key, number: int) -> None:
        await trio.sleep(1)

    lines = [line(HOT, number) for number in range(50)]
    lines[30] = wrong
    store = Store(put)
    loader = await load(store, lines, tmp_path)
    assert isinstance(loader.problem, InvalidArgError) and loader.problem_line == 31
    assert store.numbers(HOT) == list(range(30))


async def test_a_problem_does_not_wait_for_a_silent_pipe(tmp_path: Path) -> None:
    async def put(key: Key, number: int) -> None:
        raise ClusterError("gone")

    reading, writing = os.pipe()
    options = argparse.Namespace(file="-", namespace=None, set=None, no_ttl=False, in_flight=1)
    loader = _Loader(Store(put), options)  # type: ignore[arg-type]
    os.write(writing, line(HOT, 1).encode() + b"\n")
    with trio.fail_after(30):
        await loader.run(reading, lambda done, count: None)
    assert isinstance(loader.problem, ClusterError)
    os.close(writing)
    os.close(reading)


def test_a_fault_of_the_program_is_a_sentence_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fault() -> argparse.ArgumentParser:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(_cli, "_parser", fault)
    assert _cli.main(["nodes"]) == 70
    assert capfd.readouterr().err.startswith("trio-aerospike: internal error: ZeroDivisionError: by nought")
    monkeypatch.setenv("TRIO_AEROSPIKE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        _cli.main(["nodes"])


def test_progress_is_shown_without_rich_and_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stderr", shown)
    with progress("record", 200) as show:
        show(1, 1)
        show(200, 123456)
    lines = shown.getvalue().split("\r")[1:]
    assert lines[0].rstrip() == "1 record, 0%" and lines[-1].rstrip() == "123,456 records, 10"
    assert all(len(line.rstrip("\n")) < 20 for line in lines)
