"""``python -m trio_aerospike``: the ``trio-aerospike`` command."""

from __future__ import annotations

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main())
