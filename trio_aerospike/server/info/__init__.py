"""Info commands of the embedded server: a registry, and handlers by concern.

Importing this package registers all handlers.
"""

from . import cluster, config, diagnostics, indexes, namespaces, node, partitions, peers, udf  # noqa: F401
from .registry import (
    SUMMARY as SUMMARY,
    answer_info as answer_info,
    info_lines as info_lines,
    is_streaming as is_streaming,
)
