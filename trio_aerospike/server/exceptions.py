"""Exceptions that end a request: refused with a result code, or not served as its node is unreachable."""

from __future__ import annotations

from ..errors import ResultCode


class Refused(Exception):
    """The request ends with a result code.

    Args:
        result: the result code of the response.
        generation: the record's generation, which the server sends with some errors, too.
        void_time: the record's void-time, likewise.
    """

    def __init__(self, result: ResultCode, generation: int = 0, void_time: int = 0) -> None:
        super().__init__(result.name)
        self.result = result
        self.generation = generation
        self.void_time = void_time


class Unreachable(Exception):
    """The node that has to serve the request is unreachable; the partition map may change soon."""
