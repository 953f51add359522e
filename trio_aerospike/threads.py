"""Single-record commands for blocking threads: :class:`ThreadCommands`."""

from ._drivers.blocking import ThreadCommands

__all__ = ["ThreadCommands"]
