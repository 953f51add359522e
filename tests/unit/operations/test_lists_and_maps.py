"""Operations on lists and maps: what is refused before anything is sent, and what goes out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.naming import stable_repr
from trio_aerospike import INFINITY, WILDCARD, OrderedMap, ctx, exp
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike.ctx import Context
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import Operation
from trio_aerospike.operations.lists import ListOrder, ListReturn, ListSort, ListWrite
from trio_aerospike.operations.maps import MapOrder, MapReturn, MapWrite

from .families import ALL, BASICS, READS, REMOVALS, SELECTIONS, SINGLE, any_lists as lists, any_maps as maps

INT_MAX = (1 << 63) - 1
ListPolicy = lists.ListPolicy
MapPolicy = maps.MapPolicy


def call(operation: Operation) -> Any:
    """The call that an operation carries, as a list."""
    assert isinstance(operation.value, bytes)
    return unpack_value(operation.value)


def refusal(maker: Callable[..., object], *args: Any, **options: Any) -> str:
    with pytest.raises(InvalidArgError) as caught:
        maker(*args, **options)
    return str(caught.value)


every = pytest.mark.parametrize("name", ALL)
every_selection = pytest.mark.parametrize("name", SELECTIONS)


def test_the_families_are_complete() -> None:
    for module in (lists, maps):
        family = module.__name__.rpartition(".")[2]
        functions = {name for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__}
        assert {f"{family}.{name}" for name in functions} == {name for name in ALL if name.startswith(family)}


@every
def test_an_operation_reads_or_writes_as_its_name_says(name: str) -> None:
    maker, args = ALL[name]
    operation = maker("bin", *args)
    reads = ".get" in name or name.endswith(".size")
    assert operation.op == (wire.OP_CDT_READ if reads else wire.OP_CDT_MODIFY)
    assert operation.is_write is not reads
    assert operation.info1 == (wire.INFO1_READ if reads else 0)


def test_no_two_operations_send_the_same() -> None:
    # But for create without a context, which is set_order, as in the C client.
    sent = {name: maker("bin", *args).encode() for name, (maker, args) in ALL.items() if not name.endswith("create")}
    assert len(set(sent.values())) == len(sent)


@every
@pytest.mark.parametrize("bin_name", ["", "x" * 16, None, 5, "a\0b"])
def test_a_name_that_no_bin_can_have_is_refused(name: str, bin_name: Any) -> None:
    maker, args = ALL[name]
    assert refusal(maker, bin_name, *args).startswith(f"{name}.bin_name: got ")


@every
@pytest.mark.parametrize(
    ("context", "where"),
    [
        ("nested", "ctx"),
        (5, "ctx"),
        (None, "ctx"),
        ([5], "ctx[0]"),
        ([ctx.list_index(0), ctx.all_children()], "ctx[1]"),
        ([ctx.map_keys(["a"])], "ctx[0]"),
        ([ctx.list_index(0), ctx.and_where(b"\xc3")], "ctx[1]"),
        ([ctx.list_index(0)] * 65, "ctx"),
        (exp.int_bin("a"), "ctx"),
    ],
)
def test_a_context_that_cannot_be_is_refused(name: str, context: Any, where: str) -> None:
    maker, args = ALL[name]
    assert refusal(maker, "bin", *args, ctx=context).startswith(f"{name}.{where}: got ")


@every
@pytest.mark.parametrize("step", [ctx.map_key_create("a"), ctx.list_index_create(0, pad=True)])
def test_only_a_write_may_create_along_its_context(name: str, step: Context) -> None:
    maker, args = ALL[name]
    steps = [step, ctx.list_index(0)]
    if maker("bin", *args).is_write:
        assert call(maker("bin", *args, ctx=steps))[1][0] == step.kind
    else:
        assert refusal(maker, "bin", *args, ctx=steps).startswith(f"{name}.ctx[0]: got ctx.")


@every
def test_a_context_goes_around_the_call(name: str) -> None:
    maker, args = ALL[name]
    if name.endswith("create"):
        args = ()
    plain = maker("bin", *args)
    nested = maker("bin", *args, ctx=ctx.map_key("k"))
    flag = 0x40 if name.endswith("create") else 0
    header = b"\x93\xcc\xff" + pack_value([0x22 | flag, "k"])
    assert nested.value == header + plain.value
    assert maker("bin", *args, ctx=[]) == plain


@every_selection
@pytest.mark.parametrize("return_type", [-1, 14, 15, 18, 0x10007, "VALUE", None, 7.0, True, ListOrder.ORDERED])
def test_what_is_no_return_type_is_refused(name: str, return_type: Any) -> None:
    maker, args = SELECTIONS[name]
    assert refusal(maker, "bin", *args, return_type=return_type).startswith(f"{name}.return_type: got ")


@every_selection
def test_a_return_type_of_the_other_family_is_refused(name: str) -> None:
    maker, args = SELECTIONS[name]
    other = MapReturn.VALUE if name.startswith("lists") else ListReturn.VALUE
    assert refusal(maker, "bin", *args, return_type=other).startswith(f"{name}.return_type: got ")


@pytest.mark.parametrize("return_type", [MapReturn.KEY, MapReturn.KEY_VALUE, MapReturn.ORDERED_MAP])
def test_a_list_has_no_keys_to_give_back(return_type: int) -> None:
    assert refusal(lists.get_by_rank, "bin", 0, return_type=int(return_type)).startswith("lists.get_by_rank.return_t")


RANGES = ("INDEX_RANGE", "REVERSE_INDEX_RANGE", "RANK_RANGE", "REVERSE_RANK_RANGE")


def ranges_of(name: str) -> tuple[str, ...]:
    """The kinds of [first, count] that an operation can give back."""
    if name in SINGLE or name.endswith("_list"):
        return ()
    if name.startswith("lists"):
        return RANGES
    return RANGES[:2] if "by_key" in name or "by_index" in name else RANGES[2:]


@every_selection
def test_each_return_type_goes_out_or_is_refused(name: str) -> None:
    maker, args = SELECTIONS[name]
    kinds = ListReturn if name.startswith("lists") else MapReturn
    for kind in kinds:
        if "RANGE" in kind.name and kind.name not in ranges_of(name):
            assert refusal(maker, "bin", *args, return_type=kind).startswith(f"{name}.return_type: got ")
        else:
            assert call(maker("bin", *args, return_type=kind))[1] == kind
            assert maker("bin", *args, return_type=int(kind)) == maker("bin", *args, return_type=kind)


@every_selection
def test_what_is_not_said_to_be_given_back_is_the_value_of_a_read_and_nothing_of_a_removal(name: str) -> None:
    maker, args = SELECTIONS[name]
    assert call(maker("bin", *args))[1] == (7 if name in READS else 0)


@every_selection
def test_inverted_is_a_bit_of_what_is_given_back_where_there_are_several(name: str) -> None:
    maker, args = SELECTIONS[name]
    if name in SINGLE:
        with pytest.raises(TypeError, match="inverted"):
            maker("bin", *args, inverted=True)
        return
    kind = (ListReturn if name.startswith("lists") else MapReturn).COUNT
    assert call(maker("bin", *args, return_type=kind, inverted=True))[1] == 0x10005
    assert call(maker("bin", *args, return_type=kind, inverted=False))[1] == 5
    assert refusal(maker, "bin", *args, inverted=1).startswith(f"{name}.inverted: got 1")
    for kind_name in ranges_of(name):
        kind = kind.__class__[kind_name]
        message = refusal(maker, "bin", *args, return_type=kind, inverted=True)
        assert message.startswith(f"{name}.return_type: got ") and "inverted" in message


@pytest.mark.parametrize(
    "name",
    [name for name in SELECTIONS if name.endswith(("index_range", "rank_range", "relative"))]
    + ["lists.pop_range", "lists.remove_range", "lists.get_range", "lists.trim"],
)
def test_a_count_is_an_int_of_zero_or_more(name: str) -> None:
    maker, args = ALL[name]
    for count in (-1, 1.0, "1", True, 1 << 63):
        assert refusal(maker, "bin", *args[:-1], count).startswith(f"{name}.count: got ")
    assert call(maker("bin", *args[:-1], 0))[-1] == 0
    assert call(maker("bin", *args[:-1], INT_MAX))[-1] == INT_MAX
    if name == "lists.trim":
        assert refusal(maker, "bin", *args[:-1], None).startswith("lists.trim.count: got None")
    else:
        # Left out, all that follow are meant.
        assert len(call(maker("bin", *args[:-1]))) == len(call(maker("bin", *args))) - 1
        assert maker("bin", *args[:-1], None) == maker("bin", *args[:-1])


BY_INDEX = (
    *("insert", "insert_items", "set", "increment", "get", "get_range"),
    *("pop", "pop_range", "remove", "remove_range", "trim"),
)
NUMBERED = {
    **{name: "index" for name in ALL if name.endswith(("by_index", "by_index_range"))},
    **{name: "rank" for name in ALL if name.endswith(("by_rank", "by_rank_range"))},
    **{f"lists.{name}": "index" for name in BY_INDEX},
}


@pytest.mark.parametrize(("name", "field"), NUMBERED.items())
def test_an_index_or_rank_is_an_int_of_64_bits(name: str, field: str) -> None:
    maker, args = ALL[name]
    for number in (None, 1.0, "1", True, 1 << 63, -(1 << 63) - 1):
        assert refusal(maker, "bin", number, *args[1:]).startswith(f"{name}.{field}: got ")
    assert -(1 << 63) in call(maker("bin", -(1 << 63), *args[1:]))


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, "rank" if "value" in name else "index") for name in SELECTIONS if name.endswith("relative")],
)
def test_a_relative_place_is_an_int_of_64_bits(name: str, field: str) -> None:
    maker, args = ALL[name]
    for number in (None, 1.0, 1 << 63):
        assert refusal(maker, "bin", args[0], number, 1).startswith(f"{name}.{field}: got ")


DISALLOWED_KEYS = [None, True, 1.5, (1,), [1], {}, object(), INFINITY, WILDCARD, bytearray(b"k"), 1 << 63, "\ud800"]


@pytest.mark.parametrize("key", DISALLOWED_KEYS, ids=stable_repr)
def test_what_can_be_no_map_key_is_refused(key: Any) -> None:
    for name in ("maps.put", "maps.increment", "maps.decrement", "maps.get_by_key", "maps.remove_by_key"):
        maker, args = ALL[name]
        assert refusal(maker, "bin", key, *args[1:]).startswith(f"{name}.key")
    for name in ("maps.get_by_key_index_range_relative", "maps.remove_by_key_index_range_relative"):
        assert refusal(ALL[name][0], "bin", key, 0, 1).startswith(f"{name}.key")
    for name in ("maps.get_by_key_list", "maps.remove_by_key_list"):
        assert refusal(ALL[name][0], "bin", ["a", key]).startswith(f"{name}.keys[1]")
    for name in ("maps.get_by_key_range", "maps.remove_by_key_range"):
        if key is not None:
            assert refusal(ALL[name][0], "bin", key, "z").startswith(f"{name}.begin")
            assert refusal(ALL[name][0], "bin", "a", key).startswith(f"{name}.end")
    for step in (ctx.map_key, ctx.map_key_create):
        assert refusal(step, key).startswith(f"{step.__name__}.key")
    if not isinstance(key, (list, dict, bytearray)):
        assert refusal(maps.put_items, "bin", {"a": {key: 1}}).startswith("maps.put_items.items at ['a']: ")
        assert refusal(maps.put_items, "bin", {key: 1}).startswith("maps.put_items.items: map key ")


@pytest.mark.parametrize("key", [0, -(1 << 63), INT_MAX, "", "k", b"", b"\x00"])
def test_ints_text_and_bytes_are_map_keys(key: Any) -> None:
    assert call(maps.put("bin", key, 1))[1] == key
    assert call(maps.put_items("bin", {key: 1}))[1] == {key: 1}
    assert call(maps.get_by_key_range("bin", key, key))[2:] == [key, key]


STORED: dict[str, tuple[Any, ...]] = {
    "lists.append": (),
    "lists.insert": (0,),
    "lists.set": (0,),
    "maps.put": ("k",),
}


@pytest.mark.parametrize(("name", "before"), STORED.items())
@pytest.mark.parametrize("value", [INFINITY, WILDCARD, object(), 1 << 63, "\ud800", {1, 2}])
def test_what_the_database_cannot_hold_is_refused(name: str, before: tuple[Any, ...], value: Any) -> None:
    maker = ALL[name][0]
    assert refusal(maker, "bin", *before, value).startswith(f"{name}.value: ")
    assert refusal(maker, "bin", *before, [1, {"a": value}]).startswith(f"{name}.value at [1]['a']: ")
    several = {"lists.append": lists.append_items, "lists.insert": lists.insert_items}.get(name)
    if several is not None:
        assert refusal(several, "bin", *before, [1, value]).startswith(f"{name}_items.values at [1]: ")


@pytest.mark.parametrize("name", [name for name in SELECTIONS if "by_value" in name])
def test_infinity_and_wildcard_may_be_compared_with(name: str) -> None:
    maker, args = SELECTIONS[name]
    value: Any = [1, WILDCARD]
    if name.endswith("value_list"):
        value = [value, [2, INFINITY]]
    assert call(maker("bin", value, *args[1:]))[2] == value
    assert refusal(maker, "bin", [[1, WILDCARD], {2}], *args[1:]).startswith(f"{name}.")


def test_a_fault_behind_a_wildcard_is_found() -> None:
    assert refusal(lists.get_by_value, "bin", [WILDCARD, {1}]).startswith("lists.get_by_value.value at [1]: {1} is a s")


@pytest.mark.parametrize("depth", [64, 65])
def test_values_nest_to_64_levels(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    if depth == 64:
        assert call(maps.put("bin", "k", value[0]))[2] == value[0]
        assert lists.append("bin", value).is_write
    else:
        assert "nested deeper than the 64 levels" in refusal(lists.append, "bin", value)
        assert "nested deeper than the 64 levels" in refusal(lists.get_by_value, "bin", value)


@pytest.mark.parametrize("values", [None, 5, "ab", b"ab", {"a": 1}, memoryview(b"ab")])
def test_what_is_no_list_of_values_is_refused(values: Any) -> None:
    assert refusal(lists.append_items, "bin", values).startswith("lists.append_items.values: got ")
    assert refusal(lists.insert_items, "bin", 0, values).startswith("lists.insert_items.values: got ")
    for name in ("lists.get_by_value_list", "maps.remove_by_value_list"):
        assert refusal(ALL[name][0], "bin", values).startswith(f"{name}.values: got ")
    assert refusal(maps.get_by_key_list, "bin", values).startswith("maps.get_by_key_list.keys: got ")


def test_any_iterable_is_a_list_of_values() -> None:
    assert call(lists.append_items("bin", iter((1, 2))))[1] == [1, 2]
    assert call(maps.get_by_key_list("bin", {"a": 1}.keys()))[2] == ["a"]


@pytest.mark.parametrize("items", [None, 5, [("a", 1)], "ab"])
def test_what_is_no_mapping_is_refused(items: Any) -> None:
    assert refusal(maps.put_items, "bin", items).startswith("maps.put_items.items: got ")


@pytest.mark.parametrize("value", [None, "1", True, [1], 1 << 63])
def test_only_numbers_are_added(value: Any) -> None:
    for maker in (lists.increment, maps.increment, maps.decrement):
        name = f"{maker.__module__.split('.')[2]}.{maker.__name__}"
        assert refusal(maker, "bin", 0, value).startswith(f"{name}.value: got ")


def test_one_is_added_where_no_number_is_given() -> None:
    assert call(lists.increment("bin", 3)) == [12, 3, 1]
    assert call(maps.increment("bin", "k")) == [73, "k", 1, 0]
    assert call(maps.decrement("bin", "k", 0.5)) == [74, "k", 0.5, 0]


WITH_POLICY = ["append", "append_items", "insert", "insert_items", "set", "increment", "put", "put_items", "decrement"]


@pytest.mark.parametrize("name", [name for name in BASICS if name.rpartition(".")[2] in WITH_POLICY])
def test_a_policy_of_the_other_family_is_refused(name: str) -> None:
    maker, args = BASICS[name]
    other: Any = MapPolicy() if name.startswith("lists") else ListPolicy()
    wrong: list[Any] = [other, {}, 1]
    for policy in wrong:
        assert refusal(maker, "bin", *args, policy=policy).startswith(f"{name}.policy: got ")
    assert maker("bin", *args, policy=None) == maker("bin", *args)


def test_without_a_policy_the_server_s_defaults_count_and_need_not_be_said() -> None:
    assert call(lists.append("bin", 5)) == [1, 5]
    assert call(lists.append("bin", 5, policy=ListPolicy())) == [1, 5, 0, 0]
    assert call(lists.append_items("bin", [5])) == [2, [5]]
    assert call(lists.insert("bin", 0, 5)) == [3, 0, 5]
    assert call(lists.insert("bin", 0, 5, policy=ListPolicy())) == [3, 0, 5, 0]
    assert call(lists.insert_items("bin", 0, [5])) == [4, 0, [5]]
    assert call(lists.set("bin", 0, 5)) == [9, 0, 5]
    assert call(maps.put("bin", "k", 5)) == call(maps.put("bin", "k", 5, policy=MapPolicy())) == [67, "k", 5, 0]


def test_policies_go_out_as_order_and_flags() -> None:
    policy = ListPolicy(ListOrder.ORDERED, ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL)
    assert call(lists.append("bin", 5, policy=policy)) == [1, 5, 1, 5]
    assert call(lists.append_items("bin", [5], policy=policy)) == [2, [5], 1, 5]
    assert call(lists.increment("bin", 0, 5, policy=policy)) == [12, 0, 5, 1, 5]
    flags = ListPolicy(write_flags=ListWrite.ADD_UNIQUE)
    assert call(lists.insert("bin", 0, 5, policy=flags)) == [3, 0, 5, 1]
    assert call(lists.insert_items("bin", 0, [5], policy=flags)) == [4, 0, [5], 1]
    assert call(lists.set("bin", 0, 5, policy=flags)) == [9, 0, 5, 1]
    ordered = MapPolicy(MapOrder.KEY_VALUE_ORDERED, persist_index=True)
    assert call(maps.put("bin", "k", 5, policy=ordered)) == [67, "k", 5, 0x13]
    assert call(maps.put_items("bin", {"k": 5}, policy=ordered)) == [68, {"k": 5}, 0x13]
    assert call(maps.increment("bin", "k", 5, policy=ordered)) == [73, "k", 5, 0x13]
    update = MapPolicy(write_flags=MapWrite.UPDATE_ONLY)
    assert call(maps.put("bin", "k", 5, policy=update)) == [67, "k", 5, 0, 2]


def test_what_a_policy_says_and_the_server_would_pass_over_is_refused() -> None:
    for name, maker in (("insert", lists.insert), ("set", lists.set), ("insert_items", lists.insert_items)):
        message = refusal(maker, "bin", 0, [1], policy=ListPolicy(ListOrder.ORDERED))
        assert message.startswith(f"lists.{name}.policy.order: got ")
    for name, make in (("increment", maps.increment), ("decrement", maps.decrement)):
        message = refusal(make, "bin", "k", 1, policy=MapPolicy(write_flags=MapWrite.CREATE_ONLY))
        assert message.startswith(f"maps.{name}.policy.write_flags: got ")
    persisted = MapPolicy(MapOrder.KEY_ORDERED, persist_index=True)
    message = refusal(maps.put, "bin", "k", 1, policy=persisted, ctx=ctx.map_key("a"))
    assert message.startswith("maps.put.policy.persist_index: got True")


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: ListPolicy(order=2), "ListPolicy.order"),
        (lambda: ListPolicy(order=MapOrder.KEY_ORDERED), "ListPolicy.order"),
        (lambda: ListPolicy(order=True), "ListPolicy.order"),
        (lambda: ListPolicy(write_flags=16), "ListPolicy.write_flags"),
        (lambda: ListPolicy(write_flags=-1), "ListPolicy.write_flags"),
        (lambda: ListPolicy(write_flags=MapWrite.NO_FAIL), "ListPolicy.write_flags"),
        (lambda: ListPolicy(flags=1), "ListPolicy: unknown field 'flags', did you mean 'write_flags'?"),
        (lambda: MapPolicy(order=2), "MapPolicy.order"),
        (lambda: MapPolicy(write_flags=3), "MapPolicy.write_flags"),
        (lambda: MapPolicy(write_flags=None), "MapPolicy.write_flags"),
        (lambda: MapPolicy(persist_index=1), "MapPolicy.persist_index"),
        (lambda: lists.sort("bin", 4), "lists.sort.flags"),
        (lambda: lists.sort("bin", True), "lists.sort.flags"),
        (lambda: lists.create("bin", 2), "lists.create.order"),
        (lambda: lists.create("bin", pad=True), "lists.create.pad"),
        (lambda: lists.create("bin", ListOrder.ORDERED, pad=True, ctx=ctx.list_index(3)), "lists.create.pad"),
        (lambda: lists.create("bin", pad=1, ctx=ctx.list_index(3)), "lists.create.pad"),
        (lambda: lists.create("bin", persist_index=1), "lists.create.persist_index"),
        (lambda: lists.create("bin", persist_index=True, ctx=ctx.list_index(0)), "lists.create.persist_index"),
        (lambda: lists.create("bin", ctx=ctx.list_rank(0)), "lists.create.ctx"),
        (lambda: lists.set_order("bin", None), "lists.set_order.order"),
        (lambda: maps.create("bin", 2), "maps.create.order"),
        (lambda: maps.create("bin", ctx=ctx.map_index(0)), "maps.create.ctx"),
        (lambda: maps.create("bin", persist_index=True, ctx=ctx.map_key("a")), "maps.create.persist_index"),
        (lambda: maps.set_order("bin", MapOrder.UNORDERED, persist_index=None), "maps.set_order.persist_index"),
    ],
)
def test_a_wrong_order_or_flag_is_refused(make: Any, where: str) -> None:
    assert refusal(make).startswith(where)


def test_numbers_stand_for_orders_and_flags() -> None:
    assert ListPolicy(1, 5) == ListPolicy(ListOrder.ORDERED, ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL)
    assert MapPolicy(3, 1) == MapPolicy(MapOrder.KEY_VALUE_ORDERED, MapWrite.CREATE_ONLY)
    assert ListPolicy(1).order is ListOrder.ORDERED
    assert lists.sort("bin", 2) == lists.sort("bin", ListSort.DROP_DUPLICATES)


@pytest.mark.parametrize("flags", [3, ListSort.DESCENDING | ListSort.DROP_DUPLICATES])
def test_a_sort_that_servers_do_not_carry_out_is_refused(flags: Any) -> None:
    assert refusal(lambda: lists.sort("bin", flags)).startswith("lists.sort.flags: got")
    assert "not both" in refusal(lambda: lists.sort("bin", flags))


def test_create_makes_the_last_step_of_its_context_create() -> None:
    steps = [ctx.map_key("a"), ctx.list_index(1)]
    assert call(lists.create("bin", ctx=steps)) == [255, [0x22, "a", 0x50, 1], [0, 0]]
    assert call(lists.create("bin", pad=True, ctx=steps)) == [255, [0x22, "a", 0x90, 1], [0, 0]]
    assert call(lists.create("bin", 1, ctx=steps)) == [255, [0x22, "a", 0xD0, 1], [0, 1]]
    assert call(lists.create("bin", 1, persist_index=True)) == [0, 0x11]
    assert call(maps.create("bin", 1, ctx=ctx.map_key("a"))) == [255, [0xA2, "a"], [64, 1]]
    assert call(maps.create("bin", 3, ctx=ctx.map_key("a"))) == [255, [0xE2, "a"], [64, 3]]
    assert call(maps.create("bin", 3, persist_index=True)) == [64, 0x13]


def test_a_range_is_open_where_a_bound_is_missing() -> None:
    assert call(lists.get_by_value_range("bin")) == [25, 7, None]
    assert call(lists.get_by_value_range("bin", end=5)) == [25, 7, None, 5]
    assert call(lists.get_by_value_range("bin", 5)) == [25, 7, 5]
    assert call(maps.get_by_key_range("bin")) == [103, 7, None]
    assert call(maps.get_by_key_range("bin", end="k")) == [103, 7, None, "k"]


def test_items_of_an_ordered_map_keep_their_flag() -> None:
    sent = call(maps.put_items("bin", OrderedMap({"a": 1})))[1]
    assert isinstance(sent, OrderedMap) and sent.order == 1


def test_what_is_changed_afterwards_leaves_the_operation_as_it_was() -> None:
    value = [1]
    operation = lists.append("bin", value)
    before = operation.encode()
    value.append(2)
    assert operation.encode() == before


def test_a_refusal_says_what_is_allowed() -> None:
    message = refusal(lists.get_by_index, "bin", 0, return_type=MapReturn.KEY)
    assert re.search(r"allowed: ListReturn\.NONE \(0\), .*ListReturn\.EXISTS \(13\)$", message)
    assert refusal(maps.put, "bin", 1.5, 1).endswith("allowed: a map key: an int of 64 bits, a str or bytes")


def test_removals_are_the_reads_with_other_numbers() -> None:
    for name, (maker, args) in REMOVALS.items():
        read = READS[name.replace("remove_", "get_")][0]
        removal, reading = call(maker("bin", *args, return_type=5)), call(read("bin", *args, return_type=5))
        assert removal[1:] == reading[1:] and removal[0] != reading[0]
