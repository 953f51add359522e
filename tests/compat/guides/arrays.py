"""The pages on NumPy: batches as structured arrays, read and written."""

from __future__ import annotations

from typing import Any

import numpy as np

import aerospike_py as aerospike

SET = "guide-arrays"


def program(client: Any, show: Any) -> None:
    """Everything the pages do."""
    keys = [("test", SET, f"sensor_{i}") for i in range(50)]
    for i, key in enumerate(keys):
        bins = {"temperature": 20.0 + i * 0.5, "humidity": 40 + i, "status": 1, "name": f"s{i}", "raw": bytes([i])}
        client.put(key, bins, policy={"key": aerospike.POLICY_KEY_SEND})
    dtype = np.dtype([("temperature", "f8"), ("humidity", "i4"), ("status", "u1")])
    batch = client.batch_read(keys).to_numpy(dtype)
    show("mean", float(batch.batch_records["temperature"].mean()))
    show("a column", batch.batch_records["humidity"].tolist())
    show("a row", batch.batch_records[0].tolist())
    show("by key", float(batch.get("sensor_42")["temperature"]))
    show("the hot ones", batch.batch_records[batch.batch_records["temperature"] > 43]["humidity"].tolist())
    show("codes", batch.result_codes.tolist())
    show("generations", (batch.meta.dtype.names, bool((batch.meta["gen"] >= 1).all())))
    show("length", (len(batch), "sensor_3" in batch, "sensor_99" in batch, len(list(batch))))

    with_hole = client.batch_read([keys[0], ("test", SET, "nobody"), keys[1]], bins=["humidity"])
    holes = with_hole.to_numpy(np.dtype([("humidity", "i8")]))
    show("a hole", (holes.batch_records["humidity"].tolist(), holes.result_codes.tolist()))
    texts = client.batch_read(keys[:3]).to_numpy(np.dtype([("name", "S8"), ("raw", "V4"), ("temperature", "f4")]))
    show("bytes", [(row["name"], row["raw"].tobytes(), float(row["temperature"])) for row in texts.batch_records])
    show("narrow", client.batch_read(keys[:3]).to_numpy(np.dtype([("humidity", "i1")])).batch_records.tolist())

    vector = np.arange(16, dtype=np.float32) / 4
    client.put(("test", SET, "vector"), {"embedding": vector.tobytes(), "score": 0.5})
    dtype = np.dtype([("embedding", "f4", (16,)), ("score", "f4")])
    read = client.batch_read([("test", SET, "vector")]).to_numpy(dtype)
    show("a vector", read.batch_records[0]["embedding"].tolist())

    dtype = np.dtype([("_key", "i4"), ("score", "f8"), ("count", "i4"), ("_note", "i4")])
    data = np.array([(1, 0.95, 10, 7), (2, 0.87, 20, 8), (3, 0.72, 15, 9)], dtype=dtype)
    results = client.batch_write_numpy(data, "test", SET, dtype)
    show("written", [(row.key[:3], row.result) for row in results.batch_records])
    numbered = [("test", SET, number) for number in (1, 2, 3)]
    show("what was written", client.batch_read(numbered).to_dict())
    dtype = np.dtype([("user_id", "i8"), ("score", "f8")])
    data = np.array([(100, 1.5), (101, 2.5)], dtype=dtype)
    client.batch_write_numpy(data, "test", SET, dtype, key_field="user_id")
    show("a field as the key", client.batch_read([("test", SET, 100), ("test", SET, 101)]).to_dict())

    dtype = np.dtype([("_key", "i4"), ("embedding", "V16"), ("label", "i4"), ("short", "S4")])
    data = np.zeros(2, dtype=dtype)
    data["_key"] = [200, 201]
    for i in range(2):
        data["embedding"][i] = np.full(4, i, dtype=np.float32).tobytes()
    data["label"] = [5, 6]
    data["short"] = [b"ab", b"abcd"]
    client.batch_write_numpy(data, "test", SET, dtype, retry=3)
    show("blobs", client.batch_read([("test", SET, 200), ("test", SET, 201)]).to_dict())
    show.error("text of unicode", client.batch_read(keys[:1]).to_numpy, np.dtype([("name", "U8")]))
    numbers = (1, 2, 3, 100, 101, 200, 201, "vector")
    client.batch_remove([*keys, *(("test", SET, number) for number in numbers)])
