"""Operations on bits and sketches, dicts with codes from 4001 and 3001 on, and what they are in trio_aerospike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trio_aerospike import HyperLogLog
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import bits, hll
from trio_aerospike.validation import refused

from ._forms import OMIT, Entry, Form, policy_of


def _bit_policy(where: str, value: Any) -> Any:
    """The flags of a write as a policy; they are a plain number in the dict."""
    if value is None:
        return None
    try:
        return bits.BitPolicy(write_flags=value)
    except InvalidArgError as error:
        raise InvalidArgError(f"{where}: {error}") from None


def _sketches(where: str, value: Any) -> list[HyperLogLog]:
    """Sketches as trio_aerospike has them; their bytes do as well, which is what aerospike_py reads."""
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    for sketch in listed:
        if not isinstance(sketch, (HyperLogLog, bytes, bytearray)):
            raise refused(where, value, "a list of sketches, as they were read from bins, or of their bytes")
    return [sketch if isinstance(sketch, HyperLogLog) else HyperLogLog(sketch) for sketch in listed]


def _or_default(number: int) -> Any:
    def convert(where: str, value: Any) -> Any:
        return number if value is None else value

    return convert


_OFFSET: Final = Entry("bit_offset")
_SIZE: Final = Entry("bit_size")
_BYTE_OFFSET: Final = Entry("byte_offset")
_BYTE_SIZE: Final = Entry("byte_size")
_VAL: Final = Entry("val")
_SHIFT: Final = Entry("shift")
_SIGNED: Final = Entry("signed", "signed", False)
_ACTION: Final = Entry("action", "action", bits.BitOverflow.FAIL)
_BIT_POLICY: Final = Entry("bit_policy", "policy", None, _bit_policy)
_RESIZE: Final = Entry("resize_flags", "resize_flags", bits.BitResize.DEFAULT, _or_default(bits.BitResize.DEFAULT))
_SKETCHES: Final = Entry("val", convert=_sketches)
_HLL_POLICY: Final = Entry("hll_policy", "policy", None, policy_of(hll.HLLPolicy, {"flags": "write_flags"}))
_INDEX_BITS: Final = Entry("index_bit_count")
_INDEX_BITS_OR_NONE: Final = Entry("index_bit_count", "index_bit_count", OMIT)
_MINHASH_BITS: Final = Entry("minhash_bit_count", "minhash_bit_count", OMIT)

_BITS: Final = [
    (4001, Form.of("bit_resize", bits.resize, _BYTE_SIZE, _RESIZE, _BIT_POLICY)),
    (4002, Form.of("bit_insert", bits.insert, _BYTE_OFFSET, _VAL, _BIT_POLICY)),
    (4003, Form.of("bit_remove", bits.remove, _BYTE_OFFSET, _BYTE_SIZE, _BIT_POLICY)),
    (4004, Form.of("bit_set", bits.set, _OFFSET, _SIZE, _VAL, _BIT_POLICY)),
    (4005, Form.of("bit_or", bits.or_, _OFFSET, _SIZE, _VAL, _BIT_POLICY)),
    (4006, Form.of("bit_xor", bits.xor, _OFFSET, _SIZE, _VAL, _BIT_POLICY)),
    (4007, Form.of("bit_and", bits.and_, _OFFSET, _SIZE, _VAL, _BIT_POLICY)),
    (4008, Form.of("bit_not", bits.not_, _OFFSET, _SIZE, _BIT_POLICY)),
    (4009, Form.of("bit_lshift", bits.lshift, _OFFSET, _SIZE, _SHIFT, _BIT_POLICY)),
    (4010, Form.of("bit_rshift", bits.rshift, _OFFSET, _SIZE, _SHIFT, _BIT_POLICY)),
    (4011, Form.of("bit_add", bits.add, _OFFSET, _SIZE, _VAL, _SIGNED, _ACTION, _BIT_POLICY)),
    (4012, Form.of("bit_subtract", bits.subtract, _OFFSET, _SIZE, _VAL, _SIGNED, _ACTION, _BIT_POLICY)),
    (4013, Form.of("bit_set_int", bits.set_int, _OFFSET, _SIZE, _VAL, _BIT_POLICY)),
    (4050, Form.of("bit_get", bits.get, _OFFSET, _SIZE)),
    (4051, Form.of("bit_count", bits.count, _OFFSET, _SIZE)),
    (4052, Form.of("bit_lscan", bits.lscan, _OFFSET, _SIZE, _VAL)),
    (4053, Form.of("bit_rscan", bits.rscan, _OFFSET, _SIZE, _VAL)),
    (4054, Form.of("bit_get_int", bits.get_int, _OFFSET, _SIZE, _SIGNED)),
]
_SKETCH: Final = [
    (3001, Form.of("hll_init", hll.init, _INDEX_BITS, _MINHASH_BITS, _HLL_POLICY)),
    (3002, Form.of("hll_add", hll.add, _VAL, _INDEX_BITS_OR_NONE, _MINHASH_BITS, _HLL_POLICY)),
    (3003, Form.of("hll_get_count", hll.get_count)),
    (3004, Form.of("hll_get_union", hll.get_union, _SKETCHES)),
    (3005, Form.of("hll_get_union_count", hll.get_union_count, _SKETCHES)),
    (3006, Form.of("hll_get_intersect_count", hll.get_intersect_count, _SKETCHES)),
    (3007, Form.of("hll_get_similarity", hll.get_similarity, _SKETCHES)),
    (3008, Form.of("hll_describe", hll.describe)),
    (3009, Form.of("hll_fold", hll.fold, _INDEX_BITS)),
    (3010, Form.of("hll_set_union", hll.set_union, _SKETCHES, _HLL_POLICY)),
]

#: The forms by code.
FORMS: Final[Mapping[int, Form]] = dict(_BITS + _SKETCH)
