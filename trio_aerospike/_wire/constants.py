"""Numbers of the Aerospike wire protocol.

Facts from the server's ``as/include/base/proto.h`` and ``as/include/base/datamodel.h``, and from the C client's
``as_command.h`` and ``as_admin.c``. Names follow the server's, without its ``AS_MSG_`` prefix.
"""

from typing import Final

# Frames (as_proto): version, type, 48-bit size of the body.
PROTO_VERSION: Final = 2
PROTO_INFO: Final = 1
PROTO_ADMIN: Final = 2
PROTO_SECURITY: Final = PROTO_ADMIN
PROTO_MESSAGE: Final = 3
PROTO_COMPRESSED: Final = 4
PROTO_HEADER_SIZE: Final = 8
PROTO_SIZE_MAX: Final = 128 * 1024 * 1024

# Messages (as_msg).
MESSAGE_HEADER_SIZE: Final = 22
# Offset of the transaction ttl (milliseconds, u32) in a whole frame, frame header included.
TRANSACTION_TTL_OFFSET: Final = 22
# The transaction ttl for "no limit": 0 would mean the server's default of one second.
TRANSACTION_TTL_NO_LIMIT: Final = 0x7FFFFFFF

INFO1_READ: Final = 0x01
INFO1_GET_ALL: Final = 0x02
INFO1_SHORT_QUERY: Final = 0x04
INFO1_BATCH: Final = 0x08
INFO1_XDR: Final = 0x10
INFO1_GET_NO_BINS: Final = 0x20
INFO1_CONSISTENCY_LEVEL_ALL: Final = 0x40
INFO1_COMPRESS_RESPONSE: Final = 0x80

INFO2_WRITE: Final = 0x01
INFO2_DELETE: Final = 0x02
INFO2_GENERATION: Final = 0x04
INFO2_GENERATION_GT: Final = 0x08
INFO2_DURABLE_DELETE: Final = 0x10
INFO2_CREATE_ONLY: Final = 0x20
INFO2_RELAX_AP_LONG_QUERY: Final = 0x40
INFO2_RESPOND_ALL_OPS: Final = 0x80

INFO3_LAST: Final = 0x01
INFO3_COMMIT_LEVEL_MASTER: Final = 0x02
INFO3_PARTITION_DONE: Final = 0x04
INFO3_UPDATE_ONLY: Final = 0x08
INFO3_CREATE_OR_REPLACE: Final = 0x10
INFO3_REPLACE_ONLY: Final = 0x20
INFO3_SC_READ_TYPE: Final = 0x40
INFO3_SC_READ_RELAX: Final = 0x80

INFO4_MRT_VERIFY_READ: Final = 0x01
INFO4_MRT_ROLL_FORWARD: Final = 0x02
INFO4_MRT_ROLL_BACK: Final = 0x04
INFO4_MRT_ON_LOCKING_ONLY: Final = 0x10

# Fields of a message.
FIELD_NAMESPACE: Final = 0
FIELD_SET: Final = 1
FIELD_KEY: Final = 2
FIELD_RECORD_VERSION: Final = 3
FIELD_DIGEST: Final = 4
FIELD_MRT_ID: Final = 5
FIELD_MRT_DEADLINE: Final = 6
FIELD_TRID: Final = 7
FIELD_SOCKET_TIMEOUT: Final = 9
FIELD_RECORDS_PER_SECOND: Final = 10
FIELD_PID_ARRAY: Final = 11
FIELD_DIGEST_ARRAY: Final = 12
FIELD_SAMPLE_MAX: Final = 13
FIELD_LUT: Final = 14
FIELD_BVAL_ARRAY: Final = 15
FIELD_INDEX_NAME: Final = 21
FIELD_INDEX_RANGE: Final = 22
FIELD_INDEX_CONTEXT: Final = 23
FIELD_INDEX_EXPRESSION: Final = 24
FIELD_INDEX_TYPE: Final = 26
FIELD_UDF_FILENAME: Final = 30
FIELD_UDF_FUNCTION: Final = 31
FIELD_UDF_ARGLIST: Final = 32
FIELD_UDF_OP: Final = 33
FIELD_QUERY_BINLIST: Final = 40
FIELD_BATCH_INDEX: Final = 41
FIELD_BATCH_WITH_SET: Final = 42
FIELD_FILTER: Final = 43

# Operations of a message.
OP_READ: Final = 1
OP_WRITE: Final = 2
OP_CDT_READ: Final = 3
OP_CDT_MODIFY: Final = 4
OP_INCR: Final = 5
OP_EXP_READ: Final = 7
OP_EXP_MODIFY: Final = 8
OP_APPEND: Final = 9
OP_PREPEND: Final = 10
OP_TOUCH: Final = 11
OP_BITS_READ: Final = 12
OP_BITS_MODIFY: Final = 13
OP_DELETE: Final = 14
OP_HLL_READ: Final = 15
OP_HLL_MODIFY: Final = 16

# In the flags byte of an operation: eight bytes of last-update time are between name and value.
OP_FLAG_HAS_LUT: Final = 0x01

# Particles: the types of values.
PARTICLE_NULL: Final = 0
PARTICLE_INTEGER: Final = 1
PARTICLE_FLOAT: Final = 2
PARTICLE_STRING: Final = 3
PARTICLE_BLOB: Final = 4
PARTICLE_JAVA_BLOB: Final = 7
PARTICLE_CSHARP_BLOB: Final = 8
PARTICLE_PYTHON_BLOB: Final = 9
PARTICLE_RUBY_BLOB: Final = 10
PARTICLE_PHP_BLOB: Final = 11
PARTICLE_ERLANG_BLOB: Final = 12
PARTICLE_VECTOR: Final = 16
PARTICLE_BOOL: Final = 17
PARTICLE_HLL: Final = 18
PARTICLE_MAP: Final = 19
PARTICLE_LIST: Final = 20
PARTICLE_GEOJSON: Final = 23
#: Particle types whose values are the bytes as they are: text and all kinds of blobs.
BYTES_PARTICLES: Final = frozenset(
    {PARTICLE_STRING, PARTICLE_BLOB, *range(PARTICLE_JAVA_BLOB, PARTICLE_ERLANG_BLOB + 1)}
)

# Ordering flags of lists and maps (aerospike-common: as_msgpack.h).
MAP_UNORDERED: Final = 0x00
MAP_KEY_ORDERED: Final = 0x01
MAP_KEY_VALUE_ORDERED: Final = 0x03
MAP_PRESERVE_ORDER: Final = 0x08
LIST_UNORDERED: Final = 0x00
LIST_ORDERED: Final = 0x01
CDT_PERSIST_INDEX: Final = 0x10

# Batch: flags of the whole request and of one row (server: as/src/base/batch.c).
BATCH_INLINE: Final = 0x01
BATCH_INLINE_SSD: Final = 0x02
BATCH_RESPOND_ALL: Final = 0x04
BATCH_REPORT_ERROR_RECORD: Final = 0x08

BATCH_ROW_REPEAT: Final = 0x01
BATCH_ROW_INFO: Final = 0x02
BATCH_ROW_GENERATION: Final = 0x04
BATCH_ROW_TTL: Final = 0x08
BATCH_ROW_INFO4: Final = 0x10

# Limits.
DIGEST_SIZE: Final = 20
BIN_NAME_MAX: Final = 15
NAMESPACE_MAX: Final = 31
SET_NAME_MAX: Final = 63
CDT_DEPTH_MAX: Final = 64
# A value of full depth, put into a list or map at the end of the longest context: deeper than a value that this client
# sends, but it has to be able to read it.
CDT_READ_DEPTH_MAX: Final = 2 * CDT_DEPTH_MAX + 1

N_PARTITIONS: Final = 4096
PARTITION_MASK: Final = N_PARTITIONS - 1
# Void times count seconds from 2010-01-01T00:00:00Z (server: cf_clock.h).
CITRUSLEAF_EPOCH: Final = 1262304000

# Special values of a request's record ttl.
TTL_NAMESPACE_DEFAULT: Final = 0
TTL_NEVER_EXPIRE: Final = 0xFFFFFFFF
TTL_DONT_UPDATE: Final = 0xFFFFFFFE

RESULT_OK: Final = 0
