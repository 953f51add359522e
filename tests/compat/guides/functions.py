"""The page on user-defined functions."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from aerospike_py.exception import AerospikeError

SET = "guide-functions"
MODULE = "guide_counter"
SOURCE = """
function increment(rec, bin_name, amount)
  local exists = aerospike:exists(rec)
  rec[bin_name] = (rec[bin_name] or 0) + amount
  if exists then
    aerospike:update(rec)
  else
    aerospike:create(rec)
  end
  return rec[bin_name]
end

function echo(rec, value)
  return value
end

function fail(rec)
  error("on purpose")
end
"""


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    key = ("test", SET, "counter1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{MODULE}.lua"
        path.write_text(SOURCE)
        show("put returns", client.udf_put(str(path)))
    # The nodes hear of it one after the other.
    deadline = time.monotonic() + 20
    while True:
        try:
            client.apply(key, MODULE, "echo", [1])
            break
        except AerospikeError:
            assert time.monotonic() < deadline, "the module did not arrive"
            time.sleep(0.1)
    if client.exists(key).meta is not None:
        client.remove(key)
    show("first", client.apply(key, MODULE, "increment", ["count", 5]))
    show("second", client.apply(key, MODULE, "increment", ["count", 3]))
    show("the record", client.get(key).bins)
    for value in (1, "text", 2.5, b"bytes", [1, [2, "three"]], {"a": {"b": 1}}, None, True):
        show(f"echo of {type(value).__name__}", client.apply(key, MODULE, "echo", [value]))
    show("no arguments", client.apply(key, MODULE, "echo"))
    show.error("fails", client.apply, key, MODULE, "fail")
    show.error("no such function", client.apply, key, MODULE, "nothing")
    show.error("no such module", client.apply, key, "no_such_module", "echo", [1])

    keys = [("test", SET, f"counter{number}") for number in range(2, 5)]
    client.batch_remove(keys)
    results = client.batch_apply(keys, MODULE, "increment", ["count", 7])
    show("many at once", [(row.key[2], row.result) for row in results.batch_records])
    show("what they made", client.batch_read(keys).to_dict())
    client.udf_remove(MODULE)
    client.batch_remove([key, *keys])
