"""Calls that a client refuses fail as in aerospike-py: the class, the code, and the words of the message.

``aerospike_py-messages.jsonl`` holds what aerospike-py 0.14.4 raised for each call; ``programs/messages.py`` makes it.
Programs match on these messages, so that ours have their key phrases, among more.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster
from tests.compat.programs import messages

DATA = Path(__file__).parent.parent / "data" / "aerospike_py-messages.jsonl"
LINES = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
RECORDED: dict[str, list[Any]] = {name: recorded for name, *recorded in LINES}
#: What the original says in words of its own. A message of it that has one of these has it here as well.
PHRASES = [
    "must contain 'hosts'",
    "hosts list must not be empty",
    "must be a (host, port) tuple or a string",
    "must contain at least a host address",
    "Invalid port in host string",
    "Password is required when username is provided",
    "client is already connected",
    "Close the client before reconnecting",
    "currently connecting",
    "already connecting",
    "Client is not connected",
    "Call connect() first",
    "must have at least 3 elements",
    "must have 3 or 4 elements",
    "must be exactly 20 bytes, got 1",
    "not supported as Key value",
    "must be a dict",
    "must not be empty",
    "exceeds the 15-byte limit (16 bytes)",
    "Unsupported type for Aerospike value",
    "must be a tuple of (key, bins)",
    "must have at least 2 elements",
    "meta element must be a dict",
    "ttl out of range",
    "must have 'op' key",
    "Unsupported operation code: 99",
    "Unsupported operation code: 1999",
    "peration requires 'bin'",
    "list_append operation requires 'bin'",
    "requires 'index'",
    "requires 'return_type'",
    "requires 'map_key'",
    "requires 'byte_size'",
    "hll_init requires 'index_bit_count'",
    "without configuring racks",
    "read_touch_ttl_percent out of range",
    "Unknown expression type: 'zz'",
    "issing required field: 'left'",
    "must be a dict with '__expr__' key",
    "partition_id must be in [0, 4096)",
    "begin must be in [0, 4096)",
    "begin + count must be <= 4096, got begin=1",
    "Invalid partition count 0",
    "must be a PartitionFilter instance",
    "Unknown predicate type: ",
    "Predicate 'equals' value",
    "has an unsupported type",
    "requires at least 4 elements",
    "Predicate 'between' requires integer bounds",
    "Predicate 'contains' index_type 9 is invalid",
    "Too many filter expressions",
    "Failed to read UDF file '/no/such/file.lua'",
    "cannot create 'aerospike_py.PartitionFilter' instances",
    "Error truncating ns/set",
    "would truncate in the future",
    "must have 'code' key",
    "Unknown privilege code: 99",
    "Unknown privilege name: ",
]
#: What the original leaves to the language that it is written in: a class to catch, and no words to match on.
GENERIC = re.compile(
    r"is not an instance of|cannot be interpreted as an integer|out of range integral type|can't convert negative|"
    r"too large to convert|has no len\(\)|Can't extract"
)


@pytest.fixture(scope="module")
def outcomes(shared_cluster: BackgroundCluster) -> dict[str, list[Any]]:
    """What became of each call with this package."""
    port = shared_cluster.hosts[0][1]
    unconnected = aerospike.client({"hosts": shared_cluster.hosts})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
            client.put(messages.KEY, {"a": 1, "l": [1]}, policy={"exists": aerospike.POLICY_EXISTS_REPLACE})
            return {name: messages.outcome(call, client, unconnected) for name, call in messages.cases(port).items()}


def test_the_record_is_of_these_calls():
    assert RECORDED.keys() == messages.cases(3000).keys()
    for phrase in PHRASES:
        assert any(phrase in (recorded[-1] or "") for recorded in RECORDED.values()), phrase


@pytest.mark.parametrize("name", RECORDED)
def test_a_refusal_has_the_class_the_code_and_the_words_of_the_originals(outcomes: dict[str, list[Any]], name: str):
    found, recorded = outcomes[name], RECORDED[name]
    if recorded[0] is None:
        assert found[0] is None
        return
    (kind, *_), code, message = recorded
    assert found[0] is not None and kind in found[0], found
    if code is not None and name != "truncate in the future":  # there it is the server's code
        assert found[1] == code
    phrases = [phrase for phrase in PHRASES if phrase in message]
    assert phrases or GENERIC.search(message), f"what are the words of {message!r}?"
    assert [phrase for phrase in phrases if phrase not in found[2]] == [], found[2]
