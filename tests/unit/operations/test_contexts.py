"""Contexts: steps, encoding and decoding."""

from __future__ import annotations

import base64
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_aerospike import INFINITY, WILDCARD, exp
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike.ctx import Context
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import PathSelect
from trio_aerospike.operations.lists import ListOrder
from trio_aerospike.operations.maps import MapOrder

from ..wire import strategies as values
from .families import any_ctx as ctx, any_operations

modify_by_path, select_by_path = any_operations.modify_by_path, any_operations.select_by_path


@attrs.frozen
class Expression:
    """Stands for one of trio_aerospike.exp: all that counts is that it encodes itself."""

    data: bytes

    def encode(self) -> bytes:
        return self.data


TRUE = Expression(b"\x93\x01\x01\x01")

STEPS: dict[str, tuple[Context, str, str]] = {
    "index": (ctx.list_index(3), "1003", "ctx.list_index(3)"),
    "last": (ctx.list_index(-1), "10ff", "ctx.list_index(-1)"),
    "rank": (ctx.list_rank(0), "1100", "ctx.list_rank(0)"),
    "value": (ctx.list_value([2]), "139102", "ctx.list_value([2])"),
    "matching": (ctx.list_value([2, WILDCARD]), "139202d4ff00", "ctx.list_value([2, WILDCARD])"),
    "create": (ctx.list_index_create(2), "5002", "ctx.list_index_create(2, ListOrder.UNORDERED)"),
    "padded": (
        ctx.list_index_create(2, pad=True),
        "cc9002",
        "ctx.list_index_create(2, ListOrder.UNORDERED, pad=True)",
    ),
    "ordered": (ctx.list_index_create(0, ListOrder.ORDERED), "ccd000", "ctx.list_index_create(0, ListOrder.ORDERED)"),
    "map index": (ctx.map_index(1), "2001", "ctx.map_index(1)"),
    "map rank": (ctx.map_rank(-2), "21fe", "ctx.map_rank(-2)"),
    "key": (ctx.map_key("k"), "22a2036b", "ctx.map_key('k')"),
    "number": (ctx.map_key(300), "22cd012c", "ctx.map_key(300)"),
    "blob": (ctx.map_key(b"k"), "22a2046b", "ctx.map_key(b'k')"),
    "map value": (ctx.map_value({"a": 1}), "2381a2036101", "ctx.map_value({'a': 1})"),
    "key create": (ctx.map_key_create("k"), "62a2036b", "ctx.map_key_create('k', MapOrder.UNORDERED)"),
    "k ordered": (
        ctx.map_key_create("k", MapOrder.KEY_ORDERED),
        "cca2a2036b",
        "ctx.map_key_create('k', MapOrder.KEY_ORDERED)",
    ),
    "kv ordered": (
        ctx.map_key_create(1, MapOrder.KEY_VALUE_ORDERED),
        "cce201",
        "ctx.map_key_create(1, MapOrder.KEY_VALUE_ORDERED)",
    ),
    "keys": (ctx.map_keys(["a", 1]), "2a92a2036101", "ctx.map_keys(['a', 1])"),
    "children": (ctx.all_children(), "04c3", "ctx.all_children()"),
    "some": (ctx.all_children_where(b"\x91\x01"), "049101", "ctx.all_children_where(b'\\x91\\x01')"),
}

step_strategy = st.one_of(
    st.builds(ctx.list_index, values.int64),
    st.builds(ctx.list_rank, values.int64),
    st.builds(ctx.map_index, values.int64),
    st.builds(ctx.map_rank, values.int64),
    st.builds(ctx.map_key, values.map_keys),
    st.builds(ctx.map_keys, st.lists(values.map_keys, min_size=1, max_size=3)),
    st.builds(ctx.map_key_create, values.map_keys, st.sampled_from(MapOrder)),
    st.builds(ctx.list_index_create, values.int64, st.sampled_from(ListOrder)),
    st.builds(ctx.list_value, values.elements),
    st.builds(ctx.map_value, values.elements),
    st.builds(ctx.all_children_where, values.elements.map(lambda value: pack_value([value]))),
    st.just(ctx.all_children()),
)


@pytest.mark.parametrize(("step", "data", "text"), STEPS.values(), ids=STEPS)
def test_each_step_has_its_bytes_and_reads_as_python(step: Context, data: str, text: str) -> None:
    assert ctx.encode(step) == bytes.fromhex("92" + data)
    assert ctx.encode([step]) == ctx.encode((step,)) == ctx.encode(step)
    assert repr(step) == text
    assert ctx.decode(ctx.encode(step)) == (step,)
    assert repr(ctx.decode(ctx.encode(step))) == f"({text},)"


def test_steps_follow_each_other() -> None:
    steps = [ctx.map_key("a"), ctx.and_where(TRUE), ctx.all_children_where(TRUE), ctx.map_keys(["b"])]
    assert ctx.encode(steps).hex() == "9822a20361cd02049301010104930101012a91a20362"
    assert ctx.decode(ctx.encode(steps)) == tuple(steps)


@given(st.lists(step_strategy, min_size=1, max_size=20))
def test_contexts_come_back_from_bytes_and_base64(steps: list[Context]) -> None:
    data = ctx.encode(steps)
    assert ctx.encode(ctx.decode(data)) == data
    assert ctx.to_base64(steps) == base64.b64encode(data).decode()
    assert ctx.from_base64(ctx.to_base64(steps)) == ctx.decode(data) == tuple(steps)


def test_steps_are_values() -> None:
    assert ctx.map_key("a") == ctx.map_key("a") != ctx.map_key(b"a")
    assert ctx.list_index(1) != ctx.list_rank(1)
    assert len({ctx.list_value([1]), ctx.list_value([1]), ctx.map_value([1])}) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ctx.list_index(1).kind = 5


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: ctx.list_index("1"), "list_index.index"),
        (lambda: ctx.list_index(True), "list_index.index"),
        (lambda: ctx.list_index(1 << 63), "list_index.index"),
        (lambda: ctx.list_rank(None), "list_rank.rank"),
        (lambda: ctx.map_index(1.0), "map_index.index"),
        (lambda: ctx.map_rank([]), "map_rank.rank"),
        (lambda: ctx.list_index_create(0, 3), "list_index_create.order"),
        (lambda: ctx.list_index_create(0, MapOrder.KEY_ORDERED), "list_index_create.order"),
        (lambda: ctx.list_index_create(0, 1, pad=True), "list_index_create.pad"),
        (lambda: ctx.list_index_create(0, pad=1), "list_index_create.pad"),
        (lambda: ctx.list_index_create(None), "list_index_create.index"),
        (lambda: ctx.list_value({1}), "list_value.value"),
        (lambda: ctx.map_value([object()]), "map_value.value at [0]"),
        (lambda: ctx.map_key_create("k", 2), "map_key_create.order"),
        (lambda: ctx.map_keys([]), "map_keys.keys"),
        (lambda: ctx.map_keys("ab"), "map_keys.keys"),
        (lambda: ctx.map_keys([1, 1.5]), "map_keys.keys[1]"),
        (lambda: ctx.all_children_where("x"), "all_children_where.expression"),
        (lambda: ctx.all_children_where(None), "all_children_where.expression"),
        (lambda: ctx.all_children_where(b""), "all_children_where.expression"),
        (lambda: ctx.all_children_where(b"\x91\x01\x01"), "all_children_where.expression"),
        (lambda: ctx.all_children_where(b"\x92\x01"), "all_children_where.expression"),
        (lambda: ctx.all_children_where(b"\xc2"), "all_children_where.expression"),
        (lambda: ctx.and_where(Expression(b"\x05")), "and_where.expression"),
        (lambda: ctx.encode([]), "encode.contexts"),
        (lambda: ctx.encode(None), "encode.contexts"),
        (lambda: ctx.encode([5]), "encode.contexts[0]"),
        (lambda: ctx.encode([ctx.list_index(0)] * 65), "encode.contexts"),
        (lambda: ctx.encode(ctx.and_where(TRUE)), "encode.contexts[0]"),
        (lambda: ctx.encode([ctx.all_children(), ctx.and_where(TRUE)]), "encode.contexts[1]"),
        (lambda: ctx.encode([ctx.map_key("a"), ctx.and_where(TRUE), ctx.and_where(TRUE)]), "encode.contexts[2]"),
        (lambda: ctx.decode(b""), "decode.data"),
        (lambda: ctx.decode("92"), "decode.data"),
        (lambda: ctx.decode(b"\x91\x10"), "decode.data"),
        (lambda: ctx.decode(b"\x92\x14\x00"), "decode.data"),
        (lambda: ctx.decode(b"\x92\x51\x00"), "decode.data"),
        (lambda: ctx.decode(b"\x92\x22\xc0"), "map_key.key"),
        (lambda: ctx.decode(b"\x92\x10\x01\x00"), "decode.data"),
        (lambda: ctx.from_base64("%"), "from_base64.text"),
        (lambda: ctx.from_base64(5), "from_base64.text"),
        (lambda: ctx.from_base64("kg=="), "decode.data"),
    ],
)
def test_what_can_be_no_context_is_refused(make: Any, where: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        make()
    assert str(caught.value).startswith(f"{where}: ")


def test_a_value_with_infinity_is_a_step_and_stays_one() -> None:
    (step,) = ctx.decode(ctx.encode(ctx.map_value([1, INFINITY])))
    assert step.value == [1, INFINITY]


# --- path expressions -------------------------------------------------------------------------------------------------

PATH = [ctx.map_key("books"), ctx.all_children_where(TRUE)]
PACKED_PATH = "9422a603626f6f6b730493010101"


def test_a_selection_carries_path_and_flags() -> None:
    assert select_by_path("b", PATH).value.hex() == "93ccfe" + PACKED_PATH + "00"
    assert select_by_path("b", PATH, PathSelect.MAP_KEY_VALUE, no_fail=True).value.hex().endswith(PACKED_PATH + "13")
    operation = select_by_path("b", ctx.all_children(), 1)
    assert operation.value.hex() == "93ccfe9204c301"
    assert (operation.is_write, operation.info1) == (False, 1)


def test_a_modification_carries_its_expression() -> None:
    operation = modify_by_path("b", PATH, TRUE)
    assert operation.value.hex() == "94ccfe" + PACKED_PATH + "0493010101"
    assert operation.is_write and not operation.info1
    assert modify_by_path("b", PATH, TRUE.data, no_fail=True).value.hex() == "94ccfe" + PACKED_PATH + "1493010101"
    # Any expression is a value: a number, too.
    assert modify_by_path("b", PATH, b"\x05").value.hex() == "94ccfe" + PACKED_PATH + "0405"


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: select_by_path("", PATH), "select_by_path.bin_name"),
        (lambda: select_by_path("b", ()), "select_by_path.ctx"),
        (lambda: select_by_path("b", None), "select_by_path.ctx"),
        (lambda: select_by_path("b", [ctx.map_key("a"), ctx.map_key_create("b")]), "select_by_path.ctx[1]"),
        (lambda: select_by_path("b", PATH, 4), "select_by_path.select"),
        (lambda: select_by_path("b", PATH, no_fail=1), "select_by_path.no_fail"),
        (lambda: modify_by_path("x" * 16, PATH, TRUE), "modify_by_path.bin_name"),
        (lambda: modify_by_path("b", [], TRUE), "modify_by_path.ctx"),
        (lambda: modify_by_path("b", ctx.list_index_create(0), TRUE), "modify_by_path.ctx[0]"),
        (lambda: modify_by_path("b", PATH, "x"), "modify_by_path.expression"),
        (lambda: modify_by_path("b", PATH, 5), "modify_by_path.expression"),
        (lambda: modify_by_path("b", PATH, b"\x92\x01"), "modify_by_path.expression"),
        (lambda: modify_by_path("b", PATH, TRUE, no_fail=None), "modify_by_path.no_fail"),
    ],
)
def test_a_path_that_cannot_be_is_refused(make: Any, where: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        make()
    assert str(caught.value).startswith(f"{where}: ")


LOOP = exp.loop_value(exp.ExpType.INT)
UNBOUND = exp.lt(LOOP, exp.var("limit"))


@pytest.mark.parametrize(
    ("make", "where", "why"),
    [
        (lambda: ctx.all_children_where(UNBOUND), "all_children_where.expression", "nothing in it binds limit"),
        (lambda: ctx.and_where(UNBOUND), "and_where.expression", "nothing in it binds limit"),
        (lambda: modify_by_path("b", PATH, LOOP + exp.var("n")), "modify_by_path.expression", "nothing in it binds n"),
        (lambda: ctx.all_children_where(LOOP + 1), "all_children_where.expression", "a bool, and this gives an int"),
        (lambda: ctx.and_where(exp.remove_result()), "and_where.expression", "gives a bool"),
        (lambda: modify_by_path("b", PATH, exp.infinity()), "modify_by_path.expression", "gives a value"),
    ],
)
def test_expressions_of_paths_stand_for_themselves_and_give_what_is_asked_for(make: Any, where: str, why: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        make()
    assert str(caught.value).startswith(f"{where}: got ")
    assert why in str(caught.value)


def test_expressions_of_paths_may_bind_variables_of_their_own() -> None:
    bound = exp.let_(exp.def_("limit", 3), UNBOUND)
    assert ctx.all_children_where(bound).value is bound
    assert ctx.and_where(exp.unknown()).selects
    assert modify_by_path("b", PATH, exp.remove_result()) == modify_by_path("b", PATH, exp.remove_result().encode())
