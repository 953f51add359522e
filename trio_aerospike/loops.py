"""Single-record commands for the tasks of an asyncio loop: :class:`LoopCommands`."""

from ._drivers.loop_commands import LoopCommands

__all__ = ["LoopCommands"]
