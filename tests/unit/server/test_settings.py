"""What `set-config` makes of a text, and which of two records wins by the settings of a namespace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trio_aerospike.server.record import StoredRecord
from trio_aerospike.server.settings import NEVER, Settings, c_int, c_seconds
from trio_aerospike.server.settings_tables import NAMESPACE, NETWORK, SERVICE, SET
from trio_aerospike.server.store import merge_trees


def given(**parameters: str) -> Callable[[str], str | None]:
    return {name.replace("_", "-"): text for name, text in parameters.items()}.get


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("12", 12), ("-3", -3), ("", 0), ("2k", 2048), ("1M", 1 << 20), ("1g", 1 << 30), ("4294967297", 1)],
)
def test_a_number_has_a_unit_of_bytes_and_wraps_around(text: str, number: int) -> None:
    assert c_int(text) == number


@pytest.mark.parametrize("text", ["x", "1x", "1 ", "1kk", "1.5", "--1", "9" * 100])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        c_int(text)


@pytest.mark.parametrize(
    ("text", "time"), [("5", 5), ("5s", 5), ("2M", 120), ("1h", 3600), ("1d", 86_400), ("-1", NEVER)]
)
def test_a_time_has_a_unit(text: str, time: int) -> None:
    assert c_seconds(text) == time


@pytest.mark.parametrize("text", ["-2", "1w", "4294967296", "x"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        c_seconds(text)


@pytest.mark.parametrize("table", [SERVICE, NETWORK, NAMESPACE, SET])
def test_no_setting_is_told_twice_and_every_default_is_one(table: tuple[object, ...]) -> None:
    assert len(Settings(table).values_with()) == len(table)  # type: ignore[arg-type]


def test_the_first_parameter_of_the_table_is_changed_and_no_other() -> None:
    settings = Settings(NAMESPACE)
    assert settings.change(given(max_record_size="1k", default_ttl="7")) == "default-ttl"
    assert (settings.number("default-ttl"), settings.number("max-record-size")) == (7, 1 << 20)


def test_a_parameter_goes_by_its_name_without_the_part_of_the_file() -> None:
    settings = Settings(NAMESPACE)
    assert settings.change(given(defrag_lwm_pct="60")) == "storage-engine.defrag-lwm-pct"
    assert settings.change(given(geo2dsphere_within_max_cells="9")) == "geo2dsphere-within.max-cells"


@pytest.mark.parametrize("name", ["rack-id", "strong-consistency", "prefer-uniform-balance", "no-such-thing"])
def test_what_only_a_file_or_another_edition_may_set_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Settings(NAMESPACE).change({name: "1"}.get)


@pytest.mark.parametrize(("by_generation", "winner"), [(True, "often"), (False, "late")])
def test_the_policy_says_which_record_wins(by_generation: bool, winner: str) -> None:
    often, late = StoredRecord("often", {}, 9, 0, 1), StoredRecord("late", {}, 1, 0, 2)
    for target, source in ((often, late), (late, often)):
        tree = {b"": target}
        merge_trees(tree, {b"": source}, by_generation=by_generation)
        assert tree[b""].set_name == winner
