"""Policies and metas in milliseconds become policies in seconds, and slips are refused with the nearest right name."""

from __future__ import annotations

import re
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import types
from aerospike_py._policies import batch_policy, info_policy, read_policy, write_policy
from trio_aerospike.policies import (
    BatchConcurrency,
    BatchPolicy,
    CommitLevel,
    Exists,
    GenerationCheck,
    InfoPolicy,
    ReadModeAP,
    ReadPolicy,
    Replica,
    WritePolicy,
)

TIMES: list[tuple[str, Any, str, Any]] = [
    ("socket_timeout", 5000, "socket_timeout", 5.0),
    ("socket_timeout", 0, "socket_timeout", None),
    ("total_timeout", 10000, "total_timeout", 10.0),
    ("total_timeout", 1, "total_timeout", 0.001),
    ("total_timeout", 0, "total_timeout", None),
    ("sleep_between_retries", 250, "sleep_between_retries", 0.25),
    ("max_retries", 5, "max_retries", 5),
    ("replica", aerospike.POLICY_REPLICA_MASTER, "replica", Replica.MASTER),
    ("replica", aerospike.POLICY_REPLICA_PREFER_RACK, "replica", Replica.PREFER_RACK),
    ("read_mode_ap", aerospike.POLICY_READ_MODE_AP_ALL, "read_mode_ap", ReadModeAP.ALL),
    ("read_touch_ttl_percent", 80, "read_touch_ttl_percent", 80),
    (
        "read_touch_ttl_percent",
        aerospike.READ_TOUCH_TTL_PERCENT_DONT_RESET,
        "read_touch_ttl_percent",
        -1,
    ),
    ("filter_expression", b"\x91\x01", "filter_expression", b"\x91\x01"),
]
WRITES: list[tuple[str, Any, str, Any]] = [
    ("durable_delete", True, "durable_delete", True),
    ("key", aerospike.POLICY_KEY_SEND, "send_key", True),
    ("key", aerospike.POLICY_KEY_DIGEST, "send_key", False),
    ("exists", aerospike.POLICY_EXISTS_IGNORE, "exists", Exists.UPDATE),
    ("exists", aerospike.POLICY_EXISTS_UPDATE, "exists", Exists.UPDATE_ONLY),
    ("exists", aerospike.POLICY_EXISTS_UPDATE_ONLY, "exists", Exists.UPDATE_ONLY),
    ("exists", aerospike.POLICY_EXISTS_REPLACE, "exists", Exists.REPLACE),
    ("exists", aerospike.POLICY_EXISTS_REPLACE_ONLY, "exists", Exists.REPLACE_ONLY),
    ("exists", aerospike.POLICY_EXISTS_CREATE_ONLY, "exists", Exists.CREATE_ONLY),
    ("gen", aerospike.POLICY_GEN_IGNORE, "generation_check", GenerationCheck.IGNORE),
    ("gen", aerospike.POLICY_GEN_EQ, "generation_check", GenerationCheck.EQUAL),
    ("gen", aerospike.POLICY_GEN_GT, "generation_check", GenerationCheck.GREATER),
    ("commit_level", aerospike.POLICY_COMMIT_LEVEL_MASTER, "commit_level", CommitLevel.MASTER),
    ("ttl", 3600, "ttl", 3600),
    ("ttl", aerospike.TTL_NAMESPACE_DEFAULT, "ttl", None),
    ("ttl", aerospike.TTL_NEVER_EXPIRE, "ttl", -1),
    ("ttl", aerospike.TTL_DONT_UPDATE, "ttl", -2),
    ("ttl", aerospike.TTL_CLIENT_DEFAULT, "ttl", None),
]
BATCHES: list[tuple[str, Any, str, Any]] = [
    ("allow_inline", False, "allow_inline", False),
    ("allow_inline_ssd", True, "allow_inline_ssd", True),
    ("respond_all_keys", False, "respond_all_keys", False),
    ("concurrency", aerospike.BATCH_CONCURRENCY_SEQUENTIAL, "concurrency", BatchConcurrency.SEQUENTIAL),
    ("concurrency", aerospike.BATCH_CONCURRENCY_PARALLEL, "concurrency", BatchConcurrency.PARALLEL),
]


@pytest.mark.parametrize("name,value,field,expected", TIMES)
def test_read_policy_field(name: str, value: Any, field: str, expected: Any):
    assert read_policy({name: value}) == ReadPolicy(**{field: expected})


@pytest.mark.parametrize("name,value,field,expected", TIMES + WRITES)
def test_write_policy_field(name: str, value: Any, field: str, expected: Any):
    assert write_policy({name: value}) == WritePolicy(**{field: expected})


@pytest.mark.parametrize("name,value,field,expected", TIMES + BATCHES)
def test_batch_policy_field(name: str, value: Any, field: str, expected: Any):
    assert batch_policy({name: value}) == BatchPolicy(**{field: expected})


def test_info_policy_field():
    assert info_policy({"timeout": 250}) == InfoPolicy(timeout=0.25)
    assert info_policy({"timeout": 0}) == InfoPolicy(timeout=None)


def test_nothing_given_leaves_the_choice_to_the_client():
    assert read_policy(None) is None
    assert write_policy(None) is None
    assert batch_policy(None) is None
    assert info_policy(None) is None


def test_an_empty_policy_is_the_default():
    assert read_policy({}) == ReadPolicy()
    assert write_policy({}, {}) == WritePolicy()


@pytest.mark.parametrize(
    "policy_type,convert",
    [
        (types.ReadPolicy, read_policy),
        (types.WritePolicy, write_policy),
        (types.BatchPolicy, batch_policy),
        (types.AdminPolicy, info_policy),
        (types.WriteMeta, lambda meta: write_policy(None, meta)),
    ],
)
def test_every_documented_field_is_taken(policy_type: Any, convert: Any):
    samples: dict[str, Any] = {"filter_expression": None, "ttl": 60}
    flags = ("durable_delete", "allow_inline", "allow_inline_ssd", "respond_all_keys")
    policy = {name: samples.get(name, name in flags and True) or 1 for name in policy_type.__annotations__}
    policy.update({name: value for name, value in samples.items() if name in policy})
    policy.update({name: True for name in flags if name in policy})
    assert convert(policy) is not None


def test_generation_of_a_meta_must_match_unless_the_policy_says_otherwise():
    assert write_policy(None, {"gen": 7}) == WritePolicy(generation=7, generation_check=GenerationCheck.EQUAL)
    assert write_policy({"gen": aerospike.POLICY_GEN_GT}, {"gen": 7}) == WritePolicy(
        generation=7, generation_check=GenerationCheck.GREATER
    )
    assert write_policy({"gen": aerospike.POLICY_GEN_IGNORE}, {"gen": 7}) == WritePolicy(generation=7)


def test_the_policy_counts_before_the_meta():
    both = write_policy(
        {"ttl": 50, "exists": 0, "key": 1, "commit_level": 1, "durable_delete": True},
        {"ttl": 70, "exists": 4, "key": 0, "commit_level": 0, "durable_delete": False},
    )
    assert both == WritePolicy(ttl=50, send_key=True, commit_level=CommitLevel.MASTER, durable_delete=True)


def test_an_argument_for_the_ttl_counts_before_both():
    assert write_policy({"ttl": 50}, {"ttl": 70}, ttl=90) == WritePolicy(ttl=90)
    assert write_policy({"ttl": 50}, {"ttl": 70}, ttl=0) == WritePolicy(ttl=50)


def test_equal_policies_are_converted_once_but_types_are_told_apart():
    assert read_policy({"max_retries": 1}) is read_policy({"max_retries": 1})
    for almost in (True, 1.0):
        with pytest.raises(aerospike.InvalidArgError):
            read_policy({"max_retries": almost})


@pytest.mark.parametrize(
    "convert,policy,message",
    [
        (read_policy, {"total_timout": 5}, r"policy: unknown field 'total_timout', did you mean 'total_timeout'\?"),
        (read_policy, {"ttl": 5}, r"policy: unknown field 'ttl'"),
        (write_policy, {"durable_deletes": True}, r"did you mean 'durable_delete'\?"),
        (batch_policy, {"respond_all_key": True}, r"did you mean 'respond_all_keys'\?"),
        (info_policy, {"time_out": 5}, r"did you mean 'timeout'\?"),
        (read_policy, {1: 5}, r"unknown field 1"),
        (
            read_policy,
            {"total_timeout": -1},
            r"policy\['total_timeout'\]: got -1, allowed: an int from 0 .*milliseconds",
        ),
        (read_policy, {"total_timeout": 1.5}, r"got 1\.5, allowed: an int"),
        (read_policy, {"total_timeout": None}, r"got None"),
        (read_policy, {"total_timeout": "5"}, r"got '5'"),
        (read_policy, {"max_retries": -1}, r"policy\['max_retries'\]: got -1"),
        (read_policy, {"replica": 7}, r"got 7, allowed: POLICY_REPLICA_MASTER \(0\), POLICY_REPLICA_SEQUENCE \(1\)"),
        (read_policy, {"read_mode_ap": True}, r"got True, allowed: POLICY_READ_MODE_AP_ONE"),
        (read_policy, {"read_touch_ttl_percent": 101}, r"from -1 to 100"),
        (read_policy, {"timeout_delay": -1}, r"policy\['timeout_delay'\]: got -1"),
        (read_policy, {"filter_expression": "x"}, r"packed expression"),
        (read_policy, [("total_timeout", 5)], r"policy: got .*, allowed: a dict of socket_timeout"),
        (write_policy, {"exists": 5}, r"got 5, allowed: .*POLICY_EXISTS_CREATE_ONLY \(4\)"),
        (write_policy, {"gen": 3}, r"POLICY_GEN_IGNORE \(0\)"),
        (write_policy, {"key": 2}, r"POLICY_KEY_DIGEST \(0\), POLICY_KEY_SEND \(1\)"),
        (write_policy, {"commit_level": -1}, r"POLICY_COMMIT_LEVEL_ALL \(0\)"),
        (write_policy, {"ttl": -4}, r"got -4, allowed: an int from -2 .*TTL_ constant"),
        (write_policy, {"ttl": 2**33}, r"got 8589934592"),
        (write_policy, {"durable_delete": 1}, r"got 1, allowed: True or False"),
        (batch_policy, {"ttl": "x"}, r"policy\['ttl'\]: got 'x'"),
        (batch_policy, {"concurrency": 4}, r"BATCH_CONCURRENCY_SEQUENTIAL \(0\)"),
        (lambda meta: write_policy(None, meta), {"gen": -1}, r"meta\['gen'\]: got -1, allowed: an int from 0 to 65535"),
        (lambda meta: write_policy(None, meta), {"total_timeout": 5}, r"meta: unknown field 'total_timeout'"),
        (lambda ttl: write_policy(None, None, ttl=ttl), -5, r"val: got -5"),
        (lambda ttl: write_policy(None, None, ttl=ttl), "5", r"val: got '5'"),
    ],
)
def test_slips_are_refused_with_what_is_allowed(convert: Any, policy: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        convert(policy)
    assert re.search(message, str(caught.value)), str(caught.value)
