"""What each recorded step on sketches is in our words."""

from __future__ import annotations

from trio_aerospike import HyperLogLog
from trio_aerospike._wire.messages import decode_messages
from trio_aerospike.operations import Operation, hll

from ..wire.exchanges import frames_of, load_exchanges

STEPS = ("hll_*",)


def _sketch_read_before() -> HyperLogLog:
    """What the recorder read, and united and intersected with itself."""
    response = next(exchange.response for exchange in load_exchanges() if exchange.step == "hll read")
    ((_, body),) = frames_of(response)
    return HyperLogLog(decode_messages(body)[0].ops[0].data)


_SKETCH = _sketch_read_before()

CALLS: dict[str, list[Operation]] = {
    "hll_init": [hll.init("h", 8)],
    "hll_init mh": [hll.init("mh", 8, 20)],
    "hll_add": [hll.add("h", [f"v{number}" for number in range(50)], 8)],
    "hll_add again": [hll.add("h", ["v1", "v2", "new"], 8)],
    "hll_add mh": [hll.add("mh", [f"w{number}" for number in range(30)], 8, 20)],
    "hll_get_count": [hll.get_count("h")],
    "hll_describe": [hll.describe("mh")],
    "hll_get_union_count": [hll.get_union_count("h", [_SKETCH])],
    "hll_get_union": [hll.get_union("h", [_SKETCH])],
    "hll_get_intersect_count": [hll.get_intersect_count("h", [_SKETCH])],
    "hll_get_similarity": [hll.get_similarity("h", [_SKETCH])],
    "hll_set_union": [hll.set_union("u", [_SKETCH])],
    "hll_refresh_count": [hll.refresh_count("h")],
    "hll_fold": [hll.fold("h", 6)],
}
