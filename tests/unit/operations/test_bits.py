"""Operations on bits: what is refused before anything is sent, and what goes out."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from trio_aerospike._wire import bit_ops, constants as wire
from trio_aerospike._wire.cdt import unpack_value
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import Operation, bits as typed_bits
from trio_aerospike.operations.bits import BitOverflow, BitResize, BitWrite

# Wrong arguments are the point here: mypy would not let them through.
bits: Any = typed_bits
BitPolicy = bits.BitPolicy

READS: dict[str, tuple[Any, ...]] = {
    "get": (0, 8),
    "count": (0, 8),
    "lscan": (0, 8, True),
    "rscan": (0, 8, False),
    "get_int": (0, 8),
}
WRITES: dict[str, tuple[Any, ...]] = {
    "resize": (4,),
    "insert": (0, b"a"),
    "remove": (0, 1),
    "set": (0, 8, b"a"),
    "or_": (0, 8, b"a"),
    "xor": (0, 8, b"a"),
    "and_": (0, 8, b"a"),
    "not_": (0, 8),
    "lshift": (0, 8, 1),
    "rshift": (0, 8, 1),
    "add": (0, 8, 1),
    "subtract": (0, 8, 1),
    "set_int": (0, 8, 1),
}
ALL = {**READS, **WRITES}
FIELDS = [name for name in ALL if name not in ("resize", "insert", "remove")]
BITS_MAX = 1 << 30
BYTES_MAX = 1 << 27


def call(operation: Operation) -> Any:
    return unpack_value(operation.value)


def test_the_tables_have_every_operation() -> None:
    assert set(ALL) == {name for name in bits.__all__ if inspect.isfunction(getattr(bits, name))}


@pytest.mark.parametrize("name", ALL)
def test_an_operation_reads_or_writes_as_its_name_says(name: str) -> None:
    operation = getattr(bits, name)("b", *ALL[name])
    reads = name in READS
    assert operation.op == (wire.OP_BITS_READ if reads else wire.OP_BITS_MODIFY)
    assert operation.bin_name == "b"
    assert operation.is_write is not reads
    assert operation.info1 == (wire.INFO1_READ if reads else 0)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (bits.resize("b", 0, BitResize.GROW_ONLY | BitResize.FROM_FRONT), [bit_ops.RESIZE, 0, 0, 3]),
        (bits.resize("b", 9, 4, BitPolicy(BitWrite.CREATE_ONLY | BitWrite.NO_FAIL)), [bit_ops.RESIZE, 9, 5, 4]),
        (bits.insert("b", -1, bytearray(b"xy")), [bit_ops.INSERT, -1, b"xy", 0]),
        (bits.remove("b", -BYTES_MAX, BYTES_MAX, BitPolicy(8)), [bit_ops.REMOVE, -BYTES_MAX, BYTES_MAX, 8]),
        (bits.set("b", BITS_MAX, 9, b"xyz"), [bit_ops.SET, BITS_MAX, 9, b"xyz", 0]),
        (bits.lshift("b", -8, 8, BITS_MAX), [bit_ops.LSHIFT, -8, 8, BITS_MAX, 0]),
        (bits.add("b", 0, 64, 5, True, 2), [bit_ops.ADD, 0, 64, 5, 0, 3]),
        (bits.subtract("b", 0, 1, 0, action=BitOverflow.WRAP), [bit_ops.SUBTRACT, 0, 1, 0, 0, 4]),
        (bits.set_int("b", 0, 64, -1), [bit_ops.SET_INT, 0, 64, -1, 0]),
        (bits.set_int("b", 0, 64, (1 << 64) - 1), [bit_ops.SET_INT, 0, 64, -1, 0]),
        (bits.get_int("b", 0, 8, True), [bit_ops.GET_INT, 0, 8, 1]),
        (bits.get_int("b", 0, 8), [bit_ops.GET_INT, 0, 8]),
    ],
)
def test_arguments_go_out_in_the_order_of_the_wire(operation: Operation, expected: list[Any]) -> None:
    assert call(operation) == expected


@pytest.mark.parametrize("value", [-1, -(1 << 63), 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("name", ["add", "subtract"])
def test_what_is_added_goes_out_as_64_bits_without_a_sign(name: str, value: int) -> None:
    operation = getattr(bits, name)("b", 0, 64, value)
    assert b"\xcf" + (value & (1 << 64) - 1).to_bytes(8, "big") in operation.value


def refused(name: str, *args: Any, **options: Any) -> str:
    with pytest.raises(InvalidArgError) as caught:
        getattr(bits, name)("b", *args, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bin_name", ["", "x" * 16, 5, None])
def test_a_name_that_no_bin_can_have_is_refused(name: str, bin_name: object) -> None:
    with pytest.raises(InvalidArgError, match=f"bits.{name}.bin_name: got .* allowed: a str"):
        getattr(bits, name)(bin_name, *ALL[name])


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("offset", [BITS_MAX + 1, -BITS_MAX - 1, 1.5, True, None, "0"])
def test_an_offset_that_no_blob_has_is_refused(name: str, offset: object) -> None:
    message = refused(name, offset, *ALL[name][1:])
    assert message.startswith(f"bits.{name}.bit_offset: got {offset!r}, allowed: an int from -{BITS_MAX} to {BITS_MAX}")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("size", [0, -1, BITS_MAX + 1, 1.5, True])
def test_a_size_that_no_field_has_is_refused(name: str, size: object) -> None:
    most = 64 if name in ("add", "subtract", "set_int", "get_int") else BITS_MAX
    message = refused(name, 0, size, *ALL[name][2:])
    assert message == f"bits.{name}.bit_size: got {size!r}, allowed: an int from 1 to {most}"


@pytest.mark.parametrize("name", ["add", "subtract", "set_int", "get_int"])
def test_an_integer_has_64_bits_at_most(name: str) -> None:
    assert "allowed: an int from 1 to 64" in refused(name, 0, 65, *ALL[name][2:])


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("resize", (-1,), "bits.resize.byte_size: got -1, allowed: an int from 0 to 134217727"),
        ("resize", (BYTES_MAX,), "bits.resize.byte_size: got 134217728, allowed: an int from 0 to 134217727"),
        ("resize", (1, 8), "bits.resize.resize_flags: got 8, allowed: BitResize.DEFAULT (0)"),
        ("resize", (1, BitResize.GROW_ONLY | BitResize.SHRINK_ONLY), "allowed: GROW_ONLY or SHRINK_ONLY, not both"),
        ("resize", (1, BitWrite.CREATE_ONLY), "bits.resize.resize_flags: got"),
        ("insert", (BYTES_MAX + 1, b"a"), "bits.insert.byte_offset: got 134217729"),
        ("insert", (0, b""), "bits.insert.value: got b'', allowed: bytes, at least one"),
        ("insert", (0, "text"), "bits.insert.value: got 'text', allowed: bytes, at least one"),
        ("remove", (0, 0), "bits.remove.byte_size: got 0, allowed: an int from 1 to 134217728"),
        ("set", (0, 9, b"a"), "bits.set.value: got b'a', allowed: at least the 9 bits of bit_size"),
        ("or_", (0, 8, b""), "bits.or_.value: got b'', allowed: bytes, at least one"),
        ("xor", (0, 8, 5), "bits.xor.value: got 5, allowed: bytes, at least one"),
        ("lshift", (0, 8, -1), "bits.lshift.shift: got -1, allowed: an int from 0 to 1073741824"),
        ("rshift", (0, 8, BITS_MAX + 1), "bits.rshift.shift: got 1073741825"),
        ("add", (0, 8, 1 << 64), "bits.add.value: got 18446744073709551616, allowed: an int from -9223372036854775808"),
        ("add", (0, 8, 1.0), "bits.add.value: got 1.0"),
        ("add", (0, 8, 1, 1), "bits.add.signed: got 1, allowed: True or False"),
        ("add", (0, 8, 1, False, 1), "bits.add.action: got 1, allowed: BitOverflow.FAIL (0), BitOverflow.SATURATE (2)"),
        ("subtract", (0, 8, 1, False, BitWrite.NO_FAIL), "bits.subtract.action: got"),
        ("lscan", (0, 8, 1), "bits.lscan.value: got 1, allowed: True or False"),
        ("rscan", (0, 8, None), "bits.rscan.value: got None, allowed: True or False"),
        ("get_int", (0, 8, "yes"), "bits.get_int.signed: got 'yes', allowed: True or False"),
    ],
)
def test_an_argument_that_the_server_would_refuse_is_refused(name: str, args: tuple[Any, ...], message: str) -> None:
    assert message in refused(name, *args)


FLAGS = {
    **dict.fromkeys(("resize", "insert"), BitWrite.CREATE_ONLY | BitWrite.UPDATE_ONLY | BitWrite.NO_FAIL),
    **dict.fromkeys(("add", "subtract", "set_int"), BitWrite.UPDATE_ONLY | BitWrite.NO_FAIL),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("flag", [flag for flag in BitWrite if flag])
def test_an_operation_takes_the_flags_that_the_server_takes_for_it(name: str, flag: BitWrite) -> None:
    taken = FLAGS.get(name, BitWrite.UPDATE_ONLY | BitWrite.NO_FAIL | BitWrite.PARTIAL)
    if flag in taken:
        operation = getattr(bits, name)("b", *WRITES[name], policy=BitPolicy(flag))
        assert call(operation)[-2 if name in ("resize", "add", "subtract") else -1] == flag
    else:
        message = refused(name, *WRITES[name], policy=BitPolicy(flag))
        assert message.startswith(f"bits.{name}.policy: got BitPolicy(write_flags=")
        assert message.endswith("allowed: write_flags of " + ", ".join(str(f.name) for f in BitWrite if f in taken))


@pytest.mark.parametrize("name", WRITES)
def test_a_policy_of_another_kind_is_refused(name: str) -> None:
    assert refused(name, *WRITES[name], policy=4) == f"bits.{name}.policy: got 4, allowed: a BitPolicy or None"


@pytest.mark.parametrize("flags", [16, -1, True, "NO_FAIL", BitResize.FROM_FRONT, None])
def test_a_policy_takes_only_its_own_flags(flags: Any) -> None:
    with pytest.raises(InvalidArgError, match=r"BitPolicy.write_flags: got .*BitWrite.CREATE_ONLY \(1\)"):
        BitPolicy(flags)


def test_a_policy_refuses_flags_that_exclude_each_other_and_names_that_it_does_not_have() -> None:
    with pytest.raises(InvalidArgError, match="CREATE_ONLY or UPDATE_ONLY, not both"):
        BitPolicy(BitWrite.CREATE_ONLY | BitWrite.UPDATE_ONLY)
    with pytest.raises(InvalidArgError, match="write_flags"):
        BitPolicy(write_flag=1)
    assert BitPolicy(write_flags=12).write_flags == BitWrite.NO_FAIL | BitWrite.PARTIAL
