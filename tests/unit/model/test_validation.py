"""How a refusal is worded, and that checking bins is cheap and bounded."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from trio_aerospike import ctx, operations, predicates, validation
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.exp import Expression
from trio_aerospike.validation import checked_bin_name, checked_bin_names, checked_bins, refused, shown


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, b"x" * 10_000_000, [0] * 1_000_000, {i: i for i in range(1000)}, 10**5000, Unprintable()],
    ids=["str", "bytes", "list", "dict", "int", "unprintable"],
)
def test_a_value_is_never_shown_at_length(value):
    text = shown(value)
    assert len(text) < 140
    assert str(refused("bins", value, "less")) == f"bins: got {text}, allowed: less"


@pytest.mark.parametrize("value", [1, "ann", None, b"\x00", [1, 2], {"a": 1}])
def test_a_short_value_is_shown_as_it_is(value):
    assert shown(value) == repr(value)


def test_a_long_text_says_how_long():
    assert "str of length 500" in shown("x" * 500)


@pytest.mark.parametrize("bins", [{"a": 1}, MappingProxyType({"a": 1}), {"x" * 15: 1, "ä" * 7: 2}])
def test_bins_that_can_be_written_come_back_as_they_are(bins):
    assert checked_bins(bins) is bins
    # Again, now that the names are known.
    assert checked_bins(bins) is bins


def test_known_names_do_not_let_a_new_wrong_one_pass():
    checked_bins({"known": 1})
    with pytest.raises(InvalidArgError, match="bin name"):
        checked_bins({"known": 1, "x" * 16: 2})
    with pytest.raises(InvalidArgError, match="bin name"):
        checked_bins({"known": 1, 5: 2})  # type: ignore[dict-item]


def test_a_program_that_makes_up_bin_names_does_not_fill_the_memory(monkeypatch):
    known: set[str] = set()
    monkeypatch.setattr(validation, "_bin_names", known)
    monkeypatch.setattr(validation, "_all_known", known.issuperset)
    monkeypatch.setattr(validation, "_BIN_NAMES_KEPT", 3)
    for i in range(10):
        assert checked_bin_name(f"bin-{i}") == f"bin-{i}"
    assert len(known) == 3


@pytest.mark.parametrize("names", [["a", "b"], ("a", "b"), iter(["a", "b"]), {"a": 1, "b": 2}])
def test_names_of_bins_come_from_any_iterable(names):
    assert checked_bin_names(names) == ["a", "b"]


class EncodesWithArguments:
    def encode(self, how):
        raise AssertionError("not to be called")


class HasSomethingElse:
    encode = b"\x93"


class GivesText:
    def encode(self):
        return "text"


@pytest.mark.parametrize(
    "given",
    [EncodesWithArguments(), HasSomethingElse(), GivesText(), EncodesWithArguments, Expression, "text", 5, None],
)
@pytest.mark.parametrize(
    "use",
    [
        lambda given: operations.modify_by_path("m", [ctx.all_children()], given),
        lambda given: ctx.all_children_where(given),
        lambda given: ctx.and_where(given),
    ],
)
def test_what_does_not_encode_itself_is_no_expression(given, use):
    with pytest.raises(
        InvalidArgError, match=r"got .*allowed: an expression of trio_aerospike\.exp, or the bytes of one"
    ):
        use(given)


@pytest.mark.parametrize("given", [EncodesWithArguments(), HasSomethingElse(), GivesText(), Expression, 5])
def test_what_does_not_encode_itself_is_no_source_of_an_index(given):
    with pytest.raises(InvalidArgError, match="allowed: a bin's name, an expression"):
        predicates.equals(given, 1)
