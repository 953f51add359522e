"""Single-record commands for blocking threads: :class:`ThreadCommands`."""

from ._drivers.thread_commands import ThreadCommands

__all__ = ["ThreadCommands"]
