"""The page on errors: which exception, of which bases, with which code."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py import exception

SET = "guide-errors"
KEY = ("test", SET, "somebody")
NAMES = (
    "ClientError",
    "ClusterError",
    "InvalidArgError",
    "AerospikeTimeoutError",
    "ServerError",
    "AerospikeIndexError",
    "IndexNotFound",
    "IndexFoundError",
    "QueryError",
    "QueryAbortedError",
    "AdminError",
    "UDFError",
    "RecordError",
    "RecordNotFound",
    "RecordExistsError",
    "RecordGenerationError",
    "RecordTooBig",
    "BinNameError",
    "BinExistsError",
    "BinNotFound",
    "BinTypeError",
    "FilteredOut",
)


def safe_update(client: Any, name: str, change: Any) -> int:
    """Read, change and write, again and again until nobody else has written in between; how often it took."""
    for attempt in range(1, 6):
        record = client.get(KEY)
        if attempt == 1:
            client.put(KEY, {"other": attempt})  # somebody else
        try:
            client.put(
                KEY,
                {name: change(record.bins.get(name))},
                meta={"gen": record.meta.gen},
                policy={"gen": aerospike.POLICY_GEN_EQ},
            )
            return attempt
        except exception.RecordGenerationError:
            continue
    raise AssertionError("somebody else writes all the time")


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    for name in NAMES:
        kind = getattr(exception, name)
        show(name, [base.__name__ for base in kind.__mro__ if issubclass(base, Exception)])
        show(f"{name} of the package", getattr(aerospike, name) is kind)

    client.put(KEY, {"username": "alice", "count": 1})
    show.error("not there", client.get, ("test", SET, "nobody"))
    try:
        client.get(("test", SET, "nobody"))
    except exception.RecordNotFound:
        show("caught as", "RecordNotFound")
    try:
        client.get(("test", SET, "nobody"))
    except exception.AerospikeError as error:
        show("caught as the base of all", type(error).__name__)
    create = {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY}
    show.error("there already", client.put, KEY, {"username": "alice"}, policy=create)
    show.error("bin of another type", client.increment, KEY, "username", 1)
    show.error("name of a bin too long", client.put, KEY, {"a" * 16: 1})
    show.error("no such namespace", client.put, ("no_such_namespace", SET, 1), {"a": 1})
    show.error("a record too big", client.put, KEY, {"blob": bytes(9_000_000)})
    show.error("no index to remove", client.index_remove, "test", "guide_no_such_index")
    show.error("invalid key", client.get, ("test", SET))
    show("took attempts", safe_update(client, "count", lambda count: count + 1))
    show("and wrote", client.get(KEY).bins)

    keys = [KEY, ("test", SET, "nobody"), ("test", SET, "nobody else")]
    batch = client.batch_read(keys)
    show("missing", sorted({key[2] for key in keys} - set(batch.keys())))
    rows = client.batch_operate(keys, [{"op": aerospike.OPERATOR_READ, "bin": "count", "val": None}]).batch_records
    show("codes of a batch", [(row.key[2], row.result, row.in_doubt) for row in rows])
    client.remove(KEY)
