"""Operations on sketches: what is refused before anything is sent, and what goes out."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from trio_aerospike import INFINITY, HyperLogLog
from trio_aerospike._wire import constants as wire, hll_ops
from trio_aerospike._wire.cdt import unpack_value
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import Operation, hll as typed_hll
from trio_aerospike.operations.hll import HLLWrite

# Wrong arguments are the point here: mypy would not let them through.
hll: Any = typed_hll
HLLPolicy = hll.HLLPolicy


def sketch(index_bits: int = 4, minhash_bits: int = 0) -> HyperLogLog:
    size = hll_ops.sketch_size(index_bits, minhash_bits)
    return HyperLogLog(bytes((0, index_bits, minhash_bits)).ljust(size, b"\0"))


A, B = sketch(), sketch(5, 20)
READS: dict[str, tuple[Any, ...]] = {
    "get_count": (),
    "get_union": ([A],),
    "get_union_count": ([A],),
    "get_intersect_count": ([A],),
    "get_similarity": ([A],),
    "describe": (),
    "may_contain": (["x"],),
}
WRITES: dict[str, tuple[Any, ...]] = {
    "init": (8,),
    "add": (["x"],),
    "set_union": ([A],),
    "refresh_count": (),
    "fold": (8,),
}
ALL = {**READS, **WRITES}
OF_SKETCHES = ["get_union", "get_union_count", "get_intersect_count", "get_similarity", "set_union"]
OF_VALUES = ["add", "may_contain"]


def call(operation: Operation) -> Any:
    return unpack_value(operation.value)


def test_the_tables_have_every_operation() -> None:
    assert set(ALL) == {name for name in hll.__all__ if inspect.isfunction(getattr(hll, name))}


@pytest.mark.parametrize("name", ALL)
def test_an_operation_reads_or_writes_as_its_name_says(name: str) -> None:
    operation = getattr(hll, name)("h", *ALL[name])
    reads = name in READS
    assert operation.op == (wire.OP_HLL_READ if reads else wire.OP_HLL_MODIFY)
    assert operation.is_write is not reads
    assert operation.info1 == (wire.INFO1_READ if reads else 0)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (hll.init("h"), [hll_ops.INIT, -1, -1, 0]),
        (hll.init("h", 16), [hll_ops.INIT, 16, -1, 0]),
        (hll.init("h", None, 0), [hll_ops.INIT, -1, 0, 0]),
        (hll.init("h", 13, 51, policy=HLLPolicy(5)), [hll_ops.INIT, 13, 51, 5]),
        (hll.add("h", (1, "a", b"b", 1.5, None, True)), [hll_ops.ADD, [1, "a", b"b", 1.5, None, True], -1, -1, 0]),
        (hll.add("h", iter([1]), 4, 4, policy=HLLPolicy(1)), [hll_ops.ADD, [1], 4, 4, 1]),
        (hll.set_union("h", [A, B], policy=HLLPolicy(HLLWrite.ALLOW_FOLD)), [hll_ops.UNION, [A, B], 8]),
        (hll.refresh_count("h"), [hll_ops.UPDATE_COUNT]),
        (hll.fold("h", 4), [hll_ops.FOLD, 4]),
        (hll.get_intersect_count("h", [A, B]), [hll_ops.INTERSECT_COUNT, [A, B]]),
        (hll.get_similarity("h", [B, B, B]), [hll_ops.SIMILARITY, [B, B, B]]),
        (hll.may_contain("h", ["a", 1]), [hll_ops.MAY_CONTAIN, ["a", 1]]),
    ],
)
def test_arguments_go_out_in_the_order_of_the_wire(operation: Operation, expected: list[Any]) -> None:
    assert call(operation) == expected


def refused(name: str, *args: Any, **options: Any) -> str:
    with pytest.raises(InvalidArgError) as caught:
        getattr(hll, name)("h", *args, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bin_name", ["", "x" * 16, 5, None])
def test_a_name_that_no_bin_can_have_is_refused(name: str, bin_name: object) -> None:
    with pytest.raises(InvalidArgError, match=f"hll.{name}.bin_name: got .* allowed: a str"):
        getattr(hll, name)(bin_name, *ALL[name])


@pytest.mark.parametrize("name", ["init", "add", "fold"])
@pytest.mark.parametrize("bits", [3, 17, 0, -1, 8.0, True, "8"])
def test_an_index_has_4_to_16_bits(name: str, bits: object) -> None:
    args = (["x"], bits) if name == "add" else (bits,)
    message = refused(name, *args)
    assert message.startswith(f"hll.{name}.index_bit_count: got {bits!r}, allowed: an int from 4 to 16")


@pytest.mark.parametrize("name", ["init", "add"])
@pytest.mark.parametrize(
    ("index_bits", "bits", "most"),
    [(8, 3, 51), (8, 52, 51), (8, -1, 51), (8, 0.0, 51), (8, False, 51), (None, 52, 51), (14, 51, 50), (16, 49, 48)],
)
def test_a_minhash_has_none_or_4_to_51_bits_and_64_with_the_index(
    name: str, index_bits: int | None, bits: object, most: int
) -> None:
    args = (["x"], index_bits, bits) if name == "add" else (index_bits, bits)
    message = refused(name, *args)
    assert message == (
        f"hll.{name}.minhash_bit_count: got {bits!r}, allowed: an int from 4 to {most}, 0 for none, or None"
    )


def test_the_widest_sketches_are_allowed() -> None:
    for index_bits in range(4, 17):
        for minhash_bits in (0, 4, min(51, 64 - index_bits)):
            assert call(hll.init("h", index_bits, minhash_bits))[1:3] == [index_bits, minhash_bits]


@pytest.mark.parametrize("name", OF_SKETCHES + OF_VALUES)
@pytest.mark.parametrize("values", [[], (), "text", b"bytes", {"a": 1}, 5, None, A])
def test_values_are_a_list_with_something_in_it(name: str, values: object) -> None:
    assert refused(name, values).startswith(f"hll.{name}.values: got ")


@pytest.mark.parametrize("name", OF_VALUES)
@pytest.mark.parametrize("value", [[1], (1,), {"a": 1}, INFINITY, 1 << 63, object(), "\ud800"])
def test_a_value_that_cannot_be_added_is_refused_with_its_place(name: str, value: object) -> None:
    assert refused(name, ["fine", value]).startswith(f"hll.{name}.values[1]: ")


BROKEN = [
    HyperLogLog(b""),
    HyperLogLog(A.data[:-1]),
    HyperLogLog(A.data + b"\0"),
    HyperLogLog(b"\1" + A.data[1:]),
    HyperLogLog(b"\0\3" + A.data[2:]),
    HyperLogLog(b"\0\4\3" + A.data[3:]),
]


@pytest.mark.parametrize("name", OF_SKETCHES)
@pytest.mark.parametrize("value", [*BROKEN, A.data, "text", None], ids=range(len(BROKEN) + 3))
def test_what_is_no_sketch_is_refused_with_its_place(name: str, value: object) -> None:
    message = refused(name, [A, value])
    assert message.startswith(f"hll.{name}.values[1]: got ")
    assert message.endswith("allowed: a HyperLogLog as the server makes it")


@pytest.mark.parametrize("name", ["get_intersect_count", "get_similarity"])
@pytest.mark.parametrize("values", [[A, A, A], [B, B, A], [B, B, sketch(5, 21)]])
def test_more_than_two_sketches_are_intersected_by_one_minhash_only(name: str, values: list[HyperLogLog]) -> None:
    message = refused(name, values)
    assert message.startswith(f"hll.{name}.values: got 'min-hashes of [")
    assert message.endswith("allowed: one or two, or all with the same bits, not 0")


FLAGS = {
    "init": HLLWrite.CREATE_ONLY | HLLWrite.UPDATE_ONLY | HLLWrite.NO_FAIL,
    "add": HLLWrite.CREATE_ONLY | HLLWrite.NO_FAIL,
    "set_union": HLLWrite.CREATE_ONLY | HLLWrite.UPDATE_ONLY | HLLWrite.NO_FAIL | HLLWrite.ALLOW_FOLD,
}


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("flag", [flag for flag in HLLWrite if flag])
def test_an_operation_takes_the_flags_that_the_server_takes_for_it(name: str, flag: HLLWrite) -> None:
    if flag in FLAGS[name]:
        assert call(getattr(hll, name)("h", *WRITES[name], policy=HLLPolicy(flag)))[-1] == flag
    else:
        message = refused(name, *WRITES[name], policy=HLLPolicy(flag))
        assert message.startswith(f"hll.{name}.policy: got HLLPolicy(write_flags=")


@pytest.mark.parametrize("name", FLAGS)
def test_a_policy_of_another_kind_is_refused(name: str) -> None:
    assert refused(name, *WRITES[name], policy=4) == f"hll.{name}.policy: got 4, allowed: a HLLPolicy or None"


@pytest.mark.parametrize("flags", [16, -1, True, "NO_FAIL", None, 3])
def test_a_policy_takes_only_flags_that_go_together(flags: Any) -> None:
    with pytest.raises(InvalidArgError, match=r"HLLPolicy\.write_flags: got"):
        HLLPolicy(flags)
