"""Convert dicts of bit and HyperLogLog operations, with codes from 4001 and 3001, to those of trio_aerospike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trio_aerospike import HyperLogLog
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import bits, hll
from trio_aerospike.validation import refused

from .. import bit_operations, hll_operations
from .operation_dicts import OMIT, Entry, OperationDict, operation_dicts, policy_of


def _bit_policy(where: str, value: Any) -> Any:
    """Convert write flags, a plain number in the dict, to a policy."""
    if value is None:
        return None
    try:
        return bits.BitPolicy(write_flags=value)
    except InvalidArgError as error:
        raise InvalidArgError(f"{where}: {error}") from None


def _sketches(where: str, value: Any) -> list[HyperLogLog]:
    """Convert sketches, or their bytes, as which aerospike_py reads them."""
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    for sketch in listed:
        if not isinstance(sketch, (HyperLogLog, bytes, bytearray)):
            raise refused(where, value, "a list of sketches, as they were read from bins, or of their bytes")
    return [sketch if isinstance(sketch, HyperLogLog) else HyperLogLog(sketch) for sketch in listed]


_HLL_POLICY: Final = policy_of(hll.HLLPolicy, {"flags": "write_flags"})

_BIT_ENTRIES: Final = {
    **{name: Entry(name) for name in ("byte_offset", "byte_size", "bit_offset", "bit_size", "shift")},
    "value": Entry("val"),
    "signed": Entry("signed", False),
    "action": Entry("action", bits.BitOverflow.FAIL),
    "resize_flags": Entry("resize_flags", bits.BitResize.DEFAULT),
    "policy": Entry("bit_policy", None, _bit_policy),
}
_SKETCH_ENTRIES: Final = {
    "values": Entry("val", convert=_sketches),
    "index_bit_count": Entry("index_bit_count"),
    "minhash_bit_count": Entry("minhash_bit_count", OMIT),
    "policy": Entry("hll_policy", None, _HLL_POLICY),
}
_ADD: Final = {"values": Entry("val"), "index_bit_count": Entry("index_bit_count", OMIT)}

#: The dicts of operations, by code.
OPERATION_DICTS: Final[Mapping[int, OperationDict]] = {
    **operation_dicts("bit", bits, bit_operations, _BIT_ENTRIES, {}),
    **operation_dicts("hll", hll, hll_operations, _SKETCH_ENTRIES, {"add": _ADD}),
}
