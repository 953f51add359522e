"""What each recorded step on bits is in our words."""

from __future__ import annotations

from trio_aerospike import read, write
from trio_aerospike.operations import Operation, bits
from trio_aerospike.operations.bits import BitOverflow, BitResize

STEPS = ("bit*",)

CALLS: dict[str, list[Operation]] = {
    "bits put": [write("b", b"\x01\x02\x03\x04\x05")],
    "bit_get": [bits.get("b", 4, 12)],
    "bit_get_int": [bits.get_int("b", 8, 16)],
    "bit_get_int signed": [bits.get_int("b", 0, 64, signed=True)],
    "bit_count": [bits.count("b", 0, 40)],
    "bit_lscan": [bits.lscan("b", 0, 40, True)],
    "bit_rscan": [bits.rscan("b", 0, 40, True)],
    "bit_set": [bits.set("b", 4, 8, b"\xff"), read("b")],
    "bit_or": [bits.or_("b", 0, 8, b"\xf0"), read("b")],
    "bit_xor": [bits.xor("b", 0, 8, b"\xff"), read("b")],
    "bit_and": [bits.and_("b", 0, 8, b"\x0f"), read("b")],
    "bit_not": [bits.not_("b", 8, 8), read("b")],
    "bit_lshift": [bits.lshift("b", 0, 16, 3), read("b")],
    "bit_rshift": [bits.rshift("b", 0, 16, 3), read("b")],
    "bit_add": [bits.add("b", 16, 16, 300), read("b")],
    "bit_add overflow": [bits.add("b", 0, 8, 255)],
    "bit_add wrap": [bits.add("b", 0, 8, 255, action=BitOverflow.WRAP), read("b")],
    "bit_subtract sat": [bits.subtract("b", 0, 8, 255, action=BitOverflow.SATURATE), read("b")],
    "bit_insert": [bits.insert("b", 1, b"\xaa\xbb"), read("b")],
    "bit_remove": [bits.remove("b", 0, 1), read("b")],
    "bit_resize": [bits.resize("b", 10), read("b")],
    "bit_resize front": [bits.resize("b", 4, BitResize.FROM_FRONT), read("b")],
    "bit out of range": [bits.get("b", 400, 8)],
}
