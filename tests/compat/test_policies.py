"""Policies and metas in milliseconds become policies in seconds.

Fields that a call has no use for have no effect, as in aerospike-py; in strict mode they are refused.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import types
from aerospike_py._conversion import policies as _policies, policy_fields
from aerospike_py._conversion.policies import reader_for
from tests.compat.background import BackgroundCluster
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

TOLERANT, STRICT = reader_for(False), reader_for(True)
read_policy, write_policy, batch_policy, info_policy = TOLERANT.read, TOLERANT.write, TOLERANT.batch, TOLERANT.info
MODES = pytest.mark.parametrize("reader", [TOLERANT, STRICT], ids=["tolerant", "strict"])

TIMES: list[tuple[str, Any, str, Any]] = [
    ("socket_timeout", 5000, "socket_timeout", 5.0),
    ("socket_timeout", 0, "socket_timeout", None),
    ("total_timeout", 10000, "total_timeout", 10.0),
    ("total_timeout", 1, "total_timeout", 0.001),
    ("total_timeout", 0, "total_timeout", None),
    ("total_timeout", 4294967295, "total_timeout", 4294967.295),
    ("socket_timeout", 1_000_000_001, "socket_timeout", 1_000_000.001),
    ("sleep_between_retries", 4294967295, "sleep_between_retries", 4294967.295),
    ("sleep_between_retries", 250, "sleep_between_retries", 0.25),
    ("max_retries", 5, "max_retries", 5),
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
    ("ttl", 4294967295, "ttl", -1),
    ("ttl", 4294967294, "ttl", -2),
]
REPLICAS: list[tuple[str, Any, str, Any]] = [
    ("replica", aerospike.POLICY_REPLICA_MASTER, "replica", Replica.MASTER),
    ("replica", aerospike.POLICY_REPLICA_SEQUENCE, "replica", Replica.SEQUENCE),
]
BATCHES: list[tuple[str, Any, str, Any]] = [
    ("allow_inline", False, "allow_inline", False),
    ("allow_inline_ssd", True, "allow_inline_ssd", True),
    ("respond_all_keys", False, "respond_all_keys", False),
    ("concurrency", aerospike.BATCH_CONCURRENCY_SEQUENTIAL, "concurrency", BatchConcurrency.SEQUENTIAL),
    ("concurrency", aerospike.BATCH_CONCURRENCY_PARALLEL, "concurrency", BatchConcurrency.PARALLEL),
]


@MODES
@pytest.mark.parametrize("name,value,field,expected", TIMES + REPLICAS)
def test_read_policy_field(reader: Any, name: str, value: Any, field: str, expected: Any):
    assert reader.read({name: value}) == ReadPolicy(**{field: expected})


@MODES
@pytest.mark.parametrize("name,value,field,expected", TIMES + WRITES)
def test_write_policy_field(reader: Any, name: str, value: Any, field: str, expected: Any):
    assert reader.write({name: value}) == WritePolicy(**{field: expected})


@MODES
@pytest.mark.parametrize("name,value,field,expected", TIMES + REPLICAS + BATCHES)
def test_batch_policy_field(reader: Any, name: str, value: Any, field: str, expected: Any):
    assert reader.batch({name: value}) == BatchPolicy(**{field: expected})


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
    "fields,declared",
    [
        (policy_fields.READ_FIELDS, [types.ReadPolicy]),
        (policy_fields.WRITE_FIELDS, [types.WritePolicy]),
        (policy_fields.META_FIELDS, [types.WriteMeta]),
        (policy_fields.BATCH_FIELDS, [types.BatchPolicy]),
        (policy_fields.QUERY_FIELDS, [types.QueryPolicy, types.ScanPolicy]),
        (policy_fields.REMOVE_META_FIELDS, [types.BatchDeleteMeta]),
        (policy_fields.APPLY_META_FIELDS, [types.BatchUDFMeta]),
        (policy_fields.INFO_FIELDS, [types.AdminPolicy]),
    ],
)
def test_the_table_of_a_policy_has_the_declared_fields(fields: policy_fields.Fields, declared: list[Any]):
    expected = {name for each in declared for name in each.__annotations__}
    # Writes take the replica of a read, without effect.
    assert set(fields) == expected | ({"replica"} if types.WritePolicy in declared else set())


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
    with pytest.raises(aerospike.InvalidArgError):
        read_policy({"max_retries": 1.0})
    with pytest.raises(aerospike.InvalidArgError):
        STRICT.read({"max_retries": True})


def test_true_and_false_stand_for_numbers_where_the_original_takes_them():
    assert read_policy({"max_retries": True, "total_timeout": False}) == ReadPolicy(max_retries=1, total_timeout=None)
    assert write_policy({"key": True, "ttl": False}) == WritePolicy(send_key=True, ttl=None)
    assert write_policy(None, None, ttl=True) == WritePolicy(ttl=1)


def test_a_write_has_no_replica_to_choose():
    for value in (*range(4), "x"):
        assert write_policy({"replica": value}) == WritePolicy()


# Slips that are refused in both modes ...
WRONG: list[tuple[str, Any, str]] = [
    ("read", {"total_timeout": -1}, r"policy\['total_timeout'\]: got -1, allowed: an int from 0 .*milliseconds"),
    ("read", {"total_timeout": 4294967296}, r"got 4294967296, allowed: an int from 0 to 4294967295"),
    ("read", {"total_timeout": 1.5}, r"got 1\.5, allowed: an int"),
    ("read", {"total_timeout": None}, r"got None"),
    ("read", {"total_timeout": "5"}, r"got '5'"),
    ("read", {"max_retries": -1}, r"policy\['max_retries'\]: got -1"),
    ("read", {"replica": 7}, r"got 7, allowed: POLICY_REPLICA_MASTER \(0\), POLICY_REPLICA_SEQUENCE \(1\)$"),
    ("read", {"replica": 2}, r"POLICY_REPLICA_PREFER_RACK \(2\) without configuring racks"),
    ("batch", {"replica": 2}, r"without configuring racks"),
    ("read", {"read_mode_ap": 9}, r"got 9, allowed: POLICY_READ_MODE_AP_ONE"),
    ("read", {"read_touch_ttl_percent": 101}, r"from -1 to 100"),
    ("read", {"timeout_delay": -1}, r"policy\['timeout_delay'\]: got -1"),
    ("read", {"filter_expression": "x"}, r"packed expression"),
    ("read", [("total_timeout", 5)], r"policy: got .*, allowed: a dict of socket_timeout"),
    ("write", {"exists": 5}, r"got 5, allowed: .*POLICY_EXISTS_CREATE_ONLY \(4\)"),
    ("write", {"gen": 3}, r"POLICY_GEN_IGNORE \(0\)"),
    ("write", {"key": 2}, r"POLICY_KEY_DIGEST \(0\), POLICY_KEY_SEND \(1\)"),
    ("write", {"commit_level": -1}, r"POLICY_COMMIT_LEVEL_ALL \(0\)"),
    ("write", {"ttl": -4}, r"got -4, allowed: an int from -2 .*TTL_ constant"),
    ("write", {"ttl": 2**33}, r"ttl out of range: got 8589934592"),
    ("write", {"ttl": 4294967293}, r"got 4294967293"),
    ("write", {"durable_delete": 1}, r"got 1, allowed: True or False"),
    ("batch", {"concurrency": 4}, r"BATCH_CONCURRENCY_SEQUENTIAL \(0\)"),
    ("meta", {"gen": -1}, r"meta\['gen'\]: got -1, allowed: an int from 0 to 65535"),
    ("ttl", -5, r"val: ttl out of range: got -5"),
    ("ttl", "5", r"val: got '5'"),
    ("ttl", None, r"val: got None"),
]
# ... and in strict mode only, for outside of it they have no effect.
UNUSED: list[tuple[str, Any, str]] = [
    ("read", {"ttl": 5}, r"policy: unknown field 'ttl'"),
    ("read", {"key": 1}, r"policy: unknown field 'key'"),
    ("read", {"timeout": 1000}, r"unknown field 'timeout', did you mean '\w*timeout\w*'\?"),
    ("batch", {"ttl": "x"}, r"policy\['ttl'\]: got 'x'"),
    ("info", {"total_timeout": 5}, r"did you mean 'timeout'\?"),
    ("meta", {"total_timeout": 5}, r"meta: unknown field 'total_timeout'"),
]
UNKNOWN: list[tuple[str, Any, str]] = [
    ("read", {"total_timout": 5}, r"policy: unknown field 'total_timout', did you mean 'total_timeout'\?"),
    ("write", {"durable_deletes": True}, r"did you mean 'durable_delete'\?"),
    ("batch", {"respond_all_key": True}, r"did you mean 'respond_all_keys'\?"),
    ("info", {"time_out": 5}, r"did you mean 'timeout'\?"),
    ("read", {1: 5}, r"unknown field 1"),
    ("meta", {"genn": 5}, r"meta: unknown field 'genn', did you mean 'gen'\?"),
]
NOTHING: dict[str, Any] = {
    "read": ReadPolicy(),
    "write": WritePolicy(),
    "batch": BatchPolicy(),
    "info": InfoPolicy(),
    "meta": WritePolicy(),
}


def converted(reader: Any, kind: str, given: Any) -> Any:
    if kind == "meta":
        return reader.write(None, given)
    return reader.write(None, None, ttl=given) if kind == "ttl" else getattr(reader, kind)(given)


@MODES
@pytest.mark.parametrize("kind,given,message", WRONG)
def test_wrong_values_are_refused_with_what_is_allowed(reader: Any, kind: str, given: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        converted(reader, kind, given)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("kind,given,message", UNUSED + UNKNOWN)
def test_strict_mode_refuses_fields_without_effect(kind: str, given: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        converted(STRICT, kind, given)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("kind,given,message", UNUSED)
def test_fields_of_other_policies_have_no_effect_and_say_nothing(kind: str, given: Any, message: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert converted(TOLERANT, kind, given) == NOTHING[kind]


@pytest.mark.parametrize("kind,given,message", UNKNOWN)
def test_unknown_fields_have_no_effect_and_warn_once_per_name(
    kind: str, given: Any, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_policies, "_warned", set())
    with pytest.warns(UserWarning, match=message) as caught:
        for number in range(3):  # other values, so that it is not the same policy, remembered
            assert converted(TOLERANT, kind, {**given, **({} if kind == "info" else {"ttl": number})}) is not None
    assert len(caught) == 1
    assert "AEROSPIKE_PY_STRICT" in str(caught[0].message)


def test_names_that_are_warned_of_are_bounded(monkeypatch: pytest.MonkeyPatch):
    warned: set[Any] = set()
    monkeypatch.setattr(_policies, "_warned", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(_policies._WARNED_MAX + 10):
            read_policy({f"field{number}": 1})
    assert len(warned) == _policies._WARNED_MAX


# -- through a client --------------------------------------------------------------------------------------------------

KEY = ("test", "policies", 1)
#: A policy of every field that any call has, with values that each of them takes, and a filter that lets all through.
ANY: dict[str, Any] = {
    name: 1 if name not in ("total_timeout", "socket_timeout", "timeout") else 5000
    for each in (types.ReadPolicy, types.WritePolicy, types.BatchPolicy, types.AdminPolicy, types.QueryPolicy)
    for name in each.__annotations__
    if name not in ("filter_expression", "partition_filter", "exists", "gen", "max_records", "records_per_second")
} | {
    "durable_delete": False,
    "allow_inline": True,
    "allow_inline_ssd": False,
    "respond_all_keys": True,
    "include_bin_data": True,
    "ttl": 100,
}  # fmt: skip
CALLS: dict[str, Any] = {
    "get": lambda client, policy: client.get(KEY, policy),
    "select": lambda client, policy: client.select(KEY, ["a"], policy),
    "exists": lambda client, policy: client.exists(KEY, policy),
    "put": lambda client, policy: client.put(KEY, {"a": 1}, None, policy),
    "meta": lambda client, policy: client.put(KEY, {"a": 1}, {**policy, "gen": 1}, {"gen": 0}),
    "touch": lambda client, policy: client.touch(KEY, 0, None, policy),
    "increment": lambda client, policy: client.increment(KEY, "a", 1, None, policy),
    "operate": lambda client, policy: client.operate(KEY, [{"op": 1, "bin": "a"}], None, policy),
    "batch_read": lambda client, policy: client.batch_read([KEY], None, policy),
    "batch_write": lambda client, policy: client.batch_write([(KEY, {"a": 1})], policy),
    "batch_operate": lambda client, policy: client.batch_operate([KEY], [{"op": 1, "bin": "a"}], policy),
    "batch_remove": lambda client, policy: client.batch_remove([(*KEY[:2], 2)], policy),
    "query": lambda client, policy: client.query(*KEY[:2]).results(policy),
    "info_all": lambda client, policy: client.info_all("build", policy),
    "index_remove": lambda client, policy: client.index_remove("test", "no_index", policy),
    "truncate": lambda client, policy: client.truncate("test", "no_set", 0, policy),
}


@pytest.mark.parametrize("call", CALLS)
def test_one_policy_may_be_passed_to_every_call(client: Any, call: str):
    client.put(KEY, {"a": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CALLS[call](client, ANY)


@pytest.mark.parametrize("call", CALLS)
def test_a_strict_client_refuses_what_has_no_effect(make_client: Any, shared_cluster: BackgroundCluster, call: str):
    client = make_client(hosts=shared_cluster.hosts, strict=True).connect()
    client.put(KEY, {"a": 1})
    with pytest.raises(aerospike.InvalidArgError, match="unknown field 'total_timout'"):
        CALLS[call](client, {"total_timout": 5})
    tolerant = make_client(hosts=shared_cluster.hosts, strict=False).connect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CALLS[call](tolerant, {"total_timout": 5})


METAS: dict[str, Any] = {
    "batch_write": lambda client, meta: client.batch_write([(KEY, {"a": 1}, meta)]),
    "batch_remove": lambda client, meta: client.batch_remove([(KEY, meta)]),
    "batch_apply": lambda client, meta: client.batch_apply([(KEY, meta)], "no_module", "no_function"),
}


@pytest.mark.parametrize("call", METAS)
def test_metas_of_rows_are_read_alike(make_client: Any, shared_cluster: BackgroundCluster, call: str):
    client = make_client(hosts=shared_cluster.hosts).connect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (row,) = METAS[call](client, {"total_timeout": 5, "argss": 7}).batch_records
    assert row.result in (0, 2, 16, 100)
    strict = make_client(hosts=shared_cluster.hosts, strict=True).connect()
    with pytest.raises(aerospike.InvalidArgError, match="unknown field 'argss'") as caught:
        METAS[call](strict, {"argss": 7})
    assert ("did you mean 'args'?" in str(caught.value)) is (call == "batch_apply")


def test_the_environment_chooses_strict_mode(make_client: Any, monkeypatch: pytest.MonkeyPatch):
    hosts = [("127.0.0.1", 3000)]
    for value, strict in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("AEROSPIKE_PY_STRICT", value)
        assert aerospike.client({"hosts": hosts})._policies.strict is strict
        assert aerospike.client({"hosts": hosts, "strict": False})._policies.strict is False
    monkeypatch.setenv("AEROSPIKE_PY_STRICT", "1")
    with pytest.raises(aerospike.InvalidArgError, match="unknown field 'policies'"):
        make_client(hosts=hosts, policies={}).connect()


@pytest.mark.parametrize("ttl,low,high", [(100, 90, 100), (4294967295, 4294967295, 4294967295), (True, 0, 1)])
def test_a_touch_among_operations_sets_the_time_to_live(client: Any, ttl: Any, low: int, high: int):
    touch = {"op": aerospike.OPERATOR_TOUCH, "bin": "", "val": ttl}
    for number, call in enumerate(
        (
            lambda key: client.operate(key, [touch]),
            lambda key: client.operate(key, iter([touch]), {"ttl": 5000}, {"ttl": 7000}),
            lambda key: client.operate_ordered(key, [touch]),
            lambda key: client.batch_operate([key], [touch], {"ttl": 7000}),
        )
    ):
        key = (*KEY[:2], f"touch{number}")
        client.put(key, {"a": 1}, {"ttl": 1000})
        call(key)
        assert low <= client.exists(key).meta.ttl <= high
        client.operate(key, [{**touch, "val": None}], {"ttl": 500})
        assert 490 <= client.exists(key).meta.ttl <= 500
    with pytest.raises(aerospike.InvalidArgError, match="val: got 'x'"):
        client.operate(KEY, [{**touch, "val": "x"}])
