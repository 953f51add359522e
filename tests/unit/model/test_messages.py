"""Error messages: bounded, with the right words, and with what to do."""

from __future__ import annotations

import inspect
from typing import Any, cast
from unittest.mock import Mock

import pytest

from trio_aerospike import Client, Key, exp, operations as op
from trio_aerospike._trio_guard import TrioRun
from trio_aerospike._wire.commands import encode_op
from trio_aerospike._wire.error_text import kind_of, with_article
from trio_aerospike._wire.info import parse_error
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import ReadPolicy

LONG = 100_000


@pytest.mark.parametrize("user_key", ["k" * LONG, b"\xff" * LONG, "\U0001f680" * LONG], ids=["str", "bytes", "emoji"])
def test_a_long_key_is_cut_in_messages(user_key: Any) -> None:
    text = repr(Key("test", "demo", user_key))
    assert len(text) < 200
    assert str(LONG) in text


def test_the_text_of_a_server_is_bounded() -> None:
    error = parse_error("ERROR:4:" + "x" * LONG)
    assert error is not None
    assert len(error.message) < 1100


@pytest.mark.parametrize(
    ("value", "kind"), [(1, "an int"), ("", "a str"), (object(), "an object"), (1.5, "a float"), ({}, "a dict")]
)
def test_types_have_their_article(value: object, kind: str) -> None:
    assert kind_of(value) == kind


def test_what_an_expression_gives_has_its_article() -> None:
    assert with_article("integer") == "an integer"
    with pytest.raises(InvalidArgError, match="this one gives an int"):
        ReadPolicy(filter_expression=exp.int_bin("a"))


numpy: Any = pytest.importorskip("numpy")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.True_, "is a NumPy bool: allowed are "),
        (numpy.int64(5), "is a NumPy int64: allowed are "),
        (numpy.float32(1.5), "is a NumPy float32: allowed are "),
        ([numpy.int64(5)], "at [0]: np.int64(5) is a NumPy int64: allowed are "),
        ({numpy.int64(5): 1}, "map key np.int64(5) is a NumPy int64: allowed are "),
    ],
)
def test_scalars_of_numpy_are_refused_with_the_way_to_convert_them(value: object, text: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        encode_op(2, "b", value)
    assert text in str(caught.value)
    assert str(caught.value).endswith("(convert it with .item())")


def test_arrays_are_refused_with_the_way_to_convert_them() -> None:
    with pytest.raises(InvalidArgError, match=r"is a NumPy ndarray.*\(convert it with .tolist\(\)\)"):
        encode_op(2, "b", numpy.array([1, 2]))


@pytest.mark.parametrize("value", [numpy.float64(1.5), numpy.str_("s"), numpy.bytes_(b"b")])
def test_scalars_of_numpy_that_are_of_pythons_types_are_taken(value: Any) -> None:
    assert encode_op(2, "b", value) == encode_op(2, "b", value.item())


def test_arguments_say_it_too() -> None:
    with pytest.raises(InvalidArgError, match=r"got np.True_.*\(convert it with .item\(\)\)"):
        Key("test", "demo", numpy.True_)
    with pytest.raises(InvalidArgError, match=r"np.int64\(5\).*\(convert it with .item\(\)\)"):
        op.increment("b", numpy.int64(5))


def commands_with_a_policy() -> list[str]:
    names = [name for name in dir(Client) if not name.startswith("_") and callable(getattr(Client, name))]
    return [name for name in names if "policy" in inspect.signature(getattr(Client, name)).parameters]


class _Cluster:
    """Fake cluster with the attributes that a command uses before it checks its arguments."""

    trio_run = Mock(spec=TrioRun)
    observers = None


def client_of_this_run() -> Client:
    client: Client = object.__new__(Client)
    client._cluster = cast(Any, _Cluster)
    return client


@pytest.mark.parametrize("name", commands_with_a_policy())
def test_every_command_says_where_a_time_limit_goes(name: str) -> None:
    method = getattr(Client, name)
    required = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    client = client_of_this_run()
    with pytest.raises(TypeError) as caught:
        call = method(client, *required[1:], timeout=1.0)
        if inspect.iscoroutine(call):
            call.send(None)
    assert isinstance(caught.value, InvalidArgError)
    text = str(caught.value)
    assert text.startswith(f"{name}: unknown argument 'timeout', ")
    assert "pass policy=" in text
    assert "allowed: " in text
    assert "unknown," not in text.partition("allowed: ")[2]


def test_a_mistyped_argument_has_the_nearest_one() -> None:
    client = client_of_this_run()
    key = Key("test", "demo", 1)
    wrong: dict[str, Any] = {"tll": 5}
    with pytest.raises(TypeError, match="put: unknown argument 'tll', did you mean 'ttl'"):
        client.put(key, {"a": 1}, **wrong).send(None)
    wrong = {"max_retries": 3}
    with pytest.raises(TypeError, match=r"a field of ReadPolicy: pass policy=ReadPolicy\(max_retries=3\)"):
        client.get(key, **wrong).send(None)


def test_there_are_commands_to_look_at() -> None:
    assert len(commands_with_a_policy()) > 60
