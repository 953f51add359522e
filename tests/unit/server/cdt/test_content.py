"""Elements of large lists and maps: found, replaced and followed without taking the value apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_aerospike._wire import cdt_ops as ops, constants as wire
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.particles import encode_value
from trio_aerospike.server import cdt
from trio_aerospike.server.cdt import content
from trio_aerospike.server.cdt.content import Content, Layout, layout_of
from trio_aerospike.server.cdt.elements import Malformed, list_header, opened, split
from trio_aerospike.server.expressions import compile_expression
from trio_aerospike.server.particles import stored

read_cdt = partial(cdt.read, compile_expression=compile_expression)
modify_cdt = partial(cdt.modify, compile_expression=compile_expression)

ELEMENTS = st.one_of(
    st.integers(-5, 5).map(pack_value),
    st.integers(-(2**63), 2**63 - 1).map(pack_value),
    st.integers(0, 60).map(lambda size: pack_value("x" * size)),
    st.lists(st.integers(0, 3), max_size=3).map(pack_value),
    st.just(pack_value([list(range(40))] * 40)),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SMALL", 8)
    monkeypatch.setattr(content, "_STEP", 4)
    layout_of.cache_clear()


def whole(elements: list[bytes]) -> bytes:
    return list_header(len(elements)) + b"".join(elements)


def looked_into(data: bytes) -> Content:
    _, count, _, start = opened(data)
    return Content(data, start, count)


@given(st.lists(ELEMENTS, max_size=40), st.data())
def test_changes_are_followed(elements: list[bytes], data: st.DataObject) -> None:
    value = whole(elements)
    for _ in range(data.draw(st.integers(1, 8))):
        first = data.draw(st.integers(0, len(elements)))
        removed = data.draw(st.integers(0, min(6, len(elements) - first)))
        added = data.draw(st.lists(ELEMENTS, max_size=12))
        elements = [*elements[:first], *added, *elements[first + removed :]]
        value = looked_into(value).replaced(first, removed, added, list_header(len(elements)))
        assert value == whole(elements)
        found = looked_into(value)
        assert [found.one(number) for number in range(len(elements))] == elements
        end = data.draw(st.integers(first, len(elements))) if first <= len(elements) else len(elements)
        assert found.between(min(first, len(elements)), end) == elements[min(first, len(elements)) : end]


@given(st.lists(ELEMENTS, min_size=1, max_size=60))
def test_a_layout_is_the_same_whether_it_is_read_or_told(elements: list[bytes]) -> None:
    value = whole(elements)
    start = len(value) - sum(map(len, elements))
    read, told = Layout(), Layout()
    read.read(value, start, len(elements))
    told.note_sizes(elements)
    for number in range(len(elements) + 1):
        place = start + sum(map(len, elements[:number]))
        assert read.place(value, start, number) == told.place(value, start, number) == place


def test_what_is_cut_off_is_malformed() -> None:
    elements = [pack_value("text")] * 30
    value = whole(elements)[:-1]
    with pytest.raises(Malformed):
        looked_into(value)
    with pytest.raises(Malformed):
        split(value, 3, 30)


def test_marks_stay_close_to_each_other() -> None:
    value = whole([pack_value(1)] * 10)
    for _ in range(300):
        found = looked_into(value)
        value = found.replaced(3, 0, [pack_value(2)], list_header(len(found) + 1))
    layout = layout_of(value)
    assert layout.is_known
    numbers = [*layout._numbers, 310]
    assert max(after - before for before, after in pairwise(numbers)) <= 16


# -- how long it takes -----------------------------------------------------------------------------------------------

COUNT = 50_000
LIMIT = 5e-3
MAP, LIST = wire.PARTICLE_MAP, wire.PARTICLE_LIST


def call(number: int, *arguments: Any, context: list[Any] | None = None) -> bytes:
    own = pack_value([number, *arguments])
    return own if context is None else b"\x93\xcc\xff" + pack_value(context) + own


def seconds(work: Callable[[], object]) -> float:
    """The processor time of the quickest of three times."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)


@pytest.fixture(scope="module")
def values() -> dict[str, tuple[int, bytes]]:
    entries = {f"key{number:06}": f"value {number}" for number in range(COUNT)}
    found = {
        "map": stored(*encode_value(entries)),
        "list": stored(*encode_value(list(entries.values()))),
        "nested": stored(*encode_value({"a": entries, "b": {"x": 1}})),
        "numbers": stored(*encode_value(list(range(COUNT)))),
    }
    ordered, _ = modify_cdt(found["map"], call(ops.MAP_SET_TYPE, 1))
    assert ordered is not None
    in_order, _ = modify_cdt(found["numbers"], call(ops.LIST_SET_TYPE, 1))
    assert in_order is not None
    return {**found, "ordered": ordered, "in order": in_order}


KEY = "key025007"
READS = [
    ("map", call(ops.MAP_GET_BY_KEY, ops.RETURN_VALUE, KEY), "value 25007"),
    ("ordered", call(ops.MAP_GET_BY_KEY, ops.RETURN_VALUE, KEY), "value 25007"),
    ("map", call(ops.MAP_GET_BY_INDEX, ops.RETURN_KEY, 25007), KEY),
    ("ordered", call(ops.MAP_GET_BY_INDEX_RANGE, ops.RETURN_VALUE, -2, 1), ["value 49998"]),
    ("ordered", call(ops.MAP_GET_BY_KEY_INTERVAL, ops.RETURN_COUNT, KEY, "key025017"), 10),
    ("map", call(ops.MAP_GET_BY_KEY_REL_INDEX_RANGE, ops.RETURN_VALUE, KEY, 1, 1), ["value 25008"]),
    ("map", call(ops.MAP_SIZE), COUNT),
    ("list", call(ops.LIST_GET, 30_000), "value 30000"),
    ("list", call(ops.LIST_GET_BY_INDEX, ops.RETURN_VALUE, -1), "value 49999"),
    ("list", call(ops.LIST_GET_RANGE, 30_000, 2), ["value 30000", "value 30001"]),
    ("in order", call(ops.LIST_GET_BY_VALUE, ops.RETURN_INDEX, 777), 777),
    ("in order", call(ops.LIST_GET_BY_RANK, ops.RETURN_VALUE, 777), 777),
    ("nested", call(ops.MAP_GET_BY_KEY, ops.RETURN_VALUE, KEY, context=[0x22, "a"]), "value 25007"),
    ("nested", call(ops.MAP_GET_BY_KEY, ops.RETURN_VALUE, "x", context=[0x22, "b"]), 1),
]
CHANGES = [
    ("map", call(ops.MAP_PUT, KEY, 1, 0, 0)),
    ("map", call(ops.MAP_PUT, "key025007a", 1, 0, 0)),
    ("ordered", call(ops.MAP_PUT, "key025007a", 1, 1, 0)),
    ("ordered", call(ops.MAP_INCREMENT, "new", 1, 1)),
    ("map", call(ops.MAP_REMOVE_BY_KEY, ops.RETURN_NONE, KEY)),
    ("ordered", call(ops.MAP_REMOVE_BY_INDEX, ops.RETURN_NONE, 7)),
    ("list", call(ops.LIST_APPEND, "more")),
    ("list", call(ops.LIST_INSERT, 25_000, "more")),
    ("list", call(ops.LIST_SET, 25_000, "more")),
    ("list", call(ops.LIST_POP, 25_000)),
    ("numbers", call(ops.LIST_INCREMENT, 25_000, 1)),
    ("in order", call(ops.LIST_APPEND, 777)),
    ("nested", call(ops.MAP_PUT, KEY, 1, 0, 0, context=[0x22, "a"])),
    ("nested", call(ops.LIST_APPEND, 1, context=[0xE2, "new"])),
]


@pytest.fixture
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()


@pytest.mark.parametrize(("name", "operation", "expected"), READS)
@pytest.mark.usefixtures("_kept")
def test_one_of_many_elements_is_found_at_once(
    values: dict[str, tuple[int, bytes]], name: str, operation: bytes, expected: object
) -> None:
    kind, data = values[name]
    answer = read_cdt((kind, data), operation)
    assert answer is not None and answer == encode_value(expected)
    # Each request meets the value as bytes of its own.
    assert seconds(lambda: read_cdt((kind, bytes(bytearray(data))), operation)) < LIMIT


@pytest.mark.parametrize(("name", "operation"), CHANGES)
@pytest.mark.usefixtures("_kept")
def test_one_of_many_elements_is_changed_at_once(
    values: dict[str, tuple[int, bytes]], name: str, operation: bytes
) -> None:
    kind, data = values[name]
    changed = modify_cdt((kind, data), operation)[0]
    assert changed is not None and changed[1] != data

    def again() -> None:
        # The next operation finds the new value as quickly.
        assert modify_cdt((kind, bytes(bytearray(data))), operation)[0] == changed
        read_cdt((kind, bytes(bytearray(changed[1]))), call(ops.MAP_SIZE if kind == MAP else ops.LIST_SIZE))

    assert seconds(again) < LIMIT
