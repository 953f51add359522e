"""Raise the error that ended a stream in each of the tasks that read it, now or later."""

from __future__ import annotations

import copy


class StreamFailure:
    """The error that ended a stream, for each of its readers.

    The first reader gets the error itself, the others get copies: tasks that raise one object at the same time would
    overwrite its traceback and context.

    Args:
        error: why the stream ended.
        raised: a reader has got it already.
    """

    __slots__ = ("_traceback", "error", "raised")

    def __init__(self, error: BaseException, *, raised: bool = False) -> None:
        self.error = error
        self.raised = raised
        self._traceback = error.__traceback__

    def for_reader(self) -> BaseException:
        """The error to raise in the task of one reader; the original where it cannot be copied."""
        error = self.error
        if not self.raised:
            self.raised = True
            return error
        try:
            copied = copy.copy(error)
        except Exception:
            return error
        if type(copied) is not type(error):
            return error
        copied.__cause__ = error.__cause__
        copied.__suppress_context__ = error.__suppress_context__
        return copied.with_traceback(self._traceback)
