"""The wire protocol, sans I/O: bytes to values and values to bytes.

Nothing here opens a connection, looks at a clock or imports trio; a test holds that. From the outside in:

- ``frames``: a stream of bytes, in any split, to whole frames, and back;
- ``messages``, ``admin_messages``, ``info``: the three kinds of frames in their general form, both directions, exact;
  ``batch_messages`` and ``info_cluster``: what stands in those of batches and of the tend loop, likewise;
- ``commands``, ``records``, ``batch``: the client's hot path, plain functions over bytes, so that a compiled twin can
  take their place behind the same tests; ``admin``: logins, users and roles;
- ``particles``, ``cdt``, ``values``: what bins hold, lists and maps among it; ``digests``: where records live;
- ``constants``: the protocol's numbers.

Malformed bytes are a ``ProtocolError``, values that the database cannot hold an ``InvalidArgError``; nothing else gets
out.
"""
