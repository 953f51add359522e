"""Hypothesis strategies for values, messages and splits."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.messages import Field, Message, Op
from trio_aerospike._wire.value_types import GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob

int64 = st.integers(-(1 << 63), (1 << 63) - 1)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
blobs = st.binary(max_size=300)
floats = st.floats(allow_nan=False)

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    int64,
    floats,
    text,
    blobs,
    text.map(GeoJSON),
    blobs.map(HyperLogLog),
    st.builds(TypedBlob, st.integers(7, 12), blobs),
)
map_keys = st.one_of(int64, text, st.binary(max_size=20))


def _ordered_list(items: list[Any]) -> Any:
    """An ordered list as the server would keep it: what is sorted stays as it is."""
    return unpack_value(pack_value(OrderedList(items)))


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(children, max_size=20)
    maps = st.dictionaries(map_keys, children, max_size=20)
    return st.one_of(
        lists,
        maps,
        lists.map(_ordered_list),
        st.builds(OrderedMap, maps, st.sampled_from([1, 3, 8])),
    )


elements: st.SearchStrategy[Any] = st.recursive(scalars, _containers, max_leaves=30)
containers = _containers(elements)
values: st.SearchStrategy[Any] = st.one_of(scalars, containers)

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
bin_names = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=15)

messages = st.builds(
    Message,
    info1=u8,
    info2=u8,
    info3=u8,
    info4=u8,
    result_code=u8,
    generation=u32,
    record_ttl=u32,
    transaction_ttl=u32,
    fields=st.lists(st.builds(Field, u8, blobs), max_size=5).map(tuple),
    ops=st.lists(st.builds(Op, u8, u8, bin_names, blobs), max_size=5).map(tuple),
)


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from True and 1.0, lists from their ordered kind, and sees a NaN equal to itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left == right or (left != left and right != right)
    if isinstance(left, list):
        return (
            getattr(left, "order", 0) == getattr(right, "order", 0)
            and len(left) == len(right)
            and all(map(same, left, right))
        )
    if isinstance(left, dict):
        return (
            getattr(left, "order", 0) == getattr(right, "order", 0)
            and left.keys() == right.keys()
            and all(same(left[key], right[key]) for key in left)
        )
    return bool(left == right)
