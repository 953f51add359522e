"""Info: names and values, errors, peers, services, the partition map."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings, strategies as st

from tests.unit.wire.exchanges import DATA
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.info import (
    InfoError,
    decode_info_answers,
    decode_info_request,
    decode_info_response,
    encode_info_request,
    encode_info_response,
    format_error,
    is_error,
    parse_error,
    refusal_of_all,
)
from trio_aerospike._wire.info_cluster import (
    Peer,
    format_host,
    format_peers,
    format_replicas,
    parse_peers,
    parse_replicas,
    parse_services,
)
from trio_aerospike.errors import InvalidArgError, ProtocolError

words = st.text(st.characters(codec="utf-8", exclude_characters="\n\t"), min_size=1, max_size=20)


@settings(deadline=None)
@given(st.lists(words, max_size=5))
def test_any_names_come_back_as_they_were(names: list[str]) -> None:
    [(kind, body)] = FrameReader().feed(encode_info_request(*names))
    assert (kind, decode_info_request(body)) == (1, names)


@settings(deadline=None)
@given(st.dictionaries(words, st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40), max_size=5))
def test_any_answers_come_back_as_they_were(answers: dict[str, str]) -> None:
    for form in (answers, list(answers.items())):
        [(kind, body)] = FrameReader().feed(encode_info_response(form))
        assert (kind, decode_info_response(body)) == (1, answers)


commands = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(commands, st.text(st.characters(codec="utf-8"))), max_size=5, unique_by=lambda pair: pair[0]))
def test_answers_are_matched_by_the_commands_whatever_is_in_them(answers: list[tuple[str, str]]) -> None:
    for (_, value), (command, _) in pairwise(answers):
        assume(f"\n{command}\t" not in f"\n{value}\n{command}\t"[:-1])
    [(_, body)] = FrameReader().feed(encode_info_response(answers))
    assert decode_info_answers(body, [command for command, _ in answers]) == dict(answers)


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (b"build\t8.1\n", ["node"]),
        (b"node\tA1\n", ["node", "build"]),
        (b"build\t8.1\nnode\tA1\n", ["node", "build"]),
        (b"", ["node"]),
        (b"node\n", ["node"]),
        (b"nod\te\tA1\n", ["node"]),
        (b"node\t\xff\n", ["node"]),
        (b"ERROR:80:not authenticated\n", ["node"]),
    ],
)
def test_an_answer_to_something_else_is_a_protocol_error(body: bytes, asked: list[str]) -> None:
    with pytest.raises(ProtocolError):
        decode_info_answers(body, asked)


def test_an_error_in_place_of_all_answers_is_distinguished_from_answers() -> None:
    assert refusal_of_all(b"ERROR:80:not authenticated\n") == InfoError(80, "not authenticated")
    assert refusal_of_all(b"ERROR:9:timeout\n") == InfoError(9, "timeout")
    for answer in (b"node\tERROR:4:x\n", b"ERROR:4:x\tERROR:4:unrecognized command\n", b"", b"\xff"):
        assert refusal_of_all(answer) is None


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_names_and_answers_or_a_protocol_error(body: bytes) -> None:
    for decode in (decode_info_request, decode_info_response):
        try:
            decode(body)
        except ProtocolError:
            pass


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("[],:;0123456789aA=/", max_size=60)))
def test_arbitrary_text_is_peers_services_and_replicas_or_a_protocol_error(text: str) -> None:
    for parse in (parse_peers, parse_services, parse_replicas):
        try:
            parse(text)
        except ProtocolError:
            pass
    parse_error(text)


@pytest.mark.parametrize("name", ["", "a\nb", "build\n"])
def test_a_name_that_would_end_early_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgError, match="empty or holds a line break"):
        encode_info_request(name)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("ERROR:4:unrecognized command", InfoError(4, "unrecognized command")),
        ("ERROR:25:enterprise only", InfoError(25, "enterprise only")),
        ("FAIL:201:no index: idx", InfoError(201, "no index: idx")),
        ("fail:4:lower", InfoError(4, "lower")),
        ("ERROR:4", InfoError(4, "")),
        ("ERROR::no code", InfoError(1, "no code")),
        ("ERROR:words only", InfoError(1, "words only")),
        ("ERROR:words: more", InfoError(1, "words: more")),
        ("FAIL", InfoError(1, "")),
        ("ok", None),
        ("", None),
        ("ERRORS:4:x", None),
        ("node=ERROR:4", None),
    ],
)
def test_errors_in_place_of_a_value_are_distinguished_from_values(value: str, error: InfoError | None) -> None:
    assert parse_error(value) == error
    assert is_error(value) == (error is not None)


def test_a_formatted_error_parses() -> None:
    assert parse_error(format_error(4, "bad: set")) == InfoError(4, "bad: set")


@pytest.mark.parametrize(
    ("text", "peers"),
    [
        ("0,3000,[]", (0, 3000, [])),
        (
            "4,3000,[[A2,,[127.0.0.1:3110]],[A3,,[127.0.0.1:3120]]]",
            (4, 3000, [Peer("A2", "", (("127.0.0.1", 3110),)), Peer("A3", "", (("127.0.0.1", 3120),))]),
        ),
        (
            "7,,[[BB9,tls.example,[[2001:db8::1]:4333,10.0.0.1:4333,host.example:4000]]]",
            (
                7,
                0,
                [Peer("BB9", "tls.example", (("2001:db8::1", 4333), ("10.0.0.1", 4333), ("host.example", 4000)))],
            ),
        ),
    ],
)
def test_peers_parse_and_format_back(text: str, peers: tuple[int, int, list[Peer]]) -> None:
    assert parse_peers(text) == peers
    assert format_peers(*peers) == text


def test_an_address_without_a_port_has_the_default_one() -> None:
    assert parse_peers("1,4100,[[A,,[10.0.0.1,[::1],fe80::2]]]")[2] == [
        Peer("A", "", (("10.0.0.1", 4100), ("::1", 4100), ("fe80::2", 4100)))
    ]


def test_a_peer_without_addresses_parses() -> None:
    assert parse_peers("1,3000,[[A,,[]]]")[2] == [Peer("A", "", ())]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ERROR:25:enterprise only",
        "x,3000,[]",
        "1,x,[]",
        "1,3000",
        "1,3000,",
        "1,3000,[",
        "1,3000,]",
        "1,3000,[[A,,[h:1]]",
        "1,3000,[[A,,[h:1]]]]",
        "1,3000,[]][[]",
        "1,3000,[A]",
        "1,3000,[[A,[h:1]]]",
        "1,3000,[[,,[h:1]]]",
        "1,3000,[[A,,h:1]]",
        "1,3000,[[A,,[h:0]]]",
        "1,3000,[[A,,[h:65536]]]",
        "1,3000,[[A,,[h:x]]]",
        "1,3000,[[A,,[:1]]]",
        "1,3000,[[A,,[[::1]3000]]]",
        "1,,[[A,,[h]]]",
        "-1,3000,[]",
        "1,3000,[[A,,[h:²]]]",
    ],
)
def test_malformed_peers_are_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_peers(text)


def test_services_parse_with_either_separator() -> None:
    assert parse_services("127.0.0.1:3000") == [("127.0.0.1", 3000)]
    assert parse_services("127.0.0.1:3000,[::1]:3001") == [("127.0.0.1", 3000), ("::1", 3001)]
    assert parse_services("a:1;b:2") == [("a", 1), ("b", 2)]
    assert parse_services("a", 3000) == [("a", 3000)]
    assert parse_services("") == []


def test_hosts_format_with_brackets_around_ipv6() -> None:
    assert format_host("::1", 3000) == "[::1]:3000"
    assert format_host("db.example", 3000) == "db.example:3000"


BITMAP = bytes(range(256)) * 2


def test_replicas_parse_and_format_back() -> None:
    namespaces = {"test": (0, [BITMAP, bytes(512)]), "bar": (12, [b"\xff" * 512]), "none": (3, [])}
    text = format_replicas(namespaces)
    assert parse_replicas(text) == namespaces
    assert parse_replicas("") == {}
    assert text.startswith("test:0,2,AAECAwQF")


def test_all_recorded_answers_parse_and_format_back() -> None:
    seen = set()
    for line in (DATA / "cluster-info.jsonl").read_text().splitlines():
        answers = json.loads(line)["answers"]
        for name, value in answers.items():
            if is_error(value):
                seen.add("error")
            elif name.startswith(("peers-clear", "alumni-clear")):
                assert format_peers(*parse_peers(value)) == value
                seen.add("peers")
            elif name.startswith("service-clear"):
                assert [format_host(*host) for host in parse_services(value)] == value.split(",")
                seen.add("service")
            elif name == "replicas":
                assert format_replicas(parse_replicas(value)) == value
                seen.add("replicas")
    assert seen == {"error", "peers", "service", "replicas"}


@pytest.mark.parametrize(
    "text",
    [
        "ERROR:4:bad",
        "test",
        "test:",
        "test:0",
        ":0,0",
        "test:x,0",
        "test:0,x",
        "test:0,2,AAAA",
        "test:0,1,AAAA",
        "test:0,1,====",
        "test:0,1,é",
        "test:0,1," + "A" * 683,
    ],
)
def test_malformed_replicas_are_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_replicas(text)
