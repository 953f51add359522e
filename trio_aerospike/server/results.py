"""The way a request ends early."""

from __future__ import annotations

from ..errors import ResultCode


class Refused(Exception):
    """A request ends here, with this result.

    Args:
        result: what the client is told.
        generation: the record's, where there is one (the server sends it with errors, too).
        void_time: the record's, likewise.
    """

    def __init__(self, result: ResultCode, generation: int = 0, void_time: int = 0) -> None:
        super().__init__(result.name)
        self.result = result
        self.generation = generation
        self.void_time = void_time
