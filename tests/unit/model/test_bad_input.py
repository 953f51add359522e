"""One test for every kind of bad input: refused at once, naming the field, the value and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from trio_aerospike import operations as ops
from trio_aerospike.config import ClientConfig, Host
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.keys import Key, as_key
from trio_aerospike.policies import (
    AdminPolicy,
    BatchPolicy,
    InfoPolicy,
    ReadPolicy,
    WritePolicy,
    checked_generation,
    wire_ttl,
)
from trio_aerospike.validation import checked_bin_names, checked_bins

HOSTS = "127.0.0.1:3000"
ONE_HOST = 'allowed: "host:port" or ("host", port), with a port from 1 to 65535'
SOME_HOSTS = 'allowed: "host:port", ("host", port) or a list of such'
HOST_LIST = 'allowed: "host:port", ("host", port) or a list of such, at least one'


def native(**fields: Any) -> Callable[[], object]:
    return lambda: ClientConfig(**({"hosts": HOSTS} | fields))


def page(**keys: Any) -> Callable[[], object]:
    return lambda: ClientConfig.from_milliseconds({"hosts": HOSTS} | keys)


def expect(make: Callable[[], object], *parts: str) -> InvalidArgError:
    with pytest.raises(InvalidArgError) as caught:
        make()
    for part in parts:
        assert part in str(caught.value)
    assert caught.value.result_code == -1
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


# --- names of fields -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "owner", "wrong", "right"),
    [
        (native(max_conn_per_node=5), "ClientConfig", "max_conn_per_node", "max_conns_per_node"),
        (native(operation_queue_timeout_ms=5), "ClientConfig", "operation_queue_timeout_ms", "operation_queue_timeout"),
        (native(usr="ann"), "ClientConfig", "usr", "user"),
        (lambda: ClientConfig("h").replace(tendinterval=1), "ClientConfig", "tendinterval", "tend_interval"),
        (page(hots=[]), "ClientConfig", "hots", "hosts"),
        (page(operation_queue_timeout=5), "ClientConfig", "operation_queue_timeout", "operation_queue_timeout_ms"),
        (page(clustername="x"), "ClientConfig", "clustername", "cluster_name"),
        (lambda: ReadPolicy(total_timout=1), "ReadPolicy", "total_timout", "total_timeout"),  # type: ignore[call-arg]
        (lambda: ReadPolicy().replace(max_retry=1), "ReadPolicy", "max_retry", "max_retries"),
        (lambda: WritePolicy(generaton=1), "WritePolicy", "generaton", "generation"),  # type: ignore[call-arg]
        (lambda: WritePolicy().replace(exist=1), "WritePolicy", "exist", "exists"),
        (lambda: BatchPolicy(allow_inlne=True), "BatchPolicy", "allow_inlne", "allow_inline"),  # type: ignore[call-arg]
        (lambda: BatchPolicy(replika=0), "BatchPolicy", "replika", "replica"),  # type: ignore[call-arg]
        (lambda: InfoPolicy(time_out=1), "InfoPolicy", "time_out", "timeout"),  # type: ignore[call-arg]
        (lambda: AdminPolicy(timeuot=1), "AdminPolicy", "timeuot", "timeout"),  # type: ignore[call-arg]
    ],
)
def test_unknown_field_with_the_nearest_right_name(make, owner, wrong, right):
    error = expect(make, f"{owner}: unknown field '{wrong}', did you mean '{right}'?", "allowed: ")
    assert right in str(error).split("allowed: ")[1].split(", ")


@pytest.mark.parametrize("make", [native(zzz=1), page(zzz=1), lambda: ReadPolicy().replace(zzz=1)])
def test_unknown_field_that_is_near_nothing_lists_what_is_allowed(make):
    error = expect(make, "unknown field 'zzz', allowed: ")
    assert "did you mean" not in str(error)


@pytest.mark.parametrize("name", ["_info1", "_info3", "_wire_ttl"])
def test_private_fields_cannot_be_given(name):
    fields: dict[str, Any] = {name: 1}
    expect(lambda: ReadPolicy(**fields), f"unknown field '{name}'")
    expect(lambda: ReadPolicy().replace(**fields), f"unknown field '{name}'")


def test_a_key_of_the_dict_that_is_no_str():
    expect(lambda: ClientConfig.from_milliseconds({"hosts": HOSTS, 5: 1}), "unknown field 5,")  # type: ignore[dict-item]


# --- hosts -----------------------------------------------------------------------------------------------------


def test_missing_hosts():
    expect(lambda: ClientConfig(), "ClientConfig.hosts: missing")  # type: ignore[call-arg]
    expect(lambda: ClientConfig.from_milliseconds({}), "ClientConfig.hosts: missing", HOST_LIST)


@pytest.mark.parametrize("hosts", [[], ()])
def test_empty_hosts(hosts):
    expect(native(hosts=hosts), f"ClientConfig.hosts: got {hosts!r}", HOST_LIST)
    expect(page(hosts=hosts), f"ClientConfig.hosts: got {hosts!r}", HOST_LIST)


@pytest.mark.parametrize("hosts", [None, 3000, 1.5, b"h:3000", {"h": 3000}, object])
def test_hosts_of_a_wrong_type(hosts):
    expect(native(hosts=hosts), f"ClientConfig.hosts: got {hosts!r}", SOME_HOSTS)
    expect(page(hosts=hosts), f"ClientConfig.hosts: got {hosts!r}", SOME_HOSTS)
    with pytest.raises(InvalidArgError) as caught:
        ClientConfig(hosts=hosts)
    assert "empty" not in str(caught.value)


@pytest.mark.parametrize(
    ("hosts", "hint"),
    [
        (3000, '3000 alone is a port: write ("127.0.0.1", 3000)'),
        ("3000", '3000 alone is a port: write ("127.0.0.1", 3000)'),
        (["db", "3000"], "3000 alone is a port"),
        ("http://db:3000", "write it without 'http://'"),
        ("::1:3000:", 'in brackets: "[::1]:3000"'),
        ({"hosts": [("db", 3000)]}, "ClientConfig.from_milliseconds"),
        ([("db", "3000")], "the port is an int"),
        (b"db:3000", "a host name is a str"),
    ],
)
def test_a_slip_in_hosts_is_met_with_what_was_meant(hosts, hint):
    expect(native(hosts=hosts), "ClientConfig.hosts", hint)


@pytest.mark.parametrize("port", [0, -1, 65536, 99999999, True, 3000.0, None])
def test_port_out_of_range_or_of_a_wrong_type(port):
    expect(native(hosts=("h", port)), f"ClientConfig.hosts: got ('h', {port!r})", ONE_HOST)
    expect(page(hosts=[("g", 1), ("h", port)]), f"ClientConfig.hosts[1]: got ('h', {port!r})", ONE_HOST)


@pytest.mark.parametrize("port", [0, -1, 65536, True, "3000", None])
def test_port_of_a_host(port):
    expect(lambda: Host("h", port), f"Host.port: got {port!r}", "allowed: an int from 1 to 65535")


@pytest.mark.parametrize(
    "host",
    ["", " ", "h:", "h:x", "h:0", "h:65536", "h:-1", ":3000", "http://h:3000", "a b", "[::1", "[::1]3000", "1::2::3"],
)
def test_text_that_is_no_address(host):
    expect(native(hosts=host), f"ClientConfig.hosts: got {host!r}", ONE_HOST)
    expect(page(hosts=[host]), f"ClientConfig.hosts[0]: got {host!r}", ONE_HOST)


@pytest.mark.parametrize(
    "host", [None, 5, (), ("h", 1, 2, 3), ("h", 1, 2), ("", 1), (b"h", 1), (1, "h"), ("h", "3000"), ("3000",), {}]
)
def test_element_of_hosts_that_is_no_address(host):
    expect(page(hosts=[host]), f"ClientConfig.hosts[0]: got {host!r}", ONE_HOST)


def test_a_port_as_text_beside_its_host_is_not_taken_for_a_second_host():
    expect(native(hosts=("127.0.0.1", "3000")), "ClientConfig.hosts[1]: got '3000'", ONE_HOST)


@pytest.mark.parametrize("name", ["", "a b", "h:1", None, 5, "3000"])
def test_name_of_a_host(name):
    expect(lambda: Host(name), f"Host.name: got {name!r}", "allowed: a host name, an IPv4 or an IPv6 address")


def test_tls_name_of_a_host():
    expect(lambda: Host("h", 1, ""), "Host.tls_name: got ''", "allowed: a str")


# --- types and sizes of the configuration ----------------------------------------------------------------------


NO_INT = [True, False, 1.0, "1", None, b"1", [1]]
NO_NUMBER = [True, "1", b"1", [1], math.nan, math.inf, -math.inf, 10**400]


@pytest.mark.parametrize("value", NO_INT)
@pytest.mark.parametrize(
    ("field", "low"),
    [
        ("max_conns_per_node", 1),
        ("min_conns_per_node", 0),
        ("conn_pools_per_node", 1),
        ("max_concurrent_operations", 0),
    ],
)
def test_counts_are_ints_and_not_bools(field, low, value):
    for make in (native, page):
        expect(make(**{field: value}), f"ClientConfig.{field}: got {value!r}", f"allowed: an int of {low} or more")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_conns_per_node", 0),
        ("max_conns_per_node", -1),
        ("min_conns_per_node", -1),
        ("conn_pools_per_node", 0),
        ("conn_pools_per_node", -5),
        ("max_concurrent_operations", -1),
    ],
)
def test_counts_are_not_negative_and_some_not_zero(field, value):
    for make in (native, page):
        expect(make(**{field: value}), f"ClientConfig.{field}: got {value}", "allowed: an int of ")


@pytest.mark.parametrize("value", [*NO_NUMBER, 0, -1, -0.001])
@pytest.mark.parametrize("field", ["timeout", "idle_timeout", "tend_interval", "operation_queue_timeout"])
def test_times_are_seconds_above_zero(field, value):
    expect(native(**{field: value}), f"ClientConfig.{field}: got ", "allowed: a number of seconds above 0")


def test_only_the_tend_interval_must_be_finite():
    expect(native(tend_interval=None), "ClientConfig.tend_interval: got None", "allowed: a number of seconds above 0")
    for field in ("timeout", "idle_timeout", "operation_queue_timeout"):
        assert getattr(ClientConfig("h").replace(**{field: None}), field) is None


@pytest.mark.parametrize("value", [*NO_INT, -1, "more"])
@pytest.mark.parametrize(
    ("key", "low", "high", "unit"),
    [
        ("timeout", 0, (1 << 32) - 1, "milliseconds, 0 for no limit"),
        ("idle_timeout", 0, (1 << 32) - 1, "seconds, 0 for no limit"),
        ("tend_interval", 1, (1 << 32) - 1, "milliseconds"),
        ("operation_queue_timeout_ms", 0, (1 << 64) - 1, "milliseconds, 0 for no limit"),
    ],
)
def test_times_of_the_dict_are_ints_in_its_own_units(key, low, high, unit, value):
    value = high + 1 if value == "more" else value
    expect(page(**{key: value}), f"ClientConfig.{key}: got {value!r}", f"allowed: an int from {low} to {high} ({unit})")


def test_a_tend_interval_of_zero_milliseconds():
    expect(page(tend_interval=0), "ClientConfig.tend_interval: got 0", "allowed: an int from 1")


@pytest.mark.parametrize("make", [native, page])
def test_min_above_max(make):
    expect(
        make(min_conns_per_node=11, max_conns_per_node=10),
        "ClientConfig.min_conns_per_node: got 11, allowed: 0 to max_conns_per_node, which is 10",
    )


@pytest.mark.parametrize("make", [native, page])
def test_more_pools_than_connections(make):
    expect(
        make(conn_pools_per_node=3, max_conns_per_node=2),
        "ClientConfig.conn_pools_per_node: got 3, allowed: 1 to max_conns_per_node, which is 2",
    )


@pytest.mark.parametrize("value", [0, 1, "yes", None])
@pytest.mark.parametrize("make", [native, page])
def test_a_flag_is_true_or_false(make, value):
    expect(
        make(use_services_alternate=value),
        f"ClientConfig.use_services_alternate: got {value!r}, allowed: True or False",
    )


@pytest.mark.parametrize("value", [3, "3", -1, True, 1.0, None, ReadPolicy().replica])
@pytest.mark.parametrize("make", [native, page])
def test_auth_mode_outside_the_closed_set(make, value):
    expect(
        make(auth_mode=value),
        f"ClientConfig.auth_mode: got {value!r}, allowed: "
        "AuthMode.INTERNAL (0), AuthMode.EXTERNAL (1), AuthMode.PKI (2)",
    )


@pytest.mark.parametrize("field", ["cluster_name", "user"])
@pytest.mark.parametrize("value", [5, b"x", True, "a\0b", "\ud800"])
@pytest.mark.parametrize("make", [native, page])
def test_texts_of_the_configuration(make, value, field):
    expect(make(**{field: value}), f"ClientConfig.{field}: got {value!r}", "allowed: a str")


@pytest.mark.parametrize("make", [native, page])
def test_a_password_of_a_wrong_type_is_named_but_not_shown(make):
    error = expect(make(password=b"hunter2"), "ClientConfig.password: got a bytes", "allowed: a str")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("tls", "an ssl.SSLContext, or None"),
        ("read_policy", "a ReadPolicy"),
        ("write_policy", "a WritePolicy"),
        ("batch_policy", "a BatchPolicy"),
        ("query_policy", "a QueryPolicy"),
        ("info_policy", "an InfoPolicy"),
        ("admin_policy", "an AdminPolicy"),
    ],
)
def test_objects_of_the_configuration(field, allowed):
    expect(native(**{field: {}}), f"ClientConfig.{field}: got {{}}, allowed: {allowed}")


@pytest.mark.parametrize("config", [None, [], "h:3000", 5])
def test_a_configuration_that_is_no_dict(config):
    expect(lambda: ClientConfig.from_milliseconds(config), f"ClientConfig: got {config!r}", "allowed: a dict")


# --- policies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [ReadPolicy, WritePolicy, BatchPolicy])
@pytest.mark.parametrize("field", ["total_timeout", "socket_timeout"])
@pytest.mark.parametrize("value", [*NO_NUMBER, 0, -1])
def test_timeouts_of_a_policy(cls, field, value):
    expect(
        lambda: cls(**{field: value}),
        f"{cls.__name__}.{field}: got ",
        "allowed: a number of seconds above 0",
        "or None for no limit",
    )


@pytest.mark.parametrize("cls", [InfoPolicy, AdminPolicy])
@pytest.mark.parametrize("value", [*NO_NUMBER, 0, -1])
def test_timeout_of_info_and_admin(cls, value):
    expect(lambda: cls(timeout=value), f"{cls.__name__}.timeout: got ", "allowed: a number of seconds above 0")


@pytest.mark.parametrize("cls", [ReadPolicy, WritePolicy, BatchPolicy])
@pytest.mark.parametrize("value", [*NO_NUMBER, -0.1, None])
def test_sleep_between_retries(cls, value):
    expect(
        lambda: cls(sleep_between_retries=value),
        f"{cls.__name__}.sleep_between_retries: got ",
        "allowed: a number of seconds of 0 or more",
    )


@pytest.mark.parametrize("cls", [ReadPolicy, WritePolicy, BatchPolicy])
@pytest.mark.parametrize("value", [*NO_INT, -1])
def test_max_retries(cls, value):
    expect(lambda: cls(max_retries=value), f"{cls.__name__}.max_retries: got {value!r}", "allowed: an int of 0 or more")


@pytest.mark.parametrize("value", [*NO_INT, -2, 101])
def test_read_touch_ttl_percent(value):
    expect(
        lambda: ReadPolicy(read_touch_ttl_percent=value),
        f"ReadPolicy.read_touch_ttl_percent: got {value!r}",
        "allowed: an int from -1 to 100",
    )


@pytest.mark.parametrize(
    ("cls", "field", "enum", "beyond"),
    [
        (ReadPolicy, "replica", "Replica", 3),
        (ReadPolicy, "read_mode_ap", "ReadModeAP", 2),
        (ReadPolicy, "read_mode_sc", "ReadModeSC", 4),
        (WritePolicy, "replica", "Replica", 3),
        (WritePolicy, "exists", "Exists", 5),
        (WritePolicy, "generation_check", "GenerationCheck", 3),
        (WritePolicy, "commit_level", "CommitLevel", 2),
        (BatchPolicy, "concurrency", "BatchConcurrency", 2),
    ],
)
def test_enums_are_closed_sets(cls, field, enum, beyond):
    for value in (beyond, -1, True, 1.0, "MASTER", None, ClientConfig("h").auth_mode):
        expect(lambda v=value: cls(**{field: v}), f"{cls.__name__}.{field}: got {value!r}, allowed: {enum}.")  # type: ignore[misc]
        expect(lambda v=value: cls().replace(**{field: v}), f"{cls.__name__}.{field}: got {value!r}")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("cls", "field"),
    [
        (ReadPolicy, "send_key"),
        (ReadPolicy, "compress"),
        (WritePolicy, "durable_delete"),
        (WritePolicy, "respond_all_ops"),
        (BatchPolicy, "allow_inline"),
        (BatchPolicy, "allow_inline_ssd"),
        (BatchPolicy, "respond_all_keys"),
    ],
)
@pytest.mark.parametrize("value", [0, 1, None, "no"])
def test_flags_of_a_policy(cls, field, value):
    expect(lambda: cls(**{field: value}), f"{cls.__name__}.{field}: got {value!r}, allowed: True or False")


@pytest.mark.parametrize("value", ["x", b"", 5, object])
@pytest.mark.parametrize("cls", [ReadPolicy, WritePolicy])
def test_filter_expression(cls, value):
    expect(
        lambda: cls(filter_expression=value),
        f"{cls.__name__}.filter_expression: got {value!r}",
        "allowed: a packed expression as bytes",
    )


@pytest.mark.parametrize("ttl", [-3, -100, 10 * 365 * 86400 + 1, 1 << 32, True, 1.5, "60"])
def test_ttl(ttl):
    allowed = "allowed: 1 to 315360000 seconds (ten years)"
    expect(lambda: WritePolicy(ttl=ttl), f"WritePolicy.ttl: got {ttl!r}", allowed, "TTL_NEVER_EXPIRE")
    expect(lambda: wire_ttl(ttl), f"ttl: got {ttl!r}", allowed)


@pytest.mark.parametrize("generation", [-1, 65536, True, 1.0, "1", None])
def test_generation(generation):
    allowed = "allowed: an int from 0 to 65535"
    expect(lambda: WritePolicy(generation=generation), f"WritePolicy.generation: got {generation!r}", allowed)
    expect(lambda: checked_generation(generation), f"generation: got {generation!r}", allowed)


# --- keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("namespace", ["", "n" * 32, "ä" * 16, None, 5, b"test", "te\0st", "\ud800", ["test"]])
def test_namespace_of_31_bytes_at_most(namespace):
    parts = f"Key.namespace: got {namespace!r}", "allowed: a str of 1 to 31 bytes in UTF-8"
    expect(lambda: Key(namespace, "s", 1), *parts)
    expect(lambda: as_key((namespace, "s", 1)), *parts)
    expect(lambda: Key.from_digest(namespace, "s", bytes(20)), *parts)


@pytest.mark.parametrize("set_name", ["s" * 64, "ä" * 32, 5, 0, False, b"users", "us\0ers", "\ud800", ["users"]])
def test_set_name_of_63_bytes_at_most(set_name):
    parts = f"Key.set_name: got {set_name!r}", "allowed: a str of 0 to 63 bytes in UTF-8"
    expect(lambda: Key("test", set_name, 1), *parts)
    expect(lambda: as_key(("test", set_name, 1)), *parts)
    expect(lambda: Key.from_digest("test", set_name, bytes(20)), *parts)


@pytest.mark.parametrize(
    "user_key", [None, True, False, 1.5, [1], (1,), {1}, {}, object, 1 << 63, -(1 << 63) - 1, 1 << 200, "\ud800"]
)
def test_user_key_of_a_wrong_type_or_size(user_key):
    parts = "Key.user_key: got ", "allowed: an int of 64 bits, a str or bytes"
    expect(lambda: Key("test", "s", user_key), *parts)
    expect(lambda: as_key(("test", "s", user_key)), *parts)


@pytest.mark.parametrize(
    "key", [None, "ann", b"ann", 5, [], ["test", "s", 1], (), ("test",), ("test", "s"), ("a", "b", 1, None, 5), {}]
)
def test_something_that_is_no_key(key):
    expect(lambda: as_key(key), f"key: got {key!r}", "allowed: a Key, or a tuple (namespace, set, user key)")


@pytest.mark.parametrize("digest", [b"", b"x" * 19, b"x" * 21, "x" * 20, 5])
def test_digest_of_20_bytes(digest):
    parts = f"Key.digest: got {digest!r}", "allowed: 20 bytes"
    expect(lambda: Key.from_digest("test", "s", digest), *parts)
    expect(lambda: as_key(("test", "s", 1, digest)), *parts)


# --- bins and operations ---------------------------------------------------------------------------------------


BAD_NAMES = ["", "b" * 16, "ä" * 8, 5, None, b"age", "a\0b", "\ud800", ["age"], True]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize(
    "make",
    [
        ops.read,
        lambda name: ops.write(name, 1),
        lambda name: ops.append(name, "x"),
        lambda name: ops.prepend(name, "x"),
        lambda name: ops.increment(name, 1),
        lambda name: checked_bin_names(["ok", name]),
    ],
    ids=["read", "write", "append", "prepend", "increment", "names"],
)
def test_bin_name_of_15_bytes_at_most(make, name):
    error = expect(lambda: make(name), f": got {name!r}", "allowed: a str of 1 to 15 bytes in UTF-8")
    assert re.match(r"(\w+\.bin_name|bin name): got ", str(error))


@pytest.mark.parametrize("name", [n for n in BAD_NAMES if not isinstance(n, list)])
def test_bin_name_among_those_to_be_written(name):
    expect(
        lambda: checked_bins({"ok": 1, name: 2}), f"bin name: got {name!r}", "allowed: a str of 1 to 15 bytes in UTF-8"
    )


def test_no_bins_or_too_many():
    expect(lambda: checked_bins({}), "bins: got {}", "allowed: 1 to 32767 bins")
    expect(lambda: checked_bins({str(i): i for i in range(32768)}), "bins: got a dict of length 32768")


@pytest.mark.parametrize("bins", [None, 5, "name", [("name", 1)], {"name"}])
def test_bins_that_are_no_mapping(bins):
    expect(lambda: checked_bins(bins), f"bins: got {bins!r}", "allowed: a mapping of bin names to values")


@pytest.mark.parametrize("names", ["name", b"name", None, 5])
def test_names_of_bins_that_are_no_list(names):
    expect(lambda: checked_bin_names(names), f"bins: got {names!r}", "allowed: a list of bin names")


def test_no_names_of_bins():
    expect(lambda: checked_bin_names([]), "bins: got []", "allowed: 1 to 32767 bin names")


@pytest.mark.parametrize("value", [5, None, True, ["x"], 1.5])
def test_value_to_append_or_prepend(value):
    expect(lambda: ops.append("b", value), f"append.value: got {value!r}", "allowed: a str or bytes")
    expect(lambda: ops.prepend("b", value), f"prepend.value: got {value!r}", "allowed: a str or bytes")


@pytest.mark.parametrize("offset", ["1", None, True, [1], 1 << 63, -(1 << 63) - 1])
def test_offset_of_an_increment(offset):
    expect(
        lambda: ops.increment("b", offset),
        f"increment.offset: got {offset!r}",
        "allowed: an int of 64 bits or a float",
    )
