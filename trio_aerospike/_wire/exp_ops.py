"""Numbers of expressions (server: as/src/base/exp.c, as/include/base/exp.h)."""

from typing import Final

UNK: Final = 0
CMP_EQ: Final = 1
CMP_NE: Final = 2
CMP_GT: Final = 3
CMP_GE: Final = 4
CMP_LT: Final = 5
CMP_LE: Final = 6
CMP_REGEX: Final = 7
CMP_GEO: Final = 8
IN_LIST: Final = 9
AND: Final = 16
OR: Final = 17
NOT: Final = 18
EXCLUSIVE: Final = 19
ADD: Final = 20
SUB: Final = 21
MUL: Final = 22
DIV: Final = 23
POW: Final = 24
LOG: Final = 25
MOD: Final = 26
ABS: Final = 27
FLOOR: Final = 28
CEIL: Final = 29
TO_INT: Final = 30
TO_FLOAT: Final = 31
INT_AND: Final = 32
INT_OR: Final = 33
INT_XOR: Final = 34
INT_NOT: Final = 35
INT_LSHIFT: Final = 36
INT_RSHIFT: Final = 37
INT_ARSHIFT: Final = 38
INT_COUNT: Final = 39
INT_LSCAN: Final = 40
INT_RSCAN: Final = 41
MIN: Final = 50
MAX: Final = 51
META_DIGEST_MOD: Final = 64
META_DEVICE_SIZE: Final = 65
META_LAST_UPDATE: Final = 66
META_SINCE_UPDATE: Final = 67
META_VOID_TIME: Final = 68
META_TTL: Final = 69
META_SET_NAME: Final = 70
META_KEY_EXISTS: Final = 71
META_IS_TOMBSTONE: Final = 72
META_MEMORY_SIZE: Final = 73
META_RECORD_SIZE: Final = 74
REC_KEY: Final = 80
BIN: Final = 81
BIN_TYPE: Final = 82
RESULT_REMOVE: Final = 100
MAP_KEYS: Final = 101
MAP_VALUES: Final = 102
VAR_BUILTIN: Final = 122
COND: Final = 123
VAR: Final = 124
LET: Final = 125
QUOTE: Final = 126
CALL: Final = 127

# Types of values in expressions.
TYPE_NIL: Final = 0
TYPE_BOOL: Final = 1
TYPE_INT: Final = 2
TYPE_STR: Final = 3
TYPE_LIST: Final = 4
TYPE_MAP: Final = 5
TYPE_BLOB: Final = 6
TYPE_FLOAT: Final = 7
TYPE_GEOJSON: Final = 8
TYPE_HLL: Final = 9

# Families of operations that CALL calls.
CALL_CDT: Final = 0
CALL_BITS: Final = 1
CALL_HLL: Final = 2
CALL_MODIFY_LOCAL: Final = 0x40

# Loop variables of an expression that is evaluated for the elements of a list or map.
BUILTIN_KEY: Final = 0
BUILTIN_VALUE: Final = 1
BUILTIN_INDEX: Final = 2

# Flags of expression operations (server: proto.h).
FLAG_CREATE_ONLY: Final = 1 << 0
FLAG_UPDATE_ONLY: Final = 1 << 1
FLAG_ALLOW_DELETE: Final = 1 << 2
FLAG_POLICY_NO_FAIL: Final = 1 << 3
FLAG_EVAL_NO_FAIL: Final = 1 << 4
