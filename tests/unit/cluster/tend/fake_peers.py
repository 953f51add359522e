"""Nodes as other nodes list them, for tests of the tend loop's decisions."""

import attrs


@attrs.frozen
class FakePeer:
    name: str
    hosts: tuple[tuple[str, int], ...]
    tls_name: str = ""


def at(number):
    return ("10.0.0.1", 3000 + number)
