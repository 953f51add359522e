"""Random operations on one record, held against plain Python and, where there is one, against a real server.

Every step is one operation on an embedded cluster whose answer must be what Python says. With AEROSPIKE_HOSTS the same
operation goes to that server, too, and must be answered alike. DATA_MODEL_STEPS says how many steps there are in all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.integration import data_model as model
from tests.integration.conftest import HOSTS
from tests.integration.data_model import order, ranked, span
from tests.integration.stage import Stage
from trio_aerospike import AerospikeError, Client, Key, Operation, bits, exp, lists, maps, open_client, operations
from trio_aerospike.errors import ResultCode

STEPS = int(os.environ.get("DATA_MODEL_STEPS", "1500"))
STEPS_EACH = 50
OUT_OF_RANGE = ResultCode.OP_NOT_APPLICABLE

values = st.one_of(
    st.integers(-3, 3),
    st.sampled_from(["", "a", "b", "ba", "é"]),
    st.sampled_from([-0.5, 0.25, 1.0, 1e300]),
    st.booleans(),
    st.none(),
)
bounds = st.one_of(st.integers(-3, 3), st.sampled_from(["a", "b", "c"]), st.sampled_from([-0.5, 1.5]))
keys = st.one_of(st.integers(-3, 3), st.sampled_from(["", "a", "b", "z"]), st.binary(max_size=1))
indexes = st.integers(-7, 7)
counts = st.one_of(st.none(), st.integers(0, 6))
blobs = st.binary(min_size=1, max_size=6)

KEY_TYPES = (int, str, bytes)


def key_order(key: Any) -> tuple[Any, ...]:
    return KEY_TYPES.index(type(key)), key


class DataModel(RuleBasedStateMachine):
    """One record with a list, an ordered list, a map, a blob and an integer, and what they should hold."""

    stage: Stage
    real: Client | None
    carried_out = 0

    @initialize(
        plain=st.lists(values, max_size=5), ordered=st.lists(values, max_size=5), blob=blobs, number=st.integers(-9, 9)
    )
    def start(self, plain: list[Any], ordered: list[Any], blob: bytes, number: int) -> None:
        self.key = Key("test", "data-model", secrets.token_hex(8))
        self.lists = {"plain": list(plain), "sorted": sorted(ordered, key=order)}
        self.map: dict[Any, Any] = {}
        self.blob = blob
        self.number = number
        self._both(
            [
                lists.create("plain"),
                lists.create("sorted", lists.ListOrder.ORDERED),
                maps.create("map", maps.MapOrder.KEY_ORDERED),
                operations.write("blob", blob),
                operations.write("number", number),
                *([lists.append_items("plain", plain)] if plain else []),
                *(
                    [lists.append_items("sorted", ordered, policy=lists.ListPolicy(lists.ListOrder.ORDERED))]
                    if ordered
                    else []
                ),
            ]
        )

    def teardown(self) -> None:
        if hasattr(self, "key"):
            found = self._both([operations.read(name) for name in ("plain", "sorted", "map", "blob", "number")])
            expected = [*self.lists.values(), self.map, self.blob, self.number]
            assert list(map(shown, found)) == list(map(shown, expected))
            if self.real is not None:
                self.stage.in_trio(self.real.remove, self.key)

    def _both(self, steps: list[Operation]) -> Any:
        answer = self.stage.in_trio(attempt, self.stage.client, self.key, steps)
        if self.real is not None:
            theirs = self.stage.in_trio(attempt, self.real, self.key, steps)
            assert shown(answer) == shown(theirs), (steps, answer, theirs)
        return answer

    def _check(self, operation: Operation, expected: Any, *, in_any_order: bool = False) -> None:
        """Carry out an operation; the answer is a value, or the code of an error."""
        answer = self._both([operation])
        type(self).carried_out += 1
        found = next(iter(answer), None) if isinstance(answer, list) else answer  # nothing is answered to a sort
        if in_any_order and isinstance(found, list):
            found, expected = sorted(found, key=order), sorted(expected, key=order)
        assert shown(found) == shown(expected), (operation, found, expected)

    # -- lists -------------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["plain", "sorted"]), value=values)
    def append(self, name: str, value: Any) -> None:
        self._add(name, [value])
        self._check(lists.append(name, value, policy=policy_of(name)), len(self.lists[name]))

    @rule(name=st.sampled_from(["plain", "sorted"]), items=st.lists(values, min_size=1, max_size=3))
    def append_items(self, name: str, items: list[Any]) -> None:
        self._add(name, items)
        self._check(lists.append_items(name, items, policy=policy_of(name)), len(self.lists[name]))

    def _add(self, name: str, items: list[Any]) -> None:
        self.lists[name] = self.lists[name] + items
        if name == "sorted":
            self.lists[name].sort(key=order)

    @rule(index=indexes, value=values)
    def insert(self, index: int, value: Any) -> None:
        held = self.lists["plain"]
        place = index + len(held) if index < 0 else index
        if place < 0:
            self._check(lists.insert("plain", index, value), OUT_OF_RANGE)
            return
        held += [None] * (place - len(held))
        held.insert(place, value)
        self._check(lists.insert("plain", index, value), len(held))

    @rule(index=indexes, value=values)
    def set(self, index: int, value: Any) -> None:
        held = self.lists["plain"]
        place = index + len(held) if index < 0 else index
        if place < 0:
            self._check(lists.set("plain", index, value), OUT_OF_RANGE)
            return
        held += [None] * (place + 1 - len(held))
        held[place] = value
        self._check(lists.set("plain", index, value), None)

    @rule(name=st.sampled_from(["plain", "sorted"]), index=indexes)
    def pop(self, name: str, index: int) -> None:
        held = self.lists[name]
        if -len(held) <= index < len(held):
            self._check(lists.pop(name, index), held.pop(index))
        else:
            self._check(lists.pop(name, index), OUT_OF_RANGE)

    @rule(name=st.sampled_from(["plain", "sorted"]), index=indexes, count=counts)
    def get_by_index_range(self, name: str, index: int, count: int | None) -> None:
        held = self.lists[name]
        chosen = [held[place] for place in span(len(held), index, count)]
        self._check(lists.get_by_index_range(name, index, count), chosen)

    @rule(name=st.sampled_from(["plain", "sorted"]), index=indexes, count=counts)
    def remove_all_but_an_index_range(self, name: str, index: int, count: int | None) -> None:
        held = self.lists[name]
        kept = list(span(len(held), index, count))
        gone = [place for place in range(len(held)) if place not in kept]
        operation = lists.remove_by_index_range(name, index, count, return_type=lists.ListReturn.COUNT, inverted=True)
        self._check(operation, len(gone))
        self.lists[name] = model.without(held, gone)

    @rule(name=st.sampled_from(["plain", "sorted"]), rank=indexes, count=counts)
    def get_by_rank_range(self, name: str, rank: int, count: int | None) -> None:
        held = self.lists[name]
        places = ranked(held)
        chosen = [held[places[place]] for place in span(len(held), rank, count)]
        self._check(lists.get_by_rank_range(name, rank, count), chosen, in_any_order=True)

    @rule(name=st.sampled_from(["plain", "sorted"]), value=values)
    def get_by_value(self, name: str, value: Any) -> None:
        chosen = [place for place, item in enumerate(self.lists[name]) if model.same(item, value)]
        self._check(lists.get_by_value(name, value, return_type=lists.ListReturn.INDEX), chosen, in_any_order=True)
        self._check(lists.get_by_value(name, value, return_type=lists.ListReturn.EXISTS), bool(chosen))

    @rule(name=st.sampled_from(["plain", "sorted"]), begin=bounds, end=bounds)
    def remove_by_value_range(self, name: str, begin: Any, end: Any) -> None:
        held = self.lists[name]
        gone = model.between(held, begin, end)
        operation = lists.remove_by_value_range(name, begin, end, return_type=lists.ListReturn.VALUE)
        self._check(operation, [held[place] for place in gone], in_any_order=True)
        self.lists[name] = model.without(held, gone)

    @rule(name=st.sampled_from(["plain", "sorted"]), value=bounds, rank=st.integers(-4, 4), count=counts)
    def get_relative(self, name: str, value: Any, rank: int, count: int | None) -> None:
        held = self.lists[name]
        chosen = [held[place] for place in model.relative(held, value, rank, count)]
        self._check(lists.get_by_value_rank_range_relative(name, value, rank, count), chosen, in_any_order=True)

    # Both together are refused by a real server where they change something, and before that by the client.
    @rule(what=st.sampled_from([(False, False), (False, True), (True, False)]))
    def sort(self, what: tuple[bool, bool]) -> None:
        descending, drops = what
        held = sorted(self.lists["plain"], key=order, reverse=descending)
        flags = lists.ListSort.DESCENDING if descending else lists.ListSort.DEFAULT
        if drops:
            flags |= lists.ListSort.DROP_DUPLICATES
            held = [item for place, item in enumerate(held) if not place or not model.same(item, held[place - 1])]
        self._check(lists.sort("plain", flags), None)
        self.lists["plain"] = held

    @rule(index=st.integers(0, 4), count=st.integers(0, 4))
    def trim(self, index: int, count: int) -> None:
        held = self.lists["plain"]
        kept = span(len(held), index, count)
        self._check(lists.trim("plain", index, count), len(held) - len(kept))
        self.lists["plain"] = [held[place] for place in kept]

    # -- maps --------------------------------------------------------------------------------------------------------

    def _sort_map(self) -> None:
        self.map = dict(sorted(self.map.items(), key=lambda item: key_order(item[0])))

    @rule(key=keys, value=values)
    def put(self, key: Any, value: Any) -> None:
        self.map[key] = value
        self._sort_map()
        self._check(maps.put("map", key, value), len(self.map))

    @rule(items=st.dictionaries(keys, values, min_size=1, max_size=4))
    def put_items(self, items: dict[Any, Any]) -> None:
        self.map |= items
        self._sort_map()
        self._check(maps.put_items("map", items), len(self.map))

    @rule(key=keys, value=values)
    def put_only_new(self, key: Any, value: Any) -> None:
        operation = maps.put("map", key, value, policy=maps.MapPolicy(write_flags=maps.MapWrite.CREATE_ONLY))
        if key in self.map:
            self._check(operation, ResultCode.ELEMENT_EXISTS)
            return
        self.map[key] = value
        self._sort_map()
        self._check(operation, len(self.map))

    @rule(key=keys)
    def get_by_key(self, key: Any) -> None:
        self._check(maps.get_by_key("map", key), self.map.get(key))

    @rule(wanted=st.lists(keys, min_size=1, max_size=4))
    def remove_by_key_list(self, wanted: list[Any]) -> None:
        gone = [key for key in self.map if key in wanted]
        operation = maps.remove_by_key_list("map", wanted, return_type=maps.MapReturn.COUNT)
        self._check(operation, len(gone))
        for key in gone:
            del self.map[key]

    @rule(begin=keys, end=keys)
    def get_by_key_range(self, begin: Any, end: Any) -> None:
        chosen = [key for key in self.map if key_order(begin) <= key_order(key) < key_order(end)]
        self._check(maps.get_by_key_range("map", begin, end, return_type=maps.MapReturn.KEY), chosen)

    @rule(rank=indexes, count=counts)
    def get_by_value_rank(self, rank: int, count: int | None) -> None:
        held = list(self.map.values())
        places = ranked(held)
        chosen = [held[places[place]] for place in span(len(held), rank, count)]
        self._check(maps.get_by_rank_range("map", rank, count), chosen, in_any_order=True)

    @rule(begin=bounds, end=bounds)
    def count_values(self, begin: Any, end: Any) -> None:
        held = list(self.map.values())
        operation = maps.get_by_value_range("map", begin, end, return_type=maps.MapReturn.COUNT)
        self._check(operation, len(model.between(held, begin, end)))

    @rule(key=keys, value=st.integers(-5, 5))
    def increment_key(self, key: Any, value: int) -> None:
        held = self.map.get(key, 0)
        if type(held) is not int and type(held) is not float:
            self._check(maps.increment("map", key, value), ResultCode.PARAM)
            return
        self.map[key] = held + value
        self._sort_map()
        self._check(maps.increment("map", key, value), self.map[key])

    @rule(key=keys, index=st.integers(-3, 3), count=counts)
    def get_relative_to_key(self, key: Any, index: int, count: int | None) -> None:
        held = list(self.map)
        start = sum(key_order(one) < key_order(key) for one in held) + index
        stop = len(held) if count is None else start + count
        chosen = held[max(start, 0) : max(stop, 0)]
        operation = maps.get_by_key_index_range_relative("map", key, index, count, return_type=maps.MapReturn.KEY)
        self._check(operation, chosen)

    # -- bits --------------------------------------------------------------------------------------------------------

    def _part(self, data: st.DataObject) -> tuple[int, int]:
        total = len(self.blob) * 8
        offset = data.draw(st.integers(0, total - 1), "offset")
        return offset, data.draw(st.integers(1, total - offset), "size")

    @rule(data=st.data(), what=st.sampled_from(["set", "or_", "xor", "and_"]))
    def combine(self, data: st.DataObject, what: str) -> None:
        offset, size = self._part(data)
        length = (size + 7) // 8
        given = data.draw(st.binary(min_size=length, max_size=length))
        number = model.argument(given, size)
        change = {
            "set": lambda old: number,
            "or_": lambda old: old | number,
            "xor": lambda old: old ^ number,
            "and_": lambda old: old & number,
        }[what]
        self._check(getattr(bits, what)("blob", offset, size, given), None)
        self.blob = model.with_bits(self.blob, offset, size, change)

    @rule(data=st.data(), shift=st.integers(0, 50), left=st.booleans())
    def shift(self, data: st.DataObject, shift: int, left: bool) -> None:
        offset, size = self._part(data)
        self._check((bits.lshift if left else bits.rshift)("blob", offset, size, shift), None)
        self.blob = model.with_bits(self.blob, offset, size, lambda old: old << shift if left else old >> shift)

    @rule(data=st.data(), value=st.integers(0, 300), negative=st.booleans())
    def add(self, data: st.DataObject, value: int, negative: bool) -> None:
        offset, size = self._part(data)
        size = min(size, 64)
        change = bits.subtract if negative else bits.add
        self._check(change("blob", offset, size, value, action=bits.BitOverflow.WRAP), None)
        self.blob = model.with_bits(self.blob, offset, size, lambda old: old - value if negative else old + value)

    @rule(data=st.data())
    def look_at_bits(self, data: st.DataObject) -> None:
        offset, size = self._part(data)
        number = model.bits_of(self.blob, offset, size)
        self._check(bits.get("blob", offset, size), model.packed(number, size))
        self._check(bits.count("blob", offset, size), number.bit_count())
        if size <= 64:
            self._check(bits.get_int("blob", offset, size, signed=True), number - (number >> size - 1 << size))
        value = data.draw(st.booleans(), "value")
        place = model.scan(self.blob, offset, size, value, from_right=False)
        self._check(bits.lscan("blob", offset, size, value), place)
        place = model.scan(self.blob, offset, size, value, from_right=True)
        if place >= 0:
            self._check(bits.rscan("blob", offset, size, value), place)
        else:
            # Of what is not there a real server says a number from -1 to -7, after the bits before: so does the
            # embedded one.
            (found,) = self._both([bits.rscan("blob", offset, size, value)])
            assert found in range(-7, 0)

    @rule(data=st.data(), given=blobs)
    def insert_and_remove_bytes(self, data: st.DataObject, given: bytes) -> None:
        place = data.draw(st.integers(0, len(self.blob)), "place")
        self._check(bits.insert("blob", place, given), None)
        self.blob = self.blob[:place] + given + self.blob[place:]
        if len(self.blob) > 12:
            self._check(bits.remove("blob", 0, 6), None)
            self.blob = self.blob[6:]

    # -- expressions -------------------------------------------------------------------------------------------------

    @rule(tree=st.recursive(
        st.one_of(st.just("number"), st.integers(-9, 9), st.integers(-(1 << 63), (1 << 63) - 1)),
        lambda inner: st.tuples(st.sampled_from(["+", "-", "*", "/", "%", "&", "|", "^"]), inner, inner),
        max_leaves=6,
    ))  # fmt: skip
    def work_out(self, tree: Any) -> None:
        expected = self._worked_out(tree)
        expression = as_expression(tree)
        if expected is None:  # a division by zero: the whole is unknown
            self._check(operations.read_expression("x", expression), OUT_OF_RANGE)
            return
        self._check(operations.read_expression("x", expression), expected)

    def _worked_out(self, tree: Any) -> int | None:
        if not isinstance(tree, tuple):
            return self.number if tree == "number" else tree
        sign, one, other = tree[0], self._worked_out(tree[1]), self._worked_out(tree[2])
        if one is None or other is None or (sign in "/%" and other == 0):
            return None
        return {
            "+": lambda: model.wrapped(one + other),
            "-": lambda: model.wrapped(one - other),
            "*": lambda: model.wrapped(one * other),
            "/": lambda: model.quotient(one, other),
            "%": lambda: model.remainder(one, other),
            "&": lambda: one & other,
            "|": lambda: one | other,
            "^": lambda: one ^ other,
        }[sign]()

    @rule(rank=indexes, bound=st.integers(-3, 3))
    def filter_by_the_list(self, rank: int, bound: int) -> None:
        held = self.lists["plain"]
        expression = exp.lists.get_by_value_range(
            exp.list_bin("plain"), bound, None, return_type=lists.ListReturn.COUNT
        )
        self._check(operations.read_expression("x", expression), len(model.between(held, bound, None)))

    @rule(value=st.integers(-100, 100))
    def write_by_expression(self, value: int) -> None:
        self._check(operations.write_expression("number", exp.int_bin("number") * 2 + value), None)
        self.number = model.wrapped(model.wrapped(self.number * 2) + value)


def policy_of(name: str) -> lists.ListPolicy:
    return lists.ListPolicy(lists.ListOrder.ORDERED if name == "sorted" else lists.ListOrder.UNORDERED)


def as_expression(tree: Any) -> Any:
    if not isinstance(tree, tuple):
        return exp.int_bin("number") if tree == "number" else exp.int_val(tree)
    one, other = as_expression(tree[1]), as_expression(tree[2])
    if tree[0] == "/":
        return exp.num_div(one, other)
    return {
        "+": lambda: one + other,
        "-": lambda: one - other,
        "*": lambda: one * other,
        "%": lambda: exp.num_mod(one, other),
        "&": lambda: one & other,
        "|": lambda: one | other,
        "^": lambda: one ^ other,
    }[tree[0]]()


async def attempt(client: Client, key: Key, steps: list[Operation]) -> Any:
    """The answers in order, or the code of the error."""
    with trio.fail_after(60):
        try:
            result = await client.operate_ordered(key, steps)
        except AerospikeError as error:
            return ResultCode(error.result_code)
    return [value for _, value in result.ordered]


def shown(value: Any) -> str:
    """Types and values; orders of maps and lists aside, which are no business of the model's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage(memory=True)
    try:
        yield stage
    finally:
        stage.end()


@pytest.fixture(scope="module")
def real(stage: Stage) -> Iterator[Client | None]:
    if not HOSTS:
        yield None
        return
    manager = open_client(HOSTS, timeout=10.0)
    opened: list[Client] = []
    over = trio.Event()

    async def hold(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with manager as client:
            opened.append(client)
            task_status.started()
            await over.wait()

    async def begin() -> trio.Nursery:
        return await start_in_background(hold)

    stage.in_trio(begin)
    try:
        yield opened[0]
    finally:
        stage.now_in_trio(over.set)


async def start_in_background(hold: Any) -> Any:
    """Run a task that outlives the call, and wait until it says that it has begun."""
    ready = trio.Event()

    class Status:
        def started(self, value: object = None) -> None:
            ready.set()

    trio.lowlevel.spawn_system_task(hold, Status())
    with trio.fail_after(30):
        await ready.wait()


def test_random_operations_are_answered_as_plain_python_says(stage: Stage, real: Client | None) -> None:
    class Machine(DataModel):
        pass

    Machine.stage, Machine.real = stage, real
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(1, STEPS // STEPS_EACH),
            stateful_step_count=STEPS_EACH,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{Machine.carried_out} operations", "and the real server" if real is not None else "")
    assert Machine.carried_out >= STEPS // 2
