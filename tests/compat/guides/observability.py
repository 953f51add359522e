"""The pages on metrics and logging: what is counted, where it is served, what is switched on and off."""

from __future__ import annotations

import logging
import re
import socket
import urllib.request
from typing import Any

import aerospike_py as aerospike

SET = "guide-observability"
KEY = ("test", SET, "somebody")


def counts(text: str) -> dict[tuple[str, str], int]:
    """How often each operation ended how, in our set."""
    found = {}
    for labels, number in re.findall(r"db_client_operation_duration_seconds_count\{([^}]*)\} (\d+)", text):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if named["db_collection_name"] == SET:
            found[named["db_operation_name"], named["error_type"]] = int(number)
    return found


def program(client: Any, show: Any) -> None:
    """Everything the pages do."""
    show("on from the start", aerospike.is_metrics_enabled())
    client.put(KEY, {"a": 1})
    for _ in range(3):
        client.get(KEY)
    client.exists(KEY)
    client.select(KEY, ["a"])
    client.increment(KEY, "a", 1)
    client.operate(KEY, [{"op": aerospike.OPERATOR_READ, "bin": "a", "val": None}])
    show.error("counted, too", client.get, ("test", SET, "nobody"))
    show.error("and so is this", client.increment, KEY, "a", "b")
    client.remove(KEY)
    text = aerospike.get_metrics()
    show("counts", counts(text))
    show("names", sorted(set(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))))
    line = next(line for line in text.splitlines() if "_bucket{" in line)
    show("labels", sorted(re.findall(r'(\w+)="', line)))
    show("limits", sorted({float(limit) for limit in re.findall(r'le="([^"]*)"', text)}))

    before = counts(aerospike.get_metrics())
    aerospike.set_metrics_enabled(False)
    client.put(KEY, {"a": 1})
    show("off", (aerospike.is_metrics_enabled(), counts(aerospike.get_metrics()) == before))
    aerospike.set_metrics_enabled(True)
    client.put(KEY, {"a": 1})
    show("on again", counts(aerospike.get_metrics())["put", ""] - before["put", ""])

    show("stages", aerospike.is_internal_stage_metrics_enabled())
    with aerospike.internal_stage_profiling():
        show("stages in the block", aerospike.is_internal_stage_metrics_enabled())
        client.batch_read([KEY]).to_dict()
    show("stages behind it", aerospike.is_internal_stage_metrics_enabled())
    show("are told", "db_client_internal_stage_seconds" in aerospike.get_metrics())

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    aerospike.start_metrics_server(port=port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        kind = answer.headers["Content-Type"].partition(";")[0]
        show("served", (answer.status, kind, counts(answer.read().decode()) == counts(aerospike.get_metrics())))
    aerospike.stop_metrics_server()
    show.error("stopped twice", aerospike.stop_metrics_server)

    for level in ("OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"):
        aerospike.set_log_level(getattr(aerospike, f"LOG_LEVEL_{level}"))
        show(f"level {level}", logging.getLogger("aerospike_py").level)
    show.error("no level", aerospike.set_log_level, 17)
    aerospike.set_log_level(aerospike.LOG_LEVEL_WARN)
    show("lost lines of the log", aerospike.dropped_log_count())
    client.remove(KEY)
