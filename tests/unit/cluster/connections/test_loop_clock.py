"""The clock of the event loop: installed in the host's run while a client is open, and no longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from tests.unit.cluster.scripted import scripted_client
from trio_aerospike import open_client


@pytest.fixture
def instruments(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[trio.abc.Instrument]]:
    """Those of the run, as they are added and removed."""
    installed: list[trio.abc.Instrument] = []
    add, remove = trio.lowlevel.add_instrument, trio.lowlevel.remove_instrument

    def added(instrument: trio.abc.Instrument) -> None:
        add(instrument)
        installed.append(instrument)

    def removed(instrument: trio.abc.Instrument) -> None:
        remove(instrument)
        installed.remove(instrument)

    monkeypatch.setattr(trio.lowlevel, "add_instrument", added)
    monkeypatch.setattr(trio.lowlevel, "remove_instrument", removed)
    yield installed


async def test_it_goes_with_the_last_client_of_the_run(instruments: list[trio.abc.Instrument]) -> None:
    for _ in range(2):
        async with scripted_client() as (client, _):
            assert len(instruments) == 1
            async with scripted_client() as (other, _):
                assert len(instruments) == 1
                await other.get(("test", "s", 1))
            assert len(instruments) == 1
            await client.get(("test", "s", 1))
        assert instruments == []


async def test_it_goes_with_a_client_that_was_cancelled_failed_or_did_not_connect(
    instruments: list[trio.abc.Instrument], autojump_clock: trio.testing.MockClock
) -> None:
    with trio.CancelScope() as scope:
        async with scripted_client():
            scope.cancel()
            await trio.sleep_forever()
    assert instruments == []
    with pytest.raises(ExceptionGroup):  # of the nursery that the scripted cluster has
        async with scripted_client():
            raise KeyError
    assert instruments == []

    async def refuse(host: str, port: int, tls_name: str | None) -> object:
        raise ConnectionRefusedError

    with pytest.raises(Exception, match="no seed"):
        async with open_client("127.0.0.1:3000", connector=refuse):  # type: ignore[arg-type]
            pass
    assert instruments == []
