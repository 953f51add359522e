"""The wire protocol, sans-I/O: encode requests and decode answers.

Nothing here opens a connection, reads a clock or imports trio; a test checks that.

- ``frames``: split a stream of bytes into frames; ``pipeline``: match answers to requests in flight;
- ``messages``, ``admin_messages``, ``info``: the general form of the three kinds of frames, in both directions and
  exact; ``batch_messages`` and ``info_cluster``: the same for batches and the tend loop;
- ``commands``, ``records``, ``batch``: the client's hot path, plain functions over bytes; ``admin``: logins, users and
  roles;
- ``particles``, ``cdt``, ``value_types``: values of bins, lists and maps included; ``digests``: digests and partitions;
- ``constants``: the protocol's numbers.

Malformed bytes raise ``ProtocolError``, and values that the database cannot hold ``InvalidArgError``; nothing else is
raised.
"""

import os
from pathlib import Path

#: Compiled forms of some modules are here, if the package was built with a C compiler.
_COMPILED = Path(__file__).with_name("_compiled")
if os.environ.get("TRIO_AEROSPIKE_PURE", "0") in ("", "0") and _COMPILED.is_dir():
    __path__.insert(0, str(_COMPILED))
