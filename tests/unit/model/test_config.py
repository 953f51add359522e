"""The client's configuration: the page's table of defaults, addresses, the dict form."""

from __future__ import annotations

import pickle
import ssl

import attrs
import pytest

from trio_aerospike.config import AuthMode, ClientConfig, Host, parse_hosts
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import AdminPolicy, BatchPolicy, InfoPolicy, ReadPolicy, WritePolicy
from trio_aerospike.query import QueryPolicy

LOCAL = (Host("127.0.0.1", 3000),)

# The rows of the client configuration page: key of the page, its default there, field, value of the field.
PAGE = [
    ("cluster_name", "", "cluster_name", ""),
    ("auth_mode", 0, "auth_mode", AuthMode.INTERNAL),
    ("user", "", "user", ""),
    ("password", "", "password", ""),
    ("timeout", 1000, "timeout", 1.0),
    ("idle_timeout", 55, "idle_timeout", 55.0),
    ("max_conns_per_node", 256, "max_conns_per_node", 256),
    ("min_conns_per_node", 0, "min_conns_per_node", 0),
    ("conn_pools_per_node", 1, "conn_pools_per_node", 1),
    ("tend_interval", 1000, "tend_interval", 1.0),
    ("use_services_alternate", False, "use_services_alternate", False),
    ("max_concurrent_operations", 0, "max_concurrent_operations", 0),
    ("operation_queue_timeout_ms", 0, "operation_queue_timeout", None),
]


@pytest.mark.parametrize(("key", "page_default", "field", "value"), PAGE)
def test_every_default_of_the_page(key, page_default, field, value):
    native = ClientConfig("127.0.0.1:3000")
    page = ClientConfig.from_milliseconds({"hosts": [("127.0.0.1", 3000)]})
    said = ClientConfig.from_milliseconds({"hosts": [("127.0.0.1", 3000)], key: page_default})
    for config in (native, page, said):
        assert getattr(config, field) == value
        assert type(getattr(config, field)) is type(value)


def test_the_table_of_defaults_covers_every_field():
    # Beyond the page: the transport's encryption and the policies of calls without one.
    policies = {"read_policy", "write_policy", "batch_policy", "query_policy", "info_policy", "admin_policy"}
    extra = {"hosts", "tls", *policies}
    assert {field for _, _, field, _ in PAGE} | extra == {a.name for a in attrs.fields(ClientConfig)}


def test_defaults_beyond_the_page():
    config = ClientConfig("h")
    assert config.tls is None
    assert config.read_policy == ReadPolicy()
    assert config.write_policy == WritePolicy()
    assert config.batch_policy == BatchPolicy()
    assert config.query_policy == QueryPolicy()
    assert config.info_policy == InfoPolicy()
    assert config.admin_policy == AdminPolicy()


def test_both_forms_describe_the_same_client():
    native = ClientConfig(
        [("a", 1), ("b", 2)],
        cluster_name="docker",
        auth_mode=AuthMode.EXTERNAL,
        user="u",
        password="p",
        timeout=0.25,
        idle_timeout=30,
        max_conns_per_node=300,
        min_conns_per_node=10,
        conn_pools_per_node=2,
        tend_interval=0.5,
        use_services_alternate=True,
        max_concurrent_operations=64,
        operation_queue_timeout=5,
    )
    page = ClientConfig.from_milliseconds(
        {
            "hosts": [("a", 1), ("b", 2)],
            "cluster_name": "docker",
            "auth_mode": 1,
            "user": "u",
            "password": "p",
            "timeout": 250,
            "idle_timeout": 30,
            "max_conns_per_node": 300,
            "min_conns_per_node": 10,
            "conn_pools_per_node": 2,
            "tend_interval": 500,
            "use_services_alternate": True,
            "max_concurrent_operations": 64,
            "operation_queue_timeout_ms": 5000,
        }
    )
    assert native == page
    assert page.auth_mode is AuthMode.EXTERNAL


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("timeout", "timeout"),
        ("idle_timeout", "idle_timeout"),
        ("operation_queue_timeout_ms", "operation_queue_timeout"),
    ],
)
def test_zero_of_the_page_means_no_limit(key, field):
    assert getattr(ClientConfig.from_milliseconds({"hosts": "h", key: 0}), field) is None


@pytest.mark.parametrize("key", ["cluster_name", "user", "password"])
def test_none_in_the_dict_is_the_same_as_leaving_it_out(key):
    assert getattr(ClientConfig.from_milliseconds({"hosts": "h", key: None}), key) == ""


def test_the_dict_is_left_as_it_was():
    given = {"hosts": [("h", 1)], "timeout": 5}
    ClientConfig.from_milliseconds(given)
    assert given == {"hosts": [("h", 1)], "timeout": 5}


@pytest.mark.parametrize(
    ("hosts", "parsed"),
    [
        ("127.0.0.1:3000", LOCAL),
        ("127.0.0.1", LOCAL),
        (("127.0.0.1", 3000), LOCAL),
        (["127.0.0.1", 3000], LOCAL),
        ([("127.0.0.1", 3000)], LOCAL),
        ([["127.0.0.1", 3000]], LOCAL),
        ([("127.0.0.1",)], LOCAL),
        (["127.0.0.1:3000"], LOCAL),
        (iter([("127.0.0.1", 3000)]), LOCAL),
        (Host("127.0.0.1"), LOCAL),
        ([Host("127.0.0.1")], LOCAL),
        (LOCAL, LOCAL),
        ("[::1]:3000", (Host("::1", 3000),)),
        ("[::1]", (Host("::1", 3000),)),
        ("::1", (Host("::1", 3000),)),
        (("::1", 4000), (Host("::1", 4000),)),
        ("fe80::1%eth0", (Host("fe80::1%eth0", 3000),)),
        ("a:1,b:2, [::1]:3", (Host("a", 1), Host("b", 2), Host("::1", 3))),
        (("a", "b"), (Host("a"), Host("b"))),
        (("a:1", "b:2", "c:3"), (Host("a", 1), Host("b", 2), Host("c", 3))),
        ([("a", 1), ["b", 2], "c:3"], (Host("a", 1), Host("b", 2), Host("c", 3))),
        (("a", 1, "cert"), (Host("a", 1, "cert"),)),
        ([("a", 1, "cert"), ("b", 2, None)], (Host("a", 1, "cert"), Host("b", 2))),
        ([("a", 1), ("a", 1), "a:1"], (Host("a", 1),)),
        ("my_host.internal:65535", (Host("my_host.internal", 65535),)),
    ],
)
def test_every_form_of_hosts(hosts, parsed):
    assert parse_hosts(hosts) == parsed


@pytest.mark.parametrize(("host", "text"), [(Host("h", 1), "h:1"), (Host("::1", 1), "[::1]:1"), (Host("h"), "h:3000")])
def test_a_host_as_text_can_be_read_back(host, text):
    assert str(host) == text
    assert parse_hosts(text) == (host,)


def test_repr_hides_the_password():
    config = ClientConfig("h", user="ann", password="hunter2")
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    assert "password='***'" in repr(config)
    assert "password=''" in repr(ClientConfig("h"))
    assert "hunter2" not in repr(config.replace(timeout=2))


def test_a_wrong_password_is_not_shown_either():
    with pytest.raises(InvalidArgError) as caught:
        ClientConfig("h", password=b"hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
    assert "ClientConfig.password: got a bytes, allowed: a str" in str(caught.value)


def test_replace_gives_a_checked_copy():
    config = ClientConfig("h", timeout=2)
    assert config.replace(user="u", password="p") == ClientConfig("h", timeout=2, user="u", password="p")
    assert config.user == ""
    assert config.replace(hosts=[("g", 1)]).hosts == (Host("g", 1),)
    assert config.replace() == config


def test_a_config_is_frozen_and_can_be_pickled():
    config = ClientConfig("h", user="u")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.user = "v"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(config)) == config


def test_pki_needs_tls():
    with pytest.raises(InvalidArgError, match="auth_mode"):
        ClientConfig("h", auth_mode=AuthMode.PKI)
    context = ssl.create_default_context()
    assert ClientConfig("h", auth_mode=AuthMode.PKI, tls=context).tls is context


@pytest.mark.parametrize(("member", "number"), [("INTERNAL", 0), ("EXTERNAL", 1), ("PKI", 2)])
def test_auth_modes_have_the_numbers_of_aerospike_py(member, number):
    assert AuthMode[member] == number
