"""The examples of the native client say what the servers did, on embedded and on real ones."""

from __future__ import annotations

import re

from tests.examples.running import output_of, with_and_without_real_servers


@with_and_without_real_servers
def test_the_data_model_is_worked_on_in_place(hosts: str) -> None:
    text = output_of("data_model.py", hosts)
    for line in (
        "three more came in, and only the last three are kept: ['open', 'buy', 'logout']",
        "of [88, 95, 78, 92, 85] the best three are [88, 92, 95]; 3 are below 90; 92 is in place 2",
        "of a, b, a, c, b the server kept ['a', 'b', 'c']",
        "three apples sold, 4 left, 5 figs came; below 5: ['apple', 'pear']; most: {'plum': 40}",
        "{'count': 5, 'sku': 'B7'}], 'to': {'city': 'Graz', 'zip': '8010'}}",
        "present for 64 minutes, from 11:40 to 13:28, between 12 and 13 for 20",
        "within 130 km of Wien: Wien, Brno",
        "a total of 37.5 makes 33.75 to pay for a gold customer",
        "one that is not met leaves it as it is: FilteredOut, result code 27",
    ):
        assert line in text
    counts = re.search(r"about ([\d,]+) \(6,000\), on either day ([\d,]+) \(9,000\), on both ([\d,]+) \(2,000\)", text)
    assert counts
    for told, true in zip(counts.groups(), (6_000, 9_000, 2_000), strict=True):
        assert abs(int(told.replace(",", "")) - true) < 0.1 * true


@with_and_without_real_servers
def test_queries_find_everybody_once(hosts: str) -> None:
    assert output_of("queries.py", hosts).splitlines() == [
        "2,000 people stored",
        "indexes that are ready: people_age, people_home, people_likes",
        "in their twenties: 200",
        "hikers of Graz under thirty: 78",
        "within 30 km of Linz: 629, all of them from Linz",
        "somebody of 99 has been found, and nobody else is looked for",
        "children: 200 in 2 pages, nobody twice",
        "four workers have seen 2,000 people between them",
        "retired in the background: 700; at 70 that makes 5 years",
    ]


def test_users_may_do_what_their_roles_say_and_nothing_else() -> None:
    lines = output_of("security.py", "").splitlines()
    told = [(line.strip().rpartition(": ")[0], line.rpartition(": ")[2]) for line in lines]
    assert [
        end
        for what, end in told
        if what.startswith(("writes", "reads", "makes", "changes his", "changes it", "removes"))
    ] == ["done", "done", "ROLE_VIOLATION", "ROLE_VIOLATION", "done", "done", "ROLE_VIOLATION", "ROLE_VIOLATION"]
    assert ("with a wrong password", "INVALID_CREDENTIAL") in told
    assert ("changes a sale", "done") in told
    assert "user lou: till" in lines
    assert ("lou is dropped and tries to log in", "INVALID_USER") in told


@with_and_without_real_servers
def test_functions_run_on_the_servers(hosts: str) -> None:
    lines = output_of("udf.py", hosts).splitlines()
    assert re.fullmatch(r"registered account.lua on all \d node\(s\): [0-9a-f]{8}\.\.\.", lines[0])
    assert lines[1:] == [
        "  ann books +100: 100",
        "  ann books +25: 125",
        "  ann books -40: 85",
        "  ann books +15: 100",
        "  the record: {'balance': 100, 'last': [25, -40, 15]}",
        "  ann books -500: there are only 100 (result code 100)",
        "  after three years at 5 percent: {1: 105, 2: 110, 3: 115}",
        "booked 10 on 500 accounts with one call, 500 of them well",
        "booked 5 on all accounts in the background: 501",
        "together they hold 7605",
        "a filter keeps a function from records that do not meet it",
        "the module is gone: UDFError",
    ]
