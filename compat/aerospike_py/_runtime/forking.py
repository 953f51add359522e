"""Reset the package's state in a forked child, by one hook that is installed when the first client is made."""

from __future__ import annotations

import os
from collections.abc import Callable

_resets: list[Callable[[], None]] = []
_installed = False


def reset_in_child(reset: Callable[[], None]) -> Callable[[], None]:
    """Decorate a function that is to run in every forked child. It may run twice, and must not raise."""
    _resets.append(reset)
    return reset


def install_fork_hook() -> None:
    """Install the hook, unless it is there. Before that, nothing of this package happens in a forked child."""
    global _installed
    if not _installed and hasattr(os, "register_at_fork"):  # there is no fork on Windows
        # An interrupt in between installs the hook twice, which does no harm.
        os.register_at_fork(after_in_child=_reset_all)
        _installed = True


def _reset_all() -> None:
    for reset in _resets:
        reset()
